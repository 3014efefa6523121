"""Faults: killed workers, unavailable servers, wrong settings. Nothing is lost or duplicated."""

import contextlib
import json
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time

import pytest

import harness
import proxies
from harness import servers

MOTE = "USGS-08068500"


@pytest.fixture(scope="module")
def messages(messages):
    """The replay data; half of its packs have relative times or none."""
    return harness.mix_times(messages)


class Sender(threading.Thread):
    """Publishes in the background at a rate, on a separate connection, and waits for each confirm."""

    def __init__(self, pipeline, messages, rate):
        super().__init__(daemon=True)
        self.pipeline, self.messages, self.rate = pipeline, messages, rate
        self.error = None

    def run(self):
        try:
            self.publish_all()
        except Exception as error:  # noqa: BLE001 (reported by finish)
            self.error = error

    def publish_all(self):
        import pika

        connection = pika.BlockingConnection(pika.URLParameters(self.pipeline.amqp + "?heartbeat=0"))
        channel = connection.channel()
        channel.confirm_delivery()
        begin = time.monotonic()
        for i, message in enumerate(self.messages):
            time.sleep(max(0, begin + i / self.rate - time.monotonic()))
            properties = pika.BasicProperties(content_type=harness.SENML_JSON, delivery_mode=2, message_id=message.name)
            channel.basic_publish("ir.observations", f"ir.{message.mote}", message.body, properties, mandatory=True)
        connection.close()

    def finish(self):
        self.join(120)
        assert not self.is_alive() and self.error is None, self.error


def kill_and_check(pipeline, messages, kills, seed, both=False):
    """Kills workers at random moments and restarts them while data flow."""
    moments = random.Random(seed)
    queue = pipeline.subscribe("senml.#")
    workers = [pipeline.worker(name=f"w{seed}-{i}") for i in range(2)]
    sender = Sender(pipeline, messages, rate=300)
    sender.start()
    for i in range(kills):
        time.sleep(moments.uniform(0.05, 2.5 if kills <= 3 else 1.0))
        victims = workers[:] if both else [moments.choice(workers)]
        for victim in victims:
            victim.kill()
        if both:
            time.sleep(moments.uniform(0, 0.5))
        for victim in victims:
            place = workers.index(victim)
            workers[place] = pipeline.worker(name=f"w{seed}-{i}-{place}", wait=False)
    for worker in workers:
        worker.await_ready()
    sender.finish()
    pipeline.drain(180)
    pipeline.stop_workers()
    pipeline.assert_exactly(messages)
    harness.assert_order(pipeline.take_all(queue), messages)


# ---- workers that are killed ----


@pytest.mark.parametrize("seed", [1, 2])
def test_one_worker_killed(pipeline, messages, seed):
    kill_and_check(pipeline, messages[:1200], 2, seed)


def test_both_workers_killed(pipeline, messages):
    kill_and_check(pipeline, messages[:1200], 2, 3, both=True)


@pytest.mark.slow
@pytest.mark.parametrize("both", [False, True], ids=["one", "both"])
@pytest.mark.parametrize("seed", range(10))
def test_workers_killed_twenty_times(pipeline, messages, seed, both):
    kill_and_check(pipeline, messages[:6000], 20, 100 + seed, both)


def test_taken_over(pipeline, messages):
    """One worker is killed and not restarted. The other one takes over its partitions."""
    first, second = pipeline.worker(), pipeline.worker()
    harness.wait_for(lambda: first.metric("ir_partitions") + second.metric("ir_partitions") == 8, "all partitions")
    sender = Sender(pipeline, messages[:900], rate=300)
    sender.start()
    time.sleep(1)
    first.kill()
    sender.finish()
    harness.wait_for(lambda: second.metric("ir_partitions") == 8, "the other's partitions")
    pipeline.drain()
    pipeline.stop_workers()
    pipeline.assert_exactly(messages[:900])


