"""Follows docs/howto/three-servers.md from empty machines to the first observation, on containers with systemd as
process 1. Then services are started, stopped, rebooted and upgraded under load, and servers whose disks were lost are
replaced."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from typing import NamedTuple

import pytest

import harness
from addresses import BRIDGE, BRIDGE_V6
from harness import ROOT
from machines import BUILD, Machines
from test_deploy_doors import MOTE, Mote, pack

sys.path.insert(0, str(ROOT))

from platforms.lab.inventory import Inventory  # noqa: E402

NAMES = ("one", "two", "three")


class Network(NamedTuple):
    servers: dict  # {name: address}
    outside: str
    bits: int

    @classmethod
    def of(cls, prefix, bits):
        return cls({name: f"{prefix}1{number}" for number, name in enumerate(NAMES, 1)}, f"{prefix}100", bits)

    def of_server(self, name):
        return [self.servers[name], *([self.outside] if name == "one" else [])]


V4, V6 = Network.of(f"{BRIDGE}.", 24), Network.of(f"{BRIDGE_V6}:", 64)
INVENTORY = """
[river]
formats = senml
registry = river.ttl
[limits]
connections-per-source = 1000
new-connections-per-source = 1000
requests-per-source = 100000
queue-messages = {messages}
[ir-worker]
in-flight = {batches}
[server one]
address = {network.servers[one]}
outside = {network.outside}
roles = broker,documents,graph,balancer,gateway,worker
[server two]
address = {network.servers[two]}
roles = broker,documents,gateway,worker
[server three]
address = {network.servers[three]}
roles = broker,documents,gateway,worker
"""
RATE, MOTES = 60, 40
DEBIANS = ("rabbitmq-server", "haproxy", "mosquitto", "prometheus", "prometheus-blackbox-exporter", "epmd.socket", "epmd")


def write(shared, network=V4, messages=5000000, batches=4):
    (shared / "inventory.conf").write_text(INVENTORY.format(network=network, messages=messages, batches=batches))


def addresses(name, network=V4):
    return [f"{each}/{network.bits}" for each in network.of_server(name)]


def empty(machine):
    """Makes the machine empty: stops the services that Debian's packages started at installation and that tools/install
    disables."""
    machine.run("systemctl", "disable", "--now", *DEBIANS, good=None)


def deploy_all(machines):
    """Runs a command on all machines at once. Returns {name: output}."""
    told = {}

    def run(machine):
        told[machine.name] = machine.deploy(good=(0, 1))

    threads = [threading.Thread(target=run, args=(each,)) for each in machines]
    for each in threads:
        each.start()
    for each in threads:
        each.join(900)
    assert all(" ready after " in text for text in told.values()), told
    return told


class River:
    def __init__(self, shared):
        self.shared = shared
        self.path = shared / "inventory.conf"
        self.services = Inventory(self.path).services
        self.ledgers = []

    def store(self, *words):
        password = self.services.store_password
        env = {**os.environ, "IR_DOCUMENTS_PASSWORD": password, "IR_GRAPH_PASSWORD": password}
        argv = [BUILD / "ir-store", *words, "--json", f"--documents={self.services.documents_uri()}",
                f"--graph={self.services.graph_uri()}", "--graph-user=worker"]
        return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120, check=False)

    def observations(self):
        """Returns the number of observations in the graph."""
        return json.loads(self.store("status").stdout)["graph"]["observations"]

    def await_first(self):
        harness.wait_for(lambda: self.observations() == 1, "the first observation to be stored", 120, 1)

    def faults(self):
        """Compares the stores with everything that was sent. Returns the missing, duplicated and foreign items."""
        done = self.store("verify", f"--ledger={','.join(map(str, self.ledgers))}")
        told = json.loads(done.stdout)
        parts = [part for part in told.values() if isinstance(part, dict)]
        return {key: sum(part.get(key, 0) for part in parts) for key in ("missing", "doubled", "foreign")}

    def assert_exact(self):
        clean = {"missing": 0, "doubled": 0, "foreign": 0}
        harness.wait_for(lambda: self.faults() == clean, f"all to be stored once: {self.faults()}", 180, 2)


class Load:
    """Lets the simulated motes of the registry send over HTTPS until stopped."""

    def __init__(self, river, name):
        self.river = river
        self.folder = river.shared.parent / f"load-{name}"
        self.source = [f"--simulate={MOTES}", f"--seed={len(river.ledgers) + 1}"]
        secrets = f"{river.path}.secrets"
        passwords = harness.cluster.definitions.read_passwords(f"{secrets}/passwords")
        argv = [BUILD / "ir-loadgen", *self.source, f"--target=https://{V4.outside}:443", f"--ca={secrets}/certificates/ca.pem",
                f"--mote-tokens={secrets}/mote-tokens", f"--rate={RATE}", "--duration=30min", f"--out={self.folder}",
                "--formats=senml", "--drain-timeout=10min", "--retry-for=10min"]
        env = {**os.environ, "IR_AMQP": f"amqp://loadgen:{passwords['loadgen']}@{V4.servers['one']}:5674"}
        self.log_path = river.shared.parent / f"load-{name}.log"
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen(argv, env=env, stdout=self.log, stderr=self.log)

    def assert_alive(self):
        assert self.process.poll() is None, self.log_path.read_text()[-1000:]

    def end(self):
        """Stops the generator and returns its summary. At the first signal it stops sending and waits for answers in
        progress."""
        self.assert_alive()
        self.process.terminate()
        self.process.wait(700)
        self.log.close()
        self.river.ledgers.append(self.folder / "ledger.txt")
        return json.loads((self.folder / "summary.json").read_text())


def registry(shared):
    """Makes a registry of the simulated motes and of the mote that the test uses by hand."""
    made = shared / "simulated.ttl"
    subprocess.run([BUILD / "ir-loadgen", f"--simulate={MOTES}", f"--write-registry={made}"], check=True, timeout=60)
    (shared / "river.ttl").write_text(harness.REGISTRY.read_text() + made.read_text())


def first_observation(path, outside):
    """Sends the first observation with the command of the document."""
    mote = Mote(path, MOTE)
    headers = {"Authorization": f"Bearer {mote.secret}", "Content-Type": harness.SENML_JSON}
    request = urllib.request.Request(f"https://{outside}/v1/observations", pack(MOTE, 18.7), headers)
    with urllib.request.urlopen(request, timeout=60, context=mote.context) as answer:
        assert answer.status == 202


def counted(machine):
    """Returns the number of observations that the document's command prints."""
    words = "cd /var/lib/river/worker && /opt/river/bin/ir-store status --json --settings=/etc/river/services/worker/river.conf"
    return json.loads(machine.run("sh", "-c", words).out)["documents"]["observations"]


