"""ir-store reprocess analyses raw messages again, and migrates stores of earlier releases."""

import datetime
import json
import sqlite3
import subprocess
import uuid

import pytest

import harness
from harness import servers
from test_rejected import documents  # noqa: F401 (a fixture)

MOTE = "USGS-08068500"
SENSOR = f"{MOTE}/00010"
BEGIN = 1320500000


def reprocess(pipeline, *words, seconds=60):
    status, text, errors = pipeline.call("ir-store", "reprocess", "--json", *words, *pipeline.stores(), seconds=seconds)
    assert status == 0, errors
    return [json.loads(line) for line in text.splitlines()]


def at(minutes, value):
    return harness.Message(MOTE, [{"n": SENSOR, "u": "Cel", "t": BEGIN + 60 * minutes, "v": value}])


def revisions(documents):
    """Returns {(observation, test): [(flag, id, superseded)]}"""
    if documents.kind == "sqlite":
        rows = documents.shell("SELECT observation, test, flag, id, supersedes FROM revisions")
        rows = [(uuid.UUID(bytes=o), test, flag, uuid.UUID(bytes=i), s and uuid.UUID(bytes=s))
                for o, test, flag, i, s in rows]
    else:
        rows = [(each["observation"], each["test"], each["flag"], each["_id"], each.get("supersedes"))
                for each in documents.database["revisions"].find({})]
    found = {}
    for observation, test, flag, key, superseded in rows:
        found.setdefault((observation, test), []).append((flag, key, superseded))
    return found


def flags(documents, message):
    """Returns the stored flags by test."""
    key = message.ids[0]
    if documents.kind == "sqlite":
        names = ["gross_range", "climatology", "spike", "rate_of_change", "flat_line"]
        with sqlite3.connect(documents.uri.removeprefix("sqlite:")) as database:
            row = database.execute(f"SELECT {', '.join(names)} FROM observations WHERE id = ?", (key.bytes,)).fetchone()
        return dict(zip(names, row))
    return documents.database["observations"].find_one({"_id": key})["flags"]


def newest(documents, message):
    """Returns the current flags: the end of each chain of superseding revisions, or else the stored flag."""
    now = dict(flags(documents, message))
    known = revisions(documents)
    for test in now:
        of_test = known.get((message.ids[0], test), [])
        following = {superseded: (flag, key) for flag, key, superseded in of_test if superseded}
        alone = [(flag, key) for flag, key, superseded in of_test if not superseded]
        flag, key = (now[test], message.ids[0])
        if message.ids[0] not in following and alone:
            flag, key = alone[0]
        while key in following:
            flag, key = following[key]
        now[test] = flag
    return now


def test_backfilled_data_get_their_flags(make_pipeline, documents):  # noqa: F811
    """Late messages get only two tests. Reprocessing gives them the flags that they would have had if they had arrived
    in order."""
    pipeline = make_pipeline(documents=documents.uri).init()
    pipeline.worker()
    in_order = [at(i, 10.0 + 0.1 * (i % 3)) for i in range(40)]
    late = [in_order[i] for i in range(10, 20)]
    for message in in_order[:10] + in_order[20:] + late:
        pipeline.publish(message)
        if message is in_order[-1]:
            pipeline.drain()
    pipeline.drain()
    told = [name for name, flag in flags(documents, late[5]).items() if flag != 2]
    result = reprocess(pipeline, f"--mote={MOTE}")[-1]["all"]
    assert (result["messages"], result["new"], result["observations"]) == (40, 0, 40)
    expected = [name for name, flag in flags(documents, in_order[5]).items() if flag != 2]
    now = newest(documents, late[5])
    assert set(expected) - set(told), "the registry has no test that looks at neighbours"
    assert [name for name in expected if now[name] == 2] == []
    assert result["revisions"] == sum(map(len, revisions(documents).values()))
    assert reprocess(pipeline)[-1]["all"]["revisions"] == 0, "a second reprocessing finds something"
    verdict = pipeline.verify(pipeline.write_ledger(in_order))
    assert verdict[0] == 0, verdict
    pipeline.stop_workers()


