"""What is written down of a verb: its seconds, or why there are none; and of memory that guests take."""

from types import SimpleNamespace

import pytest

from ir_bench import experiment
from ir_bench.kinds import flexibility
from platforms.lab.errors import Unsupported

MIB = 1 << 20


@pytest.fixture
def sample(tmp_path):
    subject = {"name": "one", "platform": "lxc", "profile": "default", "settings": {}}
    made = flexibility.Sample({"subject": subject, "parameters": {}, "scouted": {}, "block": 0, "again": False}, tmp_path)
    made.platform = SimpleNamespace(name="lxc", free_memory=lambda: 900 * MIB)
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


@pytest.mark.parametrize("what", flexibility.NOT_ON_BARE)
def test_on_bare_metal_no_value_is_made_up(sample, what):
    sample.platform.name = "bare"
    sample.timed(what, lambda _lab, name: name, "one")
    assert sample.measures == {}
    assert sample.notes[what].startswith("not applicable")


def test_a_folder_is_not_held_against_a_machine(sample):
    sample.platform.name = "bare"
    sample.timed("provision", lambda _lab, name: name, "one")
    assert list(sample.measures) == ["provision.seconds"]
    assert "provision" in sample.no_ratio


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
    told = {*flexibility.NOT_ON_BARE, *flexibility.FOLDERS_ON_BARE, "ready", "stop", "idle", "promised", "shared"}
    assert told <= set(words)
