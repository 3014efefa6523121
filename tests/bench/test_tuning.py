"""Which tuning profile is compared with which default, and with which load."""

import pytest

from ir_bench import experiment, likeness
from ir_bench.kinds import tuning
from ir_bench.subjects import Subject

ASKED, TEXT = experiment.read("tuning")


def subjects(platforms, profiles=("default",)):
    return {each.name: each for each in ASKED.of_kind.subjects(ASKED, platforms, list(profiles))}


def test_every_profile_is_tried():
    named = {each["name"] for each in ASKED.parameters["profiles"]}
    assert named == {path.stem for path in tuning.FOLDER.glob("*.conf")} - {"default"}


def test_a_profile_is_held_against_the_default_of_its_platform():
    found = subjects(["lxc", "kvm"])
    assert list(found)[:2] == ["lxc", "lxc-again"]
    assert found["lxc+pinned"].against == "lxc" and found["kvm+pinned"].against == "kvm"
    assert found["lxc+pinned"].settings == {"loads": ["fixed", "full"]}
    assert set(found["lxc"].settings["loads"]) == {"fixed", "full", "memory", "cpu", "contended", "disk", "network"}


def test_bare_metal_has_profiles_where_it_is_alone():
    assert list(subjects([]))[:2] == ["bare", "bare-again"]
    assert "bare" not in subjects(["lxc"])


def test_profiles_that_were_named_are_taken_alone():
    assert list(subjects(["lxc"], ["shares", "net-shaping"])) == ["lxc", "lxc-again", "lxc+shares", "lxc+net-shaping"]


def test_what_a_profile_changes_forbids_no_ratio():
    sheet = {"all: memory limit": "2", "all: kernel": "6.1"}
    default, limited = Subject("lxc", "lxc"), Subject("lxc+memory-limit", "lxc", "memory-limit")
    rows = likeness.compare(sheet, {**sheet, "all: memory limit": "1"}, likeness.purpose(default, limited))
    assert {row[0]: row[3] for row in rows} == {"all: kernel": likeness.SAME, "all: memory limit": likeness.PURPOSE}


@pytest.mark.parametrize(
    "before, after", [('name = "numa"', 'name = "nume"'), ('loads = ["contended"]', 'loads = ["contende"]')])
def test_what_is_wrong_is_named(before, after):
    with pytest.raises(experiment.ExperimentError, match=after.split('"')[1]):
        experiment.parse("tuning", TEXT.replace(before, after))
