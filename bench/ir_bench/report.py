"""The report of a run: report/report.html (one file, no network), report.md, samples.csv (every value) and comparisons.csv in
the run's folder."""

import csv
import io
import statistics

import jinja2

from . import blocks, comparison, experiment, pictures, proofs, recommendation, thesis
from .analysis import WORDS, analyse, percent
from .likeness import DIFFERENT
from .subjects import Subject

FACTS = ("time", "commit", "distribution", "kernel", "cpu", "cores", "memory_mib", "platform", "compiler", "load")
PARTS = ("guest", "kernel", "generator", "other", "steal")
MARKUP = jinja2.utils.markupsafe.Markup


def write(run):
    """Returns the path of the HTML."""
    place = run.path / "report"
    place.mkdir(exist_ok=True)
    environment = jinja2.Environment(loader=jinja2.PackageLoader("ir_bench"), trim_blocks=True, lstrip_blocks=True,
                                     autoescape=lambda name: name is not None and ".html" in name)
    context = content(run)
    for name in ("report.html", "report.md"):
        (place / name).write_text(environment.get_template(f"{name}.j2").render(**context), encoding="utf-8")
    analyses = [each["a"] for each in context["sections"]]
    (place / "samples.csv").write_text(values(analyses), encoding="utf-8")
    (place / "comparisons.csv").write_text(comparisons(analyses), encoding="utf-8")
    return place / "report.html"


def content(run):
    tampered = run.tampered() or []
    parts = run.parts()
    measured = [part for part in parts if part.has("plan.json")]
    facts = run.read("facts.json")
    sections = [section(analyse(part, experiment.of(part), tampered)) for part in measured]
    advice = recommendation.table([each["a"] for each in sections])
    return {
        "advice": advice,
        "advised": recommendation.subjects(advice),
        "sections": sections,
        "title": title(sections),
        "compared": list(subjects_of(sections).items()),
        "nested": "" if facts.get("platform", "bare") == "bare" else facts["platform"],
        "beside": run.read("run.json").get("beside", ""),
        "command": command(run),
        "level": comparison.LEVEL,
        "proofs": [(each["a"], proof) for each in sections for proof in each["a"].proofs],
        "lost": [(each["a"], sample) for each in sections for sample in each["a"].samples if sample["status"] != "ok"],
        "sheets": [(each["a"], subject, rows, any(row[3] == DIFFERENT for row in rows))
                   for each in sections for subject, rows in each["a"].sheets.items() if subject in each["shown"]],
        "not_run": [(part.name, experiment.of(part).title, part.status) for part in parts if part not in measured],
        "tampered": tampered,
        "sealed": run.tampered() is not None,
        "seed": run.read("run.json")["seed"],
        "status": run.read("status.json"),
        "equivalence": comparison.EQUIVALENCE,
        "least": comparison.MIN_PAIRS,
        "words": WORDS,
        "judged": proofs.WORDS,
        "percent": percent,
        "thesis_platforms": thesis.PLATFORMS,
        "facts": [(key.replace("_mib", ", MiB"), facts[key]) for key in FACTS if key in facts]
        + sorted(facts["versions"].items()),
    }


def subjects_of(sections):
    """Returns {subject: its description} for all sections."""
    found = {}
    for each in sections:
        again = each["a"].twins[1]
        for planned in each["a"].plan["subjects"]:
            subject = Subject(**planned)
            found[subject.name] = f"{each['a'].twins[0]} repeated, so that the run can check itself" if subject.name == again \
                else subject.about()
    return found


def command(run):
    """The command that repeats the run."""
    asked = run.read("run.json")
    platforms = dict.fromkeys(each["platform"] for some in asked["subjects"].values() for each in some)
    beside = f' --beside {asked["beside"]}' if asked.get("beside") else ""
    words = f'{" ".join(asked["experiments"])} --platforms "{" ".join(platforms)}" --seed {asked["seed"]}'
    return f"bench/ir-bench run {words}{beside}"


def ended(status):
    """How an experiment ended, in words."""
    words = {"precision": "it ended when the requested precision was reached", "time": "it ended when its time was over"}
    return words.get(status.get("ended_by"), f"it ended by {status['ended_by']}" if status.get("ended_by") else status["status"])


def title(sections):
    """The title: what was compared with what."""
    subjects = dict.fromkeys(name for each in sections for name in each["a"].subjects if name not in each["a"].twins)
    references = dict.fromkeys(each["a"].twins[0] for each in sections)
    if not sections:
        return "Nothing could be measured"
    return f"{', '.join(subjects) or 'Nothing'} compared with {', '.join(references)}"


def section(found):
    """The content of the report's section about one experiment."""
    shown = [each for each in found.subjects if not found.emulated(each)]
    return {
        "a": found,
        "shown": shown,
        "apart": [each for each in found.subjects if each not in shown],
        "groups": [group(found, primary, shown) for primary in found.experiment.primary],
        "glance": glance(found, shown),
        "ended": ended(found.status),
        "medians": medians(found),
        "parts": parts(found),
        "prepared": sum(found.plan.get("prepared_seconds", {}).values()),
        "others": [each for each in found.compared if not each.primary and each.finding],
        "generator": generator(found),
        "thesis": thesis.beside(found),
        "disturbed": [(each, sorted({why for some in each["disturbed"].values() for why in some}))
                      for each in found.samples if each.get("disturbed")],
    }


def generator(found):
    own, guests = (found.plan[key]["cpu.pin"] for key in ("generator", "tuning"))
    if own == guests:
        return (f"The load generator has no separate processors: it competes with the guests for processors {guests}, with "
                "an ordinary share in its own control group, the same on every platform.")
    return f"The load generator runs on processors {own}, the guests on {guests}."


