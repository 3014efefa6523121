"""The arrival of a message: the broker stamps it, whatever the sender claims. A broker that cannot stamp messages does
not start."""

import contextlib
import json
import re
import signal
import subprocess
import threading
import time
import uuid

import pika
import pytest

import harness
import rabbitmq
from harness import servers
from test_ingest import ask


class Unstamped(harness.Broker):
    """A broker without the project's scripts."""

    scripts = ()


class Broken(harness.Broker):
    """A broker with another script in place of the project's."""

    def __init__(self, directory, script):
        super().__init__(directory)
        self.script_text = script

    def files(self):
        files = super().files()
        del files[rabbitmq.STAMP.name]
        return files if self.script_text is None else {**files, rabbitmq.STAMP.name: self.script_text}


STAMP = rabbitmq.STAMP.read_text()


@pytest.mark.parametrize("script", [
    pytest.param(None, id="no-file"),
    pytest.param(STAMP.replace("boot() ->", "boot( ->", 1), id="does-not-compile"),
    pytest.param(STAMP.replace("-behaviour(rabbit_channel_interceptor).", ""), id="not-declared"),
    pytest.param(STAMP.replace("stamp() ->", "stamp() -> {error, made}.\nunused() ->", 1), id="step-fails"),
])
def test_a_broker_that_cannot_stamp_ends(tmp_path, script):
    assert script != STAMP
    if script and "-behaviour" not in script and harness.series_of(servers.usual_rabbitmq()) >= (3, 12):
        pytest.skip("this RabbitMQ has an interceptor for stamps and does not need ours")
    broker = Broken(tmp_path / "broker", script)
    try:
        broker.begin()
        assert broker.process.wait(120) not in (None, 0), servers.tail(broker.log)
        assert not servers.listens(broker.host, broker.port)
    finally:
        broker.stop()


def check(pipeline, amqp=None, password="guest", **environment):
    return pipeline.call("ir-worker", "--check", f"--amqp={amqp or pipeline.amqp}", *pipeline.stores(),
                         env={"IR_AMQP_PASSWORD": password, **environment})


def test_check_sees_the_stamp(pipeline):
    status, text, errors = check(pipeline)
    assert status == 0, text + errors
    assert "arrival    ok" in text


def test_check_tells_of_a_broker_that_does_not_stamp(tmp_path):
    with Unstamped(tmp_path / "broker") as broker, harness.Pipeline(broker, tmp_path) as pipeline:
        pipeline.init()
        status, text, _errors = check(pipeline)
        assert status == 1
        assert "arrival    WRONG  the broker does not stamp what arrives" in text
        assert "broker     ok" in text


@pytest.mark.parametrize("hours, where", [(24, "behind"), (-24, "ahead of")])
def test_check_tells_of_a_wrong_clock(pipeline, hours, where):
    """Nobody can say which of the two is wrong."""
    status, text, _errors = check(pipeline, **harness.wrong_clock(hours))
    assert status == 1 and re.search(rf"^arrival +WRONG +the broker's clock is 8\d{{4}}\.\d s {where} this machine's; set the", text, re.M)


def test_check_needs_no_more_than_the_worker_may(front, make_front_pipeline):
    pipeline = make_front_pipeline().init()
    status, text, errors = check(pipeline, password=front.cluster.passwords["worker"])
    assert status == 0, text + errors
    assert "arrival    ok" in text


def test_check_without_the_right_says_which(pipeline):
    user = {"password": "few", "tags": ""}
    host = pipeline.host
    pipeline.broker.api("PUT", "users/few", user)
    own = r"^(ir\.|amq\.gen-)"
    rights = {"configure": own, "write": own, "read": r"^(ir\.|amq\.gen-|amq\.topic$)"}
    pipeline.broker.api("PUT", f"permissions/{host}/few", rights)
    status, text, _errors = check(pipeline, pipeline.amqp.replace("amqp://", "amqp://few@"), "few")
    assert status == 1
    assert "arrival    WRONG  unknown whether the broker stamps" in text and "write" in text


# ---- which arrival counts ----

MOTE = "USGS-08068500"
PAST, FUTURE = 1_300_000_000, 2_000_000_000  # seconds


def clockless(value, **more):
    return json.dumps([{"n": f"{MOTE}/00010", "u": "Cel", "v": value, **more}]).encode()


def stored(pipeline):
    """Returns {value: (arrival, time of the observation, raw id)}, times in ns."""
    rows = pipeline.sqlite("SELECT r.body, r.received_ns, o.time_ns, r.id"
                           " FROM raw r JOIN observations o ON o.raw = r.id")
    return {json.loads(body)[0]["v"]: (arrival, at, str(uuid.UUID(bytes=key))) for body, arrival, at, key in rows}


def properties_of(stamp, arrival, **more):
    return pika.BasicProperties(content_type=harness.SENML_JSON, delivery_mode=2,
                                headers={"timestamp_in_ms": stamp, "ir-arrival": arrival}, **more)


def forged(seconds, **more):
    return properties_of(seconds * 1000, seconds * 1_000_000, **more)


