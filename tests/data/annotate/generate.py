#!/usr/bin/env python3
"""Writes lake.jsonl and lake.flags beside it: packs of the network in lake.ttl, sent in units other than the registered
ones, and the flags that ioos_qc gives the values in the registered units. Run by hand (pip install ioos_qc)."""
import argparse
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "quality"))
import generate as quality  # noqa: E402

COUNT = 400
SENSORS = {
    "temp": ("K", lambda v: v + 273.15, {
        "gross_fail": (-40.0, 60.0), "gross_suspect": (-10.0, 20.0), "spike": ("average", 2.0, 4.0), "rate": 0.003,
        "flat": (0.1, 1800, 3600), "climatology": [("month", 5, 5, (2.0, 14.0), (0.0, 16.0)),
                                                   ("week", 18, 19, (4.0, 13.0), None)]}),
    "pressure": ("Pa", lambda v: v * 100, {"gross_fail": (0.0, 2000.0), "spike": ("differential", 1.5, 3.0)}),
    "wind": ("m/s", lambda v: v * 1852 / 3600, {"gross_fail": (0.0, 100.0), "rate": 0.002}),
}


def round15(value):
    return float(f"{value:.15g}")


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    series = {key: quality.made_series(seed, COUNT, 600, 0.03) for seed, key in enumerate(SENSORS, 20)}
    packs, rows = [], []
    for key, points in series.items():
        unit, convert, limits = SENSORS[key]
        for (time, value), flags in zip(points, quality.flags_of(limits, points)):
            aggregate = max(flags, key=quality.PRECEDENCE.index)
            rows.append(" ".join(map(str, [f"BUOY-7/{key}", time, value, *flags, aggregate])))
            packs.append((time, {"bn": "BUOY-7/", "bt": time, "n": key, "u": unit, "v": round15(convert(value))}))
    packs.sort(key=lambda pack: pack[0])
    packs.append((0, {"n": "BUOY-7/mode", "t": 1304208000, "vs": "sleep \"well\"\n\\ ümlaut"}))
    (HERE / "lake.jsonl").write_text("".join(json.dumps([record]) + "\n" for _, record in packs))
    (HERE / "lake.flags").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
