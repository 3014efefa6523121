"""Code shared by the integration tests: a pipeline from the broker to the stores, and independent computations of the
expected results."""

import base64
import contextlib
import csv
import datetime
import decimal
import gzip
import hashlib
import itertools
import json
import os
import sqlite3
import ssl
import subprocess
import sys
import time
import uuid
from pathlib import Path

import cbor2
import pika
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import cluster  # noqa: E402
import programs  # noqa: E402
import servers  # noqa: E402

BUILD = Path(os.environ.get("IR_BUILD", ROOT / "out" / "asan")).resolve()
REGISTRY = ROOT / "loadgen" / "usgs_river.ttl"
DATA = ROOT / "loadgen" / "usgs_river_observations.csv.gz"
BASE_IRI = "https://intelligent-river.example/id/"
RDF_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
OBSERVATION = "http://www.w3.org/ns/sosa/Observation"
SENML_JSON = "application/senml+json"
SENML_CBOR = "application/senml+cbor"
RAW_NAMESPACE = uuid.UUID("0b6a0e0e-9d0c-5f0a-9c57-2f8d0d1b6a01")
OBSERVATION_NAMESPACE = uuid.UUID("0b6a0e0e-9d0c-5f0a-9c57-2f8d0d1b6a02")
WAIT_SECONDS = 60


def wait_for(condition, what, seconds=WAIT_SECONDS, pause=0.05):
    """Waits until condition() returns a true value, and returns this value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(pause)


# ---- expected results ----


def raw_id(mote, body, time_ns=0, kind="absolute", name=None):
    """Computes a message's id as defined in observation/identity.h. `time_ns` is the time of the first record or, for
    the kind "arrived", the arrival."""
    parts = [kind.encode(), mote.encode()]
    if kind == "named":
        parts += [str(len(name)).encode(), name]
    elif kind == "arrived":
        parts.append(str(time_ns).encode())
    return uuid8(RAW_NAMESPACE, parts + [body], None if kind == "named" else 0 if kind == "plain" else time_ns)


def absolute_raw_id(mote, body):
    """Returns the ids of a good pack (JSON or CBOR) in which all times are absolute."""
    first = json.loads(body)[0] if body.lstrip()[:1] == b"[" else cbor2.loads(body)[0]
    seconds = sum(first.get(label, first.get(number, 0)) for label, number in (("bt", -3), ("t", 6)))
    return raw_id(mote, body, round(seconds * 10**6) * 1000)


def uuid8(namespace, parts, time_ns):
    """Makes a UUIDv8 from bytes. It begins with the time, unless time_ns is None."""
    digest = bytearray(hashlib.sha256(namespace.bytes + b"\n".join(parts)).digest()[:16])
    if time_ns is not None:
        digest[:6] = (max(0, time_ns) // 10**6).to_bytes(6, "big")
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return uuid.UUID(bytes=bytes(digest))


def number_text(value):
    """Writes a number as ECMAScript does."""
    number = decimal.Decimal(repr(float(value))).normalize()
    sign, digits, exponent = number.as_tuple()
    point = len(digits) + exponent
    if number == 0 or -6 < point <= 21:
        return f"{abs(number) if number == 0 else number:f}"
    rest = "".join(map(str, digits[1:]))
    return f"{'-' * sign}{digits[0]}{'.' * bool(rest)}{rest}e{point - 1:+d}"


def observation_id(name, time_ns, value):
    if isinstance(value, bool):
        label, text = b"vb", str(value).lower().encode()
    elif isinstance(value, bytes):
        label, text = b"vd", value
    else:
        label, text = (b"vs", value.encode()) if isinstance(value, str) else (b"v", number_text(value).encode())
    return uuid8(OBSERVATION_NAMESPACE, [name.encode(), str(time_ns).encode(), label, text], time_ns)


class Message:
    """One pack of one mote, with its expected ids."""

    name = None  # the name that the sender gave the message
    timed = False  # whether its times are relative to its arrival

    def __init__(self, mote, records):
        self.mote = mote
        self.records = records
        self.body = json.dumps(records).encode()
        self.raw_id = raw_id(mote, self.body, round(records[0]["t"] * 1e9))
        self.ids = [observation_id(r["n"], round(r["t"] * 1e9), r["v"]) for r in records]


class ArrivalMessage:
    """A message whose times are relative to its arrival: its ids follow from the stored arrival."""

    timed = True

    def __init__(self, mote, records, number, age=None, name=None):
        """The records have absolute times. `age` is how many seconds before the arrival the first one was measured;
        None: the message has no time. `number` makes the body unique."""
        bare = [{key: value for key, value in record.items() if key != "t"} for record in records]
        self.mote, self.name, self.age = mote, name, age
        self.records = [{**each, "t": -age} if age is not None else each for each in bare]
        self.records[0] = {**self.records[0], "seq": number}
        self.body = json.dumps(self.records).encode()
        self.content = raw_id(mote, self.body, kind="plain")
        self.raw_id = raw_id(mote, self.body, kind="named", name=name.encode()) if name else None
        self.ids = None

    def arrive(self, arrival_ns):
        if self.name is None:
            self.raw_id = raw_id(self.mote, self.body, arrival_ns, kind="arrived")
        time_ns = arrival_ns - (self.age or 0) * 10**9
        self.ids = [observation_id(each["n"], time_ns, each["v"]) for each in self.records]


def mix_times(messages):
    """Leaves half of the messages unchanged. The others get relative times or no times, with or without a name, in
    turn."""
    kinds = [None, (True, False), None, (False, True), None, (True, True), None, (False, False)]
    mixed = []
    for i, message in enumerate(messages):
        if (kind := kinds[i % len(kinds)]) is not None:
            relative, named = kind
            message = ArrivalMessage(message.mote, message.records, i, i % 600 if relative else None,
                                     f"test {i}" if named else None)
        mixed.append(message)
    return mixed


UNITS = {"deg C": "Cel", "ft3/s": "ft3/s", "mg/l": "mg/l", "std units": "pH", "uS/cm @25C": "uS/cm", "ft": "ft"}


def river_messages(limit=None):
    """The replay data as packs, one for each station and time, in the order of time."""
    with gzip.open(DATA, "rt", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: (row["time_utc"], row["station"]))
    messages = []
    for (when, mote), group in itertools.groupby(rows, key=lambda row: (row["time_utc"], row["station"])):
        seconds = int(datetime.datetime.fromisoformat(when.replace("Z", "+00:00")).timestamp())
        records = []
        for row in group:
            record = {"n": f"{mote}/{row['parameter']}", "t": seconds, "v": float(row["value"])}
            if row["unit"] in UNITS:
                record["u"] = UNITS[row["unit"]]
            records.append(record)
        messages.append(Message(mote, records))
        if limit and len(messages) == limit:
            break
    return messages


def write_ledger(path, sent):
    """Writes a ledger like ir-loadgen's. `messages` are pairs (message, how often it was sent)."""
    lines = ["# ir-ledger 2"]
    for message, tries in sent:
        if message.timed:
            name = f" {message.raw_id} {message.name}" if message.name else ""
            lines.append(f"t {message.content} {message.mote} {len(message.records)} {tries} 1{name}")
        else:
            lines.append(f"m {message.raw_id}")
            lines += [f"o {each}" for each in message.ids]
    path.write_text("\n".join([*lines, "# end"]) + "\n")
    return path


