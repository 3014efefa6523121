"""Starts everything that observations pass through: brokers, balancer, gateways, stores, workers.

    stack = Stack(Settings(os.environ), "out/run")
    stack.start()
    Load(stack.description(), "out/run/load", "mix").replay(1, 0)
    stack.stop()

`make run` uses one in out/run/, a user's river one in its own folder (river.py). The files, arguments and environment of each
role are defined here and in the classes of servers/, cluster.py and programs.py.
"""

import argparse
import fcntl
import itertools
import os
import shutil
import signal
import subprocess
import time
import urllib.parse
from pathlib import Path

import cluster
import guard
import programs
import servers
import variables
from variables import UsageError

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(os.environ.get("IR_BUILD") or ROOT / "out" / "release")  # tests have separate builds
OUT = ROOT / "out" / "run"
RESULTS = ROOT / "out" / "results"
REGISTRY = ROOT / "loadgen" / "usgs_river.ttl"
FORMATS = "jsonld,senml"
SIMULATED = "simulated.ttl"  # a file in registry/ during a load; its motes have no users of their own
READY_SECONDS = 60


class StackError(guard.Fault):
    """The stack cannot continue; the text is for the user who started it."""


def run_verb(description, verbs):
    """The whole of a program whose argument is a verb: {verb: function of the environment}."""
    servers.stop_on_signals()
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=verbs)
    verb = parser.parse_args().verb
    guard.run(verb, lambda: verbs[verb](os.environ))


