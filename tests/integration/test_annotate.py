"""ir-annotate as users run it: formats checked with independent parsers, flags compared with ioos_qc, refusals, exit
status."""

import base64
import csv
import datetime
import io
import json
import subprocess

import cbor2
import pyshacl
import pytest
import rdflib

import harness

LAKE = harness.ROOT / "tests" / "data" / "annotate"
MERE = LAKE / "mere.ttl"
SOSA = rdflib.Namespace("http://www.w3.org/ns/sosa/")
SECONDARY = {"cm", "mm", "hPa", "km/h", "mm/h", "mg/l", "ug/l", "mV", "dBm"}  # units of RFC 8798
TESTS = ("gross_range", "climatology", "spike", "rate_of_change", "flat_line")

SHAPES = """
@prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix sosa: <http://www.w3.org/ns/sosa/> .
@prefix time: <http://www.w3.org/2006/time#> .
@prefix qudt: <http://qudt.org/schema/qudt/> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
[] a sh:NodeShape ; sh:targetClass sosa:Observation ;
   sh:nodeKind sh:IRI ;
   sh:property [ sh:path sosa:madeBySensor ; sh:minCount 1 ; sh:maxCount 1 ; sh:nodeKind sh:IRI ] ,
               [ sh:path sosa:observedProperty ; sh:minCount 1 ; sh:maxCount 1 ; sh:nodeKind sh:IRI ] ,
               [ sh:path sosa:hasFeatureOfInterest ; sh:minCount 1 ; sh:maxCount 1 ; sh:nodeKind sh:IRI ] ,
               [ sh:path sosa:hasSimpleResult ; sh:minCount 1 ; sh:maxCount 1 ; sh:nodeKind sh:Literal ] ,
               [ sh:path sosa:resultTime ; sh:minCount 1 ; sh:maxCount 1 ; sh:datatype xsd:dateTime ] ,
               [ sh:path sosa:phenomenonTime ; sh:minCount 1 ; sh:maxCount 1 ; sh:nodeKind sh:IRI ;
                 sh:property [ sh:path time:inXSDDateTimeStamp ; sh:minCount 1 ; sh:datatype xsd:dateTimeStamp ] ] .
"""
FULL_SHAPES = SHAPES + """
[] a sh:NodeShape ; sh:targetClass sosa:Observation ;
   sh:property [ sh:path sosa:phenomenonTime ; sh:class time:Instant ] ,
               [ sh:path sosa:hasResult ; sh:minCount 1 ; sh:maxCount 1 ; sh:class sosa:Result ] .
[] a sh:NodeShape ; sh:targetClass qudt:QuantityValue ;
   sh:property [ sh:path qudt:numericValue ; sh:minCount 1 ; sh:maxCount 1 ; sh:datatype xsd:double ] ,
               [ sh:path qudt:hasUnit ; sh:minCount 1 ; sh:maxCount 1 ; sh:nodeKind sh:IRI ] .
"""


def annotate(*words, text=None, registry=LAKE / "lake.ttl", status=0):
    """Runs ir-annotate; returns its standard output and standard error."""
    argv = [harness.BUILD / "ir-annotate", f"--registry={registry}", *map(str, words)]
    done = subprocess.run(argv, input=text, capture_output=True, timeout=120, check=False)
    assert done.returncode == status, done.stderr.decode()[-2000:]
    return done.stdout.decode(), done.stderr.decode()


@pytest.fixture(scope="module")
def some_packs():
    """Packs of the lake's network, including texts. Packs of both networks together would need both registries."""
    lines = (LAKE / "lake.jsonl").read_text().splitlines(keepends=True)
    return "".join(lines[:150] + lines[-1:]).encode()


@pytest.fixture(scope="module")
def mere_packs():
    """Packs of the other network: some of each mote, and all packs without numbers."""
    lines = (LAKE / "mere.jsonl").read_text().split("\n")
    return "\n".join([*lines[:-17:12], *lines[-17:]]).encode()


