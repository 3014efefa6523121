"""Overload, and idle connections. A sender repeats only what was refused, everything confirmed is stored, and other
senders are not affected."""

import json

import pytest

import crowd
import harness
from test_load import PATIENT, Load

BOUND = 40  # limit for the messages in a partition's queue
MESSAGES = 3000
SLOW = 100  # connections at each door that send a byte a second
OTHERS = 400  # connections of the test itself, generously estimated


@pytest.fixture
def bounded(front, make_front_pipeline):
    """Limits the queues so that they fill at once."""
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


@pytest.mark.parametrize("idle", [300, pytest.param(10000, marks=pytest.mark.slow)])
def test_idle_and_slow_connections_disturb_nobody(tmp_path, idle):
    """Motes that send beside many idle and slow connections lose no connection and send nothing twice. The balancer
    needs two descriptors for each connection. If the host allows fewer, the test opens fewer connections and prints
    their number."""
    doors = len(crowd.LOGINS)
    most = harness.cluster.descriptors() // 2 - OTHERS
    idle = min(idle, most - doors * SLOW) // doors
    connections = doors * (idle + SLOW) + OTHERS
    limits = {"connections": str(connections), "first-bytes": "30s", "idle-keep-alive": "600s", "idle-session": "600s"}
    with harness.Front(tmp_path / "front", **limits) as front, harness.FrontPipeline(front, tmp_path) as pipeline:
        worker = pipeline.init().worker()
        targets = f"{door(front, 'amqp')},{door(front, 'mqtt')}"
        with crowd.Crowd(front.balancer, front.cluster.passwords["mote"], idle, SLOW) as others:
            load = send(front, tmp_path, targets, "--messages=1200", "--rate=600")
            assert others.cut() == []
        load.assert_good()
        assert_all_stored(pipeline, load)
        assert load.summary["resent"] == load.summary["errors"] == 0
        assert worker.metric("ir_broker_reconnects_total") == 0
        print(doors * idle, "idle connections; latency of confirms:", load.summary["confirm_latency_ms"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["amqp", "mqtt", "http"])
def test_three_times_capacity_for_five_minutes(bounded, front, tmp_path, kind):
    """The queues refuse only what exceeds the capacity. Everything confirmed is stored within a minute, and no process
    needs more memory than at full load."""
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
    pipeline.disconnect()  # otherwise the broker would close this connection, which is idle for too long
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
