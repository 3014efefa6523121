#!/usr/bin/env python3
"""Prints the definitions that RabbitMQ loads at its start, with the hashes of the users' passwords:

    ingest/definitions.py NODES.CONF PASSWORDS > /etc/rabbitmq/definitions.json

Users, rights and policies come from ingest/definitions.json, the queues' limits from the list of nodes. PASSWORDS has
one line "USER PASSWORD" for each user, readable by its owner only; users that it lacks get a random password, which is
added to it. What is printed holds no password, but keep it to yourself as well.
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

import guard
import nodes as list_of_nodes

STATIC = Path(__file__).resolve().parent / "definitions.json"
LIMITS = {"ir-observations": "queue", "ir-rejected": "rejected"}  # policy: what its limits begin with in the list
SHARED = "mote"  # the user of all motes, where they have none of their own


def password_hash(user, password):
    """As RabbitMQ keeps it: base64 of salt and SHA-256 over salt and password. The salt follows from both, so that the
    same users give the same file."""
    salt = hashlib.sha256(f"{user}\0{password}".encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def hashed(user, password):
    """What a user's entry says of the password."""
    return {"password_hash": password_hash(user, password), "hashing_algorithm": "rabbit_password_hashing_sha256"}


def read_passwords(path):
    """{user: password}; nothing when there is no such file."""
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
    """The file's passwords; users that it lacks get one and are added to it."""
    passwords = read_passwords(path)
    missing = [user for user in users if user not in passwords]
    passwords.update({user: secrets.token_urlsafe(24) for user in missing})
    if missing:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8") as file:
            file.writelines(f"{user} {passwords[user]}\n" for user in missing)
    return passwords


def static():
    """Users, rights and policies, before a list of nodes says more."""
    return json.loads(STATIC.read_text(encoding="utf-8"))


def without(whole, name):
    """All but this user."""
    key = {"users": "name"}
    return {kind: [row for row in rows if row.get(key.get(kind, "user")) != name] for kind, rows in whole.items()}


def merged(whole, more):
    """Both in one."""
    return {kind: rows + more.get(kind, []) for kind, rows in whole.items()}


def definitions(nodes, passwords_path):
    """The whole as an object; completes the file of passwords."""
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
