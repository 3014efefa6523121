#!/usr/bin/env python3
"""Ends every session that a running balancer passes on to the brokers for those who send, or for those who read, and lets
none of them in until the balancer is reloaded: so they move to other brokers all at once.

    ingest/cut.py senders /run/haproxy/master.sock && systemctl reload haproxy
    ingest/cut.py consumers /run/haproxy/master.sock && systemctl reload haproxy

The socket is that of HAProxy's master process (-S). The others' sessions stay, unless a process that an earlier reload left
behind holds them: such processes are ended, and their clients connect again. A sender without a confirm sends again.
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
    """The balancer does not do it; the text says what."""


def ask(path, command):
    """The answer of the master process, or of one that the command names by "@!PID"."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(SECONDS)
            connection.connect(str(path))
            connection.sendall(command.encode() + b"\n")
            connection.shutdown(socket.SHUT_WR)  # else it waits for more
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    except OSError as error:
        raise CutError(f"{path}: {error.strerror or error}") from error


def processes(path):
    """(the one that serves, those that earlier reloads left)."""
    workers = re.findall(r"^(\d+)\s+worker\s+(\d+)", ask(path, "show proc"), re.M)
    if not workers:
        raise CutError(f"{path}: it tells of no process that serves; is it the master's socket?")
    workers.sort(key=lambda each: int(each[1]))
    return int(workers[0][0]), [int(pid) for pid, _reloads in workers[1:]]


def brokers(path, pid, backends):
    """{"BACKEND/SERVER": sessions}."""
    rows = csv.reader(ask(path, f"@!{pid} show stat").splitlines())
    return {f"{row[0]}/{row[1]}": int(row[4]) for row in rows if row and row[0] in backends and row[1] != "BACKEND"}


def tell(path, pid, command):
    if said := ask(path, f"@!{pid} {command}").strip():
        raise CutError(f"{command}: {said}")


def cut(path, who):
    """`who`: a key of BACKENDS. The number of brokers that they are cut off from."""
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
    print(f"{options.whom} are cut off from {count} servers: the next reload lets them in again")


if __name__ == "__main__":
    guard.run("ingest/cut.py", main)
