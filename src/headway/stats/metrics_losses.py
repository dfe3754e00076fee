"""Means of a loss of each row: log-loss, Brier, absolute and squared error, bias and the like."""

from collections.abc import Callable

import numpy as np

from headway.errors import Unmeasurable
from headway.stats.answers import Answers, Column, Rows, Values, chances_of_one, has_positives, numbers, positives
from headway.stats.metrics_estimate import Bounds, Estimate, Metric, alone, bound_mean, compared

SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)
"""Log-loss takes a probability as at least this far from 0 and 1, as scikit-learn does: one sure error costs 36."""

Losses = Callable[[Rows, Answers], Values]


def mean_loss(losses: Losses, worst: float | None, lowest: float = 0.0) -> Metric:
    """The mean of `losses`, each from `lowest` to `worst`; None: without limit, and few rows cannot bound the mean.

    Per row or unit the losses of two models are compared with each other: only what differs between them counts.
    """
    highest = np.inf if worst is None else worst

    def of_one(rows: Rows, answers: Answers, level: float) -> Estimate:
        values = losses(rows, answers)
        bounds = bound_mean(rows, values, level, None if worst is None else max(worst, -lowest))
        return alone(float(np.mean(values)), bounds.within(lowest, highest), len(values))

    def of_two(rows: Rows, new: Answers, old: Answers, level: float, times: float) -> Estimate:
        ours, theirs = losses(rows, new), losses(rows, old)
        reach = None if worst is None else max(worst - times * lowest, times * worst - lowest)
        found = bound_mean(rows, ours - theirs if times == 1 else ours - times * theirs, level, reach)
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


# --- probabilities -----------------------------------------------------------------------------------------------


def probabilities_of(rows: Rows, answers: Answers, metric: str) -> tuple[Values, Column]:
    """The probabilities of each class, and where among them the true one is, row by row.

    Raises Unmeasurable where the model gives none, they are none, or a true class is not among them.
    """
    probabilities = answers.probabilities
    if probabilities is None:
        raise Unmeasurable(
            f"{metric} needs the probabilities of each class, and the model gives none",
            at=metric,
            remedy="train one that gives them (predict_proba), or gate on accuracy",
        )
    if float(probabilities.min()) < 0 or float(probabilities.max()) > 1:
        raise Unmeasurable(
            f"{metric} needs probabilities, and the answers run from {probabilities.min():g} to"
            f" {probabilities.max():g}",
            at=metric,
            remedy="let the model answer with the probability of each class",
        )
    return probabilities, rows.once("true among classes", lambda: _find_true(rows, answers, metric), answers)


def _find_true(rows: Rows, answers: Answers, metric: str) -> Column:
    places = {name: i for i, name in enumerate(answers.classes)}
    values = rows.truth.tolist()
    unknown = sorted(set(values) - set(places), key=str)
    if unknown:
        raise Unmeasurable(
            f"{metric} has no value: the target holds {unknown[0]!r}, which is no class of the model",
            at=metric,
            remedy=f"its classes are {', '.join(map(repr, answers.classes[:5]))}; leave out rows of others",
        )
    return np.fromiter(map(places.__getitem__, values), dtype=np.int64, count=len(values))


def _chances_of_truth(rows: Rows, answers: Answers, metric: str) -> Values:
    """The probability that the model gave to what was true."""
    if has_positives(rows) and (answers.chances is not None or answers.probabilities is None):
        chance = chances_of_one(rows, answers, metric)
        return np.where(positives(rows), chance, 1 - chance)
    probabilities, place = probabilities_of(rows, answers, metric)
    return np.asarray(probabilities[np.arange(len(rows)), place], dtype=np.float64)


def _log_losses(rows: Rows, answers: Answers) -> Values:
    chance = _chances_of_truth(rows, answers, "log_loss")
    return np.asarray(-np.log(np.clip(chance, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)))


def _brier_losses(rows: Rows, answers: Answers) -> Values:
    """For two classes 0 and 1 the squared error of the probability of 1; for others the sum over all classes."""
    if has_positives(rows) and (answers.chances is not None or answers.probabilities is None):
        return np.asarray((chances_of_one(rows, answers, "brier") - positives(rows)) ** 2)
    probabilities, place = probabilities_of(rows, answers, "brier")
    of_truth = probabilities[np.arange(len(rows)), place]
    return np.asarray(np.einsum("ij,ij->i", probabilities, probabilities) - 2 * of_truth + 1)


def _brier() -> Metric:
    """Brier's score, whose worst row costs 1 for two classes and 2 for several."""
    of_two_classes, of_several = mean_loss(_brier_losses, worst=1.0), mean_loss(_brier_losses, worst=2.0)

    def fitting(rows: Rows) -> Metric:
        return of_two_classes if has_positives(rows) else of_several

    return Metric(
        of_one=lambda rows, answers, level: fitting(rows).of_one(rows, answers, level),
        of_two=lambda rows, new, old, level, times: fitting(rows).of_two(rows, new, old, level, times),
    )


# --- numbers -----------------------------------------------------------------------------------------------------


def errors_of(rows: Rows, answers: Answers, metric: str) -> Values:
    """Prediction less truth, row by row."""
    return rows.once("errors", lambda: numbers(answers.labels, metric) - numbers(rows.truth, metric), answers)


def _absolute_errors(rows: Rows, answers: Answers) -> Values:
    return np.abs(errors_of(rows, answers, "mae"))


def _squared_errors(rows: Rows, answers: Answers) -> Values:
    return np.square(errors_of(rows, answers, "mse"))


def _shares_off(rows: Rows, answers: Answers) -> Values:
    size = np.abs(numbers(rows.truth, "mape"))
    if not size.all():
        n_zero = len(size) - int(np.count_nonzero(size))
        raise Unmeasurable(
            f"mape has no value: {n_zero:,} of {len(size):,} true values are 0",
            at="mape",
            remedy="gate on mae or smape, or leave out those rows",
        )
    return np.asarray(np.abs(errors_of(rows, answers, "mape")) / size)


def _symmetric_shares_off(rows: Rows, answers: Answers) -> Values:
    """Twice the error by the sizes of both, from 0 to 2; no error where both are 0."""
    sizes = np.abs(numbers(answers.labels, "smape")) + np.abs(numbers(rows.truth, "smape"))
    errors = 2 * np.abs(errors_of(rows, answers, "smape"))
    return np.asarray(np.divide(errors, sizes, out=np.zeros_like(errors), where=sizes > 0))


def _signed_errors(rows: Rows, answers: Answers) -> Values:
    """Probability less truth where there are probabilities of 1, else prediction less truth."""
    if answers.chances is not None and has_positives(rows):
        return chances_of_one(rows, answers, "bias") - positives(rows)
    return errors_of(rows, answers, "bias")


METRICS = {
    "log_loss": mean_loss(_log_losses, worst=None),
    "brier": _brier(),
    "bias": mean_loss(_signed_errors, worst=None, lowest=-np.inf),
    "mae": mean_loss(_absolute_errors, worst=None),
    "mse": mean_loss(_squared_errors, worst=None),
    "mape": mean_loss(_shares_off, worst=None),
    "smape": mean_loss(_symmetric_shares_off, worst=2.0),
}