def group(found, primary, shown):
    """A primary comparison: its pictures and its rows."""
    rows = [each for each in found.compared if each.primary and each.measure == primary.measure]
    ratios = [(each.subject, each.finding) for each in rows if each.finding]
    title, about = found.describe(primary.measure, primary.title), found.kind.measure(primary.measure)
    resolution = found.resolution.get(primary.measure)
    bad = {subject: {block for block, by in found.done.items()
                     if subject in by and blocks.reasons(by[subject], primary.measure)} for subject in found.subjects}
    values_of = [(each, found.values(each, primary.measure), bad[each]) for each in shown]
    return {
        "title": title,
        "about": about,
        "rows": rows,
        "resolution": resolution,
        "ratios": MARKUP(pictures.ratios(f"{title}: ratio", ratios, comparison.EQUIVALENCE, resolution)) if ratios else "",
        "points": MARKUP(pictures.values(title, about.unit, values_of)) if any(by for _, by, _ in values_of) else "",
    }


def glance(found, shown):
    """Medians of the primary measures and of Kind.glance, for the shown subjects."""
    titles = {each.measure: each.title for each in found.experiment.primary} | dict.fromkeys(found.kind.glance, "")
    rows = []
    for measure, name in titles.items():
        about = found.kind.measure(measure)
        told = [found.median(subject, measure) for subject in shown]
        if about and not about.ratio and any(each is not None for each in told):
            rows.append({"title": ", ".join(filter(None, (found.describe(measure, name), about.unit))),
                         "cells": ["" if each is None else f"{each:,.{about.digits}f}" for each in told]})
    return rows


def medians(found):
    rows = []
    for measure in found.measures():
        about = found.kind.measure(measure)
        cells = []
        for subject in found.subjects:
            by = list(found.values(subject, measure).values())
            told = (statistics.median(by), min(by), max(by)) if by else ()
            cells.append("{} ({}–{})".format(*(f"{each:,.{about.digits}f}" for each in told)) if by else "")
        rows.append({"title": ", ".join(filter(None, (found.describe(measure), about.unit))), "cells": cells,
                     "said": said(found, measure)})
    return rows + without_value(found, found.measures())


def without_value(found, measures):
    """Rows for measures without any value, with the reason: a verb or a limit that a platform lacks."""
    prefixes = dict.fromkeys(prefix for sample in found.samples for prefix in sample.get("notes", {}))
    words = found.kind.stretches(found.plan["scouted"])

    def title(prefix):
        return found.describe(prefix) if found.kind.measure(prefix) else words.get(prefix, prefix)

    return [{"title": title(prefix), "cells": [""] * len(found.subjects), "said": said(found, prefix)}
            for prefix in prefixes if not any(each == prefix or each.startswith(f"{prefix}.") for each in measures)]


def parts(found):
    """Busy processors in each stretch, by part: medians over each subject's samples."""
    stretches = dict.fromkeys(name for by in found.done.values() for each in by.values() for name in each["parts"])
    rows = []
    for stretch in stretches:
        for subject in found.subjects:
            used = [by[subject]["parts"][stretch] for by in found.done.values()
                    if subject in by and stretch in by[subject]["parts"]]
            if used:
                cells = [statistics.median(each[part] / each["wall"] for each in used) for part in PARTS]
                rows.append((stretch, subject, [f"{each:.2f}" for each in cells]))
    return rows


def said(found, measure):
    """The samples' notes on a measure, and why it is in no ratio: "TEXT (SUBJECT, …)"."""
    by_text = {}
    for sample in found.samples:
        for prefix, text in [*sample.get("notes", {}).items(), *sample.get("no_ratio", {}).items()]:
            if measure == prefix or measure.startswith(f"{prefix}."):
                by_text.setdefault(text, {})[sample["subject"]] = None
    return "; ".join(f"{text} ({', '.join(subjects)})" for text, subjects in by_text.items())


# ---- tables for other programs ----


def lines(header, rows):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def values(analyses):
    """One row per sample and measure."""
    header = ["experiment", "block", "position", "subject", "status", "disturbed", "measure", "value"]
    return lines(header, (
        [found.experiment.name, sample["block"] + 1, sample["position"] + 1, sample["subject"], sample["status"],
         int(bool(blocks.reasons(sample, name))), name, value]
        for found in analyses for sample in found.samples for name, value in sorted(sample.get("measures", {}).items())))


def comparisons(analyses):
    """One row per comparison, over all blocks and over the undisturbed ones."""
    header = ["experiment", "subject", "against", "measure", "primary", "pairs", "ratio", "low", "high", "level", "median",
              "bootstrap_low", "bootstrap_high", "detectable", "quiet_pairs", "quiet_ratio", "quiet_low", "quiet_high",
              "verdict", "why"]
    rows = []
    for found in analyses:
        for each in found.compared:
            row = [found.experiment.name, each.subject, each.against, each.measure, int(each.primary)]
            if each.finding:
                everything, quiet = each.finding.all, each.finding.quiet
                row += [everything.pairs, everything.estimate, everything.low, everything.high, everything.level]
                row += [everything.median, *(everything.bootstrap or ("", "")), everything.detectable]
                row += [quiet.pairs, quiet.estimate, quiet.low, quiet.high] if quiet else [0, "", "", ""]
            else:
                row += [""] * 13
            rows.append([*row, each.word or "none", each.why or each.doubt])
    return lines(header, rows)
