"""ir-feed sends files of loggers and uplinks of LoRaWAN devices into the real pipeline."""

import contextlib
import csv
import datetime
import gzip
import itertools
import json
import random
import socket
import struct
import subprocess
import threading
import uuid
import zoneinfo
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import harness
from harness import servers
from servers import atomic

ELBE = harness.ROOT / "tests" / "data" / "feed" / "elbe.ttl"
LOGGER = """[gauge]
files = *.csv
separator = semicolon
decimal = comma
encoding = latin-1
time = Datum
time-format = %d.%m.%Y %H:%M
zone = Europe/Berlin
missing = NAN, -9999, ***
mote = elbe
[gauge:Temp*]
sensor = elbe/temperature
unit = Cel
[gauge:Pegel]
sensor = elbe/stage
unit = cm
"""
UPLINKS = """[lora]
subscribe = mqtt://127.0.0.1:{port}
format = {kind}
mote = {mote}
[lora:level]
sensor = pegel-1/level
unit = m
"""
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


# ---- the files of loggers ----


def logger_rows(days=3, minutes=15):
    """Yields rows across the change of clocks in autumn: (local time as text, UTC seconds, temperature, stage in
    cm)."""
    start = int(datetime.datetime(2024, 10, 26, tzinfo=datetime.timezone.utc).timestamp())
    generator = random.Random(3)
    for seconds in range(start, start + days * 86400, minutes * 60):
        local = datetime.datetime.fromtimestamp(seconds, BERLIN)
        yield local.strftime("%d.%m.%Y %H:%M"), seconds, generator.randint(40, 120) / 8, generator.randint(100, 300)


def comma(number):
    return f"{number:g}".replace(".", ",")


def logger_text(rows):
    return "".join(f'{local};{comma(warm)};{stage};"Dresden; Altstadt"\r\n' for local, _, warm, stage in rows)


HEAD = "Datum;Temp [°C];Pegel;Ort\r\n"


def expected_ids(rows):
    return sorted(each for _, seconds, warm, stage in rows for each in (
        harness.observation_id("elbe/temperature", seconds * 10**9, warm),
        harness.observation_id("elbe/stage", seconds * 10**9, stage)))


# ---- running ir-feed ----


class Feed:
    """Makes a folder with a mapping and files, and runs the program on it."""

    def __init__(self, pipeline, mapping, name="feed"):
        self.pipeline = pipeline
        self.directory = pipeline.directory / name
        self.directory.mkdir()
        self.map = self.directory / "map.ini"
        self.map.write_text(mapping)
        self.state = self.directory / "state"

    def words(self, *more, target=True):
        where = [f"--amqp={self.pipeline.amqp}"] if target is True else [f"--target={target}"]
        return [f"--map={self.map}", f"--state={self.state}", *where, *more]

    def write(self, name, text, mode="w"):
        with open(self.directory / name, mode, encoding="latin-1", newline="") as file:
            file.write(text)

    def write_tokens(self, text):
        path = self.directory / "mote-tokens"
        atomic.write(path, text, atomic.PRIVATE)
        return path

    def call(self, *more, target=True, seconds=120):
        return self.pipeline.call("ir-feed", *self.words(*more, target=target), seconds=seconds)

    def run(self, *more, target=True):
        status, text, errors = self.call(*more, target=target)
        assert status == 0, errors
        return text + errors

    def start(self, *more, target=True):
        return servers.Process([harness.BUILD / "ir-feed", *self.words(*more, target=target)],
                               self.directory / "feed.log", env=self.pipeline.env, cwd=self.directory)

    def log(self):
        return (self.directory / "feed.log").read_text(errors="replace")


@pytest.fixture
def elbe(make_pipeline):
    pipeline = make_pipeline(registry=ELBE).init()
    pipeline.worker()
    return pipeline


def stored(pipeline):
    """Returns the ids of all observations. Asserts that both stores contain each id once."""
    pipeline.drain()
    ids = sorted(pipeline.sqlite_ids())
    assert ids == sorted(pipeline.nquads_ids())
    return ids


def packs(pipeline):
    return [bytes(row[0]).decode() for row in pipeline.sqlite("SELECT body FROM raw ORDER BY received_ns")]


# ---- files ----


