"""How a mote with a valid password may try to use more than its share of the broker: channels, headers, topics,
retained messages."""

import contextlib
import http.client
import itertools
import json
import re
import signal
import socket
import threading
import time

import pika
import pika.frame
import pytest

import harness
import raw_mqtt
from harness import cluster, servers
from test_ingress import channel_of, mosquitto

CHANNELS = 32
FRAME_BYTES = 131072
PARTITIONS = 40  # more than the channels of one connection
GREEDY = "greedy-1"


@pytest.fixture(scope="module", params=["host", "other"])
def front(request, tmp_path_factory):
    """Runs with the host's RabbitMQ, and with one of another series if there is one."""
    root = harness.other_root() if request.param == "other" else None
    with harness.Front(tmp_path_factory.mktemp("doors"), root=root, motes=(GREEDY,)) as front:
        yield front


@pytest.fixture
def pipeline(front, make_front_pipeline):
    return make_front_pipeline().init()


def test_a_connection_has_few_channels(front):
    connection = front.connect("mote", "amqp")
    try:
        channels = [connection.channel() for _ in range(CHANNELS)]
        assert all(each.is_open for each in channels)
        with pytest.raises((pika.exceptions.AMQPError, ValueError)):
            connection.channel()
    finally:
        connection.close()


def test_more_partitions_than_channels(make_pipeline, messages):
    """A worker distributes its channels over several connections. A second worker gets half of the partitions, and
    order is kept."""
    pipeline = make_pipeline(settings=[f"--partitions={PARTITIONS}"]).init()
    worker = pipeline.worker()
    assert worker.metric("ir_partitions") == PARTITIONS
    for message in messages[:200]:
        pipeline.publish(message)
    second = pipeline.worker()
    harness.wait_for(lambda: 0 < second.metric("ir_partitions") < PARTITIONS, "the second one's share")
    for message in messages[200:400]:
        pipeline.publish(message)
    harness.wait_for(lambda: pipeline.waiting(PARTITIONS) == 0, "the queues to be empty")
    pipeline.drain()
    pipeline.assert_exactly(messages[:400])


def large_header(mote, body):
    """Returns properties that make a content header frame of the largest possible size."""

    def properties(size):
        return pika.BasicProperties(content_type=harness.SENML_JSON, delivery_mode=2, headers={"k": mote[0] * size})

    def frame_size(size):
        return len(pika.frame.Header(1, len(body), properties(size)).marshal())

    return properties(FRAME_BYTES - frame_size(0))


class WideOpen(harness.Broker):
    """A broker that runs none of the project's scripts, so it keeps all headers."""

    scripts = ()


@pytest.fixture
def open_pipeline(tmp_path):
    with WideOpen(tmp_path / "broker") as broker, harness.Pipeline(broker, tmp_path) as pipeline:
        yield pipeline.init()


def test_a_header_that_grows_over_a_frame(open_pipeline, messages):
    """RabbitMQ adds headers to a message, such as the delivery count after a worker's death. The frame may then exceed
    the size limit. A queue filled by an earlier release may contain such messages."""
    pipeline = open_pipeline
    worker = pipeline.worker()
    worker.process.send_group(signal.SIGSTOP)
    large = messages[0]
    pipeline.connect().basic_publish("ir.observations", f"ir.{large.mote}", large.body, large_header(large.mote, large.body))
    for message in messages[1:40]:
        pipeline.publish(message)
    harness.wait_for(lambda: pipeline.waiting() == 0, "the worker to be given all")
    worker.kill()
    again = pipeline.worker()
    pipeline.drain()
    pipeline.assert_exactly(messages[:40])
    assert again.metric("ir_broker_reconnects_total") == 0


HARMFUL = {
    "k": "x" * 50000,
    "x-death": [1, 2],  # RabbitMQ's process that dead-letters for the queue would end permanently
    "CC": [f"ir.other-{i}" for i in range(40)],
    "BCC": ["ir.other"],
    "nested": [[[[1]]]],  # each level costs RabbitMQ time when it delivers
    "ir-arrival": ["no number"],
}


