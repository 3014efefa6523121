"""Deployments of a few servers. Each server has a folder in place of its root and an address of the loopback
interface."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import types
from pathlib import Path

import pytest

import cluster
import harness
import servers
from addresses import LOOPBACK
from harness import ROOT

sys.path.insert(0, str(ROOT))

from platforms.lab import deploy as deployment  # noqa: E402
from platforms.lab import LabError  # noqa: E402
from platforms.lab.deploy import Inventory  # noqa: E402
from platforms.lab.image import extra_servers  # noqa: E402

OUTSIDE, FRONT, BACK, OLD, *FOUR = LOOPBACK
# An inventory of a closed network: the generator sends for all motes.
INVENTORY = f"""
[river]
formats = {{formats}}
listeners = amqp,mqtt
motes = shared
[limits]
connections-per-source = 1000
new-connections-per-source = 1000
[server front]
address = {FRONT}
outside = {OUTSIDE}
roles = broker,balancer
[server back]
address = {BACK}
roles = worker:2
"""


def deploy(path, name, *verb, good=0):
    """Runs ir-deploy; returns its output."""
    argv = [ROOT / "platforms" / "ir-deploy", path, name, *verb, f"--root={path.parent / name}"]
    env = {**os.environ, "IR_BUILD": str(harness.BUILD)}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=400, env=env, check=False)
    assert done.returncode in ((good,) if isinstance(good, int) else good), done.stderr
    return done.stdout + done.stderr


def passwords(path):
    return cluster.definitions.read_passwords(f"{path}.secrets/passwords")


def send(path, inside, outside, *words):
    """Sends the first messages of the real data, and waits until each has been republished."""
    secret = passwords(path)
    argv = [harness.BUILD / "ir-loadgen", f"--replay={harness.DATA}", "--messages=300", f"--out={path.parent / 'load'}",
            *words]
    env = {**os.environ, "IR_AMQP": f"amqp://loadgen:{secret['loadgen']}@{inside}",
           "IR_TARGET": f"amqp://mote:{secret['mote']}@{outside}"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=200, env=env, check=False)
    assert done.returncode == 0, done.stderr


def processes_of(folder):
    """Returns the ids of all processes that mention the folder in their command or environment."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            text = (each / "cmdline").read_bytes() + (each / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in text and int(each.name) != os.getpid():
            found.append(text)
    return found


@pytest.fixture
def port_mapper():
    """Starts Erlang's port mapper, which the first broker on a host would otherwise start and leave running. Ends it
    afterwards, unless it ran before. It does not end while other brokers use it."""
    there = subprocess.run(["epmd", "-names"], capture_output=True, timeout=60, check=False).returncode == 0
    subprocess.run(["epmd", "-daemon"], timeout=60, check=True)
    yield
    if not there:
        subprocess.run(["epmd", "-kill"], capture_output=True, timeout=60, check=False)


@pytest.fixture
def inventory(tmp_path, port_mapper):
    if os.geteuid() != 0:
        pytest.skip("all brokers of a host share one port mapper, which root must start")
    path = tmp_path / "inventory.conf"
    yield path
    names = [each.name for each in Inventory(path).servers]
    for name in reversed(names):
        deploy(path, name, "stop")
    assert [process for name in names for process in processes_of(tmp_path / name)] == []


def test_two_servers(inventory, tmp_path):
    """After a change, only the services whose files changed are restarted."""
    inventory.write_text(INVENTORY.format(formats="jsonld,senml"))
    assert "broker, balancer ready" in deploy(inventory, "front")
    assert "changed: worker-1, worker-2" in deploy(inventory, "back")
    send(inventory, f"{FRONT}:5671", f"{OUTSIDE}:5670")
    assert "changed: nothing" in deploy(inventory, "back")
    inventory.write_text(INVENTORY.format(formats="senml"))
    assert "changed: nothing" in deploy(inventory, "front")
    assert "changed: worker-1, worker-2" in deploy(inventory, "back")


