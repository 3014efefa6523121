"""Puts load on a running stack, given only its description (stack.py), and compares what was sent with what the stores
contain.

    python3 tools/load.py             simulated motes on what `make up` started: MOTES= RATE= DURATION= VIA= DATA= from the
                                      environment
    python3 tools/load.py find-max    searches for the highest sustained rate instead
"""

import argparse
import json
import os
import shlex
import shutil
import time
from pathlib import Path

import cluster
import drained
import guard
import programs
import servers
import stack
import variables
from river import River
from servers import atomic
from stack import SIMULATED, StackError, say, show

DATA = stack.ROOT / "loadgen" / "usgs_river_observations.csv.gz"
VIAS = {"mix": ("amqp", "mqtt", "http"), "amqp": ("amqp",), "mqtt": ("mqtt",), "http": ("http",)}
DRAIN_SECONDS = 120
PREFIX = "sim-"  # the names of simulated motes begin with it


class Load:
    """One load. Its results are written below `directory`. `check()` is called while it runs and may raise."""

    def __init__(self, description, directory, via, check=lambda: None):
        self.description = description
        self.directory = Path(directory).resolve()
        self.ways = VIAS[via]
        self.check = check
        self.programs = Path(description["programs"])
        self.passwords = cluster.definitions.read_passwords(description["passwords"])
        self.mote_tokens = Path(description["mote-tokens"])
        self.drain_seconds = DRAIN_SECONDS

    def store_arguments(self):
        return [f"--{key}={self.description[key]}" for key in ("documents", "graph", "registry")]

    def call(self, program, *words, good=(0,)):
        """Returns the standard output of a program that runs to its end."""
        log = self.directory / f"{program}.log"
        status, text = programs.call([self.programs / program, *words], log, self.directory)
        if status not in good:
            raise StackError(f"{program} {words[0]} ended with status {status}; {show(log)} ends:\n{servers.tail(log)}")
        return text

    # ---- tokens and registry of the motes ----

    def prepare(self, *source):
        """Makes the directory, and tokens for those motes of the source that have none. Returns the arguments for the
        generator."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        if "http" in self.ways:
            self.issue_tokens(*source)
        return source

    def issue_tokens(self, *source):
        motes = self.directory / "motes"
        self.call("ir-loadgen", *source, f"--write-motes={motes}")
        if cluster.motes.issue(self.programs / "ir-ingest", motes, self.description["tokens"], self.mote_tokens):
            self.reload("gateways", "ir_tokens_reloads_total")

    def register(self, registry):
        """Adds this file to the registry of the stack: in the graph store, in the workers, then in the gateways."""
        self.put_registry(Path(self.description["registry"]) / SIMULATED, registry.read_bytes())
        for kind in ("workers", "gateways"):
            self.reload(kind, "ir_registry_reloads_total")

    def withdraw(self, seconds):
        """Removes that file from the registry after the workers have acknowledged all waiting messages; without it they
        would refuse the messages of simulated motes. Returns None, or what still waits after `seconds`; then the file
        stays."""
        left = self.waiting(seconds)
        if left is None:
            self.unregister()
        return left

    def waiting(self, seconds):
        """A line about what the workers have not acknowledged after `seconds`; None if they acknowledged everything."""
        brokers = [drained.Asked(*each) for each in self.description["management"]]
        try:
            left = drained.worked_off(brokers, self.passwords["monitor"], seconds)
        except drained.UnknownError as error:
            return str(error)
        return left and "; ".join(left)

    def unregister(self):
        path = Path(self.description["registry"]) / SIMULATED
        self.put_registry(path, b"")
        path.unlink()
        for kind in ("workers", "gateways"):
            self.reload(kind, "ir_registry_reloads_total")
        self.drop_tokens()

    def end(self, sent):
        """Waits for the workers, then removes the simulated motes from the registry. `sent` is the load's summary, None
        if it was interrupted."""
        if sent and sent.get("messages_missing") == 0:  # all of it came back
            self.unregister()
            return
        if sent:
            say("load", f"waiting until the workers have processed what was sent, at most {self.drain_seconds} s")
        if left := self.withdraw(self.drain_seconds if sent else 0):
            say("load", f"some of what was sent is not processed yet: {left}; the simulated motes stay in the registry until "
                        "the next make load or make registry")

    def put_registry(self, path, text):
        """Writes the file and updates its graph; an empty file empties the graph."""
        atomic.write(path, text, atomic.PUBLIC, lasting=False)
        stores = [f"--{key}={self.description[key]}" for key in ("documents", "graph")]
        self.call("ir-store", "init", *stores, f"--registry={path}")

    def drop_tokens(self):
        """Removes the tokens of simulated motes."""
        for each in (self.description["tokens"], self.mote_tokens):
            programs.drop_tokens(Path(each), PREFIX)
        self.reload("gateways", "ir_tokens_reloads_total")

    def reload(self, kind, counter):
        """Makes the processes that still run read their files again. A load continues when one of them dies."""
        alive = [each for each in self.description[kind] if programs.Endpoint(each["address"]).answers()]
        programs.reload(alive, counter, self.hang_up)

    @staticmethod
    def hang_up(listed):
        programs.hang_up(listed)

    # ---- sending ----

    def target(self, kind):
        address = self.description["listeners"][kind]
        user = "" if kind == "http" else f"mote:{self.passwords['mote']}@"
        return address.replace("://", f"://{user}")

    def environment(self):
        """Environment variables for the addresses: they contain passwords, which must not be on the command line."""
        consumers = self.description["consumers"].replace("://", f"://loadgen:{self.passwords['loadgen']}@")
        targets = ",".join(self.target(kind) for kind in self.ways)
        return {**os.environ, "IR_AMQP": consumers, "IR_TARGET": targets}

    def arguments(self):
        words = [f"--out={self.directory}"]
        if self.description["formats"]:
            words += [f"--formats={self.description['formats']}", f"--drain-timeout={self.drain_seconds}s"]
        else:
            words.append("--no-subscribe")
        if "http" in self.ways:
            words.append(f"--mote-tokens={self.mote_tokens}")
        return words

    def begin(self, *words, log=None):
        """Starts the generator. Without a log its progress goes to this program's output. Returns the process."""
        argv = [self.programs / "ir-loadgen", *words, *self.arguments()]
        return servers.Process(argv, log, cwd=self.directory, env=self.environment())

    def summary(self):
        try:
            return json.loads((self.directory / "summary.json").read_text())
        except (OSError, ValueError) as error:
            raise StackError(f"ir-loadgen left no summary: {error}") from error

    def send(self, *words):
        """Runs the generator to its end. Returns its summary."""
        before = self.acknowledged()
        process = self.begin(*words)
        while process.alive():
            self.check()
            time.sleep(0.05)
        status = process.stop()
        if status != 0:
            say("load", f"ir-loadgen ended with status {status}")
        summary = self.summary()
        if not self.description["formats"]:
            self.drain(before + summary["messages_confirmed"])
        return summary

    def acknowledged(self):
        """The number of messages that all workers have acknowledged so far."""
        ends = [programs.Endpoint(each["address"]) for each in self.description["workers"]]
        return sum(end.metric("ir_messages_acknowledged_total") for end in ends if end.answers())

    def drain(self, messages):
        """Without formats the workers publish nothing, so the generator cannot know when they are done. This function
        waits until they have acknowledged that many messages, or none for a while."""
        done, going_on = self.acknowledged(), True
        while going_on and done < messages:
            going_on = servers.wait_until(lambda seen=done: self.acknowledged() > seen, self.drain_seconds, self.check)
            done = self.acknowledged()

    def replay(self, repeat, rate, messages=0):
        """`messages`: send only that many; 0: all."""
        source = self.prepare(f"--replay={DATA}", f"--repeat={repeat}", f"--messages={messages}")
        return self.send(*source, f"--rate={rate}")

    def simulate(self, motes, seed, shape, *more):
        """`shape`: the generator's arguments for rate and duration. `more`: its arguments for the motes' messages."""
        source = self.prepare(f"--simulate={motes}", f"--seed={seed}", *more)
        registry = self.directory / "registry.ttl"
        self.call("ir-loadgen", *source, f"--write-registry={registry}")
        sent = None
        try:
            self.register(registry)
            sent = self.send(*source, *shape)
        finally:
            self.end(sent)
        return sent

    # ---- afterwards ----

    def results(self):
        """The generator's files for stack.keep_results: all except the ledger, which is large."""
        names = ("series.csv", "confirm_corrected.hgrm", "confirm.hgrm", "latency_corrected.hgrm", "latency.hgrm")
        return [(self.directory / "summary.json", "generator.json"), *((self.directory / name, name) for name in names)]

    def verify(self, *earlier, known=()):
        """ir-store's verdict on this load and on the loads in the named directories. For loads in `known`, missing data
        is allowed. Empty when no store keeps data."""
        if self.description["documents"] == self.description["graph"] == "null:":
            return {}
        ledgers = [each / "ledger.txt" for each in (*earlier, self.directory)]
        known = ",".join(str(each / "ledger.txt") for each in known)
        words = ("verify", *ledgers, f"--known={known}", "--json", *self.store_arguments())
        text = self.call("ir-store", *words, good=(0, 1, 3))
        if not text:
            log = self.directory / "ir-store.log"
            raise StackError(f"ir-store verify could not compare; {show(log)} ends:\n{servers.tail(log)}")
        return json.loads(text)

    def status(self):
        return json.loads(self.call("ir-store", "status", "--json", *self.store_arguments()))


