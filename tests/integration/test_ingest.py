"""The HTTP gateway: its answers, every kind of error, and that it loses no message that it answered with 202."""

import base64
import concurrent.futures
import gzip
import http.client
import json
import os
import re
import signal
import socket
import threading
import time
import urllib.parse
from pathlib import Path

import cbor2
import pytest

import harness
from harness import SENML_CBOR, SENML_JSON

MOTE = "USGS-08068500"
OTHER = "USGS-021989773"
LINES = "application/x-ndjson"
PATH = "/v1/observations"
T = 1320500000
STOP = ("--header-timeout=1s", "--body-timeout=1s", "--idle-timeout=3s", "--write-timeout=2s")


class Answer:
    def __init__(self, response):
        self.code = response.status
        self.headers = dict(response.headers)
        self.body = response.read()
        self.closes = response.will_close

    @property
    def problem(self):
        assert self.headers["Content-Type"] == "application/problem+json", (self.headers, self.body)
        problem = json.loads(self.body)
        assert problem["status"] == self.code and problem["title"] and problem["reason"] and problem["detail"]
        return problem

    @property
    def ids(self):
        assert self.code == 202, (self.code, self.body)
        return json.loads(self.body)["raw_ids"]


class Client:
    """A raw connection, so that a test determines every byte."""

    def __init__(self, gateway):
        address = urllib.parse.urlsplit(gateway.address)
        self.socket = socket.create_connection((address.hostname, address.port), 30)
        self.reader = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)
        return self

    def answer(self, method="POST"):
        response = http.client.HTTPResponse(self.socket, method=method)
        if self.reader is not None:
            response.fp.close()
            response.fp = self.reader
        self.reader = response.fp
        response.begin()
        # Closing the response would close the connection that the next request uses.
        response._close_conn = lambda: None
        return Answer(response)

    def ended(self, seconds=60):
        """Asserts that the gateway closes the connection without sending more."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


def head(token, length=None, content_type=SENML_JSON, method="POST", path=PATH, **more):
    headers = {"Host": "gateway", **{name.replace("_", "-"): value for name, value in more.items()}}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if content_type:
        headers["Content-Type"] = content_type
    if length is not None:
        headers["Content-Length"] = str(length)
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def request(token, body, content_type=SENML_JSON, **more):
    return head(token, len(body), content_type, **more) + body


def ask(gateway, token, body, content_type=SENML_JSON, **more):
    with Client(gateway) as client:
        return client.send(request(token, body, content_type, **more)).answer(more.get("method", "POST"))


def pack(*values, mote=MOTE, at=T):
    return json.dumps([{"n": f"{mote}/00010", "u": "Cel", "t": at + i, "v": v} for i, v in enumerate(values)]).encode()


@pytest.fixture(scope="module")
def shared(broker, tmp_path_factory):
    """One gateway with short time limits, and a worker behind it, for all rows of the table."""
    with harness.Pipeline(broker, tmp_path_factory.mktemp("ingest")) as pipeline:
        pipeline.init()
        pipeline.issue(MOTE, OTHER)
        pipeline.gateway(*STOP, "--body-bytes=64Ki", "--expanded-bytes=256Ki", "--request-packs=100")
        yield pipeline


@pytest.fixture
def gateway(shared):
    return shared.gateways[0]


@pytest.fixture
def token(shared):
    return shared.tokens[MOTE]


def serves(gateway, token):
    """Whether the gateway accepts a request of another client."""
    return ask(gateway, token, pack(7.5)).code == 202


@pytest.fixture
def quiet(broker, tmp_path):
    """A pipeline whose queues only the test's gateway fills. The queues have no single active consumer, because that
    would forbid basic.get."""
    with harness.Pipeline(broker, tmp_path) as pipeline:
        channel = pipeline.connect()
        channel.exchange_declare("ir.observations", "x-consistent-hash", durable=True)
        channel.queue_declare("all", durable=True)
        channel.queue_bind("all", "ir.observations", "1")
        pipeline.issue(MOTE, OTHER)
        yield pipeline


# ---- accepted requests ----


def test_json_cbor_gzip_and_lines_arrive_byte_for_byte(quiet):
    gateway, token = quiet.gateway(), quiet.tokens[MOTE]
    one, two = pack(11.5), b" " + pack(12.5, 13.5) + b"  "
    binary = cbor2.dumps([{0: f"{MOTE}/00010", 2: 14.5, 6: T}])
    lines = one + b"\r\n\n" + pack(15.5) + b"\n"
    cases = [
        (one, SENML_JSON, {}, [one]),
        (two, "Application/SenML+JSON; charset=utf-8", {}, [two]),
        (binary, SENML_CBOR, {}, [binary]),
        (gzip.compress(one), SENML_JSON, {"Content_Encoding": "gzip"}, [one]),
        (gzip.compress(one) + gzip.compress(b" "), SENML_JSON, {"Content_Encoding": "gzip"}, [one + b" "]),
        (lines, LINES, {}, [one, pack(15.5)]),
        (gzip.compress(lines), LINES, {"Content_Encoding": "GZIP"}, [one, pack(15.5)]),
    ]
    expected = []
    for body, content_type, more, packs in cases:
        answer = ask(gateway, token, body, content_type, **more)
        assert answer.ids == [str(harness.absolute_raw_id(MOTE, each)) for each in packs]
        media = SENML_CBOR if content_type == SENML_CBOR else SENML_JSON
        expected += [(f"ir.{MOTE}", media, each) for each in packs]
    messages = quiet.take_all("all")
    assert sorted((m.routing_key, p.content_type, body) for m, p, body in messages) == sorted(expected)
    assert not any(p.message_id for _, p, _ in messages), "a name that no sender gave"
    metrics = gateway.metrics()
    assert metrics['ir_http_requests_total{code="202"}'] == len(cases)
    assert metrics["ir_ingest_messages_total"] == metrics["ir_ingest_observations_total"] - 1 == len(expected)
    assert metrics["ir_ingest_bytes_total"] == sum(len(each[2]) for each in expected)
    assert metrics["ir_ingest_confirm_seconds_count"] == len(cases)
    assert gateway.stop() == 0


def clockless(value, mote=MOTE):
    return json.dumps([{"n": f"{mote}/00010", "u": "Cel", "v": value}]).encode()


def test_a_message_has_its_arrival_and_its_senders_name(quiet):
    """A message contains the arrival time of its request, and a user that the broker verifies. The ids in the answer
    are computed from this arrival."""
    gateway, token = quiet.gateway(), quiet.tokens[MOTE]
    body = clockless(16.5)
    before = time.time_ns() // 1000
    unnamed = ask(gateway, token, body).ids
    named = ask(gateway, token, body, Idempotency_Key='"k-1"').ids
    lines = ask(gateway, token, body + b"\n\n" + body + b"\n", LINES, Idempotency_Key="k-2").ids
    after = time.time_ns() // 1000
    found = [properties for _, properties, _ in quiet.take_all("all")]
    assert [each.message_id for each in found] == [None, "k-1", "k-2/1", "k-2/3"]
    assert {each.user_id for each in found} == {"guest"}
    arrivals = [each.headers["ir-arrival"] for each in found]
    assert all(before <= each <= after for each in arrivals)
    assert unnamed == [str(harness.raw_id(MOTE, body, arrivals[0] * 1000, kind="arrived"))]
    assert named == [str(harness.raw_id(MOTE, body, kind="named", name=b"k-1"))]
    assert lines == [str(harness.raw_id(MOTE, body, kind="named", name=name)) for name in (b"k-2/1", b"k-2/3")]


@pytest.mark.parametrize("key", ["", '""', "a b", "k\xe9", 'a"b', '"a\\b"', "k" * 201])
def test_keys_that_are_none_are_refused(gateway, token, key):
    answer = ask(gateway, token, clockless(17.5), Idempotency_Key=key)
    assert answer.code == 400 and json.loads(answer.body)["reason"] == "idempotency-key"
    assert serves(gateway, token)


def test_two_keys_are_refused(gateway, token):
    body = clockless(18.5)
    twice = head(token, len(body), Idempotency_Key="a").replace(b"\r\n\r\n", b"\r\nidempotency-key: a\r\n\r\n")
    with Client(gateway) as client:
        answer = client.send(twice + body).answer()
    assert answer.code == 400 and json.loads(answer.body)["reason"] == "idempotency-key"


def test_chunked_and_continued_bodies(gateway, token):
    body = pack(21.5)
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i : i + 7]), body[i : i + 7]) for i in range(0, len(body), 7))
    with Client(gateway) as client:
        client.send(head(token, Transfer_Encoding="chunked") + chunks + b"0\r\n\r\n")
        assert client.answer().ids == [str(harness.absolute_raw_id(MOTE, body))]
        client.send(head(token, len(body), Expect="100-continue"))
        assert client.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert client.send(body).answer().code == 202


def test_keep_alive_and_pipelining(gateway, token):
    """Several requests are sent at once on one connection. All are answered, in order."""
    bodies = [pack(30 + i / 4) for i in range(200)]
    with Client(gateway) as client:
        sender = threading.Thread(target=client.send, args=(b"".join(request(token, body) for body in bodies),))
        sender.start()
        assert [client.answer().ids[0] for _ in bodies] == [str(harness.absolute_raw_id(MOTE, body)) for body in bodies]
        sender.join()
        answers = [client.send(request(token, body)).answer() for body in (pack(1.5), b"[", pack(2.5))]
        assert [answer.code for answer in answers] == [202, 400, 202]
        assert not any(answer.closes for answer in answers)
        client.send(request(token, pack(3.5), Connection="close"))
        assert client.answer().code == 202 and client.ended()


def test_byte_by_byte(gateway, token):
    with Client(gateway) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request(token, pack(41.5)):
            client.send(bytes((byte,)))
        assert client.answer().code == 202


def test_half_closed(gateway, token):
    """A client that closed its sending side still gets its answer. The request of a client that disconnects in the
    middle is dropped."""
    with Client(gateway) as client:
        client.send(request(token, pack(42.5))).socket.shutdown(socket.SHUT_WR)
        assert client.answer().code == 202 and client.ended()
    before = gateway.metric('ir_http_closed_total{reason="broken"}')
    with Client(gateway) as client:
        client.send(request(token, pack(42.5))[:-5]).socket.shutdown(socket.SHUT_WR)
        assert client.ended()
    assert gateway.metric('ir_http_closed_total{reason="broken"}') == before + 1
    assert serves(gateway, token)


def test_worker_takes_it(shared, gateway, token):
    shared.worker()
    message = harness.Message(MOTE, [{"n": f"{MOTE}/00010", "u": "Cel", "t": T + 5000, "v": 9.25}])
    assert ask(gateway, token, message.body).ids == [str(message.raw_id)]
    assert ask(gateway, token, message.body).ids == [str(message.raw_id)]
    shared.drain()
    assert shared.sqlite_ids().count(message.ids[0]) == 1
    assert message.raw_id in shared.sqlite_ids("raw")
    shared.stop_workers()


# ---- refused requests ----

BAD = [{"n": f"{MOTE}/a", "v": 1}, {"n": f"{MOTE}/b c", "v": 1}, {"n": f"{MOTE}/d"}]
DEEP = b"[" * 5000 + b"]" * 5000


@pytest.mark.parametrize(
    "body, content_type, more, code, reason",
    (
        (b"", SENML_JSON, {}, 400, "empty"),
        (b"", None, {}, 400, "empty"),
        (b"\x00\xff\xfe garbage", SENML_JSON, {}, 400, "not-json"),
        (b"\x00\xff\xfe garbage", SENML_CBOR, {}, 400, "not-senml"),
        (b"[]", SENML_JSON, {}, 400, "empty-pack"),
        (b"\n\r\n", LINES, {}, 400, "empty"),
        (DEEP, SENML_JSON, {}, 400, "too-deep"),
        (json.dumps(BAD).encode(), SENML_JSON, {}, 400, "bad-name"),
        (pack(1), "text/html", {}, 415, "content-type"),
        (b"21 degrees", "text/plain", {}, 415, "content-type"),
        (b"21 degrees", None, {}, 415, "content-type"),
        (pack(1), SENML_JSON, {"Content_Encoding": "br"}, 415, "content-encoding"),
        (pack(1), SENML_JSON, {"Content_Encoding": "gzip"}, 400, "not-gzip"),
        (gzip.compress(pack(1), mtime=0)[:-6], SENML_JSON, {"Content_Encoding": "gzip"}, 400, "not-gzip"),
        (gzip.compress(b" " * 2**20, mtime=0), SENML_JSON, {"Content_Encoding": "gzip"}, 413, "too-large"),
        (gzip.compress(bytes(60 * 2**20), mtime=0), SENML_JSON, {"Content_Encoding": "gzip"}, 413, "too-large"),
        (b" " * (64 * 1024 + 1), SENML_JSON, {}, 413, "too-large"),
        ((pack(1) + b"\n") * 101, LINES, {}, 413, "too-many-packs"),
        (pack(1, mote=OTHER), SENML_JSON, {}, 403, "foreign-name"),
        (pack(1, mote=MOTE + "9"), SENML_JSON, {}, 403, "foreign-name"),
        (pack(1) + b"\n" + pack(1, mote=OTHER), LINES, {}, 403, "foreign-name"),
    ),
)
def test_refusal(gateway, token, body, content_type, more, code, reason):
    before = gateway.metric(f'ir_http_requests_total{{code="{code}"}}')
    messages = gateway.metric("ir_ingest_messages_total")
    answer = ask(gateway, token, body, content_type, **more)
    assert (answer.code, answer.problem["reason"]) == (code, reason), answer.body
    assert gateway.metric(f'ir_http_requests_total{{code="{code}"}}') == before + 1
    assert gateway.metric("ir_ingest_messages_total") == messages
    assert serves(gateway, token)


def test_refusals_are_listed_with_line_and_record(gateway, token):
    problem = ask(gateway, token, pack(1) + b"\n\n" + json.dumps(BAD).encode() + b"\n{", LINES).problem
    assert problem["refused"] == 3
    assert [(each.get("line"), each.get("record"), each["reason"]) for each in problem["refusals"]] == [
        (3, 1, "bad-name"), (3, 2, "no-value"), (4, None, "not-json")]
    assert all(each["detail"] for each in problem["refusals"])
    many = json.dumps([{"n": f"{MOTE}/a"}] * 500).encode()
    problem = ask(gateway, token, many).problem
    assert problem["refused"] == 500 and len(problem["refusals"]) == 16


@pytest.mark.parametrize("given", (None, "Bearer", "Bearer ", "Bearer nobody", "Basic Z3Vlc3Q6Z3Vlc3Q=", "Bearer " + "x" * 5000))
def test_wrong_tokens(gateway, token, given):
    answer = ask(gateway, None, pack(1), **({"Authorization": given} if given is not None else {}))
    assert answer.code == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer realm=")
    assert answer.problem["reason"] == ("no-token" if given is None else "bad-token")
    assert token not in gateway.text()


def test_paths_and_methods(gateway, token):
    assert ask(gateway, token, b"", path="/v2/observations").problem["status"] == 404
    assert ask(gateway, token, pack(1), path=PATH + "?a=b").code == 202
    assert ask(gateway, token, pack(1), path=PATH + "/").code == 202
    assert ask(gateway, token, pack(1), path=PATH + "//").code == 404
    for method in ("GET", "PUT", "DELETE", "PATCH", "TRACE"):
        answer = ask(gateway, token, b"", method=method)
        assert answer.code == 405 and answer.headers["Allow"] == "POST, OPTIONS"
    answer = ask(gateway, None, b"", method="OPTIONS")
    assert (answer.code, answer.headers["Allow"]) == (204, "POST, OPTIONS")
    assert ask(gateway, token, b"", method="HEAD").code == 405
    assert ask(gateway, token, b"", path="/metrics").code == 405
    for path in ("/metrics", "/healthz", "/readyz"):
        assert gateway.get(path)[0] == 200


@pytest.mark.parametrize("scheme", ("Bearer  {0}", "bearer {0}", "Basic {1}", "basic   {1}"))
def test_ways_to_say_who_it_is(gateway, token, scheme):
    pair = base64.b64encode(f"{MOTE}:{token}".encode()).decode()
    assert ask(gateway, None, pack(1), Authorization=scheme.format(token, pair)).code == 202


def test_the_password_of_another_mote(gateway, token):
    pair = base64.b64encode(f"{OTHER}:{token}".encode()).decode()
    assert ask(gateway, None, pack(1), Authorization=f"Basic {pair}").code == 401


@pytest.mark.parametrize("lines, code", ((b"", 400), (b"Host: a\r\nHost: b\r\n", 400), (b"Host:\r\n", 202)))
def test_one_host(gateway, token, lines, code):
    body = pack(6.5)
    data = request(token, body).replace(b"Host: gateway\r\n", lines)
    with Client(gateway) as client:
        answer = client.send(data).answer()
    assert answer.code == code and (code == 202 or answer.problem["reason"] == "host")
    with Client(gateway) as client:
        assert client.send(data.replace(lines + b"Auth", b"Auth").replace(b"HTTP/1.1", b"HTTP/1.0")).answer().code == 202


def test_an_empty_line_after_a_body(gateway, token):
    """Old clients send an extra line end after the body, at the same time or later."""
    with Client(gateway) as client:
        for _ in range(2):
            assert client.send(request(token, pack(1)) + b"\r\n").answer().code == 202
            assert client.send(request(token, pack(1)) + b"\r\n" + request(token, pack(1))).answer().code == 202
            assert client.answer().code == 202
            client.send(b"\r\n\r\n")


def test_pages_may_send_when_they_are_named(shared):
    gateway = shared.gateway("--cors-origins=https://river.example, http://127.0.0.1:3000")
    token = shared.tokens[MOTE]
    asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "authorization,content-type"}
    answer = ask(gateway, None, b"", method="OPTIONS", Origin="https://river.example", **asked)
    assert answer.code == 204 and answer.headers["Access-Control-Allow-Origin"] == "https://river.example"
    assert answer.headers["Access-Control-Allow-Methods"] == "POST" and answer.headers["Vary"] == "Origin"
    assert {"Authorization", "Content-Type"} <= set(answer.headers["Access-Control-Allow-Headers"].split(", "))
    for origin in ("https://river.example", "http://127.0.0.1:3000"):
        assert ask(gateway, token, pack(1), Origin=origin).headers["Access-Control-Allow-Origin"] == origin
    assert ask(gateway, "wrong", pack(1), Origin=origin).headers["Access-Control-Allow-Origin"] == origin
    for origin in ("https://river.example.org", "http://river.example", "null"):
        answer = ask(gateway, None, b"", method="OPTIONS", Origin=origin, **asked)
        assert answer.code == 204 and "Access-Control-Allow-Origin" not in answer.headers
    status, _, errors = shared.call("ir-ingest", "--check", "--cors-origins=river.example")
    assert status == 2 and "cors-origins" in errors


# ---- with the registry ----


@pytest.fixture(scope="module")
def knowing(shared):
    """A gateway that has the same registry as the workers."""
    return shared.gateway(f"--registry={shared.registry}")


def test_what_no_worker_can_use_is_refused_at_once(knowing, token):
    messages = knowing.metric("ir_ingest_messages_total")
    for record, reason in (({"n": f"{MOTE}/99999", "v": 1}, "unknown-sensor"), ({"n": f"{OTHER}/00010", "v": 1}, "foreign-sensor"),
                           ({"n": f"{MOTE}/00010", "u": "mg/l", "v": 1}, "unit"), ({"n": f"{MOTE}/00010", "vs": "warm"}, "value-type")):
        answer = ask(knowing, token, json.dumps([{**record, "t": T}]).encode())
        assert (answer.code, answer.problem["reason"]) == (400, reason)
        assert [(each["record"], each["reason"]) for each in answer.problem["refusals"]] == [(0, reason)]
    assert knowing.metric("ir_ingest_messages_total") == messages


def test_the_rest_of_a_pack_goes_through(make_pipeline):
    """A pack with a bad record is published unchanged. The worker computes the same ids for the good records as the
    gateway reported."""
    pipeline = make_pipeline().init()
    pipeline.worker()
    pipeline.issue(MOTE)
    knowing, token = pipeline.gateway(f"--registry={pipeline.registry}"), pipeline.tokens[MOTE]
    body = json.dumps([{"n": f"{MOTE}/00010", "u": "Cel", "t": T + 77000, "v": 3.25}, {"n": f"{MOTE}/99999", "t": T, "v": 1}]).encode()
    answer = ask(knowing, token, body)
    assert answer.code == 202 and len(answer.ids) == 1
    said = json.loads(answer.body)
    assert said["refused"] == 1
    assert [(each["record"], each["reason"]) for each in said["refusals"]] == [(1, "unknown-sensor")]
    pipeline.drain()
    rows = pipeline.sqlite("SELECT status, refusals FROM raw WHERE body = ?", body)
    assert len(rows) == 1 and rows[0][0] == "partly" and json.loads(rows[0][1])[0]["record"] == 1
    large = json.dumps([{"n": f"{MOTE}/00010", "t": T + 78000 + i, "v": i} for i in range(900)] + [{"n": f"{MOTE}/99999", "v": 1}])
    answer = ask(knowing, token, large.encode())
    assert answer.code == 202 and json.loads(answer.body)["refused"] == 1


def test_the_registry_is_read_again(shared, token, tmp_path):
    registry = tmp_path / "registry.ttl"
    text = Path(shared.registry).read_text()
    registry.write_text(text)
    gateway = shared.gateway(f"--registry={registry}")
    body = json.dumps([{"n": f"{MOTE}/new", "v": 1}]).encode()
    assert ask(gateway, token, body).code == 400
    registry.write_text(text.replace(f'"{MOTE}/00010"', f'"{MOTE}/new"'))
    os.kill(gateway.process.pid, signal.SIGHUP)
    harness.wait_for(lambda: gateway.metric('ir_registry_reloads_total{result="done"}') == 1, "the new registry")
    assert ask(gateway, token, body).code == 202
    registry.write_text("nonsense")
    os.kill(gateway.process.pid, signal.SIGHUP)
    harness.wait_for(lambda: gateway.metric('ir_registry_reloads_total{result="failed"}') == 1, "the bad registry")
    assert ask(gateway, token, body).code == 202


@pytest.mark.parametrize(
    "more",
    (
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Transfer-Encoding: gzip, chunked",
    ),
)
def test_bodies_whose_end_is_in_doubt(gateway, token, more):
    with Client(gateway) as client:
        client.send(head(token)[:-2] + more.encode() + b"\r\n\r\n0\r\n\r\n" + request(token, pack(5.5)))
        answer = client.answer()
        assert answer.code == 400 and answer.closes and client.ended()


# ---- requests that are too large, too slow, or not HTTP ----


def closed(gateway, reason):
    return gateway.metric(f'ir_http_closed_total{{reason="{reason}"}}')


@pytest.mark.parametrize(
    "data, code, reason",
    (
        (b"POST " + b"/" * 2**20, 431, "large-headers"),
        (head(None)[:-2] + b"A: " + b"b" * 2**20, 431, "large-headers"),
        (head(None)[:-2] + b"a:b\r\n" * 10**6, 431, "many-headers"),
        (head(None)[:-2] + b"a:b\r\n" * 200 + b"\r\n", 431, "many-headers"),
    ),
)
def test_a_million_header_bytes(gateway, token, data, code, reason):
    before = closed(gateway, reason)
    with Client(gateway) as client:
        sender = threading.Thread(target=lambda: quietly(client.send, data))
        sender.start()
        answer = client.answer()
        assert answer.code == code and answer.problem["reason"] == reason
        assert client.ended()
        sender.join()
    assert closed(gateway, reason) == before + 1
    assert serves(gateway, token)


def quietly(call, *arguments):
    try:
        call(*arguments)
    except OSError:
        pass


@pytest.mark.parametrize("chunked", (False, True))
def test_oversized_body(gateway, token, chunked):
    """The limit is 64 KiB. A body of ten megabytes is cut off early, and the answer gives the reason."""
    before = closed(gateway, "large-body")
    size = 10 * 2**20
    begin = head(token, Transfer_Encoding="chunked") + b"%x\r\n" % size if chunked else head(token, size)
    with Client(gateway) as client:
        sender = threading.Thread(target=lambda: quietly(client.send, begin + bytes(size)))
        sender.start()
        answer = client.answer()
        assert answer.code == 413 and answer.problem["reason"] == "large-body"
        assert client.ended()
        sender.join()
    assert closed(gateway, "large-body") == before + 1


def test_slow_headers_and_bodies(gateway, token):
    before = closed(gateway, "slow-headers"), closed(gateway, "slow-body")
    with Client(gateway) as slow, Client(gateway) as slower, Client(gateway) as silent:
        slow.send(b"POST /v1/obs")
        slower.send(request(token, pack(1) + bytes(50000))[:-49000])
        began = time.monotonic()
        while time.monotonic() - began < 0.8:
            assert serves(gateway, token)
            slow.send(b"e")
            slower.send(b" ")
        assert slow.answer().problem["reason"] == "slow-headers"
        assert slower.answer().problem["reason"] == "slow-body"
        assert slow.ended() and slower.ended()
        assert silent.ended()
    assert (closed(gateway, "slow-headers"), closed(gateway, "slow-body")) == (before[0] + 1, before[1] + 1)
    assert closed(gateway, "idle") >= 1


@pytest.mark.parametrize("data", (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), b"AMQP\0\0\x09\x01\r\n\r\n",
                                  b"\r\n\r\n", b"GET\r\n\r\n", b"POST /v1/observations HTTP/9.9\r\n\r\n", os.urandom(5000),
                                  b"POST " + PATH.encode() + b" HTTP/1.1\r\nno colon\r\n\r\n"))
def test_garbage(gateway, token, data):
    """Meaningless bytes are refused at once, or when the time limit for headers is over. Then the connection is
    closed."""
    with Client(gateway) as client:
        client.send(data).socket.settimeout(15)
        received = b""
        try:
            while part := client.socket.recv(4096):
                received += part
        except ConnectionResetError:
            pass
        assert received == b"" or received.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4", b"HTTP/1.1 5")), received
    assert serves(gateway, token)


def test_unknown_method(gateway):
    with Client(gateway) as client:
        assert client.send(b"BREW /pot HTTP/1.1\r\n\r\n").socket.recv(100).startswith(b"HTTP/1.1 501")


def test_memory_of_unfinished_requests_is_bounded(shared):
    gateway, token = shared.gateway("--request-memory=1Mi", "--body-bytes=256Ki"), shared.tokens[MOTE]
    clients = [Client(gateway) for _ in range(10)]
    for client in clients:
        quietly(client.send, head(token, 250000) + bytes(200000))
    harness.wait_for(lambda: closed(gateway, "memory") >= 4, "refusals")
    for client in clients:
        client.close()
    assert serves(gateway, token)
    assert gateway.stop() == 0


def test_who_holds_most_memory_is_refused_first(shared):
    """Five bodies that do not end fill it. The smaller requests of another client are accepted nevertheless."""
    gateway, token = shared.gateway("--request-memory=1Mi", "--body-bytes=256Ki"), shared.tokens[MOTE]
    clients = [Client(gateway).send(head(token, 250000) + bytes(205000)) for _ in range(5)]

    def one_is_refused():
        assert ask(gateway, token, pack(7.5).ljust(50000)).code == 202
        return closed(gateway, "memory")

    assert harness.wait_for(one_is_refused, "their bytes") == 1
    for client in clients:
        client.close()
    assert gateway.stop() == 0


def test_the_longest_idle_makes_room(shared):
    gateway, token = shared.gateway("--connections=20"), shared.tokens[MOTE]
    idle = [Client(gateway) for _ in range(25)]
    assert serves(gateway, token)
    assert closed(gateway, "crowded") >= 5
    assert idle[0].ended()
    for client in idle:
        client.close()
    busy = [Client(gateway).send(b"POST") for _ in range(20)]
    harness.wait_for(lambda: quietly_serves(gateway, token), "a place")
    for client in busy:
        client.close()
    assert gateway.stop() == 0


def quietly_serves(gateway, token):
    """Whether the gateway serves a request. While all connections are in use it accepts no new one, until
    header-timeout closes some."""
    try:
        return serves(gateway, token)
    except OSError:
        return False


def test_thousands_of_idle_connections(shared):
    gateway, token = shared.gateway(), shared.tokens[MOTE]
    idle = []
    try:
        for _ in range(4000):
            idle.append(Client(gateway))
        harness.wait_for(lambda: gateway.metric("ir_ingest_connections") >= 4000, "all of them")
        assert all(serves(gateway, token) for _ in range(20))
        assert idle[0].send(request(token, pack(1))).answer().code == 202
    finally:
        for client in idle:
            client.close()
    harness.wait_for(lambda: gateway.metric("ir_ingest_connections") < 10, "their end")
    assert gateway.stop() == 0


def test_the_description_names_every_answer(gateway):
    """docs/reference lists all metrics and answers of the gateway."""
    description = (harness.ROOT / "docs" / "reference" / "openapi.yaml").read_text().split("/healthz:")[0]
    described = set(re.findall(r"^        '(\d+)':", description, re.M))
    counted = set(re.findall(r'ir_http_requests_total{code="(\d+)"}', gateway.get("/metrics")[1]))
    assert counted | {"408", "431"} == described | {"404"}
    text = "".join((harness.ROOT / "docs" / each).read_text() for each in ("reference/http.md", "reference/metrics.md"))
    assert all(f"| {code}" in text or f", {code} |" in text for code in described)
    assert all(f"`{each}`" in text for each in re.findall(r'ir_http_closed_total{reason="([^"]+)"}', gateway.get("/metrics")[1]))


# ---- large bodies, which a separate thread decodes ----


def large(number):
    """A pack with the largest allowed number of records."""
    first = {"bn": f"{MOTE}/", "bt": T + number * 10000, "n": "00010", "u": "Cel", "v": 0}
    return json.dumps([first] + [{"n": "00010", "t": i, "v": i} for i in range(1, 10000)]).encode()


def under_way(gateway):
    """Returns (number of requests being read, number of all accepted requests)."""
    metrics = gateway.metrics()
    reading = metrics["ir_ingest_requests_reading"]
    return reading, reading + metrics["ir_ingest_requests_in_flight"] + metrics['ir_http_requests_total{code="202"}']


def test_others_are_answered_while_large_bodies_are_read(quiet):
    """Another mote's request waits for at most one turn of the event loop, and not until all large bodies are
    decoded."""
    gateway, count = quiet.gateway("--rate=0"), 12
    clients = [Client(gateway).send(request(quiet.tokens[MOTE], large(number))) for number in range(count)]
    harness.wait_for(lambda: under_way(gateway)[0] > 1, "the first to be read", pause=0)
    others = 0
    with Client(gateway) as other:
        while under_way(gateway)[0] > 0:
            assert other.send(request(quiet.tokens[OTHER], pack(others, mote=OTHER))).answer().code == 202
            others += 1
    for client in clients:
        with client:
            assert client.answer().code == 202
    assert others > 2 * count
    assert gateway.stop() == 0


def test_a_mote_keeps_its_order(quiet):
    """A small request does not overtake an earlier large one of the same mote."""
    gateway, token = quiet.gateway("--rate=0", "--mote-wait=60s"), quiet.tokens[MOTE]
    lines = b"\n".join(pack(*range(200), at=T + 1000 * i) for i in range(9))
    bodies = [large(0), pack(1), lines, pack(500, at=T - 1), large(1), pack(501)]
    clients = []
    for number, body in enumerate(bodies, 1):
        clients.append(Client(gateway).send(request(token, body, LINES if b"\n" in body else SENML_JSON)))
        harness.wait_for(lambda: under_way(gateway)[1] == number, "it to be taken", pause=0)
    for client in clients:
        with client:
            answer = client.answer()
            assert answer.code == 202, answer.problem
    assert [body for _, _, body in quiet.take_all("all")] == [line for body in bodies for line in body.split(b"\n")]


def test_a_request_follows_one_of_many_packs(quiet):
    """A mote's request waits until its earlier, large request is completely sent. It is not refused."""
    gateway, token = quiet.gateway("--rate=0", "--mote-wait=60s"), quiet.tokens[MOTE]
    for turn in range(20):
        lines = b"\n".join(pack(*range(100), at=T + 100000 * turn + 1000 * i) for i in range(9))
        with Client(gateway) as many, Client(gateway) as one:
            many.send(request(token, lines, LINES))
            harness.wait_for(lambda: under_way(gateway)[1] > 2 * turn, "it to be taken", pause=0)
            one.send(request(token, pack(turn, at=T - 1)))
            answers = many.answer(), one.answer()
        assert [each.code for each in answers] == [202, 202], [each.body for each in answers]


