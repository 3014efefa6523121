"""A registry is loaded repeatedly into every graph store. Changes appear, removed statements disappear, and the store
keeps working. Readers find a complete registry at any moment."""

import contextlib
import shutil
import threading
import time
import urllib.parse

import pytest

import harness
import proxies
from harness import servers

BASE = "https://intelligent-river.example/id/"
INDEX = BASE + "graph/registry"
REGISTRY = INDEX + "/river"  # that of river.ttl
HAS_PART = "http://purl.org/dc/terms/hasPart"
XSD = "http://www.w3.org/2001/XMLSchema#"
LATITUDE = "http://www.w3.org/2003/01/geo/wgs84_pos#lat"
MOTES = 300  # so that there are more statements than a server deletes in one step

HEAD = """\
@prefix sosa: <http://www.w3.org/ns/sosa/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix geo: <http://www.w3.org/2003/01/geo/wgs84_pos#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix ir: <https://intelligent-river.example/ns#> .
@prefix ex: <https://example.org/> .
ex:temperature a sosa:ObservableProperty ; rdfs:label "temperature"@EN .
ex:water a sosa:FeatureOfInterest ; rdfs:label "Fluß"@de-AT ;
    ex:kinds +1.0 , 007 , 1.0E1 , true , "1"^^xsd:boolean , "042"^^xsd:int , "2020-01-01T00:00:00.500+00:00"^^xsd:dateTime ,
        "2020-01-01+00:00"^^xsd:date , "PT24H"^^xsd:duration , "1.10"^^xsd:float , "text"^^xsd:string , -0.0 , 5.00 ,
        "12:00:00.500"^^xsd:time , "POINT(1.0 2.50)"^^<http://www.opengis.net/ont/geosparql#wktLiteral> .
"""

MOTE = """\
ex:m{n} a sosa:Platform ; ir:moteId "m{n}" ; geo:lat {latitude} ; geo:long {longitude} .
ex:t{n} a sosa:Sensor ; sosa:isHostedBy ex:m{n} ; ir:senmlName "m{n}/t" ; sosa:observes ex:temperature ;
    ir:featureOfInterest ex:water ; ir:samplingInterval "PT3600S"^^xsd:duration .
"""


def latitude(n):
    return f"{30 + n % 40}.{n % 10}000"


def write(path, motes=MOTES, **moved):
    """Writes a registry. A keyword argument such as m3="12.50" changes the position of that mote."""
    text = [HEAD]
    for n in range(motes):
        place = moved.get(f"m{n}", latitude(n))
        text.append(MOTE.format(n=n, latitude=place, longitude=f"-{n % 180}.50"))
    path.write_text("".join(text))
    return path


def load(pipeline, registry, seconds=60):
    """Loads the next version of river.ttl."""
    folder = pipeline.directory / "registry"
    folder.mkdir(exist_ok=True)
    registry = shutil.copyfile(registry, folder / "river.ttl")
    status, _, errors = pipeline.call("ir-store", "init", *pipeline.stores(), f"--registry={registry}", seconds=seconds)
    assert status == 0, errors


def latitudes(server, mote):
    pattern = f"GRAPH <{REGISTRY}> {{ <https://example.org/{mote}> <{LATITUDE}> ?o }}"
    return sorted(float(row[0].strip('"')) for row in server.select(f"SELECT ?o WHERE {{ {pattern} }}"))


def in_registry(server):
    return server.count(f"GRAPH <{REGISTRY}> {{ ?s ?p ?o }}")


def of_mote(server, n):
    return server.count(f"GRAPH <{REGISTRY}> {{ {{ <https://example.org/m{n}> ?p ?o }} UNION "
                        f"{{ <https://example.org/t{n}> ?p ?o }} }}")


