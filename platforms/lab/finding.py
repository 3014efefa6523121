"""The results of `check`, one finding per requirement. The checks here are shared by several platforms; they change
nothing."""

import dataclasses
import os
import shutil
from pathlib import Path

from . import cgroup, command
from .clean import mounts


@dataclasses.dataclass
class Finding:
    """One line of `check`: the requirement, whether it is met, and what to do if not. If an optional one is not met,
    the platform still works, with the restriction given in `reason`."""

    what: str
    ok: bool
    reason: str = ""
    remedy: str = ""
    required: bool = True


def need(what, ok, reason, remedy, required=True):
    """A Finding. Reason and remedy are kept only if the requirement is not met."""
    return Finding(what, True, required=required) if ok else Finding(what, False, reason, remedy, required)


def root_user():
    return need("root", os.geteuid() == 0, "not root; namespaces, bridges and cgroups need it", "run as root")


def mounted_root():
    """Checks that / is a mount point. Otherwise unshare refuses to make a separate mount namespace."""
    return need("the root is a mount point", "/" in mounts(), "/ is an ordinary folder, entered by chroot",
                "mount --bind FOLDER FOLDER before chroot FOLDER")


def program(name, group, required=True):
    """Checks that a program is installed. The remedy names the group of tools/install that has it."""
    return need(f"program {name}", shutil.which(name) is not None, "not installed", command.install(group), required)


def controller(name, required=False):
    return need(f"cgroup controller {name}", cgroup.has(name), "not mounted; knobs that need it cannot be in effect",
                cgroup.remedy(name), required)


def veth():
    """Whether a veth pair can be made; makes one and deletes it."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return Finding("veth and bridge", False, "not tried: it needs root and ip", "see above, then run check again")
    name = f"irc{os.getpid() % 10**8}"
    done = command.run(["ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}b"], good=None)
    command.run(["ip", "link", "delete", name], good=None)
    return need("veth and bridge", done.status == 0, done.err.strip(), "modprobe veth bridge")


def overlay(otherwise, required=True):
    there = "overlay" in Path("/proc/filesystems").read_text(encoding="ascii").split()
    return need("overlay filesystem", there, "not in this kernel", f"modprobe overlay; {otherwise}", required)