def test_a_mote_has_few_bodies_that_wait(quiet):
    """Requests over a mote's limit are refused at once, without being decoded."""
    gateway = quiet.gateway("--mote-messages=4", "--rate=1", "--burst=10")
    clients = [Client(gateway).send(request(quiet.tokens[MOTE], large(number))) for number in range(8)]
    answers = [client.answer() for client in clients]
    reasons = sorted("taken" if each.code == 202 else each.problem["reason"] for each in answers)
    assert reasons.count("taken") == 1 and reasons.count("rate") >= 3, reasons
    assert set(reasons) <= {"taken", "rate", "busy"}
    assert ask(gateway, quiet.tokens[OTHER], pack(1, mote=OTHER)).code == 202
    for client in clients:
        client.close()


def test_a_client_that_leaves_while_its_body_is_read(quiet):
    gateway = quiet.gateway("--rate=0")
    for number in range(6):
        Client(gateway).send(request(quiet.tokens[MOTE], large(number))).close()
    assert ask(gateway, quiet.tokens[OTHER], pack(1, mote=OTHER)).code == 202
    harness.wait_for(lambda: under_way(gateway)[0] == 0, "all to be read")
    assert gateway.stop() == 0


# ---- rates, reload, tokens ----


def test_rate_of_one_mote(shared):
    gateway = shared.gateway("--rate=2", "--burst=10")
    answers = [ask(gateway, shared.tokens[MOTE], pack(1, 2, 3, 4)) for _ in range(4)]
    assert [answer.code for answer in answers] == [202, 202, 202, 429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 3 and answers[-1].problem["reason"] == "rate"
    assert ask(gateway, shared.tokens[OTHER], pack(1, mote=OTHER)).code == 202
    os.kill(gateway.process.pid, signal.SIGHUP)
    harness.wait_for(lambda: "read again" in gateway.text(), "the reload")
    assert ask(gateway, shared.tokens[MOTE], pack(1)).code == 429, "the reload reset the rate limit"
    time.sleep(2.5)
    assert ask(gateway, shared.tokens[MOTE], pack(1)).code == 202
    assert gateway.stop() == 0


def test_reload(quiet):
    gateway = quiet.gateway()
    old = quiet.tokens[MOTE]
    quiet.issue(MOTE, "new-mote")
    assert oct((quiet.directory / "tokens.txt").stat().st_mode)[-3:] == "600"
    assert old not in (quiet.directory / "tokens.txt").read_text()
    os.kill(gateway.process.pid, signal.SIGHUP)
    harness.wait_for(lambda: "3 for 3 motes" in gateway.text(), "the reload")
    assert ask(gateway, old, pack(1)).code == 401
    assert ask(gateway, quiet.tokens[MOTE], pack(1)).code == 202
    assert ask(gateway, quiet.tokens["new-mote"], pack(1, mote="new-mote")).code == 202
    with open(quiet.directory / "tokens.txt", "a") as file:
        file.write("new-mote sha256:nothing\n")
    os.kill(gateway.process.pid, signal.SIGHUP)
    harness.wait_for(lambda: "could not reload the tokens" in gateway.text(), "the fault")
    assert "tokens.txt:4:" in gateway.text()
    assert ask(gateway, quiet.tokens[MOTE], pack(1)).code == 202
    assert gateway.metric('ir_tokens_reloads_total{result="failed"}') == 1
    assert gateway.stop() == 0


def test_check(quiet):
    def check(*more):
        return quiet.call("ir-ingest", "--check", f"--amqp={quiet.amqp}", *more)

    status, text, _ = check(f"--tokens={quiet.directory / 'tokens.txt'}")
    assert status == 0 and "2 for 2 motes" in text
    status, text, _ = check("--tokens=nowhere")
    assert status == 1 and "WRONG" in text and "nowhere" in text
    status, text, _ = check("--tokens=/dev/null")
    assert status == 1 and "WRONG  /dev/null: it has no token" in text
    status, _, errors = check("--trusted-proxies=10.0.0.0/33")
    assert status == 2 and "10.0.0.0" in errors
    status, _, errors = check("--listen=8080")
    assert status == 2 and "HOST:PORT" in errors


def test_addresses_in_the_log(quiet):
    gateway = quiet.gateway("--trusted-proxies=127.0.0.0/8")
    ask(gateway, None, b"", X_Forwarded_For="203.0.113.9, 198.51.100.7, 127.0.0.2")
    harness.wait_for(lambda: "401 no-token to 198.51.100.7" in gateway.text(), "the address")
    assert gateway.stop() == 0


# ---- the broker ----


def limit_queue(pipeline, **definition):
    body = {"pattern": "all", "definition": definition, "apply-to": "queues"}
    pipeline.broker.api("PUT", f"policies/{pipeline.host}/full", body)


def test_a_queue_that_is_full(quiet):
    gateway, token = quiet.gateway(), quiet.tokens[MOTE]
    limit_queue(quiet, **{"max-length": 3, "overflow": "reject-publish"})
    harness.wait_for(lambda: ask(gateway, token, pack(1)).code == 503, "a refusal")
    answer = ask(gateway, token, pack(1))
    assert answer.problem["reason"] == "broker-full" and int(answer.headers["Retry-After"]) > 0
    quiet.connect().queue_purge("all")
    assert ask(gateway, token, pack(1)).code == 202
    assert gateway.get("/readyz")[0] == 200
    assert gateway.metric("ir_broker_reconnects_total") == 0
    assert gateway.stop() == 0


def test_exchange_that_is_missing(pipeline):
    """While the exchange is missing, the gateway accepts no request. It may not declare objects, so it is not ready
    until a worker has declared them."""
    pipeline.issue(MOTE)
    gateway, token = pipeline.gateway(), pipeline.tokens[MOTE]
    pipeline.connect().exchange_delete("ir.observations")
    assert ask(gateway, token, pack(1)).code == 503
    harness.wait_for(lambda: "exchange 'ir.observations'" in (gateway.not_ready() or ""), "the reason")
    assert ask(gateway, token, pack(1)).problem["reason"] == "broker-away"
    pipeline.worker()
    gateway.await_ready()
    assert ask(gateway, token, pack(1)).code == 202
    pipeline.drain()
    assert len(pipeline.sqlite_ids()) == 1
    assert gateway.stop() == 0
    pipeline.stop_workers()


def test_nothing_to_route_to(quiet):
    gateway, token = quiet.gateway(), quiet.tokens[MOTE]
    quiet.connect().queue_delete("all")
    answers = []
    # For a moment the broker may still route to the deleted queue, and refuses those messages.
    harness.wait_for(lambda: answers.append(ask(gateway, token, pack(1))) or "route" in answers[-1].problem["detail"],
                     "no way")
    assert {answer.code for answer in answers} == {503}
    quiet.connect().queue_declare("all", durable=True)
    quiet.connect().queue_bind("all", "ir.observations", "1")
    harness.wait_for(lambda: ask(gateway, token, pack(1)).code == 202, "the way")
    assert gateway.stop() == 0


def send_all(gateway, token, messages, answers, threads=8):
    """Posts each message once, and puts each answer into `answers`, by raw id."""

    def send(message):
        try:
            answers[str(message.raw_id)] = ask(gateway, token, message.body)
        except (OSError, http.client.HTTPException):
            answers[str(message.raw_id)] = None

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        list(pool.map(send, messages))


def make_messages(count, first=0):
    return [harness.Message(MOTE, [{"n": f"{MOTE}/00010", "u": "Cel", "t": T + 10000 + first + i, "v": 10 + i % 80 / 8}])
            for i in range(count)]


def test_broker_killed_while_requests_wait(own_broker, tmp_path):
    """The waiting requests are answered with 503. They are sent again, and then everything is stored once."""
    with harness.Pipeline(own_broker, tmp_path) as pipeline:
        pipeline.init()
        pipeline.issue(MOTE)
        gateway, token = pipeline.gateway("--confirm-timeout=3s"), pipeline.tokens[MOTE]
        messages, answers = make_messages(60), {}
        assert ask(gateway, token, messages[0].body).code == 202
        # RabbitMQ saves the log of a new queue only after some seconds. If it is killed earlier, it restarts
        # without the queue.
        own_broker.control("eval", "[dets:sync(Table) || Table <- dets:all()].")
        own_broker.process.send_group(signal.SIGSTOP)
        sender = threading.Thread(target=send_all, args=(gateway, token, messages[:20], answers))
        sender.start()
        harness.wait_for(lambda: gateway.metric("ir_ingest_requests_in_flight") >= 8, "requests that wait")
        sender.join()
        assert all(answer.code == 503 for answer in answers.values())
        assert {answer.problem["reason"] for answer in answers.values()} == {"unconfirmed", "waiting"}
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers.values())

        sender = threading.Thread(target=send_all, args=(gateway, token, messages[20:40], answers))
        sender.start()
        own_broker.process.send_group(signal.SIGCONT)
        own_broker.kill()
        pipeline.disconnect()
        sender.join()
        assert all(answer is not None and answer.code in (202, 503) for answer in answers.values())
        harness.wait_for(lambda: gateway.get("/readyz")[0] == 503, "not ready")
        answer = ask(gateway, token, messages[40].body)
        assert answer.code == 503 and answer.problem["reason"] == "broker-away"

        own_broker.start()
        gateway.await_ready(60)
        missing = [m for m in messages if answers.get(str(m.raw_id)) is None or answers[str(m.raw_id)].code != 202]
        again = {}
        send_all(gateway, token, missing, again)
        assert all(answer.code == 202 for answer in again.values())
        assert gateway.metric("ir_broker_reconnects_total") >= 1
        assert gateway.stop() == 0
        pipeline.worker()
        pipeline.drain(120)
        pipeline.stop_workers()
        pipeline.assert_exactly(messages)