def total(verdict, key):
    """The sum over raw messages, observations and graph."""
    return sum(part[key] for part in verdict.values() if isinstance(part, dict) and key in part)


def judged(sent):
    """The generator's verdict on itself, in words: whether its figures are valid for what was requested."""
    reasons = [f"NOT COMPLETE: {each}" for each in sent["incomplete_reasons"]]
    if not sent["valid"]:
        reasons.append(f"NOT VALID: {sent['invalid_reason']}")
    return reasons


class Settings:
    def __init__(self, environment, find_max=False):
        self.via = variables.read(environment, "VIA", "load")
        self.motes = variables.read(environment, "MOTES", "load")
        self.find_max = find_max
        if find_max:
            variables.refuse_given(environment, ("RATE", "DURATION"), "the rates and their times are found")
        self.rate = variables.read(environment, "RATE", "load")
        self.seconds = variables.read(environment, "DURATION", "load")

    def shape(self):
        return ["--find-max"] if self.find_max else [f"--rate={self.rate}", f"--duration={self.seconds}s"]

    def __str__(self):
        what = ("searching for the highest sustained rate; takes four to eight minutes" if self.find_max
                else f"{self.rate} observations/s for {self.seconds} s")
        return f"{self.motes} motes, {what}, via {self.via}"


