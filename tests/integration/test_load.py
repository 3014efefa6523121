"""ir-loadgen with every protocol, against the real servers and against small servers that stall, refuse and die. Its
counts and figures must agree with what happened."""

import csv
import http.server
import json
import os
import signal
import socketserver
import ssl
import subprocess
import threading
import time
import zlib

import pytest

import harness
from harness import programs, servers

FIRST = 400  # number of messages of the replay that are sent


@pytest.fixture
def way(mqtt_broker, tmp_path):
    """A pipeline behind AMQP and MQTT."""
    with harness.Pipeline(mqtt_broker, tmp_path) as made:
        made.init()
        yield made


class Load:
    """One run of ir-loadgen and its results."""

    def __init__(self, directory, *words, env=None, build=harness.BUILD, seconds=120):
        self.out = directory / f"load-{len(list(directory.iterdir()))}"
        argv = [build / "ir-loadgen", f"--replay={harness.DATA}", f"--out={self.out}", *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds, check=False,
                              stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})
        self.status, self.text, self.errors = done.returncode, done.stdout, done.stderr
        path = self.out / "summary.json"
        self.summary = json.loads(path.read_text()) if path.is_file() else None

    def series(self):
        with open(self.out / "series.csv", newline="") as file:
            return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]

    def assert_even(self):
        """Asserts that the totals balance, and that the time series agrees with the summary."""
        balance = self.summary["balance"]
        assert balance["sent"] == balance["confirmed"] + balance["refused"] + balance["lost"], balance
        if "republished" in balance:
            parts = ("republished", "rejected", "missing", "repeated")
            assert balance["confirmed"] == sum(balance[part] for part in parts), balance
        assert balance["even"]
        rows = self.series()
        for column, key in (("messages_sent", "messages_sent"), ("sent", "observations_sent"),
                            ("messages_confirmed", "messages_confirmed"), ("messages_refused", "messages_refused")):
            assert sum(row[column] for row in rows) == self.summary[key], column
        assert all(0 <= a["seconds"] < b["seconds"] for a, b in zip(rows, rows[1:]))

    def assert_good(self):
        assert self.status == 0, self.errors
        assert self.summary["complete"] and self.summary["valid"]
        self.assert_even()


# A busy machine may delay the generator; most tests do not check its own delays.
PATIENT = "--late-bound=60s"


@pytest.mark.parametrize("kinds", ["amqp", "mqtt", "http", "amqp,mqtt,http"])
def test_every_target(way, tmp_path, messages, kinds):
    """All messages arrive once and in order, with each protocol and with several together."""
    uris = {
        "amqp": way.amqp,
        "mqtt": f"mqtt://{way.host}%3Aguest@{servers.HOST}:{way.broker.ports[3]}",
    }
    words = []
    if "http" in kinds:
        motes = sorted({message.mote for message in messages})
        tokens = programs.issue_tokens(harness.BUILD, motes, tmp_path / "hashes.txt")
        programs.write_tokens(tmp_path / "tokens.txt", tokens)
        arguments = ["--listen=127.0.0.1:0", f"--amqp={way.amqp}", f"--tokens={tmp_path / 'hashes.txt'}"]
        gateway = programs.Gateway(harness.BUILD, "gateway", tmp_path / "gateway.log", arguments, cwd=tmp_path)
        way.workers.append(gateway)
        gateway.await_ready()
        uris["http"] = gateway.address
        words = [f"--mote-tokens={tmp_path / 'tokens.txt'}"]
    way.worker()
    target = ",".join(uris[kind] for kind in kinds.split(","))
    load = Load(tmp_path, f"--target={target}", f"--amqp={way.amqp}", f"--messages={FIRST}", "--rate=2000",
                "--threads=2", "--connections=4", PATIENT, *words, env={"IR_MQTT_PASSWORD": "guest"})
    load.assert_good()
    summary = load.summary
    assert summary["messages_sent"] == summary["messages_confirmed"] == summary["messages_republished"] == FIRST
    assert summary["order_violations"] == summary["foreign_messages"] == summary["resent"] == 0
    assert [each["protocol"] for each in summary["targets"]] == kinds.split(",")
    assert sum(each["messages_confirmed"] for each in summary["targets"]) == FIRST
    assert all(each["messages_confirmed"] > 0 for each in summary["targets"])
    for name, count in (("confirm", FIRST), ("latency", FIRST)):
        for file in (f"{name}.hgrm", f"{name}_corrected.hgrm"):
            assert f"Total count = {count:12}]" in (load.out / file).read_text()
    way.drain()
    status, verdict = way.verify(load.out / "ledger.txt")
    assert status == 0, verdict
    assert len(way.sqlite_ids("raw")) == FIRST