def test_broker_that_blocks_publishers(own_broker, tmp_path):
    with harness.Pipeline(own_broker, tmp_path) as pipeline:
        pipeline.declare()
        pipeline.issue(MOTE)
        gateway, token = pipeline.gateway("--confirm-timeout=2s"), pipeline.tokens[MOTE]
        assert ask(gateway, token, pack(1)).code == 202
        own_broker.control("set_vm_memory_high_watermark", "0.00001")
        answer = ask(gateway, token, pack(2))
        assert answer.code == 503 and int(answer.headers["Retry-After"]) > 0
        harness.wait_for(lambda: gateway.metric("ir_broker_blocked") == 1, "the block")
        assert ask(gateway, token, pack(3)).problem["reason"] == "broker-full"
        assert "blocks publishers" in gateway.get("/readyz")[1]
        own_broker.control("set_vm_memory_high_watermark", "0.6")
        gateway.await_ready()
        assert ask(gateway, token, pack(3)).code == 202
        assert gateway.stop() == 0


def test_broker_away_at_start(own_broker, tmp_path):
    with harness.Pipeline(own_broker, tmp_path) as pipeline:
        pipeline.declare()
        pipeline.issue(MOTE)
        own_broker.stop()
        gateway, token = pipeline.gateway(wait=False), pipeline.tokens[MOTE]
        gateway.await_listening()
        assert "broker" in gateway.not_ready()
        assert gateway.get("/healthz")[0] == 200
        assert ask(gateway, token, pack(1)).problem["reason"] == "broker-away"
        own_broker.start()
        gateway.await_ready(60)
        assert ask(gateway, token, pack(1)).code == 202
        own_broker.stop()
        harness.wait_for(lambda: gateway.not_ready(), "not ready")
        assert gateway.stop() == 0


