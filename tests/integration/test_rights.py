"""Permissions: each user tries every action over AMQP, MQTT, HTTP and the management interface. One table lists the
permitted actions; all others are refused."""

import base64
import concurrent.futures
import contextlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request

import pika
import pika.frame
import pika.spec
import pymongo
import pytest

import harness
import raw_mqtt
from harness import cluster, servers
from test_secured import Secured

OWN, OTHER = "USGS-08068500", "USGS-02337170"  # motes, each with a broker user of its own
COLON = "BUOY:7_b-c"
BODY = b'[{"n":"%s/00010","u":"Cel","v":1,"t":1320469200}]'
REFUSED = (403, 406)  # ACCESS_REFUSED; PRECONDITION_FAILED, if the user-id of a message is not its sender


@pytest.fixture(scope="module", params=["host", "other"])
def front(request, tmp_path_factory):
    """Runs with the host's RabbitMQ, and with one of another series if there is one."""
    root = harness.other_root() if request.param == "other" else None
    with harness.Front(tmp_path_factory.mktemp("rights"), root=root, motes=(OWN, OTHER, COLON)) as front:
        yield front


@pytest.fixture(scope="module")
def pipeline(front, tmp_path_factory):
    with harness.FrontPipeline(front, tmp_path_factory.mktemp("pipeline")) as pipeline:
        yield pipeline.init()


WRITER, WRITER_PASSWORD = "river", "of the river"


def mongo_client(mongodb, name, password):
    login = {"username": name, "password": password, "authSource": "admin"} if name else {}
    return pymongo.MongoClient(mongodb.host, mongodb.port, directConnection=True, serverSelectionTimeoutMS=30000, **login)


@pytest.fixture(scope="module")
def guarded(front, tmp_path_factory):
    """MongoDB with the user that `ir-store initiate` makes for workers, and a SPARQL server. Both require a login."""
    folder = tmp_path_factory.mktemp("stores")
    with (servers.MongoDB(folder / "mongodb", user="root", password="of the root") as mongodb,
          servers.Oxigraph(folder / "oxigraph") as oxigraph,
          Secured(folder / "secured", oxigraph, front.directory / "certificates", "Basic cml2ZXI6c2VjcmV0") as secured):
        done = subprocess.run([harness.BUILD / "ir-store", "initiate", f"--documents={mongodb.uri}", f"--new-user={WRITER}"],
                              capture_output=True, text=True, timeout=120, check=False,
                              env={**os.environ, "IR_DOCUMENTS_PASSWORD": "of the root", "IR_NEW_USER_PASSWORD": WRITER_PASSWORD})
        assert done.returncode == 0, done.stderr
        yield mongodb, secured


# ---- AMQP ----


def send(exchange, key, user_id=None):
    return lambda channel: channel.basic_publish(exchange, key, BODY % OWN.encode(), pika.BasicProperties(user_id=user_id))


def listen(exchange, key="#"):
    def bind(channel):
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(queue, exchange, key)

    return bind


