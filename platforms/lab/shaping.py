"""Limits the bandwidth of an interface with the kernel's traffic control (tbf), which limits outgoing traffic.

    limit(interface, rate)        outgoing traffic
    limit_received(…)             incoming traffic: it is redirected through an ifb named INTERFACE + "i", which
                                  release() deletes

`process` is a process in the interface's network namespace; None: this process.
"""

import json
import re

from . import command
from .errors import Unsupported

LATENCY = "50ms"
SMALLEST_BURST = 16 * 1024


def within(process):
    return ["nsenter", "-t", str(process), "-n"] if process else []


def limit(interface, rate, process=None):
    """Limits outgoing traffic to `rate` bit/s. The burst is what that rate sends in 10 ms."""
    burst = max(SMALLEST_BURST, rate // 8 // 100)
    words = ["tc", "qdisc", "replace", "dev", interface, "root", "tbf", "rate", f"{rate}bit", "burst", str(burst)]
    done = command.run([*within(process), *words, "latency", LATENCY], good=None)
    if done.status != 0:
        raise Unsupported(f"traffic control refuses tbf on {interface}: {done.err.strip()}",
                          "use a kernel with CONFIG_NET_SCH_TBF")


def limited(interface, process=None):
    """The rate in effect in bit/s; None without a limit."""
    text = command.run([*within(process), "tc", "-j", "qdisc", "show", "dev", interface], good=None).out
    for each in json.loads(text or "[]"):
        if each["kind"] == "tbf":
            rate = each.get("options", {}).get("rate")
            return int(rate) * 8 if isinstance(rate, int) else rate_of(str(rate))
    return None


def companion(interface):
    return f"{interface}i"


def limit_received(interface, rate):
    """Limits incoming traffic to `rate` bit/s."""
    ifb = companion(interface)
    if limited(ifb) is None:
        command.run(["ip", "link", "add", ifb, "type", "ifb"])
        command.run(["ip", "link", "set", ifb, "up"])
        command.run(["tc", "qdisc", "replace", "dev", interface, "ingress"])
        every_packet = ["parent", "ffff:", "protocol", "all", "u32", "match", "u32", "0", "0"]
        redirect = ["action", "mirred", "egress", "redirect", "dev", ifb]
        command.run(["tc", "filter", "replace", "dev", interface, *every_packet, *redirect])
    limit(ifb, rate)


def limited_received(interface):
    """The rate in effect in bit/s; None without a limit."""
    redirected = command.run(["tc", "filter", "show", "dev", interface, "parent", "ffff:"], good=None).out
    return limited(companion(interface)) if companion(interface) in redirected else None


def release(interface):
    """Deletes the ifb, if there is one."""
    command.run(["ip", "link", "delete", companion(interface)], good=None)


def rate_of(text):
    """Converts "100Mbit" to bit/s."""
    found = re.fullmatch(r"(\d+)([KMG]?)bit", text)
    return int(found.group(1)) * {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}[found.group(2)] if found else None
