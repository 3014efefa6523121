"""The whole pipeline. Everything sent is stored once in both stores, and is published again."""

import csv
import gzip
import io
import json
import uuid

import cbor2
import pymongo
import pytest
import rdflib

import harness
from harness import programs

SOSA = rdflib.Namespace("http://www.w3.org/ns/sosa/")


def test_replay_of_the_whole_file(make_pipeline):
    """ir-loadgen sends the whole file, and two workers store it in SQLite and N-Quads. sqlite3 and rdflib count the
    results."""
    pipeline = make_pipeline(settings=["--formats=senml"]).init()
    for _ in range(2):
        pipeline.worker()
    load = pipeline.directory / "load"
    words = [f"--amqp={pipeline.amqp}", f"--replay={harness.DATA}", f"--out={load}", "--formats=senml"]
    pipeline.run("ir-loadgen", *words, "--drain-timeout=200s", seconds=400)
    summary = json.loads((load / "summary.json").read_text())
    assert (summary["messages_sent"], summary["observations_sent"]) == (9383, 40337)
    pipeline.stop_workers()

    assert pipeline.sqlite("SELECT count(*), count(DISTINCT id) FROM raw") == [(9383, 9383)]
    assert pipeline.sqlite("SELECT count(*), count(DISTINCT id) FROM observations") == [(40337, 40337)]
    assert pipeline.ready_messages("ir.rejected") == 0
    status, verdict = pipeline.verify(load / "ledger.txt")
    assert status == 0, verdict
    ids = pipeline.nquads_ids()
    assert (len(ids), len(set(ids))) == (40337, 40337)
    assert set(ids) == set(pipeline.sqlite_ids())

    with gzip.open(harness.DATA, "rt", newline="") as file:
        wanted = {(r["station"] + "/" + r["parameter"], r["time_utc"]): float(r["value"]) for r in csv.DictReader(file)}
    found = pipeline.sqlite(
        "SELECT s.name, strftime('%Y-%m-%dT%H:%M:%SZ', o.time_ns / 1000000000, 'unixepoch'), o.value"
        " FROM observations o JOIN sensors s ON s.id = o.sensor"
    )
    assert {(name, time): value for name, time, value in found} == wanted


def test_statements_parse_elsewhere(pipeline, messages):
    """rdflib parses the N-Quads. SPARQL finds in them the same data as the documents contain."""
    sent = messages[:300]
    for message in sent:
        pipeline.publish(message)
    pipeline.worker()
    pipeline.drain()
    pipeline.stop_workers()
    pipeline.assert_exactly(sent)
    dataset = rdflib.Dataset(default_union=True)
    for path in pipeline.nquads_files():
        dataset.parse(path, format="nquads")
    rows = dataset.query(
        "PREFIX sosa: <http://www.w3.org/ns/sosa/> SELECT ?o ?v WHERE"
        " { ?o a sosa:Observation ; sosa:hasSimpleResult ?v ; sosa:madeBySensor ?s ; sosa:observedProperty ?p ;"
        " sosa:resultTime ?t . ?s sosa:isHostedBy ?m ; sosa:observes ?p }"
    )
    found = {uuid.UUID(str(o)[-36:]): float(v) for o, v in rows}
    assert found == dict(zip(pipeline.sqlite_ids(), (row[0] for row in pipeline.sqlite("SELECT value FROM observations"))))


def test_mongodb(make_pipeline, mongodb, messages):
    """Everything is sent twice. The second time changes nothing."""
    sent = messages[:1000]
    pipeline = make_pipeline(documents=mongodb.uri).init()
    pipeline.worker()
    pipeline.worker()
    for message in sent + sent[-100:]:
        pipeline.publish(message)
    pipeline.drain(180)
    pipeline.stop_workers()
    database = pymongo.MongoClient(mongodb.uri, serverSelectionTimeoutMS=5000)["river"]
    expected = sorted(each for message in sent for each in message.ids)
    assert sorted(uuid.UUID(bytes=d["_id"]) if isinstance(d["_id"], bytes) else d["_id"] if isinstance(d["_id"], uuid.UUID)
                  else uuid.UUID(str(d["_id"])) for d in database["observations"].find({}, {"_id": 1})) == expected
    assert database["raw"].count_documents({}) == len(sent)
    assert sorted(pipeline.nquads_ids()) == expected
    status, verdict = pipeline.verify(pipeline.write_ledger(sent))
    assert status == 0, verdict


