"""Private servers for runs and tests: RabbitMQ, MongoDB, Fuseki, Oxigraph, Virtuoso.

Each lives below one directory, listens only on free ports of 127.0.0.1, and is ready when start() returns. However this
program ends, each is stopped by the id of the process group that was started:

    with RabbitMQ("out/run/rabbitmq") as broker:
        print(broker.uri)

Only Python's standard library is used, because `make run` needs this module on machines without any other.
"""

import atexit
import contextlib
import fcntl
import functools
import http.client
import itertools
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "ingest"))

import guard  # noqa: E402
import rabbitmq  # noqa: E402

HOST = "127.0.0.1"
LOWEST_PORT = 10000
_reserved = set()
START_SECONDS = float(os.environ.get("IR_SERVER_SECONDS", "120"))
STOP_SECONDS = 20
TAIL_LINES = 25
# Otherwise MongoDB's client library would keep its counters in a file in /dev/shm. A killed program leaves that file
# behind, and a later program with the same process id complains about it.
os.environ.setdefault("MONGOC_DISABLE_SHM", "1")


class ServerError(guard.Fault):
    """A server cannot be found, started or reached; the text says what to do."""


def cache_directory():
    """Where tools/install keeps software without a Debian package."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "intelligent-river"
    return Path(os.environ.get("IR_CACHE") or default)


def free_ports(count, avoid=()):
    """Ports that nothing listens on now, all different, none of `avoid`; below those that the kernel gives to outgoing
    connections, so that none of these takes one before it is used, or while its server is down. They are this program's
    until it ends: nobody gets them from here again."""
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = range(LOWEST_PORT, low if low > 12000 else 65536)
    shuffled = (port for port in random.sample(ports, len(ports)) if port not in avoid)
    return list(itertools.islice((port for port in shuffled if reserve(port) and not port_fault(HOST, port)), count))


def reserve(port):
    """Whether the port became this program's, by a lock on the byte of that number in a file of the user's programs."""
    if port in _reserved:
        return False
    try:
        fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except (BlockingIOError, PermissionError):
        return False
    _reserved.add(port)
    return True


@functools.cache
def _reservations():
    path = cache_directory() / "ports"
    path.parent.mkdir(parents=True, exist_ok=True)
    return open(path, "ab")  # the kernel closes it, and ends the locks


def port_fault(host, port):
    """Why nothing can listen there, an errno; 0: it can."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((host, port))
            one.listen()
        except OSError as error:
            return error.errno
    return 0


def listens(host, port):
    """Whether something accepts connections there."""
    try:
        socket.create_connection((host, port), 2).close()
    except OSError:
        return False
    return True


def tail(path, lines=TAIL_LINES):
    """The end of a log file, for a message."""
    try:
        text = Path(path).read_text(errors="replace").splitlines()
    except OSError as error:
        return f"(no log: {error})"
    return "\n".join("    " + line for line in text[-lines:]) or "    (the log is empty)"


_running = []
_journal = None


def record_in(path, more=False):
    """From now on every process that is started is also noted in this file, a line "ID START" each, so that others find
    them however this program ends. `more`: beside those that are noted there."""
    global _journal  # noqa: PLW0603 - one for the program
    _journal = Path(path)
    if not more:
        write_private(_journal, f"{boot_id()}\n")


def recorded(path):
    """[(process id, start time)] that the file of record_in() tells, the first started first; none of before a reboot."""
    try:
        boot, *lines = Path(path).read_text().splitlines()
    except (FileNotFoundError, ValueError):
        return []
    pairs = [tuple(int(word) for word in line.split()) for line in lines] if boot == boot_id() else []
    return [pair for pair in pairs if len(pair) == 2]


