"""The order of samples: each block holds every subject once, in an order drawn at random, so that drift of the machine falls
on all alike. The order follows from the seed alone, so a run that was interrupted goes on where it stopped."""

import random


def order(subjects, block, seed):
    """The subjects of block number `block`, counted from 0, in the order of their samples."""
    drawn = list(subjects)
    random.Random(f"{seed}:{block}").shuffle(drawn)
    return drawn


def remaining(subjects, seed, done):
    """(block, position, subject) of every sample from the first block that is not complete, without end. `done` holds the
    (block, subject) pairs that a run has already."""
    block = 0
    while True:
        for position, subject in enumerate(order(subjects, block, seed)):
            if (block, subject) not in done:
                yield block, position, subject
        block += 1


def complete(subjects, samples):
    """{block: {subject: sample}} of the blocks in which every subject has a sample that counts."""
    found = {}
    for sample in samples:
        if sample["status"] == "ok":
            found.setdefault(sample["block"], {})[sample["subject"]] = sample
    return {block: by for block, by in sorted(found.items()) if all(each in by for each in subjects)}
