"""The newest verdict on a value and its reasons are the same in every view, export and listing."""

import csv
import io
import itertools
import json
import sqlite3
import time
import uuid

import pytest

import harness
from test_rejected import documents  # noqa: F401 (a fixture)

MOTE = "USGS-08068500"
SENSOR = f"{MOTE}/00010"
OTHER = "USGS-021989773"
BEGIN = 1320500000
TESTS = ("gross_range", "climatology", "spike", "rate_of_change", "flat_line")
SEVERITY = "92134"
NAMES = {1: "good", 2: "not_evaluated", 3: "suspect", 4: "fail", 9: "missing"}


def at(minutes, value, mote=MOTE):
    return harness.Message(mote, [{"n": f"{mote}/00010", "u": "Cel", "t": BEGIN + 60 * minutes, "v": value}])


def export(pipeline, *words):
    return pipeline.run("ir-store", "export", *words, *pipeline.stores())


def exported(pipeline, *words):
    return [json.loads(line) for line in export(pipeline, *words).splitlines()]


def summary(document):
    flags = document.get("flags") or {test: document[test] for test in TESTS}
    return document["quality"], document.get("reasons") or "", tuple(flags[test] for test in TESTS)


def readable(documents):
    """Returns {id: (quality, reasons, flags)} from the store's own view."""
    if documents.kind == "mongodb":
        return {str(each["_id"]): summary(each) for each in documents.database["readable"].find({})}
    with sqlite3.connect(documents.uri.removeprefix("sqlite:")) as database:
        database.row_factory = sqlite3.Row
        return {row["id"]: summary(dict(row)) for row in database.execute("SELECT * FROM readable")}


def add_revision(documents, message, test, flag, superseded=None):
    """Adds a revision as a worker or a reprocessing would. Returns its id, which begins with the observation's time."""
    observation = message.ids[0]
    key = uuid.UUID(bytes=observation.bytes[:6] + uuid.uuid4().bytes[6:])
    if documents.kind == "mongodb":
        row = {"_id": key, "observation": observation, "sensor": message.records[0]["n"], "test": test, "flag": flag,
               "time_ns": int(message.records[0]["t"]) * 10**9}
        documents.database["revisions"].insert_one({**row, **({"supersedes": superseded} if superseded else {})})
        return key
    with sqlite3.connect(documents.uri.removeprefix("sqlite:")) as database:
        database.execute("INSERT INTO revisions SELECT ?, id, raw, id, sensor, time_ns, ?, 2, ?, ?, ? FROM observations"
                         " WHERE id = ?", (key.bytes, test, flag, flag, superseded and superseded.bytes, observation.bytes))
    return key


def expected(first, revisions):
    """Computes the current flag by the same rule, written in Python. `revisions`: [(key, flag, superseded key)]."""
    again = [(key, flag) for key, flag, superseded in revisions if superseded]
    tips = [flag for key, flag in again if key not in [superseded for _, _, superseded in revisions]]
    held = tips or [flag for _, flag, _ in revisions] or [first]
    return max(held, key=lambda flag: SEVERITY.index(str(flag)))


@pytest.fixture
def stored(make_pipeline, documents):  # noqa: F811
    """Stores twelve points of one series, one of which is a spike."""
    pipeline = make_pipeline(documents=documents.uri).init()
    sent = [at(i, 36.5 if i == 5 else 10.0 + 0.1 * (i % 3)) for i in range(12)]
    pipeline.worker()
    for message in sent:
        pipeline.publish(message)
    pipeline.drain()
    pipeline.stop_workers()
    return pipeline, sent


def test_a_spike_is_seen_everywhere(stored, documents):  # noqa: F811
    """A value was suspect when it arrived, and became a spike when the next one arrived. The views, the export, the CSV
    and `last` all show the newest verdict."""
    pipeline, sent = stored
    spike = str(sent[5].ids[0])
    found = readable(documents)
    assert len(found) == 12
    assert found[spike][0] == "fail"
    assert found[spike][1] == "gross range suspect; climatology suspect; spike fail; rate of change suspect"
    assert [key for key, (quality, _, _) in found.items() if quality == "good"], "no value is good"
    assert all(bool(reasons) == (quality in ("suspect", "fail")) for quality, reasons, _ in found.values())
    lines = exported(pipeline)
    assert {each["id"]: summary(each) for each in lines} == found
    first = {each["id"]: each for each in exported(pipeline, "--verdict=first")}
    assert first[spike]["quality"] == "suspect" and first[spike]["flags"]["spike"] == 2
    rows = list(csv.DictReader(io.StringIO(export(pipeline, "--format=csv"), newline="")))
    assert {row["id"]: row["reasons"] for row in rows} == {key: reasons for key, (_, reasons, _) in found.items()}
    failing = {key for key, (quality, _, _) in found.items() if quality == "fail"}
    assert spike in failing and {each["id"] for each in exported(pipeline, "--quality=fail")} == failing


def test_the_rule_is_the_same_in_each_language(stored, documents):  # noqa: F811
    """Revisions of every kind, added in every order: plain revisions, chains that supersede the observation or a
    revision, and forks."""
    pipeline, sent = stored
    before = {each["id"]: each["flags"]["climatology"] for each in exported(pipeline)}
    shapes = [[(3, None), (4, None)], [(4, None), (3, None)], [(1, "o")], [(4, "o"), (1, 0)], [(3, None), (1, 0)],
              [(4, None), (1, 0), (3, None)], [(3, "o"), (4, "o")], [(3, None), (1, 0), (4, 1), (2, 2)], [(1, "o"), (2, "o")]]
    wanted = {}
    for message, shape in zip(sent, shapes):
        made = []
        for flag, superseded in shape:
            superseded = message.ids[0] if superseded == "o" else None if superseded is None else made[superseded][0]
            made.append((add_revision(documents, message, "climatology", flag, superseded), flag, superseded))
        key = str(message.ids[0])
        wanted[key] = expected(before[key], made)
    assert [wanted[str(message.ids[0])] for message in sent[:9]] == [4, 4, 1, 1, 1, 1, 4, 2, 1]
    place = TESTS.index("climatology")
    found = readable(documents)
    assert {key: found[key][2][place] for key in wanted} == wanted
    for key, (quality, _, flags) in found.items():
        assert quality == NAMES[max(flags, key=lambda flag: SEVERITY.index(str(flag)))], key
    assert {each["id"]: summary(each) for each in exported(pipeline)} == found


