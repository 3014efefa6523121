"""Counts over several runs, some of them with an unrelated load beside them."""

import os
import time

from ir_bench import cli, neighbour
from ir_bench.rundir import RunDir
from stored import store

WRONG = {"status": "ok", "measures": {"loop.halved": 0.66}}


def test_proofs_and_verdicts_are_counted(tmp_path, capsys):
    runs = [store(tmp_path, seed=1, p50=1.2).run, store(tmp_path, seed=2, p50=1.2, proofs={"bare": WRONG}).run,
            store(tmp_path, seed=3, p50=0.8).run]
    asked = runs[2].read("run.json")
    runs[2].write("run.json", {**asked, "beside": "cpu"})
    runs[2].seal()
    assert cli.main(["tally", *(str(each.path) for each in runs)]) == 0
    text = capsys.readouterr().out
    assert f"| {runs[2].path.name} | cpu |" in text
    assert "- the reference does not differ from itself: 3 of 3 runs, 3 are required: holds" in text
    assert "- half of the processor time halves a program that only computes: 2 of 3 runs, 3 are required: fails" in text
    assert "- half of the processor time on the pipeline is found: 3 of 3 runs" in text
    assert "- lxc: p50 at 15,000 observations/s: higher 1, lower 1; these contradict each other" in text
    assert "no verdict" in text  # for the run with a failed proof


def test_the_load_beside_a_run_works_and_ends():
    before = os.times().children_user
    with neighbour.running("memory"):
        time.sleep(1)
    assert os.times().children_user > before
    with neighbour.running(""):
        pass


def test_disturbed_runs_are_spread_and_take_turns(tmp_path, monkeypatch):
    asked = []

    def run(words):
        asked.append(words.beside)
        store(tmp_path)

    monkeypatch.setattr(cli, "OUT", tmp_path)
    monkeypatch.setattr(cli, "run", run)
    words = cli.parser().parse_args(["repeat", "--runs", "10"])
    cli.repeat(words)
    assert asked == ["", "", "cpu", "", "", "memory", "", "", "cpu", ""]
    assert len(list(tmp_path.glob("*-quick*"))) == 10 and RunDir.open(tmp_path / "latest")
