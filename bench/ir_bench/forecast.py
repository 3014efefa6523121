"""Forecasts the cost at a rate that was not measured, with an interval, from the measured rates.

Processor time per observation falls with the rate, for two reasons. Fixed work of b per second is shared by more
observations. And batches grow with the rate (docs/architecture.md, group commit): to m + rate · t observations, where m
is what one message holds and t is how long a stage is busy. With a cost of a per observation and c per batch, processor
time per observation is

    a + b / rate + c / (m + rate · t)

Several stages have different t. So the curve is a sum of terms 1 / (rate + r), for r from 0 (b) to infinity (a), with
non-negative weights. Each guest is fitted alone, because the guest is the unit of repetition: non-negative least
squares of relative errors (scipy.optimize.nnls). The interval is for one more guest: Student's t over the logarithms of
the guests' forecasts, widened by the curve's own error. That error is the largest one at an inner rate when each is
left out in turn.
"""

import math
from dataclasses import dataclass

import guard
import numpy
from scipy import optimize, stats

LEVEL = 0.95
WIDEST = 0.25
MIN_GUESTS = 3
MIN_RATES = 3  # the fit needs this many; the test holds out one more
SHAPES = 12  # number of values of r between 0 and infinity


class NotEnough(guard.Fault):
    """The measurements do not allow a forecast; the text says what is missing."""

    def __str__(self):
        return f"not enough data to forecast: {super().__str__()}"


@dataclass(frozen=True)
class Forecast:
    value: float
    low: float
    high: float

    @property
    def half_width(self):
        return math.sqrt(self.high / self.low) - 1

    def scaled(self, factor):
        return Forecast(self.value * factor, self.low * factor, self.high * factor)

    def words(self, digits=0):
        return f"{self.value:,.{digits}f} ({self.low:,.{digits}f}–{self.high:,.{digits}f})"


@dataclass(frozen=True)
class HeldOut:
    """The quality of a forecast at a rate that was measured but not used for it."""

    rate: float
    forecast: Forecast
    measured: float

    @property
    def good(self):
        return self.forecast.low <= self.measured <= self.forecast.high and self.forecast.half_width <= WIDEST


def one_more(values, beyond=0.0):
    """The expected value of one more guest, from the positive values of several. `beyond` is an additional error (of
    logarithms) that the scatter of the guests does not show."""
    if len(values) < MIN_GUESTS:
        raise NotEnough(f"{len(values)} guests were measured, at least {MIN_GUESTS} are needed")
    logs = numpy.log(values)
    half = stats.t.ppf((1 + LEVEL) / 2, len(logs) - 1) * logs.std(ddof=1) * math.sqrt(1 + 1 / len(logs)) + beyond
    return Forecast(*(math.exp(logs.mean() + each) for each in (0, -half, half)))


# ---- the curve ----


def terms(rates, shapes):
    """The terms of the curve, one row per rate: 1 (r is infinite), 1 / (1 + rate / r) for each r between, and 1 / rate
    (r is 0). They are scaled to similar magnitudes."""
    rates = numpy.asarray(rates, dtype=float)[:, None]
    return numpy.hstack([numpy.ones_like(rates), shapes.min() / rates, 1 / (1 + rates / shapes)])


def prediction(points, rate):
    """The value of one guest at a rate, from its {rate: value}."""
    rates, values = numpy.array(list(points)), numpy.array(list(points.values()))
    shapes = numpy.geomspace(rates.min() / 10, rates.max() * 10, SHAPES)
    weights, _ = optimize.nnls(terms(rates, shapes) / values[:, None], numpy.ones(len(rates)))
    return float((terms([rate], shapes) @ weights)[0])


def predictions(guests, rate):
    return [prediction(points, rate) for points in guests]


def without(guests, rate):
    return [{each: value for each, value in points.items() if each != rate} for points in guests]


def mean_log(values):
    return float(numpy.log(values).mean())


def curve_error(guests):
    """The largest error (in logarithms) at an inner rate when that rate is left out of the fit."""
    rates = sorted(guests[0])
    return max(abs(mean_log(predictions(without(guests, rate), rate)) - mean_log([points[rate] for points in guests]))
               for rate in rates[1:-1])


def foretell(guests, rate):
    """`guests`: {rate: value} for each guest, with the same rates in all."""
    rates = sorted(guests[0]) if guests else []
    if len(rates) < MIN_RATES:
        raise NotEnough(f"{len(rates)} rates were kept by every guest, at least {MIN_RATES} are needed")
    if not rates[0] <= rate <= rates[-1]:
        raise NotEnough(f"{rate:,.0f} observations/s lie outside of the measured {rates[0]:,.0f} to {rates[-1]:,.0f}")
    return one_more(predictions(guests, rate), curve_error(guests))


def held_out(guests, rate=None):
    """A forecast for a measured rate from the other rates. Without `rate`: the middle one."""
    rates = sorted(guests[0]) if guests else []
    if len(rates) < MIN_RATES + 1:
        raise NotEnough(f"{len(rates)} rates were kept by every guest; a forecast takes {MIN_RATES}, and one more that is held "
                        "out to test it")
    rate = rates[len(rates) // 2] if rate is None else rate
    if rate not in rates[1:-1]:
        raise NotEnough(f"{rate:,.0f} observations/s is not an inner rate; these can be tested: "
                        + ", ".join(f"{each:,.0f}" for each in rates[1:-1]))
    return HeldOut(rate, foretell(without(guests, rate), rate), math.exp(mean_log([points[rate] for points in guests])))
