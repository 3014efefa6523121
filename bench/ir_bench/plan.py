"""Computes from a run how many servers and how much disk a network of motes needs, and shows the arithmetic.

The network is described in TOML (bench/networks/). It must agree with the run in everything that affects the cost of an
observation. And the run must correctly forecast a measured rate that was held out (forecast.py); otherwise there is no
plan. The number of servers is the cost of an observation per role at full speed, divided by the wanted utilisation.
Beyond one server of the measured kind this is arithmetic, based on assumptions that the plan names.
"""

import math
import tomllib
from dataclasses import dataclass, fields

from . import experiment, forecast
from .forecast import Forecast, NotEnough

AGREE = {"records": "records_a_pack", "via": "via", "formats": "formats", "documents": "documents", "graph": "graph"}
EMBEDDED = ("sqlite", "nquads", "null")
PARTITIONS = 8  # ir-worker's default
PARTITIONS_MOST = 256
DAY = 86400
UNITS = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1, "B"))


@dataclass(frozen=True)
class Network:
    """The keys of a network's description; bench/networks/river.toml explains them."""

    title: str
    motes: int
    packs_an_hour: float
    records_a_pack: int
    pack_bytes: float
    burst_factor: float
    via: str
    formats: str
    documents: str
    graph: str
    retention_days: float
    backlog_hours: float
    failures: int
    utilisation: float
    disk_utilisation: float
    cores: int

    @property
    def packs(self):
        """Packs per second."""
        return self.motes * self.packs_an_hour / 3600

    @property
    def mean(self):
        """Observations per second, on average."""
        return self.packs * self.records_a_pack

    @property
    def peak(self):
        return self.mean * self.burst_factor

    @property
    def aim(self):
        """The required maximum throughput: the peak divided by the wanted utilisation."""
        return self.peak / self.utilisation