def by_mqtt(front, body, version, *more):
    host, port = front.balancer.address("mqtt").split(":")
    argv = ["mosquitto_pub", "-h", host, "-p", port, "-V", version, "-q", "1", "-i", MOTE, "-u", "mote", "-P",
            front.cluster.passwords["mote"], "-t", f"ir/{MOTE}", "-s", *more]
    return subprocess.run(argv, input=body, capture_output=True, timeout=30, check=False)


def test_what_a_sender_says_of_the_arrival_does_not_count(front, make_front_pipeline):
    """An untrusted user's headers have no effect, over any protocol. Its property `timestamp` only serves as the base
    of relative times."""
    pipeline = make_front_pipeline().init()
    properties = []
    for arrival in ("timestamp_in_ms", "ir-arrival"):
        properties += ["-D", "publish", "user-property", arrival, str(PAST * 1000)]
    before = time.time_ns()
    with contextlib.closing(front.connect("mote", "amqp")) as connection:
        version = connection._impl.server_properties["version"]
        replaces = tuple(map(int, version.split(".")[:2])) >= (3, 12)  # and speaks MQTT 5
        channel = connection.channel()
        channel.confirm_delivery()
        for i, exchange in enumerate(("ir.observations", "amq.topic")):
            key = f"ir.{MOTE}"
            channel.basic_publish(exchange, key, clockless(1.5 + 10 * i), forged(PAST, user_id="mote"))
            channel.basic_publish(exchange, key, clockless(2.5 + 10 * i), forged(FUTURE))
            channel.basic_publish(exchange, key, clockless(3.5 + 10 * i), forged(PAST, timestamp=PAST))
            odd = (("x", {"a": 1}), (True, -1))[i]
            channel.basic_publish(exchange, key, clockless(4.5 + 10 * i), properties_of(*odd))
    assert by_mqtt(front, clockless(21.5), "mqttv311").returncode == 0
    five = by_mqtt(front, clockless(22.5), "mqttv5", *properties)
    after = time.time_ns()
    pipeline.worker()
    pipeline.drain()
    found = stored(pipeline)
    values = {v + 10 * i for v in (1.5, 2.5, 3.5, 4.5) for i in range(2)} | {21.5}
    assert set(found) == values | ({22.5} if five.returncode == 0 else set())
    assert five.returncode == 0 or not replaces, five.stderr
    for value, (arrival, at, _) in found.items():
        assert before - 10**6 <= arrival <= after, value
        assert at == (PAST * 10**9 if value in (3.5, 13.5) and not replaces else arrival), value


def test_nobody_signs_for_another(front, make_front_pipeline):
    make_front_pipeline().init()
    with contextlib.closing(front.connect("mote", "amqp")) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="user_id"):
            channel.basic_publish("ir.observations", f"ir.{MOTE}", clockless(5.5), forged(PAST, user_id="gateway"))


def test_properties_that_cannot_be_read(pipeline):
    """A malformed frame ends only its own connection. If the project's stamping code reads it first, the client is told
    the reason."""
    with contextlib.closing(pipeline.open()) as other:
        connection = pipeline.open()
        number = connection.channel().channel_number
        publish = pika.spec.Basic.Publish(exchange="ir.observations", routing_key="ir.x")
        method = pika.frame.Method(number, publish).marshal()
        header = pika.frame.Header(number, 1, pika.BasicProperties(headers={"abc": "d"})).marshal()
        body = pika.frame.Body(number, b"x").marshal()
        connection._impl._output_marshaled_frames([method, header.replace(b"abcS", b"abc?"), body])
        with pytest.raises(pika.exceptions.ConnectionClosedByBroker, match="502.*SYNTAX_ERROR|541"):
            connection.process_data_events(30)
        channel = other.channel()
        channel.confirm_delivery()
        channel.basic_publish("ir.observations", f"ir.{MOTE}", clockless(9.5))
    assert pipeline.waiting() == 1


def send_while_stopped(pipeline, gateway, value):
    """Suspends the broker, sends a request, then resumes the broker. Returns the time before, the time of resuming, and
    the answer."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(ask(gateway, pipeline.tokens[MOTE], clockless(value))))
    before = time.time_ns()
    pipeline.broker.process.send_group(signal.SIGSTOP)
    try:
        thread.start()
        time.sleep(2)
    finally:
        resumed = time.time_ns()
        pipeline.broker.process.send_group(signal.SIGCONT)
    thread.join(60)
    assert answers[0].code == 202
    return before, resumed, answers[0]


def test_what_waits_in_the_gateway(own_broker, tmp_path):
    """A message waits in the gateway. Its arrival is the gateway's if the worker trusts the gateway's user; the
    gateway's answer contains the ids that are stored."""
    with harness.Pipeline(own_broker, tmp_path) as pipeline:
        pipeline.init()
        pipeline.issue(MOTE)
        gateway = pipeline.gateway("--confirm-timeout=30s")
        for value, trusted in ((6.5, "gateway,guest"), (7.5, "gateway,operator")):
            before, resumed, answer = send_while_stopped(pipeline, gateway, value)
            pipeline.worker(f"--trusted-users={trusted}")
            pipeline.drain()
            pipeline.stop_workers()
            arrival, at, raw_id = stored(pipeline)[value]
            assert at == arrival
            if "guest" in trusted:
                assert before - 1000 <= arrival < resumed and [raw_id] == answer.ids
            else:
                assert arrival >= resumed - 10**6


