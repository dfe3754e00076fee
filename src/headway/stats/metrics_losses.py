"""Means of a loss of each row: log-loss, Brier, absolute and squared error and the like."""

from collections.abc import Callable

import numpy as np

from headway.stats.answers import Answers, Rows, Values, chances_of_one, numbers, positives
from headway.stats.metrics_estimate import Bounds, Estimate, Metric, alone, bound_mean, compared

SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)
"""Log-loss takes a probability as at least this far from 0 and 1, as scikit-learn does: one sure error costs 36."""

Losses = Callable[[Rows, Answers], Values]


def mean_loss(losses: Losses, worst: float | None, lowest: float = 0.0) -> Metric:
    """The mean of `losses`, each from `lowest` to `worst`; None: without limit, and few rows cannot bound the mean."""
    highest = np.inf if worst is None else worst

    def of_one(rows: Rows, answers: Answers, level: float) -> Estimate:
        values = losses(rows, answers)
        bounds = bound_mean(rows, values, level, worst)
        return alone(float(np.mean(values)), bounds.within(lowest, highest), len(values))

    def of_two(rows: Rows, new: Answers, old: Answers, level: float, times: float) -> Estimate:
        ours, theirs = losses(rows, new), losses(rows, old)
        reach = None if worst is None else (worst - min(lowest, 0.0)) * max(times, 1.0)
        found = bound_mean(rows, ours - times * theirs, level, reach)
        bounds = Bounds(
            low=found.low,
            high=found.high,
            method=f"paired {found.method}" if found.approximate else found.method,
            spread=found.spread,
            approximate=found.approximate,
        ).within(lowest - times * highest, highest - times * lowest)
        counts = len(ours), int(np.count_nonzero(ours != theirs))
        return compared(float(np.mean(ours)), float(np.mean(theirs)), bounds, counts, times)

    return Metric(of_one=of_one, of_two=of_two)


def _log_losses(rows: Rows, answers: Answers) -> Values:
    is_positive = positives(rows)
    chance = np.clip(chances_of_one(rows, answers, "log_loss"), SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return np.asarray(-np.log(np.where(is_positive, chance, 1 - chance)))


def _brier_losses(rows: Rows, answers: Answers) -> Values:
    return np.asarray((chances_of_one(rows, answers, "brier") - positives(rows)) ** 2)


def _absolute_errors(rows: Rows, answers: Answers) -> Values:
    return np.abs(numbers(answers.labels, "mae") - numbers(rows.truth, "mae"))


def _squared_errors(rows: Rows, answers: Answers) -> Values:
    return np.asarray((numbers(answers.labels, "mse") - numbers(rows.truth, "mse")) ** 2)


METRICS = {
    "log_loss": mean_loss(_log_losses, worst=None),
    "brier": mean_loss(_brier_losses, worst=1.0),
    "mae": mean_loss(_absolute_errors, worst=None),
    "mse": mean_loss(_squared_errors, worst=None),
}
