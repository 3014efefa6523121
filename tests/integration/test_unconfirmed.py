"""Messages that the broker does not confirm delay only their own motes. The broker is a fake, because a real one cannot
withhold chosen confirms."""

import concurrent.futures
import contextlib
import itertools
import json
import select
import signal
import threading
import time
import zlib

import pytest

import harness
from fake_broker import FakeBroker
from harness import SENML_JSON, programs
from test_ingest import LINES, Client, ask, request

STUCK = "stuck-1"
OTHER = "other-1"
MOTES = [STUCK, OTHER, "other-2", *(f"mote-{i}" for i in range(40))]
WAIT = ("--mote-wait=500ms", "--confirm-timeout=2s")


class Setting:
    def __init__(self, directory):
        self.directory = directory
        self.tokens = programs.issue_tokens(harness.BUILD, MOTES, directory / "tokens.txt")
        self.gateways = []
        self.count = 0
        self.broker = FakeBroker()

    def __enter__(self):
        self.broker.__enter__()
        return self

    def __exit__(self, *_):
        for gateway in self.gateways:
            gateway.kill()
        self.broker.__exit__()

    def gateway(self, *more, wait=True):
        arguments = [f"--amqp={self.broker.uri}", f"--tokens={self.directory / 'tokens.txt'}", "--listen=127.0.0.1:0",
                     "--drain=0s", "--backoff-longest=500ms", *WAIT, *more]
        name = f"gateway-{len(self.gateways)}"
        gateway = programs.Gateway(harness.BUILD, name, self.directory / f"{name}.log", arguments, cwd=self.directory)
        self.gateways.append(gateway)
        if wait:
            gateway.await_ready()
        return gateway

    def pack(self, mote, size=0):
        """Makes a new pack of this size; the rest of it is spaces."""
        self.count += 1
        return json.dumps([{"n": f"{mote}/00010", "u": "Cel", "t": 1320500000, "v": self.count}]).encode().ljust(size)

    def lines(self, mote, packs):
        return b"\n".join(self.pack(mote) for _ in range(packs))

    def ask(self, mote, body=None, content_type=SENML_JSON):
        return ask(self.gateways[-1], self.tokens[mote], body or self.pack(mote), content_type)

    def reason(self, mote, body=None, content_type=SENML_JSON):
        """Sends a request. Returns None if it was accepted (202), or the reason of a 503."""
        answer = self.ask(mote, body, content_type)
        if answer.code == 202:
            return None
        assert answer.code == 503 and int(answer.headers["Retry-After"]) > 0, (answer.code, answer.body)
        return answer.problem["reason"]

    @contextlib.contextmanager
    def meanwhile(self, mote, body=None, content_type=SENML_JSON):
        """Sends a request without waiting for the answer, which is read later."""
        with Client(self.gateways[-1]) as client:
            client.send(request(self.tokens[mote], body or self.pack(mote), content_type))
            yield client

    def hold(self, *motes):
        keys = {f"ir.{mote}" for mote in motes}
        self.broker.fate = lambda key: "hold" if key in keys else None

    def metric(self, name):
        return self.gateways[-1].metric(name)

    def await_waiting(self, motes):
        harness.wait_for(lambda: self.metric("ir_ingest_motes_waiting") == motes, f"{motes} motes that wait")


@pytest.fixture
def setting(tmp_path):
    with Setting(tmp_path) as setting:
        yield setting


