"""Measures how one hung queue affects the motes of the other seven queues: bench/stall.py [--rounds N] [--seconds N]
[--connections N].

wrk posts packs of one record to ir-ingest, in front of a RabbitMQ with eight quorum queues. It sends for motes of seven
of the queues. Two states alternate on the same machine: all eight queues confirm; or the eighth hangs, and motes of
that queue also send. Standard error shows the p99 of the seven queues' motes in each round, and the ratio; standard
output is one JSON object with every sample and the facts of the machine. The goal: p99 at most doubles.
"""

import argparse
import contextlib
import http.client
import json
import statistics
import sys
import tempfile
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ingest
from ingest import BUILD, facts, guard, programs, servers
from prepare import prepare

MOTES = 80
QUEUE = "'%2F_ir.observations.0'"


@contextlib.contextmanager
def hung(broker):
    """Makes one queue of eight hang during the block."""
    broker.control("eval", f"sys:suspend({QUEUE}).")
    try:
        yield
    finally:
        broker.control("eval", f"sys:resume({QUEUE}).")


def post(gateway, mote, token):
    """Posts one pack; returns the HTTP status."""
    address = urllib.parse.urlsplit(gateway.address)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    body = json.dumps([{"n": f"{mote}/00010", "u": "Cel", "t": 1320469200, "v": 1}])
    connection.request("POST", "/v1/observations", body,
                       {"Content-Type": "application/senml+json", "Authorization": f"Bearer {token}"})
    status = connection.getresponse().status
    connection.close()
    return status


def split_motes(broker, gateway, issued):
    """Returns (motes of the hung queue, the others). Before a channel's first message to a queue, it queries the queue
    and waits for the answer, so each queue gets a message before one hangs."""
    for item in issued.items():
        post(gateway, *item)
    with hung(broker), ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda item: post(gateway, *item), issued.items()))
    stuck = {mote: token for (mote, token), status in zip(issued.items(), statuses) if status == 503}
    return stuck, {mote: token for mote, token in issued.items() if mote not in stuck}


def write_motes(path, motes):
    path.write_text("".join(f"{mote} {token}\n" for mote, token in motes.items()))
    return path


def load(gateway, tokens, options):
    requests, took, failed, p99 = ingest.wrk(gateway.address, tokens, options.seconds, options.connections)
    return {"messages_per_s": requests / took, "not_202": failed, "p99_ms": p99}


def load_beside(gateway, stuck, tokens, options):
    """Applies the same load, while motes of the hung queue also send."""
    with ThreadPoolExecutor(1) as pool:
        beside = pool.submit(ingest.wrk, gateway.address, stuck, options.seconds, 8)
        sample = load(gateway, tokens, options)
        beside.result()
    return sample


def measure(directory, options):
    issued = programs.issue_tokens(BUILD, [f"mote-{i}" for i in range(MOTES)], directory / "tokens.txt")
    samples = {"all_confirm": [], "one_hangs": []}
    with servers.RabbitMQ(directory / "rabbitmq") as broker, contextlib.ExitStack() as stack:
        ingest.run(BUILD / "ir-worker", "--declare", f"--amqp={broker.uri}")
        gateway = programs.Gateway(BUILD, "gateway", directory / "gateway.log",
                                   [f"--amqp={broker.uri}", f"--tokens={directory / 'tokens.txt'}",
                                    "--listen=127.0.0.1:0", "--rate=0", "--drain=0s", "--confirm-timeout=2s"])
        stack.callback(gateway.stop)
        gateway.await_ready()
        stuck, others = split_motes(broker, gateway, issued)
        paths = write_motes(directory / "stuck.txt", stuck), write_motes(directory / "others.txt", others)
        for _ in range(options.rounds):
            samples["all_confirm"].append(load_beside(gateway, *paths, options))
            ingest.purge(broker)
            with hung(broker):
                samples["one_hangs"].append(load_beside(gateway, *paths, options))
            ingest.purge(broker)
    return {"motes": {"of_the_queue_that_hangs": len(stuck), "of_the_others": len(others)}, "samples": samples}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    servers.stop_on_signals()
    prepare("bench")
    with tempfile.TemporaryDirectory(prefix="ir-stall-") as directory:
        result = measure(Path(directory), options)
    medians = {name: statistics.median(each["p99_ms"] for each in samples) for name, samples in result["samples"].items()}
    result["p99_ms"], result["ratio"] = medians, medians["one_hangs"] / medians["all_confirm"]
    for name, samples in result["samples"].items():
        print(f"{name:12} p99 ms:", " ".join(f"{each['p99_ms']:.1f}" for each in samples), " not 202:",
              " ".join(str(each["not_202"]) for each in samples), file=sys.stderr)
    print(f"p99 of the other motes while one queue of eight hangs: {result['ratio']:.2f} times", file=sys.stderr)
    print(json.dumps({"facts": facts.collect(ingest.ROOT, "null", "null"), **result}, indent=1))


if __name__ == "__main__":
    guard.run("bench/stall.py", main)
