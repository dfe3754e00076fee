"""What is kept of scored rows for an estimate of their quality: sums of chances as whole numbers, exact however added.

`estimate` reckons with the rows themselves. Neighbour: `sketch` counts values. Knows no rows with names and no files.
"""

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from headway.stats import isotonic
from headway.stats.isotonic import Isotonic
from headway.stats.sketch import Counts, Floats, Places


class Chances(Struct, frozen=True, kw_only=True, eq=False):
    """Of each place, first of the rows that say yes and then of those that say no, as whole numbers.

    `sums`: how many there are, the sum of their chances p, that of p (1 - p); shape `(n_places, 2, 3)`. `weights`: how
    much each block of the calibration made of these chances; shape `(n_places, 2, n_blocks)`. In parts of `unit`.
    """

    sums: Counts
    weights: Counts


class Scored(Struct, frozen=True, kw_only=True, eq=False):
    """Rows with a score: what it is, whether the answer is yes, and of which place the row is; each `(n_rows,)`."""

    scores: Floats
    says_yes: npt.NDArray[np.bool_]
    places: Places


def chances(fit: Isotonic, rows: Scored, n_places: int, *, unit: int) -> Chances:
    """What is kept of rows for an estimate of their quality: see `stats/estimate`, which reckons with the rows.

    At most 65,536 rows at a time, so that every sum of whole numbers is exact.
    """
    n_blocks = len(fit.variances)
    chance = fit(rows.scores)
    both = 2 * rows.places + ~rows.says_yes
    whole = [np.ones(len(chance)), np.rint(chance * unit), np.rint(chance * (1 - chance) * unit)]
    sums = np.stack([_sums(both, one, 2 * n_places) for one in whole], axis=1)
    left, right, part = fit.between(rows.scores)
    of_right = np.rint(part * unit)
    weights = _sums(both * n_blocks + right, of_right, 2 * n_places * n_blocks)
    weights += _sums(both * n_blocks + left, unit - of_right, 2 * n_places * n_blocks)
    return Chances(sums=sums.reshape(n_places, 2, 3), weights=weights.reshape(n_places, 2, n_blocks))


def _sums(places: Places, values: Floats, size: int) -> Counts:
    return np.asarray(np.bincount(places, values, size), dtype=np.float64).astype(np.int64)


def calibrated(scores: Floats, is_true: npt.NDArray[np.bool_], *, most: int) -> Isotonic:
    """`isotonic.fit` with at most so many blocks, and of the scores only those at the ends of blocks; `(n_rows,)` each.

    Where there are more, neighbours are put together until each has as many rows, about. Raises Unmeasurable.
    """
    full = isotonic.fit(scores, is_true)
    at_own = full.blocks[np.searchsorted(full.at, scores)]
    n_rows = np.bincount(at_own, minlength=len(full.variances))
    n_true = np.bincount(at_own, is_true, len(full.variances))
    parts = np.arange(len(n_rows)) if len(n_rows) <= most else _evenly(n_rows, most)
    n_rows, n_true = np.bincount(parts, n_rows), np.bincount(parts, n_true)
    blocks = parts[full.blocks]
    # Within a block all have one chance, so that only its ends say anything.
    is_end = np.ones(len(blocks), dtype=np.bool_)
    is_end[1:-1] = (blocks[1:-1] != blocks[:-2]) | (blocks[1:-1] != blocks[2:])
    smoothed = (n_true + 1) / (n_rows + 2)
    return Isotonic(
        at=full.at[is_end],
        chances=(n_true / n_rows)[blocks[is_end]],
        blocks=blocks[is_end],
        variances=smoothed * (1 - smoothed) / n_rows,
    )


def _evenly(n_rows: Counts, most: int) -> Places:
    """Which of at most `most` groups of neighbours each belongs to, numbered without gaps."""
    middles = np.cumsum(n_rows) - n_rows / 2
    groups = np.minimum((middles * most / n_rows.sum()).astype(np.intp), most - 1)
    return np.unique(groups, return_inverse=True)[1]
