"""Keeps the whole pipeline under steady load and checks that no process grows: make soak [MINUTES=30] [RATE=0].

On a separate stack (one broker, two gateways, two workers, and the stores of DOCUMENTS= and GRAPH=) ir-loadgen sends
for a thousand simulated motes over AMQP, MQTT and HTTP: RATE observations a second, or with RATE=0 half of the rate
that an initial burst reached. Every ten seconds the memory, the descriptors and the threads of each process are noted
in out/soak/samples.csv. At the end out/soak/report.md compares the second quarter of the time with the last one. The
exit status is 1 when the descriptors of one of our own programs or the memory of a worker or gateway grew, or anything is
missing, duplicated or foreign. The memory of ir-loadgen is only shown: its table of sent messages has a fixed size, but
its pages are first used during the run. If it was killed, the next call stops what it left running.
"""

import argparse
import csv
import json
import os
import re
import statistics
import sys
import threading
import time
from pathlib import Path

from ir_bench import ROOT

import facts
import guard
import load
import servers
import stack
import variables
from prepare import prepare

OUT = ROOT / "out" / "soak"
MOTES = 1000
PERIOD_SECONDS = 10
BURST_SECONDS = 20
BURST_RATE = 1000000  # more than any machine takes
COLUMNS = ("seconds", "process", "rss_mib", "descriptors", "threads", "cpu_s")
WITHOUT_TABLE = ("worker", "gateway")  # their memory may not grow
OURS = (*WITHOUT_TABLE, "ir-loadgen")
GROWTH, GROWTH_MIB = 1.1, 8  # allowed growth of memory between the two quarters, because the allocator's caches fill up
MORE_DESCRIPTORS = 4  # allowed growth of descriptors: connections come and go
TICKS = os.sysconf("SC_CLK_TCK")


def sample(pid):
    """Returns (MiB, descriptors, threads, seconds of CPU) of a process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    used = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024, len(os.listdir(f"/proc/{pid}/fd")),
            int(re.search(r"Threads:\s+(\d+)", status).group(1)), (int(used[11]) + int(used[12])) / TICKS)


class Sampler(threading.Thread):
    """Notes all processes until stop()."""

    def __init__(self, running, path):
        super().__init__(daemon=True)
        self.running, self.path, self.over, self.rows = running, path, threading.Event(), []
        self.generator = None  # its process, while there is one

    def processes(self):
        running = self.running
        named = {each.name: each.process
                 for each in (*running.workers, *running.gateways, *running.cluster.members, *running.stores())}
        named["haproxy"] = running.balancer.process
        return {**named, "ir-loadgen": self.generator}

    def run(self):
        begun = time.monotonic()
        with open(self.path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            while not self.over.wait(PERIOD_SECONDS):
                for name, process in self.processes().items():
                    if process is not None and process.alive():
                        self.rows.append((time.monotonic() - begun, name, *sample(process.pid)))
                        writer.writerow([f"{value:.1f}" if isinstance(value, float) else value for value in self.rows[-1]])
                file.flush()

    def stop(self):
        self.over.set()
        self.join()


class Soak(load.Load):
    """Runs the load; registers the generator with `sampler`."""

    sampler = None

    def begin(self, *words, log=None):
        process = super().begin(*words, log=log)
        if self.sampler:
            self.sampler.generator = process
        return process


def capacity(running):
    """Observations a second, by a burst."""
    burst = load.Load(running.description(), running.out / "burst", "mix")
    sent = burst.simulate(MOTES, 1, [f"--rate={BURST_RATE}", f"--duration={BURST_SECONDS}s"])
    return sent["observations_per_second_end_to_end"]


def medians(rows, name, begin, end):
    found = [row for row in rows if row[1] == name and begin <= row[0] < end]
    return [statistics.median(column) for column in list(zip(*found))[2:5]] if found else None


def compare(rows):
    """Returns (a line of the table for each process, what grew)."""
    last = rows[-1][0]
    lines, grew = [], []
    for name in dict.fromkeys(row[1] for row in rows):
        early, late = medians(rows, name, last / 4, last / 2), medians(rows, name, 3 * last / 4, last + 1)
        if not early or not late:
            continue
        most = max(row[2] for row in rows if row[1] == name)
        lines.append(f"| {name} | {early[0]:.1f} | {late[0]:.1f} | {most:.1f} | {early[1]:.0f} | {late[1]:.0f} "
                     f"| {early[2]:.0f} | {late[2]:.0f} |")
        if name.startswith(WITHOUT_TABLE) and late[0] > GROWTH * early[0] + GROWTH_MIB:
            grew.append(f"{name}: memory grew from {early[0]:.1f} to {late[0]:.1f} MiB")
        if name.startswith(OURS) and late[1] > early[1] + MORE_DESCRIPTORS:
            grew.append(f"{name}: descriptors grew from {early[1]:.0f} to {late[1]:.0f}")
    return lines, grew


def report(rate, minutes, sent, verdict, rows):
    lines, wrong = compare(rows)
    stored = {key: load.total(verdict, key) for key in ("missing", "doubled", "foreign")}
    wrong += [f"{count} {key}" for key, count in stored.items() if count]
    wrong += load.judged(sent)
    text = ["# Soak", "", f"{minutes} minutes at {rate:.0f} observations a second: {sent['observations_confirmed']:,} confirmed, "
            f"{', '.join(f'{count} {key}' for key, count in stored.items())}; p99 to the confirm "
            f"{sent['confirm_latency_ms']['p99']:.1f} ms, end to end {sent['latency_ms']['p99']:.1f} ms.", "",
            "| process | MiB, 2nd quarter | last | most | descriptors, 2nd quarter | last | threads, 2nd quarter | last |",
            "|" + "---|" * 8, *lines, "", *(wrong or ["Nothing grew."]), "",
            *(f"- {key}: {value}" for key, value in facts.collect(ROOT, "", "").items()), ""]
    (OUT / "report.md").write_text("\n".join(text), encoding="utf-8")
    print("\n".join(text))
    return 1 if wrong else 0


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    minutes = variables.read(os.environ, "MINUTES", "soak")
    rate = variables.read(os.environ, "RATE", "soak")
    servers.stop_on_signals()
    settings = stack.Settings(os.environ)
    prepare(*(each for each in (settings.documents, settings.graph) if each not in ("sqlite", "nquads", "null")))
    stack.begin_in(OUT, "make soak")
    OUT.mkdir(parents=True)
    running = stack.Stack(settings, OUT / "stack")
    sampler = Sampler(running, OUT / "samples.csv")
    try:
        running.start()
        rate = rate or capacity(running) / 2
        print(f"soak: {rate:.0f} observations a second for {minutes} minutes", file=sys.stderr, flush=True)
        sampler.start()
        soak = Soak(running.description(), running.out / "load", "mix")
        soak.sampler = sampler
        sent = soak.simulate(MOTES, 2, [f"--rate={rate:.0f}", f"--duration={60 * minutes}s"])
        sampler.stop()
        verdict = soak.verify(known=[running.out / "burst"] if (running.out / "burst").is_dir() else ())
        (OUT / "run.json").write_text(json.dumps({"sent": sent, "verdict": verdict}, indent=1), encoding="utf-8")
    finally:
        servers.stop_all()
    return report(rate, minutes, sent, verdict, sampler.rows)


if __name__ == "__main__":
    guard.run("make soak", main)
