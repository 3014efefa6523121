"""Clean-up: undoes the completed steps when a later one fails or a signal arrives.

    with Undo() as undo:
        make_bridge(); undo.add(remove_bridge)
        start_guest(); undo.add(stop_guest)
        undo.keep()                              # success: nothing is undone

Signals raise SystemExit (end_on_signals), so they pass through `with` like any error. While steps are being undone,
further signals wait.
"""

import contextlib
import os
import shutil
import signal
import sys

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_on_signals():
    """Makes INT, TERM and HUP raise SystemExit(128 + number)."""

    def leave(number, _frame):
        sys.exit(128 + number)

    for number in SIGNALS:
        signal.signal(number, leave)


@contextlib.contextmanager
def shielded():
    """Holds signals back until the block ends."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def attempt(step, *words):
    """Runs one clean-up step. A failure is printed, and the caller continues. True on success."""
    try:
        step(*words)
        return True
    except Exception as error:  # noqa: BLE001 - the next step must run in any case
        print(f"ir-platform: while cleaning up: {error}", file=sys.stderr)
        return False


class Undo:
    """A stack of steps that run, last first, unless keep() was called."""

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
    """Deletes a folder and everything below it, but never crosses a mount point. A missing folder is fine."""
    if os.path.islink(path) or not os.path.exists(path):
        return
    if below := [each for each in mounts() if each == str(path) or each.startswith(f"{path}/")]:
        raise OSError(f"{path}: still mounted: {', '.join(below)}")
    shutil.rmtree(path)


def mounts():
    """The mount points of this mount namespace."""
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as table:
        return [line.split()[1].encode().decode("unicode_escape") for line in table]
