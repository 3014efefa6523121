"""The main job: real river data from RabbitMQ through the workers into both stores, and out again.

Starts private servers and workers below out/run/, replays the data, holds what was sent against what is
stored, writes out/run/summary.json and stops everything. Settings come from the environment, as the
Makefile gives them: DOCUMENTS GRAPH WORKERS REPEAT RATE KEEP FORMATS. Exit status 0 only when nothing is
missing, doubled or foreign.
"""

import json
import os
import re
import shutil
import sys
import time
from pathlib import Path

import facts
import programs
import servers

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "out" / "release"
OUT = ROOT / "out" / "run"
REGISTRY = ROOT / "loadgen" / "usgs_river.ttl"
DATA = ROOT / "loadgen" / "usgs_river_observations.csv.gz"
READY_SECONDS = 60
DRAIN_SECONDS = 120


class RunError(Exception):
    """The run cannot go on; the text is for the person who started it."""


def show(path):
    """A path as one would type it here."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def say(text):
    print(f"run: {text}", flush=True)


class Settings:
    def __init__(self, environment):
        self.documents = self.choice(environment, "DOCUMENTS", "sqlite", "mongodb", "null")
        self.graph = self.choice(environment, "GRAPH", "nquads", "fuseki", "oxigraph", "virtuoso", "null")
        self.workers = self.number(environment, "WORKERS", 2, 1, 64)
        self.repeat = self.number(environment, "REPEAT", 1, 1, 100000)
        self.rate = self.number(environment, "RATE", 0, 0, 10000000)
        self.keep = self.number(environment, "KEEP", 0, 0, 1) == 1
        self.formats = environment.get("FORMATS", "jsonld,senml")

    @staticmethod
    def choice(environment, name, *words):
        value = environment.get(name) or words[0]
        if value not in words:
            raise RunError(f"{name}={value}: it is one of {', '.join(words)}")
        return value

    @staticmethod
    def number(environment, name, initial, low, high):
        text = environment.get(name) or str(initial)
        if not re.fullmatch(r"\d{1,9}", text) or not low <= int(text) <= high:
            raise RunError(f"{name}={text}: it is a whole number from {low} to {high}")
        return int(text)


class Run:
    def __init__(self, settings):
        self.settings = settings
        self.broker = servers.RabbitMQ(OUT / "rabbitmq")
        self.document_server = servers.DOCUMENT_SERVERS.get(settings.documents)
        self.graph_server = servers.GRAPH_SERVERS.get(settings.graph)
        self.document_server = self.document_server and self.document_server(OUT / settings.documents)
        self.graph_server = self.graph_server and self.graph_server(OUT / settings.graph)
        self.workers = []

    def servers(self):
        return [each for each in (self.broker, self.document_server, self.graph_server) if each]

    def documents_uri(self):
        if self.document_server:
            return self.document_server.uri
        return f"sqlite:{OUT / 'documents.sqlite'}" if self.settings.documents == "sqlite" else "null:"

    def graph_uri(self):
        if self.graph_server:
            return self.graph_server.uri
        return f"nquads:{OUT / 'graph'}" if self.settings.graph == "nquads" else "null:"

    def store_arguments(self):
        return [f"--documents={self.documents_uri()}", f"--graph={self.graph_uri()}", f"--registry={REGISTRY}"]

    def worker_arguments(self):
        return [f"--amqp={self.broker.uri}", *self.store_arguments(), f"--formats={self.settings.formats}"]

    # ---- programs ----

    def call(self, program, *words, good=(0,)):
        """Standard output of a program that ends by itself."""
        log = OUT / "logs" / f"{program}.log"
        status, text = programs.call([PROGRAMS / program, *words], log, cwd=OUT)
        if status not in good:
            raise RunError(f"{program} {words[0]} ended with status {status}; {show(log)} ends:\n{servers.tail(log)}")
        return text

    def start(self):
        OUT.mkdir(parents=True)
        (OUT / "logs").mkdir()
        say("starting " + ", ".join(each.name for each in self.servers()))
        for each in self.servers():
            each.begin()
        for each in self.servers():
            each.await_ready()
        self.call("ir-worker", "--declare", *self.worker_arguments())
        self.call("ir-store", "init", *self.store_arguments())
        say(f"starting {self.settings.workers} workers")
        arguments = self.worker_arguments()
        for i in range(self.settings.workers):
            name = f"worker-{i + 1}"
            self.workers.append(programs.Worker(PROGRAMS, name, OUT / "logs" / f"{name}.log", arguments, cwd=OUT))
        for each in self.workers:
            each.await_ready(READY_SECONDS)
        self.await_membership()

    def await_membership(self):
        """Until every worker knows the others: else the first seconds would measure the hand-over."""
        deadline = time.monotonic() + READY_SECONDS
        while any(each.metric("ir_workers") != len(self.workers) for each in self.workers):
            for each in self.workers:
                each.check()
            if time.monotonic() > deadline:
                raise RunError(f"the workers do not see each other after {READY_SECONDS} s; look at {show(OUT)}/logs")
            time.sleep(0.05)

    def replay(self):
        say(f"replaying {show(DATA)}" + (f" {self.settings.repeat} times" if self.settings.repeat > 1 else ""))
        argv = [PROGRAMS / "ir-loadgen", f"--amqp={self.broker.uri}", f"--replay={DATA}", f"--out={OUT / 'load'}"]
        argv += [f"--repeat={self.settings.repeat}", f"--rate={self.settings.rate}"]
        argv += [f"--formats={self.settings.formats}", f"--drain-timeout={DRAIN_SECONDS}s"]
        if not self.settings.formats:
            argv.append("--no-subscribe")
        # It shows its progress where this program does.
        process = servers.Process(argv, None, cwd=OUT)
        while process.alive():
            for each in self.workers:
                each.check()
            time.sleep(0.05)
        status = process.stop()
        if status != 0:
            say(f"ir-loadgen ended with status {status}")
        try:
            return json.loads((OUT / "load" / "summary.json").read_text())
        except (OSError, ValueError) as error:
            raise RunError(f"ir-loadgen left no summary: {error}") from error

    def worker_cost(self, before, observations):
        """(CPU in µs an observation, highest peak in MiB)."""
        metrics = [each.metrics() for each in self.workers]
        used = sum(m["process_cpu_seconds_total"] for m in metrics) - sum(before)
        peak = max(m.get("process_peak_resident_memory_bytes", 0) for m in metrics)
        return used * 1e6 / max(observations, 1), peak / 2**20

    def verify(self):
        words = ("verify", f"--ledger={OUT / 'load' / 'ledger.txt'}", "--json", *self.store_arguments())
        return json.loads(self.call("ir-store", *words, good=(0, 1)))

    def status(self):
        return json.loads(self.call("ir-store", "status", "--json", *self.store_arguments()))

    def measure(self):
        before = [each.metric("process_cpu_seconds_total") for each in self.workers]
        load = self.replay()
        cpu, peak = self.worker_cost(before, load["observations_sent"])
        say("comparing what was sent with what is stored")
        verdict, status = self.verify(), self.status()
        settings = self.settings
        summary = {
            "messages_sent": load["messages_sent"],
            "observations_sent": load["observations_sent"],
            "raw_stored": status["documents"]["raw"],
            "observations_stored": status["documents"]["observations"],
            "observations_in_graph": status["graph"]["observations"],
            "messages_republished": load.get("messages_republished", 0),
            "rejected": status["documents"]["raw_rejected"],
            **{key: total(verdict, key) for key in ("missing", "doubled", "foreign")},
            # From the first message sent to the last one published again; of sending alone without formats.
            "seconds": load.get("seconds_end_to_end", load["seconds"]),
            "observations_per_second": load.get("observations_per_second_end_to_end", load["observations_per_second"]),
            "latency_ms": {key: load.get("latency_ms", {}).get(key, 0) for key in ("p50", "p90", "p99", "p999", "max")},
            "worker_cpu_us_per_observation": round(cpu, 2),
            "worker_peak_rss_mib": round(peak, 1),
            "workers": settings.workers,
            "documents": settings.documents,
            "graph": settings.graph,
            "platform": facts.platform(),
            "facts": facts.collect(ROOT, settings.documents, settings.graph),
        }
        (OUT / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
        return summary

    def stop(self):
        for each in self.workers:
            status = each.stop(READY_SECONDS)
            if status != 0:
                raise RunError(f"{each.name} ended with status {status} instead of 0; {show(each.log)} ends:\n"
                               f"{servers.tail(each.log)}")
        for each in reversed(self.servers()):
            each.stop()

    # ---- for people ----

    def hints(self):
        """Commands with which to look at the data."""
        lines = []
        if self.settings.documents == "sqlite":
            query = "SELECT time, mote, property, value, unit, quality FROM readable LIMIT 5"
            lines.append(f"sqlite3 -box {show(OUT / 'documents.sqlite')} '{query}'")
        if self.settings.graph == "nquads":
            lines.append(f"grep -h hasSimpleResult {show(OUT / 'graph')}/*-*.nq* | head -n 3")
        if self.settings.keep and self.graph_server:
            address = f"http://{servers.HOST}:{self.graph_server.port}{self.graph_server.query_path}"
            query = "SELECT * WHERE { ?o <http://www.w3.org/ns/sosa/hasSimpleResult> ?v } LIMIT 5"
            lines.append(f"curl -s {address} -H 'Accept: text/csv' --data-urlencode 'query={query}'")
        if self.settings.keep or not self.document_server:
            uri = self.documents_uri().replace(str(OUT), show(OUT))
            lines.append(f"{show(PROGRAMS / 'ir-store')} export --documents='{uri}' --graph=null: | head -n 2")
        else:
            lines.append("(the servers are stopped; with KEEP=1 they stay, and the commands are shown here)")
        lines.append(f"less {show(OUT / 'summary.json')}")
        return lines

    def addresses(self):
        rows = [(each.name, each.uri) for each in self.servers()]
        rows += [(each.name, each.address + "/metrics") for each in self.workers]
        return [f"  {name:<12} {address}" for name, address in rows]

    def keep(self):
        """Until a signal comes, which is the ordinary end here."""
        print("\nIt runs until Ctrl-C:\n" + "\n".join(self.addresses()), flush=True)
        try:
            while True:
                time.sleep(0.5)
                for each in self.workers:
                    each.check()
        except SystemExit:
            say("stopping")


def total(verdict, key):
    """Over raw messages, observations and graph."""
    parts = [part[key] for part in verdict.values() if isinstance(part, dict) and key in part]
    return sum(parts)


def table(summary):
    latency = summary["latency_ms"]
    rows = [
        ("messages sent", f"{summary['messages_sent']:,}"),
        ("observations sent", f"{summary['observations_sent']:,}"),
        ("messages stored raw", f"{summary['raw_stored']:,}"),
        ("observations processed", f"{summary['observations_stored']:,}"),
        ("observations in the graph", f"{summary['observations_in_graph']:,}"),
        ("messages published again", f"{summary['messages_republished']:,}"),
        ("rejected", f"{summary['rejected']:,}"),
        ("missing, doubled, foreign", ", ".join(str(summary[k]) for k in ("missing", "doubled", "foreign"))),
        ("time", f"{summary['seconds']:.2f} s"),
        ("observations/s", f"{summary['observations_per_second']:,.0f}"),
        ("latency p50, p99, max", ", ".join(f"{latency[k]:,.1f}" for k in ("p50", "p99", "max")) + " ms"),
        ("worker CPU per observation", f"{summary['worker_cpu_us_per_observation']:.1f} µs"),
        ("worker peak memory", f"{summary['worker_peak_rss_mib']:.1f} MiB"),
    ]
    head = f"{summary['workers']} workers, {summary['documents']} and {summary['graph']}, {summary['platform']}"
    return "\n".join(["", head, *(f"  {name:<28} {value}" for name, value in rows)])


def is_clean(summary):
    return all(summary[key] == 0 for key in ("missing", "doubled", "foreign"))


def main():
    servers.stop_on_signals()
    run = None
    try:
        settings = Settings(os.environ)
        shutil.rmtree(OUT, ignore_errors=True)
        run = Run(settings)
        run.start()
        summary = run.measure()
        print(table(summary))
        print("\nLook at the data:\n" + "\n".join(f"  {line}" for line in run.hints()), flush=True)
        if settings.keep:
            run.keep()
        run.stop()
    except (RunError, servers.ServerError) as error:
        print(f"run: {error}", file=sys.stderr)
        return 1
    if not is_clean(summary):
        print("run: what is stored is not what was sent", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
