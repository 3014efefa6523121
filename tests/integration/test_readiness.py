"""A worker's readiness. Ready means that arriving messages will be stored. Otherwise the worker names what is
missing."""

import json
import signal

import pytest

import harness

USER = "narrow"
PARTITIONS = 8


def rights_of_worker():
    definitions = json.loads((harness.ROOT / "ingest" / "definitions.json").read_text())
    return next(each for each in definitions["permissions"] if each["user"] == "worker")


class Narrow:
    """A broker user with the rights of `worker` except those that a test removes."""

    def __init__(self, pipeline):
        self.pipeline = pipeline
        pipeline.broker.api("PUT", f"users/{USER}", {"password": USER, "tags": ""})
        self.allow()
        self.amqp = f"amqp://{USER}@{pipeline.broker.host}:{pipeline.broker.port}/{pipeline.host}"
        self.env = {"IR_AMQP_PASSWORD": USER}

    def allow(self, **rights):
        wanted = {key: rights_of_worker()[key] for key in ("configure", "write", "read")}
        self.pipeline.broker.api("PUT", f"permissions/{self.pipeline.host}/{USER}", {**wanted, **rights})

    def worker(self, **options):
        return self.pipeline.worker(f"--amqp={self.amqp}", env=self.env, **options)

    def check(self):
        words = ("--check", *self.pipeline.arguments(), f"--amqp={self.amqp}")
        status, text, errors = self.pipeline.call("ir-worker", *words, env=self.env)
        return status, "".join(line for line in text.splitlines() if "WRONG" in line) or text + errors


@pytest.fixture
def narrow(pipeline):
    return Narrow(pipeline)


def assert_hint(text):
    rights = rights_of_worker()
    assert all(rights[key] in text for key in ("configure", "write", "read")), text


def consumers(pipeline):
    """Returns the number of consumers of each partition."""
    names = [f"ir.observations.{i}" for i in range(PARTITIONS)]
    return [pipeline.connect().queue_declare(name, passive=True).method.consumer_count for name in names]


# ---- rights ----


def test_rights_that_suffice(narrow):
    """The rights that ingest/definitions.json gives to the user `worker` suffice."""
    status, text = narrow.check()
    assert status == 0, text
    narrow.worker()
    narrow.pipeline.stop_workers()


def test_a_refusal_at_the_start_ends_it(narrow):
    """If the broker refuses the login at the start, the worker ends at once and gives the reason. If it refuses the
    user later, the worker waits."""
    narrow.pipeline.issue("mote-1")
    tokens = f"--tokens={narrow.pipeline.directory / 'tokens.txt'}"
    wrong = {"IR_AMQP_PASSWORD": "wrong"}
    stranger = narrow.amqp.rpartition("/")[0] + "/no-such-host"
    for program, more in (("ir-worker", narrow.pipeline.arguments()), ("ir-ingest", [tokens, "--listen=127.0.0.1:0"])):
        for words, env, code in (([f"--amqp={narrow.amqp}"], wrong, "403"), ([f"--amqp={stranger}"], narrow.env, "530")):
            status, _, errors = narrow.pipeline.call(program, *more, *words, env=env)
            assert status == 1 and f"RabbitMQ says {code}" in errors.splitlines()[-1], errors
    worker = narrow.worker()
    gateway = narrow.pipeline.gateway(f"--amqp={narrow.amqp}", env={**narrow.pipeline.env, **narrow.env})
    broker = narrow.pipeline.broker
    broker.api("DELETE", f"users/{USER}")
    for each in (worker, gateway):
        harness.wait_for(lambda each=each: "403" in (each.not_ready() or ""), "the refusal")
    broker.api("PUT", f"users/{USER}", {"password": USER, "tags": ""})
    narrow.allow()
    for each in (worker, gateway):
        each.await_ready(harness.WAIT_SECONDS)
    narrow.pipeline.stop_workers()


@pytest.mark.parametrize("rights, what", [
    ({"configure": "^ir\\.", "write": "^ir\\.", "read": "^(ir\\.|amq\\.topic$)"}, "queue 'amq.gen-"),
    ({"write": "^(ir\\.[opr]|amq\\.gen-|amq\\.topic$)"}, "exchange 'ir.workers'"),
], ids=["queue", "exchange"])
def test_no_right_to_membership(narrow, rights, what):
    """Without the right to take part in membership, no partition is ever consumed. The worker is not ready and names
    the missing rights, and --check reports them. The worker continues as soon as the rights are granted."""
    narrow.allow(**rights)
    worker = narrow.worker(wait=False)
    worker.await_listening()
    reason = harness.wait_for(lambda: "403" in (worker.not_ready() or "") and worker.not_ready(), "the reason")
    assert reason.startswith("membership: ") and what in reason
    assert_hint(reason)
    assert worker.metric("ir_partitions") == 0
    [line] = [each for each in worker.text().splitlines() if what in each][:1]
    assert " warn: " in line, line
    status, text = narrow.check()
    assert status == 1 and "broker" in text and "403" in text and what in text
    assert_hint(text)
    narrow.allow()
    worker.await_ready()
    assert worker.metric("ir_partitions") == PARTITIONS
    narrow.pipeline.stop_workers()


