"""How many blocks and minutes it takes to find a difference of a given size."""

import math

import numpy
import pytest

from ir_bench import comparison, experiment, plan_time
from ir_bench.analysis import analyse
from stored import store

QUICK = experiment.read("quick")[0]
HERE = {"host": None, "cpu": "a processor", "cores": 2, "memory_mib": None}


def test_scatter_is_pooled():
    """Computed by hand: sums of squares 2·0.01² and 2·0.03², with 1 + 1 degrees of freedom."""
    found = plan_time.pooled([[-0.01, 0.01], [0.97, 1.03], [5.0]])
    assert found.deviation == pytest.approx(math.sqrt((2 * 0.01**2 + 2 * 0.03**2) / 2))
    assert found.pairs == 4
    assert plan_time.pooled([[1.0], []]) is None


def test_the_upper_end_covers():
    """In nine of ten runs the true scatter is below the upper bound."""
    random = numpy.random.default_rng(2)
    below = [plan_time.pooled([random.normal(0, 0.05, 8)]).upper >= 0.05 for _ in range(1000)]
    assert 0.87 <= numpy.mean(below) <= 0.93


def test_scatter_of_stored_runs(tmp_path):
    """The ratio of the two subjects' full.rate scatters by sqrt(2) · 5 %."""
    analyses = [analyse(store(tmp_path, blocks=20, seed=seed), QUICK) for seed in (3, 4)]
    found = plan_time.measured(analyses, "full.rate")
    assert found.pairs == 80
    assert found.deviation == pytest.approx(math.sqrt(2) * 0.05, rel=0.2)


def test_the_table_counts_blocks_and_minutes(tmp_path):
    analyses = [analyse(store(tmp_path), QUICK)]
    text = "\n".join(plan_time.table(QUICK, analyses, HERE))
    assert "from 8 blocks of 1 run on this host" in text
    assert "takes 2.5 minutes" in text
    scatter = plan_time.measured(analyses, "full.rate").deviation
    blocks = comparison.pairs_needed(0.10, scatter, comparison.corrected_level(3))
    assert f"{blocks} blocks, {blocks * 2.5:,.0f} min" in text
    assert "p50 at 15,000 observations/s" in text
    assert "Each further platform or profile adds about 0.8 minutes" in text


def test_a_run_of_another_host_is_not_called_measured_here(tmp_path):
    text = "\n".join(plan_time.table(QUICK, [analyse(store(tmp_path), QUICK)], {**HERE, "cpu": "another"}))
    assert "made on another host: not measured here" in text


def test_without_a_run_the_pilot_says_so():
    text = "\n".join(plan_time.table(QUICK, [], HERE))
    assert "a pilot on two other machines, not from this one" in text
    assert "p50 at … observations/s | 1.5 % (the pilot's)" in text
