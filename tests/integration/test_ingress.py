"""HAProxy in front of RabbitMQ and the gateways, for AMQP, MQTT and HTTP, with and without TLS: users with minimal
rights, limits that push back, and meaningless bytes."""

import contextlib
import http.client
import http.server
import json
import os
import re
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import pika
import pytest

import harness
from harness import servers

cluster = harness.cluster
list_of_nodes = cluster.list_of_nodes
MOTE = "USGS-08068500"
END_SECONDS = 60  # less than idle-session, the limit for connections that fall silent after a valid start


@contextlib.contextmanager
def channel_of(front, user, listener="inside"):
    connection = front.connect(user, listener)
    try:
        yield connection.channel()
    finally:
        if connection.is_open:
            connection.close()


def publish(channel, message):
    properties = pika.BasicProperties(content_type=harness.SENML_JSON, delivery_mode=2)
    channel.basic_publish("ir.observations", f"ir.{message.mote}", message.body, properties, mandatory=True)


def mosquitto(front, message, listener="mqtt", user="mote", password=None, seconds=30, more=()):
    """Runs mosquitto_pub with QoS 1: it retries until the broker has acknowledged the message."""
    port = front.balancer.address(listener).split(":")[1]
    argv = ["timeout", str(seconds), "mosquitto_pub", "-h", "localhost", "-p", port, "-V", "mqttv311", "-q", "1"]
    argv += ["-i", message.mote]
    argv += ["-u", user, "-P", password or front.cluster.passwords[user], "-t", f"ir/{message.mote}", "-s", *more]
    if listener == "mqtts":
        argv += ["--cafile", front.ca]
    return subprocess.run(argv, input=message.body, capture_output=True, check=False)


def raw(front, listener, secure=False):
    host, port = front.balancer.address(listener).split(":")
    connection = socket.create_connection((host, int(port)), END_SECONDS)
    if secure:
        connection = ssl.create_default_context(cafile=front.ca).wrap_socket(connection, server_hostname="localhost")
    return connection


def read_to_end(connection):
    """Returns everything received until the other side closes the connection, which must happen within END_SECONDS."""
    data = b""
    try:
        while chunk := connection.recv(65536):
            data += chunk
    except ConnectionError:
        pass
    return data


@pytest.fixture
def pipeline(front, make_front_pipeline):
    return make_front_pipeline().init()


# ---- protocols ----


@pytest.mark.parametrize("listener", ["amqp", "amqps"])
def test_amqp(front, pipeline, messages, listener):
    pipeline.worker()
    with channel_of(front, "mote", listener) as channel:
        channel.confirm_delivery()
        for message in messages[:20]:
            publish(channel, message)
    pipeline.drain()
    pipeline.assert_exactly(messages[:20])


@pytest.mark.parametrize("listener", ["mqtt", "mqtts"])
def test_mqtt(front, pipeline, messages, listener):
    """The topic ir/MOTE becomes the same routing key as over AMQP. So a mote's messages are in one partition and in
    order, whichever protocol it uses."""
    pipeline.worker()
    for message in messages[:8]:
        done = mosquitto(front, message, listener)
        assert done.returncode == 0, done.stderr
    pipeline.drain()
    pipeline.assert_exactly(messages[:8])


@pytest.fixture
def gateway(front, tmp_path):
    """A gateway at the address that the balancer expects, and a token for MOTE."""
    listed = front.cluster.nodes.gateways[0]
    token = harness.programs.issue_tokens(harness.BUILD, [MOTE], tmp_path / "tokens")[MOTE]
    words = [f"--listen={listed.host}:{listed.http}", f"--tokens={tmp_path / 'tokens'}", "--drain=0s"]
    words.append(f"--amqp=amqp://gateway@{front.balancer.address('inside')}")
    env = {**os.environ, "IR_AMQP_PASSWORD": front.cluster.passwords["gateway"]}
    gateway = harness.programs.Gateway(harness.BUILD, "gateway", tmp_path / "gateway.log", words, env=env)
    try:
        gateway.await_ready()
        harness.wait_for(lambda: front.balancer.up("gateways") == 1, "the balancer to see it")
        yield token
    finally:
        gateway.stop()


@pytest.mark.parametrize("listener", ["http", "https"])
def test_http(front, pipeline, gateway, messages, listener):
    pipeline.worker()
    mine = [message for message in messages if message.mote == MOTE][:5]
    context = ssl.create_default_context(cafile=front.ca) if listener == "https" else None
    for message in mine:
        headers = {"Content-Type": harness.SENML_JSON, "Authorization": f"Bearer {gateway}"}
        url = f"{listener}://localhost:{front.balancer.address(listener).split(':')[1]}/v1/observations"
        with urllib.request.urlopen(urllib.request.Request(url, message.body, headers), context=context) as answer:
            assert answer.status == 202 and str(message.raw_id) in answer.read().decode()
    pipeline.drain()
    pipeline.assert_exactly(mine)


