"""ir-store purge removes what a mote sent from every store, and nothing else."""

import datetime
import gzip
import json
import subprocess
import time
import urllib.parse

import pytest

import harness
from harness import servers


def by_mote(messages):
    """Chooses ten messages of each of two motes. Returns the motes' names and the messages."""
    names = sorted({each.mote for each in messages})[:2]
    return names, [each for name in names for each in [m for m in messages if m.mote == name][:10]]


def purge(pipeline, *words):
    return json.loads(pipeline.run("ir-store", "purge", *words, "--json", *pipeline.stores()))


FULL = ("--graph-detail=full", "--graph-name=mote")


@pytest.fixture(scope="module")
def fuseki(tmp_path_factory):
    """A server for this module only, because other tests send the same messages."""
    with servers.Fuseki(tmp_path_factory.mktemp("fuseki")) as server:
        yield server


@pytest.fixture(scope="module")
def oxigraph(tmp_path_factory):
    with servers.Oxigraph(tmp_path_factory.mktemp("oxigraph")) as server:
        yield server


@pytest.fixture(scope="module")
def virtuoso(tmp_path_factory):
    with servers.Virtuoso(tmp_path_factory.mktemp("virtuoso")) as server:
        yield server


@pytest.mark.parametrize("graph, settings", (
    ("nquads", ()), ("nquads", FULL), ("fuseki", ()), ("fuseki", ("--graph-name=day",)), ("oxigraph", FULL), ("virtuoso", ())),
    ids=lambda value: value if isinstance(value, str) else " ".join(value) or "lean")
def test_of_one_mote(make_pipeline, request, messages, graph, settings):
    uri = {} if graph == "nquads" else {"graph": request.getfixturevalue(graph).uri}
    pipeline = make_pipeline(settings=settings, **uri).init()
    options = [*settings, *pipeline.stores()]
    pipeline.stores = lambda: options
    (gone, stays), sent = by_mote(messages)
    before = in_graph(pipeline, graph, request)
    pipeline.worker()
    for message in sent:
        pipeline.publish(message)
    pipeline.drain()
    counts = purge(pipeline, f"--mote={gone}")
    mine = [each for each in sent if each.mote == gone]
    assert counts["dry_run"] and (counts["raw"], counts["observations"]) == (10, sum(len(each.ids) for each in mine))
    pipeline.stop_workers()
    assert purge(pipeline, f"--mote={gone}", "--yes")["raw"] == 10
    assert in_documents(pipeline, "observations") == ids(sent) - ids(mine)
    assert in_graph(pipeline, graph, request) - before == in_documents(pipeline, "observations", "revisions")
    assert pipeline.sqlite("SELECT DISTINCT mote FROM raw") == [(stays,)]
    assert purge(pipeline, f"--mote={gone}", "--yes")["raw"] == 0
    pipeline.worker()  # messages that are sent again are accepted again
    for message in mine:
        pipeline.publish(message)
    pipeline.drain()
    assert in_documents(pipeline, "observations") == ids(sent)
    assert in_graph(pipeline, graph, request) - before == in_documents(pipeline, "observations", "revisions")
    pipeline.stop_workers()
    purge(pipeline, "--mote=*", "--yes")
    assert in_graph(pipeline, graph, request) == before and in_documents(pipeline, "observations", "revisions") == set()


def ids(messages):
    return {str(each) for message in messages for each in message.ids}


def in_documents(pipeline, *tables):
    return {str(each) for table in tables for each in pipeline.sqlite_ids(table)}


def in_graph(pipeline, graph, request):
    """Returns the ids of the observations in the graph, and of other subjects whose names contain such an id."""
    if graph == "nquads":
        lines = pipeline.nquads_text().splitlines() if pipeline.nquads_files() else []
        subjects = {line.split(" ", 1)[0] for line in lines if line and line[0] == "<"}
    else:
        server = request.getfixturevalue(graph)
        where = "{ ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } }"
        subjects = {row[0] for row in server.select(f"SELECT DISTINCT ?s WHERE {{ {where} }}")}
    texts = {each.strip('<>"') for each in subjects}
    return {urllib.parse.unquote(each).rsplit(":", 1)[-1].rsplit("/", 1)[-1] for each in texts
            if each.startswith("urn:uuid:") or "/result/" in each}


def test_mongodb(make_pipeline, mongodb, messages):
    """A purge by mote, also restricted by arrival time, removes revisions and later outcomes, too."""
    pipeline = make_pipeline(documents=f"{mongodb.uri.replace('/river', '/purge')}", graph="null:").init()
    (gone, stays), sent = by_mote(messages)
    pipeline.worker()
    for message in sent:
        pipeline.publish(message)
    pipeline.drain()
    assert purge(pipeline, "--mote=*", "--until=2001-01-01T00:00:00Z", "--yes")["raw"] == 0
    assert purge(pipeline, f"--mote={gone[:-1]}?", "--yes")["raw"] == 10
    assert purge(pipeline, "--mote=*")["raw"] == 10 and purge(pipeline, f"--mote={stays}")["raw"] == 10


