"""The screen of ir-top: lines of text, computed from two samples of all pages.

    frame.lines(before, after, width)
"""

import time
from dataclasses import dataclass

import exposition

PARTITION = "ir.observations."
DEAD_LETTERS = "ir.rejected"
MOST_REFUSED = 5


@dataclass
class Sample:
    """The metrics of all programs at one time."""

    when: float  # seconds, monotonic
    pages: dict  # {(job, name): Page, or an error text}; job "?": unknown, because the program never answered

    def of(self, job):
        return [page for (its, _), page in self.pages.items() if its == job and isinstance(page, exposition.Page)]

    def named(self, job):
        """Returns [(name, page or error text)] of the programs of a job."""
        return [(name, page) for (its, name), page in self.pages.items() if its == job]


class Change:
    """The changes from one sample to the next."""

    def __init__(self, before, after):
        self.before, self.after = before, after
        self.seconds = max(after.when - before.when, 1e-3)

    def increase(self, job, name, series, **labels):
        """Returns the increase of one program's counters. After a restart they count from 0."""
        old, new = (sample.pages.get((job, name)) for sample in (self.before, self.after))
        if not isinstance(old, exposition.Page) or not isinstance(new, exposition.Page):
            return 0.0
        now, was = new.total(series, **labels), old.total(series, **labels)
        return now - was if now >= was else now

    def rate(self, job, series, name=None, **labels):
        """The rate per second; without a name the sum over all programs of that job."""
        names = [name] if name else [each for each, _ in self.after.named(job)]
        return sum(self.increase(job, each, series, **labels) for each in names) / self.seconds

    def quantile(self, share, job, series):
        old, new = (exposition.buckets(sample.of(job), series) for sample in (self.before, self.after))
        return exposition.quantile(share, {bound: count - old.get(bound, 0) for bound, count in new.items()})


# ---- how values are written ----


def count(value):
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def duration(seconds):
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 120 else f"{seconds / 60:,.0f} min" if seconds < 7200 else f"{seconds / 3600:,.0f} h"


def mebibytes(value):
    return f"{value / 2**20:,.0f}"


def table(heads, rows):
    """Aligned lines: the first column is left-aligned, the last one is unchanged, the others are right-aligned."""
    cells = [heads, *rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads) - 1)]
    return ["  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:])), row[-1]])
            for row in cells]


def away(name, fault, columns):
    return [name, *["-"] * (columns - 2), fault]


# ---- the lines of the screen ----


def queues(sample):
    """{queue: (messages, consumers)}. The broker that leads a queue reports it."""
    found = {}
    for page in sample.of("broker"):
        consumers = {labels["queue"]: value for labels, value in page.rows("rabbitmq_detailed_queue_consumers")}
        for labels, value in page.rows("rabbitmq_detailed_queue_messages"):
            queue = labels["queue"]
            most = found.get(queue, (0, 0))
            found[queue] = (max(most[0], value), max(most[1], consumers.get(queue, 0)))
    return found


def summary(change):
    """The lines about the river as a whole."""
    after = change.after
    depth = {name: each for name, each in queues(after).items() if name.startswith(PARTITION)}
    backlog = sum(messages for messages, _ in depth.values()) if after.of("broker") else None
    unserved = sum(consumers == 0 for _, consumers in depth.values())
    oldest = max((page.total("ir_oldest_message_age_seconds") for page in after.of("worker")), default=None)
    letters = queues(after).get(DEAD_LETTERS, (0, 0))[0]
    refused = change.rate("worker", "ir_rejected_total") + change.rate("gateway", "ir_ingest_records_refused_total")
    stored = change.rate("worker", "ir_observations_total", state="stored")
    times = [duration(change.quantile(share, job, series)) for job, series in
             (("worker", "ir_arrival_seconds"), ("gateway", "ir_ingest_confirm_seconds")) for share in (0.5, 0.99)]
    return [
        f"in       {count(change.rate('worker', 'ir_messages_received_total'))} messages/s taken by workers, "
        f"{count(change.rate('gateway', 'ir_ingest_messages_total'))} by gateways",
        f"out      {count(stored)} observations/s stored, "
        f"{count(change.rate('worker', 'ir_messages_republished_total'))} messages/s published, {count(refused)} refused/s",
        f"backlog  {'?' if backlog is None else count(backlog)} messages, oldest {duration(oldest)}"
        f"; queues without consumer {unserved}; dead letters {count(letters)}",
        f"latency  arrival to stored p50 {times[0]}, p99 {times[1]}; gateways' confirm p50 {times[2]}, p99 {times[3]}",
    ]