def killed(machine):
    """Returns the services that systemd had to kill."""
    told = machine.run("journalctl", "-q", "-o", "cat", "_PID=1").out
    return re.findall(r"^river-.*(?:Killing process|status=9/KILL|timed out).*$", told, re.M)


def assert_own_addresses(machine, network):
    lines = machine.run("ss", "-Hltn").out.splitlines()
    found = {(line.split()[3].rpartition(":")[0].replace("[::ffff:", "").strip("[]"), int(line.split()[3].rpartition(":")[2]))
             for line in lines}
    allowed = {*network.of_server(machine.name), "127.0.0.1", "::1"}
    assert {address for address, _ in found} <= allowed, found
    assert {port for address, port in found if address in ("127.0.0.1", "::1")} <= {4369}, found


def assert_figures(river):
    """Asserts that all endpoints that Prometheus would read answer, including those of the three brokers."""
    targets = river.services.metrics()
    assert len([each for each in targets if each["job"] == "broker"]) == 3
    for each in targets:
        with urllib.request.urlopen(f"http://{each['address']}/metrics", timeout=60) as answer:
            assert answer.status == 200 and answer.read()


def backup_and_restore(machine, river):
    """Restores with the commands of the document. Everything is already there, so nothing is stored twice."""
    machine.deploy("backup", "/srv/backups")
    assert "restored" in machine.deploy("restore", "/srv/backups")
    assert json.loads(river.store("status").stdout)["documents"]["observations"] == 1


def new_build(shared):
    """Makes a new version whose programs differ from the installed ones."""
    target = shared / "build"
    target.mkdir()
    for name in ("ir-worker", "ir-store", "ir-annotate", "ir-ingest"):
        subprocess.run(["objcopy", "--add-section", f".river={__file__}", BUILD / name, target / name], check=True, timeout=60)


def upgrade(machine):
    """Upgrades a server with its one command."""
    argv = machine.argv("env", "IR_BUILD=/srv/shared/build", "/srv/river/platforms/ir-deploy", "/srv/shared/inventory.conf",
                        machine.name)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def interrupt_upgrade(machine):
    """Presses Ctrl-C while services are being replaced."""
    words = machine.argv("env", "IR_BUILD=/srv/shared/build", "timeout", "--signal=INT", "12", "/srv/river/platforms/ir-deploy",
                         "/srv/shared/inventory.conf", machine.name)
    subprocess.run(words, capture_output=True, timeout=120, check=False)


