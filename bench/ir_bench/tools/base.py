"""What a measuring tool is: how it is called in a guest, and how its output is read.

A tool runs for a time that its options name, or does a fixed amount of work. That amount is found once, on bare metal, before
the first block, so that the work lasts there as many seconds as the option `seconds` says; then it never changes.
"""

import re
from dataclasses import dataclass

from ..kinds.base import Measure

# {last word of a measure's name: Measure}, of all tools.
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
    """A tool's output is not as it is known to be; no figure is taken from it."""


@dataclass(frozen=True)
class Place:
    """Where a tool runs: a folder of the guest that is its own, the guest's size, and addresses of the peer on the host."""

    folder: str
    cpus: int
    memory_mib: int
    peers: dict  # {"bridge": ADDRESS, "nat": ADDRESS}; empty where no tool asks for it


class Tool:
    programs = ()  # whose versions and checksums stand on the sheet of likeness
    options = {}  # {key: type}, all required
    gives = ()  # of MEASURES
    first_amount = 0  # where the search for the fixed amount begins; 0: the tool runs for a time
    reaches_disk = False  # whether what it writes must be on the disk for its figures to stand
    needs_peer = False

    def prepare(self, options, place):
        """A script for bash, run in the tool's folder before the command and not measured."""
        return ""

    def command(self, options, place, amount):
        """A script for bash; its standard output is what parse() reads."""
        raise NotImplementedError

    def finish(self, options, place):
        """A script that ends what prepare() has started."""
        return ""

    def parse(self, text, options):
        """{WHAT: number}; OutputError when the text is not as expected."""
        raise NotImplementedError

    def limited_by(self, text, options, busy):
        """What held the figure down; "" where that is the platform itself. `busy`: share of all processors of the host."""
        return ""


def number(text, pattern):
    """The number that a pattern's only group finds, exactly once."""
    found = re.findall(pattern, text, re.M)
    if len(found) != 1:
        raise OutputError(f"{len(found)} matches of {pattern!r} in: {text[-300:]!r}")
    return float(found[0])
