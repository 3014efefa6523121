"""A broker with filled queues, stores, and one worker that empties the queues, all on this host without guests. It
measures the processor time of the worker (ours or a peer) and of the servers.

    with Stage(folder, "mongodb", "fuseki", registry) as stage:
        stage.fill("--repeat=2")
        used = stage.drain(Ours(stage), 80674)
"""

import hashlib
import json
import os
import re
import subprocess
import time
from pathlib import Path

import programs
import servers

from . import ROOT, machine

BUILD = ROOT / "out" / "release"
REGISTRY = ROOT / "loadgen" / "usgs_river.ttl"
REPLAY = (f"--replay={ROOT / 'loadgen' / 'usgs_river_observations.csv.gz'}",)
OBSERVATIONS = 40337  # number of observations in the replay data
START_SECONDS = 120
STALL_SECONDS = 300
DOUBLE = re.compile(rb'"([^"]*)"\^\^<http://www.w3.org/2001/XMLSchema#double>')
OF_REGISTRY = re.compile(rb"/graph/registry[^ ]*> \.$")  # how a statement of the registry's graphs ends


class StageError(Exception):
    pass


def call(*argv, **options):
    """Returns the standard output of a program that runs to its end."""
    done = subprocess.run([str(word) for word in argv], check=False, capture_output=True, **options)
    if done.returncode != 0:
        raise StageError(f"{argv[0]} ended with status {done.returncode}:\n{done.stderr.decode(errors='replace')}")
    return done.stdout


def session_seconds(pid, proc=Path("/proc")):
    """The processor time of all processes in the session of `pid`, including ended ones whose parent has waited for
    them."""
    ticks = (int(each) for _, words in machine.processes(proc) if int(words[3]) == pid for each in words[11:15])
    return sum(ticks) / machine.TICKS


def peak_mib(pid):
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return None


class Stage(servers.Startable):
    """`documents` and `graph`: the names that `make run` uses, including "null". All files are below `directory`.
    `source`: what the generator sends."""

    def __init__(self, directory, documents, graph, registry=REGISTRY, source=REPLAY):
        self.directory = Path(directory).resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.registry = registry
        self.source = source
        self.servers = {"broker": servers.RabbitMQ(self.directory / "rabbitmq")}
        for part, known, name in (("documents", servers.DOCUMENT_SERVERS, documents),
                                  ("graph", servers.GRAPH_SERVERS, graph)):
            if name in known:
                self.servers[part] = known[name](self.directory / name)
        self.embedded = {"sqlite": f"sqlite:{self.directory}/documents.sqlite", "nquads": f"nquads:{self.directory}/graph",
                         "null": "null:"}
        self.names = {"documents": documents, "graph": graph}

    # ---- addresses ----

    @property
    def broker(self):
        return self.servers["broker"]

    def uri(self, part):
        return self.servers[part].uri if part in self.servers else self.embedded[self.names[part]]

    def arguments(self):
        return [f"--documents={self.uri('documents')}", f"--graph={self.uri('graph')}", f"--registry={self.registry}"]

    # ---- starting and stopping ----

    def begin(self):
        for each in self.servers.values():
            each.begin()

    def await_ready(self):
        for each in self.servers.values():
            each.await_ready()
        call(BUILD / "ir-worker", "--declare", f"--amqp={self.broker.uri}")
        call(BUILD / "ir-store", "init", *self.arguments())

    def stop(self):
        for each in self.servers.values():
            each.stop()

    # ---- the work ----

    def fill(self, *words):
        """Puts messages into the queues; returns the generator's summary. The ledger is kept for verify()."""
        out = self.directory / "load"
        call(BUILD / "ir-loadgen", f"--amqp={self.broker.uri}", *self.source, "--no-subscribe", "--no-wait", f"--out={out}",
             *words)
        return json.loads((out / "summary.json").read_text(encoding="utf-8"))

    def server_seconds(self):
        return {part: session_seconds(each.process.pid) for part, each in self.servers.items()}

    def drain(self, worker, observations):
        """Starts a worker and waits until it has acknowledged that many observations. Returns {"seconds", "rate",
        "peak_mib", "worker_us", "broker_us", …, "all_us"}; *_us are microseconds of processor time per observation."""
        with worker:
            wait(worker.begun, START_SECONDS, worker, "took no message")
            before, own, begun = self.server_seconds(), worker.seconds(), time.monotonic()
            wait(lambda: worker.done(observations), STALL_SECONDS, worker, f"did not process {observations} observations")
            seconds = time.monotonic() - begun
            after, own, peak = self.server_seconds(), worker.seconds() - own, peak_mib(worker.pid)
        used = {"worker": own, **{part: after[part] - before[part] for part in after}}
        return {"seconds": seconds, "rate": observations / seconds, "peak_mib": peak,
                **{f"{part}_us": value * 1e6 / observations for part, value in used.items()},
                "all_us": sum(used.values()) * 1e6 / observations}

    # ---- what the stores hold ----

    def verify(self):
        """Returns {"missing", "doubled", "foreign"} relative to what fill() sent."""
        words = ("verify", f"--ledger={self.directory / 'load' / 'ledger.txt'}", "--json", *self.arguments())
        done = subprocess.run([BUILD / "ir-store", *words], capture_output=True, text=True, check=False)
        try:
            told = json.loads(done.stdout)
        except ValueError as error:
            raise StageError(f"ir-store verify: {done.stderr.strip()}") from error
        parts = [part for part in told.values() if isinstance(part, dict)]
        return {key: sum(part.get(key, 0) for part in parts) for key in ("missing", "doubled", "foreign")}

    def digests(self):
        """Returns {"documents", "graph"}: digests of all observations and of all statements, independent of their
        order."""
        return {part: digest_of_lines(call(BUILD / "ir-store", "export", f"--what={part}", *self.arguments()))
                for part in ("documents", "graph")}



