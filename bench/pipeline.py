"""Measures what one worker costs: bench/pipeline.py cost|memory [--rounds N].

cost      CPU per observation of the worker, with packs of one record, embedded stores and two formats; and of
          ir-annotate to N-Triples
memory    peak memory of a worker while a million messages wait in the queues

Prints one JSON object with every sample, medians and the facts of the machine.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

from ir_bench import ROOT, stage
from prepare import prepare

import facts
import guard
import servers


def child_seconds():
    usage = os.times()
    return usage.children_user + usage.children_system


def summary_of(samples):
    """The median, lowest and highest value of every figure."""
    return {key: {"median": statistics.median(s[key] for s in samples), "min": min(s[key] for s in samples),
                  "max": max(s[key] for s in samples)} for key in samples[0]}


def annotate(directory):
    packs = Path(directory) / "packs.jsonl"
    packs.write_bytes(stage.call(stage.BUILD / "ir-loadgen", *stage.REPLAY, "--dump"))
    before = child_seconds()
    with open(Path(directory) / "out.nt", "wb") as out:
        subprocess.run([stage.BUILD / "ir-annotate", f"--registry={stage.REGISTRY}", packs], stdout=out, check=True)
    return {"cpu_us": (child_seconds() - before) * 1e6 / stage.OBSERVATIONS}


def cost(rounds):
    worker, annotated = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as directory, stage.Stage(directory, "sqlite", "nquads") as run:
            run.fill("--single-records")
            worker.append(run.drain(stage.Ours(run), stage.OBSERVATIONS))
            annotated.append(annotate(directory))
    return {"worker": summary_of(worker), "ir_annotate_ntriples": summary_of(annotated), "samples": [worker, annotated]}


def memory(_rounds):
    with tempfile.TemporaryDirectory() as directory, stage.Stage(directory, "sqlite", "nquads") as run:
        sent = run.fill("--single-records", "--repeat=25", "--messages=1000000")
        return {"messages_waiting": sent["messages_sent"], "worker": run.drain(stage.Ours(run), sent["observations_sent"])}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("cost", "memory"))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    servers.stop_on_signals()
    prepare()
    result = {"cost": cost, "memory": memory}[options.what](options.rounds)
    result["facts"] = facts.collect(ROOT, "sqlite", "nquads")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    guard.run("bench/pipeline.py", main)
