"""Checks what Podman's containers need on a host, one requirement after another."""

from ..lab import command
from ..lab.finding import controller, mounted_root, need, overlay, program, root_user, veth
from . import engine


def all_of():
    programs = [program("podman", "podman"), runtime()]
    programs += [program(each, "platforms") for each in ("ip", "ssh-keygen", "mmdebstrap", "unshare")]
    controllers = [controller(each, required=True) for each in ("cpu", "cpuset", "memory", "blkio")]
    return [root_user(), mounted_root(), *programs, *controllers, veth(), overlay("Podman's layers lie on it")]


def runtime():
    names = " or ".join(engine.RUNTIMES)
    return need(f"program {names}", engine.runtime() is not None, "not installed", command.install("podman"))
