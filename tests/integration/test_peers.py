"""Workers that were written independently of ours store the same documents and statements, down to every id and value,
and publish the same messages."""

import contextlib
import json
import shutil
import subprocess
import sys

import harness
import pika
import pytest
import rdflib

sys.path.insert(0, str(harness.ROOT / "bench"))

from ir_bench import stage  # noqa: E402
from ir_bench.kinds import peers  # noqa: E402

MESSAGES = "--messages=150"


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    path = tmp_path_factory.mktemp("registry") / "registry.ttl"
    path.write_bytes(stage.call(peers.PYTHON, peers.PEERS / "python" / "gross_registry.py", stage.REGISTRY))
    return path


@pytest.fixture(autouse=True)
def build(monkeypatch):
    monkeypatch.setattr(stage, "BUILD", harness.BUILD)


@contextlib.contextmanager
def listening(run):
    """Returns a function that returns the bodies published so far, by format."""
    connection = pika.BlockingConnection(pika.URLParameters(run.broker.uri))
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, "ir.processed", "#")

    def published():
        found = {}
        for method, _, body in iter(lambda: channel.basic_get(queue, auto_ack=True), (None, None, None)):
            found.setdefault(method.routing_key.partition(".")[0], []).append(body)
        return found

    yield published
    connection.close()


def records(packs):
    """Returns (name, time, value, unit) for each record of the SenML packs, sorted."""
    return sorted((each["n"], each["t"], each["v"], each["u"]) for pack in packs for each in json.loads(pack))


def statements(form, texts):
    graph = rdflib.Graph()
    for text in texts:
        graph.parse(data=text, format=form)
    return set(graph)


def run_peer(name, run):
    """Lets the peer process the messages in the queues; returns what it published for them."""
    observations = run.fill(MESSAGES)["observations_sent"]
    with listening(run) as published:
        run.drain(stage.Peer(run, name, peers.WORKERS[name](run, observations)), observations)
        return published()


def expected(registry, form):
    return stage.annotated(registry, form, *stage.REPLAY, MESSAGES)


@pytest.mark.parametrize("name", ["python", pytest.param("java", marks=pytest.mark.slow)])
def test_a_peer_leaves_and_publishes_what_ours_would(name, registry, tmp_path):
    if name == "java":
        if not shutil.which("mvn") or not shutil.which("javac"):
            pytest.skip("Maven or a Java compiler is missing: tools/install peers")
        compile_peer(name)
    with stage.Stage(tmp_path, "mongodb", "fuseki", registry) as run:
        published = run_peer(name, run)
        assert run.verify() == {"missing": 0, "doubled": 0, "foreign": 0}
        assert run.digests() == {part: stage.digest_of_lines(expected(registry, form)) for part, form in peers.FORMS.items()}
    assert records(published["senml"]) == records(expected(registry, "senml").splitlines())
    assert statements("json-ld", published["jsonld"]) == statements("nt", [expected(registry, "ntriples")])


@pytest.mark.skipif(not (peers.BUILT / "benthos.ok").exists(),
                    reason="make out/peers/benthos.ok builds it, in minutes and with Go 1.25 or later")
def test_benthos_resolves_packs_as_ours_does(registry, tmp_path):
    compile_peer("benthos")
    with stage.Stage(tmp_path, "null", "null", registry) as run:
        published = run_peer("benthos", run)
    assert records(published["senml"]) == records(expected(registry, "senml").splitlines())
    assert len(published["jsonld"]) == len(published["senml"])


def compile_peer(name):
    subprocess.run(["make", "-s", "-C", harness.ROOT, f"out/peers/{name}.ok"], check=True)
