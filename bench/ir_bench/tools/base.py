"""The interface of a measuring tool: its command in a guest, and the parser of its output.

A tool runs for the time given in its options, or does a fixed amount of work. The amount is determined once, on bare
metal before the first block, so that it takes the option `seconds` there. It never changes afterwards.
"""

import re
from dataclasses import dataclass

from ..kinds.base import Measure

# {last part of a measure's name: Measure} for all tools.
MEASURES = {
    "seconds": Measure("time for a fixed amount", "s", 2, "lower"),
    "events": Measure("events", "/s", 0, "higher"),
    "signs": Measure("RSA signatures", "/s", 0, "higher"),
    "verifies": Measure("RSA verifications", "/s", 0, "higher"),
    "mips": Measure("7-Zip's rating", "MIPS", 0, "higher"),
    "mib": Measure("throughput", "MiB/s", 0, "higher"),
    "gflops": Measure("floating-point operations", "GFLOPS", 2, "higher"),
    "mbit": Measure("throughput", "Mbit/s", 0, "higher"),
    "latency_us": Measure("latency", "µs", 1, "lower"),
    "iops": Measure("operations", "/s", 0, "higher"),
    "requests": Measure("requests", "/s", 0, "higher"),
    "tps": Measure("transactions", "/s", 0, "higher"),
    "ms": Measure("geometric mean of the benchmarks' times", "ms", 1, "lower"),
}


class OutputError(Exception):
    """A tool's output is not in the expected form; no figure is read from it."""


@dataclass(frozen=True)
class Place:
    """Where a tool runs: its own folder in the guest, the guest's size, and the peer's addresses on the host."""

    folder: str
    cpus: int
    memory_mib: int
    peers: dict  # {"bridge": ADDRESS, "nat": ADDRESS}; empty if no tool needs them


class Tool:
    programs = ()  # the sheet of likeness has their versions and checksums
    options = {}  # {key: type}, all required
    gives = ()  # the measures that it gives: names from MEASURES
    first_amount = 0  # where the search for the fixed amount starts; 0: the tool runs for a given time
    reaches_disk = False  # its figures are valid only if its writes reach the disk
    needs_peer = False

    def prepare(self, options, place):
        """A bash script that runs in the tool's folder before the command and is not measured."""
        return ""

    def command(self, options, place, amount):
        """A bash script whose standard output parse() reads."""
        raise NotImplementedError

    def finish(self, options, place):
        """A script that ends what prepare() started."""
        return ""

    def parse(self, text, options):
        """Returns {WHAT: number}. OutputError when the text is not in the expected form."""
        raise NotImplementedError

    def limited_by(self, text, options, busy):
        """Returns what limited the figure; "" if it was the platform itself. `busy`: the busy fraction of all host
        processors."""
        return ""


def number(text, pattern):
    """The number in a pattern's only group; the pattern must match exactly once."""
    found = re.findall(pattern, text, re.M)
    if len(found) != 1:
        raise OutputError(f"{len(found)} matches of {pattern!r} in: {text[-300:]!r}")
    return float(found[0])
