"""Unusable messages go to ir.rejected with their reason, are kept raw, and are counted. All other messages are
processed."""

import json
import sqlite3

import pytest

import bad_packs
import harness

MOTE = "USGS-08068500"
SENSOR = f"{MOTE}/00010"
KEY = f"ir.{MOTE}"
T = 1320500000


def good(value, at):
    return {"n": SENSOR, "u": "Cel", "t": at, "v": value}


BAD_JSON_NUMBER = f'[{{"n":"{SENSOR}","t":{T},"v":1e999}}]'.encode()


@pytest.fixture(scope="module")
def shared(broker, tmp_path_factory):
    """One pipeline with one worker, shared by all rows of the table."""
    with harness.Pipeline(broker, tmp_path_factory.mktemp("bad")) as pipeline:
        pipeline.init()
        pipeline.worker()
        yield pipeline


def count(pipeline, reason):
    return pipeline.workers[0].metric(f'ir_rejected_total{{reason="{reason}"}}')


def stored_values(pipeline, raw_id):
    return sorted(row[0] for row in pipeline.sqlite("SELECT value FROM observations WHERE raw = ?", raw_id.bytes))


@pytest.mark.parametrize("case", bad_packs.cases(MOTE, "USGS-021989773", T), ids=lambda case: case.name)
def test_refusal(shared, case):
    before = count(shared, case.reason)
    shared.publish_body(case.body, case.key, case.content_type)
    _method, properties, body = shared.dead_letter()
    headers = properties.headers
    assert (headers["reason"], headers["record"]) == (case.reason, case.record), headers
    assert type(headers["record"]) is int  # 32 bits: pika encodes longer integers with a type of its own
    assert case.detail in headers["detail"] and headers["detail"]
    assert body == case.body
    assert properties.content_type == case.content_type

    raw_id = case.raw_id
    assert headers["raw-id"] == str(raw_id)
    harness.wait_for(lambda: count(shared, case.reason) == before + 1, "the metric")
    assert stored_values(shared, raw_id) == sorted(each["v"] for each in case.kept)
    row = shared.sqlite("SELECT body, status, refusals FROM raw WHERE id = ?", raw_id.bytes)
    assert row[0][0] == case.body
    assert row[0][1] == ("rejected" if case.record < 0 else row[0][1])
    assert case.reason in row[0][2]


def test_number_that_no_double_holds(shared):
    """jansson refuses the whole text of such a message; the test only checks that the message is refused and
    reported."""
    shared.publish_body(BAD_JSON_NUMBER, KEY)
    headers = shared.dead_letter()[1].headers
    assert headers["reason"] in ("not-json", "out-of-range", "not-finite") and headers["detail"]


def test_over_message_bytes(shared):
    """No worker reads a message that is too large: the broker dead-letters it, and the worker continues."""
    body = b'[{"n":"' + b"x" * (13 * 2**20) + b'"}]'
    worker = shared.workers[0]
    before = worker.metric("ir_messages_oversize_total")
    shared.publish_body(body, KEY)
    _method, properties, dead = shared.dead_letter()
    assert len(dead) == len(body)
    assert properties.headers["x-death"][0]["reason"] == "rejected"
    harness.wait_for(lambda: worker.metric("ir_messages_oversize_total") == before + 1, "the metric")
    message = harness.Message(MOTE, [good(3.5, T + 100)])
    shared.publish(message)
    harness.wait_for(lambda: message.ids[0] in shared.sqlite_ids(), "the next message")


def test_several_refusals_are_listed(shared):
    pack = [good(1.5, T + 200), {"n": "a b", "v": 1}, {"n": SENSOR, "t": T + 201}, good(2.5, T + 202)]
    shared.publish_body(json.dumps(pack).encode(), KEY)
    headers = shared.dead_letter()[1].headers
    assert headers["refused"] == 2
    lines = headers["refusals"].splitlines()
    assert lines[0].startswith("1 bad-name: ") and lines[1].startswith("2 no-value: ")


def test_document_that_the_database_refuses(make_pipeline):
    """The worker finds the document that the database refuses. The rest of its batch is stored, published and
    acknowledged."""
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


# ---- small messages that need much memory ----

RECORDS = 10000


def bomb(number):
    """Ten thousand empty CBOR records. The base time makes each message different."""
    return b"\x99\x27\x10" + b"\xa1\x22\x1a" + (1_000_000_000 + number).to_bytes(4, "big") + b"\xa0" * (RECORDS - 1)


def resident(program):
    """Returns the memory that the process uses now, in bytes."""
    status = harness.Path(f"/proc/{program.process.child.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) * 1024


def test_many_refusals_of_small_messages(pipeline, messages):
    """Memory and documents stay proportional to the size of the messages. Each refused record is counted, and other
    motes' messages arrive."""
    # Otherwise the sanitizer keeps 256 MB of freed memory.
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
