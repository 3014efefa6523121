#!/usr/bin/env python3
"""Writes mere.jsonl and mere.flags beside it: packs of the network in mere.ttl and the flags that ioos_qc gives
their values. They cover what lake.* does not: leap days and the ends of years by week, day and month, fail-only and
zero thresholds, values at the very ends of spans, late points, times within a second, several motes, many units, base
values in the packs. Run by hand (pip install ioos_qc). Lines of mere.flags:
SENSOR TIME_NS VALUE late|- GROSS CLIMATOLOGY SPIKE RATE FLAT AGGREGATE
"""

import argparse
import datetime
import fractions
import json
import math
import pathlib
import random
import warnings

import numpy as np
from ioos_qc import qartod

HERE = pathlib.Path(__file__).parent
NEVER = 10**9
TEXTS = ["clear", 'rain, "heavy"', "Schnee ❄ ümlaut", "tab\tand\nnewline \\ back", "", "a<b>&'c'", "\u2028 \u007f", "'''\"\"\""]


def at(*date):
    return int(datetime.datetime(*date, tzinfo=datetime.timezone.utc).timestamp())


def moments(begin, end):
    return np.datetime64(begin), np.datetime64(end)


def same(value):
    return value


def times(factor):
    return lambda value: value * factor


# The limits are also in mere.ttl. Where values are converted, thresholds lie between the possible results, and values
# at the ends of spans are sent in the registered unit, so that rounding of the last digit does not matter. `make`:
# count, begin, interval, first value, step, digits, height of spikes. `units`: how a value of the registered unit is
# sent.
SERIES = {
    "mere/tower/air": {
        "make": (900, at(2011, 12, 20), 21600, 30, 3, 1, 10), "season": (10, 72),
        "edges": [-40, 120, -10, 95.5, 10, 55, 30, 75, 45, 90, 40, 95, 20, 22, 25, 42, 43, 24, 60],
        "units": [("[degF]", same), ("°F", same), (None, same), ("Cel", lambda v: (v - 32) / 1.8),
                  ("K", lambda v: (v + 459.67) / 1.8)],
        "gross": ((-40, 120), (-10, 95.5)), "spike": ("average", 4.02, 9.02), "rate": 0.00101, "flat": (0.25, 64800, 86400),
        "climatology": [
            ("month", (1, 2), (10, 55), (-5, 70)), ("month", (3, 5), (30, 75), None),
            ("month", (6, 9), (45, 90), (40, 95)), ("week", (52, 53), (20, 45), (15, 60)),
            ("week", (1, 1), (22, 40), None), ("dayofyear", (365, 366), (25, 42), (24, 43)),
            ("dayofyear", (60, 61), (40, 50), None),
            (None, moments("2012-07-01T06:00", "2012-07-09T18:00"), (55, 80), (50, 85))]},
    "BUOY_1/watertemp": {
        "make": (480, at(2011, 11, 20), 86400, 275, 0.7, 2, 4), "season": (272, 293),
        "edges": [273, 279, 272, 285, 274, 275, 276, 274.5, 288, 272.5, 280, 290],
        "units": [("K", same), ("Cel", lambda v: v - 273.15)], "flat": (0.205, 172800, 345600),
        "climatology": [
            ("week", (1, 13), (273, 279), (272, 285)), ("week", (14, 26), (273, 290), None),
            ("week", (27, 39), (280, 300), (275, 303)), ("week", (40, 53), (273, 288), None),
            ("month", (2, 2), (273, 276), (272.5, 280)), ("dayofyear", (1, 1), (274, 275), None),
            ("dayofyear", (366, 366), (274.5, 275), (274, 276)),
            (None, moments("2012-02-28", "2012-03-01T12:00"), (274, 278), (273, 279))]},
    "mere/tower/wind": {
        "make": (250, at(2012, 2, 28, 20), 600, 12, 1.5, 2, 6), "edges": [0, 100, 60, 60.01, 100.01, -0.01],
        "units": [("kn", same), ("m/s", times(1852 / 3600)), ("km/h", times(1.852)), ("ft/s", times(1852 / 1097.28))],
        "gross": ((0, 100), (0, 60)), "spike": ("differential", 3.505, 10.005), "rate": 0.010005, "flat": (0.055, 1800, 3600)},
    "mere/tower/rain": {
        "make": (200, at(2012, 12, 31, 22), 60, 2, 4, 1, 25), "edges": [300, 80, 80.1, 300.5, 0, -1],
        "units": [("mm/h", same)],
        "gross": ((0, 300), (0, 80)), "spike": ("average", None, 20), "rate": 0},
    "mere/tower/pressure": {
        "make": (200, at(2012, 12, 28), 3600, 745, 1, 1, 4), "edges": [500, 820, 700, 790, 699.9],
        "units": [("mmHg", same), ("hPa", times(1.33322387415)), ("kPa", times(0.133322387415)),
                  ("Pa", times(133.322387415)), ("mbar", times(1.33322387415))],
        "gross": ((500, 820), (700, 790)), "spike": ("average", 0, 2.52), "rate": 0.00051, "flat": (0, 7200, NEVER)},
    "mere.box.light": {
        "make": (200, at(2013, 6, 1, 4), 2, 400, 90, 0, 600), "fractions": [0.1, 0.25, 0.5],
        "units": [("lx", same), ("lux", same)],
        "gross": ((0, 120000), None), "spike": ("average", 500, None), "rate": 250, "flat": (5, NEVER, 7)},
    "mere.box.battery": {
        "make": (200, at(2013, 3, 1), 420, 3.9, 0.01, 3, 0.4), "edges": [2.5, 4.3, 3.1, 4.2, 3.09],
        "units": [("V", same), ("mV", times(1000))], "gross": ((2.5, 4.3), (3.1, 4.2)), "flat": (0.0115, 1300, 2000)},
    "mere.box.signal": {
        "make": (200, at(2013, 3, 1), 420, -71, 3, 0, 7), "edges": [-120, -20, -110, -30, -121, -19],
        "units": [("dBm", same), (None, same)],
        "gross": ((-120, -20), (-110, -30)), "spike": ("differential", None, 5)},
    "BUOY_1/level": {
        "make": (300, at(2012, 2, 27), 900, 7, 0.15, 2, 1.6), "edges": [-5, 45, 0, 30, 30.01],
        "units": [("cm", times(30.48)), ("ft", same), ("m", times(0.3048)), ("mm", times(304.8)), ("in", times(12))],
        "gross": ((-5, 45), (0, 30)), "spike": ("average", 0.5025, 2.0025), "rate": 0.000501, "flat": (0.025, 3600, 6000)},
    "BUOY_1/flow": {
        "make": (150, at(2012, 2, 27), 900, 900, 300, 0, 1500),
        "units": [("l/s", same), ("m3/s", times(0.001)), ("cfs", times(1 / 28.316846592)), ("L/s", same)],
        "gross": ((-500, 90000), None), "spike": ("average", None, 800.25), "rate": 1.501},
    "BUOY_1/chl": {
        "make": (150, at(2012, 2, 27), 900, 9, 1, 2, 9),
        "units": [("ug/l", same), ("mg/l", times(1e-3)), ("kg/m3", times(1e-6)), ("µg/L", same)],
        "gross": ((0, 500), (0, 60)), "spike": ("average", 5.0025, 5.0025)},
    "BUOY_1/hum": {"make": (20, at(2012, 2, 27), 900, 70, 5, 1, 9), "units": [("%RH", same)]},
    "BUOY_1/turb": {"make": (2, at(2012, 2, 27), 1, 70, 5, 1, 0), "units": [("FNU", same)], "rate": 0.5},
    "BUOY_1/cells": {"make": (1, at(2012, 2, 27), 900, 70000, 5000, 0, 0), "units": [("cells/mL", same)],
                     "gross": ((0, 1e7), None)},
}
MOTES = ("mere/tower/", "mere.box.", "BUOY_1/")