def test_a_mote_without_a_clock_by_http(make_pipeline):
    """The same body is sent three times. Without a key it makes three observations. With one key it makes a single one,
    and the repeats get the first id."""
    pipeline = make_pipeline().init()
    pipeline.issue(MOTE)
    gateway, token = pipeline.gateway(), pipeline.tokens[MOTE]
    pipeline.worker("--trusted-users=guest")
    ids = [ask(gateway, token, clockless(6.5)).ids[0] for _ in range(3)]
    first = time.time_ns()
    ids += [ask(gateway, token, clockless(7.5), Idempotency_Key="reading-1").ids[0]]
    pipeline.drain()
    then = time.time_ns()
    ids += [ask(gateway, token, clockless(7.5), Idempotency_Key=key).ids[0] for key in ("reading-1", '"reading-1"')]
    pipeline.drain()
    pipeline.stop_workers()
    assert len(set(ids)) == 4 and len(set(ids[3:])) == 1
    assert sorted(map(str, pipeline.sqlite_ids("raw"))) == sorted(set(ids))
    assert pipeline.sqlite("SELECT value, count(*) FROM observations GROUP BY value") == [(6.5, 3), (7.5, 1)]
    assert first - 1000 <= stored(pipeline)[7.5][0] <= then


@pytest.mark.parametrize("name", [None, "reading-1"])
def test_a_replayed_dead_letter_keeps_its_arrival(make_pipeline, tmp_path, name):
    """A message that a trusted user replays counts as the original message: it keeps its arrival and its name."""
    registry = tmp_path / "registry.ttl"
    good = harness.REGISTRY.read_text()
    registry.write_text(good.replace(f'"{MOTE}/00010"', f'"{MOTE}/other"'))
    pipeline = make_pipeline(registry=registry).init()
    worker = pipeline.worker("--trusted-users=guest")
    before = time.time_ns()
    pipeline.publish_body(clockless(8.5), f"ir.{MOTE}", name=name)
    _, properties, body = pipeline.dead_letter()
    after = time.time_ns()
    headers = properties.headers
    assert headers["reason"] == "unknown-sensor" and headers.get("name") == name
    assert before - 10**6 <= headers["ir-arrival"] * 1000 <= after
    registry.write_text(good)
    worker.process.send(signal.SIGHUP)
    harness.wait_for(lambda: worker.metric('ir_registry_reloads_total{result="done"}') == 1, "the reload")
    again = pika.BasicProperties(content_type=properties.content_type, delivery_mode=2, user_id="guest",
                                 message_id=name, headers={"ir-arrival": headers["ir-arrival"]})
    for _ in range(2):
        pipeline.connect().basic_publish("ir.observations", headers["routing-key"], body, again)
        pipeline.drain()
    pipeline.stop_workers()
    assert stored(pipeline) == {8.5: (headers["ir-arrival"] * 1000, headers["ir-arrival"] * 1000, headers["raw-id"])}
    assert len(pipeline.sqlite_ids("raw")) == len(pipeline.sqlite_ids()) == 1


def test_the_present_is_no_future_to_a_worker_that_is_days_behind(make_pipeline):
    """Whether a time is too far in the future depends on the message's arrival, not on the worker's clock."""
    pipeline = make_pipeline().init()
    now = int(time.time())
    bodies = [clockless(9.5, t=now), clockless(10.5, t=now + 10 * 86400)]
    pipeline.worker(env=harness.wrong_clock(-72))
    for body in bodies:
        pipeline.publish_body(body, f"ir.{MOTE}")
    assert pipeline.dead_letter()[1].headers["reason"] == "future"
    pipeline.drain()
    assert pipeline.take("ir.rejected") is None
    assert pipeline.sqlite("SELECT time_ns FROM observations") == [(now * 10**9,)]


@pytest.mark.parametrize("hours", [1, -1])
def test_the_workers_clock_moves_nothing(make_pipeline, hours):
    """The worker's clock is wrong by an hour, and the worker starts late. The stored times are still those of
    sending."""
    pipeline = make_pipeline().init()
    before = time.time_ns()
    pipeline.publish_body(clockless(6.5), f"ir.{MOTE}")
    pipeline.publish_body(clockless(7.5, t=-30), f"ir.{MOTE}", name="reading-1")
    harness.wait_for(lambda: pipeline.waiting() == 2, "both messages in their queue")
    after = time.time_ns()
    pipeline.worker(env=harness.wrong_clock(hours))
    pipeline.drain()
    pipeline.stop_workers()
    found = stored(pipeline)
    assert set(found) == {6.5, 7.5}
    for value, (arrival, at, _) in found.items():
        assert before - 10**6 <= arrival <= after
        assert at == arrival - (30 * 10**9 if value == 7.5 else 0)
