"""What `make run`, `make up` and `make load` refuse, before anything is installed, built or started."""

import subprocess
import sys

import pytest

import harness
import run
import stack
from platforms.lab import registry


def call(script, *words, **settings):
    """(status, standard error)."""
    environment = {"PATH": "/usr/bin:/bin", **settings}
    done = subprocess.run([sys.executable, harness.ROOT / "tools" / script, *words], env=environment, timeout=120,
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
    ({"PLATFORM": "foo"}, "bare, kvm, lxc, xen"),
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
    (("run.py", "check"), {"WORKERS": "0"}, "make: WORKERS=0: it is a whole number from 1 to 64\n"),
    (("stack.py", "up"), {"PLATFORM": "lxc"}, "up: PLATFORM=lxc: guests are for make run\n"),
    (("load.py",), {"DURATION": "1s"}, "load: DURATION=1s: it is a whole number from 1 to 10000000\n"),
), ids=lambda value: " ".join(value) if isinstance(value, tuple) else None)
def test_it_is_one_line_and_status_2(words, settings, says):
    assert call(*words, **settings) == ((2, says) if says else (0, ""))
