"""How often the proofs of several runs hold, and what each run says about its subjects. Each run repeats the same
experiments on one host, some of them beside an unrelated load (neighbour.py)."""

import math
from collections import Counter

from . import comparison, proofs
from .analysis import WORDS

# {what is counted: (its title, the share of runs in which it must hold)}
WANTED = {
    "itself": ("the reference does not differ from itself", 0.9),
    "contains": ("the interval of the reference against itself contains 1", 0.9),
    proofs.LOOP: ("half of the processor time halves a program that only computes", 1.0),
    proofs.QUOTA: ("half of the processor time on the pipeline is found", 1.0),
    proofs.LOSS: ("a stressed twin is found", 1.0),
}


def of_run(analyses):
    """Returns {what: whether it holds} for the analyses of one run. What the run did not measure is left out."""
    twins = [each for found in analyses for each in found.compared
             if each.primary and each.subject == found.twins[1] and each.finding and each.finding.word != comparison.VALUES]
    told = {}
    if twins:
        told["itself"] = not any(each.finding.word in (comparison.HIGHER, comparison.LOWER) for each in twins)
        told["contains"] = all(each.finding.all.low <= 1 <= each.finding.all.high for each in twins)
    for found in analyses:
        for proof in found.proofs:
            if proof.kind in WANTED:
                told[proof.kind] = told.get(proof.kind, True) and bool(proof.good)
    return told


def verdicts(analyses):
    """Returns {"SUBJECT: MEASURE": verdict} of the main comparisons, without the reference itself."""
    return {f"{each.who}: {each.title}": WORDS[each.word] if each.word else "no verdict"
            for found in analyses for each in found.compared if each.primary and each.subject != found.twins[1]}


def table(runs):
    """Lines of Markdown. `runs`: [(name, load beside it or "", analyses)]."""
    told = [of_run(analyses) for _, _, analyses in runs]
    said = [verdicts(analyses) for _, _, analyses in runs]
    kinds = [kind for kind in WANTED if any(kind in each for each in told)]
    columns = list(dict.fromkeys(name for each in said for name in each))
    lines = ["| run | beside it | " + " | ".join([*(WANTED[kind][0] for kind in kinds), *columns]) + " |",
             "|---" * (2 + len(kinds) + len(columns)) + "|"]
    for (name, beside, _), holds, words in zip(runs, told, said):
        cells = [proofs.WORDS[holds[kind]] if kind in holds else "" for kind in kinds]
        lines.append(f"| {name} | {beside or '–'} | " + " | ".join([*cells, *(words.get(each, "") for each in columns)]) + " |")
    return [*lines, "", *(summary(kind, told) for kind in kinds), *map(contradictions(said), columns)]


def summary(kind, told):
    """One line: in how many runs a proof held, and in how many it must hold."""
    title, share = WANTED[kind]
    results = [each[kind] for each in told if kind in each]
    wanted = math.ceil(share * len(results))
    return f"- {title}: {sum(results)} of {len(results)} runs, {wanted} are required: {proofs.WORDS[sum(results) >= wanted]}"


def contradictions(said):
    """Returns a function that decides whether the verdicts of a column contradict each other. "Not decided" contradicts
    nothing."""
    decided = {WORDS[word] for word in (comparison.HIGHER, comparison.LOWER, comparison.SAME)}

    def line(column):
        found = Counter(words[column] for words in said if words.get(column) in decided)
        told = ", ".join(f"{word} {count}" for word, count in found.items()) or "no verdict in any run"
        return f"- {column}: {told}" + ("; these contradict each other" if len(found) > 1 else "")

    return line
