"""Measures how one misbehaving mote (its "poison") affects a hundred others: bench/poison.py [NAME…] [--rate N]
[--seconds N] [--root DIR].

On a separate stack (one broker, two gateways, two workers, SQLite, N-Quads, the limits of a deployment) ir-loadgen
sends for a hundred simulated motes over AMQP, MQTT and HTTP, and measures the time until the observations are
republished. For each kind of poison there is an undisturbed interval, and then one during which a mote with a valid
password sends the poison. All kinds take about eight minutes on a quiet machine. The goal is that p99 at most doubles.

For each kind, a table on standard output shows the p99 of the hundred motes without and with the poison, the peak
memory of each process, the missing and duplicated observations, and the logs and metrics that name the sender. --out
FILE keeps all figures and the facts of the machine as JSON. --root uses the broker of another system's root folder,
--build all programs of another build. The program needs the tests' Python: ~/.cache/intelligent-river/venv/bin/python.
"""

import argparse
import contextlib
import gzip
import http.client
import json
import os
import re
import socket
import sys
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

from ir_bench import ROOT
from prepare import prepare, with_packages

with_packages("cbor2", "pika")
import cbor2  # noqa: E402
import pika  # noqa: E402

import cluster  # noqa: E402
import facts  # noqa: E402
import guard  # noqa: E402
import load  # noqa: E402
import programs  # noqa: E402
import raw_mqtt  # noqa: E402
import servers  # noqa: E402
import stack  # noqa: E402

MOTES = 100
POISON = "poison"
ADDRESS = "127.0.0.66"  # source address of the attacker, in protocols whose client can choose it
SENML_JSON, SENML_CBOR = "application/senml+json", "application/senml+cbor"
IDLE = 2000


class Stack(stack.Stack):
    """A stack with the limits of a deployment, and a user for the mote."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        usual = cluster.list_of_nodes.Nodes().limits
        self.cluster.nodes.limits.update({key: usual[key] for key in cluster.list_of_nodes.ONE_ADDRESS})

    def issue_tokens(self):
        """Credentials for the motes of the registry and for the attacker."""
        super().issue_tokens()
        issued = programs.issue_tokens(self.build, [POISON], self.tokens)
        self.cluster.mote_tokens = {**self.cluster.mote_tokens, **issued}

    def gateway_arguments(self, listed):
        return [word for word in super().gateway_arguments(listed) if word != "--rate=0"]


class Attack:
    """One mote with a valid password and a valid token."""

    def __init__(self, running, token):
        self.running = running
        self.token = token
        self.over = threading.Event()
        self.failed = None

    @contextlib.contextmanager
    def under_way(self, poison):
        def act():
            try:
                poison(self)
            except Exception as error:  # noqa: BLE001 - reported with the result
                self.failed = repr(error)

        thread = threading.Thread(target=act)
        thread.start()
        try:
            yield
        finally:
            self.over.set()
            thread.join()

    def times(self, per_second):
        """Yields that many times per second, until the attack ends."""
        while not self.over.wait(1 / per_second):
            yield

    def address(self, listener):
        host, port = self.running.balancer.address(listener).split(":")
        return host, int(port)

    @contextlib.contextmanager
    def channel(self, user="mote"):
        login = pika.PlainCredentials(user, self.running.cluster.passwords[user])
        connection = pika.BlockingConnection(pika.ConnectionParameters(*self.address("amqp"), "/", login, heartbeat=0))
        try:
            yield connection.channel()
        finally:
            with contextlib.suppress(pika.exceptions.AMQPError):
                connection.close()

    def mqtt(self, **more):
        password = self.running.cluster.passwords["mote"]
        return raw_mqtt.Connection(self.running.balancer.address("mqtt"), "mote", password, source=ADDRESS, **more)

    def connect(self, host, port):
        return socket.create_connection((host, port), 10, source_address=(ADDRESS, 0))

    def post(self, body, content_type=SENML_JSON, **headers):
        connection = http.client.HTTPConnection(*self.address("http"), timeout=30, source_address=(ADDRESS, 0))
        try:
            connection.request("POST", "/v1/observations", body,
                               {"Authorization": f"Bearer {self.token}", "Content-Type": content_type, **headers})
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()


def publish(channel, key, body, **properties):
    channel.basic_publish("ir.observations", key, body, pika.BasicProperties(delivery_mode=2, **properties))


def pack(number):
    return json.dumps([{"n": f"{POISON}/x", "t": 1320469200 + number, "v": number}]).encode()


# ---- the kinds of poison ----


def long_topic(attack):
    """Messages with a topic of 300 bytes, which the broker accepts over MQTT but cannot deliver to any consumer."""
    node = attack.running.cluster.members[0]
    node.control("set_topic_permissions", "mote", "amq.topic", "^ir\\.", "^$")
    try:
        for _ in attack.times(0.2):
            with attack.mqtt() as mote:
                mote.accepts(b"ir/" + POISON.encode() * 50, pack(1))
    finally:
        node.control("set_topic_permissions", "mote", "amq.topic", "^ir\\.[^.]{1,200}$", "^$")


def large_header(attack):
    """Messages whose headers fill a frame."""
    with attack.channel() as channel:
        for number, _ in enumerate(attack.times(20)):
            publish(channel, f"ir.{POISON}", pack(number), content_type=SENML_JSON, headers={"k": "x" * 130000})


def refusals(attack):
    """CBOR packs of 10 KB in which each of 10,000 records is refused."""
    body = cbor2.dumps([{}] * 10000)
    with attack.channel() as channel:
        for _ in attack.times(90):
            publish(channel, f"ir.{POISON}", body, content_type=SENML_CBOR)


def gzip_bomb(attack):
    """Packs of 12 KB that expand to 4 MiB. They have the largest number of records, each of which is refused."""
    body = gzip.compress(b"\n".join([b"[" + b"{}," * 9998 + b"{}]"] * 139), 9)
    for _ in attack.times(3):
        attack.post(body, "application/x-ndjson", **{"Content-Encoding": "gzip"})


def gzip_over_amqp(attack):
    """Packs of 1 KB over AMQP that expand to one record with a text of 1 MB."""
    body = gzip.compress(json.dumps([{"n": f"{POISON}/x", "vs": "x" * 1000000}]).encode(), 9)
    with attack.channel() as channel:
        for _ in attack.times(20):
            publish(channel, f"ir.{POISON}", body, content_type=SENML_JSON, content_encoding="gzip")


def large_bodies(attack):
    """Valid packs with the largest number of records, as many as the mote's limit allows."""
    for number, _ in enumerate(attack.times(20)):
        records = [{"bn": f"{POISON}/", "bt": 1320469200 + number * 10000, "n": "x", "v": 0}]
        attack.post(json.dumps(records + [{"n": "x", "t": i, "v": i} for i in range(1, 10000)]).encode())