def test_no_right_to_one_partition(narrow):
    """All other partitions are consumed. Messages in this one would not be, so the worker is not ready."""
    rest = "^(ir\\.observations(\\.[0-24-7])?$|ir\\.[prw]|amq\\.gen-|amq\\.topic$)"
    narrow.allow(read=rest)
    worker = narrow.worker(wait=False)
    worker.await_listening()
    harness.wait_for(lambda: (worker.not_ready() or "").startswith("partitions: 3 of 8 are not consumed"), "the others")
    reason = harness.wait_for(lambda: "403" in (worker.not_ready() or "") and worker.not_ready(), "the reason")
    assert reason.startswith("partitions: 3 of 8 are not consumed") and "ir.observations.3" in reason
    assert_hint(reason)
    assert "warn: broker: partition 3 is lost" in worker.text()
    harness.wait_for(lambda: worker.metric("ir_partitions") == PARTITIONS - 1, "the others")
    assert worker.metric("ir_partition_losses_total") > 0 and worker.metric("ir_partitions_unserved") == 1
    status, text = narrow.check()
    assert status == 1 and "ir.observations.3" in text
    assert_hint(text)
    narrow.allow()
    worker.await_ready()
    narrow.pipeline.stop_workers()


@pytest.mark.parametrize("right, pattern, what", [
    ("write", "^(ir\\.[orw]|amq\\.gen-)", "ir.processed"),
    ("write", "^(ir\\.[opw]|amq\\.gen-)", "ir.rejected"),
    ("configure", "^(ir\\.[opw]|amq\\.gen-)", "ir.rejected"),
    ("read", "^(ir\\.|amq\\.gen-)", "amq.topic"),
])
def test_check_finds_the_right_that_is_missing(narrow, right, pattern, what):
    narrow.allow(**{right: pattern})
    status, text = narrow.check()
    assert status == 1 and f"'{what}'" in text
    assert_hint(text)


def test_check_changes_nothing(make_pipeline):
    """When the broker's objects are not declared yet, --check says so and declares nothing."""
    pipeline = make_pipeline()
    pipeline.run("ir-store", "init", *pipeline.stores())
    status, text, errors = pipeline.call("ir-worker", "--check", *pipeline.arguments())
    assert status == 0 and "are missing" in text, text + errors
    names = [each["name"] for each in pipeline.broker.api("GET", f"exchanges/{pipeline.host}")]
    assert not [name for name in names if name.startswith("ir.")]


# ---- partitions ----


def test_ready_when_all_is_consumed(pipeline):
    """When a worker says that it is ready, each partition has a consumer. Tested for the first worker and for further
    ones."""
    for count in range(1, 4):
        pipeline.worker()
        assert min(consumers(pipeline)) >= 1
        harness.wait_for(lambda count=count: all(each.metric("ir_workers") == count for each in pipeline.workers),
                         "all to see each other")
    pipeline.stop_workers()


def test_a_partition_that_changes_hands_is_always_consumed(pipeline):
    """The old worker gives up a partition only when the new one has subscribed to it. No worker becomes unready."""
    first = pipeline.worker()
    second = pipeline.worker(wait=False)

    def shared_out():
        assert min(consumers(pipeline)) >= 1
        assert first.not_ready() is None, first.not_ready()
        held = first.metric("ir_partitions"), second.find_address() and second.metric("ir_partitions")
        return sum(held) == PARTITIONS and min(held) > 0

    harness.wait_for(shared_out, "the partitions to be shared out", pause=0)
    pipeline.stop_workers()


def test_a_rolling_restart(pipeline, messages):
    """Workers are restarted one after the other while motes send. The other workers stay ready, and nothing is lost."""
    for i in range(3):
        pipeline.worker(name=f"w{i}")
    for i in range(3):
        leaving, staying = pipeline.workers[i], [each for each in pipeline.workers if each.process.alive()]
        staying.remove(leaving)
        for message in messages[i * 100 : (i + 1) * 100]:
            pipeline.publish(message)
        assert leaving.stop() == 0
        pipeline.worker(name=f"w{i}-again")
        for worker in staying:
            assert "every partition is consumed" in worker.text()
            assert worker.not_ready() is None
    pipeline.drain()
    pipeline.stop_workers()
    pipeline.assert_exactly(messages[:300])


