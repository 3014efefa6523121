"""Workers declare exchanges, queues and bindings again if these vanish, and report this."""

import pika
import pytest

import harness
import rabbitmq

PARTITIONS = 8
EXCHANGES = ("ir.observations", "ir.processed", "ir.rejected", "ir.workers")


def bindings(pipeline):
    """Returns (source, destination, key) of all bindings to named exchanges."""
    return sorted((each["source"], each["destination"], each["routing_key"])
                  for each in pipeline.broker.api("GET", f"bindings/{pipeline.host}")
                  if each["source"] and not each["destination"].startswith("amq.gen-"))


def objects(pipeline):
    names = [each["name"] for each in pipeline.broker.api("GET", f"exchanges/{pipeline.host}")]
    return sorted(name for name in names if name.startswith("ir.")), bindings(pipeline)


@pytest.fixture
def running(pipeline):
    """Starts two workers and waits until they have divided the partitions. Yields the objects that the broker then
    has."""
    pipeline.worker()
    pipeline.worker()
    harness.wait_for(lambda: sum(each.metric("ir_partitions") for each in pipeline.workers) == PARTITIONS,
                     "the partitions to be shared out")
    pipeline.before = objects(pipeline)
    assert pipeline.before[0] == sorted(EXCHANGES)
    assert len(pipeline.before[1]) == PARTITIONS + 2
    return pipeline


def found_missing(pipeline):
    return sum(each.metric("ir_broker_objects_missing_total") for each in pipeline.workers)


def logs(pipeline):
    return "".join(each.text() for each in pipeline.workers)


def assert_mended(pipeline, messages):
    """Asserts that all objects exist as before, and that new messages are processed."""
    harness.wait_for(lambda: objects(pipeline) == pipeline.before, f"what was there before: {pipeline.before}")
    for worker in pipeline.workers:
        worker.await_ready()
    queue = pipeline.subscribe("senml.#")
    for message in messages[:60]:
        pipeline.publish(message)
    pipeline.publish_body(b"this is no pack", "ir.USGS-08068500")
    assert pipeline.dead_letter()[1].headers["routing-key"] == "ir.USGS-08068500"
    pipeline.drain()
    pipeline.stop_workers()
    assert {each[1].message_id for each in pipeline.take_all(queue)} == {str(each.raw_id) for each in messages[:60]}


@pytest.mark.parametrize("name", EXCHANGES)
def test_exchange(running, messages, name):
    running.connect().exchange_delete(name)
    harness.wait_for(lambda: f"warn: broker: exchange {name} was missing" in logs(running), "the warning")
    assert found_missing(running) >= 1
    assert_mended(running, messages)


def test_queue_of_dead_letters(running, messages):
    running.connect().queue_delete("ir.rejected")
    harness.wait_for(lambda: "warn: broker: queue ir.rejected was missing" in logs(running), "the warning")
    assert found_missing(running) == 1
    assert_mended(running, messages)


def test_queue_of_a_partition(running, messages):
    running.connect().queue_delete("ir.observations.5")
    harness.wait_for(lambda: "warn: broker: partition 5 is lost" in logs(running), "the warning")
    assert found_missing(running) >= 1
    assert_mended(running, messages)


def test_bindings(running, messages):
    """A worker cannot detect over AMQP that a binding is missing, so it declares bindings regularly."""
    channel = running.connect()
    channel.exchange_unbind("ir.observations", "amq.topic", "ir.#")
    for i in range(PARTITIONS):
        channel.queue_unbind(f"ir.observations.{i}", "ir.observations", "1")
    channel.queue_unbind("ir.rejected", "ir.rejected", "")
    assert bindings(running) == []
    assert_mended(running, messages)


def test_everything_at_once(running, messages):
    channel = running.connect()
    for name in EXCHANGES:
        channel.exchange_delete(name)
    for name in ("ir.rejected", *(f"ir.observations.{i}" for i in range(PARTITIONS))):
        channel.queue_delete(name)
    assert_mended(running, messages)


def test_a_batch_that_waits_for_an_exchange(pipeline, messages):
    """ir.processed is deleted while messages are in progress. It is declared again; then the messages are published and
    acknowledged."""
    worker = pipeline.worker()
    for message in messages[:300]:
        pipeline.publish(message)
    pipeline.connect().exchange_delete("ir.processed")
    for message in messages[300:600]:
        pipeline.publish(message)
    pipeline.drain()
    assert worker.metric("ir_messages_acknowledged_total") >= 600
    pipeline.stop_workers()
    pipeline.assert_exactly(messages[:600])


class Broker(harness.Broker):
    scripts = (rabbitmq.STAMP, rabbitmq.HERE / "start-vhosts.erl")


def test_a_virtual_host_that_is_down(tmp_path):
    """The virtual host is in the cluster's database, but is not started on this node, so the node refuses every
    connection to it."""
    with Broker(tmp_path / "broker") as broker:
        host = broker.new_host()
        broker.control("eval", f'rabbit_vhost_sup_sup:stop_and_delete_vhost(<<"{host}">>).')
        harness.wait_for(lambda: broker.control("eval", f'rabbit_vhost_sup_sup:is_vhost_alive(<<"{host}">>).') == "true\n",
                         "the virtual host to be started", 60, 1)
        pika.BlockingConnection(pika.URLParameters(f"{broker.uri}/{host}")).close()
