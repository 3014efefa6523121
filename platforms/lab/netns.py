"""A network namespace for the lab, so that the lab neither sees nor changes the host's network."""

import ctypes
import os
import re
from pathlib import Path

from . import command
from .errors import LabError

FOLDER = Path("/run/netns")
CLONE_NEWNET = 0x40000000
_before = []  # descriptor of the program's original namespace


def enter(lab, create):
    """Moves this program into the namespace lab.netns (a name for `ip netns`). If the namespace is missing, `create`
    makes it; without `create` nothing happens, because nothing can be in it. Call before any thread is started."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", lab.netns):
        raise LabError(f"network namespace '{lab.netns}': a name of letters, digits, '.', '_' and '-'")
    if not exists(lab.netns):
        if not create:
            return
        make(lab)
    _before[:] = [os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)]
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(FOLDER / lab.netns, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if library.setns(descriptor, CLONE_NEWNET) != 0:
            raise LabError(f"cannot enter network namespace {lab.netns}: {os.strerror(ctypes.get_errno())}; be root")
    finally:
        os.close(descriptor)


def outside_argv():
    """A command prefix for commands that need the host's network, such as downloads."""
    return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{_before[0]}"] if _before else []


def words_in(name):
    """A command prefix that runs a command in a namespace. `ip -n` cannot be used: it mounts file systems, which fails
    if / is not a mount point."""
    return ["nsenter", f"--net={FOLDER / name}", "--"]


def exists(name):
    return (FOLDER / name).exists()


def made_by(lab):
    """The file that records the name of a namespace that the lab made."""
    return lab.directory / "netns"


def make(lab):
    lab.directory.mkdir(parents=True, exist_ok=True)
    made_by(lab).write_text(lab.netns + "\n", encoding="ascii")
    command.run(["ip", "netns", "add", lab.netns])
    command.run([*words_in(lab.netns), "ip", "link", "set", "lo", "up"])


def remove(lab):
    """Deletes a namespace that the lab made."""
    try:
        name = made_by(lab).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return
    if exists(name):
        command.run(["ip", "netns", "delete", name])
    made_by(lab).unlink()