# Virtuoso has no endpoint that accepts N-Quads by POST.
@pytest.mark.parametrize(
    "name, strategy",
    [(name, way) for way in ("quads", "graph-store", "update") for name in ("fuseki", "oxigraph", "virtuoso")
     if (name, way) != ("virtuoso", "quads")],
)
def test_sparql_server(make_pipeline, request, messages, name, strategy):
    """Each server, through every interface that it offers. A SPARQL query counts the triples."""
    server = request.getfixturevalue(name)
    places = {"fuseki": 0, "oxigraph": 1, "virtuoso": 2}
    strategies = {"quads": 0, "graph-store": 1, "update": 2}
    part = 200 * (places[name] * 3 + strategies[strategy])
    sent = messages[part : part + 200]
    uri = server.uri.replace(f"strategy={server.strategy}", f"strategy={strategy}")
    pipeline = make_pipeline(graph=uri).init()
    before = server.count(f"?o a <{harness.OBSERVATION}>")
    pipeline.worker()
    for message in sent:
        pipeline.publish(message)
    pipeline.drain(180)
    assert server.count(f"?o a <{harness.OBSERVATION}>") - before == sum(len(message.ids) for message in sent)
    triples = server.count("?s ?p ?o")
    for message in sent[-20:]:
        pipeline.publish(message)
    pipeline.drain()
    pipeline.stop_workers()
    assert server.count("?s ?p ?o") == triples, "resending added triples"


def test_republished_formats(make_pipeline, messages):
    """All formats are published at once. Independent parsers can read each of them, and each contains every message
    once."""
    formats = "ntriples,nquads,turtle,jsonld,sensorthings,senml,csv,json"
    pipeline = make_pipeline(settings=[f"--formats={formats}"]).init()
    queue = pipeline.subscribe()
    pipeline.worker()
    sent = messages[:40]
    for message in sent:
        pipeline.publish(message)
    pipeline.drain()
    pipeline.stop_workers()
    taken = {name: [] for name in formats.split(",")}
    for method, properties, body in pipeline.take_all(queue):
        name, mote = method.routing_key.split(".", 1)
        if not (properties.headers or {}).get("revision"):
            taken[name].append((mote, properties, body))
    expected = [str(message.raw_id) for message in sent]
    for name, stream in taken.items():
        assert sorted(properties.message_id for _, properties, _ in stream) == sorted(expected), name
    by_id = {str(message.raw_id): message for message in sent}
    graphs = {name: {} for name in ("ntriples", "nquads", "turtle", "jsonld")}
    parsers = {"ntriples": "nt", "nquads": "nquads", "turtle": "turtle", "jsonld": "json-ld"}
    for name, parser in parsers.items():
        for _mote, properties, body in taken[name]:
            dataset = rdflib.Dataset(default_union=True)
            dataset.parse(data=body.decode(), format=parser)
            graphs[name][properties.message_id] = {(s, p, o) for s, p, o in dataset.triples((None, None, None))}
            observations = set(dataset.subjects(rdflib.RDF.type, SOSA.Observation))
            assert len(observations) == len(by_id[properties.message_id].ids), name
    for name in ("nquads", "turtle", "jsonld"):
        assert graphs[name] == graphs["ntriples"], name
    for _mote, properties, body in taken["senml"]:
        records = json.loads(body)
        values = sorted((r.get("n"), r.get("v")) for r in _resolve(records))
        assert values == sorted((r["n"], r["v"]) for r in by_id[properties.message_id].records)
    for _mote, properties, body in taken["csv"]:
        rows = list(csv.reader(io.StringIO(body.decode())))
        assert len(rows) in (len(by_id[properties.message_id].ids), len(by_id[properties.message_id].ids) + 1)
    for name in ("sensorthings", "json"):
        for _mote, _properties, body in taken[name]:
            text = body.decode()
            try:
                json.loads(text)
            except ValueError:
                [json.loads(line) for line in text.splitlines()]


def _resolve(records):
    base = {}
    for record in records:
        base.update({key: value for key, value in record.items() if key.startswith("b")})
        yield {**record, "n": base.get("bn", "") + record.get("n", ""), "t": base.get("bt", 0) + record.get("t", 0)}


def test_cbor(pipeline):
    records = [{-2: "USGS-08068500/", -3: 1320500000, 0: "00010", 2: 21.5, 1: "Cel"}, {0: "00400", 2: 7.25, 6: 900}]
    pipeline.worker()
    pipeline.publish_body(cbor2.dumps(records), "ir.USGS-08068500", harness.SENML_CBOR)
    pipeline.drain()
    pipeline.stop_workers()
    ids = [
        harness.observation_id("USGS-08068500/00010", 1320500000 * 10**9, 21.5),
        harness.observation_id("USGS-08068500/00400", 1320500900 * 10**9, 7.25),
    ]
    assert sorted(pipeline.sqlite_ids()) == sorted(ids)


