"""Passwords stay inside the program: they are neither in core dumps nor in its visible environment. A settings file
with a password is refused if other users may read it. No program needs privileges."""

import os
import resource
import signal
import socket
import subprocess
from pathlib import Path

import pytest

import harness
from harness import cluster, servers

PASSWORD = "swordfish-of-the-river"
CORE_BYTES = 4 << 30
# Commands that keep a program running while it has a password: the server at {0} never answers.
WAITING = {
    "ir-worker": ("--amqp=amqp://worker@{0}", "--documents=null:", "--graph=null:", f"--registry={harness.REGISTRY}"),
    "ir-ingest": ("--amqp=amqp://gateway@{0}", "--tokens=tokens", "--listen=127.0.0.1:0"),
    "ir-loadgen": ("--amqp=amqp://mote@{0}", "--simulate=3", "--messages=5", "--no-subscribe", "--no-ledger",
                   "--out=load"),
    "ir-store": ("status", "--documents=mongodb://river@{0}/river", "--graph=null:"),
}


def allow_cores():
    resource.setrlimit(resource.RLIMIT_CORE, (CORE_BYTES, CORE_BYTES))


def environment_of(pid):
    return Path(f"/proc/{pid}/environ").read_bytes()


@pytest.fixture
def waiting(tmp_path):
    """Starts a program with a password and waits until it is connected."""
    (tmp_path / "tokens").touch(0o600)
    silent = socket.create_server((servers.HOST, 0))
    address = f"{servers.HOST}:{silent.getsockname()[1]}"
    started = []

    def start(program, *words):
        name = "IR_DOCUMENTS_PASSWORD" if program == "ir-store" else "IR_AMQP_PASSWORD"
        # AddressSanitizer would itself prevent core dumps.
        env = {**os.environ, name: PASSWORD, "ASAN_OPTIONS": "disable_coredump=0"}
        argv = [harness.BUILD / program, *(each.format(address) for each in WAITING[program]), *words]
        process = subprocess.Popen(argv, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   preexec_fn=allow_cores)
        started.append(process)
        harness.wait_for(lambda: PASSWORD.encode() not in environment_of(process.pid), "it to take the password")
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
    silent.close()


def dumped(process):
    """Kills the process; returns whether the kernel made a core dump."""
    process.send_signal(signal.SIGABRT)
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT).si_code == os.CLD_DUMPED


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can inspect a process that is not dumpable")
@pytest.mark.parametrize("program", WAITING)
def test_no_core_has_a_password(waiting, tmp_path, program):
    """After a program has read its password, its environment no longer contains it."""
    assert not dumped(waiting(program))
    assert not list(tmp_path.glob("core*"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can inspect a process that is not dumpable")
def test_a_core_that_is_asked_for(waiting, tmp_path):
    """With --core-dumps a program leaves a core dump although it has a password."""
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if "/" in pattern or pattern.startswith("|"):
        pytest.skip(f"core_pattern is {pattern}: dumps go elsewhere")
    assert dumped(waiting("ir-worker", "--core-dumps"))
    (core,) = tmp_path.glob("core*")
    with open(core, "rb") as file:
        assert any(PASSWORD.encode() in chunk for chunk in iter(lambda: file.read(1 << 24), b""))


@pytest.mark.parametrize("mode, good", [(0o600, True), (0o644, False), (0o660, False)])
def test_files_that_others_may_read(tmp_path, mode, good):
    """Files that other users may read are refused: settings with a password, and the passwords of a deployment."""
    settings, passwords = tmp_path / "river.conf", tmp_path / "passwords"
    settings.write_text(f"[common]\namqp-password = {PASSWORD}\n")
    passwords.write_text(f"worker {PASSWORD}\n")
    for each in (settings, passwords):
        each.chmod(mode)
    argv = [harness.BUILD / "ir-worker", f"--settings={settings}", "--print-settings"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode == 0) == good, done.stderr
    assert PASSWORD not in done.stdout + done.stderr and ("chmod 600" in done.stderr) != good
    try:
        assert cluster.definitions.read_passwords(passwords) == {"worker": PASSWORD} and good
    except cluster.list_of_nodes.NodesError as error:
        assert "chmod 600" in str(error) and not good


@pytest.mark.skipif(os.geteuid() != 0, reason="who is not root has no privileges to give up")
def test_no_program_needs_a_privilege(make_pipeline, messages, tmp_path, monkeypatch):
    """The whole pipeline runs as a user without any capability."""
    for each in harness.BUILD.glob("ir-*"):
        wrapper = tmp_path / "bin" / each.name
        wrapper.parent.mkdir(exist_ok=True)
        wrapper.write_text(f'#!/bin/sh\nexec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs {each} "$@"\n')
        wrapper.chmod(0o755)
    monkeypatch.setattr(harness, "BUILD", tmp_path / "bin")
    pipeline = make_pipeline().init()
    pipeline.issue(messages[0].mote)
    worker, gateway = pipeline.worker(), pipeline.gateway()
    for each in (worker, gateway):
        assert "CapEff:\t0000000000000000\n" in Path(f"/proc/{each.process.pid}/status").read_text()
    for message in messages[:30]:
        pipeline.publish(message)
    pipeline.drain()
    pipeline.assert_exactly(messages[:30])
    assert gateway.not_ready() is None
