"""Metrics by name: the value of each for one model, or the difference of it between two, with an honest interval.

The one place that says which method of `interval`, `compare` and `auc` fits which metric. The range of a metric and the
words it is told in are in `core/gate`. Does not know of limits.
"""

from collections.abc import Callable

import numpy as np
from msgspec import Struct

from headway.stats import auc, compare, ratio
from headway.stats.answers import (
    Answers,
    Column,
    Flags,
    Values,
    chances_of_one,
    check_answers,
    numbers,
    positives,
    right_answers,
    some,
)
from headway.stats.interval import Interval, clopper_pearson, student, wilson

FEW_ROWS = 30
"""An asymptotic interval is given only if so many rows tell; with fewer a wide bound by their number, or none."""

SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)
"""Log-loss takes a probability as at least this far from 0 and 1, as scikit-learn does: one sure error costs 36."""


class Estimate(Struct, frozen=True, kw_only=True):
    """What the data say of a metric (`value`), or of the difference `new` - `old`, and how surely.

    `low` and `high` bound it at the confidence asked for, each on its own side; None: nothing bounds it there.
    `n_rows` is the number of rows that count for this metric (recall: the positive ones), `n_differ` of those on which
    the two models differ. `spread` is the standard deviation of one row's part: that of `value` is spread/sqrt(n_rows).
    `approximate` says that the method keeps the confidence only about, the better the more rows there are.
    """

    value: float
    low: float | None
    high: float | None
    n_rows: int
    method: str
    new: float
    spread: float
    old: float | None = None
    n_differ: int | None = None
    approximate: bool = False


class Metric(Struct, frozen=True, kw_only=True):
    """How a metric is measured: `of_one(truth, answers, level)` and `of_two(truth, new, old, level)`."""

    of_one: Callable[[Column, Answers, float], Estimate]
    of_two: Callable[[Column, Answers, Answers, float], Estimate]


def measure(metric: str, truth: Column, new: Answers, old: Answers | None, confidence: float) -> Estimate:
    """The metric of `new`, or its difference from that of `old`, answered on the same rows as `truth`.

    `truth` has shape `(n_rows,)`, `metric` is a key of METRICS. Each bound of the result is missed with probability
    1 - `confidence` at most, as far as its method goes; `confidence` in (0.5, 1).
    Raises Unmeasurable when there is no row, an answer is missing or no number, or a class is absent.

    >>> truth = np.array([1, 0, 1, 1, 0, 1, 0, 0])
    >>> found = measure("accuracy", truth, Answers(labels=truth), None, confidence=0.95)
    >>> found.value, round(found.low, 3), found.high, found.method
    (1.0, 0.688, 1.0, 'Clopper-Pearson')
    """
    level = 2 * confidence - 1
    check_answers(truth, new, "new")
    if old is None:
        return METRICS[metric].of_one(truth, new, level)
    check_answers(truth, old, "old")
    return METRICS[metric].of_two(truth, new, old, level)


# --- shares of rows that the truth alone chooses: accuracy, recall, specificity ----------------------------------


def _share_right(chosen: Callable[[Column], Flags]) -> Metric:
    """A share right among rows that do not depend on the answers: both models are asked about the same ones."""

    def of_one(truth: Column, answers: Answers, level: float) -> Estimate:
        right = right_answers(truth, answers)[chosen(truth)]
        share = float(np.mean(right))
        bounds = clopper_pearson(int(np.count_nonzero(right)), len(right), level)
        return Estimate(
            value=share,
            low=bounds.low,
            high=bounds.high,
            n_rows=len(right),
            method="Clopper-Pearson",
            new=share,
            spread=(share * (1 - share)) ** 0.5,
        )

    def of_two(truth: Column, new: Answers, old: Answers, level: float) -> Estimate:
        rows = chosen(truth)
        new_right, old_right = (right_answers(truth, answers)[rows] for answers in (new, old))
        pairs = compare.count_pairs(new_right, old_right)
        bounds = compare.tango_corrected(pairs, level)
        return Estimate(
            value=pairs.difference,
            low=bounds.low,
            high=bounds.high,
            n_rows=pairs.n_rows,
            method="Tango, continuity-corrected",
            new=float(np.mean(new_right)),
            old=float(np.mean(old_right)),
            spread=pairs.spread,
            n_differ=pairs.gained + pairs.lost,
        )

    return Metric(of_one=of_one, of_two=of_two)