def told(settings, sent, faults):
    latency = sent.get("latency_ms", {})
    lines = [f"{sent['observations_sent']:,} observations in {sent['messages_sent']:,} messages sent, "
             f"{sent.get('messages_republished', 0):,} republished; latency p50 {latency.get('p50', 0):,.1f}, p99 "
             f"{latency.get('p99', 0):,.1f} ms; " + ", ".join(f"{value} {key}" for key, value in faults.items())]
    if settings.find_max:
        found = sent["find_max"]
        lines = [f"highest rate that is kept: {found['rate']:,.0f} observations/s; half of this run's turning points lie between "
                 f"{found['rate_low']:,.0f} and {found['rate_high']:,.0f}, which is not the spread between runs; "
                 f"{sent['observations_sent']:,} observations stored; "
                 + ", ".join(f"{value} {key}" for key, value in faults.items())]
    return lines + judged(sent)


class Deaths:
    """Called during a load: reports once which parts of the stack have ended."""

    def __init__(self, river):
        self.river = river
        self.names = []

    def __call__(self):
        ended = self.river.ended()
        if len(ended) > len(self.names):
            self.names = ended
            say("load", f"ENDED: {', '.join(ended)} of the stack; the load continues")


def refuse_names(river):
    """Refuses a registry with motes whose names are reserved for simulated ones."""
    for each in programs.registered(stack.PROGRAMS, river.files()):
        if each.mote.startswith(PREFIX):
            raise StackError(f"the registry in {show(river.registry)} has the mote {each.mote}; names that begin with "
                             f"{PREFIX} are reserved for simulated motes; rename it, or run the load on another river: make "
                             "up DATA=DIR")


def withdraw_left(river, description):
    """Removes the simulated motes that an earlier load left in the registry."""
    if not (river.registry / SIMULATED).exists():
        return
    say("load", "an earlier load left simulated motes in the registry; waiting until their messages are processed, at most "
                f"{DRAIN_SECONDS} s")
    if left := Load(description, river.folder / "logs", "mix").withdraw(DRAIN_SECONDS):
        raise StackError(f"the simulated motes of an earlier load are still needed: {left}; try again when the workers have "
                         "processed it")


def say_what_enters(description):
    if description["documents"] == "null:":
        return
    words = " ".join(f"--{key}='{description[key]}'" for key in ("documents", "graph"))
    program = shlex.quote(show(Path(description["programs"]) / "ir-store"))
    nquads = ", between make down and make up" if description["graph"].startswith("nquads:") else ""
    say("load", f"simulated observations enter the same stores; to remove them afterwards{nquads} (--yes does it):\n"
                f"  {program} purge --mote '{PREFIX}*' {words}")


def run(settings, environment):
    """Puts the load on the river; returns the exit status."""
    river = River.of(environment)
    description = river.require_running()
    stack.Claim.take(river.folder, "make load", river.folder / "lock")
    withdraw_left(river, description)
    refuse_names(river)
    say_what_enters(description)
    loads = [each for each in sorted(river.folder.glob("load-*")) if (each / "ledger.txt").exists()]
    number = max((int(each.name.removeprefix("load-")) for each in loads), default=0) + 1
    deaths = Deaths(river)
    load = Load(description, river.folder / f"load-{number:03}", settings.via, deaths)
    say("load", str(settings))
    sent = load.simulate(settings.motes, number, settings.shape())
    verdict = load.verify(known=loads)
    faults = {key: total(verdict, key) for key in ("missing", "doubled", "foreign")}
    print("\n".join(told(settings, sent, faults)))
    kept = stack.keep_results(*load.results())
    print(f"All figures: {show(load.directory / 'summary.json')}; kept in {show(kept)}")
    if deaths.names:
        print(f"load: {', '.join(deaths.names)} ended meanwhile; see logs/ in {show(river.folder)}, then run make up")
    return 1 if any(faults.values()) or judged(sent) or deaths.names else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["find-max"])
    what = parser.parse_args().what
    servers.stop_on_signals()
    guard.run("load", lambda: run(Settings(os.environ, what == "find-max"), os.environ))


if __name__ == "__main__":
    main()