def test_one_mote_waits_and_the_others_do_not(setting):
    """While a message of one mote is unconfirmed, other motes are served, however many messages and bytes they send."""
    gateway = setting.gateway()
    setting.hold(STUCK)
    with setting.meanwhile(STUCK) as client:
        setting.await_waiting(1)
        assert setting.reason(STUCK) == "waiting"
        for _ in range(10):
            assert setting.reason(OTHER, setting.lines(OTHER, 1000), LINES) is None
        for _ in range(12):
            assert setting.reason("other-2", setting.pack("other-2", 900_000)) is None
        assert setting.reason(STUCK) == "waiting"
        assert gateway.get("/readyz")[0] == 200
        assert client.answer().problem["reason"] == "unconfirmed"
    assert setting.metric("ir_ingest_motes_waiting") == setting.metric("ir_ingest_messages_waiting") == 1
    assert setting.broker.keys[f"ir.{STUCK}"] == 1
    setting.hold()
    setting.broker.release()
    setting.await_waiting(0)
    assert setting.reason(STUCK) is None
    assert setting.metric("ir_ingest_late_total") == 1
    assert setting.metric("ir_broker_reconnects_total") == 0
    assert gateway.stop() == 0


def test_nothing_is_confirmed(setting):
    """When nothing is confirmed, the gateway is not ready. It is ready again when a confirm arrives."""
    gateway = setting.gateway("--timeout=60s")
    assert setting.reason(OTHER) is None
    setting.broker.fate = lambda key: "hold"
    with setting.meanwhile(STUCK), setting.meanwhile(OTHER):
        harness.wait_for(lambda: gateway.get("/readyz")[0] == 503, "not ready")
        assert "does not confirm" in gateway.get("/readyz")[1]
        assert gateway.get("/healthz")[0] == 200
        setting.broker.fate = lambda key: None
        setting.broker.release()
        gateway.await_ready()
    assert setting.reason(STUCK) is None
    assert gateway.stop() == 0


def test_a_silent_connection_ends(setting):
    """The gateway tries a new connection. If the broker is silent there, too, motes are asked to retry later."""
    gateway = setting.gateway("--timeout=1s")
    assert setting.reason("other-2") is None
    setting.hold(STUCK, OTHER)
    with setting.meanwhile(STUCK) as first, setting.meanwhile(OTHER) as second:
        assert first.answer().problem["reason"] == second.answer().problem["reason"] == "unconfirmed"
    harness.wait_for(lambda: setting.metric("ir_broker_reconnects_total") == 1, "a new connection")
    setting.hold()
    gateway.await_ready()
    assert setting.reason(STUCK) is None
    assert gateway.stop() == 0


def test_one_silent_mote_tells_nothing_of_the_others(setting):
    """Only one mote sends, and its message is not confirmed. The gateway stays ready and keeps its connection."""
    gateway = setting.gateway("--timeout=1s", "--confirm-timeout=3s")
    assert setting.reason(OTHER) is None
    setting.hold(STUCK)
    with setting.meanwhile(STUCK) as client:
        setting.await_waiting(1)
        while not select_readable(client):
            assert gateway.get("/readyz")[0] == 200
        assert client.answer().problem["reason"] == "unconfirmed"
    assert setting.metric("ir_broker_reconnects_total") == 0
    assert setting.reason(OTHER) is None


def select_readable(client):
    return bool(select.select([client.socket], [], [], 0.1)[0])


def test_what_one_mote_has_open_is_bounded(setting):
    """A request with more packs than the limit is processed in parts. Meanwhile only its mote waits."""
    gateway = setting.gateway("--mote-messages=10", "--mote-wait=30s", "--confirm-timeout=30s")
    assert len(setting.ask(OTHER, setting.lines(OTHER, 500), LINES).ids) == 500
    setting.hold(STUCK)
    with setting.meanwhile(STUCK, setting.lines(STUCK, 100), LINES) as client:
        setting.await_waiting(1)
        assert setting.metric("ir_ingest_messages_waiting") == 10
        assert setting.broker.keys[f"ir.{STUCK}"] == 10
        assert setting.reason(STUCK) == "waiting"
        assert setting.reason(OTHER) is None
        setting.hold()
        setting.broker.release()
        assert len(client.answer().ids) == 100
    assert setting.broker.keys[f"ir.{STUCK}"] == 100
    assert gateway.stop() == 0


