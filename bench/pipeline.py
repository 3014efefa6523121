"""What the pipeline costs: bench/pipeline.py cost|memory|compare [--rounds N] [--repeat N].

cost      worker CPU an observation with packs of one record, embedded stores and two formats, and that of
          ir-annotate to N-Triples
memory    a worker's peak while a million messages wait in the queues
compare   with RabbitMQ, MongoDB and Fuseki on the same machine, from filled queues, in turns: Fuseki alone with the
          same triples, ir-worker, and a batched Python worker (bench/python_worker.py); with --repeat the replay
          data that many times, each time as new observations: a JVM takes its first 10 s to warm up

Prints one JSON object with every sample, medians and the facts of the machine. Needs `make build` and
tools/install run mongodb fuseki test.
"""

import argparse
import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import facts  # noqa: E402
import programs  # noqa: E402
import servers  # noqa: E402

BUILD = ROOT / "out" / "release"
REGISTRY = ROOT / "loadgen" / "usgs_river.ttl"
DATA = ROOT / "loadgen" / "usgs_river_observations.csv.gz"
OBSERVATIONS = 40337
FUSEKI_BATCH = 5000  # observations, as many as ir-worker sends at once
IDLE_SECONDS = 300


def run(*argv, **options):
    done = subprocess.run([str(word) for word in argv], check=False, capture_output=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"{argv[0]} ended with status {done.returncode}:\n{done.stderr.decode(errors='replace')}")
    return done.stdout


def child_seconds():
    usage = os.times()
    return usage.children_user + usage.children_system


class Stage:
    """A broker with its queues filled, and what is needed to drain them."""

    def __init__(self, directory, documents, graph):
        self.directory = Path(directory)
        self.broker = servers.RabbitMQ(self.directory / "rabbitmq")
        self.documents, self.graph = documents, graph
        self.worker = None

    def arguments(self):
        return [f"--documents={self.documents}", f"--graph={self.graph}", f"--registry={REGISTRY}"]

    def __enter__(self):
        self.broker.start()
        run(BUILD / "ir-worker", "--declare", f"--amqp={self.broker.uri}")
        run(BUILD / "ir-store", "init", *self.arguments())
        return self

    def __exit__(self, *_):
        self.broker.stop()

    def fill(self, *words):
        out = self.directory / "load"
        run(BUILD / "ir-loadgen", f"--amqp={self.broker.uri}", f"--replay={DATA}", "--no-subscribe", "--no-wait",
            f"--out={out}", *words)
        return json.loads((out / "summary.json").read_text())

    def drain(self, observations, *words):
        """One worker until that many observations are acknowledged: seconds, CPU µs each, peak MiB."""
        log = self.directory / "worker.log"
        arguments = [f"--amqp={self.broker.uri}", *self.arguments(), *words]
        begun = None
        worker = programs.Worker(BUILD, "bench", log, arguments)
        worker.await_listening()
        deadline = time.monotonic() + IDLE_SECONDS
        seen = 0
        while seen < observations:
            worker.check()
            metrics = worker.metrics()
            if begun is None and metrics.get("ir_messages_received_total", 0) > 0:
                begun = time.monotonic()
            seen = sum(v for k, v in metrics.items() if k.startswith("ir_observations_total"))
            if time.monotonic() > deadline:
                raise SystemExit(f"only {seen} of {observations} observations in {IDLE_SECONDS} s")
            time.sleep(0.1)
        seconds = time.monotonic() - begun
        metrics = worker.metrics()
        worker.stop()
        return {
            "seconds": seconds,
            "per_second": observations / seconds,
            "cpu_us": metrics["process_cpu_seconds_total"] * 1e6 / observations,
            "peak_mib": metrics["process_peak_resident_memory_bytes"] / 2**20,
        }


def embedded(directory):
    directory = Path(directory)
    return Stage(directory, f"sqlite:{directory}/documents.sqlite", f"nquads:{directory}/graph")


def summary_of(samples):
    """Median, lowest and highest of every figure."""
    return {key: {"median": statistics.median(s[key] for s in samples), "min": min(s[key] for s in samples),
                  "max": max(s[key] for s in samples)} for key in samples[0]}


