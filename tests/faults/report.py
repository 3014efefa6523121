"""Writes the results of a run: run.json with everything, faults.csv and rounds.csv, report.md, course.csv and
course.svg."""

import csv
import json

from . import picture

FAULT_COLUMNS = ("round", "kind", "target", "begun", "ended", "recovery", "bound", "wrong")
ROUND_COLUMNS = ("round", "begun", "ended", "ways", "messages", "observations", "resent", "missing", "doubled", "foreign",
                 "again", "order_violations", "wrong")
TITLE = "# Faults: {good} of {count} rounds as promised\n"
NOTES = """
Recovery is the time from the end of a fault, when killed parts are restarted, until every part is ready, the
balancer sees all of them, and at most two seconds' worth of messages is in progress. When two faults overlap,
it starts when both have ended. *again*: messages without a name that were sent again and arrived twice; they
cannot be distinguished from a second reading.
"""


def flat(value):
    return "; ".join(value) if isinstance(value, list) else f"{value:.1f}" if isinstance(value, float) else str(value)


def fault_rows(rounds):
    return [{"round": each["round"], **fault} for each in rounds for fault in each["faults"]]


def write_csv(path, columns, rows):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([flat(row.get(column, "")) for column in columns] for row in rows)


def table(columns, rows):
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(flat(row.get(column, "")).replace("|", "/") for column in columns) + " |" for row in rows]
    return "\n".join(lines)


def by_kind(rounds):
    """Returns a row for each kind and target of a fault: how often it occurred, and how long the recovery took."""
    found = {}
    for row in fault_rows(rounds):
        found.setdefault((row["kind"], row["target"].rstrip("0123456789").rstrip("-")), []).append(row)
    rows = []
    for (kind, role), each in sorted(found.items()):
        times = sorted(row["recovery"] for row in each)
        rows.append({"kind": kind, "target": role, "times": len(each), "median s": times[len(times) // 2],
                     "longest s": times[-1], "bound s": max(row["bound"] for row in each)})
    return rows


def markdown(run):
    rounds = run["rounds"]
    good = sum(not each["wrong"] for each in rounds)
    facts = run["facts"]
    lines = [TITLE.format(good=good, count=len(rounds)),
             f"Seed {run['seed']}; {sum(len(each['faults']) for each in rounds)} faults, "
             f"{sum(each['observations'] for each in rounds):,} observations confirmed in "
             f"{sum(each['messages'] for each in rounds):,} messages, {run['seconds'] / 60:.1f} minutes. {run['stack']}.",
             *(f"{key}: {value}. " for key, value in facts.items()), ""]
    lines += [f"**Ended early:** {run['error']}\n"] if run["error"] else []
    wrong = [f"- round {each['round']}: {text}" for each in rounds for text in each["wrong"]]
    lines += ["## What was wrong", "", *(wrong or ["Nothing."]), "", "![The course](course.svg)", ""]
    kinds = by_kind(rounds)
    if kinds:
        lines += ["## Recovery", "", table(tuple(kinds[0]), kinds), NOTES]
    lines += ["## Rounds", "", table(ROUND_COLUMNS, rounds), "", "## Faults", "", table(FAULT_COLUMNS, fault_rows(rounds)), ""]
    lines += [f"Left out: {each}" for each in run["left_out"]]
    return "\n".join(lines)


def write(folder, run, samples):
    """Writes the files. Called after each round, so that the results so far remain if the run is killed."""
    (folder / "run.json").write_text(json.dumps(run, indent=1) + "\n")
    write_csv(folder / "faults.csv", FAULT_COLUMNS, fault_rows(run["rounds"]))
    write_csv(folder / "rounds.csv", ROUND_COLUMNS, run["rounds"])
    course = ("at", "confirmed", "waiting", "unanswered", "troubles")
    write_csv(folder / "course.csv", course, samples)
    (folder / "report.md").write_text(markdown(run))
    (folder / "course.svg").write_text(picture.course(samples, fault_rows(run["rounds"])))
