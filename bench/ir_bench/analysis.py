"""Turns the samples of a run into the content of its report. It writes nothing; the same samples always give the same
result."""

import dataclasses
import math
import statistics
import textwrap
from dataclasses import dataclass, field

from . import blocks, comparison, likeness, proofs, within
from .subjects import Subject

BESIDE = 0.05
WHY_LONGEST = 160  # characters; a longer reason of a failure is cut here, but not in the list of failed samples
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
    """One measure of one subject, compared with another subject (usually the reference)."""

    subject: str
    against: str
    measure: str
    title: str
    primary: bool
    finding: object = None  # a comparison.Finding; None: no ratio, for the reason in `why`
    why: str = ""
    beside: str = ""  # a remark beside the figure
    ordinary: bool = True  # whether `against` is the run's reference
    doubt: str = ""  # the failed proof because of which there is no verdict
    medians: tuple = ()  # (the other subject's, this one's); () if there is no ratio

    @property
    def word(self):
        """The verdict; "" without one."""
        return self.finding.word if self.finding and not self.doubt else ""

    def verdict(self):
        """The verdict in words, with its figures."""
        if self.finding is None:
            return f"no comparison: {self.why}"
        if self.doubt:
            return f"no verdict: {self.doubt}"
        found, word = self.finding.all, self.finding.word
        if word in (comparison.HIGHER, comparison.LOWER):
            low, high = sorted(abs(each - 1) * 100 for each in (found.low, found.high))
            text = f"{abs(found.estimate - 1) * 100:.1f} % {word} ({low:.1f}–{high:.1f} %)"
        elif word == comparison.SAME:
            text = f"no difference (within {farthest(found):.1f} %)"
        elif found.low:
            text = f"{WORDS[word]} ({percent(found.low)} to {percent(found.high)})"
        else:
            text = WORDS[word]
        return text + (f"; {self.finding.why}" if self.finding.why else "") + self.beside

    def outlook(self):
        """How many blocks would decide an open comparison; "" for any other."""
        if self.word != comparison.UNDECIDED:
            return ""
        blocks_needed = comparison.pairs_needed(comparison.EQUIVALENCE, self.finding.all.deviation, self.finding.all.level)
        took = f"about {blocks_needed} blocks" if blocks_needed else "more than 1,000 blocks"
        return f"a difference of {comparison.EQUIVALENCE * 100:.0f} % takes {took}"

    def sentence(self):
        return f"{self.who}: {self.title}: {self.verdict()}"

    @property
    def who(self):
        """The name of the subject. If it is not compared with the reference, also the name of the other subject."""
        return self.subject if self.ordinary else f"{self.subject} against {self.against}"


@dataclass(frozen=True)
class Proof:
    """A check of the report itself. Verdicts about these measures and subjects depend on it; if none are named, all
    verdicts depend on it."""

    kind: str  # one of those in proofs.py
    name: str
    good: bool | None  # None: undecided
    text: str
    measures: tuple = ()
    subjects: tuple = ()

    def covers(self, subject, measure):
        return (not self.measures or measure in self.measures) and (not self.subjects or subject in self.subjects)


