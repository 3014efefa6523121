"""Servers that refuse good data, or confirm data that they did not store. Nothing is lost, and only data that were
proved bad are refused."""

import concurrent.futures
import json
import time
import urllib.parse

import pytest

import harness
import proxies
from harness import servers

MOTE = "USGS-08068500"
UNLISTED = 7777777


def observations(count, begin=1320500000, mote=MOTE):
    """Makes packs of one record each."""
    return [harness.Message(mote, [{"n": f"{mote}/00010", "u": "Cel", "t": begin + 900 * i, "v": 10.25 + i % 20}])
            for i in range(count)]


def send_and_verify(pipeline, sent, pause=0.02, seconds=120):
    """Sends messages while the faults happen and waits for them. Then `ir-store verify` must find everything stored
    once."""
    worker = pipeline.worker()
    for message in sent:
        pipeline.publish(message)
        time.sleep(pause)
    pipeline.drain(seconds)
    refused = [line for line in worker.get("/metrics")[1].splitlines() if line.startswith("ir_rejected_total")]
    assert all(line.endswith(" 0") for line in refused), refused
    pipeline.stop_workers()
    assert pipeline.ready_messages("ir.rejected") == 0
    status, verdict = pipeline.verify(pipeline.write_ledger(sent))
    assert status == 0, verdict


# ---- documents ----


def inserts_fail(hit, make_reply):
    return lambda command, carried: make_reply(carried) if "insert" in command and hit() else None


@pytest.mark.parametrize(("percent", "code"), [(10, UNLISTED), (50, 16500), (50, 2), (90, UNLISTED)])
def test_mongodb_refuses_a_share_of_all_requests(make_pipeline, mongodb, percent, code):
    """MongoDB's first requests fail, each document separately, with error codes that may mean anything."""
    with proxies.MongoProxy(mongodb.port) as proxy:
        pipeline = make_pipeline(documents=proxy.uri(f"share{percent}_{code}")).init()
        proxy.fault = inserts_fail(proxies.share_of(percent, code, 40),
                                   lambda carried: proxies.write_errors(carried, code))
        send_and_verify(pipeline, observations(100))
        assert proxy.faults > 0


