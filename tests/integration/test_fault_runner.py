"""A short run of make faults: five faults, with a seed by chance that is printed when it fails; and the plan of a run."""

import json
import os
import random
import re
import subprocess
import sys

import pytest

import harness

sys.path.insert(0, str(harness.ROOT / "tests"))

from faults import places, plan, poisons, verdict  # noqa: E402
from faults.kinds import TABLE  # noqa: E402

PYTHON = "/usr/bin/python3"  # with Debian's packages
FAULTS, OBSERVATIONS, RATE, LONGEST, PATIENCE = 5, 7500, 300, 5, 5
KINDS = ("kill freeze power-cut reload hang-up partition loss delay reset disk-full memory-alarm object-deleted "
         "answers-500 hangs answers-half clock")


class Parts:
    """What a plan wants to know of the stack."""

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
SENT = {"resent": 3, "order_violations": 0, "messages_lost": 0, "messages_refused": 0}


@pytest.mark.parametrize("stored, sent, behind, wrong", [
    ({}, {}, False, 0),
    ({}, {}, True, 0),
    ({"again": 3}, {}, False, 0),
    ({"again": 4}, {}, False, 1),
    ({"again": 3}, {}, True, 1),
    ({"missing": 1}, {}, False, 1),
    ({"doubled": 1, "foreign": 1}, {}, False, 2),
    ({}, {"order_violations": 1}, False, 1),
    ({}, {"messages_lost": 1}, False, 1),
    ({}, {"messages_refused": 1}, True, 1),
])
def test_what_is_not_as_promised(stored, sent, behind, wrong):
    assert len(verdict.judge({**GOOD, **stored}, {**SENT, **sent}, behind)) == wrong


def test_five_faults(tmp_path):
    if (why := places.lacking()) is not None:
        pytest.skip(why)
    seed = random.SystemRandom().randrange(10**6)
    out = tmp_path / "faults"
    settings = {"SEED": seed, "FAULTS": FAULTS, "OBSERVATIONS": OBSERVATIONS, "RATE": RATE, "LONGEST": LONGEST, "KINDS": KINDS,
                "PATIENCE": PATIENCE}
    environment = {**os.environ, **{key: str(value) for key, value in settings.items()}, "OUT": str(out),
                   "IR_BUILD": str(harness.BUILD), "PYTHONPATH": str(harness.ROOT / "tests")}
    done = subprocess.run([PYTHON, "-m", "faults"], cwd=harness.ROOT, env=environment, capture_output=True, text=True,
                          timeout=900, check=False)
    assert done.returncode == 0, f"SEED={seed}\n{done.stdout[-8000:]}\n{done.stderr[-4000:]}"
    run = json.loads((out / "run.json").read_text())
    assert sum(len(each["faults"]) for each in run["rounds"]) == FAULTS
    assert sum(each["observations"] for each in run["rounds"]) > 0.9 * OBSERVATIONS
    assert (out / "course.svg").read_text().startswith("<svg") and "## Recovery" in (out / "report.md").read_text()
