"""Features of all programs: help, version, settings, exit status."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

import harness

PROGRAMS = ("ir-ingest", "ir-worker", "ir-store", "ir-loadgen", "ir-feed", "ir-annotate", "ir-registry", "ir-tap")


def call(program, *words, env=None):
    done = subprocess.run([harness.BUILD / program, *words], capture_output=True, text=True, timeout=60, check=False,
                          env=env, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_and_version(program):
    status, text, errors = call(program, "--help")
    assert status == 0 and errors == "" and text.startswith(f"{program}: ") and "Exit status: 0" in text
    status, text, _ = call(program, "--version")
    assert status == 0 and text.startswith(f"{program} ")


SHOWN = ("--help", "--version", "--print-settings", "--print-example", "--print-manual", "--print-json")
PLATFORM_WORDS = (["--help"], ["boot", "--help"])


@pytest.mark.parametrize("path, words", (
    *((harness.BUILD / program, [option]) for program in PROGRAMS for option in SHOWN),
    *((harness.ROOT / "platforms" / "ir-platform", words) for words in PLATFORM_WORDS),
    (harness.ROOT / "platforms" / "ir-deploy", ["--help"]),
), ids=lambda value: value.name if isinstance(value, Path) else " ".join(value))
def test_what_cannot_be_written_is_told(path, words):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([path, *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1
    name = " ".join([path.name, *words[:-1]])
    assert done.stderr == f"{name}: cannot write the output: No space left on device\n"


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_example_file_shows_every_setting(program):
    status, text, _ = call(program, "--print-example")
    assert status == 0
    assert text in (harness.ROOT / "river.conf").read_text(), "make river.conf writes it anew"


def test_every_name_may_stand_in_common():
    example = (harness.ROOT / "river.conf").read_text()
    listed = (harness.ROOT / "common" / "setting_names.inc").read_text().splitlines()
    assert [line.strip('",') for line in listed] == sorted(set(re.findall(r"^;([a-z0-9-]+) =", example, re.M))), (
        "make river.conf writes it anew")


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_example_file_is_taken(program):
    status, text, errors = call(program, "--settings", str(harness.ROOT / "river.conf"), "--print-settings")
    assert status == 0, errors
    assert text.startswith(f"[{program}]")


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_unknown_option_is_status_2(program):
    status, _, errors = call(program, "--no-such-option")
    assert status == 2 and errors.count("\n") == 1 and "--no-such-option" in errors


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_settings_file_with_a_fault_names_its_line(program, tmp_path):
    path = tmp_path / "river.conf"
    path.write_text(f"[{program}]\nno-such-setting = 1\n")
    status, _, errors = call(program, "--settings", str(path))
    assert status == 2 and f"{path}:2" in errors


@pytest.mark.parametrize("program", PROGRAMS)
def test_all_faults_of_the_settings_are_told_at_once(program, tmp_path):
    path = tmp_path / "river.conf"
    path.write_text(f"[{program}]\nno-such-setting = 1\n[common]\nhartbeat = 5s\nnonsense\n")
    status, _, errors = call(program, "--settings", str(path), "--neither")
    lines = errors.splitlines()
    assert status == 2 and len(lines) == 5, errors
    assert [line.partition(": ")[0] for line in lines[:3]] == [f"{path}:{number}" for number in (2, 4, 5)]
    assert lines[3].startswith("--neither: no such option") and lines[4] == f"{program}: 4 faults in the settings"


@pytest.mark.parametrize("words", (
    ["ir-annotate", "--list"],
    ["ir-worker"],
    ["ir-worker", "--check"],
    ["ir-ingest", "--check", "--tokens=/dev/null"],
    ["ir-feed", "--check"],
    ["ir-store", "init", "--graph=null:", "--documents=null:"],
), ids=lambda words: " ".join(words[:2]))
def test_all_faults_of_a_registry_are_told_at_once(words, tmp_path):
    registry = harness.ROOT / "tests" / "data" / "registry" / "many" / "ten.ttl"
    expected = [line.removeprefix("# error: ") for line in registry.read_text().splitlines() if line.startswith("# error: ")]
    program, *words = words
    mapping = tmp_path / "map.ini"
    mapping.write_text("[a]\nfiles = x.csv\nmote = m\ntime = t\n[a:v]\nsensor = s\n")
    words += [f"--map={mapping}"] if program == "ir-feed" else []
    words += ["--amqp=amqp://localhost:1"] if program in ("ir-worker", "ir-ingest") else []
    status, text, errors = call(program, f"--registry={registry}", *words)
    told = [line.partition(f"{registry}:")[2] for line in (text + errors).splitlines() if f"{registry}:" in line]
    assert status == 1 and told == expected
    assert "10 faults in the registry" in text + errors


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("head", ("", "[comon]\n", "[worker]\n"))
def test_settings_that_no_program_would_read_are_told(program, head, tmp_path):
    path = tmp_path / "river.conf"
    other = next(each for each in PROGRAMS if each != program)
    path.write_text(f"[{other}]\nits-own = 1\n[common]\nheartbeat = 5s\nshards = rs1/a\n")
    assert call(program, "--settings", str(path), "--print-settings")[0] == 0
    path.write_text("[common]\nhartbeat = 5s\n")
    status, _, errors = call(program, "--settings", str(path), "--print-settings")
    assert status == 2 and f"{path}:2: hartbeat: no such setting of any program" in errors
    path.write_text(head + "timeout = 1s\n")
    status, _, errors = call(program, "--settings", str(path), "--print-settings")
    assert status == 2 and f"{path}:{1 + head.count(chr(10))}: " in errors and f"[{program}]" in errors


@pytest.mark.parametrize("program, words, says", (
    ("ir-worker", ["--formats=csv,xml"], "formats: 'xml' is not a format"),
    ("ir-worker", ["--formats=,"], "formats: ',' names none"),
    ("ir-loadgen", ["--formats=,"], "formats: ',' names none"),
    ("ir-worker", ["--pack-bytes=1Mi", "--message-bytes=1Ki"], "pack-bytes"),
    ("ir-ingest", ["--listen=nowhere"], "nowhere"),
    ("ir-store", ["--base-iri=nowhere"], "base-iri"),
    ("ir-store", ["--new-user=worker"], "new-user-password"),
))
def test_settings_that_cannot_hold_are_not_shown(program, words, says):
    status, text, errors = call(program, *words, "--print-settings")
    assert status == 2 and text == "" and says in errors and errors.count("\n") == 1


def test_a_store_that_keeps_nothing_is_not_held_against(tmp_path):
    ledger = tmp_path / "ledger.txt"
    ledger.write_text("# ir-ledger 2\nm 6ba7b810-9dad-11d1-80b4-00c04fd430c8\n# end\n")
    stores = [f"--documents=sqlite:{tmp_path / 'documents.sqlite'}", "--graph=null:", f"--registry={harness.REGISTRY}"]
    assert call("ir-store", "init", *stores)[0] == 0
    status, text, _ = call("ir-store", "verify", "--json", str(ledger), *stores)
    verdict = json.loads(text)
    assert status == 1 and verdict["missing"] == verdict["raw"]["missing"] == 1 and verdict["graph"] is None
    status, text, _ = call("ir-store", "verify", str(ledger), *stores)
    assert status == 1 and "not kept" in text
    status, _, errors = call("ir-store", "verify", str(ledger), "--documents=null:", "--graph=null:")
    assert status == 2 and "both stores are null:" in errors


@pytest.mark.parametrize("program, secret", (("ir-worker", "amqp-password"),
                                             ("ir-ingest", "amqp-password"), ("ir-store", "documents-password"),
                                             ("ir-loadgen", "amqp-password")))
def test_secrets_stay_off_the_command_line(program, secret):
    status, _, errors = call(program, f"--{secret}=swordfish")
    assert status == 2 and "swordfish" not in errors and "IR_" in errors
    name = "IR_" + secret.upper().replace("-", "_")
    status, text, _ = call(program, "--print-settings", env={name: "swordfish"})
    assert status == 0 and "swordfish" not in text


def test_signals_while_it_ends(pipeline):
    """The program ends as the first signal requested, however many signals arrive later."""
    pipeline.issue("USGS-08068500")
    for program in (pipeline.worker(), pipeline.gateway()):
        while program.process.alive():
            program.process.send(signal.SIGTERM)
            time.sleep(0.001)
        assert program.process.wait(60) == 0, program.text()


def test_variables_of_the_scripts_are_no_misspelt_settings():
    """IR_CACHE is a variable of the project's scripts that moves downloads. Users may have it in their environment when
    they start a program."""
    files = [harness.ROOT / "tools" / "install", *(harness.ROOT / "tools").glob("*.py"), *(harness.ROOT / "platforms").rglob("*.py")]
    names = set().union(*(re.findall(r"""(?:environ\S*["']|\$\{)(IR_[A-Z_]+)""", path.read_text()) for path in files))
    assert "IR_CACHE" in names
    environment = {**os.environ, **{name: "" for name in names}}
    done = subprocess.run([harness.BUILD / "ir-worker", "--print-settings"], env=environment, capture_output=True, text=True,
                          timeout=60, check=False)
    assert "no such setting" not in done.stderr