def _every_row(truth: Column) -> Flags:
    return np.ones(len(truth), dtype=np.bool_)


def _positive_rows(truth: Column) -> Flags:
    return some(positives(truth), "recall", "positive")


def _negative_rows(truth: Column) -> Flags:
    return some(~positives(truth), "specificity", "negative")


# --- shares of rows that the answers choose too: precision, F1 ---------------------------------------------------


def _ratio(make: Callable[[Column, Answers], ratio.Ratio]) -> Metric:
    """One model: exact, given how many rows count. Two: by square-and-add, for each has a denominator of its own."""

    def of_one(truth: Column, answers: Answers, level: float) -> Estimate:
        made = make(truth, answers)
        bounds, value = made.between(clopper_pearson, level), made.value
        return Estimate(
            value=value,
            low=bounds.low,
            high=bounds.high,
            n_rows=len(truth),
            method="Clopper-Pearson",
            new=value,
            spread=float(np.std(made.parts())),
        )

    def of_two(truth: Column, new: Answers, old: Answers, level: float) -> Estimate:
        ours, theirs = make(truth, new), make(truth, old)
        new_parts, old_parts = ours.parts(), theirs.parts()
        pairs = compare.count_pairs(right_answers(truth, new), right_answers(truth, old))
        n_differ, reach = pairs.gained + pairs.lost, max(ours.reach, theirs.reach)
        if n_differ < FEW_ROWS:
            bounds = _scaled(compare.bound_by_movement(pairs.gained, pairs.lost, pairs.n_rows, level), reach)
        else:
            bounds = compare.square_and_add(
                ours.value,
                ours.between(wilson, level),
                theirs.value,
                theirs.between(wilson, level),
                ratio.correlation(new_parts, old_parts),
            )
        return Estimate(
            value=ours.value - theirs.value,
            low=max(bounds.low, -1.0),
            high=min(bounds.high, 1.0),
            n_rows=len(truth),
            method="share of rows that differ" if n_differ < FEW_ROWS else "square-and-add",
            new=ours.value,
            old=theirs.value,
            spread=float(np.std(new_parts - old_parts)),
            n_differ=n_differ,
            approximate=n_differ >= FEW_ROWS,
        )

    return Metric(of_one=of_one, of_two=of_two)


def _scaled(interval: Interval, factor: float) -> Interval:
    return Interval(low=factor * interval.low, high=factor * interval.high, level=interval.level)


# --- means of a loss of each row: log-loss, Brier, absolute and squared error ------------------------------------


def _mean_loss(losses: Callable[[Column, Answers], Values], worst: float | None) -> Metric:
    """`worst`: the most that one row can cost; None: without limit, and then few rows cannot bound the mean."""

    def of_one(truth: Column, answers: Answers, level: float) -> Estimate:
        values = losses(truth, answers)
        found = _mean(values, worst, level)
        floor = None if found.low is None else max(found.low, 0.0)
        return Estimate(
            value=found.value,
            low=floor,
            high=found.high,
            n_rows=found.n_rows,
            method=found.method,
            new=found.value,
            spread=found.spread,
            approximate=found.approximate,
        )

    def of_two(truth: Column, new: Answers, old: Answers, level: float) -> Estimate:
        new_losses, old_losses = losses(truth, new), losses(truth, old)
        found = _mean(new_losses - old_losses, worst, level)
        return Estimate(
            value=found.value,
            low=found.low,
            high=found.high,
            n_rows=found.n_rows,
            method=f"paired {found.method}",
            new=float(np.mean(new_losses)),
            old=float(np.mean(old_losses)),
            spread=found.spread,
            n_differ=int(np.count_nonzero(new_losses != old_losses)),
            approximate=found.approximate,
        )

    return Metric(of_one=of_one, of_two=of_two)