def test_rejected_messages_are_seen(mqtt_broker, tmp_path):
    """The load contains malformed messages, unknown sensors and repeats. Each gets the expected result and is counted
    as such."""
    registry = tmp_path / "simulated.ttl"
    simulated = ["--simulate=50", "--fault-malformed=0.1", "--fault-unknown=0.1", "--fault-duplicates=0.1"]
    done = subprocess.run([harness.BUILD / "ir-loadgen", "--simulate=50", f"--write-registry={registry}"], check=False,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    with harness.Pipeline(mqtt_broker, tmp_path, registry=registry) as way:
        way.init()
        way.worker()
        load = Load(tmp_path, f"--amqp={way.amqp}", "--messages=1000", "--rate=3000", PATIENT, *simulated)
    load.assert_good()
    balance = load.summary["balance"]
    assert balance["rejected"] > 50 and balance["repeated"] > 50 and balance["missing"] == 0
    assert load.summary["messages_partly_rejected"] > 50
    assert load.summary["sees_rejected"]


def test_no_right_to_see_what_is_rejected(way, tmp_path):
    """A user who may not read rejected messages can still run a load. The report says that the rejected messages are
    missing."""
    way.broker.api("PUT", "users/viewer", {"password": "look", "tags": ""})
    rights = {"configure": "^amq\\.gen.*", "write": "^amq\\.gen.*|^ir\\.observations$",
              "read": "^amq\\.gen.*|^ir\\.processed$"}
    way.broker.api("PUT", f"permissions/{way.host}/viewer", rights)
    way.worker()
    uri = way.amqp.replace("amqp://", "amqp://viewer@")
    load = Load(tmp_path, f"--amqp={uri}", "--messages=100", PATIENT, env={"IR_AMQP_PASSWORD": "look"})
    load.assert_good()
    assert not load.summary["sees_rejected"] and "ir.rejected" in load.errors


def test_many_packs_in_a_request(mqtt_broker, tmp_path):
    """Waiting packs of a mote are sent together in one request. The result is the same as one by one, even if the
    gateway refuses some of them."""
    motes = tmp_path / "motes.txt"
    simulated = ["--simulate=5", "--fault-malformed=0.1"]
    subprocess.run([harness.BUILD / "ir-loadgen", *simulated, f"--write-motes={motes}"], check=True, timeout=60)
    tokens = programs.issue_tokens(harness.BUILD, motes.read_text().split(), tmp_path / "hashes.txt")
    programs.write_tokens(tmp_path / "tokens.txt", tokens)
    with harness.Pipeline(mqtt_broker, tmp_path) as way:
        way.init()
        arguments = ["--listen=127.0.0.1:0", f"--amqp={way.amqp}", f"--tokens={tmp_path / 'hashes.txt'}"]
        gateway = programs.Gateway(harness.BUILD, "gateway", tmp_path / "gateway.log", arguments, cwd=tmp_path)
        way.workers.append(gateway)
        gateway.await_ready()

        def answers():
            metrics = gateway.metrics().items()
            return sum(value for series, value in metrics if series.startswith("ir_http_requests_total{"))

        seen = []
        for packs in (1, 100):
            before = answers()
            load = Load(tmp_path, f"--target={gateway.address}", "--no-subscribe", "--messages=1000", PATIENT,
                        f"--request-packs={packs}", f"--mote-tokens={tmp_path / 'tokens.txt'}", *simulated)
            load.assert_good()
            assert load.summary["resent"] == load.summary["errors"] == 0
            seen.append((answers() - before, load.summary["messages_confirmed"], load.summary["messages_refused"]))
        assert way.waiting() == 2 * seen[0][1]
    (single, *one_by_one), (together, *at_once) = seen
    assert one_by_one == at_once and at_once[1] > 50
    assert single == 1000 and together < 300


# ---- servers made by the tests ----


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, headers, text = self.server.owner.answer(self, body)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class HttpServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, *_):
        """Ignores errors of clients that have disconnected."""


