"""Measures what the gateway costs: bench/ingest.py [--rounds N] [--seconds N] [--windows N,N] [--idle N].

Alternates two loads on the same machine, with the same number of motes and of messages in flight (the window). In one,
wrk posts packs of one record with keep-alive to ir-ingest, in front of a RabbitMQ with quorum queues, over as many
connections as the window. In the other, ir-loadgen publishes packs of one record over AMQP with confirms. For
orientation, wrk also posts to an nginx that answers 202 from memory. Then it measures the memory of idle connections.
Standard error shows a table; standard output is one JSON object with every sample, medians and the facts of the
machine.

`ratio` compares messages per second, `ratio_by_cpu` the CPU time of all processes per message. CPU time is given per
message and process, because it is meaningful even on a busy machine.
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

import facts  # noqa: E402 - puts ingest/ on the module path
import guard  # noqa: E402
import programs  # noqa: E402
import servers  # noqa: E402
from prepare import prepare  # noqa: E402

BUILD = ROOT / "out" / "release"
MOTES = 200
NGINX_WINDOW = 64
TICKS = os.sysconf("SC_CLK_TCK")


def run(*argv, **options):
    done = subprocess.run([str(word) for word in argv], check=False, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"{argv[0]} ended with status {done.returncode}:\n{done.stderr}{done.stdout}")
    return done.stdout


def start_nginx(directory):
    """Starts an nginx with one worker that answers 202; returns its address."""
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


def cpu_of(process):
    """Seconds of CPU used by a server and its children, which form one session."""
    used = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rsplit(")", 1)[1].split()
            used += int(fields[11]) + int(fields[12]) if int(fields[3]) == process.pid else 0
    return used / TICKS


def cpu_of_children():
    """Returns the CPU time of commands that were run and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Clocks:
    """CPU time of several processes during a load."""

    def __init__(self, **processes):
        self.processes = processes
        self.before = self.read()

    def read(self):
        return {**{name: cpu_of(process) for name, process in self.processes.items()}, "client": cpu_of_children()}

    def per_message(self, messages):
        used = {name: (value - self.before[name]) / messages * 1e6 for name, value in self.read().items()}
        return {**{f"{name}_cpu_us": value for name, value in used.items()}, "cpu_us": sum(used.values())}


def wrk(address, tokens, seconds, connections):
    """Returns (requests, seconds, requests not answered with 2xx, p99 in ms)."""
    text = run("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout=30s", "-s", ROOT / "bench" / "ingest.lua",
               address, env={**os.environ, "IR_TOKENS": str(tokens)})
    requests, took = re.search(r"(\d+) requests in ([\d.]+)s", text).groups()
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
    return int(requests), float(took), int(failed.group(1)) if failed else 0, float(number) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]


def load_http(address, tokens, seconds, window, **processes):
    clocks = Clocks(**processes)
    requests, took, failed, p99 = wrk(address, tokens, seconds, window)
    return {"messages_per_s": requests / took, "not_202": failed, "p99_ms": p99, **clocks.per_message(requests)}


def load_amqp(broker, directory, messages, window):
    shutil.rmtree(directory, ignore_errors=True)
    clocks = Clocks(broker=broker.process)
    run(BUILD / "ir-loadgen", f"--amqp={broker.uri}", f"--simulate={MOTES}", "--records=1", f"--messages={messages}",
        f"--window={window}", "--no-subscribe", "--no-wait", f"--out={directory}")
    summary = json.loads((directory / "summary.json").read_text())
    confirmed = summary["messages_confirmed"]
    return {"messages_per_s": confirmed / summary["seconds"],
            "p99_ms": summary["confirm_latency_uncorrected_ms"]["p99"], **clocks.per_message(confirmed)}


def purge(broker):
    """Purges all queues with one call, because rabbitmqctl takes seconds to start."""
    broker.control("eval", "[rabbit_amqqueue:purge(Queue) || Queue <- rabbit_amqqueue:list()].")


def idle_memory(gateway, count):
    """Bytes of memory per idle connection."""
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