def test_after_a_change_of_the_limits(make_pipeline, documents, tmp_path):  # noqa: F811
    """New limits give new flags. Each change adds a revision, and the newest one counts, also when limits change back
    and forth."""
    registry = tmp_path / "registry.ttl"
    wide = harness.REGISTRY.read_text()
    narrow = wide.replace("ir:grossFail ( -2 45 )", "ir:grossFail ( -2 14.5 )", 1)
    narrow = narrow.replace("ir:grossSuspect ( 0 35 )", "ir:grossSuspect ( 0 12.5 )", 1)
    assert narrow.count("14.5 )") == narrow.count("12.5 )") == 1
    registry.write_text(wide)
    pipeline = make_pipeline(documents=documents.uri, registry=registry).init()
    pipeline.worker()
    sent = [at(i, 10.0 + i) for i in range(6)]
    for message in sent:
        pipeline.publish(message)
    pipeline.drain()
    first = [newest(documents, message)["gross_range"] for message in sent]
    assert set(first) == {1}
    for turn, (text, expected) in enumerate([(narrow, [1, 1, 1, 3, 3, 4]), (wide, first)] * 2, 1):
        registry.write_text(text)
        assert reprocess(pipeline)[-1]["all"]["revisions"] > 0
        assert [newest(documents, message)["gross_range"] for message in sent] == expected, f"turn {turn}"
        assert reprocess(pipeline)[-1]["all"]["revisions"] == 0
    chain = revisions(documents)[(sent[5].ids[0], "gross_range")]
    assert sorted(flag for flag, _, _ in chain) == [1, 1, 4, 4]
    stored = {str(key) for each in revisions(documents).values() for _, key, _ in each}
    lines = pipeline.nquads_text()
    assert all(f"<urn:uuid:{key}>" in lines for key in stored) and "supersedes" in lines
    pipeline.stop_workers()


@pytest.fixture
def own_oxigraph(tmp_path):
    """An empty server that no other test uses."""
    with servers.Oxigraph(tmp_path / "oxigraph") as server:
        yield server


def test_a_triplestore_keeps_one_verdict(make_pipeline, own_oxigraph, tmp_path):
    """Observations that are in the graph are not written again with flags from other limits, neither by a reprocessing
    nor after a redelivery. Observations that the graph lost are written again."""
    registry = tmp_path / "registry.ttl"
    wide = harness.REGISTRY.read_text()
    registry.write_text(wide)
    pipeline = make_pipeline(graph=own_oxigraph.uri, registry=registry).init()
    pipeline.worker()
    sent = [at(i, 10.0 + i) for i in range(6)]
    for message in sent:
        pipeline.publish(message)
    pipeline.drain()
    pipeline.stop_workers()
    first = verdicts(own_oxigraph)
    assert all(len(first[str(message.ids[0])]) == 1 for message in sent)
    status, _ = servers.http_request(own_oxigraph.port, "POST", "/update",
                                     f"DELETE WHERE {{ <urn:uuid:{sent[4].ids[0]}> ?p ?o }}".encode(),
                                     {"Content-Type": "application/sparql-update"})
    assert status // 100 == 2
    registry.write_text(wide.replace("ir:grossFail ( -2 45 )", "ir:grossFail ( -2 14.5 )", 1)
                        .replace("ir:grossSuspect ( 0 35 )", "ir:grossSuspect ( 0 12.5 )", 1))
    assert reprocess(pipeline)[-1]["all"]["revisions"] > 0
    pipeline.worker()
    for message in sent:
        pipeline.publish(message)
    pipeline.drain()
    now = verdicts(own_oxigraph)
    assert {key: now[key] for key in first if key != str(sent[4].ids[0])} == {
        key: first[key] for key in first if key != str(sent[4].ids[0])}
    assert len(now[str(sent[4].ids[0])]) == 1
    pipeline.stop_workers()


def verdicts(server):
    """Returns {observation: its quality annotations} from the graph."""
    rows = server.select(f"SELECT ?o ?q WHERE {{ ?o a <{harness.OBSERVATION}> ; "
                         "<http://www.w3.org/ns/dqv#hasQualityAnnotation> ?q }")
    found = {}
    for observation, quality in rows:
        found.setdefault(observation.strip("<>").removeprefix("urn:uuid:"), []).append(quality)
    return found


