"""Cleaning up: what a step has made is unmade when a later one fails or a signal comes.

    with Undo() as undo:
        make_bridge(); undo.add(remove_bridge)
        start_guest(); undo.add(stop_guest)
        undo.keep()                              # all is well: nothing is undone

Signals end the program by SystemExit (end_on_signals), so they pass through `with` like any error. While things are
undone further signals wait.
"""

import contextlib
import os
import shutil
import signal
import sys
import time

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_on_signals():
    """INT, TERM and HUP raise SystemExit(128 + number)."""

    def leave(number, _frame):
        sys.exit(128 + number)

    for number in SIGNALS:
        signal.signal(number, leave)


@contextlib.contextmanager
def shielded():
    """Signals wait until the block is done."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def attempt(step, *words):
    """Does a step of cleaning up; a failure is printed and the others go on. True when it went well."""
    try:
        step(*words)
        return True
    except Exception as error:  # noqa: BLE001 - whatever it is, the next step must be done
        print(f"ir-platform: while cleaning up: {error}", file=sys.stderr)
        return False


class Undo:
    """A stack of steps that are done, last first, unless keep() was called."""

    def __init__(self):
        self.steps = []

    def __enter__(self):
        return self

    def add(self, step, *words):
        self.steps.append((step, words))

    def keep(self):
        self.steps = []

    def __exit__(self, *_):
        with shielded():
            while self.steps:
                step, words = self.steps.pop()
                attempt(step, *words)


def remove_tree(path):
    """A folder with all below it, never across a mount point; none is fine."""
    if os.path.islink(path) or not os.path.exists(path):
        return
    if below := [each for each in mounts() if each == str(path) or each.startswith(f"{path}/")]:
        raise OSError(f"{path}: still mounted: {', '.join(below)}")
    shutil.rmtree(path)


def mounts():
    """Mount points of this mount namespace."""
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as table:
        return [line.split()[1].encode().decode("unicode_escape") for line in table]


def wait_until(condition, seconds, pause=0.05):
    """True as soon as the condition holds, False when it still does not after that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
