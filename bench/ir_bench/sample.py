"""One sample, in a separate process, so that a failure (a hanging boot, a lost network) ends with it. This module has
the parts that all kinds share: the generator's control group, waiting for a quiet disk, canaries before and after, the
size of the guests, the sheet of likeness, the result.

A kind's class of samples has measure(), which fills `measures`. The result is written to result.json:

    status   ok; invalid: measured, but counts nowhere; skipped: not possible here; failed
    why      in words, unless it is ok
    measures, parts, canaries, disturbed, likeness, figures, no_ratio, notes

The program that started this process removes any remains of the guests.
"""

import contextlib
import json
import os
import re
import time
import traceback
from pathlib import Path

from platforms.lab import Guest, Lab, netns, verbs
from platforms.lab.errors import Unsupported

from . import leftovers, likeness, machine

CLOCK_TOLERANCE = 0.01
QUIET_SECONDS = 20
EMULATED_SLOWER = 40


class Skipped(Exception):
    """This platform does not support what the sample measures; the text says why."""


class BenchGuest:
    """A running guest, made for one sample."""

    def __init__(self, sample, lab, name):
        self.sample = sample
        self.lab = lab
        self.name = name

    @property
    def record(self):
        return self.lab.load(self.name)

    def run(self, argv, seconds=60, text=None):
        """The standard output of a program in the guest; it is also kept in the sample's folder."""
        done = verbs.execute(self.lab, self.name, argv, seconds=seconds, text=text)
        self.sample.keep(f"{self.name}-{Path(str(argv[0])).name}", done.out)
        return done.out

    def timed(self, argv, seconds=60):
        """Returns (standard output, seconds by the host's clock)."""
        begun = time.monotonic()
        out = self.run(argv, seconds)
        return out, time.monotonic() - begun

    def cpu_seconds(self):
        return verbs.stats(self.lab, self.name).cpu_seconds

    def stats(self):
        return verbs.stats(self.lab, self.name)


