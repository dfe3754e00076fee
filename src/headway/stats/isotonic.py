"""Calibration by isotonic regression: from a score to how often what it says has happened, with its own noise.

Between two scores that were seen the chance lies on the line between theirs; beyond the ends it stays.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from headway.errors import Unmeasurable

Floats = npt.NDArray[np.float64]


class Isotonic(Struct, frozen=True, kw_only=True, eq=False):
    """A fit: at the scores `at` (rising) the `chances`; `blocks` says which scores were put together.

    `variances` has one number for each block: how uncertain its chance is, by the labels that were there.
    """

    at: Floats
    chances: Floats
    blocks: npt.NDArray[np.intp]
    variances: Floats

    def __call__(self, scores: Floats) -> Floats:
        """The chance for each score, in [0, 1]; shape `(n_rows,)`."""
        return np.interp(scores, self.at, self.chances)

    def between(self, scores: Floats) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]:
        """The blocks that each score lies between, the lower one first, and the part of its chance that is the upper's.

        Each of shape `(n_rows,)`.
        """
        right = np.clip(np.searchsorted(self.at, scores, side="left"), 0, len(self.at) - 1)
        left = np.maximum(right - 1, 0)
        gaps = self.at[right] - self.at[left]
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.where(gaps > 0, (scores - self.at[left]) / gaps, 1.0)
        return self.blocks[left], self.blocks[right], np.clip(part, 0.0, 1.0)

    def variance_of(self, scores: Floats, moves: Floats) -> float:
        """The variance of the sum of `moves` times the chances of `scores`, as far as it comes from the fit.

        Both have shape `(n_rows,)`.
        """
        left, right, part = self.between(scores)
        n = len(self.variances)
        weights = np.bincount(right, moves * part, n) + np.bincount(left, moves * (1 - part), n)
        return float(np.sum(weights**2 * self.variances))


def fit(scores: Floats, is_true: npt.NDArray[np.bool_]) -> Isotonic:
    """Fit rising chances to labels; both of shape `(n_rows,)`.

    Raises Unmeasurable without rows. Method: pool adjacent violators, after equal scores were put together.
    Source: Zadrozny & Elkan (2002), KDD, 694-699.

    >>> fit(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])).chances
    array([0. , 0.5, 0.5, 1. ])
    """
    from scipy import optimize

    if not len(scores):
        raise Unmeasurable("no row to calibrate by", at="reference", remedy="give rows with scores and labels")
    at, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    means = np.bincount(place, is_true.astype(np.float64)) / counts
    # Any: scipy's result has no types of its own.
    found: Any = optimize.isotonic_regression(means, weights=counts.astype(np.float64))
    starts = np.asarray(found.blocks, dtype=np.intp)
    blocks = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    n_rows = np.bincount(blocks, counts)
    chances = np.asarray(found.x, dtype=np.float64)
    of_block = chances[starts[:-1]]
    # One more of each kind: a block of three rows that were all alike is not certain.
    smoothed = (of_block * n_rows + 1) / (n_rows + 2)
    return Isotonic(at=at, chances=chances, blocks=blocks, variances=smoothed * (1 - smoothed) / n_rows)
