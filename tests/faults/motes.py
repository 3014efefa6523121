"""The load: simulated motes with absolute, relative and no times, over AMQP, MQTT and HTTP."""

import csv
import signal

import load

TIMINGS = ("--relative-share=0.25", "--clockless-share=0.25", "--named-share=0.5")
MOTES = 200
POISONERS = 20  # motes used only for poison: the generator identifies some messages only by their order within a mote
RECORDS = 7  # bytes of each message
# The generator does not give up while a server is down, and its own delays do not matter here.
PATIENCE = ("--retry-for=30min", "--late-bound=1h", "--series-interval=500ms")
DRAIN_SECONDS = 120
LAST_SECONDS = 10  # time for the last published messages to reach the subscription, if all must …
FEW_SECONDS = 2  # … and if the subscription may have missed some
ANSWER_MINUTES = 15  # time limit for one answer of a store that writes or compares much on a busy machine


class Motes(load.Load):
    """One load. Before the first load, call introduce(), which registers all motes."""

    def __init__(self, river, name, ways=("amqp", "mqtt", "http")):
        super().__init__(river.description(), river.out / "loads" / name, "mix")
        self.ways = ways
        self.drain_seconds = DRAIN_SECONDS
        self.source = (f"--simulate={MOTES}",)
        self.messages = 0
        self.process = None

    def call(self, program, *words, **more):
        patience = (f"--timeout={ANSWER_MINUTES}min",) if program == "ir-store" else ()
        return super().call(program, *words, *patience, **more)

    def introduce(self):
        """Writes the motes' registry and tokens. Returns the names of the motes for poison."""
        everybody = f"--simulate={MOTES + POISONERS}"
        self.prepare(everybody)
        registry = self.directory / "registry.ttl"
        self.call("ir-loadgen", everybody, f"--write-registry={registry}")
        self.register(registry)
        return (self.directory / "motes").read_text().split()[MOTES:]

    def start(self, seed, observations, rate):
        self.directory.mkdir(parents=True)
        self.messages = observations // RECORDS
        shape = [f"--seed={seed}", f"--messages={self.messages}", f"--rate={rate}"]
        self.process = self.begin(*self.source, *shape, *TIMINGS, *PATIENCE, log=self.directory / "ir-loadgen.log")

    def series(self):
        """Returns the rows of the generator's time series so far, as numbers."""
        try:
            with open(self.directory / "series.csv", newline="") as file:
                return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file) if None not in
                        row.values()]
        except (OSError, ValueError):
            return []

    def unanswered(self):
        """Returns the number of messages that were due or sent but have no answer, and whether all messages are
        answered."""
        rows = self.series()
        sent = sum(row["messages_sent"] for row in rows)
        answered = sum(row["messages_confirmed"] + row["messages_refused"] for row in rows)
        due = sum(row["intended"] for row in rows) / RECORDS
        return (0, True) if answered >= self.messages else (max(due, sent) - answered, False)

    def compact(self):
        """Shrinks the files of Fuseki's TDB2."""
        self.call("ir-store", "compact", f"--graph={self.description['graph']}")

    def end(self, all_return, most_seconds):
        """Ends the load when the watch sees nothing in progress. The generator ends on its own when all its messages came
        back. If they must all return, it also waits until the brokers hold nothing: they hold the messages of a lost
        connection until they notice the loss, and the watch does not see those. Otherwise the generator is stopped, which
        may take `most_seconds`. Returns its summary."""
        seconds = LAST_SECONDS if all_return else FEW_SECONDS
        ended = self.process.wait(seconds)
        if ended is None and all_return:
            self.waiting(most_seconds)
            ended = self.process.wait(seconds)
        if ended is None:
            self.process.send(signal.SIGTERM)
            self.process.wait(most_seconds)
        self.process.stop()
        return self.summary()
