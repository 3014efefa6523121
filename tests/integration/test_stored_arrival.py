"""Messages with times relative to their arrival are stored once, in every store, with the same time."""

import json
import signal
import sqlite3
import time
import urllib.parse
import uuid

import pymongo
import pytest

import harness
import proxies
from harness import servers
from test_faults import graph_ids, is_data

MOTE = "USGS-08068500"
SENSOR = f"{MOTE}/00010"


class Documents:
    """The content of a document store, read without the project's code."""

    def __init__(self, kind, directory, mongodb=None):
        self.kind = kind
        self.uri = f"sqlite:{directory / 'documents.sqlite'}"
        if mongodb is not None:
            self.uri = mongodb.uri.replace("/river", f"/t{uuid.uuid4().hex[:8]}")
            self.client = pymongo.MongoClient(self.uri, serverSelectionTimeoutMS=5000, uuidRepresentation="standard")
            self.database = self.client.get_default_database()

    def shell(self, query):
        with sqlite3.connect(self.uri.removeprefix("sqlite:"), timeout=30) as database:
            return database.execute(query).fetchall()

    def observations(self):
        """Returns (id, time in ns) of all observations, in the order of time."""
        if self.kind == "sqlite":
            rows = self.shell("SELECT id, time_ns FROM observations ORDER BY time_ns")
            return [(str(uuid.UUID(bytes=key)), time_ns) for key, time_ns in rows]
        found = self.database["observations"].find({}).sort("time_ns", 1)
        return [(str(each["_id"]), each["time_ns"]) for each in found]

    def raw(self):
        """Returns (status, arrival in ns) of all raw messages, in the order of arrival."""
        if self.kind == "sqlite":
            return self.shell("SELECT n.status, r.received_ns FROM raw r JOIN newest_outcomes n ON n.raw = r.id"
                              " ORDER BY r.received_ns")
        newest = {each["raw"]: each["status"] for each in self.database["outcomes"].find({}).sort("at_ns", 1)}
        found = self.database["raw"].find({}).sort("received_ns", 1)
        return [(newest.get(each["_id"], each["status"]), each["received_ns"]) for each in found]


@pytest.fixture(params=["sqlite", "mongodb"])
def documents(request, tmp_path):
    mongodb = request.getfixturevalue("mongodb") if request.param == "mongodb" else None
    return Documents(request.param, tmp_path, mongodb)


def pack(value, **more):
    return json.dumps([{"n": SENSOR, "u": "Cel", "v": value, **more}, {"n": SENSOR, "u": "Cel", "v": value, "t": -60}])


def test_killed_between_documents_and_graph(make_pipeline, documents, oxigraph):
    """The worker is killed after it stored the document of a message without a time, and before it wrote to the graph.
    The message is still one observation."""

    def away(_method, _path, content_type, body):
        return proxies.http_answer(503, b"not now") if is_data(content_type, body) else None

    before = graph_ids(oxigraph)
    with proxies.HttpProxy(oxigraph.port, away) as proxy:
        pipeline = make_pipeline(documents=documents.uri, graph=proxy.uri(oxigraph), settings=["--timeout=2s"])
        pipeline.declare()
        pipeline.run("ir-store", "init", f"--documents={documents.uri}", "--graph=null:", f"--registry={harness.REGISTRY}")
        for i in range(5):
            pipeline.publish_body(pack(11.5 + i).encode(), f"ir.{MOTE}")
        worker = pipeline.worker(wait=False)  # the graph's refusal may have made the worker unready
        harness.wait_for(lambda: len(documents.observations()) == 10, "the documents")
        stored = documents.observations()
        worker.kill()
        proxy.fault = lambda *_: None
        pipeline.worker()
        pipeline.drain()
        pipeline.stop_workers()
    assert documents.observations() == stored
    assert graph_ids(oxigraph) - before == {key for key, _ in stored}
    assert [status for status, _ in documents.raw()] == ["accepted"] * 5


def test_outcomes_are_appended(make_pipeline, documents, tmp_path):
    """A refused message becomes valid when the registry is corrected. It is stored and shown as accepted, not as a
    repeat."""
    registry = tmp_path / "registry.ttl"
    good = harness.REGISTRY.read_text()
    registry.write_text(good.replace(f'"{SENSOR}"', f'"{MOTE}/other"'))
    pipeline = make_pipeline(documents=documents.uri, registry=registry).init()
    worker = pipeline.worker()
    message = harness.Message(MOTE, [{"n": SENSOR, "u": "Cel", "t": 1320500000, "v": 7.25}])
    queue = pipeline.subscribe("jsonld.#")
    for _ in range(2):
        pipeline.publish(message)
        assert pipeline.dead_letter()[1].headers["reason"] == "unknown-sensor"
    pipeline.drain()
    status = [f"--documents={documents.uri}", f"--graph={pipeline.graph}", f"--registry={registry}"]
    assert [each for each, _ in documents.raw()] == ["rejected"]
    assert json.loads(pipeline.run("ir-store", "status", "--json", *status))["documents"]["raw_rejected"] == 1
    registry.write_text(good)
    worker.process.send(signal.SIGHUP)
    harness.wait_for(lambda: worker.metric('ir_registry_reloads_total{result="done"}') == 1, "the reload")
    for _ in range(2):
        pipeline.publish(message)
        pipeline.drain()
    pipeline.stop_workers()
    assert [each for each, _ in documents.raw()] == ["accepted"]
    assert [key for key, _ in documents.observations()] == [str(message.ids[0])]
    repeats = [bool((properties.headers or {}).get("duplicate")) for _, properties, _ in pipeline.take_all(queue)]
    assert repeats == [False, True]
    told = pipeline.run("ir-store", "status", "--json", *status)
    assert json.loads(told)["documents"]["raw_rejected"] == 0, told
    assert pipeline.verify(pipeline.write_ledger([message]))[0] == 0


