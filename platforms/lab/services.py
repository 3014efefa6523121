"""The configuration of each service of a guest: files below etc/river/services/NAME, derived from the guests of one
cluster.

Brokers, balancer and users are configured as elsewhere (ingest/): one list of nodes, users with minimal rights, and one
folder with passwords and the brokers' cookie. The rest depends on the roles in the cluster. With `documents` workers
write to a document server (mongodb.py), otherwise to SQLite in their guest. With `graph` they write to a SPARQL server,
otherwise to N-Quads files. With `balancer` they reach the brokers through it. The class Doors says which clients may
connect to which listener.

Ports are the usual ones of each program, so all roles fit on one address.
"""

import dataclasses
import functools
import ipaddress
import json
import re
import secrets
from pathlib import Path

import atomic
import definitions
import haproxy
import motes
import nodes as list_of_nodes
import rabbitmq

from . import command, mongodb, payload, roles
from .errors import LabError
from .places import PROJECT

AMQP_PORT, MQTT_PORT, MANAGEMENT_PORT, PROMETHEUS_PORT = 5672, 1883, 15672, 15692
GRAPH_PORT = 3030
GATEWAY_PORT = 8080
WORKER_PORT = 9400  # the n-th worker of a guest has port 9400 + n
PLAIN = {"http": "80", "amqp": "5670", "mqtt": "1880"}
SECURE = {"https": "443", "amqps": "5671", "mqtts": "8883"}
INSIDE_PORT, CONSUMERS_PORT, STATS_PORT = 5671, 5674, 8404
# Where a worker keeps its stores if no server has the role, relative to the service's data folder.
EMBEDDED = {"documents": "sqlite:../stores/documents.sqlite", "graph": "nquads:../stores/graph"}
CERTIFICATE = "certificate.pem"
DOCUMENT_SERVER = mongodb.MongoDB  # the server that the role `documents` runs
STORES_USER = mongodb.USER
GRAPH_PATHS = {"fuseki": "/ir?strategy=quads", "oxigraph": "/store?strategy=quads&query=/query"}
WAITS = ("answer", "first-bytes")  # limits of ingest/nodes.conf that are longer for slow guests
place = list_of_nodes.place
# Memory and disk of the servers, in MiB. In order: MongoDB's cache; its operations log; Fuseki's heap; the free disk
# space below which a broker accepts no messages; the memory use above which it accepts none ("": 40 % of its machine's
# memory).
SIZES = {"documents-cache": 256, "documents-oplog": 256, "graph-heap": 512, "broker-disk-free": 50, "broker-memory": ""}
JETTY = """\
<?xml version="1.0"?>
<!DOCTYPE Configure PUBLIC "-//Jetty//Configure//EN" "https://jetty.org/configure_10_0.dtd">
<Configure id="Fuseki" class="org.eclipse.jetty.server.Server">
  <Call name="addConnector"><Arg><New class="org.eclipse.jetty.server.ServerConnector">
    <Arg name="server"><Ref refid="Fuseki"/></Arg>
    <Set name="host">{host}</Set>
    <Set name="port">{port}</Set>
  </New></Arg></Call>
</Configure>
"""
# Fuseki's configuration. It has the effect of the options `--update --tdb2 --loc=db /ir`. A file is needed because,
# with a Jetty configuration, Fuseki takes the name of the file of passwords only from here.
FUSEKI = """\
@prefix fuseki: <http://jena.apache.org/fuseki#> .
@prefix tdb2: <http://jena.apache.org/2016/tdb#> .
[] a fuseki:Server{login} .
[] a fuseki:Service ; fuseki:name "ir" ;
    fuseki:endpoint [ fuseki:operation fuseki:query ], [ fuseki:operation fuseki:query ; fuseki:name "query" ],
        [ fuseki:operation fuseki:update ], [ fuseki:operation fuseki:update ; fuseki:name "update" ],
        [ fuseki:operation fuseki:gsp-rw ], [ fuseki:operation fuseki:gsp-rw ; fuseki:name "data" ] ;
    fuseki:dataset [ a tdb2:DatasetTDB2 ; tdb2:location "db" ] .
"""
FUSEKI_LOGIN = ' ; fuseki:passwd "users" ; fuseki:auth "basic" ; fuseki:allowedUsers "*"'


