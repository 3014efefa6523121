"""Clients send messages with their default settings. All are stored byte for byte, and none becomes a dead letter."""

import gzip
import itertools
import json
import shutil
import subprocess

import pika
import pytest

import harness
from harness import servers

MOTE = "USGS-08068500"
KEY = f"ir.{MOTE}"
TIMES = itertools.count(1320500000)

PAHO = """
import sys
import paho.mqtt.publish as publish
host, port, user, password, topic, retain = sys.argv[1:]
publish.single(topic, sys.stdin.buffer.read(), qos=1, retain=retain == "1", hostname=host, port=int(port),
               client_id="paho", auth={"username": user, "password": password})
"""
NODE = """
const [host, port, user, password, topic] = process.argv.slice(1);
const client = require("mqtt").connect(`mqtt://${host}:${port}`, {username: user, password, connectTimeout: 10000});
const body = require("fs").readFileSync(0);
client.on("error", (error) => { console.error(String(error)); process.exit(1); });
client.on("connect", () => client.publish(topic, body, {qos: 1}, (error) => { client.end(); process.exitCode = error ? 1 : 0; }));
"""


@pytest.fixture(scope="module")
def shared(mqtt_broker, tmp_path_factory):
    with harness.Pipeline(mqtt_broker, tmp_path_factory.mktemp("senders")) as pipeline:
        pipeline.init()
        pipeline.worker()
        pipeline.issue(MOTE)
        pipeline.gateway()
        yield pipeline


def pack():
    """Makes a pack with a new time, so that it is a new observation."""
    return json.dumps([{"bn": f"{MOTE}/", "bt": next(TIMES), "n": "00010", "u": "Cel", "v": 18.5}]).encode()


def expect(pipeline, sent):
    """Asserts that exactly these bodies were stored. `sent` maps each body to the number of observations in it."""
    pipeline.drain()
    for body, count in sent.items():
        rows = pipeline.sqlite("SELECT status FROM raw WHERE body = ?", body)
        assert len(rows) == 1, (body[:60], rows)
        found = pipeline.sqlite("SELECT count(*) FROM observations o JOIN raw r ON r.id = o.raw WHERE r.body = ?", body)[0][0]
        assert found == count, (body[:60], found)
    assert pipeline.take_all("ir.rejected") == []


def run(words, body):
    done = subprocess.run(words, input=body, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


# ---- AMQP ----


@pytest.mark.parametrize("content_type", (
    None, "application/json", "application/json; charset=utf-8", "text/plain", "text/plain; charset=us-ascii",
    "application/octet-stream", "application/senml+json"))
def test_content_types(shared, content_type):
    body = pack()
    shared.connect().basic_publish("ir.observations", KEY, body, pika.BasicProperties(content_type=content_type, delivery_mode=2))
    expect(shared, {body: 1})


def test_gzip(shared):
    """Compressed bodies are accepted with or without the property. The raw body is stored as it was sent, and can be
    analysed again."""
    told, silent = (gzip.compress(pack(), mtime=0) for _ in range(2))
    properties = pika.BasicProperties(content_type="application/json", content_encoding="gzip", delivery_mode=2)
    shared.connect().basic_publish("ir.observations", KEY, told, properties)
    shared.publish_body(silent, KEY)
    shared.publish_body(silent, KEY)
    expect(shared, {told: 1, silent: 1})


def test_gzip_is_bounded(shared):
    bomb = gzip.compress(b"[" + b" " * 2**20 + b"]", mtime=0)
    shared.publish_body(bomb, KEY)
    assert shared.dead_letter()[1].headers["reason"] == "too-large"
    shared.publish_body(gzip.compress(pack(), mtime=0)[:-9], KEY)
    assert shared.dead_letter()[1].headers["reason"] == "not-gzip"


def test_what_stands_around_json(shared):
    body = b"\xef\xbb\xbf" + pack() + b"\r\n\0"
    pretty = json.dumps(json.loads(pack()), indent=2).encode()
    shared.publish_body(body, KEY)
    shared.publish_body(pretty, KEY, content_type=None)
    expect(shared, {body: 1, pretty: 1})


def test_not_a_number_concerns_its_record(shared):
    """The body contains NaN as Python's json.dumps writes it. Only its own record is refused."""
    records = [{"bn": f"{MOTE}/", "bt": next(TIMES), "n": "00010", "v": float("nan")}, {"n": "00010", "v": 7.5}]
    body = json.dumps(records).encode()
    shared.publish_body(body, KEY)
    headers = shared.dead_letter()[1].headers
    assert (headers["reason"], headers["record"], headers["refused"]) == ("not-finite", 0, 1)
    expect(shared, {body: 1})


# ---- MQTT ----


def mqtt(pipeline):
    return [servers.HOST, str(pipeline.broker.ports[3]), f"{pipeline.host}:guest", "guest"]


def test_mosquitto(shared):
    host, port, user, password = mqtt(shared)
    body = pack()
    run(["mosquitto_pub", "-h", host, "-p", port, "-u", user, "-P", password, "-q", "1", "-t", f"ir/{MOTE}", "-s"], body)
    expect(shared, {body: 1})


def test_mosquitto_clears_a_retained_topic(shared):
    """An empty message contains no measurement. It is ignored without a dead letter."""
    host, port, user, password = mqtt(shared)
    run(["mosquitto_pub", "-h", host, "-p", port, "-u", user, "-P", password, "-q", "1", "-r", "-n", "-t", f"ir/{MOTE}"], b"")
    harness.wait_for(lambda: shared.sqlite("SELECT count(*) FROM raw WHERE length(body) = 0")[0][0] == 1, "the message")
    expect(shared, {})


def test_paho(shared):
    body = pack()
    if subprocess.run(["/usr/bin/python3", "-c", "import paho.mqtt.publish"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no python3-paho-mqtt")
    run(["/usr/bin/python3", "-c", PAHO, *mqtt(shared), f"ir/{MOTE}", "1"], body)
    expect(shared, {body: 1})


def test_node(shared):
    """Uses Node's mqtt, if NODE_PATH or Debian's package node-mqtt provides it."""
    node = shutil.which("node")
    if node is None or subprocess.run([node, "-e", 'require("mqtt")'], capture_output=True, check=False).returncode != 0:
        pytest.skip("no node with the module mqtt")
    body = pack()
    run([node, "-e", NODE, *mqtt(shared), f"ir/{MOTE}"], body)
    expect(shared, {body: 1})


# ---- HTTP ----


@pytest.mark.parametrize("words", (
    (), ("-H", "Content-Type: application/json"), ("-H", "Content-Type: text/plain; charset=utf-8"), ("-H", "Content-Type:"),
    ("-H", "Transfer-Encoding: chunked")), ids=lambda words: " ".join(words) or "default")
def test_curl(shared, words):
    body = pack()
    answer = subprocess.run(
        ["curl", "-sS", "--max-time", "60", "--oauth2-bearer", shared.tokens[MOTE], "--data-binary", "@-", *words,
         shared.gateways[0].address + "/v1/observations"], input=body, capture_output=True, timeout=90, check=False)
    assert answer.returncode == 0 and len(json.loads(answer.stdout)["raw_ids"]) == 1, answer
    expect(shared, {body: 1})
