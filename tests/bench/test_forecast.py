"""Forecasts of the cost at a rate that was not measured, tested on a simulated pipeline whose batches grow with the
rate."""

import numpy
import pytest

from ir_bench import forecast

RATES = (4800, 9600, 14000, 19000, 29000)


def guests(random, count=4, deviation=0.02, rates=RATES, a=25.0, b=1.5e6, r=0.0, idle=0.0):
    """Simulates measurements of a pipeline with these costs. Guests differ a little, and each figure has an error of
    its own."""
    found = []
    for _ in range(count):
        own = numpy.exp(random.normal(0, deviation))
        found.append({rate: own * (a + idle / rate + b / (rate + r)) * numpy.exp(random.normal(0, deviation / 4)) for rate in rates})
    return found


@pytest.mark.parametrize("a, b, r, idle", [(25, 1.5e6, 0, 0), (10, 4e5, 2000, 0), (30, 3e6, 20000, 0), (60, 0, 0, 0),
                                           (0, 1e6, 500, 0), (20, 4e6, 15000, 1e5)])
def test_the_held_out_rate_is_foretold(a, b, r, idle):
    """The forecast for a rate that was left out: in at least 95 of 100 runs the interval contains the measured value
    and is narrower than ±25 %."""
    random = numpy.random.default_rng(7)
    held = [forecast.held_out(guests(random, a=a, b=b, r=r, idle=idle)) for _ in range(100)]
    assert all(each.rate == 14000 for each in held)
    assert sum(each.forecast.low <= each.measured <= each.forecast.high for each in held) >= 95
    assert sum(each.good for each in held) >= 95


def test_another_law_is_not_foretold():
    """Above some rate, each observation costs four times as much. The check of the forecast must detect this."""
    random = numpy.random.default_rng(1)
    step = [{rate: value * (4 if rate > 12000 else 1) for rate, value in points.items()} for points in guests(random, b=0)]
    assert not forecast.held_out(step).good


def test_without_noise_the_curve_is_exact():
    random = numpy.random.default_rng(1)
    found = forecast.foretell(guests(random, deviation=0, r=100), 10000)
    assert found.value == pytest.approx(25 + 1.5e6 / 10100, rel=0.01)


def test_one_more_guest():
    """Computed by hand: the logarithms are 0 and ±0.1, so s = 0.1; t(0.975, 2) = 4.302653; half = t · s · sqrt(4/3)."""
    found = forecast.one_more([1.0, numpy.exp(0.1), numpy.exp(-0.1)])
    half = 4.302653 * 0.1 * (4 / 3) ** 0.5
    assert (found.value, found.high) == (pytest.approx(1), pytest.approx(numpy.exp(half)))
    assert found.half_width == pytest.approx(numpy.exp(half) - 1)


@pytest.mark.parametrize(
    "rates, count, rate, told",
    [
        ((5000, 10000), 4, 7000, "2 rates"),
        (RATES, 2, 7000, "2 guests"),
        (RATES, 4, 1000, "outside of the measured 4,800 to 29,000"),
        (RATES, 4, 60000, "outside"),
    ],
)
def test_what_is_missing_is_told(rates, count, rate, told):
    with pytest.raises(forecast.NotEnough, match=told) as error:
        forecast.foretell(guests(numpy.random.default_rng(1), count, rates=rates), rate)
    assert str(error.value).startswith("not enough data to forecast: ")


def test_three_rates_cannot_be_tested():
    with pytest.raises(forecast.NotEnough, match="held out"):
        forecast.held_out(guests(numpy.random.default_rng(1), rates=RATES[:3]))


def test_only_an_inner_rate_is_held_out():
    with pytest.raises(forecast.NotEnough, match="inner"):
        forecast.held_out(guests(numpy.random.default_rng(1)), RATES[0])