@dataclasses.dataclass
class Doors:
    """Which clients may connect to which listener. The initial values suit a closed network in which one generator
    sends for all motes, such as a lab."""

    listeners: tuple = tuple(PLAIN)  # from PLAIN and SECURE
    certificate: Path = None  # key and chain in one file; None: made, and signed by an authority of our own
    limits: dict = dataclasses.field(default_factory=lambda: dict(list_of_nodes.ONE_ADDRESS))  # see ingest/nodes.conf
    motes: str = "shared"  # the motes' users: "shared" or "own", see ingest/nodes.conf
    registry: Path = None  # the registry whose motes get tokens; None: no tokens
    logins: bool = False  # whether the stores require a login


@dataclasses.dataclass
class Wishes:
    """The options that an inventory can set. The initial values are those of a lab."""

    formats: str = "jsonld,senml"
    engine: str = "fuseki"  # engine of the role graph, one of GRAPH_PATHS
    documents: str = ""  # URIs of external stores; "": the stores of the roles
    graph: str = ""
    sizes: dict = dataclasses.field(default_factory=lambda: dict(SIZES))
    programs: dict = dataclasses.field(default_factory=dict)  # {section of river.conf: {setting: value}}


class Services:
    """The services of the guests of one cluster, with their names and addresses. `directory` holds their shared
    secrets."""

    def __init__(self, directory, guests, patience=1, draining=(), doors=None, wishes=None):
        """`patience` multiplies the balancer's time limits (WAITS). `draining` has the addresses of brokers that get no
        new messages but keep their consumers (docs/howto/upgrade.md). None for `doors` or `wishes` means those of a
        lab."""
        self.doors = doors or Doors()
        self.wishes = wishes or Wishes()
        self.directory = directory
        self.guests = guests
        self.patience = patience
        self.draining = list(draining)
        self.document_server = DOCUMENT_SERVER(self)

    # ---- addresses of the services ----

    def addresses(self, role):
        return [each.address for each in self.guests if any(word == role for _, word in each.services())]

    def places(self, role, first_port=None):
        """Yields (guest, service name, "ADDRESS:PORT") of every service of a role. With `first_port` the services of a
        guest get consecutive ports, so that several fit on one address."""
        for guest in self.guests:
            for number, (name, word) in enumerate(guest.services()):
                if word == role:
                    yield guest, name, place(guest.address, first_port + number)

    def workers(self):
        return list(self.places("worker", WORKER_PORT))

    def gateways(self):
        return list(self.places("gateway", GATEWAY_PORT))

    @functools.cached_property
    def balancers(self):
        return [guest for guest, _, _ in self.places("balancer", 0)]

    def balancer_address(self, kind):
        """HOST:PORT of a listener of the balancer, including "inside", "consumers" and "stats". None without a
        balancer."""
        if not self.balancers:
            return None
        found = self.balancers[0]
        own = {"inside": (found.address, INSIDE_PORT), "consumers": (found.address, CONSUMERS_PORT),
               "stats": (found.watch or found.address, STATS_PORT)}
        host, port = own.get(kind) or (found.outside or found.address, {**PLAIN, **SECURE}[kind])
        return place(host, port)

    def ports(self, guest):
        """Returns {service name: [(address, port)]} at which the services of a guest listen."""
        return {name: PORTS[role](self, guest, number) for number, (name, role) in enumerate(guest.services())}

    def balancer_ports(self, guest, _number):
        kinds = [*self.doors.listeners, "inside", "consumers", "stats"]
        split = (self.balancer_address(kind).rpartition(":") for kind in kinds)
        return [(host.strip("[]"), int(port)) for host, _, port in split]

    def metrics(self):
        """The endpoints with /metrics, in the form of monitoring/configuration.py."""
        found = [("broker", f"{guest.name}/{name}", place(guest.address, PROMETHEUS_PORT))
                 for guest, name, _ in self.places("broker", 0)]
        found += [("balancer", each.name, self.balancer_address("stats")) for each in self.balancers[:1]]
        found += [("gateway", f"{guest.name}/{name}", where) for guest, name, where in self.gateways()]
        found += [("worker", f"{guest.name}/{name}", place(guest.watch or guest.address, where.rpartition(":")[2]))
                  for guest, name, where in self.workers()]
        return [{"job": job, "name": name, "address": address} for job, name, address in found]

    def tls_doors(self):
        """The TLS addresses for motes, in the form of monitoring/configuration.py."""
        return [{"name": f"{each.name}/{kind}", "address": self.balancer_address(kind)} for each in self.balancers[:1]
                for kind in self.doors.listeners if kind in SECURE]

    # ---- configuration common to all guests ----

    @functools.cached_property
    def nodes(self):
        """The list of nodes, in the form of ingest/nodes.conf."""
        nodes = list_of_nodes.Nodes()
        nodes.limits.update(self.doors.limits)
        nodes.limits.update({key: longer(nodes.limits[key], self.patience) for key in WAITS})
        nodes.motes["users"] = self.doors.motes
        nodes.brokers += map(listed, self.addresses("broker"))
        nodes.draining += map(listed, self.draining)
        for guest, name, where in self.gateways():
            nodes.gateways.append(list_of_nodes.Gateway(f"{name}-{guest.address}", guest.address, where.rpartition(":")[2]))
        if self.balancers:
            ports = {**PLAIN, **SECURE}
            nodes.balancer.update({kind: ports[kind] for kind in self.doors.listeners},
                                  address=self.balancers[0].outside or self.balancers[0].address,
                                  **{kind: self.balancer_address(kind) for kind in ("inside", "consumers", "stats")},
                                  # Relative to its data folder: an absolute path may be too long for a socket.
                                  certificate=CERTIFICATE, socket="unix@admin.sock")
        return nodes

    @property
    def passwords_file(self):
        return self.directory / "passwords"

    @functools.cached_property
    def definitions(self):
        """The broker's definitions. Also completes the file of passwords."""
        self.directory.mkdir(parents=True, exist_ok=True)
        return json.dumps(definitions.definitions(self.nodes, self.passwords_file))

    def password(self, user):
        assert self.definitions
        return definitions.read_passwords(self.passwords_file)[user]

    def secret(self, name):
        """A secret that several servers share: the brokers' Erlang cookie, or MongoDB's key. It is created on first
        use."""
        path = self.directory / name
        if not path.exists():
            atomic.write(path, secrets.token_hex(20))
        text = path.read_text(encoding="ascii")
        if not text.strip():
            raise LabError(f"{path} is empty; copy it from another server, or from a backup")
        return text

    @functools.cached_property
    def store_password(self):
        """The password of STORES_USER at the stores. The worker's user at the brokers has a different password."""
        return definitions.complete_passwords(self.directory / "stores", [STORES_USER])[STORES_USER]

    @functools.cached_property
    def certificate(self):
        """The balancer's key and chain. Makes them at the first call, if none is named."""
        if self.doors.certificate:
            return self.doors.certificate.read_text(encoding="ascii")
        folder = self.directory / "certificates"
        if not (folder / "server.pem").exists():
            found = self.balancers[0]
            command.run([PROJECT / "ingest" / "make-certificates", folder, found.outside or found.address, found.name])
        return (folder / "server.pem").read_text(encoding="ascii")

    @functools.cached_property
    def mote_tokens(self):
        """Returns {mote: token} of all motes that were ever in the registry. Makes the missing tokens."""
        kept = self.directory / "mote-tokens"
        if self.doors.registry:
            self.directory.mkdir(parents=True, exist_ok=True)
            motes.issue(payload.program_folder() / "ir-ingest", self.doors.registry, self.directory / "tokens", kept)
        return definitions.read_passwords(kept)

    def amqp(self, user):
        """The AMQP URI at which our own programs reach the brokers."""
        through = self.balancer_address("inside" if user == "gateway" else "consumers")
        places = [through] if through else [place(each, AMQP_PORT) for each in self.addresses("broker")]
        return ",".join(f"amqp://{user}@{each}" for each in places or [place(self.guests[0].address, AMQP_PORT)])

    def management(self):
        """The URL at which workers read the brokers' policies."""
        places = [*self.draining, *self.addresses("broker")]
        return ",".join(f"http://monitor@{place(each, MANAGEMENT_PORT)}" for each in places)

    def documents_uri(self):
        return self.wishes.documents or self.document_server.uri() or EMBEDDED["documents"]

    def graph_uri(self):
        if self.wishes.graph:
            return self.wishes.graph
        path = GRAPH_PATHS[self.wishes.engine]
        uris = [f"sparql+http://{place(each, GRAPH_PORT)}{path}" for each in self.addresses("graph")]
        return ",".join(uris) or EMBEDDED["graph"]

    # ---- files ----

    def files(self, guest):
        """Returns {path below etc/river: text} for the services of one guest."""
        files = {"order": roles.listed(guest.services())}
        for number, (name, role) in enumerate(guest.services()):
            files[f"services/{name}/role"] = role + "\n"
            for file, text in CONFIGURATIONS[role](self, guest, number).items():
                files[f"services/{name}/{file}"] = text
        return files

    def broker(self, guest, _number):
        own = {"motes.json": json.dumps(motes.users(self.mote_tokens))} if self.doors.motes == "own" else {}
        sizes = self.wishes.sizes
        memory = f"vm_memory_high_watermark.absolute = {sizes['broker-memory']}MiB\n" if sizes["broker-memory"] else ""
        return {
            **own,
            "rabbitmq.conf": rabbitmq.configuration(self.nodes, f"broker-{guest.address}",
                                                      behind_balancer=bool(self.addresses("balancer")))
                             + f"disk_free_limit.absolute = {sizes['broker-disk-free']}MiB\n{memory}"
                             + "raft.wal_max_size_bytes = 67108864\n",
            "node.conf": erlang_names(guest.address),
            "enabled_plugins": f"[{','.join(rabbitmq.PLUGINS)}].\n",
            **{each.name: each.read_text() for each in (*rabbitmq.SCRIPTS, rabbitmq.CHECK_DATA)},
            "arguments": rabbitmq.arguments() + "\n",
            "definitions.json": self.definitions,
            "cookie": self.secret("cookie"),
        }

    def worker(self, guest, number):
        common = {"documents": self.documents_uri(), "graph": self.graph_uri(), "registry": "registry.ttl"}
        own = {"amqp": self.amqp("worker"), "amqp-password": self.password("worker"),
               "management": self.management(), "management-password": self.password("monitor"), "formats": self.wishes.formats,
               "http": place(guest.watch or guest.address, WORKER_PORT + number)}
        if self.doors.logins:
            common |= {"documents-password": self.store_password, "graph-user": STORES_USER,
                       "graph-password": self.store_password}
        shards = self.document_server.shards()
        store = {"shards": shards} if shards else {}
        sections = (("common", common), ("ir-worker", own), ("ir-store", store))
        return {**self.registry(), "river.conf": "\n".join(self.section(*each) for each in sections),
                "sets": "".join(f"{each}\n" for each in self.document_server.sets_to_initiate())}

    def registry(self):
        return {"registry.ttl": self.doors.registry.read_text(encoding="utf-8")} if self.doors.registry else {}

    def section(self, name, values):
        """A section of river.conf, including the inventory's additions."""
        more = self.wishes.programs.get(name, {})
        if both := ", ".join(sorted(set(more) & set(values))):
            raise LabError(f"[{name}] {both}: the deployment sets this itself")
        return payload.section(name, values | more)

    def graph(self, guest, _number):
        # Fuseki's file of passwords: "USER: PASSWORD".
        login = {"users": f"{STORES_USER}: {self.store_password}\n"} if self.doors.logins else {}
        values = {"PORT": GRAPH_PORT, "PLACE": place(guest.address, GRAPH_PORT), "ENGINE": self.wishes.engine,
                  "HEAP_MIB": self.wishes.sizes["graph-heap"]}
        return {"graph.conf": payload.assignments(values), "jetty.xml": JETTY.format(host=guest.address, port=GRAPH_PORT),
                "fuseki.ttl": FUSEKI.format(login=FUSEKI_LOGIN if login else ""), **login}

    def gateway(self, guest, number):
        own = {"listen": place(guest.address, GATEWAY_PORT + number), "amqp": self.amqp("gateway"),
               "amqp-password": self.password("gateway")}
        hashes = (self.directory / "tokens").read_text(encoding="ascii") if self.mote_tokens else ""
        text = "\n".join(self.section(*each) for each in (("common", {}), ("ir-ingest", own)))
        return {**self.registry(), "river.conf": text, "tokens": hashes}

    def balancer(self, _guest, _number):
        secure = set(self.doors.listeners) & SECURE.keys()
        return {"haproxy.cfg": haproxy.configuration(self.nodes), **({CERTIFICATE: self.certificate} if secure else {})}