class Listener(http.server.BaseHTTPRequestHandler):
    """An HTTP server that records the headers of all requests except health checks."""

    seen = []

    def do_GET(self):  # noqa: N802
        if self.path.startswith("/v1/"):
            self.seen.append(self.headers)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_the_gateway_knows_the_clients_address(front, tmp_path):
    """No client can pretend to have another address."""
    with http.server.ThreadingHTTPServer((servers.HOST, 0), Listener) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        nodes = list_of_nodes.Nodes(brokers=front.cluster.nodes.brokers)
        nodes.gateways = [list_of_nodes.Gateway("one", servers.HOST, str(listener.server_address[1]))]
        with cluster.HAProxy(tmp_path / "balancer", nodes, front.directory / "certificates") as balancer:
            port = int(balancer.address("http").split(":")[1])
            forged = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "gopher"}
            assert servers.http_request(port, "GET", "/v1/observations", None, forged)[0] == 200
        listener.shutdown()
    (headers,) = Listener.seen
    assert headers.get_all("X-Forwarded-For") == [servers.HOST] and headers.get_all("X-Forwarded-Proto") == ["http"]


def test_the_broker_knows_the_clients_address(front):
    with channel_of(front, "mote", "amqp") as channel:
        ours = channel.connection._impl._transport._sock.getsockname()  # noqa: SLF001
        listed = front.cluster.members[0].control("list_connections", "user", "peer_host", "peer_port")
        assert f"mote\t{ours[0]}\t{ours[1]}" in listed


def test_a_certificate_of_another_authority_is_not_trusted(front, tmp_path):
    subprocess.run([harness.ROOT / "ingest" / "make-certificates", tmp_path / "other"], check=True, capture_output=True)
    port = front.balancer.address("amqps").split(":")[1]
    with socket.create_connection((servers.HOST, int(port))) as plain, pytest.raises(ssl.SSLError):
        ssl.create_default_context(cafile=tmp_path / "other" / "ca.pem").wrap_socket(plain, server_hostname="localhost")


# ---- users ----


@pytest.mark.parametrize("user", ["mote", "guest"])
def test_wrong_password(front, user):
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        front.connect(user, password="wrong")


# ---- limits that push back ----


@contextlib.contextmanager
def limited(front, most):
    """Limits the queues to this number of messages."""
    node = front.cluster.members[0]
    rule = {"max-length": most, "overflow": "reject-publish"}
    words = ("set_policy", "--priority", "1", "--apply-to", "queues", "low")
    node.control(*words, r"^ir\.observations\.", json.dumps(rule))
    try:
        yield
    finally:
        node.control("clear_policy", "low")


def test_a_full_queue_refuses_and_nothing_is_lost(front, pipeline, messages):
    """A publisher whose message is refused keeps it, and delivers it when a worker has made room."""
    mine = [message for message in messages if message.mote == messages[0].mote][:60]
    with limited(front, 10), channel_of(front, "mote") as channel:
        channel.confirm_delivery()
        harness.wait_for(lambda: fill(channel, mine[:40]) < 40, "a queue that refuses")
        waiting = pipeline.waiting()
        assert waiting < 40
        pipeline.worker()
        for message in mine:
            harness.wait_for(lambda: accepted(channel, message), "room")  # noqa: B023
    pipeline.drain()
    pipeline.assert_exactly(mine)


def accepted(channel, message):
    try:
        publish(channel, message)
    except pika.exceptions.NackError:
        return False
    return True


def fill(channel, some):
    return sum(accepted(channel, message) for message in some)


def test_a_full_queue_and_mqtt(front, pipeline, messages):
    """A message that was not accepted gets no PUBACK."""
    mine = [message for message in messages if message.mote == messages[0].mote][:30]
    with limited(front, 3):
        with channel_of(front, "mote") as channel:
            channel.confirm_delivery()
            harness.wait_for(lambda: fill(channel, mine[:10]) < 10, "a queue that refuses")
        done = mosquitto(front, mine[20], seconds=4)
        assert done.returncode != 0
    pipeline.worker()
    pipeline.drain()
    assert str(mine[20].raw_id) not in map(str, pipeline.sqlite_ids("raw"))


# ---- meaningless bytes and slow clients ----

GARBAGE = {
    "nonsense": bytes(range(256)) * 4,
    "zeros": bytes(4096),
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "amqp 1.0": b"AMQP\0\1\0\0",
    "a hello of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300),
}


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("kind", ["amqp", "mqtt"])
@pytest.mark.parametrize("name", GARBAGE)
def test_garbage(front, kind, name, secure):
    """The balancer closes the connection, and no byte of it reaches a broker."""
    with raw(front, kind + "s" if secure else kind, secure) as connection:
        connection.sendall(GARBAGE[name])
        assert read_to_end(connection) == b""


