"""ir-store verify, for packs with times relative to their arrival: with every protocol, with stores that were tampered
with, and with truncated ledgers."""

import json
import os
import signal
import sqlite3
import subprocess
import time

import pymongo
import pytest

import harness
from harness import programs, servers

MOTES = 20
SHARES = ("--relative-share=0.35", "--clockless-share=0.35", "--named-share=0.5")
FAULTS = ("--fault-malformed=0.05", "--fault-unknown=0.1", "--fault-late=0.1", "--fault-duplicates=0.05")
PATIENT = "--late-bound=60s"


class Way:
    """A pipeline with simulated motes that send over AMQP, MQTT and HTTP."""

    def __init__(self, pipeline, directory):
        self.pipeline, self.directory = pipeline, directory
        motes = directory / "motes.txt"
        pipeline.run("ir-loadgen", f"--simulate={MOTES}", f"--write-registry={pipeline.registry}",
                     f"--write-motes={motes}")
        pipeline.init()
        tokens = programs.issue_tokens(harness.BUILD, motes.read_text().split(), directory / "hashes.txt")
        programs.write_tokens(directory / "tokens.txt", tokens)
        arguments = ["--listen=127.0.0.1:0", f"--amqp={pipeline.amqp}", f"--tokens={directory / 'hashes.txt'}"]
        self.gateway = programs.Gateway(harness.BUILD, "gateway", directory / "gateway.log", arguments, cwd=directory)
        pipeline.gateways.append(self.gateway)
        self.gateway.await_ready()

    def words(self, *more):
        pipeline = self.pipeline
        mqtt = f"mqtt://{pipeline.host}%3Aguest@{servers.HOST}:{pipeline.broker.ports[3]}"
        return [f"--simulate={MOTES}", f"--out={self.directory / 'load'}", f"--amqp={pipeline.amqp}",
                f"--target={pipeline.amqp},{mqtt},{self.gateway.address}",
                f"--mote-tokens={self.directory / 'tokens.txt'}", PATIENT, *more]

    def begin(self, *more):
        """Starts the generator in the background; returns its process."""
        return subprocess.Popen([harness.BUILD / "ir-loadgen", *self.words(*more)], stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=self.directory,
                                env={**os.environ, "IR_MQTT_PASSWORD": "guest"})

    def send(self, *more):
        loadgen = self.begin(*more)
        errors = loadgen.communicate(timeout=180)[1]
        return loadgen.returncode, json.loads((self.directory / "load" / "summary.json").read_text()), errors

    @property
    def ledger(self):
        return self.directory / "load" / "ledger.txt"

    def finish(self):
        self.pipeline.drain(120)
        self.pipeline.stop_workers()

    def verdict(self, *more):
        """Returns (exit status, verdict)"""
        status, text, errors = self.pipeline.call("ir-store", "verify", f"--ledger={self.ledger}", "--json", *more,
                                                  *self.pipeline.stores(), seconds=120)
        assert status in (0, 1, 3), errors
        return status, json.loads(text)

    def assert_good(self):
        status, verdict = self.verdict()
        assert status == 0 and verdict["good"] and verdict["again"] == 0, verdict
        return verdict


@pytest.fixture
def make_way(mqtt_broker, tmp_path):
    made = []

    def make(**options):
        pipeline = harness.Pipeline(mqtt_broker, tmp_path, registry=tmp_path / "sim.ttl", **options)
        made.append(pipeline)
        return Way(pipeline, tmp_path)

    yield make
    for pipeline in made:
        pipeline.__exit__()


def lines(ledger):
    return [line.split(" ", 6) for line in ledger.read_text().splitlines() if line.startswith("t ")]