class Claim:
    """A lock on a folder: only one program at a time may start, run or stop something below it. It is held until this
    program ends, in whatever way. Child processes do not inherit it."""

    held = []

    @classmethod
    def take(cls, folder, what, path=None):
        """Takes the lock. `what` names the activity in the message that another program would print. `path` is the
        lock's file; None: one beside the folder."""
        path = path or folder.with_name(folder.name + ".lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115 - open as long as the program runs
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            told = file.read().strip() or "another program"
            file.close()
            raise StackError(f"{told} is using {show(folder)}; wait until it ends") from None
        file.truncate(0)
        file.write(f"{what} (process {os.getpid()}, since {time.strftime('%H:%M:%S')})")
        file.flush()
        cls.held.append(file)


def begin_in(folder, what):
    """Claims a folder for one run and empties it. First it stops the processes of an earlier run that was killed."""
    Claim.take(folder, what)
    noted = folder.with_name(folder.name + ".processes")
    servers.stop_kept(servers.recorded(noted))
    shutil.rmtree(folder, ignore_errors=True)
    servers.record_in(noted)


def keep_results(*files):
    """Copies result files, given as (file, name), into a new folder named after the time, which is never overwritten.
    Returns the folder."""
    began, count = time.strftime("%Y%m%d-%H%M%S"), 1
    RESULTS.mkdir(parents=True, exist_ok=True)
    while True:
        folder = RESULTS / (began if count == 1 else f"{began}-{count}")
        try:
            folder.mkdir()
            break
        except FileExistsError:
            count += 1
    for file, name in files:
        if Path(file).is_file():
            shutil.copyfile(file, folder / name)
    return folder


def say(verb, text):
    """Prints a line of progress for make's `verb`."""
    print(f"{verb}: {text}", flush=True)


def show(path):
    """A path in the form a user would type here."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def check_formats(formats):
    """Lets ir-worker check the formats."""
    argv = [PROGRAMS / "ir-worker", f"--formats={formats}", "--print-settings"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UsageError(done.stderr.strip().removeprefix("ir-worker: ").replace("formats:", "FORMATS:"))


class Settings:
    def __init__(self, environment):
        variables.refuse_given(environment, ("TOPOLOGY", "PROFILE"), "it goes with PLATFORM only")
        self.brokers = int(variables.read(environment, "BROKERS", "run"))
        self.gateways = variables.read(environment, "GATEWAYS", "run")
        self.workers = variables.read(environment, "WORKERS", "run")
        self.documents = variables.read(environment, "DOCUMENTS", "run")
        self.graph = variables.read(environment, "GRAPH", "run")
        self.formats = environment.get("FORMATS", FORMATS)


def await_true(condition, seconds, check, what):
    if not servers.wait_until(condition, seconds, check):
        raise StackError(f"{what} after {seconds} s")


def await_membership(workers, seconds, check):
    """Waits until every worker knows the others and consumes exactly its share. Otherwise the first seconds would
    measure the hand-over."""

    def shared_out():
        known = [each.metrics() for each in workers]
        return all(one["ir_workers"] == len(workers) and one["ir_partitions"] == one["ir_partition_share"]
                   and one["ir_partitions_unserved"] == 0 for one in known)

    await_true(shared_out, seconds, check, "the workers have not divided the partitions among themselves")


class Stack:
    """`registry/` in its folder contains the registry's files: those present before the start, else the registry of the
    replay data."""

    def __init__(self, settings, out, build=PROGRAMS, root=None, take_ports=None, listen=servers.HOST):
        """`root`: see servers.RabbitMQ. `take_ports(name, count)` returns the ports of the server with that name; None:
        any free ports. `listen`: the address at which motes reach it."""
        self.settings = settings
        self.out = Path(out).resolve()
        self.build = Path(build)
        self.registry = self.out / "registry"
        self.tokens = self.out / "tokens"
        self.mote_tokens = self.out / "mote-tokens"
        self.take_ports = take_ports or (lambda _name, count: servers.free_ports(count))
        self.cluster = cluster.Cluster(self.out / "brokers", settings.brokers, root=root)
        self.cluster.nodes.limits.update(cluster.list_of_nodes.ONE_ADDRESS)
        self.balancer = cluster.HAProxy(self.out / "balancer", self.cluster.nodes, self.out / "certificates", listen)
        self.document_server = self.store_server(servers.DOCUMENT_SERVERS, settings.documents)
        self.graph_server = self.store_server(servers.GRAPH_SERVERS, settings.graph)
        self.gateways = []
        self.workers = []
        self.worker_ports = []

    def store_server(self, known, name):
        return known[name](self.out / name) if name in known else None

    def stores(self):
        return [each for each in (self.document_server, self.graph_server) if each]

    # ---- addresses ----

    def documents_uri(self):
        if self.document_server:
            return self.document_server.uri
        return f"sqlite:{self.out / 'documents.sqlite'}" if self.settings.documents == "sqlite" else "null:"

    def graph_uri(self):
        if self.graph_server:
            return self.graph_server.uri
        return f"nquads:{urllib.parse.quote(str(self.out / 'graph'))}" if self.settings.graph == "nquads" else "null:"

    def sparql(self):
        """The address for queries; None if no server has the graph."""
        server = self.graph_server
        return f"http://{server.host}:{server.port}{server.query_path}" if server else None

    def amqp(self, user, listener):
        return f"amqp://{user}@{self.balancer.address(listener)}"

    def metrics(self):
        """The endpoints with /metrics, in the form of monitoring/configuration.py."""
        places = [("broker", each.name, f"{each.host}:{each.prometheus}") for each in self.cluster.nodes.brokers]
        places.append(("balancer", "balancer", self.balancer.address("stats")))
        places += [("gateway", each.name, f"{each.host}:{each.http}") for each in self.cluster.nodes.gateways]
        places += [("worker", f"worker-{i + 1}", self.worker_address(i)) for i in range(self.settings.workers)]
        return [{"job": job, "name": name, "address": address} for job, name, address in places]

    def tls_doors(self):
        """The TLS addresses for motes, in the form of monitoring/configuration.py."""
        return [{"name": f"balancer/{kind}", "address": self.balancer.address(kind)} for kind in ("https", "amqps", "mqtts")]

    def description(self):
        """Everything that a program needs to put load on the stack or inspect it."""
        kinds = {"amqp": "amqp", "amqps": "amqps", "mqtt": "mqtt", "mqtts": "mqtts", "http": "http", "https": "https"}
        listeners = {name: f"{scheme}://{self.balancer.address(name)}" for name, scheme in kinds.items()}
        return {
            "listeners": listeners,
            "inside": f"amqp://{self.balancer.address('inside')}",
            "consumers": f"amqp://{self.balancer.address('consumers')}",
            "management": [[each.name, each.host, each.management] for each in self.cluster.nodes.brokers],
            "stats": f"http://{self.balancer.address('stats')}/stats",
            "metrics": self.metrics(),
            "doors": self.tls_doors(),
            "ca": str(self.out / "certificates" / "ca.pem"),
            "passwords": str(self.cluster.passwords_file),
            "tokens": str(self.tokens),
            "mote-tokens": str(self.mote_tokens),
            "own-users": bool(self.cluster.mote_tokens),
            "registry": str(self.registry),
            "documents": self.documents_uri(),
            "graph": self.graph_uri(),
            "sparql": self.sparql(),
            "formats": self.settings.formats,
            "workers": [{"name": w.name, "address": w.address, "pid": w.process.pid} for w in self.workers],
            "gateways": [{"name": g.name, "address": g.address, "pid": g.process.pid} for g in self.gateways],
            "settings": vars(self.settings),
            "programs": str(self.build),
            "out": str(self.out),
        }

    # ---- settings and environment of the programs ----

    def environment(self, user):
        return {**os.environ, "IR_AMQP_PASSWORD": self.cluster.passwords[user],
                "IR_MANAGEMENT_PASSWORD": self.cluster.passwords["monitor"] if user == "worker" else ""}

    def environment_of(self, _name):
        """Additional variables for one worker or gateway."""
        return {}

    def words_before(self, _name):
        """A prefix for the command of a worker or gateway, such as one that enters a network namespace."""
        return ()

    def store_arguments(self):
        return [f"--documents={self.documents_uri()}", f"--graph={self.graph_uri()}", f"--registry={self.registry}"]

    def broker_arguments(self):
        management = ",".join(f"http://monitor@{each.host}:{each.management}" for each in self.cluster.nodes.brokers)
        return [f"--amqp={self.amqp('worker', 'consumers')}", f"--management={management}"]

    def worker_address(self, index):
        return f"{servers.HOST}:{self.worker_ports[index]}"

    def worker_arguments(self, index):
        return [*self.broker_arguments(), *self.store_arguments(), f"--formats={self.settings.formats}",
                f"--http={self.worker_address(index)}"]

    def gateway_arguments(self, listed):
        # The replay has few stations and sends as fast as possible, so there is no limit per mote.
        return [f"--listen={listed.host}:{listed.http}", f"--amqp={self.amqp('gateway', 'inside')}", f"--tokens={self.tokens}",
                f"--registry={self.registry}", "--rate=0", f"--trusted-proxies={self.balancer.host}"]

    # ---- starting ----

    def call(self, program, *words, user="worker"):
        """Returns the standard output of a program that runs to its end."""
        log = self.out / "logs" / f"{program}.log"
        status, text = programs.call([self.build / program, *words], log, self.out, self.environment(user))
        if status != 0:
            raise StackError(f"{program} {words[0]} ended with status {status}; {show(log)} ends:\n{servers.tail(log)}")
        return text

    def make_certificates(self):
        names = dict.fromkeys(("localhost", servers.HOST, self.balancer.reached))
        made = subprocess.run([ROOT / "ingest" / "make-certificates", self.out / "certificates", *names],
                              capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise StackError(f"make-certificates: {made.stderr.strip()}")

    def issue_tokens(self):
        """Makes a token for each mote of the registry. It is used for HTTP, and as the password of the mote's user at
        the brokers."""
        files = ",".join(str(each) for each in sorted(self.registry.glob("*.ttl")) if each.name != SIMULATED)
        cluster.motes.issue(self.build / "ir-ingest", files, self.tokens, self.mote_tokens)
        self.cluster.mote_tokens = cluster.definitions.read_passwords(self.mote_tokens)

    def start(self):
        (self.out / "logs").mkdir(parents=True, exist_ok=True)
        self.registry.mkdir(exist_ok=True)
        if not any(self.registry.iterdir()):
            shutil.copy(REGISTRY, self.registry)
        self.issue_tokens()
        self.make_certificates()
        if not self.worker_ports:
            self.assign_ports()
        self.cluster.begin()
        for each in self.stores():
            each.begin()
        self.cluster.await_ready()
        for each in self.stores():
            each.await_ready()
        self.balancer.start()
        self.call("ir-worker", "--declare", *self.broker_arguments())
        self.call("ir-store", "init", *self.store_arguments())
        for i in range(self.settings.gateways):
            self.start_gateway(i)
        for i in range(self.settings.workers):
            self.start_worker(i)
        for each in [*self.gateways, *self.workers]:
            each.await_ready(READY_SECONDS)
        await_membership(self.workers, READY_SECONDS, self.check)
        self.await_gateways()

    def listening(self):
        """Returns {name: server} of everything that needs ports, except gateways, which are in the list of nodes."""
        named = {each.name: each for each in self.cluster.members}
        return {**named, "balancer": self.balancer, **{each.name: each for each in self.stores()}}

    def assign_ports(self):
        """The gateways' ports are added to the list of nodes."""
        self.cluster.mapper.port = self.take_ports("epmd", 1)[0]
        for name, each in self.listening().items():
            each.ports = self.take_ports(name, each.n_ports)
        for i in range(self.settings.gateways):
            name = f"gateway-{i + 1}"
            port = str(self.take_ports(name, 1)[0])
            self.cluster.nodes.gateways.append(cluster.list_of_nodes.Gateway(name, servers.HOST, port))
        self.worker_ports = [self.take_ports(f"worker-{i + 1}", 1)[0] for i in range(self.settings.workers)]

    def listeners(self):
        """Yields (name, address, port) of everything that will listen, once the ports are assigned."""
        hosts = [self.balancer.listen] * len(self.balancer.listeners)
        for name, each in self.listening().items():
            known = hosts if each is self.balancer else []
            yield from ((name, host, port) for host, port in itertools.zip_longest(known, each.ports, fillvalue=servers.HOST))
        yield "epmd", servers.HOST, self.cluster.mapper.port
        yield from ((each.name, each.host, int(each.http)) for each in self.cluster.nodes.gateways)
        yield from ((f"worker-{i + 1}", servers.HOST, port) for i, port in enumerate(self.worker_ports))

    def start_gateway(self, index):
        """Starts a gateway, or replaces one that ended."""
        listed = self.cluster.nodes.gateways[index]
        environment = {**self.environment("gateway"), **self.environment_of(listed.name)}
        self.gateways[index : index + 1] = [
            programs.Gateway(self.build, listed.name, self.out / "logs" / f"{listed.name}.log",
                             self.gateway_arguments(listed), env=environment, cwd=self.out,
                             address=f"http://{listed.host}:{listed.http}", words_before=self.words_before(listed.name))]

    def start_worker(self, index):
        """Starts a worker, or replaces one that ended."""
        name = f"worker-{index + 1}"
        environment = {**self.environment("worker"), **self.environment_of(name)}
        self.workers[index : index + 1] = [
            programs.Worker(self.build, name, self.out / "logs" / f"{name}.log",
                            self.worker_arguments(index), env=environment, cwd=self.out,
                            words_before=self.words_before(name))]

    def await_gateways(self):
        await_true(lambda: self.balancer.up("gateways") == len(self.gateways), READY_SECONDS, self.check,
                   "the balancer does not see every gateway")

    def check(self):
        """Raises unless all of it runs."""
        for each in [*self.gateways, *self.workers]:
            each.check()

    # ---- stopping ----

    def stop(self):
        programs_running = [*self.workers, *self.gateways]
        for each in programs_running:
            each.process.send(signal.SIGTERM)
        for each in programs_running:
            status = each.stop(READY_SECONDS)
            if status != 0:
                raise StackError(f"{each.name} ended with status {status} instead of 0; {show(each.log)} ends:\n"
                                 f"{servers.tail(each.log)}")
        self.balancer.stop()
        for each in reversed(self.stores()):
            each.stop()
        self.cluster.stop()


# ---- for people ----


def several(count, name):
    return f"{count} {name}{'s' if count > 1 else ''}"


def roles(settings):
    """Describes the roles in words."""
    counts = ((settings.brokers, "broker"), (1, "balancer"), (settings.gateways, "gateway"),
              (settings.workers, "worker"))
    words = [several(count, name) for count, name in counts if count]
    return ", ".join([*words, settings.documents, settings.graph])


def addresses(description):
    """All addresses, as lines."""
    rows = [*description["listeners"].items(), *((name, description[name]) for name in ("inside", "consumers"))]
    rows += [("statistics", description["stats"])]
    rows += [(each["name"], f"http://{each['address']}/metrics") for each in description["metrics"]]
    rows += [("documents", description["documents"]), ("graph", description["graph"])]
    rows += [("passwords", show(description["passwords"])), ("certificates", show(description["ca"]))]
    also = ", and the passwords of their users for AMQP and MQTT" if description["own-users"] else ""
    rows += [("motes", f"{show(description['mote-tokens'])} has their tokens for HTTP{also}"),
             ("", "the generator sends for all motes as the shared user `mote`, which is for closed networks only")]
    return [f"  {name:<12} {address}" for name, address in rows]
