"""Runs the main function of every Python program of the project, and reports every error in one line.

    if __name__ == "__main__":
        guard.run("ingest/haproxy.py", main)

A program whose main(argv) is also called by tests ends it with `return guard.status("ir-platform", lambda: …)`.

A Fault has a text for the user. Errors of the system (a full disk, a folder of another user) are reported with a
remedy. Any other exception is a bug in the program; IR_TRACEBACK=1 shows its traceback.
"""

import errno
import io
import os
import pwd
import resource
import subprocess
import sys
import traceback
from pathlib import Path

import interrupt  # noqa: F401 - handles Ctrl-C from now on

DESCRIPTORS = 65536


class Fault(Exception):
    """A failure that is reported to the user; the text says why, and what to do."""

    status = 1  # the program's exit status


def run(name, main):
    """Ends the program with the status of status(name, main)."""
    sys.exit(status(name, main))


def status(name, main):
    """Runs main(). Returns its value (None: 0) as the exit status. A fault gives its own status, and is reported in a
    line that begins with `name`."""
    print_in_any_locale()
    raise_descriptors()
    try:
        code = main() or 0
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        silence()
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - the outermost place
        return tell(name, error)


def print_in_any_locale():
    """Makes standard output print a question mark for a character that the locale lacks, such as µ."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def raise_descriptors():
    """Raises the limit on open files for this program and its children, up to the hard limit, but at most to
    DESCRIPTORS, because some servers allocate memory for each possible descriptor."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def silence():
    """Discards the rest of the output buffer, which Python would otherwise try to write again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell(name, error):
    """Prints the line; returns the exit status."""
    if os.environ.get("IR_TRACEBACK"):
        traceback.print_exception(error)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        silence()  # writing the rest of the buffer would fail again
    print(f"{name}: {text(error)}", file=sys.stderr)
    return getattr(error, "status", 1)


def text(error):
    if isinstance(error, Fault):
        return str(error)
    if isinstance(error, OSError):
        return refusal(error)
    if isinstance(error, subprocess.TimeoutExpired):
        return f"{program(error.cmd)} did not end within {error.timeout:.0f} s"
    if isinstance(error, subprocess.CalledProcessError):
        said = (error.stderr or b"") if not isinstance(error.stderr, str) else error.stderr.encode()
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        return ": ".join([f"{program(error.cmd)} ended with status {error.returncode}", *last])
    place = traceback.extract_tb(error.__traceback__)[-1]
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return (f"a fault of the program itself ({what}; {Path(place.filename).name}, line {place.lineno}); IR_TRACEBACK=1 shows "
            "where it comes from")


def program(command):
    return Path(command.split()[0] if isinstance(command, str) else str(command[0])).name


# ---- errors of the system ----

REMEDIES = {
    errno.ENOSPC: "free some space (df -h shows how much there is)",
    errno.EDQUOT: "free some space, or ask for a larger quota",
    errno.EROFS: "choose a folder on a disk that can be written to",
    errno.EMFILE: "raise the limit on open files: ulimit -n",
    errno.ENFILE: "raise the system's limit on open files: sysctl fs.file-max",
    errno.ENOMEM: "leave more memory for it",
    errno.EEXIST: "choose another name, or remove it",
    errno.ENOTDIR: "a part of this path is a file; choose another folder",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EADDRINUSE: "end the program that has the address (ss -ltnp shows it), or choose another port",
}


def refusal(error):
    """The text of a system error: the error, its file, and what to do."""
    where = error.filename if isinstance(error.filename, (str, os.PathLike)) else None
    what = f"{os.fspath(where)}: {error.strerror}" if where else str(error.strerror or error)
    remedy = permission(where) if error.errno in (errno.EACCES, errno.EPERM) and where else REMEDIES.get(error.errno)
    return f"{what}; {remedy}" if remedy else what


def permission(path):
    """The remedy for a missing permission: it names the owner of the file, or of the folder that it would be in."""
    place = Path(path)
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    try:
        owner = place.lstat().st_uid
    except OSError:
        return "you have no access to a folder above it; choose another folder, or change its mode"
    if owner == os.geteuid():
        return f"it is yours, but its mode forbids this; chmod u+rwX {place}"
    return f"{place} belongs to {user(owner)} and you are {user(os.geteuid())}; choose another folder, or become its owner with sudo chown"


def user(number):
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
