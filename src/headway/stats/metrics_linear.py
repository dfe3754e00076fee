"""Metrics that are smooth functions of means: bounded by what each row adds to the error, to first order.

One model's metric is bounded on a scale on which its error is nearly symmetric, so that the range keeps to what the
metric can be; two models' difference as it is. The infinitesimal jackknife (Efron 1982, The Jackknife, the Bootstrap
and Other Resampling Plans, chapter 6) with the t quantile; by simulation it keeps its level better than BCa here and
costs no resamples (docs/gates.md).
"""

import math
from collections.abc import Callable

import numpy as np
from msgspec import Struct

from headway.stats.answers import Answers, Column, Rows, Values
from headway.stats.metrics_estimate import Bounds, Estimate, Metric, alone, bound_linear, compared


class Linear(Struct, frozen=True, kw_only=True, eq=False):
    """A metric's value and each row's part in its error, which are 0 on average.

    `said`: what the model said of each row, as far as it counts here; `off`: not 0 where that tells something of the
    value, as a wrong label does.
    """

    value: float
    parts: Values
    said: Column
    off: Values


class Scale(Struct, frozen=True, kw_only=True):
    """A scale on which errors are nearly symmetric: `to` it, its `slope` there, and `back`."""

    to: Callable[[float], float]
    slope: Callable[[float], float]
    back: Callable[[float], float]


def logit(lowest: float, highest: float) -> Scale:
    """The logit scale of values between two ends; from -1 to 1 it is Fisher's z."""
    width = highest - lowest
    return Scale(
        to=lambda value: math.log((value - lowest) / (highest - value)),
        slope=lambda value: width / ((value - lowest) * (highest - value)),
        back=lambda x: lowest + width / (1 + math.exp(-x)) if x > -700 else lowest,
    )


def log_below(highest: float) -> Scale:
    """The logarithm of what is missing to the highest value."""
    return Scale(
        to=lambda value: -math.log(highest - value),
        slope=lambda value: 1 / (highest - value),
        back=lambda x: highest - math.exp(-x),
    )


LOG = Scale(to=math.log, slope=lambda value: 1 / value, back=math.exp)
"""The logarithm of a value above 0."""


def linear(make: Callable[[Rows, Answers], Linear], lowest: float, highest: float, scale: Scale) -> Metric:
    """The metric whose value and parts are made by `make`, from `lowest` to `highest`."""

    def of_one(rows: Rows, answers: Answers, level: float) -> Estimate:
        made = make(rows, answers)
        value, parts = made.value, made.parts
        if not lowest < value < highest:
            few = Bounds(low=None, high=None, method="none, the value is as far as it goes", spread=0.0)
            return alone(value, few, rows.n_rows)
        slope = scale.slope(value)
        found = bound_linear(rows, scale.to(value), parts * slope, made.off, level, None)
        bounds = Bounds(
            low=None if found.low is None else scale.back(found.low),
            high=None if found.high is None else scale.back(found.high),
            method=found.method,
            spread=found.spread / slope,
            approximate=found.approximate,
        )
        return alone(value, bounds, rows.n_rows)

    def of_two(rows: Rows, new: Answers, old: Answers, level: float, times: float) -> Estimate:
        ours, theirs = make(rows, new), make(rows, old)
        moves = np.asarray(ours.said != theirs.said, dtype=np.int8)
        parts = ours.parts - times * theirs.parts
        found = bound_linear(rows, ours.value - times * theirs.value, parts, moves, level, None)
        bounds = Bounds(
            low=found.low,
            high=found.high,
            method=f"paired {found.method}" if found.approximate else found.method,
            spread=found.spread,
            approximate=found.approximate,
        ).within(lowest - times * highest, highest - times * lowest)
        return compared(ours.value, theirs.value, bounds, (rows.n_rows, rows.count(moves != 0)), times)

    return Metric(of_one=of_one, of_two=of_two)
