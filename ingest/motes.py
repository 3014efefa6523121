#!/usr/bin/env python3
"""Prints the definitions that give each mote its own user at the brokers:

    ir-ingest --issue-tokens=river.ttl --issue-missing --tokens=tokens.txt >> mote-tokens
    ingest/motes.py mote-tokens > motes.json && rabbitmqctl import_definitions motes.json

A mote's token for HTTP is also its password for AMQP and MQTT. MOTE-TOKENS has a line "MOTE TOKEN" for each mote; if a
mote has several, the last one counts. Only its owner may read the file. The output contains password hashes, so keep it
secret, too.

Such a user publishes to amq.topic, under its own name only. RabbitMQ checks topic permissions only for topic exchanges,
so a user who may write to ir.observations could use any name.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import atomic
import definitions
import guard
import nodes as list_of_nodes

RIGHTS = {"vhost": "/", "configure": "^$", "write": "^amq\\.topic$", "read": "^$"}
TOPICS = {"vhost": "/", "exchange": "amq.topic", "write": "^ir\\.{username}$", "read": "^$"}
LIMITS = {"max-connections": 4, "max-channels": 16}  # for all connections of a mote together
ISSUE_SECONDS = 60


def issue(program, source, hashes, kept):
    """Makes tokens for the motes of `source` (a list of names or a registry) that have none in the file `hashes`, with
    ir-ingest (`program`). Adds their lines to the file `kept`. Returns whether there were any. Both files are replaced
    as a whole, `kept` first: if the program ends between the two, no mote has a hash whose token is lost."""
    with atomic.replacing(hashes) as new_hashes, atomic.replacing(kept) as new_kept:  # replaces `kept` first
        files = {Path(kept): new_kept, Path(hashes): new_hashes}
        for old, new in files.items():
            if old.exists():
                shutil.copy(old, new)
        grew = append_issued(program, source, *files.values())
        if not grew:
            for old, new in files.items():
                if old.exists():
                    new.unlink()
        return grew


def append_issued(program, source, kept, hashes):
    argv = [program, f"--issue-tokens={source}", "--issue-missing", f"--tokens={hashes}"]
    with open(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as out:
        before = os.fstat(out.fileno()).st_size
        done = subprocess.run(argv, stdout=out, stderr=subprocess.PIPE, text=True, timeout=ISSUE_SECONDS, check=False)
        if done.returncode != 0:
            raise list_of_nodes.NodesError(done.stderr.strip())
        return os.fstat(out.fileno()).st_size > before


def users(tokens):
    """Returns the definitions of the users for {mote: token}."""
    house = {user["name"] for user in definitions.static()["users"]} | {"guest"}
    if taken := sorted(house & tokens.keys()):
        raise list_of_nodes.NodesError(f"mote {taken[0]}: one of the brokers' own users has that name; give the mote another "
                                       "one")
    return {
        "users": [{"name": mote, "tags": [], "limits": LIMITS, **definitions.hashed(mote, token)}
                  for mote, token in tokens.items()],
        "permissions": [{"user": mote, **RIGHTS} for mote in tokens],
        "topic_permissions": [{"user": mote, **TOPICS} for mote in tokens],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokens", metavar="MOTE-TOKENS")
    path = parser.parse_args().tokens
    if not os.path.exists(path):
        raise guard.Fault(f"{path}: there is no such file")
    json.dump(users(definitions.read_passwords(path)), sys.stdout)
    print()


if __name__ == "__main__":
    guard.run("ingest/motes.py", main)
