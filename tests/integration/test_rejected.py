"""Dead letters. The queue is bounded and only notifies; the documents have everything needed to work on refusals."""

import base64
import json
import signal

import pytest

import harness
from test_stored_arrival import Documents

MOTE = "USGS-08068500"
SENSOR = f"{MOTE}/00010"


def bound_rejected(pipeline, most):
    body = {"pattern": r"^ir\.rejected$", "apply-to": "queues",
            "definition": {"max-length": most, "overflow": "reject-publish", "delivery-limit": 2000000000}}
    pipeline.broker.api("PUT", f"policies/{pipeline.host}/ir-rejected", body)


def bad(number):
    return f'[{{"n":"{SENSOR}","v":"text {number}"}}]'.encode()


def publish_bad(pipeline, count, first=0):
    for i in range(first, first + count):
        pipeline.publish_body(bad(i), f"ir.{MOTE}")


def test_full_queue_of_dead_letters(pipeline):
    """The queue is full, but the documents have the refusals. The worker continues without dead letters, counts and
    reports this, and stays ready."""
    bound_rejected(pipeline, 3)
    worker = pipeline.worker()
    publish_bad(pipeline, 20)
    pipeline.drain()
    good = harness.Message(MOTE, [{"n": SENSOR, "u": "Cel", "t": 1320500000, "v": 7.25}])
    pipeline.publish(good)
    publish_bad(pipeline, 20, 20)
    pipeline.drain()
    assert worker.get("/readyz")[0] == 200
    left_out = worker.metric("ir_dead_letters_left_out_total")
    assert left_out > 0 and left_out + worker.metric("ir_dead_letters_total") == 40
    assert worker.metric('ir_stage_retries_total{stage="republish"}') == 0
    assert "did not accept the dead letters" in worker.log.read_text()
    assert pipeline.sqlite("SELECT count(*) FROM newest_outcomes WHERE status = 'rejected'") == [(40,)]
    assert pipeline.sqlite_ids() == good.ids
    pipeline.connect().queue_purge("ir.rejected")
    publish_bad(pipeline, 1, 40)
    assert json.loads(pipeline.dead_letter()[2]) == json.loads(bad(40))


def test_full_queue_without_documents(make_pipeline):
    """With the null store only the queue has the refusals. When it is full, the worker waits and says so. It continues
    when there is room."""
    pipeline = make_pipeline(documents="null:").init()
    bound_rejected(pipeline, 3)
    worker = pipeline.worker()
    publish_bad(pipeline, 10)
    harness.wait_for(lambda: pipeline.ready_messages("ir.rejected") >= 3, "a full queue")
    publish_bad(pipeline, 10, 10)
    harness.wait_for(lambda: "in no document" in worker.get("/readyz")[1], "the worker to say why it waits")
    found = set()

    def all_found():
        found.update(body for _, _, body in pipeline.take_all("ir.rejected"))
        return len(found) == 20

    harness.wait_for(all_found, "all dead letters")
    pipeline.drain()


def test_broker_dead_letters_into_a_full_queue(make_pipeline):
    """While ir.rejected is full, messages that the broker itself dead-letters stay in their partition, so they are not
    lost."""
    pipeline = make_pipeline(settings=["--message-bytes=2Ki", "--pack-bytes=2Ki"]).init()
    bound_rejected(pipeline, 2)
    worker = pipeline.worker()
    publish_bad(pipeline, 10)
    harness.wait_for(lambda: pipeline.ready_messages("ir.rejected") >= 2, "a full queue")
    body = b"[" + b" " * 4096 + b"]"
    pipeline.publish_body(body, f"ir.{MOTE}")
    harness.wait_for(lambda: worker.metric("ir_messages_oversize_total") == 1, "the large message")
    good = harness.Message(MOTE, [{"n": SENSOR, "u": "Cel", "t": 1320500000, "v": 7.25}])
    pipeline.publish(good)
    harness.wait_for(lambda: pipeline.sqlite_ids() == good.ids, "the message after it")
    assert body not in [each[2] for each in pipeline.take_all("ir.rejected")]


