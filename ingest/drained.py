#!/usr/bin/env python3
"""Checks whether the draining cluster of a list of nodes (sections [draining …]) is empty: no queue has messages, and
only consumers are connected.

    ingest/drained.py ingest/nodes.conf PASSWORDS [--wait SECONDS]

It asks the brokers' management interface as the user `monitor`, whose password is in PASSWORDS. Figures of quorum
queues are up to five seconds old, so the cluster must be empty in two samples more than ten seconds apart. Exit status
0: empty; 1: not empty, with the obstacles; 2: unknown.
"""

import argparse
import base64
import functools
import http.client
import json
import time
from typing import NamedTuple

import definitions
import guard
import nodes as list_of_nodes

CONSUMERS = ("worker", "viewer", "loadgen", "operator", "monitor")
OWN = "none"  # the management interface shows it as the user of a broker's own connections, such as that of take-aside.erl
APART_SECONDS = 12
WORK = "ir.observations."  # the names of the partitions' queues begin with it
QUEUES = "/api/queues?disable_stats=true&enable_queue_totals=true"
CONNECTIONS = "/api/connections"


class Asked(NamedTuple):
    """The fields of a broker that ask() needs. An entry of the list of nodes also has them."""

    name: str
    host: str
    management: str


class UnknownError(guard.Fault):
    """No broker answers."""

    status = 2


def ask(broker, password, path):
    connection = http.client.HTTPConnection(broker.host, int(broker.management), timeout=20)
    try:
        login = base64.b64encode(f"monitor:{password}".encode()).decode()
        connection.request("GET", path, headers={"Authorization": f"Basic {login}"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise UnknownError(f"{broker.name} {path}: status {answer.status}")
        return json.loads(text)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UnknownError(f"{broker.name} {list_of_nodes.place(broker.host, broker.management)}: {error}") from error
    finally:
        connection.close()


def first_answer(brokers, password, obstacles):
    """Returns a line for each obstacle (what keeps the cluster from being empty). Asks the first broker that
    answers."""
    failures = []
    for each in brokers:
        try:
            return obstacles(functools.partial(ask, each, password))
        except UnknownError as error:
            failures.append(str(error))
    raise UnknownError("; ".join(failures) or "no broker is listed as [draining NAME]")


def held(queues):
    """Returns the queues that have messages, or whose number of messages is unknown."""
    found = []
    for each in queues:
        count = each.get("messages")
        if count is None or each.get("state", "running") != "running":
            found.append(f"queue {each['name']}: its content is unknown (state {each.get('state', 'unknown')})")
        elif count > 0:
            open_ones = each.get("messages_unacknowledged", 0)
            found.append(f"queue {each['name']}: {count} messages, {open_ones} of them with a consumer")
    return found


def strangers(connections):
    """Returns the connections of programs other than consumers."""
    users = {}
    for each in connections:
        if each.get("user") not in (*CONSUMERS, OWN):
            users[each.get("user")] = users.get(each.get("user"), 0) + 1
    return [f"user {user}: {count} connections" for user, count in sorted(users.items(), key=str)]


def everything(ask_broker):
    return held(ask_broker(QUEUES)) + strangers(ask_broker(CONNECTIONS))


def unacknowledged(ask_broker):
    return held(each for each in ask_broker(QUEUES) if each["name"].startswith(WORK))


def worked_off(brokers, password, seconds=0):
    """Waits until the workers have acknowledged everything. Returns None, or the remaining messages after `seconds`."""
    return drained(brokers, password, seconds, unacknowledged)


def drained(brokers, password, seconds=0, obstacles=everything):
    """Waits until nothing keeps the cluster from being empty. Returns None, or the obstacles after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = first_answer(brokers, password, obstacles)
        if not found:
            time.sleep(APART_SECONDS)
            found = first_answer(brokers, password, obstacles)
        if not found:
            return None
        if time.monotonic() > deadline:
            return found
        time.sleep(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nodes")
    parser.add_argument("passwords")
    parser.add_argument("--wait", type=float, default=0, metavar="SECONDS",
                        help="wait until it is empty, for at most this time")
    options = parser.parse_args()
    try:
        password = definitions.read_passwords(options.passwords).get("monitor", "")
        found = drained(list_of_nodes.read(options.nodes).draining, password, options.wait)
    except (list_of_nodes.NodesError, OSError) as error:
        raise UnknownError(guard.text(error)) from error
    print("empty" if found is None else "\n".join(found))
    return 0 if found is None else 1


if __name__ == "__main__":
    guard.run("ingest/drained.py", main)