def test_what_is_refused(pipeline):
    for words, says in ((["purge"], "purge needs --mote"), (["purge", "--older-than=1d", "--until=2026-01-01T00:00:00Z"], "not both"),
                        (["purge", "--what=graph"], "needs --older-than or --until"),
                        (["purge", "--what=graph", "--older-than=1d"], "needs --archive=DIR"), (["purge", "--mote=a", "--documents=null:"], "there is no record of what a mote sent"),
                        (["purge", "--mote=a", "--since=noon"], "is not a time")):
        status, _, errors = pipeline.call("ir-store", *pipeline.stores(), *words)
        assert status == 2 and says in errors and errors.count("\n") == 1


# ---- beside running workers ----


def test_beside_workers(pipeline, messages):
    """Workers seal their segments for the purge and continue. Messages that are sent again afterwards are stored again
    once, in every store."""
    (gone, _), sent = by_mote(messages)
    mine = [each for each in sent if each.mote == gone]
    for _ in range(2):
        pipeline.worker()
    for message in [*sent, *sent[:3]]:  # for a repeated message, workers look the observations up
        pipeline.publish(message)
    pipeline.drain()
    assert purge(pipeline, f"--mote={gone}", "--yes")["raw"] == 10
    assert in_documents(pipeline, "observations") == ids(sent) - ids(mine)
    assert in_graph(pipeline, "nquads", None) == in_documents(pipeline, "observations", "revisions")
    for message in sent:
        pipeline.publish(message)
    pipeline.drain()
    pipeline.assert_exactly(sent)
    pipeline.stop_workers()
    pipeline.assert_exactly(sent)


def test_by_age(pipeline, messages):
    """Purges a time span of all motes. The remaining data are complete."""
    pipeline.worker()
    old, young = messages[:40], messages[40:80]
    for message in old:
        pipeline.publish(message)
    pipeline.drain()
    between = moment_after(pipeline)
    for message in [*young, *old[:5]]:
        pipeline.publish(message)
    pipeline.drain()
    assert purge(pipeline, "--older-than=1d")["raw"] == 0
    assert purge(pipeline, f"--until={between}")["raw"] == 40
    assert purge(pipeline, f"--until={between}", "--yes")["observations"] == len(ids(old))
    pipeline.assert_exactly(young)
    pipeline.publish(old[0])  # its time is in the purged span; it is stored like a new message
    pipeline.drain()
    pipeline.assert_exactly([*young, old[0]])
    text = pipeline.run("ir-store", "export", "--format=json", *pipeline.stores())
    assert len(text.splitlines()) == len(ids([*young, old[0]]))


def moment_after(pipeline):
    """Waits until the millisecond after the newest arrival is over, and returns it."""
    after = pipeline.sqlite("SELECT max(received_ns) FROM raw")[0][0] // 10**6 + 1
    harness.wait_for(lambda: time.time_ns() // 10**6 > after, "the next millisecond", pause=0.001)
    return datetime.datetime.fromtimestamp(after / 1000, datetime.timezone.utc).isoformat().replace("+00:00", "Z")


STEPS = ("from the graph: revisions", "from the graph: observations", "revisions", "observations", "raw messages")


def kill_purge(pipeline, step, *words):
    """Starts a purge and kills it with SIGKILL when it announces this step."""
    argv = [harness.BUILD / "ir-store", "purge", *words, "--yes", *pipeline.stores()]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=pipeline.directory) as process:
        for line in process.stderr:
            if f": {step} " in line:
                process.kill()


def test_killed(pipeline, messages):
    """A purge is killed at each step. The other motes' observations are complete, no observation is only in the graph,
    and the next purge finishes the work."""
    (gone, _), _ = by_mote(messages)
    sent = messages[:600]
    mine = [each for each in sent if each.mote == gone]
    pipeline.worker()
    for message in sent:
        pipeline.publish(message)
    pipeline.drain()
    pipeline.stop_workers()
    for step in STEPS:
        kill_purge(pipeline, step, f"--mote={gone}")
        left = in_documents(pipeline, "observations")
        assert ids(sent) - ids(mine) <= left <= ids(sent)
        assert in_graph(pipeline, "nquads", None) <= in_documents(pipeline, "observations", "revisions")
        assert pipeline.sqlite("PRAGMA integrity_check") == [("ok",)]
    purge(pipeline, f"--mote={gone}", "--yes")
    assert in_documents(pipeline, "observations") == ids(sent) - ids(mine)
    assert in_graph(pipeline, "nquads", None) == in_documents(pipeline, "observations", "revisions")
    pipeline.worker()
    for message in mine:
        pipeline.publish(message)
    pipeline.drain()
    pipeline.stop_workers()
    pipeline.assert_exactly(sent)


