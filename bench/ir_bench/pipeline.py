"""One sample of the pipeline: a guest provisioned and booted for it alone, with empty stores, under the same loads as all
others of its experiment, and taken away at the end.

    python3 -m ir_bench.pipeline REQUEST.json FOLDER

A process of its own, so that what goes wrong in it (a boot that hangs, a lost network) ends with it. It writes
FOLDER/result.json; without that file the sample failed, and its log says why.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import guests
import servers
import stack
from platforms.lab import verbs
from platforms.lab.cgroup import Group
from platforms.lab.host import device_of

from . import likeness, machine

READY_SECONDS = 60
DRAIN_SECONDS = 30
MIB = 1 << 20
RESTART = (
    'cd "${RIVER_ROOT-}/run/river/service" && for each in "$@"; do sv -w 30 stop "$PWD/$each"; done && '
    'rm -rf "${RIVER_ROOT-}/var/lib/river/stores" && for each in "$@"; do sv -w 30 start "$PWD/$each"; done'
)


class BenchStack(guests.GuestStack):
    """The guests of a topology with the same CPUs and the same memory limit on every platform, and the registry of the
    simulated motes."""

    def __init__(self, request, out, registry):
        environment = {key: request[key] for key in ("PLATFORM", "TOPOLOGY", "PROFILE", "DOCUMENTS", "GRAPH", "FORMATS")}
        super().__init__(guests.Settings(environment), out)
        self.request = request
        self.registry = registry

    def plan(self, platform, kind):
        super().plan(platform, kind)
        for guest in self.guests:
            profile = verbs.tuning.read_profile(verbs.PLATFORMS / "profiles", guest.profile)
            guest.tuning = {**self.request["tuning"], **profile}
            for name, role in guest.services():
                if role == "worker":
                    guest.files[f"services/{name}/registry.ttl"] = self.registry

    def cpu_seconds(self):
        return sum(verbs.stats(self.lab, guest.name).cpu_seconds for guest in self.guests)

    def peak_mib(self):
        return sum(verbs.stats(self.lab, guest.name).memory_peak_bytes or 0 for guest in self.guests) / MIB

    def batches(self):
        return sum(each.metric("ir_batches_total") for each in self.workers)

    def empty_stores(self):
        """Embedded stores begin again with nothing in them, as when the guest was booted."""
        for guest in self.guests:
            workers = [name for name, role in guest.services() if role == "worker"]
            if workers:
                verbs.execute(self.lab, guest.name, ["/bin/sh", "-c", RESTART, "sh", *workers], seconds=120)
        stack.await_true(lambda: all(each.not_ready() is None for each in self.workers), READY_SECONDS, lambda: None,
                         "the workers are not ready again")
        stack.await_membership(self.workers, READY_SECONDS, self.check)


# ---- the host's disk ----


def disk_counters(directory):
    """{"bytes", "flushes"} written by the disk under a directory (/proc/diskstats, fields 7 and 19 of a row's counters)."""
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


# ---- one sample ----


class Sample:
    def __init__(self, request, folder):
        self.request = request
        self.folder = folder
        self.generator = Group("ir-bench")
        self.thresholds = machine.Thresholds(**request["thresholds"]) if request.get("thresholds") else None
        self.stack = None
        self.load = None
        self.canaries = []
        self.measures = {}
        self.parts = {}
        self.invalid = []

    def run(self):
        self.generator.make()
        for folder in self.generator.folders():
            (folder / "cgroup.procs").write_text(f"{os.getpid()}\n", encoding="ascii")
        registry = self.registry()
        settle(self.folder)
        self.canary()
        self.stack = BenchStack(self.request, self.folder / "guests", registry)
        begun = time.monotonic()
        with self.stack:
            self.measures["boot_seconds"] = time.monotonic() - begun
            self.load = self.stack.load(self.folder / "load", self.request["via"])
            self.load.drain_seconds = DRAIN_SECONDS
            sheet = likeness.read(self.stack)
            self.fixed()
            self.full()
            self.quota()
            self.measures["memory_peak_mib"] = self.stack.peak_mib()
            figures = self.stack.figures()
        self.canary()
        return self.result(sheet, figures)

    def registry(self):
        """Of the simulated motes, as text."""
        path = self.folder / "registry.ttl"
        subprocess.run([stack.PROGRAMS / "ir-loadgen", *self.source(0), f"--write-registry={path}"], check=True)
        return path.read_text(encoding="utf-8")

    def source(self, seed):
        words = (f"--simulate={self.request['motes']}", f"--records={self.request['records']}")
        return [*words, f"--seed={self.request['seed'] + seed}"] if seed else list(words)

    def canary(self):
        self.canaries.append(machine.canary(self.request["canary"], self.folder))

    # ---- loads ----

    def fixed(self):
        """The warm-up, then each fixed rate."""
        for number, step in enumerate(self.request["fixed"], 1):
            self.send("warm-up", number * 10, f"--rate={step['rate']}", f"--duration={self.request['warm_up_seconds']}s")
            summary = self.measured(step["name"], number * 10 + 1, f"--rate={step['rate']}",
                                    f"--duration={step['seconds']}s")
            kept = summary["observations_per_second"] >= 0.98 * step["rate"]
            self.measures[f"{step['name']}.kept"] = kept
            if kept:
                latency = summary["latency_ms"]
                self.measures.update({f"{step['name']}.p50_ms": latency["p50"], f"{step['name']}.p99_ms": latency["p99"]})

    def full(self):
        """A fixed number of observations, from empty stores until the last is acknowledged."""
        if self.request["full_observations"]:
            self.stack.empty_stores()
            messages = self.request["full_observations"] // self.request["records"]
            summary = self.measured("full", 99, "--rate=0", f"--messages={messages}")
            seconds = summary["seconds_end_to_end"]
            self.measures["full.rate"] = summary["observations_sent"] / seconds
            self.measures["full.seconds"] = seconds

    def quota(self):
        """The proof that the run finds a difference of known size: the same with half of the guest's processors' time.
        What is to be expected follows from the processor time that the guest took without it."""
        if not self.request.get("quota"):
            return
        used = self.parts["full"]
        for guest in self.stack.guests:
            verbs.set_limits(self.stack.lab, guest.name, {"cpu.quota": guest.cpus * 50})
        half = sum(guest.cpus for guest in self.stack.guests) / 2
        self.stack.empty_stores()
        messages = self.request["full_observations"] // self.request["records"] // 2
        summary = self.measured("quota", 98, "--rate=0", f"--messages={messages}")
        self.measures["quota.rate"] = summary["observations_sent"] / summary["seconds_end_to_end"]
        self.measures["quota.expected"] = min(1.0, half * used["wall"] / used["guest"])

    def send(self, name, seed, *words):
        """Runs the generator; its results stay below the sample's folder."""
        self.load.directory = self.folder / name
        source = self.load.prepare(*self.source(seed))
        return self.load.send(*source, "--no-ledger", *words)

    def measured(self, name, seed, *words):
        directory = self.folder / "guests"
        disk, batches = disk_counters(directory), self.stack.batches()
        before = self.look()
        summary = self.send(name, seed, *words)
        after = self.look()
        used = machine.parts(before, after, os.cpu_count())
        self.parts[name] = used
        done = summary["observations_republished"]
        if not done:
            raise stack.StackError(f"{name}: nothing of what was sent came out again")
        if not summary["valid"] or not summary["complete"]:
            self.invalid.append(f"{name}: " + (summary.get("invalid_reason") or "not complete"))
        written = disk_counters(directory)
        self.measures.update({
            f"{name}.cpu_us": (used["guest"] + used["kernel"]) / done * 1e6,
            f"{name}.guest_cpu_us": used["guest"] / done * 1e6,
            f"{name}.busy_cores": used["busy"] / used["wall"],
            f"{name}.batch": done / max(self.stack.batches() - batches, 1),
            f"{name}.disk_bytes": (written["bytes"] - disk["bytes"]) / done if disk["bytes"] is not None else None,
            f"{name}.flushes_per_1000":
                (written["flushes"] - disk["flushes"]) / done * 1000 if disk["flushes"] is not None else None,
        })
        return summary

    def look(self):
        return machine.look(self.stack.cpu_seconds, self.generator.cpu_seconds)

    # ---- the result ----

    def result(self, sheet, figures):
        reasons = []
        if self.thresholds:
            for name, used in self.parts.items():
                reasons += [f"{name}: {each}" for each in
                            machine.disturbances(self.thresholds, self.canaries, used, os.cpu_count())]
        return {
            "status": "invalid" if self.invalid else "ok",
            "why": "; ".join(self.invalid),
            "measures": self.measures,
            "parts": self.parts,
            "canaries": self.canaries,
            "disturbed": sorted(set(reasons)),
            "likeness": sheet,
            "figures": figures,
        }


def main():
    servers.stop_on_signals()
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder = Path(sys.argv[2]).resolve()
    result = Sample(request, folder).run()
    for each in folder.glob("*/mote-tokens"):
        each.unlink()
    shutil.rmtree(folder / "guests", ignore_errors=True)
    part = folder / "result.json.part"
    part.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    part.replace(folder / "result.json")


if __name__ == "__main__":
    main()
