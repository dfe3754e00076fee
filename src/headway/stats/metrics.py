"""Metrics by name: the value of each for one model, or the difference of it between two, with an honest interval.

The place to ask; how each is measured is said by the family it belongs to, in `metrics_*` beside. The range of a metric
and the words it is told in are in `core/metric`. Does not know of limits.
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches

from headway.errors import Unmeasurable
from headway.stats import (
    metrics_calibration,
    metrics_classes,
    metrics_curves,
    metrics_forecasts,
    metrics_losses,
    metrics_numbers,
    metrics_ranking,
    metrics_ratios,
    metrics_shares,
)
from headway.stats.answers import Answers, Column, Rows, check_answers
from headway.stats.metrics_estimate import FEW_ROWS, FEW_UNITS, Estimate, Metric
from headway.stats.metrics_own import Function, of_own

__all__ = ["FAMILIES", "FEW_ROWS", "FEW_UNITS", "METRICS", "Estimate", "Metric", "disagreement", "measure"]

_NONE: Mapping[str, Function] = {}


def measure(  # noqa: PLR0913 - who is measured, on what, how surely, and what else the names mean
    metric: str,
    truth: Column | Rows,
    new: Answers,
    old: Answers | None,
    confidence: float,
    *,
    times: float = 1.0,
    own: Mapping[str, Function] = _NONE,
) -> Estimate:
    """The metric of `new`, or what is left of it when `times` that of `old` is taken off, answered on the same rows.

    `truth` has shape `(n_rows,)`, or is all that is known of the rows. Each bound of the result is missed with
    probability 1 - `confidence` at most, as far as its method goes; `confidence` in (0.5, 1). `times` > 0 is how a
    ratio is decided without dividing: `new.M / old.M < r` holds where new - r * old is below 0. `own`: the user's
    metrics, functions of truth and labels, or of truth, labels and probabilities, which give a number for each row
    (whose mean is the metric) or one for all.
    Raises Unmeasurable when there is no row, an answer is missing or no number, a class is absent, the name means
    nothing, or the user's function fails.

    >>> import numpy as np
    >>> truth = np.array([1, 0, 1, 1, 0, 1, 0, 0])
    >>> found = measure("accuracy", truth, Answers(labels=truth), None, confidence=0.95)
    >>> found.value, round(found.low, 3), found.high, found.method
    (1.0, 0.688, 1.0, 'Clopper-Pearson')
    """
    rows = truth if isinstance(truth, Rows) else Rows(truth=truth)
    level = 2 * confidence - 1
    found = find(metric, own)
    check_answers(rows, new, "new")
    if old is None:
        return found.of_one(rows, new, level)
    check_answers(rows, old, "old")
    return found.of_two(rows, new, old, level, times)


def disagreement(rows: Rows, new: Answers, old: Answers, confidence: float) -> Estimate:
    """The share of rows to which the two models give other labels (or values), with exact bounds."""
    check_answers(rows, new, "new")
    check_answers(rows, old, "old")
    return metrics_shares.disagreement(rows, new, old, 2 * confidence - 1)


def find(metric: str, own: Mapping[str, Function] = _NONE) -> Metric:
    """How the metric of this name is measured; raises Unmeasurable, with the nearest known, where it means nothing."""
    if metric in own:
        return of_own(metric, own[metric])
    if metric in METRICS:
        return METRICS[metric]
    base, _, parameter = metric.partition("@")
    if base in FAMILIES and (value := _parameter(base, parameter)) is not None:
        return FAMILIES[base](value)
    names = [*own, *METRICS, *(f"{family}@{_such_as(family)}" for family in FAMILIES)]
    close = get_close_matches(metric, names, n=1)
    remedy = f"did you mean {close[0]}?" if close else f"the metrics are {', '.join(names)}"
    raise Unmeasurable(f"{metric} is not a metric", at=metric, remedy=remedy)


def _parameter(base: str, written: str) -> float | None:
    try:
        value = float(written)
    except ValueError:
        return None
    if base in metrics_forecasts.FAMILIES:
        return value if 0 < value < 1 else None
    return value if value >= 1 and value.is_integer() else None


def _such_as(base: str) -> str:
    return "0.9" if base in metrics_forecasts.FAMILIES else "10"


METRICS: dict[str, Metric] = {
    **metrics_shares.METRICS,
    **metrics_ratios.METRICS,
    **metrics_classes.METRICS,
    **metrics_curves.METRICS,
    **metrics_losses.METRICS,
    **metrics_calibration.METRICS,
    **metrics_numbers.METRICS,
    **metrics_ranking.METRICS,
    **metrics_forecasts.METRICS,
}
"""The metrics that a check can name without a parameter; `core/metric` holds their words, a test that they agree."""

FAMILIES: dict[str, Callable[[float], Metric]] = {
    **metrics_classes.FAMILIES,
    **metrics_ranking.FAMILIES,
    **metrics_forecasts.FAMILIES,
}
"""The metrics that take a parameter after `@`."""
