"""One sample, in a process of its own, so that what goes wrong in it (a boot that hangs, a lost network) ends with it. What
is alike for all kinds stands here: the generator's control group, the quiet disk before, canaries before and after,
the guests' size, the sheet of likeness, the result.

A kind's class of samples has measure(), which fills `measures`. It ends in result.json:

    status   ok; invalid: measured, but it counts nowhere; skipped: it cannot be done here; failed
    why      in words, unless it is ok
    measures, parts, canaries, disturbed, likeness, figures, no_ratio, notes

What is left of the guests is taken away by the program that started this one.
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
    """This platform cannot do what the sample is about; the text says why."""


class BenchGuest:
    """A guest that runs, made for one sample."""

    def __init__(self, sample, lab, name):
        self.sample = sample
        self.lab = lab
        self.name = name

    @property
    def record(self):
        return self.lab.load(self.name)

    def run(self, argv, seconds=60, text=None):
        """Standard output of a program in the guest, which is kept in the sample's folder."""
        done = verbs.execute(self.lab, self.name, argv, seconds=seconds, text=text)
        self.sample.keep(f"{self.name}-{Path(str(argv[0])).name}", done.out)
        return done.out

    def timed(self, argv, seconds=60):
        """(standard output, seconds by the host's clock)."""
        begun = time.monotonic()
        out = self.run(argv, seconds)
        return out, time.monotonic() - begun

    def cpu_seconds(self):
        return verbs.stats(self.lab, self.name).cpu_seconds

    def stats(self):
        return verbs.stats(self.lab, self.name)


class Sample:
    confined = True  # False: what is measured runs in this process's own group, on every processor

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
        """Of the kind: from provisioning to clean-up."""
        raise NotImplementedError

    # ---- the whole ----

    def make(self):
        """Leaves result.json, whatever happens."""
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
        except Exception as error:  # noqa: BLE001 - whatever it was, the sample failed and the run goes on
            traceback.print_exc()
            status, why = "failed", str(error) or type(error).__name__
        part = self.folder / "result.json.part"
        part.write_text(json.dumps({"status": status, "why": why, **self.result()}, indent=2) + "\n", encoding="utf-8")
        part.replace(self.folder / "result.json")

    def enter_generator(self):
        """The control group of this process and all that it starts beside the guests, alike on every platform."""
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
        """{stretch: reasons}; "" stands for all of them."""
        thresholds = machine.Thresholds(**self.request["thresholds"])
        found = {name: machine.shares_taken(thresholds, used, self.processors) for name, used in self.parts.items()}
        found[""] = machine.slow_canaries(thresholds, self.canaries) if self.canaries else []
        return {name: reasons for name, reasons in found.items() if reasons}

    # ---- for kinds ----

    @property
    def slower(self):
        """What a load is divided by in an emulated guest, whose figures are compared with nothing; 1 in all others. Known once
        the guests are described."""
        return EMULATED_SLOWER if self.figures.get("emulated") else 1

    @contextlib.contextmanager
    def guest(self, name="bench", tuning=None, **fields):
        """A BenchGuest of the subject's platform and profile, with the CPUs and the memory limit that all have, unless `tuning`
        says otherwise. `fields` are those of platforms.lab.Guest."""
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
        """The sample's lab, in a network namespace of its own, which this process is in from now on."""
        lab = Lab(self.folder / "guests" / "lab", netns=f"irbench{os.getpid()}")
        if not netns.exists(lab.netns):
            netns.enter(lab, create=True)
        return lab

    def tuning(self, profile):
        """CPUs and memory as everywhere, unless the profile says otherwise."""
        return {**self.request["tuning"], **verbs.tuning.read_profile(verbs.PLATFORMS / "profiles", profile)}

    def describe(self, lab, guests):
        """What the guests are, for the sheet of likeness."""
        self.sheet.update(likeness.read(lab, guests))
        platform = verbs.platform_of(lab, guests[0])
        self.figures["emulated"] = guests[0].kind in platform.emulated_kinds or bool(platform.facts().get("emulated"))

    @contextlib.contextmanager
    def stretch(self, name, *guests):
        """What is measured: processor time by part over it is in parts[name] afterwards. Guests have cpu_seconds()."""
        before = self.look(guests)
        yield
        self.parts[name] = machine.parts(before, self.look(guests), self.processors)

    def look(self, guests):
        return machine.look(lambda: sum(each.cpu_seconds() for each in guests), self.generator.cpu_seconds)

    def keep(self, name, text):
        """A raw output, in the sample's folder, never over another one."""
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
        number = 1
        while (path := self.folder / f"{name}-{number}.txt").exists():
            number += 1
        path.write_text(text, encoding="utf-8")

    def clocks_agree(self, what, inside, outside):
        """Seconds of the same stretch by the guest's and by the host's clock; more than 1 % apart makes the sample invalid."""
        if abs(inside - outside) > CLOCK_TOLERANCE * outside:
            self.invalid.append(f"{what}: {inside:.3f} s by the guest's clock, {outside:.3f} s by the host's")