# ACTIONS has all actions, by name. The test does not try a harmful action as a user who may do it.
HARMFUL = {
    "delete a queue": lambda channel: channel.queue_delete("ir.observations.0"),
    "delete an exchange": lambda channel: channel.exchange_delete("ir.processed"),
    "unbind a queue": lambda channel: channel.queue_unbind("ir.observations.0", "ir.observations", "1"),
}
ACTIONS = {
    "send as itself by amq.topic": send("amq.topic", f"ir.{OWN}"),
    "send as another by amq.topic": send("amq.topic", f"ir.{OTHER}"),
    "send below a name": send("amq.topic", f"ir.{OWN}.more"),
    "send a longer name": send("amq.topic", f"ir.{OWN}x"),
    "send any topic": send("amq.topic", "other.x"),
    "send as itself": send("ir.observations", f"ir.{OWN}"),
    "send as another": send("ir.observations", f"ir.{OTHER}"),
    "send as the gateway": send("amq.topic", f"ir.{OWN}", "gateway"),
    "send to a queue": send("", "ir.observations.0"),
    "send to amq.direct": send("amq.direct", f"ir.{OWN}"),
    "send to amq.headers": send("amq.headers", f"ir.{OWN}"),
    "publish again": send("ir.processed", f"jsonld.{OWN}"),
    "reject": send("ir.rejected", f"ir.{OWN}"),
    "speak to workers": send("ir.workers", ""),
    "consume": lambda channel: channel.basic_consume("ir.observations.0", lambda *_: None),
    "get": lambda channel: channel.basic_get("ir.rejected"),
    "purge": lambda channel: channel.queue_purge("ir.rejected"),
    "declare a queue": lambda channel: channel.queue_declare("mine", durable=True),
    "declare an exchange": lambda channel: channel.exchange_declare("mine", "topic"),
    "declare a queue of the broker's naming": lambda channel: channel.queue_declare("", exclusive=True),
    "listen to amq.topic": listen("amq.topic"),
    "listen to observations": listen("ir.observations", "1"),
    "listen to republished messages": listen("ir.processed"),
    "listen to what is rejected": listen("ir.rejected"),
    "listen to workers": listen("ir.workers"),
    **HARMFUL,
}
SENDS = {"send as itself", "send as another"}
LISTENS = {"declare a queue of the broker's naming", "listen to republished messages"}
READS = {"get", "purge"}
MENDS = {*SENDS, *READS, *HARMFUL, "publish again", "reject", "speak to workers", "consume"}
MAY = {
    OWN: {"send as itself by amq.topic"},
    OTHER: {"send as another by amq.topic"},
    COLON: set(),
    "mote": {*SENDS, "send as itself by amq.topic", "send as another by amq.topic", "send a longer name"},
    "gateway": SENDS,
    "worker": {*MENDS, *LISTENS, "listen to observations", "listen to what is rejected", "listen to workers"},
    "viewer": LISTENS,
    # Rights apply to names: a user who may bind to the exchange ir.rejected may also read the queue ir.rejected.
    "loadgen": {*LISTENS, *READS, "listen to what is rejected"},
    "operator": MENDS,
    "monitor": set(),
}


def allowed(front, user, action):
    connection = front.connect(user)
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        action(channel)
        return True
    except pika.exceptions.ChannelClosedByBroker as closed:
        assert closed.reply_code in REFUSED, closed
        return False
    finally:
        if connection.is_open:
            connection.close()


def test_every_user_is_in_the_table(front):
    assert MAY.keys() == front.cluster.passwords.keys()


@pytest.mark.parametrize("user", MAY)
def test_amqp(front, pipeline, user):
    tried = {name: action for name, action in ACTIONS.items() if not (name in HARMFUL and name in MAY[user])}
    may = {name for name, action in tried.items() if allowed(front, user, action)}
    assert may == MAY[user] & tried.keys()


@pytest.mark.parametrize("user", [*MAY, "guest"])
def test_a_wrong_password(front, user):
    other = front.cluster.passwords["worker" if user != "worker" else "operator"]
    for password in ("guest", other):
        with pytest.raises(pika.exceptions.AMQPConnectionError):
            front.connect(user, password=password)
        with pytest.raises(raw_mqtt.Refused):
            raw_mqtt.Connection(front.balancer.address("mqtt"), user, password, "stranger")


# ---- MQTT ----

MQTT_ACTIONS = {
    "send as itself": lambda client: client.publish(f"ir/{OWN}", BODY % OWN.encode()),
    "send as another": lambda client: client.publish(f"ir/{OTHER}", BODY % OTHER.encode()),
    "send below a name": lambda client: client.publish(f"ir/{OWN}/more", b"[]"),
    "send any topic": lambda client: client.publish("other", b"[]"),
    "send what the check sends": lambda client: client.publish("ir-check/x", b"[]"),
    "listen to all": lambda client: client.subscribe("#"),
    "listen to motes": lambda client: client.subscribe("ir/+"),
    "listen to itself": lambda client: client.subscribe(f"ir/{OWN}"),
}
MAY_BY_MQTT = {OWN: {"send as itself"}, OTHER: {"send as another"}, "mote": SENDS, "worker": {"send what the check sends"}}


