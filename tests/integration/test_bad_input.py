"""What cannot be used goes to ir.rejected with its reason, is kept raw and counted; the rest goes on."""

import json
import sqlite3
import time

import cbor2
import pytest

import harness
from harness import SENML_CBOR, SENML_JSON

MOTE = "USGS-08068500"
SENSOR = f"{MOTE}/00010"
KEY = f"ir.{MOTE}"
T = 1320500000


class Case:
    """One message and what must become of it: the first refusal, and the values that are stored."""

    def __init__(self, name, body, reason, record=-1, stored=(), detail="", key=KEY, content_type=SENML_JSON):
        self.name, self.reason, self.record = name, reason, record
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.stored, self.detail = sorted(stored), detail
        self.key, self.content_type = key, content_type


def good(value, at):
    return {"n": SENSOR, "u": "Cel", "t": at, "v": value}


def records(at, bad):
    """A pack in which only the middle record is bad."""
    return [good(11.25, at), bad, good(12.5, at + 900)]


BOTH = (11.25, 12.5)
HUGE = b'[{"n":"' + SENSOR.encode() + b'","t":%d,"vs":"' % T + b"x" * (10 * 2**20) + b'"}]'
BAD_JSON_NUMBER = f'[{{"n":"{SENSOR}","t":{T},"v":1e999}}]'.encode()

CASES = [
    # the whole message
    Case("not JSON", b"21 degrees", "not-json"),
    Case("cut JSON", b'[{"n":"a', "not-json"),
    Case("JSON of wrong encoding", b'[{"n":"\xff\xfe","v":1}]', "not-json"),
    Case("not CBOR", b"\x81\x1c", "not-cbor", content_type=SENML_CBOR),
    Case("CBOR array of indefinite length", b"\x9f\xff", "not-senml", content_type=SENML_CBOR),
    Case("cut CBOR", cbor2.dumps([{0: SENSOR, 2: 1.0, 6: T}])[:-3], "not-cbor", content_type=SENML_CBOR),
    Case("an object, no array", {"n": SENSOR, "v": 1}, "not-senml"),
    Case("an array of numbers", [1, 2], "not-senml"),
    Case("CBOR map, no array", cbor2.dumps({0: SENSOR}), "not-senml", content_type=SENML_CBOR),
    Case("base name that is a number", [{"bn": 5, "n": "a", "v": 1}], "not-senml"),
    Case("higher version", [{"bver": 11, **good(1, T)}], "version"),
    Case("unknown label that must be understood", [{"x_": 1, **good(1, T)}], "unknown-label", detail="x_"),
    Case("empty pack", [], "empty-pack"),
    Case("empty CBOR pack", cbor2.dumps([]), "empty-pack", content_type=SENML_CBOR),
    Case("10 MB", HUGE, "too-large"),
    Case("10,000 nested arrays", b"[" * 10000 + b"]" * 10000, "too-deep"),
    Case("10,000 nested CBOR arrays", b"\x81" * 10000 + b"\x01", "not-senml", content_type=SENML_CBOR),
    Case("10,000 nested CBOR arrays in a record", b"\x81\xa1\x61x" + b"\x81" * 10000 + b"\x01", "too-deep",
         content_type=SENML_CBOR),
    Case("too many records", [{"n": "a", "v": 1}] * 10001, "too-many-records"),
    Case("wrong content type", [good(1, T)], "content-type", content_type="text/html", detail="text/html"),
    Case("text", b"warm", "content-type", content_type="text/plain", detail="text/plain"),
    Case("half of a gzip", b"\x1f\x8b\x08\0\0\0", "not-gzip"),
    Case("routing key that is no mote's", [good(1, T)], "no-routing-key", key="other", detail="other"),
    Case("no routing key", [good(1, T)], "no-routing-key", key=""),
    Case("unknown mote", [good(1, T)], "unknown-mote", key="ir.nobody", detail="nobody"),
    # one record; the others of the pack are stored
    Case("illegal character", records(T, {"n": "a b", "v": 1, "t": T}), "bad-name", 1, BOTH),
    Case("name that begins with a slash", records(T + 1, {"n": "/a", "v": 1, "t": T}), "bad-name", 1, BOTH),
    Case("no value", records(T + 2, {"n": SENSOR, "t": T}), "no-value", 1, BOTH),
    Case("two values", records(T + 3, {"n": SENSOR, "v": 1, "vs": "x", "t": T}), "many-values", 1, BOTH),
    Case("text as value", records(T + 4, {"n": SENSOR, "v": "1", "t": T}), "bad-field", 1, BOTH),
    Case("number as unit", records(T + 5, {"n": SENSOR, "v": 1, "u": 5, "t": T}), "bad-field", 1, BOTH),
    Case("time out of range", records(T + 6, {**good(1, T), "t": 1e30}), "out-of-range", 1, BOTH),
    Case("far future", records(T + 7, good(1, time.time() + 90 * 86400)), "future", 1, BOTH),
    Case("unknown sensor", records(T + 8, {"n": f"{MOTE}/99999", "v": 1, "t": T}), "unknown-sensor", 1, BOTH, "99999"),
    Case("sensor of another mote", records(T + 9, {**good(1, T), "n": "USGS-021989773/00010"}), "foreign-sensor", 1, BOTH),
    Case("unit that does not convert", records(T + 10, {**good(1, T), "u": "mg/l"}), "unit", 1, BOTH, "mg/l"),
    Case("unknown unit", records(T + 11, {**good(1, T), "u": "furlong"}), "unit", 1, BOTH, "furlong"),
    Case("text for a sensor of numbers", records(T + 12, {"n": SENSOR, "vs": "warm", "t": T}), "value-type", 1, BOTH),
    Case("same measurement twice", [good(11.25, T + 13), good(11.25, T + 13), good(12.5, T + 14)], "duplicate", 1, BOTH),
    Case("NaN", cbor2.dumps([{0: SENSOR, 2: 11.25, 6: T + 15}, {0: SENSOR, 2: float("nan"), 6: T + 16}]),
         "not-finite", 1, (11.25,), content_type=SENML_CBOR),
    Case("infinity", cbor2.dumps([{0: SENSOR, 2: 11.25, 6: T + 17}, {0: SENSOR, 2: float("inf"), 6: T + 18}]),
         "not-finite", 1, (11.25,), content_type=SENML_CBOR),
]