class Gate:
    """An HTTP gateway whose answers the test determines. `rule(count, headers, body)` returns the status, the headers
    and, if it is not the usual one, the body of each answer."""

    def __init__(self, rule=lambda *_: (202, {}), certificate=None):
        self.rule = rule
        self.scheme = "https" if certificate else "http"
        self.taken = []  # packs that were answered with 202, in order
        self.lock = threading.Lock()
        self.go = threading.Event()
        self.go.set()
        self.count = 0
        self.server = HttpServer((servers.HOST, 0), Handler)
        self.server.owner = self
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            plain = self.server.socket
            self.server.socket = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def address(self):
        return f"{self.scheme}://localhost:{self.server.server_address[1]}"

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.go.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)

    def answer(self, request, body):
        self.go.wait(30)
        with self.lock:
            self.count += 1
            status, headers, *text = self.rule(self.count, request.headers, body)
            if status == 202:
                self.taken += packs_of(body)
        return status, headers, *(text or [self.usual(status, body)])

    @staticmethod
    def usual(status, body):
        if status != 202:
            return b'{"title": "made"}'
        raw_ids = [str(harness.absolute_raw_id(mote_of(pack), pack)) for pack in packs_of(body)]
        return json.dumps({"raw_ids": raw_ids}).encode()

    def stall(self, after, seconds):
        """Makes the gateway stop answering for some seconds, once it has received that many requests."""

        def run():
            while self.count < after:
                time.sleep(0.002)
            self.go.clear()
            time.sleep(seconds)
            self.go.set()

        threading.Thread(target=run, daemon=True).start()


def packs_of(body):
    """Returns the packs of a request, which contains one pack, or one per line."""
    return body.split(b"\n")[:-1] if body.endswith(b"\n") else [body]


def mote_of(body):
    return json.loads(body)[0]["bn"].split("/")[0]


def assert_in_order(bodies):
    """Asserts that the times of each mote increase, as in the replay."""
    last = {}
    for body in bodies:
        record = json.loads(body)[0]
        mote = mote_of(body)
        assert record["bt"] > last.get(mote, 0), mote
        last[mote] = record["bt"]


def test_http_refusals_and_putting_off(tmp_path):
    """The answer 400 is final. After 429 and 503, the request is repeated when the server says so. Each mote's order is
    kept."""
    put_off = {}

    def rule(count, _headers, body):
        if count % 10 == 0:
            return 400, {}
        if count % 7 == 0:
            put_off[bytes(body)] = time.monotonic()
            return (429 if count % 2 else 503), {"Retry-After": "1"}
        if body in put_off:
            assert time.monotonic() - put_off[body] > 0.9
        return 202, {}

    with Gate(rule) as gate:
        load = Load(tmp_path, f"--target={gate.address}", "--no-subscribe", "--messages=200", "--connections=8",
                    "--request-packs=1", PATIENT)
    assert load.status == 1, "good messages count as refused"
    load.assert_even()
    summary = load.summary
    assert summary["messages_sent"] == 200 and summary["messages_lost"] == 0
    assert summary["messages_confirmed"] == len(gate.taken) == len(set(gate.taken))
    assert summary["messages_refused"] == 200 - len(gate.taken) > 0
    assert summary["resent"] == gate.count - 200 > 0
    assert_in_order(gate.taken)
    assert "answered 400" in load.errors and "made" in load.errors


def is_bad(pack):
    return zlib.crc32(pack) % 5 == 0