def ends_of(series):
    spans = [*series.get("gross", ()), *(span for _, _, *two in series.get("climatology", ()) for span in two)]
    return {end for span in spans if span for end in span}


def drift(series, time, value, step, rng):
    value += rng.gauss(0, step)
    if "season" in series:
        low, high = series["season"]
        phase = (time - at(2012, 1, 20)) / 86400 / 365.25 * 2 * math.pi
        value = 0.8 * value + 0.2 * ((low + high) / 2 - (high - low) / 2 * math.cos(phase))
    return value


def make(series, rng):
    """Returns (time, value, late): a walk with gaps, flat stretches, spikes, and late points."""
    count, time, interval, value, step, digits, height = series["make"]
    points, hold = [], 0
    for _ in range(count):
        time += interval * (rng.randint(2, 9) if rng.random() < 0.04 else 1)
        if "fractions" in series and rng.random() < 0.3:
            time = round(time + rng.choice(series["fractions"]), 3)
        if hold > 0:
            hold -= 1
        else:
            value = round(drift(series, time, value, step, rng), digits)
            hold = rng.randint(2, 12) if rng.random() < 0.08 else 0
        spike = rng.choice([-2, -1, -0.5, 0.5, 1, 2]) * height if rng.random() < 0.05 else 0
        edge = rng.choice(series.get("edges", [value])) if rng.random() < 0.04 else None
        points.append((time, round(value + spike, digits) if edge is None else edge, False))
        if len(points) > 4 and rng.random() < 0.02 and "fractions" not in series:
            earlier = points[-rng.randint(1, 4)][0] - rng.choice([1, 7])
            points.append((earlier, round(value + rng.gauss(0, height), digits), True))
    return points


