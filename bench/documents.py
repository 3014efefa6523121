"""Measures how MongoDB's cost grows with its content: bench/documents.py [--documents N] [--block N] [--cache GB]
[--motes N].

Puts simulated messages into a replica set of one member with a small cache, through the worker's own document store and
in batches of the worker's size. For each block of 250,000 documents it prints how many were stored per second, and
mongod's CPU time per document. The cost stays constant if ids begin with the time, and if the last pages of the index
by mote fit into the dirty part of the cache (bench/README.md). With random ids, or an index by sensor, the cost of an
insert keeps growing. At the end it prints one JSON object: every block, the size of the indexes by id, and the facts of
the machine. 3 million documents take some minutes and 4 GB.
"""

import argparse
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import facts  # noqa: E402 - puts ingest/ on the module path
import guard  # noqa: E402
import servers  # noqa: E402
from prepare import prepare  # noqa: E402

BUILD = ROOT / "out" / "release"
RECORDS = 7  # records per message; a message also becomes one raw document


def cpu_seconds(pid):
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def id_index_bytes(mongod, collection):
    """The size of the index by _id, from the raw answer of collStats."""
    answer = mongod.command({"collStats": collection}, "river")
    found = re.search(rb"indexSizes\0.*?([\x10\x12\x01])_id_\0(.{8})", answer, re.DOTALL)
    form = {b"\x10": "<i", b"\x12": "<q", b"\x01": "<d"}[found[1]]
    return int(struct.unpack(form, found[2][: struct.calcsize(form)])[0])


def measure(options, directory):
    registry = directory / "registry.ttl"
    subprocess.run([BUILD / "ir-loadgen", f"--simulate={options.motes}", f"--write-registry={registry}"], check=True)
    blocks = []
    with servers.MongoDB(directory / "mongodb", cache_gb=options.cache) as mongod:
        messages = options.documents // (RECORDS + 1)
        argv = [BUILD / "bench" / "bench_documents", mongod.uri, registry, str(messages), str(options.motes)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as bench:
            stored, seconds, cpu = 0, 0.0, cpu_seconds(mongod.process.pid)
            for line in bench.stdout:
                now_stored, now_seconds = int(line.split()[0]), float(line.split()[1])
                if now_stored - stored < options.block:
                    continue
                now_cpu = cpu_seconds(mongod.process.pid)
                count = now_stored - stored
                blocks.append({"stored": now_stored, "per_second": round(count / (now_seconds - seconds)),
                               "mongod_cpu_us": round((now_cpu - cpu) / count * 1e6, 1)})
                print("{stored:>10,} documents  {per_second:>8,}/s  {mongod_cpu_us:6.1f} µs".format(**blocks[-1]),
                      file=sys.stderr)
                stored, seconds, cpu = now_stored, now_seconds, now_cpu
        if bench.returncode != 0:
            raise SystemExit(f"bench_documents ended with status {bench.returncode}")
        sizes = {name: id_index_bytes(mongod, name) for name in ("raw", "observations")}
    return {"blocks": blocks, "id_index_bytes": sizes}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=3_000_000)
    parser.add_argument("--block", type=int, default=250_000)
    parser.add_argument("--cache", type=float, default=0.3, help="mongod's cache in GB")
    parser.add_argument("--motes", type=int, default=1000)
    options = parser.parse_args()
    servers.stop_on_signals()
    prepare("mongodb")
    with tempfile.TemporaryDirectory(prefix="ir-bench-") as directory:
        result = measure(options, Path(directory))
    result["facts"] = facts.collect(ROOT, "mongodb", "null")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    guard.run("bench/documents.py", main)
