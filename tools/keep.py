"""Saves and restores a user's river (river.py).

    python3 tools/keep.py backup     writes a new folder below TO= and keeps the newest COPIES=. The river may run.
    python3 tools/keep.py restore    restores what is lost, from FROM=, which is a backup or a folder of backups (the
                                     newest one is used); STORE=documents or STORE=graph: only that store

The stores are saved by `ir-store backup`. The backup also contains everything that cannot be regenerated: registry,
credentials, options and ports, the ledgers of loads, and the brokers' definitions. Messages that wait in queues are not
saved.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import servers
import stack
import variables
from river import River
from stack import PROGRAMS, StackError, UsageError, say, show
from up import stack_of

# Patterns of files below the river's folder.
FILES = ("river.json", "mote-tokens", "tokens", "brokers/passwords", "registry", "certificates", "load-*/ledger.txt")
DEFINITIONS = "broker-definitions.json"


def read_folder(environment, name, verb):
    if not environment.get(name):
        raise UsageError(f"make {verb} wants {name}=DIR")
    return Path(environment[name]).resolve()


def ir_store(river, arguments, *words):
    """Runs ir-store and passes its output on. Its last error line becomes this program's error."""
    argv = [PROGRAMS / "ir-store", *words, *arguments]
    done = subprocess.run(argv, cwd=river.folder, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise StackError(done.stderr.strip().removeprefix("ir-store: "))
    print(done.stderr, end="", file=sys.stderr)


@contextlib.contextmanager
def open_stores(river, what):
    """The arguments of ir-store for the stores. If nothing runs, their servers are started for the duration."""
    description = river.description()
    if description:
        yield [f"--{key}={description[key]}" for key in ("documents", "graph", "registry")]
        return
    river.claim(what)
    if any(servers.start_time(pid) == started for pid, started in servers.recorded(river.processes)):
        raise StackError("a part of the stack has ended; run make down first")
    known = river.read()
    with contextlib.ExitStack() as running:
        made = stack_of(river, known["choices"], known["ports"])
        for each in made.stores():
            running.enter_context(each)
        yield made.store_arguments()


# ---- backup ----


def export_definitions(river):
    """Exports users, policies, queues and bindings from the running brokers."""
    known = river.read()
    made = stack_of(river, known["choices"], known["ports"])
    before = os.umask(0o077)
    try:
        made.cluster.members[0].control("export_definitions", str(river.folder / DEFINITIONS))
    finally:
        os.umask(before)


def backup(environment):
    river = River.of(environment)
    folder = read_folder(environment, "TO", "backup")
    copies = variables.read(environment, "COPIES", "backup")
    if not river.kept.exists():
        raise StackError(f"there is no river in {show(river.folder)}")
    if river.description():
        export_definitions(river)
    with open_stores(river, "make backup") as arguments:
        files = [each.relative_to(river.folder) for pattern in (*FILES, DEFINITIONS) for each in river.folder.glob(pattern)]
        ir_store(river, arguments, "backup", folder, f"--with={','.join(map(str, files))}", f"--keep={copies}")


# ---- restore ----


def newest(folder):
    """Returns the newest backup, chosen as ir-store does."""
    if (folder / "SHA256SUMS").is_file():
        return folder
    found = sorted(each.parent for each in folder.glob("*Z/SHA256SUMS"))
    if not found:
        raise StackError(f"{show(folder)}: contains no complete backup")
    return found[-1]


def check(folder):
    done = subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise StackError(f"{show(folder)} is damaged: {done.stdout.strip() or done.stderr.strip()}; use another backup")


def put_files_back(river, folder):
    """Restores the lost files; existing ones are kept."""
    saved = folder / "files"
    for each in sorted(path for path in saved.rglob("*") if path.is_file()):
        target = river.folder / each.relative_to(saved)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(each, target)
            say("restore", f"{show(target)} is back")


def restore(environment):
    river = River.of(environment)
    store = variables.read(environment, "STORE", "restore")
    folder = newest(read_folder(environment, "FROM", "restore"))
    check(folder)
    put_files_back(river, folder)
    with open_stores(river, "make restore") as arguments:
        ir_store(river, arguments, "restore", folder, f"--store={store}")
    if not river.description():
        say("restore", "make up continues with it")


if __name__ == "__main__":
    stack.run_verb(__doc__, {"backup": backup, "restore": restore})
