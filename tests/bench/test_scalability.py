"""Fits the scalability law. It finds the parameters from which the points were made, and is not fitted to few
points."""

import random

import pytest

from ir_bench import scalability


@pytest.mark.parametrize("contention, coherence", [(0.0, 0.0), (0.05, 0.0), (0.08, 0.004), (0.2, 0.02)])
def test_exact_points_give_their_parameters(contention, coherence):
    points = [(n, scalability.throughput(n, 1000, contention, coherence)) for n in (1, 2, 3, 4, 6, 8)]
    law = scalability.fit(points)
    assert law.rate == pytest.approx(1000, rel=1e-3)
    assert law.contention == pytest.approx(contention, abs=1e-3)
    assert law.coherence == pytest.approx(coherence, abs=1e-4)
    assert law.error < 1e-3


def test_scattered_points_give_the_throughput_between_them():
    """Makes 200 fits to points with a scatter of 3 %, without the point n = 5. At least 19 in 20 predict that point
    within 5 %."""
    numbers = random.Random(7)
    good = 0
    for _ in range(200):
        points = [(n, scalability.throughput(n, 1000, 0.08, 0.004) * numbers.gauss(1, 0.03))
                  for n in (1, 2, 3, 4, 6, 8) for _ in range(3)]
        law = scalability.fit(points)
        good += abs(law(5) / scalability.throughput(5, 1000, 0.08, 0.004) - 1) < 0.05
    assert good >= 190


def test_the_peak():
    points = [(n, scalability.throughput(n, 1000, 0.04, 0.01)) for n in (1, 2, 4, 8, 16, 32)]
    assert scalability.fit(points).peak == pytest.approx((0.96 / 0.01) ** 0.5, rel=1e-2)
    assert scalability.Law(1000, 0.1, 0, 0).peak is None


@pytest.mark.parametrize("numbers", [(), (1,), (1, 2, 4, 8), (1, 1, 2, 2, 4, 4)])
def test_few_points_give_no_law(numbers):
    assert scalability.fit([(n, 1000 * n) for n in numbers]) is None


@pytest.mark.parametrize("cores, generator, good", [(2, 0, [1, 2]), (2, 1, [1]), (1, 1, [1]), (8, 1, [1, 2, 4]),
                                                    (64, 1, [1, 2, 4, 8])])
def test_only_numbers_below_the_cores(cores, generator, good):
    assert scalability.allowed([1, 2, 4, 8], cores, generator) == good