def channels_of(attack, user):
    for _ in attack.times(2):
        with contextlib.ExitStack() as opened, contextlib.suppress(pika.exceptions.AMQPError, ValueError):
            for _ in range(12):
                first = opened.enter_context(attack.channel(user))
                for _ in range(31):
                    first.connection.channel()


def channels(attack):
    """Opens as many channels as the broker allows, on twelve connections that open and close."""
    channels_of(attack, POISON)


def channels_shared(attack):
    """Does the same as the shared user of closed networks, who may open more channels."""
    channels_of(attack, "mote")


def retained(attack):
    """Messages of 1 MiB with the retained flag."""
    body = pack(1).ljust(2**20)
    for number, _ in enumerate(attack.times(4)):
        with attack.mqtt(client=f"retained-{number}".encode()) as mote:
            mote.accepts(f"ir/{POISON}", body, first=0x33)


def no_text(attack):
    """Messages with routing keys that are not UTF-8."""
    with attack.channel() as channel:
        for number, _ in enumerate(attack.times(100)):
            publish(channel, f"ir.{POISON}".encode() + b"\xff", pack(number), content_type=b"\xff")


def idle(attack):
    """Idle connections at every entrance."""
    held = []
    for listener in ("amqp", "mqtt", "http"):
        for _ in range(IDLE):
            with contextlib.suppress(OSError):
                held.append(attack.connect(*attack.address(listener)))
    for each in endpoints(attack.running):
        place = urllib.parse.urlsplit(each.address)
        held += [attack.connect(place.hostname, place.port) for _ in range(IDLE // 4)]
    attack.over.wait()
    for each in held:
        each.close()


def slow_loris(attack):
    """One byte per second on many connections to every listener."""
    begins = {"amqp": b"AMQP\0\0\x09\x01", "mqtt": b"\x10\x7f\0\4MQTT\4" + b"x" * 200,
              "http": b"POST /v1/observations HTTP/1.1\r\n" + b"a: b\r\n" * 90}
    held = []
    for at, _ in enumerate(attack.times(1)):
        for listener, text in begins.items():
            with contextlib.suppress(OSError):
                held += [(attack.connect(*attack.address(listener)), text) for _ in range(100)]
        for connection, text in held:
            with contextlib.suppress(OSError):
                connection.sendall(text[at % len(text):][:1])
    for connection, _ in held:
        connection.close()


KINDS = {each.__name__.replace("_", "-"): each for each in (
    long_topic, large_header, refusals, gzip_bomb, gzip_over_amqp, large_bodies, channels, channels_shared, retained, no_text,
    idle, slow_loris)}


# ---- measuring ----


def endpoints(running):
    return [*running.workers, *running.gateways]


def counters(running):
    """Returns the metrics summed over workers and gateways."""
    total = {}
    for each in endpoints(running):
        for series, value in each.metrics().items():
            total[series] = total.get(series, 0) + value
    return total


def processes(running):
    """Returns {name: [process]}."""
    return {"worker": [each.process for each in running.workers], "gateway": [each.process for each in running.gateways],
            "broker": [each.process for each in running.cluster.members], "balancer": [running.balancer.process]}


def forget_peaks(running):
    for process in sum(processes(running).values(), []):
        Path(f"/proc/{process.pid}/clear_refs").write_text("5", encoding="ascii")


def peaks(running):
    """Returns, for each kind, the highest peak memory of its processes since forget_peaks(), in MiB."""
    def peak(process):
        text = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmHWM:\s+(\d+)", text).group(1)) / 1024

    return {name: round(max(map(peak, each)), 1) for name, each in processes(running).items()}


def logs(running):
    """Returns {writer: (log files, the text by which they name the sender)}."""
    broker = running.cluster.members[0].directory / "log" / "node.log"
    return {"worker": ([each.log for each in running.workers], POISON),
            "gateway": ([each.log for each in running.gateways], POISON), "balancer": ([running.balancer.log], f"{ADDRESS}:"), "broker": ([broker], f"user '{POISON}'")}


def sizes(running):
    return {path: path.stat().st_size for paths, _ in logs(running).values() for path in paths if path.exists()}


def named(running, before, metrics):
    """Where logs and metrics name the sender. `before` has the sizes of the logs from which on to search."""
    found = {}
    for writer, (paths, name) in logs(running).items():
        lines = [line for path in paths if path.exists()
                 for line in path.read_bytes()[before.get(path, 0):].decode(errors="replace").splitlines() if name in line]
        if lines:
            found[f"log of {writer}"] = {"lines": len(lines), "first": lines[0][:200]}
    found.update({name.split("{")[0]: value for name, value in metrics.items()
                  if "_top{" in name and f'mote="{POISON}' in name})
    return found


def run_once(running, options, seed):
    """p50 and p99 of the hundred motes in ms."""
    one = load.Load(running.description(), running.out / f"load-{seed}", options.via)
    sent = one.simulate(MOTES, seed, [f"--rate={options.rate}", f"--duration={options.seconds}s"])
    verdict = one.verify()
    wrong = {key: load.total(verdict, key) for key in ("missing", "doubled")}
    return {**{key: sent["latency_ms"][key] for key in ("p50", "p99", "max")}, "confirm_p99": sent["confirm_latency_ms"]["p99"],
            **wrong, "resent": sent["resent"], "judged": load.judged(sent)}


def changed(before, after):
    """The metrics that changed, and by how much."""
    telling = re.compile(r"_top|refus|reject|dead_letter|set_aside|reconnect|closed|lost|oversize|http_requests")
    return {name: value - before.get(name, 0) for name, value in after.items()
            if telling.search(name) and value != before.get(name, 0) and 'code="202"' not in name}


def measure(running, options, name, seed, token):
    alone = run_once(running, options, seed)
    metrics, written, attack = counters(running), sizes(running), Attack(running, token)
    forget_peaks(running)
    with attack.under_way(KINDS[name]):
        beside = run_once(running, options, seed + 1)
    more = changed(metrics, counters(running))
    return {"kind": name, "alone": alone, "beside": beside, "attack_failed": attack.failed, "peak_mib": peaks(running),
            "named": named(running, written, more), "metrics": more}


COLUMNS = ("kind", "p99 ms without", "with", "factor", "missing, doubled", "worker MiB", "gateway", "broker", "balancer", "named by")


def row(sample):
    alone, beside = sample["alone"], sample["beside"]
    cells = [sample["kind"], f"{alone['p99']:.1f}", f"{beside['p99']:.1f}", f"{beside['p99'] / alone['p99']:.2f}",
             f"{beside['missing']}, {beside['doubled']}", *(f"{value:.0f}" for value in sample["peak_mib"].values()),
             ", ".join(sample["named"]) or "nowhere"]
    if sample["attack_failed"]:
        cells[-1] += f"; ATTACK FAILED: {sample['attack_failed']}"
    return "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", metavar="NAME", help=", ".join(KINDS))
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=12)
    parser.add_argument("--via", choices=sorted(load.VIAS), default="mix")
    parser.add_argument("--root")
    parser.add_argument("--build", type=Path, default=stack.PROGRAMS)
    parser.add_argument("--out", type=Path, help="a file for all figures, as JSON")
    options = parser.parse_args()
    unknown = sorted(set(options.kinds) - set(KINDS))
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(KINDS)}")
    servers.stop_on_signals()
    prepare("test")
    samples = []
    with tempfile.TemporaryDirectory(prefix="ir-poison-") as directory:
        running = Stack(stack.Settings(os.environ), Path(directory) / "run", options.build, options.root)
        try:
            running.start()
            token = running.cluster.mote_tokens[POISON]
            print("\n".join(["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]), flush=True)
            for number, name in enumerate(options.kinds or KINDS):
                samples.append(measure(running, options, name, 10 + 2 * number, token))
                print(row(samples[-1]), flush=True)
        finally:
            servers.stop_all()
    if options.out:
        whole = {"facts": facts.collect(ROOT, "sqlite", "nquads"), "samples": samples}
        options.out.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    guard.run("bench/poison.py", main)
