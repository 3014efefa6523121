"""Runs the programs of examples/ with a stack that `make up` started."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness import servers, wait_for
from test_river import River

EXAMPLES = harness.ROOT / "examples"
PYTHON = "/usr/bin/python3"  # with Debian's packages, as the files say
REGISTRY = """\
@prefix ir: <https://intelligent-river.example/ns#> .
@prefix sosa: <http://www.w3.org/ns/sosa/> .
<mote/ford> a sosa:Platform ; ir:moteId "ford" ; ir:featureOfInterest <feature/ford> .
<sensor/ford/temperature> a sosa:Sensor ; sosa:isHostedBy <mote/ford> ; ir:senmlName "ford/temperature" ;
    sosa:observes <property/water-temperature> ; ir:unitText "Cel" .
"""


@pytest.fixture(scope="module")
def river(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    (folder / "ford.ttl").write_text(REGISTRY)
    made = River(folder)
    made.good("up.py", "up", REGISTRY=str(folder / "ford.ttl"))
    yield made
    made.good("up.py", "down")


def surroundings(river):
    """Returns the environment variables that the examples use."""
    description = river.state()["description"]
    place = {name: address.partition("://")[2] for name, address in description["listeners"].items()}
    passwords = dict(line.split() for line in Path(description["passwords"]).read_text().splitlines())
    return {**os.environ, "RIVER_HTTP": f"http://{place['http']}", "RIVER_MQTT": place["mqtt"], "RIVER_AMQP": place["amqp"],
            "RIVER_CONSUMERS": description["consumers"].partition("://")[2], "RIVER_PASSWORD": passwords["viewer"],
            "RIVER_MOTE": "ford", "RIVER_TOKEN": river.ids()["ford"]}


def stored(river, value):
    return river.sqlite(f"SELECT count(*) FROM readable WHERE mote = 'ford' AND value = {value}") == [(1,)]


def send(river, value, *words, drop=(), **more):
    """Runs a sender and asserts that the value is stored once."""
    environment = {name: text for name, text in surroundings(river).items() if name not in drop}
    done = subprocess.run(list(map(str, words)), env={**environment, **more}, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    wait_for(lambda: stored(river, value), f"the value {value}")
    return done.stdout


@pytest.mark.parametrize("name, value", [("send_http", 10.25), ("send_mqtt", 11.25), ("send_amqp", 12.25)])
def test_python(river, name, value):
    text = send(river, value, PYTHON, EXAMPLES / "python" / f"{name}.py", "ford/temperature", "Cel", value)
    assert "is safe" in text


def test_python_says_why_it_is_refused(river):
    words = [PYTHON, EXAMPLES / "python" / "send_http.py", "ford/temperature", "C", "1"]
    done = subprocess.run(words, env=surroundings(river), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1 and "refused for good: 400" in done.stderr and '"reason":"unit"' in done.stderr


@pytest.mark.parametrize("name, words, more, says", [
    ("send_http", ["ford/temperature"], {}, "usage: RIVER_HTTP="), ("send_http", ["n", "Cel", "x"], {}, "usage: RIVER_HTTP="),
    ("send_http", ["n", "Cel", "1"], {"RIVER_HTTP": "river:80"}, "river:80"), ("send_mqtt", ["n"], {}, "usage: RIVER_MQTT="),
    ("send_mqtt", ["n", "Cel", "1"], {"RIVER_MQTT": "127.0.0.1:1"}, "127.0.0.1:1: "), ("send_amqp", [], {}, "usage: RIVER_AMQP="),
    ("send_amqp", ["n", "Cel", "1"], {"RIVER_TOKEN": "wrong"}, "ACCESS_REFUSED"), ("subscribe", [], {"RIVER_PASSWORD": "wrong"}, "ACCESS_REFUSED"),
    ("subscribe", [], {"RIVER_CONSUMERS": "river"}, "usage: RIVER_CONSUMERS=")])
def test_python_says_in_one_line_what_is_wrong(river, name, words, more, says):
    done = subprocess.run([PYTHON, EXAMPLES / "python" / f"{name}.py", *words], env={**surroundings(river), **more}, capture_output=True,
                          text=True, timeout=120, check=False)
    assert done.returncode == 1 and says in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_subscriber(river, tmp_path):
    log = tmp_path / "subscriber.log"
    process = servers.Process([PYTHON, EXAMPLES / "python" / "subscribe.py", "senml.ford"], log, env=surroundings(river))
    try:
        wait_for(lambda: "waiting for" in log.read_text(), "the subscription")
        send(river, 13.25, PYTHON, EXAMPLES / "python" / "send_http.py", "ford/temperature", "Cel", 13.25)
        wait_for(lambda: '"v":13.25' in log.read_text(), "the republished messages")
    finally:
        process.stop()


def test_c(river, tmp_path):
    program = tmp_path / "send_http"
    libraries = shlex.split(subprocess.check_output(["pkg-config", "--cflags", "--libs", "libcurl"], text=True))
    subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-o", program, EXAMPLES / "c" / "send_http.c", *libraries], check=True)
    assert "raw_ids" in send(river, 14.25, program, "ford/temperature", "Cel", 14.25)


@pytest.mark.parametrize("protocol, value", [("RIVER_HTTP", 15.25), ("RIVER_MQTT", 16.25)])
def test_shell(river, protocol, value):
    drop = {"RIVER_HTTP", "RIVER_MQTT"} - {protocol}
    send(river, value, EXAMPLES / "shell" / "send.sh", "ford/temperature", "Cel", value, drop=drop)


def micropython_folder(river, tmp_path):
    """Makes a folder like that on a microcontroller board, with the program and its settings."""
    host, port = surroundings(river)["RIVER_HTTP"].removeprefix("http://").split(":")
    settings = {"HOST": host, "PORT": int(port), "MOTE": "ford", "TOKEN": river.ids()["ford"], "NAME": "ford/temperature",
                "UNIT": "Cel", "WIFI": None, "PAUSE": 1, "COUNT": 1}
    (tmp_path / "settings.py").write_text("".join(f"{name} = {value!r}\n" for name, value in settings.items()))
    (tmp_path / "main.py").write_text((EXAMPLES / "micropython" / "main.py").read_text().replace("return 18.4", "return 17.25"))
    return tmp_path


def test_micropython(river, tmp_path):
    """The program runs in Python, which has the same sockets, and in MicroPython if that is installed."""
    program = shutil.which("micropython") or sys.executable
    assert "safe:" in send(river, 17.25, program, micropython_folder(river, tmp_path) / "main.py")
