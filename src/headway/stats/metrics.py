"""Metrics by name: the value of each for one model, or the difference of it between two, with an honest interval.

The place to ask; how each is measured is said by the family it belongs to, in `metrics_*` beside. The range of a metric
and the words it is told in are in `core/metric`. Does not know of limits.
"""

from headway.errors import Unmeasurable
from headway.stats import metrics_curves, metrics_losses, metrics_ratios, metrics_shares
from headway.stats.answers import Answers, Column, Rows, check_answers
from headway.stats.metrics_estimate import FEW_ROWS, FEW_UNITS, Estimate, Metric

__all__ = ["FEW_ROWS", "FEW_UNITS", "METRICS", "Estimate", "Metric", "disagreement", "measure"]


def measure(
    metric: str,
    truth: Column | Rows,
    new: Answers,
    old: Answers | None,
    confidence: float,
    *,
    times: float = 1.0,
) -> Estimate:
    """The metric of `new`, or what is left of it when `times` that of `old` is taken off, answered on the same rows.

    `truth` has shape `(n_rows,)`, or is all that is known of the rows. Each bound of the result is missed with
    probability 1 - `confidence` at most, as far as its method goes; `confidence` in (0.5, 1). `times` > 0 is how a
    ratio is decided without dividing: `new.M / old.M < r` holds where new - r * old is below 0.
    Raises Unmeasurable when there is no row, an answer is missing or no number, or a class is absent.

    >>> import numpy as np
    >>> truth = np.array([1, 0, 1, 1, 0, 1, 0, 0])
    >>> found = measure("accuracy", truth, Answers(labels=truth), None, confidence=0.95)
    >>> found.value, round(found.low, 3), found.high, found.method
    (1.0, 0.688, 1.0, 'Clopper-Pearson')
    """
    rows = truth if isinstance(truth, Rows) else Rows(truth=truth)
    level = 2 * confidence - 1
    found = _find(metric)
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


def _find(metric: str) -> Metric:
    if metric in METRICS:
        return METRICS[metric]
    raise Unmeasurable(f"{metric} is not a metric", at=metric, remedy=f"the metrics are {', '.join(METRICS)}")


METRICS: dict[str, Metric] = {
    **metrics_shares.METRICS,
    **metrics_ratios.METRICS,
    **metrics_curves.METRICS,
    **metrics_losses.METRICS,
}
"""The metrics that a check can name without a parameter; `core/metric` holds their words, a test that they agree."""