ONE_BROKER = f"""
[river]
motes = shared
[server one]
address = {FOUR[0]}
roles = broker
[server work]
address = {FOUR[3]}
roles = worker
"""
TWO_MORE = f"""
[server two]
address = {FOUR[1]}
roles = broker
[server three]
address = {FOUR[2]}
roles = broker
"""


def node_of(address):
    return f"rabbit-{address.rpartition('.')[2]}@{address}"


def members(path, name, address):
    """Asks that server's broker how many brokers hold each quorum queue. Does not use rabbitmqctl's list_queues, which
    would wait until every node can reach rabbitmqctl."""
    text = "[length(maps:get(nodes, amqqueue:get_type_state(Q))) || Q <- rabbit_amqqueue:list(), amqqueue:is_quorum(Q)]."
    argv = ["/usr/lib/rabbitmq/bin/rabbitmqctl", "--longnames", "--node", node_of(address), "eval", text]
    env = {**os.environ, "HOME": str(path.parent / name / "var/lib/river/broker")}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=env, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.slow
def test_brokers_that_come_later_share_the_queues(inventory):
    """One broker with messages in its queues becomes a cluster of three. Then the first broker can be removed."""
    inventory.write_text(ONE_BROKER)
    deploy(inventory, "one")
    deploy(inventory, "work")
    send(inventory, f"{FOUR[0]}:5672", f"{FOUR[0]}:5672")
    deploy(inventory, "work", "stop")
    send(inventory, f"{FOUR[0]}:5672", f"{FOUR[0]}:5672", "--repeat=2", "--no-subscribe")
    assert members(inventory, "one", FOUR[0]) == {1}
    inventory.write_text(ONE_BROKER + TWO_MORE)
    deploy(inventory, "two")
    deploy(inventory, "three")
    assert servers.wait_until(lambda: members(inventory, "three", FOUR[2]) == {3}, 60)
    deploy(inventory, "one", "stop")
    deploy(inventory, "work")
    send(inventory, f"{FOUR[1]}:5672", f"{FOUR[2]}:5672", "--repeat=3")
    assert stored(inventory) == 900


def of_brokers(*names):
    """An inventory of three servers, of which these are brokers."""
    servers_of_it = "".join(f"[server {name}]\naddress = {address}\nroles = {'broker' if name in names else 'gateway'}\n"
                            for name, address in zip(("one", "two", "three"), FOUR, strict=False))
    return f"[river]\nmotes = shared\n{servers_of_it}[server work]\naddress = {FOUR[3]}\nroles = worker\n"


@pytest.mark.slow
def test_brokers_leave_and_come_back(inventory):
    """Three become two, and two become one, while the queues have messages; one call for each server."""
    inventory.write_text(of_brokers("one", "two", "three"))
    for name in ("one", "two", "three"):
        deploy(inventory, name, "--wait=5", good=(0, 1))
    for name in ("one", "two", "three", "work"):
        deploy(inventory, name)
    assert servers.wait_until(lambda: members(inventory, "one", FOUR[0]) == {3}, 60)
    deploy(inventory, "work", "stop")
    send(inventory, f"{FOUR[0]}:5672", f"{FOUR[1]}:5672", "--no-subscribe")
    for count, (name, address) in ((2, ("three", FOUR[2])), (1, ("two", FOUR[1]))):
        inventory.write_text(of_brokers(*("one", "two")[:count]))
        assert f"the cluster still has a broker at {address}, which" in deploy(inventory, "one")
        told = deploy(inventory, name)
        assert "broker leaves its cluster" in told and "broker ended" in told
        assert "the cluster still has" not in deploy(inventory, "one")
        assert members(inventory, "one", FOUR[0]) == {count}
    deploy(inventory, "work")
    assert servers.wait_until(lambda: stored(inventory) == 300, 120)
    inventory.write_text(of_brokers("one", "three"))
    deploy(inventory, "three")
    assert servers.wait_until(lambda: members(inventory, "one", FOUR[0]) == {2}, 120)


