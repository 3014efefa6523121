"""MongoDB's indexes. Each makes every insert more expensive, so there are few. Each query must be able to use one of
them."""

import datetime
import itertools
import uuid

import pymongo
import pytest

import harness

MOTES = ("USGS-08068500", "USGS-021989773")  # both have temperature and pH
KEYS = {
    "observations": [["_id"], ["mote", "time", "time_ns", "late", "sensor"]],
    "raw": [["_id"], ["received_ns", "_id"]],
    "outcomes": [["_id"], ["raw", "at_ns"]],
    "revisions": [["_id"], ["observation"]],
}
MANY = 60  # more points than quality control looks back


@pytest.fixture
def database(mongodb):
    client = pymongo.MongoClient(mongodb.uri, serverSelectionTimeoutMS=5000, uuidRepresentation="standard")
    name = f"i{uuid.uuid4().hex[:8]}"
    yield client.get_database(name)
    client.drop_database(name)


@pytest.fixture
def indexed(make_pipeline, mongodb, database):
    return make_pipeline(documents=mongodb.uri.replace("/river", f"/{database.name}")).init()


def keys_of(database, collection):
    return sorted([name for name, _ in index["key"]] for index in database[collection].index_information().values())


def test_what_nobody_asks_for_is_dropped(indexed, database):
    """ir-store init removes the indexes that an earlier release made. It keeps indexes that others made."""
    observations = database["observations"]
    for key in (["mote", "time"], ["property", "time"], ["sensor", "time_ns"]):
        observations.create_index([(name, 1) for name in key], name=f"{key[0]}_time")
    indexed.init()
    assert {collection: keys_of(database, collection) for collection in KEYS} == KEYS
    observations.create_index([("property", 1), ("time", 1)], name="mine")
    indexed.init()
    assert ["property", "time"] in keys_of(database, "observations")


def packs(first, count):
    """Yields packs of two sensors of two motes, in turn."""
    for i, mote in itertools.product(range(first, first + count), MOTES):
        yield harness.Message(mote, [{"n": f"{mote}/{sensor}", "u": unit, "t": 1320500000 + 900 * i, "v": 10.25 + i % 3}
                                     for sensor, unit in (("00010", "Cel"), ("00400", "pH"))])


def plans(query):
    """Returns the stages of the chosen plan, from the first to the last."""
    stage = query.explain()["queryPlanner"]["winningPlan"]
    stage = stage.get("queryPlan", stage)
    found = []
    while stage:
        found.append((stage["stage"], stage.get("indexName")))
        stage = stage.get("inputStage")
    return found


def test_what_the_document_asks_for(indexed, database):
    """Each query of docs/reference/stores.md uses an index."""
    observations = database["observations"]
    begin, end = (datetime.datetime(2011, 11, day, tzinfo=datetime.timezone.utc) for day in (5, 6))
    ids = [uuid.UUID(f"{int(each.timestamp() * 1000):012x}".ljust(32, "0")) for each in (begin, end)]
    times = {"mote": MOTES[0], "time": {"$gte": begin, "$lt": end}}
    by_mote = [("FETCH", None), ("IXSCAN", "series")]
    assert plans(observations.find(times).sort("time", 1)) == by_mote
    assert plans(observations.find({**times, "sensor": f"{MOTES[0]}/00010"}).sort("time", 1)) == by_mote
    found = plans(observations.find({"_id": {"$gte": ids[0], "$lt": ids[1]}, "property": "water-temperature"}))
    assert found == [("FETCH", None), ("IXSCAN", "_id_")]


def wants_all(read):
    """Whether an entry of the server's profiler is a query of `ir-store verify` for every id with its mote. This query
    must scan the whole collection."""
    asked = read.get("originatingCommand", read["command"])
    return asked.get("filter") == {} and "mote" in asked.get("projection", {})


def test_every_reader_has_its_index(indexed, database):
    """The server's profiler shows every query. Only `verify` scans a whole collection. No query for observations sorts,
    or examines a document that it does not return."""
    before, after = list(packs(0, MANY)), list(packs(MANY, 3))
    for sent in (before, after):
        indexed.worker()
        for message in sent:
            indexed.publish(message)
        indexed.drain()
        indexed.stop_workers()
        if sent is before:
            database.command("profile", 2)
    assert indexed.verify(indexed.write_ledger([*before, *after]))[0] == 0
    indexed.run("ir-store", "export", *indexed.stores())
    indexed.run("ir-store", "reprocess", f"--mote={MOTES[0]}", "--since=2001-01-01T00:00:00Z", *indexed.stores())
    database.command("profile", 0)
    reads = [each for each in database["system.profile"].find({"op": {"$in": ["query", "getmore", "command"]}})
             if each["ns"].split(".")[-1] in KEYS and "docsExamined" in each and not wants_all(each)]
    assert [each for each in reads if each["planSummary"] == "COLLSCAN" and each["docsExamined"] > 0] == []
    observations = [each for each in reads if each["ns"].endswith(".observations")]
    assert sum(each["planSummary"].startswith("IXSCAN { mote: 1, time: 1") for each in observations) >= 6
    assert [each for each in observations if each.get("hasSortStage") or each["docsExamined"] > each["nreturned"]] == []
