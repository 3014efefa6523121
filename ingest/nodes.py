"""Reads the list of nodes, ingest/nodes.conf: balancer, limits, motes, brokers, gateways, and the brokers of a draining
cluster.

    nodes = read(path)
    nodes.balancer["stats"], nodes.limits["connections"], nodes.brokers[0].node
"""

import configparser
import re
from dataclasses import dataclass, field

import guard
import ini

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
PORT = r"\d{1,5}"
V6 = r"[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*"
NAMED = r"[A-Za-z0-9.-]+"
HOST = rf"{NAMED}|{V6}"
PLACE = rf"({NAMED}|\[{V6}\]):{PORT}"
COUNT = r"[1-9]\d{0,15}"
TIME = r"[1-9]\d{0,6}(ms|s|m|h)"
PATH = r"/\S+"

# Key: (default, pattern, description of the pattern). An empty value is allowed if the default is empty.
BALANCER = {
    "address": ("127.0.0.1", HOST, "an address"),
    "amqp": ("", PORT, "a port"),
    "amqps": ("", PORT, "a port"),
    "mqtt": ("", PORT, "a port"),
    "mqtts": ("", PORT, "a port"),
    "http": ("", PORT, "a port"),
    "https": ("", PORT, "a port"),
    "certificate": ("", PATH, "an absolute path"),
    "inside": ("", PLACE, "ADDRESS:PORT"),
    "consumers": ("", PLACE, "ADDRESS:PORT"),
    "stats": ("", PLACE, "ADDRESS:PORT"),
    "socket": ("", PATH, "an absolute path"),
    "user": ("", NAME, "a user's name"),
}
LIMITS = {
    "connections": ("20000", COUNT, "a number"),
    "connections-per-source": ("200", COUNT, "a number"),
    "new-connections-per-source": ("200", COUNT, "a number"),
    "requests-per-source": ("2000", COUNT, "a number"),
    "connections-per-gateway": ("2000", COUNT, "a number"),
    "answer": ("3s", TIME, "a time like 3s"),
    "misses": ("6", COUNT, "a number"),
    "first-bytes": ("5s", TIME, "a time like 5s"),
    "idle-keep-alive": ("60s", TIME, "a time like 60s"),
    "idle-session": ("180s", TIME, "a time like 180s"),
    "queue-messages": ("5000000", COUNT, "a number"),
    "queue-bytes": ("4294967296", COUNT, "a number"),
    "rejected-messages": ("100000", COUNT, "a number"),
    "rejected-bytes": ("1073741824", COUNT, "a number"),
}
MOTES = {"users": ("own", "own|shared", "own or shared")}
BROKER = {
    "host": (None, HOST, "an address"),
    "amqp": ("5672", PORT, "a port"),
    "mqtt": ("1883", PORT, "a port"),
    "management": ("15672", PORT, "a port"),
    "prometheus": ("15692", PORT, "a port"),
    "node": ("", rf"{NAME}@{NAME}", "NAME@HOST"),
}
GATEWAY = {"host": (None, HOST, "an address"), "http": ("8080", PORT, "a port")}
SECURE = ("amqps", "mqtts", "https")
# Limits for a generator that sends for all motes from one address.
ONE_ADDRESS = {"connections-per-source": "1000000", "new-connections-per-source": "1000000",
               "requests-per-source": "1000000000"}


class NodesError(guard.Fault):
    """The list is inconsistent; the text names file, section and key."""


@dataclass(frozen=True)
class Broker:
    name: str
    host: str
    amqp: str
    mqtt: str
    management: str
    prometheus: str
    node: str  # Erlang's name of it


@dataclass(frozen=True)
class Gateway:
    name: str
    host: str
    http: str


@dataclass
class Nodes:
    balancer: dict = field(default_factory=lambda: initial(BALANCER))
    limits: dict = field(default_factory=lambda: initial(LIMITS))
    motes: dict = field(default_factory=lambda: initial(MOTES))
    brokers: list = field(default_factory=list)
    draining: list = field(default_factory=list)  # brokers of the old cluster: consumers stay there, but senders do not
    gateways: list = field(default_factory=list)


def place(host, port):
    """HOST:PORT, an IPv6 address in brackets (RFC 3986)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def initial(table):
    return {key: row[0] for key, row in table.items()}


def check(where, table, found):
    """The section's values, with defaults for missing ones."""
    values = {}
    for key in found:
        if key not in table:
            raise NodesError(f"{where} {key}: there is no such key; known: {', '.join(table)}")
    for key, (default, pattern, words) in table.items():
        value = found.get(key, default)
        if value is None:
            raise NodesError(f"{where} lacks {key}")
        if not re.fullmatch(pattern, value) and not (value == "" and default == ""):
            raise NodesError(f"{where} {key} = {value}: it is {words}")
        values[key] = value
    return values


def take(nodes, where, section, found):
    kind, _, name = section.partition(" ")
    if section == "balancer":
        nodes.balancer = check(where, BALANCER, found)
    elif section == "limits":
        nodes.limits = check(where, LIMITS, found)
    elif section == "motes":
        nodes.motes = check(where, MOTES, found)
    elif kind in ("broker", "draining") and re.fullmatch(NAME, name):
        values = check(where, BROKER, found)
        values["node"] = values["node"] or f"rabbit@{name}"
        (nodes.brokers if kind == "broker" else nodes.draining).append(Broker(name, **values))
    elif kind == "gateway" and re.fullmatch(NAME, name):
        nodes.gateways.append(Gateway(name, **check(where, GATEWAY, found)))
    else:
        raise NodesError(f"{where}: sections are balancer, limits, motes, broker NAME, draining NAME and gateway NAME")


def read(path):
    parser = configparser.ConfigParser(interpolation=None, default_section=None, inline_comment_prefixes=None)
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
    except OSError as error:
        raise NodesError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, configparser.Error) as error:
        raise NodesError(ini.fault(path, error)) from error
    nodes = Nodes()
    for section in parser.sections():
        take(nodes, f"{path} [{section}]", section, parser[section])
    if not nodes.brokers:
        raise NodesError(f"{path}: there is no section [broker NAME]")
    if nodes.draining and not nodes.balancer["consumers"]:
        raise NodesError(f"{path} [balancer]: [draining …] needs `consumers`, the listener of the programs that read")
    secure = [key for key in SECURE if nodes.balancer[key]]
    if secure and not nodes.balancer["certificate"]:
        raise NodesError(f"{path} [balancer]: {secure[0]} needs a certificate")
    return nodes