# ---- stopping ----


def test_graceful_stop_under_load_loses_nothing(make_pipeline):
    """The gateway stops under load. Every message answered with 202 is stored, and every accepted request is
    answered."""
    pipeline = make_pipeline().init()
    pipeline.issue(MOTE)
    gateway, token = pipeline.gateway("--drain=500ms"), pipeline.tokens[MOTE]
    messages, answers = make_messages(3000), {}
    sender = threading.Thread(target=send_all, args=(gateway, token, messages, answers))
    sender.start()
    harness.wait_for(lambda: len(answers) > 200, "some answers")
    with Client(gateway) as late:
        late.send(request(token, messages[0].body)[:-4])
        gateway.process.send(signal.SIGTERM)
        harness.wait_for(lambda: "finishing" in gateway.text(), "the signal")
        assert gateway.get("/readyz")[1] == "stopping\n"
        time.sleep(0.7)
        answer = late.send(request(token, messages[0].body)[-4:]).answer()
        assert answer.code == 202 and answer.closes
    assert gateway.process.wait(60) == 0, gateway.text()
    sender.join()
    confirmed = [m for m in messages if (answers[str(m.raw_id)] or answer).code == 202 and answers[str(m.raw_id)]]
    assert 200 <= len(confirmed)
    assert all(each is None or each.code == 202 for each in answers.values())
    pipeline.worker()
    pipeline.drain()
    pipeline.stop_workers()
    stored = set(pipeline.sqlite_ids("raw"))
    assert {m.raw_id for m in confirmed} <= stored