def test_worker_joins(pipeline, messages):
    """A second worker starts while data flow, and gets its share of the partitions. Order is kept."""
    queue = pipeline.subscribe("senml.#")
    first = pipeline.worker()
    sender = Sender(pipeline, messages[:900], rate=400)
    sender.start()
    time.sleep(0.5)
    second = pipeline.worker()
    sender.finish()
    harness.wait_for(lambda: first.metric("ir_partitions") + second.metric("ir_partitions") == 8, "all partitions")
    assert first.metric("ir_partitions") > 0 and second.metric("ir_partitions") > 0
    pipeline.drain()
    pipeline.stop_workers()
    pipeline.assert_exactly(messages[:900])
    harness.assert_order(pipeline.take_all(queue), messages[:900])


def test_term_finishes_what_is_under_way(pipeline, messages):
    """A worker gets SIGTERM under load. It exits with status 0, everything that it acknowledged is stored, and the next
    worker processes the rest."""
    for message in messages[:1500]:
        pipeline.publish(message)
    worker = pipeline.worker()
    harness.wait_for(lambda: worker.metric("ir_messages_acknowledged_total") > 0, "the first batch")
    assert worker.stop() == 0
    stored = len(pipeline.sqlite_ids("raw"))
    assert 0 < stored == 1500 - pipeline.waiting()
    pipeline.worker()
    pipeline.drain()
    pipeline.stop_workers()
    pipeline.assert_exactly(messages[:1500])


# ---- unavailable servers ----


def test_broker_restart(own_broker, tmp_path, messages):
    """The broker stops and returns after a moment. Then it is killed and returns again."""
    with harness.Pipeline(own_broker, tmp_path) as pipeline:
        pipeline.init()
        workers = [pipeline.worker(), pipeline.worker()]
        done = 0
        for end, leave in ((300, own_broker.stop), (600, own_broker.kill)):
            sender = Sender(pipeline, messages[done:end], rate=1000)
            sender.start()
            sender.finish()
            leave()
            pipeline.disconnect()
            harness.wait_for(lambda: all(worker.not_ready() for worker in workers), "not ready")
            assert "broker" in workers[0].not_ready()
            own_broker.start()
            for worker in workers:
                worker.await_ready(60)
            done = end
        for message in messages[600:700]:
            pipeline.publish(message)
        pipeline.drain(120)
        assert workers[0].metric("ir_broker_reconnects_total") >= 2
        pipeline.stop_workers()
        pipeline.assert_exactly(messages[:700])


def test_broker_away_at_start(tmp_path, own_broker, messages):
    with harness.Pipeline(own_broker, tmp_path) as pipeline:
        pipeline.init()
        own_broker.stop()
        worker = pipeline.worker(wait=False)
        worker.await_listening()
        harness.wait_for(lambda: "broker" in (worker.not_ready() or "") and "warn: broker" in worker.text(), "a message")
        assert worker.process.alive() and worker.get("/healthz")[0] == 200
        own_broker.start()
        worker.await_ready(60)
        for message in messages[:50]:
            pipeline.publish(message)
        pipeline.drain()
        pipeline.stop_workers()
        pipeline.assert_exactly(messages[:50])


def test_stores_away_at_start(make_pipeline, tmp_path_factory, messages):
    """MongoDB and Fuseki start later than the worker. Then both stop in the middle of the run, and return."""
    mongodb = servers.MongoDB(tmp_path_factory.mktemp("own-mongodb"))
    fuseki = servers.Fuseki(tmp_path_factory.mktemp("own-fuseki"))
    try:
        mongodb.start()
        fuseki.start()
        pipeline = make_pipeline(documents=mongodb.uri, graph=fuseki.uri, settings=["--timeout=3s"]).init()
        mongodb.stop()
        fuseki.stop()
        for message in messages[:100]:
            pipeline.publish(message)
        worker = pipeline.worker(wait=False)
        worker.await_listening()
        harness.wait_for(lambda: "documents" in (worker.not_ready() or ""), "not ready")
        assert worker.metric("ir_messages_received_total") == 0
        fuseki.start()
        mongodb.start()
        worker.await_ready(60)
        pipeline.drain()
        for server, stage in ((mongodb, "documents"), (fuseki, "graph")):
            server.kill()
            for message in messages[100:200] if stage == "documents" else messages[200:300]:
                pipeline.publish(message)
            harness.wait_for(lambda stage=stage: stage in (worker.not_ready() or ""), f"{stage} not ready", 60)
            server.start()
            worker.await_ready(60)
            pipeline.drain(120)
        pipeline.stop_workers()
        status, verdict = pipeline.verify(pipeline.write_ledger(messages[:300]))
        assert status == 0, verdict
        assert fuseki.count(f"?o a <{harness.OBSERVATION}>") == verdict["graph"]["expected"]
    finally:
        fuseki.stop()
        mongodb.stop()


