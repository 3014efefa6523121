"""The queries of examples/queries run on every store with the same data. All of them give the answer that the test
computes from an export."""

import collections
import datetime
import json
import math
import re
import sqlite3
import statistics
import subprocess
import time
import urllib.parse
from contextlib import ExitStack

import bson.json_util
import pymongo
import pytest

import harness
from harness import servers
from test_stored_arrival import Documents

QUERIES = harness.ROOT / "examples" / "queries"
NAMES = sorted(each.stem for each in QUERIES.glob("*.sql"))
CREEK, UPPER, LOWER = "USGS-08068500", "USGS-02336300", "USGS-02337170"
DAYS = ("2011-05-0", "2011-11-09", "2011-11-15")  # at the creek: two storms; at the other stations: quiet days
TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.0+)?Z?")


# ---- the stores ----


def day_of(message):
    return datetime.datetime.fromtimestamp(message.records[0]["t"], datetime.timezone.utc).strftime("%Y-%m-%d")


def questions_data(messages):
    """Some days of three stations of the replay. Adds a corrected value, and a value from the future."""
    chosen = [each for each in messages if each.mote in (CREEK, UPPER, LOWER) and day_of(each).startswith(DAYS)]
    first = next(each for each in chosen if each.mote == UPPER)
    corrected = harness.Message(UPPER, [{**first.records[0], "v": first.records[0]["v"] + 1}])
    ahead = harness.Message(UPPER, [{"n": f"{UPPER}/00400", "u": "pH", "t": int(time.time()) + 3600, "v": 7}])
    return [*chosen, corrected, ahead]


def stricter(directory):
    """Makes a registry with a stricter limit, for the second analysis."""
    path = directory / "usgs_river.ttl"
    text = harness.REGISTRY.read_text()
    assert text.count("ir:spikeSuspect 2 ;") == 2
    path.write_text(text.replace("ir:spikeSuspect 2 ;", "ir:spikeSuspect 0.2 ;"))
    return path


def started(stack, graphs):
    """Starts separate servers, because other tests store data of the same stations in the shared ones."""
    for each in graphs:
        stack.callback(each.stop)
        each.begin()
    for each in graphs:
        each.await_ready()
    return graphs


def load_nquads(pipeline, server):
    """Loads the export of N-Quads files, as a user would."""
    path = pipeline.directory / "all.nq"
    path.write_text(pipeline.run("ir-store", "export", "--what=graph", *pipeline.stores()))
    subprocess.run([server.program(), "load", "--location", server.directory / "data", "--file", path], check=True,
                   capture_output=True, timeout=120)


def fill(stack, broker, folder, sent, plans):
    """Fills each pair of stores (documents, graph) with all data. One station's data are analysed twice."""
    pipelines = []
    for number, (document, graph) in enumerate(plans):
        (folder / str(number)).mkdir()
        pipelines.append(stack.enter_context(harness.Pipeline(broker, folder / str(number), documents=document, graph=graph)))
        pipelines[-1].init()
        for message in sent:
            pipelines[-1].publish(message)
        pipelines[-1].worker()
    for each in pipelines:
        each.drain(300)
        each.stop_workers()
        each.run("ir-store", "reprocess", f"--mote={LOWER}", *each.stores()[:2], f"--registry={stricter(folder)}", seconds=300)
    return pipelines


def embedded(stack, broker, folder, sent, mongodb):
    documents = Documents("mongodb", folder, mongodb)
    first, _ = fill(stack, broker, folder, sent, [(None, None), (documents.uri, "null:")])
    loaded = servers.Oxigraph(folder / "loaded")
    loaded.directory.mkdir()
    load_nquads(first, loaded)
    stack.enter_context(loaded)
    return first, [SQLite(first), MongoDB(documents.database), Sparql(loaded)]


