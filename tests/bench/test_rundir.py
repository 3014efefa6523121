"""The order of samples and the folder of a run, also after a crash."""

import itertools

import pytest

from ir_bench import blocks
from ir_bench.rundir import RunDir, RunError

SUBJECTS = ("bare", "bare-again", "lxc")


def test_each_block_has_every_subject_once():
    for block in range(20):
        assert sorted(blocks.order(SUBJECTS, block, 7)) == sorted(SUBJECTS)


def test_order_follows_from_the_seed_and_differs_between_blocks():
    first = [blocks.order(SUBJECTS, block, 7) for block in range(20)]
    assert first == [blocks.order(SUBJECTS, block, 7) for block in range(20)]
    assert first != [blocks.order(SUBJECTS, block, 8) for block in range(20)]
    assert len({tuple(each) for each in first}) > 3


def test_every_subject_comes_first_about_equally_often():
    """300 blocks: each of three is first 100 times, with a standard deviation of 8."""
    firsts = [blocks.order(SUBJECTS, block, 1)[0] for block in range(300)]
    assert all(65 <= firsts.count(each) <= 135 for each in SUBJECTS)


def test_a_resumed_run_takes_the_samples_that_are_left():
    whole = list(itertools.islice(blocks.remaining(SUBJECTS, 3, set()), 9))
    done = {(block, subject) for block, _, subject in whole[:4]}
    assert list(itertools.islice(blocks.remaining(SUBJECTS, 3, done), 5)) == whole[4:]


def test_only_complete_blocks_count():
    samples = [{"block": 0, "subject": each, "status": "ok"} for each in SUBJECTS]
    samples += [{"block": 1, "subject": each, "status": "ok" if each != "lxc" else "failed"} for each in SUBJECTS]
    assert list(blocks.complete(SUBJECTS, samples)) == [0]


def test_runs_do_not_overwrite_each_other(tmp_path):
    first, second = RunDir.create(tmp_path, "quick"), RunDir.create(tmp_path, "quick")
    assert first.path != second.path
    assert (tmp_path / "latest").resolve() == second.path


def test_samples_survive_a_cut_line(tmp_path):
    run = RunDir.create(tmp_path, "quick")
    run.append({"block": 0, "subject": "bare"})
    with open(run.path / "samples.jsonl", "ab") as file:
        file.write(b'{"block": 0, "subj')
    assert run.done() == {(0, "bare")}
    run.append({"block": 0, "subject": "lxc"})
    assert run.done() == {(0, "bare"), (0, "lxc")}


def test_tampering_is_noticed(tmp_path):
    run = RunDir.create(tmp_path, "quick")
    assert run.tampered() is None
    run.append({"block": 0, "subject": "bare", "rate": 15000})
    run.write("plan.json", {"seed": 1})
    (run.sample_folder(0, "bare") / "fixed.hgrm").write_text("histogram")
    run.seal()
    assert run.tampered() == []
    text = (run.path / "samples.jsonl").read_text()
    (run.path / "samples.jsonl").write_text(text.replace("15000", "16000"))
    (run.path / "samples" / "000-bare" / "fixed.hgrm").unlink()
    (run.path / "extra").write_text("x")
    assert run.tampered() == ["extra: not there when the run ended", "samples.jsonl: changed",
                              "samples/000-bare/fixed.hgrm: missing"]


def test_a_folder_without_a_plan_is_not_a_run(tmp_path):
    with pytest.raises(RunError, match="plan.json"):
        RunDir.open(tmp_path)
