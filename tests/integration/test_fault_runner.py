"""A short run of `make faults` with a random seed, which is printed on failure. Also how a run is planned."""

import json
import os
import random
import re
import sys
import types

import pytest

import harness
from harness import programs, servers

sys.path.insert(0, str(harness.ROOT / "tests"))

from faults import motes, places, plan, poisons, verdict, watch  # noqa: E402
from faults.kinds import TABLE  # noqa: E402

PYTHON = "/usr/bin/python3"  # with Debian's packages
FAULTS, OBSERVATIONS, RATE, LONGEST, PATIENCE, MINUTES = 5, 7500, 300, 5, 5, 1
LIMIT_SECONDS = 270
KINDS = ("kill freeze power-cut reload hang-up partition loss delay reset disk-full memory-alarm object-deleted "
         "answers-500 hangs answers-half clock")


class Parts:
    """The roles of a stack's parts, which is all that a plan needs."""

    roles = {"balancer": "balancer", "rabbit-1": "broker", "rabbit-2": "broker", "worker-1": "worker", "mongodb": "documents",
             "gateway-1": "gateway", "fuseki": "graph"}


def make_plan(seed, faults=40):
    return plan.plan(seed, faults, 40000, list(TABLE.values()), Parts(), 90, 1000)


def test_the_same_seed_gives_the_same_plan():
    assert plan.told(make_plan(7)) == plan.told(make_plan(7)) != plan.told(make_plan(8))


def test_every_kind_comes_before_any_comes_often():
    names = [fault.kind.name for each in make_plan(1, len(TABLE) + 10) for fault in each.faults]
    assert len(set(names[: len(TABLE) + 4])) >= len(TABLE) - 2


def test_every_reason_has_poison():
    known = re.findall(r'\[IR_REASON_\w+\] = "(.+)"', (harness.ROOT / "observation" / "reason.c").read_text())
    assert {each.reason for each in poisons.of("a", "b", poisons.FIRST_TIME)} == {*known} - {"none"}


GOOD = {"missing": 0, "doubled": 0, "foreign": 0, "again": 0}
SENT = {"resent": 3, "order_violations": 0, "messages_lost": 0, "messages_refused": 0, "messages_missing": 0,
        "subscription_gaps": 0}


@pytest.mark.parametrize("stored, sent, behind, wrong", [
    ({}, {}, False, 0),
    ({}, {}, True, 0),
    ({"again": 3}, {}, False, 0),
    ({"again": 4}, {}, False, 1),
    ({"again": 1}, {}, True, 1),
    ({"missing": 1}, {}, False, 1),
    ({"doubled": 1, "foreign": 1}, {}, False, 2),
    ({}, {"order_violations": 1}, False, 1),
    ({}, {"order_violations": 1, "messages_missing": 1}, False, 0),
    ({}, {"order_violations": 1, "messages_missing": 1}, True, 2),
    ({}, {"messages_lost": 1}, False, 1),
    ({}, {"messages_refused": 1}, True, 1),
    ({}, {"messages_missing": 1}, True, 1),
    ({}, {"messages_missing": 1}, False, 0),
    ({}, {"messages_missing": 1, "subscription_gaps": 1}, True, 0),
])
def test_what_is_not_as_promised(stored, sent, behind, wrong):
    of_motes = {**SENT, **sent}
    assert len(verdict.judge_motes(of_motes, behind) + verdict.judge_stores({**GOOD, **stored}, [(of_motes, behind)])) == wrong


def test_resends_of_all_rounds_since_the_last_comparison_count():
    rounds = [(SENT, False), (SENT, True), (SENT, False)]
    assert verdict.judge_stores({**GOOD, "again": 6}, rounds) == []
    assert len(verdict.judge_stores({**GOOD, "again": 7}, rounds)) == 1


class LateLoad:
    """A load whose last messages a broker still holds for a worker that was cut off."""

    def __init__(self):
        self.process, self.held, self.calls = self, True, []

    def wait(self, seconds):
        self.calls.append("wait")
        return None if self.held else 0

    def waiting(self, seconds):
        self.held = False

    def send(self, number):
        self.calls.append("interrupt")

    def stop(self):
        pass

    def summary(self):
        return self.calls


@pytest.mark.parametrize("all_return, calls", [(True, ["wait", "wait"]), (False, ["wait", "interrupt", "wait"])])
def test_a_load_has_time_for_messages_that_the_watch_does_not_see(all_return, calls):
    assert motes.Motes.end(LateLoad(), all_return, 120) == calls


class Sleeper(programs.Program):
    """A program that never listens, like a worker that was just restarted."""

    program = "sleep"


def test_the_watch_asks_whom_it_can(tmp_path):
    sleeper = Sleeper("/bin", "sleeper", tmp_path / "log", ["60"])
    try:
        assert watch.Queues(types.SimpleNamespace(workers=[sleeper])).in_hand() is None
        assert sleeper.not_ready() == "does not listen yet"
    finally:
        sleeper.kill()


class Broken:
    """A stack whose state cannot be read: the attempt raises an unexpected exception."""

    workers = ()

    def troubles(self):
        raise TypeError("this is meant to be seen")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_watch_that_dies_ends_the_run():
    watching = watch.Watch(Broken())
    watching.start()
    with pytest.raises(servers.ServerError, match="ended unexpectedly"):
        watching.await_normal(0, 60)


def test_as_many_of_five_faults_as_there_is_time_for(tmp_path):
    """No new round starts after the given time, so a slow machine runs fewer rounds."""
    if (why := places.lacking()) is not None:
        pytest.skip(why)
    seed = random.SystemRandom().randrange(10**6)
    out, log = tmp_path / "faults", tmp_path / "faults.log"
    settings = {"SEED": seed, "FAULTS": FAULTS, "OBSERVATIONS": OBSERVATIONS, "RATE": RATE, "LONGEST": LONGEST, "KINDS": KINDS,
                "PATIENCE": PATIENCE, "MINUTES": MINUTES}
    environment = {**os.environ, **{key: str(value) for key, value in settings.items()}, "OUT": str(out),
                   "IR_BUILD": str(harness.BUILD), "PYTHONPATH": str(harness.ROOT / "tests")}
    process = servers.Process([PYTHON, "-m", "faults"], log, env=environment, cwd=harness.ROOT)
    status = process.wait(LIMIT_SECONDS)
    process.stop()
    assert status == 0, (f"SEED={seed}: " + (f"status {status}" if status is not None else f"not over after {LIMIT_SECONDS} s")
                         + f"\n{servers.tail(log, 100)}")
    run = json.loads((out / "run.json").read_text())
    done = sum(len(each["faults"]) for each in run["rounds"])
    assert done == FAULTS or (done > 0 and "minutes were over" in run["left_out"][-1])
    assert all(each["observations"] > 0.8 * OBSERVATIONS / FAULTS for each in run["rounds"])
    assert (out / "course.svg").read_text().startswith("<svg") and "## Recovery" in (out / "report.md").read_text()
