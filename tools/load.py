"""Puts load on a stack that runs, from its description alone (stack.py), and holds what was sent against what is
stored.

    python3 tools/load.py    simulated motes on what `make up` started: MOTES= RATE= DURATION= VIA= from the environment
"""

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import cluster
import programs
import servers
import stack
from stack import StackError, say, show

DATA = stack.ROOT / "loadgen" / "usgs_river_observations.csv.gz"
VIAS = {"mix": ("amqp", "mqtt", "http"), "amqp": ("amqp",), "mqtt": ("mqtt",), "http": ("http",)}
DRAIN_SECONDS = 120
RELOAD_SECONDS = 60


class Load:
    """One load; its results go below `directory`. `check()` is called while it runs and may raise."""

    def __init__(self, description, directory, via, check=lambda: None):
        self.description = description
        self.directory = Path(directory).resolve()
        self.via = via
        self.check = check
        self.programs = Path(description["programs"])
        self.passwords = cluster.definitions.read_passwords(description["passwords"])
        self.mote_tokens = self.directory / "mote-tokens"
        self.drain_seconds = DRAIN_SECONDS

    def store_arguments(self):
        return [f"--{key}={self.description[key]}" for key in ("documents", "graph", "registry")]

    def call(self, program, *words, good=(0,)):
        """Standard output of a program that ends by itself."""
        log = self.directory / f"{program}.log"
        status, text = programs.call([self.programs / program, *words], log, self.directory)
        if status not in good:
            raise StackError(f"{program} {words[0]} ended with status {status}; {show(log)} ends:\n{servers.tail(log)}")
        return text

    # ---- what the motes need ----

    def prepare(self, *source):
        """The directory, and tokens for the motes of that source; returns the words to give to the generator."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        if "http" in VIAS[self.via]:
            self.issue_tokens(*source)
        return source

    def issue_tokens(self, *source):
        motes = self.directory / "motes"
        self.call("ir-loadgen", *source, f"--write-motes={motes}")
        tokens = programs.issue_tokens(self.programs, motes.read_text().split(), self.description["tokens"])
        servers.write_private(self.mote_tokens, "".join(f"{mote} {token}\n" for mote, token in tokens.items()))
        self.reload(self.description["gateways"], "ir_tokens_reloads_total")

    def register(self, registry):
        """Makes it the stack's registry: in the graph store, and in the workers."""
        path = Path(self.description["registry"])
        shutil.copyfile(registry, path.with_suffix(".new"))
        path.with_suffix(".new").rename(path)
        self.call("ir-store", "init", *self.store_arguments())
        self.reload(self.description["workers"], "ir_registry_reloads_total")

    def reload(self, listed, counter):
        """HUP, until each has counted that it read its file again."""
        series = f'{counter}{{result="done"}}'
        ends = [programs.Endpoint(each["address"]) for each in listed]
        before = [end.metric(series) for end in ends]
        for each in listed:
            self.hang_up(each)
        for each, end, count in zip(listed, ends, before):
            if not servers.wait_until(lambda end=end, count=count: end.metric(series) != count, RELOAD_SECONDS):
                raise StackError(f"{each['name']} did not read its file again; look at its log")

    def hang_up(self, listed):
        os.kill(listed["pid"], signal.SIGHUP)

    # ---- sending ----

    def target(self, kind):
        address = self.description["listeners"][kind]
        user = "" if kind == "http" else f"mote:{self.passwords['mote']}@"
        return address.replace("://", f"://{user}")

    def environment(self):
        """Addresses with passwords stay off the command line."""
        inside = self.description["inside"].replace("://", f"://loadgen:{self.passwords['loadgen']}@")
        targets = ",".join(self.target(kind) for kind in VIAS[self.via])
        return {**os.environ, "IR_AMQP": inside, "IR_TARGET": targets}

    def arguments(self):
        words = [f"--out={self.directory}", f"--formats={self.description['formats']}",
                 f"--drain-timeout={self.drain_seconds}s"]
        if not self.description["formats"]:
            words.append("--no-subscribe")
        if self.mote_tokens.exists():
            words.append(f"--mote-tokens={self.mote_tokens}")
        return words

    def send(self, *words):
        """Runs the generator, which shows its progress where this program does; returns its summary."""
        argv = [self.programs / "ir-loadgen", *words, *self.arguments()]
        before = self.acknowledged()
        process = servers.Process(argv, None, cwd=self.directory, env=self.environment())
        while process.alive():
            self.check()
            time.sleep(0.05)
        status = process.stop()
        if status != 0:
            say("load", f"ir-loadgen ended with status {status}")
        try:
            summary = json.loads((self.directory / "summary.json").read_text())
        except (OSError, ValueError) as error:
            raise StackError(f"ir-loadgen left no summary: {error}") from error
        if not self.description["formats"]:
            self.drain(before + summary["messages_confirmed"])
        return summary

    def acknowledged(self):
        """Messages, by all workers so far."""
        ends = [programs.Endpoint(each["address"]) for each in self.description["workers"]]
        return sum(end.metric("ir_messages_acknowledged_total") for end in ends)

    def drain(self, messages):
        """Without formats nothing comes back to the generator: until the workers have acknowledged so many, or no more
        of them for a while."""
        done, going_on = self.acknowledged(), True
        while going_on and done < messages:
            going_on = servers.wait_until(lambda seen=done: self.acknowledged() > seen, self.drain_seconds, self.check)
            done = self.acknowledged()

    def replay(self, repeat, rate, messages=0):
        """`messages`: only so many, when not 0."""
        source = self.prepare(f"--replay={DATA}", f"--repeat={repeat}", f"--messages={messages}")
        return self.send(*source, f"--rate={rate}")

    def simulate(self, motes, seed, rate, seconds, *more):
        """`more`: further words that say what the motes send."""
        source = self.prepare(f"--simulate={motes}", f"--seed={seed}", *more)
        registry = self.directory / "registry.ttl"
        self.call("ir-loadgen", *source, f"--write-registry={registry}")
        self.register(registry)
        return self.send(*source, f"--rate={rate}", f"--duration={seconds}s")

    # ---- afterwards ----

    def verify(self, *earlier):
        """ir-store's verdict on this load, and those whose directories are named; empty when no store keeps any."""
        if self.description["documents"] == self.description["graph"] == "null:":
            return {}
        ledgers = ",".join(str(each / "ledger.txt") for each in (*earlier, self.directory))
        words = ("verify", f"--ledger={ledgers}", "--json", *self.store_arguments())
        return json.loads(self.call("ir-store", *words, good=(0, 1, 3)))

    def status(self):
        return json.loads(self.call("ir-store", "status", "--json", *self.store_arguments()))


