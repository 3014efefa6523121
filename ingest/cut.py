#!/usr/bin/env python3
"""Ends all sessions of senders, or of consumers, that a running balancer passes to the brokers, and refuses new ones
until the balancer is reloaded. So all of them move to other brokers at once.

    ingest/cut.py senders /run/haproxy/master.sock && systemctl reload haproxy
    ingest/cut.py consumers /run/haproxy/master.sock && systemctl reload haproxy

The socket is that of HAProxy's master process (-S). Other sessions continue, except those in processes that earlier
reloads left: these processes are ended, and their clients reconnect. A sender without a confirm sends again.
"""

import argparse
import contextlib
import csv
import os
import re
import signal
import socket
import time

import guard

BACKENDS = {"senders": ("amqp-brokers", "mqtt-brokers"), "consumers": ("consumer-brokers",)}
SECONDS = 30


class CutError(guard.Fault):
    """The balancer refused a command; the text says which."""


def ask(path, command):
    """Sends a command to the master process, or to the one that the command names by "@!PID". Returns the answer."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(SECONDS)
            connection.connect(str(path))
            connection.sendall(command.encode() + b"\n")
            connection.shutdown(socket.SHUT_WR)  # otherwise HAProxy waits for more commands
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    except OSError as error:
        raise CutError(f"{path}: {error.strerror or error}") from error


def processes(path):
    """Returns (the current process, those that earlier reloads left)."""
    workers = re.findall(r"^(\d+)\s+worker\s+(\d+)", ask(path, "show proc"), re.M)
    if not workers:
        raise CutError(f"{path}: it reports no current process; is it the master's socket?")
    workers.sort(key=lambda each: int(each[1]))
    return int(workers[0][0]), [int(pid) for pid, _reloads in workers[1:]]


def brokers(path, pid, backends):
    """Returns {"BACKEND/SERVER": sessions}."""
    rows = csv.reader(ask(path, f"@!{pid} show stat").splitlines())
    return {f"{row[0]}/{row[1]}": int(row[4]) for row in rows if row and row[0] in backends and row[1] != "BACKEND"}


def tell(path, pid, command):
    if said := ask(path, f"@!{pid} {command}").strip():
        raise CutError(f"{command}: {said}")


def cut(path, who):
    """`who`: a key of BACKENDS. Returns the number of brokers from which the sessions were cut."""
    serving, left = processes(path)
    names = list(brokers(path, serving, BACKENDS[who]))
    if not names:
        raise CutError(f"{path}: it has no backend {' or '.join(BACKENDS[who])}")
    for name in names:
        tell(path, serving, f"set server {name} state maint")
    for each in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGTERM)
    deadline = time.monotonic() + SECONDS
    while True:
        for name in names:
            tell(path, serving, f"shutdown sessions server {name}")
        if not any(brokers(path, serving, BACKENDS[who]).values()) and not processes(path)[1]:
            return len(names)
        if time.monotonic() > deadline:
            raise CutError(f"sessions are left after {SECONDS} s; try again")
        time.sleep(0.1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("whom", choices=sorted(BACKENDS))
    parser.add_argument("socket", metavar="MASTER-SOCKET")
    options = parser.parse_args()
    count = cut(options.socket, options.whom)
    print(f"{options.whom} are cut off from {count} servers; the next reload lets clients in again")


if __name__ == "__main__":
    guard.run("ingest/cut.py", main)
