"""The paths of the project, of the platforms, and of the lab unless one is named; and file locks."""

import contextlib
import fcntl
import os
import time
from pathlib import Path

from .errors import LabError

PLATFORMS = Path(__file__).resolve().parent.parent
PROJECT = PLATFORMS.parent
LOCK_SECONDS = 120


def default_directory():
    """$IR_LAB; else out/lab below the sources, or /var/lib/ir-lab when installed."""
    if named := os.environ.get("IR_LAB"):
        return Path(named)
    return PROJECT / "out" / "lab" if (PROJECT / "Makefile").exists() else Path("/var/lib/ir-lab")


@contextlib.contextmanager
def locked(path, seconds=LOCK_SECONDS, program="ir-platform"):
    """Holds a lock file during the block. Waits for it for a limited time. `program`, the program that uses this lock,
    is named in the message."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LabError(f"{path}: held by another {program} for {seconds} s") from None
                time.sleep(0.05)
        yield
