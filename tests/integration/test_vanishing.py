"""Files of the stores are removed, moved and replaced while workers run. The worker acknowledges only what is stored;
/readyz and the log say what happened. Work continues when the files are back or new ones are set up."""

import contextlib
import shutil
import sqlite3
import time

import pytest

import harness
from harness import servers


def send(pipeline, messages):
    for message in messages:
        pipeline.publish(message)


def await_not_ready(worker, text):
    harness.wait_for(lambda: text in (worker.not_ready() or ""), f"not ready: {text}")


def stored(pipeline, messages):
    """Returns which of the messages' observations are in the documents, and which in the graph."""
    ids = {identity for message in messages for identity in message.ids}
    return len(ids & set(pipeline.sqlite_ids())), len(ids & set(pipeline.nquads_ids())), len(ids)


def assert_all(pipeline, messages):
    documents, graph, wanted = stored(pipeline, messages)
    assert (documents, graph) == (wanted, wanted)


def init_stores(pipeline):
    pipeline.run("ir-store", "init", *pipeline.stores())


def remove_database(pipeline):
    for path in pipeline.directory.glob("documents.sqlite*"):
        path.unlink()


def remove_graph(pipeline):
    shutil.rmtree(pipeline.directory / "graph")


@pytest.mark.parametrize("remove, path", [(remove_database, "documents.sqlite"), (remove_graph, "graph")])
def test_removed_and_set_up_again(pipeline, messages, remove, path):
    """The files are removed while the worker is idle. Later messages wait for the new store, and all are stored in
    it."""
    workers = [pipeline.worker(name=f"w{n}") for n in range(2)]
    send(pipeline, messages[:100])
    pipeline.drain()
    remove(pipeline)
    for worker in workers:
        await_not_ready(worker, path)
    send(pipeline, messages[100:200])
    init_stores(pipeline)
    for worker in workers:
        worker.await_ready()
    pipeline.drain()
    pipeline.stop_workers()
    documents, graph, wanted = stored(pipeline, messages[100:200])
    assert (documents, graph) == (wanted, wanted)
    for worker in workers:
        assert " error: " in worker.text() and "removed" in worker.text() and "ir-store init" in worker.text()


def test_removed_under_load(pipeline, messages):
    """The files are removed under load. Everything acknowledged after the new store exists is in it, including messages
    that were in progress at that moment."""
    worker = pipeline.worker()
    send(pipeline, messages[:50])
    pipeline.drain()
    for round_number in range(3):
        part = messages[50 + 200 * round_number : 250 + 200 * round_number]
        send(pipeline, part[:100])
        remove_database(pipeline)
        remove_graph(pipeline)
        init_stores(pipeline)
        send(pipeline, part[100:])
        pipeline.drain()
        harness.wait_for(lambda: worker.not_ready() is None, "ready")
        assert_all(pipeline, part[100:])
    pipeline.stop_workers()


def test_moved_and_back(pipeline, messages):
    """The folder of both stores is moved away while messages arrive, and moved back. Nothing is missing or
    duplicated."""
    inside = pipeline.directory / "stores"
    inside.mkdir()
    pipeline.documents, pipeline.graph = f"sqlite:{inside}/documents.sqlite", f"nquads:{inside}/graph"
    init_stores(pipeline)
    workers = [pipeline.worker(name=f"w{n}") for n in range(2)]
    send(pipeline, messages[:200])
    inside.rename(pipeline.directory / "away")
    for worker in workers:
        await_not_ready(worker, "stores/")
    send(pipeline, messages[200:300])
    (pipeline.directory / "away").rename(inside)
    pipeline.drain()
    for worker in workers:
        worker.await_ready()
    pipeline.stop_workers()
    status, verdict = pipeline.verify(pipeline.write_ledger(messages[:300]))
    assert status == 0, verdict


def test_older_copy_written_over_it(pipeline, messages):
    """The database's file is overwritten with its earlier content. Later data are missing, and the worker reports
    this."""
    path = pipeline.directory / "documents.sqlite"
    older = pipeline.directory / "older"
    worker = pipeline.worker()
    for part in (messages[:100], messages[100:300]):
        send(pipeline, part)
        pipeline.drain()
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if not older.exists():
            shutil.copyfile(path, older)
    time.sleep(2)  # the worker checks every second
    shutil.copyfile(older, path)
    await_not_ready(worker, "written over")
    send(pipeline, messages[300:310])
    assert worker.metric("ir_messages_acknowledged_total") == 300


def test_log_removed(pipeline, messages):
    """The database's -wal file is removed by hand under load. Its content is still stored."""
    worker = pipeline.worker()
    for n in range(4):
        send(pipeline, messages[100 * n : 100 * n + 50])
        for path in pipeline.directory.glob("documents.sqlite-*"):
            path.unlink(missing_ok=True)
        send(pipeline, messages[100 * n + 50 : 100 * n + 100])
        pipeline.drain()
        harness.wait_for(lambda: worker.not_ready() is None, "ready")
    pipeline.stop_workers()
    pipeline.assert_exactly(messages[:400])


