"""The memory and disk blocks that guests take, and the share of the machine that a guest gets beside its twin."""

import os

import pytest

from ir_bench import entitlement, footprint


def test_memory_of_processes_that_are_there(tmp_path):
    for number, kib in ((7, 100), (8, 23)):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "smaps_rollup").write_text(f"00-ff ---p 00:00 0 [rollup]\nRss: 999 kB\nPss: {kib} kB\nPss_Dirty: 5 kB\n")
    assert footprint.proportional_bytes([7, 8, 9], tmp_path) == 123 * 1024


def test_memory_of_this_process():
    assert footprint.proportional_bytes([os.getpid()]) > 1 << 20


def test_blocks_of_a_folder_count_once(tmp_path):
    (tmp_path / "inner").mkdir()
    empty = footprint.disk_bytes(tmp_path)
    (tmp_path / "inner" / "file").write_bytes(bytes(os.urandom(1 << 20)))
    os.link(tmp_path / "inner" / "file", tmp_path / "again")
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1 << 30)
    assert 1 << 20 <= footprint.disk_bytes(tmp_path) - empty <= (1 << 20) + (64 << 10)


@pytest.mark.parametrize(
    "victim, outside, twin, rate",
    [
        (2.0, 0.0, 1.0, 0.5),  # each guest wants both processors
        (1.0, 0.0, 1.0, 1.0),  # each guest has one processor
        (1.5, 0.0, 1.0, 2 / 3),
        (1.3, 0.6, 0.9, 2 / 3.2),  # the generator runs outside the guest, and slows down with it
        (1.3, 0.6, 0.8, 1.2 / 1.9),  # the twin takes less than its share
        (1.3, 0.6, 0.1, 1.0),  # the twin leaves more than half
        (1.9, 0.1, 0.5, 0.75),
        (0.0, 0.0, 2.0, 1.0),
    ],
)
def test_what_shares_alone_leave(victim, outside, twin, rate):
    assert entitlement.fair_rate(2, victim, outside, twin) == pytest.approx(rate)


def test_loss_beyond_shares():
    assert entitlement.interference(0.5, 0.5) == 1
    assert entitlement.interference(0.4, 0.5) == pytest.approx(1.25)


def test_the_twin_is_held_to_the_last_processors():
    assert entitlement.second_half("0-3") == "2-3"
    assert entitlement.second_half("0-1") == "1"
    assert entitlement.second_half("0") == "0"


def test_a_lever_and_its_release_are_the_same_limit():
    for name, (_, make) in entitlement.LEVERS.items():
        for knobs in ({"memory.balloon"}, set()):
            lever = make({"cpu.pin": "0-1"}, 1 << 30, knobs)
            assert lever.on.keys() == lever.off.keys(), name
            assert lever.on != lever.off, name
