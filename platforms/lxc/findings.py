"""Checks what containers need on a host, one requirement after another."""

import os
import shutil
from pathlib import Path

from ..lab import command
from ..lab.finding import Finding, controller, look, mounted_root, program, root_user


def all_of():
    programs = [program(each, "lxc") for each in ("lxc-start", "lxc-attach")]
    programs += [program(each, "platforms") for each in ("ip", "ssh-keygen", "mmdebstrap", "unshare")]
    controllers = [controller(each, required=True) for each in ("cpu", "cpuset", "memory", "blkio")]
    return [root_user(), mounted_root(), *programs, *controllers, veth(), overlay(), user_namespaces(), criu()]


def veth():
    """Whether a veth pair can be made; makes one and deletes it."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return Finding("veth and bridge", False, "not tried: it needs root and ip", "see above, then look again")
    name = f"irc{os.getpid() % 10**8}"
    done = command.run(["ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}b"], good=None)
    command.run(["ip", "link", "delete", name], good=None)
    return look("veth and bridge", done.status == 0, done.err.strip(), "modprobe veth bridge")


def overlay():
    there = "overlay" in Path("/proc/filesystems").read_text(encoding="ascii").split()
    return look("overlay filesystem", there, "not in this kernel", "modprobe overlay; without it: --root copy", False)


def user_namespaces():
    return look("user namespaces (kind unprivileged)", Path("/proc/self/ns/user").exists(), "not in this kernel",
                "use a kernel with CONFIG_USER_NS", required=False)


def criu():
    if shutil.which("criu") is None:
        return look("criu (verb migrate)", False, "not installed", "apt-get install criu", required=False)
    done = command.run(["criu", "check"], good=None)
    told = (done.out + done.err).strip().splitlines() or ["criu check fails"]
    return look("criu (verb migrate)", done.status == 0, told[-1], "use a kernel that criu knows", required=False)