SILENCE_SECONDS = 5  # how long to wait: RabbitMQ 3.10 does not answer a user who may not write to amq.topic


@pytest.mark.parametrize("user", MAY)
def test_mqtt(front, pipeline, user):
    def may(name):
        login = (front.balancer.address("mqtt"), user, front.cluster.passwords[user])
        connection = raw_mqtt.Connection(*login, f"{user}/{name}", seconds=SILENCE_SECONDS)
        with connection as client, contextlib.suppress(raw_mqtt.Refused):
            MQTT_ACTIONS[name](client)
            return True
        return False

    before = pipeline.waiting()
    # A mote may have few connections, so its actions are tried one after the other.
    with concurrent.futures.ThreadPoolExecutor(1 if user in front.cluster.mote_tokens else len(MQTT_ACTIONS)) as pool:
        found = {name for name, good in zip(MQTT_ACTIONS, pool.map(may, MQTT_ACTIONS)) if good}
    assert found == MAY_BY_MQTT.get(user, set())
    assert pipeline.waiting() == before + len(found & SENDS)


def test_nobody_takes_anothers_client_id(front, pipeline):
    """RabbitMQ would end the session of another client with the same id. So while a mote is connected, nobody else
    may use its name as a client id. Ids that are no mote's name are accepted, because libraries choose them."""
    where, passwords = front.balancer.address("mqtt"), front.cluster.passwords
    with raw_mqtt.Connection(where, OTHER, passwords[OTHER], OTHER) as other, \
            raw_mqtt.Connection(where, OTHER, passwords[OTHER], f"{OTHER}/1") as second:
        for user in (OWN, "mote"):
            for client in (OTHER, f"{OTHER}/1"):
                with pytest.raises(raw_mqtt.Refused):
                    raw_mqtt.Connection(where, user, passwords[user], client)
        for user, client in ((OWN, OWN), (OWN, f"{OWN}/1"), (OWN, ""), (OWN, "mqttjs_3a1f"), ("mote", "any"), ("mote", "mote")):
            raw_mqtt.Connection(where, user, passwords[user], client).close()
        other.publish(f"ir/{OTHER}", BODY % OTHER.encode())
        second.publish(f"ir/{OTHER}", BODY % OTHER.encode())


def test_a_mote_takes_its_name_back(front, pipeline):
    """A mote connects although another mote already uses its name as a client id. After that, the other is refused."""
    where, passwords, client = front.balancer.address("mqtt"), front.cluster.passwords, f"{OTHER}/late"
    with raw_mqtt.Connection(where, OWN, passwords[OWN], client), \
            raw_mqtt.Connection(where, OTHER, passwords[OTHER], client) as late:
        with pytest.raises(raw_mqtt.Refused):
            raw_mqtt.Connection(where, OWN, passwords[OWN], client)
        late.publish(f"ir/{OTHER}", BODY % OTHER.encode())


def test_a_stranger_takes_nobodys_client_id(front, pipeline):
    """A name belongs to a mote only after a login, so nobody is locked out by a stranger who uses its client id as user."""
    where, client = front.balancer.address("mqtt"), "logger-17"
    with pytest.raises(raw_mqtt.Refused):
        raw_mqtt.Connection(where, client, "guessed", client)
    with raw_mqtt.Connection(where, OWN, front.cluster.passwords[OWN], client) as own:
        own.publish(f"ir/{OWN}", BODY % OWN.encode())


def test_a_name_with_a_colon(front, pipeline):
    """RabbitMQ would take the text before a colon in the user name for a virtual host."""
    with raw_mqtt.Connection(front.balancer.address("mqtt"), COLON, front.cluster.passwords[COLON], COLON) as client:
        client.publish(f"ir/{COLON}", BODY % COLON.encode())
    assert allowed(front, COLON, send("amq.topic", f"ir.{COLON}"))


# ---- HTTP ----


@pytest.fixture(scope="module")
def gateway(front, pipeline):
    return pipeline.gateway(f"--tokens={front.tokens}")


