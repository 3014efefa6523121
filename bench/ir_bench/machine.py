"""The state of the host while a sample ran: canaries before and after, and processor time by part.

Processor time comes from /proc/stat. There `guest` time is part of `user` and is not counted twice. `steal` is kept
apart, because it was used by other guests of the hypervisor. Kernel threads are the children of kthreadd.
"""

import contextlib
import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import guard
from platforms.lab.host import device_of

TICKS = os.sysconf("SC_CLK_TCK")
KTHREADD = 2
CANARY_SECONDS = 30
TRIM_SECONDS = 120
FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
QUIET_SHARE = 0.05
BUSY = ("user", "nice", "system", "irq", "softirq")


class CanaryError(guard.Fault):
    """The canary of the machine cannot be run."""


def canary(program, directory):
    """Returns {"loop_ns", "walk_ns", "sync_us"}: see bench/bench_canary.c."""
    try:
        argv = [str(program), str(directory)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=CANARY_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise CanaryError(f"the canary did not end within {CANARY_SECONDS} s, where half a second is usual: the machine or its "
                          "disk is overloaded") from None
    if done.returncode != 0:
        raise CanaryError(done.stderr.strip() or f"{program} ended with status {done.returncode}")
    told = json.loads(done.stdout)
    del told["sink"]
    return told


# ---- the disk ----


def disk_counters(directory):
    """Returns {"bytes", "flushes"} written by the disk that holds a directory (/proc/diskstats, fields 7 and 19 of a
    row's counters); None if the kernel does not count them."""
    wanted = device_of(directory).split(":")
    for line in Path("/proc/diskstats").read_text(encoding="ascii").splitlines():
        words = line.split()
        if words[:2] == wanted:
            return {"bytes": int(words[9]) * 512, "flushes": int(words[18]) if len(words) > 18 else None}
    return {"bytes": None, "flushes": None}


def settle(directory):
    """Syncs and trims the disk, so that this work of the last sample does not continue during the next one, and drops
    the page cache. A trim that takes too long is abandoned; the canary then shows the state of the disk."""
    os.sync()
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(["fstrim", str(directory)], check=False, capture_output=True, timeout=TRIM_SECONDS)
    Path("/proc/sys/vm/drop_caches").write_text("3\n", encoding="ascii")


def await_quiet(seconds):
    """Waits at most `seconds` until the processors were nearly idle for one second. Returns how long it waited."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        before = read_stat(Path("/proc/stat").read_text(encoding="ascii"))
        time.sleep(1)
        after = read_stat(Path("/proc/stat").read_text(encoding="ascii"))
        busy = sum(after[name] - before[name] for name in BUSY)
        if busy < QUIET_SHARE * os.cpu_count():
            break
    return time.monotonic() - begun


# ---- processor time ----


def read_stat(text):
    """Seconds by field, summed over all processors."""
    words = text.split("\n", 1)[0].split()
    return {name: int(value) / TICKS for name, value in zip(FIELDS, words[1:])}


def processes(proc=Path("/proc")):
    """Yields (id, the fields of its stat after the name) of every process (proc(5))."""
    for entry in proc.iterdir():
        if entry.name.isdigit():
            try:
                yield entry.name, (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue


def kernel_seconds(proc=Path("/proc")):
    """Returns {(id, start): processor time} of all kernel threads."""
    return {(name, words[19]): (int(words[11]) + int(words[12])) / TICKS for name, words in processes(proc)
            if int(words[1]) == KTHREADD}


@dataclass(frozen=True)
class Moment:
    """A reading of the processor clocks. `guest` and `generator`: seconds of their control groups, or of the domain."""

    monotonic: float
    stat: dict
    kernel: dict
    guest: float
    generator: float


def read_clocks(guest_seconds, generator_seconds):
    """Reads the clocks. Both arguments are functions."""
    return Moment(time.monotonic(), read_stat(Path("/proc/stat").read_text()), kernel_seconds(), guest_seconds(),
                  generator_seconds())


def parts(before, after, processors):
    """Seconds of processor time between two readings, by part. `other` is what no part accounts for: other processes.
    `busy_by_idle` is wall time minus idle time; it shows the error in the counts of /proc/stat."""
    wall = after.monotonic - before.monotonic
    stat = {name: after.stat[name] - before.stat[name] for name in FIELDS}
    busy = sum(stat[name] for name in BUSY)
    guest, generator = after.guest - before.guest, after.generator - before.generator
    # Counted per thread: when a thread ends, its time disappears from the sum. The kernel ends threads that were idle
    # for minutes.
    kernel = sum(seconds - before.kernel.get(thread, 0) for thread, seconds in after.kernel.items())
    return {
        "wall": wall,
        "busy": busy,
        "busy_by_idle": wall * processors - stat["idle"] - stat["iowait"] - stat["steal"],
        "steal": stat["steal"],
        "guest": guest,
        "generator": generator,
        "kernel": kernel,
        "other": max(busy - guest - generator - kernel, 0),
    }


# ---- what counts as disturbed ----

CANARIES = (("loop_ns", "a step of the canary's loop", "ns"), ("walk_ns", "a step of the canary's walk through memory", "ns"),
            ("sync_us", "the canary's fdatasync", "µs"))
TAKEN = {"steal": "the hypervisor took", "other": "other processes took"}


@dataclass(frozen=True)
class Thresholds:
    """Limits, fixed before the first block: canaries relative to the medians of those before it; shares of all
    processors."""

    loop_ns: float
    walk_ns: float
    sync_us: float
    steal: float = 0.02
    other: float = 0.05

    @classmethod
    def from_canaries(cls, canaries, slack=1.25):
        def median(name):
            values = sorted(each[name] for each in canaries)
            return values[len(values) // 2]

        # A disk's response time varies more than a processor's speed, hence three times the median.
        return cls(median("loop_ns") * slack, median("walk_ns") * slack, median("sync_us") * 3)


def slow_canaries(thresholds, canaries):
    """Descriptions of the canaries beyond their thresholds."""
    found = []
    for name, what, unit in CANARIES:
        worst, bound = max(each[name] for each in canaries), getattr(thresholds, name)
        if worst > bound:
            found.append(f"{what} took {worst:.1f} {unit}, more than {bound:.1f}")
    return found


def shares_taken(thresholds, used, processors):
    """Describes the processor time that others used beyond a threshold. `used` is the result of parts()."""
    found = []
    available = used["wall"] * processors
    for name, who in TAKEN.items():
        share, bound = used[name] / available, getattr(thresholds, name)
        if share > bound:
            found.append(f"{who} {share * 100:.1f} % of the processor time, more than {bound * 100:.0f} %")
    return found
