"""ir-store backup and restore. The stores lose their disks while workers run, and are restored to the saved state."""

import gzip
import hashlib
import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

import harness
from harness import servers
from test_purge import in_documents, in_graph
from test_river import commands, mine, paste, registry  # noqa: F401 (a fixture among them)


def backup(pipeline, *words):
    """Makes a backup; returns its folder."""
    answer = json.loads(pipeline.run("ir-store", "backup", "backups", "--json", *words, *pipeline.stores(), seconds=300))
    return pipeline.directory / answer["backup"]


def restore(pipeline, *words, folder="backups"):
    return pipeline.run("ir-store", "restore", folder, *words, *pipeline.stores(), seconds=300)


def refused(pipeline, *words, status=1):
    """Calls the command, which must fail, and returns the last line of its message."""
    found, _, errors = pipeline.call("ir-store", *words, *pipeline.stores())
    assert found == status, errors
    return errors.splitlines()[-1]


def verify(pipeline, certain, perhaps=()):
    """Asserts that the stores contain each message of `certain` exactly once. They may also contain messages of
    `perhaps`, but no others."""
    words = ["verify", f"--ledger={ledger(pipeline, 'certain', certain)}", f"--known={ledger(pipeline, 'perhaps', perhaps)}"]
    status, text, errors = pipeline.call("ir-store", *words, "--json", *pipeline.stores(), seconds=300)
    assert status == 0, text + errors


def ledger(pipeline, name, messages):
    return harness.write_ledger(pipeline.directory / f"{name}.txt", [(message, 1) for message in messages])


def send(pipeline, messages):
    for message in messages:
        pipeline.publish(message)


def lose_documents(pipeline):
    """Removes the database and its log."""
    for path in pipeline.directory.glob("documents.sqlite*"):
        path.unlink()


def lose_graph(pipeline):
    shutil.rmtree(pipeline.directory / "graph")


def lose_files(pipeline):
    lose_documents(pipeline)
    lose_graph(pipeline)


def rehearse(pipeline, messages, lose):
    """Sends messages before the backup, during it, and while the stores are lost."""
    size = len(messages) // 3
    before, during, after = messages[:size], messages[size : 2 * size], messages[2 * size :]
    workers = [pipeline.worker() for _ in range(2)]
    send(pipeline, before)
    pipeline.drain()
    send(pipeline, during)
    backup(pipeline)
    pipeline.drain()
    lose(pipeline)
    harness.wait_for(lambda: all(each.not_ready() for each in workers), "workers that are not ready")
    send(pipeline, after)
    restore(pipeline)
    for each in workers:
        each.await_ready()
    pipeline.drain()
    verify(pipeline, before + after, during)
    send(pipeline, during)
    pipeline.drain()
    verify(pipeline, messages)
    pipeline.stop_workers()
    verify(pipeline, messages)


def test_files_lost_under_workers(pipeline, messages):
    rehearse(pipeline, messages[:600], lose_files)
    assert set(pipeline.nquads_ids()) == set(pipeline.sqlite_ids())


def replace_graph(folder, older):
    """Replaces the backup's graph with that of an older backup, as if the graph had been read long before the
    documents."""
    shutil.copy(older / "graph-1.nq.gz", folder)
    sums = folder / "SHA256SUMS"
    lines = [line for line in sums.read_text().splitlines() if not line.endswith("  graph-1.nq.gz")]
    digest = hashlib.sha256((folder / "graph-1.nq.gz").read_bytes()).hexdigest()
    sums.write_text("\n".join([*lines, f"{digest}  graph-1.nq.gz", ""]))


def test_graph_older_than_documents(pipeline, messages):
    """Restoring makes what the graph lacks from the documents: observations, and revisions of observations that the
    graph has."""
    pipeline.worker()
    sent = messages[:600]
    send(pipeline, sent[:300:2])
    pipeline.drain()
    older = backup(pipeline)
    send(pipeline, sent[300:])
    send(pipeline, sent[1:300:2])  # late: verdicts of stored observations change
    pipeline.drain()
    pipeline.stop_workers()
    pipeline.run("ir-store", "reprocess", *pipeline.stores())
    everything = in_graph(pipeline, "nquads", None)
    assert everything == in_documents(pipeline, "observations", "revisions") and in_documents(pipeline, "revisions")
    lines = sorted(set(pipeline.nquads_text().splitlines()))
    replace_graph(backup(pipeline), older)
    lose_files(pipeline)
    restore(pipeline)
    assert in_graph(pipeline, "nquads", None) == everything
    assert sorted(set(statements(pipeline))) == [line for line in lines if not line.startswith("#")]
    verify(pipeline, sent)


def statements(pipeline):
    """Returns the statements, without the marks that end batches."""
    return [line for line in pipeline.nquads_text().splitlines() if not line.startswith("#")]


def test_one_store_alone(pipeline, messages):
    """Only the graph is lost. Even observations newer than the backup are restored, because the documents have them."""
    pipeline.worker()
    send(pipeline, messages[:100])
    pipeline.drain()
    backup(pipeline)
    send(pipeline, messages[100:200])
    pipeline.drain()
    shutil.rmtree(pipeline.directory / "graph")
    restore(pipeline, "--store=graph")
    pipeline.drain()
    verify(pipeline, messages[:200])


