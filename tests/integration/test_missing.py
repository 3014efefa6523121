"""ir:missingValue declares a value that a sensor sends when it has no measurement. Such a value is stored as missing
and does not affect its neighbours."""

import csv
import io
import json
import sqlite3

import harness
from test_newest import readable
from test_rejected import documents  # noqa: F401 (a fixture)

MOTE = "USGS-08068500"
SENSOR = f"{MOTE}/00010"
BEGIN = 1320500000
SERIES = [10.0, 10.1, -999999, 10.2, "Ice", 10.1, 10.0]
MISSING = ("missing", "", (9, 9, 9, 9, 9))


def at(turn, value):
    key = "vs" if isinstance(value, str) else "v"
    return json.dumps([{"n": SENSOR, "u": "Cel", "t": BEGIN + 900 * turn, key: value}]).encode()


def declared(tmp_path, *values):
    """Returns the registry of the replay data, with these missing values declared for the sensor."""
    text = harness.REGISTRY.read_text()
    name = f'ir:senmlName "{SENSOR}" ;'
    assert name in text
    registry = tmp_path / "registry.ttl"
    registry.write_text(text.replace(name, f"{name} ir:missingValue {' , '.join(values)} ;" if values else name))
    return registry


def send(pipeline, series, begin=0):
    for turn, value in enumerate(series, begin):
        pipeline.publish_body(at(turn, value), f"ir.{MOTE}")
    pipeline.drain()


def flags(documents):  # noqa: F811
    """Returns {time: (quality, reasons, flags)}, from the store's own view."""
    return [each for _, each in sorted(readable(documents).items())]


def test_nothing_measured_is_missing(make_pipeline, documents, tmp_path):  # noqa: F811
    """A missing value is stored without a value, with flag 9 and the text that was sent. Its neighbours have the same
    flags as if it had not been sent, even after a restart, when earlier points are read from the store."""
    pipeline = make_pipeline(documents=documents.uri, registry=declared(tmp_path, "-999999", '"Ice"')).init()
    pipeline.worker()
    send(pipeline, SERIES)
    pipeline.stop_workers()
    pipeline.worker()
    send(pipeline, [-999999, 10.1, 10.2], len(SERIES))
    pipeline.stop_workers()
    found = flags(documents)
    lacking = [place for place, value in enumerate([*SERIES, -999999, 10.1, 10.2]) if value in (-999999, "Ice")]
    assert [found[place] for place in lacking] == [MISSING] * 3
    assert {quality for place, (quality, _, _) in enumerate(found) if place not in lacking} == {"good"}
    rows = list(csv.DictReader(io.StringIO(pipeline.run("ir-store", "export", "--format=csv", *pipeline.stores()), newline="")))
    assert [(row["value"], row["source_value"], row["aggregate"]) for row in rows if not row["value"]] == [
        ("", "-999999", "9"), ("", "Ice", "9"), ("", "-999999", "9")]
    assert len(json.loads("[" + ",".join(pipeline.run("ir-store", "export", "--quality=missing", *pipeline.stores())
                                         .splitlines()) + "]")) == 3
    lines = pipeline.nquads_text().splitlines()
    assert sum("hasSimpleResult" in line for line in lines) == len(found) - 3 and "999999" not in pipeline.nquads_text()
    assert sum(line.count("hasQualityAnnotation> <https://intelligent-river.example/ns#missing>") for line in lines) == 3
    if documents.kind == "sqlite":
        with sqlite3.connect(documents.uri.removeprefix("sqlite:")) as database:
            assert database.execute("SELECT count(*), count(value), min(value) FROM readable").fetchone() == (10, 7, 10.0)


def test_declared_later(make_pipeline, documents, tmp_path):  # noqa: F811
    """A number was stored before it was declared as a missing value. When the messages are analysed again, its newest
    verdict is "missing", and it no longer affects later values."""
    pipeline = make_pipeline(documents=documents.uri, registry=declared(tmp_path)).init()
    worker = pipeline.worker()
    send(pipeline, [10.0, 10.1, -999999, 10.0])
    assert [quality for quality, _, _ in flags(documents)][1:] == ["fail"] * 2 + ["suspect"]
    pipeline.registry.write_text(declared(tmp_path, "-999999").read_text())
    worker.stop()
    pipeline.worker()
    send(pipeline, [10.1, 10.2], 4)
    assert [quality for quality, _, _ in flags(documents)][4:] == ["good"] * 2
    pipeline.run("ir-store", "reprocess", *pipeline.stores())
    assert flags(documents)[2] == MISSING and {quality for quality, _, _ in flags(documents)} == {"good", "missing"}
    told = json.loads(pipeline.run("ir-store", "reprocess", "--json", *pipeline.stores()).splitlines()[-1])
    assert told["all"]["revisions"] == 0
    pipeline.stop_workers()