def graph_ids(server):
    """Returns the ids of all observations in a graph store."""
    rows = server.select(f"SELECT ?o WHERE {{ {{ ?o a <{harness.OBSERVATION}> }} UNION "
                         f"{{ GRAPH ?g {{ ?o a <{harness.OBSERVATION}> }} }} }}")
    return {row[0].removeprefix("urn:uuid:") for row in rows}


def is_data(content_type, body):
    """Whether a request to the graph store contains observations."""
    return "n-quads" in content_type and b"urn:uuid:" in body


def test_graph_store_that_is_slow(make_pipeline, oxigraph):
    """A request that the server does not finish in time is split into smaller ones, until it does.

    One message of 300 records makes a large request, however the worker divides messages into batches."""
    sent = [harness.Message(MOTE, [{"n": f"{MOTE}/00010", "u": "Cel", "t": 1320500000 + 900 * (300 * k + i), "v": 11.5}
                                   for i in range(300)]) for k in range(3)]

    def fault(_method, _path, content_type, body):
        if not is_data(content_type, body) or len(body) <= 100_000:
            return None
        time.sleep(4)
        return b""

    with proxies.HttpProxy(oxigraph.port, fault) as proxy:
        pipeline = make_pipeline(graph=proxy.uri(oxigraph), settings=["--timeout=3s"]).init()
        for message in sent:
            pipeline.publish(message)
        pipeline.worker()
        pipeline.drain(120)
        pipeline.stop_workers()
        assert proxy.faults > 0, "all requests were small"
    assert {str(each) for message in sent for each in message.ids} <= graph_ids(oxigraph)


def test_graph_store_that_refuses_a_statement(make_pipeline, oxigraph):
    """The worker finds and reports the statement that the graph store refuses. All others are stored, and the document
    of the refused one stays."""
    sent = [harness.Message(MOTE, [{"n": f"{MOTE}/00010", "u": "Cel", "t": 1320500000 + 900 * i, "v": 11.5 + i}])
            for i in range(5)]

    def fault(_method, _path, content_type, body):
        picky = is_data(content_type, body) and b'"13.5"' in body
        return proxies.http_answer(400, b"not thirteen and a half") if picky else None

    with proxies.HttpProxy(oxigraph.port, fault) as proxy:
        pipeline = make_pipeline(graph=proxy.uri(oxigraph)).init()
        for message in sent:
            pipeline.publish(message)
        worker = pipeline.worker()
        headers = pipeline.dead_letter()[1].headers
        pipeline.drain()
        assert worker.metric('ir_rejected_total{reason="graph-refused"}') == 1
        pipeline.stop_workers()
    assert (headers["reason"], headers["raw-id"], headers["record"]) == ("graph-refused", str(sent[2].raw_id), 0)
    assert "not thirteen and a half" in headers["detail"]
    assert {str(each) for message in sent for each in message.ids} - graph_ids(oxigraph) == {str(sent[2].ids[0])}
    assert len(pipeline.sqlite_ids()) == 5