@dataclass
class Analysis:
    experiment: object
    plan: dict
    facts: dict
    status: dict
    subjects: list  # names; the reference and its twin first
    against: dict  # {subject: the subject it is compared with}
    on_purpose: dict  # {subject: rows of the sheet of likeness that differ on purpose}
    samples: list
    done: dict  # {block: {subject: sample}} of the samples that count
    resolution: dict = field(default_factory=dict)  # measure: half-width of the interval of the reference against itself
    compared: list = field(default_factory=list)
    within: list = field(default_factory=list)  # within.Within
    proofs: list = field(default_factory=list)  # Proofs
    sheets: dict = field(default_factory=dict)  # subject: rows of likeness
    tampered: list | None = None

    @property
    def kind(self):
        return self.experiment.of_kind

    @property
    def twins(self):
        """The reference, and its repetition under another name."""
        return self.subjects[:2]

    def doubt(self, subject, measure):
        """The reason why no verdict may be given; "" when there is none."""
        wrong = ["files have changed since the run ended"] if self.tampered else []
        wrong += [f"a proof {'fails' if each.good is False else 'is open'} ({each.name})" for each in self.proofs
                  if not each.good and each.covers(subject, measure)]
        return "; ".join(wrong)

    def emulated(self, subject):
        return any(by[subject]["figures"].get("emulated") for by in self.done.values() if subject in by)

    def values(self, subject, measure):
        """Returns {block: value}"""
        found = {block: by[subject]["measures"].get(measure) for block, by in self.done.items() if subject in by}
        return {block: value for block, value in found.items() if value is not None}

    def median(self, subject, measure):
        """The median of a measure; None if it was never measured."""
        return statistics.median(by) if (by := self.values(subject, measure).values()) else None

    def measures(self):
        """The names of all measures, except those that only serve proofs."""
        names = dict.fromkeys(name for each in self.samples if each["status"] == "ok" for name in each["measures"])
        return [name for name in names if self.kind.measure(name) and not name.startswith(f"{proofs.QUOTA}.")]

    def describe(self, measure, title=""):
        """The measure in words. Its title may contain a scouted value such as {fixed}."""
        scouted = self.plan["scouted"]
        rates = {each["name"]: f"{each['rate']:,}" for each in scouted.get("fixed", [])}
        return title.format(**rates) if title else self.kind.describe(scouted, measure)


def percent(ratio):
    return f"{(ratio - 1) * 100:+.1f} %".replace("-", "−")


def farthest(ratio):
    """The distance of the interval's farther end from 1, in per cent."""
    return max(ratio.high - 1, 1 - ratio.low) * 100


def analyse(part, experiment, tampered=()):
    """`part`: the experiment's folder in a run. `tampered`: files that differ from the run's checksums."""
    plan, status = part.read("plan.json"), part.status
    planned = [Subject(**each) for each in plan["subjects"]]
    by_name, samples = {each.name: each for each in planned}, part.samples()
    subjects = list(by_name)
    found = Analysis(experiment, plan, part.run.read("facts.json"), status, subjects,
                     {each.name: each.against for each in planned},
                     {each.name: likeness.purpose(by_name[each.against], each) for each in planned}, samples,
                     blocks.good(samples), tampered=list(tampered))
    level = comparison.corrected_level(len(experiment.primary))
    same_subject(found, level)
    prove(found, part)
    for subject in subjects[1:]:
        found.sheets[subject] = sheet(found, subject)
        for primary in experiment.primary:
            found.compared.append(compare(found, subject, primary.measure, level, primary))
        chosen = {each.measure for each in experiment.primary}
        found.compared += [compare(found, subject, measure, level) for measure in found.measures() if measure not in chosen]
    found.within = within.findings(found)
    return found


def pairs(found, first, second, measure):
    """Returns ([values of first], [values of second], [disturbed]) for the blocks in which both have the measure."""
    one, other = found.values(first, measure), found.values(second, measure)
    both = [block for block in found.done if one.get(block) and other.get(block)]
    disturbed = [any(blocks.reasons(found.done[block][each], measure) for each in (first, second)) for block in both]
    return [one[block] for block in both], [other[block] for block in both], disturbed


def ratio_of(found, first, second, measure, level):
    values = pairs(found, first, second, measure)
    return comparison.ratio(values[0], values[1], level) if values[0] else None


def same_subject(found, level):
    for measure in found.measures():
        ratio = ratio_of(found, *found.twins, measure, level)
        if ratio and ratio.half_width is not None:
            found.resolution[measure] = ratio.half_width


