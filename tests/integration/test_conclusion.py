"""What ir-loadgen reports if a run did not do what was requested, for each possible reason. Also what happens to the
results of an earlier run."""

import fcntl
import json
import os
import signal
import subprocess

import pytest

import harness
from harness import servers

PATIENT = "--late-bound=60s"
NOWHERE = ("--target=null:", PATIENT)


def run(*words, seconds=60):
    """Returns the exit status and the printed text."""
    done = subprocess.run([harness.BUILD / "ir-loadgen", f"--replay={harness.DATA}", *words], capture_output=True, text=True,
                          timeout=seconds, check=False, stdin=subprocess.DEVNULL)
    return done.returncode, done.stderr


def summary_of(out):
    return json.loads((out / "summary.json").read_text())


def contents(out):
    return {each.name: each.read_bytes() for each in out.iterdir()}


def unused_port():
    return servers.free_ports(1)[0]


# ---- what was requested ----


def test_a_rate_that_is_not_reached(tmp_path):
    status, said = run(*NOWHERE, "--simulate=10", "--rate=3000000", "--duration=500ms", f"--out={tmp_path / 'r'}", "--no-ledger")
    summary = summary_of(tmp_path / "r")
    assert status == 1 and not summary["complete"] and summary["valid"]
    last = said.strip().splitlines()[-1]
    assert "requested 3000000/s, sent " in last and "% of what was due was not sent" in last
    assert summary["incomplete_reasons"][0] in last
    assert summary["observations"] == summary["observations_sent"] + summary["observations_unsent"]


def test_a_rate_without_a_time(tmp_path):
    """All messages are sent, but not at the requested rate."""
    status, said = run("--target=null:", "--rate=50000000", "--repeat=12", "--late-bound=1ms", "--no-ledger",
                       f"--out={tmp_path / 'r'}")
    assert status == 1 and not summary_of(tmp_path / "r")["complete"]
    assert "requested 50000000/s, sent " in said and "s late" in said


def test_messages_that_end_before_the_time(tmp_path):
    words = (*NOWHERE, "--rate=40000", f"--out={tmp_path / 'r'}")
    status, said = run(*words, "--duration=30s")
    assert status == 1 and "ran out of messages before the requested duration" in said
    # With --messages the run ends when it has sent that many, which is not an error.
    assert run(*words, "--duration=30s", "--messages=100")[0] == 0
    assert run(*words, "--rate=4000", "--duration=1s")[0] == 0


@pytest.mark.parametrize("words", [["--rate=2", "--arrivals=poisson", f"--seed={seed}"] for seed in (4,)] + [["--rate=0.5"]])
def test_low_rates_last_as_long_as_asked(tmp_path, words):
    """At a low rate, the run sends as many messages as if the source of messages were unlimited."""
    simulated = (*NOWHERE, "--simulate=5", "--records=1", "--duration=3s", *words)
    status, said = run(*simulated, f"--out={tmp_path / 'r'}")
    assert status == 0, said
    assert run(*simulated, "--start=2020-01-01T00:00:00Z", f"--out={tmp_path / 'endless'}")[0] == 0
    assert summary_of(tmp_path / "r")["messages_sent"] == summary_of(tmp_path / "endless")["messages_sent"]


def test_settings_that_would_do_nothing():
    for words, why in (
        (["--rate=5", "--warm-up=1s"], "warm-up: has no effect here; it applies only with find-max"),
        (["--rate=5", "--warm-up=2s"], "warm-up"),  # refused although it is the default
        (["--rate-steps=1:2:1:1", "--trial=1s"], "trial"),
        (["--arrivals=poisson"], "arrivals"),
        (["--p99-bound=1s"], "p99-bound"),
        (["--seed=3"], "seed"),
        (["--records=3"], "records"),
        (["--fault-late=0.1"], "fault-late"),
        (["--named-share=0.1"], "named-share"),
        (["--clockless-share=0.1", "--repeated-share=0.1"], "repeated-share"),
        (["--simulate=3", "--repeat=2"], "repeat"),
        (["--simulate=3", "--single-records"], "single-records"),
        (["--formats=jsonld"], "formats"),
        (["--amqp=amqp://127.0.0.1:1", "--target=amqp://127.0.0.1:1", "--no-subscribe", "--outstanding=5k"], "outstanding"),
        (["--connections=3"], "connections"),
        (["--request-packs=3"], "request-packs"),
        (["--ca=x.pem"], "ca"),
        (["--dump", "--rate=5"], "rate"),
        (["--write-motes=/dev/null", "--duration=5s"], "duration"),
    ):
        status, said = run("--target=null:", *words) if not words[0].startswith(("--amqp", "--dump", "--write")) else run(*words)
        assert status == 2 and f"{why.split(':')[0]}: has no effect here" in said and why in said, (words, said)


