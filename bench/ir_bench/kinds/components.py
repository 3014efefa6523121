"""Measures each part of the pipeline alone, with the amounts of the thesis of 2013. The broker publishes and consumes
(bench_broker.c, through the balancer). MongoDB inserts, finds and updates single documents (bench_mongodb.c). The
triplestore stores single observations and returns them (triplestore.py). The worker runs without stores. Each amount is
repeated until it has taken long enough to be measured."""

import json
import os
import subprocess

import programs

from .. import ROOT, triplestore
from . import pipeline
from .base import NUMBER, Measure

BENCH = ROOT / "out" / "release" / "bench"
SECONDS_MOST = 300
ROUNDS_MOST = 90


class Sample(pipeline.Sample):
    def measure(self):
        with self.started(stored=False):
            self.broker()
            self.documents()
            self.graph()
            self.repeated("worker", self.parameters["worker_observations"], self.worker)

    def repeated(self, name, count, work, rounds=None):
        """Repeats work(round), which returns its seconds, until there are enough seconds, or exactly `rounds` times.
        Returns the number of rounds."""
        done, seconds = 0, 0.0
        with self.stretch(name, self.stack):
            while done < rounds if rounds else seconds < self.parameters["seconds"] and done < ROUNDS_MOST:
                seconds += work(done)
                done += 1
        used = self.parts[name]
        self.measures[f"{name}.per_second"] = done * count / seconds
        self.measures[f"{name}.seconds"] = seconds / done
        self.measures[f"{name}.cpu_us"] = (used["guest"] + used["kernel"]) / (done * count) * 1e6
        return done

    # ---- parts ----

    def broker(self):
        messages, clients = self.parameters["broker_messages"], self.parameters["broker_clients"]
        password = self.stack.services.password("worker")
        uri = self.stack.description()["inside"].replace("://", f"://worker:{password}@")

        def work(verb):
            return lambda _: self.program("bench_broker", verb, messages, clients, IR_AMQP=uri)

        rounds = self.repeated("publish", messages, work("publish"))
        self.repeated("consume", messages, work("consume"), rounds)

    def documents(self):
        count, clients = self.parameters["documents_count"], self.parameters["documents_clients"]
        for verb in ("insert", "find", "update"):
            self.repeated(f"documents-{verb}", count, lambda _, verb=verb: self.program(
                "bench_mongodb", verb, self.stack.services.documents_uri(), count, clients))

    def graph(self):
        count, client = self.parameters["graph_count"], triplestore.Client(self.stack.services.graph_uri())
        rounds = self.repeated("graph-insert", count, lambda done: triplestore.timed(
            client.insert, range(done * count, (done + 1) * count)))
        self.repeated("graph-retrieve", count, lambda done: triplestore.timed(
            client.retrieve, (number % (rounds * count) for number in range(done * count, (done + 1) * count))))

    def worker(self, done):
        """Sends the messages at once; measures until the worker has acknowledged the last."""
        before = sum(each.metric("ir_messages_acknowledged_total") for each in self.stack.workers)
        messages = self.parameters["worker_observations"] // self.parameters["records"]
        seconds = triplestore.timed(lambda seed: self.send("worker", seed, "--rate=0", f"--messages={messages}"), [done + 1])
        acknowledged = sum(each.metric("ir_messages_acknowledged_total") for each in self.stack.workers) - before
        if acknowledged < messages:
            raise programs.servers.ServerError(f"only {acknowledged:.0f} of {messages} messages were acknowledged")
        return seconds

    def program(self, name, *words, **environment):
        """The seconds that one of bench/*.c reports."""
        argv = [BENCH / name, *map(str, words)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS_MOST, check=False,
                              env={**os.environ, **environment})
        if done.returncode != 0:
            raise programs.servers.ServerError(f"{name} {words[0]}: {done.stderr.strip()}")
        self.keep(f"{name}-{words[0]}", done.stdout)
        return json.loads(done.stdout)["seconds"]


class Kind(pipeline.Kind):
    Sample = Sample
    parameters = {**{key: pipeline.Kind.parameters[key] for key in ("topology", "documents", "graph", "formats", "via", "motes",
                                                                      "records")},
                  "seconds": NUMBER,  # each amount is repeated for this time
                  "broker_messages": int, "broker_clients": int, "documents_count": int, "documents_clients": int,
                  "graph_count": int, "worker_observations": int}
    measures = {"per_second": Measure("a second", "/s", 0, "higher"),
                "seconds": Measure("the thesis's amount", "s", 2, "lower"),
                "cpu_us": Measure("CPU of the guest each", "µs", better="lower"),
                **{key: pipeline.Kind.measures[key] for key in ("boot_seconds", "memory_mib")}}
    proofs = ("loop",)
    full_speed = ""
    beside = {}

    def check(self, parameters):
        if parameters["documents"] != "mongodb" or parameters["graph"] != "fuseki" or parameters["formats"]:
            raise ValueError("components are MongoDB, Fuseki and a worker that publishes nothing")

    def scout(self, parameters, once):
        return {}

    def stretches(self, scouted):
        return {"publish": "messages published", "consume": "messages consumed", "documents-insert": "documents inserted",
                "documents-find": "documents found", "documents-update": "documents updated",
                "graph-insert": "observations into the triplestore", "graph-retrieve": "observations out of the triplestore",
                "worker": "observations by the worker without stores", "guests": ""}

    def describe(self, scouted, measure):
        """Describes a measure, for example "messages published, a second"."""
        stretch, _, what = measure.rpartition(".")
        return ", ".join(filter(None, (self.stretches(scouted).get(stretch, stretch), self.measures[what].words)))
