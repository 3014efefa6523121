"""How a guest beside a busy twin is judged: the performance that it keeps, the share that it is entitled to, and the
performance that a lever restores."""

import pytest

from ir_bench import experiment
from ir_bench.kinds import isolation

TEXT = experiment.read("isolation")[1]
CALM = {"wall": 4.0, "guest": 6.0, "twin": 0.0, "generator": 2.0, "kernel": 0.0}


@pytest.fixture
def sample(tmp_path):
    subject = {"name": "lxc", "platform": "lxc", "profile": "default", "settings": {}}
    made = isolation.Sample({"subject": subject, "parameters": {}, "scouted": {}, "block": 0, "again": False}, tmp_path)
    made.processors = 2
    made.parts = {f"{load}-{name}": {**CALM, "twin": twin} for load in ("full", "fixed", "disk")
                  for name, twin in (("calm", 0.0), ("cpu", 4.0), ("disk", 0.4))}
    return made


def test_what_is_lost_to_shares_and_beyond(sample):
    """Alone, the guest used 1.5 of 2 processors, and the generator 0.5. Beside a twin that wants both processors, the
    guest is entitled to 2/3.5 of its performance."""
    sample.measures = {"full-calm.rate": 9000, "full-calm-again.rate": 16000, "full-cpu.rate": 6000}
    sample.conclude("full", [("cpu", "")])
    assert sample.measures["full-cpu.kept"] == pytest.approx(0.5)
    assert sample.measures["full-cpu.fair"] == pytest.approx(2 / 3.5)
    assert sample.measures["full-cpu.interference"] == pytest.approx(2 / 3.5 / 0.5)


def test_what_a_lever_gives_back(sample):
    sample.measures = {"full-calm.rate": 100, "full-calm-again.rate": 100, "full-cpu.rate": 50, "full-cpu-quota.rate": 80}
    sample.conclude("full", [("cpu", "quota"), ("cpu", "")])
    assert sample.measures["full-cpu-quota.kept"] == pytest.approx(0.8)
    assert sample.measures["full-cpu-quota.regained"] == pytest.approx(1.6)
    assert "full-cpu-quota.fair" not in sample.measures


def test_a_latency_that_grows_is_a_loss(sample):
    sample.measures = {"fixed-calm.p50_ms": 5, "fixed-calm-again.p50_ms": 5, "fixed-disk.p50_ms": 10}
    sample.parts["fixed-calm"] = {**CALM, "guest": 1.0, "generator": 0.5}
    sample.conclude("fixed", [("disk", "")])
    assert sample.measures["fixed-disk.kept"] == pytest.approx(0.5)
    assert sample.measures["fixed-disk.interference"] == pytest.approx(2)


def test_nothing_is_due_to_a_latency_that_shares_reach(sample):
    sample.measures = {"fixed-calm.p50_ms": 5, "fixed-calm-again.p50_ms": 5, "fixed-cpu.p50_ms": 10}
    sample.conclude("fixed", [("cpu", "")])
    assert "fixed-cpu.kept" in sample.measures and "fixed-cpu.fair" not in sample.measures


def test_two_that_want_the_whole_disk_are_due_a_half(sample):
    sample.measures = {"disk-calm.iops": 100, "disk-calm-again.iops": 100, "disk-disk.iops": 50}
    sample.conclude("disk", [("disk", "")])
    assert sample.measures["disk-disk.interference"] == pytest.approx(1)


def test_no_ratio_without_both_calm_looks(sample):
    sample.measures = {"full-calm.rate": 100, "full-cpu.rate": 50}
    sample.conclude("full", [("cpu", "")])
    assert "full-cpu.kept" not in sample.measures


@pytest.mark.parametrize(
    "before, after, told",
    [
        ('load = "memory"', 'load = "memorie"', "load 'memorie'"),
        ('stressor = "network"', 'stressor = "net"', "stressor 'net'"),
        ('levers = ["shaping"]', 'levers = ["quota"]', "lever 'quota': the levers against network are shaping"),
        ("fixed_share = 0.07", "fixed_share = 1.07", "fixed_share"),
    ],
)
def test_what_is_wrong_is_named(before, after, told):
    with pytest.raises(experiment.ExperimentError) as found:
        experiment.parse("isolation", TEXT.replace(before, after))
    assert told in str(found.value)


def test_every_pair_of_the_experiment_has_words():
    words = isolation.Kind().stretches({})
    for pair in experiment.read("isolation")[0].parameters["pairs"]:
        for lever in ("", *pair["levers"]):
            assert f"{pair['load']}-{isolation.condition(pair['stressor'], lever)}" in words
