"""The verbs of ir-bench."""

import argparse
import os
import random
import sys
import time
from pathlib import Path

import facts
import servers
from platforms.lab import Lab, LabError, registry, verbs
from platforms.lab.guest import read_sizes
from platforms.lab.state import PLATFORMS

from . import ROOT, builds, experiment, forecast, machine, needs, plan, plan_time, report, runner, side_by_side
from .analysis import analyse
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
    add_compare(verb)
    sizing = verb.add_parser("plan", help="how many servers a network of motes takes, from the figures of a run")
    sizing.add_argument("network", metavar="DESCRIPTION.toml", help="as bench/networks/river.toml, which explains the keys")
    sizing.add_argument("--run", default=str(OUT / "latest"), help="the folder of a run of 'sizing'")
    sizing.add_argument("--subject", default="", help="of that run; without it the first one, with its twin")
    sizing.add_argument("--hold-out", default="", metavar="RATE", help="name of the fixed rate that tests the forecast")
    minutes = verb.add_parser("plan-time", help="how many blocks and minutes a difference of 2, 5 and 10 %% takes")
    minutes.add_argument("experiment", nargs="?", default="quick")
    minutes.add_argument("--run", default="", help="the folder of the run that tells the scatter; without it all of this host")
    return top


def add_compare(verb):
    compare = verb.add_parser("compare", help="two commits or settings in one run, or two runs side by side")
    for side in ("A", "B"):
        compare.add_argument(side, help="COMMIT ('.': this folder as it is), KEY=VALUE,…, COMMIT,KEY=VALUE,…, or a run's folder")
    compare.add_argument("--experiment", default="quick")
    compare.add_argument("--platform", default="bare", help="NAME[:KIND] of all guests")
    compare.add_argument("--minutes", type=float, default=18)
    compare.add_argument("--seed", type=int, default=None)


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
    begin(asked, text, compared, words)


def begin(asked, text, compared, words):
    """A run of its own, until its report is written."""
    seed = words.seed if words.seed is not None else random.SystemRandom().randrange(1, 100000)
    sizes = read_sizes(PLATFORMS / "sizes.conf")
    servers_used = (asked.parameters.get(each, "") for each in ("documents", "graph"))
    told = {**facts.collect(ROOT, *servers_used), "platform": facts.platform()}
    runner.say(f"{asked.title}: {', '.join(each.name for each in compared)}; seed {seed}; {words.minutes:.0f} minutes")
    deadline = time.time() + words.minutes * 60
    started = runner.Run.start(OUT, asked, text, compared, sizes, seed, told)
    go_on(started, deadline)


def go_on(started, deadline):
    why = started.blocks(deadline)
    started.finish(why)
    path = report.write(started.folder, started.experiment)
    runner.say(f"ended by {why}; the report is {os.path.relpath(path)}")


def opened(folder):
    """(its RunDir, the Experiment as it was)."""
    folder = RunDir.open(folder)
    text = (folder.path / "experiment.toml").read_text(encoding="utf-8")
    return folder, experiment.parse(folder.read("plan.json")["experiment"], text)


def resume(words):
    folder, asked = opened(words.folder)
    go_on(runner.Run.resume(folder, asked), time.time() + words.minutes * 60)


def again(words):
    print(os.path.relpath(report.write(*opened(words.folder))))


def list_experiments(_words):
    for name in experiment.names():
        print(f"{name:12} {experiment.read(name)[0].title}")


def compare(words):
    sides = (words.A, words.B)
    runs = [each for each in sides if (Path(each) / "plan.json").is_file()]
    if len(runs) == 2:
        return print(side_by_side.write([Path(each).resolve().name for each in runs], [analyse(*opened(each)) for each in runs]))
    if runs:
        raise UsageError(f"{runs[0]} is the folder of a run, so the other side must be one")
    asked, text = experiment.read(words.experiment)
    list(here(words.platform))
    begin(asked, text, builds.subjects(*sides, asked, words.platform, OUT / "builds"), words)


def size(words):
    network = plan.read(Path(words.network))
    folder, asked = opened(words.run)
    found = analyse(folder, asked)
    subjects = [words.subject] if words.subject else found.twins
    figures = plan.Figures(found.plan["scouted"].get("fixed", []), found.samples, subjects)
    source = f"{folder.path.name} on {found.facts['cpu']}, {found.facts['cores']} cores"
    print(plan.write(network, figures, asked, source, words.hold_out))


def plan_minutes(words):
    asked, _ = experiment.read(words.experiment)
    this_host = facts.collect(ROOT, "", "")
    if words.run:
        runs = [analyse(*opened(words.run))]
    else:
        runs = [found for found in stored_runs(asked) if plan_time.same_host(found.facts, this_host)]
    print("\n".join(plan_time.table(asked, runs, this_host)))


def stored_runs(asked):
    """Analyses of those of an experiment as it is now; others, of an earlier form, are passed over."""
    for place in sorted(OUT.glob(f"*-{asked.name}*/plan.json")):
        try:
            folder, stored = opened(place.parent)
        except experiment.ExperimentError:
            continue
        if (stored.kind, stored.size, stored.parameters) == (asked.kind, asked.size, asked.parameters):
            yield analyse(folder, stored)


VERBS = {"run": run, "resume": resume, "report": again, "list": list_experiments, "compare": compare, "plan": size,
         "plan-time": plan_minutes}


def main(argv=None):
    servers.stop_on_signals()
    words = parser().parse_args(argv)
    try:
        VERBS[words.verb](words)
    except (UsageError, builds.SideError, experiment.ExperimentError) as error:
        print(f"ir-bench: {error}", file=sys.stderr)
        return 2
    except (RunError, LabError, machine.CanaryError, forecast.NotEnough, OSError) as error:
        print(f"ir-bench: {error}", file=sys.stderr)
        return 1
    return 0


