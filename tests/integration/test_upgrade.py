"""The upgrade from RabbitMQ 3 to 4 as in docs/howto/upgrade.md: a second cluster runs beside the old one, with the
balancer in front, while motes send over AMQP, MQTT and HTTP. Nothing is missing, nothing is stored twice, and each
mote's order is kept."""

import contextlib
import json
import subprocess
import sys
import threading
import time
import uuid

import pika
import pytest

import carry
import cut
import drained
import harness
from faulty import Faulty
from harness import cluster, servers

NODES = """\
[balancer]
inside = 127.0.0.1:1
{consumers}
[broker new]
host = 127.0.0.2
[draining old]
host = 127.0.0.1
management = {port}
"""


# ---- starting a series on the other one's data ----


@pytest.mark.parametrize("flags, version, says", [
    ("[quorum_queue,\n virtual_host_metadata].", "4.0.5", "holds data of RabbitMQ 3"),
    ("[message_containers,quorum_queue].", "4.1.0", "holds data of RabbitMQ 3"),
    ("[message_containers,\n stream_update_config_command].", "4.0.5", None),
    ("[message_containers,'rabbitmq_4.0.0',\n stream_update_config_command].", "3.13.7", "holds data of RabbitMQ 4"),
    ("[message_containers,'rabbitmq_4.0.0',\n stream_update_config_command].", "4.2.0", None),
    ("[quorum_queue].", "3.10.8", None),
    ("", "4.0.5", None),
    (None, "4.0.5", None),
])
def test_check_data(tmp_path, flags, version, says):
    (tmp_path / "lib" / f"rabbitmq_server-{version}").mkdir(parents=True)
    (tmp_path / "mnesia").mkdir()
    if flags is not None:
        (tmp_path / "mnesia" / "rabbit@one-feature_flags").write_text(flags)
    argv = [harness.ROOT / "ingest" / "check-data", tmp_path / "mnesia", tmp_path / "lib"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == (1 if says else 0), done.stderr
    assert (says or "") in done.stderr


def both_series():
    """The root folders of RabbitMQ 3 and 4."""
    roots = sorted((None, harness.other_root()), key=harness.series_of)
    if harness.series_of(roots[0]) >= (3, 13) or harness.series_of(roots[1]) < (4, 0):
        pytest.skip("neither the host nor IR_RABBITMQ_ROOT has a RabbitMQ before 3.13, or both have one")
    return roots


def test_the_new_series_is_not_started_on_old_data(tmp_path):
    old, new = both_series()
    if old is not None:
        pytest.skip("the host has the new series")
    with servers.RabbitMQ(tmp_path, root=old):
        pass
    with pytest.raises(servers.ServerError, match="holds data of RabbitMQ 3.*From RabbitMQ 3 to 4"):
        servers.RabbitMQ(tmp_path, root=new).start()


# ---- whether a cluster is drained ----


@pytest.fixture
def monitored(pipeline, broker):
    """This test's part of the shared broker, as the user `monitor` sees it."""
    broker.api("PUT", "users/monitor", {"password": "secret", "tags": "monitoring"})
    broker.api("PUT", f"permissions/{pipeline.host}/monitor", {"configure": "^$", "write": "^$", "read": "^$"})
    yield [cluster.list_of_nodes.Broker("old", servers.HOST, "1", "1", str(broker.ports[2]), "1", "old@localhost")]
    broker.api("DELETE", "users/monitor")


def test_drained(pipeline, monitored, monkeypatch):
    """The old cluster may not be removed while messages wait, a worker holds messages, or a sender is still
    connected."""
    def await_line(text):
        harness.wait_for(lambda: any(text in each for each in drained.first_answer(monitored, "secret", drained.everything)), text)

    monkeypatch.setattr(drained, "CONSUMERS", ("guest",))
    pipeline.publish_body(b"[]", "ir.m")
    await_line("1 messages, 0 of them")
    queue = next(f"ir.observations.{i}" for i in range(8) if pipeline.ready_messages(f"ir.observations.{i}"))
    method, _, _ = next(pipeline.channel.consume(queue, inactivity_timeout=60))
    await_line(f"queue {queue}: 1 messages, 1 of them")
    pipeline.channel.basic_ack(method.delivery_tag)
    assert drained.drained(monitored, "secret", 60) is None
    monkeypatch.setattr(drained, "CONSUMERS", ("worker",))
    assert any(each.startswith("user guest: ") for each in drained.drained(monitored, "secret"))


def test_drained_passes_over_the_brokers_own_connections(front):
    """RabbitMQ keeps connections of its own as long as it runs. They do not prevent the removal."""
    one, password = front.cluster.nodes.brokers[0], front.cluster.passwords["monitor"]

    def own():
        return [each for each in drained.ask(one, password, drained.CONNECTIONS) if each.get("user") == drained.OWN]

    harness.wait_for(own, "its own connection to be listed")
    assert not any(f"user {drained.OWN}:" in each for each in drained.first_answer([one], password, drained.everything))


@pytest.mark.parametrize("consumers, says", [("", "the listener of the programs that read"), ("consumers = 127.0.0.1:2", "old ")])
def test_drained_says_what_it_cannot_know(tmp_path, consumers, says):
    (tmp_path / "nodes.conf").write_text(NODES.format(consumers=consumers, port=servers.free_ports(1)[0]))
    argv = [sys.executable, harness.ROOT / "ingest" / "drained.py", tmp_path / "nodes.conf", tmp_path / "passwords"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and says in done.stderr and len(done.stderr.splitlines()) == 1, done


# ---- the migration ----

AUDIT = "ir.audit"


class Subscriber(threading.Thread):
    """Reads all published messages through a durable queue, from the cluster to which the balancer sends consumers."""

    def __init__(self, stack):
        super().__init__(daemon=True)
        self.stack = stack
        self.over = threading.Event()
        self.error = None  # the last error
        self.seen = []  # (mote, raw id) in their order, each once

    def open(self):
        host, port = self.stack.balancer.address("consumers").split(":")
        login = pika.PlainCredentials("operator", self.stack.cluster.passwords["operator"])
        connection = pika.BlockingConnection(pika.ConnectionParameters(host, int(port), "/", login, heartbeat=0))
        channel = connection.channel()
        channel.queue_declare(AUDIT, durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_bind(AUDIT, "ir.processed", "senml.#")
        return channel

    def run(self):
        known = set()
        while not self.over.is_set():
            try:
                channel = self.open()
                for method, properties, _ in channel.consume(AUDIT, inactivity_timeout=0.5):
                    if self.over.is_set():
                        return
                    if method is not None and properties.message_id not in known:
                        known.add(properties.message_id)
                        self.seen.append((method.routing_key.split(".", 1)[1], properties.message_id))
                    if method is not None:
                        channel.basic_ack(method.delivery_tag)
            except Exception as error:  # noqa: BLE001 (a lost connection raises many kinds of errors)
                self.error = error
                time.sleep(0.2)

    def finish(self):
        self.over.set()
        self.join(30)


class Upgrade:
    """The steps of the upgrade, as in the document."""

    def __init__(self, faulty, root, directory, count):
        self.stack = faulty.stack
        self.old = self.stack.cluster
        self.new = cluster.Cluster(directory, count, root=root)
        self.new.nodes.limits.update(self.old.nodes.limits)
        self.new.passwords_file = self.old.passwords_file

    def start(self):
        """Starts the new cluster with the definitions of the old one."""
        self.new.start()
        exported, imported = (each.members[0].directory / "objects.json" for each in (self.old, self.new))
        self.old.members[0].control("export_definitions", str(exported))
        imported.write_text(json.dumps(carry.carried(json.loads(exported.read_text()))))
        self.new.members[0].control("import_definitions", str(imported))

    def move_senders(self):
        """Moves all senders at once."""
        nodes = self.old.nodes
        nodes.draining, nodes.brokers = nodes.brokers, self.new.nodes.brokers
        cut.cut(self.stack.balancer.directory / "master.sock", "senders")
        self.stack.balancer.reload()

    def move_consumers(self):
        """Moves the consumers. Called when the old cluster is empty and no longer needed."""
        nodes = self.old.nodes
        assert drained.drained(nodes.draining, self.old.passwords["monitor"], 200) is None
        nodes.draining = []
        cut.cut(self.stack.balancer.directory / "master.sock", "consumers")
        self.stack.balancer.reload()
        self.old.stop()

    def stop(self):
        self.new.stop()


def assert_order(seen, stored):
    """Asserts that the arrivals of each mote increase, and so do the times that it sent. `seen`: (mote, raw id) in the
    order of publication."""
    last = {}
    for mote, raw_id in seen:
        body, arrival = stored[raw_id]
        given = json.loads(body)[0].get("bt", 0)
        for kind, now in (("arrival", arrival), ("time", given if given > 10**9 else None)):
            if now is not None:
                assert now >= last.get((mote, kind), 0), f"{mote}: {raw_id} came too late by its {kind}"
                last[mote, kind] = now


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 3], ids=["one broker", "three brokers"])
def test_upgrade_under_load(tmp_path, count):
    old, new = both_series()
    with contextlib.ExitStack() as stack:
        faulty = Faulty(tmp_path / "faulty", old, count)
        upgrade = Upgrade(faulty, new, tmp_path / "new", count)
        stack.callback(upgrade.stop)
        stack.enter_context(faulty)
        upgrade.start()
        subscriber = Subscriber(faulty.stack)
        subscriber.open().connection.close()
        subscriber.start()
        stack.callback(subscriber.finish)
        moves = [(4, upgrade.move_senders), (5, upgrade.move_consumers)]
        # The generator's queue is deleted with the old cluster, so the generator cannot check the order.
        faulty.send("mix", moves, seconds=60, probing=True)
        assert faulty.rejected() == 0
        stored = {str(uuid.UUID(bytes=key)): (body, at) for body, at, key in faulty.arrivals()}
        servers.wait_until(lambda: len(subscriber.seen) == len(stored), 30)
    lacking = stored.keys() - {raw_id for _, raw_id in subscriber.seen}
    assert not lacking, (len(lacking), subscriber.error, [stored[each] for each in [*lacking][:5]])
    assert_order(subscriber.seen, stored)