@pytest.mark.parametrize("remove, path", [(remove_database, "documents.sqlite"), (remove_graph, "graph")])
def test_what_was_set_up_is_not_set_up_silently(pipeline, remove, path):
    """A deployment calls init --again. This changes no store that exists, and does not replace one that is missing."""
    pipeline.run("ir-store", "init", "--again", *pipeline.stores())
    remove(pipeline)
    status, _, errors = pipeline.call("ir-store", "init", "--again", *pipeline.stores())
    assert status == 1 and path in errors, errors
    assert not (pipeline.directory / path).exists()
    init_stores(pipeline)
    pipeline.run("ir-store", "init", "--again", *pipeline.stores())


def test_servers_that_were_set_up(make_pipeline, mongodb, tmp_path_factory):
    """init --again refuses servers that were set up and lost their data: a database without the mark of its setup, a
    dataset without a registry."""
    with servers.Oxigraph(tmp_path_factory.mktemp("emptied")) as oxigraph:
        pipeline = make_pipeline(documents=mongodb.uri.replace("/river", "/again"), graph=oxigraph.uri)
        for part, says in (("documents", "documents mongodb"), ("graph", "graph")):
            null = f"--{'graph' if part == 'documents' else 'documents'}=null:"
            status, _, errors = pipeline.call("ir-store", "init", "--again", *pipeline.stores(), null)
            assert status == 1 and says in errors and "not set up" in errors, errors
        pipeline.init()
        pipeline.run("ir-store", "init", "--again", *pipeline.stores())


def number_in(answer, key):
    """An int64 of a document of BSON, by its key."""
    at = answer.index(b"\x12" + key.encode() + b"\0") + len(key) + 2
    return int.from_bytes(answer[at : at + 8], "little")


def test_mongodb_comes_back_empty(make_pipeline, tmp_path_factory, messages):
    """The worker does not ask MongoDB for each batch whether the database is still the one that was set up.
    Nevertheless, it acknowledges nothing that was written to another one."""
    with servers.MongoDB(tmp_path_factory.mktemp("own-mongod")) as mongod:
        pipeline = make_pipeline(documents=mongod.uri, graph="null:").init()
        worker = pipeline.worker("--batch-observations=1")
        queries = number_in(mongod.command({"serverStatus": 1}), "query")
        send(pipeline, messages[:600])
        pipeline.drain()
        batches = worker.metric("ir_batches_total")
        assert number_in(mongod.command({"serverStatus": 1}), "query") - queries < batches / 2
        mongod.kill()
        send(pipeline, messages[600:700])
        await_not_ready(worker, "documents")
        shutil.rmtree(mongod.directory / "data")
        mongod.set_up = False
        mongod.start()
        await_not_ready(worker, "not the one that was set up")
        assert worker.metric("ir_messages_acknowledged_total") == 600
        init_stores(pipeline)
        pipeline.drain(120)
        worker.await_ready()
        mongod.command({"dropDatabase": 1}, "river")  # MongoDB keeps running and keeps its connections
        await_not_ready(worker, "not the one that was set up")


def test_the_first_member_of_a_replica_set_is_gone(make_pipeline, tmp_path_factory, messages):
    """The remaining members have a primary, so stores can be set up and workers start."""
    with servers.MongoDB(tmp_path_factory.mktemp("own-mongod")) as mongod:
        gone = f"{servers.HOST}:{servers.free_ports(1)[0]}"
        pipeline = make_pipeline(documents=mongod.uri.replace("//", f"//{gone},"), graph="null:").init()
        pipeline.worker()
        send(pipeline, messages[:10])
        pipeline.drain()


def test_graph_server_comes_back_empty(make_pipeline, tmp_path_factory, messages):
    """A graph server comes back empty: its registry is missing, too. The worker reports this and stores nothing before
    the server is set up again."""
    with servers.Oxigraph(tmp_path_factory.mktemp("own-oxigraph")) as oxigraph:
        pipeline = make_pipeline(graph=oxigraph.uri, settings=["--timeout=3s"]).init()
        worker = pipeline.worker()
        send(pipeline, messages[:50])
        pipeline.drain()
        oxigraph.kill()
        send(pipeline, messages[50:100])
        await_not_ready(worker, "graph")
        shutil.rmtree(oxigraph.directory / "data")
        oxigraph.start()
        await_not_ready(worker, "ir-store init")
        harness.wait_for(lambda: "the registry is gone" in worker.text(), "said as an error")
        assert oxigraph.count(f"?o a <{harness.OBSERVATION}>") == 0
        init_stores(pipeline)
        pipeline.drain(120)
        worker.await_ready()
        pipeline.stop_workers()
        found = oxigraph.count(f"?o a <{harness.OBSERVATION}>")
        assert found == sum(len(message.ids) for message in messages[50:100])