@pytest.fixture(scope="module")
def shared(broker, tmp_path_factory):
    """One pipeline with one worker for the whole table."""
    with harness.Pipeline(broker, tmp_path_factory.mktemp("bad")) as pipeline:
        pipeline.init()
        pipeline.worker()
        yield pipeline


def count(pipeline, reason):
    return pipeline.workers[0].metric(f'ir_rejected_total{{reason="{reason}"}}')


def stored_values(pipeline, raw_id):
    return sorted(row[0] for row in pipeline.sqlite("SELECT value FROM observations WHERE raw = ?", raw_id.bytes))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_refusal(shared, case):
    before = count(shared, case.reason)
    shared.publish_body(case.body, case.key, case.content_type)
    _method, properties, body = shared.dead_letter()
    headers = properties.headers
    assert (headers["reason"], headers["record"]) == (case.reason, case.record), headers
    assert case.detail in headers["detail"] and headers["detail"]
    assert body == case.body
    assert properties.content_type == case.content_type

    mote = case.key.removeprefix("ir.") if case.reason != "no-routing-key" else ""
    decoded = case.record >= 0 or case.reason == "unknown-mote"
    raw_id = harness.absolute_raw_id(mote, case.body) if decoded else harness.raw_id(mote, case.body, kind="plain")
    assert headers["raw-id"] == str(raw_id)
    harness.wait_for(lambda: count(shared, case.reason) == before + 1, "the metric", 10)
    assert stored_values(shared, raw_id) == case.stored
    row = shared.sqlite("SELECT body, status, refusals FROM raw WHERE id = ?", raw_id.bytes)
    assert row[0][0] == case.body
    assert row[0][1] == ("rejected" if case.record < 0 else row[0][1])
    assert case.reason in row[0][2]


def test_number_that_no_double_holds(shared):
    """jansson refuses the whole text; what matters is that it is refused and said."""
    shared.publish_body(BAD_JSON_NUMBER, KEY)
    headers = shared.dead_letter()[1].headers
    assert headers["reason"] in ("not-json", "out-of-range", "not-finite") and headers["detail"]


def test_over_message_bytes(shared):
    """Not even read: the broker dead-letters it whole, and the worker goes on."""
    body = b'[{"n":"' + b"x" * (13 * 2**20) + b'"}]'
    worker = shared.workers[0]
    before = worker.metric("ir_messages_oversize_total")
    shared.publish_body(body, KEY)
    _method, properties, dead = shared.dead_letter()
    assert len(dead) == len(body)
    assert properties.headers["x-death"][0]["reason"] == "rejected"
    harness.wait_for(lambda: worker.metric("ir_messages_oversize_total") == before + 1, "the metric", 10)
    message = harness.Message(MOTE, [good(3.5, T + 100)])
    shared.publish(message)
    harness.wait_for(lambda: message.ids[0] in shared.sqlite_ids(), "the next message", 10)


