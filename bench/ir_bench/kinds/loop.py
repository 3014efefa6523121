"""A program that only computes, alone in a guest, with all and with half of a quota of one processor. The difference is
known, so the report uses it to prove that it finds differences. Short measurements of the two alternate. Other programs
on the host can only lengthen a measurement, and lengthen the one with the whole quota more. So the sample waits for a
quiet machine, up to a limit, and uses the fastest measurement of each kind: of the undisturbed pairs if there are
enough, otherwise of all."""

import time

from platforms.lab import verbs

from .. import machine, sample
from . import base
from .base import Measure

LOOP = "i=0; while ((i < $1)); do ((i += 1)); done"
QUIET_PAIRS = 3  # with fewer, the disturbed pairs count too
WHOLE, HALF = 100, 50  # per cent of one processor


class Sample(sample.Sample):
    def measure(self):
        thresholds = machine.Thresholds(**self.request["thresholds"])
        pairs, quiet = [], []
        with self.guest("loop") as guest:
            deadline = time.monotonic() + self.parameters["seconds_at_most"]
            while len(quiet) < self.parameters["pairs"] and (not pairs or time.monotonic() < deadline):
                machine.await_quiet(sample.QUIET_SECONDS)
                name = f"pair-{len(pairs) + 1}"
                with self.stretch(name, guest):
                    pairs.append([self.seconds(guest, percent) for percent in (WHOLE, HALF)])
                if not machine.shares_taken(thresholds, self.parts[name], self.processors):
                    quiet.append(pairs[-1])
        chosen = quiet if len(quiet) >= QUIET_PAIRS else pairs
        self.figures["pairs"] = {"all": pairs, "quiet": quiet}
        whole, half = (min(times) for times in zip(*chosen))
        self.measures["loop.seconds"] = whole
        self.measures["loop.halved"] = whole / half

    def seconds(self, guest, percent):
        verbs.set_limits(guest.lab, guest.name, {"cpu.quota": percent})
        begun = time.monotonic()
        verbs.execute(guest.lab, guest.name, ["/bin/bash", "-c", LOOP, "bash", self.parameters["rounds"]], seconds=300)
        return time.monotonic() - begun


class Kind(base.Kind):
    Sample = Sample
    parameters = {"rounds": int, "pairs": int, "seconds_at_most": base.NUMBER}
    measures = {
        "seconds": Measure("time of a loop of additions", "s", 3, "lower"),
        "halved": Measure("its speed with half of the quota", "", 3),
    }

    def stretches(self, scouted):
        return {"loop": ""}
