"""Makes a stored run like one of `ir-bench run`, from values that a test chooses."""

import math
import random

from ir_bench import experiment
from ir_bench.rundir import FORMAT, RunDir

SUBJECTS = ("bare", "bare-again", "lxc")
SHEET = {"all: processors": "0-1", "all: memory limit": "2147483648", "all: kernel": "6.1", "all: network": "bridge"}
QUIET = {"loop_ns": 1.0, "walk_ns": 100.0, "sync_us": 300.0}


def sample(block, position, subject, measures, disturbed=(), sheet=None, emulated=False):
    return {"block": block, "position": position, "subject": subject, "status": "ok", "why": "", "seconds": 50,
            "measures": measures, "parts": {},
            "canaries": [QUIET, QUIET], "disturbed": {"": list(disturbed)} if disturbed else {}, "no_ratio": {}, "notes": {},
            "likeness": {**SHEET, **(sheet or {})}, "figures": {"emulated": emulated}}


def measures(draw, p50=1.0, cpu=1.0, rate=1.0, again=False):
    told = {"fixed.p50_ms": 5 * p50 * draw(0.01), "fixed.p99_ms": 30 * draw(0.2), "fixed.cpu_us": 126 * cpu * draw(0.005),
            "fixed.batch": 20 * draw(0.01), "full.rate": 38000 * rate * draw(0.05)}
    if again:
        told.update({"quota.rate": 0.55 * told["full.rate"] * draw(0.01), "quota.expected": 0.54})
    return told


SCOUTED = {"generator_ceiling": 3000000, "fixed": [{"name": "fixed", "rate": 15000, "seconds": 10}],
           "full_observations": 450000}


def store(parent, blocks=8, seed=1, change=lambda line: line, proofs=None, name="quick", scouted=None, **of_lxc):
    """Makes a run of one experiment and returns its folder. `of_lxc`: factors by which lxc's p50, processor time and
    rate differ from bare metal's. `change` may alter the line of a sample."""
    numbers = random.Random(seed)

    def draw(deviation):
        return math.exp(numbers.gauss(0, deviation))

    run = RunDir.create(parent, name)
    subjects = [{"name": each, "platform": each.partition("-")[0]} for each in SUBJECTS]
    run.write("facts.json", {"commit": "abc", "time": "today", "cores": 2, "cpu": "a processor", "versions": {}})
    run.write("run.json", {"format": FORMAT, "experiments": [name], "seed": seed, "subjects": {name: subjects}, "repeats": [6, 12]})
    part = run.parts()[0]
    part.write_text("experiment.toml", experiment.read(name)[1])
    part.write("plan.json", {
        "experiment": name, "seed": seed, "subjects": subjects, "thresholds": QUIET,
        "tuning": {"cpu.pin": "0-1", "memory.limit": 2147483648}, "generator": {"cpu.pin": "0-1", "cpu.shares": 1024},
        "scouted": scouted or SCOUTED})
    for block in range(blocks):
        for position, subject in enumerate(SUBJECTS):
            factors = of_lxc if subject == "lxc" else {}
            line = sample(block, position, subject, measures(draw, **factors, again=subject == "bare-again"))
            part.append(change(line))
    loop = {"status": "ok", "why": "", "measures": {"loop.halved": 0.501}}
    part.write("proofs.json", {"loop": proofs if proofs is not None else {"bare": loop, "lxc": loop}})
    part.write("status.json", {"status": "done", "ended_by": "precision"})
    run.write("status.json", {"status": "done"})
    run.seal()
    return part