def cut_power_of(machine):
    """Cuts the power of a machine in the middle of an upgrade."""
    words = machine.argv("env", "IR_BUILD=/srv/shared/build", "/srv/river/platforms/ir-deploy", "/srv/shared/inventory.conf", machine.name)
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as called:
        time.sleep(12)
        machine.kill()
        called.wait(60)
    machine.start()


def require_containers():
    if os.geteuid() != 0 or not shutil.which("lxc-start"):
        pytest.skip("containers on a bridge need root and LXC: tools/install lxc")


def walk(machines, network):
    """Goes from empty machines to the first observation. Returns the servers and the River."""
    write(machines.shared, network)
    registry(machines.shared)
    servers = {name: machines.make(name, *addresses(name, network)) for name in NAMES}
    for each in servers.values():
        empty(each)
    told = servers["one"].deploy("--wait=5", good=(1,))
    assert "waiting for two, three (mongod)" in told, told
    deploy_all(servers.values())
    river = River(machines.shared)
    first_observation(river.path, network.outside if network is V4 else f"[{network.outside}]")
    river.await_first()
    assert counted(servers["two"]) == 1
    for each in servers.values():
        assert_own_addresses(each, network)
        assert "changed: nothing" in each.deploy()
    assert_figures(river)
    return servers, river


@pytest.mark.slow
def test_three_servers(tmp_path):
    require_containers()
    with Machines(tmp_path, BRIDGE) as machines:
        servers, river = walk(machines, V4)
        backup_and_restore(servers["two"], river)
        stop_and_reboot(servers["three"])
        upgrade_under_load(machines, servers, river)
        lose_and_replace(machines, servers, river)
        lose_and_replace_the_first(machines, servers, river)


@pytest.mark.slow
def test_three_servers_by_ipv6(tmp_path):
    require_containers()
    with Machines(tmp_path, BRIDGE, f"{BRIDGE_V6}:1/64") as machines:
        walk(machines, V6)


def stop_and_reboot(machine):
    begin = time.monotonic()
    services = (f"river-{each}.service" for each in ("gateway", "worker", "broker", "documents"))
    machine.run("systemctl", "stop", "river.target", *services, seconds=300)
    print(f"systemctl stop: {time.monotonic() - begin:.1f} s")
    assert killed(machine) == []
    machine.reboot()
    assert "changed: nothing" in machine.deploy()
    machine.deploy("stop")
    assert "epmd" not in machine.run("ps", "-e", "-o", "comm").out
    machine.deploy()


def upgrade_under_load(machines, servers, river):
    one = Load(river, "upgrade")
    time.sleep(10)
    one.assert_alive()
    new_build(machines.shared)
    write(machines.shared, messages=4000000, batches=5)
    interrupt_upgrade(servers["one"])
    print(upgrade(servers["one"]))
    cut_power_of(servers["two"])
    for name in ("two", "three"):
        print(upgrade(servers[name]))
    summary = one.end()
    print({key: summary[key] for key in ("messages_sent", "messages_confirmed", "order_violations")})
    assert_clean(summary)
    river.assert_exact()


def replaced(machines, servers, name):
    """Returns an empty machine in place of one whose disk was lost."""
    servers[name] = machines.replace(servers[name], *addresses(name))
    empty(servers[name])
    servers["two"].deploy("forget", name)
    return servers[name]


def assert_clean(summary):
    assert summary["messages_confirmed"] == summary["messages_sent"] > 0
    assert summary["order_violations"] == 0


def lose_and_replace(machines, servers, river):
    load = Load(river, "lost")
    time.sleep(5)
    print(upgrade(replaced(machines, servers, "three")))
    assert_clean(load.end())
    river.assert_exact()


def lose_and_replace_the_first(machines, servers, river):
    """Loses the server with the balancer and the graph. Meanwhile no mote can connect, so motes keep their
    measurements. The stores on the other servers can be restarted. The graph is restored on the new server."""
    load = Load(river, "first")
    time.sleep(5)
    load.assert_alive()
    new = replaced(machines, servers, "one")
    servers["two"].run("systemctl", "restart", "river-documents", seconds=120)
    servers["two"].run("/opt/river/ready", "120", "documents", seconds=200)
    print(upgrade(new))
    print(servers["two"].deploy("restore", "/srv/backups", "--store", "graph"))
    before = river.observations()
    harness.wait_for(lambda: river.observations() > before, "a message to be stored", 120, 1)
    assert_clean(load.end())
    river.assert_exact()
