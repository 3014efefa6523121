#!/usr/bin/python3
"""Recomputes the figures of a report from the files of its samples, without the package that wrote it.

    bench/recheck.py [FOLDER…]      without one: out/bench/latest

It computes with sha256sum, Python's library and one function of SciPy. Of each run it checks:

    checksums     no file of the run has changed, appeared or vanished since it ended
    samples p50 and p99 follow from the histograms, rates from the generator's summaries, processor time per observation
    from its parts and from the number of republished observations
    comparisons   ratios and intervals in comparisons.csv follow from the samples
    relabelings   of 1,000 random exchanges of the reference with itself, block by block, at most 7 % show a difference

The exit status is 1 if a check fails.
"""

import argparse
import csv
import json
import math
import random
import re
import statistics
import subprocess
import sys
from pathlib import Path

from scipy import stats

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "ingest"))

import guard  # noqa: E402 - it reports errors, and computes nothing

LATEST = ROOT / "out" / "bench" / "latest"
EXACT = 1e-9  # relative; the same arithmetic in another order
PERCENTILES = {"p50_ms": 0.50, "p99_ms": 0.99}
LEAST_PAIRS = 6  # fewer give no verdict
RELABELINGS, SEED, MOST_WRONG = 1000, 1, 0.07
LEVEL = 0.95


# ---- checksums ----


def changed(run):
    """The files that changed since the run ended."""
    if not (run / "checksums").is_file():
        return ["the run never ended: it has no checksums"]
    argv = ["sha256sum", "--check", "--quiet", "checksums"]
    done = subprocess.run(argv, cwd=run, capture_output=True, text=True, check=False)
    listed = {line.split("  ", 1)[1] for line in (run / "checksums").read_text().splitlines()}
    here = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    fresh = sorted(name for name in here - listed if name != "checksums" and not name.startswith("report/"))
    return done.stdout.splitlines() + [f"{name}: not there when the run ended" for name in fresh]


# ---- samples ----


def samples(part):
    return [json.loads(line) for line in (part / "samples.jsonl").read_text().splitlines()]


def percentile(path, share):
    """Reads a percentile from a histogram in HdrHistogram's text format: value, percentile, count, …"""
    for line in path.read_text().splitlines():
        words = line.split()
        if len(words) >= 3 and words[0][0].isdigit() and float(words[1]) >= share:
            return float(words[0])
    return None


def recomputed(stretch, folder, parts):
    """Returns {measure: value} of one stretch of a sample, from the generator's files and the parts of the processor
    time."""
    summary = json.loads((folder / "summary.json").read_text())
    values = {what: percentile(folder / "latency_corrected.hgrm", share) for what, share in PERCENTILES.items()
              if (folder / "latency_corrected.hgrm").is_file()}
    values["rate"] = summary["observations_per_second_end_to_end"]
    if parts and summary["observations_republished"]:
        done = summary["observations_republished"]
        values["cpu_us"] = (parts["guest"] + parts["kernel"]) / done * 1e6
        values["busy_cores"] = parts["busy"] / parts["wall"]
    return {f"{stretch}.{what}": value for what, value in values.items() if value is not None}


def wrong_samples(part):
    """Returns ([what disagrees], the number of figures) of an experiment."""
    wrong, count = [], 0
    for line in samples(part):
        name = re.sub("[^A-Za-z0-9_.-]", "_", line["subject"])
        folder = part / "samples" / f"{line['block']:03}-{name}"
        for summary in sorted(folder.glob("*/summary.json")):
            stretch = summary.parent.name
            for measure, value in recomputed(stretch, summary.parent, line["parts"].get(stretch)).items():
                told = line["measures"].get(measure)
                if told is not None:
                    count += 1
                    if not math.isclose(told, value, rel_tol=EXACT):
                        wrong.append(f"{part.name}, block {line['block'] + 1}, {line['subject']}: {measure} is {told}, "
                                     f"its files say {value}")
    return wrong, count


# ---- comparisons ----