def test_more_revisions_than_are_read_ahead(stored, documents):  # noqa: F811
    pipeline, sent = stored
    for message in sent[1:3]:
        for _ in range(1100):
            add_revision(documents, message, "flat_line", 3)
    add_revision(documents, sent[2], "flat_line", 4)
    flags = {each["id"]: each["flags"]["flat_line"] for each in exported(pipeline)}
    assert (flags[str(sent[1].ids[0])], flags[str(sent[2].ids[0])]) == (3, 4)


def test_ahead_of_arrival(make_pipeline, documents):  # noqa: F811
    """A value with a time ahead of its arrival is suspect, although no test says so. A revision does not change
    that."""
    pipeline = make_pipeline(documents=documents.uri).init()
    ahead = harness.Message(MOTE, [{"n": SENSOR, "u": "Cel", "t": int(time.time()) + 3600, "v": 10.5}])
    pipeline.publish(ahead)
    pipeline.worker()
    pipeline.drain()
    pipeline.stop_workers()
    key = str(ahead.ids[0])
    for flag, reasons in ((None, "ahead of arrival suspect"), (1, "ahead of arrival suspect"), (4, "rate of change fail")):
        if flag:
            add_revision(documents, ahead, "rate_of_change", flag)
        found = readable(documents)
        assert found[key][:2] == ("fail" if flag == 4 else "suspect", reasons)
        assert {each["id"]: summary(each) for each in exported(pipeline)} == found


def test_pages(stored):
    """Pages of any size together make the whole export. The id in the last line of a page leads to the next page."""
    pipeline, _ = stored
    whole = exported(pipeline)
    assert [each["time"] for each in whole] == sorted(each["time"] for each in whole)
    for size in (1, 5, 12, 100):
        pages = []
        after = []
        while True:
            page = exported(pipeline, f"--limit={size}", *after)
            if not page:
                break
            pages += page
            after = [f"--after={page[-1]['id']}"]
        assert pages == whole
    status, _, errors = pipeline.call("ir-store", "export", "--limit=5", *pipeline.stores())
    assert status == 0 and f"more follows --after {whole[4]['id']}" in errors
    assert "more" not in pipeline.call("ir-store", "export", "--limit=12", *pipeline.stores())[2]


def test_selections(stored):
    pipeline, sent = stored
    pipeline.worker()
    for i in range(3):
        pipeline.publish(at(i, 9.0, OTHER))
    pipeline.drain()
    pipeline.stop_workers()
    whole = exported(pipeline)
    assert len(whole) == 15
    for words, keep in ((["--mote", MOTE], lambda each: each["mote"] == MOTE),
                        (["--mote", "nobody"], lambda each: False),
                        (["--property", whole[0]["property"]], lambda each: True),
                        (["--property", "none"], lambda each: False),
                        (["--since", whole[4]["time"]], lambda each: each["time"] >= whole[4]["time"]),
                        (["--until", whole[4]["time"]], lambda each: each["time"] < whole[4]["time"]),
                        (["--since", whole[4]["time"], "--mote", OTHER],
                         lambda each: each["mote"] == OTHER and each["time"] >= whole[4]["time"]),
                        (["--quality=good,suspect"], lambda each: each["quality"] in ("good", "suspect"))):
        assert exported(pipeline, *words) == [each for each in whole if keep(each)], words
    assert "no observation matches" in pipeline.call("ir-store", "export", "--mote=nobody", *pipeline.stores())[2]
    for words in (["--quality=bad"], ["--after=1"], ["--format=xml"], ["--format=sensorthings"], ["--since=yesterday"],
                  ["--what=graph", "--mote=x"]):  # each error names the option
        status, text, errors = pipeline.call("ir-store", "export", *words, *pipeline.stores())
        assert (status, text) == (2, "") and words[0].split("=")[0][2:] in errors, words


def test_last(stored):
    """The newest value of each sensor with its newest verdict, as text for people and as JSON."""
    pipeline, sent = stored
    pipeline.worker()
    for i in range(3):
        pipeline.publish(at(i, 36.5, OTHER))
    pipeline.drain()
    pipeline.stop_workers()
    whole = exported(pipeline)
    newest = {mote: list(group)[-1] for mote, group in
              itertools.groupby(sorted(whole, key=lambda each: each["mote"]), lambda each: each["mote"])}
    assert pipeline.run("ir-store", "last", "--json", *pipeline.stores()).splitlines() == \
        [json.dumps(newest[mote], separators=(",", ":"), ensure_ascii=False) for mote in sorted(newest)]
    text = pipeline.run("ir-store", "last", f"--mote={OTHER}", *pipeline.stores())
    assert text.split()[:2] == [newest[OTHER]["time"], OTHER] and "gross range suspect" in text
    assert len(text.splitlines()) == 1
    status, _, errors = pipeline.call("ir-store", "last", "--mote=nobody", *pipeline.stores())
    assert status == 1 and "nobody" in errors
