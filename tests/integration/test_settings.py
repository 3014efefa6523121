"""What `make run`, `make up` and `make load` refuse before they install, build or start anything."""

import os
import re
import subprocess
import sys

import pytest

import harness
import run
import stack
import variables
from platforms.lab import registry


def call(script, *words, **settings):
    """Returns (status, standard error)."""
    environment = {"PATH": "/usr/bin:/bin", **settings}
    done = subprocess.run([sys.executable, harness.ROOT / "tools" / script, *words], env=environment, timeout=120, cwd=harness.ROOT,
                          capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.mark.parametrize("settings, says", (
    ({"WORKERS": "0"}, "from 1 to 64"),
    ({"WORKERS": "abc"}, "whole number"),
    ({"RATE": "-1"}, "from 0"),
    ({"REPEAT": "0"}, "from 1"),
    ({"MESSAGES": "x"}, "whole number"),
    ({"BROKERS": "2"}, "1, 3, 5, 7"),
    ({"VIA": "foo"}, "mix, amqp, mqtt, http"),
    ({"VIA": "http", "GATEWAYS": "0"}, "GATEWAYS"),
    ({"DOCUMENTS": "postgres"}, "sqlite, mongodb, null"),
    ({"GRAPH": "neo"}, "nquads, fuseki"),
    ({"KEEP": "yes"}, "from 0 to 1"),
    ({"TOPOLOGY": "split"}, "PLATFORM"),
    ({"PLATFORM": "foo"}, ", ".join(registry.names())),
    ({"PLATFORM": "lxc:foo"}, "privileged"),
    ({"PLATFORM": "lxc", "TOPOLOGY": "foo"}, "single, split"),
    ({"PLATFORM": "lxc", "PROFILE": "foo"}, "pinned"),
    ({"PLATFORM": "lxc", "WORKERS": "3"}, "TOPOLOGY"),
), ids=lambda value: "-".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "")
def test_a_wrong_setting_is_refused(settings, says):
    with pytest.raises(stack.UsageError) as refused:
        run.Settings(settings)
    named = "VIA" if "GATEWAYS" in settings else list(settings)[-1]
    text = str(refused.value)
    assert text.startswith(f"{named}={settings[named]}")
    assert says in text and "\n" not in text


def test_good_settings():
    run.Settings({})
    guests = run.Settings({"PLATFORM": "lxc", "TOPOLOGY": "split", "PROFILE": "pinned", "VIA": "http"})
    assert guests.where.topology == "split"


@pytest.mark.parametrize("platform", registry.names())
def test_every_platform_and_kind(platform):
    for kind in registry.recipe(platform).kinds:
        assert run.Settings({"PLATFORM": f"{platform}:{kind}"}).where.kind == kind


@pytest.mark.parametrize("words, settings, says", (
    (("run.py", "check"), {}, None),
    (("run.py", "check"), {"WORKERS": "0"}, "make: WORKERS=0: must be a whole number from 1 to 64\n"),
    (("up.py", "up"), {"DATA": "out/river"}, "up: DATA=out/river: make clean removes out/; choose another folder\n"),
    (("up.py", "up"), {"DATA": "/tmp/a,b"}, "up: DATA=/tmp/a,b: the path must not contain a comma, which separates the files of a registry; choose another folder\n"),
    (("up.py", "registry"), {}, "registry: make registry needs FILE=MY.ttl (several: FILE=A.ttl,B.ttl): the complete new registry\n"),
    (("load.py",), {"DURATION": "1s"}, "load: DURATION=1s: must be a whole number from 1 to 10000000\n"),
    (("load.py", "find-max"), {"RATE": "5"}, "load: RATE=5: the rates and their times are found\n"),
), ids=lambda value: " ".join(value) if isinstance(value, tuple) else None)
def test_it_is_one_line_and_status_2(words, settings, says):
    assert call(*words, **settings) == ((2, says) if says else (0, ""))


def make(*words):
    """Runs make -n; returns (exit status, standard error). make finds mistakes before it builds anything. Variables of
    the outer make, which runs the tests, are not passed on."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make", "-C", harness.ROOT, "--no-print-directory", "-n", *words], timeout=120, capture_output=True,
                          text=True, check=False, stdin=subprocess.DEVNULL, env=environment)
    return done.returncode, done.stderr


@pytest.mark.parametrize("words, says", (
    (("run", "DOCUMENT=mongodb"), "DOCUMENT=mongodb: make run has no variable of this name; did you mean DOCUMENTS?"),
    (("run", "REGISTRY=my own.ttl"), "REGISTRY=my own.ttl: make run does not accept it, only make up"),
    (("up", "GRAPH=fuski"), "GRAPH=fuski: must be one of nquads, fuseki, oxigraph, virtuoso, null; did you mean fuseki?"),
    (("up", "FRESH=yes"), "FRESH=yes: must be a whole number from 0 to 1"),
    (("test", "MODE=asn"), "MODE=asn: must be one of release, asan, tsan, check; did you mean asan?"),
    (("XYZ=it's",), "XYZ=it's: make build has no variable of this name; it takes MODE, CC, CPPFLAGS, CFLAGS, LDFLAGS, LDLIBS, "
     "PREFIX, SYSCONFDIR, DESTDIR"),
), ids=lambda value: " ".join(value) if isinstance(value, tuple) else None)
def test_make_knows_its_variables(words, says):
    status, said = make(*words)
    assert status == 2 and says in said and said.count("\n") == 1


@pytest.mark.parametrize("given, formats", (({}, stack.FORMATS), ({"FORMATS": ""}, ""), ({"FORMATS": "csv"}, "csv")))
def test_make_run_publishes_unless_it_is_told_not_to(given, formats):
    """Checks the variables that make's recipes find in their environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "FORMATS"))}
    argv = ["make", "-s", "-C", harness.ROOT, "--no-print-directory", "--eval=told: ; @echo \"$$FORMATS\"", "told"]
    assert subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60, env={**environment, **given}).stdout == f"{formats}\n"


def test_a_variable_of_a_target_changes_nothing_in_the_build():
    """make passes its variables on to the makes that it starts. For example, OUT= of make faults must not change where
    the programs are built."""
    text = (harness.ROOT / "Makefile").read_text(encoding="utf-8")
    kept_by_make = set(re.findall(r"^(?:override )?([A-Z_]+) *:?=", text, re.MULTILINE)) - set(variables.BUILD)
    assert kept_by_make and not kept_by_make & {name for name, *_ in variables.VARIABLES}


def test_make_takes_what_its_targets_take():
    assert make("down", "DATA=a b")[0] == 0
    assert make("down", "CC=cc", "CFLAGS=-O1 -g", "MODE=asan")[0] == 0
