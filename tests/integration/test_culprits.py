"""A sender that harms others is named in the log and in the metrics, whatever it does. docs/explanation/security.md has
a table of the possible kinds of harm."""

import contextlib
import gzip
import http.client
import json
import socket

import cbor2
import pika
import pytest

import harness
import raw_mqtt
from harness import cluster, servers

POISON = "poison-7"
AT = 1320469200
WAIT_SECONDS = 60


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    with harness.Front(tmp_path_factory.mktemp("culprits"), motes=(POISON,)) as front:
        yield front


@pytest.fixture(scope="module")
def pipeline(front, tmp_path_factory):
    with harness.FrontPipeline(front, tmp_path_factory.mktemp("pipeline")) as pipeline:
        yield pipeline.init()


@pytest.fixture(scope="module")
def worker(pipeline):
    return pipeline.worker("--message-bytes=1Mi")


@pytest.fixture(scope="module")
def gateway(front, pipeline):
    return pipeline.gateway(f"--tokens={front.tokens}", "--rate=50", "--burst=20000")


def publish(front, key, body, **properties):
    connection = front.connect("mote", "amqp")
    with contextlib.closing(connection):
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("ir.observations", key, body, pika.BasicProperties(delivery_mode=2, **properties))


def top(program, metric, mote):
    """Returns the sum of the metric over all names that contain `mote`."""
    return sum(value for series, value in program.metrics().items() if series.startswith(f"{metric}{{") and mote in series)


# ---- over AMQP and MQTT: the worker names it ----

GOOD = json.dumps([{"n": f"{POISON}/x", "t": AT, "v": 1}]).encode()
REFUSED = {
    "a refusal bomb": (f"ir.{POISON}", cbor2.dumps([{}] * 10000), {"content_type": "application/senml+cbor"}, POISON),
    "an odd content type": (f"ir.{POISON}", GOOD, {"content_type": "a" * 255}, POISON),
    "a content type that is no text": (f"ir.{POISON}", GOOD, {"content_type": b"\xff\xfe"}, POISON),
    "large headers": (f"ir.{POISON}", GOOD, {"content_type": harness.SENML_JSON, "headers": {"k": "x" * 130000}}, POISON),
    "a key that is no text": (f"ir.{POISON}".encode() + b"\xff", GOOD, {"content_type": harness.SENML_JSON}, "xff"),
    "more than message-bytes": (f"ir.{POISON}", GOOD.ljust(2 * 2**20), {"content_type": harness.SENML_JSON}, POISON),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused(front, pipeline, worker, kind):
    key, body, properties, mote = REFUSED[kind]
    before = top(worker, "ir_rejected_top", mote)
    publish(front, key, body, **properties)
    harness.wait_for(lambda: top(worker, "ir_rejected_top", mote) > before, "the mote in the metrics", WAIT_SECONDS)
    assert f"of mote {POISON}" in worker.text()


def test_a_topic_that_cannot_be_delivered(front, pipeline, worker):
    """The topic permission refuses messages with such a topic. The test lifts the permission until this message is
    queued."""
    node = front.cluster.members[0]
    node.control("set_topic_permissions", "mote", "amq.topic", "^ir\\.", "^$")
    name = "b" * 300
    try:
        with raw_mqtt.Connection(front.balancer.address("mqtt"), "mote", front.cluster.passwords["mote"], "long") as mote:
            mote.accepts(f"ir/{name}", GOOD)
    finally:
        node.control("set_topic_permissions", "mote", "amq.topic", "^ir\\.[^.]{1,200}$", "^$")
    harness.wait_for(lambda: top(worker, "ir_rejected_top", name[:60]), "its name in the metrics", WAIT_SECONDS)
    assert f"routing key 'ir.{name[:60]}" in worker.text()


def test_who_sends_most(front, pipeline, worker):
    """Large valid messages are not refused, whether they are retained or not, but their bytes are counted."""
    before = top(worker, "ir_received_bytes_top", POISON)
    body = GOOD.ljust(900000)
    with raw_mqtt.Connection(front.balancer.address("mqtt"), "mote", front.cluster.passwords["mote"], "retained") as mote:
        for _ in range(3):
            mote.accepts(f"ir/{POISON}", body, first=0x33)
    harness.wait_for(lambda: top(worker, "ir_received_bytes_top", POISON) >= before + 3 * len(body), "its bytes", WAIT_SECONDS)


# ---- over HTTP: the gateway names it ----

BOMB = gzip.compress(b"\n".join([b"[" + b"{}," * 9998 + b"{}]"] * 139), 9)
LARGE = json.dumps([{"bn": f"{POISON}/", "bt": AT, "n": "x", "v": 0},
                    *({"n": "x", "t": i, "v": i} for i in range(1, 9000))]).encode()


@pytest.mark.parametrize("body, headers", [(BOMB, {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}),
                                           (LARGE, {"Content-Type": harness.SENML_JSON})], ids=["bomb", "large"])
def test_what_a_gateway_refuses(front, gateway, body, headers):
    token = front.cluster.mote_tokens[POISON]
    before = top(gateway, "ir_ingest_refused_top", POISON)
    port = int(gateway.address.rsplit(":", 1)[1])
    statuses = [servers.http_request(port, "POST", "/v1/observations", body, {"Authorization": f"Bearer {token}", **headers})[0]
                for _ in range(6)]
    assert set(statuses) & {400, 413, 422, 429}
    assert top(gateway, "ir_ingest_refused_top", POISON) > before
    assert f"of mote {POISON}" in gateway.text()


# ---- connections and channels: balancer and broker name address and user ----


def denied(balancer, kind):
    """Returns how many connections and sessions this listener refused."""
    port = int(balancer.address("stats").split(":")[1])
    text = servers.http_request(port, "GET", "/metrics")[1].decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
               if line.startswith("haproxy_frontend_") and "_denied_" in line and f'proxy="{kind}"' in line)


