"""Chooses free ports for servers and reserves them."""

import fcntl
import functools
import itertools
import random
import socket
from pathlib import Path

from cache import cache_directory

HOST = "127.0.0.1"
LOWEST_PORT = 10000
# A broker that ir-deploy starts below a root folder uses one of these ports and needs it free on every address
# (platforms/appliance/river/roles/broker/run).
DEPLOYED_BROKERS = range(25672, 25672 + 256)
_reserved = set()


def free_ports(count, avoid=()):
    """Returns different ports on which nothing listens, none of them in `avoid`. They are below the range of outgoing
    connections, so the kernel gives none of them to a connection before the server starts or while it is down. They
    stay reserved until this program ends: this function gives them to no other program."""
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = range(LOWEST_PORT, low if low > 12000 else 65536)
    avoid = {*avoid, *DEPLOYED_BROKERS}
    shuffled = (port for port in random.sample(ports, len(ports)) if port not in avoid)
    return list(itertools.islice((port for port in shuffled if reserve(port) and not port_fault(HOST, port)), count))


def reserve(port):
    """Tries to reserve the port, by a lock on the byte of that number in a file that all programs of the user share.
    Returns whether it did."""
    if port in _reserved:
        return False
    try:
        fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except (BlockingIOError, PermissionError):
        return False
    _reserved.add(port)
    return True


@functools.cache
def _reservations():
    path = cache_directory() / "ports"
    path.parent.mkdir(parents=True, exist_ok=True)
    return open(path, "ab")  # the kernel closes this file and releases the locks at the end


def port_fault(host, port):
    """Returns the errno of the error that a server would get there; 0 if a server can listen."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((host, port))
            one.listen()
        except OSError as error:
            return error.errno
    return 0


def listens(host, port):
    """Whether something accepts connections there."""
    try:
        socket.create_connection((host, port), 2).close()
    except OSError:
        return False
    return True
