"""The stack, with each part in its own network namespace, each store and broker on its own disk, and proxies in front
of the stores. Parts can be killed, stopped and restarted by name."""

import concurrent.futures
import signal

import harness
import proxies
import servers
import stack

from .disks import Disk
from .places import HUB, Places

ROLES = ("worker", "gateway", "balancer", "broker", "documents", "graph")
DISK_MEBIBYTES = {"broker": 2048, "documents": 16384, "graph": 32768}
PUBLISH_BYTES = 20 * 1024  # a pack of a hundred good records is then too large to be published
# Time-outs and intervals are short, so that a fault lasts for many of them.
WORKER_SETTINGS = ("--timeout=5s", "--backoff-longest=2s", "--announce=500ms", f"--publish-bytes={PUBLISH_BYTES}")


class River(stack.Stack):
    def __init__(self, settings, out, build, root=None):
        super().__init__(settings, out, build, root)
        self.roles = {"balancer": "balancer"}
        self.roles |= {each.name: "broker" for each in self.cluster.members}
        self.roles |= {f"gateway-{i + 1}": "gateway" for i in range(settings.gateways)}
        self.roles |= {f"worker-{i + 1}": "worker" for i in range(settings.workers)}
        self.servers = {"balancer": self.balancer, **{each.name: each for each in self.cluster.members}}
        for role, name, server in (("documents", settings.documents, self.document_server),
                                   ("graph", settings.graph, self.graph_server)):
            if server:
                self.roles[name], self.servers[name] = role, server
        self.places = Places(self.out / "places", self.roles)
        self.disks = {name: Disk(server.directory, DISK_MEBIBYTES[self.roles[name]])
                      for name, server in self.servers.items() if name != "balancer"}
        self.no_disks = None  # why there are no separate disks, or None
        self.document_proxy = self.graph_proxy = None
        self.pool = concurrent.futures.ThreadPoolExecutor(8)
        self.poisoners = []  # names of the motes for poison
        self.message_rate = 0  # messages per second of all motes together
        self.ledgers = []  # folders with one registry each
        self.afterwards = []  # functions to call at the end of a round; each returns a list of errors

    def named(self, role):
        return [name for name, each in self.roles.items() if each == role]

    # ---- preparations ----

    def start(self):
        self.out.mkdir(parents=True, exist_ok=True)
        self.places.make()
        self.make_disks()
        for name, server in self.servers.items():
            place = self.places[name]
            server.host, server.words_before = place.address, place.words
        self.balancer.listen = self.balancer.host
        for each in self.cluster.members:
            each.machine = each.name
            each.mapper = each.own_mapper = self.port_mapper(each)
        for name in self.roles:
            self.set_clock(name, 0)
        self.assign_ports()
        self.make_proxies()
        super().start()

    def port_mapper(self, broker):
        """Erlang's port mapper in the broker's namespace. It has the same port in each namespace."""
        mapper = servers.PortMapper(self.out / "logs" / f"{broker.name}-epmd.log")
        mapper.host, mapper.words_before, mapper.port = broker.host, broker.words_before, 4369
        return mapper

    def make_disks(self):
        try:
            for each in self.disks.values():
                each.make()
        except servers.ServerError as error:
            self.no_disks, self.disks = str(error), {}

    def make_proxies(self):
        if self.document_server:
            target = (self.document_server.host, self.document_server.port)
            self.document_proxy = proxies.MongoProxy(target, host=HUB).__enter__()
        if self.graph_server:
            target = (self.graph_server.host, self.graph_server.port)
            self.graph_proxy = proxies.HttpProxy(target, host=HUB).__enter__()

    def assign_ports(self):
        """Each part has its own address, so all gateways use the same port, and so do all workers."""
        for server in self.servers.values():
            server.ports = servers.free_ports(server.n_ports)
        for name in self.named("gateway"):
            listed = stack.cluster.list_of_nodes.Gateway(name, self.places[name].address, "8080")
            self.cluster.nodes.gateways.append(listed)
        self.worker_ports = [8081] * self.settings.workers

    def worker_address(self, index):
        return f"{self.places[f'worker-{index + 1}'].address}:{self.worker_ports[index]}"

    # ---- settings of the parts ----

    def documents_uri(self):
        return self.document_proxy.uri("river") if self.document_proxy else super().documents_uri()

    def graph_uri(self):
        return self.graph_proxy.uri(self.graph_server) if self.graph_proxy else super().graph_uri()

    def worker_arguments(self, index):
        return [*super().worker_arguments(index), *WORKER_SETTINGS]

    def words_before(self, name):
        return self.places[name].words

    def clock_file(self, name):
        return self.out / "clocks" / name

    def set_clock(self, name, seconds):
        """Sets the clock of a worker or gateway to this offset from the true time."""
        path = self.clock_file(name)
        path.parent.mkdir(exist_ok=True)
        path.with_suffix(".new").write_text(f"{seconds:+d}\n")
        path.with_suffix(".new").rename(path)

    def environment_of(self, name):
        return harness.faked_clock(FAKETIME_TIMESTAMP_FILE=str(self.clock_file(name)), FAKETIME_CACHE_DURATION="1")

    # ---- acting on parts ----

    def program(self, name):
        """Returns the worker or gateway with this name."""
        return next(each for each in (*self.workers, *self.gateways) if each.name == name)

    def process(self, name):
        return (self.servers.get(name) or self.program(name)).process

    def alive(self, name):
        process = self.process(name)
        return process is not None and process.alive()

    def signal(self, name, number):
        if self.alive(name):
            self.process(name).send_group(number)

    def kill(self, name):
        (self.servers.get(name) or self.program(name)).kill()

    def start_again(self, name):
        """Starts the part again without waiting until it is ready."""
        if name in self.servers:
            self.servers[name].kill()  # children may still be running
            self.servers[name].begin()
        else:
            index = int(name.rsplit("-", 1)[1]) - 1
            (self.start_worker if self.roles[name] == "worker" else self.start_gateway)(index)

    def revive(self):
        """Starts every part that is not running, as a supervisor would. Returns their names."""
        dead = [name for name in self.roles if not self.alive(name)]
        for name in dead:
            self.start_again(name)
        return dead

    def new_ledger(self, name):
        """Makes a folder for another ledger."""
        folder = self.out / "loads" / f"{name}-{len(self.ledgers) + 1}"
        folder.mkdir(parents=True)
        self.ledgers.append(folder)
        return folder

    # ---- the state of the stack ----

    def troubles(self):
        """Returns everything that is wrong with the stack, one line each."""
        found = [f"{name} does not run" for name in self.roles if not self.alive(name)]
        programs = [*self.workers, *self.gateways]
        reasons = self.pool.map(lambda each: each.not_ready(), programs)
        found += [f"{each.name}: {' '.join(why.split())}" for each, why in zip(programs, reasons) if why]
        for backend in ("amqp-brokers", "consumer-brokers", "mqtt-brokers", "gateways"):
            wanted = len(self.named("gateway" if backend == "gateways" else "broker"))
            try:
                up = self.balancer.up(backend)
            except OSError as error:
                return [*found, f"balancer: {error}"]
            if up != wanted:
                found.append(f"balancer: {up} of {wanted} {backend} are up")
        return found

    def await_joined(self, seconds):
        """Waits until no broker considers another one partitioned. Returns whether this happened in time."""
        return servers.wait_until(lambda: all(each.partitions() == "[]" for each in self.cluster.members), seconds, pause=2)

    def stop(self):
        for name in self.roles:
            self.signal(name, signal.SIGCONT)
        super().stop()
