"""What each service of a guest runs with: files below etc/river/services/NAME, made from the guests that belong together.

Brokers, balancer and users are configured as everywhere (ingest/): one list of nodes, users with the least rights,
passwords and the brokers' cookie kept in the lab's folder. Which roles there are decides the rest: with `documents`
workers write to MongoDB, else to SQLite in their guest; with `graph` to a SPARQL server, else to N-Quads files; with
`balancer` they reach the brokers through it.

Ports are the usual ones of each program, so that all roles find room on one address.
"""

import functools
import json
import os
import secrets
import sys

from .state import PROJECT

sys.path.insert(0, str(PROJECT / "ingest"))

import definitions  # noqa: E402
import haproxy  # noqa: E402
import nodes as list_of_nodes  # noqa: E402
import rabbitmq  # noqa: E402

AMQP_PORT, MQTT_PORT = 5672, 1883
GRAPH_PORT = 3030
DOCUMENTS_PORT = 27017
REPLICA_SET = "rs0"
GATEWAY_PORT = 8080
WORKER_PORT = 9400  # of the n-th service of a guest: 9400 + n
BALANCER = {"http": "80", "amqp": "5670", "mqtt": "1880"}
INSIDE_PORT, STATS_PORT = 5671, 8404
# Where a worker without servers for its stores keeps them, seen from a service's folder of data.
EMBEDDED = {"documents": "sqlite:../stores/documents.sqlite", "graph": "nquads:../stores/graph"}
GRAPH_PATHS = {"fuseki": "/ir?strategy=quads", "oxigraph": "/store?strategy=quads&query=/query"}
# The generator is one address, whatever number of motes it plays.
LIMITS = {"connections-per-source": "1000000", "new-connections-per-source": "1000000",
          "requests-per-source": "1000000000"}


