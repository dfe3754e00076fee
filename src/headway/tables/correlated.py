"""How columns of numbers go together: Pearson's r of every two, by sums of products that may be added up.

Each pair is taken over the rows in which both have a finite value. Knows no tables.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from headway.core.profile import Correlation

if TYPE_CHECKING:
    import polars as pl

Matrix = npt.NDArray[np.float64]

COLUMNS_MOST = 200
"""The first so many columns of numbers are compared: their pairs are 19,900."""


class Together:
    """Sums of products of columns. What is near the first batch's mean is taken off, so that none is lost."""

    __slots__ = ("centre", "names", "products", "rows", "squares", "sums")

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)[:COLUMNS_MOST]
        k = len(self.names)
        self.centre: Matrix | None = None
        # By row the column that is summed, by column the one that must be there as well.
        self.rows, self.sums, self.squares, self.products = (np.zeros((k, k)) for _ in range(4))

    def add(self, frame: "pl.DataFrame") -> None:
        """Take in rows."""
        import polars as pl

        if not self.names or not frame.height:
            return
        found = frame.select([pl.col(name).cast(pl.Float64) for name in self.names]).to_numpy()
        is_there = np.isfinite(found)
        values = np.where(is_there, found, 0.0)
        there = is_there.astype(np.float64)
        if self.centre is None:
            self.centre = values.sum(axis=0) / np.maximum(there.sum(axis=0), 1)
        values = np.where(is_there, values - self.centre, 0.0)
        self.rows += there.T @ there
        self.sums += values.T @ there
        self.squares += (values * values).T @ there
        self.products += values.T @ values

    def merge(self, other: "Together") -> None:
        """Take in what another has seen; its sums are moved to this one's centre."""
        if other.centre is None:
            return
        if self.centre is None:
            self.centre = other.centre
        by = (other.centre - self.centre)[:, None]
        n, sums = other.rows, other.sums
        self.rows += n
        self.sums += sums + by * n
        self.squares += other.squares + 2 * by * sums + by * by * n
        self.products += other.products + by.T * sums + by * sums.T + by * by.T * n

    def found(self) -> tuple[Correlation, ...]:
        """Every two columns that vary, the closest first."""
        with np.errstate(divide="ignore", invalid="ignore"):
            n = self.rows
            covariance = self.products - self.sums * self.sums.T / n
            spread = self.squares - self.sums * self.sums / n
            r = covariance / np.sqrt(spread * spread.T)
            # Below this a spread is what rounding left.
            varies = spread > 1e-12 * self.squares
        pairs = [
            Correlation(one=self.names[i], other=self.names[j], r=float(np.clip(r[i, j], -1, 1)))
            for i, j in combinations(range(len(self.names)), 2)
            if n[i, j] > 1 and varies[i, j] and varies[j, i]
        ]
        return tuple(sorted(pairs, key=lambda pair: -abs(pair.r)))
