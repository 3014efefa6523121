"""ir-tap shows messages selected by each filter, refusals with their reasons, and figures. A slow reader delays nobody
else."""

import contextlib
import json
import subprocess
import time

import pytest

import harness

MOTE = "USGS-08068500"
FORMATS = "--formats=json,jsonld,sensorthings,senml,csv"
START = 1320469200


class Tap:
    """ir-tap, started and listening. Its standard error goes to a file."""

    def __init__(self, pipeline, *words, stdout=subprocess.PIPE, env=None):
        self.log = pipeline.directory / f"tap-{time.monotonic_ns()}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([harness.BUILD / "ir-tap", f"--amqp={pipeline.amqp}", *words], stdout=stdout,
                                            stderr=log, env={**pipeline.env, **(env or {})})
        harness.wait_for(lambda: "listening" in self.says() or self.process.poll() is not None, "the tap to listen")

    def says(self):
        return self.log.read_text()

    def lines(self):
        """Waits until ir-tap has ended on its own; returns all output lines."""
        text, _ = self.process.communicate(timeout=harness.WAIT_SECONDS)
        assert self.process.returncode == 0, self.says()
        return text.decode().splitlines()

    def end(self):
        self.process.terminate()
        return self.lines()


@contextlib.contextmanager
def tapping(pipeline, *words, **more):
    tap = Tap(pipeline, *words, **more)
    try:
        yield tap
    finally:
        tap.process.kill()
        tap.process.wait()


def publish(pipeline, *values, name="00010", mote=MOTE, at=START):
    body = json.dumps([{"n": f"{mote}/{name}", "t": at + 900 * i, "v": value} for i, value in enumerate(values)])
    pipeline.publish_body(body.encode(), f"ir.{mote}")


def send_some(pipeline):
    """Sends a good value, a value that fails a test, a value of another property, and two messages that are refused."""
    publish(pipeline, 18.5)
    publish(pipeline, 99, at=START + 900)
    publish(pipeline, 2.5, name="00065", at=START + 1800)
    publish(pipeline, 1, name="nothing")
    pipeline.publish_body(b"[", f"ir.{MOTE}")


def test_what_passes(pipeline):
    pipeline.init().worker(FORMATS)
    with contextlib.ExitStack() as stack:
        taps = {name: stack.enter_context(tapping(pipeline, "--json", *words)) for name, words in {
            "all": ["--format=json"],
            "fail": ["--show=processed", "--quality=fail,suspect", "--limit=3"],
            "property": ["--show=processed", "--format=sensorthings,jsonld", "--property=gage-height", "--limit=2"],
            "mote": ["--mote=USGS-1,elsewhere"],
            "whole": ["--show=processed", "--format=csv", f"--mote=x,{MOTE}", "--limit=3"],
            "reason": ["--show=rejected", "--reason=not-json", "--limit=1"],
        }.items()}
        text = stack.enter_context(tapping(pipeline, "--format=json", "--limit=5"))
        send_some(pipeline)
        told = {name: [json.loads(line) for line in taps[name].lines()] for name in taps if name not in ("all", "mote")}
        shown = text.lines()
        told["all"], told["mote"] = ([json.loads(line) for line in taps[name].end()] for name in ("all", "mote"))
    observations = {each["property"]: each for each in told["all"] if "property" in each and each["quality"] != "fail"}
    assert observations["water-temperature"] == {
        "time": "2011-11-05T05:00:00Z", "mote": MOTE, "format": "json", "sensor": f"{MOTE}/00010",
        "property": "water-temperature", "value": "18.5", "unit": "Cel", "quality": "good"}
    assert len(told["all"]) == 5 and sum("gross range fail" in each.get("reasons", "") for each in told["all"]) == 1
    assert {each["rejected"]: each["mote"] for each in told["all"] if "rejected" in each} == {
        "unknown-sensor": MOTE, "not-json": MOTE}
    assert {each["format"] for each in told["fail"]} == {"json", "jsonld", "sensorthings"}
    assert {each["value"] for each in told["fail"]} == {"99"}
    assert {(each["format"], each["property"]) for each in told["property"]} == {("sensorthings", "gage-height"),
                                                                                ("jsonld", "gage-height")}
    assert told["mote"] == []
    assert all(each["format"] == "csv" and int(each["bytes"]) > 100 for each in told["whole"])
    assert [each["rejected"] for each in told["reason"]] == ["not-json"] and told["reason"][0]["detail"]
    assert sum("water-temperature" in line and "gross range fail" in line for line in shown) == 1
    assert sum(f"{MOTE}" in line and "rejected" in line and "unknown-sensor" in line for line in shown) == 1


