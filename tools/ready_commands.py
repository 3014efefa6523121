"""Makes commands that are ready to paste: one for each protocol with its credential, and some to look at the data. Also
makes the settings with which our programs find the stack. All are derived from a stack's description (stack.py)."""

import json
import shlex
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

import stack

SETTINGS = """\
; Where this river is, for the programs: ir-store last --settings {file}
; make up writes it anew.

[common]
documents = {documents}
graph = {graph}
registry = {registry}

[ir-feed]
target = {http}
mote-tokens = {tokens}

[ir-tap]
amqp = amqp://loadgen:{password}@{consumers}
format = {format}
"""
QUERY = "SELECT * WHERE { ?o <http://www.w3.org/ns/sosa/hasSimpleResult> ?v } LIMIT 5"
SENML = "application/senml+json"

AMQP_SENDER = """\
import pika
connection = pika.BlockingConnection(pika.URLParameters("amqp://{user}:{password}@{place}/%2F"))
channel = connection.channel()
channel.confirm_delivery()
channel.basic_publish("amq.topic", "ir.{mote}", r\"""{pack}\""", pika.BasicProperties(content_type="{senml}"))
connection.close()
print("stored by the broker")"""

SUBSCRIBER = """\
import pika
channel = pika.BlockingConnection(pika.URLParameters("amqp://{user}:{password}@{place}/%2F")).channel()
queue = channel.queue_declare("", exclusive=True).method.queue
channel.queue_bind(queue, "ir.processed", "{format}.#")
for method, _, body in channel.consume(queue, auto_ack=True):
    print(method.routing_key, body.decode(), flush=True)"""


@dataclass(frozen=True)
class Sender:
    """A mote of the registry that the examples send for, and one of its sensors."""

    mote: str
    sensor: str
    unit: str  # "": its values are not numbers
    token: str  # also its password at the brokers

    def pack(self):
        """A pack with one observation that is made now."""
        value = {"u": self.unit, "v": 7} if self.unit else {"vs": "seven"}
        return json.dumps([{"n": self.sensor, **value}], ensure_ascii=False)


def python(text):
    """A shell command that runs it."""
    return f"/usr/bin/python3 -c {shlex.quote(text)}"


def place(address):
    """Returns (host, port) of an address in the description."""
    parts = urllib.parse.urlsplit(address)
    return parts.hostname, parts.port


def senders(description, sender):
    """Returns [(protocol, command)], each of which stores one observation."""
    listeners = description["listeners"]
    host, port = place(listeners["mqtt"])
    amqp = listeners["amqp"].partition("://")[2]
    curl = ["curl", "-i", f"{listeners['http']}/v1/observations", "-H", f"Authorization: Bearer {sender.token}",
            "-H", f"Content-Type: {SENML}", "-d", sender.pack()]
    mosquitto = ["mosquitto_pub", "-h", host, "-p", str(port), "-q", "1", "-u", sender.mote, "-P", sender.token,
                 "-t", f"ir/{sender.mote}", "-m", sender.pack()]
    text = AMQP_SENDER.format(user=urllib.parse.quote(sender.mote, safe=""), password=sender.token, place=amqp,
                              mote=sender.mote, pack=sender.pack(), senml=SENML)
    by_http = [("HTTP, with curl", shlex.join(curl))] if description["gateways"] else []
    return [*by_http, ("MQTT, with mosquitto", shlex.join(mosquitto)), ("AMQP, with Python", python(text))]


def subscribe(description, password):
    """The command that shows published observations as they come; None: nothing is published."""
    first = description["formats"].split(",")[0]
    text = SUBSCRIBER.format(user="viewer", password=password, place=description["consumers"].partition("://")[2], format=first)
    return python(text) if first else None


def sparql(description):
    """Returns a query command, if a server accepts queries."""
    if description["sparql"] is None:
        return None
    return f"curl -s {description['sparql']} -H 'Accept: text/csv' --data-urlencode {shlex.quote('query=' + QUERY)}"


def embedded(description):
    """Returns commands for the stores that are files."""
    lines = []
    if description["documents"].startswith("sqlite:"):
        query = "SELECT time, mote, property, value, unit, quality, reasons FROM readable ORDER BY time DESC LIMIT 5"
        lines.append(f"sqlite3 -box {shlex.quote(stack.show(description['documents'].removeprefix('sqlite:')))} '{query}'")
    if description["graph"].startswith("nquads:"):
        graph = Path(urllib.parse.unquote(description["graph"].removeprefix("nquads:")))
        lines.append(f"grep -h hasSimpleResult {shlex.quote(stack.show(graph))}/*-*.nq* | head -n 3")
    return lines


def export(description):
    """The documents as JSON; None: none are kept."""
    if description["documents"] == "null:":
        return None
    kind, _, path = description["documents"].partition(":")
    uri = f"{kind}:{stack.show(path)}" if kind == "sqlite" else description["documents"]
    program = stack.show(Path(description["programs"]) / "ir-store")
    return f"{shlex.quote(program)} export --documents={shlex.quote(uri)} --graph=null: | head -n 2"



def tap(description, settings_file):
    """The command that shows observations and refusals as they come."""
    return shlex.join([stack.show(Path(description["programs"]) / "ir-tap"), "--settings", stack.show(settings_file)])


def settings(description, file, password):
    """The text of a settings file. It contains the password of `loadgen`, who may also listen to refusals."""
    return SETTINGS.format(file=shlex.quote(stack.show(file)), http=description["listeners"]["http"],
                           tokens=description["mote-tokens"], password=password,
                           consumers=description["consumers"].partition("://")[2], format=description["formats"].split(",")[0],
                           **{name: description[name] for name in ("documents", "graph", "registry")})