# ---- an interruption while connecting ----


def connecting_to(port):
    """The number of connections on this host that wait for an answer to their SYN."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="utf-8").splitlines()[1:]]
    return sum(row[2].endswith(f":{port:04X}") and row[3] == "02" for row in rows)


@contextlib.contextmanager
def silent_server():
    """Accepts connections and sends nothing. Yields (port, wait until a program is connected)."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(harness.WAIT_SECONDS)
        accepted = []
        yield server.getsockname()[1], lambda: accepted.append(server.accept())
        for connection, _ in accepted:
            connection.close()


@contextlib.contextmanager
def absent_server():
    """Its queue is full, so it does not answer a SYN, like a host that is not there."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = server.getsockname()[1]
        before = 0
        while before == 0:
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            before = connecting_to(port)
        yield port, lambda: harness.wait_for(lambda: connecting_to(port) > before, "a program to connect")


@pytest.mark.parametrize("server", (silent_server, absent_server))
@pytest.mark.parametrize("words, status", ((["ir-tap"], 0), (["ir-loadgen", "--simulate=1", "--rate=1", "--duration=1s"], -signal.SIGINT)),
                         ids=lambda value: value[0] if isinstance(value, list) else "")
def test_an_interruption_ends_connecting(words, status, server):
    """The programs would wait for the server for an hour."""
    with server() as (port, connected):
        process = subprocess.Popen([harness.BUILD / words[0], *words[1:], f"--amqp=amqp://127.0.0.1:{port}", "--timeout=1h"],
                                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            connected()
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=harness.WAIT_SECONDS) == status
        finally:
            process.kill()
            process.wait()
