"""The pipeline in guests, under the same loads on every platform: each fixed rate after a warm-up, then a fixed number of
observations at full speed from empty stores."""

import subprocess

import guests
import stack
from platforms.lab import services, verbs

from .. import ROOT, machine, proofs, roles, sample
from . import base
from .base import Measure

READY_SECONDS = 60
DRAIN_SECONDS = 30
SCOUT_OBSERVATIONS = 200000
KEPT = 0.98  # of a rate that was asked for
FLUSHES_APART = 2  # factor; a guest whose flushes do not reach the disk is much farther from the others
MIB = 1 << 20
GENERATOR = ROOT / "out" / "release"  # one for all builds that are compared
SERVICES = 'cd "${RIVER_ROOT-}/run/river/service" && '
STOP = SERVICES + 'for each in "$@"; do sv -w 30 stop "$PWD/$each"; done'
START = SERVICES + 'for each in "$@"; do sv -w 30 start "$PWD/$each"; done'
START_EMPTY = 'rm -rf "${RIVER_ROOT-}/var/lib/river/stores" && ' + START
WORKER = "worker."  # before a setting of ir-worker, in a subject's settings


class BenchStack(guests.GuestStack):
    """The guests of a topology with the same CPUs and the same memory limit on every platform, and the registry of the
    simulated motes."""

    def __init__(self, made_for, registry):
        parameters, subject = made_for.parameters, made_for.subject
        environment = {"PLATFORM": subject["platform"], "PROFILE": subject["profile"],
                       **{key.upper(): parameters[key] for key in ("topology", "documents", "graph", "formats")}}
        super().__init__(guests.Settings(environment), made_for.folder / "guests")
        self.made_for = made_for
        self.registry = registry

    def plan(self, platform, kind):
        super().plan(platform, kind)
        for guest in self.guests:
            guest.tuning = self.made_for.tuning(guest.profile)
            for name, role in guest.services():
                if role == "worker":
                    guest.files[f"services/{name}/registry.ttl"] = self.registry
                    guest.files.update(self.worker_settings(guest, f"services/{name}/river.conf"))

    def worker_settings(self, guest, file):
        """{file: text} when the subject has settings of its own: they follow those of the stack."""
        own = {key.removeprefix(WORKER): value for key, value in self.made_for.parameters.items() if key.startswith(WORKER)}
        return {file: self.services.files(guest)[file] + services.section("ir-worker", own)} if own else {}

    def cpu_seconds(self):
        return sum(verbs.stats(self.lab, guest.name).cpu_seconds for guest in self.guests)

    def peak_mib(self):
        return sum(verbs.stats(self.lab, guest.name).memory_peak_bytes or 0 for guest in self.guests) / MIB

    def batches(self):
        return sum(each.metric("ir_batches_total") for each in self.workers)

    def in_workers(self, script):
        """Runs it in each guest with workers, whose names it gets."""
        for guest in self.guests:
            workers = [name for name, role in guest.services() if role == "worker"]
            if workers:
                verbs.execute(self.lab, guest.name, ["/bin/sh", "-c", script, "sh", *workers], seconds=120)

    def stop_workers(self):
        """Embedded stores are then as small as they get: nothing waits in a write-ahead log."""
        self.in_workers(STOP)

    def empty_stores(self):
        """Embedded stores begin again with nothing in them, as when the guest was booted."""
        self.stop_workers()
        self.in_workers(START_EMPTY)
        stack.await_true(lambda: all(each.not_ready() is None for each in self.workers), READY_SECONDS, lambda: None,
                         "the workers are not ready again")
        stack.await_membership(self.workers, READY_SECONDS, self.check)