def test_packs_that_wait_go_together(tmp_path):
    """A request with several packs is refused because of some of them. Those that the answer lists are refused, each
    for its own reason. The others are sent again, in order. A deferred request is sent again unchanged."""
    sizes, seen = [], set()

    def rule(count, _headers, body):
        packs = packs_of(body)
        sizes.append(len(packs))
        if count % 6 == 0:
            return 503, {"Retry-After": "0"}
        bad = [line for line, pack in enumerate(packs, 1) if is_bad(pack)]
        if bad:
            refusals = [{"reason": "no-value", "record": 0, "line": line, "detail": "made"} for line in bad[:3]]
            if len(packs) == 1:
                refusals = [{"reason": "no-value", "record": 0, "detail": "made"}]
            return 400, {}, json.dumps({"refused": len(bad), "refusals": refusals}).encode()
        assert not seen & set(packs)
        seen.update(packs)
        return 202, {}

    with Gate(rule) as gate:
        load = Load(tmp_path, f"--target={gate.address}", "--no-subscribe", "--messages=600", "--connections=4",
                    "--request-packs=20", PATIENT)
    load.assert_even()
    summary = load.summary
    assert summary["messages_sent"] == 600 and summary["messages_lost"] == 0
    assert summary["messages_confirmed"] == len(gate.taken) and not any(map(is_bad, gate.taken))
    assert summary["messages_refused"] == 600 - len(gate.taken) > 50
    assert max(sizes) == 20 and len(sizes) < 300
    assert_in_order(gate.taken)
    assert "no-value: made" in load.errors


@pytest.mark.parametrize("answer", [b"", b"{}", b'{"raw_ids": ["38a28cbf-3847-573b-988c-c3503b432dc1"]}', b"<html>"])
@pytest.mark.parametrize("status", [202, 400, 415])
def test_answers_that_tell_of_no_pack(tmp_path, status, answer):
    """If the answer to several packs names none of them, each pack is sent alone. An answer applies only to the packs
    that it names, or to the only pack of a request."""

    def rule(_count, headers, _body):
        return (status, {}, answer) if headers["Content-Type"] == "application/x-ndjson" else (202, {})

    with Gate(rule) as gate:
        load = Load(tmp_path, f"--target={gate.address}", "--no-subscribe", "--messages=100", PATIENT)
    load.assert_good()
    assert load.summary["messages_confirmed"] == 100 == len(set(gate.taken))
    assert 100 < gate.count < 200


def test_http_tokens_go_with_their_motes(tmp_path, messages):
    motes = {message.mote for message in messages}
    tokens = tmp_path / "tokens.txt"
    programs.write_tokens(tokens, {mote: f"token-of-{mote}" for mote in motes})

    def rule(_count, headers, body):
        packs = packs_of(body)
        kind = "application/x-ndjson" if len(packs) > 1 else "application/senml+json"
        good = all(headers["Authorization"] == f"Bearer token-of-{mote_of(pack)}" for pack in packs)
        return (202 if good and headers["Content-Type"] == kind else 401), {}

    with Gate(rule) as gate:
        load = Load(tmp_path, f"--target={gate.address}", "--no-subscribe", "--messages=100",
                    f"--mote-tokens={tokens}", PATIENT)
        load.assert_good()
        load = Load(tmp_path, f"--target={gate.address}", "--no-subscribe", "--messages=1000", "--rate=500", PATIENT)
    refused = load.summary["messages_refused"]
    assert load.status == 1 and 0 < refused < 1000, "a missing token is permanent: only messages under way follow the first refusal"


def quantile_of_curves(rows, share):
    """Returns the latency that `share` of the observations do not exceed. It is computed only from the numbers of due
    and confirmed messages over time, as if they were confirmed in the order in which they were due."""
    due, done = [(0.0, 0.0)], [(0.0, 0.0)]
    for row in rows:
        due.append((row["seconds"], due[-1][1] + row["intended"]))
        done.append((row["seconds"], done[-1][1] + row["confirmed"]))

    def when(curve, count):
        for (t0, c0), (t1, c1) in zip(curve, curve[1:]):
            if c1 >= count > c0:
                return t0 + (t1 - t0) * (count - c0) / (c1 - c0)
        return curve[-1][0]

    total = int(done[-1][1])
    latencies = sorted(when(done, i + 0.5) - when(due, i + 0.5) for i in range(total))
    return latencies[int(share * (total - 1))]


@pytest.mark.parametrize("window", [2000, 30])
def test_a_stall_shows(tmp_path, window):
    """The target stalls for one second. The corrected latencies show this with any window, and so does the time
    series."""
    with Gate() as gate:
        gate.stall(after=200, seconds=1)
        load = Load(tmp_path, f"--target={gate.address}", "--no-subscribe", "--single-records", "--rate=200",
                    "--duration=5s", f"--window={window}", "--series-interval=20ms", "--no-ledger")
    load.assert_even()
    assert load.summary["messages_lost"] == 0 and load.summary["complete"]
    p99 = load.summary["confirm_latency_ms"]["p99"] / 1000
    calculated = quantile_of_curves(load.series(), 0.99)
    assert p99 > 0.8, "a fifth of the messages was due during the stall"
    assert abs(p99 - calculated) < 0.1 + 0.1 * p99, (p99, calculated)
    if window < 100:
        raw = load.summary["confirm_latency_uncorrected_ms"]
        assert raw["p90"] < load.summary["confirm_latency_ms"]["p90"], "the uncorrected latencies show the whole stall"