def test_broker_takes_back_what_waits_too_long(own_broker, tmp_path, messages):
    """The worker's batches are full, so it stops reading. After consumer_timeout the broker closes its channels, and
    repeats this until the worker reads. Then the worker consumes the partitions again on the same connection, and
    everything is stored once."""
    own_broker.control("eval", "application:set_env(rabbit, consumer_timeout, 2000), "
                               "application:set_env(rabbit, channel_tick_interval, 1000).")
    log = own_broker.directory / "log" / "node.log"
    with harness.Pipeline(own_broker, tmp_path) as pipeline:
        pipeline.init()
        worker = pipeline.worker("--in-flight=1", "--batch-observations=100", "--timeout=1s")
        lock = sqlite3.connect(tmp_path / "documents.sqlite", isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        for message in messages[:400]:
            pipeline.publish(message)

        def told_again():
            lines = [line for line in log.read_text(errors="replace").splitlines() if "acknowledgement on channel" in line]
            channels = [line.split("acknowledgement on channel")[1].split()[0] for line in lines]
            return any(channels.count(each) > 1 for each in channels)

        harness.wait_for(told_again, "the broker to close a channel twice")
        lock.close()
        pipeline.drain()
        worker.await_ready()
        assert worker.metric("ir_partition_losses_total") > 0 and "warn: broker: partition" in worker.text()
        assert worker.metric("ir_broker_reconnects_total") == 0, worker.text()
        pipeline.stop_workers()
        pipeline.assert_exactly(messages[:400])


def test_start_timeout(make_pipeline):
    """The setting limits how long a worker waits at the start for unavailable servers."""
    closed = servers.free_ports(1)[0]
    pipeline = make_pipeline(graph=f"sparql+http://127.0.0.1:{closed}/ir?strategy=quads")
    pipeline.declare()
    status, _, errors = pipeline.call("ir-store", "init", *pipeline.stores())
    assert status == 1 and str(closed) in errors
    pipeline.run("ir-store", "init", pipeline.stores()[0], "--graph=null:", pipeline.stores()[2])
    status, _, errors = pipeline.call("ir-worker", *pipeline.arguments(), "--start-timeout=1s")
    assert status == 1
    assert "start-timeout" in errors and str(closed) in errors


def test_start_timeout_is_of_the_start(make_pipeline):
    """Once everything has been available, the limit no longer applies: the worker waits for a lost broker."""
    pipeline = make_pipeline(settings=["--start-timeout=2s"]).init()
    worker = pipeline.worker()
    harness.wait_for(lambda: "every partition is consumed" in worker.text(), "the start")
    pipeline.broker.delete_host(pipeline.host)
    harness.wait_for(worker.not_ready, "not ready")
    time.sleep(3.5)
    assert worker.process.alive(), worker.text()


@pytest.fixture
def small_disk(tmp_path):
    """A small file system of 4 MiB, which a test can fill."""
    directory = tmp_path / "small"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(directory)]
    done = subprocess.run(mount, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode != 0:
        pytest.skip(f"no right to mount: {done.stderr.strip()}")
    yield directory
    subprocess.run(["umount", "--lazy", str(directory)], timeout=20, check=True)


@pytest.mark.parametrize("store, stage", [("documents", "documents"), ("graph", "graph")])
def test_disk_full(make_pipeline, small_disk, messages, store, stage):
    """When the disk is full, the worker holds messages back and reports why. It continues when there is room again, and
    nothing is lost."""
    uri = {"documents": f"sqlite:{small_disk / 'documents.sqlite'}", "graph": f"nquads:{small_disk / 'graph'}"}[store]
    pipeline = make_pipeline(**{store: uri}).init()
    ballast = small_disk / "ballast"
    room = shutil.disk_usage(small_disk).free - 128 * 1024
    ballast.write_bytes(bytes(room))
    for message in messages[:400]:
        pipeline.publish(message)
    worker = pipeline.worker(wait=False)
    worker.await_listening()
    harness.wait_for(lambda: "space" in (worker.not_ready() or ""), "not ready", 60)
    [reason] = [line for line in worker.not_ready().splitlines() if "space" in line]
    assert reason.startswith(stage) and str(small_disk) in reason and "free" in reason
    ballast.unlink()
    worker.await_ready()
    pipeline.drain()
    pipeline.stop_workers()
    pipeline.assert_exactly(messages[:400])


def test_disk_full_at_init(make_pipeline, small_disk):
    (small_disk / "ballast").write_bytes(bytes(shutil.disk_usage(small_disk).free))
    pipeline = make_pipeline(documents=f"sqlite:{small_disk / 'documents.sqlite'}")
    status, _, errors = pipeline.call("ir-store", "init", *pipeline.stores())
    assert status == 1 and "no space" in only_line(errors) and str(small_disk) in errors


def test_sqlite_held_by_another(pipeline, messages):
    """While another program locks the database, the worker holds messages back and reports why. It continues when the
    lock is gone, and nothing is lost."""
    path = pipeline.documents.removeprefix("sqlite:")
    blocker = sqlite3.connect(path, isolation_level=None, timeout=30)
    worker = pipeline.worker("--timeout=500ms")
    blocker.execute("BEGIN IMMEDIATE")
    for message in messages[:50]:
        pipeline.publish(message)
    harness.wait_for(lambda: "documents" in (worker.not_ready() or ""), "not ready")
    blocker.execute("ROLLBACK")
    blocker.close()
    worker.await_ready()
    pipeline.drain()
    pipeline.stop_workers()
    pipeline.assert_exactly(messages[:50])


# ---- mistakes in the configuration ----


def only_line(errors):
    """Asserts that the program printed exactly one line. Messages from a sanitizer or a library would be further
    lines."""
    lines = [line for line in errors.splitlines() if line]
    assert len(lines) == 1, errors
    return lines[0]


@pytest.mark.parametrize(
    "words, says",
    [
        (["--prefetch=none"], "prefetch"),
        (["--prefetch=100000"], "prefetch"),
        (["--queue-type=stream"], "queue-type"),
        (["--no-such-setting=1"], "no-such-setting"),
        (["--amqp-password=hunter2"], "amqp-password"),
        (["--amqp=http://localhost"], "amqp"),
        (["--documents=postgres://x"], "documents"),
        (["--graph=ftp://x"], "graph"),
        (["--formats=jsonld,xml"], "xml"),
        (["--base-iri=https://x.example/id"], "base-iri"),
        (["--timeout=5"], "timeout"),
        (["--http=9090"], "http"),
        (["extra"], "extra"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_bad_setting(make_pipeline, words, says):
    pipeline = make_pipeline()
    status, _, errors = pipeline.call("ir-worker", *pipeline.arguments(), *words, seconds=5)
    assert status == 2, errors
    assert says in only_line(errors)
    assert "hunter2" not in errors


def test_bad_setting_in_file(make_pipeline, tmp_path):
    pipeline = make_pipeline()
    settings = tmp_path / "river.conf"
    settings.write_text("[ir-worker]\nprefetch = 10\npartition = 4\n")
    status, _, errors = pipeline.call("ir-worker", f"--settings={settings}")
    assert status == 2
    assert "river.conf" in only_line(errors) and "partition" in errors


def test_bad_setting_in_environment(make_pipeline):
    pipeline = make_pipeline()
    status, _, errors = pipeline.call("ir-worker", *pipeline.arguments(), env={"IR_PREFETCH": "many"})
    assert status == 2 and "IR_PREFETCH" in only_line(errors)


@pytest.mark.parametrize(
    "text, says",
    [(None, "No such file"), ("not turtle at all", "registry.ttl:1")],
    ids=["missing", "no Turtle"],
)
def test_unreadable_registry(make_pipeline, tmp_path, text, says):
    registry = tmp_path / "registry.ttl"
    if text is not None:
        registry.write_text(text)
    pipeline = make_pipeline(registry=registry)
    status, _, errors = pipeline.call("ir-worker", *pipeline.arguments(), seconds=5)
    assert status == 1, errors
    assert says in only_line(errors) and str(registry) in errors


def test_wrong_broker_password(make_pipeline):
    """`--check`, `--declare` and the worker report a wrong password clearly. The worker keeps trying, unless
    start-timeout limits that."""
    pipeline = make_pipeline(env={"IR_AMQP_PASSWORD": "wrong"})
    status, _, errors = pipeline.call("ir-worker", "--declare", *pipeline.arguments())
    assert status == 1 and "password" in only_line(errors) and "wrong" not in errors
    status, text, _ = pipeline.call("ir-worker", "--check", *pipeline.arguments())
    assert status == 1 and "broker" in text and "WRONG" in text and "password" in text


def test_wrong_documents_password(make_pipeline, tmp_path_factory):
    with servers.MongoDB(tmp_path_factory.mktemp("auth"), user="river", password="right") as mongodb:
        pipeline = make_pipeline(documents=mongodb.uri, env={"IR_DOCUMENTS_PASSWORD": "wrong"})
        status, _, errors = pipeline.call("ir-store", "init", *pipeline.stores())
        assert status == 1 and "password" in only_line(errors)
        pipeline.env["IR_DOCUMENTS_PASSWORD"] = "right"
        pipeline.init()
        status, text, errors = pipeline.call("ir-worker", "--check", *pipeline.arguments())
        assert status == 0, text + errors
        assert "right" not in text + errors.replace("right ", "")


def test_store_that_speaks_another_protocol(make_pipeline, broker):
    """The port of RabbitMQ is given as that of MongoDB, and as that of Fuseki."""
    pipeline = make_pipeline(
        documents=f"mongodb://127.0.0.1:{broker.port}/river",
        graph=f"sparql+http://127.0.0.1:{broker.port}/ir?strategy=quads",
        settings=["--timeout=2s"],
    )
    status, text, _ = pipeline.call("ir-worker", "--check", *pipeline.arguments())
    assert status == 1
    wrong = [line for line in text.splitlines() if "WRONG" in line]
    assert len(wrong) == 2 and all(str(broker.port) in line for line in wrong), text


def test_broker_that_is_none(make_pipeline, fuseki):
    pipeline = make_pipeline()
    words = [word for word in pipeline.arguments() if not word.startswith("--amqp=")]
    status, _, errors = pipeline.call("ir-worker", "--declare", f"--amqp=amqp://127.0.0.1:{fuseki.port}", *words, "--timeout=2s")
    assert status == 1 and str(fuseki.port) in only_line(errors)


def test_port_in_use(pipeline):
    with socket.socket() as taken:
        taken.bind((servers.HOST, 0))
        taken.listen()
        address = f"{servers.HOST}:{taken.getsockname()[1]}"
        status, _, errors = pipeline.call("ir-worker", *pipeline.arguments(), f"--http={address}")
    assert status == 1 and address in only_line(errors)


def test_not_set_up(make_pipeline):
    """If the stores were not set up with `ir-store init`, the worker says that this command is needed."""
    pipeline = make_pipeline()
    pipeline.declare()
    status, text, _ = pipeline.call("ir-worker", "--check", *pipeline.arguments())
    assert status == 1 and "ir-store init" in text


def test_check_is_content(pipeline):
    status, text, errors = pipeline.call("ir-worker", "--check", *pipeline.arguments())
    assert status == 0, text + errors
    assert "13 motes, 55 sensors" in text and "8 partitions" in text


@pytest.mark.parametrize(
    "words, code, says",
    [
        (["--partitions=4"], 1, "ir.observations.4"),
        (["--documents=postgres://x"], 2, "postgres"),
        (["--graph=nquads:/dev/null"], 1, "/dev/null"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_check_finds(pipeline, words, code, says):
    """`--check` reports each problem in one line. Settings that can never be valid give the exit status 2."""
    status, text, errors = pipeline.call("ir-worker", "--check", *pipeline.arguments(), *words)
    [wrong] = [line for line in text.splitlines() if "WRONG" in line]
    assert status == code and says in wrong, text + errors


def test_other_number_of_partitions(pipeline):
    """A worker with fewer partitions than there are queues would leave messages unread. It refuses to start and says
    what to do."""
    status, _, errors = pipeline.call("ir-worker", "--declare", *pipeline.arguments(), "--partitions=4")
    assert status == 1 and "ir.observations.4" in only_line(errors)


# ---- signals ----


def test_reload(make_pipeline, tmp_path):
    """SIGHUP reloads the registry. If the file has errors, it is refused, and the worker keeps the registry that it
    has."""
    registry = tmp_path / "registry.ttl"
    lines = harness.REGISTRY.read_text()
    name = f"{MOTE}/00400"
    registry.write_text(lines.replace(f'"{name}"', f'"{MOTE}/ph"'))
    pipeline = make_pipeline(registry=registry).init()
    worker = pipeline.worker()
    message = harness.Message(MOTE, [{"n": name, "t": 1320500000, "v": 7.25}])
    pipeline.publish(message)
    assert pipeline.dead_letter()[1].headers["reason"] == "unknown-sensor"

    registry.write_text("this is no Turtle")
    worker.process.send(signal.SIGHUP)
    harness.wait_for(lambda: worker.metric('ir_registry_reloads_total{result="failed"}') == 1, "the failed reload")
    assert "could not reload the registry" in worker.text() and "registry.ttl:1" in worker.text()

    shutil.copy(harness.REGISTRY, registry)
    worker.process.send(signal.SIGHUP)
    harness.wait_for(lambda: worker.metric('ir_registry_reloads_total{result="done"}') == 1, "the reload")
    second = harness.Message(MOTE, [{"n": name, "t": 1320500900, "v": 7.25}])
    pipeline.publish(second)
    pipeline.drain()
    assert pipeline.sqlite_ids() == second.ids
    pipeline.stop_workers()


def test_reload_of_a_large_registry(make_pipeline, tmp_path, messages):
    """While the worker reads a registry of 140,000 sensors, its event loop continues: it answers every query, and
    messages flow. However many reloads are requested meanwhile, only one more follows."""
    registry = tmp_path / "registry.ttl"
    shutil.copy(harness.REGISTRY, registry)
    pipeline = make_pipeline(registry=registry).init()
    worker = pipeline.worker()
    large = tmp_path / "large.ttl"
    pipeline.run("ir-loadgen", "--simulate=20000", f"--write-registry={large}")
    # The file also keeps its previous content, so that the sent messages are from registered motes.
    registry.write_text(f"@base <https://other.example/> .\n{large.read_text()}\n@base <{harness.BASE_IRI}> .\n"
                        f"{harness.REGISTRY.read_text()}")
    worker.process.send(signal.SIGHUP)
    answers, sent = 0, 0
    while worker.metric('ir_registry_reloads_total{result="done"}') < 1:
        assert worker.get("/healthz")[0] == 200
        assert worker.metric('ir_registry_reloads_total{result="failed"}') == 0, worker.text()
        answers += 1
        if sent < 200:
            pipeline.publish(messages[sent])
            sent += 1
            harness.wait_for(lambda: worker.metric("ir_messages_acknowledged_total") >= sent, "the message", pause=0.01)
            worker.process.send(signal.SIGHUP)
    assert answers > 1, "the registry was loaded before any query could be sent"
    harness.wait_for(lambda: worker.metric('ir_registry_reloads_total{result="done"}') == 2, "the second reload", 60)
    assert worker.metric("ir_registry_sensors") > 140_000
    pipeline.drain()
    assert worker.metric('ir_registry_reloads_total{result="done"}') == 2
    pipeline.stop_workers()
    pipeline.assert_exactly(messages[:sent])


def test_reload_under_load(make_pipeline, tmp_path, messages):
    registry = tmp_path / "registry.ttl"
    shutil.copy(harness.REGISTRY, registry)
    pipeline = make_pipeline(registry=registry).init()
    worker = pipeline.worker()
    sender = Sender(pipeline, messages[:600], rate=500)
    sender.start()
    for count in range(1, 4):
        worker.process.send(signal.SIGHUP)
        harness.wait_for(lambda: worker.metric('ir_registry_reloads_total{result="done"}') == count, "the reload")
    sender.finish()
    pipeline.drain()
    pipeline.stop_workers()
    pipeline.assert_exactly(messages[:600])


def test_secrets_stay_secret(pipeline):
    """The password appears neither in a message nor in the output of --print-settings."""
    status, text, errors = pipeline.call("ir-worker", "--print-settings", env={"IR_AMQP_PASSWORD": "s3cr3t"})
    assert status == 0 and "s3cr3t" not in text + errors and "(set)" in text


def test_health(pipeline):
    worker = pipeline.worker()
    assert worker.get("/healthz")[0] == 200
    assert worker.get("/readyz")[0] == 200
    assert worker.get("/nothing")[0] == 404
    text = worker.get("/metrics")[1]
    assert "# TYPE ir_messages_received_total counter" in text
    assert json.loads(json.dumps(worker.metrics()))["ir_partitions"] in range(0, 9)
    pipeline.stop_workers()