class Sample(sample.Sample):
    stack = None
    load = None

    def measure(self):
        registry = self.registry()
        self.stack = BenchStack(self, registry)
        with self.stack:
            self.measures["guests.boot_seconds"] = sum(guest.boot_seconds for guest in self.booted())
            self.describe(self.stack.lab, self.stack.guests)
            self.load = self.stack.load(self.folder / "load", self.parameters["via"])
            self.load.drain_seconds = DRAIN_SECONDS
            self.load.programs = GENERATOR
            self.fixed()
            self.full()
            self.stores()
            self.quota()
            self.measures["guests.memory_mib"] = self.stack.peak_mib()
            self.figures.update(self.stack.figures())
        for each in self.folder.glob("*/mote-tokens"):
            each.unlink()

    def booted(self):
        return [self.stack.lab.load(guest.name) for guest in self.stack.guests]

    def registry(self):
        """Of the simulated motes, as text."""
        path = self.folder / "registry.ttl"
        subprocess.run([GENERATOR / "ir-loadgen", *self.source(0), f"--write-registry={path}"], check=True)
        return path.read_text(encoding="utf-8")

    def source(self, seed):
        words = (f"--simulate={self.parameters['motes']}", f"--records={self.parameters['records']}")
        return [*words, f"--seed={self.request['seed'] + seed}"] if seed else list(words)

    # ---- loads ----

    def fixed(self):
        """The warm-up, then each fixed rate."""
        for number, step in enumerate(self.scouted["fixed"], 1):
            name, rate = step["name"], f"--rate={step['rate']}"
            self.send("warm-up", number * 10, rate, f"--duration={self.parameters['warm_up_seconds']}s")
            summary = self.measured(name, number * 10 + 1, rate, f"--duration={step['seconds']}s")
            if summary["observations_per_second"] < KEPT * step["rate"]:
                self.notes[name] = "not kept"
                continue
            latency = summary["latency_ms"]
            self.measures.update({f"{name}.p50_ms": latency["p50"], f"{name}.p99_ms": latency["p99"]})

    def full(self):
        """A fixed number of observations, from empty stores until the last is acknowledged."""
        self.stack.empty_stores()
        summary = self.measured("full", 99, "--rate=0", f"--messages={self.messages()}")
        self.measures["full.rate"] = summary["observations_sent"] / summary["seconds_end_to_end"]

    def stores(self):
        """Bytes per observation of what the fixed amount left in embedded stores, which began with nothing."""
        self.stack.stop_workers()
        kinds = self.parameters["documents"], self.parameters["graph"]
        for store, size in roles.store_bytes(self.stack.lab, self.stack.guests, kinds).items():
            self.measures[f"full.{store}_bytes"] = size / (self.messages() * self.parameters["records"])

    def messages(self):
        return self.scouted["full_observations"] // self.parameters["records"]

    def quota(self):
        """The proof that the run finds a difference of known size: the twin of the reference, with half of the guest's
        processors' time. What is to be expected follows from the processor time that the guest took without it."""
        if not self.again or self.block < 0:
            return
        used = self.parts["full"]
        for guest in self.stack.guests:
            verbs.set_limits(self.stack.lab, guest.name, {"cpu.quota": guest.cpus * 50})
        half = sum(guest.cpus for guest in self.stack.guests) / 2
        self.stack.empty_stores()
        summary = self.measured("quota", 98, "--rate=0", f"--messages={self.messages() // 2}")
        self.measures["quota.rate"] = summary["observations_sent"] / summary["seconds_end_to_end"]
        self.measures["quota.expected"] = min(1.0, half * used["wall"] / used["guest"])

    def send(self, name, seed, *words):
        """Runs the generator; its results stay below the sample's folder."""
        self.load.directory = self.folder / name
        source = self.load.prepare(*self.source(seed))
        return self.load.send(*source, "--no-ledger", *words)

    def measured(self, name, seed, *words):
        disk, batches = machine.disk_counters(self.folder), self.stack.batches()
        by_role = roles.cpu_seconds(self.stack.lab, self.stack.guests)
        with self.stretch(name, self.stack):
            summary = self.send(name, seed, *words)
        used = self.parts[name]
        done = summary["observations_republished"]
        if not done:
            raise stack.StackError(f"{name}: nothing of what was sent came out again")
        if not summary["valid"] or not summary["complete"]:
            self.invalid.append(f"{name}: " + (summary.get("invalid_reason") or "not complete"))
        written = machine.disk_counters(self.folder)
        self.measures.update({
            f"{name}.cpu_us": (used["guest"] + used["kernel"]) / done * 1e6,
            f"{name}.guest_cpu_us": used["guest"] / done * 1e6,
            f"{name}.busy_cores": used["busy"] / used["wall"],
            f"{name}.batch": done / max(self.stack.batches() - batches, 1),
            f"{name}.disk_bytes": per(written["bytes"], disk["bytes"], done),
            f"{name}.flushes_per_1000": per(written["flushes"], disk["flushes"], done / 1000),
            **{f"{name}.{role}_cpu_us": (seconds - by_role[role]) / done * 1e6
               for role, seconds in roles.cpu_seconds(self.stack.lab, self.stack.guests).items()},
        })
        return summary


