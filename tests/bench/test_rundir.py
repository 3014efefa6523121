"""The order of the samples and the folder of a run, also after a crash."""

import pytest

from ir_bench import blocks
from ir_bench.rundir import FORMAT, RunDir, RunError
from stored import store

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
    """In 300 blocks, each of three subjects comes first 100 times on average, with a standard deviation of 8."""
    firsts = [blocks.order(SUBJECTS, block, 1)[0] for block in range(300)]
    assert all(65 <= firsts.count(each) <= 135 for each in SUBJECTS)


def test_a_resumed_run_takes_the_samples_that_are_left():
    whole = blocks.left(SUBJECTS, 4, 3, set())
    assert [subject for _, subject in whole] == blocks.order(SUBJECTS, 4, 3)
    assert blocks.left(SUBJECTS, 4, 3, {(4, whole[0][1]), (3, whole[1][1])}) == whole[1:]


def test_a_sample_that_does_not_count_takes_only_its_own_pairs():
    samples = [{"block": 0, "subject": each, "status": "ok"} for each in SUBJECTS]
    samples += [{"block": 1, "subject": each, "status": "ok" if each != "lxc" else "failed"} for each in SUBJECTS]
    good = blocks.good(samples)
    assert blocks.pairs(good, "bare", "lxc") == [0]
    assert blocks.pairs(good, "bare", "bare-again") == [0, 1]


def test_runs_do_not_overwrite_each_other(tmp_path):
    first, second = RunDir.create(tmp_path, "quick"), RunDir.create(tmp_path, "quick")
    assert first.path != second.path
    assert (tmp_path / "latest").resolve() == second.path


def part_of(parent):
    run = RunDir.create(parent, "quick")
    run.write("run.json", {"experiments": ["quick"]})
    return run.parts()[0]


def test_a_run_of_another_format_is_refused_in_one_line(tmp_path):
    run = store(tmp_path).run
    assert RunDir.open(run.path).path == run.path
    for made, told in ((FORMAT + 1, f"has format {FORMAT + 1}"), (None, "has no format")):
        run.write("run.json", {**run.read("run.json"), "format": made})
        with pytest.raises(RunError, match=f"{told}, and this version reads format {FORMAT}; use the version of commit abc$"):
            RunDir.open(run.path)


def test_samples_survive_a_cut_line(tmp_path):
    run = part_of(tmp_path)
    run.append({"block": 0, "subject": "bare"})
    with open(run.path / "samples.jsonl", "ab") as file:
        file.write(b'{"block": 0, "subj')
    assert run.done() == {(0, "bare")}
    run.append({"block": 0, "subject": "lxc"})
    assert run.done() == {(0, "bare"), (0, "lxc")}


def test_tampering_is_noticed(tmp_path):
    part = part_of(tmp_path)
    run = part.run
    assert run.tampered() is None
    part.append({"block": 0, "subject": "bare", "rate": 15000})
    part.write("plan.json", {"seed": 1})
    (part.sample_folder(0, "bare") / "fixed.hgrm").write_text("histogram")
    run.seal()
    assert run.tampered() == []
    text = (part.path / "samples.jsonl").read_text()
    (part.path / "samples.jsonl").write_text(text.replace("15000", "16000"))
    (part.path / "samples" / "000-bare" / "fixed.hgrm").unlink()
    (run.path / "extra").write_text("x")
    assert run.tampered() == ["extra: not there when the run ended", "quick/samples.jsonl: changed",
                              "quick/samples/000-bare/fixed.hgrm: missing"]


def test_a_folder_without_what_was_asked_is_not_a_run(tmp_path):
    with pytest.raises(RunError, match="run.json"):
        RunDir.open(tmp_path)
