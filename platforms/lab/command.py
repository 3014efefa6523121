"""Programs of the host, run with a bound on their time.

A child gets a session of its own, so that Ctrl-C reaches this program alone and the cleaning up is not cut short;
when an exception passes, its whole process group is killed. One that run() waits for dies with this program, also when
that is killed. Output is text, bad bytes replaced.
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
# A shell by su may look into none of these.
os.environ["PATH"] = ":".join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
LIBC = ctypes.CDLL(None)


class Done(NamedTuple):
    status: int
    out: str
    err: str


def show(argv):
    """A command for a message."""
    text = " ".join(str(word) for word in argv)
    return text if len(text) <= 120 else text[:117] + "..."


def die_with_parent():
    """Called in a child before it becomes a program: that is killed when this program ends, whatever ends it."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def run(argv, seconds=60, good=(0,), text=None, env=None, cwd=None, before=None):
    """Runs a program to its end. `text` goes to its standard input; `good` are the exit statuses that are no error
    (None: all); `before` is called in the child first. Raises LabError with the end of what it said."""
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
    """Standard output of a program that ends well, without the last newline."""
    return run(argv, **options).out.rstrip("\n")


def start(argv, **options):
    """A child in a session of its own; a program that is not there is a LabError."""
    try:
        return subprocess.Popen(argv, start_new_session=True, **options)
    except OSError as error:
        raise LabError(f"cannot start {argv[0]}: {error.strerror}") from error


def kill_group(child):
    """Kills a child and what it started, and waits for it."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.communicate()


def need(program, group):
    """The path of a program, or Unsupported that names the group of tools/install."""
    path = shutil.which(program)
    if path is None:
        raise Unsupported(f"{program} is not installed", install(group))
    return path


def install(group):
    """What to do for a group of tools/install, as a remedy; its path as one would type it here."""
    here = Path.cwd()
    return f"run {INSTALLER.relative_to(here) if INSTALLER.is_relative_to(here) else INSTALLER} {group}"
