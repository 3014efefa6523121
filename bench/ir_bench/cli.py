"""The command line of ir-bench."""

import argparse
import itertools
import os
import random
from pathlib import Path

import facts
import guard
import servers
from platforms.lab import Lab, LabError, registry, verbs
from platforms.lab.guest import read_sizes
from platforms.lab.places import PLATFORMS

from . import ROOT, builds, course, experiment, needs, neighbour, plan, plan_time, report, runner, side_by_side, tally
from .analysis import analyse
from .rundir import LATEST, RunDir, RunError

OUT = ROOT / "out" / "bench"
MOST_BLOCKS = 1000
SIZING = "sizing"  # the experiment that plans are based on


class UsageError(guard.Fault):
    """The request is invalid; nothing was started."""

    status = 2


def parser():
    top = argparse.ArgumentParser(prog="ir-bench", description="Compares platforms and tunings, which take turns on this host.")
    verb = top.add_subparsers(dest="verb", required=True)
    run = verb.add_parser("run", help="run experiments and write one report")
    add_request(run)
    run.add_argument("--beside", default="", choices=neighbour.WORK,
                     help="put an unrelated load on this host from time to time during the run")
    repeated = verb.add_parser("repeat", help="do the same run several times, and report how often its proofs hold")
    add_request(repeated)
    repeated.add_argument("--runs", type=int, default=10)
    repeated.add_argument("--disturbed", type=int, default=3, help="how many of these runs get an unrelated load")
    counted = verb.add_parser("tally", help="report how often the proofs of several runs hold")
    counted.add_argument("folders", nargs="+", metavar="FOLDER")
    resume = verb.add_parser("resume", help="continue an interrupted run")
    resume.add_argument("folder", nargs="?", default=str(OUT / "latest"))
    resume.add_argument("--minutes", type=float, help="time limit, counted from now; default: as for a new run")
    again = verb.add_parser("report", help="write a run's report again, from its samples")
    again.add_argument("folder", nargs="?", default=str(OUT / "latest"))
    verb.add_parser("list", help="list the experiments")
    add_compare(verb)
    sizing = verb.add_parser("plan", help="compute from a run how many servers a network of motes needs")
    sizing.add_argument("network", metavar="DESCRIPTION.toml", help="description of the network; bench/networks/river.toml "
                                                                    "explains the keys")
    sizing.add_argument("--run", default=str(OUT / "latest"), help="the folder of a run of 'sizing'")
    sizing.add_argument("--experiment", default="", help="an experiment of that run; default: 'sizing', else the first one")
    sizing.add_argument("--subject", default="", help="subjects of that run; default: the first one, with its twin")
    sizing.add_argument("--hold-out", default="", metavar="RATE", help="name of the fixed rate that tests the forecast")
    minutes = verb.add_parser("plan-time",
                              help="show how many blocks and minutes it takes to find a difference of 2, 5 and 10 %%")
    minutes.add_argument("experiment", nargs="?", default="quick")
    minutes.add_argument("--run", default="", help="the run whose scatter is used; default: all runs of this host")
    return top


def add_request(verb):
    verb.add_argument("experiments", nargs="*", help="names, or the groups quick, thesis, all; default: quick")
    verb.add_argument("--platforms", default="", help="NAME[:KIND] …; default: bare, and the first other platform that this "
                                                      "host supports")
    verb.add_argument("--profiles", default="default", help="tuning profiles of the guests, from platforms/profiles")
    verb.add_argument("--minutes", type=float, help="time limit of the run; default: the time for six blocks of each experiment, "
                                                    "but at least 20")
    add_repeats(verb)
    verb.add_argument("--seed", type=int, default=None)


def add_compare(verb):
    compare = verb.add_parser("compare", help="compare two commits or settings in one run, or show two runs side by side")
    for side in ("A", "B"):
        compare.add_argument(side, help="COMMIT ('.': the working folder), KEY=VALUE,…, COMMIT,KEY=VALUE,…, or a run's folder")
    compare.add_argument("--experiment", default="quick")
    compare.add_argument("--platform", default="bare", help="the platform, NAME[:KIND], of all guests")
    compare.add_argument("--minutes", type=float)
    add_repeats(compare)
    compare.add_argument("--seed", type=int, default=None)


