"""Precision and F1: shares whose denominator depends on the answers, so that two models do not share it.

What they are made of, not how they are compared: `metrics` chooses the method.
"""

from collections.abc import Callable

import numpy as np
from msgspec import Struct

from headway.stats.answers import Answers, Flags, Rows, Values, called_positive, positives, some
from headway.stats.bounds import Interval
from headway.stats.metrics_estimate import sum_by_unit


class Ratio(Struct, frozen=True, kw_only=True, eq=False):
    """A metric that grows with the share of `hits` among `trials`, flags of shape `(n_rows,)`.

    `tell` makes the metric of that share, `slope` is its derivative; a share s of changed answers moves the metric by
    `reach` * s at most.
    """

    rows: Rows
    hits: Flags
    trials: Flags
    tell: Callable[[float], float]
    slope: Callable[[float], float]
    reach: float

    @property
    def share(self) -> float:
        """Hits per trial, in [0, 1]."""
        return self.rows.count(self.hits) / self.rows.count(self.trials)

    @property
    def value(self) -> float:
        """The metric, in [0, 1]."""
        return self.tell(self.share)

    def parts(self) -> Values:
        """Each row's part in the metric's error, to first order: the influence function of a ratio."""
        share = self.share
        parts = (
            self.slope(share) * (self.hits - share * self.trials) / (self.rows.count(self.trials) / self.rows.n_rows)
        )
        return np.asarray(parts, dtype=np.float64)

    def between(self, interval: Callable[[int, int, float], Interval], level: float) -> Interval:
        """The metric's interval, made by `interval(hits, trials, level)`."""
        bounds = interval(self.rows.count(self.hits), self.rows.count(self.trials), level)
        return Interval(low=self.tell(bounds.low), high=self.tell(bounds.high), level=level)


def correlation(rows: Rows, new_parts: Values, old_parts: Values) -> float:
    """The correlation of the errors of two ratios, from their parts; 0, which is careful, where one does not vary.

    The parts are 0 on average. Over units they are first added up by unit.
    """
    new, old = sum_by_unit(rows, new_parts), sum_by_unit(rows, old_parts)
    weights = 1.0 if rows.weights is None else rows.weights
    # Not by `dot`, which adds in an order of the machine's.
    scale = float(np.sqrt((weights * new**2).sum() * (weights * old**2).sum()))
    return 0.0 if scale == 0 else float((weights * new * old).sum()) / scale


def precision(rows: Rows, answers: Answers) -> Ratio:
    """The share of truly positive rows among those called positive; raises Unmeasurable if none is."""
    positive = positives(rows)
    called = some(called_positive(rows, answers), "precision", "called positive")
    return Ratio(
        rows=rows,
        hits=called & positive,
        trials=called,
        tell=lambda share: share,
        slope=lambda _: 1.0,
        reach=rows.n_rows / rows.count(called),
    )


def f1(rows: Rows, answers: Answers) -> Ratio:
    """F1 = 2J / (1 + J), where J is the share of true positives among rows that are, or are called, positive.

    Raises Unmeasurable if no row is positive.
    """
    positive = some(positives(rows), "f1", "positive")
    called = called_positive(rows, answers)
    return Ratio(
        rows=rows,
        hits=called & positive,
        trials=called | positive,
        tell=lambda share: 2 * share / (1 + share),
        slope=lambda share: 2 / (1 + share) ** 2,
        reach=2 * rows.n_rows / (rows.count(called) + rows.count(positive)),
    )
