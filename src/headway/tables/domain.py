"""Whether all columns together differ: whether trees that learn on one half tell on the other where a row is from.

What no column shows by itself, two that go together in another way, is seen by that. If nothing changed, rows of the
reference and of the window are told apart as often as by a coin; how much more often is a share that people can read.
Dear beside `stats/shift_cells`: for once a night, not for each window. Neighbour: `loss_model` learns losses.
Source: Lopez-Paz & Oquab (2017), ICLR: Revisiting classifier two-sample tests.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from scipy import special

from headway.errors import Unmeasurable
from headway.stats.alarm import with_blocks
from headway.tables.learned import asked, columns_of, fitted

if TYPE_CHECKING:
    import polars as pl

MOST_ROWS = 10_000
"""So many rows of each side are looked at, evenly over all."""

FEW_ROWS = 100
"""Fewer rows of either side are learned from by no half."""


class ToldApart(Struct, frozen=True, kw_only=True):
    """How often held-out rows were told apart: `n_right` of `n_rows`, half of them of each side, and the chance of it.

    `p` is that of so many or more if nothing changed.
    """

    n_rows: int
    n_right: int
    p: float

    @property
    def share(self) -> float:
        """By how much more often than a coin would, as a share of what is possible; 0 where less often."""
        return max(2 * self.n_right / self.n_rows - 1, 0.0)


def tell_apart(
    reference: "pl.DataFrame", window: "pl.DataFrame", *, effect: float = 1.0, n_blocks: int = 0
) -> ToldApart:
    """Whether the window's rows can be told from the reference's, both in the order of time.

    The first half of each is learned, the second is asked, so that rows which are alike stand on one side of the cut;
    of as many rows each. Of rows that are alike so many count as their design effect says (`stats/alarm`): the largest
    of the axes is safe. The same rows give the same answer. A second of CPU for 10,000 rows of ten columns.
    Raises Unmeasurable with fewer than FEW_ROWS rows of either, or no column; ExtraMissing without scikit-learn.
    """
    n_each = min(reference.height, window.height, MOST_ROWS) // 2 * 2
    if n_each < FEW_ROWS:
        raise Unmeasurable(
            f"{n_each} rows are too few to learn how the window differs",
            at="domain",
            remedy=f"compare windows of {FEW_ROWS} rows or more",
        )
    columns = columns_of(reference)
    sides = [columns.matrix(_evenly(one, n_each)) for one in (reference, window)]
    half = n_each // 2
    learned, held_out = (np.concatenate([side[part] for side in sides]) for part in (slice(half), slice(half, None)))
    is_window = np.repeat([False, True], half)
    trees = fitted(
        "HistGradientBoostingClassifier",
        learned,
        is_window,
        max_iter=50,
        max_leaf_nodes=15,
        min_samples_leaf=int(np.clip(half // 25, 10, 50)),
        categorical_features=columns.is_category,
    )
    n_right = int(np.count_nonzero(asked(trees, held_out) == is_window))
    return ToldApart(n_rows=2 * half, n_right=n_right, p=_p(n_right / effect, 2 * half / effect, n_blocks))


def _p(n_right: float, n_rows: float, n_blocks: int) -> float:
    """The probability that a coin is right so often, or more; of numbers that may be fractions."""
    tail = float(special.betainc(n_right, n_rows - n_right + 1, 0.5)) if n_right > 0 else 1.0
    if tail >= 0.5:
        return 1.0
    # What is widened is the p of both sides, of which this is one.
    return float(with_blocks(np.array([2 * tail]), n_blocks)[0]) / 2


def _evenly(rows: "pl.DataFrame", n: int) -> "pl.DataFrame":
    places: npt.NDArray[np.int64] = np.arange(n, dtype=np.int64) * rows.height // n
    return rows[places]