def post(gateway, secret, mote):
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": harness.SENML_JSON}
    request = urllib.request.Request(f"{gateway.address}/v1/observations", BODY % mote.encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as answer:
        return answer.code


@pytest.mark.parametrize("user", MAY)
def test_http(front, gateway, user):
    """A mote's password is its token. Passwords of internal users are not tokens."""
    codes = [post(gateway, front.cluster.passwords[user], mote) for mote in (OWN, OTHER)]
    assert codes == {OWN: [202, 403], OTHER: [403, 202], COLON: [403, 403]}.get(user, [401, 401])


@pytest.mark.parametrize("user", MAY)
def test_management(front, user):
    """Only users with a tag can read anything in the management interface, and no user can administer users."""
    one = front.cluster.nodes.brokers[0]
    login = base64.b64encode(f"{user}:{front.cluster.passwords[user]}".encode()).decode()
    sees = {"operator", "monitor"}
    for path in ("queues", "policies", "users"):
        headers = {"Authorization": f"Basic {login}"}
        status, _ = servers.http_request(int(one.management), "GET", f"/api/{path}", headers=headers)
        assert (status == 200) == (user in sees and path != "users"), (path, status)


# ---- without a password ----


def amqp_mechanisms(front, listener):
    """Yields pairs (mechanism, response) with which a client without a password might try to log in."""
    host, port = front.balancer.address(listener).split(":")
    tried = ("ANONYMOUS", ""), ("PLAIN", "\0\0"), ("PLAIN", "\0guest\0guest"), ("AMQPLAIN", ""), ("EXTERNAL", "")
    for mechanism, response in tried:
        with socket.create_connection((host, int(port)), 30) as connection, contextlib.suppress(ConnectionError):
            connection.settimeout(30)
            connection.sendall(b"AMQP\0\0\x09\x01")
            greeting = connection.recv(65536)
            start = pika.spec.Connection.StartOk({}, mechanism, response, "en_US")
            connection.sendall(pika.frame.Method(0, start).marshal())
            yield mechanism, greeting, connection.recv(65536)


TUNE = b"\x01\0\0\0\0\0\x0c\0\x0a\0\x1e"  # follows a successful login: connection.tune, on channel 0


@pytest.mark.parametrize("listener", ["amqp", "inside", "consumers"])
def test_nobody_by_amqp(front, listener):
    answers = list(amqp_mechanisms(front, listener))
    assert answers and not [mechanism for mechanism, _, answer in answers if answer.startswith(TUNE)]
    assert all(b"PLAIN" in greeting for _, greeting, _ in answers)


@pytest.mark.parametrize("version", [4, 5])
def test_nobody_by_mqtt(front, version):
    if version == 5 and harness.series_of(front.cluster.members[0].root) < (4, 0):
        pytest.skip("MQTT 5 is reliable only since RabbitMQ 4")
    host, port = front.balancer.address("mqtt").split(":")
    body = raw_mqtt.text("MQTT") + bytes([version, 2, 0, 60]) + (b"\0" if version == 5 else b"") + raw_mqtt.text("nobody")
    with socket.create_connection((host, int(port)), 30) as connection, contextlib.suppress(ConnectionError):
        connection.settimeout(30)
        connection.sendall(bytes([0x10, len(body)]) + body)
        answer = connection.recv(100)
        assert answer == b"" or (answer[0] == 0x20 and answer[3] != 0), answer


def test_nobody_by_http(front, gateway):
    """A program's HTTP address shows only metrics and readiness. Nothing can be changed there."""
    assert [servers.http_request(int(gateway.address.rsplit(":", 1)[1]), "POST", "/v1/observations", BODY % OWN.encode(),
                                 {"Content-Type": harness.SENML_JSON, **header})[0]
            for header in ({}, {"Authorization": "Bearer "}, {"Authorization": "Basic Z3Vlc3Q6Z3Vlc3Q="})] == [401, 401, 401]
    one = front.cluster.nodes.brokers[0]
    for path in ("queues", "policies", "users", "definitions", "overview"):
        assert servers.http_request(int(one.management), "GET", f"/api/{path}")[0] == 401, path


@pytest.mark.parametrize("program", ["gateway", "worker"])
def test_what_a_program_shows(pipeline, gateway, program):
    shown = gateway if program == "gateway" else pipeline.worker()
    port = int(shown.address.rsplit(":", 1)[1])
    for path in ("/metrics", "/readyz", "/healthz", "/", "/debug", "/v1/tokens", "/../etc/passwd"):
        for method in ("GET", "POST", "PUT", "DELETE"):
            status = servers.http_request(port, method, path)[0]
            assert (status == 200) == (method == "GET" and path in ("/metrics", "/readyz", "/healthz")), (method, path, status)


# ---- the stores ----


@pytest.mark.parametrize("user", [*MAY, None])
def test_stores(front, guarded, user):
    """No password of a broker's user or a mote opens a store, nor does an empty one. A store's own password opens only
    its database."""
    mongodb, secured = guarded
    name, password = (user, front.cluster.passwords[user]) if user else ("", "")
    with pytest.raises(pymongo.errors.PyMongoError), mongo_client(mongodb, name, password) as client:
        client["river"].list_collection_names()
    header = {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()} if user else {}
    for method, path in (("GET", "/query?query=ASK%7B%7D"), ("POST", "/update"), ("PUT", "/store?default")):
        with contextlib.closing(http.client.HTTPSConnection(secured.host, secured.port, context=ssl._create_unverified_context(),
                                                            timeout=30)) as connection:
            connection.request(method, path, b"", header)
            assert connection.getresponse().status == 401


# ---- limits ----


def open_connections(front, stack, user, most=10):
    """Opens as many connections as the broker allows."""
    opened = []
    with contextlib.suppress(pika.exceptions.AMQPConnectionError):
        for _ in range(most):
            opened.append(front.connect(user, "amqp"))
            stack.callback(opened[-1].close)
    return opened


def open_channels(connections):
    """Opens as many channels as allowed. A connection that asks for one more is closed."""
    count = 0
    with contextlib.suppress(pika.exceptions.AMQPError):
        for connection in connections:
            for _ in range(8):
                connection.channel()
                count += 1
    return count


def send_by_all_ways(front, gateway, mote, source=None):
    """Sends over every protocol. AMQP is left out if `source` is given, because pika cannot choose its own address."""
    password = front.cluster.passwords[mote]
    if source is None:
        assert allowed(front, mote, send("amq.topic", f"ir.{mote}"))
    with raw_mqtt.Connection(front.balancer.address("mqtt"), mote, password, mote, source=source) as client:
        client.publish(f"ir/{mote}", BODY % mote.encode())
    assert post(gateway, password, mote) == 202


def test_a_mote_at_its_limits_locks_out_nobody(front, pipeline, gateway):
    """When each mote has its own user, it has its own limits. The fifth connection and the seventeenth channel of a
    mote are refused, AMQP and MQTT together."""
    with contextlib.ExitStack() as stack:
        connections = open_connections(front, stack, OWN)
        assert len(connections) == 4
        with pytest.raises(raw_mqtt.Refused):
            raw_mqtt.Connection(front.balancer.address("mqtt"), OWN, front.cluster.passwords[OWN], f"{OWN}/5")
        send_by_all_ways(front, gateway, OTHER)
        assert open_channels(connections) == 16
        send_by_all_ways(front, gateway, OTHER)
        stack.pop_all()
    for connection in connections:
        with contextlib.suppress(pika.exceptions.AMQPError):
            connection.close()


def test_with_the_shared_user_the_source_is_bounded(front, tmp_path):
    """The broker counts all connections of a user together, so the shared user has no limit there. Instead, the
    balancer limits each address. Meanwhile a worker holds 256 partitions."""
    with harness.Front(tmp_path / "narrow", **{"connections-per-source": "20"}) as narrow, \
            harness.FrontPipeline(narrow, tmp_path, settings=["--partitions=256"]) as pipeline:
        pipeline.init()
        worker = pipeline.worker()
        with contextlib.ExitStack() as stack:
            assert len(open_connections(narrow, stack, "mote", 30)) == 20
            login = (narrow.balancer.address("mqtt"), "mote", narrow.cluster.passwords["mote"])
            with pytest.raises(raw_mqtt.Refused):
                raw_mqtt.Connection(*login, "more")
            with raw_mqtt.Connection(*login, OTHER, source="127.0.0.2") as client:
                client.publish(f"ir/{OTHER}", BODY % OTHER.encode())
            harness.wait_for(lambda: len(pipeline.sqlite_ids("raw")) == 1, "the other mote's message")
        assert worker.not_ready() is None


# ---- making tokens ----


def definitions(*argv):
    done = subprocess.run([sys.executable, *argv], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout or done.stderr


def test_a_mote_cannot_take_a_users_name(tmp_path):
    kept = tmp_path / "mote-tokens"
    for name in ("worker", "mote", "guest"):
        harness.programs.write_tokens(kept, {"BUOY-7": "a", name: "b"})
        status, told = definitions(harness.ROOT / "ingest" / "motes.py", kept)
        assert status == 1 and f"mote {name}: " in told


def test_the_shared_user_is_a_choice(tmp_path):
    nodes = tmp_path / "nodes.conf"
    for choice, there in (("", False), ("[motes]\nusers = own\n", False), ("[motes]\nusers = shared\n", True)):
        nodes.write_text(f"[broker one]\nhost = 10.0.0.1\n{choice}")
        status, told = definitions(harness.ROOT / "ingest" / "definitions.py", nodes, tmp_path / "passwords")
        whole = json.loads(told)
        assert status == 0 and ('"mote"' in told) == there
        assert ("mote" in [each["name"] for each in whole["users"]]) == there


def test_later_issues_add_and_keep(tmp_path):
    """Issues tokens for the motes of a registry. Existing tokens are kept, even if the previous call was interrupted
    between its two files."""
    registry, hashes, kept = tmp_path / "river.ttl", tmp_path / "tokens", tmp_path / "mote-tokens"
    registry.write_text(harness.REGISTRY.read_text())
    assert cluster.motes.issue(harness.BUILD / "ir-ingest", registry, hashes, kept)
    first = cluster.definitions.read_passwords(kept)
    assert OWN in first and OTHER in first and kept.stat().st_mode & 0o77 == 0
    assert not cluster.motes.issue(harness.BUILD / "ir-ingest", registry, hashes, kept)
    hashes.write_text("".join(line for line in hashes.read_text().splitlines(True) if not line.startswith(f"{OWN} ")))
    assert cluster.motes.issue(harness.BUILD / "ir-ingest", registry, hashes, kept)
    second = cluster.definitions.read_passwords(kept)
    assert {mote for mote in first if first[mote] != second[mote]} == {OWN}


FULL = """
import resource, signal, sys
sys.path.insert(0, sys.argv[1])
import definitions, motes
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
{call}
"""


@pytest.mark.parametrize("name, call", [
    ("mote-tokens", "motes.issue(sys.argv[2], sys.argv[3], sys.argv[4] + '/tokens', sys.argv[4] + '/mote-tokens')"),
    ("passwords", "definitions.complete_passwords(sys.argv[4] + '/passwords', ['worker', 'viewer', 'monitor', 'gateway'])"),
])
def test_a_file_of_secrets_is_whole_after_a_full_disk(tmp_path, name, call):
    """A file may have at most 100 bytes here, so a line is cut off. The next call continues as if nothing had
    happened."""
    (tmp_path / name).write_text("river swordfish\n")
    (tmp_path / name).chmod(0o600)
    argv = [sys.executable, "-c", FULL.format(call=call), harness.ROOT / "ingest", harness.BUILD / "ir-ingest", harness.REGISTRY, tmp_path]
    assert subprocess.run(argv, capture_output=True, timeout=60, check=False).returncode != 0
    assert cluster.definitions.read_passwords(tmp_path / name) == {"river": "swordfish"}
    assert sorted(each.name for each in tmp_path.iterdir() if each.suffix != ".new") == [name]
