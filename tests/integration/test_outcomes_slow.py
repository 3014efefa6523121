"""Servers that refuse a share of all requests for a whole minute, and one bad item among ten thousand. Only bad items
are refused, and no other message waits long."""

import threading
import time

import pika
import pytest

import harness
import proxies
from test_outcomes import FAULTS, MOTE, UNLISTED, observations

pytestmark = pytest.mark.slow
MINUTE = 60
LATE = 30  # seconds: about five times the usual delay, which the test prints
GREETINGS = ("hello", "ismaster", "isMaster", "ping", "endSessions")


def stand_a_minute(pipeline, proxy, fault, sent, foreign=0):
    """Sends messages for a minute, during which `fault` happens. Afterwards everything is stored once, and nothing was
    refused. The graph contains `foreign` observations beforehand."""
    worker = pipeline.worker()
    proxy.fault = fault
    ends = time.monotonic() + MINUTE
    for i, message in enumerate(sent):
        time.sleep(max(0, ends - MINUTE + MINUTE * i / len(sent) - time.monotonic()))
        pipeline.publish(message)
    time.sleep(max(0, ends - time.monotonic()))
    proxy.fault = lambda *_: None
    pipeline.drain(180)
    assert proxy.faults > 0
    refused = [line for line in worker.get("/metrics")[1].splitlines() if line.startswith("ir_rejected_total")]
    assert refused and all(line.endswith(" 0") for line in refused), refused
    pipeline.stop_workers()
    assert pipeline.ready_messages("ir.rejected") == 0
    _, verdict = pipeline.verify(pipeline.write_ledger(sent))
    assert (verdict["missing"], verdict["doubled"], verdict["foreign"]) == (0, 0, foreign), verdict


@pytest.mark.parametrize("percent", [10, 50, 90])
def test_mongodb_refuses_a_share_for_a_minute(make_pipeline, mongodb, percent):
    """A share of all requests to MongoDB fails, each document separately or the whole command, with unknown error
    codes."""
    hit, whole = proxies.share_of(percent, percent), proxies.share_of(50, 1)

    def fault(command, carried):
        if command is None or any(greeting in command for greeting in GREETINGS) or not hit():
            return None
        if "insert" in command and not whole():
            return proxies.write_errors(carried, UNLISTED)
        return {"ok": 0.0, "code": UNLISTED, "codeName": "Unheard", "errmsg": "no"}

    with proxies.MongoProxy(mongodb.port) as proxy:
        pipeline = make_pipeline(documents=proxy.uri(f"minute{percent}")).init()
        stand_a_minute(pipeline, proxy, fault, observations(400))


@pytest.mark.parametrize("percent", [10, 50, 90])
def test_fuseki_refuses_a_share_for_a_minute(make_pipeline, fuseki, percent):
    """A share of all requests to Fuseki fails, including queries. Each kind of fault takes its turn."""
    hit, answers, lock = proxies.share_of(percent, percent), list(FAULTS.values()), threading.Lock()

    def fault(*_):
        with lock:
            answers.append(answers.pop(0))
            return answers[0] if hit() else None

    with proxies.HttpProxy(fuseki.port) as proxy:
        pipeline = make_pipeline(graph=proxy.uri(fuseki)).init()
        sent = observations(400, 1370000000 + 1000000 * percent)
        stand_a_minute(pipeline, proxy, fault, sent, fuseki.count(f"?o a <{harness.OBSERVATION}>"))


class Watcher:
    """Records when each message is republished."""

    def __init__(self, pipeline, queue):
        self.arrived = {}
        self.connection = pika.BlockingConnection(pika.URLParameters(pipeline.amqp))
        self.channel = self.connection.channel()
        self.channel.basic_consume(queue, self.take, auto_ack=True)
        self.thread = threading.Thread(target=self.channel.start_consuming)
        self.thread.start()

    def take(self, _channel, _method, properties, _body):
        self.arrived.setdefault(properties.message_id, time.monotonic())

    def stop(self):
        self.connection.add_callback_threadsafe(self.channel.stop_consuming)
        self.thread.join()
        self.connection.close()


def test_one_bad_item_among_ten_thousand(make_pipeline, mongodb):
    """MongoDB refuses one item with an unknown error code. It gets a dead letter, and all others are stored. Messages
    that arrive meanwhile are late by a few seconds at most."""
    import pymongo

    def change(reply):
        for error in reply.get("writeErrors", ()):
            error.update(code=UNLISTED, errmsg="seven")
        return reply

    motes = MOTE, "USGS-021989773"
    packs = [[{"n": f"{motes[i % 2]}/00010", "u": "Cel", "t": 1320500000 + 900 * (10 * i + j), "v": 10.25 + j}
              for j in range(10)] for i in range(1000)]
    packs[500][3]["v"] = 12.125
    sent = [harness.Message(motes[i % 2], pack) for i, pack in enumerate(packs)]
    with proxies.MongoProxy(mongodb.port, change=change) as proxy:
        pipeline = make_pipeline(documents=proxy.uri("ten_thousand")).init()
        database = pymongo.MongoClient(mongodb.uri, serverSelectionTimeoutMS=5000)["ten_thousand"]
        database.command("collMod", "observations", validator={"value": {"$ne": 12.125}})
        watcher = Watcher(pipeline, pipeline.subscribe("senml.#"))
        pipeline.worker("--formats=senml")
        published = {}
        for message in sent:
            published[str(message.raw_id)] = time.monotonic()
            pipeline.publish(message)
            time.sleep(0.005)
        headers = pipeline.dead_letter()[1].headers
        pipeline.drain(120)
        watcher.stop()
        pipeline.stop_workers()
    late = sorted(watcher.arrived[raw_id] - begun for raw_id, begun in published.items())
    print(f"late by: median {late[500]:.3f} s, p90 {late[900]:.3f} s, at most {late[-1]:.3f} s")
    assert (headers["reason"], headers["raw-id"]) == ("document-refused", str(sent[500].raw_id))
    assert pipeline.ready_messages("ir.rejected") == 0
    assert database["observations"].count_documents({}) == 9999
    assert database["raw"].count_documents({}) == 1000
    bad = sent[500].ids[3]
    assert sorted(pipeline.nquads_ids()) == sorted({each for message in sent for each in message.ids} - {bad})
    assert late[-1] < LATE
