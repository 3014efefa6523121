"""Ratios, intervals and verdicts, tested with known data. Promises about many runs are tested by simulation."""

import math

import numpy
import pytest

from ir_bench import comparison


def lognormal_pairs(random, pairs, deviation, true_ratio=1.0):
    """Makes paired samples whose blocks differ more than the two subjects do, as on a shared machine."""
    block = numpy.exp(random.normal(0, 0.2, pairs))
    first = block * numpy.exp(random.normal(0, deviation / math.sqrt(2), pairs))
    second = true_ratio * block * numpy.exp(random.normal(0, deviation / math.sqrt(2), pairs))
    return list(first), list(second)


def test_ratio_of_known_values():
    """Computed by hand: the logarithms are ln 2 ± ln 1.1, so the mean is ln 2; s = ln 1.1 · sqrt(6/5), t(0.975, 5) =
    2.570582."""
    first = [1.0] * 6
    second = [2.2, 2 / 1.1, 2.2, 2 / 1.1, 2.2, 2 / 1.1]
    found = comparison.ratio(first, second)
    half = 2.570582 * math.log(1.1) * math.sqrt(6 / 5) / math.sqrt(6)
    assert found.estimate == pytest.approx(2.0)
    assert found.low == pytest.approx(2 * math.exp(-half), rel=1e-6)
    assert found.high == pytest.approx(2 * math.exp(half), rel=1e-6)
    assert found.half_width == pytest.approx(math.exp(half) - 1, rel=1e-6)
    assert found.pairs == 6


def test_blocks_cancel():
    """A drift that affects both subjects does not widen the interval."""
    drift = [1, 3, 2, 5, 4, 8]
    found = comparison.ratio(drift, [1.05 * value for value in drift])
    assert found.estimate == pytest.approx(1.05)
    assert found.half_width == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("first, second", [([], []), ([1], [1, 2]), ([0, 1], [1, 1]), ([1, 1], [1, float("nan")])])
def test_no_ratio_without_positive_pairs(first, second):
    with pytest.raises(ValueError):
        comparison.ratio(first, second)


def test_one_pair_has_no_interval():
    found = comparison.ratio([2.0], [3.0])
    assert (found.low, found.high, found.detectable) == (None, None, None)
    assert comparison.verdict(found) == comparison.VALUES


@pytest.mark.parametrize("pairs", [5, 6, 10, 20])
def test_coverage(pairs):
    """The interval contains the true ratio in 95 % of runs. 2,000 runs are enough to distinguish 93.5 % from 95 %."""
    random = numpy.random.default_rng(pairs)
    runs = 2000
    covered = 0
    for _ in range(runs):
        logs = random.normal(math.log(1.07), 0.1, pairs)
        half = comparison.stats.t.ppf(0.975, pairs - 1) * numpy.std(logs, ddof=1) / math.sqrt(pairs)
        covered += abs(logs.mean() - math.log(1.07)) <= half
    assert 0.935 <= covered / runs <= 0.965


def test_coverage_of_ratio_with_heavy_tails():
    """Checks the verdict when one in ten samples is disturbed."""
    random = numpy.random.default_rng(3)
    covered = 0
    for _ in range(400):
        first, second = lognormal_pairs(random, 8, 0.05, 1.1)
        second = [value * (1.3 if random.random() < 0.1 else 1) for value in second]
        first = [value * (1.3 if random.random() < 0.1 else 1) for value in first]
        found = comparison.ratio(first, second)
        covered += found.low <= 1.1 <= found.high
    assert covered / 400 >= 0.93


def test_bonferroni():
    assert comparison.corrected_level(1) == pytest.approx(0.95)
    assert comparison.corrected_level(3) == pytest.approx(1 - 0.05 / 3)


def test_same_subject_twice_rarely_differs():
    """The samples of one subject are given two names. At most 7 % of 1,000 such runs find a difference."""
    random = numpy.random.default_rng(11)
    wrong = 0
    for _ in range(1000):
        first, second = lognormal_pairs(random, 6, 0.1)
        found = comparison.ratio(first, second)
        wrong += comparison.verdict(found) in (comparison.HIGHER, comparison.LOWER)
    assert wrong <= 70