def test_harmful_properties_are_dropped(front, make_front_pipeline, messages):
    """No program needs these headers, and some of them harm RabbitMQ, so they are dropped. So is the expiration: it
    would remove confirmed messages from the queue, here before a worker runs."""
    pipeline = make_front_pipeline(settings=["--pack-bytes=2Ki", "--message-bytes=2Ki"]).init()
    properties = pika.BasicProperties(content_type=harness.SENML_JSON, headers=HARMFUL, priority=9, expiration="1")
    small, large = messages[:20], [b"[" + b" " * size + b"]" for size in (3000, 4000)]
    with contextlib.closing(front.connect("mote", "amqp")) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for exchange, some in (("ir.observations", small[:10]), ("amq.topic", small[10:])):
            for message in some:
                channel.basic_publish(exchange, f"ir.{message.mote}", message.body, properties)
        for body in large:
            channel.basic_publish("amq.topic", f"ir.{small[0].mote}", body, properties)
    worker = pipeline.worker()
    pipeline.drain()
    pipeline.assert_exactly(small)
    letters = [pipeline.dead_letter() for _ in large]
    assert sorted(body for _, _, body in letters) == sorted(large)
    for _, properties, _ in letters:
        assert {each for each in properties.headers if not each.startswith("x-")} == {"timestamp_in_ms"}
        assert [each["reason"] for each in properties.headers["x-death"]] == ["rejected"]
    assert worker.metric("ir_messages_received_total") == len(small)


def open_channel(front, user):
    """Opens a connection with channel 1; returns its socket."""
    host, port = front.balancer.address("amqp").split(":")
    steps = (
        (0, pika.spec.Connection.StartOk({}, "PLAIN", f"\0{user}\0{front.cluster.passwords[user]}", "en_US")),
        (0, pika.spec.Connection.TuneOk(CHANNELS, FRAME_BYTES, 0)),
        (0, pika.spec.Connection.Open("/")),
        (1, pika.spec.Channel.Open()),
    )
    opened = socket.create_connection((host, int(port)), harness.WAIT_SECONDS)
    opened.sendall(b"AMQP\0\0\x09\x01" + b"".join(pika.frame.Method(*each).marshal() for each in steps))
    return opened


def beginning(user, size):
    """Returns the first frames of a message of that size."""
    return (pika.frame.Method(1, pika.spec.Basic.Publish(0, "amq.topic", f"ir.{user}")).marshal()
            + pika.frame.Header(1, size, pika.BasicProperties()).marshal())


def begin_message(front, user, size=8 * 2**30):
    """Opens a connection and sends the beginning of a message of that size; returns the socket."""
    opened = open_channel(front, user)
    opened.sendall(beginning(user, size))
    return opened


def pour(opened, part=pika.frame.Body(1, bytes(FRAME_BYTES - 8)).marshal()):
    """Sends these bytes again and again until the broker closes the connection."""
    with contextlib.suppress(ConnectionError):
        while True:
            opened.sendall(part)


def test_messages_that_never_end_do_not_block_others(front, pipeline, messages):
    """RabbitMQ keeps unfinished messages in memory. If it kept too many, it would stop reading from all publishers."""
    pipeline.worker()
    node = front.cluster.members[0]
    most = int(node.control("eval", "vm_memory_monitor:get_process_memory().")) + 200 * 2**20
    node.control("set_vm_memory_high_watermark", "absolute", str(most))
    try:
        pouring = [threading.Thread(target=pour, args=[begin_message(front, "mote")], daemon=True) for _ in range(2)]
        for each in pouring:
            each.start()
        for each in pouring:
            each.join(harness.WAIT_SECONDS)
            assert not each.is_alive(), "the broker does not close the connection"
        for message in messages[:20]:
            pipeline.publish(message)
        pipeline.drain()
    finally:
        node.control("set_vm_memory_high_watermark", "0.4")
    pipeline.assert_exactly(messages[:20])
    assert "too much memory: user mote (127.0.0.1:" in log_of(node)


