#!/usr/bin/env python3
"""Says whether the cluster that a list of nodes names as [draining …] is empty: no queue holds a message, and nobody is
connected but consumers.

    ingest/drained.py ingest/nodes.conf PASSWORDS [--wait SECONDS]

It asks the brokers' management interface as the user `monitor`, whose password is in PASSWORDS. Figures of quorum queues
are up to five seconds old, so the cluster must look empty at two looks more than twice as long apart. Exit status 0: it is
empty; 1: it is not, and what is in the way; 2: it cannot be known.
"""

import argparse
import base64
import http.client
import json
import sys
import time

import definitions
import nodes as list_of_nodes

CONSUMERS = ("worker", "viewer", "loadgen", "operator", "monitor")
OWN = "none"  # as whom the management interface shows a broker's own connections: take-aside.erl has one
APART_SECONDS = 12
QUEUES = "/api/queues?disable_stats=true&enable_queue_totals=true"
CONNECTIONS = "/api/connections"


class UnknownError(Exception):
    """No broker tells."""


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
        raise UnknownError(f"{broker.name} {broker.host}:{broker.management}: {error}") from error
    finally:
        connection.close()


def look(brokers, password):
    """What is in the way, as lines; the first broker that answers speaks for its cluster."""
    failures = []
    for each in brokers:
        try:
            return obstacles(ask(each, password, QUEUES), ask(each, password, CONNECTIONS))
        except UnknownError as error:
            failures.append(str(error))
    raise UnknownError("; ".join(failures) or "no broker is listed as [draining NAME]")


def obstacles(queues, connections):
    """A queue that does not say how much it holds is in the way, too."""
    found = []
    for each in queues:
        count = each.get("messages")
        if count is None or each.get("state", "running") != "running":
            found.append(f"queue {each['name']}: not known what it holds (state {each.get('state', 'unknown')})")
        elif count > 0:
            held = each.get("messages_unacknowledged", 0)
            found.append(f"queue {each['name']}: {count} messages, {held} of them with a consumer")
    users = {}
    for each in connections:
        if each.get("user") not in (*CONSUMERS, OWN):
            users[each.get("user")] = users.get(each.get("user"), 0) + 1
    return found + [f"user {user}: {count} connections" for user, count in sorted(users.items(), key=str)]


def drained(brokers, password, seconds=0):
    """None, or what was in the way when `seconds` were over."""
    deadline = time.monotonic() + seconds
    while True:
        found = look(brokers, password)
        if not found:
            time.sleep(APART_SECONDS)
            found = look(brokers, password)
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
                        help="until it is empty, for at most so long")
    options = parser.parse_args()
    try:
        password = definitions.read_passwords(options.passwords).get("monitor", "")
        found = drained(list_of_nodes.read(options.nodes).draining, password, options.wait)
    except (UnknownError, list_of_nodes.NodesError, OSError) as error:
        print(f"ingest/drained.py: {error}", file=sys.stderr)
        return 2
    print("empty" if found is None else "\n".join(found))
    return 0 if found is None else 1


if __name__ == "__main__":
    sys.exit(main())