def test_a_file_is_fed_twice_across_the_change_of_clocks(elbe):
    feed = Feed(elbe, LOGGER)
    rows = list(logger_rows())
    feed.write("elbe.csv", HEAD + logger_text(rows))
    text = feed.run()
    assert f"{len(rows)} packs confirmed (0 of them partly), 0 refused; 0 rows" in text
    assert stored(elbe) == expected_ids(rows)
    assert "0 packs confirmed" in feed.run()
    (feed.directory / "state").rename(feed.directory / "old-state")
    assert f"{len(rows)} packs confirmed" in feed.run()
    assert stored(elbe) == expected_ids(rows)
    assert len(packs(elbe)) == len(rows)  # the same bytes, so not even a raw message is stored twice
    twice = [local for local, group in itertools.groupby(sorted(row[0] for row in rows)) if len(list(group)) == 2]
    assert len(twice) == 4


@pytest.mark.parametrize("via", ("amqp", "http", "mqtt"))
def test_killed_in_the_middle(via, make_pipeline, mqtt_broker, tmp_path):
    """ir-feed is killed several times, with each protocol. Nothing is missing, and nothing is stored twice."""
    pipeline = (harness.Pipeline(mqtt_broker, tmp_path, registry=ELBE) if via == "mqtt"
                else make_pipeline(registry=ELBE))
    with pipeline:
        pipeline.init()
        pipeline.worker()
        feed = Feed(pipeline, LOGGER)
        words, target = ["--round=200"], True
        if via == "http":
            pipeline.issue("elbe")
            tokens = feed.write_tokens(f"elbe {pipeline.tokens['elbe']}\n")
            target = pipeline.gateway().address
            words.append(f"--mote-tokens={tokens}")
        elif via == "mqtt":
            pipeline.env = {**pipeline.env, "IR_MQTT_PASSWORD": "guest"}
            target = f"mqtt://{pipeline.host}%3Aguest@127.0.0.1:{mqtt_broker.ports[3]}"
        rows = list(logger_rows(days=40))
        text = logger_text(rows)
        feed.write("elbe.csv", HEAD)
        generator = random.Random(7)
        for part in range(6):
            cut = [len(text) * part // 6, len(text) * (part + 1) // 6]
            feed.write("elbe.csv", text[slice(*cut)], "a")
            process = feed.start(*words, target=target)
            process.wait(generator.uniform(0.05, 1.0))
            process.kill()
        feed.run(*words, target=target)
        assert stored(pipeline) == expected_ids(rows)


CAMPBELL = """[gauge]
files = *.txt
format = toa5
zone = Europe/Berlin
mote = elbe
[gauge:Temp_C]
sensor = /temperature
unit = Cel
[gauge:Stage]
sensor = /stage
unit = cm
"""
USGS = """[gauge]
files = *.txt
format = rdb
mote = column:site_no
[gauge:1_00010]
sensor = /temperature
unit = Cel
[gauge:2_00065]
sensor = /stage
unit = cm
"""


def campbell(rows):
    """Returns a table as a CR1000 logger writes it."""
    yield ('"TOA5","dresden","CR1000X","1234","CR1000X.Std.07.01","CPU:elbe.CR1X","55667","Table1"\r\n'
           '"TIMESTAMP","RECORD","BattV","Temp_C","Stage"\r\n"TS","RN","Volts","Deg C","cm"\r\n"","","Min","Avg","Smp"\r\n')
    for record, (local, _, warm, stage) in enumerate(rows):
        day, clock = local.split()
        yield f'"{"-".join(reversed(day.split(".")))} {clock}:00",{record},12.9,{warm},{stage}\r\n'


def usgs(rows):
    """Returns a table as NWIS writes it. Each row has the abbreviation of its time zone."""
    yield ("# retrieved: 2024-11-04 10:00:00 -04:00\n#\nagency_cd\tsite_no\tdatetime\ttz_cd\t1_00010\t1_00010_cd\t2_00065\n"
           "5s\t15s\t20d\t6s\t14n\t10s\t14n\n")
    for _, seconds, warm, stage in rows:
        local = datetime.datetime.fromtimestamp(seconds, BERLIN)
        yield f"USGS\telbe\t{local:%Y-%m-%d %H:%M}\t{local:%Z}\t{warm}\tP\t{stage}\n"


@pytest.mark.parametrize("mapping, table", ((CAMPBELL, campbell), (USGS, usgs)), ids=("toa5", "rdb"))
def test_files_of_loggers_killed_in_the_middle(mapping, table, elbe):
    """Files across the change of clocks. Such a file grows, is sent twice, and may end anywhere, even within a row.
    ir-feed is killed meanwhile."""
    feed = Feed(elbe, mapping)
    rows = list(logger_rows(days=20))
    text = "".join(table(rows))
    generator = random.Random(11)
    for part in range(4):
        feed.write("table.txt", text[len(text) * part // 4:len(text) * (part + 1) // 4], "a")
        process = feed.start("--round=200")
        process.wait(generator.uniform(0.05, 1.0))
        process.kill()
    feed.run("--round=200")
    assert stored(elbe) == expected_ids(rows)
    (feed.directory / "state").rename(feed.directory / "old-state")
    assert f"{len(rows)} packs confirmed" in feed.run()
    assert stored(elbe) == expected_ids(rows) and len(packs(elbe)) == len(rows)


def test_a_file_that_grows(elbe):
    feed = Feed(elbe, LOGGER)
    rows = list(logger_rows(days=1))
    feed.write("elbe.csv", HEAD + logger_text(rows[:10]))
    process = feed.start("--follow", "--poll=100ms")
    harness.wait_for(lambda: len(packs(elbe)) == 10, "the first rows")
    half = logger_text(rows[10:11])
    feed.write("elbe.csv", half[:20], "a")
    feed.write("other.csv", HEAD + logger_text(rows[20:]))
    harness.wait_for(lambda: len(packs(elbe)) == 10 + len(rows) - 20, "another file")
    feed.write("elbe.csv", half[20:] + logger_text(rows[11:20]), "a")
    harness.wait_for(lambda: len(packs(elbe)) == len(rows), "the rest")
    assert process.stop() == 0, feed.log()
    assert stored(elbe) == expected_ids(rows)


def test_a_signal_keeps_what_is_confirmed(elbe):
    feed = Feed(elbe, LOGGER)
    rows = list(logger_rows(days=60))
    feed.write("elbe.csv", HEAD + logger_text(rows))
    process = feed.start("--window=20")
    harness.wait_for(lambda: len(packs(elbe)) > 20, "some rows")
    assert process.stop() == 0, feed.log()
    text = feed.run()
    assert f" {len(rows)} packs confirmed" not in text
    assert stored(elbe) == expected_ids(rows)


def test_the_replay_data_as_a_long_table(make_pipeline, messages):
    """Real values, one per row. The packs and observations are the same as those of the replay."""
    pipeline = make_pipeline().init()
    pipeline.worker()
    feed = Feed(pipeline, "[usgs]\nfiles = usgs.csv\ntime = time_utc\nmote = column:station\n"
                          "[usgs:value]\nsensor = column:parameter\n")
    with gzip.open(harness.DATA, "rt", newline="") as file:
        rows = list(csv.reader(file))[: 1 + sum(len(each.records) for each in messages[:500])]
    feed.write("usgs.csv", "".join(",".join(row) + "\n" for row in rows))
    feed.run()
    assert stored(pipeline) == sorted(
        harness.observation_id(f"{station}/{parameter}", int(datetime.datetime.fromisoformat(
            when.replace("Z", "+00:00")).timestamp()) * 10**9, float(value))
        for station, parameter, when, value, *_ in rows[1:])


def test_a_file_of_the_usgs(make_pipeline):
    """The same station in NWIS's format: local times with an abbreviation, across the end of daylight saving time."""
    pipeline = make_pipeline().init()
    pipeline.worker()
    zone = zoneinfo.ZoneInfo("America/Chicago")
    feed = Feed(pipeline, "[usgs]\nfiles = *.rdb\nformat = rdb\nmote = column:site_no\nmote-prefix = USGS-\n"
                          "missing = Eqp\n[usgs:*_00060]\nsensor = /00060\nunit = ft3/s\n")
    lines, expected = [], []
    for seconds in range(1320548400, 1320548400 + 6 * 3600, 900):
        local = datetime.datetime.fromtimestamp(seconds, zone)
        value = seconds // 900 % 97
        text = "Eqp" if value == 13 else value
        lines.append(f"USGS\t08068500\t{local:%Y-%m-%d %H:%M}\t{local:%Z}\t{text}\tA\n")
        if value != 13:
            expected.append(harness.observation_id("USGS-08068500/00060", seconds * 10**9, value))
    feed.write("spring-creek.rdb", "# ---- U.S. Geological Survey\n#\nagency_cd\tsite_no\tdatetime\ttz_cd\t7_00060\t"
                                   "7_00060_cd\n5s\t15s\t20d\t6s\t14n\t10s\n" + "".join(lines))
    feed.run()
    assert stored(pipeline) == sorted(expected)


def test_standard_input(elbe):
    feed = Feed(elbe, LOGGER.replace("*.csv", "-"))
    rows = list(logger_rows(days=1))
    text = (HEAD + logger_text(rows)).encode("latin-1")
    done = subprocess.run([harness.BUILD / "ir-feed", *feed.words("--round=7")], input=text, capture_output=True,
                          timeout=120, check=False, env=elbe.env)
    assert done.returncode == 0, done.stderr
    assert stored(elbe) == expected_ids(rows)


def test_a_pipe_that_brings_rows_now_and_then(elbe):
    """Rows from a pipe are sent at once, without waiting for the end of the input."""
    feed = Feed(elbe, LOGGER.replace("*.csv", "-"))
    rows = list(logger_rows(days=1))
    with subprocess.Popen([harness.BUILD / "ir-feed", *feed.words()], stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=elbe.env) as process:
        process.stdin.write((HEAD + logger_text(rows[:10])).encode("latin-1"))
        process.stdin.flush()
        harness.wait_for(lambda: len(packs(elbe)) == 10, "the first rows")
        process.stdin.write(logger_text(rows[10:]).encode("latin-1"))
        process.stdin.close()
        assert process.wait(60) == 0
    assert stored(elbe) == expected_ids(rows)


# ---- faulty input ----


def test_rows_that_cannot_be_used_are_named_and_the_others_go_on(elbe):
    feed = Feed(elbe, LOGGER)
    rows = list(logger_rows(days=1))
    bad = ('27.10.2024 12:00;abc;1;x\r\n'  # one of the two values is good
           '31.03.2024 02:30;1;2;x\r\n'
           '32.01.2024 02:30;1;2;x\r\n'
           '27.10.2024 12:15;1\r\n')
    feed.write("elbe.csv", HEAD + bad + logger_text(rows))
    status, _, errors = feed.call()
    assert status == 1
    path = feed.directory / "elbe.csv"
    for line, what in ((2, "column 'Temp [°C]': 'abc' is not a number"), (3, "this time does not exist in Europe/Berlin"),
                       (4, "'32.01.2024 02:30' does not match"), (5, "the row has 2 fields, the head 4 names")):
        assert f"{path}:{line}: {what}" in errors, errors
    assert len(stored(elbe)) == len(expected_ids(rows)) + 1
    assert feed.call()[0] == 0  # the faulty rows were already read


def test_what_the_gateway_refuses_is_named(elbe):
    """A pack with a time far in the future is refused; the others are accepted. A wrong token ends the program, and the
    rows still count as unread."""
    elbe.issue("elbe")
    gateway = elbe.gateway()
    feed = Feed(elbe, LOGGER)
    feed.write("elbe.csv", HEAD + "01.01.2190 10:00;1;2;x\r\n01.01.2024 10:00;1;2;x\r\n")
    tokens = feed.write_tokens("elbe wrong\n")
    status, _, errors = feed.call(f"--mote-tokens={tokens}", target=gateway.address)
    assert status == 1 and " 401 " in errors and "0 packs confirmed" in errors
    assert "has a wrong or an old token for mote 'elbe'" in errors and f"{feed.directory / 'elbe.csv'}:" in errors, errors
    feed.write_tokens("other wrong\n")
    assert "no token (`make registry` adds missing ones) for mote 'elbe'" in feed.call(f"--mote-tokens={tokens}", target=gateway.address)[2]
    assert "--mote-tokens is not given" in feed.call(target=gateway.address)[2]
    assert not list(feed.state.glob("*.state"))
    feed.write_tokens(f"elbe {elbe.tokens['elbe']}\n")
    status, _, errors = feed.call(f"--mote-tokens={tokens}", target=gateway.address)
    assert status == 1 and f"{feed.directory / 'elbe.csv'}:2: " in errors and "1 packs confirmed (0 of them partly), 1 refused" in errors
    assert len(stored(elbe)) == 2


def test_a_sensor_that_is_not_registered_is_named(elbe):
    """The gateway knows the registry. It accepts the other values of the row."""
    elbe.issue("elbe")
    gateway = elbe.gateway(f"--registry={ELBE}")
    feed = Feed(elbe, LOGGER.replace("elbe/stage", "elbe/depth"))
    rows = list(logger_rows(days=1))[:3]
    feed.write("elbe.csv", HEAD + logger_text(rows))
    tokens = feed.write_tokens(f"elbe {elbe.tokens['elbe']}\n")
    status, _, errors = feed.call(f"--mote-tokens={tokens}", target=gateway.address)
    assert status == 1 and "3 packs confirmed (3 of them partly), 0 refused" in errors, errors
    assert f"{feed.directory / 'elbe.csv'}:2: " in errors and "elbe/depth" in errors
    assert stored(elbe) == sorted(harness.observation_id("elbe/temperature", seconds * 10**9, warm)
                                  for _, seconds, warm, _ in rows)


class Reluctant(BaseHTTPRequestHandler):
    """A gateway that answers "later" to the first requests and then accepts them."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        packs = [line for line in body.splitlines() if line]
        answers = self.server.answers
        code = next(answers)
        text = json.dumps({"raw_ids": [str(uuid.uuid4()) for _ in packs]}).encode() if code == 202 else b"{}"
        self.server.seen.append((code, packs))
        self.send_response(code)
        if code in (429, 503):
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def test_later_is_obeyed(tmp_path):
    """After the answers 429 and 503, ir-feed sends the same bytes again, complete and in order."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Reluctant) as server:
        server.answers = itertools.chain((429, 503, 429), itertools.repeat(202))
        server.seen = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        rows = list(logger_rows(days=1))
        (tmp_path / "map.ini").write_text(LOGGER)
        (tmp_path / "elbe.csv").write_bytes((HEAD + logger_text(rows)).encode("latin-1"))
        words = [f"--map={tmp_path / 'map.ini'}", f"--target=http://127.0.0.1:{server.server_port}",
                 f"--state={tmp_path / 'state'}"]
        done = subprocess.run([harness.BUILD / "ir-feed", *words], capture_output=True, timeout=120, check=False)
        server.shutdown()
    assert done.returncode == 0, done.stderr
    taken = [pack for code, packs in server.seen if code == 202 for pack in packs]
    assert [code for code, _ in server.seen][:3] == [429, 503, 429]
    assert [json.loads(pack)[0]["bt"] for pack in taken] == [seconds for _, seconds, _, _ in rows]


def test_a_broker_that_goes_away(own_broker, tmp_path):
    with harness.Pipeline(own_broker, tmp_path, registry=ELBE) as pipeline:
        pipeline.init()
        feed = Feed(pipeline, LOGGER)
        rows = list(logger_rows(days=20))
        feed.write("elbe.csv", HEAD + logger_text(rows))
        own_broker.stop()
        process = feed.start("--round=500")
        harness.wait_for(lambda: "trying again" in feed.log(), "it to see that the broker is away")
        own_broker.start()
        assert process.wait(120) == 0, feed.log()
        pipeline.worker()
        assert stored(pipeline) == expected_ids(rows)


# ---- --check ----


def check(directory, *words):
    done = subprocess.run([harness.BUILD / "ir-feed", f"--map={directory / 'map.ini'}", "--check", *words],
                          capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_check(tmp_path):
    (tmp_path / "map.ini").write_text(LOGGER)
    (tmp_path / "elbe.csv").write_bytes((HEAD + logger_text(list(logger_rows(days=1))[:5]) +
                                         "01.01.2024 10:00;x;;\r\n").encode("latin-1"))
    status, text = check(tmp_path, f"--registry={ELBE}")
    assert status == 0, text
    assert "Datum: time" in text and "Temp [°C]: elbe/temperature, in Cel" in text and "ignored: Ort" in text
    assert text.count('"bt":') == 3 and f"{tmp_path / 'elbe.csv'}:7: column 'Temp [°C]': 'x' is not a number" in text
    assert "5 packs, 10 values; 1 rows or values cannot be used" in text
    assert not (tmp_path / "state").exists()
    with open(tmp_path / "elbe.csv", "a") as file:
        file.write("01.01.2024 10:15;1;1;")
    status, text = check(tmp_path)
    assert status == 0 and f"{tmp_path / 'elbe.csv'}:8: this row has no line end, so it is not used yet" in text
    assert "5 packs, 10 values; 1 rows or values" in text


@pytest.mark.parametrize("before, after, says", (
    ("sensor = elbe/stage", "sensor = elbe/depth", "elbe/depth: not registered; correct the mapping"),
    ("mote = elbe", "mote = pegel-1", "elbe/stage: registered for another mote, 'elbe'"),
    ("unit = cm", "unit = Cel", "elbe/stage: the unit 'Cel' cannot be converted to the registered one, m (metre)"),
    ("time = Datum", "time = Zeit", "no column 'Zeit', which time requires; the header has Datum, Temp [°C], Pegel, Ort"),
    ("separator = semicolon", "separator = comma", "the header has one column only, 'Datum;Temp [°C];Pegel;Ort': check separator"),
    ("time-format = %d.%m.%Y %H:%M", "time-format = iso", "does not match time-format = iso; did you mean %d.%m.%Y %H:%M?"),
    ("[gauge:Pegel]", "[gauge:*]", "matches both column"),
    ("encoding = latin-1", "encoding = utf-8", "not in the mapping's encoding"),
    ("files = *.csv", "files = *.txt", "0 packs"),
), ids=lambda text: text.replace(" ", ""))
def test_check_of_what_does_not_fit(before, after, says, tmp_path):
    (tmp_path / "map.ini").write_text(LOGGER.replace(before, after))
    (tmp_path / "elbe.csv").write_bytes((HEAD + logger_text(logger_rows(days=1))).encode("latin-1"))
    status, text = check(tmp_path, f"--registry={ELBE}")
    assert status == 1 and says in text, text


@pytest.mark.parametrize("before, after, says", (
    ("encoding = latin-1", "encoding = utf-16", "does not extend ASCII"),
    ("encoding = latin-1", "encoding = x", "encoding: unknown encoding 'x'"),
    ("decimal = comma", "decimal = ,", "point|comma"),
    ("decimal = comma", "decimal = comma\nthousands = comma", "[gauge]: decimal and thousands must be different signs"),
    ("mote = elbe", "moat = elbe", "map.ini:10: moat"),
), ids=lambda text: text.replace(" ", ""))
def test_a_wrong_mapping_is_one_line(before, after, says, tmp_path):
    (tmp_path / "map.ini").write_text(LOGGER.replace(before, after))
    done = subprocess.run([harness.BUILD / "ir-feed", f"--map={tmp_path / 'map.ini'}", "--target=null:"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and says in done.stderr and done.stderr.count("\n") == 1


# ---- uplinks ----


class Mosquitto(servers.Server):
    """Mosquitto as the MQTT broker of a network server. A client's session survives a restart of the client."""

    name = "mosquitto"

    def files(self):
        return {"mosquitto.conf": f"listener {self.port} {self.host}\nallow_anonymous true\nmax_queued_messages 0\n"}

    def argv(self):
        program = servers.find_program("mosquitto", "test", "/usr/sbin/mosquitto")
        return [program, "-c", self.directory / "mosquitto.conf"]

    def ready(self):
        return servers.listens(self.host, self.port)

    def publish(self, topic, messages, qos):
        text = "".join(json.dumps(each) + "\n" for each in messages)
        done = subprocess.run(["mosquitto_pub", "-h", self.host, "-p", str(self.port), "-t", topic, "-q", str(qos),
                               "-l"], input=text, text=True, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def network(tmp_path_factory):
    with Mosquitto(tmp_path_factory.mktemp("mosquitto")) as server:
        yield server


def chirpstack(n, **more):
    """An uplink as ChirpStack v4 publishes it. ChirpStack omits the frame counter when it is zero."""
    when = datetime.datetime(2024, 5, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(minutes=n)
    return {"deduplicationId": str(uuid.UUID(int=n)), "time": when.isoformat(timespec="microseconds"),
            "deviceInfo": {"applicationName": "River", "deviceName": "pegel-1", "devEui": "0101010101010101"},
            "devAddr": "00189440", **({"fCnt": n} if n else {}), "fPort": 1, "data": "qg==",
            "object": {"level": n / 8}, "rxInfo": [{"gatewayId": "0016c001f153a14c", "rssi": -36}],
            "txInfo": {"frequency": 867100000}, **more}


def things_stack(n, payload=True):
    when = datetime.datetime(2024, 5, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(minutes=n)
    stamp = when.isoformat().replace("+00:00", "Z")
    up = {"f_port": 1, **({"f_cnt": n} if n else {}), "frm_payload": "gkHe", "received_at": stamp}
    if payload:
        up["decoded_payload"] = {"level": n / 8}
    return {"end_device_ids": {"device_id": "pegel-1", "dev_eui": "0004A30B001C0530"}, "received_at": stamp,
            "uplink_message": up}


def uplink_ids(numbers):
    start = datetime.datetime(2024, 5, 1, tzinfo=datetime.timezone.utc).timestamp()
    return sorted(harness.observation_id("pegel-1/level", int(start + 60 * n) * 10**9, n / 8) for n in numbers)


CHIRPSTACK_TOPIC = "application/17c82e96/device/0101010101010101/event/up"
TTS_TOPIC = "v3/river@ttn/devices/pegel-1/up"


def test_uplinks_of_chirpstack(elbe, network):
    """ir-feed is killed at different moments and does not run for a while. The broker keeps the session, so nothing is
    missing or stored twice."""
    feed = Feed(elbe, UPLINKS.format(port=network.port, kind="chirpstack", mote="column:deviceName"))
    words = ("--follow", "--poll=100ms")
    process = feed.start(*words)
    subscribed = lambda: "lora" in (network.log.read_text() if network.log.exists() else "")  # noqa: E731
    harness.wait_for(subscribed, "the subscription")
    sent = 0
    generator = random.Random(5)
    for _ in range(6):
        network.publish(CHIRPSTACK_TOPIC, [chirpstack(n) for n in range(sent, sent + 200)], 1)
        sent += 200
        process.wait(generator.uniform(0.0, 0.5))
        process.kill()
        network.publish(CHIRPSTACK_TOPIC, [chirpstack(n) for n in range(sent, sent + 100)], 1)
        sent += 100
        process = feed.start(*words)
    harness.wait_for(lambda: len(packs(elbe)) == sent, "all of them", 120)
    assert process.stop() == 0, feed.log()
    assert stored(elbe) == uplink_ids(range(sent))
    assert "missing" not in feed.log()


def test_uplinks_of_the_things_stack(elbe, network):
    """With QoS 0, messages that arrive while the program does not run are lost. The frame counters reveal this."""
    feed = Feed(elbe, UPLINKS.format(port=network.port, kind="tts", mote="column:device_id"))
    words = ("--follow", "--poll=100ms")
    process = feed.start(*words)
    n = itertools.count()
    first = next(n)

    def arrives():
        network.publish(TTS_TOPIC, [things_stack(first)], 0)
        return packs(elbe)

    harness.wait_for(arrives, "the first uplink", pause=0.3)
    network.publish(TTS_TOPIC, [things_stack(1), things_stack(2, payload=False)], 0)
    harness.wait_for(lambda: len(packs(elbe)) == 2, "the second")
    assert process.stop() == 0, feed.log()
    network.publish(TTS_TOPIC, [things_stack(3), things_stack(4), things_stack(5)], 0)
    process = feed.start(*words)

    def comes_back():
        network.publish(TTS_TOPIC, [things_stack(6)], 0)
        return len(packs(elbe)) == 3

    harness.wait_for(comes_back, "what comes later", pause=0.3)
    assert process.stop() == 0, feed.log()
    assert stored(elbe) == uplink_ids([0, 1, 6])
    assert "3 uplinks of pegel-1 are missing before frame 6" in feed.log()
    assert "payloads of pegel-1 not decoded by the network: 1" in feed.log()


@pytest.mark.slow
def test_a_full_spool_waits(elbe, network):
    """The target does not answer, so the spool is not emptied. It stays within its limit, and further messages stay at
    the broker."""
    nowhere = f"mqtt://127.0.0.1:{servers.free_ports(1)[0]}"
    feed = Feed(elbe, UPLINKS.format(port=network.port, kind="chirpstack", mote="column:deviceName"))
    words = ("--follow", "--poll=100ms", "--spool-bytes=1Mi")
    process = feed.start(*words, target=nowhere)
    harness.wait_for(lambda: "lora" in network.log.read_text(), "the subscription")
    filler = "x" * 4000
    sent = 600
    network.publish(CHIRPSTACK_TOPIC, [chirpstack(n, devAddr=filler) for n in range(sent)], 1)
    harness.wait_for(lambda: "the spool is full" in feed.log(), "the spool to be full")
    assert sum(each.stat().st_size for each in (feed.state / "spool-lora").iterdir()) <= 1 << 20
    assert process.stop() == 0, feed.log()
    process = feed.start(*words)
    harness.wait_for(lambda: len(packs(elbe)) == sent, "all of them", 120)
    assert process.stop() == 0, feed.log()
    assert stored(elbe) == uplink_ids(range(sent))
    assert len(list((feed.state / "spool-lora").iterdir())) <= 2  # segments of confirmed messages were removed


class FirstHour(threading.Thread):
    """An MQTT broker that publishes its messages at once and records which of them are acknowledged."""

    def __init__(self, topic, bodies):
        super().__init__(daemon=True)
        self.topic, self.bodies = topic.encode(), bodies
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.acknowledged = []

    def publish(self, number):
        payload = struct.pack(">H", len(self.topic)) + self.topic + struct.pack(">H", number) + self.bodies[number - 1]
        size, head = len(payload), b"\x32"
        while True:
            size, low = size >> 7, size & 127
            head += bytes((low | 128 * (size > 0),))
            if not size:
                return head + payload

    def packets(self, stream):
        while head := stream.read(1):
            size = shift = 0
            while True:
                byte = stream.read(1)[0]
                size |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            yield head[0] >> 4, stream.read(size)

    def run(self):
        connection, _ = self.listener.accept()
        self.listener.close()
        with contextlib.suppress(ConnectionError), connection:
            for kind, data in self.packets(connection.makefile("rb")):
                if kind == 1:
                    connection.sendall(b"\x20\x02\x00\x00")
                elif kind == 8:
                    connection.sendall(b"\x90\x03" + data[:2] + b"\x01")
                    threading.Thread(target=self.publish_all, args=(connection,), daemon=True).start()
                elif kind == 4:
                    self.acknowledged.append(struct.unpack(">H", data)[0])

    def publish_all(self, connection):
        with contextlib.suppress(OSError):
            for number in range(1, len(self.bodies) + 1):
                connection.sendall(self.publish(number))


def test_what_is_acknowledged_is_on_disk(tmp_path):
    """Messages are acknowledged until the spool is full. The first message that does not fit is not acknowledged."""
    bodies = [json.dumps(chirpstack(n, devAddr="x" * 50000)).encode() for n in range(40)]
    broker = FirstHour(CHIRPSTACK_TOPIC, bodies)
    broker.start()
    (tmp_path / "map.ini").write_text(UPLINKS.format(port=broker.port, kind="chirpstack", mote="pegel-1"))
    nowhere = f"mqtt://127.0.0.1:{servers.free_ports(1)[0]}"
    process = servers.Process([harness.BUILD / "ir-feed", f"--map={tmp_path / 'map.ini'}", "--follow",
                               f"--state={tmp_path / 'state'}", "--spool-bytes=1Mi", f"--target={nowhere}"],
                              tmp_path / "feed.log")
    broker.join(60)
    assert process.stop() == 0, (tmp_path / "feed.log").read_text()
    segments = sorted((tmp_path / "state" / "spool-lora").glob("*.jsonl"))
    on_disk = set(b"".join(each.read_bytes() for each in segments).splitlines())
    assert 0 < len(broker.acknowledged) < len(bodies)
    assert {bodies[number - 1] for number in broker.acknowledged} <= on_disk


# ---- documents ----


def test_the_examples_of_the_readme(tmp_path):
    """The program accepts every example of a mapping in feed/README.md."""
    text = (harness.ROOT / "feed" / "README.md").read_text()
    examples = [block.split("```", 1)[0] for block in text.split("```ini\n")[1:]]
    assert len(examples) >= 5
    for number, example in enumerate(examples):
        path = Path(tmp_path / f"{number}.ini")
        atomic.write(path, example, atomic.PRIVATE)
        done = subprocess.run([harness.BUILD / "ir-feed", f"--map={path}", "--check"], capture_output=True, text=True,
                              timeout=60, check=False, stdin=subprocess.DEVNULL)
        assert done.returncode != 2, f"{example}\n{done.stdout}{done.stderr}"
