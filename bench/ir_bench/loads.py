"""Named loads for one guest, each measured for a few seconds: the pipeline at a fixed rate and at full speed, and one
tool each for processors, memory, disk and network. A guest may have a twin: a second guest of equal size that does
something else.

Kinds that use them include PARAMETERS in their parameters, and use scout() for scouting.
"""

import contextlib

from platforms.lab import Guest, verbs

from . import sample
from .bench_stack import BenchStack
from .kinds import base, pipeline
from .tools import peer
from .tools.base import MEASURES as OF_TOOLS
from .tools.toolbox import Toolbox

APPLIANCE = "tools"
TWIN = "twin"
SCOUTED = "full-scouted"

# {load: (description, last part of its measure's name, whether higher is better)}
LOADS = {
    "fixed": ("the pipeline at a fixed rate", "p50_ms", False),
    "full": ("the pipeline at full speed", "rate", True),
    "cpu": ("sysbench cpu", "events", True),
    "memory": ("sysbench memory", "mib", True),
    "disk": ("fio, random writes", "iops", True),
    "network": ("iperf3", "mbit", True),
}
PIPELINE = ("fixed", "full")
PARAMETERS = {
    **{key: pipeline.Kind.parameters[key] for key in ("topology", "documents", "graph", "formats", "via", "motes", "records",
                                                      "warm_up_seconds")},
    "fixed_share": base.NUMBER,  # the fixed rate as a share of the reference's full speed
    "fixed_seconds": base.NUMBER, "full_seconds": base.NUMBER, "tool_seconds": int,  # seconds of one measurement
    "settle_seconds": base.NUMBER,  # seconds between the start of a stressor and the measurement
}
MEASURES = {
    **{what: pipeline.Kind.measures[what] for what in ("p50_ms", "rate", "boot_seconds", "memory_mib")},
    **{what: OF_TOOLS[what] for what in ("events", "mib", "iops", "mbit", "latency_us")},
}


def check(parameters):
    if not 0 < parameters["fixed_share"] < 1:
        raise ValueError("'fixed_share' lies between 0 and 1")


def scout(parameters, once):
    """Measures the reference's full speed, which determines the fixed rate and the amount for full speed."""
    full = once({})[f"{SCOUTED}.rate"]
    return {"full_rate": full, "fixed_rate": pipeline.rounded(full * parameters["fixed_share"]),
            "full_observations": pipeline.rounded(full * parameters["full_seconds"])}


class LoadStack(BenchStack):
    """The guest with the pipeline, plus measuring tools."""

    def plan(self, platform, kind):
        super().plan(platform, kind)
        for guest in self.guests:
            guest.appliance = APPLIANCE

    def add_twin(self, profile):
        first = self.guests[0]
        verbs.provision(self.lab, Guest(name=TWIN, platform=first.platform, kind=first.kind, size=first.size, profile=profile,
                                        tuning=self.made_for.tuning(profile), appliance=APPLIANCE))
        verbs.boot(self.lab, TWIN)


class Sample(pipeline.Sample):
    Stack = LoadStack
    bench = None  # the guest under load
    twin = None
    box = None  # its tools (toolbox.Toolbox)
    box_of_twin = None
    sent = 0

    @contextlib.contextmanager
    def guests_running(self, twin_profile=None):
        """Starts the guest under load, its tools and their peers; with a profile also its twin."""
        with self.started():
            lab, name = self.stack.lab, self.stack.guests[0].name
            with peer.running(lab, name, self.folder / "guests") as peers:
                self.bench = sample.BenchGuest(self, lab, name)
                self.box = Toolbox(self, self.bench, peers)
                if twin_profile is not None:
                    self.stack.add_twin(twin_profile)
                    self.twin = sample.BenchGuest(self, lab, TWIN)
                    self.box_of_twin = Toolbox(self, self.twin, peers)
                yield

    def first_look(self):
        """Measures everything that scout() needs."""
        self.pipeline(SCOUTED, "full", {"full_observations": pipeline.SCOUT_OBSERVATIONS[self.parameters["documents"]]})

    def warm_up(self):
        self.send("warm-up", 0, self.rate(), f"--duration={self.parameters['warm_up_seconds']}s")

    def rate(self):
        return f"--rate={self.scouted['fixed_rate'] // self.slower}"

    def take(self, stretch, load):
        """Measures a load once. Its value becomes a measure of the stretch (a named interval of the sample), or a note
        says why there is none."""
        if load in PIPELINE:
            self.pipeline(stretch, load, self.scouted)
        else:
            self.box.take(stretch, *self.tool(load))

    def note(self, stretch, text):
        """Adds a text to the notes of the stretch."""
        self.notes[stretch] = "; ".join(filter(None, (self.notes.get(stretch), text)))

    def tool(self, load):
        seconds = self.parameters["tool_seconds"]
        return {
            "cpu": ("sysbench-cpu", {"threads": self.box.place.cpus, "seconds": seconds}),
            "memory": ("sysbench-memory", {"threads": 1, "seconds": seconds}),
            "disk": ("fio", {"rw": "randwrite", "kib": 4, "depth": 8, "seconds": seconds}),
            "network": ("iperf3", {"way": "bridge", "seconds": seconds}),
        }[load]

    def pipeline(self, stretch, load, scouted):
        self.sent += 1
        if load == "fixed":
            words = (self.rate(), f"--duration={self.parameters['fixed_seconds']}s")
        else:
            words = ("--rate=0", f"--messages={scouted['full_observations'] // self.slower // self.parameters['records']}")
        with self.stretch(stretch, self.stack):
            summary = self.send(stretch, self.sent, *words)
        if not summary["valid"]:
            self.note(stretch, f"no value: {summary['invalid_reason']}")
        elif load == "fixed" and not pipeline.kept(summary):
            self.note(stretch, f"not kept: {pipeline.verdict(summary)}")
        elif not summary["complete"]:
            self.note(stretch, "no value: " + "; ".join(summary["incomplete_reasons"]))
        elif load == "fixed":
            self.measures[f"{stretch}.p50_ms"] = summary["latency_ms"]["p50"]
        else:
            self.measures[f"{stretch}.rate"] = summary["observations_per_second_end_to_end"]

    @contextlib.contextmanager
    def stretch(self, name, *guests):
        """The twin's processor time is not a disturbance; it is counted separately."""
        if self.twin is None:
            with super().stretch(name, *guests):
                yield
            return
        before = self.twin.cpu_seconds()
        with super().stretch(name, *guests, self.twin):
            yield
        self.parts[name]["twin"] = self.twin.cpu_seconds() - before
