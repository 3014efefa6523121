"""A mote may send bytes that are not text wherever it can. They are stored, logged and published as text that every
reader accepts, and the bytes can be recovered (common/legible.h)."""

import contextlib
import json

import pika
import pytest

import harness
import raw_mqtt

KEYS = [b"ir.\xff\xfe", b"ir.a\\xff", b"\xe2\x82", b"ir.a\nb\x7f", b"ir." + b"\xff" * 252, "ir.Bäch".encode(),
        b"ir.a\xed\xa0\x80"]


def legible(data):
    """Makes bytes legible, as common/legible.h does."""
    out = ""
    while data:
        length = next((n for n in range(1, 5) if is_text(data[:n])), 0)
        out += data[:length].decode() if length else f"\\x{data[0]:02x}"
        data = data[length or 1:]
    return out


def is_text(data):
    with contextlib.suppress(UnicodeDecodeError):
        character = data.decode()
        return len(character) == 1 and character >= " " and character not in "\\\x7f"
    return False


@pytest.fixture(scope="module", params=["host", "other"])
def front(request, tmp_path_factory):
    """A front with the host's RabbitMQ, and another with RabbitMQ of another series if there is one."""
    root = harness.other_root() if request.param == "other" else None
    with harness.Front(tmp_path_factory.mktemp("legible"), root=root) as front:
        yield front


def bodies(n, prefix):
    return [json.dumps([{"n": f"{prefix}-{i}/x", "v": i, "t": 1}]).encode() for i in range(n)]


def publish(pipeline, key, body, content_type=harness.SENML_JSON, name=None):
    properties = pika.BasicProperties(content_type=content_type, delivery_mode=2, message_id=name)
    pipeline.connect().basic_publish("ir.observations", key, body, properties)


def connect(front, **more):
    return raw_mqtt.Connection(front.balancer.address("mqtt"), "mote", front.cluster.passwords["mote"], **more)


def letters(pipeline):
    """Returns {body: (routing key, properties)}. The client raises an error unless these are valid text."""
    return {body: (method.routing_key, properties) for method, properties, body in pipeline.take_all("ir.rejected")}


def assert_text(program):
    program.log.read_bytes().decode("utf-8")
    program.get("/metrics")


def test_keys_types_and_names_by_amqp(front, make_front_pipeline, messages):
    pipeline = make_front_pipeline().init()
    worker = pipeline.worker()
    sent = dict(zip(bodies(len(KEYS), "amqp"), KEYS))
    for body, key in sent.items():
        publish(pipeline, key, body)
    publish(pipeline, f"ir.{messages[0].mote}", messages[0].body, b"text/\xff", b"name\xff")
    publish(pipeline, f"ir.{messages[1].mote}", messages[1].body, name=b"name\xff")
    harness.wait_for(lambda: worker.metric("ir_messages_received_total") == len(KEYS) + 2, "them all")
    pipeline.drain()
    stored = dict(pipeline.sqlite("SELECT body, routing_key FROM raw"))
    assert {body: stored[body] for body in sent} == {body: legible(key) for body, key in sent.items()}
    assert dict(pipeline.sqlite("SELECT body, content_type FROM raw"))[messages[0].body] == "text/\\xff"
    assert dict(pipeline.sqlite("SELECT body, name FROM raw"))[messages[1].body] == b"name\xff"
    text = pipeline.run("ir-store", "rejected", "list", "--json", *pipeline.stores())
    listed = [json.loads(line) for line in text.splitlines()]
    assert sorted(each["routing_key"] for each in listed if each["mote"] == "") == sorted(map(legible, KEYS))
    told = letters(pipeline)
    for body, key in sent.items():
        routing_key, properties = told[body]
        assert properties.headers["routing-key"] == legible(key)
        assert routing_key == (legible(key) if len(legible(key)) < 256 else "")
    assert told[messages[0].body][1].content_type == "text/\\xff" and told[messages[0].body][1].headers["name"] == "name\\xff"
    assert_text(worker)


