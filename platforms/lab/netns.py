"""A network namespace of the lab's own, so that nothing of the host's network is seen or changed."""

import ctypes
import os
import re
from pathlib import Path

from . import command
from .errors import LabError

FOLDER = Path("/run/netns")
CLONE_NEWNET = 0x40000000
_before = []  # descriptor of the namespace that the program was in


def enter(lab, create):
    """Puts this program into lab.netns (a name, as `ip netns` has them). When it is missing it is made, or without
    `create` nothing is done, since then there is nothing in it either. To be called before any thread is started."""
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
    """Words before a command that needs the host's network, as a download does."""
    return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{_before[0]}"] if _before else []


def words_in(name):
    """Words before a command that is to run in a namespace. `ip -n` would want mounts of its own, which cannot be had
    where the root is no mount point."""
    return ["nsenter", f"--net={FOLDER / name}", "--"]


def exists(name):
    return (FOLDER / name).exists()


def made_by(lab):
    """Where the lab keeps the name of a namespace it has made."""
    return lab.directory / "netns"


def make(lab):
    lab.directory.mkdir(parents=True, exist_ok=True)
    made_by(lab).write_text(lab.netns + "\n", encoding="ascii")
    command.run(["ip", "netns", "add", lab.netns])
    command.run([*words_in(lab.netns), "ip", "link", "set", "lo", "up"])


def remove(lab):
    """Takes away a namespace that the lab has made."""
    try:
        name = made_by(lab).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return
    if exists(name):
        command.run(["ip", "netns", "delete", name])
    made_by(lab).unlink()