def prove(found, part):
    level = comparison.corrected_level(len(found.experiment.primary))
    reference, again = found.twins
    for primary in found.experiment.primary:
        judged = proofs.judge_same(ratio_of(found, reference, again, primary.measure, level))
        title = found.describe(primary.measure, primary.title)
        found.proofs.append(Proof(proofs.SELF, f"{reference} does not differ from itself: {title}", *judged,
                                  measures=(primary.measure,)))
    of_guests = part.read("proofs.json") if part.has("proofs.json") else {}
    platforms = {each["name"]: each["platform"] for each in found.plan["subjects"]}
    for platform, told in of_guests.get("loop", {}).items():
        here = tuple(each for each in found.subjects
                     if platforms[each] == platform and not found.emulated(each) and not without_samples(found, each))
        if not here:
            continue  # no verdict depends on this proof
        named = () if reference in here else here
        found.proofs.append(Proof(proofs.LOOP, f"half of the processor time on a program that only computes, {platform}",
                                  *proofs.judge_loop(told), subjects=named))
    if proofs.QUOTA in found.kind.proofs:
        found.proofs.append(Proof(proofs.QUOTA, "half of the processor time on the pipeline", *judge_quota(found)))
    if proofs.NULL in found.kind.proofs:
        highest = [max(found.values(each, found.kind.full_speed).values(), default=0) for each in found.subjects]
        rates = [each["rate"] for each in found.plan["scouted"]["fixed"]]
        judged = proofs.judge_null(found.plan["scouted"]["generator_ceiling"], highest + rates, generator_cost(found))
        found.proofs.append(Proof(proofs.NULL, "the load generator is not the bottleneck", *judged))
    prove_losses(found)


def generator_cost(found):
    """The generator's processor time per observation at full speed, in µs; None if not measured."""
    stretch = found.kind.full_speed.rpartition(".")[0]
    return found.median(found.twins[0], f"{stretch}.generator_cpu_us")


def prove_losses(found):
    """The proof that the run finds a loss that certainly exists, in each subject separately."""
    for measure in found.kind.losses:
        for subject in found.subjects:
            values = list(found.values(subject, measure).values())
            if values and not found.emulated(subject):
                judged = proofs.judge_loss(comparison.ratio([1.0] * len(values), values))
                found.proofs.append(Proof(proofs.LOSS, f"a loss is found, {subject}: {found.describe(measure)}", *judged,
                                          subjects=(subject,)))


def judge_quota(found):
    """Judges the twin's full speed with half of the processor time, as a ratio to its full speed without this limit,
    block by block."""
    again = found.twins[1]
    whole, half = found.values(again, found.kind.full_speed), found.values(again, f"{proofs.QUOTA}.rate")
    both = [block for block in whole if block in half]
    if not both:
        return proofs.judge_quota(None, None)
    expected = statistics.geometric_mean(found.values(again, f"{proofs.QUOTA}.expected").values())
    return proofs.judge_quota(comparison.ratio([whole[block] for block in both], [half[block] for block in both]), expected)


def sheet(found, subject):
    """Rows of the sheet of likeness over all blocks; the worst result counts."""
    rows = {}
    first = found.against[subject]
    for block in blocks.pairs(found.done, first, subject):
        by = found.done[block]
        sheets = (by[each]["likeness"] for each in (first, subject))
        for name, one, other, word in likeness.compare(*sheets, found.on_purpose[subject]):
            if name not in rows or word == likeness.DIFFERENT:
                rows[name] = (name, one, other, word)
    return [*(rows[name] for name in sorted(rows)), *measured_rows(found, first, subject)]


def measured_rows(found, first, second):
    """Rows of the sheet of likeness for measured values: their medians may differ at most by a given factor."""
    for measure, factor in found.kind.alike(found.plan["scouted"]).items():
        values = pairs(found, first, second, measure)[:2]
        if values[0]:
            one, other = (statistics.median(each) for each in values)
            apart = max(one / other, other / one)
            word = likeness.SAME if apart <= factor else likeness.DIFFERENT
            yield (found.describe(measure), f"{one:,.0f}", f"{other:,.0f} (the same within a factor of {factor})", word)


