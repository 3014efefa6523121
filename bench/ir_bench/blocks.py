"""The order of samples. Each block holds every subject once, in random order, so that drift of the machine affects all
alike. The order depends only on the seed, so an interrupted run can continue where it stopped."""

import random


def order(subjects, block, seed):
    """The subjects of block number `block` (from 0), in the order of their samples."""
    drawn = list(subjects)
    random.Random(f"{seed}:{block}").shuffle(drawn)
    return drawn


def left(subjects, block, seed, done):
    """Returns [(position, subject)] of the block's samples that are still missing. `done` holds the finished (block,
    subject) pairs."""
    drawn = enumerate(order(subjects, block, seed))
    return [(position, subject) for position, subject in drawn if (block, subject) not in done]


def good(samples):
    """Returns {block: {subject: sample}} of the samples that count."""
    found = {}
    for sample in samples:
        if sample["status"] == "ok":
            found.setdefault(sample["block"], {})[sample["subject"]] = sample
    return dict(sorted(found.items()))


def pairs(by_block, first, second):
    """The blocks of good() in which both subjects have a sample."""
    return [block for block, by in by_block.items() if first in by and second in by]


def reasons(sample, measure):
    """Why a measure of a sample counts as disturbed: events during its measurement, and the canaries' results."""
    return [each for stretch, some in sample["disturbed"].items() if not stretch or measure.startswith(f"{stretch}.")
            for each in some]
