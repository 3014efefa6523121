"""From the samples of a run to what its report says. Nothing here writes; the same samples always give the same analysis."""

import math
import statistics
from dataclasses import dataclass, field

from . import blocks, comparison, likeness, proofs, within
from .subjects import Subject

BESIDE = 0.05
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
    """One measure of one subject against the one that it is compared with."""

    subject: str
    measure: str
    title: str
    primary: bool
    finding: object = None  # comparison.Finding; None: no ratio, `why` says the reason
    why: str = ""
    beside: str = ""

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
        return text + self.beside


@dataclass
class Analysis:
    experiment: object
    plan: dict
    facts: dict
    status: dict
    subjects: list  # names; the reference and its twin first
    against: dict  # {subject: the one that it is compared with}
    on_purpose: dict  # {subject: rows of likeness in which the two differ on purpose}
    samples: list
    done: dict  # complete blocks
    resolution: dict = field(default_factory=dict)  # measure: half-width of the reference against itself
    compared: list = field(default_factory=list)
    within: list = field(default_factory=list)  # within.Within
    proofs: list = field(default_factory=list)  # (name, good, text)
    sheets: dict = field(default_factory=dict)  # subject: rows of likeness
    tampered: list | None = None

    @property
    def kind(self):
        return self.experiment.of_kind

    @property
    def twins(self):
        """The reference, and the same again under another name."""
        return self.subjects[:2]

    @property
    def trusted(self):
        """Whether verdicts may be given at all."""
        return all(good for _, good, _ in self.proofs) and not self.tampered

    def emulated(self, subject):
        return any(by[subject].get("figures", {}).get("emulated") for by in self.done.values())

    def values(self, subject, measure):
        """{block: value} over complete blocks."""
        found = {block: by[subject]["measures"].get(measure) for block, by in self.done.items()}
        return {block: value for block, value in found.items() if value is not None}

    def measures(self):
        """Names of all that was measured, but for what proofs alone are about."""
        names = dict.fromkeys(name for each in self.samples if each["status"] == "ok" for name in each["measures"])
        return [name for name in names if self.kind.measure(name) and not name.startswith(f"{proofs.QUOTA}.")]

    def describe(self, measure, title=""):
        """A measure in words. A title may name what was scouted: {fixed}."""
        scouted = self.plan["scouted"]
        rates = {each["name"]: f"{each['rate']:,}" for each in scouted.get("fixed", [])}
        return title.format(**rates) if title else self.kind.describe(scouted, measure)


def percent(ratio):
    return f"{ratio - 1:+.1%}"


def analyse(folder, experiment):
    plan, status = folder.read("plan.json"), folder.read("status.json")
    planned = [Subject(**each) for each in plan["subjects"]]
    by_name, samples = {each.name: each for each in planned}, folder.samples()
    subjects = list(by_name)
    found = Analysis(experiment, plan, folder.read("facts.json"), status, subjects,
                     {each.name: each.against for each in planned},
                     {each.name: likeness.purpose(by_name[each.against], each) for each in planned}, samples,
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
    found.within = within.findings(found)
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
        ratio = ratio_of(found, *found.twins, measure, level)
        if ratio and ratio.half_width is not None:
            found.resolution[measure] = ratio.half_width


def prove(found, folder):
    level = comparison.corrected_level(len(found.experiment.primary))
    reference, again = found.twins
    for primary in found.experiment.primary:
        good, text = proofs.judge_same(ratio_of(found, reference, again, primary.measure, level))
        found.proofs.append((f"{reference} against itself, {found.describe(primary.measure, primary.title)}", good, text))
    of_guests = folder.read("proofs.json") if (folder.path / "proofs.json").exists() else {}
    for platform, told in of_guests.get("loop", {}).items():
        found.proofs.append((f"half of a quota on a loop, {platform}", *proofs.judge_loop(told)))
    if "quota" in found.kind.proofs:
        prove_quota(found)
    if "null" in found.kind.proofs:
        highest = [max(found.values(each, found.kind.full_speed).values(), default=0) for each in found.subjects]
        rates = [each["rate"] for each in found.plan["scouted"]["fixed"]]
        found.proofs.append(("the generator's own ceiling",
                             *proofs.judge_null(found.plan["scouted"]["generator_ceiling"], highest + rates)))


def prove_quota(found):
    """The twin's full speed with half of the quota against that without, block by block."""
    again = found.twins[1]
    whole, half = found.values(again, found.kind.full_speed), found.values(again, f"{proofs.QUOTA}.rate")
    both = [block for block in whole if block in half]
    if both:
        expected = statistics.geometric_mean(found.values(again, f"{proofs.QUOTA}.expected").values())
        ratio = comparison.ratio([whole[block] for block in both], [half[block] for block in both])
        found.proofs.append(("half of the processors' time on the pipeline", *proofs.judge_quota(ratio, expected)))


def sheet(found, subject):
    """Rows of likeness over all complete blocks; the worst word counts."""
    rows = {}
    for by in found.done.values():
        for name, one, other, word in likeness.compare(by[found.against[subject]]["likeness"], by[subject]["likeness"],
                                                       found.on_purpose[subject]):
            if name not in rows or word == likeness.DIFFERENT:
                rows[name] = (name, one, other, word)
    return [rows[name] for name in sorted(rows)]


def compare(found, subject, measure, level, primary=None):
    title = found.describe(measure, primary.title if primary else "")
    result = Compared(subject, measure, title, primary is not None)
    unlike = [row for row in found.sheets.get(subject, []) if row[3] == likeness.DIFFERENT]
    first, second, disturbed = pairs(found, found.against[subject], subject, measure)
    if unlike:
        result.why = "the guests are not alike: " + "; ".join(f"{name} is {one or 'none'} and {other or 'none'}"
                                                             for name, one, other, _ in unlike)
    elif not first:
        result.why = "there is no block in which both have a value"
    elif found.emulated(subject):
        result.why = "the guest is emulated"
    elif why := no_ratio(found, subject, measure):
        result.why = why
    else:
        result.finding = comparison.finding(first, second, disturbed, level, resolution=found.resolution.get(measure, 0))
        result.beside = beside(found, subject, measure)
    return result


def no_ratio(found, subject, measure):
    """Why a sample of either says that this measure's value stands alone; "" when none does."""
    for by in found.done.values():
        for each in (found.against[subject], subject):
            for prefix, why in by[each].get("no_ratio", {}).items():
                if measure == prefix or measure.startswith(f"{prefix}."):
                    return f"{each}: {why}"
    return ""


def beside(found, subject, measure):
    """What the kind wants to have said beside a measure, where it differs by more than 5 %."""
    stretch, _, what = measure.rpartition(".")
    if what not in found.kind.beside:
        return ""
    other, words = found.kind.beside[what]
    first, second, _ = pairs(found, found.against[subject], subject, f"{stretch}.{other}")
    if not first:
        return ""
    ratio = statistics.geometric_mean(second) / statistics.geometric_mean(first)
    return "; " + words.format(ratio) if abs(math.log(ratio)) > math.log1p(BESIDE) else ""
