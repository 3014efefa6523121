"""Finds which programs listen on this machine, and where."""

import contextlib
import re
import socket
from typing import NamedTuple

from . import command
from .errors import LabError

EVERYWHERE = ("*", "0.0.0.0", "::")


class Listener(NamedTuple):
    address: str
    port: int
    program: str  # "": not told
    pids: frozenset


def listeners():
    """All listening TCP sockets, as reported by ss."""
    return [read(line) for line in command.output([command.need("ss", "deploy"), "-Hltnp"]).splitlines()]


def read(line):
    host, _, port = line.split()[3].rpartition(":")
    address = re.sub(r"[][]|%.*|^\[?::ffff:", "", host)
    who = re.findall(r'\("([^"]*)",pid=(\d+)', line)
    return Listener(address, int(port), who[0][0] if who else "", frozenset(int(pid) for _, pid in who))


def check_free(service, places, mine):
    """Raises LabError when another process listens at an (address, port) of a service. `mine` are the service's own
    processes."""
    for each in listeners():
        for address, port in places:
            if each.port == port and each.address in (address, *EVERYWHERE) and not each.pids & mine:
                who = f"{each.program} (process {min(each.pids)})" if each.pids else "another program"
                raise LabError(f"port {port} of {address}, which {service} needs, is taken by {who}")


def check_mapper(address, port):
    """Raises LabError when Erlang's port mapper cannot listen at that address, because another one listens at all
    addresses or another program has the port."""
    for each in listeners():
        if each.port == port and each.address in EVERYWHERE:
            raise LabError(f"port {port}, which Erlang's port mapper uses at one address, is taken at all of them by "
                           f"{each.program or 'another program'}")
        if each.port == port and each.address == address and each.program not in ("epmd", ""):
            raise LabError(f"port {port} of {address}, which Erlang's port mapper needs, is taken by {each.program}")


def check_own(address):
    """Raises LabError when the address is not one of this machine's."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        try:
            trial.bind((address, 0))
        except OSError as error:
            raise LabError(f"{address} is not an address of this machine: {error.strerror}") from error


def answers(address, port):
    with contextlib.suppress(OSError), socket.create_connection((address, port), 1):
        return True
    return False
