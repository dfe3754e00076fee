"""Shares of rows that the answers choose too: precision and F1, where each model has a denominator of its own."""

from collections.abc import Callable

import numpy as np

from headway.stats import compare, ratio
from headway.stats.answers import Answers, Rows, positives, right_answers
from headway.stats.bounds import Interval
from headway.stats.classes import alike
from headway.stats.interval import clopper_pearson, wilson
from headway.stats.metrics_estimate import FEW_ROWS, Bounds, Estimate, Metric, alone, bound_linear, compared


def of_ratio(make: Callable[[Rows, Answers], ratio.Ratio]) -> Metric:
    """One model: exact, given how many rows count. Two: by square-and-add. Units: by what each adds to first order."""

    def of_one(rows: Rows, answers: Answers, level: float) -> Estimate:
        positives(rows)
        rows, answers = alike(rows, answers)
        made = make(rows, answers)
        value, parts = made.value, made.parts()
        if rows.units is not None:
            bounds = bound_linear(rows, value, parts, made.hits.astype(np.int8) - made.trials, level, None).within(
                0.0, 1.0
            )
            return alone(value, bounds, rows.n_rows)
        exact = made.between(clopper_pearson, level)
        bounds = Bounds(low=exact.low, high=exact.high, method="Clopper-Pearson", spread=rows.mean(parts**2) ** 0.5)
        return alone(value, bounds, rows.n_rows)

    def of_two(rows: Rows, new: Answers, old: Answers, level: float, times: float) -> Estimate:
        positives(rows)
        rows, new, old = alike(rows, new, old)
        ours, theirs = make(rows, new), make(rows, old)
        moves = right_answers(rows, new).astype(np.int8) - right_answers(rows, old)
        counts = rows.n_rows, rows.count(moves != 0)
        reach = max(ours.reach, theirs.reach) if times == 1 else None
        parts = ours.parts() - times * theirs.parts()
        bounds = bound_linear(rows, ours.value - times * theirs.value, parts, moves, level, reach)
        if counts[1] >= FEW_ROWS and rows.units is None:
            added = compare.square_and_add(
                ours.value,
                ours.between(wilson, level),
                times * theirs.value,
                scaled(theirs.between(wilson, level), times),
                ratio.correlation(rows, ours.parts(), theirs.parts()),
            )
            bounds = Bounds(
                low=added.low, high=added.high, method="square-and-add", spread=bounds.spread, approximate=True
            )
        return compared(ours.value, theirs.value, bounds.within(-times, 1.0), counts, times)

    return Metric(of_one=of_one, of_two=of_two)


def scaled(interval: Interval, factor: float) -> Interval:
    """The interval of so many times the value, `factor` > 0."""
    return Interval(low=factor * interval.low, high=factor * interval.high, level=interval.level)


METRICS = {"precision": of_ratio(ratio.precision), "f1": of_ratio(ratio.f1)}