def of_servers(stack, broker, folder, sent):
    graphs = started(stack, [kind(folder / kind.name) for kind in (servers.Fuseki, servers.Oxigraph, servers.Virtuoso)])
    first, *_ = fill(stack, broker, folder, sent, [(None, each.uri) for each in graphs])
    return first, [Sparql(each) for each in graphs]


@pytest.fixture(scope="module", params=["embedded", pytest.param("servers", marks=pytest.mark.slow)])
def stores(request, broker, messages, tmp_path_factory):
    """Yields [functions that run a query's file], and the exported values."""
    with ExitStack() as stack:
        folder, sent = tmp_path_factory.mktemp("queries"), questions_data(messages)
        if request.param == "servers":
            first, answering = of_servers(stack, broker, folder, sent)
        else:
            first, answering = embedded(stack, broker, folder, sent, request.getfixturevalue("mongodb"))
        yield answering, exported(first)


class SQLite:
    suffix = "sql"

    def __init__(self, pipeline):
        self.path = pipeline.documents.removeprefix("sqlite:")

    def ask(self, text):
        with sqlite3.connect(f"file:{self.path}?mode=ro", uri=True) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(text)]


class MongoDB:
    """Runs the query files of MongoDB, with PyMongo because Debian has no mongosh. Such a file contains only an
    aggregation in JSON syntax."""

    suffix = "js"
    form = re.compile(r"(?:// .*\n)+db\.readable\.aggregate\((\[\n.*\n\])\)\.forEach\(row => print\(EJSON\.stringify\(row\)\)\)\n",
                      re.DOTALL)

    def __init__(self, database):
        self.database = database

    def ask(self, text):
        stages = re.sub(r'ISODate\(("[^"]*")\)', r'{"$date": \1}', self.form.fullmatch(text)[1])
        return list(self.database["readable"].aggregate(bson.json_util.loads(stages)))


class Sparql:
    suffix = "rq"

    def __init__(self, server):
        self.server = server

    def ask(self, text):
        body = urllib.parse.urlencode({"query": text})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/sparql-results+json"}
        status, answer = servers.http_request(self.server.port, "POST", self.server.query_path, body, headers, 300)
        assert status == 200, answer.decode()
        answer = json.loads(answer)
        return [{name: self.value(row.get(name)) for name in answer["head"]["vars"]} for row in answer["results"]["bindings"]]

    @staticmethod
    def value(term):
        number = term and re.search("#(integer|int|decimal|double|float)$", term.get("datatype", ""))
        return term and (float(term["value"]) if number else term["value"])


def plain(name, value):
    """Converts a cell to a form that is the same for all stores: a number or a text."""
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S")
    if isinstance(value, str) and (found := TIME.fullmatch(value)):
        return found[1]
    if name == "reasons":
        return "; ".join(sorted(value.split("; ")))
    return float(value) if isinstance(value, (int, float)) else value


def table(rows):
    """Returns the rows in a fixed order."""
    cells = [{name: plain(name, value) for name, value in row.items()} for row in rows]
    texts = [sorted((name, value if isinstance(value, str) else f"{value:.6g}") for name, value in row.items()) for row in cells]
    return [row for _, row in sorted(zip(texts, cells), key=lambda pair: pair[0])]


def same(one, other):
    """Compares two cells with little precision, because Virtuoso writes doubles with six digits."""
    return one == other or (isinstance(one, float) and isinstance(other, float) and math.isclose(one, other, rel_tol=1e-5, abs_tol=1e-6))


def assert_same(found, expected):
    assert len(found) == len(expected), (found[:3], expected[:3])
    for one, other in zip(found, expected):
        assert one.keys() == other.keys() and all(same(one[name], other[name]) for name in other), (one, other)


# ---- the answers, computed from an export ----


def exported(pipeline):
    """Returns a plain row for every value, with its first and its newest verdict."""
    kinds = [[json.loads(line) for line in pipeline.run("ir-store", "export", f"--verdict={verdict}", *pipeline.stores()).splitlines()]
             for verdict in ("newest", "first")]
    first = {each["id"]: each["quality"] for each in kinds[1]}
    return [{**each, "time": each["time"][:19], "first_quality": first[each["id"]]} for each in kinds[0]]


