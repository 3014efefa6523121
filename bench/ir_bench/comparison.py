"""Ratios of paired samples, their intervals, and the verdicts they allow.

A pair is two subjects in the same block: two guests, each provisioned and booted only for this sample. The estimate is
the mean of the logarithms of the paired ratios; its interval is Student's t with n - 1 degrees of freedom. Both are
shown as ratios. The bootstrap (BCa) and the median are also given, but decide nothing.
"""

import functools
import math
from dataclasses import dataclass

import numpy
from scipy import optimize, stats

MIN_PAIRS = 6
MIN_QUIET = 4  # undisturbed pairs needed to confirm a verdict
POWER = 0.8
LEVEL = 0.95
EQUIVALENCE = 0.05
BOOTSTRAP_RESAMPLES = 1000
BOOTSTRAP_SEED = 20130501
FAR = 500  # standard errors; at this distance the power is 1, and far beyond it the library crashes

# The possible results of a comparison.
VALUES = "values"  # too few pairs: only the figures are given
HIGHER = "higher"
LOWER = "lower"
SAME = "no difference"
UNDECIDED = "not decided"
WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Ratio:
    """The ratio second / first over all pairs. The interval's ends are None with fewer than two pairs."""

    points: tuple
    estimate: float
    low: float | None
    high: float | None
    level: float

    @property
    def pairs(self):
        return len(self.points)

    @property
    def median(self):
        return math.exp(float(numpy.median(numpy.log(self.points))))

    @property
    def deviation(self):
        """The standard deviation of the logarithms; needs two pairs."""
        return float(numpy.std(numpy.log(self.points), ddof=1))

    @functools.cached_property
    def bootstrap(self):
        """(low, high), None with fewer than two pairs."""
        return bootstrap_interval(numpy.log(self.points), self.level) if self.pairs > 1 else None

    @functools.cached_property
    def detectable(self):
        """The smallest ratio above 1 that this number of pairs detects with a power of 80 %; None with fewer than
        two."""
        if self.pairs < 2:
            return None
        return math.exp(detectable_difference(self.deviation, self.pairs, self.level))

    @property
    def half_width(self):
        """The interval's half-width as a fraction: 0.02 means that the estimate is known within 2 %."""
        return math.sqrt(self.high / self.low) - 1 if self.low else None


def corrected_level(comparisons, level=LEVEL):
    """The confidence level for each of several intervals, so that all together hold with the given level
    (Bonferroni)."""
    return 1 - (1 - level) / max(comparisons, 1)


def ratio(first, second, level=LEVEL):
    """The Ratio of paired values. Raises ValueError if a value is not positive."""
    if len(first) != len(second) or not first:
        raise ValueError("pairs are needed")
    if not all(value > 0 and math.isfinite(value) for value in (*first, *second)):
        raise ValueError("a ratio needs positive values")
    logs = numpy.log(numpy.asarray(second, dtype=float) / numpy.asarray(first, dtype=float))
    low = high = None
    if len(logs) > 1:
        error = float(numpy.std(logs, ddof=1)) / math.sqrt(len(logs))
        half = float(stats.t.ppf((1 + level) / 2, len(logs) - 1)) * error
        low, high = math.exp(logs.mean() - half), math.exp(logs.mean() + half)
    return Ratio(
        points=tuple(float(value) for value in numpy.exp(logs)),
        estimate=math.exp(logs.mean()),
        low=low,
        high=high,
        level=level,
    )


def bootstrap_interval(logs, level):
    if numpy.ptp(logs) == 0:
        return math.exp(logs[0]), math.exp(logs[0])
    found = stats.bootstrap((logs,), numpy.mean, confidence_level=level, n_resamples=BOOTSTRAP_RESAMPLES, method="BCa",
                            random_state=BOOTSTRAP_SEED).confidence_interval
    return math.exp(found.low), math.exp(found.high)


# ---- power ----


def power(difference, deviation, pairs, level=LEVEL):
    """The power of the two-sided paired t-test for a difference of logarithms (non-central t)."""
    if deviation == 0:
        return 1.0
    degrees = pairs - 1
    critical = stats.t.ppf((1 + level) / 2, degrees)
    shift = difference / deviation * math.sqrt(pairs)
    if shift > FAR:
        return 1.0
    with numpy.errstate(divide="ignore", invalid="ignore"):  # these occur in intermediate terms; the results are correct
        return float(stats.nct.sf(critical, degrees, shift) + stats.nct.cdf(-critical, degrees, shift))


def detectable_difference(deviation, pairs, level=LEVEL, wanted=POWER):
    """The smallest difference of logarithms that this number of pairs detects with this power."""
    if deviation == 0:
        return 0.0
    highest = deviation
    while power(highest, deviation, pairs, level) < wanted:
        highest *= 2
    return optimize.brentq(lambda d: power(d, deviation, pairs, level) - wanted, 0, highest, xtol=1e-6 * deviation)


def pairs_needed(effect, deviation, level=LEVEL, wanted=POWER, most=1000):
    """How many pairs detect a ratio of 1 + effect with this power. None: more than `most`."""
    difference = math.log1p(effect)
    for pairs in range(MIN_PAIRS, most + 1):
        if power(difference, deviation, pairs, level) >= wanted:
            return pairs
    return None


# ---- verdicts ----


def verdict(found, equivalence=EQUIVALENCE, resolution=0.0, least=MIN_PAIRS):
    """One of the words above. `resolution`: the half-width of the reference against itself in the same run; a smaller
    difference is never claimed. `least`: with fewer pairs there is no verdict."""
    if found.pairs < least:
        return VALUES
    differs = found.low > 1 or found.high < 1
    if differs and abs(math.log(found.estimate)) > math.log1p(resolution):
        return HIGHER if found.estimate > 1 else LOWER
    if found.low >= 1 / (1 + equivalence) and found.high <= 1 + equivalence:
        return SAME
    return UNDECIDED


@dataclass(frozen=True)
class Finding:
    """A comparison over all blocks, and over the undisturbed ones."""

    all: Ratio
    quiet: Ratio | None  # None: no block was undisturbed
    word: str
    why: str


def finding(first, second, disturbed, level=LEVEL, equivalence=EQUIVALENCE, resolution=0.0):
    """The arguments are values by block; `disturbed` says for each block whether it was disturbed. The verdict uses all
    blocks. The undisturbed blocks alone, at least MIN_QUIET, must give the same verdict; otherwise it is withdrawn."""
    everything = ratio(first, second, level)
    word = verdict(everything, equivalence, resolution)
    kept = [i for i, bad in enumerate(disturbed) if not bad]
    if len(kept) == len(first):
        return Finding(everything, everything, word, "")
    quiet = ratio([first[i] for i in kept], [second[i] for i in kept], level) if kept else None
    without = verdict(quiet, equivalence, resolution, MIN_QUIET) if quiet else VALUES
    if word in (VALUES, UNDECIDED) or without == word:
        return Finding(everything, quiet, word, "")
    if without == VALUES:
        why = f"only {len(kept)} of {len(first)} blocks were undisturbed; {MIN_QUIET} are required"
    else:
        why = f"without the disturbed blocks it would be: {without}"
    return Finding(everything, quiet, WITHDRAWN, why)