def test_figures(pipeline):
    pipeline.init().worker(FORMATS)
    with tapping(pipeline, "--rate", "--json", "--format=json") as tap:
        send_some(pipeline)
        sums = dict.fromkeys(("messages_per_s", "observations_per_s", "fail_per_s", "rejected_per_s"), 0)
        while any(value < wanted for value, wanted in zip(sums.values(), (2.5, 2.5, 0.8, 1.7))):
            line = json.loads(tap.process.stdout.readline())
            assert line["missed"] == 0
            for key in sums:
                sums[key] += line[key]
    with tapping(pipeline, "--rate", "--limit=1") as tap:
        assert "messages/s 0.0" in tap.lines()[0]


def test_a_slow_reader_holds_up_nobody(pipeline):
    """A slow reader never delays published messages. ir-tap writes each observation or counts it as missed."""
    pipeline.declare()
    channel = pipeline.connect()
    channel.confirm_delivery()
    line = json.dumps({"sensor": "x" * 150, "quality": "good"}).encode()
    body = b"\n".join([line] * 500)
    with tapping(pipeline, "--format=json", "--show=processed", "--limit=20000") as tap:
        queues = pipeline.broker.api("GET", f"queues/{pipeline.host}?disable_stats=true&enable_queue_totals=true")
        assert [(each["arguments"], each["auto_delete"]) for each in queues if each["exclusive"]] == [
            ({"x-max-length": 10000, "x-overflow": "drop-head"}, True)]
        for _ in range(40):
            channel.basic_publish("ir.processed", "json.m", body)
        harness.wait_for(lambda: "the output is too slow" in tap.says(), "the tap to report what it missed")
        written = len(tap.lines())
        missed = sum(int(each.split("too slow: ")[1].split()[0]) for each in tap.says().splitlines() if "too slow: " in each)
    assert written > 0 and missed > 0 and written + missed == 40 * 500


def test_what_cannot_help_ends_it(pipeline):
    pipeline.declare()
    for words, status, says in ((["--format=senml", "--quality=fail"], 2, "senml contains neither property nor quality"),
                                (["--quality=good,bad"], 2, "quality: 'bad' is not one of good"),
                                (["--format=xml"], 2, "format: 'xml' is not one of ntriples"),
                                (["--limit=-1"], 2, "limit"), ([], 1, "ACCESS_REFUSED")):
        done, _, errors = pipeline.call("ir-tap", f"--amqp={pipeline.amqp}", *words,
                                        env={} if words else {"IR_AMQP_PASSWORD": "wrong"})
        assert done == status and says in errors, errors


@pytest.mark.parametrize("show", ("all", "rejected"))
def test_who_may_not_listen_to_refusals(front, tmp_path, show):
    """The user `viewer` sees published observations, and a message that it may not see refusals."""
    with harness.FrontPipeline(front, tmp_path) as pipeline:
        pipeline.init()
        address = f"amqp://viewer@{front.balancer.address('consumers')}"
        env = {"IR_AMQP_PASSWORD": front.cluster.passwords["viewer"]}
        if show == "rejected":
            status, _, errors = pipeline.call("ir-tap", f"--amqp={address}", "--show=rejected", env=env)
            assert status == 1 and "ir.rejected" in errors
            return
        with tapping(pipeline, f"--amqp={address}", "--limit=1", env=env) as tap:
            assert "refusals are not shown" in tap.says()
            pipeline.connect().basic_publish("ir.processed", f"senml.{MOTE}", b'[{"n":"a","v":1,"t":1e9}]')
            assert tap.lines()[0].split() == ["2001-09-09T01:46:40Z", MOTE, "senml", "a", "1", "-", "-"]
