"""Runs programs of the host with a time limit.

A child gets its own session, so Ctrl-C reaches only this program and does not interrupt the clean-up. When an exception
passes, the child's whole process group is killed. A program started by run() also dies when this program is killed.
Output is text; invalid bytes are replaced.
"""

import ctypes
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

from .errors import LabError, Unsupported

LONGEST_TEXT = 600
PR_SET_PDEATHSIG = 1
INSTALLER = Path(__file__).resolve().parents[2] / "tools" / "install"
# These folders may be missing in the path of a shell that su started.
os.environ["PATH"] = ":".join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
LIBC = ctypes.CDLL(None)


class Done(NamedTuple):
    status: int
    out: str
    err: str


def show(argv):
    """Formats a command for a message."""
    text = " ".join(str(word) for word in argv)
    return text if len(text) <= 120 else text[:117] + "..."


def die_with_parent():
    """Called in a child before it executes the program: the kernel kills the child when this program ends, for any
    reason."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def run(argv, seconds=60, good=(0,), text=None, env=None, cwd=None, before=None):
    """Runs a program until it ends. `text` is its standard input. `good` lists the exit statuses that mean success
    (None: all). The child calls `before` first. A failure raises LabError with the end of the program's output."""
    argv = [str(word) for word in argv]

    def prepare():
        die_with_parent()
        if before:
            before()

    child = start(argv, stdin=subprocess.DEVNULL if text is None else subprocess.PIPE, stdout=subprocess.PIPE,
                  stderr=subprocess.PIPE, env=env, cwd=cwd, text=True, errors="replace", preexec_fn=prepare)
    try:
        out, err = child.communicate(text, timeout=seconds)
    except subprocess.TimeoutExpired:
        kill_group(child)
        raise LabError(f"{show(argv)}: did not end within {seconds:g} s") from None
    except BaseException:
        kill_group(child)
        raise
    if good is not None and child.returncode not in good:
        said = (err.strip() or out.strip() or "(it said nothing)")[-LONGEST_TEXT:]
        raise LabError(f"{show(argv)}: exit status {child.returncode}: {said}")
    return Done(child.returncode, out, err)


def output(argv, **options):
    """The standard output of a successful program, without the last newline."""
    return run(argv, **options).out.rstrip("\n")


def start(argv, **options):
    """Starts a child process in its own session. Raises LabError if the program does not exist."""
    try:
        return subprocess.Popen(argv, start_new_session=True, **options)
    except OSError as error:
        raise LabError(f"cannot start {argv[0]}: {error.strerror}") from error


def kill_group(child):
    """Kills a child and everything it started, and waits for it."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.communicate()


def need(program, group):
    """The path of a program. If missing, raises Unsupported and names the group of tools/install that has it."""
    path = shutil.which(program)
    if path is None:
        raise Unsupported(f"{program} is not installed", install(group))
    return path


def install(group):
    """A remedy that says how to install a group of tools/install, with a path that can be typed here."""
    here = Path.cwd()
    return f"run {INSTALLER.relative_to(here) if INSTALLER.is_relative_to(here) else INSTALLER} {group}"
