#!/usr/bin/env python3
"""Prints one broker's rabbitmq.conf for a list of nodes:

    ingest/rabbitmq.py ingest/nodes.conf rabbit-1 [DEFINITIONS.JSON] > /etc/rabbitmq/rabbitmq.conf

Plugins: rabbitmq_consistent_hash_exchange; the rest is done by SCRIPTS when the broker is up: start-mqtt.erl and
join-queues.erl, which tell what they are for. All brokers of the list become one cluster; they must have the same
Erlang cookie. Where there is a balancer, AMQP and MQTT are taken from it only: both listeners want its PROXY header, so
that the broker knows each client's own address.
"""

import sys
from pathlib import Path

import nodes as list_of_nodes

PLUGINS = ("rabbitmq_consistent_hash_exchange",)
SCRIPTS = tuple(Path(__file__).resolve().parent / name for name in ("start-mqtt.erl", "join-queues.erl"))

BASE = """\
# Made by ingest/rabbitmq.py from a list of nodes (see ingest/nodes.conf): change that, not this.
listeners.tcp.1 = {broker.host}:{broker.amqp}
handshake_timeout = 10000
heartbeat = 60
mqtt.listeners.tcp.1 = {broker.host}:{broker.mqtt}
mqtt.allow_anonymous = false
mqtt.vhost = /
mqtt.exchange = amq.topic
queue_leader_locator = balanced
# The balancer's checks come and go every second.
log.connection.level = error
"""

# What comes from a balancer says first whom it comes from.
PROXY = """\
proxy_protocol = true
mqtt.proxy_protocol = true
"""

# A node that loses sight of the majority stops serving until it sees it again: nobody is told "confirmed" by a part
# of the cluster that the rest will not follow.
CLUSTER = """\
cluster_name = river
cluster_partition_handling = pause_minority
cluster_formation.peer_discovery_backend = classic_config
"""


def configuration(nodes, name, definitions=None, behind_balancer=True):
    """The text for the broker of that name."""
    found = [each for each in nodes.brokers if each.name == name]
    if not found:
        known = ", ".join(each.name for each in nodes.brokers)
        raise list_of_nodes.NodesError(f"there is no broker {name}; known: {known}")
    text = BASE.format(broker=found[0])
    if behind_balancer:
        text += PROXY
    if len(nodes.brokers) > 1:
        text += CLUSTER
        for i, each in enumerate(nodes.brokers, 1):
            text += f"cluster_formation.classic_config.nodes.{i} = {each.node}\n"
    if definitions:
        text += f"load_definitions = {definitions}\n"
    return text


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: ingest/rabbitmq.py NODES.CONF NAME [DEFINITIONS.JSON] > rabbitmq.conf")
    try:
        sys.stdout.write(configuration(list_of_nodes.read(sys.argv[1]), *sys.argv[2:]))
    except list_of_nodes.NodesError as error:
        sys.exit(f"ingest/rabbitmq.py: {error}")


if __name__ == "__main__":
    main()
