"""Checks what containers need on a host, one requirement after another."""

import shutil
from pathlib import Path

from ..lab import command
from ..lab.finding import controller, mounted_root, need, overlay, program, root_user, veth


def all_of():
    programs = [program(each, "lxc") for each in ("lxc-start", "lxc-attach")]
    programs += [program(each, "platforms") for each in ("ip", "ssh-keygen", "mmdebstrap", "unshare")]
    controllers = [controller(each, required=True) for each in ("cpu", "cpuset", "memory", "blkio")]
    return [root_user(), mounted_root(), *programs, *controllers, veth(), overlay("without it: --root copy", False), user_namespaces(), criu()]


def user_namespaces():
    return need("user namespaces (kind unprivileged)", Path("/proc/self/ns/user").exists(), "not in this kernel",
                "use a kernel with CONFIG_USER_NS", required=False)


def criu():
    if shutil.which("criu") is None:
        return need("criu (verb migrate)", False, "not installed", "apt-get install criu", required=False)
    done = command.run(["criu", "check"], good=None)
    told = (done.out + done.err).strip().splitlines() or ["criu check fails"]
    return need("criu (verb migrate)", done.status == 0, told[-1], "use a kernel that criu knows", required=False)
