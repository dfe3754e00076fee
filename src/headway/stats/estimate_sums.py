"""How good a classifier's answers are without labels, from what a sketch keeps of them: sums of chances.

The same numbers as `estimate` gives on the rows themselves, intervals included, and so under the same two conditions.
The area under the curve is one of blocks: rows of one block have one chance, so that their order among themselves says
nothing, and a row between two blocks is taken for a part of a row in each. Costs the same for ten rows and for ten
million.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from headway.errors import Unmeasurable
from headway.stats.bins import Floats
from headway.stats.estimate import METRICS, Estimated, area, bounded, expected
from headway.stats.isotonic import Isotonic


class Sums(Struct, frozen=True, kw_only=True, eq=False):
    """What is known of some rows: of those that say yes and those that say no how many, and sums over them.

    `chances` are of the calibrated chances p, `spreads` of p (1 - p); each a pair, yes first. `weights` says how much
    each block of the calibration made of the chances, shape `(2, n_blocks)`.
    """

    n_rows: tuple[int, int]
    chances: tuple[float, float]
    spreads: tuple[float, float]
    weights: Floats

    @property
    def n(self) -> int:
        """How many rows there are."""
        return sum(self.n_rows)


def sums_of(kept: Sequence[int], weights: Floats, *, unit: float) -> Sums:
    """The sums of a sketch: the six numbers that it keeps, chances in parts of `unit`, and its weights as chances.

    >>> sums_of((2, 3, 1, 4, 2, 1), np.zeros((2, 1)), unit=4.0).chances
    (0.75, 0.5)
    """
    n_yes, p_yes, spread_yes, n_no, p_no, spread_no = kept
    return Sums(
        n_rows=(n_yes, n_no),
        chances=(p_yes / unit, p_no / unit),
        spreads=(spread_yes / unit, spread_no / unit),
        weights=weights,
    )


def estimate_sums(metric: str, fit: Isotonic, sums: Sums, *, confidence: float = 0.95) -> Estimated:
    """A metric of a classifier of two classes on rows without labels, from their sums; as `estimate.estimate`.

    `fit` is the calibration that the sums were made with. Raises Unmeasurable where the metric means nothing on these
    rows, or is none that is estimated.
    Sources: as in `estimate`.

    >>> fit = Isotonic(at=np.array([0.0, 1.0]), chances=np.array([0.0, 1.0]), blocks=np.array([0, 1]),
    ...     variances=np.array([0.001, 0.001]))
    >>> sums = Sums(n_rows=(2, 2), chances=(1.7, 0.4), spreads=(0.25, 0.3), weights=np.array([[0.3, 1.7], [1.6, 0.4]]))
    >>> round(estimate_sums("accuracy", fit, sums).value, 6)
    0.825
    """
    if not sums.n:
        raise Unmeasurable("no row to estimate by", at=metric, remedy="wait for predictions")
    if metric == "auc":
        return _area(fit, sums, confidence)
    if metric not in METRICS:
        raise Unmeasurable(
            f"{metric} is not estimated without labels", at=metric, remedy=f"estimate one of {', '.join(METRICS)}"
        )
    (n_yes, n_no), (tp, fn) = sums.n_rows, sums.chances
    found = expected(metric, (tp, n_yes - tp, fn, n_no - fn))
    moves = np.array([found.of_yes, found.of_no])
    of_labels = float(np.sum(moves**2 * np.array(sums.spreads)))
    of_fit = float(np.sum((moves @ sums.weights) ** 2 * fit.variances))
    return bounded(found.value, of_labels + of_fit, sums.n, confidence)


def _area(fit: Isotonic, sums: Sums, confidence: float) -> Estimated:
    rows = sums.weights.sum(axis=0)
    _, first = np.unique(fit.blocks, return_index=True)
    chances = fit.chances[first]
    value, moves = area(np.arange(len(rows)), chances, rows)
    variance = float(np.sum(rows * moves**2 * chances * (1 - chances))) + float(
        np.sum((rows * moves) ** 2 * fit.variances)
    )
    return bounded(value, variance, sums.n, confidence)
