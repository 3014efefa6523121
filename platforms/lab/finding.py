"""What `check` says: one finding a requirement. The looks here are those that several platforms need; they change nothing."""

import dataclasses
import os
import shutil

from . import cgroup, command
from .clean import mounts


@dataclasses.dataclass
class Finding:
    """One line of `check`: what was looked at, whether it is there, and what to do if not. One that is not required
    restricts the platform (what is said in `reason`) but does not rule it out."""

    what: str
    ok: bool
    reason: str = ""
    remedy: str = ""
    required: bool = True


def look(what, ok, reason, remedy, required=True):
    """A Finding, with reason and remedy only when there is something to remedy."""
    return Finding(what, True, required=required) if ok else Finding(what, False, reason, remedy, required)


def root_user():
    return look("root", os.geteuid() == 0, "not root; namespaces, bridges and cgroups need it", "run as root")


def mounted_root():
    """Without it no mount namespace can be made apart from the others, and unshare refuses."""
    return look("the root is a mount point", "/" in mounts(), "it is a plain folder that chroot has entered",
                "mount --bind FOLDER FOLDER before chroot FOLDER")


def program(name, group, required=True):
    """A program of a group of tools/install."""
    return look(f"program {name}", shutil.which(name) is not None, "not installed", command.install(group), required)


def controller(name, required=False):
    return look(f"cgroup controller {name}", cgroup.has(name), "not mounted; knobs that need it cannot be in effect",
                cgroup.remedy(name), required)