# ---- ir-store rejected ----


@pytest.fixture(params=["sqlite", "mongodb"])
def documents(request, tmp_path):
    mongodb = request.getfixturevalue("mongodb") if request.param == "mongodb" else None
    return Documents(request.param, tmp_path, mongodb)


def rejected(pipeline, *words):
    return pipeline.call("ir-store", "rejected", *words, f"--amqp={pipeline.amqp}", "--trusted-users=guest",
                         *pipeline.stores())


def listed(pipeline, *words):
    status, text, errors = rejected(pipeline, "list", "--json", *words)
    assert status == 0, errors
    return [json.loads(line) for line in text.splitlines()]


def test_list_show_and_drop(make_pipeline, documents):
    """Refused messages are selected from the documents by mote, reason and time. Dropping one adds an outcome and
    overwrites nothing."""
    pipeline = make_pipeline(documents=documents.uri).init()
    pipeline.worker()
    stranger = b'[{"n":"nobody/1","v":1}]'
    partly = json.dumps([{"n": SENSOR, "u": "Cel", "t": 1320500000, "v": 7.25}, {"n": SENSOR, "v": "text"}]).encode()
    pipeline.publish_body(stranger, "ir.nobody")
    pipeline.publish_body(bytes(range(256)), f"ir.{MOTE}", "application/octet-stream", name="a name")
    pipeline.publish_body(partly, f"ir.{MOTE}")
    pipeline.drain()
    first = {each["refusals"][0]["reason"]: each for each in listed(pipeline)}
    assert {key: each["status"] for key, each in first.items()} == {
        "unknown-mote": "rejected", "content-type": "rejected", "bad-field": "partly"}
    assert first["content-type"]["name"] == "a name"
    assert [each["mote"] for each in listed(pipeline, "--reason=unknown-mote")] == ["nobody"]
    assert len(listed(pipeline, f"--mote={MOTE}")) == 2 and len(listed(pipeline, "--limit=1")) == 1
    assert listed(pipeline, "--until=2020-01-01T00:00:00Z") == []
    assert rejected(pipeline, "list", "--reason=nonsense")[0] == 2
    table = rejected(pipeline, "list")[1]
    assert all(each["id"] in table for each in first.values())
    binary = first["content-type"]["id"]
    shown = json.loads(rejected(pipeline, "show", binary, "--json")[1])
    assert base64.b64decode(shown["body"]) == bytes(range(256))
    assert [each["status"] for each in shown["outcomes"]] == ["rejected"]
    status, text, errors = rejected(pipeline, "show", first["unknown-mote"]["id"])
    assert (status, text.encode()) == (0, stranger) and "unknown-mote" in errors and "arrival" in errors
    assert rejected(pipeline, "drop")[0] == 2
    assert rejected(pipeline, "drop", "--dry-run", "--reason=unknown-mote")[1].startswith("would have dropped 1 ")
    assert rejected(pipeline, "drop", binary)[0] == 0
    assert json.loads(rejected(pipeline, "drop", "--reason=unknown-mote", "--json")[1])["dropped"] == 1
    assert [each["id"] for each in listed(pipeline)] == [first["bad-field"]["id"]]
    outcomes = json.loads(rejected(pipeline, "show", binary, "--json")[1])["outcomes"]
    assert [each["status"] for each in outcomes] == ["rejected", "dropped"]
    assert outcomes[0]["refusals"] == outcomes[1]["refusals"]
    assert rejected(pipeline, "drop", binary)[0] == 1
    assert rejected(pipeline, "drop", "--yes")[0] == 0 and listed(pipeline) == []
    assert sorted(status for status, _ in documents.raw()) == ["dropped"] * 3
    pipeline.stop_workers()


