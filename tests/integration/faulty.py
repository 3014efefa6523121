"""A stack for tests of faults, and loads during which parts of it fail. Afterwards nothing confirmed may be missing,
and nothing may be stored twice. The workers' clocks are wrong by an hour, which must not matter."""

import contextlib
import sqlite3
import time

import pika

import harness
import load
import stack
from probes import Probes

MOTES, RATE, SECONDS = 200, 300, 14
TIMINGS = ("--relative-share=0.25", "--clockless-share=0.25", "--named-share=0.5")


class WrongClocks(stack.Stack):
    """One worker's clock is an hour ahead, the next one's an hour behind."""

    def environment_of(self, name):
        return harness.wrong_clock({"worker-1": 1, "worker-2": -1}[name]) if name.startswith("worker") else {}


class Load(load.Load):
    """A load on a stack. The process ids of the stack's parts change, because the parts are restarted during the load.
    The load's motes stay in the registry, because probes and redelivered messages arrive after it."""

    def __init__(self, running, *more):
        super().__init__(running.description(), *more)
        self.running = running

    def end(self, sent):
        pass

    def hang_up(self, listed):
        now = self.running.description()
        load.Load.hang_up(next(each for each in now["workers"] + now["gateways"] if each["name"] == listed["name"]))


class Faulty:
    def __init__(self, directory, root=None, brokers=3):
        settings = stack.Settings({"BROKERS": str(brokers), "GATEWAYS": "2", "WORKERS": "2"})
        self.directory = directory
        self.stack = WrongClocks(settings, directory / "stack", harness.BUILD, root)
        self.loads = 0
        self.ledgers = []  # folders with one ledger each

    def __enter__(self):
        self.stack.start()
        return self

    def __exit__(self, *_):
        self.stack.stop()

    def send(self, via, actions, seconds=SECONDS, probing=False):
        """Makes simulated motes send. `actions` are pairs (seconds after the first check, function to call). With
        `probing` it also sends single packs and checks their arrival times."""
        left = list(actions)
        begun = []
        for each in self.stack.workers:
            each.await_ready()
        self.loads += 1
        with contextlib.ExitStack() as probing_stack:
            probes = Probes(self.stack) if probing else None

            def check():
                if not begun and probing:
                    probes.token = dict(line.split() for line in one.mote_tokens.read_text().splitlines())[probes.mote]
                    probing_stack.enter_context(probes)
                begun.append(time.monotonic())
                if left and time.monotonic() - begun[0] >= left[0][0]:
                    left.pop(0)[1]()

            one = Load(self.stack, self.directory / f"load-{self.loads}", via, check)
            one.drain_seconds = 20
            summary = one.simulate(MOTES, self.loads, [f"--rate={RATE}", f"--duration={seconds}s"], *TIMINGS)
        assert not left, "the load ended before all actions were done"
        assert summary["messages_confirmed"] == summary["messages_sent"]
        if probing:
            self.ledgers.append(probes.write_ledger(self.directory / f"probes-{self.loads}"))
        earlier, self.ledgers = self.ledgers, [*self.ledgers, one.directory]
        harness.wait_for(lambda: self.clean(one, earlier), "everything to be stored once", 60, 1)
        if probing:
            probes.check(self.arrivals())
        return summary

    @staticmethod
    def clean(one, earlier):
        """Returns whether nothing is missing, duplicated or foreign. A message without a name that was sent again may
        be stored once more."""
        verdict = one.verify(*earlier)
        return all(load.total(verdict, key) == 0 for key in ("missing", "doubled", "foreign"))

    def arrivals(self):
        """Returns [(body, ns, id)] of the stored raw messages."""
        path = self.stack.documents_uri().removeprefix("sqlite:")
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as database:
            return database.execute("SELECT body, received_ns, id FROM raw").fetchall()

    def rejected(self):
        """Returns the number of dead letters."""
        host, port = self.stack.balancer.address("consumers").split(":")
        login = pika.PlainCredentials("worker", self.stack.cluster.passwords["worker"])
        parameters = pika.ConnectionParameters(host, int(port), "/", login)
        with contextlib.closing(pika.BlockingConnection(parameters)) as connection:
            return connection.channel().queue_declare("ir.rejected", passive=True).method.message_count

    # ---- faults ----

    def kill_broker(self, index):
        return lambda: self.stack.cluster.members[index].kill()

    def start_broker(self, index):
        return lambda: self.stack.cluster.members[index].start()

    def cut_power(self):
        """Kills all brokers at once, then restarts all of them."""
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
        """Returns a function that kills the worker and starts another one in its place at once."""
        def kill():
            self.stack.workers[index].kill()
            self.stack.start_worker(index)

        return kill

    def reload(self):
        return self.stack.balancer.reload