def flags_of(series, values, seconds, late):
    stamps = np.array([int(fractions.Fraction(str(s)) * 10**9) for s in seconds]).astype("datetime64[ns]")
    values = np.array(values, float)
    none = np.full(len(values), 2, dtype="uint8")
    config = qartod.ClimatologyConfig()
    for period, span, suspect, fail in series.get("climatology", []):
        config.add(tspan=span, vspan=suspect, fspan=fail, **({"period": period} if period else {}))
    columns = [
        qartod.gross_range_test(values, *series["gross"]) if "gross" in series else none,
        qartod.climatology_test(config, values, stamps, np.zeros(len(values))) if "climatology" in series else none,
        none, none, none]
    if not late:
        if "spike" in series:
            method, suspect, fail = series["spike"]
            columns[2] = qartod.spike_test(values, suspect, fail, method=method)
        if "rate" in series:
            columns[3] = qartod.rate_of_change_test(values, stamps, series["rate"])
        if "flat" in series:
            tolerance, suspect, fail = series["flat"]
            columns[4] = qartod.flat_line_test(values, stamps, suspect, fail, tolerance)
    columns = [np.ma.filled(c, 9).astype("uint8") for c in columns]
    return [list(map(int, row)) for row in zip(*columns, qartod.qartod_compare(columns))]


def pack_of(records, prefix, rng):
    """One pack, sometimes with base name and time."""
    if rng.random() < 0.7:
        return records
    begin = int(records[0]["t"])
    short = [{**r, "n": r["n"].removeprefix(prefix), "t": round(r["t"] - begin, 3)} for r in records]
    short = [{k: v for k, v in r.items() if k != "t" or v != 0} for r in short]
    short[0] = {"bn": prefix, "bt": begin, "bver": 10, **short[0]}
    return short


def packs_of(queues, rng):
    """Packs of one to six records of one mote; the order within each series is kept."""
    for prefix in MOTES:
        mine = {name: list(records) for name, records in queues.items() if name.startswith(prefix)}
        while mine:
            records = []
            for _ in range(rng.randint(1, 6)):
                name = rng.choice(list(mine)) if mine else None
                if name:
                    records.append(mine[name].pop(0))
                    mine = {n: r for n, r in mine.items() if r}
            yield pack_of(records, prefix, rng)


def others():
    """Sensors whose values are not numbers."""
    for i, text in enumerate(TEXTS):
        yield [{"n": "mere.box.weather", "t": 1362096000 + i, "vs": text}]
    for i in range(4):
        yield [{"n": "mere.box.hatch", "t": 1362096000 + i, "vb": i % 2 == 1}]
    for i, data in enumerate(["", "AA", "_-8", "SGVsbG8"]):
        yield [{"n": "mere.box.image", "t": 1362096000 + i, "vd": data}]


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    warnings.simplefilter("ignore")
    rng = random.Random(2012)
    queues, lines = {}, []
    for name, series in SERIES.items():
        points = make(series, rng)
        for late in (False, True):
            some = [p for p in points if p[2] == late]
            flags = flags_of(series, [p[1] for p in some], [p[0] for p in some], late) if some else []
            for (time, value, _), row in zip(some, flags):
                lines.append((name, time, value, late, row))
        queues[name] = []
        for time, value, _ in points:
            unit, convert = rng.choice(series["units"] if value not in ends_of(series) else series["units"][:1])
            record = {"n": name, "t": time, "v": float(f"{convert(value):.15g}")}
            queues[name].append({**record, "u": unit} if unit else record)
    packs = [*packs_of(queues, rng), *others()]
    (HERE / "mere.jsonl").write_text("".join(json.dumps(p, ensure_ascii=False) + "\n" for p in packs))
    (HERE / "mere.flags").write_text("".join(
        f"{name} {int(fractions.Fraction(str(time)) * 10**9)} {value!r} {'late' if late else '-'} "
        f"{' '.join(map(str, row))}\n" for name, time, value, late, row in lines))


if __name__ == "__main__":
    main()