@pytest.mark.parametrize("name", ["fuseki", "oxigraph", "virtuoso"])
def test_loaded_again(make_pipeline, request, tmp_path, messages, name):
    """Loads the same registry twice, then with a moved mote, then with a removed one; afterwards the server accepts
    observations at once."""
    server = request.getfixturevalue(name)
    pipeline = make_pipeline(graph=server.uri)
    load(pipeline, write(tmp_path / "one.ttl"))
    first = in_registry(server)
    load(pipeline, write(tmp_path / "one.ttl"))
    assert in_registry(server) == first
    load(pipeline, write(tmp_path / "two.ttl", m3="12.50", m4="35"))
    assert in_registry(server) == first
    assert latitudes(server, "m3") == [12.5] and latitudes(server, "m4") == [35]
    assert latitudes(server, "m5") == [float(latitude(5))]
    assert of_mote(server, MOTES - 1) > 0
    load(pipeline, write(tmp_path / "three.ttl", motes=MOTES - 1, m3="12.5", m4="35.0"))
    assert of_mote(server, MOTES - 1) == 0 and latitudes(server, "m3") == [12.5]
    assert in_registry(server) < first
    assert server.count(f"GRAPH <{BASE}registry/next> {{ ?s ?p ?o }}") == 0
    load(pipeline, harness.REGISTRY)
    assert server.count(f"GRAPH <{INDEX}> {{ <{INDEX}> <{HAS_PART}> <{REGISTRY}> }}") == 1
    before = server.count(f"?o a <{harness.OBSERVATION}>")
    pipeline.worker()
    sent = messages[-20:]
    for message in sent:
        pipeline.publish(message)
    pipeline.drain()
    assert server.count(f"?o a <{harness.OBSERVATION}>") - before == sum(len(message.ids) for message in sent)


def test_a_large_registry_takes_its_time(make_pipeline, oxigraph, tmp_path):
    """The time-out is meant for requests of limited size. A request with a registry gets more time, in proportion to
    its size."""
    slow = []

    def fault(_method, path, _content_type, body):
        if b"registry" in path.encode() + body[:4096] and len(slow) < 20:
            slow.append(path)
            time.sleep(1.5)
        return None

    registry = write(tmp_path / "large.ttl", motes=1000)
    with proxies.HttpProxy(oxigraph.port, fault) as proxy:
        pipeline = make_pipeline(graph=proxy.uri(oxigraph))
        for _ in range(2):
            words = [*pipeline.stores(), f"--registry={registry}", "--timeout=1s"]
            status, _, errors = pipeline.call("ir-store", "init", *words, seconds=200)
            assert status == 0, errors
    assert len(slow) > 5


def put_as_older_programs(server, registry):
    """Loads a registry over the Graph Store Protocol as older programs did: decimals as in the file, not in canonical
    form."""
    lines = []
    for n in range(MOTES):
        lines.append(f'<https://example.org/m{n}> <{LATITUDE}> "{latitude(n)}"^^<{XSD}decimal> .')
    address = f"/ir?graph={urllib.parse.quote(registry, '')}"
    headers = {"Content-Type": "application/n-triples"}
    status, text = servers.http_request(server.port, "PUT", address, "\n".join(lines).encode(), headers, 60)
    assert status in (200, 201, 204), text