class Services:
    """The services of a group of guests, each with name and address."""

    def __init__(self, lab, guests, formats="jsonld,senml", engine="fuseki"):
        """`engine`: of the role graph, one of GRAPH_PATHS."""
        self.lab = lab
        self.guests = guests
        self.formats = formats
        self.engine = engine

    # ---- who is where ----

    def addresses(self, role):
        return [each.address for each in self.guests if any(word == role for _, word in each.services())]

    def places(self, role, first_port=None):
        """(guest, service name, "ADDRESS:PORT") of every service of a role. With `first_port` each service of a guest has
        the port of its place, so that several find room."""
        for guest in self.guests:
            for number, (name, word) in enumerate(guest.services()):
                if word == role:
                    yield guest, name, f"{guest.address}:{first_port + number}"

    def workers(self):
        return list(self.places("worker", WORKER_PORT))

    def gateways(self):
        return list(self.places("gateway", GATEWAY_PORT))

    def balancer_address(self, kind):
        """HOST:PORT of a listener of the balancer, or of "inside" or "stats"; None without a balancer."""
        ports = {**BALANCER, "inside": INSIDE_PORT, "stats": STATS_PORT}
        found = self.addresses("balancer")
        return f"{found[0]}:{ports[kind]}" if found else None

    # ---- what follows for all ----

    @functools.cached_property
    def nodes(self):
        """The list of nodes, as ingest/nodes.conf would say it."""
        nodes = list_of_nodes.Nodes()
        nodes.limits.update(LIMITS)
        for address in self.addresses("broker"):
            broker = list_of_nodes.Broker(f"broker-{address}", address, str(AMQP_PORT), str(MQTT_PORT), f"rabbit@{address}")
            nodes.brokers.append(broker)
        for _guest, name, place in self.gateways():
            host, port = place.split(":")
            nodes.gateways.append(list_of_nodes.Gateway(f"{name}-{host}", host, port))
        if balancers := self.addresses("balancer"):
            nodes.balancer.update(BALANCER, address=balancers[0], inside=f"{balancers[0]}:{INSIDE_PORT}",
                                  stats=f"{balancers[0]}:{STATS_PORT}", socket='"${RIVER_DATA}/admin.sock"')
        return nodes

    @property
    def passwords_file(self):
        return self.lab.directory / "passwords"

    @functools.cached_property
    def definitions(self):
        """Completes the file of passwords, too."""
        self.lab.directory.mkdir(parents=True, exist_ok=True)
        return json.dumps(definitions.definitions(self.nodes, self.passwords_file))

    def password(self, user):
        assert self.definitions
        return definitions.read_passwords(self.passwords_file)[user]

    @functools.cached_property
    def cookie(self):
        """The Erlang cookie that the brokers have in common."""
        path = self.lab.directory / "cookie"
        if not path.exists():
            self.lab.directory.mkdir(parents=True, exist_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
                file.write(secrets.token_hex(20))
        return path.read_text(encoding="ascii")

    def amqp(self, user):
        """Where programs of the house reach the brokers."""
        through = self.balancer_address("inside")
        places = [through] if through else [f"{each}:{AMQP_PORT}" for each in self.addresses("broker")]
        return ",".join(f"amqp://{user}@{each}" for each in places) or f"amqp://{user}@{self.guests[0].address}"

    def documents_uri(self):
        hosts = ",".join(f"{each}:{DOCUMENTS_PORT}" for each in self.addresses("documents"))
        return f"mongodb://{hosts}/river?replicaSet={REPLICA_SET}" if hosts else EMBEDDED["documents"]

    def graph_uri(self):
        path = GRAPH_PATHS[self.engine]
        uris = [f"sparql+http://{each}:{GRAPH_PORT}{path}" for each in self.addresses("graph")]
        return ",".join(uris) or EMBEDDED["graph"]

    # ---- files ----

    def files(self, guest):
        """{path below etc/river: text} of one guest's services."""
        files = {}
        for number, (name, role) in enumerate(guest.services()):
            files[f"services/{name}/role"] = role + "\n"
            for file, text in CONFIGURATIONS[role](self, guest, number).items():
                files[f"services/{name}/{file}"] = text
        return files

    def broker(self, guest, _number):
        return {
            "rabbitmq.conf": rabbitmq.configuration(self.nodes, f"broker-{guest.address}",
                                                      behind_balancer=bool(self.addresses("balancer")))
                             + "disk_free_limit.absolute = 50MB\nraft.wal_max_size_bytes = 67108864\n",
            "enabled_plugins": f"[{','.join(rabbitmq.PLUGINS)}].\n",
            "definitions.json": self.definitions,
            "cookie": self.cookie,
        }

    def worker(self, guest, number):
        common = {"documents": self.documents_uri(), "graph": self.graph_uri(), "registry": "registry.ttl"}
        own = {"amqp": self.amqp("worker"), "amqp-password": self.password("worker"), "formats": self.formats,
               "http": f"{guest.address}:{WORKER_PORT + number}"}
        return {"river.conf": section("common", common) + "\n" + section("ir-worker", own)}

    def documents(self, _guest, _number):
        return {"documents.conf": f"PORT={DOCUMENTS_PORT}\nREPLICA_SET={REPLICA_SET}\nCACHE_GB=0.25\n"}

    def graph(self, _guest, _number):
        return {"graph.conf": f"PORT={GRAPH_PORT}\nENGINE={self.engine}\nHEAP=512m\n"}

    def gateway(self, guest, number):
        own = {"listen": f"{guest.address}:{GATEWAY_PORT + number}", "amqp": self.amqp("gateway"),
               "amqp-password": self.password("gateway")}
        return {"river.conf": section("ir-ingest", own), "tokens": ""}

    def balancer(self, _guest, _number):
        return {"haproxy.cfg": haproxy.configuration(self.nodes)}


def section(name, values):
    return f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())


CONFIGURATIONS = {
    "broker": Services.broker,
    "worker": Services.worker,
    "documents": Services.documents,
    "graph": Services.graph,
    "gateway": Services.gateway,
    "balancer": Services.balancer,
}
