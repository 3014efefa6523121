"""More than the workers take, and connections that do nothing: what is refused is held and sent again by who sent it, and
nothing else; all that was confirmed is stored, and others notice nothing."""

import contextlib
import json
import socket
import threading

import pytest

import harness
from test_load import PATIENT, Load

BOUND = 40  # messages of a partition's queue
MESSAGES = 3000
HELD = 300  # connections at each door


@pytest.fixture
def bounded(front, make_front_pipeline):
    """Makes queues that are full in a moment."""
    node = front.cluster.members[0]
    pipeline = make_front_pipeline().init()

    def bound(messages):
        definition = {"max-length": messages, "overflow": "reject-publish", "delivery-limit": 2000000000}
        node.control("set_policy", "--apply-to", "queues", "--priority", "9", "bounded", "^ir\\.observations\\.",
                     json.dumps(definition))
        return pipeline

    yield bound
    node.control("clear_policy", "bounded")


def send(front, directory, target, *words, seconds=120):
    login = dict.fromkeys(("IR_AMQP_PASSWORD", "IR_MQTT_PASSWORD"), front.cluster.passwords["mote"])
    load = Load(directory, f"--target={target}", "--no-subscribe", PATIENT, *words, env=login, seconds=seconds)
    load.assert_even()
    return load


def door(front, kind):
    return f"{kind}://mote@{front.balancer.address(kind)}"


def assert_all_stored(pipeline, load):
    pipeline.drain()
    status, verdict = pipeline.verify(load.out / "ledger.txt")
    assert status == 0, verdict


@pytest.mark.parametrize("kind", ["amqp", "mqtt"])
def test_only_what_was_not_confirmed_goes_again(bounded, front, tmp_path, kind):
    pipeline = bounded(BOUND)
    worker = pipeline.worker("--prefetch=5")
    load = send(front, tmp_path, door(front, kind), f"--messages={MESSAGES}", "--window=500")
    load.assert_good()
    assert_all_stored(pipeline, load)
    assert load.summary["errors"] > 0, "the queues were never full"
    assert load.summary["resent"] < MESSAGES
    assert worker.metric("ir_messages_acknowledged_total") <= MESSAGES + load.summary["resent"]


@contextlib.contextmanager
def held(front, count):
    """Idle connections at every door, and as many that send a byte now and then."""
    begins = {"amqp": b"AMQP\0\0\x09\x01", "mqtt": b"\x10\x7f\0\4MQTT\4", "http": b"POST /v1/observations HTTP/1.1\r\n"}
    connections, over = [], threading.Event()
    for kind, text in begins.items():
        host, port = front.balancer.address(kind).split(":")
        connections += [(socket.create_connection((host, int(port)), 10), text) for _ in range(count)]

    def drip():
        at = 0
        while not over.wait(0.5):
            for connection, text in connections[::2]:
                with contextlib.suppress(OSError):
                    connection.send(text[at % len(text):][:1])
            at += 1

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        for connection, _ in connections:
            connection.close()


def test_idle_and_slow_connections_disturb_nobody(front, make_front_pipeline, tmp_path):
    pipeline = make_front_pipeline().init()
    worker = pipeline.worker()
    with held(front, HELD):
        load = send(front, tmp_path, f"{door(front, 'amqp')},{door(front, 'mqtt')}", "--messages=600", "--rate=600")
    load.assert_good()
    assert_all_stored(pipeline, load)
    assert load.summary["resent"] == load.summary["errors"] == 0
    assert worker.metric("ir_broker_reconnects_total") == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["amqp", "mqtt", "http"])
def test_three_times_capacity_for_five_minutes(bounded, front, tmp_path, kind):
    """What the queues refuse is what is too much; all that was confirmed is stored within a minute, and nobody needs more
    memory than at capacity."""
    pipeline = bounded(1000)
    programs = [pipeline.worker()]
    target = door(front, kind) if kind != "http" else None
    tokens = []
    if kind == "http":
        pipeline.run("ir-loadgen", f"--replay={harness.DATA}", f"--write-motes={tmp_path / 'motes'}")
        pipeline.issue(*(tmp_path / "motes").read_text().split())
        (tmp_path / "mote-tokens").write_text("".join(f"{mote} {token}\n" for mote, token in pipeline.tokens.items()))
        (tmp_path / "mote-tokens").chmod(0o600)
        programs.append(pipeline.gateway("--rate=0"))
        target, tokens = programs[-1].address, [f"--mote-tokens={tmp_path / 'mote-tokens'}"]
    first = send(front, tmp_path, target, *tokens, "--repeat=200", "--duration=30s")
    assert_all_stored(pipeline, first)
    capacity = first.summary["observations_confirmed"] / first.summary["seconds"]
    before = [each.metric("process_peak_resident_memory_bytes") for each in programs]
    pipeline.disconnect()  # it would be idle for too long
    load = send(front, tmp_path, target, *tokens, f"--rate={3 * capacity:.0f}", "--repeat=200", "--duration=300s",
                "--retry-for=60s", seconds=600)
    pipeline.drain(60)
    status, verdict = pipeline.verify(f"{first.out / 'ledger.txt'},{load.out / 'ledger.txt'}")
    assert status == 0, verdict
    after = [each.metric("process_peak_resident_memory_bytes") for each in programs]
    print(kind, f"capacity {capacity:.0f}/s", f"confirmed {load.summary['observations_confirmed'] / load.summary['seconds']:.0f}/s",
          f"resent {load.summary['resent'] / load.summary['messages_sent']:.2f} a message", "peaks", before, after)
    assert load.summary["observations_confirmed"] / load.summary["seconds"] > 0.7 * capacity
    assert all(one <= 1.5 * other for one, other in zip(after, before))