def test_after_a_change_of_the_registry(make_pipeline, documents, tmp_path):  # noqa: F811
    """A refused message becomes valid when the registry changes. It is stored once, with its first arrival."""
    registry = tmp_path / "registry.ttl"
    good = harness.REGISTRY.read_text()
    registry.write_text(good.replace(f'"{SENSOR}"', f'"{MOTE}/other"'))
    pipeline = make_pipeline(documents=documents.uri, registry=registry).init()
    pipeline.worker()
    sent = [at(i, 10.0 + 0.1 * i) for i in range(5)]
    for message in sent:
        pipeline.publish(message)
    clockless = json.dumps([{"n": SENSOR, "u": "Cel", "v": 11.5}]).encode()
    pipeline.publish_body(clockless, f"ir.{MOTE}")
    pipeline.drain()
    assert documents.observations() == []
    registry.write_text(good)
    result = reprocess(pipeline, "--reason=unknown-sensor")[-1]["all"]
    assert (result["messages"], result["new"], result["refused"]) == (6, 6, 0)
    assert [status for status, _ in documents.raw()] == ["accepted"] * 6
    assert documents.observations()[-1][1] in [time_ns for _, time_ns in documents.raw()]
    assert len(pipeline.nquads_ids()) == 6
    assert reprocess(pipeline)[-1]["all"]["new"] == 0
    assert len(pipeline.nquads_ids()) == 6
    pipeline.stop_workers()


# ---- stores of an earlier release ----

RECEIVED = 1764500000123456789
EARLIER_SQL = """
PRAGMA application_id = 1230137718; PRAGMA user_version = 1;
CREATE TABLE raw (id BLOB NOT NULL, hint INTEGER NOT NULL, mote TEXT NOT NULL, routing_key TEXT NOT NULL,
 content_type TEXT NOT NULL, body BLOB NOT NULL, received_ns INTEGER NOT NULL, status TEXT NOT NULL, refusals TEXT,
 UNIQUE (hint, id));
CREATE TABLE sensors (id INTEGER PRIMARY KEY, series INTEGER NOT NULL, name TEXT NOT NULL, iri TEXT, label TEXT,
 mote TEXT, mote_iri TEXT, property TEXT, property_iri TEXT, property_label TEXT, feature_iri TEXT, feature_label TEXT,
 procedure_iri TEXT, unit TEXT NOT NULL, unit_iri TEXT, registered INTEGER);
CREATE TABLE observations (series INTEGER NOT NULL, time_ns INTEGER NOT NULL, id BLOB NOT NULL, sensor INTEGER NOT NULL,
 raw BLOB NOT NULL, record INTEGER NOT NULL, value, source_value, source_unit TEXT NOT NULL, sum, late INTEGER NOT NULL,
 gross_range INTEGER NOT NULL, climatology INTEGER NOT NULL, spike INTEGER NOT NULL, rate_of_change INTEGER NOT NULL,
 flat_line INTEGER NOT NULL, aggregate INTEGER NOT NULL, PRIMARY KEY (series, time_ns, id)) WITHOUT ROWID;
"""


