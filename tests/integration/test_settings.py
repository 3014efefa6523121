"""What `make run`, `make up` and `make load` refuse, before anything is installed, built or started."""

import subprocess
import sys

import pytest

import harness

TOOLS = harness.ROOT / "tools"


def call(script, *words, **settings):
    """(status, the one line that is said)."""
    environment = {"PATH": "/usr/bin:/bin", **settings}
    done = subprocess.run([sys.executable, TOOLS / script, *words], env=environment, capture_output=True, text=True,
                          timeout=60, check=False, stdin=subprocess.DEVNULL)
    assert done.stdout == "" and done.stderr.count("\n") == (1 if done.returncode else 0), done.stderr
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
def test_a_wrong_setting_is_status_2(settings, says):
    status, text = call("run.py", "check", **settings)
    name = list(settings)[-1] if "GATEWAYS" not in settings else "VIA"
    assert status == 2 and text.startswith(f"make: {name}=") and says in text


def test_good_settings():
    assert call("run.py", "check")[0] == 0
    assert call("run.py", "check", PLATFORM="lxc", TOPOLOGY="split", PROFILE="pinned", VIA="http")[0] == 0


def test_guests_are_not_for_up():
    assert call("stack.py", "up", PLATFORM="lxc") == (2, "up: PLATFORM=lxc: guests are for make run\n")


@pytest.mark.parametrize("name, value", (("MOTES", "0"), ("RATE", "-1"), ("DURATION", "1s"), ("VIA", "smoke")))
def test_a_wrong_load_is_status_2(name, value):
    status, text = call("load.py", **{name: value})
    assert status == 2 and text.startswith(f"load: {name}={value}: ")