def paired(part, first, second, measure):
    """Returns [(value of first, value of second)] over the blocks in which both have one."""
    found = {}
    for line in samples(part):
        if line["status"] == "ok" and line["measures"].get(measure):
            found.setdefault(line["block"], {})[line["subject"]] = line["measures"][measure]
    return [(by[first], by[second]) for by in found.values() if first in by and second in by]


def interval(pairs, level):
    """Returns (ratio, low, high) by the one-sample t-test of the logarithms, or (ratio,) if there is only one pair."""
    logs = [math.log(second / first) for first, second in pairs]
    ratio = math.exp(math.fsum(logs) / len(logs))
    if len(logs) < 2 or len(set(logs)) == 1:
        return (ratio,)
    return (ratio, *map(math.exp, stats.ttest_1samp(logs, 0).confidence_interval(level)))


def wrong_comparisons(run):
    wrong, count = [], 0
    with open(run / "report" / "comparisons.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["ratio"]]
    for row in rows:
        pairs = paired(run / row["experiment"], row["against"], row["subject"], row["measure"])
        for told, value in zip((row["ratio"], row["low"], row["high"]), interval(pairs, float(row["level"]))):
            count += 1
            if not math.isclose(float(told), value, rel_tol=EXACT):
                wrong.append(f"{row['experiment']}, {row['subject']} against {row['against']}: {row['measure']} is {told}, "
                             f"the samples say {value}")
    return wrong, count


# ---- relabelings ----


def relabelled(part, numbers):
    """Returns the share of RELABELINGS in which any primary measure of the reference differs from itself; None with too
    few blocks."""
    plan = json.loads((part / "plan.json").read_text())
    first, again = (each["name"] for each in plan["subjects"][:2])
    measures = re.findall(r'^measure = "(.*)"', (part / "experiment.toml").read_text(), re.M)
    compared = [[math.log(two / one) for one, two in paired(part, first, again, each)] for each in measures]
    compared = [logs for logs in compared if len(logs) >= LEAST_PAIRS]
    if not compared:
        return None
    level = 1 - (1 - LEVEL) / len(measures)
    critical = {len(logs): stats.t.ppf((1 + level) / 2, len(logs) - 1) for logs in compared}
    wrong = 0
    for _ in range(RELABELINGS):
        signs = [numbers.choice((-1, 1)) for _ in range(max(critical))]  # exchanging the two inverts their ratio
        exchanged = [[sign * log for sign, log in zip(signs, logs)] for logs in compared]
        wrong += any(abs(statistics.fmean(logs)) * math.sqrt(len(logs)) > critical[len(logs)] * statistics.stdev(logs)
                     for logs in exchanged)
    return wrong / RELABELINGS


# ---- the whole check ----


def tell(what, wrong, words):
    print(f"{what}: {'; '.join(wrong[:5]) if wrong else words}" + (f"; {len(wrong)} in all" if len(wrong) > 5 else ""))
    return bool(wrong)


def check(run):
    """Prints a line for each check of a run. Returns whether one failed."""
    print(f"{run.name}")
    parts = sorted(path.parent for path in run.glob("*/samples.jsonl"))
    failed = tell("  checksums", changed(run), "unchanged")
    for part in parts:
        wrong, count = wrong_samples(part)
        failed |= tell(f"  {part.name}: samples", wrong, f"{count} figures follow from their files")
    wrong, count = wrong_comparisons(run)
    failed |= tell("  comparisons", wrong, f"{count} figures follow from the samples")
    numbers = random.Random(SEED)
    for part in parts:
        share = relabelled(part, numbers)
        told = f"fewer than {LEAST_PAIRS} blocks" if share is None else f"{share:.1%} show a difference, {MOST_WRONG:.0%} may"
        failed |= tell(f"  {part.name}: relabelings", [told] if share and share > MOST_WRONG else [], told)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", metavar="FOLDER", type=Path, default=[LATEST])
    runs = [each.resolve() for each in parser.parse_args().folders]
    for run in runs:
        if not (run / "report" / "comparisons.csv").is_file():
            raise guard.Fault(f"{run} is not the folder of a run with a report")
    return int(any([check(run) for run in runs]))


if __name__ == "__main__":
    guard.run("bench/recheck.py", main)
