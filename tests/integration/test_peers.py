"""Workers that were written otherwise leave the same documents and statements as ours, down to every id and value."""

import shutil
import subprocess
import sys

import harness
import pytest

sys.path.insert(0, str(harness.ROOT / "bench"))

from ir_bench import stage  # noqa: E402
from ir_bench.kinds import peers  # noqa: E402

MESSAGES = "--messages=150"


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    path = tmp_path_factory.mktemp("registry") / "registry.ttl"
    path.write_bytes(stage.call(peers.PYTHON, peers.PEERS / "python" / "gross_registry.py", stage.REGISTRY))
    return path


@pytest.mark.parametrize("name", ["python", "java"])
def test_a_peer_leaves_what_ours_would(name, registry, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "BUILD", harness.BUILD)
    if name == "java":
        build_java()
    with stage.Stage(tmp_path, "mongodb", "fuseki", registry) as run:
        observations = run.fill(MESSAGES)["observations_sent"]
        run.drain(stage.Peer(run, name, peers.WORKERS[name](run, observations)), observations)
        assert run.verify() == {"missing": 0, "doubled": 0, "foreign": 0}
        expected = {part: stage.digest_of_lines(stage.annotated(registry, form, *run.source, MESSAGES))
                    for part, form in peers.FORMS.items()}
        assert run.digests() == expected


def build_java():
    if not shutil.which("mvn") or not shutil.which("javac"):
        pytest.skip("no Maven or no Java compiler here: tools/install peers")
    subprocess.run(["make", "-s", "-C", harness.ROOT, "out/peers/java.ok"], check=True)
