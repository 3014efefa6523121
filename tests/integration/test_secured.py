"""Every connection uses TLS and a login, from `ir-store init` to `verify`: RabbitMQ by name and by address, MongoDB
with a password or a certificate, and a SPARQL server with basic or bearer authentication."""

import base64
import contextlib
import os
import shutil
import socket
import ssl
import subprocess

import pytest

import harness
from harness import servers

NAMES = ["localhost", "127.0.0.1"]
LOGIN = "river"
PASSWORD = "of the river"
TOKEN = "a-bearers-token"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Makes an authority, a server's certificate, and a client's certificate for MongoDB (client.pem)."""
    folder = tmp_path_factory.mktemp("certificates")
    subprocess.run([harness.ROOT / "ingest" / "make-certificates", folder, *NAMES], check=True, capture_output=True)
    openssl(folder, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "client.key")
    openssl(folder, "req", "-new", "-key", "client.key", "-subj", f"/O=river/CN={LOGIN}", "-out", "client.csr")
    openssl(folder, "x509", "-req", "-in", "client.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "9",
            "-out", "client.crt")
    (folder / "client.pem").write_text((folder / "client.key").read_text() + (folder / "client.crt").read_text())
    return folder


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


# ---- MongoDB ----


class SecuredMongoDB(servers.MongoDB):
    """A replica set with TLS. `ir-store init` initiates it. If a login is required, the set is initiated here, because
    only an initiated set can have users."""

    def __init__(self, directory, certificates, **login):
        super().__init__(directory, **login)
        self.certificates = certificates

    def argv(self):
        return [*super().argv(), "--tlsMode", "requireTLS", "--tlsCertificateKeyFile", self.certificates / "server.pem",
                "--tlsCAFile", self.certificates / "ca.pem", "--tlsAllowConnectionsWithoutCertificates"]

    def connect(self):
        context = ssl.create_default_context(cafile=self.certificates / "ca.pem")
        return context.wrap_socket(super().connect(), server_hostname="localhost")

    def await_ready(self, ready=None):
        if self.user:
            super().await_ready(ready)
        else:
            servers.Server.await_ready(self)

    def address(self, login, options):
        return (f"mongodb://{login}localhost:{self.port}/river?replicaSet=rs0&tls=true"
                f"&tlsCAFile={self.certificates / 'ca.pem'}{options}")


def runs_through(make_pipeline, messages, *more, env=None, **stores):
    """Runs the whole path: init, a worker, messages, verify."""
    pipeline = make_pipeline(settings=more, env=env, **stores)
    pipeline.init()
    pipeline.worker()
    for message in messages[:30]:
        pipeline.publish(message)
    pipeline.drain()
    status, verdict = pipeline.verify(pipeline.write_ledger(messages[:30]))
    assert status == 0, verdict
    return pipeline


def test_mongodb_that_is_not_set_up(make_pipeline, messages, certificates, tmp_path):
    with SecuredMongoDB(tmp_path / "mongodb", certificates) as mongodb:
        runs_through(make_pipeline, messages, documents=mongodb.address("", ""))


def test_mongodb_with_a_password(make_pipeline, messages, certificates, tmp_path):
    login = {"user": LOGIN, "password": PASSWORD}
    with SecuredMongoDB(tmp_path / "mongodb", certificates, **login) as mongodb:
        runs_through(make_pipeline, messages, env={"IR_DOCUMENTS_PASSWORD": PASSWORD},
                     documents=mongodb.address(f"{LOGIN}@", "&authSource=admin"))
        wrong = make_pipeline(documents=mongodb.address(f"{LOGIN}@", "&authSource=admin"),
                              env={"IR_DOCUMENTS_PASSWORD": "not-the-one"})
        status, told, errors = wrong.call("ir-store", "status", *wrong.stores())
        assert status != 0 and "not-the-one" not in told + errors
        wrong.declare()
        refused_at_the_start(wrong, "documents mongodb", "wrong")


def refused_at_the_start(pipeline, *words):
    """The worker ends at once and gives the reason."""
    status, _, errors = pipeline.call("ir-worker", *pipeline.arguments())
    assert status == 1 and all(each in errors.splitlines()[-1] for each in words), errors


def test_mongodb_with_a_certificate(make_pipeline, messages, certificates, tmp_path):
    login = {"user": LOGIN, "password": PASSWORD}
    with SecuredMongoDB(tmp_path / "mongodb", certificates, **login) as mongodb:
        make_user(mongodb, f"CN={LOGIN},O=river")
        runs_through(make_pipeline, messages, documents=mongodb.address(
            "", f"&authMechanism=MONGODB-X509&authSource=$external&tlsCertificateKeyFile={certificates / 'client.pem'}"))


def make_user(mongodb, name):
    """Makes the user that the certificate names. PyMongo logs in to do this."""
    import pymongo

    uri = mongodb.address(f"{LOGIN}:{PASSWORD.replace(' ', '%20')}@", "&authSource=admin")
    with pymongo.MongoClient(uri) as client:
        client["$external"].command("createUser", name, roles=[{"role": "readWrite", "db": "river"},
                                                               {"role": "clusterMonitor", "db": "admin"}])


# ---- the replica sets of a sharded MongoDB; Debian has no package with mongos ----


class Member(SecuredMongoDB):
    """The only member of a replica set of a sharded MongoDB. `ir-store initiate` sets it up, as MongoDB's internal
    user, whose password is the key that all members share."""

    def __init__(self, directory, certificates, name, kind, key):
        super().__init__(directory, certificates)
        self.set_name, self.kind, self.key = name, kind, key

    def files(self):
        return {"key": self.key}

    def argv(self):
        argv = [self.set_name if each == "rs0" else each for each in super().argv()]
        return [*argv, self.kind, "--keyFile", self.directory / "key"]

    def initiate(self, pipeline, may):
        uri = self.address("__system@", "&authSource=local").replace("replicaSet=rs0", f"replicaSet={self.set_name}")
        words = ["ir-store", "initiate", f"--documents={uri}", "--graph=null:", f"--new-user={LOGIN}", f"--new-user-may={may}"]
        env = {"IR_DOCUMENTS_PASSWORD": self.key, "IR_NEW_USER_PASSWORD": PASSWORD}
        status, told, errors = pipeline.call(*words, env=env)
        assert status == 0, told + errors


@pytest.fixture
def members(certificates, tmp_path):
    """The config server and two shards, started but not initiated."""
    key = base64.b64encode(os.urandom(96)).decode()
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Member(tmp_path / name, certificates, name, kind, key))
               for name, kind in (("config", "--configsvr"), ("shard-1", "--shardsvr"), ("shard-2", "--shardsvr"))]


def test_sets_of_a_sharded_mongodb(make_pipeline, members):
    """Each set is initiated and gets its user; doing this twice does no harm. A wrong password is refused."""
    pipeline = make_pipeline()
    for _ in range(2):
        for each, may in zip(members, ("shard", "write", "write")):
            each.initiate(pipeline, may)
    for each in members:
        uri = each.address(f"{LOGIN}@", "&authSource=admin").replace("replicaSet=rs0", f"replicaSet={each.set_name}")
        for password, good in ((PASSWORD, True), ("not-the-one", False)):
            status, told, errors = pipeline.call("ir-store", "status", f"--documents={uri}", "--graph=null:",
                                                 env={"IR_DOCUMENTS_PASSWORD": password})
            said = told + errors
            assert ("authentication failed" not in said.lower()) == good and "not-the-one" not in said, (status, said)


# ---- SPARQL ----

TLS_PROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend secured
    bind 127.0.0.1:{port} ssl crt {certificate}
    http-request deny status 401 hdr WWW-Authenticate 'Basic realm="river"' unless {{ req.hdr(authorization) -m str "{credential}" }}
    default_backend graph
backend graph
    server graph 127.0.0.1:{target}
"""