@pytest.mark.parametrize("store, format", [("sqlite", "json"), ("mongodb", "cbor")])
def test_every_protocol(make_way, mongodb, store, format):
    """Packs with absolute, relative and no times, with and without names. Everything sent is stored once and
    published."""
    way = make_way(**({"documents": mongodb.uri} if store == "mongodb" else {}))
    if store == "mongodb":
        pymongo.MongoClient(mongodb.uri).drop_database("river")
        way.pipeline.init()
    way.pipeline.worker()
    before = time.time()
    status, summary, errors = way.send(*SHARES, *FAULTS, f"--format={format}", "--messages=1500", "--rate=5000")
    assert status == 0 and summary["complete"], (summary, errors)
    assert summary["balance"]["missing"] == 0 and summary["foreign_messages"] == 0
    assert summary["resent"] == 0
    way.finish()
    verdict = way.assert_good()
    sent = lines(way.ledger)
    unnamed = [line for line in sent if len(line) == 6]
    assert 600 < len(sent) < 1200 and 100 < len(unnamed) < len(sent)
    assert summary["messages_matched"] == len(unnamed)
    assert verdict["raw"]["expected"] == summary["messages_confirmed"] - summary["balance"]["repeated"]
    if store == "sqlite":
        times = way.pipeline.sqlite("SELECT min(received_ns), max(received_ns) FROM raw")[0]
        assert before - 1 < times[0] / 1e9 <= times[1] / 1e9 < time.time() + 1


def test_the_same_reading_again(make_way):
    """A mote without a clock sends the same reading again and again. Each message is a separate observation. One thread
    sends them one after the other, so that no two messages of a mote arrive within the same millisecond."""
    way = make_way()
    way.pipeline.worker()
    status, summary, errors = way.send("--clockless-share=1", "--repeated-share=1", "--messages=600",
                                       "--window=1", "--request-packs=1")
    assert status == 0 and summary["complete"], (summary, errors)
    way.finish()
    assert way.assert_good()["raw"]["expected"] == 600
    assert len({line[1] for line in lines(way.ledger)}) == MOTES


def test_workers_killed_under_load(make_way):
    """Workers are killed repeatedly while motes send over all protocols. Nothing is missing, and nothing is stored
    twice."""
    way = make_way()
    way.pipeline.worker(name="first")
    loadgen = way.begin(*SHARES, "--messages=4000", "--rate=3000", "--no-wait")
    for i in range(6):
        time.sleep(0.7)
        way.pipeline.workers[-1].kill()
        way.pipeline.worker(name=f"next-{i}", wait=False)
    assert loadgen.communicate(timeout=120)[1] is not None and loadgen.returncode == 0
    way.pipeline.workers[-1].await_ready()
    way.finish()
    way.assert_good()
    assert way.pipeline.ready_messages("ir.rejected") == 0


@pytest.fixture
def stored(make_way):
    """The stores after one run; no worker is running."""
    way = make_way()
    way.pipeline.worker()
    status, summary, errors = way.send("--relative-share=0.5", "--clockless-share=0.5", "--named-share=0.5",
                                       "--messages=200", "--no-wait")
    assert status == 0, (summary, errors)
    way.finish()
    way.assert_good()
    return way


def tamper(way, *statements):
    with sqlite3.connect(way.pipeline.documents.removeprefix("sqlite:")) as database:
        for statement in statements:
            assert database.execute(statement).rowcount == 1, statement


def find_raw(way, content):
    """Returns the id, as an SQL literal, of the message that the ledger calls `content` (mote and body)."""
    return next(f"X'{bytes(row).hex()}'" for row, mote, body in way.pipeline.sqlite("SELECT id, mote, body FROM raw")
                if str(harness.raw_id(mote, bytes(body), kind="plain")) == content)


def test_an_observation_that_is_gone(stored):
    tamper(stored, "DELETE FROM observations WHERE id IN (SELECT id FROM observations LIMIT 1)")
    status, verdict = stored.verdict()
    assert (status, verdict["observations"]["missing"], verdict["missing"]) == (1, 1, 1)


def test_an_observation_with_another_time(stored):
    """Adds an observation with a wrong time, as a worker would that used its own clock instead of the arrival."""
    columns = [row[1] for row in stored.pipeline.sqlite("PRAGMA table_info(observations)")]
    taken = {"id": "randomblob(16)", "time_ns": "time_ns + 1000000"}
    values = ", ".join(taken.get(column, column) for column in columns)
    tamper(stored, f"INSERT INTO observations ({', '.join(columns)}) SELECT {values} FROM observations LIMIT 1")
    status, verdict = stored.verdict()
    assert (status, verdict["observations"]["foreign"], verdict["missing"]) == (1, 1, 0)