def test_one_pack_of_many_is_not_confirmed(setting):
    gateway = setting.gateway()
    seen = []
    setting.broker.fate = lambda key: "hold" if key == f"ir.{STUCK}" and seen.append(key) is None and len(seen) == 7 else None
    with setting.meanwhile(STUCK, setting.lines(STUCK, 50), LINES) as client:
        setting.await_waiting(1)
        assert setting.metric("ir_ingest_messages_waiting") == 1
        assert setting.reason(OTHER, setting.lines(OTHER, 50), LINES) is None
        assert client.answer().problem["reason"] == "unconfirmed"
    setting.broker.release()
    setting.await_waiting(0)
    assert setting.reason(STUCK) is None
    assert gateway.stop() == 0


def test_those_that_wait_hold_at_most_half(setting):
    """Unconfirmed messages may occupy half of the window. Beyond that the oldest are given up, so other motes always
    have room."""
    gateway = setting.gateway("--confirm-timeout=20s")
    stuck = MOTES[3:23]
    setting.hold(*stuck)
    with contextlib.ExitStack() as stack:
        for mote in stuck:
            stack.enter_context(setting.meanwhile(mote, setting.pack(mote, 300_000)))
        harness.wait_for(lambda: setting.metric("ir_ingest_given_up_total") > 0, "messages that are given up")
        for _ in range(10):
            assert setting.reason(OTHER, setting.pack(OTHER, 900_000)) is None
        assert 0 < setting.metric("ir_ingest_messages_waiting") < 4 * 2**20 / 300_000
        assert gateway.get("/readyz")[0] == 200


