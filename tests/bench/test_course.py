"""How the time is divided, when a block ends, and which subjects get no further blocks."""

import pytest

from ir_bench import comparison, course, experiment, runner, subjects
from ir_bench.rundir import RunError
from ir_bench.subjects import Subject
from stored import SUBJECTS, store

QUICK = experiment.read("quick")[0]
PLANNED = [Subject(each, each.partition("-")[0]) for each in SUBJECTS]


def of_stored(part):
    return course.Course(part, QUICK, part.read("plan.json"))


def lines(subject, *statuses):
    return [{"block": block, "subject": subject, "status": status} for block, status in enumerate(statuses)]


@pytest.mark.parametrize("statuses, out", [
    (("ok", "failed", "ok", "failed"), False),
    (("ok", "failed", "failed"), True),
    (("skipped",), True),
    (("invalid", "invalid", "invalid"), False),
])
def test_what_cannot_go_on_is_left_out(tmp_path, statuses, out):
    assert of_stored(store(tmp_path)).left_out(lines("lxc", *statuses)) == ({"lxc"} if out else set())


def test_blocks_end_by_repeats_and_by_precision_alone(tmp_path):
    found = of_stored(store(tmp_path, blocks=8))
    samples = found.part.samples()
    assert found.enough(samples, 8, (6, 8)) == "repeats"
    assert found.enough(samples, 8, (9, 12)) == ""
    exact = of_stored(store(tmp_path, blocks=8, change=lambda line: {
        **line, "measures": {**line["measures"], "fixed.p50_ms": 5, "fixed.cpu_us": 126, "full.rate": 38000}}))
    assert exact.enough(exact.part.samples(), 8, (6, 100)) == "precision"
    few = [each for each in exact.part.samples() if each["block"] < comparison.MIN_PAIRS - 1]
    assert exact.enough(few, 5, (1, 100)) == ""
    assert exact.enough(lines("bare", "failed", "failed"), 2, (6, 100)) == "failure of the reference"


def test_a_kind_may_want_fewer_blocks_than_the_run(tmp_path, monkeypatch):
    found = of_stored(store(tmp_path, blocks=1))
    assert found.enough(found.part.samples(), 1, (6, 12)) == ""
    monkeypatch.setattr(QUICK.of_kind, "blocks_most", 1)
    assert found.enough(found.part.samples(), 1, (6, 12)) == "repeats"


def test_a_measure_that_one_subject_lacks_holds_nothing_up(tmp_path):
    def exact(line):
        told = {**line["measures"], "fixed.p50_ms": 5, "fixed.cpu_us": 126, "full.rate": 38000}
        if line["subject"] == "lxc":
            del told["fixed.p50_ms"]  # missing, as if the subject could not keep the rate
        return {**line, "measures": told}

    found = of_stored(store(tmp_path, change=exact))
    assert found.precise(found.part.samples())


def test_a_full_disk_is_a_failed_sample(tmp_path, monkeypatch):
    found = of_stored(store(tmp_path, blocks=0))
    monkeypatch.setattr(course, "FREE_MIB", 1 << 40)
    found.sample(0, 0, PLANNED[0])
    line = found.part.samples()[0]
    assert line["status"] == "failed" and "the disk is full" in line["why"]


def test_the_time_is_what_six_blocks_take():
    seconds = runner.seconds_wanted(QUICK, PLANNED)
    assert seconds == (6 * 3 + 1) * QUICK.sample_seconds + 2 * runner.PROOF_SECONDS
    assert runner.minutes_for([(QUICK, PLANNED)] * 2, None) == pytest.approx(2 * seconds / 60, abs=1)
    assert runner.minutes_for([(QUICK, PLANNED)], 5) == 5


def test_the_least_time_holds_a_block_of_each_experiment():
    assert runner.minutes_needed([(QUICK, PLANNED)]) == pytest.approx(
        (4 * QUICK.sample_seconds + 2 * runner.PROOF_SECONDS) / 60, abs=1)
    one, two = (runner.minutes_needed([(QUICK, PLANNED)] * number) for number in (1, 2))
    assert two == pytest.approx(2 * one, abs=1)
    assert runner.minutes_needed([]) == 0


def test_what_is_announced(capsys):
    runner.announce([(QUICK, "", PLANNED, ""), (QUICK, "", PLANNED, "it needs 64 cores, this host has 2")], 3, 7)
    told = capsys.readouterr().out
    assert "six blocks take 18 minutes, each further platform 5 more" in told
    assert "skipped: it needs 64 cores" in told
    assert "fewer than 6 blocks give values but no verdict" in told


@pytest.mark.parametrize("cores, guests, generator", [(1, "0", "0"), (2, "0-1", "0-1"), (3, "0-1", "2"), (8, "0-1", "2-7")])
def test_the_generator_has_processors_of_its_own_where_there_are_three(monkeypatch, cores, guests, generator):
    monkeypatch.setattr(course.os, "cpu_count", lambda: cores)
    of_guests, of_generator = course.confine({"cpus": 2, "memory_mib": 1024})
    assert (of_guests["cpu.pin"], of_generator["cpu.pin"]) == (guests, generator)


def test_two_runs_do_not_measure_at_once(tmp_path):
    with runner.alone(tmp_path), pytest.raises(RunError, match="another run"), runner.alone(tmp_path):
        pass
    with runner.alone(tmp_path):
        pass


def test_a_profile_is_compared_with_the_default_of_its_platform():
    found = subjects.of(["bare", "lxc"], ["pinned"])
    assert [(each.name, each.against) for each in found] == [
        ("bare", "bare"), ("bare-again", "bare"), ("bare+pinned", "bare"), ("lxc", "bare"), ("lxc+pinned", "lxc")]


def test_groups_of_experiments():
    assert experiment.chosen(["quick", "quick"]) == ["quick"]
    assert set(experiment.chosen(["all"])) == set(experiment.names())
    assert "quick" in experiment.chosen(["thesis"])
