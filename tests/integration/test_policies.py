"""Policies of brokers. With the project's policy, endless redeliveries lose no message. A policy or queue argument that
could make the broker drop messages is reported before that happens."""

import contextlib
import json

import pika
import pytest

import harness

DEFINITIONS = json.loads((harness.ROOT / "ingest" / "definitions.json").read_text())
DELIVERIES = 40  # twice the default limit of RabbitMQ 4


def set_policy(broker, host, name, pattern, definition, priority=0, kind="policies"):
    broker.api("PUT", f"{kind}/{host}/{name}",
               {"pattern": pattern, "definition": definition, "priority": priority, "apply-to": "queues"})


def set_ours(broker, host):
    for policy in DEFINITIONS["policies"]:
        set_policy(broker, host, policy["name"], policy["pattern"], policy["definition"])


def make(broker, tmp_path, **options):
    """Makes a pipeline with this broker."""
    return contextlib.closing(ClosingPipeline(broker, tmp_path, **options))


class ClosingPipeline(harness.Pipeline):
    def close(self):
        self.__exit__()


@pytest.fixture(params=["broker", "other_broker"])
def each_broker(request):
    """Runs with this host's RabbitMQ, and with one of another series if there is one."""
    return request.getfixturevalue(request.param)


def connect(pipeline):
    return pika.BlockingConnection(pika.URLParameters(pipeline.amqp))


def deliver_and_drop(pipeline, queue):
    """Gets a message and closes the connection without acknowledging it, like a worker that is killed."""
    connection = connect(pipeline)
    method, _, _ = next(connection.channel().consume(queue, inactivity_timeout=60))
    assert method is not None, f"{queue} delivers nothing"
    connection.close()


def ready(pipeline, queue):
    connection = connect(pipeline)
    count = connection.channel().queue_declare(queue, passive=True).method.message_count
    connection.close()
    return count


def series(broker):
    return int(broker.api("GET", "overview")["rabbitmq_version"].split(".")[0])


def test_redelivered(each_broker, tmp_path, messages):
    """After 40 deliveries without an acknowledgement, the message is still there, even if the queue is older than the
    policy."""
    with make(each_broker, tmp_path) as pipeline:
        pipeline.declare()
        set_ours(each_broker, pipeline.host)
        pipeline.publish(messages[0])
        queue = next(f"ir.observations.{n}" for n in range(8) if ready(pipeline, f"ir.observations.{n}"))
        for _ in range(DELIVERIES):
            deliver_and_drop(pipeline, queue)
        harness.wait_for(lambda: ready(pipeline, queue) == 1, "the message is back")
        assert ready(pipeline, "ir.rejected") == 0


def test_redelivered_without_policy(other_broker, tmp_path, messages):
    """Without the policy RabbitMQ 4 drops the message, which shows why the policy is needed."""
    if series(other_broker) < 4:
        pytest.skip("RabbitMQ before 4 has no default limit")
    with make(other_broker, tmp_path) as pipeline:
        pipeline.declare()
        pipeline.publish(messages[0])
        queue = next(f"ir.observations.{n}" for n in range(8) if ready(pipeline, f"ir.observations.{n}"))
        for _ in range(21):
            deliver_and_drop(pipeline, queue)
        harness.wait_for(lambda: ready(pipeline, "ir.rejected") == 1, "the message is dead-lettered")
        checked = check(pipeline, other_broker)
        assert checked[0] == 1 and "delivered 20 times" in checked[1]


def management(broker):
    return f"--management=http://guest@127.0.0.1:{broker.ports[2]}"


def check(pipeline, broker):
    status, text, errors = pipeline.call("ir-worker", "--check", *pipeline.arguments(), management(broker))
    return status, "\n".join(line for line in text.splitlines() if line.startswith("policies")) + errors


