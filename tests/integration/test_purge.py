"""ir-store purge removes what a mote sent from every store, and nothing else."""

import json
import urllib.parse

import pytest

from harness import servers


def by_mote(messages):
    """Ten messages each of two motes, and their names."""
    names = sorted({each.mote for each in messages})[:2]
    return names, [each for name in names for each in [m for m in messages if m.mote == name][:10]]


def purge(pipeline, *words):
    return json.loads(pipeline.run("ir-store", "purge", *words, "--json", *pipeline.stores()))


FULL = ("--graph-detail=full", "--graph-name=mote")


@pytest.fixture(scope="module")
def fuseki(tmp_path_factory):
    """Servers of this module's own, since other tests send the same messages."""
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
    pipeline.worker()  # what is sent again is taken again
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
    """Ids of the observations in it, and of what else has such an id in its subject."""
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
    """With revisions and later outcomes; by the time of arrival, too."""
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
    for words, says in ((["purge"], "purge wants --mote"), (["purge", "--mote=a", "--documents=null:"], "do not know what a mote sent"),
                        (["purge", "--mote=a", "--since=noon"], "is no time")):
        status, _, errors = pipeline.call("ir-store", *pipeline.stores(), *words)
        assert status == 2 and says in errors and errors.count("\n") == 1
