"""What the gateway costs: bench/ingest.py [--rounds N] [--seconds N] [--idle N].

In turns on the same machine: wrk posts packs of one record with keep-alive to ir-ingest, in front of a RabbitMQ with
quorum queues; the same to an nginx that answers 202 from memory; ir-loadgen publishes packs of one record over AMQP
with confirms. Then the memory of idle connections. Prints one JSON object with every sample, medians and the facts of
the machine. Needs `make build` and tools/install bench.
"""

import argparse
import contextlib
import json
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import facts  # noqa: E402
import programs  # noqa: E402
import servers  # noqa: E402

BUILD = ROOT / "out" / "release"
DATA = ROOT / "loadgen" / "usgs_river_observations.csv.gz"
MOTES = 200
CONNECTIONS = 64


def run(*argv, **options):
    done = subprocess.run([str(word) for word in argv], check=False, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"{argv[0]} ended with status {done.returncode}:\n{done.stderr}{done.stdout}")
    return done.stdout


def start_nginx(directory):
    """One worker that answers 202; its address."""
    directory.mkdir()
    port = servers.free_ports(1)[0]
    (directory / "nginx.conf").write_text(
        f"daemon off; pid {directory}/pid; error_log {directory}/error.log; worker_processes 1;\n"
        "events { worker_connections 1024; }\n"
        "http { access_log off; keepalive_requests 1000000000;\n"
        f"  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;\n"
        f"  fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;\n"
        f"  server {{ listen 127.0.0.1:{port}; location / {{ return 202 '{{\"raw_ids\":[]}}'; }} }} }}\n"
    )
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    process = servers.Process([program, "-p", directory, "-c", directory / "nginx.conf"], directory / "log")
    time.sleep(1)
    return process, f"http://127.0.0.1:{port}"


def wrk(address, tokens, seconds):
    """(requests, seconds, requests that were not answered with 2xx, p99 in ms)."""
    text = run("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "--timeout=30s", "-s", ROOT / "bench" / "ingest.lua",
               address, env={**os.environ, "IR_TOKENS": str(tokens)})
    requests, took = re.search(r"(\d+) requests in ([\d.]+)s", text).groups()
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
    return int(requests), float(took), int(failed.group(1)) if failed else 0, float(number) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]


def load_gateway(gateway, tokens, seconds):
    before = gateway.metric("process_cpu_seconds_total")
    requests, took, failed, p99 = wrk(gateway.address, tokens, seconds)
    cpu = gateway.metric("process_cpu_seconds_total") - before
    return {"requests_per_s": requests / took, "not_202": failed, "p99_ms": p99, "cpu_us_per_request": cpu / requests * 1e6}


def load_amqp(broker, directory, messages):
    shutil.rmtree(directory, ignore_errors=True)
    run(BUILD / "ir-loadgen", f"--amqp={broker.uri}", f"--replay={DATA}", "--single-records", f"--messages={messages}",
        "--no-subscribe", "--no-wait", f"--out={directory}")
    return json.loads((directory / "summary.json").read_text())


def purge(broker):
    """All queues at once: rabbitmqctl takes seconds to start."""
    broker.control("eval", "[rabbit_amqqueue:purge(Queue) || Queue <- rabbit_amqqueue:list()].")


def idle_memory(gateway, count):
    """Bytes of memory of each idle connection."""
    address = urllib.parse.urlsplit(gateway.address)
    before = gateway.metric("process_resident_memory_bytes")
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(socket.create_connection((address.hostname, address.port), 30))
        deadline = time.monotonic() + 60
        while gateway.metric("ir_ingest_connections") < count and time.monotonic() < deadline:
            time.sleep(0.1)
        held = gateway.metric("ir_ingest_connections")
        return {"connections": held, "bytes_each": (gateway.metric("process_resident_memory_bytes") - before) / held}


def medians(samples):
    return {name: statistics.median(each[name] for each in samples) for name in samples[0]}


def measure(directory, options):
    tokens = directory / "motes.txt"
    issued = programs.issue_tokens(BUILD, [f"mote-{i}" for i in range(MOTES)], directory / "tokens.txt")
    tokens.write_text("".join(f"{mote} {token}\n" for mote, token in issued.items()))
    result = {"gateway": [], "nginx": [], "amqp": []}
    with servers.RabbitMQ(directory / "rabbitmq") as broker, contextlib.ExitStack() as stack:
        run(BUILD / "ir-worker", "--declare", f"--amqp={broker.uri}")
        arguments = [f"--amqp={broker.uri}", f"--tokens={directory / 'tokens.txt'}", "--listen=127.0.0.1:0", "--rate=0", "--drain=0s"]
        nginx, nginx_address = start_nginx(directory / "nginx")
        stack.callback(nginx.stop)
        gateway = programs.Gateway(BUILD, "gateway", directory / "gateway.log", arguments)
        stack.callback(gateway.stop)
        gateway.await_ready()
        for _ in range(options.rounds):
            result["gateway"].append(load_gateway(gateway, tokens, options.seconds))
            requests, took, failed, p99 = wrk(nginx_address, tokens, options.seconds)
            result["nginx"].append({"requests_per_s": requests / took, "not_202": failed, "p99_ms": p99})
            summary = load_amqp(broker, directory / "load", options.messages)
            result["amqp"].append({"messages_per_s": summary["messages_confirmed"] / summary["seconds"]})
            purge(broker)
        result["idle"] = idle_memory(gateway, options.idle)
    result["medians"] = {name: medians(result[name]) for name in ("gateway", "nginx", "amqp")}
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--messages", type=int, default=40000, help="of ir-loadgen in each round")
    parser.add_argument("--idle", type=int, default=10000, help="connections")
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, options.idle + 500)), hard))
    servers.stop_on_signals()
    with tempfile.TemporaryDirectory(prefix="ir-ingest-") as directory:
        result = measure(Path(directory), options)
    print(json.dumps({"facts": facts.collect(ROOT, "null", "null"), **result}, indent=1))


if __name__ == "__main__":
    main()
