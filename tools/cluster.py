"""A cluster of RabbitMQ nodes behind the balancer, configured by the scripts of ingest/: users with minimal rights,
MQTT, and queues that refuse new messages when they are full.

    with Cluster("out/run/brokers", 3) as cluster:
        balancer = HAProxy("out/run/balancer", cluster.nodes)

Clients can reach it only through the balancer, because the nodes require its PROXY header.
"""

import contextlib
import json
import os
import resource
import secrets
import signal
import socket
from pathlib import Path

import servers  # puts ingest/ on the module path

import definitions
import haproxy
import motes
import nodes as list_of_nodes
import rabbitmq


class Node(servers.RabbitMQ):
    """One broker of a cluster."""

    n_ports = 5
    plugins = rabbitmq.PLUGINS
    scripts = rabbitmq.SCRIPTS
    greeting = bytes.fromhex(haproxy.PROXY_HEADER) + servers.RabbitMQ.greeting

    def __init__(self, directory, name, cluster, root=None):
        self.name = name
        super().__init__(directory, mapper=cluster.mapper, root=root)
        self.cluster = cluster

    def listed(self):
        """Returns its entry in the list of nodes."""
        amqp, _distribution, mqtt, management, prometheus = map(str, self.ports)
        return list_of_nodes.Broker(self.name, self.host, amqp, mqtt, management, prometheus, self.node)

    def configuration(self):
        return [rabbitmq.configuration(self.cluster.nodes, self.name, self.directory / "definitions.json")]

    def files(self):
        more = {"definitions.json": self.cluster.definitions, "home/.erlang.cookie": self.cluster.cookie}
        return {**super().files(), **more}

    def ready(self):
        """Whether the broker accepts MQTT clients, which it does last."""
        return super().ready() and servers.listens(self.host, self.ports[2])


class Cluster(servers.Startable):
    """Nodes that start and stop together; each can also be killed and started alone.

    `nodes` is the list from which all configurations are made. Brokers are added when their ports are known. One
    generator sends for all motes, so they share a user; motes in `mote_tokens` also have their own users. `root`: see
    servers.RabbitMQ.
    """

    def __init__(self, directory, count, nodes=None, root=None):
        self.directory = Path(directory).resolve()
        self.passwords_file = self.directory / "passwords"
        self.nodes = nodes or list_of_nodes.Nodes()
        self.nodes.motes["users"] = "shared"
        self.mote_tokens = {}
        self.mapper = servers.PortMapper(self.directory / "epmd.log")
        names = [f"rabbit-{i + 1}" for i in range(count)]
        self.members = [Node(self.directory / name, name, self, root) for name in names]
        self.cookie = secrets.token_hex(20)
        self.definitions = None
        self.passwords = {}

    def prepare(self):
        """Chooses ports, creates users, and makes the list of nodes."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for each in self.members:
            each.ports = each.ports or servers.free_ports(each.n_ports)
        self.nodes.brokers = [each.listed() for each in self.members]
        house = definitions.definitions(self.nodes, self.passwords_file)
        self.definitions = json.dumps(definitions.merged(house, motes.users(self.mote_tokens)))
        self.passwords = {**definitions.read_passwords(self.passwords_file), **self.mote_tokens}

    def begin(self):
        """Starts the first node first, because the others look for it when they start."""
        self.prepare()
        for each in self.members:
            each.begin()

    def await_ready(self):
        for each in self.members:
            each.await_ready()

    def stop(self):
        for each in reversed(self.members):
            each.stop()
        self.mapper.stop()


def descriptors():
    """The limit on open files. HAProxy needs two per connection and does not start with fewer."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


@contextlib.contextmanager
def short_path(directory):
    """A path of the directory that is short enough for a socket in it: the address of a socket has at most 107 bytes
    (unix(7))."""
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


class HAProxy(servers.Server):
    """The balancer for a list of nodes. It adds its own ports to the list when they are known."""

    name = "haproxy"
    listeners = ("amqp", "amqps", "mqtt", "mqtts", "http", "https")
    admin_socket = "admin.sock"  # relative to its directory: an absolute path may be too long for a socket
    n_ports = len(listeners) + 3

    def __init__(self, directory, nodes, certificates, listen=servers.HOST):
        """`certificates`: what ingest/make-certificates made. `listen`: the address of the motes' listeners; the others
        stay on this machine."""
        super().__init__(directory)
        self.nodes = nodes
        self.listen = listen
        self.certificates = Path(certificates).resolve()

    def enter(self):
        """Adds its addresses to the list of nodes."""
        inside, consumers, stats = self.ports[-3:]
        self.nodes.limits["connections"] = str(min(int(self.nodes.limits["connections"]), descriptors() // 2 - 100))
        ports = {name: str(port) for name, port in zip(self.listeners, self.ports)}
        self.nodes.balancer.update(
            ports,
            address=self.listen,
            inside=f"{self.host}:{inside}",
            consumers=f"{self.host}:{consumers}",
            stats=f"{self.host}:{stats}",
            # Relative to its working directory: an absolute path may contain characters that need quoting.
            certificate=os.path.relpath(self.certificates / "server.pem", self.directory),
            socket=f"unix@{self.admin_socket}",
        )

    @property
    def reached(self):
        """The address at which this machine reaches the motes' listeners."""
        return {"0.0.0.0": self.host, "::": "::1"}.get(self.listen, self.listen)

    def address(self, kind):
        """HOST:PORT of a listener, including "inside", "consumers" and "stats"."""
        value = self.nodes.balancer[kind]
        return value if ":" in value else list_of_nodes.place(self.reached, value)

    def files(self):
        self.enter()
        return {"haproxy.cfg": haproxy.configuration(self.nodes)}

    def argv(self):
        program = servers.find_program("haproxy", "run", "/usr/sbin/haproxy")
        return [program, "-W", "-S", "unix@master.sock,mode,600", "-f", self.directory / "haproxy.cfg"]

    def ready(self):
        try:
            return servers.http_request(self.ports[-1], "GET", "/metrics", timeout=5, host=self.host)[0] == 200
        except OSError:
            return False

    def command(self, text):
        """Sends a command to its admin socket; returns the answer. OSError also when the answer is cut off."""
        with short_path(self.directory) as directory, socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(f"{directory}/{self.admin_socket}")
            connection.sendall(text.encode() + b"\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        if not answer.endswith("\n\n"):  # HAProxy's management guide, 9.3: an empty line ends it
            raise ConnectionError(f"{text}: the answer is incomplete")
        return answer

    def up(self, backend):
        """The number of servers of the backend that are up."""
        rows = [line.split(",") for line in self.command("show stat").splitlines()]
        states = [row[17] for row in rows if row[0] == backend and row[1] != "BACKEND"]
        return sum(state.startswith("UP") for state in states)

    def pid(self):
        """The id of the current process."""
        lines = self.command("show info").splitlines()
        return next((line.split(": ")[1] for line in lines if line.startswith("Pid: ")), None)

    def reload(self):
        """Starts a new process with the current list of nodes. The old one ends with its last connection."""
        before = self.pid()
        self.write_files()
        self.process.send(signal.SIGUSR2)
        self.await_ready(lambda: self.reloaded(before))

    def reloaded(self, before):
        try:
            return self.pid() not in (None, before)
        except OSError:
            return False