def test_one_partition_of_eight(setting):
    """One of eight partitions hangs under load. No message of another partition fails, and all motes of the hanging one
    are answered at once."""
    gateway = setting.gateway("--confirm-timeout=1s")
    partition = {mote: zlib.crc32(mote.encode()) % 8 for mote in MOTES}
    stuck = [mote for mote in MOTES if partition[mote] == partition[STUCK]]
    reasons = {mote: [] for mote in MOTES}
    setting.hold(*stuck)

    def send(mote):
        with Client(gateway) as client:
            for _ in range(30):
                answer = client.send(request(setting.tokens[mote], setting.pack(mote))).answer()
                reasons[mote].append(answer.problem["reason"] if answer.code == 503 else answer.code)

    threads = [threading.Thread(target=send, args=(mote,)) for mote in MOTES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for mote in MOTES:
        expected = ["unconfirmed"] + ["waiting"] * 29 if mote in stuck else [202] * 30
        assert reasons[mote] == expected, mote
    assert setting.metric("ir_ingest_motes_waiting") == len(stuck)
    assert gateway.stop() == 0


def test_nothing_at_all_is_confirmed_under_load(setting):
    """The gateway tries a second connection. When this is silent, too, the gateway is not ready, and finally connects
    again."""
    gateway = setting.gateway("--timeout=4s", "--confirm-timeout=20s")
    assert setting.reason(OTHER) is None
    setting.broker.fate = lambda key: "hold"
    with contextlib.ExitStack() as stack:
        for mote in MOTES:
            stack.enter_context(setting.meanwhile(mote))
        harness.wait_for(lambda: gateway.get("/readyz")[0] == 503, "not ready")
        setting.broker.fate = lambda key: None
        gateway.await_ready()
        assert all(setting.reason(mote) is None for mote in MOTES)
    assert setting.metric("ir_broker_set_aside_total") == 1


def test_a_queue_that_hangs(make_pipeline):
    """With a real broker, one of eight queues hangs. RabbitMQ blocks a connection once it has sent a few dozen messages
    for this queue, so messages for other queues must use another connection."""
    pipeline = make_pipeline().init()
    motes = MOTES[3:]
    pipeline.issue(*motes)
    gateway = pipeline.gateway("--confirm-timeout=5s", "--mote-wait=1s")
    queue = f"'{pipeline.host}_ir.observations.0'"

    def body(mote, packs=1):
        numbers = itertools.count()
        return b"\n".join(json.dumps([{"n": f"{mote}/00010", "u": "Cel", "t": 1320500000 + next(numbers), "v": 1}]).encode()
                          for _ in range(packs))

    def code(answer):
        return answer.code if answer.code != 503 else answer.problem["reason"]

    def codes(motes, packs):
        with concurrent.futures.ThreadPoolExecutor(len(motes)) as pool:
            return list(pool.map(lambda mote: code(ask(gateway, pipeline.tokens[mote], body(mote, packs), LINES)), motes))

    @contextlib.contextmanager
    def suspended():
        pipeline.broker.control("eval", f"sys:suspend({queue}).")
        try:
            yield
        finally:
            pipeline.broker.control("eval", f"sys:resume({queue}).")
        harness.wait_for(lambda: gateway.metric("ir_ingest_motes_waiting") == 0, "the confirms")

    assert set(codes(motes, 1)) == {202}
    with suspended():
        stuck = [mote for mote, said in zip(motes, codes(motes, 1)) if said == "unconfirmed"]
    others = [mote for mote in motes if mote not in stuck]
    assert 0 < len(stuck) < len(others)
    with suspended():
        sender = threading.Thread(target=codes, args=(stuck, 200))
        sender.start()
        harness.wait_for(lambda: gateway.metric("ir_ingest_motes_waiting") == len(stuck), "all that are stuck")
        for _ in range(20):
            assert set(codes(others, 1)) == {202}
        assert gateway.metric("ir_ingest_motes_waiting") == len(stuck)
        assert gateway.metric("ir_broker_set_aside_total") >= 1
        assert gateway.get("/readyz")[0] == 200
        sender.join()
    # One late message may still be unconfirmed. Its mote may then start to wait after all others have finished.
    harness.wait_for(lambda: set(codes(motes, 1)) == {202}, "all motes to be served again")
    assert gateway.stop() == 0


def test_a_return_fails_its_own_mote_only(setting):
    gateway = setting.gateway()
    setting.broker.fate = lambda key: {f"ir.{STUCK}": "hold", "ir.mote-1": "return"}.get(key)
    with setting.meanwhile(STUCK):
        for _ in range(5):
            answer = setting.ask("mote-1")
            assert answer.code == 503 and "route" in answer.problem["detail"] and answer.problem["reason"] == "broker-full"
            assert setting.reason(OTHER) is None
    assert setting.metric("ir_broker_reconnects_total") == 0
    assert gateway.stop() == 0


def test_nacks_renew_the_connection_and_hold_up_nobody(setting):
    gateway = setting.gateway("--timeout=60s")
    setting.broker.fate = lambda key: {f"ir.{STUCK}": "hold", "ir.mote-1": "refuse"}.get(key)
    with setting.meanwhile(STUCK):
        deadline = time.monotonic() + 30
        while setting.metric("ir_broker_reconnects_total") == 0 and time.monotonic() < deadline:
            assert setting.reason("mote-1") == "broker-full"
            assert setting.reason(OTHER) is None
            time.sleep(0.05)
    assert setting.metric("ir_broker_reconnects_total") == 1
    assert setting.reason(OTHER) is None
    assert gateway.stop() == 0


def test_a_broker_that_is_lost_while_it_blocks(setting):
    """The broker blocks before it has confirmed everything. The connection ends anyway."""
    gateway = setting.gateway("--confirm-timeout=10s")
    setting.hold(STUCK)
    with setting.meanwhile(STUCK) as client:
        harness.wait_for(lambda: setting.broker.keys.get(f"ir.{STUCK}"), "the message")
        setting.broker.block()
        harness.wait_for(lambda: "alarm" in gateway.get("/readyz")[1], "the block")
        assert setting.reason(OTHER) == "broker-full"
        setting.broker.disconnect()
        assert client.answer().problem["reason"] == "unconfirmed"
    gateway.await_ready()
    assert setting.reason(OTHER) is None
    assert gateway.stop() == 0


def test_a_broker_that_does_not_tell_of_its_exchange(setting):
    """The broker does not answer whether its exchange exists. The gateway accepts messages anyway."""
    setting.broker.unanswered = ((40, 10),)
    gateway = setting.gateway()
    assert setting.reason(OTHER) is None
    assert gateway.stop() == 0


def test_a_broker_that_does_not_tell_how_large_a_message_may_be(setting):
    """The gateway asks for the size limit once, before it is ready. If the broker does not answer, messages of every
    size are sent, without a pause for another attempt."""
    setting.broker.mute = True
    gateway = setting.gateway("--timeout=1s", "--confirm-timeout=30s")
    assert setting.broker.tried == 1
    setting.hold(STUCK)
    with setting.meanwhile(STUCK, setting.pack(STUCK, 100_000)) as client:
        setting.await_waiting(1)
        for size in (0, 100_000, 300_000, 900_000):
            assert setting.reason(OTHER, setting.pack(OTHER, size)) is None
            assert setting.reason("other-2") is None
        setting.hold()
        setting.broker.release()
        assert client.answer().code == 202
    assert setting.broker.tried == 1, "the limit was queried again while messages flowed"
    setting.broker.disconnect()
    harness.wait_for(lambda: setting.metric("ir_broker_reconnects_total") == 1, "a new connection")
    gateway.await_ready()
    assert setting.reason(OTHER, setting.pack(OTHER, 900_000)) is None
    assert setting.broker.tried == 1, "the limit was queried again within a minute"
    assert gateway.stop() == 0


def test_stopping_with_unconfirmed_messages(setting):
    """Accepted requests are answered when their time is over. A part that was never sent does not delay the stop."""
    gateway = setting.gateway("--mote-messages=10")
    setting.hold(STUCK)
    with setting.meanwhile(STUCK, setting.lines(STUCK, 100), LINES) as client:
        setting.await_waiting(1)
        gateway.process.send(signal.SIGTERM)
        assert client.answer().problem["reason"] == "unconfirmed"
        assert gateway.process.wait(60) == 0, gateway.text()


# If the gateway of the tests' build leaks a byte, it exits with another status.


@pytest.mark.parametrize("twice", [True, False], ids=["second-signal", "stop-timeout"])
def test_an_end_with_open_connections_leaves_nothing_behind(setting, twice):
    """The gateway stops with unanswered requests of one pack and of many, one whose client disconnected, half a
    request, and an idle connection."""
    gateway = setting.gateway("--confirm-timeout=60s", "--stop-timeout=1s", "--mote-messages=10")
    setting.hold(STUCK, OTHER, "other-2")
    with contextlib.ExitStack() as stack:
        answered, half, idle = (stack.enter_context(Client(gateway)) for _ in range(3))
        assert answered.send(request(setting.tokens["mote-0"], setting.pack("mote-0"))).answer().code == 202
        half.send(request(setting.tokens["mote-1"], setting.pack("mote-1"))[:-4])
        stack.enter_context(setting.meanwhile(STUCK))
        stack.enter_context(setting.meanwhile(OTHER, setting.lines(OTHER, 100), LINES))
        with setting.meanwhile("other-2"):
            harness.wait_for(lambda: setting.metric("ir_ingest_requests_in_flight") == 3, "the requests")
        gateway.process.send(signal.SIGTERM)
        harness.wait_for(lambda: "finishing" in gateway.text(), "the signal")
        if twice:
            gateway.process.send(signal.SIGTERM)
        assert gateway.process.wait(60) == 0, gateway.text()


@pytest.mark.parametrize("wrong", ["--listen", "--tokens"])
def test_a_start_that_fails_leaves_nothing_behind(setting, wrong):
    """The start fails because a port is in use, or because a file is missing."""
    gateway = setting.gateway()
    value = {"--listen": gateway.address.removeprefix("http://"), "--tokens": "none"}
    second = setting.gateway(f"{wrong}={value[wrong]}", wait=False)
    assert second.process.wait(60) == 1, second.text()
    assert gateway.stop() == 0