def test_such_settings_in_a_file(tmp_path):
    """In a settings file, the program's own section may not have unknown settings either. In the common section they
    may belong to another program."""
    file = tmp_path / "river.conf"
    file.write_text("[ir-loadgen]\nwarm-up = 1s\n")
    status, said = run("--target=null:", "--messages=3", f"--settings={file}")
    assert status == 2 and "warm-up: has no effect here" in said
    file.write_text("[common]\nformats = jsonld\n")
    assert run("--target=null:", "--messages=3", f"--settings={file}")[0] == 0


# ---- results ----


def test_a_run_that_never_begins_leaves_the_results_before(tmp_path):
    out = tmp_path / "r"
    assert run(*NOWHERE, "--rate=20000", "--messages=1000", f"--out={out}")[0] == 0
    before = contents(out)
    assert len(before) == 5
    for words in (["--no-subscribe"], [], ["--target=http://127.0.0.1:1", "--no-subscribe"]):
        status, said = run(f"--amqp=amqp://{servers.HOST}:{unused_port()}", "--retry-for=500ms", "--messages=50", f"--out={out}",
                           *words)
        assert status == 1, said
        assert contents(out) == before, words


def test_results_of_two_runs_are_not_mixed(tmp_path):
    """A run without a ledger leaves no old ledger behind; a killed run leaves no old summary behind."""
    out = tmp_path / "r"
    assert run(*NOWHERE, "--messages=1000", f"--out={out}")[0] == 0
    assert run(*NOWHERE, "--messages=10", "--no-ledger", f"--out={out}")[0] == 0
    assert set(contents(out)) == {"summary.json", "series.csv", "confirm.hgrm", "confirm_corrected.hgrm"}
    with begin(out) as process:
        harness.wait_for(lambda: (out / "ledger.txt").is_file(), "the run to begin")
        process.kill()
    assert set(contents(out)) == {"ledger.txt", "series.csv"}


def begin(out, *words):
    argv = [harness.BUILD / "ir-loadgen", *NOWHERE, "--simulate=100", "--rate=7000", "--duration=60s", f"--out={out}", *words]
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_with_its_results(tmp_path, number):
    out = tmp_path / "r"
    with begin(out) as process:
        harness.wait_for(lambda: (out / "ledger.txt").is_file() and (out / "ledger.txt").stat().st_size > 0, "the run to send")
        process.send_signal(number)
        said = process.communicate(timeout=30)[1]
    assert process.returncode == 1 and "not complete: interrupted by a signal" in said
    summary = summary_of(out)
    assert summary["interrupted"] and not summary["complete"] and summary["balance"]["even"]
    assert (out / "ledger.txt").read_text().endswith("\n# end\n")
    assert f"Total count = {summary['messages_confirmed']:12}]" in (out / "confirm.hgrm").read_text()


def test_nohup_keeps_a_run_from_hanging_up(tmp_path):
    """nohup starts a program with SIGHUP ignored; then the signal has no effect on the run."""
    out = tmp_path / "r"
    argv = ["nohup", harness.BUILD / "ir-loadgen", *NOWHERE, "--simulate=10", "--rate=1000", "--duration=2s", f"--out={out}"]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        harness.wait_for(lambda: (out / "series.csv").is_file(), "the run to begin")
        process.send_signal(signal.SIGHUP)
        assert process.wait(60) == 0
    assert not summary_of(out)["interrupted"]


def test_one_run_at_a_time_writes_to_a_folder(tmp_path):
    out = tmp_path / "r"
    assert run(*NOWHERE, "--messages=10", f"--out={out}")[0] == 0
    before = contents(out)
    lock = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        status, said = run(*NOWHERE, "--messages=20", f"--out={out}")
        assert status == 1 and "another run writes its results to" in said
        assert contents(out) == before
    finally:
        os.close(lock)
    assert run(*NOWHERE, "--messages=20", f"--out={out}")[0] == 0
    assert summary_of(out)["messages_sent"] == 20


def test_a_run_is_locked_while_it_goes_on(tmp_path):
    out = tmp_path / "r"
    with begin(out) as process:
        harness.wait_for(lambda: (out / "series.csv").is_file(), "the run to begin")
        status, said = run(*NOWHERE, "--messages=20", f"--out={out}")
        assert status == 1 and "another run writes its results to" in said
        process.terminate()
        process.communicate(timeout=30)
    assert summary_of(out)["interrupted"]
