#!/usr/bin/env python3
"""Prints one broker's rabbitmq.conf for a list of nodes:

    ingest/rabbitmq.py ingest/nodes.conf rabbit-1 [DEFINITIONS.JSON] > /etc/rabbitmq/rabbitmq.conf

Plugins: rabbitmq_consistent_hash_exchange, rabbitmq_management, rabbitmq_prometheus. Run check-data first, then start
the broker with environment(): stamp-arrival.erl starts the node. Each script states its purpose. All brokers of the
list form one cluster; they need the same Erlang cookie. With a balancer, AMQP and MQTT are accepted only from it: both
listeners require its PROXY header, so that the broker knows each client's own address.
"""

import argparse
import sys
from pathlib import Path

import guard
import nodes as list_of_nodes

PLUGINS = ("rabbitmq_consistent_hash_exchange", "rabbitmq_management", "rabbitmq_prometheus")
HERE = Path(__file__).resolve().parent
STAMP = HERE / "stamp-arrival.erl"
CHECK_DATA = HERE / "check-data"  # called before the broker is started
SCRIPTS = (STAMP, HERE / "start-mqtt.erl", HERE / "join-queues.erl", HERE / "take-aside.erl",
           HERE / "sync-global.erl")

BASE = """\
# Made by ingest/rabbitmq.py from a list of nodes (see ingest/nodes.conf): change that, not this.
listeners.tcp.1 = {broker.host}:{broker.amqp}
handshake_timeout = 10000
heartbeat = 60
# A channel costs the broker 20 KiB, and motes need one. A worker spreads its partitions over several connections.
channel_max = 32
# Nobody may read what is retained, and the store of it has no bound.
mqtt.retained_message_store = rabbit_mqtt_retained_msg_store_noop
# RabbitMQ 4's own bound, for 3.x too.
max_message_size = 16777216
mqtt.listeners.tcp.1 = {broker.host}:{broker.mqtt}
mqtt.allow_anonymous = false
mqtt.vhost = /
mqtt.exchange = amq.topic
management.tcp.ip = {broker.host}
management.tcp.port = {broker.management}
# Figures, which anybody may read who reaches this address.
prometheus.tcp.ip = {broker.host}
prometheus.tcp.port = {broker.prometheus}
# Only queues and policies are asked for; collecting statistics would cost every message.
management_agent.disable_metrics_collector = true
queue_leader_locator = balanced
# The balancer's checks come and go every second.
log.connection.level = error
"""

# Connections from a balancer begin with the client's address.
PROXY = """\
proxy_protocol = true
mqtt.proxy_protocol = true
"""

# A node that loses contact to the majority stops serving until it is back. So a minority never confirms messages that
# the rest of the cluster does not have.
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


def arguments(scripts=SCRIPTS, folder=""):
    """Erlang's arguments for a node that boots without starting RabbitMQ, because a script does that; the scripts are
    in `folder` ("": the working directory)."""
    start = (f'-eval {{ok,M,B}}=compile:file("{Path(folder) / STAMP.name}",[binary,report]),'
             '{module,M}=code:load_binary(M,"",B),M:boot().')
    return " ".join([start, *(f"-run file script {Path(folder) / each.name}" for each in scripts if each != STAMP)])


def environment(scripts=SCRIPTS, folder="", more=""):
    """The environment for starting the broker; `more` are additional arguments."""
    return {"RABBITMQ_NODE_ONLY": "true",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": " ".join(filter(None, [more, arguments(scripts, folder)]))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nodes", metavar="NODES.CONF")
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("definitions", nargs="?", metavar="DEFINITIONS.JSON")
    options = parser.parse_args()
    sys.stdout.write(configuration(list_of_nodes.read(options.nodes), options.name, options.definitions))


if __name__ == "__main__":
    guard.run("ingest/rabbitmq.py", main)