def restore_killed(pipeline, size, *words):
    """Starts a restore and kills it with SIGKILL when the file that it writes reaches this size. Returns whether that
    worked."""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    argv = [harness.BUILD / "ir-store", "restore", "backups", *words, *pipeline.stores()]
    done = subprocess.run(argv, cwd=pipeline.directory, capture_output=True, text=True, timeout=120, preexec_fn=limit, check=False)
    assert done.returncode in (0, -signal.SIGXFSZ), done.stderr
    return done.returncode != 0


@pytest.mark.parametrize("store, lose", (("documents", lose_documents), ("graph", lose_graph)))
def test_killed_while_one_store_is_restored(pipeline, messages, store, lose):
    """A restore is killed. It leaves no incomplete file, and the same command, called again, completes the work."""
    pipeline.worker("--segment-bytes=64Ki")
    send(pipeline, messages[:400])
    pipeline.drain()
    pipeline.stop_workers()
    backup(pipeline)
    whole = set(pipeline.sqlite_ids())
    lose(pipeline)
    for size in (1000, 20000, 70000):
        assert restore_killed(pipeline, size, f"--store={store}")
        assert store == "graph" or not (pipeline.directory / "documents.sqlite").exists()
        assert store == "documents" or pipeline.sqlite("PRAGMA integrity_check") == [("ok",)]
    restore(pipeline, f"--store={store}")
    assert set(pipeline.sqlite_ids()) == set(pipeline.nquads_ids()) == whole
    verify(pipeline, messages[:400])


def test_killed_between_the_stores(pipeline, messages):
    """A restore is killed after the documents are back. The next call restores only the graph, and says so."""
    pipeline.worker()
    send(pipeline, messages[:400])
    pipeline.drain()
    pipeline.stop_workers()
    backup(pipeline)
    lose_files(pipeline)
    (pipeline.directory / "graph").write_text("in its way")
    assert "graph" in refused(pipeline, "restore", "backups")
    (pipeline.directory / "graph").unlink()
    assert "--store=graph" in refused(pipeline, "restore", "backups")
    restore(pipeline, "--store=graph")
    verify(pipeline, messages[:400])


def test_whole_or_not_at_all(pipeline, messages, tmp_path):
    """Damaged backups are not restored, and existing stores are not replaced."""
    pipeline.worker()
    send(pipeline, messages[:50])
    pipeline.drain()
    pipeline.stop_workers()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "20200101T000000Z.part").mkdir()
    folders = [backup(pipeline, "--with=secret,graph/registry.nq", "--keep=2") for _ in range(3)]
    assert sorted((tmp_path / "backups").iterdir()) == folders[1:]
    assert (folders[2] / "files" / "secret").stat().st_mode & 0o777 == 0o600 and (folders[2] / "files/graph/registry.nq").is_file()
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folders[2], check=True, timeout=60)
    assert "the file exists" in refused(pipeline, "restore", "backups")
    assert "move the directory away" in refused(pipeline, "restore", "backups", "--store=graph")
    lose_files(pipeline)
    damaged = folders[2] / "documents.sqlite"
    os.truncate(damaged, damaged.stat().st_size - 1)
    assert "documents.sqlite is not what was backed up" in refused(pipeline, "restore", "backups")
    assert not (tmp_path / "documents.sqlite").exists()
    restore(pipeline, folder=folders[1])
    verify(pipeline, messages[:50])
    assert "contains no complete backup" in refused(pipeline, "restore", tmp_path / "graph")
    assert "restore needs a backup" in refused(pipeline, "restore", status=2)