def chosen(rows, **wanted):
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def grouped(rows, *names):
    """Groups the rows; returns [({name: value}, rows)]. The names month, day and hour mean these parts of the time."""
    parts = {"month": lambda row: row["time"][:7], "day": lambda row: row["time"][:10], "hour": lambda row: int(row["time"][11:13])}
    groups = collections.defaultdict(list)
    for row in rows:
        groups[tuple(parts[name](row) if name in parts else row[name] for name in names)].append(row)
    return [(dict(zip(names, key)), group) for key, group in groups.items()]


def values(rows):
    return [row["value"] for row in rows]


def times(rows):
    return sorted(row["time"] for row in rows)


def moment(text):
    return datetime.datetime.fromisoformat(text)


def picked(rows, *names):
    return [{name: row[name] for name in names} for row in rows]


def series(rows, mote, name, **more):
    """Returns the values of one sensor, in the order of time."""
    return sorted(chosen(rows, mote=mote, property=name, **more), key=lambda row: row["time"])


def sensors(rows):
    return grouped(rows, "mote", "property")


def good(rows):
    return chosen(rows, quality="good")


def stations(rows):
    return [{**key, "observations": len(group), "first": times(group)[0], "last": times(group)[-1]} for key, group in sensors(rows)]


def last_values(rows):
    newest = [row for _, group in sensors(rows) for row in chosen(group, time=times(group)[-1])]
    return picked(newest, "mote", "property", "time", "value", "quality")


def silent_sensors(rows):
    return [{**key, "last": times(group)[-1]} for key, group in sensors(rows) if times(group)[-1] < "2011-11-18"]


def completeness(rows):
    found = []
    for key, group in grouped(rows, "mote", "property", "month"):
        begin = moment(key["month"] + "-01")
        days = ((begin + datetime.timedelta(days=31)).replace(day=1) - begin).days
        received = len(set(times(group)))
        found.append({**key, "received": received, "percent": 100 * received / days / 96})
    return found


def gaps(rows):
    at = times(series(rows, UPPER, "discharge"))
    steps = [(one, other, (moment(other) - moment(one)).total_seconds() / 60) for one, other in zip(at, at[1:])]
    return [{"begin": one, "end": other, "minutes": minutes} for one, other, minutes in steps if minutes > 60]


def values_left_out(rows):
    found = []
    for key, group in sensors(rows):
        count = collections.Counter(row["quality"] for row in group)
        kinds = {name: count[name] for name in ("good", "suspect", "fail")}
        found.append({**key, **kinds, "unknown": len(group) - sum(kinds.values())})
    return found


def suspect_values(rows):
    bad = [row for row in chosen(rows, mote=UPPER) if row["quality"] in ("suspect", "fail")]
    return picked(bad, "time", "property", "value", "quality", "reasons")


def reasons(rows):
    count = collections.Counter((row["property"], test.replace("_", " "), flag) for row in rows for test, flag in row["flags"].items())
    tests = {(name, test) for name, test, flag in count if flag in (3, 4)}
    return [{"property": name, "test": test, "suspect": count[name, test, 3], "fail": count[name, test, 4]} for name, test in tests]


def changed_verdicts(rows):
    changed = [row for row in rows if row["quality"] != row["first_quality"]]
    return picked(changed, "mote", "property", "time", "value", "first_quality", "quality")


def corrections(rows):
    return [{**key, "versions": len(group), "lowest": min(values(group)), "highest": max(values(group))}
            for key, group in grouped(rows, "mote", "property", "time") if len(group) > 1]


def warm_days(rows):
    return grouped(chosen(good(rows), property="water-temperature"), "mote", "day")


def daily_maximum(rows):
    return [{**key, "maximum": max(values(group))} for key, group in warm_days(rows)]