def _mean(values: Values, reach: float | None, level: float) -> Estimate:
    n_telling, value = int(np.count_nonzero(values)), float(np.mean(values))
    low: float | None = None
    high: float | None = None
    method = "t interval"
    if n_telling >= FEW_ROWS:
        bounds = student(values, level)
        low, high = bounds.low, bounds.high
    elif reach is not None:
        up, down = int(np.count_nonzero(values > 0)), int(np.count_nonzero(values < 0))
        bounds = _scaled(compare.bound_by_movement(up, down, len(values), level), reach)
        low, high, method = bounds.low, bounds.high, "share of rows that tell"
    return Estimate(
        value=value,
        low=low,
        high=high,
        n_rows=len(values),
        method=method,
        new=value,
        spread=float(np.std(values)),
        approximate=n_telling >= FEW_ROWS,
    )


def _log_losses(truth: Column, answers: Answers) -> Values:
    is_positive = positives(truth)
    chance = np.clip(chances_of_one(answers, "log_loss"), SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return np.asarray(-np.log(np.where(is_positive, chance, 1 - chance)))


def _brier_losses(truth: Column, answers: Answers) -> Values:
    return np.asarray((chances_of_one(answers, "brier") - positives(truth)) ** 2)


def _absolute_errors(truth: Column, answers: Answers) -> Values:
    return np.abs(numbers(answers.labels, "mae") - numbers(truth, "mae"))


def _squared_errors(truth: Column, answers: Answers) -> Values:
    return np.asarray((numbers(answers.labels, "mse") - numbers(truth, "mse")) ** 2)


# --- the area under the ROC curve --------------------------------------------------------------------------------


def _auc_of_one(truth: Column, answers: Answers, level: float) -> Estimate:
    places = auc.place(positives(truth), chances_of_one(answers, "auc"))
    bounds = auc.area_interval(places, level) if _is_rich(places) else None
    error = auc.standard_error(places.of_positives, places.of_negatives)
    return Estimate(
        value=places.area,
        low=bounds.low if bounds else None,
        high=bounds.high if bounds else None,
        n_rows=len(truth),
        method="DeLong, logit",
        new=places.area,
        spread=error * len(truth) ** 0.5,
        approximate=True,
    )


def _auc_of_two(truth: Column, new: Answers, old: Answers, level: float) -> Estimate:
    is_positive = positives(truth)
    ours, theirs = (auc.place(is_positive, chances_of_one(answers, "auc")) for answers in (new, old))
    moves = ours.of_positives - theirs.of_positives, ours.of_negatives - theirs.of_negatives
    bounds = auc.difference_interval(ours, theirs, level) if _is_rich(ours) else None
    return Estimate(
        value=ours.area - theirs.area,
        low=bounds.low if bounds else None,
        high=bounds.high if bounds else None,
        n_rows=len(truth),
        method="paired DeLong",
        new=ours.area,
        old=theirs.area,
        spread=auc.standard_error(*moves) * len(truth) ** 0.5,
        n_differ=auc.n_moved(ours, theirs),
        approximate=True,
    )


def _is_rich(places: auc.Placements) -> bool:
    return min(len(places.of_positives), len(places.of_negatives)) >= auc.FEW_OF_A_CLASS


METRICS: dict[str, Metric] = {
    "accuracy": _share_right(_every_row),
    "recall": _share_right(_positive_rows),
    "specificity": _share_right(_negative_rows),
    "precision": _ratio(ratio.precision),
    "f1": _ratio(ratio.f1),
    "auc": Metric(of_one=_auc_of_one, of_two=_auc_of_two),
    "log_loss": _mean_loss(_log_losses, worst=None),
    "brier": _mean_loss(_brier_losses, worst=1.0),
    "mae": _mean_loss(_absolute_errors, worst=None),
    "mse": _mean_loss(_squared_errors, worst=None),
}
"""The metrics that a check can name; `core/gate` holds their words, and a test that the two agree."""