def test_decimals_of_older_programs(make_pipeline, tmp_path_factory, tmp_path):
    """TDB2 stores 34.5000 with its trailing zeros but returns 34.5. A request to delete the returned form therefore has
    no effect."""
    with servers.Fuseki(tmp_path_factory.mktemp("old-fuseki")) as fuseki:
        put_as_older_programs(fuseki, REGISTRY)
        put_as_older_programs(fuseki, INDEX)
        pipeline = make_pipeline(graph=fuseki.uri)
        load(pipeline, write(tmp_path / "one.ttl", m0="12.5"))
        assert latitudes(fuseki, "m0") == [12.5]
        assert all(latitudes(fuseki, f"m{n}") == [float(latitude(n))] for n in range(1, MOTES, 37))
        load(pipeline, write(tmp_path / "two.ttl", motes=MOTES // 2, m0="12.75", m7="1.5"))
        assert latitudes(fuseki, "m0") == [12.75] and latitudes(fuseki, "m7") == [1.5]
        assert latitudes(fuseki, f"m{MOTES - 1}") == []
        load(make_pipeline(), tmp_path / "two.ttl")
        lines = (tmp_path / "graph" / "registry.river.ttl.nq").read_text().splitlines()
        assert in_registry(fuseki) == len(set(lines))
        assert fuseki.count(f"GRAPH <{INDEX}> {{ ?s ?p ?o }}") == 1


@pytest.mark.parametrize("name", ["fuseki", "oxigraph", "virtuoso"])
def test_readers_find_all(make_pipeline, request, tmp_path, name):
    """While the registry is loaded repeatedly, a reader finds a position of every mote at any moment."""
    server = request.getfixturevalue(name)
    pipeline = make_pipeline(graph=server.uri)
    registries = [write(tmp_path / f"{n}.ttl", m0=f"{n + 1}.5") for n in range(2)]
    load(pipeline, registries[0])
    seen = []
    done = threading.Event()

    def read():
        query = f"SELECT (COUNT(DISTINCT ?s) AS ?n) WHERE {{ GRAPH <{REGISTRY}> {{ ?s <{LATITUDE}> ?o }} }}"
        while not done.is_set():
            seen.append(int(server.select(query)[0][0].strip('"')))

    reader = threading.Thread(target=read)
    reader.start()
    with contextlib.ExitStack() as stack:
        stack.callback(reader.join)
        stack.callback(done.set)
        for n in (1, 0, 1):
            load(pipeline, registries[n])
    assert len(seen) > 5 and set(seen) == {MOTES}


@pytest.mark.parametrize("name", ["nquads", "fuseki", "oxigraph", "virtuoso"])
def test_each_file_has_a_graph(make_pipeline, request, tmp_path, name):
    """Loading one registry file removes nothing of the other. An empty file empties only its own graph."""
    pipeline = make_pipeline() if name == "nquads" else make_pipeline(graph=request.getfixturevalue(name).uri)
    mine, other = write(tmp_path / "mine.ttl", motes=2), tmp_path / "an other.ttl"
    other.write_text(HEAD + MOTE.format(n=7, latitude="7.5", longitude="7.5"))

    def motes(graph):
        if name == "nquads":
            text = (tmp_path / "graph" / f"registry.{graph}.ttl.nq").read_text()
            return sum("ns#moteId>" in line for line in text.splitlines())
        server = request.getfixturevalue(name)
        return server.count(f"GRAPH <{INDEX}/{graph}> {{ ?m <https://intelligent-river.example/ns#moteId> ?id }}")

    for words, counts in ((f"{mine},{other}", (2, 1)), (str(other), (2, 1)), (str(mine), (2, 1))):
        pipeline.run("ir-store", "init", *pipeline.stores(), f"--registry={words}")
        assert (motes("mine"), motes("an%20other")) == counts
    other.write_text("")
    pipeline.run("ir-store", "init", *pipeline.stores(), f"--registry={other}")
    assert (motes("mine"), motes("an%20other")) == (2, 0)


def test_nquads(make_pipeline, tmp_path):
    """The file is replaced as a whole; its literals are canonical."""
    pipeline = make_pipeline()
    load(pipeline, write(tmp_path / "one.ttl"))
    load(pipeline, write(tmp_path / "two.ttl", motes=2, m1="12.50"))
    text = (tmp_path / "graph" / "registry.river.ttl.nq").read_text()
    assert f'"12.5"^^<{XSD}decimal>' in text and "m2>" not in text and "12.50" not in text
    for literal in ('"1.0"', '"7"', '"1.0E1"', '"true"', '"5.0"', '"0.0"', '"P1D"', '"PT1H"', '"2020-01-01T00:00:00.5Z"',
                    '"2020-01-01Z"', '"1.1E0"', '"12:00:00.5"', '"text" <', '"temperature"@en', '"Fluß"@de-at'):
        assert literal in text, literal
