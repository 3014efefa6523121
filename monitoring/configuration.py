"""Prometheus' configuration for a river: the files of this folder, and the targets that they name.

    write("river/monitoring", targets, doors)

A target is {"job": "worker", "name": "worker-1", "address": "HOST:PORT"}; jobs are broker, balancer, gateway and
worker. A door is a listener with TLS, {"name": "https", "address": "HOST:PORT"}. prometheus-blackbox-exporter, on
Prometheus' machine, connects to it.
"""

import json
import re
from pathlib import Path

import atomic

HERE = Path(__file__).resolve().parent
FILES = ("prometheus.yml", "rules.yml", "alerts.yml")
EXPORTER_FILE = "blackbox.yml"
BLACKBOX = "127.0.0.1:9115"  # the address of Debian's service
JOBS = ("broker", "balancer", "gateway", "worker")
# A duration as these files write it: after a colon or "offset", or in brackets.
DURATION = re.compile(r"(?<=: )(\d+)([smhd])$|(?<=\[)(\d+)([smhd])(?=\])|(?<=offset )(\d+)([smhd])\b", re.M)
MILLISECONDS = {"s": 1000, "m": 60000, "h": 3600000, "d": 86400000}


def paced(text, pace):
    """The same text with all durations divided by `pace`: with 60, an hour becomes a minute. So tests can run the real
    rules in a short time."""

    def shorter(found):
        number, unit = (each for each in found.groups() if each)
        return f"{max(1, int(number) * MILLISECONDS[unit] // pace)}ms"

    return text if pace == 1 else DURATION.sub(shorter, text)


def targets_file(targets, job):
    """The text of a file for Prometheus' file_sd_configs."""
    return json.dumps([{"targets": [each["address"]], "labels": {"instance": each["name"]}}
                       for each in targets if each["job"] == job], indent=2) + "\n"


def doors_file(doors, blackbox):
    """The scrape configuration for the doors: Prometheus asks the exporter, which takes the door as a parameter."""
    return json.dumps([{"targets": [blackbox], "labels": {"instance": each["name"], "__param_target": each["address"]}}
                       for each in doors], indent=2) + "\n"


def write_file(path, text):
    """Replaces a file as a whole, because Prometheus reads the targets whenever they change."""
    atomic.write(path, text, atomic.PUBLIC, lasting=False)


def write(folder, targets, doors, blackbox=BLACKBOX, pace=1):
    """Writes all files into the folder; returns the path of prometheus.yml."""
    folder = Path(folder)
    (folder / "targets").mkdir(parents=True, exist_ok=True)
    for job in JOBS:
        write_file(folder / "targets" / f"{job}.json", targets_file(targets, job))
    write_file(folder / "targets" / "door.json", doors_file(doors, blackbox))
    write_file(folder / EXPORTER_FILE, (HERE / EXPORTER_FILE).read_text(encoding="utf-8"))
    for name in FILES:
        write_file(folder / name, paced((HERE / name).read_text(encoding="utf-8"), pace))
    return folder / FILES[0]
