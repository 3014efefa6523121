"""Statements about measures that are themselves ratios: of two measurements of one guest in one sample and one boot
(stressed and calm, with a limit and without). They say whether such a ratio differs from 1."""

from dataclasses import dataclass

from . import blocks, comparison


@dataclass(frozen=True)
class Within:
    subject: str
    measure: str
    title: str
    finding: comparison.Finding


def findings(found):
    """Returns findings for every subject, including the reference. `found` is an analysis. Emulated guests have values
    but no verdict."""
    chosen = {each.measure for each in found.experiment.primary}
    corrected = comparison.corrected_level(len(chosen))
    told = []
    for measure in found.measures():
        if found.kind.measure(measure).ratio:
            for subject in found.subjects:
                if not found.emulated(subject) and (values := found.values(subject, measure)):
                    level = corrected if measure in chosen else comparison.LEVEL
                    disturbed = [bool(blocks.reasons(found.done[block][subject], measure)) for block in values]
                    finding = comparison.finding([1.0] * len(values), list(values.values()), disturbed, level)
                    told.append(Within(subject, measure, found.describe(measure), finding))
    return told
