"""An inventory: the servers of a river with their addresses and roles, and the settings that apply to all of them.
platforms/inventory.conf is an example that explains every key.

Unlike guests of a lab, these servers can be reached by strangers. So the limits are those of ingest/nodes.conf; motes
connect with TLS to a separate address, each with its own password; and the stores require a login. The inventory can
change each of these.
"""

import contextlib
import ipaddress
import re
from pathlib import Path

from . import payload
from .errors import LabError
from .guest import Guest
from .services import GRAPH_PATHS, PLAIN, SECURE, SIZES, Doors, Services, Wishes, list_of_nodes, node_name
from .settings import read_ini

ADDRESSES = ("address", "outside", "watch")
KEYS = (*ADDRESSES, "roles", "shard")
# Key: (initial value, allowed values; None: any text).
RIVER_KEYS = {
    "formats": ("jsonld,senml", None),
    "engine": ("fuseki", tuple(GRAPH_PATHS)),
    "documents": ("", None),
    "graph": ("", None),
    "registry": ("", None),
    "certificate": ("", None),
    "secrets": ("", None),
    "listeners": ("https,amqps,mqtts", None),
    "motes": ("own", ("own", "shared")),
    "logins": ("yes", ("yes", "no")),
}
SIZE = re.compile(r"([1-9]\d{0,6})([MG])")
SEVERAL = ("worker", "gateway")  # roles of which a server may have several services: each has its own port
NEED_BROKERS = ("balancer", "worker", "gateway")
PROGRAMS = ("common", "ir-worker", "ir-store", "ir-ingest")  # sections of river.conf
SMALLEST = {"documents-cache": 256, "documents-oplog": 64, "graph-heap": 128, "broker-disk-free": 1, "broker-memory": 128}