def test_order_with_two_workers(pipeline, messages):
    queue = pipeline.subscribe("senml.#")
    pipeline.worker()
    pipeline.worker()
    sent = messages[:800]
    for message in sent:
        pipeline.publish(message)
    pipeline.drain()
    pipeline.stop_workers()
    harness.assert_order(pipeline.take_all(queue), sent)
    pipeline.assert_exactly(sent)


def test_flags_do_not_depend_on_batches(make_pipeline, messages, tmp_path):
    """The same data get the same flags when batches are large, and when the worker is restarted in between."""
    sent = [message for message in messages if message.mote == "USGS-08068500"][:400]
    columns = "SELECT id, gross_range, climatology, rate_of_change, flat_line FROM observations ORDER BY id"
    results = []
    for i, stops in enumerate(((), (37, 151, 290))):
        directory = tmp_path / str(i)
        directory.mkdir()
        pipeline = make_pipeline(documents=f"sqlite:{directory}/d.sqlite", graph=f"nquads:{directory}/g").init()
        begin = 0
        for end in (*stops, len(sent)):
            for message in sent[begin:end]:
                pipeline.publish(message)
            pipeline.worker(name=f"w{i}-{end}")
            pipeline.drain()
            pipeline.stop_workers()
            begin = end
        results.append(pipeline.sqlite(columns))
        assert len(results[-1]) == sum(len(message.ids) for message in sent)
        revised = pipeline.sqlite("SELECT observation, test, flag FROM revisions ORDER BY 1, 2, 3")
        results.append(revised)
    assert results[0] == results[2]
    assert results[1] == results[3]


def test_thread_sanitizer(broker, tmp_path, messages):
    """ThreadSanitizer finds no race in a short run of the worker."""
    build = harness.ROOT / "out" / "tsan"
    if not (build / "ir-worker").is_file():
        pytest.skip("out/tsan/ir-worker is not built; run make MODE=tsan build")
    with harness.Pipeline(broker, tmp_path) as pipeline:
        pipeline.init()
        log = tmp_path / "tsan.log"
        env = {**pipeline.env, "TSAN_OPTIONS": "exitcode=66"}
        worker = programs.Worker(build, "tsan", log, pipeline.arguments(), env=env, cwd=tmp_path)
        pipeline.workers.append(worker)
        worker.await_ready()
        for message in messages[:500]:
            pipeline.publish(message)
        pipeline.drain(120)
        status = worker.stop()
        assert status == 0, log.read_text(errors="replace")[-8000:]
        assert "WARNING: ThreadSanitizer" not in log.read_text(errors="replace")
        pipeline.assert_exactly(messages[:500])


MERE = harness.ROOT / "tests" / "data" / "annotate" / "mere"
MERE_MOTES = {"mere/": "mere:tower", "mere.": "mere-box", "BUOY_": "BUOY_1"}


def mere_bodies():
    """Yields (mote, body) for every pack of the made-up network."""
    for line in MERE.with_suffix(".jsonl").read_text().removesuffix("\n").split("\n"):
        first = json.loads(line)[0]
        yield MERE_MOTES[(first.get("bn", "") + first["n"])[:5]], line.encode()


def documents_of(text):
    """Returns the first line of each id. A later line with the same id is a revision."""
    documents = {}
    for line in text.removesuffix("\n").split("\n"):
        document = json.loads(line)
        documents.setdefault(document["id"], document)
    return documents


@pytest.mark.parametrize("store", ("sqlite", "mongodb"))
def test_another_network(make_pipeline, request, store):
    """The stores export the same as ir-annotate makes from the same packs: units, texts, data, flags and late
    points."""
    uri = request.getfixturevalue("mongodb").uri.replace("/river", "/mere") if store == "mongodb" else None
    pipeline = make_pipeline(documents=uri, registry=MERE.with_suffix(".ttl")).init()
    for mote, body in mere_bodies():
        pipeline.publish_body(body, f"ir.{mote}")
    pipeline.worker()
    pipeline.drain()
    pipeline.stop_workers()
    assert pipeline.ready_messages("ir.rejected") == 0
    registry = f"--registry={pipeline.registry}"
    wanted = documents_of(pipeline.run("ir-annotate", registry, "--format=json", "--stream", MERE.with_suffix(".jsonl")))
    found = documents_of(pipeline.run("ir-store", "export", "--verdict=first", *pipeline.stores()))
    assert len(found) > 3000 and found == wanted
