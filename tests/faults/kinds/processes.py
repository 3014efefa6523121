"""Faults that kill or suspend processes."""

import signal

from ..river import ROLES
from .kind import Kind

# Servers written in Erlang or Java take some seconds to start on a busy machine.
SLOWER = (("broker", 90), ("documents", 60), ("graph", 60))


def kill(river, target, _dice):
    river.kill(target)


def freeze(river, target, _dice):
    river.signal(target, signal.SIGSTOP)
    return lambda: river.signal(target, signal.SIGCONT)


def kill_all(role):
    def begin(river, _target, _dice):
        for name in river.named(role):
            river.kill(name)

    return begin


def reload(river, _target, _dice):
    river.balancer.reload()


def hang_up(river, target, _dice):
    river.signal(target, signal.SIGHUP)


ROWS = [
    Kind("kill", "killed with SIGKILL and started again", ROLES, kill, (0, 8), 30, SLOWER),
    Kind("freeze", "stopped with SIGSTOP", ROLES, freeze, (3, 30), 30, SLOWER),
    Kind("power-cut", "killed together with all others of its role", ("broker",), kill_all("broker"), (0, 3), 120,
         of_all=True),
    Kind("all-workers", "killed together with all others of its role", ("worker",), kill_all("worker"), (0, 8), 30,
         of_all=True),
    Kind("all-gateways", "killed together with all others of its role", ("gateway",), kill_all("gateway"), (0, 8), 30,
         of_all=True),
    Kind("reload", "reloaded with its configuration", ("balancer",), reload, (0, 2), 30),
    Kind("hang-up", "asked to reload its files", ("worker", "gateway"), hang_up, (0, 2), 30),
]
