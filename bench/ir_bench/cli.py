"""The verbs of ir-bench."""

import argparse
import os
import random
import sys
import time

import facts
import servers
from platforms.lab import Lab, LabError, registry, verbs
from platforms.lab.guest import read_sizes
from platforms.lab.state import PLATFORMS

from . import ROOT, experiment, machine, needs, report, runner
from .rundir import RunDir, RunError

OUT = ROOT / "out" / "bench"


class UsageError(Exception):
    """What was asked for cannot be; nothing was started."""


def parser():
    top = argparse.ArgumentParser(prog="ir-bench", description="Compares platforms and tunings on this host, interleaved.")
    verb = top.add_subparsers(dest="verb", required=True)
    run = verb.add_parser("run", help="run an experiment and write its report")
    run.add_argument("experiment", nargs="?", default="quick")
    run.add_argument("--platforms", default="", help="NAME[:KIND] …; without it bare and the first other this host can do")
    run.add_argument("--profiles", default="default", help="of guests, as platforms/profiles has them")
    run.add_argument("--minutes", type=float, default=18, help="no block begins that would not end within this time")
    run.add_argument("--seed", type=int, default=None)
    resume = verb.add_parser("resume", help="go on with a run that was interrupted")
    resume.add_argument("folder", nargs="?", default=str(OUT / "latest"))
    resume.add_argument("--minutes", type=float, default=18)
    again = verb.add_parser("report", help="write a run's report again, from its samples")
    again.add_argument("folder", nargs="?", default=str(OUT / "latest"))
    verb.add_parser("list", help="the experiments")
    return top


def here(names):
    """Those of the platforms asked for that this host can do; a platform that was named and cannot be is an error."""
    lab = Lab(OUT / "lab")
    wanted = names.split()
    for each in wanted or registry.names():
        name, _, kind = each.partition(":")
        if name not in registry.names():
            raise UsageError(f"platform '{name}': it is one of {', '.join(registry.names())}")
        if name == "bare":
            continue
        platform = registry.load(name, lab)
        try:
            verbs.require_host(platform)
        except LabError as error:
            if wanted:
                raise UsageError(str(error)) from error
            continue
        if kind and kind not in platform.kinds_here():
            raise UsageError(f"{each}: this host has {', '.join(platform.kinds_here())}")
        # An emulated guest is not a measurement; it takes part only when its kind is named.
        if not wanted and platform.kinds_here()[0] in platform.emulated_kinds:
            continue
        yield each


def run(words):
    asked, text = experiment.read(words.experiment)
    if why := needs.unmet(asked, ROOT):
        raise UsageError(f"{asked.name}: {'; '.join(why)}")
    compared = asked.of_kind.subjects(asked, list(here(words.platforms)), words.profiles.split())
    if len(compared) < 2:
        raise UsageError("there is nothing to compare on this host; platforms/ir-platform check says why")
    seed = words.seed if words.seed is not None else random.SystemRandom().randrange(1, 100000)
    sizes = read_sizes(PLATFORMS / "sizes.conf")
    servers_used = (asked.parameters.get(each, "") for each in ("documents", "graph"))
    told = {**facts.collect(ROOT, *servers_used), "platform": facts.platform()}
    runner.say(f"{asked.title}: {', '.join(each.name for each in compared)}; seed {seed}; {words.minutes:.0f} minutes")
    deadline = time.time() + words.minutes * 60
    started = runner.Run.start(OUT, asked, text, compared, sizes, seed, told)
    return go_on(started, deadline)


def go_on(started, deadline):
    why = started.blocks(deadline)
    started.finish(why)
    path = report.write(started.folder, started.experiment)
    runner.say(f"ended by {why}; the report is {os.path.relpath(path)}")


def opened(words):
    folder = RunDir.open(words.folder)
    text = (folder.path / "experiment.toml").read_text(encoding="utf-8")
    return folder, experiment.parse(folder.read("plan.json")["experiment"], text)


def resume(words):
    folder, asked = opened(words)
    return go_on(runner.Run.resume(folder, asked), time.time() + words.minutes * 60)


def again(words):
    print(os.path.relpath(report.write(*opened(words))))


def list_experiments(_words):
    for name in experiment.names():
        print(f"{name:12} {experiment.read(name)[0].title}")


VERBS = {"run": run, "resume": resume, "report": again, "list": list_experiments}


def main(argv=None):
    servers.stop_on_signals()
    words = parser().parse_args(argv)
    try:
        VERBS[words.verb](words)
    except (UsageError, experiment.ExperimentError) as error:
        print(f"ir-bench: {error}", file=sys.stderr)
        return 2
    except (RunError, LabError, machine.CanaryError, OSError) as error:
        print(f"ir-bench: {error}", file=sys.stderr)
        return 1
    return 0