def stored(path):
    """How many messages the worker has stored."""
    with contextlib.closing(sqlite3.connect(path.parent / "work/var/lib/river/stores/documents.sqlite", timeout=30)) as database:
        return database.execute("SELECT count(*) FROM raw").fetchone()[0]


MOVED_BROKER = f"""
[river]
motes = shared
[server one]
address = {FOUR[0]}
roles = gateway
[server two]
address = {FOUR[1]}
roles = broker
"""


@pytest.mark.slow
def test_a_broker_with_messages_does_not_leave(inventory):
    """A broker whose role moves to another server is not removed while its queues have messages."""
    inventory.write_text(ONE_BROKER)
    for name in ("one", "work"):
        deploy(inventory, name)
    deploy(inventory, "work", "stop")
    send(inventory, f"{FOUR[0]}:5672", f"{FOUR[0]}:5672", "--no-subscribe")
    inventory.write_text(MOVED_BROKER)
    told = deploy(inventory, "one", good=1)
    inventory.write_text(ONE_BROKER)
    assert "but it cannot be removed yet: its queues hold 300 messages" in told
    assert "changed: nothing" in deploy(inventory, "one")
    deploy(inventory, "work")
    inventory.with_name("moved.conf").write_text(MOVED_BROKER)
    Path(f"{inventory}.secrets").rename(inventory.with_name("moved.conf.secrets"))
    ended = servers.wait_until(lambda: "would end broker" in deploy(inventory.with_name("moved.conf"), "one", "--dry-run", good=(0, 1)), 60)
    inventory.with_name("moved.conf.secrets").rename(f"{inventory}.secrets")
    assert ended


def test_a_service_without_its_role_may_leave(tmp_path, monkeypatch):
    """A left-over service, whose role file is gone, may be removed even if its process still runs."""
    monkeypatch.setattr(deployment.running, "process", lambda root, name: os.getpid())
    left = types.SimpleNamespace(supervisor=types.SimpleNamespace(left_over=lambda: ["worker-9"]), root=tmp_path)
    assert not list(deployment.Deployment.of_leaving(left, "may-leave"))


def test_a_broker_that_the_inventory_does_not_list_is_named(tmp_path, monkeypatch, capsys):
    """Its server may be lost."""
    path = tmp_path / "inventory.conf"
    path.write_text(ONE_BROKER)
    made = deployment.Deployment(Inventory(path), "one", tmp_path)
    nodes = [{"name": node_of(address)} for address in FOUR[:2]]
    monkeypatch.setattr(deployment.drained, "ask", lambda broker, password, path: nodes)
    made.tell_unlisted()
    assert f"ir-deploy {path} one forget {FOUR[1]}\n" in capsys.readouterr().out
    assert made.inventory.node(FOUR[1]) == node_of(FOUR[1]) and made.inventory.node("one") == node_of(FOUR[0])
    del nodes[1]
    made.tell_unlisted()
    assert capsys.readouterr().out == ""


def test_secrets_are_the_owners_alone(tmp_path):
    path = tmp_path / "inventory.conf"
    path.write_text(INVENTORY.format(formats="senml"))
    listed = Inventory(path)
    files = listed.services.files(listed.named("back"))
    assert passwords(path)["worker"] in files["services/worker-1/river.conf"]
    for each in ("passwords", "cookie"):
        listed.services.files(listed.named("front"))
        assert Path(f"{path}.secrets", each).stat().st_mode & 0o77 == 0


def test_a_secret_is_whole_or_not_there(tmp_path, monkeypatch):
    """However early Ctrl-C comes, a file of a secret is either complete or absent."""
    path = tmp_path / "inventory.conf"
    path.write_text(INVENTORY.format(formats="senml"))

    def ctrl_c(_size):
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted, pytest.raises(KeyboardInterrupt):
        interrupted.setattr("platforms.lab.services.secrets.token_hex", ctrl_c)
        Inventory(path).services.secret("cookie")
    assert len(Inventory(path).services.secret("cookie")) == 40


