"""What the broker, the document stores and the triplestore take alone on this host, of the same observations and with
nothing beside them, and how near the whole comes to what the processors allow: all of them busy with nothing but the
processor time that an observation takes in all processes together. Without guests."""

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
GRAPH_BATCH = 5000  # observations, as many as ir-worker sends at once
BATCH = 5000
SECONDS_MOST = 200


class Sample(sample.Sample):
    confined = False

    def measure(self):
        self.observations = self.parameters["messages"] * self.parameters["records"]
        self.source = (f"--simulate={self.parameters['motes']}", f"--records={self.parameters['records']}",
                       f"--seed={self.request['seed'] + 1}", f"--messages={self.parameters['messages']}")
        self.registry = self.folder / "registry.ttl"
        stage.call(stage.BUILD / "ir-loadgen", *self.source[:2], f"--write-registry={self.registry}")
        for name, (documents, graph) in WHOLE.items():
            self.whole(name, documents, graph)
        with self.stage("broker", "null", "null") as run:
            self.broker(run)
        with self.stage("stores", "mongodb", "fuseki") as run:
            self.documents("mongodb", run.uri("documents"))
            self.graph(run.uri("graph"))
        self.documents("sqlite", f"sqlite:{self.folder / 'guests' / 'alone.sqlite'}")

    def stage(self, name, documents, graph):
        return stage.Stage(self.folder / "guests" / name, documents, graph, self.registry, self.source)

    def whole(self, name, documents, graph):
        """The pipeline from filled queues, one worker."""
        with self.stage(name, documents, graph) as run:
            run.fill()
            with self.stretch(name):
                used = run.drain(stage.Ours(run, "--formats=jsonld,senml"), self.observations)
        allowed = os.cpu_count() * 1e6 / used["all_us"]
        self.measures.update({f"{name}.{key}": used[key] for key in ("rate", "all_us")})
        self.measures.update({f"{name}.allowed": allowed, f"{name}.near": used["rate"] / allowed})

    def broker(self, run):
        """The same bytes published and consumed, as observations a second."""
        size = len(stage.call(stage.BUILD / "ir-loadgen", *self.source, "--dump")) // self.parameters["messages"]
        messages, clients = self.parameters["messages"], self.parameters["clients"]
        for verb in ("publish", "consume"):
            told = json.loads(self.program("bench_broker", verb, messages, clients, size, IR_AMQP=run.broker.uri))
            self.measures[f"{verb}.rate"] = self.observations / told["seconds"]

    def documents(self, name, uri):
        messages, motes = self.parameters["messages"], self.parameters["motes"]
        lines = self.program("bench_documents", uri, self.registry, messages, motes, BATCH)
        self.measures[f"{name}.rate"] = self.observations / float(lines.split()[-1])

    def graph(self, uri):
        """The same statements in as large batches as the worker's, one after the other."""
        lines = stage.annotated(self.registry, "ntriples", *self.source).splitlines(keepends=True)
        size = GRAPH_BATCH * len(lines) // self.observations
        batches = [b"".join(lines[i : i + size]) for i in range(0, len(lines), size)]
        self.measures["fuseki.rate"] = self.observations / triplestore.timed(triplestore.Client(uri).post, batches)

    def program(self, name, *words, **environment):
        done = subprocess.run([BENCH / name, *map(str, words)], capture_output=True, text=True, timeout=SECONDS_MOST,
                              check=False, env={**os.environ, **environment})
        if done.returncode != 0:
            raise stage.StageError(f"{name}: {done.stderr.strip()}")
        return done.stdout


class Kind(base.Kind):
    Sample = Sample
    parameters = {"messages": int, "motes": int, "records": int, "clients": int}
    measures = {
        "rate": Measure("observations/s", "/s", 0, "higher"),
        "all_us": Measure("CPU of all processes per observation", "µs", better="lower"),
        "allowed": Measure("observations/s that the processors allow", "/s", 0, "higher"),
        "near": Measure("share of what the processors allow", "", 2, "higher"),
    }

    def subjects(self, experiment, platforms, profiles):
        """This host, twice; platforms do not come into it."""
        return [Subject(name, "bare", against="here") for name in ("here", "here-again")]

    def stretches(self, scouted):
        return {"embedded": "with SQLite and N-Quads files", "servers": "with MongoDB and Fuseki",
                "publish": "published to RabbitMQ alone", "consume": "consumed from RabbitMQ alone",
                "mongodb": "into MongoDB alone", "sqlite": "into SQLite alone", "fuseki": "into Fuseki alone"}

    def remarks(self, found):
        """How near the whole is to its ceilings."""
        return list(filter(None, (self.nearness(found, name) for name in WHOLE)))

    def nearness(self, found, name):
        """ "" when something of it was never measured."""
        middle = {part: found.median(found.subjects[0], f"{part}.rate") for part in (name, *PARTS[name])}
        if None in middle.values():
            return ""
        near, micros = (found.median(found.subjects[0], f"{name}.{what}") for what in ("near", "all_us"))
        slowest, words = min(PARTS[name], key=middle.get), self.stretches({})
        return (f"{words[name]}: {middle[name]:,.0f} observations/s, {near:.0%} of what the processors allow for {micros:.0f} µs "
                f"an observation in all processes, and {middle[name] / middle[slowest]:.0%} of what goes {words[slowest]} "
                f"({middle[slowest]:,.0f}/s)")