def listed(address):
    """The entry of a broker in the list of nodes."""
    ports = map(str, (AMQP_PORT, MQTT_PORT, MANAGEMENT_PORT, PROMETHEUS_PORT))
    return list_of_nodes.Broker(f"broker-{address}", address, *ports, node_name(address))


def node_name(address):
    """Erlang's name of the broker at an address. RabbitMQ's tools append the machine's domain to a name without a dot.
    So the last 32 bits of an IPv6 address are written like IPv4, which gives dots (RFC 4291, 2.2)."""
    number = ipaddress.ip_address(address)
    host = address
    if number.version == 6:
        groups = [f"{int(each, 16):x}" for each in number.exploded.split(":")]
        host = ":".join([*groups[:6], str(ipaddress.IPv4Address(number.packed[12:]))])
    return f"rabbit-{re.split('[.:]', address)[-1] or 0}@{host}"


def erlang_names(address):
    number = ipaddress.ip_address(address)
    parts = [*number.packed] if number.version == 4 else [int(each, 16) for each in number.exploded.split(":")]
    return payload.assignments({"NODE": node_name(address), "INTERFACE": f"{{{','.join(map(str, parts))}}}",
                                "PROTOCOL": "inet_tcp" if number.version == 4 else "inet6_tcp", "NUMBER": number.packed[-1]})


def longer(time, factor):
    """A time such as "5s" multiplied by `factor`."""
    number, unit = re.fullmatch(r"(\d+)([a-z]+)", time).groups()
    return f"{int(number) * factor}{unit}"


CONFIGURATIONS = {
    "broker": Services.broker,
    "worker": Services.worker,
    "graph": Services.graph,
    "gateway": Services.gateway,
    "balancer": Services.balancer,
    **{role: lambda services, guest, _number, make=make: make(services.document_server, guest)
       for role, make in DOCUMENT_SERVER.configurations.items()},
}


def at(*ports):
    return lambda _services, guest, _number: [(guest.address, port) for port in ports]


PORTS = {
    "broker": at(AMQP_PORT, MQTT_PORT, MANAGEMENT_PORT, PROMETHEUS_PORT),
    "worker": lambda _services, guest, number: [(guest.watch or guest.address, WORKER_PORT + number)],
    "graph": at(GRAPH_PORT),
    "gateway": lambda _services, guest, number: [(guest.address, GATEWAY_PORT + number)],
    "balancer": Services.balancer_ports,
    **{role: at(port) for role, port in DOCUMENT_SERVER.ports.items()},
}
