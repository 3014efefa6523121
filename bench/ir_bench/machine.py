"""What the host did while a sample ran: canaries before and after, processor time by part.

Processor time is that of /proc/stat. `guest` time is part of `user` there and is not counted twice; `steal` stands apart,
since nobody here used it. Kernel threads are the children of kthreadd.
"""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from platforms.lab.host import device_of

TICKS = os.sysconf("SC_CLK_TCK")
KTHREADD = 2
CANARY_SECONDS = 30
FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
QUIET_SHARE = 0.05
BUSY = ("user", "nice", "system", "irq", "softirq")


class CanaryError(Exception):
    pass


def canary(program, directory):
    """{"loop_ns", "walk_ns", "sync_us"}: see bench/bench_canary.c."""
    done = subprocess.run([str(program), str(directory)], capture_output=True, text=True, timeout=CANARY_SECONDS, check=False)
    if done.returncode != 0:
        raise CanaryError(done.stderr.strip() or f"{program} ended with status {done.returncode}")
    told = json.loads(done.stdout)
    del told["sink"]
    return told


# ---- the disk ----


def disk_counters(directory):
    """{"bytes", "flushes"} written by the disk under a directory (/proc/diskstats, fields 7 and 19 of a row's counters); None
    where the kernel does not count."""
    wanted = device_of(directory).split(":")
    for line in Path("/proc/diskstats").read_text(encoding="ascii").splitlines():
        words = line.split()
        if words[:2] == wanted:
            return {"bytes": int(words[9]) * 512, "flushes": int(words[18]) if len(words) > 18 else None}
    return {"bytes": None, "flushes": None}


def settle(directory):
    """Nothing of the sample before is written or trimmed during this one, and no file of it is in the cache."""
    os.sync()
    subprocess.run(["fstrim", str(directory)], check=False, capture_output=True, timeout=120)
    Path("/proc/sys/vm/drop_caches").write_text("3\n", encoding="ascii")


def await_quiet(seconds):
    """Waits until the processors were nearly idle for a second, but not longer than so many; returns how long it took."""
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
    """Seconds by field, over all processors."""
    words = text.split("\n", 1)[0].split()
    return {name: int(value) / TICKS for name, value in zip(FIELDS, words[1:])}


def processes(proc=Path("/proc")):
    """(id, the words of its stat after the name) of every process that is there (proc(5))."""
    for entry in proc.iterdir():
        if entry.name.isdigit():
            try:
                yield entry.name, (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue


def kernel_seconds(proc=Path("/proc")):
    """{(id, start): processor time} of all kernel threads."""
    return {(name, words[19]): (int(words[11]) + int(words[12])) / TICKS for name, words in processes(proc)
            if int(words[1]) == KTHREADD}


@dataclass(frozen=True)
class Moment:
    """One look at the clocks. `guest` and `generator`: seconds of their control groups, or of the domain."""

    monotonic: float
    stat: dict
    kernel: dict
    guest: float
    generator: float


def look(guest_seconds, generator_seconds):
    """The arguments are functions."""
    return Moment(time.monotonic(), read_stat(Path("/proc/stat").read_text()), kernel_seconds(), guest_seconds(),
                  generator_seconds())


def parts(before, after, processors):
    """Seconds of processor time between two looks, by part. `other` is what no part accounts for: what else ran here.
    `busy_by_idle` is wall time less idle: it tells how far /proc/stat's own counting is off."""
    wall = after.monotonic - before.monotonic
    stat = {name: after.stat[name] - before.stat[name] for name in FIELDS}
    busy = sum(stat[name] for name in BUSY)
    guest, generator = after.guest - before.guest, after.generator - before.generator
    # By thread: one that ended takes the time of its whole life with it. The kernel ends those that were idle for minutes.
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
    """Fixed before the first block. Canaries against the medians of those taken before it; shares of all processors."""

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

        # A disk's answer varies more than a processor's pace: three times the median.
        return cls(median("loop_ns") * slack, median("walk_ns") * slack, median("sync_us") * 3)


def slow_canaries(thresholds, canaries):
    """Those beyond a threshold, in words."""
    found = []
    for name, what, unit in CANARIES:
        worst, bound = max(each[name] for each in canaries), getattr(thresholds, name)
        if worst > bound:
            found.append(f"{what} took {worst:.1f} {unit}, more than {bound:.1f}")
    return found


def shares_taken(thresholds, used, processors):
    """What others took of the processors beyond a threshold, in words; `used` is of parts()."""
    found = []
    available = used["wall"] * processors
    for name, who in TAKEN.items():
        share, bound = used[name] / available, getattr(thresholds, name)
        if share > bound:
            found.append(f"{who} {share * 100:.1f} % of the processor time, more than {bound * 100:.0f} %")
    return found
