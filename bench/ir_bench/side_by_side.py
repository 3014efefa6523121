"""Shows two runs from two machines or two days side by side, without verdicts. The machine, its neighbours or the day
may cause a difference just as well as the intended change. The canaries show how much the machines differ."""

import statistics

CANARIES = (("loop_ns", "a loop of integer operations, ns"), ("walk_ns", "a walk through 32 MiB, ns"),
            ("sync_us", "fdatasync, µs"))
FACTS = ("host", "time", "commit", "cpu", "cores", "memory_mib", "kernel", "platform")


def spread(values, digits):
    if not values:
        return ""
    return "{} ({}–{})".format(*(f"{each:,.{digits}f}" for each in (statistics.median(values), min(values), max(values))))


def canaries(found, name):
    return [each[name] for sample in found.samples for each in sample.get("canaries", [])]


def disturbed(found):
    return f"{sum(bool(each.get('disturbed')) for each in found.samples)} of {len(found.samples)}"


def write(names, analyses):
    """Markdown for two analyses of runs of one kind."""
    lines = ["# Two runs, side by side", "",
             "**No verdict is possible:** these runs were not interleaved on one host. Compare two commits or settings within one "
             "run: `ir-bench compare A B`.", "",
             f"| | {names[0]} | {names[1]} |", "|---|---|---|"]

    def row(title, cells):
        lines.append(f"| {title} | {cells[0]} | {cells[1]} |")

    row("experiment", [found.experiment.name for found in analyses])
    for key in FACTS:
        row(key, [found.facts.get(key, "") for found in analyses])
    for name, title in CANARIES:
        row(f"canary: {title}", [spread(canaries(found, name), 1) for found in analyses])
    row("disturbed samples", [disturbed(found) for found in analyses])
    row("complete blocks", [len(found.done) for found in analyses])
    for subject, measure in in_both(analyses):
        about = analyses[0].kind.measure(measure)
        title = ", ".join(filter(None, (f"{subject}: {measure}", about.words, about.unit)))
        row(title, [spread(list(found.values(subject, measure).values()), about.digits) for found in analyses])
    return "\n".join([*lines, "", "Medians, with the lowest and the highest. Rates of the same name may differ between the runs: "
                      + "; ".join(rates(name, found) for name, found in zip(names, analyses)) + "."])


def in_both(analyses):
    """Returns the (subject, measure) pairs that both runs have, in the order of the first."""
    first, second = ([(subject, measure) for subject in found.subjects for measure in found.measures()
                      if found.values(subject, measure)] for found in analyses)
    return [each for each in first if each in second]


def rates(name, found):
    told = [f"{each['name']} {each['rate']:,}/s" for each in found.plan["scouted"].get("fixed", [])]
    return f"{name} {', '.join(told) or 'no fixed rates'}"
