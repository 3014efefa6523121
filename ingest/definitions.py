#!/usr/bin/env python3
"""Prints the definitions that RabbitMQ loads at its start, with the hashes of the users' passwords:

    ingest/definitions.py NODES.CONF PASSWORDS > /etc/rabbitmq/definitions.json

Users, rights and policies come from ingest/definitions.json, the queues' limits from the list of nodes. PASSWORDS has
one line "USER PASSWORD" for each user, and only its owner may read it. Missing users get a random password, which is
added to the file. The output contains password hashes, so keep it secret, too.
"""

import argparse
import base64
import hashlib
import json
import os
import secrets
import stat
import sys
from pathlib import Path

import atomic
import guard
import nodes as list_of_nodes

STATIC = Path(__file__).resolve().parent / "definitions.json"
LIMITS = {"ir-observations": "queue", "ir-rejected": "rejected"}  # policy: prefix of its limits in the list of nodes
SHARED = "mote"  # the shared user of all motes without their own users


def password_hash(user, password):
    """Returns the hash in RabbitMQ's form: base64 of salt and SHA-256 over salt and password. The salt follows from
    both, so that the same users give the same file."""
    salt = hashlib.sha256(f"{user}\0{password}".encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def hashed(user, password):
    """Returns the password fields of a user's entry in RabbitMQ's definitions."""
    return {"password_hash": password_hash(user, password), "hashing_algorithm": "rabbit_password_hashing_sha256"}


def read_passwords(path):
    """Returns {user: password}; empty if the file does not exist."""
    try:
        with open(path, encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            lines = file.read().splitlines()
    except FileNotFoundError:
        return {}
    if stat.S_ISREG(mode) and mode & 0o077:
        raise list_of_nodes.NodesError(f"{path}: with mode {stat.S_IMODE(mode):04o} others may read or change it; chmod 600 it")
    pairs = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    wrong = [number for number, words in enumerate(pairs, 1) if len(words) != 2]
    if wrong:
        raise list_of_nodes.NodesError(f"{path}: entry {wrong[0]} is not USER PASSWORD")
    return dict(pairs)


def complete_passwords(path, users):
    """The file's passwords. Missing users get one, which is added to the file: all of them or, on a full disk, none."""
    passwords = read_passwords(path)
    missing = [user for user in users if user not in passwords]
    passwords.update({user: secrets.token_urlsafe(24) for user in missing})
    if missing:
        before = Path(path).read_text(encoding="utf-8") if os.path.exists(path) else ""
        lines = [f"{user} {passwords[user]}\n" for user in missing]
        atomic.write(path, "".join([before if before.endswith("\n") or not before else before + "\n", *lines]))
    return passwords


def static():
    """Users, rights and policies, without the limits from the list of nodes."""
    return json.loads(STATIC.read_text(encoding="utf-8"))


def without(whole, name):
    """Returns the definitions without this user."""
    key = {"users": "name"}
    return {kind: [row for row in rows if row.get(key.get(kind, "user")) != name] for kind, rows in whole.items()}


def merged(whole, more):
    """Returns both definitions merged into one."""
    return {kind: rows + more.get(kind, []) for kind, rows in whole.items()}


def definitions(nodes, passwords_path):
    """The complete definitions as an object. Also completes the file of passwords."""
    whole = static() if nodes.motes["users"] == "shared" else without(static(), SHARED)
    passwords = complete_passwords(passwords_path, [user["name"] for user in whole["users"]])
    for user in whole["users"]:
        user.update(hashed(user["name"], passwords[user["name"]]))
    for policy in whole["policies"]:
        prefix = LIMITS[policy["name"]]
        policy["definition"]["max-length"] = int(nodes.limits[f"{prefix}-messages"])
        policy["definition"]["max-length-bytes"] = int(nodes.limits[f"{prefix}-bytes"])
    return whole


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nodes", metavar="NODES.CONF")
    parser.add_argument("passwords", metavar="PASSWORDS")
    options = parser.parse_args()
    json.dump(definitions(list_of_nodes.read(options.nodes), options.passwords), sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    guard.run("ingest/definitions.py", main)