class Earlier:
    """Makes a document store as the previous release would: ids of version 5, and no names."""

    def __init__(self, documents, directory):
        self.kind = documents.kind
        self.uri = f"sqlite:{directory / 'earlier.sqlite'}"
        self.count = 0
        if self.kind == "sqlite":
            self.database = sqlite3.connect(directory / "earlier.sqlite")
            self.database.executescript(EARLIER_SQL)
            self.database.execute("INSERT INTO sensors (id, series, name, mote, unit) VALUES (1, 1, ?, ?, 'Cel')",
                                  (SENSOR, MOTE))
        else:
            name = f"e{uuid.uuid4().hex[:8]}"
            self.uri = documents.uri.rsplit("/", 1)[0] + "/" + name + "?" + documents.uri.partition("?")[2]
            self.database = documents.client.get_database(name)

    def message(self, body, times, value=None, status="accepted"):
        """Adds one raw message, with one observation for each of these times."""
        self.count += 1
        raw = uuid.uuid5(uuid.NAMESPACE_DNS, str(self.count))
        received = RECEIVED + self.count * 10**9
        if self.kind == "sqlite":
            self.database.execute("INSERT INTO raw VALUES (?, 0, ?, ?, ?, ?, ?, ?, NULL)",
                                  (raw.bytes, MOTE, f"ir.{MOTE}", harness.SENML_JSON, body, received, status))
        else:
            self.database["raw"].insert_one(
                {"_id": raw, "mote": MOTE, "routing_key": f"ir.{MOTE}", "content_type": harness.SENML_JSON,
                 "body": body, "received_ns": received, "status": status})
        for time_ns in times:
            self.observation(raw, received if time_ns is None else time_ns, value)
        return received

    def observation(self, raw, time_ns, value):
        key = uuid.uuid5(uuid.NAMESPACE_DNS, f"{raw} {time_ns}")
        if self.kind == "sqlite":
            self.database.execute("INSERT INTO observations VALUES"
                                  " (1, ?, ?, 1, ?, 0, ?, ?, 'Cel', NULL, 0, 1, 2, 2, 2, 2, 1)",
                                  (time_ns, key.bytes, raw.bytes, value, value))
            self.database.commit()
        else:
            self.database["observations"].insert_one(
                {"_id": key, "raw": raw, "mote": MOTE, "sensor": SENSOR, "time_ns": time_ns, "value": value,
                 "time": datetime.datetime.fromtimestamp(time_ns / 1e9, datetime.timezone.utc), "unit": "Cel", "source": {"value": value, "unit": "Cel"}, "flags": {}, "aggregate": 1, "late": False,
                 "record": 0})

    def snapshot(self):
        if self.kind == "sqlite":
            return sorted(map(repr, self.database.iterdump()))
        return [list(self.database[name].find({}).sort("_id", 1)) for name in ("raw", "observations")]


def fill(earlier):
    """Adds 60 packs with times. One of them was stored twice because of a redelivery, and one is broken. Also adds one
    observation without a raw message."""
    for i in range(60):
        message = at(i, 10.0 + 0.1 * (i % 7))
        earlier.message(message.body, [(BEGIN + 60 * i) * 10**9], message.records[0]["v"])
    received = earlier.message(json.dumps([{"n": SENSOR, "u": "Cel", "v": 3.5}]).encode(),
                               [None, RECEIVED + 5000 * 10**9], 3.5)
    earlier.message(b"broken", [], status="rejected")
    earlier.observation(uuid.uuid5(uuid.NAMESPACE_DNS, "none"), (BEGIN - 60) * 10**9, 1.25)
    return received


def test_earlier_release_is_brought_over(make_pipeline, documents, tmp_path):  # noqa: F811
    """Everything is migrated once, with new ids, even if the migration is killed in between. Differences are
    reported."""
    earlier = Earlier(documents, tmp_path)
    received = fill(earlier)
    before = earlier.snapshot()
    pipeline = make_pipeline(documents=documents.uri)
    pipeline.run("ir-store", "init", *pipeline.stores())
    words = ["reprocess", f"--from={earlier.uri}", "--batch-observations=2", *pipeline.stores()]
    with subprocess.Popen([harness.BUILD / "ir-store", *words], stdout=subprocess.DEVNULL) as first:
        harness.wait_for(lambda: first.poll() is not None or len(documents.observations()) > 4, "observations")
        first.kill()
    assert len(documents.observations()) > 4
    for _ in range(2):
        lines = reprocess(pipeline, f"--from={earlier.uri}")
        told = lines[-1]["all"]
        assert (told["messages"], told["refused"], told["observations"]) == (62, 1, 61)
        assert (told["earlier"], told["equal"], told["merged"], told["missing"]) == (63, 61, 1, 1)
        assert sorted(each["differs"] for each in lines[:-1]) == ["merged", "missing"]
    assert told["new"] == 0
    stored = documents.observations()
    assert len(stored) == 61 and {uuid.UUID(key).version for key, _ in stored} == {8}
    assert stored[-1][1] == received // 1000 * 1000
    assert sorted(str(key) for key in pipeline.nquads_ids()) == sorted(key for key, _ in stored)
    assert [status for status, _ in documents.raw()] == ["accepted"] * 61 + ["rejected"]
    assert earlier.snapshot() == before
    status, _, errors = pipeline.call("ir-store", "reprocess", f"--from={documents.uri}", *pipeline.stores())
    assert status == 2 and "earlier release" in errors
