"""Bandwidth of an interface, by the kernel's traffic control (tbf): what goes out of it is held to a rate.

`process` is one within the network namespace that the interface is in; None: this one."""

import json
import re

from . import command
from .errors import Unsupported

LATENCY = "50ms"
SMALLEST_BURST = 16 * 1024


def within(process):
    return ["nsenter", "-t", str(process), "-n"] if process else []


def limit(interface, rate, process=None):
    """At most `rate` bit/s; the burst is what that rate sends in 10 ms."""
    burst = max(SMALLEST_BURST, rate // 8 // 100)
    words = ["tc", "qdisc", "replace", "dev", interface, "root", "tbf", "rate", f"{rate}bit", "burst", str(burst)]
    done = command.run([*within(process), *words, "latency", LATENCY], good=None)
    if done.status != 0:
        raise Unsupported(f"traffic control refuses tbf on {interface}: {done.err.strip()}",
                          "use a kernel with CONFIG_NET_SCH_TBF")


def limited(interface, process=None):
    """The rate in effect in bit/s, None without."""
    text = command.run([*within(process), "tc", "-j", "qdisc", "show", "dev", interface], good=None).out
    for each in json.loads(text or "[]"):
        if each["kind"] == "tbf":
            rate = each.get("options", {}).get("rate")
            return int(rate) * 8 if isinstance(rate, int) else rate_of(str(rate))
    return None


def rate_of(text):
    """bit/s of "100Mbit"."""
    found = re.fullmatch(r"(\d+)([KMG]?)bit", text)
    return int(found.group(1)) * {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}[found.group(2)] if found else None
