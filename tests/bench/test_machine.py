"""The processor time of each part, and what counts as a disturbance."""

import subprocess

import pytest

from ir_bench import machine

STAT = "cpu  1000 0 500 8000 100 10 20 30 400 0\ncpu0 …\n"


def moment(at, guest, generator, kernel=None, **stat):
    return machine.Moment(at, {**dict.fromkeys(machine.FIELDS, 0.0), **stat}, kernel or {}, guest, generator)


def test_guest_time_is_not_counted_twice():
    """The kernel includes the 400 ticks of `guest` in the 1,000 ticks of `user`."""
    seconds = machine.read_stat(STAT)
    assert sum(seconds[name] for name in machine.BUSY) * machine.TICKS == pytest.approx(1530)


def test_parts_add_up():
    used = machine.parts(moment(0, 0, 0), moment(10, 6, 3, {"kworker": 0.5}, user=8, system=3, idle=8, steal=1), 2)
    assert used["busy"] == 11
    assert used["other"] == pytest.approx(11 - 6 - 3 - 0.5)
    assert used["busy_by_idle"] == pytest.approx(20 - 8 - 1)
    assert used["steal"] == 1


def test_a_part_is_never_negative():
    """Times in /proc/stat have a coarser resolution than those of control groups."""
    used = machine.parts(moment(0, 0, 0), moment(1, 1.2, 0.5, user=1.6, idle=0.4), 2)
    assert used["other"] == 0


def test_a_kernel_thread_that_ended_takes_nothing_away():
    before = moment(0, 0, 0, {"idle": 40.0, "busy": 7.0})
    used = machine.parts(before, moment(10, 1, 1, {"busy": 7.4, "new": 0.1}, user=3, idle=17), 2)
    assert used["kernel"] == pytest.approx(0.5)


def test_what_disturbs():
    thresholds = machine.Thresholds.from_canaries([{"loop_ns": 1.0, "walk_ns": 100, "sync_us": 300}] * 3)
    quiet = {"loop_ns": 1.1, "walk_ns": 110, "sync_us": 500}
    used = {"wall": 10, "steal": 0.1, "other": 0.4}
    assert machine.slow_canaries(thresholds, [quiet, quiet]) == []
    assert machine.slow_canaries(thresholds, [quiet, {**quiet, "walk_ns": 140}]) == ["a step of the canary's walk through memory took 140.0 ns, more than 125.0"]
    assert machine.shares_taken(thresholds, used, 2) == []
    assert machine.shares_taken(thresholds, {**used, "other": 2}, 2) == ["other processes took 10.0 % of the processor time, more than 5 %"]
    assert machine.shares_taken(thresholds, {**used, "steal": 2}, 2) == ["the hypervisor took 10.0 % of the processor time, more than 2 %"]


def test_own_work_is_seen_in_proc_stat():
    before = machine.read_clocks(lambda: 0, lambda: 0)
    subprocess.run(["sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"], check=True)
    used = machine.parts(before, machine.read_clocks(lambda: 0, lambda: 0), 1)
    assert used["busy"] > 0.05
    assert used["other"] > 0.05
