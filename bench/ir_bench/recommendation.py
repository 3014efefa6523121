"""Which subject is best for what the user cares about, based on verdicts alone. A subject is best when it is better
than the reference by a verdict, and every other subject is equal or worse by a verdict. Measures that were not named in
advance are marked exploratory. Without a verdict the table says "not decided"; what was not measured is named as such.
"""

from dataclasses import dataclass, field

from . import comparison

# One tuple for each thing that users care about: its name, the kinds of experiment that measure it, and the last parts
# of the measures' names (None: all primary measures).
CONCERNS = (
    ("throughput", ("pipeline", "sustained"), ("rate", "highest")),
    ("latency", ("pipeline",), ("p50_ms", "p99_ms")),
    ("processor time", ("pipeline",), ("cpu_us",)),
    ("isolation", ("isolation",), None),
    ("flexibility", ("flexibility",), None),
)
BETTER, WORSE, EQUAL, OPEN, NONE = "better", "worse", "equal", "not decided", "no comparison"
NOT_MEASURED = "not measured"


@dataclass
class Row:
    concern: str
    title: str = ""  # title of the measure; "": nothing was measured
    primary: bool = True
    reference: str = ""
    words: dict = field(default_factory=dict)  # {subject: one of the five}
    cells: dict = field(default_factory=dict)  # {subject: the verdict with its figures}

    @property
    def best(self):
        """The best subject of the row, or the reason why the verdicts do not show which is best."""
        if not self.words:
            return NOT_MEASURED
        judged = {subject: word for subject, word in self.words.items() if word != NONE}
        if not judged or OPEN in judged.values():
            return OPEN
        better = [subject for subject, word in judged.items() if word == BETTER]
        if len(better) > 1:
            return f"{' and '.join(better)} are better than {self.reference}; between them nothing was compared"
        if better:
            return f"{better[0]} is best"
        equal = [subject for subject, word in judged.items() if word == EQUAL]
        if equal:
            return f"{' and '.join([self.reference, *equal])} are equal" + (" and best" if len(equal) < len(judged) else "")
        return f"{self.reference} is best"


def word(verdict, better):
    """One of the five words for a verdict on the ratio to the reference. `better`: "higher", "lower" or ""."""
    if not verdict:
        return NONE
    if verdict == comparison.SAME:
        return EQUAL
    if verdict in (comparison.HIGHER, comparison.LOWER) and better:
        return BETTER if verdict == better else WORSE
    return OPEN


def chosen(found, endings):
    """The names of the measures for a concern: those named in advance, or if there are none, the others."""
    fitting = [each for each in found.compared if endings is None or each.measure.rpartition(".")[2] in endings]
    primary = dict.fromkeys(each.measure for each in fitting if each.primary)
    if primary or endings is None:
        return list(primary)
    return list(dict.fromkeys(each.measure for each in fitting))


def row(found, concern, measure):
    reference, again = found.twins
    made = Row(concern, reference=reference)
    for each in found.compared:
        if each.measure == measure and each.against == reference and each.subject != again:
            made.title, made.primary = each.title, each.primary
            made.words[each.subject] = word(each.word, found.kind.measure(measure).better)
            told = made.words[each.subject]
            made.cells[each.subject] = f"{told}: {each.verdict()}" if told in (BETTER, WORSE) else each.verdict()
    return made


def table(analyses):
    """The rows in the order of CONCERNS, from the analyses of one run; empty when it measured none of them."""
    rows = []
    for concern, kinds, endings in CONCERNS:
        own = [row(found, concern, measure) for found in analyses if found.experiment.kind in kinds
               for measure in chosen(found, endings)]
        rows += [each for each in own if each.words] or [Row(concern)]
    return rows if any(each.words for each in rows) else []


def subjects(rows):
    """All subjects of any row, in their order."""
    return list(dict.fromkeys(subject for each in rows for subject in each.words))
