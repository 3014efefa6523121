"""The services of a server: one table, used by all code that starts, stops, monitors and upgrades them.

The order of ROLES is that in which services start. They stop in the reverse order: first the services that accept
messages, then those that pass them on, last those that store them. So each can finish its work in progress.
"""

from typing import NamedTuple


class Role(NamedTuple):
    program: str  # its name in messages
    stop_seconds: int  # seconds that it may take to stop before it is killed
    needs: tuple = ()  # roles that it needs, on this or another server, to become ready
    rereads: frozenset = frozenset()  # settings files that it reads again when its script `reload` runs
    packages: tuple = ()  # groups of tools/install
    servers: tuple = ()  # its programs without a Debian package: keys of payload.server_variables()
    own: bool = False  # whether it is a program of this project
    capabilities: str = ""  # Linux capabilities that it needs


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
    """Returns (service name, role) pairs in the order of their start."""
    order = list(ROLES)
    return sorted(services, key=lambda each: order.index(each[1]))


def listed(services):
    """etc/river/order, from which the scripts of a guest start, await and stop its services: lines "NAME ROLE SECONDS"
    in the order of the start, with the seconds that each may take to stop."""
    return "".join(f"{name} {role} {ROLES[role].stop_seconds}\n" for name, role in in_order(services))