def compare(found, subject, measure, level, primary=None):
    title = found.describe(measure, primary.title if primary else "")
    ordinary = found.against[subject] == found.twins[0]
    result = Compared(subject, found.against[subject], measure, title, primary is not None, ordinary=ordinary)
    unlike = [row for row in found.sheets.get(subject, []) if row[3] == likeness.DIFFERENT]
    first, second, disturbed = pairs(found, found.against[subject], subject, measure)
    if found.emulated(subject):
        result.why = "the guest is emulated"
    elif unlike:
        result.why = "the guests are not alike: " + "; ".join(f"{name} is {one or 'none'} and {other or 'none'}"
                                                             for name, one, other, _ in unlike)
    elif why := without_samples(found, found.against[subject], subject):
        result.why = why
    elif why := no_ratio(found, subject, measure):
        result.why = why
    elif not first:
        result.why = "; ".join(notes(found, subject, measure)) or "there is no block in which both have a value"
    else:
        result.finding = comparison.finding(first, second, disturbed, level, resolution=found.resolution.get(measure, 0))
        if measure.rpartition(".")[2] in found.kind.processor_time:
            result.finding = doubly_counted(found, subject, measure, result.finding)
        result.doubt = found.doubt(subject, measure) if result.finding.word != comparison.VALUES else ""
        result.beside = beside(found, subject, measure)
        result.medians = statistics.median(first), statistics.median(second)
    return result


def doubly_counted(found, subject, measure, finding):
    """The kernel counts processor time in two ways: busy ticks, and wall time minus idle time. If a difference is
    smaller than the gap between the two, the report does not claim it."""
    stretch = measure.rpartition(".")[0]
    first = found.against[subject]

    def shift(sample):
        return math.log(sample["parts"][stretch]["busy_by_idle"] / sample["parts"][stretch]["busy"])

    shifts = [shift(found.done[block][subject]) - shift(found.done[block][first])
              for block in blocks.pairs(found.done, first, subject)
              if all(stretch in found.done[block][each]["parts"] for each in (first, subject))]
    apart = abs(statistics.mean(shifts)) if shifts else 0
    if finding.word not in (comparison.HIGHER, comparison.LOWER) or apart < abs(math.log(finding.all.estimate)):
        return finding
    why = f"the kernel's two counts of processor time disagree by more: {math.expm1(apart) * 100:.1f} %"
    return dataclasses.replace(finding, word=comparison.UNDECIDED, why=why)


def without_samples(found, *subjects):
    """Why a subject has no sample that counts; "" when each has one."""
    for subject in subjects:
        own = [each for each in found.samples if each["subject"] == subject]
        if own and all(each["status"] != "ok" for each in own):
            why = textwrap.shorten(own[-1]["why"], WHY_LONGEST, placeholder=" …")
            return f"every sample of {subject} is {own[-1]['status']}: {why}"
    return ""


def no_ratio(found, subject, measure):
    """The reason why a measure is in no ratio, if a sample of one of the subjects gives one; otherwise ""."""
    for by in found.done.values():
        for each in {found.against[subject], subject} & set(by):
            for prefix, why in by[each].get("no_ratio", {}).items():
                if measure == prefix or measure.startswith(f"{prefix}."):
                    return f"{each}: {why}"
    return ""


def notes(found, subject, measure):
    """The notes of samples about a measure: [text], without repeats."""
    told = {f"{each}: {text}": None for by in found.done.values() for each in (found.against[subject], subject) if each in by
            for prefix, text in by[each].get("notes", {}).items() if measure == prefix or measure.startswith(f"{prefix}.")}
    return list(told)


def beside(found, subject, measure):
    """The kind's remark beside a measure, if the related values differ by more than 5 %."""
    stretch, _, what = measure.rpartition(".")
    if what not in found.kind.beside:
        return ""
    other, words = found.kind.beside[what]
    first, second, _ = pairs(found, found.against[subject], subject, f"{stretch}.{other}")
    if not first:
        return ""
    ratio = statistics.geometric_mean(second) / statistics.geometric_mean(first)
    return "; " + words.format(ratio) if abs(math.log(ratio)) > math.log1p(BESIDE) else ""