def test_a_broker_that_stalls(way, tmp_path):
    """The same load with RabbitMQ, which is suspended for a second in the middle."""

    def rows():
        return sum(len(path.read_text().splitlines()) for path in tmp_path.glob("load-*/series.csv"))

    def stall():
        harness.wait_for(lambda: rows() > 100, "the load to run")
        way.broker.process.send_group(signal.SIGSTOP)
        time.sleep(1)
        way.broker.process.send_group(signal.SIGCONT)

    thread = threading.Thread(target=stall)
    thread.start()
    try:
        load = Load(tmp_path, f"--amqp={way.amqp}", "--no-subscribe", "--single-records", "--rate=300", "--duration=6s",
                    "--series-interval=20ms")
    finally:
        thread.join()
    load.assert_even()
    p99 = load.summary["confirm_latency_ms"]["p99"] / 1000
    assert p99 > 0.7
    assert abs(p99 - quantile_of_curves(load.series(), 0.99)) < 0.1 + 0.1 * p99


def test_targets_by_tls(front, make_front_pipeline, tmp_path):
    """All three protocols work with the authority's certificate, and none works without it."""
    way = make_front_pipeline().init()
    ports = {name: front.balancer.address(name).split(":")[1] for name in ("amqps", "mqtts")}
    login = dict.fromkeys(("IR_AMQP_PASSWORD", "IR_MQTT_PASSWORD"), front.cluster.passwords["mote"])
    with Gate(certificate=front.directory / "certificates" / "server.pem") as gate:
        targets = [f"{name}://mote@localhost:{port}" for name, port in ports.items()] + [gate.address]
        load = Load(tmp_path, f"--target={','.join(targets)}", f"--ca={front.ca}", "--no-subscribe", "--messages=150",
                    PATIENT, env=login)
        load.assert_good()
        assert all(each["messages_confirmed"] > 0 for each in load.summary["targets"])
        assert len(gate.taken) == load.summary["targets"][2]["messages_confirmed"]
        assert way.waiting() == 150 - len(gate.taken)
        for target in targets:
            load = Load(tmp_path, f"--target={target}", "--no-subscribe", "--messages=3", "--retry-for=500ms",
                        "--timeout=3s", PATIENT, env=login)
            assert load.status == 1 and load.summary is None, target
            assert any(each in load.errors for each in (
                "is not trusted: check the CA file and the name", "its certificate's authority given as ca",
                "its certificate is not trusted; give its authority with --ca")), load.errors


def test_a_generator_that_cannot_keep_up_says_so(tmp_path):
    load = Load(tmp_path, "--target=null:", "--rate=100000000", "--duration=1s", "--repeat=300", "--no-ledger")
    assert load.status == 1
    assert not load.summary["complete"] and not load.summary["valid"]
    assert "could not keep its own schedule" in load.summary["invalid_reason"]
    assert "not valid" in load.errors
    assert load.summary["observations_unsent"] > 0
    load.assert_even()


def test_a_target_that_dies(tmp_path):
    """Messages without an answer are counted as lost. Every message that the server accepted is among those that were
    sent."""
    dies = threading.Event()

    def rule(count, _headers, _body):
        if count >= 150:
            dies.set()
            time.sleep(60)
        return 202, {}

    gate = Gate(rule)
    with gate:
        stopper = threading.Thread(target=lambda: (dies.wait(60), gate.server.socket.close()), daemon=True)
        stopper.start()
        load = Load(tmp_path, f"--target={gate.address}", "--no-subscribe", f"--messages={FIRST}", "--rate=1000",
                    "--retry-for=2s", "--timeout=1s", PATIENT)
    assert load.status == 1
    load.assert_even()
    summary = load.summary
    assert not summary["complete"]
    assert summary["messages_lost"] > 0 and summary["messages_refused"] == 0
    assert summary["messages_confirmed"] == len(gate.taken) < summary["messages_sent"]
    lines = (load.out / "ledger.txt").read_text().splitlines()
    assert sum(line.startswith("u ") for line in lines) == summary["messages_lost"]
    assert sum(line.startswith("m ") for line in lines) == summary["messages_confirmed"]