@pytest.mark.parametrize("listener", ["amqps", "mqtts", "https"])
def test_garbage_where_tls_is_spoken(front, listener):
    with raw(front, listener) as connection:
        connection.sendall(b"AMQP\0\0\x09\x01" + bytes(2000))
        read_to_end(connection)


@pytest.mark.parametrize("name", GARBAGE)
@pytest.mark.parametrize("listener", ["http", "stats"])
def test_garbage_where_http_is_spoken(front, listener, name):
    with raw(front, listener) as connection:
        connection.sendall(GARBAGE[name] if name != "http" else b"GET /\x01\x02 HTTP/9.9\r\n\r\n")
        data = read_to_end(connection)
    assert data == b"" or data.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))


AMQP_START = b"AMQP\0\0\x09\x01"


def test_garbage_after_a_good_start(front):
    with raw(front, "amqp") as connection:
        connection.sendall(AMQP_START + bytes([1, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]) + bytes(1000))
        read_to_end(connection)


@pytest.mark.parametrize("listener, begin", [("amqp", b""), ("amqp", b"AMQP"), ("mqtt", b""), ("mqtt", b"\x10\x20\x00"),
                                             ("http", b"GET /v1/observations HTTP/1.1\r\nX-A: ")])
def test_slow_clients_are_cut(front, listener, begin):
    """The balancer closes the connection within first-bytes (here two seconds), even if a byte arrives now and then."""
    with raw(front, listener) as connection:
        connection.sendall(begin)
        begun = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for _ in range(4):
                time.sleep(0.5)
                connection.sendall(b"a" if begin else b"")
        data = read_to_end(connection)
    assert time.monotonic() - begun < 10  # later, another limit would close it
    assert data == b"" or data.startswith(b"HTTP/1.1 408")


def test_a_handshake_that_stops_is_cut(front):
    with raw(front, "amqps") as connection:
        connection.sendall(b"\x16\x03\x01")
        read_to_end(connection)


def test_a_login_that_stops_is_cut(front):
    with raw(front, "amqp") as connection:
        connection.sendall(AMQP_START)
        assert connection.recv(7)[0] == 1
        read_to_end(connection)


def test_others_are_served_meanwhile(front, pipeline, messages):
    """Other clients are served while a hundred slow clients and a hundred clients that send nonsense are connected."""
    with contextlib.ExitStack() as stack:
        for i in range(100):
            stack.enter_context(raw(front, ("amqp", "mqtt", "http")[i % 3]))
            connection = stack.enter_context(raw(front, ("amqp", "mqtt", "http")[i % 3]))
            connection.sendall(GARBAGE["nonsense"])
        with channel_of(front, "mote", "amqp") as channel:
            channel.confirm_delivery()
            publish(channel, messages[0])
        assert mosquitto(front, messages[1]).returncode == 0
    assert pipeline.waiting() == 2


# ---- requests that the balancer refuses itself ----


def request(front, method, path, listener="http", **headers):
    port = int(front.balancer.address(listener).split(":")[1])
    return servers.http_request(port, method, path, None, headers)


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/healthz", "/", "/stats", "/v2/observations"])
def test_only_the_interface_is_forwarded(front, path):
    status, body = request(front, "GET", path)
    assert status == 404 and json.loads(body)["status"] == 404


