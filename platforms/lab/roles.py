"""What a server's services are: one table for everything that starts, stops, watches and upgrades them.

The order of ROLES is that in which services start. They end in the reverse order: first who takes messages in, then who
moves them on, last who keeps them, so that each can finish what it has under way.
"""

from typing import NamedTuple


class Role(NamedTuple):
    program: str  # what people call it
    stop_seconds: int  # what it may take to end; then it is killed
    needs: tuple = ()  # roles without which, here or elsewhere, it does not get ready
    rereads: frozenset = frozenset()  # files of its settings that its script `reload` makes it read again
    packages: tuple = ()  # groups of tools/install
    servers: tuple = ()  # what it runs that no Debian package has: keys of payload.server_variables()
    own: bool = False  # whether it is a program of this project
    capabilities: str = ""  # of Linux, that it needs


ROLES = {
    "config": Role("mongod", 60, ("config",), packages=("mongodb",), servers=("MONGOD",)),
    "documents": Role("mongod", 60, ("documents",), packages=("mongodb",), servers=("MONGOD",)),
    "graph": Role("the graph server", 60, packages=("fuseki",), servers=("FUSEKI_JAR", "OXIGRAPH")),
    "router": Role("mongos", 30, ("config", "documents"), servers=("MONGOS",)),
    "broker": Role("rabbitmq", 60, ("broker",), frozenset({"motes.json"})),
    "balancer": Role("haproxy", 20, capabilities="CAP_NET_BIND_SERVICE"),
    "worker": Role("ir-worker", 60, ("broker", "balancer", "documents", "router", "graph"), frozenset({"registry.ttl"}), own=True),
    "gateway": Role("ir-ingest", 60, ("broker", "balancer"), frozenset({"tokens", "registry.ttl"}), own=True),
}


def in_order(services):
    """(service name, role) pairs in the order of their start."""
    order = list(ROLES)
    return sorted(services, key=lambda each: order.index(each[1]))


def listed(services):
    """etc/river/order, from which the scripts of a guest start, await and stop its services: lines "NAME ROLE SECONDS"
    in the order of the start, with what each may take to end."""
    return "".join(f"{name} {role} {ROLES[role].stop_seconds}\n" for name, role in in_order(services))
