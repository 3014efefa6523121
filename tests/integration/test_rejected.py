"""Dead letters: the queue has a bound and is a notification; the raw documents are where they are worked on."""

import json

import pytest

import harness

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
    """What is in the documents goes on without a dead letter, is counted and told; the worker stays ready."""
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
    assert "took no dead letter" in worker.log.read_text()
    assert pipeline.sqlite("SELECT count(*) FROM newest_outcomes WHERE status = 'rejected'") == [(40,)]
    assert pipeline.sqlite_ids() == good.ids
    pipeline.connect().queue_purge("ir.rejected")
    publish_bad(pipeline, 1, 40)
    assert json.loads(pipeline.dead_letter()[2]) == json.loads(bad(40))


def test_full_queue_without_documents(make_pipeline):
    """With null: the queue is the only place that knows: the worker waits, says so, and goes on when there is room."""
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
    """What no worker read stays in its partition until ir.rejected has room: it is not lost."""
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