def per(after, before, count):
    return (after - before) / count if after is not None else None


class Kind(base.Kind):
    Sample = Sample
    parameters = {
        "topology": str, "documents": str, "graph": str, "formats": str, "via": str, "motes": int, "records": int,
        "warm_up_seconds": base.NUMBER,
        "full_seconds": base.NUMBER,  # how long the fixed amount takes the reference
        "fixed": [{"name": str, "share": base.NUMBER, "seconds": base.NUMBER}],  # share of the reference's full speed
    }
    measures = {
        "p50_ms": Measure("p50", "ms", better="lower"),
        "p99_ms": Measure("p99", "ms", better="lower"),
        "cpu_us": Measure("CPU per observation", "µs", better="lower"),
        "guest_cpu_us": Measure("CPU of the guest per observation", "µs", better="lower"),
        **{f"{role}_cpu_us": Measure(f"CPU of the {role} per observation", "µs", better="lower") for role in guests.ORDER},
        "documents_bytes": Measure("bytes of documents per observation", "B", 0, "lower"),
        "graph_bytes": Measure("bytes of the graph per observation", "B", 0, "lower"),
        "busy_cores": Measure("busy processors", digits=2),
        "batch": Measure("observations in a batch", digits=0),
        "disk_bytes": Measure("bytes to the disk per observation", "B", 0, "lower"),
        "flushes_per_1000": Measure("disk flushes per 1,000 observations", better="lower"),
        "rate": Measure("observations/s", "/s", 0, "higher"),
        "boot_seconds": Measure("boot", "s", better="lower"),
        "memory_mib": Measure("memory at its highest", "MiB", 0, "lower"),
    }
    proofs = ("loop", "quota", "null")
    processor_time = ("cpu_us", "guest_cpu_us")
    full_speed = "full.rate"
    beside = {"cpu_us": ("batch", "batches were {:.2f} times as large")}

    def check(self, parameters):
        if any(not 0 < each["share"] < 1 for each in parameters["fixed"]):
            raise ValueError("the share of a fixed rate lies between 0 and 1")

    def scout(self, parameters, once):
        """The reference's full speed, from which the rates and the fixed amount follow."""
        ceiling = proofs.generator_ceiling(parameters["motes"], parameters["records"])
        full = once({"fixed": [], "full_observations": SCOUT_OBSERVATIONS})["full.rate"]
        return {
            "generator_ceiling": ceiling,
            "full_rate": full,
            "fixed": [{"name": each["name"], "rate": rounded(full * each["share"]), "seconds": each["seconds"]}
                      for each in parameters["fixed"]],
            "full_observations": rounded(full * parameters["full_seconds"]),
        }

    def alike(self, scouted):
        return {f"{each['name']}.flushes_per_1000": FLUSHES_APART for each in scouted["fixed"]}

    def stretches(self, scouted):
        rates = {each["name"]: f"at {each['rate']:,} observations/s" for each in scouted["fixed"]}
        return {**rates, "full": "at full speed", "guests": ""}


def rounded(value):
    """To two figures, so that a rate can be spoken."""
    size = 10 ** max(len(str(int(value))) - 2, 0)
    return int(round(value / size) * size)
