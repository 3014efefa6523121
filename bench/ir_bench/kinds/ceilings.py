"""Measures the broker, the document stores and the triplestore alone on this host, each with the same observations.
Reports how near the whole pipeline comes to the limit of the processors. That is the rate at which all of them would be
busy, given the processor time that an observation takes in all processes together. Uses no guests."""

import itertools
import json
import os
import subprocess

from .. import ROOT, sample, stage, triplestore
from ..subjects import Subject
from . import base
from .base import Measure

BENCH = ROOT / "out" / "release" / "bench"
WHOLE = {"embedded": ("sqlite", "nquads"), "servers": ("mongodb", "fuseki")}
PARTS = {"embedded": ("publish", "consume", "sqlite"), "servers": ("publish", "consume", "mongodb", "fuseki")}
BATCH = 5000  # observations, as many as ir-worker stores at once
SECONDS = 10  # seconds for which publishing is repeated
ROUNDS_MOST = 60
SECONDS_MOST = 200


class Sample(sample.Sample):
    confined = False
    registry = None

    def measure(self):
        self.registry = self.folder / "registry.ttl"
        stage.call(stage.BUILD / "ir-loadgen", *self.source(1)[:2], f"--write-registry={self.registry}")
        for name, (documents, graph) in WHOLE.items():
            self.whole(name, documents, graph)
        with self.stage("broker", "null", "null") as run:
            self.broker(run)
        with self.stage("stores", "mongodb", "fuseki") as run:
            self.documents("mongodb", run.uri("documents"))
            self.graph(run.uri("graph"))
        self.documents("sqlite", f"sqlite:{self.folder / 'guests' / 'alone.sqlite'}")

    def amount(self, name):
        """The number of messages."""
        return self.parameters["messages_of_servers" if name == "servers" else "messages"]

    def source(self, messages):
        return (f"--simulate={self.parameters['motes']}", f"--records={self.parameters['records']}",
                f"--seed={self.request['seed'] + 1}", f"--messages={messages}")

    def stage(self, name, documents, graph):
        return stage.Stage(self.folder / "guests" / name, documents, graph, self.registry, self.source(self.amount(name)))

    def whole(self, name, documents, graph):
        """The whole pipeline with one worker, starting from filled queues."""
        with self.stage(name, documents, graph) as run:
            sent = run.fill()["observations_sent"]
            with self.stretch(name):
                used = run.drain(stage.Ours(run, "--formats=jsonld,senml"), sent)
        allowed = os.cpu_count() * 1e6 / used["all_us"]
        self.measures.update({f"{name}.{key}": used[key] for key in ("rate", "all_us")})
        self.measures.update({f"{name}.allowed": allowed, f"{name}.near": used["rate"] / allowed})

    def broker(self, run):
        """Publishes and consumes the same number of bytes alternately, expressed as observations per second."""
        messages, clients = self.amount("broker"), self.parameters["clients"]
        size = len(stage.call(stage.BUILD / "ir-loadgen", *run.source, "--dump")) // messages
        seconds = {"publish": [], "consume": []}
        for verb in itertools.cycle(seconds):
            told = json.loads(self.program("bench_broker", verb, messages, clients, size, IR_AMQP=run.broker.uri))
            seconds[verb].append(told["seconds"])
            if verb == "consume" and (sum(seconds["publish"]) > SECONDS or len(seconds["publish"]) == ROUNDS_MOST):
                break
        for verb, times in seconds.items():
            self.measures[f"{verb}.rate"] = len(times) * messages * self.parameters["records"] / sum(times)

    def documents(self, name, uri):
        messages, motes = self.amount(name), self.parameters["motes"]
        lines = self.program("bench_documents", uri, self.registry, messages, motes, BATCH)
        self.measures[f"{name}.rate"] = messages * self.parameters["records"] / float(lines.split()[-1])

    def graph(self, uri):
        """Writes the same statements in batches of the worker's size, one after the other."""
        messages = self.amount("servers")
        lines = stage.annotated(self.registry, "ntriples", *self.source(messages)).splitlines(keepends=True)
        observations = messages * self.parameters["records"]
        size = BATCH * len(lines) // observations
        batches = [b"".join(lines[i : i + size]) for i in range(0, len(lines), size)]
        self.measures["fuseki.rate"] = observations / triplestore.timed(triplestore.Client(uri).post, batches)

    def program(self, name, *words, **environment):
        done = subprocess.run([BENCH / name, *map(str, words)], capture_output=True, text=True, timeout=SECONDS_MOST,
                              check=False, env={**os.environ, **environment})
        if done.returncode != 0:
            raise stage.StageError(f"{name}: {done.stderr.strip()}")
        return done.stdout


class Kind(base.Kind):
    Sample = Sample
    parameters = {"messages": int, "messages_of_servers": int, "motes": int, "records": int, "clients": int}
    measures = {
        "rate": Measure("rate", "observations/s", 0, "higher"),
        "all_us": Measure("CPU of all processes per observation", "µs", better="lower"),
        "allowed": Measure("observations/s that the processors allow", "/s", 0, "higher"),
        "near": Measure("share of what the processors allow", "", 2, "higher"),
    }

    def subjects(self, experiment, platforms, profiles):
        """This host, twice. This kind compares no platforms."""
        return [Subject(name, "bare", against="here") for name in ("here", "here-again")]

    def stretches(self, scouted):
        return {"embedded": "with SQLite and N-Quads files", "servers": "with MongoDB and Fuseki",
                "publish": "published to RabbitMQ alone", "consume": "consumed from RabbitMQ alone",
                "mongodb": "into MongoDB alone", "sqlite": "into SQLite alone", "fuseki": "into Fuseki alone"}

    def remarks(self, found):
        """Reports how near the whole pipeline comes to its limits."""
        return list(filter(None, (self.nearness(found, name) for name in WHOLE)))

    def nearness(self, found, name):
        """The remark for one setup; "" when a part of it was never measured."""
        middle = {part: found.median(found.subjects[0], f"{part}.rate") for part in (name, *PARTS[name])}
        if None in middle.values():
            return ""
        near, micros = (found.median(found.subjects[0], f"{name}.{what}") for what in ("near", "all_us"))
        slowest, words = min(PARTS[name], key=middle.get), self.stretches({})
        return (f"{words[name]}: {middle[name]:,.0f} observations/s, {near:.0%} of what the processors allow at {micros:.0f} µs "
                f"per observation in all processes, and {middle[name] / middle[slowest]:.0%} of the rate {words[slowest]} "
                f"({middle[slowest]:,.0f}/s)")