class Secured(servers.Server):
    """HAProxy with TLS in front of a SPARQL server. It requires this credential."""

    name = "secured-graph"
    n_ports = 1

    def __init__(self, directory, target, certificates, credential):
        super().__init__(directory)
        self.target, self.certificates, self.credential = target, certificates, credential

    def files(self):
        return {"haproxy.cfg": TLS_PROXY.format(port=self.port, certificate=self.certificates / "server.pem",
                                                credential=self.credential, target=self.target.port)}

    def argv(self):
        return [servers.find_program("haproxy", "run", "/usr/sbin/haproxy"), "-db", "-f", self.directory / "haproxy.cfg"]

    def ready(self):
        with contextlib.suppress(OSError):
            socket.create_connection((self.host, self.port), 2).close()
            return True
        return False

    @property
    def uri(self):
        return self.target.uri.replace(f"http://{self.host}:{self.target.port}", f"https://localhost:{self.port}")


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_sparql(make_pipeline, messages, certificates, tmp_path, kind):
    basic = "Basic cml2ZXI6c2VjcmV0"  # river:secret
    credential = basic if kind == "basic" else f"Bearer {TOKEN}"
    with (servers.Oxigraph(tmp_path / "oxigraph") as oxigraph,
          Secured(tmp_path / "secured", oxigraph, certificates, credential) as secured):
        login = {"IR_GRAPH_USER": LOGIN, "IR_GRAPH_PASSWORD": "secret"} if kind == "basic" else {"IR_GRAPH_TOKEN": TOKEN}
        env = {**login, "IR_GRAPH_CA": str(certificates / "ca.pem")}
        runs_through(make_pipeline, messages, env=env, graph=secured.uri)
        stranger = make_pipeline(graph=secured.uri, env={**env, "IR_GRAPH_CA": "/etc/ssl/certs/ca-certificates.crt"})
        status, told, errors = stranger.call("ir-store", "status", *stranger.stores())
        assert status != 0 and "certificate" in told + errors
        forged = {key: f"not-{value}" for key, value in login.items() if key != "IR_GRAPH_USER"}
        wrong = make_pipeline(graph=secured.uri, env={**env, **forged})
        wrong.declare()
        refused_at_the_start(wrong, "refuses the credentials", "401")