def test_power_against_simulation():
    random = numpy.random.default_rng(5)
    deviation, pairs, difference = 0.05, 8, math.log(1.06)
    found = 0
    for _ in range(2000):
        logs = random.normal(difference, deviation, pairs)
        half = comparison.stats.t.ppf(0.975, pairs - 1) * numpy.std(logs, ddof=1) / math.sqrt(pairs)
        found += abs(logs.mean()) > half
    assert comparison.power(difference, deviation, pairs) == pytest.approx(found / 2000, abs=0.03)


@pytest.mark.filterwarnings("error")
def test_power_beyond_what_is_ordinary():
    """The statistical power with two pairs, and with a difference far larger than the scatter."""
    assert 0.05 < comparison.power(0.1, 0.02, 2) < comparison.power(0.1, 0.02, 3) < 1
    assert comparison.power(math.log(2), 0.001, 6) == pytest.approx(1)
    assert comparison.pairs_needed(1.0, 1e-6) == comparison.MIN_PAIRS


def test_detectable_difference_has_that_power():
    smallest = comparison.detectable_difference(0.03, 7)
    assert comparison.power(smallest, 0.03, 7) == pytest.approx(0.8, abs=1e-3)
    assert comparison.detectable_difference(0, 7) == 0


def test_pairs_needed():
    wanted = comparison.pairs_needed(0.05, 0.04)
    assert comparison.power(math.log1p(0.05), 0.04, wanted) >= 0.8
    assert wanted == 6 or comparison.power(math.log1p(0.05), 0.04, wanted - 1) < 0.8
    assert comparison.pairs_needed(0.001, 0.5, most=50) is None


def fixed(estimate, half, pairs=8):
    """Makes a Ratio with this interval."""
    return comparison.Ratio((estimate,) * pairs, estimate, estimate / (1 + half), estimate * (1 + half), 0.95)


@pytest.mark.parametrize(
    "estimate, half, resolution, word",
    [
        (1.20, 0.05, 0.02, comparison.HIGHER),
        (0.80, 0.05, 0.02, comparison.LOWER),
        (1.01, 0.02, 0.02, comparison.SAME),
        (1.04, 0.03, 0.02, comparison.HIGHER),
        (1.04, 0.03, 0.06, comparison.UNDECIDED),  # smaller than the resolution, but not certainly within 5 %
        (1.02, 0.01, 0.03, comparison.SAME),
        (1.03, 0.10, 0.02, comparison.UNDECIDED),
    ],
)
def test_verdict(estimate, half, resolution, word):
    assert comparison.verdict(fixed(estimate, half), 0.05, resolution) == word


def test_verdict_needs_six_pairs():
    assert comparison.verdict(fixed(1.5, 0.01, pairs=5)) == comparison.VALUES


def test_withdrawn_when_disturbed_blocks_decide():
    first = [1.0] * 12
    second = [1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.001, 0.999, 1.002, 0.998, 1.001, 0.999]
    disturbed = [True] * 6 + [False] * 6
    found = comparison.finding(first, second, disturbed)
    assert comparison.verdict(found.all) == comparison.HIGHER
    assert found.word == comparison.WITHDRAWN
    assert comparison.SAME in found.why


def test_withdrawn_when_too_few_blocks_were_quiet():
    first, second = [1.0] * 8, [1.5, 1.49, 1.51, 1.5, 1.5, 1.48, 1.5, 1.52]
    found = comparison.finding(first, second, [True] * 5 + [False] * 3)
    assert found.word == comparison.WITHDRAWN
    assert "only 3 of 8" in found.why


def test_one_disturbed_block_of_six_leaves_the_verdict():
    first, second = [1.0] * 6, [1.5, 1.49, 1.51, 1.5, 1.5, 1.48]
    found = comparison.finding(first, second, [True] + [False] * 5)
    assert found.word == comparison.HIGHER
    assert found.quiet.pairs == 5


def test_stands_when_disturbed_blocks_agree():
    first = [1.0] * 10
    second = [1.2, 1.21, 1.19, 1.2, 1.22, 1.2, 1.18, 1.2, 1.3, 1.1]
    found = comparison.finding(first, second, [False] * 8 + [True] * 2)
    assert found.word == comparison.HIGHER
    assert found.quiet.pairs == 8