# ---- the graph alone ----


def test_archived_segments(make_pipeline, messages, tmp_path):
    """Archived segments are compressed in another folder. Their observations no longer count and are not written again.
    An archive can be put back."""
    pipeline = make_pipeline(settings=("--segment-bytes=64Ki",)).init()
    options = [*pipeline.settings, *pipeline.stores()]
    pipeline.stores = lambda: options
    pipeline.worker("--batch-observations=100")
    sent = messages[:400]
    old = [each for each in sent if when(each) < when(sent[200])]
    for part in (old, sent[len(old) :]):
        for message in part:
            pipeline.publish(message)
        pipeline.drain()
    words = ("--what=graph", f"--until={when(sent[200])}", "--archive=archive")
    assert purge(pipeline, *words)["dry_run"] and not (tmp_path / "archive").exists()
    counts = purge(pipeline, *words, "--yes")
    archived = sorted((tmp_path / "archive").glob("*.nq.gz"))
    assert len(archived) == counts["parts"] > 1 and counts["compressed"] * 4 < counts["bytes"]
    assert purge(pipeline, *words)["parts"] == 0
    left = in_graph(pipeline, "nquads", None)
    assert ids(sent[len(old) :]) <= left and not left & ids(old[:50])
    for message in sent:
        pipeline.publish(message)
    pipeline.drain()
    assert in_graph(pipeline, "nquads", None) == left
    for path in archived:
        (tmp_path / "graph" / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    pipeline.assert_exactly(sent)
    pipeline.stop_workers()


def when(message):
    return datetime.datetime.fromtimestamp(message.records[0]["t"], datetime.timezone.utc).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize("graph", ("fuseki", "oxigraph", "virtuoso"))
def test_dropped_days(make_pipeline, request, messages, graph):
    server = request.getfixturevalue(graph)
    pipeline = make_pipeline(graph=server.uri, settings=("--graph-name=day",)).init()
    options = [*pipeline.settings, *pipeline.stores()]
    pipeline.stores = lambda: options
    before = in_graph(pipeline, graph, request)
    day = when(messages[300])[:10]
    old, young = [m for m in messages[:300] if when(m)[:10] < day][-20:], [m for m in messages[300:600] if when(m)[:10] >= day][:20]
    pipeline.worker()
    for message in [*old, *young]:
        pipeline.publish(message)
    pipeline.drain()
    words = ("--what=graph", f"--until={day}T12:00:00Z")
    counts = purge(pipeline, *words)
    assert counts["dry_run"] and counts["parts"] == len({when(m)[:10] for m in old}) and counts["statements"] >= 8 * len(ids(old))
    assert purge(pipeline, *words, "--yes")["parts"] == counts["parts"] and purge(pipeline, *words)["parts"] == 0
    left = in_graph(pipeline, graph, request) - before
    assert ids(young) <= left and not left & ids(old) and ids(old) <= in_documents(pipeline, "observations")
    status, _, errors = pipeline.call("ir-store", "purge", *words, *pipeline.stores(), "--graph-name=default")
    assert status == 2 and "needs the setting graph-name = day" in errors
    pipeline.stop_workers()
    purge(pipeline, "--mote=*", "--yes")


# ---- compaction ----


def test_compacted_beside_a_worker(make_pipeline, fuseki, oxigraph, messages):
    """A compacted graph has new files, the same content, and the statements that a worker wrote meanwhile."""
    pipeline = make_pipeline(graph=fuseki.uri).init()
    pipeline.worker()
    for message in messages[:400]:
        pipeline.publish(message)
    text = pipeline.run("ir-store", "compact", *pipeline.stores(), seconds=300)
    assert text.startswith("compacted in ")
    pipeline.drain()
    pipeline.stop_workers()
    newest = sorted(fuseki.directory.glob("data/Data-*"))
    assert len(newest) == 1 and newest[0].name != "Data-0001"
    assert ids(messages[:400]) <= in_graph_of(fuseki)
    status, _, errors = pipeline.call("ir-store", "compact", f"--graph={oxigraph.uri}")
    assert status == 1 and "does not compact" in errors
    status, _, errors = pipeline.call("ir-store", "compact", "--graph=nquads:none")
    assert status in (1, 2) and errors


def in_graph_of(server):
    rows = server.select("SELECT ?o WHERE { { ?o a <http://www.w3.org/ns/sosa/Observation> } UNION "
                         "{ GRAPH ?g { ?o a <http://www.w3.org/ns/sosa/Observation> } } }")
    return {row[0].strip('"').rsplit(":", 1)[-1] for row in rows}
