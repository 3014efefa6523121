"""Compares the running services of a server with its files.

The process of a service records what it was started with (note_start in common.sh): its id and start time, then a line
"DIGEST  PATH" for each file. So after an interrupted call the next one still sees which services run with outdated
files.
"""

import os
from pathlib import Path
from typing import NamedTuple

from . import tree

SAME, START, RESTART, REREAD = "same", "start", "restart", "reread"


class Process(NamedTuple):
    pid: int
    files: dict  # {absolute path: digest}

    def family(self):
        """The ids of the process and its children."""
        try:
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii")
        except OSError:
            children = ""
        return {self.pid, *map(int, children.split())}


def process(root, name):
    """The process of a service, or None if it does not run."""
    try:
        first, *lines = (root / "run" / "river" / "started" / name).read_text(encoding="utf-8").splitlines()
        pid, start = first.split()
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return None
    if stat.rpartition(")")[2].split()[19] != start:
        return None
    pairs = (line.split("  ", 1) for line in lines)
    return Process(int(pid), {os.path.normpath(path): digest for digest, path in pairs})


def differing(running, files, name, role):
    """The files, below the root or absolute, that changed since a process was started with them. `files`: the Tree."""
    prefix = str(files.root).rstrip("/") + "/"
    noted = {path[len(prefix):]: told for path, told in running.files.items()
             if path.startswith(tuple(prefix + part for part in tree.PARTS))}
    foreign = {path: told for path, told in running.files.items() if path[len(prefix):] not in noted}
    its_own = (f"etc/river/services/{name}/", f"opt/river/roles/{role}/")
    known = {*noted, *(path for path in files.wanted if path.startswith(its_own))}
    return [*(path for path in sorted(known) if noted.get(path) != now(files, path)),
            *(path for path, told in foreign.items() if not os.path.exists(path) or told != tree.size_and_time(path))]


def now(files, path):
    return tree.digest(path, files.wanted[path]) if path in files.wanted else None


def action(running, files, name, role, rereads):
    """Returns (step to take for a service, files that require it)."""
    if running is None:
        return START, []
    paths = differing(running, files, name, role)
    if not paths:
        return SAME, []
    settings = f"etc/river/services/{name}/"
    alone = all(path.startswith(settings) and path[len(settings):] in rereads for path in paths)
    return (REREAD if alone else RESTART), paths