@pytest.fixture
def small_disk(tmp_path):
    directory = tmp_path / "backups"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(directory)]
    done = subprocess.run(mount, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode != 0:
        pytest.skip(f"no right to mount: {done.stderr.strip()}")
    yield directory
    subprocess.run(["umount", "--lazy", str(directory)], timeout=20, check=True)


def test_full_disk(small_disk, pipeline, messages):
    """When the disk is full, the backup fails with a message and leaves nothing behind."""
    first = backup(pipeline, "--store=both")
    pipeline.worker()
    send(pipeline, messages[:1000])
    pipeline.drain()
    assert "No space left on device; make room there" in refused(pipeline, "backup", "backups")
    assert [*small_disk.iterdir()] == [first]


# ---- the timer of docs/howto/back-up.md ----


def unit_files():
    """Returns {name: text} of the units there."""
    text = (harness.ROOT / "docs" / "howto" / "back-up.md").read_text()
    block = text.split("## On a schedule")[1].split("```ini\n")[1].split("```")[0]
    parts = re.split(r"^# (\S+)\n", block, flags=re.M)[1:]
    return dict(zip(parts[::2], parts[1::2]))


def test_scheduled_command(pipeline, tmp_path):
    """The command of the systemd timer works, here with the paths of this test."""
    (tmp_path / "river.conf").write_text("[common]\n" + "".join(f"{each[2:]}\n" for each in pipeline.stores()))
    (tmp_path / "river.conf").chmod(0o600)
    line = re.search(r"ExecStart=(.*)", unit_files()["river-backup.service"])[1]
    for name, path in (("/usr/local/bin", harness.BUILD), ("/etc/intelligent-river/river.conf", "river.conf"),
                       ("/etc/intelligent-river", "river.conf"), ("/srv/backups", "backups")):
        line = line.replace(name, str(path))
    subprocess.run(shlex.split(line), cwd=tmp_path, check=True, timeout=60)
    (made,) = (tmp_path / "backups").iterdir()
    assert (made / "files" / "river.conf").is_file()


def test_units(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not there")
    for name, text in unit_files().items():
        (tmp_path / name).write_text(text.replace("/usr/local/bin/ir-store", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *tmp_path.glob("river-backup.*")], capture_output=True, text=True,
                          timeout=60, check=False)
    if "Failed to" in done.stderr and done.returncode != 0 and "river-backup" not in done.stderr:
        pytest.skip(f"systemd-analyze cannot work here: {done.stderr.strip()}")
    assert done.returncode == 0 and "river-backup" not in done.stderr, done.stderr


# ---- a user's river ----


@pytest.mark.slow
def test_lost_river(mine, tmp_path):
    """The whole folder is lost (stores, registry, credentials, ports) and restored."""
    mine.good("up.py", "up", DOCUMENTS="sqlite", GRAPH="oxigraph", REGISTRY=str(registry(tmp_path / "gauges.ttl", "elbe-dresden")))
    send_one = commands(mine.good("up.py", "up"))["HTTP"]
    paste(send_one)
    harness.wait_for(lambda: mine.stored() == 1, "an observation")
    to = tmp_path / "backups"
    assert "backup " in mine.good("keep.py", "backup", TO=str(to))
    kept, definitions = mine.kept(), next(to.glob("*/files/broker-definitions.json"))
    assert {each["name"] for each in json.loads(definitions.read_text())["queues"]} >= {"ir.observations.0", "ir.rejected"}
    mine.good("up.py", "down")
    shutil.rmtree(mine.folder)
    text = mine.good("keep.py", "restore", FROM=str(to))
    assert "river.json is back" in text and mine.kept() == kept and mine.stored() == 1
    mine.good("up.py", "up")
    paste(send_one)
    harness.wait_for(lambda: mine.stored() == 2, "one more")
    mine.good("up.py", "down")
    assert "backup " in mine.good("keep.py", "backup", TO=str(to), COPIES="1") and len([*to.iterdir()]) == 1
    assert "the file exists" in mine.refused("keep.py", "restore", FROM=str(to))
    assert "wants TO=DIR" in mine.refused("keep.py", "backup")


# ---- servers ----


def lose_server(server):
    """Replaces the store's server with an empty one."""
    server.kill()
    for path in server.directory.iterdir():
        if path != server.log:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    server.set_up = server.granted = False


def of_server(server):
    name = "documents" if server.name == "mongod" else "graph"
    return {name: server.uri}


@pytest.mark.slow
@pytest.mark.parametrize("kinds", [(servers.MongoDB, servers.Fuseki), (servers.Oxigraph,), (servers.Virtuoso,)],
                         ids=lambda kinds: " ".join(each.name for each in kinds))
def test_servers_lost_under_workers(make_pipeline, messages, tmp_path, kinds):
    """Each store in turn is lost alone, then all of them."""
    started = [kind(tmp_path / kind.name) for kind in kinds]
    for each in started:
        each.start()
    pipeline = make_pipeline(**{key: uri for each in started for key, uri in of_server(each).items()}).init()

    def lose(_):
        for each in started:
            lose_server(each)
        if pipeline.documents.startswith("sqlite:"):
            for path in tmp_path.glob("documents.sqlite*"):
                path.unlink()
        harness.wait_for(lambda: all(each.not_ready() for each in pipeline.workers), "workers that are not ready")
        for each in started:
            each.start()

    try:
        rehearse(pipeline, messages[:1500], lose)
    finally:
        for each in started:
            each.stop()


@pytest.mark.slow
def test_from_one_graph_store_to_another(make_pipeline, messages, tmp_path):
    """The graph is saved from one store and restored into another: a backup contains N-Quads, which any store
    accepts."""
    pipeline = make_pipeline(settings=("--graph-detail=full", "--graph-name=day")).init()
    options = [*pipeline.settings, *pipeline.stores()]
    pipeline.stores = lambda: options
    pipeline.worker()
    send(pipeline, messages[:200])
    pipeline.drain()
    pipeline.stop_workers()
    folder = backup(pipeline)
    with gzip.open(folder / "graph-1.nq.gz", "rt") as file:
        lines = len(set(file))
    for kind in (servers.Fuseki, servers.Oxigraph):
        with kind(tmp_path / kind.name) as server:
            pipeline.stores = lambda server=server: [*options, f"--graph={server.uri}"]
            restore(pipeline, "--store=graph", folder=folder)
            verify(pipeline, messages[:200])
            assert server.count("GRAPH ?g { ?s ?p ?o } FILTER(CONTAINS(STR(?g), 'graph/day/'))") == lines
