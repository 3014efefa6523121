"""A user's own stack: make up, down, registry and load in a separate folder, as a user types them."""

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import harness
from harness import servers, wait_for

import load
import river

HEAD = """\
@prefix ir: <https://intelligent-river.example/ns#> .
@prefix sosa: <http://www.w3.org/ns/sosa/> .
@prefix qudt: <http://qudt.org/schema/qudt/> .
@prefix unit: <http://qudt.org/vocab/unit/> .
"""
MOTE = """\
<mote/{0}> a sosa:Platform ; ir:moteId "{0}" ; ir:featureOfInterest <feature/elbe> .
<sensor/{0}> a sosa:Sensor ; sosa:isHostedBy <mote/{0}> ; ir:senmlName "{0}/level" ; sosa:observes <property/level> ;
    qudt:hasUnit unit:M .
"""


def registry(path, *motes):
    path.write_text(HEAD + "".join(MOTE.format(each) for each in motes))
    return path


class River:
    """Runs the commands on one folder, whose name contains a space."""

    def __init__(self, directory):
        self.folder = directory / "my river"
        self.environment = {**os.environ, "DATA": str(self.folder), "IR_BUILD": str(harness.BUILD), "WORKERS": "1", "GATEWAYS": "1"}

    def call(self, script, *words, **variables):
        """Returns (status, output, errors)."""
        done = subprocess.run([sys.executable, harness.ROOT / "tools" / script, *words], env={**self.environment, **variables},
                              capture_output=True, text=True, check=False, timeout=300, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr

    def good(self, script, *words, **variables):
        status, text, errors = self.call(script, *words, **variables)
        assert status == 0, errors + text
        return text

    def refused(self, script, *words, lines=1, **variables):
        """Runs a command that must fail; returns its message, which must have this number of lines."""
        status, text, errors = self.call(script, *words, **variables)
        assert status in (1, 2) and errors.count("\n") == lines, text + errors
        return errors

    def sqlite(self, query):
        with contextlib.closing(sqlite3.connect(f"file:{self.folder}/documents.sqlite?mode=ro", uri=True, timeout=30)) as database:
            return database.execute(query).fetchall()

    def stored(self):
        return self.sqlite("SELECT count(*) FROM observations")[0][0]

    def state(self):
        return json.loads((self.folder / "stack.json").read_text())

    def kept(self):
        """Returns the files that must be the same after the next start."""
        return [(self.folder / name).read_text() for name in ("river.json", "mote-tokens", "brokers/passwords")]

    def ids(self):
        """Returns {mote: token}."""
        return dict(line.split() for line in (self.folder / "mote-tokens").read_text().splitlines())

    def kill(self):
        for pid, _ in self.state()["processes"]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        wait_for(lambda: all(servers.start_time(pid) is None for pid, _ in self.state()["processes"]), "their end")


@pytest.fixture
def mine():
    """A folder for a user's stack. It is outside of out/, where no such folder is allowed."""
    with tempfile.TemporaryDirectory(prefix="river-") as folder:
        made = River(Path(folder))
        yield made
        made.good("up.py", "down")


def commands(text):
    """Returns the printed commands that send, by the heading above them."""
    found = re.split(r"^# (\w+), with \w+\n", text.split("each of these commands stores one:\n")[1].split("\nEach mote's token")[0], flags=re.M)
    return dict(zip(found[1::2], found[2::2]))


def paste(command):
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def tapping(text, log):
    """Runs the printed command that shows passing messages, until it prints one line."""
    command = text.split("(--rate: figures)\n")[1].split("\n")[0]
    with open(log, "wb") as errors, subprocess.Popen(["bash", "-c", f"exec {command} --limit=1"], stdout=subprocess.PIPE,
                                                     stderr=errors, text=True) as tap:
        try:
            wait_for(lambda: "listening" in log.read_text(), "the tap to listen")
            yield tap
        finally:
            tap.kill()


def test_the_first_hour(mine, tmp_path):
    """The printed commands work when pasted. After a crash all data are still there. The registry can change while the
    stack runs."""
    file = registry(tmp_path / "gauges.ttl", "elbe-dresden")
    text = mine.good("up.py", "up", REGISTRY=str(file))
    assert "a new river" in text and "this machine only" in text and "make up DATA=DIR GRAPH=oxigraph" in text
    by_protocol = commands(text)
    assert list(by_protocol) == ["HTTP", "MQTT", "AMQP"]
    for name, command in by_protocol.items():
        command = command.replace("/usr/bin/python3", shlex.quote(sys.executable))
        assert " 202 " in paste(command) if name == "HTTP" else paste(command) is not None
    wait_for(lambda: mine.stored() == 3, "three observations")
    kept = mine.kept()
    assert "runs already" in mine.good("up.py", "up")

    mine.kill()
    text = mine.good("up.py", "up")
    assert "continuing" in text and mine.kept() == kept and mine.stored() == 3
    with tapping(text, tmp_path / "tap.log") as tap:
        paste(commands(text)["HTTP"])
        assert tap.communicate(timeout=60)[0].split()[1:3] == ["elbe-dresden", "jsonld"]
    wait_for(lambda: mine.stored() == 4, "one more after the crash")

    registry(file, "elbe-dresden", "elbe-pirna")
    assert "2 motes" in mine.good("up.py", "registry", FILE=str(file))
    token = mine.ids()["elbe-pirna"]
    paste(commands(text)["HTTP"].replace(mine.ids()["elbe-dresden"], token).replace("elbe-dresden", "elbe-pirna"))
    wait_for(lambda: mine.sqlite("SELECT count(*) FROM readable WHERE mote = 'elbe-pirna'")[0][0] == 1, "the new mote's")
    other = registry(tmp_path / "other.ttl", "elbe-pirna")
    said = mine.refused("up.py", "registry", FILE=f"{file},{other}", lines=3)
    assert "other.ttl:5: ir:moteId of <mote/elbe-pirna> is given in two files" in said and "gauges.ttl:8" in said


def test_what_is_refused(mine):
    """Each refusal changes nothing and says what to do."""
    letter = mine.folder.with_name("full") / "letter"
    letter.parent.mkdir()
    letter.touch()
    assert "choose another folder with DATA=DIR" in mine.refused("up.py", "up", DATA=str(letter.parent), FRESH="1")
    assert letter.exists()
    assert "there is no file" in mine.refused("up.py", "up", REGISTRY="none.ttl")
    assert "no such address" in mine.refused("up.py", "up", LISTEN="192.0.2.1")
    mine.good("up.py", "up")
    assert "make registry FILE=a.ttl" in mine.refused("up.py", "up", REGISTRY="a.ttl")
    assert "make down" in mine.refused("up.py", "up", FRESH="1")
    mine.good("up.py", "down")
    assert "FRESH=1" in mine.refused("up.py", "up", DOCUMENTS="mongodb")
    assert "start one with: make up" in mine.refused("load.py")
    port = json.loads(mine.kept()[0])["ports"]["gateway-1"][0]
    with socket.create_server(("127.0.0.1", port)):
        said = mine.refused("up.py", "up")
        assert f"port {port} of gateway-1" in said and "river.json" in said
    kept = next(mine.folder.glob("registry/*.ttl"))
    for wrong, says in ({"REGISTRY": "none.ttl"}, "there is no file"), ({"FORMATS": "xml"}, "FORMATS"), (
            {"LISTEN": "192.0.2.1"}, "no such address"), ({"REGISTRY": str(kept)}, "copy it out of there first"):
        assert says in mine.refused("up.py", "up", FRESH="1", **wrong)
        assert kept.exists() and (mine.folder / "documents.sqlite").exists()
    text = mine.good("up.py", "up", FRESH="1", GRAPH="null")
    assert "lost are:" in text and "documents.sqlite" in text


def test_simulated_motes_leave_the_users_alone(mine, tmp_path):
    """A load's motes are registered while it lasts. Observations of the user's motes do not count as foreign. A purge
    removes the load's data."""
    text = mine.good("up.py", "up", REGISTRY=str(registry(tmp_path / "gauges.ttl", "elbe-dresden")))
    paste(commands(text)["HTTP"])
    load = {"MOTES": "5", "RATE": "50", "DURATION": "2"}
    for _ in range(2):
        text = mine.good("load.py", **load)
        assert "simulated observations enter the same stores" in text and "0 missing, 0 doubled, 0 foreign" in text
    assert [each.name for each in (mine.folder / "registry").iterdir()] == ["gauges.ttl"]
    assert "sim-" not in (mine.folder / "tokens").read_text()
    simulated = mine.stored() - 1
    assert simulated > 100
    description = mine.state()["description"]
    purge = [harness.BUILD / "ir-store", "purge", "--mote=sim-*", *(f"--{key}={description[key]}" for key in ("documents", "graph"))]
    assert f"would remove" in subprocess.check_output(purge, text=True) and mine.stored() == simulated + 1
    assert f"removed " in subprocess.check_output([*purge, "--yes"], text=True)
    mine.good("up.py", "down")
    assert mine.sqlite("SELECT DISTINCT mote FROM readable") == [("elbe-dresden",)]
    assert mine.sqlite("SELECT count(*) FROM raw") == [(1,)]
    mine.good("up.py", "up")
    assert "0 missing, 0 doubled, 0 foreign" in mine.good("load.py", **load)


def test_what_waits_keeps_its_motes(mine, tmp_path):
    """Messages of a load that still wait at its end are not refused: the load's motes stay in the registry until the
    workers have processed them."""
    mine.good("up.py", "up", GATEWAYS="0", REGISTRY=str(registry(tmp_path / "gauges.ttl", "elbe-dresden")))
    description, simulated = mine.state()["description"], mine.folder / "registry" / river.SIMULATED
    worker = description["workers"][0]["pid"]
    pauses = [worker]
    one = load.Load(description, mine.folder / "load-001", "amqp", lambda: pauses and os.kill(pauses.pop(), signal.SIGSTOP))
    one.drain_seconds = 2
    try:
        one.simulate(3, 1, ["--rate=30", "--duration=2s"])
        assert simulated.exists() and not pauses
    finally:
        os.kill(worker, signal.SIGCONT)
    assert one.withdraw(60) is None and not simulated.exists()
    assert mine.stored() > 30
    assert mine.sqlite("SELECT count(*) FROM raw WHERE refusals IS NOT NULL") == [(0,)]


def test_a_load_goes_on_when_a_process_dies(mine, tmp_path):
    mine.good("up.py", "up", GATEWAYS="2", REGISTRY=str(registry(tmp_path / "gauges.ttl", "elbe-dresden")))
    gateway = mine.state()["description"]["gateways"][1]
    argv = [sys.executable, harness.ROOT / "tools" / "load.py"]
    environment = {**mine.environment, "MOTES": "5", "RATE": "50", "DURATION": "6", "VIA": "amqp"}
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        wait_for(lambda: mine.stored() > 20, "the load")
        os.kill(gateway["pid"], signal.SIGKILL)
        text = running.communicate(timeout=200)[0]
    assert running.returncode == 1 and "ENDED: gateway-2" in text and "0 missing, 0 doubled, 0 foreign" in text
    assert "gateway-2 ended meanwhile" in text and "make up" in text


def test_names_of_simulated_motes_are_the_loads(mine, tmp_path):
    mine.good("up.py", "up", REGISTRY=str(registry(tmp_path / "gauges.ttl", "sim-mine")))
    assert "has the mote sim-mine" in mine.refused("load.py")


def test_ports_last():
    """The ports are all different, and below those that the kernel uses for outgoing connections."""
    ports = servers.free_ports(50, {20000})
    low = int(open("/proc/sys/net/ipv4/ip_local_port_range").read().split()[0])
    assert len(set(ports)) == 50 and all(port < low for port in ports) and 20000 not in ports


def test_a_port_is_one_programs_while_it_lives():
    """A port is reserved for a program as long as the program runs, even before it listens there."""
    offered = servers.free_ports(2)
    text = "import random, servers; random.sample = lambda *_: {}; print(servers.free_ports(2))"

    def others(ports):
        done = subprocess.run([sys.executable, "-c", text.format(ports)], cwd=harness.ROOT / "tools", capture_output=True,
                              text=True, timeout=60, check=True)
        return json.loads(done.stdout)

    assert others(offered) == []
    with subprocess.Popen([sys.executable, "-c", "import servers; print(servers.free_ports(2), flush=True); input()"],
                          cwd=harness.ROOT / "tools", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        held = json.loads(other.stdout.readline())
        assert others(held) == []
        other.communicate("\n", timeout=60)
    assert others(held) == held


@pytest.mark.parametrize("name", servers.GRAPH_SERVERS)
def test_a_graph_server_goes_on_with_its_data(name, tmp_path):
    """The server starts twice on the same data, as with two calls of make up."""
    for _ in range(2):
        with servers.GRAPH_SERVERS[name](tmp_path / name):
            pass


def test_a_reboot_ends_everything(tmp_path, monkeypatch):
    """A file with process ids is valid only until the machine reboots."""
    made = river.River(tmp_path)
    monkeypatch.setattr(servers.process, "_journal", None)
    servers.record_in(made.processes)
    process = servers.Process(["sleep", "60"], tmp_path / "log")
    made.started({"workers": [], "gateways": []})
    assert made.description() is not None and len(servers.recorded(made.processes)) == 1
    for module in (servers, servers.process):
        monkeypatch.setattr(module, "boot_id", lambda: "another")
    assert made.description() is None and servers.recorded(made.processes) == []
    monkeypatch.undo()
    assert made.stop() == 1 and not process.alive()
