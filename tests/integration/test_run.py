"""The reports of `make run` and `make load`. Also that no run removes the files of another."""

import importlib.util
import json
import subprocess
import sys

import pytest

from harness import ROOT, servers  # noqa: F401 - puts tools/ on the path

import guests  # noqa: E402
import load  # noqa: E402
import run  # noqa: E402
import stack  # noqa: E402
from platforms.lab.errors import Unsupported  # noqa: E402

# tools/test.py; `import test` would be Python's own.
SPEC = importlib.util.spec_from_file_location("runner", ROOT / "tools" / "test.py")
runner = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(runner)

SUMMARY = {
    "messages_sent": 10, "observations_sent": 40, "raw_stored": 10, "observations_stored": 40, "observations_in_graph": 40,
    "messages_republished": 10, "rejected": 0, "missing": 0, "doubled": 0, "foreign": 0, "seconds": 1.04,
    "observations_per_second": 38.4, "latency_ms": {"p50": 1, "p99": 2, "max": 3}, "worker_cpu_us_per_observation": 10,
    "worker_peak_rss_mib": 30, "workers": 2, "brokers": 1, "platform": "kvm", "emulated": False, "profile": "pinned",
    "via": "mix", "documents": "sqlite", "graph": "nquads", "load_before": 0.5, "facts": {"cores": 2},
    "generator": {"complete": True, "incomplete_reasons": [], "valid": True, "told": []},
}


def test_the_table_says_what_kind_of_figure_it_is():
    shown = run.table(SUMMARY)
    assert "kvm, pinned" in shown and "0.5 on 2 cores" in shown and "complete, valid" in shown
    assert "a check, not a measurement: one burst of 1.0 s" in shown and "make bench" in shown
    assert "EMULATED" not in shown
    assert "EMULATED" in run.table({**SUMMARY, "emulated": True}).splitlines()[1]


def test_the_generators_word_is_passed_on():
    sent = {"complete": False, "incomplete_reasons": ["requested 9/s, sent 1/s"], "valid": False, "invalid_reason": "too slow"}
    told = load.judged(sent)
    assert told == ["NOT COMPLETE: requested 9/s, sent 1/s", "NOT VALID: too slow"]
    assert all(each in run.table({**SUMMARY, "generator": {**sent, "told": told}}) for each in told)
    assert load.judged({"complete": True, "incomplete_reasons": [], "valid": True}) == []


class Platform:
    name = "kvm"
    emulated_kinds = ("qemu",)

    def __init__(self, *kinds):
        self.kinds_here = lambda: kinds


KILLED = """
import os, sys
sys.path.insert(0, sys.argv[1])
import pathlib, stack, servers
folder = pathlib.Path(sys.argv[2])
stack.begin_in(folder, "make run")
if sys.argv[3] == "killed":
    print(servers.Process(["sleep", "1000"], folder / "log").pid, flush=True)
    os.kill(os.getpid(), 9)
"""


def test_the_next_run_stops_what_a_killed_one_left(tmp_path):
    def call(how):
        argv = [sys.executable, "-c", KILLED, ROOT / "tools", tmp_path / "run", how]
        return subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=60, check=False)

    left = int(call("killed").stdout)
    assert servers.start_time(left)
    assert call("next").returncode == 0
    assert servers.start_time(left) is None


def test_emulation_is_asked_for_by_its_name():
    assert guests.choose_kind(Platform("kvm", "qemu"), "") == "kvm"
    assert guests.choose_kind(Platform("qemu"), "qemu") == "qemu"
    with pytest.raises(Unsupported, match="no hardware virtualization.*PLATFORM=kvm:qemu.*not a measurement") as refused:
        guests.choose_kind(Platform("qemu"), "")
    assert refused.value.status == 77


CLAIM = """
import sys
sys.path.insert(0, sys.argv[1])
import pathlib, stack
try:
    stack.Claim.take(pathlib.Path(sys.argv[2]), "make run")
except stack.StackError as error:
    sys.exit(str(error))
print("mine", flush=True)
sys.stdin.read()
"""


def claim(folder):
    return subprocess.Popen([sys.executable, "-c", CLAIM, ROOT / "tools", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def test_one_program_at_a_time_works_in_a_folder(tmp_path):
    """If a second program wants to use a folder, its message names the first. A program that was killed locks nobody
    out."""
    with claim(tmp_path / "run") as first:
        assert first.stdout.readline() == "mine\n"
        with claim(tmp_path / "run") as second:
            assert second.wait(60) == 1
            assert f"make run (process {first.pid}, since " in (said := second.stderr.read()) and "wait until it ends" in said
        with claim(tmp_path / "other") as other:
            assert other.stdout.readline() == "mine\n"
            other.kill()
        first.kill()
        first.wait(60)
    with claim(tmp_path / "run") as third:
        assert third.stdout.readline() == "mine\n"
        third.stdin.close()
        assert third.wait(60) == 0


def test_results_of_earlier_runs_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(stack, "RESULTS", tmp_path / "results")
    kept = []
    for number in range(3):
        (tmp_path / "summary.json").write_text(json.dumps(number))
        kept.append(stack.keep_results((tmp_path / "summary.json", "summary.json"), (tmp_path / "none", "none")))
    assert [json.loads((each / "summary.json").read_text()) for each in kept] == [0, 1, 2]
    assert all([each.name for each in folder.iterdir()] == ["summary.json"] for folder in kept)


def test_the_search_has_no_rate_of_its_own():
    assert load.Settings({}, find_max=True).shape() == ["--find-max"]
    assert load.Settings({"RATE": "5", "DURATION": "7"}).shape() == ["--rate=5", "--duration=7s"]
    with pytest.raises(stack.UsageError, match="RATE"):
        load.Settings({"RATE": "5"}, find_max=True)


def test_the_closing_lines_count_each_platform(tmp_path):
    report = tmp_path / "integration.xml"
    report.write_text("""<testsuites><testsuite>
        <testcase classname="tests.integration.test_kvm" name="a"/>
        <testcase classname="tests.integration.test_kvm" name="b"><skipped/></testcase>
        <testcase classname="tests.integration.test_xen" name="c"><failure/></testcase>
        <testcase classname="tests.integration.test_load" name="d"/></testsuite></testsuites>""")
    counts = {name: str(count) for name, count in runner.count_platforms(report).items()}
    assert counts["kvm"] == "1 passed, 0 failed, 1 skipped" and counts["xen"] == "0 passed, 1 failed, 0 skipped"
    assert counts["bare and what all share"] == "0 passed, 0 failed, 0 skipped"
