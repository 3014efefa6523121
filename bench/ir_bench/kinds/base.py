"""The declarations of a kind of experiment. Each module of this package has a class `Kind` derived from the one here,
and overrides what differs."""

from dataclasses import dataclass

from .. import subjects

NUMBER = (int, float)


@dataclass(frozen=True)
class Measure:
    """A measure in words. `better` is "higher", "lower", or "" for neither. `ratio`: the measure is itself a ratio
    taken within one sample, and the report tests whether it differs from 1."""

    words: str
    unit: str = ""
    digits: int = 1
    better: str = ""
    ratio: bool = False


class Kind:
    Sample = None  # a class derived from sample.Sample: how one sample is made
    # {key: type, (types), [type] or [{key: type}]} of the kind's table in an experiment file. All keys are required.
    parameters = {}
    # {last part of a measure's dotted name: Measure}, without the measures that only proofs use.
    measures = {}
    appliance = ""  # the guests' variant of the appliance, as in Guest.appliance
    proofs = ()  # names from proofs.NAMED; every report also compares bare metal with itself

    processor_time = ()  # measures that are processor time, which the kernel counts in two ways
    blocks_most = 0  # maximum number of blocks; 0: as many as the run asks for
    full_speed = ""  # the measure for the proofs of the quota and of the generator's ceiling
    glance = ()  # measures whose medians appear in the summary, without verdicts
    losses = ()  # ratios within one guest that are certainly below 1: a proof that the run detects losses
    beside = {}  # {measure: (related measure, remark)}; the remark is printed when the related measure differs

    def check(self, parameters):
        """Raises ValueError for invalid values."""

    def missing(self, experiment):
        """Why this host cannot run the experiment, beyond its [needs]."""
        return []

    def subjects(self, experiment, platforms, profiles):
        """The Subjects to compare: first the reference and its twin."""
        return subjects.of(platforms, profiles)

    def scout(self, parameters, once):
        """Scouts: called before the first block. Returns the values that determine the samples' loads; they are stored
        in the plan and never change. once(scouted) makes one sample of the reference and returns its measures."""
        return {}

    def remarks(self, found):
        """Sentences about the samples that are not comparisons. `found` is an analysis."""
        return []

    def stretches(self, scouted):
        """Returns {prefix of measures' names, such as "fixed": description of these measures}."""
        return {}

    def alike(self, scouted):
        """Returns {measure: factor} by which two subjects may differ and still count as alike, such as
        {"fixed.flushes_per_1000": 2}."""
        return {}

    def describe(self, scouted, measure):
        """A measure in words."""
        stretch, _, what = measure.rpartition(".")
        told = self.stretches(scouted).get(stretch, stretch)
        return " ".join(filter(None, (self.measures[what].words, told)))

    def measure(self, name):
        """The Measure of a dotted name; None when the kind has no such measure."""
        return self.measures.get(name.rpartition(".")[2])
