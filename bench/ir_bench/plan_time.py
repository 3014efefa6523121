"""How many blocks and minutes it takes to find a difference of 2, 5 and 10 %, from the scatter measured on this host.

The scatter is the standard deviation of the logarithms of paired ratios, pooled over the stored runs of the experiment
and over their subjects. It comes from a limited number of pairs, so a second number is given for the upper end of its
interval (chi-squared, one-sided). The number of blocks follows from the power of the paired t-test (comparison.py).
"""

import math
import statistics
from collections import defaultdict
from dataclasses import dataclass

import numpy
from scipy import stats

from . import comparison
from .analysis import pairs

EFFECTS = (0.02, 0.05, 0.10)
UPPER_LEVEL = 0.9
SAME_HOST = ("host", "cpu", "cores", "memory_mib")
# Used on hosts without a run: the pipeline's scatter, by the last part of a measure's name. It was measured on two
# other machines with two cores, while other virtual machines shared their hosts.
PILOT = {"p50_ms": 0.015, "p99_ms": 0.09, "cpu_us": 0.015, "guest_cpu_us": 0.015, "rate": 0.10}


@dataclass(frozen=True)
class Scatter:
    deviation: float
    upper: float | None  # None: not measured here
    pairs: int

    def words(self):
        source = f"at most {self.upper * 100:.1f} %, {self.pairs} pairs" if self.upper else "the pilot's"
        return f"{self.deviation * 100:.1f} % ({source})"


def pooled(samples, sharing=1):
    """Pools several groups of logarithms; None without a group of two. `sharing`: that many groups share one reference,
    and count as one group for the interval."""
    groups = [numpy.asarray(each) for each in samples if len(each) > 1]
    degrees = sum(len(each) - 1 for each in groups)
    if not degrees:
        return None
    variance = sum(((each - each.mean()) ** 2).sum() for each in groups) / degrees
    apart = max(degrees // sharing, 1)
    upper = variance * apart / stats.chi2.ppf(1 - UPPER_LEVEL, apart)
    return Scatter(math.sqrt(variance), math.sqrt(upper), sum(len(each) for each in groups))


def measured(analyses, measure):
    """The scatter of a measure over analysed runs."""
    groups = []
    for found in analyses:
        for subject in found.subjects[1:]:
            first, second, _ = pairs(found, found.subjects[0], subject, measure)
            groups.append([math.log(other / one) for one, other in zip(first, second)])
    return pooled(groups, max((len(found.subjects) - 1 for found in analyses), default=1))


def of_pilot(experiment, measure):
    deviation = PILOT.get(measure.rpartition(".")[2]) if experiment.kind == "pipeline" else None
    return Scatter(deviation, None, 0) if deviation else None


def seconds_by_subject(analyses):
    """Returns {subject: median seconds of a sample}."""
    times = {}
    for found in analyses:
        for sample in found.samples:
            times.setdefault(sample["subject"], []).append(sample["seconds"])
    return {subject: statistics.median(values) for subject, values in times.items()}


def same_host(one, other):
    return all(one.get(key) == other.get(key) for key in SAME_HOST)


# ---- the text ----


def cell(scatter, effect, level, minutes):
    """Blocks and minutes for one size of difference."""
    told = []
    for deviation in (scatter.deviation, scatter.upper):
        if deviation is not None:
            blocks = comparison.pairs_needed(effect, deviation, level)
            told.append(f"{blocks} blocks, {blocks * minutes:,.0f} min" if blocks else "more than 1,000 blocks")
    return told[0] + (f" (at most {told[1]})" if len(told) > 1 and told[1] != told[0] else "")


def title(primary, analyses):
    """The title of a measure, without the rate if it was never determined."""
    if analyses:
        return analyses[-1].describe(primary.measure, primary.title)
    return primary.title.format_map(defaultdict(lambda: "…"))


def table(experiment, analyses, facts):
    """The lines of the table in Markdown. `facts`: of this machine."""
    seconds = seconds_by_subject(analyses) or dict.fromkeys(("bare", "bare-again", "a guest"), experiment.sample_seconds)
    minutes = sum(seconds.values()) / 60
    blocks = sum(len(found.done) for found in analyses)
    elsewhere = [found for found in analyses if not same_host(found.facts, facts)]
    if not analyses:
        source = "no stored run: the scatter comes from a pilot on two other machines, not from this one"
    else:
        source = f"from {blocks} blocks of {len(analyses)} {'run' if len(analyses) == 1 else 'runs'}"
        source += ", made on another host: not measured here" if elsewhere else " on this host"
    level = comparison.corrected_level(len(experiment.primary))
    lines = [f"{experiment.name}: {source}.", f"A block of {', '.join(seconds)} takes {minutes:.1f} minutes.", "",
             "| | scatter | " + " | ".join(f"{each * 100:.0f} %" for each in EFFECTS) + " |", "|---|---|" + "---|" * len(EFFECTS)]
    for primary in experiment.primary:
        scatter = measured(analyses, primary.measure) or of_pilot(experiment, primary.measure)
        cells = [cell(scatter, each, level, minutes) if scatter else "" for each in EFFECTS]
        told = scatter.words() if scatter else "not known: it was never measured"
        lines.append(f"| {title(primary, analyses)} | {told} | {' | '.join(cells)} |")
    further = ", ".join(f"{name} {value / 60:.1f}" for name, value in seconds.items())
    typical = statistics.median(seconds.values()) / 60
    return [*lines, "", f"Each further platform or profile adds about {typical:.1f} minutes to every block ({further}).",
            f"Blocks for a power of {comparison.POWER * 100:.0f} %, at the level that holds for all {len(experiment.primary)} together; "
            f"at least {comparison.MIN_PAIRS}."]
