"""make faults: reads the settings from the environment, makes the namespaces, runs the rounds of the plan, and ends
with a report and an exit status. The program calls itself in network, mount and process namespaces of its own.
Everything that it starts, mounts and sets up is inside these and ends with them, however the program ends."""

import argparse
import os
import random
import signal
import sys
import time
from pathlib import Path

import facts
import guard
import harness
import load
import servers
import stack
import variables

from . import ROOT, plan, poisons, report
from .kinds import TABLE
from .motes import RECORDS, Motes
from .places import NAMESPACES, lacking
from .river import River
from .rounds import Rounds
from .verdict import Verdicts
from .watch import Watch

OUT = ROOT / "out" / "faults"
INSIDE = "inside"
STOP_SECONDS = 120


class Settings:
    def __init__(self, environment):
        seed = {"SEED": environment.get("SEED") or str(random.SystemRandom().randrange(10**6))}
        self.seed = variables.read(seed, "SEED", "faults")
        self.faults = variables.read(environment, "FAULTS", "faults")
        self.observations = variables.read(environment, "OBSERVATIONS", "faults")
        self.minutes = variables.read(environment, "MINUTES", "faults")
        self.rate = variables.read(environment, "RATE", "faults")
        self.patience = variables.read(environment, "PATIENCE", "faults")
        self.longest = variables.read(environment, "LONGEST", "faults")
        self.compare = variables.read(environment, "COMPARE", "faults")
        self.kinds = self.chosen(environment.get("KINDS", ""))
        servers_of_it = {"BROKERS": "3", "DOCUMENTS": "mongodb", "GRAPH": "fuseki"}
        variables.refuse_given(environment, tuple(servers_of_it), "faults are made in MongoDB, Fuseki and three brokers")
        self.where = stack.Settings({**environment, **servers_of_it})
        self.out = Path(environment.get("OUT") or OUT / time.strftime("%Y%m%d-%H%M%S"))

    @staticmethod
    def chosen(words):
        unknown = [name for name in words.split() if name not in TABLE]
        if unknown:
            raise variables.UsageError(f"KINDS: there is no {unknown[0]}; known: {', '.join(TABLE)}")
        return [TABLE[name] for name in words.split()] or list(TABLE.values())


def say(text):
    print(f"faults: {time.strftime('%H:%M:%S')} {text}", flush=True)


# ---- inside ----


def run(settings):
    """Runs all rounds; returns the content of run.json."""
    river = River(settings.where, settings.out / "stack", harness.BUILD, servers.usual_rabbitmq())
    say(f"seed {settings.seed}; starting {stack.roles(settings.where)}, each in a network namespace of its own")
    river.start()
    poisons.check(river)
    river.poisoners = Motes(river, "0000").introduce()
    river.message_rate = settings.rate / RECORDS
    poisons.prepare(river)
    left_out = [f"{kind.name}: {kind.lacks(river)}" for kind in settings.kinds if kind.lacks(river)]
    kinds = [kind for kind in settings.kinds if not kind.lacks(river)]
    rounds = plan.plan(settings.seed, settings.faults, settings.observations, kinds, river, settings.longest, settings.rate)
    (settings.out / "plan.txt").write_text("\n".join([f"seed {settings.seed}", *plan.told(rounds), ""]))
    told = {"seed": settings.seed, "stack": stack.roles(settings.where), "left_out": left_out, "rounds": [], "error": None,
            "settings": {key: getattr(settings, key) for key in ("faults", "observations", "rate", "longest", "minutes",
                                                                      "patience", "compare")},
            "facts": facts.collect(ROOT, "mongodb", "fuseki"), "seconds": 0}
    watch = Watch(river)
    watch.start()
    try:
        do_rounds(settings, river, watch, rounds, told)
        river.stop()
    except (servers.ServerError, stack.StackError) as error:
        told["error"] = str(error)
    finally:
        watch.over.set()
        write(settings, told, watch)
    return told


def do_rounds(settings, river, watch, planned, told):
    rounds = Rounds(river, watch, Verdicts(river), settings, say)
    for each in planned:
        if settings.minutes and watch.now() > 60 * settings.minutes:
            told["left_out"].append(f"rounds from {each.number} on: {settings.minutes} minutes were over")
            break
        done = rounds.run(each)
        told["rounds"].append(done)
        if each.number % settings.compare == 0:
            rounds.compare(done)
        recovered = ", ".join(f"{row['fault']} normal after {row['recovery']:.1f} s" for row in done["faults"])
        say(f"round {each.number} of {len(planned)}: {recovered}; " + ("; ".join(done["wrong"]) or "as promised"))
        write(settings, told, watch)
    if rounds.not_compared:
        rounds.compare(told["rounds"][-1])
    watch.stop()


def write(settings, told, watch):
    told["seconds"] = watch.now()
    report.write(settings.out, told, list(watch.samples))


def conclude(settings, told):
    """Prints the last lines; returns the exit status."""
    rounds = told["rounds"]
    bad = [each for each in rounds if each["wrong"]]
    print(f"{sum(len(each['faults']) for each in rounds)} faults in {len(rounds)} rounds, "
          f"{sum(each['observations'] for each in rounds):,} observations, {told['seconds'] / 60:.1f} minutes: "
          + ", ".join(f"{sum(each.get(key, 0) for each in rounds)} {key}" for key in ("missing", "doubled", "foreign"))
          + f"; {len(bad)} rounds not as promised. Again: SEED={told['seed']}")
    for each in bad:
        print(f"  round {each['round']}: " + "; ".join(each["wrong"]))
    if told["error"]:
        print(f"  ended early: {told['error']}")
    print(f"Report: {stack.show(settings.out / 'report.md')}, {stack.show(settings.out / 'course.svg')}")
    return 1 if bad or told["error"] or not rounds else 0


# ---- outside ----


def call_inside(settings):
    """Starts this program again in namespaces of its own, and passes signals on to it."""
    environment = {**os.environ, "SEED": str(settings.seed), "OUT": str(settings.out), "PYTHONPATH": str(ROOT / "tests")}
    process = servers.Process([*NAMESPACES, sys.executable, "-m", "faults", INSIDE], None, env=environment, cwd=ROOT)
    try:
        return process.child.wait()
    finally:
        process.send_group(signal.SIGTERM)
        process.stop(STOP_SECONDS)


def make_faults(inside):
    settings = Settings(os.environ)
    if inside:
        return conclude(settings, run(settings))
    if (why := lacking()) is not None:
        raise stack.StackError(why)
    settings.out.mkdir(parents=True)
    return call_inside(settings)


def main():
    parser = argparse.ArgumentParser(prog="python3 -m faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("where", nargs="?", choices=[INSIDE], help="how it calls itself")
    inside = parser.parse_args().where == INSIDE
    servers.stop_on_signals()
    guard.run("faults", lambda: make_faults(inside))