FAULTS = [
    ("policies", {"delivery-limit": 20}, "delivered 20 times"),
    ("policies", {"message-ttl": 1000, "delivery-limit": 2000000000}, "after 1000 ms"),
    ("policies", {"expires": 60000, "delivery-limit": 2000000000}, "60000 ms (expires)"),
    ("policies", {"max-length": 10, "overflow": "drop-head", "delivery-limit": 2000000000}, "drop-head"),
    ("operator-policies", {"message-ttl": 5000}, "after 5000 ms"),
    ("operator-policies", {"delivery-limit": 3}, "delivered 3 times"),
]


def test_policies_that_drop(each_broker, tmp_path):
    """`--check` reports such a policy. So does a running worker, which is not ready while it exists."""
    with make(each_broker, tmp_path) as pipeline:
        pipeline.init()
        set_ours(each_broker, pipeline.host)
        harness.wait_for(lambda: check(pipeline, each_broker)[0] == 0, "no fault")
        assert "none of 9 queues" in check(pipeline, each_broker)[1]
        worker = pipeline.worker(management(each_broker), "--management-interval=200ms")
        for kind, definition, says in FAULTS:
            set_policy(each_broker, pipeline.host, "mistake", "^ir\\.observations\\.", definition, 7, kind)
            harness.wait_for(lambda says=says: says in (worker.not_ready() or ""), f"not ready: {says}")
            status, text = check(pipeline, each_broker)
            assert status == 1 and says in text and "and 7 more" in text
            each_broker.api("DELETE", f"{kind}/{pipeline.host}/mistake")
            harness.wait_for(lambda: worker.not_ready() is None, "ready again")
        set_policy(each_broker, pipeline.host, "mistake", "^ir\\.rejected$", {"message-ttl": 7}, 7)
        harness.wait_for(lambda: "queue ir.rejected: messages are dropped" in (worker.not_ready() or ""), "not ready")
        assert "error: the broker can drop messages: queue ir.observations.0 and 7 more" in worker.text()


def test_management_away(make_pipeline):
    """If the management interface does not answer, the worker cannot read the policies. It reports this and works
    anyway."""
    pipeline = make_pipeline().init()
    port = harness.servers.free_ports(1)[0]
    worker = pipeline.worker(f"--management=http://monitor@127.0.0.1:{port}")
    worker.await_ready()
    harness.wait_for(lambda: "unknown whether the broker can drop messages" in worker.text(), "said")
    status, text, _ = pipeline.call("ir-worker", "--check", *pipeline.arguments(), f"--management=http://127.0.0.1:{port}")
    assert status == 0 and "unknown whether queues" in text


def test_management_refuses(make_pipeline, broker):
    pipeline = make_pipeline().init()
    words = [*pipeline.arguments(), f"--management=http://nobody@127.0.0.1:{broker.ports[2]}"]
    status, text, _ = pipeline.call("ir-worker", "--check", *words, env={"IR_MANAGEMENT_PASSWORD": "wrong"})
    assert status == 0 and "refuses the user nobody" in text


def test_argument_of_another_hand(each_broker, tmp_path):
    """A queue that somebody declared with a different delivery limit is used unchanged, and reported."""
    with make(each_broker, tmp_path) as pipeline:
        arguments = {"x-queue-type": "quorum", "x-single-active-consumer": True, "x-overflow": "reject-publish",
                     "x-dead-letter-exchange": "ir.rejected", "x-dead-letter-strategy": "at-least-once"}
        connection = connect(pipeline)
        connection.channel().queue_declare("ir.observations.3", durable=True,
                                           arguments={**arguments, "x-delivery-limit": 5})
        connection.close()
        pipeline.declare()
        set_ours(each_broker, pipeline.host)
        status, text = check(pipeline.init(), each_broker)
        assert status == 1 and "queue ir.observations.3: a message that was delivered 5 times" in text
    with make(each_broker, tmp_path) as pipeline:
        connection = connect(pipeline)
        connection.channel().queue_declare("ir.observations.3", durable=True,
                                           arguments={**arguments, "x-delivery-limit": 5, "x-max-length": 10})
        connection.close()
        status, _, errors = pipeline.call("ir-worker", "--declare", *pipeline.arguments())
        assert status == 1 and "other settings" in errors
