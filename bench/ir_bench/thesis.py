"""Shows what 'Virtualizing Intelligent River' (Clemson University, 2013) measured, beside what was measured here.

bench/data/thesis_2013.csv holds the figures, read from the thesis's tables and charts. The thesis used one machine for
each of bare metal, LXC, KVM and Xen (four cores, 8 GB, a disk of 7,200/min) and one run each. It gives no spread, so no
figure has an interval. A figure is shown as a ratio to the thesis's own bare metal. The last column of the file
may say why a ratio would mislead, for example because bare metal had more processors or because the page cache was
measured. Then the value is shown without a ratio, with this reason.
"""

import csv
import statistics
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).resolve().parents[1] / "data" / "thesis_2013.csv"
PLATFORMS = ("bare", "lxc", "kvm", "xen")
HEADER = ["experiment", "metric", "unit", "better", *PLATFORMS, "no_ratio_because"]

# (experiment, metric) of the thesis: the most similar measure of an experiment here.
NEAREST = {
    ("worker-1000", "1000 observations by one worker from queue into all stores"): "bursts.seconds",
    ("components", "RabbitMQ publish 50000 by 8 threads"): "publish.seconds",
    ("components", "RabbitMQ consume 50000 by 8 threads"): "consume.seconds",
    ("components", "MongoDB insert 12000 by 4 threads"): "documents-insert.seconds",
    ("components", "MongoDB find 12000 by 4 threads"): "documents-find.seconds",
    ("components", "MongoDB set 12000 by 4 threads"): "documents-update.seconds",
    ("components", "triplestore insert 1000"): "graph-insert.seconds",
    ("components", "triplestore retrieve 1000"): "graph-retrieve.seconds",
    ("w1 8 vCPU", "primes"): "primes.seconds",
    ("w1 8 vCPU", "threads and mutexes"): "threads.seconds",
    ("w1 8 vCPU", "500 RSA keys"): "rsa.signs",
    ("w2 guest 8 GB of 8", "mbw 2000 MiB"): "equal-mbw.mib",
    ("w2 guest 5 GB of 8", "mbw 2000 MiB"): "below-mbw.mib",
    ("w2 guest 10 GB of 8", "mbw 2000 MiB"): "above-mbw.mib",
    ("w3", "iperf bridged"): "bridge-out.mbit",
    ("w3", "iperf NAT"): "nat-out.mbit",
    ("w4 sequential", "10000 reads"): "seq-read.mib",
    ("w4 sequential", "10000 writes"): "seq-write.mib",
    ("w4 random", "10000 reads"): "rand-read.iops",
    ("w4 random", "10000 writes"): "rand-write.iops",
    ("w4 random", "10000 reads and writes"): "rand-mixed.iops",
    ("w4 dd 1 GiB files", "fdatasync"): "dd-fdatasync.seconds",
    ("w4 dd 1 GiB files", "dsync"): "dd-dsync.seconds",
    ("systems", "LINPACK 5000"): "hpcc.gflops",
    ("systems", "STREAM triad"): "hpcc.mib",
    ("systems", "IOzone read"): "cache-read.mib",
    ("systems", "IOzone write"): "cache-write.mib",
    ("systems", "nginx with ab 500000 by 100"): "nginx.requests",
    ("systems", "pgbench"): "pgbench.tps",
    ("systems", "pybench"): "python.ms",
    ("systems", "phpbench"): "php.seconds",
    ("flexibility", "provision a guest with its system"): "provision.seconds",
    ("flexibility", "boot"): "boot.seconds",
    ("flexibility", "reboot"): "reboot.seconds",
    ("flexibility", "clone"): "clone.seconds",
}


@dataclass(frozen=True)
class Row:
    experiment: str
    metric: str
    unit: str
    better: str  # "lower" or "higher"
    values: dict  # {platform: text}, "" if the thesis has none
    no_ratio_because: str

    def ratio(self, platform):
        """The ratio to the thesis's own bare metal; None if there is none."""
        if platform == "bare" or self.no_ratio_because or not self.values["bare"] or not self.values[platform]:
            return None
        return float(self.values[platform]) / float(self.values["bare"])

    def text(self, platform):
        """The value in the thesis, with its ratio if there is one."""
        ratio = self.ratio(platform)
        return self.values[platform] + (f" (×{ratio:.2f})" if ratio else "")


def read(path=DATA):
    with open(path, encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    if lines[0] != HEADER or any(len(line) != len(HEADER) for line in lines):
        raise ValueError(f"{path}: its columns are not {', '.join(HEADER)}")
    return [Row(*line[:4], values=dict(zip(PLATFORMS, line[4:8])), no_ratio_because=line[8]) for line in lines[1:]]


def of(experiment, rows):
    """The rows of an experiment. The thesis may have several settings of it: "w1" also matches "w1 1 vCPU"."""
    return [row for row in rows if row.experiment == experiment or row.experiment.startswith(f"{experiment} ")]


def beside(found):
    """Lines for the report of an analysis.Analysis: {"row": Row, "nearest": the nearest measure here in words, "ours":
    [text by subject]}."""
    lines = []
    for row in of(found.experiment.name, read()):
        measure = NEAREST.get((row.experiment, row.metric))
        here = measure if measure in found.measures() else None
        nearest = f"{found.describe(here)}, {found.kind.measure(here).unit}" if here else ""
        lines.append({"row": row, "nearest": nearest, "ours": [ours(found, each, here) for each in found.subjects]})
    return lines


def ours(found, subject, measure):
    """A subject's median, and its ratio if the report gives one."""
    values = list(found.values(subject, measure).values()) if measure else []
    if not values:
        return ""
    ratio = next((each.finding.all.estimate for each in found.compared
                  if (each.subject, each.measure) == (subject, measure) and each.finding), None)
    digits = found.kind.measure(measure).digits
    return f"{statistics.median(values):,.{digits}f}" + (f" (×{ratio:.3f})" if ratio else "")