def test_several_refusals_are_listed(shared):
    pack = [good(1.5, T + 200), {"n": "a b", "v": 1}, {"n": SENSOR, "t": T + 201}, good(2.5, T + 202)]
    shared.publish_body(json.dumps(pack).encode(), KEY)
    headers = shared.dead_letter()[1].headers
    assert headers["refused"] == 2
    lines = headers["refusals"].splitlines()
    assert lines[0].startswith("1 bad-name: ") and lines[1].startswith("2 no-value: ")


def test_document_that_the_database_refuses(make_pipeline):
    """The poison document is found; the rest of its batch is stored, published and acknowledged."""
    pipeline = make_pipeline().init()
    with sqlite3.connect(pipeline.documents.removeprefix("sqlite:")) as database:
        database.execute(
            "CREATE TRIGGER poison BEFORE INSERT ON observations WHEN NEW.value = 13.5 "
            "BEGIN SELECT RAISE(ABORT, 'thirteen and a half'); END"
        )
    sent = [harness.Message(MOTE, [good(value, T + value * 100)]) for value in (11.5, 12.5, 13.5, 14.5, 15.5)]
    for message in sent:
        pipeline.publish(message)
    worker = pipeline.worker()
    properties = pipeline.dead_letter()[1]
    assert properties.headers["reason"] == "document-refused"
    assert properties.headers["raw-id"] == str(sent[2].raw_id)
    assert "thirteen and a half" in properties.headers["detail"]
    pipeline.drain()
    expected = sorted(message.ids[0] for message in sent if message is not sent[2])
    assert sorted(pipeline.sqlite_ids()) == expected
    assert sorted(pipeline.nquads_ids()) == expected
    assert worker.metric('ir_rejected_total{reason="document-refused"}') == 1
    pipeline.stop_workers()


def test_document_that_mongodb_refuses(make_pipeline, mongodb):
    import pymongo

    uri = mongodb.uri.replace("/river", "/poison")
    pipeline = make_pipeline(documents=uri).init()
    database = pymongo.MongoClient(mongodb.uri, serverSelectionTimeoutMS=5000)["poison"]
    database.command("collMod", "observations", validator={"value": {"$ne": 13.5}})
    sent = [harness.Message(MOTE, [good(value, T + value * 100)]) for value in (11.5, 12.5, 13.5, 14.5, 15.5)]
    for message in sent:
        pipeline.publish(message)
    pipeline.worker()
    headers = pipeline.dead_letter()[1].headers
    assert (headers["reason"], headers["raw-id"]) == ("document-refused", str(sent[2].raw_id))
    pipeline.drain()
    assert database["observations"].count_documents({}) == 4
    assert sorted(pipeline.nquads_ids()) == sorted(m.ids[0] for m in sent if m is not sent[2])
    pipeline.stop_workers()


def test_unregistered_accept(make_pipeline):
    pipeline = make_pipeline(settings=["--unregistered=accept"]).init()
    pipeline.worker()
    message = harness.Message("stranger", [{"n": "stranger/mood", "t": T, "v": 7.5, "u": "Cel"}])
    pipeline.publish(message)
    pipeline.drain()
    pipeline.assert_exactly([message])
    pipeline.stop_workers()


# ---- small messages that ask for much ----

RECORDS = 10000


def bomb(number):
    """Ten thousand empty CBOR records, made different by a base time."""
    return b"\x99\x27\x10" + b"\xa1\x22\x1a" + (1_000_000_000 + number).to_bytes(4, "big") + b"\xa0" * (RECORDS - 1)


def resident(program):
    """Bytes of memory it has now."""
    status = harness.Path(f"/proc/{program.process.child.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) * 1024


def test_many_refusals_of_small_messages(pipeline, messages):
    """Memory and documents stay in proportion to what was sent, each record counts, and the others' messages arrive."""
    # Otherwise the sanitizer keeps 256 MB of what was freed.
    worker = pipeline.worker("--formats=", env={"ASAN_OPTIONS": "quarantine_size_mb=4"})
    before = resident(worker)
    for number in range(300):
        pipeline.publish_body(bomb(number), f"ir.{messages[0].mote}", "application/senml+cbor")
    for message in messages[:20]:
        pipeline.publish(message)
    pipeline.drain()
    assert worker.metric('ir_rejected_total{reason="bad-name"}') == 300 * (RECORDS - 1)
    sent = 300 * len(bomb(0))
    assert resident(worker) - before < 40 * sent
    (size,) = pipeline.sqlite("SELECT sum(length(refusals)) FROM raw")[0]
    assert size < 2 * sent
    status, verdict = pipeline.verify(pipeline.write_ledger(messages[:20]))
    assert verdict["missing"] == 0 and verdict["doubled"] == 0, (status, verdict)
