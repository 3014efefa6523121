"""The network between a guest and a peer on its host: iperf3 in both directions, and request-response times with qperf.

The peer is on the same machine: there is no wire, and the processors of the two sides limit the figures. Each figure
says so.
"""

import json

from .base import OutputError, Tool, number

BUSY_PERCENT = 90  # from this share on, the one processor that a stream can use counts as the limit
HOST_BUSY = 0.9  # from this share on, the host's processors count as the limit


class Iperf(Tool):
    """`way`: "bridge" or "nat"."""

    programs = ("iperf3",)
    options = {"way": str, "seconds": int}
    gives = ("mbit",)
    needs_peer = True
    direction = ""

    def command(self, options, place, amount):
        return f"iperf3 --json --client {place.peers[options['way']]} --time {options['seconds']} {self.direction}"

    def parse(self, text, options):
        return {"mbit": ended(text)["sum_received"]["bits_per_second"] / 1e6}

    def limited_by(self, text, options, busy):
        used = ended(text)["cpu_utilization_percent"]
        sides = [name for name, key in (("guest", "host_total"), ("peer", "remote_total")) if used[key] >= BUSY_PERCENT]
        if busy >= HOST_BUSY:
            return "no wire; limited by the host's processors, which both sides share"
        if sides:
            return f"no wire; limited by a processor of the {' and the '.join(sides)}"
        return "no wire; limited by the path through the kernel"


class IperfReverse(Iperf):
    """The direction into the guest."""

    direction = "--reverse"


def ended(text):
    try:
        end = json.loads(text)["end"]
        end["sum_received"]["bits_per_second"], end["cpu_utilization_percent"]["remote_total"]  # noqa: B018 - raises if missing
        return end
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(f"iperf3: {error!r} in: {text[-300:]!r}") from error


class Answers(Tool):
    """Half of the round-trip time of a one-byte TCP request and its answer."""

    programs = ("qperf",)
    options = {"way": str, "seconds": int}
    gives = ("latency_us",)
    needs_peer = True

    def command(self, options, place, amount):
        return f"qperf {place.peers[options['way']]} --time {options['seconds']} --unify_units --precision 6 tcp_lat"

    def parse(self, text, options):
        """Parses qperf's output. With unified units the value is always in ns."""
        return {"latency_us": number(text, r"^ +latency += +([\d.]+) ns$") / 1000}

    def limited_by(self, text, options, busy):
        return "no wire; limited by how fast the kernel wakes the two sides"


TOOLS = {"iperf3": Iperf(), "iperf3-reverse": IperfReverse(), "qperf": Answers()}