def cost(rounds, _repeat):
    worker, annotate = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as directory, embedded(directory) as stage:
            stage.fill("--single-records")
            worker.append(stage.drain(OBSERVATIONS))
            packs = Path(directory) / "packs.jsonl"
            packs.write_bytes(run(BUILD / "ir-loadgen", f"--replay={DATA}", "--dump"))
            before = child_seconds()
            with open(Path(directory) / "out.nt", "wb") as out:
                subprocess.run([BUILD / "ir-annotate", f"--registry={REGISTRY}", packs], stdout=out, check=True)
            annotate.append({"cpu_us": (child_seconds() - before) * 1e6 / OBSERVATIONS})
    return {"worker": summary_of(worker), "ir_annotate_ntriples": summary_of(annotate), "samples": [worker, annotate]}


def memory(_rounds, _repeat):
    with tempfile.TemporaryDirectory() as directory, embedded(directory) as stage:
        sent = stage.fill("--single-records", "--repeat=25", "--messages=1000000")
        return {"messages_waiting": sent["messages_sent"], "worker": stage.drain(sent["observations_sent"])}


def post_alone(fuseki, triples, observations):
    """The same triples in batches, one after the other, nothing else running."""
    connection = http.client.HTTPConnection(servers.HOST, fuseki.port, timeout=300)
    begun = time.monotonic()
    for chunk in triples:
        connection.request("POST", "/ir", chunk, {"Content-Type": "application/n-triples"})
        answer = connection.getresponse()
        answer.read()
        if answer.status // 100 != 2:
            raise SystemExit(f"Fuseki alone: status {answer.status}")
    seconds = time.monotonic() - begun
    connection.close()
    return {"seconds": seconds, "per_second": observations / seconds}


def chunks_of_triples(repeat):
    packs = run(BUILD / "ir-loadgen", f"--replay={DATA}", f"--repeat={repeat}", "--dump")
    text = run(BUILD / "ir-annotate", f"--registry={REGISTRY}", input=packs)
    lines = text.splitlines(keepends=True)
    size = FUSEKI_BATCH * len(lines) // (repeat * OBSERVATIONS)
    return [b"".join(lines[i : i + size]) for i in range(0, len(lines), size)]


@contextlib.contextmanager
def real_stores(directory):
    with servers.MongoDB(Path(directory) / "mongod") as mongod, servers.Fuseki(Path(directory) / "fuseki") as fuseki:
        with Stage(directory, mongod.uri, fuseki.uri) as stage:
            yield stage, mongod, fuseki


def python_worker(stage, mongod, fuseki, observations):
    text = run(servers.cache_directory() / "venv" / "bin" / "python", ROOT / "bench" / "python_worker.py", f"--amqp={stage.broker.uri}",
               f"--mongodb={mongod.uri}", f"--sparql=http://{servers.HOST}:{fuseki.port}/ir", f"--registry={REGISTRY}")
    done = json.loads(text)
    if done["observations"] != observations:
        raise SystemExit(f"the Python worker took {done['observations']} observations")
    return {"seconds": done["seconds"], "per_second": observations / done["seconds"],
            "cpu_us": done["cpu_seconds"] * 1e6 / observations}


def compare(rounds, repeat):
    triples = chunks_of_triples(repeat)
    observations = repeat * OBSERVATIONS
    alone, ours, python = [], [], []
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as directory, servers.Fuseki(Path(directory) / "alone") as fuseki:
            alone.append(post_alone(fuseki, triples, observations))
        with tempfile.TemporaryDirectory() as directory, real_stores(directory) as (stage, _, _):
            stage.fill(f"--repeat={repeat}")
            ours.append(stage.drain(observations))
        with tempfile.TemporaryDirectory() as directory, real_stores(directory) as (stage, mongod, fuseki):
            stage.fill(f"--repeat={repeat}")
            python.append(python_worker(stage, mongod, fuseki, observations))
        print(f"round {number + 1}: Fuseki alone {alone[-1]['per_second']:.0f}/s, worker {ours[-1]['per_second']:.0f}/s, "
              f"Python {python[-1]['per_second']:.0f}/s", file=sys.stderr)
    ratios = [{"to_fuseki_alone": o["per_second"] / a["per_second"], "to_python": o["per_second"] / p["per_second"],
               "cpu_to_python": o["cpu_us"] / p["cpu_us"]} for a, o, p in zip(alone, ours, python)]
    return {"fuseki_alone": summary_of(alone), "worker": summary_of(ours), "python_worker": summary_of(python),
            "ratios": summary_of(ratios), "samples": [alone, ours, python]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("cost", "memory", "compare"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=1, help="for compare: the replay data so many times")
    options = parser.parse_args()
    servers.stop_on_signals()
    result = {"cost": cost, "memory": memory, "compare": compare}[options.what](options.rounds, options.repeat)
    result["facts"] = facts.collect(ROOT, "mongodb", "fuseki")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