def daily_range(rows):
    return [{**key, "range": max(values(group)) - min(values(group)), "good": len(group)} for key, group in warm_days(rows)]


def daily_course(rows):
    return [{**key, "mean": statistics.fmean(values(group)), "good": len(group)}
            for key, group in grouped(series(good(rows), CREEK, "dissolved-oxygen"), "hour")]


def monthly_summary(rows):
    return [{**key, "good": len(group), "lowest": min(values(group)), "mean": statistics.fmean(values(group)),
             "highest": max(values(group))} for key, group in grouped(good(rows), "mote", "property", "month")]


def peaks(rows):
    found = [(key, group, max(values(group))) for key, group in grouped(chosen(good(rows), property="discharge"), "mote")]
    return [{**key, "peak": peak, "time": times(chosen(group, value=peak))[0]} for key, group, peak in found]


def exceedances(rows):
    return picked([row for row in chosen(good(rows), property="turbidity") if row["value"] > 100], "mote", "time", "value")


def events(rows):
    found, inside = [], []
    for row in [*series(good(rows), CREEK, "discharge"), {"value": 0}]:
        if row["value"] > 100:
            inside.append(row)
        elif inside:
            found.append({"begin": inside[0]["time"], "end": inside[-1]["time"], "peak": max(values(inside)), "good": len(inside)})
            inside = []
    return found


def rate_of_rise(rows):
    stage = {moment(row["time"]): row["value"] for row in series(good(rows), CREEK, "gage-height")}
    hour = datetime.timedelta(hours=1)
    rises = [(when, value, value - stage[when - hour]) for when, value in stage.items() if when - hour in stage]
    return [{"time": when, "value": value, "rise": rise} for when, value, rise in rises if rise > 0.25]


def duration_curve(rows):
    flow = sorted(values(series(good(rows), CREEK, "discharge")), reverse=True)
    return [{"percent": percent, "discharge": flow[math.ceil(percent * len(flow) / 100) - 1]} for percent in (5, 10, 25, 50, 75, 90, 95)]


def correlation(rows):
    one, other = ({row["time"]: row["value"] for row in series(good(rows), mote, "water-temperature")} for mote in (UPPER, LOWER))
    x, y = zip(*((one[when], other[when]) for when in one.keys() & other.keys()))
    return [{"pairs": len(x), "slope": statistics.linear_regression(x, y).slope, "r2": statistics.correlation(x, y) ** 2}]


# ---- the tests ----


ANSWERS = {each.__name__.replace("_", "-"): each for each in (
    stations, last_values, silent_sensors, completeness, gaps, values_left_out, suspect_values, reasons, changed_verdicts, corrections,
    daily_maximum, daily_range, daily_course, monthly_summary, peaks, exceedances, events, rate_of_rise, duration_curve, correlation)}


@pytest.mark.parametrize("name", NAMES)
def test_every_store_gives_the_same_answer(stores, name):
    answering, rows = stores
    expected = table(ANSWERS[name](rows))
    assert expected, "the question has no answer in these data"
    for store in answering:
        assert_same(table(store.ask((QUERIES / f"{name}.{store.suffix}").read_text())), expected)


def test_the_table_of_questions():
    """The README links every query file, with the same description as in the file."""
    assert len(NAMES) == 20
    text = (QUERIES / "README.md").read_text()
    files = sorted(each.name for each in QUERIES.glob("*.*") if each.suffix != ".md")
    assert sorted(re.findall(r"\]\(([\w-]+\.(?:sql|js|rq))\)", text)) == files
    for name in NAMES:
        heads = [re.match(r"(?:(?:--|//|#) .*\n)+", (QUERIES / f"{name}.{suffix}").read_text())[0] for suffix in ("sql", "js", "rq")]
        assert len({re.sub(r"(?m)^(--|//|#) ", "", head) for head in heads}) == 1, name