def test_a_replay_has_the_bytes(front, make_front_pipeline):
    """Replays stored messages, and those that only the queue has: each is published with its original bytes."""
    pipeline = make_front_pipeline().init()
    worker = pipeline.worker()
    for body, key in zip(bodies(len(KEYS), "again"), KEYS):
        publish(pipeline, key, body, name=b"\xff\\")
    harness.wait_for(lambda: worker.metric("ir_messages_received_total") == len(KEYS), "them all")
    pipeline.drain()
    before = pipeline.sqlite("SELECT id, routing_key, name FROM raw ORDER BY id")
    operator = [f"--amqp=amqp://operator@{front.balancer.address('inside')}", "--trusted-users=operator"]
    env = {"IR_AMQP_PASSWORD": front.cluster.passwords["operator"]}
    status, text, errors = pipeline.call("ir-store", "rejected", "replay", *operator, *pipeline.stores(), env=env)
    assert status == 0 and f"replayed {len(KEYS)} " in text, errors
    harness.wait_for(lambda: worker.metric("ir_messages_received_total") == 2 * len(KEYS), "them again")
    pipeline.drain()
    assert pipeline.sqlite("SELECT id, routing_key, name FROM raw ORDER BY id") == before


def test_mongodb_has_text(front, make_front_pipeline, mongodb):
    import pymongo

    name = f"legible{front.cluster.nodes.brokers[0].amqp}"
    uri = f"mongodb://{harness.servers.HOST}:{mongodb.port}/{name}?directConnection=true"
    pipeline = make_front_pipeline(documents=uri).init()
    worker = pipeline.worker()
    sent = dict(zip(bodies(len(KEYS), "mongodb"), KEYS))
    for body, key in sent.items():
        publish(pipeline, key, body, b"text/\xff")
    harness.wait_for(lambda: worker.metric("ir_messages_received_total") == len(KEYS), "them all")
    pipeline.drain()
    database = pymongo.MongoClient(mongodb.uri, serverSelectionTimeoutMS=5000)[name]
    found = {bytes(each["body"]): (each["routing_key"], each["content_type"]) for each in database.raw.find()}
    assert found == {body: (legible(key), "text/\\xff") for body, key in sent.items()}
    pipeline.stop_workers()


@pytest.mark.parametrize("version", [4, 5])
def test_topics_by_mqtt(front, make_front_pipeline, messages, version):
    """A message that the broker accepts is dead-lettered exactly once. Other messages continue."""
    if version == 5 and harness.series_of(front.cluster.members[0].root) < (4, 0):
        pytest.skip("before RabbitMQ 4 there is no MQTT 5 to rely on")
    pipeline = make_front_pipeline().init()
    worker = pipeline.worker()
    taken = {}
    for body, key in zip(bodies(len(KEYS), f"mqtt{version}"), KEYS):
        topic = key.replace(b".", b"/")
        with connect(front, version=version) as mote:
            if key.startswith(b"ir.") and mote.accepts(topic, body):
                taken[body] = key
    for message in messages[:5]:
        pipeline.publish(message)
    harness.wait_for(lambda: worker.metric("ir_messages_received_total") == len(taken) + 5, "them all")
    pipeline.drain()
    told = letters(pipeline)
    assert {body: properties.headers["routing-key"] for body, (_, properties) in told.items()} == \
        {body: legible(key) for body, key in taken.items()}
    assert worker.metric("ir_broker_reconnects_total") == 0
    assert_text(worker)


def test_what_cannot_be_delivered(front, make_front_pipeline, messages):
    """The undeliverable message is taken aside, and its key is made legible."""
    node = front.cluster.members[0]
    node.control("set_topic_permissions", "mote", "amq.topic", "^ir\\.", "^$")
    try:
        pipeline = make_front_pipeline().init()
        worker = pipeline.worker()
        key = b"ir." + b"\xff\\" * 200
        with connect(front) as mote:
            mote.publish(key.replace(b".", b"/"), b"body")
        for message in messages[:20]:
            pipeline.publish(message)
        harness.wait_for(lambda: worker.metric("ir_messages_set_aside_total") == 1, "it to be taken aside", 60)
        harness.wait_for(lambda: len(pipeline.sqlite_ids("raw")) == 20, "all others")
        told = letters(pipeline)
        assert told[b"body"][1].headers["routing-key"] == legible(key)
        assert_text(worker)
    finally:
        node.control("set_topic_permissions", "mote", "amq.topic", "^ir\\.[^.]{1,200}$", "^$")