def cpu(change, job, name):
    return f"{100 * change.rate(job, 'process_cpu_seconds_total', name):.0f}"


def worker_row(change, name, page):
    stores = [labels["stage"] for labels, value in page.rows("ir_stage_ready") if value == 0]
    state = "ready" if page.total("ir_ready") else "not ready" + (": " + ", ".join(stores) if stores else "")
    return [name, f"{page.total('ir_partitions'):.0f}", count(change.rate("worker", "ir_messages_acknowledged_total", name)),
            count(change.rate("worker", "ir_observations_total", name, state="stored")),
            duration(page.total("ir_oldest_message_age_seconds")), cpu(change, "worker", name),
            mebibytes(page.total("process_resident_memory_bytes")), state]


def gateway_row(change, name, page):
    held = sum(change.rate("gateway", "ir_http_requests_total", name, code=code) for code in ("429", "503"))
    state = "ready" if page.total("ir_ready") else "not ready" + (": blocked" if page.total("ir_broker_blocked") else "")
    return [name, count(change.rate("gateway", "ir_http_requests_total", name)), count(held),
            count(page.total("ir_ingest_connections")), count(page.total("ir_ingest_motes_waiting")),
            cpu(change, "gateway", name), mebibytes(page.total("process_resident_memory_bytes")), state]


def broker_row(change, name, page):
    alarms = [word for word, series in (("memory", "memory_used_watermark"), ("disk", "free_disk_space_watermark"),
                                        ("files", "file_descriptor_limit")) if page.total(f"rabbitmq_alarms_{series}")]
    return [name, count(change.rate("broker", "rabbitmq_global_messages_received_total", name)),
            count(change.rate("broker", "rabbitmq_global_messages_delivered_total", name)),
            count(page.total("rabbitmq_connections")), f"{page.total('rabbitmq_disk_space_available_bytes') / 2**30:,.1f}",
            mebibytes(page.total("rabbitmq_process_resident_memory_bytes")),
            "ALARM: " + ", ".join(alarms) if alarms else "ready"]


def balancer_row(change, name, page):
    denied = change.rate("balancer", "haproxy_frontend_denied_connections_total", name)
    down = [f"{labels['proxy']}/{labels['server']}" for labels, value in page.rows("haproxy_server_status", state="DOWN") if value]
    return [name, count(page.total("haproxy_process_current_connections")), count(denied),
            "down: " + ", ".join(down) if down else "all servers up"]


TABLES = (
    ("worker", ("WORKER", "PARTS", "MSG/S", "OBS/S", "OLDEST", "CPU%", "MIB", "STATE"), worker_row),
    ("gateway", ("GATEWAY", "REQ/S", "HELD/S", "CONNS", "WAITING", "CPU%", "MIB", "STATE"), gateway_row),
    ("broker", ("BROKER", "IN/S", "OUT/S", "CONNS", "DISK GIB", "MIB", "STATE"), broker_row),
    ("balancer", ("BALANCER", "CONNS", "DENIED/S", "SERVERS"), balancer_row),
    ("?", ("OTHER", "STATE"), None),
)


def program_lines(change):
    lines = []
    for job, heads, row in TABLES:
        named = change.after.named(job)
        if named:
            lines += table(heads, [row(change, name, page) if isinstance(page, exposition.Page) else
                                   away(name, page, len(heads)) for name, page in named])
    return lines


def refused_lines(change):
    """The motes with the most refusals since the programs started."""
    motes = {}
    for job, series in (("worker", "ir_rejected_top"), ("gateway", "ir_ingest_refused_top")):
        for page in change.after.of(job):
            for labels, value in page.rows(series):
                motes[labels["mote"]] = motes.get(labels["mote"], 0) + value
    most = sorted(motes.items(), key=lambda each: (-each[1], each[0]))[:MOST_REFUSED]
    return table(("REFUSED SINCE START", "MOTE"), [[count(value), mote] for mote, value in most]) if most else []


def fit(lines, width, height):
    """Cuts the lines to the size of the screen. Only ASCII, which every terminal can show."""
    if height is not None and len(lines) > height:
        lines = [*lines[: height - 1], f"... {len(lines) - height + 1} more lines: use a taller terminal, or --once"]
    return [line.encode("ascii", "backslashreplace").decode("ascii")[:width].rstrip() for line in lines]


def lines(before, after, title, width=80, height=None):
    """All lines of the screen. Without a height they are not cut."""
    change = Change(before, after)
    head = f"ir-top  {title}  {time.strftime('%Y-%m-%d %H:%M:%S')}  over {change.seconds:.1f} s"
    refused = refused_lines(change)
    return fit([head, *summary(change), *program_lines(change), *refused], width, height)