class Sample:
    confined = True  # False: the measured processes run in the control group of this process, on all processors

    def __init__(self, request, folder):
        self.request = request
        self.folder = folder
        self.subject = request["subject"]
        self.parameters = {**request["parameters"], **self.subject["settings"]}
        self.scouted = request["scouted"]
        self.block = request["block"]
        self.again = request["again"]
        self.processors = os.cpu_count()
        self.generator = leftovers.generator_of(folder)
        self.measures = {}
        self.parts = {}
        self.canaries = []
        self.sheet = {}
        self.figures = {}
        self.invalid = []
        self.no_ratio = {}
        self.notes = {}
        self.versions = {}

    def measure(self):
        """Implemented by the kind: everything from provisioning to clean-up."""
        raise NotImplementedError

    # ---- the whole ----

    def make(self):
        """Writes result.json, whatever happens."""
        try:
            self.enter_generator()
            machine.settle(self.folder)
            self.figures["waited_seconds"] = machine.await_quiet(QUIET_SECONDS)
            self.canary()
            self.measure()
            self.canary()
            status, why = ("invalid", "; ".join(self.invalid)) if self.invalid else ("ok", "")
        except (Skipped, Unsupported) as error:
            status, why = "skipped", str(error)
        except Exception as error:  # noqa: BLE001 - any error fails this sample only; the run continues
            traceback.print_exc()
            status, why = "failed", str(error) or type(error).__name__
        part = self.folder / "result.json.part"
        part.write_text(json.dumps({"status": status, "why": why, **self.result()}, indent=2) + "\n", encoding="utf-8")
        part.replace(self.folder / "result.json")

    def enter_generator(self):
        """Enters the control group for this process and all programs that it starts outside the guests; it is the same
        on every platform."""
        self.generator.make()
        for knob, value in self.request["generator"].items():
            if self.confined or knob != "cpu.pin":
                self.generator.set(knob, value)
            self.sheet[f"generator: {knob}"] = str(self.generator.get(knob, value))
        for folder in self.generator.folders():
            (folder / "cgroup.procs").write_text(f"{os.getpid()}\n", encoding="ascii")

    def canary(self):
        self.canaries.append(machine.canary(self.request["canary"], self.folder))

    def result(self):
        return {
            "measures": {name: value for name, value in self.measures.items() if value is not None},
            "parts": self.parts,
            "canaries": self.canaries,
            "disturbed": self.disturbances(),
            "likeness": {**self.sheet, **{f"version of {name}": text for name, text in self.versions.items()}},
            "figures": self.figures,
            "no_ratio": self.no_ratio,
            "notes": self.notes,
        }

    def disturbances(self):
        """Returns {stretch: reasons}; the key "" means all stretches."""
        thresholds = machine.Thresholds(**self.request["thresholds"])
        found = {name: machine.shares_taken(thresholds, used, self.processors) for name, used in self.parts.items()}
        found[""] = machine.slow_canaries(thresholds, self.canaries) if self.canaries else []
        return {name: reasons for name, reasons in found.items() if reasons}

    # ---- for kinds ----

    @property
    def slower(self):
        """The factor by which loads are reduced: 1, or more for emulated guests, whose figures are not compared. Call
        it after describe()."""
        return EMULATED_SLOWER if self.figures.get("emulated") else 1

    @contextlib.contextmanager
    def guest(self, name="bench", tuning=None, **fields):
        """A BenchGuest of the subject's platform and profile, with the CPUs and memory limit that all guests get,
        unless `tuning` overrides them. `fields` are those of platforms.lab.Guest."""
        lab = self.lab()
        platform, _, kind = self.subject["platform"].partition(":")
        asked = Guest(**{"name": name, "platform": platform, "kind": kind, "profile": self.subject["profile"],
                         "size": self.request["size"], **fields})
        asked.tuning = {**self.tuning(asked.profile), **(tuning or {})}
        try:
            begun = time.monotonic()
            verbs.provision(lab, asked)
            self.measures[f"{name}.provision_seconds"] = time.monotonic() - begun
            self.measures[f"{name}.boot_seconds"] = verbs.boot(lab, name)
            self.describe(lab, [lab.load(name)])
            yield BenchGuest(self, lab, name)
        finally:
            verbs.destroy(lab, name)
            if not lab.guests():
                verbs.destroy_all(lab)

    def lab(self):
        """The sample's lab. From now on this process is in the lab's own network namespace."""
        lab = Lab(self.folder / "guests" / "lab", netns=f"irbench{os.getpid()}")
        if not netns.exists(lab.netns):
            netns.enter(lab, create=True)
        return lab

    def tuning(self, profile):
        """Returns the CPUs and memory that all guests get, unless the profile overrides them."""
        return {**self.request["tuning"], **verbs.tuning.read_profile(verbs.PLATFORMS / "profiles", profile)}

    def describe(self, lab, guests):
        """Describes the guests for the sheet of likeness."""
        self.sheet.update(likeness.read(lab, guests))
        platform = verbs.platform_of(lab, guests[0])
        self.figures["emulated"] = guests[0].kind in platform.emulated_kinds or bool(platform.facts().get("emulated"))

    @contextlib.contextmanager
    def stretch(self, name, *guests):
        """Measures during the block (a stretch of the sample). Afterwards parts[name] holds the processor time by part.
        `guests` must have cpu_seconds()."""
        before = self.read_clocks(guests)
        yield
        self.parts[name] = machine.parts(before, self.read_clocks(guests), self.processors)

    def read_clocks(self, guests):
        return machine.read_clocks(lambda: sum(each.cpu_seconds() for each in guests), self.generator.cpu_seconds)

    def keep(self, name, text):
        """Saves raw output in the sample's folder; never overwrites a file."""
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
        number = 1
        while (path := self.folder / f"{name}-{number}.txt").exists():
            number += 1
        path.write_text(text, encoding="utf-8")

    def clocks_agree(self, what, inside, outside):
        """Compares the seconds of one interval by the guest's and the host's clock. If they differ by more than 1 %,
        the sample is invalid."""
        if abs(inside - outside) > CLOCK_TOLERANCE * outside:
            self.invalid.append(f"{what}: {inside:.3f} s by the guest's clock, {outside:.3f} s by the host's")