def annotated(registry, form, *source):
    """Returns what ir-annotate makes of everything that the generator would send."""
    packs = call(BUILD / "ir-loadgen", *source, "--dump")
    return call(BUILD / "ir-annotate", f"--registry={registry}", f"--format={form}", input=packs)


def digest_of_lines(text):
    """A digest of the set of lines, without the registry's. Doubles are compared by value, because triplestores do not
    keep their text."""
    lines = {DOUBLE.sub(lambda found: repr(float(found[1])).encode(), line) for line in text.splitlines()
             if not OF_REGISTRY.search(line)}
    return hashlib.sha256(b"\n".join(sorted(lines))).hexdigest()


def wait(condition, seconds, worker, what):
    if not servers.wait_until(condition, seconds, worker.check, pause=0.02):
        raise StageError(f"{worker.name} {what} within {seconds} s; its log ends:\n{servers.tail(worker.log)}")


class Ours:
    """ir-worker, in the form that Stage.drain() uses."""

    name = "ir-worker"

    def __init__(self, stage, *words):
        self.log = stage.directory / "worker.log"
        self.arguments = [f"--amqp={stage.broker.uri}", *stage.arguments(), *words]
        self.worker = None

    def __enter__(self):
        self.worker = programs.Worker(BUILD, "bench", self.log, self.arguments)
        self.worker.await_listening()
        return self

    def __exit__(self, *_):
        self.worker.stop()

    def check(self):
        self.worker.check()

    @property
    def pid(self):
        return self.worker.process.pid

    def seconds(self):
        return session_seconds(self.pid)

    def begun(self):
        return self.worker.metric("ir_messages_received_total") > 0

    def done(self, observations):
        counted = self.worker.metrics().items()
        return sum(value for series, value in counted if series.startswith("ir_observations_total")) >= observations


class Peer:
    """Another worker: a program that prints "ready" when it starts to consume, prints "done" after that many
    observations, and waits until it is terminated (bench/peers/README.md)."""

    def __init__(self, stage, name, argv, environment=None):
        self.name = name
        self.log = stage.directory / f"{name}.log"
        self.argv = argv
        self.environment = {**os.environ, **(environment or {})}
        self.process = None

    def __enter__(self):
        self.process = servers.Process(self.argv, self.log, env=self.environment)
        return self

    def __exit__(self, *_):
        self.process.stop()

    def check(self):
        if not self.process.alive():
            raise StageError(f"{self.name} ended with status {self.process.child.returncode}; {self.log} ends:\n"
                             f"{servers.tail(self.log)}")

    @property
    def pid(self):
        return self.process.pid

    def seconds(self):
        return session_seconds(self.pid)

    def begun(self):
        return "ready" in self.said()

    def done(self, _observations):
        return "done" in self.said()

    def said(self):
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()