@pytest.mark.parametrize("kind", ["amqp", "mqtt", "http"])
def test_too_many_connections(front, tmp_path, kind):
    """The address of a client with too many connections is logged, but not once for each connection."""
    nodes = cluster.list_of_nodes.Nodes(brokers=front.cluster.nodes.brokers)
    nodes.limits.update({"connections-per-source": "5", "first-bytes": "2s"})
    with cluster.HAProxy(tmp_path / "balancer", nodes, front.directory / "certificates") as balancer:
        host, port = balancer.address(kind).split(":")
        before, held = denied(balancer, kind), []
        for _ in range(200):
            with contextlib.suppress(OSError):
                held.append(socket.create_connection((host, int(port)), 10, source_address=("127.0.0.9", 0)))
        harness.wait_for(lambda: "127.0.0.9:" in balancer.log.read_text(), "the address in the log", WAIT_SECONDS)
        assert denied(balancer, kind) >= before + 100
        for each in held:
            each.close()
        assert balancer.log.read_text().count("127.0.0.9:") < 20


def test_too_many_requests(front, tmp_path):
    """Too many requests get the status 429. The client's address is logged, but not once for each request."""
    nodes = cluster.list_of_nodes.Nodes(brokers=front.cluster.nodes.brokers)
    nodes.limits["requests-per-source"] = "5"
    with cluster.HAProxy(tmp_path / "balancer", nodes, front.directory / "certificates") as balancer:
        host, port = balancer.address("http").split(":")
        before = denied(balancer, "http")
        with contextlib.closing(http.client.HTTPConnection(host, int(port), 10, source_address=("127.0.0.8", 0))) as connection:
            for _ in range(100):
                connection.request("POST", "/v1/observations", b"[]")
                answer = connection.getresponse()
                answer.read()
        assert answer.status == 429 and answer.headers["Retry-After"] == "10"
        harness.wait_for(lambda: "127.0.0.8:" in balancer.log.read_text(), "the address in the log", WAIT_SECONDS)
        assert denied(balancer, "http") >= before + 90
        assert balancer.log.read_text().count("127.0.0.8:") < 20


@pytest.mark.parametrize("kind, begin", [("amqp", b""), ("amqp", b"GET / HTTP/1.1"), ("mqtt", b""), ("mqtt", b"\x10\x7f"),
                                         ("http", b""), ("http", b"POST /v1/observations HTTP/1.1\r\na")])
def test_idle_slow_and_wrong_connections(front, kind, begin):
    """The balancer closes such connections and logs their address."""
    place = f"127.0.0.{10 + sum(map(ord, kind)) % 90 + len(begin)}"
    host, port = front.balancer.address(kind).split(":")
    with socket.create_connection((host, int(port)), 60, source_address=(place, 0)) as connection:
        connection.sendall(begin)
        with contextlib.suppress(ConnectionError):
            while connection.recv(4096):
                pass
    harness.wait_for(lambda: f"{place}:" in front.balancer.log.read_text(), "the address in the log", WAIT_SECONDS)


def broker_log(front):
    return "".join(path.read_text(errors="replace") for path in (front.cluster.members[0].directory / "log").glob("*.log"))


def test_channels_and_connections_of_a_user(front):
    """The broker's log names a client that asks for more channels or connections than it is allowed."""
    opened = []
    with contextlib.suppress(pika.exceptions.AMQPError, ValueError):
        for _ in range(5):
            opened.append(front.connect(POISON, "amqp"))
    assert len(opened) == 4
    with contextlib.suppress(pika.exceptions.AMQPError, ValueError):
        for connection in opened:
            for _ in range(8):
                connection.channel()
    for connection in opened:
        with contextlib.suppress(pika.exceptions.AMQPError):
            connection.close()
    harness.wait_for(lambda: f"user '{POISON}'" in broker_log(front) and "limit" in broker_log(front),
                     "the user in the broker's log", WAIT_SECONDS)
