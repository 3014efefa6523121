"""More than the workers take: what is refused is held and sent again by who sent it, and nothing else; connections stay, and
all that was confirmed is stored."""

import json
import threading

import pytest

import harness
from harness import programs
from test_ingress import channel_of
from test_load import PATIENT, Load

BOUND = 40  # messages of a partition's queue
MESSAGES = 3000


@pytest.fixture
def bounded(front, make_front_pipeline):
    """Queues that are full in a moment."""
    node = front.cluster.members[0]
    definition = {"max-length": BOUND, "overflow": "reject-publish", "delivery-limit": 2000000000}
    pipeline = make_front_pipeline().init()
    node.control("set_policy", "--apply-to", "queues", "--priority", "9", "bounded", "^ir\\.observations\\.", json.dumps(definition))
    yield pipeline
    node.control("clear_policy", "bounded")


def resends(pipeline, tmp_path, front, kind):
    """How often a message is sent again, while a worker that waits after each batch takes what there is."""
    login = dict.fromkeys(("IR_AMQP_PASSWORD", "IR_MQTT_PASSWORD"), front.cluster.passwords["mote"])
    worker = pipeline.worker("--prefetch=5")
    target = f"{kind}://mote@{front.balancer.address(kind)}"
    load = Load(tmp_path, f"--target={target}", "--no-subscribe", f"--messages={MESSAGES}", "--window=500", PATIENT, env=login)
    load.assert_good()
    pipeline.drain()
    status, verdict = pipeline.verify(load.out / "ledger.txt")
    assert status == 0, verdict
    assert worker.metric("ir_messages_acknowledged_total") <= MESSAGES + load.summary["resent"]
    return load.summary["resent"] / MESSAGES, load.summary["errors"]


@pytest.mark.parametrize("kind", ["amqp", "mqtt"])
def test_only_what_was_not_confirmed_goes_again(bounded, front, tmp_path, kind):
    ratio, errors = resends(bounded, tmp_path, front, kind)
    assert errors > 0, "the queues were never full"
    assert ratio < 1, ratio