def test_a_message_that_is_gone(stored):
    unnamed = next(line[1] for line in lines(stored.ledger) if len(line) == 6)
    tamper(stored, f"DELETE FROM raw WHERE id = {find_raw(stored, unnamed)}")
    status, verdict = stored.verdict()
    assert status == 1 and verdict["raw"]["missing"] == 1
    assert verdict["observations"]["missing"] == 7 == verdict["observations"]["foreign"]


def test_an_arrival_that_was_changed(stored):
    """Changes the arrival of a stored message, so that its id and its observations no longer follow from it."""
    unnamed = next(line[1] for line in lines(stored.ledger) if len(line) == 6)
    tamper(stored, f"UPDATE raw SET received_ns = received_ns + 1000000 WHERE id = {find_raw(stored, unnamed)}")
    status, verdict = stored.verdict()
    assert status == 1 and (verdict["raw"]["missing"], verdict["raw"]["foreign"]) == (1, 1)
    assert verdict["observations"]["missing"] == 7


def test_documents_that_are_not_kept(stored):
    words = ["verify", f"--ledger={stored.ledger}", "--documents=null:", f"--graph={stored.pipeline.graph}"]
    status, _, errors = stored.pipeline.call("ir-store", *words)
    assert status == 2 and "arrival" in errors


# ---- truncated ledgers ----


def test_generator_that_is_killed(make_way):
    """The generator is killed, so its ledger is truncated. The entries that exist are compared with the stores. Stored
    items that are not listed are no error."""
    way = make_way()
    way.pipeline.worker()
    loadgen = way.begin(*SHARES, "--rate=3000", "--duration=60s")
    harness.wait_for(lambda: way.ledger.is_file() and way.ledger.stat().st_size > 200_000, "a ledger", 60)
    loadgen.send_signal(signal.SIGKILL)
    loadgen.communicate(timeout=20)
    way.finish()
    status, verdict = way.verdict()
    assert status == 3 and not verdict["good"], verdict
    assert (verdict["missing"], verdict["doubled"], verdict["foreign"], verdict["ledgers_cut_off"]) == (0, 0, 0, 1)
    assert verdict["raw"]["unlisted"] > 0 and verdict["raw"]["expected"] > 100
    status, text, errors = way.pipeline.call("ir-store", "verify", str(way.ledger), *way.pipeline.stores())
    whole = len(way.ledger.read_text().rpartition("\n")[0].splitlines())
    assert status == 3 and f"the {whole} whole lines are taken" in errors
    assert "as far as the ledger goes" in text and "not in a ledger that was cut off" in text


def test_a_cut_ledger_still_finds_what_is_missing(stored):
    text = stored.ledger.read_text()
    stored.ledger.write_text(text[: len(text) // 2])
    status, verdict = stored.verdict()
    assert (status, verdict["missing"], verdict["doubled"], verdict["foreign"]) == (3, 0, 0, 0)
    content = lines(stored.ledger)[0][1]
    tamper(stored, f"DELETE FROM raw WHERE id = {find_raw(stored, content)}")
    status, verdict = stored.verdict()
    assert (status, verdict["raw"]["missing"], verdict["observations"]["missing"]) == (1, 1, 7)


def test_a_long_list_of_earlier_loads(stored, tmp_path):
    earlier = [tmp_path / f"load-{number:03}" / "ledger.txt" for number in range(300)]
    for path in earlier:
        path.parent.mkdir()
        path.write_bytes(stored.ledger.read_bytes())
    status, verdict = stored.verdict(f"--known={','.join(map(str, earlier))}")
    assert status == 0 and verdict["good"]


def test_old_ledgers_are_refused(tmp_path):
    ledger = tmp_path / "ledger.txt"
    ledger.write_text("# ir-ledger 1\n")
    argv = [harness.BUILD / "ir-store", "verify", ledger, "--documents=null:", f"--graph=nquads:{tmp_path / 'graph'}"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "version 1" in done.stderr