class Closing(socketserver.StreamRequestHandler):
    """A server that answers the first request of each connection, reads the second one, and closes."""

    taken = []

    def handle(self):
        for number in range(2):
            size = 0
            while (line := self.rfile.readline().strip()):
                if line.lower().startswith(b"content-length:"):
                    size = int(line.split(b":")[1])
            if size == 0:
                return
            self.taken.append(self.rfile.read(size))
            if number == 0:
                self.wfile.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}")


def test_what_the_library_sends_again_is_counted(tmp_path):
    """The server closes a kept connection without an answer. It may have processed the request, so sending it again
    must be counted."""
    Closing.taken.clear()
    with socketserver.ThreadingTCPServer((servers.HOST, 0), Closing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        load = Load(tmp_path, f"--target=http://{servers.HOST}:{server.server_address[1]}", "--no-subscribe",
                    "--messages=20", "--window=1", "--connections=1", "--request-packs=1", "--clockless-share=1",
                    PATIENT)
        server.shutdown()
    load.assert_good()
    ledger = (load.out / "ledger.txt").read_text().splitlines()
    sent = [int(line.split()[4]) for line in ledger if line.startswith("t ")]
    assert len(sent) == 20 and sum(sent) == len(Closing.taken) > 20
    assert load.summary["resent"] == len(Closing.taken) - 20


def test_steps_have_lines_of_their_own(tmp_path):
    load = Load(tmp_path, "--target=null:,null:", "--rate-steps=1000:3000:1000:1", "--repeat=5", "--arrivals=poisson",
                "--threads=2", PATIENT)
    load.assert_good()
    steps = load.summary["steps"]
    assert [step["rate_asked"] for step in steps] == [1000, 2000, 3000]
    for step in steps:
        due = step["observations_sent"] + step["observations_unsent"]
        assert abs(due - step["rate_asked"]) < 0.3 * step["rate_asked"], step
        assert step["verdict"] in ("kept", "behind", "backlog", "slow")
    assert sum(step["observations_sent"] for step in steps) == load.summary["observations_sent"]
    assert {row["asked"] for row in load.series()} >= {1000, 2000, 3000}


def test_the_end_of_the_messages_before_the_last_step(tmp_path):
    load = Load(tmp_path, "--target=null:", "--rate-steps=1000:3000:1000:1", "--messages=300")
    assert load.status == 1 and "the source ran out of messages before the last step" in load.errors


def test_own_pace(tmp_path):
    """The first 1,000 messages span 4 days. At 172,800 times that speed, they take two seconds."""
    load = Load(tmp_path, "--target=null:", "--pace=172800", "--messages=1000", PATIENT)
    load.assert_good()
    assert load.summary["late_ms"]["p50"] < 60000


def test_wrong_settings(tmp_path):
    for words, text in (
        (["--target=ftp://x"], "target ftp://x"),
        (["--rate-steps=1:2"], "FROM:TO:STEP:SECONDS"),
        (["--find-max", "--rate=5"], "only one of these"),
        (["--target=http://127.0.0.1:1", f"--mote-tokens={tmp_path / 'none'}"], "none"),
    ):
        load = Load(tmp_path, *words)
        assert load.status in (1, 2) and text in load.errors, (words, load.errors)
        assert load.summary is None


def test_json_and_plain_progress(tmp_path):
    load = Load(tmp_path, "--target=null:", "--messages=10", "--json")
    load.assert_good()
    assert json.loads(load.text) == load.summary
    assert "\033" not in load.errors


def test_the_live_view(tmp_path):
    """On a terminal, several lines are redrawn in place. They are removed before a log line is printed."""
    ours, theirs = os.openpty()
    argv = [harness.BUILD / "ir-loadgen", "--target=null:,null:", "--simulate=10", "--rate=1000", "--duration=2s",
            f"--out={tmp_path / 'load'}", PATIENT]
    with open(ours, "rb", buffering=0) as terminal:
        child = subprocess.Popen(argv, stderr=theirs, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        os.close(theirs)
        text = b""
        try:
            while part := terminal.read(4096):
                text += part
        except OSError:
            pass  # the other end is closed
        assert child.wait(60) == 0
    shown = text.decode()
    assert shown.count("of 1000/s asked") > 2 and shown.count("\033[6A") > 2
    assert shown.count("null:") > 4 and "left" in shown and "p99" in shown
    assert "\033[J" in shown and "\033[" not in shown.rsplit("\033[J", 1)[1].split("m", 1)[-1]


@pytest.mark.slow
def test_find_max_finishes(tmp_path):
    """Only checks that the search ends with a rate and lists its trials."""
    load = Load(tmp_path, "--target=null:", "--simulate=100", "--find-max", "--trial=300ms", "--warm-up=100ms",
                "--late-bound=20ms", "--no-ledger")
    found = load.summary["find_max"]
    assert found["finished"] and 0 < found["rate_low"] <= found["rate"] <= found["rate_high"]
    assert found["trials"] == len(load.summary["steps"])
    load.assert_even()


@pytest.mark.slow
def test_find_max_finds_a_capacity_again(tmp_path):
    """Runs the search twice against a target that accepts one message every 4 ms."""
    capacity, due = 250, [0]

    def paced(*_):
        due[0] = max(due[0], time.monotonic()) + 1 / capacity
        time.sleep(max(0, due[0] - time.monotonic()))
        return 202, {}

    rates = []
    for _ in range(2):
        with Gate(paced) as gate:
            load = Load(tmp_path, f"--target={gate.address}", "--simulate=100", "--records=1", "--request-packs=1",
                        "--find-max", "--trial=1s", "--warm-up=200ms", "--p99-bound=200ms", "--no-subscribe")
        rates.append(load.summary["find_max"]["rate"])
    assert all(0.9 * capacity < rate < 1.05 * capacity for rate in rates), rates
    assert max(rates) / min(rates) < 1.1, rates


def test_thread_sanitizer(way, tmp_path):
    """ThreadSanitizer finds no race in ir-loadgen with several threads, several targets and a subscription."""
    build = harness.ROOT / "out" / "tsan"
    if not (build / "ir-loadgen").is_file():
        pytest.skip("out/tsan/ir-loadgen is not built; run make MODE=tsan build")
    way.worker()
    with Gate() as gate:
        load = Load(tmp_path, f"--target={way.amqp},null:,{gate.address}", f"--amqp={way.amqp}", "--threads=2",
                    "--messages=600", "--rate=2000", "--no-wait", PATIENT, build=build,
                    env={"TSAN_OPTIONS": "exitcode=66"})
    assert "WARNING: ThreadSanitizer" not in load.errors, load.errors[-8000:]
    assert load.status in (0, 1)
    load.assert_even()


SMALL = 150  # bytes; some packs of the replay are larger, others are smaller


class SmallBroker(harness.Broker):
    def configuration(self):
        return [*super().configuration(), f"max_message_size = {SMALL}"]


def test_messages_that_the_broker_finds_too_large(tmp_path_factory, tmp_path):
    """Messages that are too large for the broker count as refused, in the totals and in the ledger. The run continues,
    and all others are stored."""
    with SmallBroker(tmp_path_factory.mktemp("small")) as broker, harness.Pipeline(broker, tmp_path) as pipeline:
        pipeline.init()
        load = Load(tmp_path, f"--target={pipeline.amqp}", "--no-subscribe", f"--messages={FIRST}", "--rate=0",
                    "--threads=2", PATIENT)
        summary = load.summary
        assert summary["messages_sent"] == FIRST and 0 < summary["messages_refused"] < FIRST, load.errors
        assert summary["messages_confirmed"] == FIRST - summary["messages_refused"]
        load.assert_even()
        assert "max_message_size" in load.errors and not summary["complete"]
        pipeline.worker()  # the republished message is also too large for the broker, and becomes a dead letter
        pipeline.drain()
        status, verdict = pipeline.verify(load.out / "ledger.txt")
        assert status == 0, verdict
        sizes = [size for size, in pipeline.sqlite("SELECT length(body) FROM raw")]
        assert len(sizes) == summary["messages_confirmed"] and max(sizes) <= SMALL