def boot_id():
    """The kernel's name for its present run."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def stop_all():
    """Stops every process that still exists, the last started first."""
    while _running:
        _running[-1].stop()


atexit.register(stop_all)


def kill_all():
    """Kills every process that still exists, whatever becomes of its data."""
    while _running:
        _running[-1].kill()


def let_go():
    """Leaves everything running when this program ends. Returns [(process id, start time)], the first started first."""
    kept = [(each.pid, start_time(each.pid)) for each in _running]
    _running.clear()
    return kept


def start_time(pid):
    """The start time of a process in the kernel's ticks, which distinguishes it from a later process with the same id.
    None when the process is gone, or dead but not yet waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def stop_kept(kept, seconds=60):
    """Stops what let_go() left running, the last started first. Returns how many still existed."""
    found = 0
    for pid, started in reversed(kept):
        if started is None or start_time(pid) != started:
            continue
        found += 1
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while start_time(pid) == started and time.monotonic() < deadline:
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    return found


def wait_until(condition, seconds, check=lambda: None, pause=0.05):
    """Whether the condition became true within `seconds`. Meanwhile check() may raise."""
    deadline = time.monotonic() + seconds
    while not condition():
        check()
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def write_private(path, text):
    """Writes a file that may hold secrets."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def stop_on_signals(end=lambda number: sys.exit(128 + number)):
    """Makes INT, TERM and HUP end the program with SystemExit, or as `end` does, so that everything is stopped."""

    def leave(number, _frame):
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        os.write(2, b"stopping what was started\n")
        end(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)


class Process:
    """A child in its own session, with its output in a log file (None: this program's output)."""

    def __init__(self, argv, log, env=None, cwd=None, stdout=None):
        self.argv = [str(word) for word in argv]
        with contextlib.ExitStack() as stack:
            output = None
            if log is not None:
                Path(log).parent.mkdir(parents=True, exist_ok=True)
                output = stack.enter_context(open(log, "ab"))
            try:
                self.child = subprocess.Popen(
                    self.argv,
                    stdin=subprocess.DEVNULL,
                    stdout=stdout or output,
                    stderr=output,
                    env=env,
                    cwd=cwd,
                    start_new_session=True,
                )
            except OSError as error:
                raise ServerError(f"cannot start {self.argv[0]}: {error.strerror}") from error
        self.pid = self.child.pid
        _running.append(self)
        if _journal is not None:
            with open(_journal, "a", encoding="utf-8") as file:
                file.write(f"{self.pid} {start_time(self.pid) or 0}\n")

    def alive(self):
        return self.child.poll() is None

    def send(self, number):
        """Sends a signal to the process itself."""
        if self.alive():
            self.child.send_signal(number)

    def send_group(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def group_ended(self):
        """Whether no process of its group is left."""
        self.child.poll()  # else it would stay, as one that is dead
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def wait(self, seconds):
        """The exit status, or None if it still runs after `seconds`."""
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, seconds=STOP_SECONDS):
        """Sends TERM, then KILL to the rest of the process group. Returns the exit status."""
        if self in _running:
            _running.remove(self)
        self.send(signal.SIGTERM)
        self.wait(seconds)
        self.send_group(signal.SIGKILL)
        return self.wait(STOP_SECONDS)

    def kill(self):
        """Kills the whole group at once, like a crash."""
        if self in _running:
            _running.remove(self)
        self.send_group(signal.SIGKILL)
        return self.wait(STOP_SECONDS)


class Startable:
    """Something that starts in two steps, begin() and await_ready(), so that several can start in parallel."""

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def begin(self):
        raise NotImplementedError

    def await_ready(self):
        raise NotImplementedError

    def stop(self):
        raise NotImplementedError

    def start(self):
        """Starts it and waits until it is ready. On failure nothing of it remains."""
        try:
            self.begin()
            self.await_ready()
        except BaseException:
            self.stop()
            raise


class Server(Startable):
    """What all servers share. A server can be stopped and started again; ports and data stay."""

    name = "server"
    host = HOST
    words_before = ()  # a prefix for its command, such as one that enters a network namespace
    n_ports = 1
    folders = ()  # made below its directory before it starts

    def __init__(self, directory):
        self.directory = Path(directory).resolve()
        self.log = self.directory / f"{self.name}.log"
        self.process = None
        self.ports = []

    # ---- what it runs with ----

    def files(self):
        """{name below its directory: text}."""
        return {}

    def argv(self):
        raise NotImplementedError

    def environment(self):
        """Its environment; None: this program's."""
        return None

    # ---- running it ----

    @property
    def port(self):
        return self.ports[0]

    def begin(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        if not self.ports:
            self.ports = free_ports(self.n_ports)
        self.process = self.launch()

    def stop(self):
        if self.process is not None:
            self.process.stop()
            self.process = None

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process = None

    def restart(self):
        self.stop()
        self.start()

    def launch(self):
        for name in self.folders:
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        self.write_files()
        return Process([*self.words_before, *self.argv()], self.log, env=self.environment(), cwd=self.directory)

    def write_files(self):
        for name, text in self.files().items():
            write_private(self.directory / name, text)

    def ready(self):
        raise NotImplementedError

    def await_ready(self, ready=None):
        if not wait_until(ready or self.ready, START_SECONDS, self.check):
            raise self.error(f"is not ready after {START_SECONDS:.0f} s")

    def check(self):
        """Raises unless it runs."""
        if not self.process.alive():
            raise self.error(f"ended with status {self.process.child.returncode}")

    def error(self, what):
        return ServerError(f"{self.name} {what}; {self.log} ends:\n{tail(self.log)}")


def find_program(name, package, *more):
    """The path of a program; an error names the package it belongs to."""
    for candidate in (*more, name):
        path = shutil.which(candidate)
        if path:
            return path
    raise ServerError(f"{name} is not there; run tools/install {package}")


# ---- RabbitMQ ----


class PortMapper:
    """A private Erlang port mapper, because the usual one would keep running. Nodes may share it; it can be
    restarted."""

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


# Runs the arguments from $3 on in the root folder $1, with the folder $2 mounted at the same path inside.
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
    """The root folder of the default RabbitMQ; None: the host's. IR_RABBITMQ=other selects the other one, so that
    everything can be tried with either series."""
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
    machine = "localhost"  # the host's name, as the other nodes find it

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
        common = ["disk_free_limit.absolute = 50MB", "raft.wal_max_size_bytes = 67108864", "log.file.level = info"]
        return {
            "enabled_plugins": f"[{','.join(self.plugins + self.more_plugins)}].\n",
            "rabbitmq.conf": "\n".join([*common, *self.configuration(), ""]),
            **{each.name: each.read_text() for each in self.scripts},
        }

    def in_root(self, *words):
        """The command that runs these words in the root where this RabbitMQ is installed."""
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
            "RABBITMQ_LOGS": str(self.directory / "log" / "node.log"),
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


# ---- MongoDB ----


def _bson_value(name, value):
    key = name.encode() + b"\0"
    if isinstance(value, bool):
        return b"\x08" + key + bytes([value])
    if isinstance(value, int):
        return b"\x10" + key + struct.pack("<i", value)
    if isinstance(value, str):
        text = value.encode() + b"\0"
        return b"\x02" + key + struct.pack("<i", len(text)) + text
    if isinstance(value, list):
        return b"\x04" + key + _bson({str(i): each for i, each in enumerate(value)})
    return b"\x03" + key + _bson(value)


def _bson(document):
    body = b"".join(_bson_value(name, value) for name, value in document.items())
    return struct.pack("<i", len(body) + 5) + body + b"\0"


DONE = b"\x01ok\0" + struct.pack("<d", 1.0)  # in the answer to a command that succeeded


class MongoDB(Server):
    """A replica set of one member. With `user` and `password`, every client must log in.

    The few commands for its setup are encoded by hand here, so that no driver is needed.
    """

    name = "mongod"

    folders = ("data",)

    def __init__(self, directory, user=None, password=None, cache_gb=0.5):
        super().__init__(directory)
        self.user, self.password, self.cache_gb = user, password, cache_gb
        self.key = os.urandom(48).hex()
        self.set_up = False

    @property
    def uri(self):
        login = f"{self.user}@" if self.user else ""
        return f"mongodb://{login}{self.host}:{self.port}/river?replicaSet=rs0" + ("&authSource=admin" if login else "")

    @staticmethod
    def program():
        named = os.environ.get("MONGOD")
        return find_program("mongod", "mongodb", *([named] if named else []), str(cache_directory() / "bin" / "mongod"))

    def files(self):
        return {"key": self.key} if self.user else {}

    def argv(self):
        argv = [self.program(), "--replSet", "rs0", "--bind_ip", self.host, "--port", self.port]
        argv += ["--dbpath", self.directory / "data"]
        argv += ["--nounixsocket", "--wiredTigerCacheSizeGB", self.cache_gb, "--oplogSize", "256"]
        return [*argv, "--keyFile", self.directory / "key"] if self.user else argv

    def command(self, document, database="admin"):
        """The raw answer to one command."""
        body = struct.pack("<iB", 0, 0) + _bson({**document, "$db": database})
        with socket.create_connection((self.host, self.port), 5) as connection:
            connection.settimeout(60)
            connection.sendall(struct.pack("<iiii", len(body) + 16, 1, 0, 2013) + body)
            stream = connection.makefile("rb")
            (size,) = struct.unpack("<i", stream.read(4))
            return stream.read(size - 4)

    def ready(self):
        try:
            return DONE in self.command({"hello": 1})
        except (OSError, struct.error):
            return False

    def writable(self):
        try:
            return b"\x08isWritablePrimary\0\x01" in self.command({"hello": 1})
        except (OSError, struct.error):
            return False

    def await_ready(self, ready=None):
        super().await_ready()
        if not self.set_up:
            members = [{"_id": 0, "host": f"{self.host}:{self.port}"}]
            self.command({"replSetInitiate": {"_id": "rs0", "members": members}})
        super().await_ready(self.writable)
        if not self.set_up and self.user:
            self.command({"createUser": self.user, "pwd": self.password, "roles": ["root"]})
        self.set_up = True


# ---- graph stores ----


def http_request(port, method, path, body=None, headers=None, timeout=60, host=HOST):
    """(status, body) of one request."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class GraphServer(Server):
    """A SPARQL server. Queries go to query_path; `uri` has the form that the settings expect."""

    query_path = "/query"
    strategy = "quads"

    def select(self, query):
        """The rows of the CSV answer, without the header."""
        body = urllib.parse.urlencode({"query": query})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/csv"}
        status, text = http_request(self.port, "POST", self.query_path, body, headers, 300, self.host)
        if status != 200:
            raise ServerError(f"{self.name}: query refused with status {status}: {text[:300]!r}")
        return [line.split(",") for line in text.decode().splitlines()[1:]]

    def count(self, pattern):
        """The result of SELECT (COUNT(*) …) for a pattern."""
        return int(self.select(f"SELECT (COUNT(*) AS ?n) WHERE {{ {pattern} }}")[0][0].strip('"'))

    def ready(self):
        try:
            path = self.query_path + "?query=ASK%7B%7D"
            return http_request(self.port, "GET", path, timeout=5, host=self.host)[0] == 200
        except (OSError, http.client.HTTPException):
            return False


class Fuseki(GraphServer):
    """Apache Jena's server over TDB2."""

    name = "fuseki"
    folders = ("data",)
    query_path = "/ir/query"

    @property
    def uri(self):
        return f"sparql+http://{self.host}:{self.port}/ir?strategy={self.strategy}"

    @staticmethod
    def jar():
        path = Path(os.environ.get("FUSEKI_JAR") or cache_directory() / "fuseki" / "fuseki-server.jar")
        if not path.is_file():
            raise ServerError(f"{path} is not there; run tools/install fuseki")
        return path

    def argv(self):
        # With few cores the serial collector leaves more of them to other programs: a sixth less CPU for the same
        # triples.
        options = [f"-Xmx{os.environ.get('FUSEKI_HEAP', '1g')}", "-XX:+UseSerialGC"]
        java = [find_program("java", "fuseki"), *options, "-jar", self.jar()]
        where = ["--localhost"] if self.host == HOST else []
        return [*java, "--port", self.port, *where, "--compact", "--update", "--tdb2", f"--loc={self.directory / 'data'}", "/ir"]


class Oxigraph(GraphServer):
    name = "oxigraph"

    @property
    def uri(self):
        return (
            f"sparql+http://{self.host}:{self.port}/store?strategy={self.strategy}"
            "&query=/query&update=/update&store=/store"
        )

    @staticmethod
    def program():
        return find_program("oxigraph", "oxigraph", str(cache_directory() / "bin" / "oxigraph"))

    def argv(self):
        bind = f"{self.host}:{self.port}"
        return [self.program(), "serve", "--location", self.directory / "data", "--bind", bind]


VIRTUOSO_INI = """\
[Database]
DatabaseFile = virtuoso.db
ErrorLogFile = virtuoso.log
LockFile = virtuoso.lck
TransactionFile = virtuoso.trx
xa_persistent_file = virtuoso.pxa
ErrorLogLevel = 7
FileExtend = 200
MaxCheckpointRemap = 2000
Striping = 0
TempStorage = TempDatabase

[TempDatabase]
DatabaseFile = virtuoso-temp.db
TransactionFile = virtuoso-temp.trx
MaxCheckpointRemap = 2000
Striping = 0

[Parameters]
ServerPort = {host}:{port_sql}
ServerThreads = 20
CheckpointInterval = 60
CheckpointSyncMode = 2
NumberOfBuffers = 40000
MaxDirtyBuffers = 30000
DirsAllowed = .
DefaultIsolation = 2
TransactionAfterImageLimit = 500000000
ThreadsPerQuery = 2

[HTTPServer]
ServerPort = {host}:{port_http}
ServerThreads = 10
MaxKeepAlives = 10
KeepAliveTimeout = 10
HTTPThreadSize = 280000

[Client]
SQL_PREFETCH_ROWS = 100

[SPARQL]
ResultSetMaxRows = 100000000
MaxQueryCostEstimationTime = 0
MaxQueryExecutionTime = 0
"""


class Virtuoso(GraphServer):
    name = "virtuoso"
    n_ports = 2
    query_path = "/sparql"
    strategy = "update"
    password = "dba"

    already_granted = "U0013"  # its code for a role that the user has, as when it starts on data of before

    def __init__(self, directory):
        super().__init__(directory)
        self.granted = False

    @property
    def uri(self):
        return (
            f"sparql+http://{self.host}:{self.port}/sparql?strategy={self.strategy}"
            "&query=/sparql&update=/sparql"
        )

    def files(self):
        ports = {"port_http": self.ports[0], "port_sql": self.ports[1]}
        return {"virtuoso.ini": VIRTUOSO_INI.format(host=self.host, **ports)}

    def argv(self):
        return [find_program("virtuoso-t", "virtuoso"), "+foreground", "+configfile", self.directory / "virtuoso.ini"]

    def launch(self):
        (self.directory / "virtuoso.lck").unlink(missing_ok=True)
        return super().launch()

    def sql(self, statement):
        argv = [find_program("isql-vt", "virtuoso"), f"{self.host}:{self.ports[1]}", "dba", self.password]
        argv.append(f"exec={statement}")
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        said = done.stdout + done.stderr
        if (done.returncode != 0 or "*** Error" in said) and self.already_granted not in said:
            raise ServerError(f"virtuoso: {statement}: {said.strip()}")
        return done.stdout

    def await_ready(self, ready=None):
        super().await_ready()
        if not self.granted:
            self.sql('GRANT SPARQL_UPDATE TO "SPARQL";')
            # Virtuoso 7.2.12, unlike 7.2.5, also checks that the user may write to the graph: allow it for everybody.
            self.sql("DB.DBA.RDF_DEFAULT_USER_PERMS_SET('nobody', 7);")
            self.granted = True


DOCUMENT_SERVERS = {"mongodb": MongoDB}
GRAPH_SERVERS = {"fuseki": Fuseki, "oxigraph": Oxigraph, "virtuoso": Virtuoso}