def add_repeats(verb):
    verb.add_argument("--repeats", type=repeats, default=(runner.LEAST_BLOCKS, MOST_BLOCKS), metavar="LEAST[-MOST]",
                      help="number of blocks")


def repeats(text):
    """Parses LEAST or LEAST-MOST. LEAST alone means both."""
    least, _, most = text.partition("-")
    found = int(least), int(most or least)
    if not 1 <= found[0] <= found[1]:
        raise ValueError(text)
    return found


def here(names):
    """The requested platforms, each of which this host must support. Without a request: the first one it supports."""
    lab = Lab(OUT / "lab")
    wanted = names.split()
    for each in wanted or registry.names():
        name, _, kind = each.partition(":")
        if name not in registry.names():
            raise UsageError(f"platform '{name}': must be one of {', '.join(registry.names())}")
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
        # Emulated guests give no valid measurements; they are included only when their kind is named.
        if not wanted and platform.kinds_here()[0] in platform.emulated_kinds:
            continue
        yield each
        if not wanted:
            return


def check_profiles(names):
    for each in names:
        try:
            verbs.tuning.read_profile(verbs.PLATFORMS / "profiles", each)
        except LabError as error:
            raise UsageError(str(error)) from error


def require_programs():
    if not course.CANARY.exists():
        raise UsageError("the measuring programs are not built: run make bench-programs")


def run(words):
    wanted = [experiment.read(name) for name in experiment.chosen(words.experiments or ["quick"])]
    platforms = list(here(words.platforms))
    check_profiles(words.profiles.split())
    planned = []
    for asked, text in wanted:
        compared = asked.of_kind.subjects(asked, platforms, words.profiles.split())
        planned.append((asked, text, compared, "; ".join(needs.unmet(asked, ROOT))))
    possible = [(asked, compared) for asked, _, compared, why in planned if not why]
    if not possible or all(len(compared) < 2 for _, compared in possible):
        reasons = "; ".join(each[3] for each in planned if each[3])
        raise UsageError(f"there is nothing to compare on this host: {reasons or 'platforms/ir-platform check says why'}")
    require_programs()
    return begin(planned, words, platforms=platforms, profiles=words.profiles, beside=words.beside)


def begin(planned, words, **asked):
    """Makes a new run and writes its report. `planned` is the argument of runner.Run.start. Returns an exit status."""
    seed = words.seed if words.seed is not None else random.SystemRandom().randrange(1, 100000)
    running = [(each, subjects) for each, _, subjects, why in planned if not why]
    minutes, needed = runner.minutes_for(running, words.minutes), runner.minutes_needed(running)
    if minutes < needed:
        raise UsageError(f"{minutes:g} minutes are too short for one block of every experiment; the least is MINUTES={needed}")
    runner.announce(planned, minutes, seed)
    with runner.alone(OUT):
        started = runner.Run.start(OUT, planned, read_sizes(PLATFORMS / "sizes.conf"),
                                   {"seed": seed, "repeats": words.repeats, **asked})
        return go_on(started, minutes)


def go_on(started, minutes):
    """Runs what is left and writes the report. Returns 1 if an experiment failed, otherwise 0."""
    try:
        started.go_on(minutes)
    except SystemExit:
        runner.say(f"interrupted; continue with: bench/ir-bench resume {os.path.relpath(started.folder.path)}")
        raise
    path = report.write(started.folder)
    runner.say(f"the report is {os.path.relpath(path)}")
    return int(any(part.status["status"] == "failed" for part in started.folder.parts()))


def repeat(words):
    """Repeats the same run several times. The disturbed runs are spread evenly, and their loads take turns."""
    loads, step = itertools.cycle(neighbour.WORK), words.runs // words.disturbed if words.disturbed else words.runs + 1
    folders = []
    for number in range(1, words.runs + 1):
        words.beside = next(loads) if number % step == 0 and number // step <= words.disturbed else ""
        runner.say(f"run {number} of {words.runs}" + (f", beside a load on the {words.beside}" if words.beside else ""))
        run(words)
        folders.append((OUT / LATEST).resolve())
    return print_tally(folders)


