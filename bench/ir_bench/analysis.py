"""From the samples of a run to what its report says. Nothing here writes; the same samples always give the same analysis."""

import math
import statistics
from dataclasses import dataclass, field

from . import blocks, comparison, likeness, proofs
from .subjects import AGAIN, REFERENCE

# measure ending: (what it is in words, unit, digits)
MEASURES = {
    "p50_ms": ("p50", "ms", 1),
    "p99_ms": ("p99", "ms", 1),
    "cpu_us": ("CPU per observation", "µs", 1),
    "guest_cpu_us": ("CPU of the guest per observation", "µs", 1),
    "busy_cores": ("busy processors", "", 2),
    "batch": ("observations in a batch", "", 0),
    "disk_bytes": ("bytes to the disk per observation", "B", 0),
    "flushes_per_1000": ("disk flushes per 1,000 observations", "", 1),
    "rate": ("observations/s", "/s", 0),
}
WORDS = {
    comparison.HIGHER: "higher",
    comparison.LOWER: "lower",
    comparison.SAME: "no difference",
    comparison.UNDECIDED: "not decided",
    comparison.WITHDRAWN: "withdrawn",
    comparison.VALUES: "too few repeats for a verdict",
}


@dataclass
class Compared:
    """One measure of one subject against bare metal."""

    subject: str
    measure: str
    title: str
    primary: bool
    finding: object = None  # comparison.Finding; None: no ratio, `why` says the reason
    why: str = ""
    batch_note: str = ""

    def sentence(self):
        if self.finding is None:
            return f"{self.subject}: {self.title}: no comparison, because {self.why}"
        found = self.finding.all
        interval = f"({percent(found.low)} to {percent(found.high)})" if found.low else ""
        text = f"{self.subject}: {self.title}: "
        if self.finding.word in (comparison.HIGHER, comparison.LOWER):
            text += f"{abs(found.estimate - 1):.1%} {self.finding.word} {interval}"
        elif self.finding.word == comparison.SAME:
            text += f"no difference {interval}"
        else:
            text += f"{WORDS[self.finding.word]} {interval}"
        if self.finding.why:
            text += f"; {self.finding.why}"
        return text + self.batch_note


@dataclass
class Analysis:
    experiment: object
    plan: dict
    facts: dict
    status: dict
    subjects: list
    samples: list
    done: dict  # complete blocks
    resolution: dict = field(default_factory=dict)  # measure: half-width of bare against itself
    compared: list = field(default_factory=list)
    proofs: list = field(default_factory=list)  # (name, good, text)
    sheets: dict = field(default_factory=dict)  # subject: rows of likeness against bare
    tampered: list | None = None

    @property
    def trusted(self):
        """Whether verdicts may be given at all."""
        return all(good for _, good, _ in self.proofs) and not self.tampered

    def values(self, subject, measure):
        """{block: value} over complete blocks."""
        found = {block: by[subject]["measures"].get(measure) for block, by in self.done.items()}
        return {block: value for block, value in found.items() if value is not None}

    def measures(self):
        names = dict.fromkeys(name for each in self.samples if each["status"] == "ok" for name in each["measures"])
        return [name for name in names if name.rpartition(".")[2] in MEASURES and not name.startswith("quota.")]


def percent(ratio):
    return f"{ratio - 1:+.1%}"


def describe(plan, measure, title=""):
    """A measure in words, with the rate it was taken at."""
    rates = {each["name"]: f"{each['rate']:,}" for each in plan["fixed"]}
    if title:
        return title.format(**rates)
    stretch, _, what = measure.rpartition(".")
    words = MEASURES[what][0]
    if stretch in rates:
        return f"{words} at {rates[stretch]} observations/s"
    return f"{words} at full speed" if stretch == "full" else words


def analyse(folder, experiment):
    plan, status = folder.read("plan.json"), folder.read("status.json")
    subjects = [each["name"] for each in plan["subjects"]]
    samples = folder.samples()
    found = Analysis(experiment, plan, folder.read("facts.json"), status, subjects, samples,
                     blocks.complete(subjects, samples), tampered=folder.tampered() or [])
    level = comparison.corrected_level(len(experiment.primary))
    same_subject(found, level)
    prove(found, folder)
    for subject in subjects[1:]:
        found.sheets[subject] = sheet(found, subject)
        for primary in experiment.primary:
            found.compared.append(compare(found, subject, primary.measure, level, primary))
        chosen = {each.measure for each in experiment.primary}
        found.compared += [compare(found, subject, measure, level) for measure in found.measures() if measure not in chosen]
    return found


