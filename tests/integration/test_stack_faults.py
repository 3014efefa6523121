"""The whole way, three brokers and two gateways behind the balancer, with something killed or reloaded while motes
send: nothing that was confirmed is missing, nothing is there twice."""

import contextlib
import socket
import struct
import time

import pytest

import harness
import haproxy
import load
import stack

MOTES, RATE, SECONDS = 200, 300, 14
TIMINGS = ("--relative-share=0.25", "--clockless-share=0.25", "--named-share=0.5")


class Faulty:
    """A stack, and loads on it during which things are done to it."""

    def __init__(self, directory):
        settings = stack.Settings({"BROKERS": "3", "GATEWAYS": "2", "WORKERS": "2"})
        self.directory = directory
        self.stack = stack.Stack(settings, directory / "stack", harness.BUILD)
        self.loads = []

    def __enter__(self):
        self.stack.start()
        return self

    def __exit__(self, *_):
        self.stack.stop()

    def send(self, via, actions, seconds=SECONDS):
        """Simulated motes; `actions` are (seconds after the first check, what to do)."""
        left = list(actions)
        started = []

        def check():
            started.append(time.monotonic())
            if left and time.monotonic() - started[0] >= left[0][0]:
                left.pop(0)[1]()

        for each in self.stack.workers:
            each.await_ready()
        one = load.Load(self.stack.description(), self.directory / f"load-{len(self.loads)}", via, check)
        one.drain_seconds = 20
        summary = one.simulate(MOTES, len(self.loads) + 1, [f"--rate={RATE}", f"--duration={seconds}s"], *TIMINGS)
        assert not left, "the load was over before everything was done"
        assert summary["messages_confirmed"] == summary["messages_sent"]
        earlier, self.loads = self.loads, [*self.loads, one.directory]
        harness.wait_for(lambda: self.clean(one, earlier), "everything to be stored once", 60, 1)
        return summary

    @staticmethod
    def clean(one, earlier):
        """What was sent again without a name may be there once more."""
        verdict = one.verify(*earlier)
        return all(load.total(verdict, key) == 0 for key in ("missing", "doubled", "foreign"))

    # ---- what is done to it ----

    def kill_broker(self, index):
        return lambda: self.stack.cluster.members[index].kill()

    def start_broker(self, index):
        return lambda: self.stack.cluster.members[index].start()

    def cut_power(self):
        """Of all brokers; it comes back for all at once."""
        for each in self.stack.cluster.members:
            each.kill()
        for each in self.stack.cluster.members:
            each.begin()
        self.stack.cluster.await_ready()

    def kill_gateway(self, index):
        return lambda: self.stack.gateways[index].kill()

    def start_gateway(self, index):
        def start():
            self.stack.start_gateway(index)
            self.stack.gateways[index].await_ready()

        return start

    def kill_worker(self, index):
        """Another takes its place at once."""
        def kill():
            self.stack.workers[index].kill()
            self.stack.start_worker(index)

        return kill

    def reload(self):
        return self.stack.balancer.reload

    def assert_client_ids_are_kept(self):
        """A client that comes again at another broker takes its id away from the first one, through all brokers."""
        brokers = self.stack.cluster.members
        with contextlib.ExitStack() as stack:
            there = None
            for each in [*brokers, brokers[0]]:
                client = stack.enter_context(mqtt_connection(each, b"same"))
                assert there is None or is_closed(there), "the first connection stays"
                there = client


def mqtt_connection(broker, client):
    """A socket to that broker's MQTT listener, past the balancer, on which a client of that id is logged in."""
    def text(value):
        return struct.pack("!H", len(value)) + value

    password = broker.cluster.passwords["mote"].encode()
    body = text(b"MQTT") + bytes([4, 0b11000010]) + struct.pack("!H", 60) + text(client) + text(b"mote") + text(password)
    connection = socket.create_connection((broker.host, broker.ports[2]), 20)
    connection.sendall(bytes.fromhex(haproxy.PROXY_HEADER) + bytes([0x10, len(body)]) + body)
    assert connection.recv(4, socket.MSG_WAITALL) == bytes([0x20, 2, 0, 0])
    return connection


def is_closed(connection):
    """Waits for it."""
    try:
        return connection.recv(64) == b""
    except ConnectionResetError:
        return True


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    with Faulty(tmp_path_factory.mktemp("faulty")) as faulty:
        yield faulty


def test_a_broker_a_gateway_and_the_balancer(faulty):
    """One of each, one after the other, while motes send by AMQP, MQTT and HTTP."""
    faulty.send("mix", [(2, faulty.kill_broker(0)), (5, faulty.kill_gateway(0)), (7, faulty.reload()),
                        (9, faulty.start_gateway(0))])
    faulty.start_broker(0)()
    faulty.assert_client_ids_are_kept()


@pytest.mark.slow
@pytest.mark.parametrize("via", ["amqp", "mqtt", "http"])
@pytest.mark.parametrize("index", range(3))
def test_any_broker_is_killed(faulty, via, index):
    faulty.send(via, [(3, faulty.kill_broker(index))])
    faulty.start_broker(index)()


def test_workers_are_killed(faulty):
    """By turns, while motes send by AMQP, MQTT and HTTP."""
    faulty.send("mix", [(2 + i, faulty.kill_worker(i % 2)) for i in range(8)])


@pytest.mark.slow
def test_workers_are_killed_forty_times(faulty):
    faulty.send("mix", [(2 + i, faulty.kill_worker(i % 2)) for i in range(40)], seconds=50)


@pytest.mark.slow
def test_power_cut(faulty):
    faulty.send("mix", [(3, faulty.cut_power)])
    faulty.assert_client_ids_are_kept()


@pytest.mark.slow
@pytest.mark.parametrize("index", range(2))
def test_any_gateway_is_killed(faulty, index):
    faulty.send("http", [(3, faulty.kill_gateway(index)), (8, faulty.start_gateway(index))])


@pytest.mark.slow
@pytest.mark.parametrize("via", ["amqp", "mqtt", "http"])
def test_reload(faulty, via):
    """Nobody notices: no message is sent twice, none is refused."""
    summary = faulty.send(via, [(second, faulty.reload()) for second in (2, 4, 6, 8)])
    assert summary["messages_sent"] == summary["messages_confirmed"]


@pytest.mark.slow
def test_brokers_one_after_the_other(faulty):
    """Each is killed and comes back, as in an upgrade."""
    actions = [(2, faulty.kill_broker(0)), (5, faulty.start_broker(0))]
    faulty.send("mix", actions)
    faulty.send("mix", [(2, faulty.kill_broker(1)), (5, faulty.start_broker(1))])
