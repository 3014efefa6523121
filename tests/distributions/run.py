#!/usr/bin/env python3
"""Runs and tests a fresh clone of this repository on Debian releases: each in its own root filesystem and namespaces,
with only the loopback as network. The roots are kept (platforms/lab/debian.py). Changes in them are always removed,
even if this program is killed. Only a clone in which something failed is kept: its out/ says more than the log. Prints
a table, and the total of all tests in the last line.

    run.py                      make run, make run DOCUMENTS=mongodb GRAPH=fuseki, make test, on every release
    run.py --release trixie     only on that release (repeat the option for several)
    run.py --step kills         only that step (repeat the option for several): run, run-servers, test; and three long ones
                                that run only on request: kills, a worker killed forty times under load, with the
                                release's RabbitMQ; upgrade, from RabbitMQ 3 to 4 under load, with both releases';
                                newcomer, the README's commands as an ordinary user (newcomer.py), in a root with
                                nothing but what they need
    run.py --quick --other      unit tests and a short make run, on the releases other than the host's

Exit status 0: all passed; 1: something failed; 77: this host cannot do it, or has no network to make a root.
"""

import argparse
import contextlib
import fcntl
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from platforms.lab import LabError, Unsupported, clean, command, debian, release, sandbox  # noqa: E402

import guard  # noqa: E402

OUT = ROOT / "out" / "distributions"
COUNT = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.M)
TAIL_LINES = 60


class Step(NamedTuple):
    name: str  # the name in the table, and of the log
    words: tuple
    seconds: int
    counted: bool = False  # whether it prints totals of its own
    slow: bool = False  # whether it runs only on request
    other: bool = False  # whether it needs the root of the other release, at OTHER
    groups: tuple = ()  # groups of tools/install to be installed; empty: those of make test

    def argv(self):
        """Returns the step's command inside the root, where the clone is at SOURCES."""
        if self.words[0] == "make":
            return ["make", "-C", debian.SOURCES, "--no-print-directory", *self.words[1:]]
        return ["sh", f"{debian.SOURCES}/{self.words[0]}", debian.SOURCES]


SERVERS = ("DOCUMENTS=mongodb", "GRAPH=fuseki")
OTHER = "/srv/other-release"  # path of the other release's root inside a step
FULL = [Step("run", ("make", "run"), 900), Step("run-servers", ("make", "run", *SERVERS), 900),
        Step("test", ("make", "test"), 5400, counted=True),
        Step("kills", ("make", "test-slow", "TESTS=killed_forty_times"), 1800, counted=True, slow=True),
        Step("upgrade", ("make", "test-slow", "TESTS=upgrade_under_load", f"IR_RABBITMQ_ROOT={OTHER}"), 1800,
             counted=True, slow=True, other=True),
        Step("newcomer", ("tests/distributions/newcomer.sh",), 5400, counted=True, slow=True,
             groups=("build", "run", "paste", "unit", "newcomer"))]
QUICK = [Step("unit", ("make", "test-unit"), 900, counted=True), Step("run", ("make", "run", "MESSAGES=1000"), 600)]
QUICK_GROUPS = ["build", "run", "unit"]


