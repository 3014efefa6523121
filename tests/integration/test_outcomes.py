"""Servers that refuse what is good, and say yes to what they did not take: nothing is lost, and nothing refused that
was not proved to be bad."""

import time

import pytest

import harness
import proxies

MOTE = "USGS-08068500"
UNLISTED = 7777777


def observations(count, begin=1320500000, mote=MOTE):
    """Packs of one record each."""
    return [harness.Message(mote, [{"n": f"{mote}/00010", "u": "Cel", "t": begin + 900 * i, "v": 10.25 + i % 20}])
            for i in range(count)]


def send_and_verify(pipeline, sent, pause=0.02, seconds=120):
    """Sends while the faults go on, waits, and lets ir-store say that all of it is there, once."""
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
    """Each document of the request by itself, with codes that may mean anything."""
    with proxies.MongoProxy(mongodb.port) as proxy:
        pipeline = make_pipeline(documents=proxy.uri(f"share{percent}_{code}")).init()
        hit = proxies.share_of(percent, code)
        ends = time.monotonic() + 6
        proxy.fault = inserts_fail(lambda: time.monotonic() < ends and hit(),
                                   lambda carried: proxies.write_errors(carried, code))
        send_and_verify(pipeline, observations(100))
        assert proxy.faults > 0


REPLIES = {
    "command": lambda _: {"ok": 0.0, "code": UNLISTED, "codeName": "Unheard", "errmsg": "no"},
    "half": lambda carried: {"n": carried // 2, "ok": 1.0},
    "nothing": lambda _: {"n": 0, "ok": 1.0},
    "concern": lambda carried: {"n": carried, "ok": 1.0, "writeConcernError": {"code": UNLISTED, "errmsg": "no"}},
    "index": lambda _: {"n": 0, "ok": 1.0, "writeErrors": [{"index": 99999, "code": 121, "errmsg": "no"}]},
}


@pytest.mark.parametrize("kind", REPLIES)
def test_mongodb_gives_odd_replies(make_pipeline, mongodb, kind):
    """To whole commands; and those that do not say what became of every document."""
    with proxies.MongoProxy(mongodb.port) as proxy:
        pipeline = make_pipeline(documents=proxy.uri(f"odd_{kind}")).init()
        hit = proxies.share_of(50, 3)
        ends = time.monotonic() + 3
        proxy.fault = inserts_fail(lambda: time.monotonic() < ends and hit(), REPLIES[kind])
        send_and_verify(pipeline, observations(60))
        assert proxy.faults > 0


def test_mongodb_refuses_one_document_for_a_reason_nobody_listed(make_pipeline, mongodb):
    """It is proved in seconds; the others of its batch, and those that come meanwhile, are stored."""
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
        assert len(tries) >= 8 and tries[-1] - tries[0] >= 2, "it was believed too soon"
        assert worker.metric('ir_rejected_total{reason="document-refused"}') == 2  # 10.25 + 27 % 20, too
        pipeline.stop_workers()
        assert database["probe"].count_documents({}) == 0
    assert database["raw"].count_documents({}) == 40
    bad_ones = {message.ids[0] for message in sent if message.records[0]["v"] == bad.records[0]["v"]}
    assert sorted(pipeline.nquads_ids()) == sorted({message.ids[0] for message in sent} - bad_ones)


# ---- the graph ----


FAULTS = {
    "400": proxies.http_answer(400, b"<html>Bad Request</html>"),
    "413": proxies.http_answer(413, b"too large"),
    "cut in the head": b"HTTP/1.1 200 OK\r\nConte",
    "cut in the body": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 61\r\n\r\n{ ",
    "cut in a chunk": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{",
    "without a length": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n",
    "somebody else's 200": proxies.http_answer(200, b"<html>It works!</html>"),
}


def data_fails(hit, answer):
    return lambda method, _path, kind, _body: answer if method == "POST" and "form" not in kind and hit() else None


@pytest.mark.parametrize("kind", FAULTS)
def test_graph_store_behind_a_bad_proxy(make_pipeline, fuseki, kind):
    """Half of all writes, control statements too, are answered by the proxy, and not done."""
    begin = 1330000000 + 1000000 * list(FAULTS).index(kind)
    with proxies.HttpProxy(fuseki.port) as proxy:
        pipeline = make_pipeline(graph=proxy.uri(fuseki)).init()
        fuseki_before = fuseki.count(f"?o a <{harness.OBSERVATION}>")
        hit = proxies.share_of(50, 5)
        ends = time.monotonic() + 5
        proxy.fault = data_fails(lambda: time.monotonic() < ends and hit(), FAULTS[kind])
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
    assert pipeline.ready_messages("ir.rejected") == 0


def test_something_that_says_yes_to_everything(make_pipeline, fuseki):
    """It is found before anything is acknowledged, and told by --check, by status and by /readyz."""
    yes = proxies.http_answer(200, b'{"head":{"vars":["n"]},"boolean":true,"results":{"bindings":[]}}',
                              "application/sparql-results+json")
    with proxies.HttpProxy(fuseki.port) as proxy:
        pipeline = make_pipeline(graph=proxy.uri(fuseki)).init()
        proxy.fault = lambda *_: yes
        status, text, _ = pipeline.call("ir-worker", "--check", *pipeline.arguments())
        assert status == 1 and "graph      WRONG" in text and "is not there" in text, text
        status, text, _ = pipeline.call("ir-store", "status", *pipeline.stores())
        assert status == 1 and "is not there" in text, text
        worker = pipeline.worker(wait=False)
        worker.await_listening()
        harness.wait_for(lambda: "graph" in (worker.not_ready() or ""), "not ready")
        pipeline.publish(observations(1, 1340000000)[0])
        time.sleep(1)
        assert worker.metric("ir_messages_acknowledged_total") == 0
        proxy.fault = lambda *_: None
        worker.await_ready(30)
        pipeline.drain()
        pipeline.stop_workers()
    assert fuseki.count("GRAPH ?g { ?s ?p ?o } FILTER(CONTAINS(STR(?g), 'control/'))") == 0
