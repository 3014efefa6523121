"""Simulated motes with every kind of fault. The stored data match the ledger and an independent decoding of the
messages."""

import json

import pytest

import harness

MOTES = 40
START = "2025-03-01T00:00:00.123Z"
FAULTS = ["duplicates", "late", "malformed", "unknown", "skew", "bursts"]


@pytest.fixture
def simulated(make_pipeline, tmp_path):
    """A pipeline with the motes' registry, and the arguments that simulate these motes."""
    registry = tmp_path / "sim.ttl"
    pipeline = make_pipeline(registry=registry)
    pipeline.run("ir-loadgen", f"--simulate={MOTES}", f"--write-registry={registry}")
    pipeline.init()
    words = [f"--simulate={MOTES}", "--messages=3000", f"--start={START}", "--seed=7"]
    return pipeline, words + [f"--fault-{fault}=0.1" for fault in FAULTS]


class Sent:
    """One line of a dump, decoded as the worker should."""

    def __init__(self, line):
        text = line.strip()
        self.mote = text.split('"bn":"')[1].split("/")[0]
        try:
            pack = json.loads(text)
            records = [] if "bver" in pack[0] else pack
        except ValueError:
            records = []
        self.raw_id = (
            harness.absolute_raw_id(self.mote, text.encode())
            if records
            else harness.raw_id(self.mote, text.encode(), kind="plain")
        )
        self.refused = not records or any(record["n"] == "99999" for record in records)
        self.ids = []
        for record in records:
            if record["n"] != "99999":
                time_ns = round(pack[0]["bt"] * 1000) * 10**6 + record.get("t", 0) * 10**9
                self.ids.append(harness.observation_id(f"{pack[0]['bn']}{record['n']}", time_ns, record["v"]))


def send(pipeline, words, *more):
    """Sends without waiting for published messages; returns the path of the ledger."""
    load = pipeline.directory / "load"
    pipeline.run("ir-loadgen", f"--amqp={pipeline.amqp}", f"--out={load}", "--no-subscribe", *words, *more)
    return load / "ledger.txt"


def counted(ledger, kind):
    return len({line for line in ledger.read_text().splitlines() if line.startswith(kind)})


def test_every_fault(simulated):
    pipeline, words = simulated
    sent = [Sent(line) for line in pipeline.run("ir-loadgen", *words, "--dump").splitlines()]
    pipeline.worker()
    pipeline.worker()
    ledger = send(pipeline, words)
    pipeline.drain()
    pipeline.stop_workers()

    raw = {each.raw_id for each in sent}
    observations = {each for message in sent for each in message.ids}
    assert 2600 < len(raw) < 2800
    assert sorted(pipeline.sqlite_ids("raw")) == sorted(raw)
    assert sorted(pipeline.sqlite_ids()) == sorted(observations)
    assert sorted(pipeline.nquads_ids()) == sorted(observations)
    assert counted(ledger, "m") + counted(ledger, "r") == len(raw)
    assert counted(ledger, "r") == len({each.raw_id for each in sent if not each.ids})
    status, verdict = pipeline.verify(ledger)
    assert status == 0, verdict

    letters = pipeline.take_all("ir.rejected")
    assert len(letters) == sum(each.refused for each in sent)
    reasons = {properties.headers["reason"] for _, properties, _ in letters}
    assert reasons == {"not-json", "version", "unknown-sensor"}
    ((late,),) = pipeline.sqlite("SELECT count(*) FROM observations WHERE late")
    assert 0.05 < late / len(observations) < 0.15


@pytest.mark.parametrize("records", [1, 20])
def test_cbor(simulated, records):
    """CBOR messages with one and with many records, compared with the ledger only."""
    pipeline, words = simulated
    pipeline.worker()
    ledger = send(pipeline, words, "--format=cbor", f"--records={records}", "--messages=1000")
    pipeline.drain()
    pipeline.stop_workers()
    status, verdict = pipeline.verify(ledger)
    assert status == 0, verdict
    assert verdict["observations"]["present"] > 600 * records
    reasons = {properties.headers["reason"] for _, properties, _ in pipeline.take_all("ir.rejected")}
    assert reasons == {"not-cbor", "version", "unknown-sensor"}


def test_files(pipeline, tmp_path):
    """--write-motes writes the motes' names, and reports the reason if the file cannot be written."""
    motes = tmp_path / "motes.txt"
    pipeline.run("ir-loadgen", "--simulate=3", f"--write-motes={motes}")
    assert motes.read_text() == "sim-0000000\nsim-0000001\nsim-0000002\n"
    pipeline.run("ir-loadgen", f"--replay={harness.DATA}", f"--write-motes={motes}")
    assert len(motes.read_text().splitlines()) == 13
    for path, why in (("/dev/full", "No space left"), (tmp_path / "none" / "motes", "No such file")):
        status, _, errors = pipeline.call("ir-loadgen", "--simulate=100000", f"--write-motes={path}")
        assert status == 1 and why in errors
    status, _, errors = pipeline.call("ir-loadgen", f"--write-registry={motes}")
    assert status == 2 and "--simulate" in errors


def test_what_comes_back(simulated):
    """The generator's own counts balance: messages with deliberate faults were refused, and all others were
    published."""
    pipeline, words = simulated
    pipeline.worker()
    load = pipeline.directory / "load"
    pipeline.run("ir-loadgen", f"--amqp={pipeline.amqp}", f"--out={load}", *words, "--messages=600", "--pace=20000")
    pipeline.stop_workers()
    summary = json.loads((load / "summary.json").read_text())
    assert summary["complete"] and summary["messages_sent"] == 600
    assert summary["foreign_messages"] == 0
    status, verdict = pipeline.verify(load / "ledger.txt")
    assert status == 0, verdict


def test_dump_of_packs_without_absolute_times(simulated):
    """ir-annotate resolves such times relative to the moment of reading."""
    pipeline, words = simulated
    words = [word for word in words if not word.startswith("--fault")]
    shares = ["--relative-share=0.4", "--clockless-share=0.4", "--messages=200"]
    dump = pipeline.directory / "dump.jsonl"
    dump.write_text(pipeline.run("ir-loadgen", *words, *shares, "--dump"))
    packs = [json.loads(line) for line in dump.read_text().splitlines()]
    times = [pack[0].get("bt") for pack in packs]
    assert 50 < sum(each is None for each in times) < 110
    assert 50 < sum(each is not None and -600 <= each <= 0 for each in times) < 110
    now = "2026-01-31T12:00:00"
    text = pipeline.run("ir-annotate", f"--registry={pipeline.registry}", "--format=csv", f"--now={now}Z", dump)
    rows = [line.split(",") for line in text.splitlines()[1:]]
    assert len(rows) == sum(len(pack) for pack in packs) == 1400
    assert sum(row[0].startswith(now) for row in rows) >= 7 * sum(each is None for each in times)
