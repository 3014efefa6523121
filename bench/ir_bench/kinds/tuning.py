"""Compares every profile of a platform with the platform's default, on the workload that the profile is meant for.

The default runs all loads, a profile only its own. Each sample records the tuning as requested and in effect. A profile
that this host or platform does not support is skipped with its reason.
"""

from platforms.lab import verbs

from .. import footprint, loads, stress
from ..subjects import REFERENCE, Subject
from . import base
from .base import Measure

DEFAULT = "default"
CONTENDED = "contended"  # sysbench cpu beside a twin that has no profile and wants all processors
FOLDER = verbs.PLATFORMS / "profiles"
MIB = 1 << 20


class Sample(loads.Sample):
    def measure(self):
        wanted = self.parameters.get("loads", [])
        with self.guests_running(twin_profile=DEFAULT if CONTENDED in wanted else None):
            if not self.scouted:
                self.first_look()
                return
            self.warm_up()
            for load in wanted:
                self.contended() if load == CONTENDED else self.take(load, load)
            if rate := self.bench.record.tuning.get("network.rate"):
                self.notes["network"] = f"limited by the profile: {rate / 1e6:g} Mbit/s"
            self.footprint()

    def contended(self):
        with stress.running(self.twin, self.box_of_twin.place, "cpu", self.parameters["settle_seconds"]):
            self.take(CONTENDED, "cpu")

    def footprint(self):
        """Memory of the guest's processes after the loads."""
        guest = self.bench.record
        processes = verbs.platform_of(self.bench.lab, guest).processes(guest)
        self.measures["guests.pss_mib"] = footprint.proportional_bytes(processes) / MIB or None


class Kind(base.Kind):
    Sample = Sample
    parameters = {**loads.PARAMETERS, "profiles": [{"name": str, "loads": [str]}]}
    measures = {
        **loads.MEASURES,
        "pss_mib": Measure("memory of the guest's processes", "MiB", 0, "lower"),
    }
    appliance = loads.APPLIANCE
    scout = staticmethod(loads.scout)

    def check(self, parameters):
        loads.check(parameters)
        known = (*loads.LOADS, CONTENDED)
        for each in parameters["profiles"]:
            if not (FOLDER / f"{each['name']}.conf").exists():
                raise ValueError(f"profile '{each['name']}': there is no such file in platforms/profiles")
            if unknown := [load for load in each["loads"] if load not in known]:
                raise ValueError(f"load '{unknown[0]}' must be one of {', '.join(known)}")

    def subjects(self, experiment, platforms, profiles):
        """Each platform with its default profile (the first platform twice), and with every other profile. Each profile
        is compared with the default of its platform. Bare metal is included only if no other platform is. If profiles
        were named, only those are used."""
        meant = {each["name"]: each["loads"] for each in experiment.parameters["profiles"]}
        chosen = [name for name in profiles if name in meant] or list(meant)
        every = {"loads": list(dict.fromkeys(load for name in chosen for load in meant[name]))}
        found = []
        for platform in platforms or [REFERENCE]:
            first = platforms[0] if platforms else REFERENCE
            found.append(Subject(platform, platform, DEFAULT, first, every))
            if platform == first:
                found.append(Subject(f"{first}-again", platform, DEFAULT, first, every))
            found += [Subject(f"{platform}+{name}", platform, name, platform, {"loads": meant[name]}) for name in chosen]
        return found

    def stretches(self, scouted):
        return {**{load: words for load, (words, _, _) in loads.LOADS.items()}, "guests": "",
                CONTENDED: "sysbench cpu beside a twin that wants all processors"}
