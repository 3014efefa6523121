#!/usr/bin/env python3
"""Writes the *.golden files beside it: series with the flags that ioos_qc gives them.

Run by hand when a case is added (pip install ioos_qc); the tests only read the files. Lines:
interval S | gross_fail L H | gross_suspect L H | spike METHOD SUSPECT FAIL | rate R |
flat TOLERANCE SUSPECT_S FAIL_S | climatology PERIOD FROM TO SUSPECT_L SUSPECT_H [FAIL_L FAIL_H] |
p TIME_S VALUE GROSS CLIMATOLOGY SPIKE RATE FLAT AGGREGATE ("-" stands for a limit that is absent)
"""
import argparse
import csv
import gzip
import math
import pathlib
import random

import numpy as np
from ioos_qc import qartod

HERE = pathlib.Path(__file__).parent
REPLAY = HERE.parents[2] / "loadgen" / "usgs_river_observations.csv.gz"
PRECEDENCE = [9, 2, 1, 3, 4]


def real_series(station, parameter):
    """One series of the replay data as (seconds, value)."""
    with gzip.open(REPLAY, "rt") as file:
        rows = [r for r in csv.DictReader(file)
                if station in r["station"] and r["parameter"] == parameter]
    times = [np.datetime64(r["time_utc"].rstrip("Z")).astype("datetime64[s]").astype(int)
             for r in rows]
    return sorted(zip(map(int, times), (float(r["value"]) for r in rows)))


def made_series(seed, count, interval, gaps):
    """A random walk with steps, flat stretches and spikes."""
    rng = random.Random(seed)
    time, value, flat, points = 1304208000, 10.0, 0, []
    for _ in range(count):
        time += interval * (rng.randint(2, 6) if rng.random() < gaps else 1)
        if flat:
            flat -= 1
        else:
            value = round(value + rng.gauss(0, 0.4), 2)
            flat = rng.randint(3, 12) if rng.random() < 0.05 else 0
        spike = rng.choice([-6, -3, 3, 6]) if rng.random() < 0.04 else 0
        points.append((time, round(value + spike, 2)))
    return points


def climatology(members, values, times):
    config = qartod.ClimatologyConfig()
    for period, begin, end, suspect, fail in members:
        if period == "time":
            config.add(tspan=(np.datetime64(begin, "s"), np.datetime64(end, "s")),
                       vspan=suspect, fspan=fail)
        else:
            name = {"month": "month", "week": "week", "day": "dayofyear"}[period]
            config.add(tspan=(begin, end), vspan=suspect, fspan=fail, period=name)
    return qartod.climatology_test(config, values, times, np.zeros(len(values)))


def flags_of(limits, points):
    times = np.array([np.datetime64(t, "s") for t, _ in points]).astype("datetime64[ns]")
    values = np.array([v for _, v in points])
    none = np.full(len(points), 2)
    columns = [
        qartod.gross_range_test(values, limits["gross_fail"], limits.get("gross_suspect"))
        if "gross_fail" in limits else none,
        climatology(limits["climatology"], values, times) if "climatology" in limits else none,
        qartod.spike_test(values, limits["spike"][1], limits["spike"][2],
                          method=limits["spike"][0]) if "spike" in limits else none,
        qartod.rate_of_change_test(values, times, limits["rate"]) if "rate" in limits else none,
        qartod.flat_line_test(values, times, limits["flat"][1], limits["flat"][2],
                              limits["flat"][0]) if "flat" in limits else none,
    ]
    return [[int(c[i]) for c in columns] for i in range(len(points))]


def text(number):
    return "-" if number is None else repr(number)


def write(name, interval, limits, points):
    lines = [f"interval {interval}"]
    for key in ("gross_fail", "gross_suspect", "spike", "rate", "flat"):
        if key in limits:
            value = limits[key] if isinstance(limits[key], tuple) else (limits[key],)
            lines.append(" ".join([key] + [v if isinstance(v, str) else text(v) for v in value]))
    for period, begin, end, suspect, fail in limits.get("climatology", []):
        lines.append(f"climatology {period} {begin} {end} {suspect[0]} {suspect[1]}"
                     + (f" {fail[0]} {fail[1]}" if fail else ""))
    for (time, value), flags in zip(points, flags_of(limits, points)):
        assert math.isfinite(value)
        aggregate = max(flags, key=PRECEDENCE.index)
        lines.append(" ".join(map(str, ["p", time, value, *flags, aggregate])))
    (HERE / f"{name}.golden").write_text("\n".join(lines) + "\n")


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    everything = {
        "gross_fail": (-5.0, 25.0), "gross_suspect": (0.0, 18.0), "spike": ("average", 2.0, 4.0),
        "rate": 0.002, "flat": (0.05, 2700, 5400),
        "climatology": [("month", 5, 5, (2.0, 14.0), (0.0, 16.0)),
                        ("week", 18, 19, (4.0, 13.0), None),
                        ("day", 122, 123, (6.0, 12.0), (1.0, 15.0)),
                        ("time", 1304640000, 1304726400, (8.0, 12.0), (7.0, 13.0))]}
    write("made_everything", 900, everything, made_series(1, 600, 900, 0))
    write("made_with_gaps", 900, everything, made_series(2, 600, 900, 0.05))
    write("made_differential", 60,
          {"gross_fail": (0.0, 30.0), "spike": ("differential", 1.0, 2.5), "rate": 0.05,
           "flat": (0.5, 120, 600)}, made_series(3, 400, 60, 0.02))
    write("made_suspect_only", 900,
          {"gross_fail": (-100.0, 100.0), "spike": ("average", 1.0, None)},
          made_series(4, 200, 900, 0))
    write("made_short_window", 900, {"gross_fail": (-100.0, 100.0), "flat": (1.0, 900, 900)},
          made_series(5, 100, 900, 0))
    write("made_two_points", 900, everything, made_series(6, 2, 900, 0))
    write("made_one_point", 900, everything, made_series(6, 1, 900, 0))
    for parameter, spike, rate in (("63680", (50.0, 150.0), 0.05), ("00060", (40.0, 120.0), 0.02),
                                   ("00010", (0.5, 1.0), 0.0005)):
        write(f"usgs_08068500_{parameter}", 900,
              {"gross_fail": (-1000.0, 1000.0), "gross_suspect": (0.0, 400.0),
               "spike": ("average", *spike), "rate": rate, "flat": (0.001, 7200, 21600)},
              real_series("08068500", parameter))


if __name__ == "__main__":
    main()
