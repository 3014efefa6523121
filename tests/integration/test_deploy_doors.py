"""The listeners that a deployment opens: only the documented ones, unless its inventory asks for more."""

import base64
import contextlib
import json
import os
import re
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import pika
import pytest

import harness
import raw_mqtt
from addresses import LOOPBACK
from harness import ROOT, cluster, servers
from test_deploy import Inventory, deploy, inventory, port_mapper  # noqa: F401 - fixtures

MOTE, LATER = "USGS-08068500", "BUOY-7"
OUTSIDE, FRONT, BACK = LOOPBACK[:3]
SERVERS = f"""
[river]
registry = river.ttl
[server front]
address = {FRONT}
outside = {OUTSIDE}
roles = broker,balancer
[server back]
address = {BACK}
roles = documents,graph,worker,gateway
"""
LATER_MOTE = f"""
<mote/{LATER}> a sosa:Platform ; ir:moteId "{LATER}" ; ir:featureOfInterest <feature/reach-021989773> ; rdfs:label "added later"@en .
<sensor/{LATER}/00010> a sosa:Sensor ; sosa:isHostedBy <mote/{LATER}> ; ir:senmlName "{LATER}/00010" ;
    sosa:observes <property/water-temperature> ; qudt:hasUnit unit:DEG_C .
"""
PORTS = {"https": 443, "amqps": 5671, "mqtts": 8883}


def documented():
    """Returns the limits that ingest/nodes.conf shows as defaults."""
    section = (ROOT / "ingest" / "nodes.conf").read_text().split("[limits]\n")[1].split("\n[")[0]
    return dict(re.findall(r"^;([a-z-]+) = (\S+)$", section, re.M))


def frontends(text):
    """Returns {name: lines} for the frontends in HAProxy's configuration."""
    parts = re.split(r"^(?=\S)", text, flags=re.M)
    return {part.split()[1]: part.splitlines()[1:] for part in parts if part.startswith("frontend ")}


@pytest.fixture
def example(tmp_path, monkeypatch):
    """The services of the example inventory."""
    monkeypatch.setenv("IR_BUILD", str(harness.BUILD))
    path = tmp_path / "inventory.conf"
    path.write_text((ROOT / "platforms" / "inventory.conf").read_text())
    return Inventory(path)


def test_limits_are_the_documented_ones(example):
    limits = documented()
    assert limits == cluster.list_of_nodes.Nodes().limits == example.services.nodes.limits
    text = example.services.files(example.named("front-1"))["services/balancer/haproxy.cfg"]
    assert f"    maxconn {limits['connections']}\n" in text
    for name in ("amqp", "mqtt", "http"):
        lines = "\n".join(frontends(text)[name])
        assert f"acl too_many sc0_conn_cur gt {limits['connections-per-source']}\n" in lines
        assert f"acl too_many sc0_conn_rate gt {limits['new-connections-per-source']}\n" in lines
    assert f"acl too_fast sc0_http_req_rate gt {limits['requests-per-source']}\n" in text
    house = json.loads(example.services.files(example.named("broker-1"))["services/broker/definitions.json"])
    most = {each["name"]: each["definition"]["max-length"] for each in house["policies"]}
    assert most == {"ir-observations": int(limits["queue-messages"]), "ir-rejected": int(limits["rejected-messages"])}


def test_an_inventory_may_have_other_limits(example):
    text = example.path.read_text().replace(";connections-per-source = 200", "connections-per-source = 7")
    example.path.write_text(text)
    changed = Inventory(example.path)
    assert changed.services.nodes.limits == {**documented(), "connections-per-source": "7"}


def test_addresses_and_tls(example):
    """Motes use a separate address, with TLS only. Internal clients, statistics and metrics use other addresses."""
    text = example.services.files(example.named("front-1"))["services/balancer/haproxy.cfg"]
    bound = {name: [line.split() for line in lines if line.split()[:1] == ["bind"]] for name, lines in frontends(text).items()}
    assert {name: words[0][1] for name, words in bound.items() if len(words) == 1} == {
        "http": "192.0.2.1:443", "amqp": "192.0.2.1:5671", "mqtt": "192.0.2.1:8883",
        "inside": "10.0.0.1:5671", "consumers": "10.0.0.1:5674", "stats": "10.0.1.1:8404"}
    assert bound.keys() == {"http", "amqp", "mqtt", "inside", "consumers", "stats"}
    assert all("ssl" in bound[name][0] for name in ("http", "amqp", "mqtt"))
    others = {each.name: example.services.files(each) for each in example.servers if each.name != "front-1"}
    assert "192.0.2." not in json.dumps(others)