def test_large_messages_that_are_not_awaited_do_not_fill_the_memory(front, pipeline):
    """A sender without confirms is faster than the queue. RabbitMQ would hold 400 of its messages."""
    size = 15 * 2**20
    frames = beginning(GREEDY, size) + pika.frame.Body(1, bytes(FRAME_BYTES - 8)).marshal() * (size // (FRAME_BYTES - 8))
    rest = size % (FRAME_BYTES - 8)
    pipeline.worker()
    pipeline.stop_workers()
    with contextlib.closing(open_channel(front, GREEDY)) as opened:
        pouring = threading.Thread(target=pour, args=[opened, frames + pika.frame.Body(1, bytes(rest)).marshal()], daemon=True)
        pouring.start()
        name = f"user {GREEDY} (127.0.0.1:{opened.getsockname()[1]} "
        pouring.join(harness.WAIT_SECONDS)
        assert not pouring.is_alive(), "a connection that nobody ends"
    harness.wait_for(lambda: f"too much memory: {name}" in log_of(front.cluster.members[0]), "its name in the log")


def log_of(node):
    return "".join(path.read_text(errors="replace") for path in (node.directory / "log").glob("*.log"))


def test_the_log_is_bounded(front):
    """Every client can make the broker log, for example by errors."""
    node = front.cluster.members[0]
    for _ in range(3):
        node.control("eval", 'rabbit_log:error("~s", [binary:copy(<<"x">>, 6000000)]).')
    log = node.directory / "log"
    harness.wait_for((log / "node.log.0").exists, "a second file")
    assert max(each.stat().st_size for each in log.iterdir()) < 17 * 10**6


SMALL = {  # the beginning of an attack, and the frames that it then repeats without end
    "empty frames": (beginning(GREEDY, 1), pika.frame.Body(1, b"").marshal()),
    "frames of one byte": (beginning(GREEDY, 8 * 2**30), pika.frame.Body(1, b"x").marshal()),
    "transaction": (pika.frame.Method(1, pika.spec.Tx.Select()).marshal(),
                    beginning(GREEDY, 2) + pika.frame.Body(1, b"[]").marshal()),
    "unread answers": (b"", pika.frame.Method(1, pika.spec.Basic.Qos(0, 1, False)).marshal()),
}


@pytest.mark.parametrize("kind", SMALL)
def test_small_frames_do_not_fill_the_memory(front, kind):
    """RabbitMQ keeps at least sixty bytes for each small frame, so it closes the connection in time. The mote can
    connect again as often as before."""
    begins, part = SMALL[kind]
    with contextlib.closing(open_channel(front, GREEDY)) as opened:
        opened.sendall(begins)
        pouring = threading.Thread(target=pour, args=[opened, part * 1000], daemon=True)
        pouring.start()
        name = f"user {GREEDY} (127.0.0.1:{opened.getsockname()[1]} "
        pouring.join(harness.WAIT_SECONDS)
        assert not pouring.is_alive(), "the broker does not close the connection"
    harness.wait_for(lambda: f"too much memory: {name}" in log_of(front.cluster.members[0]), "its name in the log")
    with contextlib.ExitStack() as connections:
        for _ in range(4):
            connections.enter_context(contextlib.closing(front.connect(GREEDY, "amqp"))).channel()


def test_a_queue_keeps_no_small_frames(front, pipeline):
    """RabbitMQ would keep at least forty bytes for each frame of a message, as long as the message is queued."""
    node = front.cluster.members[0]
    memory = "[garbage_collect(Each) || Each <- processes()], erlang:memory(total)."
    body = json.dumps([{"n": f"{GREEDY}/x", "t": 1320469200, "v": 1}]).encode().ljust(2**20)
    pipeline.worker()
    pipeline.stop_workers()
    before = int(node.control("eval", memory))
    with contextlib.closing(open_channel(front, GREEDY)) as opened:
        opened.sendall(beginning(GREEDY, len(body)) + b"".join(pika.frame.Body(1, bytes([each])).marshal() for each in body))
        harness.wait_for(lambda: "1" in node.control("list_queues", "--silent", "messages").split(), "the message")
    assert int(node.control("eval", memory)) < before + 20 * len(body)
    pipeline.worker()
    pipeline.drain()
    assert pipeline.sqlite("SELECT COUNT(*) FROM raw WHERE body = ?", body) == [(1,)]


def send_by_topic(front, size):
    mote = "a" * size
    mosquitto(front, harness.Message(mote, [{"n": f"{mote[:10]}/x", "v": 1, "t": 1}]), seconds=3)


@pytest.mark.parametrize("size", [201, 300, 60000])
def test_long_topics_stop_at_the_door(front, pipeline, messages, size):
    """A message with a key over 255 bytes is refused, because it could not be delivered: each attempt would make the
    broker close the worker's connection."""
    worker = pipeline.worker()
    send_by_topic(front, size)
    for other in messages[:5]:
        assert mosquitto(front, other).returncode == 0
    pipeline.drain()
    pipeline.assert_exactly(messages[:5])
    assert worker.metric("ir_broker_reconnects_total") == 0


def test_the_longest_topic_is_taken(front, pipeline):
    pipeline.worker()
    send_by_topic(front, 200)
    assert pipeline.dead_letter()


USER = [
    [(raw_mqtt.USER, b"k" * 300, b"v" * 60000), (raw_mqtt.USER, b"\xff", b"\xfe")],
    [(raw_mqtt.CONTENT_TYPE, b"a" * 300), (raw_mqtt.RESPONSE_TOPIC, b"a" * 60000), (raw_mqtt.CORRELATION, b"\xff" * 60000)],
    [(raw_mqtt.USER, b"k", b"v" * 60000)] * 20,
    [(raw_mqtt.USER, b"timestamp_in_ms", b"1"), (raw_mqtt.USER, b"ir-arrival", b"1"), (raw_mqtt.USER, b"x-death", b"1")],
]


def publish_5(front, mote, body, pairs):
    password = front.cluster.passwords["mote"]
    with raw_mqtt.Connection(front.balancer.address("mqtt"), "mote", password, mote, version=5) as connection:
        return connection.accepts(f"ir/{mote}", body, raw_mqtt.properties(*pairs))


def test_properties_of_mqtt_5(front, pipeline, messages):
    """A message with MQTT 5 properties is accepted like any other, up to a limit for the size of the whole packet."""
    if harness.series_of(front.cluster.members[0].root) < (4, 0):
        pytest.skip("MQTT 5 is reliable only since RabbitMQ 4")
    worker = pipeline.worker()
    for message, pairs in zip(messages, USER):
        assert publish_5(front, message.mote, message.body, pairs)
    assert not publish_5(front, messages[9].mote, messages[9].body, [(raw_mqtt.USER, b"", b"")] * 500000)
    pipeline.drain()
    pipeline.assert_exactly(messages[:len(USER)])
    assert worker.metric("ir_broker_reconnects_total") == 0 and worker.metric("ir_messages_unstamped_total") == 0


def test_nothing_is_retained(front):
    """A retained message is not kept, because no user may read it."""
    node = front.cluster.members[0]
    for number in range(4):
        message = harness.Message(f"retained-{number}", [{"n": "retained/x", "v": 1, "t": 1}])
        message.body = message.body.ljust(2**20)
        assert mosquitto(front, message, more=("-r",)).returncode == 0
    kept = [path for path in node.directory.rglob("*retain*") if path.is_file() and path.stat().st_size > 2**19]
    assert kept == []


def test_an_idle_connection_is_kept(front, tmp_path):
    """Between requests only the time limit `idle-keep-alive` applies."""
    nodes = cluster.list_of_nodes.Nodes(brokers=front.cluster.nodes.brokers)
    nodes.limits.update({"idle-keep-alive": "30s", "first-bytes": "2s"})
    with cluster.HAProxy(tmp_path / "balancer", nodes, front.directory / "certificates") as balancer:
        connection = http.client.HTTPConnection(*balancer.address("http").split(":"), timeout=10)
        connection.request("GET", "/v1/observations")
        assert connection.getresponse().read()
        first = connection.sock
        assert first is not None
        time.sleep(12)
        connection.request("GET", "/v1/observations")
        assert connection.getresponse().read() and connection.sock is first
        connection.close()


# ---- messages in a queue that cannot be delivered ----


@pytest.fixture
def open_door(front):
    """Allows topics of any length, as releases without the limit did."""
    node = front.cluster.members[0]
    node.control("set_topic_permissions", "mote", "amq.topic", "^ir\\.", "^$")
    yield
    node.control("set_topic_permissions", "mote", "amq.topic", "^ir\\.[^.]{1,200}$", "^$")


def rejected_letters(pipeline):
    return {method_properties[1].headers["routing-key"]: (method_properties[1].headers, method_properties[2])
            for method_properties in pipeline.take_all("ir.rejected")}


@pytest.mark.parametrize("sizes", [[300], [300, 5000, 300, 2000]])
def test_what_cannot_be_delivered_is_taken_aside(front, pipeline, messages, open_door, sizes):
    """Undeliverable messages are taken aside and kept. All other messages arrive in order, including those of the same
    partition."""
    worker = pipeline.worker()
    poison = {f"ir.{chr(97 + i) * size}": harness.Message(chr(97 + i) * size, [{"n": f"x{i}", "v": i, "t": 1}])
              for i, size in enumerate(sizes)}
    rest = iter(messages[:80])
    for message in poison.values():
        for other in itertools.islice(rest, 80 // (len(sizes) + 1)):
            pipeline.publish(other)
        assert mosquitto(front, message).returncode == 0
    for other in rest:
        pipeline.publish(other)
    harness.wait_for(lambda: worker.metric("ir_messages_set_aside_total") == len(sizes), "them to be taken aside", 60)
    # While a broker examines messages, they are in no queue for a moment.
    harness.wait_for(lambda: len(pipeline.sqlite_ids("raw")) == 80, "all others")
    pipeline.drain()
    pipeline.assert_exactly(messages[:80])
    letters = rejected_letters(pipeline)
    assert {key: body for key, (_, body) in letters.items()} == {key: each.body for key, each in poison.items()}
    assert all(headers["reason"] == "undeliverable" for headers, _ in letters.values())
    assert "was taken aside" in worker.text()
    harness.wait_for(lambda: worker.not_ready() is None, "the worker to be ready")


def set_most_letters(node, most):
    definition = json.dumps({"max-length": most, "overflow": "reject-publish", "delivery-limit": 2000000000})
    node.control("set_policy", "--apply-to", "queues", "ir-rejected", r"^ir\.rejected$", definition)


def test_what_cannot_be_delivered_waits_for_room(front, pipeline, messages, open_door):
    """While ir.rejected is full, the message stays in its partition, and the broker's log says why."""
    node, worker = front.cluster.members[0], pipeline.worker()
    set_most_letters(node, 1)
    try:
        for number in range(5):
            pipeline.publish_body(b"[", f"ir.{messages[number].mote}")
        pipeline.drain()
        assert mosquitto(front, harness.Message("z" * 300, [{"n": "x", "v": 1, "t": 1}])).returncode == 0
        harness.wait_for(lambda: "nothing was taken aside: \"ir.rejected accepts nothing" in log_of(node), "the reason in the log")
    finally:
        set_most_letters(node, 100000)
    harness.wait_for(lambda: worker.metric("ir_messages_set_aside_total") == 1, "it to be taken aside")


def test_others_do_not_wait_for_it(mqtt_broker, tmp_path, messages):
    """If an undeliverable message is not taken aside, only its partition waits; all others continue undisturbed."""
    with harness.Pipeline(mqtt_broker, tmp_path) as pipeline:
        worker = pipeline.init().worker()
        address = f"{servers.HOST}:{mqtt_broker.ports[3]}"
        with raw_mqtt.Connection(address, f"{pipeline.host}:guest", "guest") as mote:
            mote.publish(b"ir/" + b"a" * 300, b"[]")
        pattern = r"partition (\d+) (holds a message|is lost for now)"
        number = int(harness.wait_for(lambda: re.search(pattern, worker.text()), "it to be found").group(1))
        harness.wait_for(lambda: worker.metric("ir_partitions") == 7, "the others to be consumed again")
        before = worker.metric("ir_messages_redelivered_total")
        for message in messages[:200]:
            pipeline.publish(message)
        others = [f"ir.observations.{i}" for i in range(8) if i != number]
        harness.wait_for(lambda: not any(map(pipeline.ready_messages, others)) and worker.metric("ir_messages_in_flight") == 0,
                         "the others' messages")
        assert worker.metric("ir_messages_redelivered_total") == before
        worker.stop()
        stored = len(pipeline.sqlite_ids("raw"))
        harness.wait_for(lambda: pipeline.ready_messages(f"ir.observations.{number}") == 200 - stored + 1, "the rest to be there")