def test_store_of_an_earlier_release(make_pipeline, documents):
    """A store of an earlier release is refused with one line that names the command for its migration. The store is
    unchanged."""
    pipeline = make_pipeline(documents=documents.uri)
    pipeline.declare()
    if documents.kind == "sqlite":
        documents.shell("PRAGMA application_id = 1230137718")
        documents.shell("PRAGMA user_version = 1")
        documents.shell("CREATE TABLE raw (id BLOB NOT NULL, hint INTEGER NOT NULL)")
    else:
        documents.database["raw"].insert_one({"_id": uuid.uuid5(uuid.NAMESPACE_DNS, "x"), "mote": MOTE})
    for program, words in (("ir-store", ["init"]), ("ir-worker", ["--start-timeout=2s", *pipeline.arguments()])):
        status, _, errors = pipeline.call(program, *words, *(pipeline.stores() if program == "ir-store" else []))
        assert status == 1
        said = [line for line in errors.splitlines() if "earlier release" in line]
        assert said and all("ir-store reprocess --from" in line for line in said), errors


@pytest.mark.parametrize("kind", [servers.Oxigraph, servers.Fuseki], ids=lambda kind: kind.name)
def test_graph_of_an_earlier_release(make_pipeline, tmp_path, kind):
    """A triplestore with observations that have old ids is refused."""
    with kind(tmp_path / kind.name) as server:
        pipeline = make_pipeline(graph=server.uri).init()
        old = uuid.uuid5(uuid.NAMESPACE_DNS, "x")
        update = urllib.parse.urlencode({"update": f"INSERT DATA {{ <urn:uuid:{old}> a <{harness.OBSERVATION}> }}"})
        path = server.query_path.replace("query", "update")
        head = {"Content-Type": "application/x-www-form-urlencoded"}
        assert servers.http_request(server.port, "POST", path, update, head, 60)[0] in (200, 204)
        before = server.count("?s ?p ?o")
        for program, words in (("ir-store", ["init", *pipeline.stores()]), ("ir-worker", ["--check", *pipeline.arguments()])):
            status, text, errors = pipeline.call(program, *words)
            assert status == 1 and "ir-store reprocess --from" in text + errors, text + errors
        assert server.count("?s ?p ?o") == before


def wait_for_observations(documents, count):
    harness.wait_for(lambda: len(documents.observations()) == count, f"{count} observations", pause=0.2)


def test_clockless_and_named(make_pipeline, documents):
    """A reading without a time is sent three times. Without a name it makes three observations. With one name it makes
    one, with the time of the first message."""
    pipeline = make_pipeline(documents=documents.uri).init()
    worker = pipeline.worker()
    body = json.dumps([{"n": SENSOR, "u": "Cel", "v": 11.5}]).encode()
    for i in range(3):
        pipeline.publish_body(body, f"ir.{MOTE}")
        wait_for_observations(documents, i + 1)
    for _ in range(3):
        pipeline.publish_body(body, f"ir.{MOTE}", name="reading-17")
        pipeline.drain()
    for _ in range(3):  # three messages in one batch
        pipeline.publish_body(body, f"ir.{MOTE}", name="reading-18")
    pipeline.drain()
    assert worker.metric("ir_messages_unstamped_total") == 0
    pipeline.stop_workers()
    stored, raw = documents.observations(), documents.raw()
    assert len(stored) == len(raw) == 5
    assert [time_ns for _, time_ns in stored] == [arrival_ns for _, arrival_ns in raw]
    assert sorted(map(str, pipeline.nquads_ids())) == sorted(key for key, _ in stored)


def test_named_with_other_timestamps(make_pipeline, documents):
    """A client may put a new timestamp into each attempt to send a message. With the same name it is still one message,
    and the timestamp of the first attempt counts."""
    pipeline = make_pipeline(documents=documents.uri).init()
    pipeline.worker()
    now = int(time.time())
    for i in range(3):
        pipeline.publish_body(pack(11.5).encode(), f"ir.{MOTE}", name="reading-17", timestamp=now - 100 + i)
        pipeline.drain()
    pipeline.stop_workers()
    [(_, arrival_ns)] = documents.raw()
    base = {arrival_ns, (now - 100) * 10**9}  # RabbitMQ 3.12 and later replace the timestamp
    times = [time_ns for _, time_ns in documents.observations()]
    assert len(times) == 2 and times[1] in base and times[0] == times[1] - 60 * 10**9


def test_backlog_keeps_its_times(make_pipeline, documents):
    """Messages wait while no worker runs. They are stored with the times of their arrival, even if the worker's clock
    is wrong."""
    pipeline = make_pipeline(documents=documents.uri).init()
    for i in range(3):
        pipeline.publish_body(pack(11.5 + i).encode(), f"ir.{MOTE}")
        time.sleep(1)
    came = time.time_ns()
    time.sleep(2)
    pipeline.worker()
    pipeline.drain()
    pipeline.stop_workers()
    arrivals = [arrival_ns for _, arrival_ns in documents.raw()]
    assert all(came - 5 * 10**9 < each <= came for each in arrivals)
    assert arrivals[2] - arrivals[0] > 10**9
    minute = 60 * 10**9
    assert [time_ns for _, time_ns in documents.observations()] == [a - minute for a in arrivals] + arrivals
