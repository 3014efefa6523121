"""What a kind of experiment declares of itself. Each module of this package has a class `Kind` derived from the one here;
what it leaves alone is as here."""

from dataclasses import dataclass

from .. import subjects

NUMBER = (int, float)


@dataclass(frozen=True)
class Measure:
    """What a measure is in words. `better` is "higher", "lower", or "" where neither is. `ratio`: it is a ratio itself, taken
    within one sample; then the report says whether it differs from 1."""

    words: str
    unit: str = ""
    digits: int = 1
    better: str = ""
    ratio: bool = False


class Kind:
    Sample = None  # a class derived from sample.Sample: how one sample is made
    # {key: type, (types), [type] or [{key: type}]} of the table that an experiment file has for its kind. All are required.
    parameters = {}
    # {last word of a measure's dotted name: Measure}. Those of proofs alone are not here.
    measures = {}
    appliance = ""  # the guests' root, as Guest.appliance
    proofs = ()  # of proofs.NAMED; bare metal against itself is in every report

    processor_time = ()  # measures that are processor time, which the kernel counts in two ways
    blocks_most = 0  # blocks at most; 0: as many as the run says
    full_speed = ""  # the measure that the proof of the quota and that of the generator's ceiling are about
    glance = ()  # measures whose medians stand beside the verdicts in the summary, without a verdict
    losses = ()  # measures, ratios within one guest, that are certainly below 1: a proof that the run finds a loss
    beside = {}  # {measure: (another one, words)}: "batches were {:.2f} times as large" stands beside it where they differ

    def check(self, parameters):
        """Raises ValueError for values that cannot be."""

    def missing(self, experiment):
        """Why this host cannot do the experiment, beyond its [needs]."""
        return []

    def subjects(self, experiment, platforms, profiles):
        """What is compared: Subjects, the reference and its twin first."""
        return subjects.of(platforms, profiles)

    def scout(self, parameters, once):
        """Before the first block: what the samples' loads are made from; kept in the plan, and never changed. once(scouted)
        makes one sample of the reference and returns its measures."""
        return {}

    def remarks(self, found):
        """Sentences that follow from the samples and are no comparison; `found` is an analysis."""
        return []

    def stretches(self, scouted):
        """{first part of measures' names: in words}."""
        return {}

    def alike(self, scouted):
        """{measure: factor} that two subjects may differ by, or they are not alike: {"fixed.flushes_per_1000": 2}."""
        return {}

    def describe(self, scouted, measure):
        """A measure in words."""
        stretch, _, what = measure.rpartition(".")
        told = self.stretches(scouted).get(stretch, stretch)
        return " ".join(filter(None, (self.measures[what].words, told)))

    def measure(self, name):
        """The Measure of a dotted name, None when it is none of this kind."""
        return self.measures.get(name.rpartition(".")[2])