def pairs(found, first, second, measure):
    """([first's], [second's], [disturbed]) of the complete blocks in which both have the measure."""
    one, other = found.values(first, measure), found.values(second, measure)
    both = [block for block in found.done if one.get(block) and other.get(block)]
    disturbed = [bool(found.done[block][first]["disturbed"] or found.done[block][second]["disturbed"]) for block in both]
    return [one[block] for block in both], [other[block] for block in both], disturbed


def ratio_of(found, first, second, measure, level):
    values = pairs(found, first, second, measure)
    return comparison.ratio(values[0], values[1], level) if values[0] else None


def same_subject(found, level):
    for measure in found.measures():
        ratio = ratio_of(found, REFERENCE, AGAIN, measure, level)
        if ratio and ratio.half_width is not None:
            found.resolution[measure] = ratio.half_width


def prove(found, folder):
    level = comparison.corrected_level(len(found.experiment.primary))
    for primary in found.experiment.primary:
        good, text = proofs.judge_same(ratio_of(found, REFERENCE, AGAIN, primary.measure, level))
        found.proofs.append((f"bare metal against itself, {describe(found.plan, primary.measure, primary.title)}", good, text))
    for platform, told in (folder.read("proofs.json") if (folder.path / "proofs.json").exists() else {"quota_loop": {}}
                           )["quota_loop"].items():
        good, text = proofs.judge_loop(told)
        found.proofs.append((f"half of a quota on a loop, {platform}", good, text))
    quota = pairs_within(found, "full.rate", "quota.rate")
    if quota[0]:
        expected = statistics.geometric_mean(found.values(AGAIN, "quota.expected").values())
        good, text = proofs.judge_quota(comparison.ratio(*quota), expected)
        found.proofs.append(("half of the processors' time on the pipeline", good, text))
    rates = [each["rate"] for each in found.plan["fixed"]]
    rates += [max(found.values(each, "full.rate").values(), default=0) for each in found.subjects]
    found.proofs.append(("the generator's own ceiling", *proofs.judge_null(found.plan["generator_ceiling"], rates)))


def pairs_within(found, first, second):
    """Two measures of the guest that has both, block by block."""
    one, other = found.values(AGAIN, first), found.values(AGAIN, second)
    both = [block for block in one if block in other]
    return [one[block] for block in both], [other[block] for block in both]


def sheet(found, subject):
    """Rows of likeness against bare metal, over all complete blocks; the worst word counts."""
    rows = {}
    for by in found.done.values():
        for name, one, other, word in likeness.compare(by[REFERENCE]["likeness"], by[subject]["likeness"]):
            if name not in rows or word == likeness.DIFFERENT:
                rows[name] = (name, one, other, word)
    return [rows[name] for name in sorted(rows)]


def compare(found, subject, measure, level, primary=None):
    title = describe(found.plan, measure, primary.title if primary else "")
    result = Compared(subject, measure, title, primary is not None)
    unlike = [row for row in found.sheets.get(subject, []) if row[3] == likeness.DIFFERENT]
    first, second, disturbed = pairs(found, REFERENCE, subject, measure)
    if unlike:
        result.why = "the guests are not alike: " + "; ".join(f"{name} is {one or 'none'} and {other or 'none'}"
                                                             for name, one, other, _ in unlike)
    elif not first:
        result.why = "there is no block in which both have a value"
    elif emulated(found, subject):
        result.why = "the guest is emulated"
    else:
        result.finding = comparison.finding(first, second, disturbed, level, resolution=found.resolution.get(measure, 0))
        result.batch_note = batch_note(found, subject, measure)
    return result


def emulated(found, subject):
    return any(by[subject].get("figures", {}).get("emulated") for by in found.done.values())


def batch_note(found, subject, measure):
    """CPU per observation depends on the size of batches; where these differ by more than 5 % it is said."""
    stretch, _, what = measure.rpartition(".")
    if what != "cpu_us":
        return ""
    first, second, _ = pairs(found, REFERENCE, subject, f"{stretch}.batch")
    if not first:
        return ""
    ratio = statistics.geometric_mean(second) / statistics.geometric_mean(first)
    return f"; batches were {ratio:.2f} times as large" if abs(math.log(ratio)) > math.log(1.05) else ""
