"""Experiment files: all existing ones are valid, and a wrong key is named."""

import pytest

from ir_bench import experiment


@pytest.mark.parametrize("name", experiment.names())
def test_every_experiment_reads(name):
    found, _ = experiment.read(name)
    assert found.title and found.primary


def quick():
    return experiment.read("quick")[1]


@pytest.mark.parametrize(
    "before, after, told",
    [
        ("motes = 300", "motess = 300", "unknown key 'motess'"),
        ("motes = 300", 'motes = "many"', "'motes'"),
        ("motes = 300", "", "'motes' is missing"),
        ('kind = "pipeline"', 'kind = "pipelin"', "kind 'pipelin'"),
        ("share = 0.07", "share = 1.40", "between 0 and 1"),
        ('"full.rate" = 0.10', '"full.rat" = 0.10', "'full.rat'"),
        ("[[primary]]", "[[primary]", "quick"),
        ('"full.rate"\ntitle', '"full.rat"\ntitle', "'full.rat'"),
        ("[precision]", "[needs]\ncore = 3\n[precision]", "unknown key 'core'"),
    ],
)
def test_what_is_wrong_is_named(before, after, told):
    with pytest.raises(experiment.ExperimentError, match="quick") as found:
        experiment.parse("quick", quick().replace(before, after, 1))
    assert told in str(found.value)


def test_at_most_three_primary_comparisons():
    more = '\n[[primary]]\nmeasure = "fixed.p99_ms"\ntitle = "p99"\n'
    with pytest.raises(experiment.ExperimentError, match="primary"):
        experiment.parse("quick", quick() + more)


def test_an_unknown_experiment_names_those_there_are():
    with pytest.raises(experiment.ExperimentError, match="quick"):
        experiment.read("quik")