class Inventory:
    def __init__(self, path):
        self.path = Path(path).resolve()
        sections = read_ini(self.path)
        river = self.river(sections.pop("river", {}))
        limits = self.limits(sections.pop("limits", {}))
        sizes = self.sizes(sections.pop("sizes", {}))
        programs = {name: sections.pop(name) for name in PROGRAMS if name in sections}
        draining = [self.draining(name, sections.pop(name)) for name in [*sections] if name.startswith("draining ")]
        self.servers = [self.server(name, section) for name, section in sections.items()]
        doors = Doors(listeners=self.listeners(river["listeners"]), limits=limits, motes=river["motes"],
                      certificate=self.existing(river, "certificate"), logins=river["logins"] == "yes",
                      registry=self.existing(river, "registry") or payload.registry_file())
        self.check_doors(river, doors)
        self.check_stores(river)
        self.check_addresses()
        self.check_roles()
        secrets = self.file(river["secrets"]) or self.path.with_name(self.path.name + ".secrets")
        wishes = Wishes(river["formats"], river["engine"], river["documents"], river["graph"], sizes, programs)
        self.services = Services(secrets, self.servers, draining=draining, doors=doors, wishes=wishes)
        self.check_shards()

    def river(self, section):
        values = {key: initial for key, (initial, _) in RIVER_KEYS.items()} | self.known("river", section, RIVER_KEYS)
        for key, (_, words) in RIVER_KEYS.items():
            if words and values[key] not in words:
                raise LabError(f"{self.path}: [river] {key} = {values[key]}: must be one of {', '.join(words)}")
        return values

    def limits(self, section):
        try:
            checked = list_of_nodes.check(f"{self.path} [limits]", list_of_nodes.LIMITS, section)
        except list_of_nodes.NodesError as error:
            raise LabError(str(error)) from error
        return {key: checked[key] for key in section}

    def sizes(self, section):
        """Returns {key: MiB}."""
        sizes = dict(SIZES)
        for key, text in self.known("sizes", section, SIZES).items():
            found = SIZE.fullmatch(text)
            size = int(found.group(1)) * (1024 if found.group(2) == "G" else 1) if found else 0
            if size < SMALLEST[key]:
                raise LabError(f"{self.path}: [sizes] {key} = {text}: a size like 512M or 2G, from {SMALLEST[key]}M on")
            sizes[key] = size
        return sizes

    def listeners(self, text):
        words = tuple(each.strip() for each in text.split(","))
        if unknown := set(words) - {*PLAIN, *SECURE}:
            raise LabError(f"{self.path}: [river] listeners: {', '.join(sorted(unknown))}: known are "
                           + ", ".join((*PLAIN, *SECURE)))
        return words

    def file(self, name):
        """The path of a file that the inventory names, relative to the inventory's folder; None if it names none."""
        return self.path.parent / name if name else None

    def existing(self, river, key):
        """Like file(), but the file must exist."""
        path = self.file(river[key])
        if path and not path.is_file():
            raise LabError(f"{self.path}: [river] {key} = {river[key]}: there is no file {path}")
        return path

    def with_role(self, role):
        return [each for each in self.servers if any(word == role for _, word in each.services())]

    def roles(self):
        return {role for each in self.servers for _, role in each.services()}

    def check_doors(self, river, doors):
        """Refuses settings that would leave a listener open by mistake."""
        for each in self.with_role("balancer"):
            if each.outside in ("", each.address, each.watch):
                raise self.fault(each, "outside: the balancer needs a separate address for motes, different from `address` and "
                                       "`watch`")
        if doors.logins and river["engine"] == "oxigraph" and "graph" in self.roles():
            raise LabError(f"{self.path}: [river] engine = oxigraph has no logins. On a private network, you can set "
                           "logins = no; then all stores are open to everyone there")

    def check_stores(self, river):
        for key in ("documents", "graph"):
            if river[key] and key in self.roles():
                raise LabError(f"{self.path}: [river] {key} = {river[key]}: an external store, but servers have the role {key}")

    def check_addresses(self):
        """Refuses an address that two servers have, and brokers that could not form one cluster."""
        taken = {}
        for each in self.servers:
            for key in ADDRESSES:
                place = getattr(each, key)
                if place and (other := taken.setdefault(place, each)) is not each:
                    raise self.fault(each, f"{key} = {place}: [server {other.name}] has this address already")
        brokers = self.with_role("broker")
        for each in brokers:
            if (":" in each.address) != (":" in brokers[0].address):
                raise self.fault(each, f"address = {each.address}: brokers must all have IPv4 addresses, or all IPv6; "
                                       f"[server {brokers[0].name}] has {brokers[0].address}")

    def check_roles(self):
        """Refuses roles that cannot be served."""
        for each in self.servers:
            words = [role for _, role in each.services()]
            for role in words:
                if words.count(role) > 1 and role not in SEVERAL:
                    raise self.fault(each, f"roles: {role} must be there only once; only {' and '.join(SEVERAL)} can have "
                                           "a count")
        balancers = self.with_role("balancer")
        if len(balancers) > 1:
            raise self.fault(balancers[1], f"roles: only one server can be the balancer, and [server {balancers[0].name}] is it")
        for role in NEED_BROKERS:
            for each in self.with_role(role):
                if not self.with_role("broker"):
                    raise self.fault(each, f"roles: {role} needs a server with the role broker")

    def check_shards(self):
        try:
            self.services.documents_uri()
        except LabError as error:
            raise LabError(f"{self.path}: {error}") from error

    def fault(self, server, text):
        return LabError(f"{self.path}: [server {server.name}] {text}")

    def known(self, name, section, keys):
        if unknown := set(section) - set(keys):
            raise LabError(f"{self.path}: [{name}] {', '.join(sorted(unknown))}: known are {', '.join(keys)}")
        return section

    def server(self, title, section):
        kind, _, name = title.partition(" ")
        if kind != "server":
            raise LabError(f"{self.path}: [{title}]: sections are [river], [limits], [sizes], [server NAME], [draining NAME] and "
                           f"[{'], ['.join(PROGRAMS)}]")
        self.known(title, section, KEYS)
        for key in ("address", "roles"):
            if key not in section:
                raise LabError(f"{self.path}: [{title}]: {key} is missing")
        roles = [each.strip() for each in section["roles"].split(",") if each.strip()]
        addresses = {key: self.ip(title, key, section[key]) for key in ADDRESSES if key in section}
        server = Guest(name=name, platform="", roles=roles, shard=section.get("shard", ""), **addresses)
        try:
            server.validate()
        except LabError as error:
            raise LabError(f"{self.path}: [{title}] {error}") from error
        return server

    def draining(self, title, section):
        return self.ip(title, "address", self.known(title, section, ("address",)).get("address", ""))

    def ip(self, title, key, text):
        """An address of one machine, in its usual form."""
        with contextlib.suppress(ValueError):
            number = ipaddress.ip_address(text)
            if not number.is_unspecified and not number.is_multicast:
                return str(number)
        raise LabError(f"{self.path}: [{title}] {key} = {text}: must be an IP address of the server, such as 10.0.0.11 "
                       "or fd00::11, not a name")

    def named(self, name):
        for each in self.servers:
            if each.name == name:
                return each
        known = ", ".join(each.name for each in self.servers)
        raise LabError(f"{self.path}: no server '{name}'; {f'there are {known}' if known else 'add a section [server NAME]'}")

    def having(self, roles, but):
        """Yields (server, role, ports) of the services with one of these roles on other servers than `but`."""
        for server in self.servers:
            ports = self.services.ports(server)
            for name, role in server.services():
                if server is not but and role in roles:
                    yield server, role, ports[name]

    def node(self, name):
        """Erlang's name of the broker of a server, or of the one at an address that the inventory no longer lists."""
        with contextlib.suppress(ValueError):
            return node_name(str(ipaddress.ip_address(name)))
        return node_name(self.named(name).address)