def total(verdict, key):
    """Over raw messages, observations and graph."""
    return sum(part[key] for part in verdict.values() if isinstance(part, dict) and key in part)


def main():
    servers.stop_on_signals()
    try:
        via = stack.choice(os.environ, "VIA", *VIAS)
        motes = stack.number(os.environ, "MOTES", 1000, 1, 1000000)
        rate = stack.number(os.environ, "RATE", 1000, 1, 10000000)
        seconds = stack.number(os.environ, "DURATION", 30, 1, 10000000)
        description = stack.running()
        if description is None:
            raise StackError("no stack is running; start one with: make up")
        stack.check_running()
        loads = sorted(Path(description["out"]).glob("load-*"))
        load = Load(description, Path(description["out"]) / f"load-{len(loads) + 1:03}", via, stack.check_running)
        say("load", f"{motes} motes, {rate} observations/s for {seconds} s, via {via}")
        summary = load.simulate(motes, len(loads) + 1, rate, seconds)
        verdict = load.verify(*loads)
    except (StackError, servers.ServerError) as error:
        print(f"load: {error}", file=sys.stderr)
        return getattr(error, "status", 1)
    faults = {key: total(verdict, key) for key in ("missing", "doubled", "foreign")}
    latency = summary.get("latency_ms", {})
    print(f"{summary['observations_sent']:,} observations in {summary['messages_sent']:,} messages sent, "
          f"{summary.get('messages_republished', 0):,} published again; latency p50 {latency.get('p50', 0):,.1f}, "
          f"p99 {latency.get('p99', 0):,.1f} ms; " + ", ".join(f"{value} {key}" for key, value in faults.items()))
    print(f"All figures: {show(load.directory / 'summary.json')}")
    return 1 if any(faults.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
