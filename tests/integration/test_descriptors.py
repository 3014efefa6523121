"""When a program has few or no file descriptors left, it reports this and keeps running. It works normally again when
some are free."""

import contextlib
import resource
import socket
import subprocess

import pytest

import harness

BUILD = harness.BUILD
CROWD = 300


@pytest.fixture(params=["worker", "gateway"])
def program(request, pipeline):
    """A program that serves HTTP, started, with its address."""
    if request.param == "gateway":
        pipeline.issue("mote-1")
    made = getattr(pipeline, request.param)()
    made.find_address()
    return made


@contextlib.contextmanager
def crowd(program, count):
    """Opens idle connections to the program."""
    host, port = program.address.removeprefix("http://").rsplit(":", 1)
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(socket.create_connection((host, int(port)), 5))
        yield


def limit(program, count):
    """Limits the number of the program's open files from now on."""
    hard = resource.prlimit(program.process.child.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(program.process.child.pid, resource.RLIMIT_NOFILE, (count, hard))


def test_idle_connections_do_not_crowd_out_the_endpoint(pipeline):
    worker = pipeline.worker()
    with crowd(worker, CROWD):
        assert worker.metric("ir_partitions") == 8
        assert open_files(worker) < CROWD


def open_files(program):
    return len(list(harness.Path(f"/proc/{program.process.child.pid}/fd").iterdir()))


def test_without_descriptors_nothing_spins(program):
    before = len(program.text())
    limit(program, 10)
    with crowd(program, 20):
        harness.wait_for(lambda: "cannot accept" in program.text(), "a line that says so")
        subprocess.run(["sleep", "2"], check=True)
    assert len(program.text()) - before < 5000
    limit(program, 4096)
    harness.wait_for(lambda: answers(program), "it to answer again")


def answers(program):
    try:
        return program.metric("ir_broker_connected") == 1
    except OSError:
        return False


@pytest.mark.parametrize("name", ["ir-worker", "ir-ingest"])
def test_too_few_descriptors_to_start(pipeline, name):
    words = [f"--amqp={pipeline.amqp}"]
    if name == "ir-worker":
        words += [*pipeline.stores()]
    else:
        pipeline.issue("mote-1")
        words += [f"--tokens={pipeline.directory / 'tokens.txt'}", "--listen=127.0.0.1:0"]
    command = ["sh", "-c", 'ulimit -n 60; exec "$0" "$@"', str(BUILD / name), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "limit of open files" in done.stderr and "ulimit -n" in done.stderr
