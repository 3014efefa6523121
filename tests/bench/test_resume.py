"""A run that is killed in the middle of a sample, with real guests on bare metal: resuming it gives a complete report and leaves
nothing on the host."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from ir_bench import ROOT, course, experiment, leftovers, report, runner
from ir_bench.rundir import RunDir
from ir_bench.subjects import Subject

GUEST_SECONDS = 120
RUN = """
import sys
sys.path.insert(0, sys.argv[1])
from ir_bench import runner
from ir_bench.rundir import RunDir
runner.Run(RunDir.open(sys.argv[2])).go_on(20)
"""
SIZES = {"small": {"cpus": 1, "memory_mib": 1024}}

missing = [name for name in ("runsvdir", "ip", "ssh-keygen") if not shutil.which(name)]
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="guests on bare metal need root"),
    pytest.mark.skipif(bool(missing), reason=f"guests on bare metal need {', '.join(missing)}"),
    pytest.mark.skipif(not course.CANARY.exists(), reason=f"{course.CANARY} is not built"),
]


def a_run(parent):
    """Two blocks of a short loop, on bare metal twice."""
    text = experiment.read("loop")[1].replace("rounds = 700000", "rounds = 100000").replace("pairs = 5", "pairs = 1")
    text = text.replace("pairs_at_most = 12", "pairs_at_most = 1")
    twins = [Subject("bare", "bare"), Subject("bare-again", "bare")]
    return runner.Run.start(parent, [(experiment.parse("loop", text), text, twins, "")], SIZES,
                            {"seed": 1, "repeats": [2, 2]}).folder


def await_true(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def labs(part):
    return sorted(part.path.glob("samples/*/guests/lab"))


def has_guest(part):
    """Whether a guest of the second block's is being made or runs."""
    return any(list(lab.glob("guests/*/guest.json")) for lab in labs(part) if lab.parts[-3].startswith("001"))


def kill_all(part, child):
    """The bench, and the sample that it had started, with no chance to clean up."""
    group = leftovers.generator_of(labs(part)[-1].parents[1])
    child.kill()
    for process in group.processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    child.wait()


def residue(prefixes):
    """Network namespaces, bridges, control groups and mounts that have one of the prefixes, and processes in them."""
    words = []
    with open("/proc/self/mounts", encoding="utf-8") as table:
        words += [line.split()[1] for line in table]
    words += [str(path) for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/cpu") if os.path.isdir(root) for path in os.scandir(root)]
    words += os.listdir("/sys/class/net")
    return [each for each in words for prefix in prefixes if prefix in each]


def namespaces():
    with contextlib.suppress(FileNotFoundError):
        return set(os.listdir("/run/netns"))
    return set()


def test_a_killed_run_is_resumed(tmp_path):
    folder = a_run(tmp_path)
    part = folder.parts()[0]
    child = subprocess.Popen([sys.executable, "-B", "-c", RUN, str(ROOT / "bench"), str(folder.path)], start_new_session=True)
    try:
        await_true(lambda: has_guest(part) or child.poll() is not None, GUEST_SECONDS)
    finally:
        kill_all(part, child)
    assert len(part.samples()) < 4
    prefixes = [leftovers.lab_of(lab.parents[1]).prefix for lab in labs(part)]
    names = {(lab / "netns").read_text().strip() for lab in labs(part) if (lab / "netns").exists()}
    assert prefixes and names and names <= namespaces()

    runner.Run.resume(RunDir.open(folder.path)).go_on(20)

    assert [(each["block"], each["status"]) for each in sorted(part.samples(), key=lambda line: line["block"])] == [
        (0, "ok"), (0, "ok"), (1, "ok"), (1, "ok")]
    assert part.status["ended_by"] == "repeats"
    assert residue(prefixes) == []
    assert not names & namespaces()
    assert labs(part) == []
    text = report.write(folder).with_suffix(".md").read_text()
    assert "in 2 blocks; ended by repeats" in text
    assert json.loads((folder.path / "status.json").read_text())["status"] == "done"