# ---- RabbitMQ ----


def send(front, address, tmp_path):
    """Sends five messages with ir-loadgen; returns the finished process."""
    words = ["--simulate=3", "--messages=5", "--no-ledger", "--no-subscribe", "--retry-for=5s", f"--target=amqps://mote@{address}",
             f"--amqp-ca={front.ca}", f"--out={tmp_path / 'load'}"]
    return subprocess.run([harness.BUILD / "ir-loadgen", *words], capture_output=True, text=True, timeout=60, check=False,
                          env={**harness.os.environ, "IR_AMQP_PASSWORD": front.cluster.passwords["mote"]})


@pytest.mark.parametrize("host", NAMES)
def test_amqps_by_name_and_by_address(front, make_front_pipeline, tmp_path, host):
    make_front_pipeline().init()
    done = send(front, f"{host}:{front.balancer.address('amqps').split(':')[1]}", tmp_path)
    assert done.returncode == 0, done.stderr


def test_amqps_at_an_address_that_the_certificate_lacks(front, tmp_path):
    """The certificate contains the server's name but not its address."""
    named = tmp_path / "named"
    shutil.copytree(front.directory / "certificates", named)
    subprocess.run([harness.ROOT / "ingest" / "make-certificates", named, "localhost"], check=True, capture_output=True)
    nodes = harness.cluster.list_of_nodes.Nodes(brokers=front.cluster.nodes.brokers)
    with harness.cluster.HAProxy(tmp_path / "balancer", nodes, named) as balancer:
        done = send(front, balancer.address("amqps"), tmp_path)
    assert done.returncode != 0 and "is not trusted" in done.stderr, done.stderr
