"""Measures how much performance a guest loses when its twin is stressed, and how much each lever (a limit on the twin)
restores.

One sample boots a pair: a guest under load, and a twin of equal size and shares. Each load is measured while the twin
is idle (calm); then with the twin stressed in one resource after another, in random order; then with a lever on the
twin; and calm again. Every result is a ratio to the calm value of the same pair, within one boot.
"""

import contextlib
import math
import random

from platforms.lab import verbs
from platforms.lab.errors import Unsupported

from .. import loads, stress
from ..entitlement import LEVERS, fair_rate, interference
from . import base
from .base import Measure

CALM, AGAIN = "calm", "calm-again"
MIB = 1 << 20
# If load and stressor both want all of one resource other than the processors, each is entitled to a half.
BOTH_WANT_ALL = ("disk", "network")
BY_GENERATOR = (*loads.PIPELINE, "network")  # loads that partly run outside the guest


class Sample(loads.Sample):
    def measure(self):
        with self.guests_running(twin_profile=self.subject["profile"]):
            self.describe(self.twin.lab, [self.twin.record])
            if not self.scouted:
                self.first_look()
                return
            self.warm_up()
            levers = self.levers()
            for load in dict.fromkeys(pair["load"] for pair in self.parameters["pairs"]):
                self.one_load(load, levers)

    def one_load(self, load, levers):
        conditions = [(pair["stressor"], lever) for pair in self.parameters["pairs"] if pair["load"] == load
                      for lever in ("", *pair["levers"])]
        random.Random(f"{self.request['seed']}:{load}").shuffle(conditions)
        self.take(f"{load}-{CALM}", load)
        for stressor, lever in conditions:
            self.stressed(load, stressor, lever, levers)
        self.take(f"{load}-{AGAIN}", load)
        self.conclude(load, conditions)

    # ---- levers ----

    def levers(self):
        """Returns {name: Lever}, all wide open; or the reason, for a lever that the platform lacks."""
        guest = self.twin.record
        knobs = verbs.platform_of(self.twin.lab, guest).knobs
        found = {}
        for name in dict.fromkeys(lever for pair in self.parameters["pairs"] for lever in pair["levers"]):
            lever = LEVERS[name][1](self.request["tuning"], guest.memory_mib * MIB, knobs)
            try:
                self.set(lever.off)
                found[name] = lever
            except Unsupported as error:
                found[name] = str(error)
        return found

    def set(self, limits):
        verbs.set_limits(self.twin.lab, self.twin.name, limits)

    @contextlib.contextmanager
    def held_back(self, lever):
        if lever:
            self.set(lever.on)
        try:
            yield
        finally:
            if lever:
                self.set(lever.off)

    def stressed(self, load, stressor, lever, levers):
        stretch = f"{load}-{condition(stressor, lever)}"
        limit = levers.get(lever)
        if isinstance(limit, str):
            self.note(stretch, limit)
            return
        with self.held_back(limit), \
                stress.running(self.twin, self.box_of_twin.place, stressor, self.parameters["settle_seconds"]) as ended:
            self.take(stretch, load)
            if why := ended():
                self.note(stretch, why)
        if load in BY_GENERATOR and self.request["generator"]["cpu.pin"] == self.request["tuning"]["cpu.pin"]:
            self.note(stretch, "the generator and the stressor share processors")

    # ---- results ----

    def conclude(self, load, conditions):
        """Computes the ratio of each condition to the calm values before and after."""
        calm = [self.value(load, name) for name in (CALM, AGAIN)]
        if None in calm:
            return
        for stressor, lever in conditions:
            value = self.value(load, condition(stressor, lever))
            if value is not None:
                stretch = f"{load}-{condition(stressor, lever)}"
                self.measures[f"{stretch}.kept"] = kept(load, value, math.sqrt(calm[0] * calm[1]))
                if lever and (without := self.value(load, stressor)):
                    self.measures[f"{stretch}.regained"] = kept(load, value, without)
                if not lever and (fair := self.fair(load, stressor)):
                    self.measures[f"{stretch}.fair"] = fair
                    self.measures[f"{stretch}.interference"] = interference(self.measures[f"{stretch}.kept"], fair)

    def value(self, load, name):
        return self.measures.get(f"{load}-{name}.{loads.LOADS[load][1]}")

    def fair(self, load, stressor):
        """The fraction of its calm performance that a guest keeps if only CPU shares apply. None for a latency that
        depends on shares, because theory does not give its size."""
        calm, now = self.parts[f"{load}-{CALM}"], self.parts[f"{load}-{stressor}"]
        share = fair_rate(processors=self.processors, victim=(calm["guest"] - calm["twin"]) / calm["wall"],
                          outside=(calm["generator"] + calm["kernel"]) / calm["wall"], twin=now["twin"] / now["wall"])
        if load == stressor and load in BOTH_WANT_ALL:
            share = min(share, 0.5)
        return share if load != "fixed" or share == 1 else None


def condition(stressor, lever):
    return f"{stressor}-{lever}" if lever else stressor


def kept(load, value, reference):
    """The ratio of two values, oriented so that less than 1 is always a loss."""
    return value / reference if loads.LOADS[load][2] else reference / value


class Kind(base.Kind):
    Sample = Sample
    parameters = {**loads.PARAMETERS, "pairs": [{"load": str, "stressor": str, "levers": [str]}]}
    measures = {
        **loads.MEASURES,
        "kept": Measure("kept of the calm value", "", 3, "higher", ratio=True),
        "fair": Measure("due by shares alone", "", 3),
        "interference": Measure("loss beyond shares, as a factor", "", 3, "lower", ratio=True),
        "regained": Measure("with the lever, of the value without", "", 3, "higher", ratio=True),
    }
    appliance = loads.APPLIANCE
    # If both guests want all processors, neither can keep them, whatever the platform.
    losses = ("full-cpu.kept", "cpu-cpu.kept")
    scout = staticmethod(loads.scout)

    def check(self, parameters):
        loads.check(parameters)
        for pair in parameters["pairs"]:
            if pair["load"] not in loads.LOADS:
                raise ValueError(f"load '{pair['load']}' must be one of {', '.join(loads.LOADS)}")
            if pair["stressor"] not in stress.STRESSORS:
                raise ValueError(f"stressor '{pair['stressor']}' must be one of {', '.join(stress.STRESSORS)}")
            known = [name for name, (against, _) in LEVERS.items() if against == pair["stressor"]]
            if unknown := [lever for lever in pair["levers"] if lever not in known]:
                raise ValueError(f"lever '{unknown[0]}': the levers against {pair['stressor']} are {', '.join(known)}")

    def stretches(self, scouted):
        found = {}
        for load, (words, _, _) in loads.LOADS.items():
            found.update({f"{load}-{CALM}": f"{words}, calm", f"{load}-{AGAIN}": f"{words}, calm again"})
            for stressor in stress.STRESSORS:
                found[f"{load}-{stressor}"] = f"{words}, twin stressed in {stressor}"
                found.update({f"{load}-{stressor}-{lever}": f"{words}, twin stressed in {stressor} and held back by {lever}"
                              for lever, (against, _) in LEVERS.items() if against == stressor})
        return found