def test_what_prometheus_reads(example):
    """Prometheus reads metrics at internal addresses. At the motes' address it only checks the certificates of the TLS
    listeners."""
    found = {}
    for each in example.services.metrics():
        found.setdefault(each["job"], set()).add(each["address"])
    assert found["broker"] == {f"10.0.0.1{number}:15692" for number in (1, 2, 3)} and found["balancer"] == {"10.0.1.1:8404"}
    assert {each["address"] for each in example.services.tls_doors()} == {f"192.0.2.1:{port}" for port in PORTS.values()}


def test_stores_want_logins(example):
    files = {each.name: example.services.files(each) for each in example.servers}
    key = files["documents-1"]["services/documents/key"]
    assert {files[name][f"services/{role}/key"] for name, role in
            (("documents-5", "documents"), ("documents-2", "config"), ("worker-1", "router"))} == {key}
    worker = files["worker-1"]["services/worker-1/river.conf"]
    password = re.search(r"^documents-password = (.*)$", worker, re.M).group(1)
    assert files["graph-1"]["services/graph/users"] == f"worker: {password}\n"
    assert key not in json.dumps([files["worker-1"]["services/worker-1/river.conf"], files["front-1"]])


def test_motes_have_users_of_their_own(example):
    files = example.services.files(example.named("broker-1"))
    house, own = (json.loads(files[f"services/broker/{name}.json"]) for name in ("definitions", "motes"))
    assert "mote" not in {each["name"] for each in house["users"]}
    assert MOTE in {each["name"] for each in own["users"]} and all(each["limits"] and not each["tags"] for each in own["users"])
    tokens = example.services.files(example.named("front-1"))["services/gateway-1/tokens"]
    assert {line.split()[0] for line in tokens.splitlines()} == {each["name"] for each in own["users"]}


# ---- a running deployment ----


def pack(mote, value):
    return json.dumps([{"n": f"{mote}/00010", "u": "Cel", "t": 1320469200, "v": value}]).encode()


class Mote:
    """Connects like a mote that has its token and the authority's certificate."""

    def __init__(self, path, name):
        self.name = name
        self.secret = cluster.definitions.read_passwords(f"{path}.secrets/mote-tokens")[name]
        self.context = ssl.create_default_context(cafile=f"{path}.secrets/certificates/ca.pem")

    def amqps(self, value):
        login = pika.PlainCredentials(self.name, self.secret)
        options = pika.SSLOptions(self.context, OUTSIDE)
        where = pika.ConnectionParameters(OUTSIDE, PORTS["amqps"], "/", login, ssl_options=options)
        with pika.BlockingConnection(where) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            properties = pika.BasicProperties(content_type=harness.SENML_JSON, delivery_mode=2)
            channel.basic_publish("amq.topic", f"ir.{self.name}", pack(self.name, value), properties, mandatory=True)

    def mqtts(self, value):
        where = f"{OUTSIDE}:{PORTS['mqtts']}"
        with raw_mqtt.Connection(where, self.name, self.secret, self.name, context=self.context) as client:
            client.publish(f"ir/{self.name}", pack(self.name, value))

    def https(self, value):
        headers = {"Authorization": f"Bearer {self.secret}", "Content-Type": harness.SENML_JSON}
        request = urllib.request.Request(f"https://{OUTSIDE}/v1/observations", pack(self.name, value), headers)
        with urllib.request.urlopen(request, timeout=20, context=self.context) as answer:
            assert answer.status == 202


