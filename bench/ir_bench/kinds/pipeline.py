"""The pipeline in guests, under the same loads on every platform: a warm-up, each fixed rate, then a fixed number of
observations at full speed into empty stores."""

import contextlib
import subprocess

import guests
import stack
from platforms.lab import verbs

from .. import ROOT, machine, proofs, roles, sample
from ..bench_stack import BenchStack
from . import base
from .base import Measure

DRAIN_SECONDS = 30
# Number of observations that the first scouting sends at full speed, by document store; they take some seconds.
SCOUT_OBSERVATIONS = {"sqlite": 200000, "mongodb": 40000}
KEPT = "kept"  # the generator's verdict on a rate (loadgen/README.md)
FLUSHES_APART = 2  # largest allowed ratio of flushes; if a guest's flushes do not reach the disk, it is far exceeded
CROWDED = 0.75  # share of the processors; where more of them are busy, latency is mostly waiting (bench/README.md)
GENERATOR = ROOT / "out" / "release"  # the same for all compared builds


class Sample(sample.Sample):
    Stack = BenchStack
    stack = None
    load = None

    def measure(self):
        with self.started():
            self.fixed()
            self.full()
            self.stores()
            self.quota()

    @contextlib.contextmanager
    def started(self, **how):
        """Starts the stack of this sample. `how`: arguments of BenchStack."""
        self.stack = self.Stack(self, self.registry(), **how)
        with self.stack:
            self.measures["guests.boot_seconds"] = sum(guest.boot_seconds for guest in self.booted())
            self.describe(self.stack.lab, self.stack.guests)
            self.load = self.stack.load(self.folder / "load", self.parameters["via"])
            self.load.drain_seconds = DRAIN_SECONDS
            self.load.programs = GENERATOR
            yield
            self.measures.update({f"{name}.memory_mib": mib for name, mib in self.stack.peaks_mib().items()})
            self.figures.update(self.stack.figures())
        for each in self.folder.glob("guests/*/mote-tokens"):
            each.unlink()

    def booted(self):
        return [self.stack.lab.load(guest.name) for guest in self.stack.guests]

    def registry(self):
        """The registry of the simulated motes, as text."""
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
            name, rate = step["name"], f"--rate={step['rate'] // self.slower}"
            self.send("warm-up", number * 10, rate, f"--duration={self.parameters['warm_up_seconds']}s")
            summary = self.measured(name, number * 10 + 1, rate, f"--duration={step['seconds']}s")
            if kept(summary):
                latency = summary["latency_ms"]
                self.measures.update({f"{name}.p50_ms": latency["p50"], f"{name}.p99_ms": latency["p99"]})
            else:
                self.notes[name] = f"not kept: {verdict(summary)}"

    def full(self):
        """Sends a fixed number of observations into empty stores; measures until the last is acknowledged."""
        self.stack.empty_stores()
        self.burst("full", 99, self.scouted["full_observations"])

    def burst(self, name, seed, observations):
        """Sends a fixed number of observations as fast as they are accepted. The measure NAME.rate is their number
        divided by the time until the last one is acknowledged."""
        messages = observations // self.slower // self.parameters["records"]
        summary = self.measured(name, seed, "--rate=0", f"--messages={messages}")
        if not summary["complete"]:
            raise stack.StackError(f"{name}: " + "; ".join(summary["incomplete_reasons"]))
        self.measures[f"{name}.rate"] = summary["observations_per_second_end_to_end"]

    def stores(self):
        """Bytes per observation after the fixed amount was written to initially empty stores."""
        self.stack.stop_stores()
        kinds = self.parameters["documents"], self.parameters["graph"]
        for store, size in roles.store_bytes(self.stack.lab, self.stack.guests, kinds).items():
            self.measures[f"full.{store}_bytes"] = size / (self.scouted["full_observations"] // self.slower)

    def quota(self):
        """The proof that the run finds a difference of known size: the reference's twin with half of the guest's
        processor time. The expected result follows from the processor time that the guest took without the limit."""
        if not self.again or self.block < 0:
            return
        used = self.parts["full"]
        for guest in self.stack.guests:
            verbs.set_limits(self.stack.lab, guest.name, {"cpu.quota": guest.cpus * 50})
        half = sum(guest.cpus for guest in self.stack.guests) / 2
        self.stack.empty_stores()
        self.burst("quota", 98, self.scouted["full_observations"] // 2)
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
            raise stack.StackError(f"{name}: none of the sent messages was republished")
        if not summary["valid"]:
            self.invalid.append(f"{name}: {summary['invalid_reason']}")
        written = machine.disk_counters(self.folder)
        self.measures.update({
            f"{name}.cpu_us": (used["guest"] + used["kernel"]) / done * 1e6,
            **{f"{name}.{part}_cpu_us": used[part] / done * 1e6 for part in ("guest", "kernel", "generator", "other")},
            f"{name}.busy_cores": used["busy"] / used["wall"],
            f"{name}.batch": done / max(self.stack.batches() - batches, 1),
            f"{name}.disk_bytes": per(written["bytes"], disk["bytes"], done),
            f"{name}.flushes_per_1000": per(written["flushes"], disk["flushes"], done / 1000),
            **{f"{name}.{role}_cpu_us": (seconds - by_role[role]) / done * 1e6
               for role, seconds in roles.cpu_seconds(self.stack.lab, self.stack.guests).items()},
        })
        return summary


def verdict(summary):
    """The generator's verdict on the only measurement of its run."""
    return summary["steps"][0]["verdict"]


def kept(summary):
    return verdict(summary) == KEPT


def per(after, before, count):
    return (after - before) / count if after is not None else None


class Kind(base.Kind):
    Sample = Sample
    parameters = {
        "topology": str, "documents": str, "graph": str, "formats": str, "via": str, "motes": int, "records": int,
        "warm_up_seconds": base.NUMBER,
        "full_seconds": base.NUMBER,  # seconds that the reference needs for the fixed amount
        "fixed": [{"name": str, "share": base.NUMBER, "seconds": base.NUMBER}],  # share of the reference's full speed
    }
    measures = {
        "p50_ms": Measure("p50", "ms", better="lower"),
        "p99_ms": Measure("p99", "ms", better="lower"),
        "cpu_us": Measure("CPU per observation", "µs", better="lower"),
        "guest_cpu_us": Measure("CPU of the guests per observation", "µs", better="lower"),
        "kernel_cpu_us": Measure("CPU of kernel threads per observation", "µs"),
        "generator_cpu_us": Measure("CPU of the generator per observation", "µs"),
        "other_cpu_us": Measure("CPU of everything else per observation", "µs"),
        **{f"{role}_cpu_us": Measure(f"CPU of the {role} per observation", "µs", better="lower") for role in guests.ORDER},
        "documents_bytes": Measure("bytes of documents per observation", "B", 0, "lower"),
        "graph_bytes": Measure("bytes of the graph per observation", "B", 0, "lower"),
        "busy_cores": Measure("busy processors", digits=2),
        "batch": Measure("observations in a batch", digits=0),
        "disk_bytes": Measure("bytes written to the disk per observation", "B", 0, "lower"),
        "flushes_per_1000": Measure("disk flushes per 1,000 observations", better="lower"),
        "rate": Measure("rate", "observations/s", 0, "higher"),
        "boot_seconds": Measure("boot", "s", better="lower"),
        "memory_mib": Measure("peak memory", "MiB", 0, "lower"),
    }
    proofs = ("loop", "quota", "null")
    processor_time = ("cpu_us", "guest_cpu_us")
    full_speed = "full.rate"
    glance = ("fixed.p99_ms", "all.memory_mib", "guests.boot_seconds")
    beside = {"cpu_us": ("batch", "the workers' batches held {:.2f} times as many observations")}

    def check(self, parameters):
        if any(not 0 < each["share"] < 1 for each in parameters["fixed"]):
            raise ValueError("the share of a fixed rate lies between 0 and 1")

    def scout(self, parameters, once):
        """Measures the reference's full speed, which determines the rates and the fixed amount."""
        found = self.full_rate(parameters, once, {"fixed": []})
        return {**found, "fixed": [{"name": each["name"], "rate": rounded(found["full_rate"] * each["share"]),
                                    "seconds": each["seconds"]} for each in parameters["fixed"]]}

    def full_rate(self, parameters, once, scouted, measure="full.rate"):
        """The reference's full speed, from one sample; also the amount that takes it full_seconds, and the generator's
        ceiling."""
        ceiling = proofs.generator_ceiling(parameters["motes"], parameters["records"])
        full = once({"full_observations": SCOUT_OBSERVATIONS[parameters["documents"]], **scouted})[measure]
        return {"generator_ceiling": ceiling, "full_rate": full,
                "full_observations": rounded(full * parameters.get("full_seconds", 0))}

    def alike(self, scouted):
        return {f"{each['name']}.flushes_per_1000": FLUSHES_APART for each in scouted["fixed"]}

    def remarks(self, found):
        """The fixed rates at which even slight changes of the machine's speed affect p50."""
        told = []
        for each in found.plan["scouted"].get("fixed", []):
            busy = (found.median(found.twins[0], f"{each['name']}.busy_cores") or 0) / found.facts["cores"]
            if busy > CROWDED:
                told.append(f"at {each['rate']:,} observations/s {busy:.0%} of the processors were busy with {found.twins[0]}: "
                            "p50 there is mostly waiting for a batch, and varies several times as much as the machine's speed")
        return told

    def stretches(self, scouted):
        rates = {each["name"]: f"at {each['rate']:,} observations/s" for each in scouted["fixed"]}
        return {**rates, "full": "at full speed", "guests": "", "all": ""}


def rounded(value):
    """Rounds to two significant digits, so that a rate is easy to name."""
    size = 10 ** max(len(str(int(value))) - 2, 0)
    return int(round(value / size) * size)
