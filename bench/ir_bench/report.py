"""The report of a run: report/report.html (one file, no network), report.md and report.csv in the run's folder."""

import csv
import io
import statistics

import jinja2

from . import comparison, pictures
from .analysis import WORDS, analyse

FACTS = ("commit", "time", "distribution", "kernel", "cpu", "cores", "memory_mib", "platform", "compiler", "load")


def write(folder, experiment):
    """Returns the path of the HTML."""
    found = analyse(folder, experiment)
    place = folder.path / "report"
    place.mkdir(exist_ok=True)
    environment = jinja2.Environment(loader=jinja2.PackageLoader("ir_bench"), trim_blocks=True, lstrip_blocks=True,
                                     autoescape=lambda name: name is not None and ".html" in name)
    context = content(found)
    for name in ("report.html", "report.md"):
        text = environment.get_template(f"{name}.j2").render(**context)
        (place / name).write_text(text, encoding="utf-8")
    (place / "report.csv").write_text(table(found), encoding="utf-8")
    return place / "report.html"


def content(found):
    return {
        "a": found,
        "groups": [group(found, primary) for primary in found.experiment.primary],
        "medians": medians(found),
        "words": WORDS,
        "equivalence": comparison.EQUIVALENCE,
        "untrusted": untrusted(found),
        "generator": generator(found),
        "lost": [each for each in found.samples if each["status"] != "ok"],
        "disturbed": [each for each in found.samples if each.get("disturbed")],
        "facts": [(key, found.facts[key]) for key in FACTS if key in found.facts] + sorted(found.facts["versions"].items()),
    }


def untrusted(found):
    wrong = [f"{name}: {text}" for name, good, text in found.proofs if not good]
    return "; ".join(wrong + [f"changed after the run: {each}" for each in found.tampered or []])


def generator(found):
    cores = found.facts.get("cores", 0)
    taken = 1 + max(int(word) for word in found.plan["tuning"]["cpu.pin"].split("-"))
    if taken >= cores:
        return f"The generator has no processor of its own: it competes with the guests for all {cores}, alike on every platform."
    return f"The generator runs on the host's other processors ({cores - taken} of {cores})."


def group(found, primary):
    rows = [each for each in found.compared if each.primary and each.measure == primary.measure]
    shown = [(each.subject, each.finding) for each in rows if each.finding]
    title = found.describe(primary.measure, primary.title)
    resolution = found.resolution.get(primary.measure)
    markup = jinja2.utils.markupsafe.Markup
    picture = pictures.ratios("ratio to bare metal: points of all blocks, estimate and interval", shown,
                              comparison.EQUIVALENCE, resolution) if shown else ""
    unit = found.kind.measure(primary.measure).unit
    bad = {subject: {block for block, by in found.done.items() if by[subject].get("disturbed")} for subject in found.subjects}
    points = pictures.values(title, unit, [(each, found.values(each, primary.measure), bad[each]) for each in found.subjects])
    return {"title": title, "rows": rows, "picture": markup(picture), "points": markup(points)}


def medians(found):
    rows = []
    for measure in found.measures():
        about = found.kind.measure(measure)
        cells = []
        for subject in found.subjects:
            by = list(found.values(subject, measure).values())
            cells.append("{} ({}–{})".format(*(f"{each:,.{about.digits}f}" for each in (statistics.median(by), min(by), max(by))))
                         if by else "")
        rows.append({"title": ", ".join(filter(None, (found.describe(measure), about.unit))), "cells": cells})
    return rows


def table(found):
    """A row for each sample and measure."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["block", "position", "subject", "status", "disturbed", "measure", "value"])
    for sample in found.samples:
        for name, value in sorted(sample.get("measures", {}).items()):
            writer.writerow([sample["block"] + 1, sample["position"] + 1, sample["subject"], sample["status"],
                             int(bool(sample.get("disturbed"))), name, value])
    return out.getvalue()


