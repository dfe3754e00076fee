"""An even sample of a table of unknown length: every row, then every second, every fourth, as they become many.

Without chance: the same table gives the same sample. A pattern that repeats with a power of two rows would fool it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


CELLS_MOST = 1 << 25
"""So many values are kept of all columns together."""


def rows_for(n_columns: int, most: int) -> int:
    """How many rows of so many columns are kept: `most`, and fewer of a wide table, yet some thousands of any.

    >>> rows_for(10, 1 << 18), rows_for(5000, 1 << 18)
    (262144, 6710)
    """
    return max(min(most, CELLS_MOST // max(n_columns, 1)), 1 << 12)


class Sample:
    """Watches rows and keeps `most` at most, evenly: what `values` give of them."""

    __slots__ = ("_kept", "_most", "_n", "_step", "_values", "columns")

    def __init__(self, values: "Sequence[pl.Expr]", columns: tuple[str, ...], *, most: int) -> None:
        self.columns = columns
        self._values = values
        self._most = most
        self._step = 1
        self._n = 0
        self._kept: list[pl.DataFrame] = []

    def see(self, frame: "pl.DataFrame", first: int) -> None:
        """Keep some of the rows."""
        start = -first % self._step
        found = frame.select(self._values).gather_every(self._step, start)
        self._kept.append(found)
        self._n += found.height
        while self._n > self._most:
            # Kept rows follow each other at the same distance, over the ends of batches, too.
            whole = self._joined().gather_every(2)
            self._kept, self._n, self._step = [whole], whole.height, 2 * self._step

    @property
    def step(self) -> int:
        """Each how many rows one was kept."""
        return self._step

    def rows(self) -> "pl.DataFrame":
        """The rows that were kept, in order."""
        return self._joined()

    def _joined(self) -> "pl.DataFrame":
        import polars as pl

        if not self._kept:
            return pl.DataFrame()
        if len(self._kept) > 1:
            self._kept = [pl.concat(self._kept)]
        return self._kept[0]
