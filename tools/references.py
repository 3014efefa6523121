#!/usr/bin/env python3
"""Writes references from the tables in the code: docs/reference/settings.md from the programs' --print-json, metrics.md
from the output of packaging/print_metrics.c, messages.md from common/messages.h, knobs.md from platforms/lab/tuning.py.
`make references` calls it."""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from platforms.lab import Lab, registry, tuning  # noqa: E402

PROGRAMS = ("ir-worker", "ir-ingest", "ir-store", "ir-annotate", "ir-feed", "ir-tap", "ir-loadgen", "ir-registry")
SECONDS = 60
MADE = "<!-- Made by `make references` from {source}; change it there. -->"


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


# ---- settings ----

SETTINGS = """\
# Settings

{made}

A program takes its settings from four places. A later place overrides an earlier one:

1. the default,
2. the settings file that `--settings FILE` names: INI, section `[common]` for all programs or the section of the program's name,
3. the environment: `IR_` and the setting's name in upper case with `_` for `-`, for example `IR_LOG_LEVEL`,
4. the command line: `--name=value` or `--name value`.

A section of the file must not give a setting twice. A value ends with its line.

Passwords are not taken from the command line, because other users of the machine can read it. A settings file that contains a
password and that others can read or change is refused. After reading a password from the environment, a program removes it from there.

Sizes and counts may end in `k`, `M`, `G` (powers of 1000) or `Ki`, `Mi`, `Gi` (powers of 1024). Durations need a unit: `ns`, `us`,
`ms`, `s`, `min`, `h` or `d`. A flag is `true` or `false`; on the command line its name alone means `true`.

`PROGRAM --print-settings` shows the settings in effect, `PROGRAM --check` of `ir-worker` and `ir-ingest` tests them. `river.conf` is a
commented example with every setting.
"""


def told(folder, program):
    return json.loads(subprocess.run([folder / program, "--print-json"], capture_output=True, text=True, check=True,
                                     timeout=SECONDS).stdout)


def scaled(number, suffixes):
    """A number with the largest suffix that leaves a whole number."""
    for suffix, factor in suffixes:
        if number >= factor and number % factor == 0:
            return f"{number // factor:,}{suffix}"
    return f"{number:,}"