def test_no_gateway_is_there(front):
    harness.wait_for(lambda: front.balancer.up("gateways") == 0, "the check to see it")
    port = int(front.balancer.address("http").split(":")[1])
    with raw(front, "http") as connection:
        connection.sendall(f"POST /v1/observations HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: 2\r\n"
                           "Connection: close\r\n\r\n[]".encode())
        data = read_to_end(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503") and re.search(rb"(?i)retry-after: \d+", head) and json.loads(body)


def test_statistics(front):
    status, page = request(front, "GET", "/stats", "stats")
    assert status == 200 and b"amqp-brokers" in page
    status, text = request(front, "GET", "/metrics", "stats")
    assert status == 200 and b"haproxy_backend_active_servers" in text


def test_rate_limits(front, tmp_path):
    """Limits per source address: 429 for HTTP requests; excess connections are closed at once."""
    nodes = list_of_nodes.Nodes(brokers=front.cluster.nodes.brokers)
    nodes.limits.update({"requests-per-source": "5", "new-connections-per-source": "20"})
    with cluster.HAProxy(tmp_path / "balancer", nodes, front.directory / "certificates") as balancer:
        port = int(balancer.address("http").split(":")[1])
        answers = [servers.http_request(port, "GET", "/v1/observations")[0] for _ in range(12)]
        assert answers == [503] * 5 + [429] * 7
        with pytest.raises((OSError, http.client.HTTPException)):
            for _ in range(20):
                servers.http_request(port, "GET", "/v1/observations")


def test_no_connection_carries_many_requests(front):
    """HTTP/2 is not spoken: the limits count connections, and one of HTTP/2 would carry a hundred requests at once."""
    host, port = front.balancer.address("https").split(":")
    context = ssl.create_default_context(cafile=front.ca)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with context.wrap_socket(socket.create_connection((host, int(port)), END_SECONDS), server_hostname="localhost") as connection:
        assert connection.selected_alpn_protocol() == "http/1.1"
    for secure in (False, True):
        with raw(front, "https" if secure else "http", secure) as connection:
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
            assert read_to_end(connection).startswith(b"HTTP/1.1 400")


def test_an_ipv6_line_is_one_source(front, tmp_path):
    """Whoever has an IPv6 line has 2^64 addresses. They share the limits of one source."""
    nodes = list_of_nodes.Nodes(brokers=front.cluster.nodes.brokers)
    with cluster.HAProxy(tmp_path / "balancer", nodes, front.directory / "certificates", listen="::1") as balancer:
        with socket.create_connection(("::1", balancer.ports[0]), END_SECONDS) as connection:
            connection.sendall(AMQP_START)
            harness.wait_for(lambda: "key=:: " in balancer.command("show table sources"), "the network in the table")


# ---- configuration ----


def test_the_example_is_what_the_generator_makes():
    made = subprocess.run([harness.ROOT / "ingest" / "haproxy.py", harness.ROOT / "ingest" / "nodes.conf"],
                          capture_output=True, text=True, check=True).stdout
    assert made == (harness.ROOT / "ingest" / "haproxy.cfg").read_text(), "make haproxy.cfg writes it anew"


def test_the_example_is_valid(front, tmp_path):
    text = (harness.ROOT / "ingest" / "haproxy.cfg").read_text()
    text = text.replace("/etc/haproxy/river.pem", front.balancer.nodes.balancer["certificate"])
    (tmp_path / "haproxy.cfg").write_text(text.replace("maxconn 20000\n", "maxconn 1000\n"))
    program = servers.find_program("haproxy", "run", "/usr/sbin/haproxy")
    done = subprocess.run([program, "-c", "-f", tmp_path / "haproxy.cfg"], cwd=front.balancer.directory, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr


@pytest.mark.parametrize("text, complaint", [
    ("[broker b]\nhost = 1.2.3.4\namqp = many\n", "a port"),
    ("[broker b]\n", "lacks host"),
    ("[balancer]\nhttp = 80\n", "no section [broker NAME]"),
    ("[broker b]\nhost = h\n[balancer]\nhttps = 443\n", "needs a certificate"),
    ("[broker b]\nhost = h\ncolour = red\n", "there is no such key"),
    ("[broker b]\nhost = h\n[router r]\n", "sections are"),
    ("[limits]\nfirst-bytes = soon\n[broker b]\nhost = h\n", "a time like"),
    ("nonsense", "must follow a section"),
    ("[broker b]\nhost = h\nhost = i\n", "is there twice"),
])
def test_a_wrong_list_is_told_in_one_line(tmp_path, text, complaint):
    path = tmp_path / "nodes.conf"
    path.write_text(text)
    done = subprocess.run([harness.ROOT / "ingest" / "haproxy.py", path], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1
    assert complaint in done.stderr and str(path) in done.stderr


def test_passwords_are_made_once_and_kept_from_others(tmp_path):
    argv = [harness.ROOT / "ingest" / "definitions.py", harness.ROOT / "ingest" / "nodes.conf", tmp_path / "passwords"]
    first = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    kept = (tmp_path / "passwords").read_text()
    second = subprocess.run(argv, capture_output=True, check=True).stdout.decode()
    assert (tmp_path / "passwords").read_text() == kept and (tmp_path / "passwords").stat().st_mode & 0o77 == 0
    names = [line.split()[0] for line in kept.splitlines()]
    assert names == [user["name"] for user in first["users"]]
    assert not any(urllib.parse.quote(line.split()[1]) in second for line in kept.splitlines())


def test_certificates_are_kept_from_others(tmp_path):
    subprocess.run([harness.ROOT / "ingest" / "make-certificates", tmp_path, "river.example", "10.0.0.1"], check=True,
                   capture_output=True)
    assert (tmp_path / "ca.key").stat().st_mode & 0o77 == 0 and (tmp_path / "server.pem").stat().st_mode & 0o77 == 0
    text = subprocess.run(["openssl", "x509", "-in", tmp_path / "server.pem", "-noout", "-text"], capture_output=True,
                          text=True, check=True).stdout
    assert "DNS:river.example" in text and "IP Address:10.0.0.1" in text