def lines_of(text):
    return [json.loads(line) for line in text.rstrip("\n").split("\n")]


def without_raw(text):
    return [{k: v for k, v in d.items() if k != "raw"} for d in lines_of(text)]


def time_text(second):
    return datetime.datetime.fromtimestamp(int(second), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


# ---- quality ----


def test_every_flag_of_another_network_is_what_ioos_qc_computes():
    documents = lines_of(annotate("--format=json", LAKE / "lake.jsonl")[0])
    flags = {(d["sensor"], d["time"]): [*(d["flags"][t] for t in TESTS), d["aggregate"]] for d in documents}
    expected = [line.split() for line in (LAKE / "lake.flags").read_text().splitlines()]
    assert len(expected) == 1200 and len(documents) == 1201
    for name, second, value, *wanted in expected:
        time = time_text(second)
        assert flags[name, time] == list(map(int, wanted)), (name, time, value)


def ns_of(text):
    """Returns a document's time in ns."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = int(datetime.datetime.fromisoformat(whole + "+00:00").timestamp())
    return seconds * 10**9 + int(fraction.ljust(9, "0"))


def test_every_flag_of_a_network_with_all_kinds_of_limits_and_late_points():
    """tests/data/annotate/mere.py describes the data."""
    documents = lines_of(annotate("--format=json", LAKE / "mere.jsonl", registry=MERE)[0])
    found = {}
    for document in documents:
        found.setdefault((document["sensor"], ns_of(document["time"])), []).append(document)
    expected = [line.split() for line in (LAKE / "mere.flags").read_text().splitlines()]
    assert len(documents) == len(expected) + 16
    for name, ns, value, late, *wanted in expected:
        same = [d for d in found[name, int(ns)] if d["value"] == pytest.approx(float(value), rel=1e-11, abs=1e-11)]
        assert len(same) == 1, (name, ns, value)
        flags = [*(same[0]["flags"][t] for t in TESTS), same[0]["aggregate"]]
        assert (same[0]["late"], flags) == (late == "late", list(map(int, wanted))), (name, same[0]["time"], value)


def test_a_time_from_the_future_is_not_the_newest_of_its_series():
    """One reading comes from a clock that is 23.9 h ahead. It is suspect, and later readings are judged as if it did
    not exist."""
    begin = 1795852800
    packs = [{"n": "BUOY-7/temp", "u": "Cel", "t": begin + 900 * i, "v": 20 if i == 9 else 8 + i / 10} for i in range(14)]
    ahead = {**packs[4], "t": packs[4]["t"] + 86040}

    def annotated(records):
        text = "".join(json.dumps([each]) + "\n" for each in records).encode()
        documents = lines_of(annotate("--format=json", "--now=2026-11-28T12:00:00Z", text=text)[0])
        return {d["time"]: (d["late"], d["flags"], d["aggregate"]) for d in documents}

    expected, found = annotated(packs), annotated([*packs[:4], ahead, *packs[4:]])
    assert found.pop("2026-11-29T08:54:00Z")[0::2] == (True, 3)
    assert found == expected and any(flags["spike"] > 2 for _, flags, _ in found.values())


def test_values_come_back_in_the_registered_unit():
    documents = lines_of(annotate("--format=json", LAKE / "lake.jsonl")[0])
    values = {(d["sensor"], d["time"]): d["value"] for d in documents}
    for line in (LAKE / "lake.flags").read_text().splitlines():
        name, second, value = line.split()[:3]
        assert values[name, time_text(second)] == pytest.approx(float(value), rel=1e-14)


def test_a_stream_shows_flags_as_they_become_known(some_packs):
    held = {d["id"]: d for d in lines_of(annotate("--format=json", text=some_packs)[0])}
    streamed = lines_of(annotate("--format=json", "--stream", text=some_packs)[0])
    assert len(streamed) > len(held)
    last = {d["id"]: d for d in streamed}
    for identity, document in held.items():
        flag = document["flags"]["spike"]
        assert last[identity]["flags"]["spike"] == (flag if flag in (3, 4) else 2)


# ---- formats ----


def graphs_of(packs, detail, registry):
    """Parses each RDF format with an independent parser, and returns the statements."""
    graphs = {}
    for name, parser in (("ntriples", "nt"), ("turtle", "turtle"), ("jsonld", "json-ld"), ("nquads", "nquads")):
        text = annotate(f"--format={name}", f"--graph-detail={detail}", text=packs, registry=registry)[0]
        graph = rdflib.Dataset() if name == "nquads" else rdflib.Graph()
        graph.parse(data=text, format=parser)
        rows = graph.quads() if name == "nquads" else graph
        graphs[name] = {(row[0].n3(), row[1].n3(), row[2].n3()) for row in rows}
    return graphs


@pytest.mark.parametrize("detail", ("lean", "full"))
def test_all_rdf_formats_hold_the_same_graph(some_packs, mere_packs, detail):
    for packs, registry in ((some_packs, LAKE / "lake.ttl"), (mere_packs, MERE)):
        graphs = graphs_of(packs, detail, registry)
        assert len(graphs["ntriples"]) > 151 * 8
        for name, statements in graphs.items():
            assert statements == graphs["ntriples"], name


@pytest.mark.parametrize("detail, shapes", (("lean", SHAPES), ("full", FULL_SHAPES)))
def test_shapes_over_sosa_hold(some_packs, detail, shapes):
    text = annotate("--format=turtle", f"--graph-detail={detail}", text=some_packs)[0]
    graph = rdflib.Graph().parse(data=text, format="turtle")
    assert len(set(graph.subjects(rdflib.RDF.type, SOSA.Observation))) == 151
    rules = rdflib.Graph().parse(data=shapes, format="turtle")
    conforms, _, report = pyshacl.validate(graph, shacl_graph=rules)
    assert conforms, report
    graph.remove((None, SOSA.madeBySensor, None))
    assert not pyshacl.validate(graph, shacl_graph=rules)[0], "the shapes accept an observation without a sensor"


def test_lean_is_nine_triples_an_observation_and_one_for_each_bad_test(some_packs):
    text = annotate("--format=ntriples", text=some_packs)[0]
    flags = [flag for each in lines_of(annotate("--format=json", text=some_packs)[0]) for flag in each["flags"].values()]
    bad = sum(flag in (3, 4) for flag in flags)
    assert bad > 0 and len(text.splitlines()) == 9 * 151 + bad
    one = annotate("--format=ntriples", text=some_packs.splitlines()[0])[0]
    assert len(one.splitlines()) == 9


@pytest.mark.parametrize("naming, part", (("day", "graph/day/2011-05-01"), ("mote", "graph/mote/BUOY-7")))
def test_named_graphs(some_packs, naming, part):
    text = annotate("--format=nquads", f"--graph-name={naming}", text=some_packs.splitlines()[0])[0]
    data = rdflib.Dataset()
    data.parse(data=text, format="nquads")
    assert {str(row[3]) for row in data.quads()} == {harness.BASE_IRI + part}


def test_senml_decodes_back_to_the_same_observations(some_packs, mere_packs):
    for packs, registry in ((some_packs, LAKE / "lake.ttl"), (mere_packs, MERE)):
        resolved = annotate("--format=senml", text=packs, registry=registry)[0]
        texts = [annotate("--format=json", text=each, registry=registry)[0] for each in (packs, resolved.encode())]
        sent, again = ([[(d["id"], d["source"], d["value"]) for d in lines_of(each)] for each in texts])
        assert sorted(sent, key=str) == sorted(again, key=str)
        for pack in lines_of(resolved):
            assert all(set(r) <= {"bver", "n", "u", "t", "v", "vs", "vb", "vd", "s"} for r in pack)
            assert pack == sorted(pack, key=lambda record: record["t"])  # RFC 8428, 4.6
            secondary = any(r.get("u") in SECONDARY for r in pack)
            assert {r.get("bver") for r in pack} == {26 if secondary else None}  # RFC 9100, 3


def test_senml_is_what_was_sent_by_another_decoder(mere_packs):
    """The test itself resolves the sent packs as RFC 8428 says. Names, times, values, units and ids stay the same."""
    documents = lines_of(annotate("--format=json", text=mere_packs, registry=MERE)[0])
    resolved = annotate("--format=senml", text=mere_packs, registry=MERE)[0]
    sent = [list(resolve(pack)) for pack in lines_of(mere_packs.decode())]
    in_order = [sorted(pack, key=lambda record: record[1]) for pack in sent]
    assert in_order == [list(resolve(pack)) for pack in lines_of(resolved)]
    ids = [str(harness.observation_id(n, t, v)) for pack in sent for n, t, v, _ in pack]
    assert [d["id"] for d in documents] == ids


@pytest.mark.parametrize("times", [{}, {"t": -60.25}, {"bt": 1795867100, "t": 1e-7}, {"bt": -3.3e-7}])
def test_times_of_senml_are_read_back_to_the_same_ids(times):
    """A time, absolute or relative, is written exactly as it was read, to the microsecond."""
    pack = json.dumps([{"n": "BUOY-7/temp", "u": "Cel", "v": 7.25, **times}, {"n": "BUOY-7/temp", "u": "Cel", "v": 8}])
    words = ["--unregistered=accept", "--now=2026-11-28T12:00:00.123456789Z"]
    resolved = annotate("--format=senml", *words, text=pack.encode())[0]
    documents = [annotate("--format=json", *words, text=text)[0] for text in (pack.encode(), resolved.encode())]
    assert without_raw(documents[0]) == without_raw(documents[1])


def resolve(pack):
    base = {"bn": "", "bt": 0}
    for record in pack:
        base.update({k: v for k, v in record.items() if k in base})
        value = next(record[k] for k in ("v", "vs", "vb", "vd") if k in record)
        if "vd" in record:
            value = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
        yield base["bn"] + record["n"], round((base["bt"] + record.get("t", 0)) * 1e6) * 1000, value, record.get("u")


def test_csv_reads_back(some_packs):
    rows = list(csv.DictReader(io.StringIO(annotate("--format=csv", text=some_packs)[0], newline="")))
    documents = lines_of(annotate("--format=json", text=some_packs)[0])
    assert [row["id"] for row in rows] == [d["id"] for d in documents]
    assert [row["value"] for row in rows[:-1]] == [str(d["value"]).removesuffix(".0") for d in documents[:-1]]
    assert rows[-1]["value"] == "sleep \"well\"\n\\ ümlaut"
    assert all(int(row[test]) == d["flags"][test] for row, d in zip(rows, documents) for test in TESTS)


def test_sensorthings_entities(some_packs):
    entities = json.loads(annotate("--format=sensorthings", text=some_packs)[0])["value"]
    documents = lines_of(annotate("--format=json", text=some_packs)[0])
    assert [e["@iot.id"] for e in entities] == [d["id"] for d in documents]
    for entity, document in zip(entities, documents):
        assert entity["result"] == document["value"]
        assert entity["phenomenonTime"] == document["time"]
        assert entity["resultQuality"]["flag"] == document["aggregate"]
        assert set(entity["Datastream"]["unitOfMeasurement"]) == {"name", "symbol", "definition"}
        assert entity["FeatureOfInterest"]["@iot.id"] == "https://lake.example/lake"
        stream = entity["Datastream"]
        assert all(each["name"] for each in (stream, stream["Thing"], stream["Sensor"], stream["ObservedProperty"]))
    assert entities[0]["Datastream"]["observationType"].endswith("OM_Measurement")


def test_cbor_gives_the_same_as_json(some_packs, tmp_path):
    labels = {"bn": -2, "bt": -3, "n": 0, "u": 1, "v": 2, "vs": 3, "t": 6}
    first = json.loads(some_packs.splitlines()[0])
    (tmp_path / "pack").write_bytes(cbor2.dumps([{labels[k]: v for k, v in record.items()} for record in first]))
    [from_cbor] = lines_of(annotate("--format=json", "--input=cbor", tmp_path / "pack")[0])
    [from_json] = lines_of(annotate("--format=json", text=some_packs.splitlines()[0])[0])
    assert from_cbor["id"] == from_json["id"] and from_cbor["value"] == from_json["value"]


# ---- refusals and exit status ----


def test_refusals_name_file_line_and_reason_and_the_rest_is_written(tmp_path):
    path = tmp_path / "packs.jsonl"
    good = '[{"n":"BUOY-7/temp","t":1304208000,"u":"Cel","v":7}]'
    path.write_text("\n".join([good, "nonsense", '[{"n":"BUOY-7/depth","v":1},{"n":"BUOY-7/temp","u":"m","v":1}]', "",
                               '[{"bn":"BUOY-7/","bt":1304208600,"n":"temp","u":"Cel","v":8},{"n":"wind","u":"kn"}]'])
                    + "\n")
    out, errors = annotate("--format=json", path, status=1)
    assert [d["value"] for d in lines_of(out)] == [7, 8]
    heads = [line.split(": ")[:3] for line in errors.splitlines()]
    assert [head[0] for head in heads] == [f"{path}:2", f"{path}:3", f"{path}:3", f"{path}:5"]
    assert [head[1] for head in heads] == ["not-json", "unknown-sensor", "unit", "no-value"]
    assert heads[1][2] == "record 0" and heads[3][2] == "record 1"


def test_a_line_beyond_the_bound_is_passed_over():
    long = b'[{"n":"BUOY-7/mode","vs":"' + b"x" * 3_000_000 + b'"}]\n'
    out, errors = annotate("--format=json", text=long + b'[{"n":"BUOY-7/mode","vs":"y"}]\n', status=1)
    assert len(lines_of(out)) == 1
    assert errors.startswith("stdin:1: too-large: ")


def test_unregistered_sensors_can_be_accepted():
    text = b'[{"n":"NEW-1/thing","u":"Cel","v":1}]\n'
    assert "unknown-sensor" in annotate("--format=json", text=text, status=1)[1]
    [document] = lines_of(annotate("--format=json", "--unregistered=accept", text=text)[0])
    assert document["mote"] == "NEW-1" and document["property"] == "thing" and document["unit"] == "Cel"


def test_relative_times_count_from_now():
    text = b'[{"n":"BUOY-7/temp","u":"Cel","v":1,"t":-60}]'
    [document] = lines_of(annotate("--format=json", "--now=2026-01-31T12:00:00Z", text=text)[0])
    assert document["time"] == "2026-01-31T11:59:00Z"


@pytest.mark.parametrize("words, part", (
    (["--format=xml"], "not one of ntriples"),
    (["--no-such-option"], "no such option"),
    (["--base-iri=nowhere"], "base-iri"),
    (["--pack-bytes=1k k"], "pack-bytes"),
    (["--now=yesterday"], "now"),
))
def test_wrong_usage_is_status_2(words, part):
    assert part in annotate(*words, text=b"", status=2)[1]


def test_a_missing_file_is_status_1(tmp_path):
    assert "No such file" in annotate(tmp_path / "none", status=1)[1]
    assert "none.ttl" in annotate(text=b"", registry=tmp_path / "none.ttl", status=1)[1]


@pytest.mark.parametrize("words", ([], ["--stream"], ["--input=cbor"]))
def test_the_other_files_are_read(words, tmp_path):
    """Reports a missing file and a folder, and still processes the other files."""
    kind = "cbor" if words == ["--input=cbor"] else "jsonl"
    pack = [{"n": "BUOY-7/temp", "u": "Cel", "t": 1800000000, "v": 1}]
    good = [tmp_path / f"{name}.{kind}" for name in "ab"]
    for number, path in enumerate(good):
        pack[0]["t"] += number
        path.write_bytes(cbor2.dumps([{0: p["n"], 1: p["u"], 6: p["t"], 2: p["v"]} for p in pack]) if kind == "cbor"
                         else json.dumps(pack).encode() + b"\n")
    text, errors = annotate("--format=json", *words, "--future-limit=36500d", good[0], tmp_path / "none", tmp_path,
                            good[1], status=1)
    assert len(lines_of(text)) == 2
    assert errors == (f"{tmp_path / 'none'}: cannot be read: No such file or directory\n"
                      f"{tmp_path}: cannot be read: Is a directory\n")


@pytest.mark.parametrize("words", ([], ["--stream"]))
def test_a_full_disk_is_told(words):
    argv = [harness.BUILD / "ir-annotate", f"--registry={LAKE / 'lake.ttl'}", *words, LAKE / "lake.jsonl"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == b"ir-annotate: cannot write the output: No space left on device\n"


def test_the_replay_data_is_taken_whole():
    text = "".join(json.dumps(m.records) + "\n" for m in harness.river_messages()).encode()
    documents = lines_of(annotate("--format=json", text=text, registry=harness.REGISTRY)[0])
    assert len({d["id"] for d in documents}) == 40337


def test_a_mote_is_explained(tmp_path):
    """`--explain` prints what the example of the manual shows: the limits of the sensor, the mote, the property and the
    vocabulary, and tests without limits."""
    manual = (harness.ROOT / "docs" / "reference" / "registry.md").read_text()
    text = manual[manual.index("## A complete example"):].split("```turtle\n")[1].split("```")[0]
    registry = tmp_path / "network.ttl"
    registry.write_text(text)
    lines = text.splitlines()
    out, _ = annotate("--explain=elbe-dresden", registry=registry)
    head, temperature, level, door = (each.splitlines() for each in out.split("\n\n"))

    def shown(section, what):
        """Returns pairs: a value, and the line that defines it with its owner, or a word instead."""
        rows = []
        for value in (row[18:] for row in section if row.startswith(f"  {what:<14}  ")):
            value, _, where = value.rstrip().rpartition("  ")
            place, _, whose = where.removeprefix(f"{registry}:").partition(" ")
            rows.append((value.strip(), lines[int(place) - 1].strip() if place.isdigit() else place, whose))
        return rows

    assert head[0] == "elbe-dresden  Dresden gauge" and shown(head, "place")[0][1] == "geo:lat 51.056 ;"
    assert shown(temperature, "unit") == [("Cel (degree Celsius)", "qudt:hasUnit unit:DEG_C ;", "(property)")]
    assert shown(temperature, "units taken") == [("Cel, [degF], K", "vocabulary", "")]
    assert shown(temperature, "interval") == [("900 s", 'ir:samplingInterval "PT15M"^^xsd:duration .', "(mote)")]
    assert shown(temperature, "gross range") == [("fail outside -2 … 40, suspect outside 0 … 30", "ir:grossFail ( -2 40 ) ;", "")]
    assert [value for value, _, _ in shown(temperature, "climatology")][1] == "months 4 to 9: suspect outside 4 … 28"
    assert shown(level, "missing when") == [('-9999, "Ice"', 'ir:missingValue -9999 , "Ice" ;', "")]
    assert shown(temperature, "missing when") == []
    assert shown(level, "interval") == [("60 s", "ir:samplingInterval 60 ;", "")]
    assert shown(level, "flat line") == [("not evaluated: no limits", "default", "")]
    assert shown(level, "sent as") == [("elbe-dresden/level", 'ir:senmlName "elbe-dresden/level" ;', "")]
    assert shown(door, "unit") == [("none: values are not numbers", "default", "")]
    assert "only cells/mL" in annotate("--explain=elbe-pirna", registry=registry)[0]
    _, errors = annotate("--explain=elbe-drseden", registry=registry, status=1)
    assert errors == "ir-annotate: the registry has no mote 'elbe-drseden'; did you mean elbe-dresden?\n"