def count(words):
    return print_tally(words.folders)


def print_tally(folders):
    runs = [RunDir.open(each) for each in folders]
    analyses = [[analyse(part, experiment.of(part), each.tampered() or ()) for part in each.parts() if part.has("plan.json")]
                for each in runs]
    rows = [(each.path.name, each.read("run.json").get("beside", ""), found) for each, found in zip(runs, analyses)]
    print("\n".join(tally.table(rows)))


def resume(words):
    require_programs()
    with runner.alone(OUT):
        started = runner.Run.resume(RunDir.open(words.folder))
        left = [started.planned(part) for part in started.waiting()]
        return go_on(started, runner.minutes_for(left, words.minutes))


def again(words):
    print(os.path.relpath(report.write(RunDir.open(words.folder))))


def list_experiments(_words):
    for name in experiment.names():
        asked = experiment.read(name)[0]
        print(f"{name:14} {' '.join(asked.groups) or '-':14} {asked.title}")


def compare(words):
    sides = (words.A, words.B)
    runs = [each for each in sides if (Path(each) / "run.json").is_file()]
    if len(runs) == 2:
        names = [Path(each).resolve().name for each in runs]
        return print(side_by_side.write(names, [analysed(each, words.experiment) for each in runs]))
    if runs:
        raise UsageError(f"{runs[0]} is the folder of a run, so the other side must be one")
    asked, text = experiment.read(words.experiment)
    list(here(words.platform))
    builds.make(ROOT)
    return begin([(asked, text, builds.subjects(*sides, asked, words.platform, OUT / "builds"), "")], words, sides=sides)


def analysed(folder, name):
    """The analysis of an experiment in a run."""
    run_of_it = RunDir.open(folder)
    for part in run_of_it.parts():
        if part.name == name and part.has("plan.json"):
            return analyse(part, experiment.of(part), run_of_it.tampered() or ())
    raise UsageError(f"{folder}: nothing was measured of the experiment '{name}'")


def size(words):
    network = plan.read(Path(words.network))
    measured = [part.name for part in RunDir.open(words.run).parts() if part.has("plan.json")]
    found = analysed(words.run, words.experiment or (SIZING if SIZING in measured else next(iter(measured), SIZING)))
    subjects = [words.subject] if words.subject else found.twins
    figures = plan.Figures(found.plan["scouted"].get("fixed", []), found.samples, subjects)
    source = f"{Path(words.run).resolve().name} on {found.facts['cpu']}, {found.facts['cores']} cores"
    print(plan.write(network, figures, found.experiment, source, words.hold_out))


def plan_minutes(words):
    asked, _ = experiment.read(words.experiment)
    this_host = facts.collect(ROOT, "", "")
    if words.run:
        runs = [analysed(words.run, asked.name)]
    else:
        runs = [found for found in stored_runs(asked) if plan_time.same_host(found.facts, this_host)]
    print("\n".join(plan_time.table(asked, runs, this_host)))


def stored_runs(asked):
    """Analyses of the stored runs of an experiment that have at least two blocks. Runs of an earlier version of the
    experiment are skipped."""
    for place in sorted(OUT.glob(f"*/{asked.name}/plan.json")):
        if place.parts[-3] == LATEST:
            continue
        try:
            found = analysed(place.parents[1], asked.name)
        except (experiment.ExperimentError, RunError):
            continue
        stored = found.experiment
        if (stored.kind, stored.size, stored.parameters) == (asked.kind, asked.size, asked.parameters) and len(found.done) > 1:
            yield found


VERBS = {"run": run, "repeat": repeat, "tally": count, "resume": resume, "report": again, "list": list_experiments,
         "compare": compare, "plan": size, "plan-time": plan_minutes}


def main(argv=None):
    servers.stop_on_signals()
    words = parser().parse_args(argv)
    return guard.status("ir-bench", lambda: VERBS[words.verb](words))