def test_an_empty_secret_is_named(tmp_path):
    """An empty file of a secret, left by another release or a power cut, is reported."""
    path = tmp_path / "inventory.conf"
    path.write_text(INVENTORY.format(formats="senml"))
    Path(f"{path}.secrets").mkdir()
    Path(f"{path}.secrets", "cookie").touch(0o600)
    with pytest.raises(LabError, match=r"secrets/cookie is empty; copy it from another server, or from a backup"):
        Inventory(path).services.secret("cookie")


SECRETS = (lambda path: Inventory(path).services.secret("cookie"), lambda path: Inventory(path).services.password("worker"),
           lambda path: Inventory(path).services.store_password, lambda path: Inventory(path).services.certificate)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_no_secret_is_cut_off_by_a_full_disk(tmp_path):
    """The disk is full after any number of bytes: the error names the file. When there is room again, all secrets are
    complete."""
    path = tmp_path / "disk" / "inventory.conf"
    path.parent.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40k", "none", path.parent], check=True, timeout=20)
    try:
        path.write_text(INVENTORY.format(formats="senml"))
        for free in range(6):
            shutil.rmtree(f"{path}.secrets", ignore_errors=True)
            fill(path.with_name("fill"), free * 4096)
            for make in SECRETS:
                with contextlib.suppress(LabError, OSError):
                    make(path)
            path.with_name("fill").unlink()
            listed = Inventory(path)
            assert all(make(path) for make in SECRETS)
            chain = listed.services.directory / "certificates"
            subprocess.run(["openssl", "verify", "-CAfile", chain / "ca.pem", chain / "server.pem"], check=True, timeout=20)
            assert not list(listed.services.directory.rglob("*.new"))
    finally:
        subprocess.run(["umount", path.parent], check=True, timeout=20)


def fill(path, free):
    """Fills the disk, except for this number of bytes."""
    with open(path, "wb") as file:
        room = os.fstatvfs(file.fileno())
        file.write(bytes(room.f_bavail * room.f_frsize - free))


def test_an_authority_is_not_replaced_by_mistake(tmp_path):
    """A new authority would be one that the motes do not trust, so the existing one stays."""
    argv = [ROOT / "ingest" / "make-certificates", tmp_path]
    subprocess.run(argv, check=True, capture_output=True, timeout=60)
    before = (tmp_path / "ca.pem").read_text()
    (tmp_path / "ca.key").rename(tmp_path / "away")
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "ca.pem is there, but not ca.key" in done.stderr and (tmp_path / "ca.pem").read_text() == before
    (tmp_path / "ca.key").write_text((tmp_path / "away").read_text()[:100])
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "ca.key does not sign for ca.pem" in done.stderr and len(done.stderr.splitlines()) == 1
    (tmp_path / "away").rename(tmp_path / "ca.key")
    subprocess.run(argv, check=True, capture_output=True, timeout=60)
    assert (tmp_path / "ca.pem").read_text() == before and {each.name for each in tmp_path.iterdir()} == {"ca.key", "ca.pem", "server.pem"}


def test_the_example(tmp_path):
    """The example inventory with two shards: config servers and routers run where it says."""
    path = tmp_path / "inventory.conf"
    path.write_text((ROOT / "platforms" / "inventory.conf").read_text())
    listed = Inventory(path)
    assert len(listed.services.nodes.brokers) == 3
    worker = listed.services.files(listed.named("worker-1"))
    text = worker["services/worker-1/river.conf"]
    assert "documents = mongodb://worker@10.0.0.51:27016,10.0.0.52:27016/river?authSource=admin\n" in text
    assert "shards = shard-1/10.0.0.31:27017,10.0.0.32:27017,10.0.0.33:27017 shard-2/10.0.0.34:27017" in text
    assert worker["services/worker-1/sets"] == ""
    mongod = listed.services.files(listed.named("documents-2"))
    assert "KIND='--configsvr'" in mongod["services/config/mongod.conf"]
    assert "KIND='--shardsvr'" in mongod["services/documents/mongod.conf"]
    router = worker["services/router/mongos.conf"]
    assert "CONFIG=config/10.0.0.31:27019,10.0.0.32:27019,10.0.0.33:27019" in router