TIMES = [("d", 86400 * 10**9), ("h", 3600 * 10**9), ("min", 60 * 10**9), ("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1)]
SIZES = [("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)]


def bound(setting, number):
    if setting["type"] == "number":
        return f"{number:g}"
    if number == 0:
        return "0"
    return scaled(int(number), TIMES if setting["type"] == "duration" else SIZES if setting["type"] == "size" else [])


def values(setting):
    """Returns the allowed values."""
    if "choices" in setting:
        return ", ".join(f"`{each}`" for each in setting["choices"].split("|"))
    if setting["type"] == "flag":
        return "flag"
    unit = setting.get("unit", "")
    if setting["type"] == "secret":
        return "secret"
    if "max" in setting:
        return f"{unit}, {bound(setting, setting['min'])} to {bound(setting, setting['max'])}"
    return unit


def row(setting):
    initial = f"`{setting['default']}`" if setting.get("default") else ""
    letter = f", `-{setting['letter']}`" if "letter" in setting else ""
    return [f"`{setting['name']}`{letter}", values(setting), initial, setting["help"].replace("|", "\\|")]


def settings(folder):
    """The reference of settings. A setting that several programs share appears once, with their names."""
    described = [told(folder, each) for each in PROGRAMS]
    users = {}
    for program in described:
        for setting in program["settings"]:
            users.setdefault(json.dumps(setting, sort_keys=True), []).append(program["name"])
    shared = [[*row(json.loads(text)), ", ".join(f"`{name}`" for name in names)] for text, names in users.items() if len(names) > 1]
    parts = [SETTINGS.format(made=MADE.format(source="the programs' tables of settings")), "## Settings of several programs\n",
             table(["setting", "value", "default", "meaning", "programs"], shared)]
    for program in described:
        own = [row(each) for each in program["settings"] if len(users[json.dumps(each, sort_keys=True)]) == 1]
        others = [f"`{each['name']}`" for each in program["settings"] if len(users[json.dumps(each, sort_keys=True)]) > 1]
        parts += [f"## {program['name']}\n", program["purpose"] + "\n"]
        parts += [table(["setting", "value", "default", "meaning"], own)] if own else []
        parts += ["Also: " + ", ".join(others) + ".\n"] if others else []
    built_in = [[f"`--{each['name']}`", each["help"]] for each in described[0]["built_in"]]
    return "\n".join([*parts, "## Options of every program\n", table(["option", "does"], built_in)])


# ---- metrics ----

METRICS = """\
# Metrics

{made}

`ir-worker` serves these at `/metrics` of its address `http`, `ir-ingest` at `/metrics` of its address `listen`, in Prometheus' text
format. A counter begins at 0 when the program starts. A histogram counts durations in seconds, in buckets from 1 ms to 60 s.
[Monitoring](../howto/monitor.md) describes what Prometheus makes of them.
"""
FEW = 12  # if a label has more values, they are not listed


class Metric(NamedTuple):
    name: str
    kind: str
    help: str
    labels: dict  # {label: [value]}

    def row(self):
        """The labels of a metric, for the table's last column. `le` is left out, because every histogram has it."""
        labels = "; ".join(f"`{name}`" + (": " + ", ".join(f"`{each}`" for each in values) if 1 < len(values) <= FEW else "")
                           for name, values in self.labels.items() if name != "le")
        return [f"`{self.name}`", self.kind, labels, self.help]


def exposed(folder):
    """Returns {program: [Metric]}"""
    text = subprocess.run([folder / "packaging" / "print_metrics"], capture_output=True, text=True, check=True, timeout=SECONDS).stdout
    found = {}
    for part in text.split("# PROGRAM ")[1:]:
        program, _, lines = part.partition("\n")
        for head in re.split(r"^# HELP ", lines, flags=re.M)[1:]:
            first, kind, *series = head.splitlines()
            name, _, meaning = first.partition(" ")
            labels = {}
            for label, value in re.findall(r'(\w+)="([^"]*)"', "\n".join(series)):
                if value not in labels.setdefault(label, []):
                    labels[label].append(value)
            found.setdefault(program, []).append(Metric(name, kind.split(" ")[-1], meaning, labels))
    return found


def metrics(folder):
    """Lists the metrics; those that all programs have are listed once."""
    found = exposed(folder)
    common = [each for each in found["ir-worker"] if each in found["ir-ingest"]]
    parts = [METRICS.format(made=MADE.format(source="the programs' tables of metrics"))]
    for title, rows in (*found.items(), ("Both", common)):
        shown = rows if title == "Both" else [each for each in rows if each not in common]
        parts += [f"## {title}\n", table(["metric", "kind", "labels", "meaning"], [each.row() for each in shown])]
    return "\n".join(parts)


# ---- messages ----

MESSAGES = """\
# Messages

{made}

These messages call for action. Each ends with its number, such as `[IR-301]`; `…` stands for the variable
part. Messages that are not listed here report progress, or name the file and line of a mistake.
"""
GROUP = re.compile(r"/\* ---- (.*) ---- \*/")
STRING = r'"(?:[^"\\]|\\.)*"'
ROW = re.compile(rf"#define (IR_TEXT_\w+) IR_MESSAGE\((\d+), \\\n\s*({STRING}(?:\s*(?:{STRING}|PRIu64))*), \\\n\s*({STRING})\)")
PLACE = re.compile(r"%(?:\.\*|\.\d+|0\d+)?(?:ll|z)?[sudo]")


def words(literal):
    """The text of a C string literal, with … in place of printf's conversions."""
    text = "".join(json.loads(each) for each in re.findall(STRING, literal.replace('%" PRIu64 "', "%u")))
    return PLACE.sub("…", text).replace("%%", "%").replace("……", "…")


def messages():
    """Returns [(group, [(name, number, text, remedy)])]"""
    header = (ROOT / "common" / "messages.h").read_text(encoding="utf-8")
    pieces = GROUP.split(header)[1:]
    return [(title, [(name, int(number), words(text), json.loads(remedy)) for name, number, text, remedy in ROW.findall(body)])
            for title, body in zip(pieces[::2], pieces[1::2])]


def message_reference():
    parts = [MESSAGES.format(made=MADE.format(source="common/messages.h"))]
    for title, rows in messages():
        parts += [f"## {title[0].upper()}{title[1:]}\n",
                  table(["number", "message", "what to do"], [[f"IR-{number}", f"`{text.strip()}`", remedy] for _, number, text, remedy in rows])]
    return "\n".join(parts)


# ---- knobs ----

KNOBS = """\
# Tuning knobs

{made}

A profile in `platforms/profiles/` sets knobs, `ir-platform provision --set KNOB=VALUE` a single one. A platform that is not listed refuses
the knob and gives the reason. [Platforms and tuning](platforms.md#tuning) describes what each platform makes of a knob, and the value
`auto`. Sizes may end in `k`, `M` or `G`.
"""


def knobs():
    with tempfile.TemporaryDirectory() as folder:
        platforms = [registry.load(name, Lab(folder)) for name in registry.names()]
    rows = [[f"`{name}`", knob.kind, knob.help, ", ".join(each.name for each in platforms if name in each.knobs)]
            for name, knob in tuning.KNOBS.items()]
    return "\n".join([KNOBS.format(made=MADE.format(source="platforms/lab/tuning.py")),
                      table(["knob", "value", "meaning", "platforms"], rows)])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", metavar="PROGRAMS", type=Path, help="the folder of the programs")
    parser.add_argument("folder", metavar="FOLDER", type=Path, nargs="?", default=ROOT / "docs" / "reference",
                        help="where to write (default: docs/reference)")
    options = parser.parse_args()
    for name, text in (("settings.md", settings(options.programs)), ("metrics.md", metrics(options.programs)),
                       ("messages.md", message_reference()), ("knobs.md", knobs())):
        (options.folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
