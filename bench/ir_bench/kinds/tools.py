"""Measuring tools in a guest, one after the other: processors, memory, network, disks, and whole systems.

For tools with a fixed amount of work, the amount is chosen before the first block so that it takes bare metal the
seconds in the tool's options. Disk figures are used in ratios only if the guest's fdatasync reaches the host's disk as
on bare metal.
"""

import contextlib

import facts

from .. import sample
from ..tools import TOOLS, durability, peer
from ..tools.base import MEASURES
from ..tools.toolbox import SHORTEST_SECONDS, Toolbox
from . import base

APPLIANCE = "tools"
MIB = 1 << 20


class Sample(sample.Sample):
    def measure(self):
        for memory in self.parameters["memory"] or [None]:
            with self.guest(**self.asked(memory)) as guest, self.peers(guest) as peers:
                box = Toolbox(self, guest, peers)
                box.note_versions(each["tool"] for each in self.parameters["run"])
                prefix = f"{memory['name']}-" if memory else ""
                if self.scouted:
                    self.run_all(box, prefix)
                else:
                    self.find_amounts(box, prefix)

    def asked(self, memory):
        """The guest's memory: that of its size, or a fraction of the host's."""
        if memory is None:
            return {"name": "bench", "appliance": APPLIANCE}
        mib = int(memory["share"] * facts.memory_mib())
        return {"name": memory["name"], "appliance": APPLIANCE, "memory_mib": mib, "tuning": {"memory.limit": mib * MIB}}

    def peers(self, guest):
        if any(TOOLS[each["tool"]].needs_peer for each in self.parameters["run"]):
            return peer.running(guest.lab, guest.name, self.folder / "guests")
        return contextlib.nullcontext({})

    def run_all(self, box, prefix):
        objection = ""
        if self.writes():
            flushes = durability.flushes_per_sync(box, self.folder)
            self.measures[f"{prefix}durability.flushes"] = flushes
            objection = durability.objection(flushes, self.scouted["flushes"])
        for each in self.parameters["run"]:
            name = prefix + each["name"]
            box.take(name, each["tool"], each["options"], self.scouted["amounts"].get(name, 0))
            if objection and TOOLS[each["tool"]].reaches_disk:
                self.no_ratio[name] = objection

    def find_amounts(self, box, prefix):
        for each in self.parameters["run"]:
            if TOOLS[each["tool"]].first_amount:
                name = prefix + each["name"]
                self.measures[f"{name}.amount"] = box.amount_for(name, each["tool"], each["options"])
        if self.writes():
            self.measures["durability.flushes"] = durability.flushes_per_sync(box, self.folder)

    def writes(self):
        return any(TOOLS[each["tool"]].reaches_disk for each in self.parameters["run"])


class Kind(base.Kind):
    appliance = APPLIANCE
    Sample = Sample
    parameters = {
        "run": [{"name": str, "title": str, "tool": str, "options": dict}],
        "memory": [{"name": str, "share": base.NUMBER}],  # one guest for each share of the host's memory; empty: as its size
    }
    measures = {**MEASURES, "flushes": base.Measure("disk flushes for each fdatasync", "", 2)}

    def check(self, parameters):
        names = [each["name"] for each in parameters["run"]]
        if len(set(names)) < len(names):
            raise ValueError("each [[tools.run]] needs a unique name")
        for each in parameters["run"]:
            if each["tool"] not in TOOLS:
                raise ValueError(f"tool '{each['tool']}' must be one of {', '.join(sorted(TOOLS))}")
            check_options(each["name"], TOOLS[each["tool"]], each["options"])

    def scout(self, parameters, once):
        found = once({})
        amounts = {name.removesuffix(".amount"): int(value) for name, value in found.items() if name.endswith(".amount")}
        titles = {each["name"]: each["title"] for each in parameters["run"]}
        for memory in parameters["memory"]:
            words = f"memory {memory['name']} (× {memory['share']:g})"
            titles.update({f"{memory['name']}-{each['name']}": f"{each['title']}, {words}" for each in parameters["run"]})
        return {"amounts": amounts, "flushes": found.get("durability.flushes"), "titles": titles}

    def stretches(self, scouted):
        return scouted["titles"]


def check_options(name, tool, options):
    if set(options) != set(tool.options):
        raise ValueError(f"'{name}': options are {', '.join(tool.options)}")
    for key, kind in tool.options.items():
        wanted = list if isinstance(kind, list) else kind
        if not isinstance(options[key], wanted) or isinstance(options[key], bool):
            raise ValueError(f"'{name}': option '{key}' is of the wrong type")
    if tool.first_amount and options["seconds"] <= SHORTEST_SECONDS:
        raise ValueError(f"'{name}': work of a fixed amount must last more than {SHORTEST_SECONDS} s")
