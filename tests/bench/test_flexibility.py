"""What is recorded about a verb of a platform: how many seconds it took, or why there is no figure. Also the memory
that guests take."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from ir_bench import experiment
from ir_bench.kinds import flexibility
from platforms.lab import registry
from platforms.lab.errors import Unsupported

MIB = 1 << 20


@pytest.fixture
def sample(tmp_path):
    subject = {"name": "one", "platform": "lxc", "profile": "default", "settings": {}}
    made = flexibility.Sample({"subject": subject, "parameters": {}, "scouted": {}, "block": 0, "again": False}, tmp_path)
    made.platform = SimpleNamespace(name="any", no_machine="", free_memory=lambda: 900 * MIB)
    made.lab_of_sample = SimpleNamespace(guests=lambda: [])
    return made


def refuse(_lab, *_words):
    raise Unsupported("it cannot", "try another")


def test_seconds_of_a_verb(sample):
    assert sample.timed("boot", lambda _lab, name: name, "one")
    assert sample.measures["boot.seconds"] >= 0
    assert not sample.notes


def test_a_verb_that_is_lacking_has_a_reason_and_no_value(sample):
    assert not sample.timed("migrate", refuse, "one")
    assert sample.measures == {}
    assert sample.notes == {"migrate": "it cannot; try another"}


@pytest.mark.parametrize("what", flexibility.OF_MACHINES)
def test_without_a_machine_no_value_is_made_up(sample, what):
    sample.platform.no_machine = "there is none"
    sample.timed(what, lambda _lab, name: name, "one")
    assert sample.measures == {}
    assert sample.notes[what] == "not applicable: there is none"


def test_a_folder_is_not_held_against_a_machine(sample):
    sample.platform.no_machine = "there is none"
    sample.timed("provision", lambda _lab, name: name, "one")
    assert list(sample.measures) == ["provision.seconds"]
    assert "provision" in sample.no_ratio


@pytest.mark.parametrize("named, told", [({}, "here"), ({"any": "copy:URI"}, "copy:URI"), ({"other": "copy:URI"}, "here")])
def test_a_guest_migrates_on_this_host_unless_a_target_is_named(sample, monkeypatch, named, told):
    moved = []
    sample.parameters = {"migration_targets": named}
    sample.platform.target_here = lambda _guest: "here"
    monkeypatch.setattr(flexibility.verbs, "migrate", lambda _lab, name, target: moved.append((name, target)))
    sample.migrate(SimpleNamespace(load=lambda name: name), "one")
    assert moved == [("one", told)]


def test_no_platform_is_named():
    """A folder stands in for a platform. The experiment may use only attributes and verbs that every platform has."""
    text = Path(flexibility.__file__).read_text(encoding="utf-8")
    assert [name for name in registry.names() if f'"{name}"' in text] == []


def test_memory_that_a_guest_takes(sample):
    sample.cost("roles-first", (1000 * MIB, 0))
    assert sample.measures == {"roles-first.memory_mib": 100}


def test_memory_that_others_gave_back_is_no_guests(sample):
    sample.cost("roles-first", (800 * MIB, 0))
    assert sample.measures == {}
    assert "no value" in sample.notes["roles-first.memory_mib"]


@pytest.mark.parametrize(
    "before, after", [("promised_times = 1.5", "promised_times = 0.5"), ("idle_guests = 6", "idle_guests = 0")])
def test_what_cannot_be_is_refused(before, after):
    text = experiment.read("flexibility")[1]
    with pytest.raises(experiment.ExperimentError, match=before.split()[0]):
        experiment.parse("flexibility", text.replace(before, after))


def test_every_stretch_has_words():
    words = flexibility.Kind().stretches({})
    told = {*flexibility.OF_MACHINES, *flexibility.OF_FOLDERS, "ready", "stop", "idle", "promised", "shared"}
    assert told <= set(words)
