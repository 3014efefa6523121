#!/usr/bin/env python3
"""Prints the definitions that a new cluster needs from the exported definitions of an old one:

    rabbitmqctl export_definitions old.json && ingest/carry.py old.json > carried.json

The output has exchanges, queues and bindings, and those users, permissions and policies that ingest/definitions.json
does not define. Two things are left out: the old cluster's name and id, and the bindings of queues that end with their
connection. (RabbitMQ exports these bindings without their queues, and would then refuse the whole import.)
"""

import argparse
import json
import sys

import definitions
import guard

KEYS = {"users": ("name",), "vhosts": ("name",), "permissions": ("user", "vhost"),
        "topic_permissions": ("user", "vhost", "exchange"), "policies": ("vhost", "name")}
TAKEN = ("exchanges", "queues", "parameters")


def carried(exported):
    """Returns the definitions to carry over, as an object."""
    own = definitions.static()
    part = {key: exported.get(key, []) for key in TAKEN}
    for section, names in KEYS.items():
        known = {tuple(each[name] for name in names) for each in own[section]}
        rows = exported.get(section, [])
        part[section] = [each for each in rows if tuple(each[name] for name in names) not in known]
    queues = {(each["vhost"], each["name"]) for each in part["queues"]}
    part["bindings"] = [each for each in exported.get("bindings", []) if each["destination_type"] != "queue"
                        or (each["vhost"], each["destination"]) in queues]
    return part


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exported", metavar="EXPORTED.JSON")
    path = parser.parse_args().exported
    try:
        with open(path, encoding="utf-8") as file:
            part = carried(json.load(file))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise guard.Fault(f"{path} does not contain definitions that RabbitMQ exported: {error!r}") from error
    json.dump(part, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    guard.run("ingest/carry.py", main)
