#!/usr/bin/env python3
"""Writes logger.csv, the file of the tutorial, as a logger of three gauges might have written it.

The values are real: water temperature and gage height of Spring Creek, Texas, of 5 to 8 November 2011 (US Geological
Survey, public domain, loadgen/README.md). The rest is made up. The values are moved to the week before, and to German
local time, so that the clocks change in the night to 30 October. The gauge `mill` shows them unchanged, `ford` two
hours earlier, `bridge` three hours later; the latter two add a constant. The file also contains five faults that happen
in practice: a broken sensor, a spike, a gap, missing values, and a text where a number belongs.

    python3 examples/tutorial/make_logger.py > examples/tutorial/logger.csv
"""

import csv
import datetime
import gzip
import sys
import zoneinfo
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "loadgen" / "usgs_river_observations.csv.gz"
STATION, TEMPERATURE, HEIGHT = "USGS-08068500", "00010", "00065"
FOOT = 0.3048
ZONE = zoneinfo.ZoneInfo("Europe/Berlin")
UTC = datetime.timezone.utc
WEEK, STEP = datetime.timedelta(days=7), datetime.timedelta(minutes=15)
BEGIN = datetime.datetime(2011, 10, 29, 0, 0, tzinfo=UTC)
END = datetime.datetime(2011, 11, 1, 18, 0, tzinfo=UTC)
# (name, delay in hours, added degrees, added metres)
GAUGES = (("ford", -2, -0.6, 0.42), ("mill", 0, 0.0, 0.0), ("bridge", 3, 0.5, -0.17))
# (gauge, local time): text that the logger wrote instead of the temperature
WRITTEN = {("ford", "30.10.2011 16:30"): "-40,0", ("bridge", "31.10.2011 14:00"): "24,6", ("mill", "30.10.2011 12:00"): "#ERR",
           ("mill", "29.10.2011 18:00"): "NAN", ("mill", "29.10.2011 18:15"): "NAN"}
GAP = ("mill", "31.10.2011 08:00", "31.10.2011 11:45")


def real():
    """Returns {(parameter, time): value}."""
    with gzip.open(DATA, "rt", newline="") as file:
        return {(row["parameter"], datetime.datetime.fromisoformat(row["time_utc"].replace("Z", "+00:00"))): float(row["value"])
                for row in csv.DictReader(file) if row["station"] == STATION}


def comma(number, digits):
    return f"{number:.{digits}f}".replace(".", ",")


def rows(values):
    when = BEGIN
    while when < END:
        local = when.astimezone(ZONE).strftime("%d.%m.%Y %H:%M")
        for name, later, degrees, metres in GAUGES:
            source = when + WEEK - datetime.timedelta(hours=later)
            inside = name == GAP[0] and GAP[1] <= local <= GAP[2]
            if not inside and (TEMPERATURE, source) in values and (HEIGHT, source) in values:
                temperature = comma(values[TEMPERATURE, source] + degrees, 1)
                height = comma(values[HEIGHT, source] * FOOT + metres, 2)
                yield [name, local, WRITTEN.get((name, local), temperature), height, "12,6"]
        when += STEP


def main():
    sys.stdout.reconfigure(encoding="latin-1", newline="\r\n")
    print("Station;Datum;Wassertemperatur [°C];Pegel [m];Batterie [V]")
    for row in rows(real()):
        print(";".join(row))


if __name__ == "__main__":
    main()