@pytest.mark.parametrize("text, words", [
    ("[server a]\naddress = 10.0.0.1\nroles = baker\n", "role 'baker'"),
    ("[server a]\naddress = a.example\nroles = broker\n", "\\[server a\\] address = a.example: must be an IP address"),
    ("[server a]\naddress = 0.0.0.0\nroles = broker\n", "\\[server a\\] address = 0.0.0.0: must be an IP address"),
    ("[server a]\nroles = broker\n", "\\[server a\\]: address is missing"),
    ("[server a]\naddress = 10.0.0.1\n", "\\[server a\\]: roles is missing"),
    ("[serve a]\naddress = 10.0.0.1\n", "sections are"),
    ("[server a]\naddress = 10.0.0.1\nrole = broker\n", "known are"),
    ("[river]\nengine = steam\n", "one of fuseki"),
    ("[river]\nmotes = some\n", "one of own, shared"),
    ("[river]\nlisteners = amqps,telnet\n", "telnet: known are"),
    ("[limits]\nconnection = 5\n", "there is no such key"),
    ("[limits]\nconnections = many\n", "it is a number"),
    ("[river]\nengine = oxigraph\n[server a]\naddress = 10.0.0.1\nroles = graph\n", "oxigraph has no logins"),
    ("[server a]\naddress = 10.0.0.1\nroles = balancer\n", "outside: the balancer needs a separate address"),
    ("[server a]\naddress = 10.0.0.1\noutside = 10.0.0.1\nroles = balancer\n", "outside: the balancer needs a separate address"),
    ("[server a]\naddress = 10.0.0.1\noutside = 10.0.0.2\nwatch = 10.0.0.2\nroles = balancer\n", "outside"),
    ("[server a]\naddress = 10.0.0.1\nroles = broker\n[server b]\naddress = 10.0.0.1\nroles = graph\n",
     "\\[server b\\] address = 10.0.0.1: \\[server a\\] has this address"),
    ("[server a]\naddress = 10.0.0.1\noutside = 10.0.0.2\nroles = broker,balancer\n[server b]\naddress = 10.0.0.2\nroles = worker\n",
     "\\[server b\\] address = 10.0.0.2: \\[server a\\] has this address"),
    ("[server a]\naddress = 10.0.0.1\nroles = broker\n[server b]\naddress = fd00::2\nroles = broker\n",
     "\\[server b\\] address = fd00::2: brokers must all have IPv4 addresses, or all IPv6"),
    ("[server a]\naddress = 10.0.0.1\nroles = broker:2\n", "\\[server a\\] roles: broker must be there only once"),
    ("[server a]\naddress = 10.0.0.1\nroles = worker\n", "\\[server a\\] roles: worker needs a server with the role broker"),
    ("[server a]\naddress = 10.0.0.1\noutside = 10.0.1.1\nroles = broker,balancer\n"
     "[server b]\naddress = 10.0.0.2\noutside = 10.0.1.2\nroles = balancer\n", "\\[server b\\] roles: only one server can be the balancer"),
    ("[river]\nregistry = none.ttl\n", "\\[river\\] registry = none.ttl: there is no file"),
    ("[server a]\naddress = 10.0.0.1\nroles = documents\nshard = x\n[server b]\naddress = 10.0.0.2\nroles = documents\nshard = y\n",
     "inventory.conf: replica sets x, y need"),
])
def test_a_wrong_inventory_says_where(tmp_path, text, words):
    path = tmp_path / "inventory.conf"
    path.write_text(text)
    with pytest.raises(LabError, match=words):
        Inventory(path)