def read(path):
    try:
        return parse(path.name, path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise experiment.ExperimentError(f"{path} is not there; bench/networks has examples") from None


def parse(name, text):
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise experiment.ExperimentError(f"{name}: {error}") from error
    experiment.conform(name, given, {each.name: (int, float) if each.type is float else each.type for each in fields(Network)})
    found = Network(**given)
    for key in ("motes", "packs_an_hour", "records_a_pack", "pack_bytes", "retention_days", "cores"):
        if not 0 < getattr(found, key) < math.inf:
            raise experiment.ExperimentError(f"{name}: '{key}' is above 0")
    for key in ("utilisation", "disk_utilisation"):
        if not 0 < getattr(found, key) <= 1:
            raise experiment.ExperimentError(f"{name}: '{key}' lies between 0 and 1")
    if found.burst_factor < 1 or found.failures < 0 or found.backlog_hours < 0:
        raise experiment.ExperimentError(f"{name}: 'burst_factor' is 1 or more, 'failures' and 'backlog_hours' 0 or more")
    return found


# ---- figures of the run ----


class Figures:
    """Figures over all guests of the subjects of a run that are equal (a subject and its repetition)."""

    def __init__(self, fixed, samples, subjects):
        """`fixed`: the fixed rates of the run's plan."""
        self.subjects = subjects
        self.samples = [each for each in samples if each["subject"] in subjects and each["status"] == "ok"]
        self.rates = {each["name"]: each["rate"] for each in fixed}

    def of(self, measure):
        """The expected value for one more guest."""
        values = [each["measures"].get(measure) for each in self.samples]
        return forecast.one_more([value for value in values if value])

    def has(self, measure):
        return any(each["measures"].get(measure) for each in self.samples)

    def curves(self, what):
        """Returns {rate: value} for each guest, over the rates that every guest kept."""
        kept = [name for name in self.rates
                if all(f"{name}.{what}" in each["measures"] and name not in each["notes"] for each in self.samples)]
        return [{self.rates[name]: each["measures"][f"{name}.{what}"] for name in kept} for each in self.samples]


def require_agreement(network, asked):
    """`asked`: the run's experiment."""
    if asked.kind != "pipeline":
        raise NotEnough(f"the run measured '{asked.name}'; run the experiment 'sizing' instead")
    wrong = [f"{key} {asked.parameters[key]} (the network has {getattr(network, own)})" for key, own in AGREE.items()
             if asked.parameters[key] != getattr(network, own)]
    if wrong:
        raise NotEnough("the run was made with " + ", ".join(wrong) + "; change these in a copy of its experiment, and run that")


# ---- servers ----


@dataclass(frozen=True)
class Row:
    """The servers of one role. `cost`: µs of processor time per observation, for all copies together. `spare`: servers
    beyond those that the load needs. `least`: the smallest number of servers, with the spare ones."""

    role: str
    cost: Forecast
    spare: int
    least: int
    cores: int
    limit: str

    def count(self, aim, cost):
        return max(self.least, math.ceil(aim * cost / 1e6 / self.cores) + self.spare)

    def counts(self, aim):
        """Returns the numbers (for the estimate, for the low end, for the high end)."""
        return tuple(self.count(aim, each) for each in (self.cost.value, self.cost.low, self.cost.high))

    def share(self, rate, count):
        """The utilisation of that many servers."""
        return rate * self.cost.value / 1e6 / count / self.cores


def rows(network, figures):
    """The rows of every role that the run measured."""
    spare, majority = network.failures, 2 * network.failures + 1
    worker = "a worker uses at most one processor; throughput grows with their number (measured with two)"
    files = 1
    if network.documents == "sqlite":
        full = figures.of("full.rate")
        files = math.ceil(network.aim / full.low)
        worker += (f"; those of one server share its SQLite file, which takes {full.low:,.0f}/s: {files} for the load, each "
                   "on its own server, which stores the documents of its own motes only")
    shapes = (  # role, copies of the work, spare servers, fewest servers, processors per server, what limits the forecast
        ("balancer", 1, spare, 1, network.cores, "one is active; the others are on standby"),
        ("gateway", 1, spare, 1, 1, "a gateway uses at most one processor; throughput is assumed to grow with their number "
                                    "(measured with one)"),
        ("broker", majority, 0, majority, network.cores,
         f"each message is written by {majority} brokers, counted as {majority} times the work; a follower does less"),
        ("worker", 1, spare, files + spare, 1, worker),
        ("documents", majority, 0, majority, network.cores,
         f"each member of a replica set stores everything; more than {majority} servers need sharding"),
        ("graph", 1, 0, 1, network.cores, "motes are divided among the servers; a server that is down delays its own motes"),
    )
    found = []
    for role, copies, *numbers, limit in shapes:
        measure = f"full.{role}_cpu_us"
        if figures.has(measure):
            found.append(Row(role, figures.of(measure).scaled(copies), *numbers, limit))
    if not {"broker", "worker"} <= {each.role for each in found}:
        raise NotEnough("the run has no processor time by role; run the experiment 'sizing'")
    return found


# ---- the text ----


def size(number):
    unit, name = next(each for each in UNITS if number >= each[0] or each[0] == 1)
    return f"{number / unit:,.1f} {name}"


def sizes(found):
    return f"{size(found.value)} ({size(found.low)}–{size(found.high)})"


def load_lines(network):
    return [f"mean: {network.motes:,} motes × {network.packs_an_hour:g} packs an hour × {network.records_a_pack} records "
            f"÷ 3,600 s = {network.mean:,.0f} observations/s",
            f"highest: × {network.burst_factor:g} = {network.peak:,.0f} observations/s",
            f"to be {network.utilisation * 100:.0f} % of the highest throughput: ÷ {network.utilisation:g} = {network.aim:,.0f} "
            "observations/s"]


def test_lines(figures, hold_out):
    """Returns the result of the forecast's test. Raises NotEnough if it fails."""
    guests = figures.curves("guest_cpu_us")
    if hold_out and hold_out not in figures.rates:
        raise NotEnough(f"the run has no rate '{hold_out}'; it has {', '.join(figures.rates) or 'none'}")
    test = forecast.held_out(guests, figures.rates[hold_out] if hold_out else None)
    told = (f"CPU per observation at {test.rate:,.0f} observations/s, from the other rates: {test.forecast.words(1)} µs, "
            f"±{test.forecast.half_width * 100:.0f} %; measured {test.measured:,.1f} µs")
    if not test.good:
        raise NotEnough(f"{told}; the interval must hold the measured value and be no wider than ±{forecast.WIDEST * 100:.0f} %")
    return [told, "an observation costs more at low rates: fixed work is shared by fewer observations, and batches are "
                  "smaller. Utilisation is therefore the share of the highest throughput, not of processor time"]


def one_server_lines(network, figures):
    full = figures.of("full.rate")
    lines = [f"a server as measured, with everything on it: {full.words()} observations/s at full speed"]
    if network.aim > full.low:
        return [*lines, f"{network.aim:,.0f} observations/s exceed that: each role needs its own servers"]
    lines.append(f"{network.aim:,.0f} are less: one such server is enough, at {network.peak / full.value * 100:.0f} % of "
                 "its throughput at the highest rate; the rest of this plan puts each role on its own servers")
    try:
        cost = forecast.foretell(figures.curves("guest_cpu_us"), network.peak)
    except NotEnough as error:
        return [*lines, f"no forecast of its utilisation: {error}"]
    return [*lines, f"processors that this rate keeps busy: {network.peak:,.0f} × {cost.words(1)} µs = "
                    f"{cost.scaled(network.peak / 1e6).words(2)}"]


def server_table(network, figures):
    lines = ["| role | take | processors each | arithmetic | interval | in use at the highest rate | limited by |",
             "|---|---|---|---|---|---|---|"]
    for row in rows(network, figures):
        estimate, low, high = row.counts(network.aim)
        arithmetic = (f"{network.aim:,.0f}/s × {row.cost.words(1)} µs ÷ {row.cores} = "
                      f"{network.aim * row.cost.value / 1e6 / row.cores:,.2f}")
        arithmetic += f", and {row.spare} to spare" if row.spare else ""
        lines.append(f"| {row.role} | {high} | {row.cores} | {arithmetic}, at least {row.least}: {estimate} | {low}–{high} | "
                     f"{row.share(network.peak, high) * 100:.0f} % | {row.limit} |")
    for role in ("documents", "graph"):
        if getattr(network, role) in EMBEDDED:
            lines.append(f"| {role} | 0 | | {getattr(network, role)} is part of the workers | | | |")
    return lines


def worker_lines(network, figures):
    """Returns lines on what the number of workers requires of other parts."""
    workers = next(row for row in rows(network, figures) if row.role == "worker").counts(network.aim)[2]
    if workers > PARTITIONS_MOST:
        raise NotEnough(f"{workers} workers are more than there can be partitions ({PARTITIONS_MOST})")
    if workers > PARTITIONS:
        return [f"`partitions` must be at least {workers} (it is {PARTITIONS} by default): a worker without one stands by"]
    return [f"{PARTITIONS} partitions, the default, are enough for {workers} workers"]


def disk_lines(network, figures):
    lines = []
    copies = {"documents": 1 if network.documents in EMBEDDED else 2 * network.failures + 1, "graph": 1}
    for store, times in copies.items():
        measure = f"full.{store}_bytes"
        if not figures.has(measure):
            lines.append(f"{store}: not measured")
            continue
        each = figures.of(measure)
        total = each.scaled(network.mean * DAY * network.retention_days * times / network.disk_utilisation)
        lines.append(f"{store}: {network.mean:,.0f}/s × {DAY:,} s × {network.retention_days:g} days × {each.words()} B × {times} "
                     f"{'copy' if times == 1 else 'copies'} ÷ {network.disk_utilisation:g} = {sizes(total)}")
    brokers = 2 * network.failures + 1
    backlog = network.packs * 3600 * network.backlog_hours * network.pack_bytes / network.disk_utilisation
    lines.append(f"each of {brokers} brokers, which all hold everything: {network.packs:,.0f} packs/s × 3,600 s × "
                 f"{network.backlog_hours:g} hours × {network.pack_bytes:g} B ÷ {network.disk_utilisation:g} = {size(backlog)}")
    return lines


ASSUMPTIONS = (
    "An observation costs as much on these servers as on the measured one. Another processor or disk: run `sizing` there.",
    "The throughput of several servers is assumed to add up. The run had one server of each role on one machine; how servers "
    "affect each other was not measured.",
    "Each open connection of a mote takes memory of the brokers and the balancer. These figures do not include it.",
    "Full stores are assumed to cost as much as empty ones. Bytes per observation are those of fresh stores. MongoDB's "
    "include its operations log, which grows up to 256 MiB, so they are rather too high.",
)


def write(network, figures, asked, source, hold_out=""):
    """Returns the plan as Markdown. Raises NotEnough if the run does not allow a plan."""
    require_agreement(network, asked)
    parts = (
        ("Load", listed(load_lines(network))),
        ("Can this run be used to forecast?", listed(test_lines(figures, hold_out))),
        ("One server", listed(one_server_lines(network, figures))),
        ("Servers by role", [*server_table(network, figures), "", *listed(worker_lines(network, figures))]),
        ("Disk", listed(disk_lines(network, figures))),
        ("Assumptions", listed(ASSUMPTIONS)),
    )
    text = [f"# {network.title}", "", f"From {source}: {' and '.join(figures.subjects)}, {len(figures.samples)} guests. "
            "Intervals are for one more guest, at 95 %; `take` is for their high end.", ""]
    for number, (title, lines) in enumerate(parts, 1):
        text += [f"## {number}. {title}", "", *lines, ""]
    return "\n".join(text)


def listed(lines):
    return [f"- {each}" for each in lines]
