"""The results of `check`, one finding per requirement. The checks here are shared by several platforms; they change
nothing."""

import dataclasses
import os
import shutil

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


def look(what, ok, reason, remedy, required=True):
    """A Finding. Reason and remedy are kept only if the requirement is not met."""
    return Finding(what, True, required=required) if ok else Finding(what, False, reason, remedy, required)


def root_user():
    return look("root", os.geteuid() == 0, "not root; namespaces, bridges and cgroups need it", "run as root")


def mounted_root():
    """Checks that / is a mount point. Otherwise unshare refuses to make a separate mount namespace."""
    return look("the root is a mount point", "/" in mounts(), "it is a plain folder that chroot has entered",
                "mount --bind FOLDER FOLDER before chroot FOLDER")


def program(name, group, required=True):
    """Checks for a program of a group of tools/install."""
    return look(f"program {name}", shutil.which(name) is not None, "not installed", command.install(group), required)


def controller(name, required=False):
    return look(f"cgroup controller {name}", cgroup.has(name), "not mounted; knobs that need it cannot be in effect",
                cgroup.remedy(name), required)