SHARDS = f"""
[river]
motes = shared
[server a]
address = {FOUR[0]}
roles = documents,config
shard = shard-1
[server b]
address = {FOUR[1]}
roles = documents
shard = shard-2
[server c]
address = {FOUR[2]}
roles = broker,router,worker
"""


@pytest.mark.skipif("usr/local/bin/mongos" not in extra_servers(), reason="no mongos: MONGOS names its program")
def test_shards(tmp_path):
    """Documents are distributed over two shards, and are found again through mongos."""
    path = tmp_path / "inventory.conf"
    path.write_text(SHARDS)
    try:
        for name in ("a", "b", "c"):
            deploy(path, name)
        uri = f"mongodb://worker@{FOUR[2]}:27016/river?authSource=admin"
        argv = [harness.BUILD / "ir-store", "status", f"--documents={uri}", "--graph=null:"]
        env = {**os.environ, "IR_DOCUMENTS_PASSWORD": Inventory(path).services.store_password}
        assert subprocess.run(argv, env=env, timeout=60, check=False).returncode == 0
    finally:
        for name in ("c", "b", "a"):
            deploy(path, name, "stop")


DRAINING = f"""
[draining old]
address = {OLD}
"""


def test_brokers_that_are_drained(tmp_path):
    """The brokers being drained are not servers of this inventory. The balancer sends only consumers to them."""
    path = tmp_path / "inventory.conf"
    path.write_text(INVENTORY.format(formats="senml") + DRAINING)
    services = Inventory(path).services
    front, back = services.guests
    backends = services.files(front)["services/balancer/haproxy.cfg"].split("\nbackend ")
    found = {text.split("\n", 1)[0]: text for text in backends if "-brokers" in text.split("\n", 1)[0]}
    assert {name: (f"{OLD}:" in text, f"{FRONT}:" in text) for name, text in found.items()} == {
        "amqp-brokers": (False, True), "mqtt-brokers": (False, True), "consumer-brokers": (True, False)}
    assert OLD not in services.files(front)["services/broker/rabbitmq.conf"]
    assert f"management = http://monitor@{OLD}:15672,http://monitor@{FRONT}:15672" in str(
        services.files(back)["services/worker-1/river.conf"])
    path.write_text(INVENTORY.format(formats="senml") + DRAINING + "roles = broker\n")
    with pytest.raises(LabError, match="draining old.*roles"):
        Inventory(path)


def test_data_of_another_series(inventory, tmp_path):
    """Data of another RabbitMQ series are left unchanged, and the message says what to do."""
    inventory.write_text(ONE_BROKER)
    data = tmp_path / "one" / "var" / "lib" / "river" / "broker" / "mnesia"
    data.mkdir(parents=True)
    old = harness.series_of() < (4, 0)
    (data / f"{node_of(FOUR[0])}-feature_flags").write_text("['rabbitmq_4.0.0']." if old else "[quorum_queue].")
    assert f"holds data of RabbitMQ {4 if old else 3}" in deploy(inventory, "one", good=1)
    assert not (tmp_path / "one" / "etc").exists()


def test_data_of_another_node(inventory, tmp_path):
    """A broker whose address has changed would start with empty queues, so this is refused."""
    inventory.write_text(ONE_BROKER)
    data = tmp_path / "one" / "var" / "lib" / "river" / "broker" / "mnesia"
    data.mkdir(parents=True)
    (data / "rabbit-9@192.0.2.9-feature_flags").write_text("['rabbitmq_4.0.0',message_containers,stream_update_config_command]."
                                                           if harness.series_of() >= (4, 0) else "[quorum_queue].")
    assert "holds the messages of rabbit-9@192.0.2.9" in deploy(inventory, "one", good=1)
    assert not (tmp_path / "one" / "etc").exists()