def stored(path):
    """Returns (raw messages, observations in the graph) as a worker sees them."""
    services = Inventory(path).services
    env = {**os.environ, "IR_DOCUMENTS_PASSWORD": services.store_password, "IR_GRAPH_PASSWORD": services.store_password}
    argv = [harness.BUILD / "ir-store", "status", "--json", f"--documents={services.documents_uri()}",
            f"--graph={services.graph_uri()}", "--graph-user=worker"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    return told["documents"]["raw"], told["graph"]["observations"]


def http_status(method, path, login=None):
    """Returns the HTTP status of the graph server."""
    headers = {"Content-Type": "application/sparql-update"}
    if login:
        headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    body = b"DROP ALL" if method == "POST" else None
    request = urllib.request.Request(f"http://{BACK}:3030{path}", body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as answer:
        return answer.code


def assert_stores_are_closed():
    import pymongo

    with pymongo.MongoClient(BACK, directConnection=True, serverSelectionTimeoutMS=20000) as client:
        for attempt in (lambda: client["river"]["raw"].find_one(), lambda: client["river"]["raw"].drop(),
                        lambda: client["admin"].command("createUser", "me", pwd="x", roles=["root"])):
            with pytest.raises(pymongo.errors.OperationFailure, match="auth"):
                attempt()
    for method, path in (("GET", "/ir/query?query=ASK%7B%7D"), ("POST", "/ir/update"), ("POST", "/ir"), ("GET", "/ir?default"),
                         ("DELETE", "/ir?default")):
        assert [http_status(method, path), http_status(method, path, "worker:wrong")] == [401, 401], (method, path)


def open_at(address):
    """Returns the ports that accept connections."""
    tried = {80, 443, 1880, 1883, 3030, 5670, 5671, 5672, 5674, 8080, 8404, 8883, 9400, 9402, 15672, 15692, 27017}
    return {port for port in tried if servers.listens(address, port)}


def open_connections(count):
    """Opens this number of connections from one address, and returns how many stay open. A refused connection may be
    closed before the test has even noticed that it was established."""
    opened = []
    for _ in range(count):
        with contextlib.suppress(ConnectionError):
            opened.append(socket.create_connection((OUTSIDE, PORTS["amqps"]), 10))
    time.sleep(0.5)
    kept = 0
    for each in opened:
        each.setblocking(False)
        try:
            kept += each.recv(1) != b""
        except BlockingIOError:
            kept += 1
        except ConnectionError:
            pass
        each.close()
    return kept


def pids(path):
    """Returns the process ids of the services that can reload something."""
    services = ("front/run/river/service/broker", "back/run/river/service/worker", "back/run/river/service/gateway")
    return [(path.parent / each / "supervise" / "pid").read_text() for each in services]


@pytest.mark.skipif(not (servers.cache_directory() / "fuseki").is_dir(), reason="no Fuseki: tools/install fuseki")
def test_strangers_find_nothing_open(inventory):  # noqa: F811
    inventory.write_text(SERVERS)
    registry = inventory.parent / "river.ttl"
    registry.write_text(harness.REGISTRY.read_text())
    deploy(inventory, "front")
    deploy(inventory, "back")
    mote = Mote(inventory, MOTE)
    for number, send in enumerate((mote.amqps, mote.mqtts, mote.https)):
        send(number)
    harness.wait_for(lambda: stored(inventory) == (3, 3), "the messages to be stored")
    assert open_at(OUTSIDE) == set(PORTS.values())
    assert_stores_are_closed()
    # A mote is added later: the services that must know it read the change without a restart.
    before = pids(inventory)
    registry.write_text(registry.read_text() + LATER_MOTE)
    assert "changed: broker\n" in deploy(inventory, "front")
    assert "changed: worker, gateway\n" in deploy(inventory, "back")
    assert pids(inventory) == before
    assert Mote(inventory, MOTE).secret == mote.secret
    later = Mote(inventory, LATER)
    later.mqtts(1)
    harness.wait_for(lambda: accepted(later), "the gateway to know it")
    later.secret = mote.secret
    with pytest.raises(raw_mqtt.Refused):
        later.mqtts(1)
    assert "changed: nothing" in deploy(inventory, "front")
    limit = int(documented()["connections-per-source"])
    assert open_connections(limit + 20) <= limit


def accepted(mote):
    try:
        mote.https(2)
    except urllib.error.HTTPError as answer:
        assert answer.code == 401
        return False
    return True
