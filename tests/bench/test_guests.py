"""Runs with real guests on bare metal. A failed sample does not end the run. A run that is killed in the middle of a
sample can be resumed; its report is complete, and nothing is left on the host."""

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

GUEST_SECONDS = 300  # time limit on a busy machine until the second sample has a guest
RUN = """
import sys
sys.path.insert(0, sys.argv[1])
from ir_bench import runner
from ir_bench.rundir import RunDir
runner.Run(RunDir.open(sys.argv[2])).go_on(20)
"""
TWINS = [Subject("bare", "bare"), Subject("bare-again", "bare")]
SIZES = {"small": {"cpus": 1, "memory_mib": 1024}}

missing = [name for name in ("runsvdir", "ip", "ssh-keygen") if not shutil.which(name)]
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="guests on bare metal need root"),
    pytest.mark.skipif(bool(missing), reason=f"guests on bare metal need {', '.join(missing)}"),
    pytest.mark.skipif(not course.CANARY.exists(), reason=f"{course.CANARY} is not built"),
]


def a_run(parent):
    """Starts a run of one block of a short loop, with bare metal as both subjects. Returns its folder."""
    text = experiment.read("loop")[1].replace("rounds = 3500000", "rounds = 100000").replace("pairs = 5", "pairs = 1")
    text = text.replace("seconds_at_most = 150", "seconds_at_most = 1")
    return runner.Run.start(parent, [(experiment.parse("loop", text), text, TWINS, "")], SIZES,
                            {"seed": 1, "repeats": [1, 1]}).folder


def await_true(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def labs(part):
    return sorted(part.path.glob("samples/*/guests/lab"))


def in_second(part):
    """Whether the second sample is making its guest, or the guest is running."""
    return part.samples() and any(list(lab.glob("guests/*/guest.json")) for lab in labs(part))


def kill_all(part, child):
    """Kills ir-bench and the sample that it started, so that neither can clean up."""
    child.kill()
    for lab in labs(part):
        for process in leftovers.generator_of(lab.parents[1]).processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
    child.wait()


def residue(prefixes):
    """Returns mounts, control groups and interfaces whose names have one of the prefixes."""
    words = []
    with open("/proc/self/mounts", encoding="utf-8") as table:
        words += [line.split()[1] for line in table]
    for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/cpu"):
        words += [path.path for path in os.scandir(root)] if os.path.isdir(root) else []
    words += os.listdir("/sys/class/net")
    return [each for each in words for prefix in prefixes if prefix in each]


def namespaces():
    with contextlib.suppress(FileNotFoundError):
        return set(os.listdir("/run/netns"))
    return set()


def test_what_cannot_be_and_what_does_not_work_ends_nothing_else(tmp_path):
    """Bare metal lacks a profile's settings: the profile is skipped. A guest cannot be made: its sample failed. The
    other samples continue."""
    folder = a_run(tmp_path)
    part = folder.parts()[0]
    subjects = [*TWINS, Subject("refused", "bare", "virtio"), Subject("broken", "bare:odd")]
    guests, generator = course.confine(SIZES["small"])
    thresholds = {"loop_ns": 10.0, "walk_ns": 1000.0, "sync_us": 10000.0}
    plan = {"seed": 1, "subjects": [vars(each) for each in subjects], "tuning": guests, "generator": generator, "scouted": {},
            "thresholds": thresholds}
    made = course.Course(part, experiment.of(part), plan)
    refused, broken = (made.sample(0, position, subjects[position]) for position in (2, 3))
    assert refused["status"] == "skipped" and "disk" in refused["why"]
    assert broken["status"] == "failed" and "kind 'odd'" in broken["why"]
    assert labs(part) == []
    assert made.left_out(part.samples()) == {"refused"}


def test_a_killed_run_is_resumed(tmp_path):
    folder = a_run(tmp_path)
    part = folder.parts()[0]
    child = subprocess.Popen([sys.executable, "-B", "-c", RUN, str(ROOT / "bench"), str(folder.path)], start_new_session=True)
    try:
        await_true(lambda: in_second(part) or child.poll() is not None, GUEST_SECONDS)
    finally:
        kill_all(part, child)
    assert len(part.samples()) == 1
    prefixes = [leftovers.lab_of(lab.parents[1]).prefix for lab in labs(part)]
    names = {(lab / "netns").read_text().strip() for lab in labs(part) if (lab / "netns").exists()}
    assert prefixes and names and names <= namespaces()

    runner.Run.resume(RunDir.open(folder.path)).go_on(20)

    assert {(each["subject"], each["status"]) for each in part.samples()} == {("bare", "ok"), ("bare-again", "ok")}
    assert part.status["ended_by"] == "repeats"
    assert residue(prefixes) == []
    assert not names & namespaces()
    assert labs(part) == []
    text = report.write(folder).with_suffix(".md").read_text()
    assert "in 1 block, each in random order; it ended by repeats" in text
    assert json.loads((folder.path / "status.json").read_text())["status"] == "done"