def wrong_clock(hours):
    """Returns the environment for a program whose clock is ahead by this many hours."""
    return faked_clock(FAKETIME=f"{hours:+d}h")


def faked_clock(**settings):
    """Returns the environment for a program that runs with libfaketime and these libfaketime settings. The monotonic
    clock stays real: with FORCE_MONOTONIC_FIX, a wait on a condition with that clock would return at once, again and
    again."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return {"LD_PRELOAD": str(library), "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_FORCE_MONOTONIC_FIX": "0",
            "ASAN_OPTIONS": "verify_asan_link_order=0", **settings}


def other_root():
    """The root of the other RabbitMQ (servers.other_rabbitmq). If there is none, skips the test."""
    if (root := servers.other_rabbitmq()) is None:
        pytest.skip("IR_RABBITMQ_ROOT names no root folder with another RabbitMQ")
    return root


def series_of(root=None):
    """Returns the (major, minor) version of the RabbitMQ installed below this root."""
    found = Path((root or "") + "/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*")
    return tuple(map(int, next(found).name.split("-")[1].split(".")[:2]))


# ---- the broker ----


class Broker(servers.RabbitMQ):
    """A RabbitMQ with its management interface. Every test gets its own virtual host."""

    n_ports = 3

    def __init__(self, directory, plugins=(), root=None):
        super().__init__(directory, plugins=("rabbitmq_management", *plugins), root=root)
        self.hosts = itertools.count(1)

    def configuration(self):
        return [
            *super().configuration(),
            f"management.tcp.port = {self.ports[2]}",
            f"management.tcp.ip = {servers.HOST}",
            "management_agent.disable_metrics_collector = true",
        ]

    def api(self, method, path, body=None):
        login = base64.b64encode(b"guest:guest").decode()
        headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
        text = json.dumps(body) if body is not None else None
        status, answer = servers.http_request(self.ports[2], method, "/api/" + path, text, headers)
        assert status < 300, f"{method} {path}: {status} {answer!r}"
        return json.loads(answer) if answer else None

    def new_host(self):
        name = f"test{next(self.hosts)}"
        self.api("PUT", f"vhosts/{name}")
        self.api("PUT", f"permissions/{name}/guest", {"configure": ".*", "write": ".*", "read": ".*"})
        return name

    def delete_host(self, name):
        self.api("DELETE", f"vhosts/{name}")


class Front:
    """Balancer and brokers as ingest/ configures them, with the tests' own limits."""

    def __init__(self, directory, brokers=1, root=None, motes=(), **limits):
        """`motes`: these motes get broker users of their own."""
        self.directory = Path(directory)
        self.cluster = cluster.Cluster(self.directory / "brokers", brokers, root=root)
        self.tokens = self.directory / "tokens"
        self.cluster.mote_tokens = programs.issue_tokens(BUILD, motes, self.tokens) if motes else {}
        self.cluster.nodes.limits.update({**FRONT_LIMITS, **limits})
        nobody = cluster.list_of_nodes.Gateway("none", servers.HOST, str(servers.free_ports(1)[0]))
        self.cluster.nodes.gateways.append(nobody)
        certificates = self.directory / "certificates"
        subprocess.run([ROOT / "ingest" / "make-certificates", certificates], check=True, capture_output=True)
        self.balancer = cluster.HAProxy(self.directory / "balancer", self.cluster.nodes, certificates)
        self.ca = str(certificates / "ca.pem")

    def __enter__(self):
        self.cluster.start()
        self.balancer.start()
        return self

    def __exit__(self, *_):
        self.balancer.stop()
        self.cluster.stop()

    def new_host(self):
        """Empties the queues for the next test, because all tests share one virtual host."""
        with contextlib.closing(self.connect("worker")) as connection:
            for queue in ("ir.rejected", *(f"ir.observations.{i}" for i in range(8))):
                channel = connection.channel()
                with contextlib.suppress(pika.exceptions.ChannelClosedByBroker):
                    channel.queue_purge(queue)
        return "/"

    def connect(self, user, listener="inside", password=None):
        """Opens a pika connection as this user."""
        host, port = self.balancer.address(listener).split(":")
        options = None
        if listener == "amqps":
            options = pika.SSLOptions(ssl.create_default_context(cafile=self.ca), "localhost")
        login = pika.PlainCredentials(user, password or self.cluster.passwords[user])
        parameters = pika.ConnectionParameters(host, int(port), "/", login, heartbeat=0, ssl_options=options)
        return pika.BlockingConnection(parameters)