REPLIES = {
    "command": lambda _: {"ok": 0.0, "code": UNLISTED, "codeName": "Unheard", "errmsg": "no"},
    "half": lambda carried: {"n": carried // 2, "ok": 1.0},
    "nothing": lambda _: {"n": 0, "ok": 1.0},
    "concern": lambda carried: {"n": carried, "ok": 1.0, "writeConcernError": {"code": UNLISTED, "errmsg": "no"}},
    "repeated": lambda carried: proxies.write_errors(1, UNLISTED) | {
        "writeErrors": carried * [{"index": 0, "code": UNLISTED, "errmsg": "no"}]},
    "index": lambda _: {"n": 0, "ok": 1.0, "writeErrors": [{"index": 99999, "code": 121, "errmsg": "no"}]},
}


@pytest.mark.parametrize("kind", REPLIES)
def test_mongodb_gives_odd_replies(make_pipeline, mongodb, kind):
    """Whole commands fail, or an answer lacks the result of some documents."""
    with proxies.MongoProxy(mongodb.port) as proxy:
        pipeline = make_pipeline(documents=proxy.uri(f"odd_{kind}")).init()
        hit = proxies.share_of(50, 3)
        proxy.fault = inserts_fail(lambda: proxy.faults < 12 and hit(), REPLIES[kind])
        send_and_verify(pipeline, observations(60), pause=0)
        assert proxy.faults > 0


def test_mongodb_refuses_one_document_for_a_reason_nobody_listed(make_pipeline, mongodb):
    """The refusal is proved within seconds. Meanwhile the other messages of the batch, and those that arrive later, are
    stored."""
    import pymongo

    tries = []

    def change(reply):
        for error in reply.get("writeErrors", ()):
            if error["code"] == 121:
                error.update(code=UNLISTED, errmsg="seven")
                tries.append(time.monotonic())
        return reply

    sent = observations(40, 1350000000)
    bad = sent[7]
    with proxies.MongoProxy(mongodb.port, change=change) as proxy:
        pipeline = make_pipeline(documents=proxy.uri("one_bad")).init()
        database = pymongo.MongoClient(mongodb.uri, serverSelectionTimeoutMS=5000)["one_bad"]
        database.command("collMod", "observations", validator={"value": {"$ne": bad.records[0]["v"]}})
        for message in sent[:20]:
            pipeline.publish(message)
        worker = pipeline.worker()
        for message in sent[20:]:
            pipeline.publish(message)
        headers = pipeline.dead_letter()[1].headers
        pipeline.drain()
        assert (headers["reason"], headers["raw-id"]) == ("document-refused", str(bad.raw_id))
        assert "seven" in headers["detail"]
        assert len(tries) >= 8 and tries[-1] - tries[0] >= 2, "the refusal was believed too soon"
        assert worker.metric('ir_rejected_total{reason="document-refused"}') == 2  # 10.25 + 27 % 20, too
        pipeline.stop_workers()
        assert database["probe"].count_documents({}) == 0
    assert database["raw"].count_documents({}) == 40
    bad_ones = {message.ids[0] for message in sent if message.records[0]["v"] == bad.records[0]["v"]}
    assert sorted(pipeline.nquads_ids()) == sorted({message.ids[0] for message in sent} - bad_ones)


def test_mongodb_has_a_unique_index_of_somebodys(make_pipeline, mongodb):
    """Somebody else's unique index refuses a document. The document is no repeat of a stored one, so it is reported and
    not silently left out."""
    import pymongo

    pipeline = make_pipeline(documents=f"mongodb://{servers.HOST}:{mongodb.port}/unique?directConnection=true").init()
    database = pymongo.MongoClient(mongodb.uri, serverSelectionTimeoutMS=5000)["unique"]
    database["observations"].create_index("value", unique=True)
    sent = observations(21, 1360000000)  # the last one has the same value as the first one
    worker = pipeline.worker()
    for message in sent:
        pipeline.publish(message)
    assert pipeline.dead_letter()[1].headers["reason"] == "document-refused"
    pipeline.drain()
    assert worker.metric('ir_rejected_total{reason="document-refused"}') == 1
    pipeline.stop_workers()
    assert database["observations"].count_documents({}) == database["raw"].count_documents({}) - 1 == 20


# ---- the graph ----


FAULTS = {
    "400": proxies.http_answer(400, b"<html>Bad Request</html>"),
    "413": proxies.http_answer(413, b"too large"),
    "cut in the head": b"HTTP/1.1 200 OK\r\nConte",
    "cut in the body": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 61\r\n\r\n{ ",
    "cut in a chunk": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{",
    "without a length": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n",
    "somebody else's 200": proxies.http_answer(200, b"<html>It works!</html>"),
    "a 200 of this kind that says nothing": proxies.http_answer(200, b"", "application/json"),
    "a 200 of this kind that says something else": proxies.http_answer(200, b'{"error": "later"}', "application/json"),
}


# The shared server may contain control statements of workers that other tests killed.
CONTROL = "GRAPH ?g { ?s ?p ?o } FILTER(CONTAINS(STR(?g), '/control'))"


def data_fails(hit, answer):
    return lambda method, _path, kind, _body: answer if method == "POST" and "form" not in kind and hit() else None


@pytest.mark.parametrize("kind", FAULTS)
def test_graph_store_behind_a_bad_proxy(make_pipeline, fuseki, kind):
    """A proxy in front of the graph store answers half of the first writes with success, without executing them. It
    does the same with control statements."""
    begin = 1330000000 + 1000000 * list(FAULTS).index(kind)
    with proxies.HttpProxy(fuseki.port) as proxy:
        pipeline = make_pipeline(graph=proxy.uri(fuseki)).init()
        fuseki_before, control_before = fuseki.count(f"?o a <{harness.OBSERVATION}>"), fuseki.count(CONTROL)
        proxy.fault = data_fails(proxies.share_of(50, 5, 40), FAULTS[kind])
        sent = observations(80, begin)
        worker = pipeline.worker()
        for message in sent:
            pipeline.publish(message)
            time.sleep(0.02)
        pipeline.drain(120)
        assert worker.metric('ir_rejected_total{reason="graph-refused"}') == 0
        pipeline.stop_workers()
        assert proxy.faults > 0
    assert fuseki.count(f"?o a <{harness.OBSERVATION}>") == fuseki_before + len(sent)
    assert fuseki.count(CONTROL) == control_before
    assert pipeline.ready_messages("ir.rejected") == 0


def test_something_that_says_yes_to_everything(make_pipeline, fuseki):
    """A server answers every request with success and stores nothing. --check, status and /readyz report this, and the
    worker acknowledges nothing."""
    control_before = fuseki.count(CONTROL)
    yes = proxies.http_answer(200, b'{"head":{"vars":["n"]},"boolean":true,"results":{"bindings":[]}}',
                              "application/sparql-results+json")
    with proxies.HttpProxy(fuseki.port) as proxy:
        pipeline = make_pipeline(graph=proxy.uri(fuseki)).init()
        proxy.fault = lambda *_: yes
        status, text, _ = pipeline.call("ir-worker", "--check", *pipeline.arguments())
        assert status == 1 and "graph      WRONG" in text and "is missing" in text, text
        status, text, _ = pipeline.call("ir-store", "status", *pipeline.stores())
        assert status == 1 and "is missing" in text, text
        worker = pipeline.worker(wait=False)
        worker.await_listening()
        harness.wait_for(lambda: "graph" in (worker.not_ready() or ""), "not ready")
        pipeline.publish(observations(1, 1340000000)[0])
        time.sleep(1)
        assert worker.metric("ir_messages_acknowledged_total") == 0
        proxy.fault = lambda *_: None
        worker.await_ready()
        pipeline.drain()
        pipeline.stop_workers()
    assert fuseki.count(CONTROL) == control_before


# ---- the broker ----


class SmallBroker(harness.Broker):
    """A broker that accepts messages of up to 1 MiB."""

    def configuration(self):
        return [*super().configuration(), "max_message_size = 1048576"]


@pytest.fixture(scope="module")
def small_broker(tmp_path_factory):
    with SmallBroker(tmp_path_factory.mktemp("small-rabbitmq")) as server:
        yield server


def large_pack(records, begin):
    name = {"n": f"{MOTE}/00010", "u": "Cel"}
    return harness.Message(MOTE, [{**name, "t": begin + 900 * i, "v": 10.25 + i % 20} for i in range(records)])


def test_what_is_too_large_to_be_published(small_broker, tmp_path):
    """1,000 good records become 3 MB of N-Quads, which is too large to publish. Everything is stored, a dead letter
    reports the refused publication, and other messages continue."""
    large = large_pack(1000, 1320500000)
    others = observations(20, mote="USGS-021989773")
    with harness.Pipeline(small_broker, tmp_path) as pipeline:
        pipeline.init()
        nquads, senml = pipeline.subscribe("nquads.#"), pipeline.subscribe("senml.#")
        for message in (*others[:10], large, *others[10:]):
            pipeline.publish(message)
        worker = pipeline.worker("--formats=nquads,senml", "--graph-detail=full")
        properties = pipeline.dead_letter()[1]
        pipeline.drain()
        assert properties.headers["reason"] == "unpublishable" and properties.headers["raw-id"] == str(large.raw_id)
        assert "1048576" in properties.headers["detail"]
        assert worker.metric('ir_rejected_total{reason="unpublishable"}') == 1
        assert "warn: republish" not in worker.text(), worker.text()
        published = [properties.message_id for _, properties, _ in pipeline.take_all(nquads)
                     if not (properties.headers or {}).get("revision")]
        assert published == [str(message.raw_id) for message in others]
        assert len(pipeline.take_all(senml)) == 21
        pipeline.stop_workers()
        pipeline.assert_exactly([*others, large])


def test_dead_letter_that_is_too_large(small_broker, tmp_path):
    """If even the dead letter is too large for the broker, it has no body. The raw document still has the body."""
    body = b"[" + b" " * 200_000 + b"]"
    with harness.Pipeline(small_broker, tmp_path) as pipeline:
        pipeline.init()
        pipeline.publish_body(body, f"ir.{MOTE}")
        pipeline.worker("--publish-bytes=100Ki")
        _, properties, letter = pipeline.dead_letter()
        pipeline.drain()
        assert properties.headers["reason"] == "empty-pack" and properties.headers["bytes"] == len(body)
        assert letter == b""
        assert pipeline.sqlite("SELECT length(body) FROM raw") == [(len(body),)]
        pipeline.stop_workers()


def test_request_that_is_too_large_for_the_broker(small_broker, tmp_path):
    """A request that is too large for the broker is answered with 413. Other requests in progress are answered with
    202."""
    with harness.Pipeline(small_broker, tmp_path) as pipeline:
        pipeline.init()
        pipeline.issue(MOTE)
        gateway = pipeline.gateway("--pack-bytes=4Mi", "--body-bytes=4Mi")
        headers = {"Authorization": f"Bearer {pipeline.tokens[MOTE]}", "Content-Type": harness.SENML_JSON}
        small = observations(200, 1360000000)
        large = json.dumps([{"n": f"{MOTE}/00010", "t": 1361000000, "v": 1.5}]).encode()
        large = large[:-1] + b" " * 1_500_000 + b"]"

        def post(body):
            port = urllib.parse.urlsplit(gateway.address).port
            return servers.http_request(port, "POST", "/v1/observations", body, headers)[0]

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            bodies = [message.body for message in small]
            answers = list(pool.map(post, [*bodies[:100], large, *bodies[100:]]))
        assert answers[100] == 413, answers
        assert answers[:100] == [202] * 100 and answers[101:] == [202] * 100, answers
        pipeline.worker()
        pipeline.drain()
        pipeline.stop_workers()
        assert len(pipeline.sqlite_ids("raw")) == 200


DENIED, ALLOWED = MOTE, "USGS-021989773"


def forbid(pipeline, allowed):
    """Allows the user guest to publish to ir.processed only with matching routing keys. This applies to channels that
    are opened later."""
    pipeline.broker.control("set_topic_permissions", "-p", pipeline.host, "guest", "ir.processed", allowed, ".*")


def allow(pipeline):
    pipeline.broker.control("clear_topic_permissions", "-p", pipeline.host, "guest")


def test_one_routing_key_that_the_operator_forbids(make_pipeline):
    """RabbitMQ closes the channel with 403 for each message with this routing key. One proof is made for the key. Then
    only messages with the key are refused, and no other message waits for them. When the right is restored, they are
    published."""
    pipeline = make_pipeline().init()
    forbid(pipeline, rf"^(?!nquads\.{DENIED}$)")
    queue = pipeline.subscribe("#")
    denied, others = observations(31), observations(30, mote=ALLOWED)
    for message in (*others[:10], *denied[:15], *others[10:20], *denied[15:30]):
        pipeline.publish(message)
    worker = pipeline.worker("--formats=nquads,senml")
    pipeline.drain()
    letters = [properties.headers for _, properties, _ in pipeline.take_all("ir.rejected")]
    assert [(each["reason"], each["raw-id"]) for each in letters] == \
        [("unpublishable", str(message.raw_id)) for message in denied[:30]]
    assert all("nquads" in each["detail"] and "403" in each["detail"] for each in letters)
    allow(pipeline)
    time.sleep(11)  # after a refusal was proved, the worker tries the key again after ten seconds
    for message in (denied[30], *others[20:]):
        pipeline.publish(message)
    worker.await_ready()
    pipeline.drain()
    taken = [(method.routing_key, properties.message_id) for method, properties, _ in pipeline.take_all(queue)
             if not (properties.headers or {}).get("revision")]
    assert set(taken) == {(f"{name}.{message.mote}", str(message.raw_id))
                          for name in ("nquads", "senml") for message in (*denied, *others)
                          } - {(f"nquads.{DENIED}", str(message.raw_id)) for message in denied[:30]}
    assert list(dict.fromkeys(each for each in taken if each[0] == f"nquads.{ALLOWED}")) == \
        [(f"nquads.{ALLOWED}", str(message.raw_id)) for message in others]
    pipeline.stop_workers()
    pipeline.assert_exactly([*denied, *others])


def test_rights_that_are_taken_for_all_keys(make_pipeline):
    """The control message is refused too, so the messages are not at fault. All of them wait until the right is
    restored."""
    pipeline = make_pipeline().init()
    forbid(pipeline, "^senml")
    queue = pipeline.subscribe("#")
    sent = observations(5)
    for message in sent:
        pipeline.publish(message)
    worker = pipeline.worker("--formats=nquads,senml", wait=False)
    worker.await_listening()
    harness.wait_for(lambda: "403" in (worker.not_ready() or ""), "not ready")
    time.sleep(3)
    assert worker.metric("ir_messages_acknowledged_total") == 0
    allow(pipeline)
    pipeline.drain()
    keys = {(method.routing_key, properties.message_id) for method, properties, _ in pipeline.take_all(queue)}
    assert keys == {(f"{name}.{MOTE}", str(message.raw_id)) for name in ("nquads", "senml") for message in sent}
    assert pipeline.ready_messages("ir.rejected") == 0
    pipeline.stop_workers()
