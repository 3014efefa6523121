#!/usr/bin/env python3
"""Writes what compose.yaml needs into a folder: the broker's and the programs' settings, users with passwords, and the
motes' tokens.

    packaging/compose/prepare.py FOLDER REGISTRY.ttl       then: cd FOLDER && podman-compose up -d

Repeat it when the registry has changed; passwords and tokens are kept. It makes the tokens with ir-ingest, from
IR_BUILD or PATH.
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
INGEST = HERE.parents[1] / "ingest"
sys.path.insert(0, str(INGEST))

import definitions  # noqa: E402
import guard  # noqa: E402
import motes  # noqa: E402
import nodes as list_of_nodes  # noqa: E402
import rabbitmq  # noqa: E402

USER = 10001  # the user in the image
NODES = """\
[broker broker]
host = 0.0.0.0
"""
SETTINGS = """\
[common]
registry = /etc/intelligent-river/registry.ttl

[ir-ingest]
amqp = amqp://gateway@broker
amqp-password = {gateway}
tokens = /etc/intelligent-river/tokens.txt

[ir-worker]
amqp = amqp://worker@broker
amqp-password = {worker}
management = http://monitor@broker:15672
management-password = {monitor}
documents = sqlite:/var/lib/intelligent-river/documents.sqlite
graph = nquads:/var/lib/intelligent-river/graph
"""


def write_broker(folder):
    """The broker's files; returns {user: password}."""
    (folder / "nodes.conf").write_text(NODES, encoding="utf-8")
    nodes = list_of_nodes.read(folder / "nodes.conf")
    text = rabbitmq.configuration(nodes, "broker", "/etc/rabbitmq/definitions.json", behind_balancer=False)
    (folder / "rabbitmq.conf").write_text(text, encoding="utf-8")
    (folder / "definitions.json").write_text(json.dumps(definitions.definitions(nodes, folder / "passwords"), indent=2), encoding="utf-8")
    (folder / "enabled_plugins").write_text(f"[{','.join(rabbitmq.PLUGINS)}].\n", encoding="ascii")
    lines = [f"{key}={value}\n" for key, value in rabbitmq.environment(folder="/scripts").items()]
    (folder / "broker.env").write_text("".join(lines), encoding="utf-8")
    (folder / "scripts").mkdir(exist_ok=True)
    for each in rabbitmq.SCRIPTS:
        shutil.copy(each, folder / "scripts")
    return definitions.read_passwords(folder / "passwords")


def write_programs(folder, registry, passwords):
    settings = folder / "settings"
    settings.mkdir(exist_ok=True)
    shutil.copy(registry, settings / "registry.ttl")
    (settings / "river.conf").write_text(SETTINGS.format(**passwords), encoding="utf-8")
    program = Path(os.environ["IR_BUILD"]) / "ir-ingest" if "IR_BUILD" in os.environ else shutil.which("ir-ingest") or "ir-ingest"
    motes.issue(program, settings / "registry.ttl", settings / "tokens.txt", folder / "mote-tokens")
    for each in settings.iterdir():
        each.chmod(0o600)
        os.chown(each, USER, USER)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="FOLDER", type=Path)
    parser.add_argument("registry", metavar="REGISTRY.ttl")
    words = parser.parse_args()
    folder = words.folder
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    write_programs(folder, words.registry, write_broker(folder))
    shutil.copy(HERE / "compose.yaml", folder)
    print(f"cd {folder} && podman-compose up -d; tokens of the motes: {folder / 'mote-tokens'}")


if __name__ == "__main__":
    guard.run("prepare.py", main)