FRONT_LIMITS = {"connections": "2000", "first-bytes": "2s", "connections-per-source": "100000",
                "new-connections-per-source": "100000", "requests-per-source": "1000000"}


class MqttBroker(Broker):
    """A broker that also accepts MQTT."""

    n_ports = 4

    def __init__(self, directory, root=None):
        super().__init__(directory, plugins=("rabbitmq_mqtt",), root=root)

    def configuration(self):
        return [*super().configuration(), f"mqtt.listeners.tcp.1 = {servers.HOST}:{self.ports[3]}"]


# ---- the pipeline ----


class Pipeline:
    """Broker, stores and workers of one test."""

    def __init__(self, broker, directory, documents=None, graph=None, registry=REGISTRY, settings=(), env=None):
        self.broker = broker
        self.directory = Path(directory)
        self.host = broker.new_host()
        self.documents = documents or f"sqlite:{self.directory / 'documents.sqlite'}"
        self.graph = graph or f"nquads:{self.directory / 'graph'}"
        self.registry = registry
        self.settings = list(settings)
        self.env = {**os.environ, **(env or {})}
        self.workers = []
        self.gateways = []
        self.tokens = {}
        self.connection = None
        self.channel = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.disconnect()
        for program in (*self.workers, *self.gateways):
            program.kill()

    @property
    def amqp(self):
        return f"{self.broker.uri}/{self.host}"

    def stores(self):
        return [f"--documents={self.documents}", f"--graph={self.graph}", f"--registry={self.registry}"]

    def arguments(self):
        return [f"--amqp={self.amqp}", *self.stores(), "--announce=200ms", "--backoff-longest=500ms", *self.settings]

    def call(self, program, *words, env=None, seconds=WAIT_SECONDS):
        """Returns (status, standard output, standard error) of one of the programs."""
        log = self.directory / f"{program}-{len(list(self.directory.iterdir()))}.err"
        env = {**self.env, **(env or {})}
        status, text = programs.call([BUILD / program, *words], log, self.directory, env, seconds)
        return status, text, log.read_text(errors="replace")

    def run(self, program, *words, seconds=WAIT_SECONDS):
        status, text, errors = self.call(program, *words, seconds=seconds)
        assert status == 0, f"{program} {' '.join(map(str, words))}: status {status}\n{text}\n{errors}"
        return text

    def declare(self):
        self.run("ir-worker", "--declare", *self.arguments())

    def init(self):
        self.declare()
        self.run("ir-store", "init", *self.stores())
        return self

    def worker(self, *more, name=None, wait=True, env=None):
        name = name or f"worker-{len(self.workers) + 1}"
        log = self.directory / f"{name}.log"
        arguments = [*self.arguments(), *more]
        env = {**self.env, **(env or {})}
        worker = programs.Worker(BUILD, name, log, arguments, env=env, cwd=self.directory)
        self.workers.append(worker)
        if wait:
            worker.await_ready(WAIT_SECONDS)
        return worker

    def issue(self, *motes):
        """Issues tokens for these motes, in the file that gateways read."""
        self.tokens.update(programs.issue_tokens(BUILD, motes, self.directory / "tokens.txt"))

    def gateway(self, *more, wait=True, env=None):
        name = f"gateway-{len(self.gateways) + 1}"
        arguments = [f"--amqp={self.amqp}", f"--tokens={self.directory / 'tokens.txt'}", "--listen=127.0.0.1:0",
                     "--drain=0s", "--backoff-longest=500ms", *more]
        gateway = programs.Gateway(BUILD, name, self.directory / f"{name}.log", arguments, env=env or self.env,
                                   cwd=self.directory)
        self.gateways.append(gateway)
        if wait:
            gateway.await_ready(WAIT_SECONDS)
        return gateway

    def stop_workers(self):
        """Stops the workers. Every running worker must exit with status 0."""
        for worker in self.workers:
            if worker.process.alive():
                status = worker.stop()
                assert status == 0, f"{worker.name} ended with {status}:\n{servers.tail(worker.log)}"

    # ---- as a mote and as a subscriber ----

    def open(self):
        return pika.BlockingConnection(pika.URLParameters(self.amqp + "?heartbeat=0"))

    def connect(self):
        if self.connection is None or self.connection.is_closed:
            self.connection = self.open()
            self.channel = self.connection.channel()
        return self.channel

    def disconnect(self):
        try:
            if self.connection is not None and self.connection.is_open:
                self.connection.close()
        except pika.exceptions.AMQPError:
            pass
        self.connection = None

    def publish_body(self, body, key, content_type=SENML_JSON, name=None, timestamp=None):
        properties = pika.BasicProperties(content_type=content_type, delivery_mode=2, message_id=name,
                                          timestamp=timestamp)
        self.connect().basic_publish("ir.observations", key, body, properties)

    def publish(self, message):
        self.publish_body(message.body, f"ir.{message.mote}", name=message.name)

    def subscribe(self, pattern="#"):
        """Makes a queue that receives the republished messages."""
        queue = self.connect().queue_declare("", durable=True).method.queue
        self.channel.queue_bind(queue, "ir.processed", pattern)
        return queue

    def take(self, queue):
        """Returns (method, properties, body) of one message, or None."""
        method, properties, body = self.connect().basic_get(queue, auto_ack=True)
        return (method, properties, body) if method else None

    def take_all(self, queue):
        return list(iter(lambda: self.take(queue), None))

    def dead_letter(self, seconds=WAIT_SECONDS):
        return wait_for(lambda: self.take("ir.rejected"), "a dead letter", seconds, 0.02)

    def ready_messages(self, queue):
        return self.connect().queue_declare(queue, passive=True).method.message_count

    def waiting(self, partitions=8):
        """Returns the number of messages that no worker has received yet."""
        return sum(self.ready_messages(f"ir.observations.{i}") for i in range(partitions))

    def idle(self):
        """Whether no message waits in a queue and no worker is processing one."""
        alive = [worker for worker in self.workers if worker.process.alive()]
        return self.waiting() == 0 and all(
            worker.metric("ir_messages_in_flight") == 0 and worker.metric("ir_batches_in_flight") == 0
            for worker in alive
        )

    def drain(self, seconds=WAIT_SECONDS):
        """Waits until two checks in a row find no message waiting or being processed. One check is not enough: a
        message may be on its way to a worker."""

        def twice():
            if not self.idle():
                return False
            time.sleep(0.3)
            return self.idle()

        wait_for(twice, "the queues to be empty", seconds)

    # ---- stored data, read without the project's code ----

    def sqlite(self, query, *parameters):
        path = self.documents.removeprefix("sqlite:")
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30) as database:
            return database.execute(query, parameters).fetchall()

    def sqlite_ids(self, table="observations"):
        return [uuid.UUID(bytes=row[0]) for row in self.sqlite(f"SELECT id FROM {table}")]

    def nquads_files(self):
        """Returns all N-Quads files: sealed segments (*.nq), segments being written (*.nq.open), and the registry's
        files."""
        directory = Path(self.graph.removeprefix("nquads:"))
        return sorted([*directory.glob("*.nq"), *directory.glob("*.nq.open")])

    def nquads_text(self):
        """Returns the lines of all observations, from all segments."""
        return "".join(f.read_text() for f in self.nquads_files() if not f.name.startswith("registry."))

    def nquads_ids(self):
        """Returns one id for every type statement."""
        end = f"<{RDF_TYPE}> <{OBSERVATION}>"
        lines = [line for line in self.nquads_text().splitlines() if end in line]
        return [uuid.UUID(line.split(">", 1)[0].rsplit("/", 1)[-1].rsplit(":", 1)[-1]) for line in lines]

    def verify(self, ledger):
        """Runs ir-store verify; returns its verdict."""
        words = ["verify", f"--ledger={ledger}", "--json", *self.stores()]
        status, text, errors = self.call("ir-store", *words, seconds=300)
        assert status in (0, 1), errors
        return status, json.loads(text)

    def write_ledger(self, messages):
        return write_ledger(self.directory / "ledger.txt", [(message, 1) for message in messages])

    def find_arrivals(self, messages):
        """Reads each message's arrival from SQLite, and computes the ids that follow from it."""
        arrivals = {bytes(body): time_ns for body, time_ns in self.sqlite("SELECT body, received_ns FROM raw")}
        for message in messages:
            if message.timed:
                message.arrive(arrivals[message.body])

    def assert_exactly(self, messages):
        """Asserts that SQLite and N-Quads contain each of these messages exactly once. Equal readings that arrive at
        the same time count as one."""
        self.find_arrivals(messages)
        expected = sorted({each for message in messages for each in message.ids})
        assert sorted(self.sqlite_ids("raw")) == sorted(message.raw_id for message in messages)
        assert sorted(self.sqlite_ids()) == expected
        assert sorted(self.nquads_ids()) == expected
        status, verdict = self.verify(self.write_ledger(messages))
        assert status == 0, verdict


