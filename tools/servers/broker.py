"""RabbitMQ: one node with its port mapper."""

import os
import socket
import subprocess

import rabbitmq

from .ports import HOST, free_ports
from .process import Process, ServerError
from .server import Server


class PortMapper:
    """A private Erlang port mapper. The one that Erlang starts by itself would keep running afterwards. Nodes may share
    it, and it can be restarted."""

    host = HOST
    words_before = ()

    def __init__(self, log):
        self.log = log
        self.port = None
        self.process = None

    def start(self):
        self.port = self.port or free_ports(1)[0]
        if self.process is None or not self.process.alive():
            argv = [*self.words_before, "epmd", "-port", self.port, "-address", self.host]
            self.process = Process(argv, self.log)

    def stop(self):
        if self.process is not None:
            self.process.stop()
            self.process = None


# Runs a command ($3 and the following arguments) in the root folder $1, with the folder $2 mounted at the same path
# inside.
IN_ROOT = """
mkdir -p "$1$2"
mount --bind "$2" "$1$2"
mount -t proc proc "$1/proc"
mount --bind /dev "$1/dev"
root=$1 directory=$2
shift 2
exec chroot "$root" sh -ec 'cd "$1"; shift; exec "$@"' sh "$directory" "$@"
"""


def other_rabbitmq():
    """The root folder of another Debian release, from which tests take a RabbitMQ of another series (docs/howto/upgrade.md
    says how to make one); None if there is none."""
    return os.environ.get("IR_RABBITMQ_ROOT") or None


def usual_rabbitmq():
    """The root folder of the RabbitMQ to use; None: the host's. IR_RABBITMQ=other selects that of other_rabbitmq(), so
    that everything can be tested with either release series."""
    if os.environ.get("IR_RABBITMQ") != "other":
        return None
    if other_rabbitmq() is None:
        raise ServerError("IR_RABBITMQ=other: IR_RABBITMQ_ROOT must name the root folder that has it")
    return other_rabbitmq()


class RabbitMQ(Server):
    """One node, with its own port mapper unless one is given."""

    name = "rabbitmq"
    n_ports = 2
    folders = ("home",)
    script = "/usr/lib/rabbitmq/bin/rabbitmq-server"
    plugins = rabbitmq.PLUGINS[:1]
    scripts = (rabbitmq.STAMP,)  # empty: a broker that does not stamp arriving messages
    greeting = b"AMQP\0\0\x09\x01"
    machine = "localhost"  # the name by which the other nodes find this host

    def __init__(self, directory, plugins=(), settings=(), mapper=None, root=None):
        """`root`: the root folder of another system, whose RabbitMQ is run (as root, in a mount namespace)."""
        super().__init__(directory)
        self.more_plugins = tuple(plugins)
        self.root = root or usual_rabbitmq()
        self.settings = tuple(settings)
        self.own_mapper = None if mapper else PortMapper(self.directory / "epmd.log")
        self.mapper = mapper or self.own_mapper

    @property
    def uri(self):
        return f"amqp://{self.host}:{self.port}"

    @property
    def node(self):
        """The Erlang name of the node."""
        return f"rabbit-{self.port}@{self.machine}"

    def configuration(self):
        """The lines of rabbitmq.conf."""
        return [f"listeners.tcp.1 = {self.host}:{self.port}", *self.settings]

    def files(self):
        common = ["disk_free_limit.absolute = 50MB", "raft.wal_max_size_bytes = 67108864", "log.file = node.log",
                  "log.file.level = info"]
        return {
            "enabled_plugins": f"[{','.join(self.plugins + self.more_plugins)}].\n",
            "rabbitmq.conf": "\n".join([*common, *self.configuration(), ""]),
            **{each.name: each.read_text() for each in self.scripts},
        }

    def in_root(self, *words):
        """The command that runs these words in the root folder in which this RabbitMQ is installed."""
        if self.root is None:
            return [*words]
        places = [self.root, str(self.directory)]
        return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", IN_ROOT, "sh", *places, *words]

    def argv(self):
        return self.in_root(self.script)

    def environment(self):
        inside = f"-kernel inet_dist_use_interface {{{self.host.replace('.', ',')}}}"
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(self.directory / "home"),
            "ERL_EPMD_PORT": str(self.mapper.port),
            "ERL_EPMD_ADDRESS": self.host,
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODE_IP_ADDRESS": self.host,
            "RABBITMQ_DIST_PORT": str(self.ports[1]),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.directory / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            **(rabbitmq.environment(self.scripts, more=inside) if self.scripts
               else {"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": inside}),
            # The script then becomes the node instead of waiting for it.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def launch(self):
        if not os.access((self.root or "") + self.script, os.X_OK):
            raise ServerError(f"{self.script} is not there; run tools/install run")
        self.check_data()
        self.mapper.start()
        return super().launch()

    def check_data(self):
        """Checks that this RabbitMQ can start on the existing data, which depends on the release series of both."""
        argv = [rabbitmq.CHECK_DATA, self.directory / "mnesia", (self.root or "") + "/usr/lib/rabbitmq/lib"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode != 0:
            raise ServerError(f"{self.name}: {done.stderr.strip()}")

    def ready(self):
        """Whether the broker answers with the first frame of AMQP."""
        try:
            with socket.create_connection((self.host, self.port), 2) as connection:
                connection.settimeout(5)
                connection.sendall(self.greeting)
                return connection.recv(1) == b"\x01"
        except OSError:
            return False

    def stop(self):
        super().stop()
        self.stop_mapper()

    def kill(self):
        super().kill()
        self.stop_mapper()

    def stop_mapper(self):
        if self.own_mapper is not None:
            self.own_mapper.stop()

    def control(self, *words):
        """Runs rabbitmqctl against this node; returns what it prints."""
        argv = [*self.words_before, *self.in_root("/usr/lib/rabbitmq/bin/rabbitmqctl", "-q", *words)]
        done = subprocess.run(argv, env=self.environment(), capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise ServerError(f"rabbitmqctl {' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def partitions(self):
        """Returns the peers that this node considers partitioned, as Erlang writes a list; "" while the node restarts."""
        try:
            return self.control("eval", "rabbit_node_monitor:partitions().").strip()
        except (ServerError, subprocess.TimeoutExpired):
            return ""