def test_groups():
    """Returns the groups of packages that `make test` installs. A step has no network, so they are installed when the
    root is made."""
    return subprocess.run(["make", "-s", "test-groups"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


class Result(NamedTuple):
    release: str
    step: Step
    status: int
    seconds: float
    counts: tuple  # passed, failed, skipped

    @property
    def failed(self):
        return self.status != 0 or self.counts[1] > 0


def say(text):
    print(text, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", action="append", choices=release.KNOWN, help="only this one")
    parser.add_argument("--other", action="store_true", help="only releases other than the host's")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--step", action="append", choices=[each.name for each in FULL], help="only this one")
    kind.add_argument("--quick", action="store_true", help="unit tests and a short make run")
    options = parser.parse_args()
    clean.end_on_signals()
    try:
        steps = QUICK if options.quick else chosen_steps(options.step)
        results = run_all(chosen(options), by_groups(steps, QUICK_GROUPS if options.quick else test_groups()))
    except LabError as error:
        say(f"{'skipped' if error.status == 77 else 'failed'}: {error}")
        return error.status
    table(results)
    say("{} passed, {} failed, {} skipped".format(*(sum(each.counts[i] for each in results) for i in range(3))))
    return 1 if any(each.failed for each in results) else 0


def chosen(options):
    names = options.release or release.KNOWN
    return [each for each in names if not (options.other and each == release.of_host())]


def chosen_steps(names):
    """Returns the chosen steps in the order of the table."""
    return [each for each in FULL if (each.name in names if names else not each.slow)]


def by_groups(steps, usual):
    """Returns [(groups of a root, the steps in it)], in the order of the steps."""
    parts = {}
    for step in steps:
        parts.setdefault(step.groups or tuple(usual), []).append(step)
    return list(parts.items())


def run_all(names, parts):
    OUT.mkdir(parents=True, exist_ok=True)
    results = []
    with open(OUT / "lock", "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(f"another of these runs in {OUT}") from None
        sandbox.require(OUT)
        for name in names:
            for groups, steps in parts:
                results += run_release(name, groups, steps)
    return results


def run_release(name, groups, steps):
    folder = OUT / "-".join([name, *(each.name for each in steps if each.groups)])
    clean.remove_tree(folder)
    folder.mkdir()
    say(f"{name}: making its root if there is none; this takes minutes")
    with debian.Root(name, groups) as root, contextlib.ExitStack() as stack, clean.Undo() as undo:
        say(f"{name}: root {f'made in {root.made:.0f} s' if root.made else 'kept'}: {root.path}")
        if root.note:
            say(root.note)
        binds = [("rw", folder / "source", debian.SOURCES)]
        if any(step.other for step in steps):
            [other] = set(release.KNOWN) - {name}
            say(f"{name}: making the root of {other} as well if there is none; this takes minutes")
            binds.append(("over", stack.enter_context(debian.Root(other, groups)).path, OTHER))
        undo.add(clean.remove_tree, folder / "source")
        clone(folder / "source")
        inside = root.sandbox(folder / "layer", binds)
        stack.callback(inside.discard)
        results = [run_step(name, step, inside, folder / f"{step.name}.log") for step in steps]
        if any(each.failed for each in results):
            say(f"{name}: the clone is kept until the next call: {folder / 'source'}")
            undo.keep()
        return results


def clone(target):
    """Clones the committed state. Uncommitted changes are left out."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        raise Unsupported(f"{ROOT} is not a git clone, so it cannot be cloned")
    if command.output(["git", "-C", ROOT, "status", "--porcelain", "--untracked-files=no"]):
        say("uncommitted changes are left out")
    command.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, target], seconds=300)


def run_step(name, step, inside, log):
    words = " ".join(step.words)
    say(f"{name}: {words} … (log: {log})")
    begin = time.monotonic()
    try:
        status = inside.run(step.argv(), log, seconds=step.seconds)
    except LabError as error:
        say(str(error))
        status = 124
    result = Result(name, step, status, time.monotonic() - begin, counts(step, status, log))
    if result.failed:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        say("\n".join(f"    {line}" for line in lines[-TAIL_LINES:]))
    say(f"{name}: {words}: {'failed' if result.failed else 'passed'} after {result.seconds:.0f} s")
    return result


def counts(step, status, log):
    """Returns the totals that the step printed (passed, failed, skipped). A step without totals counts as one test. A
    failed step counts as at least one failure."""
    found = COUNT.findall(log.read_text(encoding="utf-8", errors="replace")) if step.counted else []
    passed, failed, skipped = map(int, found[-1]) if found else (0 if step.counted else int(status == 0), 0, 0)
    return passed, max(failed, 1) if status != 0 or (step.counted and not found) else failed, skipped


def table(results):
    say("")
    say(f"{'release':<10}{'step':<46}{'result':<8}{'time':>8}   passed, failed, skipped")
    for each in results:
        told = "failed" if each.failed else "passed"
        say(f"{each.release:<10}{' '.join(each.step.words):<46}{told:<8}{each.seconds:>6.0f} s   "
            + ", ".join(map(str, each.counts)))
    say("")


if __name__ == "__main__":
    guard.run("make test-distributions", main)
