"""Ports for servers, which no other program gets meanwhile."""

import fcntl
import functools
import itertools
import random
import socket
from pathlib import Path

from cache import cache_directory

HOST = "127.0.0.1"
LOWEST_PORT = 10000
_reserved = set()


def free_ports(count, avoid=()):
    """Ports that nothing listens on now, all different, none of `avoid`; below those that the kernel gives to outgoing
    connections, so that none of these gets one before it is used, or while its server is down. They are this program's
    until it ends: nobody gets them from here again."""
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = range(LOWEST_PORT, low if low > 12000 else 65536)
    shuffled = (port for port in random.sample(ports, len(ports)) if port not in avoid)
    return list(itertools.islice((port for port in shuffled if reserve(port) and not port_fault(HOST, port)), count))


def reserve(port):
    """Whether the port became this program's, by a lock on the byte of that number in a file of the user's programs."""
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
    """Why nothing can listen there, an errno; 0: it can."""
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