def compare(result):
    """The medians for each window, and the gateway's throughput relative to AMQP's."""
    table = {}
    for window, samples in result["windows"].items():
        gateway, amqp = medians(samples["gateway"]), medians(samples["amqp"])
        table[window] = {"gateway": gateway, "amqp": amqp, "ratio": gateway["messages_per_s"] / amqp["messages_per_s"],
                         "ratio_by_cpu": amqp["cpu_us"] / gateway["cpu_us"]}
    return {"windows": table, "nginx": medians(result["nginx"])}


def tell(result):
    """Prints the table for people."""

    def line(window, name, samples, more=""):
        middle = medians(samples)
        rates = [each["messages_per_s"] for each in samples]
        cpu = " ".join(f"{part} {middle[part + '_cpu_us']:.1f}" for part in ("gateway", "nginx", "broker", "client")
                       if part + "_cpu_us" in middle)
        print(f"{window:>6}  {name:8}{middle['messages_per_s']:8,.0f}/s ({min(rates):,.0f} .. {max(rates):,.0f})  "
              f"p99 {middle['p99_ms']:.1f} ms  CPU µs: {cpu}{more}", file=sys.stderr)

    print("window", file=sys.stderr)
    for window, samples in result["windows"].items():
        ratios = result["medians"]["windows"][window]
        line(window, "gateway", samples["gateway"], f"  ratio {ratios['ratio']:.2f}, by CPU {ratios['ratio_by_cpu']:.2f}")
        line(window, "amqp", samples["amqp"])
    line(NGINX_WINDOW, "nginx", result["nginx"])
    print(f"idle connections: {result['idle']['connections']:,.0f}, {result['idle']['bytes_each']:,.0f} bytes each",
          file=sys.stderr)


def measure(directory, options):
    tokens = directory / "motes.txt"
    issued = programs.issue_tokens(BUILD, [f"mote-{i}" for i in range(MOTES)], directory / "tokens.txt")
    tokens.write_text("".join(f"{mote} {token}\n" for mote, token in issued.items()))
    result = {"windows": {window: {"gateway": [], "amqp": []} for window in options.windows}, "nginx": []}
    with servers.RabbitMQ(directory / "rabbitmq") as broker, contextlib.ExitStack() as stack:
        run(BUILD / "ir-worker", "--declare", f"--amqp={broker.uri}")
        arguments = [f"--amqp={broker.uri}", f"--tokens={directory / 'tokens.txt'}", "--listen=127.0.0.1:0", "--rate=0", "--drain=0s"]
        nginx, nginx_address = start_nginx(directory / "nginx")
        stack.callback(nginx.stop)
        gateway = programs.Gateway(BUILD, "gateway", directory / "gateway.log", arguments)
        stack.callback(gateway.stop)
        gateway.await_ready()
        for _ in range(options.rounds):
            for window, samples in result["windows"].items():
                samples["gateway"].append(load_http(gateway.address, tokens, options.seconds, window,
                                                    gateway=gateway.process, broker=broker.process))
                purge(broker)
                samples["amqp"].append(load_amqp(broker, directory / "load", options.messages, window))
                purge(broker)
            result["nginx"].append(load_http(nginx_address, tokens, options.seconds, NGINX_WINDOW, nginx=nginx))
        result["idle"] = idle_memory(gateway, options.idle)
    result["medians"] = compare(result)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--messages", type=int, default=80000, help="messages that ir-loadgen sends in each round")
    parser.add_argument("--windows", type=lambda text: [int(word) for word in text.split(",")], default=[64, 256, 1000],
                        help="messages in flight, the same on both sides")
    parser.add_argument("--idle", type=int, default=10000, help="connections")
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, options.idle + 500)), hard))
    servers.stop_on_signals()
    prepare("bench")
    with tempfile.TemporaryDirectory(prefix="ir-ingest-") as directory:
        result = measure(Path(directory), options)
    tell(result)
    print(json.dumps({"facts": facts.collect(ROOT, "null", "null"), **result}, indent=1))


if __name__ == "__main__":
    guard.run("bench/ingest.py", main)