def test_replay_after_the_registry_was_mended(make_pipeline, documents, tmp_path):
    """A refused message is replayed after the registry was corrected. It keeps its arrival and its name, so it is the
    same raw message. Now it is good, and it is stored once."""
    registry = tmp_path / "registry.ttl"
    good = harness.REGISTRY.read_text()
    registry.write_text(good.replace(f'"{SENSOR}"', f'"{MOTE}/other"'))
    pipeline = make_pipeline(documents=documents.uri, registry=registry, settings=["--trusted-users=guest"]).init()
    worker = pipeline.worker()
    for name, value in ((None, 1.5), ("named", 2.5), (None, 3.5)):
        pipeline.publish_body(json.dumps([{"n": SENSOR, "u": "Cel", "v": value}]).encode(), f"ir.{MOTE}", name=name)
    pipeline.drain()
    arrivals = [arrival for _, arrival in documents.raw()]
    assert len(arrivals) == 3 and documents.observations() == []
    assert rejected(pipeline, "replay", "--dry-run")[1].startswith("would have replayed 3 ")
    registry.write_text(good)
    worker.process.send(signal.SIGHUP)
    harness.wait_for(lambda: worker.metric('ir_registry_reloads_total{result="done"}') == 1, "the reload")
    dropped = listed(pipeline)[2]["id"]
    assert rejected(pipeline, "drop", dropped)[0] == 0
    for expected in (2, 0):
        status, text, errors = rejected(pipeline, "replay", "--json")
        assert status == 0 and json.loads(text) == {"replayed": expected, "unfit": 0, "dry_run": False}, errors
        pipeline.drain()
        assert sorted(status for status, _ in documents.raw()) == ["accepted", "accepted", "dropped"]
    assert [arrival for _, arrival in documents.raw()] == arrivals
    taken = [arrival for status, arrival in documents.raw() if status == "accepted"]
    assert [time_ns for _, time_ns in documents.observations()] == taken
    assert len(pipeline.nquads_ids()) == 2
    pipeline.stop_workers()
    status, _, errors = pipeline.call("ir-store", "rejected", "replay", f"--amqp={pipeline.amqp}", *pipeline.stores())
    assert status == 2 and "trusted-users" in errors


def test_queue_of_what_no_worker_read(make_pipeline):
    """Messages that the broker itself moved to ir.rejected can be listed, shown, replayed with their arrival, and
    dropped."""
    small = ["--message-bytes=2Ki", "--pack-bytes=2Ki", "--trusted-users=guest"]
    pipeline = make_pipeline(settings=small).init()
    worker = pipeline.worker()
    bodies = [json.dumps([{"n": SENSOR, "u": "Cel", "v": float(i)}]).encode() + b" " * 4096 for i in range(3)]
    for body in bodies:
        pipeline.publish_body(body, f"ir.{MOTE}")
    publish_bad(pipeline, 1)
    pipeline.drain()
    harness.wait_for(lambda: pipeline.ready_messages("ir.rejected") == 4, "all four dead letters")
    found = listed(pipeline, "--queue")
    assert [each["routing_key"] for each in found] == [f"ir.{MOTE}"] * 3 and all(each["bytes"] > 4096 for each in found)
    assert len(listed(pipeline)) == 1
    dropped = found[1]["id"]
    body = base64.b64decode(json.loads(rejected(pipeline, "show", dropped, "--queue", "--json")[1])["body"])
    assert body in bodies
    status, _, errors = rejected(pipeline, "drop", dropped, "--queue")
    assert status == 0, errors
    assert len(listed(pipeline, "--queue")) == 2
    worker.kill()
    pipeline.settings = ["--trusted-users=guest"]
    pipeline.worker()
    status, text, errors = rejected(pipeline, "replay", "--queue")
    assert (status, text) == (0, "replayed 2 messages\n"), errors
    pipeline.drain()
    assert listed(pipeline, "--queue") == [] and pipeline.ready_messages("ir.rejected") == 1
    pipeline.stop_workers()
    times = {row[0] // 10**6 for row in pipeline.sqlite("SELECT time_ns FROM observations")}
    told = {each["arrival"] for each in found if each["id"] != dropped}
    assert len(pipeline.sqlite_ids()) == 2
    if all("arrival" in each for each in found):  # a broker that stamps
        assert len(times) == len(told)
