"""Reads the /metrics pages of our programs, RabbitMQ and HAProxy, in Prometheus' text format 0.0.4.

    page = fetch("127.0.0.1:9400")
    page.total("ir_messages_received_total"), page.rows("ir_rejected_top")
"""

import http.client
import re

SERIES = re.compile(r'([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"')
MOST_BYTES = 64 * 1024 * 1024
# The brokers' page with the metrics of each queue.
QUEUES = "/metrics/detailed?vhost=%2F&family=queue_coarse_metrics&family=queue_consumer_count"
# {job: a metric that only its page has}
SIGNS = {"worker": "ir_batches_total", "gateway": "ir_ingest_connections", "balancer": "haproxy_process_uptime_seconds",
         "broker": "rabbitmq_build_info"}


class Page:
    """The metrics of one program at one time."""

    def __init__(self, text=""):
        self.series = {}  # {name: [(labels, value)]}
        self.read(text)

    def read(self, text):
        for line in text.splitlines():
            found = SERIES.match(line)
            if found:
                name, labels, value = found.groups()
                told = {key: unquoted(word) for key, word in LABEL.findall(labels or "")}
                # RabbitMQ 3 quotes its NaN.
                self.series.setdefault(name, []).append((told, float(value.strip("'"))))

    def rows(self, name, **labels):
        """Returns [(labels, value)] of the series that have these labels."""
        return [(told, value) for told, value in self.series.get(name, ())
                if all(told.get(key) == word for key, word in labels.items())]

    def total(self, name, **labels):
        """Returns the sum of these series; 0 if there are none."""
        return sum(value for _, value in self.rows(name, **labels))

    @property
    def job(self):
        """The kind of the program; None if unknown."""
        return next((job for job, sign in SIGNS.items() if sign in self.series), None)


def unquoted(text):
    return re.sub(r"\\(.)", lambda found: "\n" if found.group(1) == "n" else found.group(1), text)


def get(address, path, seconds):
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=seconds)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read(MOST_BYTES).decode(errors="replace")
    finally:
        connection.close()
    if answer.status != 200:
        raise OSError(f"{path} answers {answer.status}")
    return text


def fetch(address, seconds=2):
    """Fetches the page of HOST:PORT. Raises OSError if there is no answer in time, or no metrics in it."""
    try:
        page = Page(get(address, "/metrics", seconds))
        if page.job == "broker":
            page.read(get(address, QUEUES, seconds))
    except http.client.HTTPException as error:
        raise OSError(f"no HTTP: {error!r}") from error
    if page.job is None:
        raise OSError("not one of a river's programs")
    return page


def buckets(pages, name):
    """{upper bound: count} of a histogram, summed over all pages."""
    found = {}
    for page in pages:
        for labels, value in page.rows(f"{name}_bucket"):
            bound = float(labels["le"])
            found[bound] = found.get(bound, 0) + value
    return found


def quantile(share, counted):
    """Computes a quantile like PromQL's histogram_quantile: linearly within a bucket; above the last bound, it returns
    that bound. None without values."""
    bounds = sorted(counted)
    total = counted[bounds[-1]] if bounds else 0
    if total <= 0:
        return None
    below, lower = 0, 0.0
    for bound in bounds:
        if counted[bound] >= share * total:
            if bound == float("inf"):
                return lower
            return lower + (bound - lower) * (share * total - below) / (counted[bound] - below)
        below, lower = counted[bound], bound
    return lower
