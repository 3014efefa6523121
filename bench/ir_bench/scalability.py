"""How throughput grows with the number of workers or servers: the Universal Scalability Law.

    X(n) = rate * n / (1 + contention * (n - 1) + coherence * n * (n - 1))

(N. J. Gunther, Guerrilla Capacity Planning, Springer 2007, chapter 4). Three parameters need more than three points:
with fewer than MIN_POINTS different n there is a table and no law.
"""

import math
from dataclasses import dataclass

import numpy
from scipy import optimize

MIN_POINTS = 5


@dataclass(frozen=True)
class Law:
    rate: float  # throughput of one
    contention: float  # fraction of the work that is serialised
    coherence: float  # cost of coordination between each pair
    error: float  # largest relative distance of a point from the curve

    def __call__(self, n):
        return throughput(n, self.rate, self.contention, self.coherence)

    @property
    def peak(self):
        """The n beyond which throughput falls; None when there is no such n."""
        return math.sqrt((1 - self.contention) / self.coherence) if self.coherence > 0 and self.contention < 1 else None


def throughput(n, rate, contention, coherence):
    return rate * n / (1 + contention * (n - 1) + coherence * n * (n - 1))


def fit(points):
    """Fits the Law to (n, throughput) pairs; None when there are too few different n. Distances are relative, like the
    scatter of throughput."""
    numbers, measured = (numpy.array(each, dtype=float) for each in zip(*points)) if points else ((), ())
    if len(set(numbers)) < MIN_POINTS:
        return None
    first = float(numpy.mean(measured[numbers == numbers.min()] / numbers.min()))
    found, _ = optimize.curve_fit(throughput, numbers, measured, p0=(first, 0.05, 0.001), sigma=measured,
                                  bounds=((0, 0, 0), (numpy.inf, 1, 1)))
    error = float(numpy.max(numpy.abs(throughput(numbers, *found) / measured - 1)))
    return Law(*(float(each) for each in found), error)


def allowed(numbers, cores, generator_cores):
    """The numbers for which the host has a core each, in addition to the generator's cores; at least the smallest
    number."""
    return [each for each in sorted(numbers) if each <= max(cores - generator_cores, 1)] or [min(numbers)]