class FrontPipeline(Pipeline):
    """A pipeline whose programs connect through the balancer, as the user `worker`."""

    def __init__(self, front, directory, **options):
        super().__init__(front, directory, env={"IR_AMQP_PASSWORD": front.cluster.passwords["worker"]}, **options)

    @property
    def amqp(self):
        return f"amqp://worker@{self.broker.balancer.address('inside')}"

    def open(self):
        return self.broker.connect("worker")


def assert_order(taken, messages):
    """Asserts that each mote's messages were republished in the order in which they were sent. `taken` is the stream of
    one format. Messages that the broker may have delivered before are marked, and may repeat earlier ones. Apart from
    repeats, the marked messages are in order, too."""
    place = {str(message.raw_id): i for i, message in enumerate(messages)}
    last, seen = {}, set()
    for method, properties, _body in taken:
        headers = properties.headers or {}
        if headers.get("revision"):
            continue
        mote = method.routing_key.split(".", 1)[1]
        if properties.message_id in seen:
            assert headers.get("redelivered") or headers.get("duplicate"), "a repeat that is not marked"
            continue
        seen.add(properties.message_id)
        here = place[properties.message_id]
        assert here > last.get(mote, -1), f"{mote}: message {here} after {last[mote]}"
        last[mote] = here
    assert seen == set(place), "not every message was republished"