def test_a_worker_that_cannot_take_its_share_leaves_it_to_the_others(narrow):
    """A second worker may not consume some partitions. The worker that held all partitions keeps these."""
    first = narrow.pipeline.worker()
    narrow.allow(read="^(ir\\.observations$|ir\\.[prw]|amq\\.gen-|amq\\.topic$)")
    second = narrow.worker(wait=False)
    second.await_listening()
    harness.wait_for(lambda: "403" in (second.not_ready() or ""), "the second's reason")
    harness.wait_for(lambda: first.metric("ir_workers") == 2, "the first to see the second")
    assert first.metric("ir_partitions") == PARTITIONS and first.not_ready() is None
    narrow.pipeline.stop_workers()


def test_a_queue_that_is_deleted(pipeline, messages):
    """The broker cancels the consumer. The worker logs a warning, declares the queue again and consumes it."""
    worker = pipeline.worker()
    pipeline.connect().queue_delete("ir.observations.5")
    harness.wait_for(lambda: "warn: broker: partition 5 is lost" in worker.text(), "the warning")
    harness.wait_for(lambda: worker.metric("ir_partitions") == PARTITIONS, "the partition")
    worker.await_ready()
    for message in messages[:100]:
        pipeline.publish(message)
    pipeline.drain()
    pipeline.stop_workers()
    pipeline.assert_exactly(messages[:100])


def fullest_queue(pipeline):
    """Returns the name of the partition that has the most messages, and their number."""
    counts = {name: pipeline.ready_messages(name) for name in (f"ir.observations.{i}" for i in range(PARTITIONS))}
    return max(counts.items(), key=lambda each: each[1])


@pytest.mark.parametrize("stop, start", [
    ("sys:suspend({name})", "sys:resume({name})"),
    ("ra:stop_server(quorum_queues, {{{name}, node()}})", "ra:restart_server(quorum_queues, {{{name}, node()}})"),
], ids=["hangs", "gone"])
def test_a_queue_that_does_not_answer(pipeline, messages, stop, start):
    """A queue hangs. The other queues are consumed and their messages stored; a warning and /readyz name the queue.
    RabbitMQ may close the connection of a consumer of such a queue, at once or after a minute, so the worker tries this
    queue on a separate connection."""
    for message in messages[:200]:
        pipeline.publish(message)
    harness.wait_for(lambda: pipeline.waiting() == 200, "the messages")
    queue, count = fullest_queue(pipeline)
    assert 0 < count < 200
    name = f"'{pipeline.host}_{queue}'"
    number = queue.rsplit(".", 1)[1]
    pipeline.broker.control("eval", stop.format(name=name) + ".")
    try:
        worker = pipeline.worker("--timeout=1s", wait=False)
        worker.await_listening()
        harness.wait_for(lambda: len(pipeline.sqlite_ids("raw")) == 200 - count, "the others' messages")
        harness.wait_for(lambda: worker.metric("ir_partition_losses_total") > 2, "further losses")
        assert f"warn: broker: partition {number} is lost for now" in worker.text()
        assert worker.metric("ir_partitions") == PARTITIONS - 1 and worker.metric("ir_partitions_unserved") == 1
        assert worker.not_ready().startswith(f"partitions: {number} of 8 are not consumed; partition {number} is lost")
        assert worker.metric("ir_broker_reconnects_total") <= 1
    finally:
        pipeline.broker.control("eval", start.format(name=name) + ".")
    worker.await_ready()
    pipeline.drain()
    assert worker.metric("ir_broker_reconnects_total") <= 1
    pipeline.stop_workers()
    pipeline.assert_exactly(messages[:200])


@pytest.mark.parametrize("connected", [True, False])
def test_a_worker_ends_while_the_broker_hangs(pipeline, connected):
    """A stopping worker does not wait for a broker that hangs: neither for the answer to its close nor for a connection
    being established, whatever the time-out is."""
    wait = ("--timeout=30min",)
    worker = pipeline.worker(*wait) if connected else None
    pipeline.broker.process.send_group(signal.SIGSTOP)
    try:
        if not connected:
            worker = pipeline.worker(*wait, wait=False)
            worker.await_listening()
            harness.wait_for(lambda: "consuming" in worker.text(), "the worker to connect")
        assert worker.stop() == 0
    finally:
        pipeline.broker.process.send_group(signal.SIGCONT)


def test_a_peer_that_dies(pipeline):
    """When the other workers know that a worker is gone, they take over its partitions."""
    first, second = pipeline.worker(), pipeline.worker()
    second.kill()
    harness.wait_for(lambda: first.metric("ir_partitions") == PARTITIONS, "the dead worker's partitions")
    harness.wait_for(lambda: first.not_ready() is None, "ready")
    pipeline.stop_workers()


def test_two_workers_of_one_name(pipeline):
    """Both workers report that they have the same name, and one of them waits."""
    workers = [pipeline.worker(name="same"), pipeline.worker("--name=same", name="other")]
    for worker in workers:
        harness.wait_for(lambda worker=worker: "another worker also has the name same" in worker.text(), "the warning")
        assert " warn: " in next(line for line in worker.text().splitlines() if "another worker" in line)
    pipeline.stop_workers()
