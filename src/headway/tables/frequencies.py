"""How often the values of a column are there: whether it varies at all, whether its classes are balanced.

Values are counted one by one while there are few; of many, only the frequent ones are kept, and how much that may have
lost is known (Misra and Gries, 1982). Neighbour: `shifts` compares how often values are there with a reference.
"""

from typing import TYPE_CHECKING

from headway.core.findings import finding_of_number
from headway.core.validation import DataCheck, Finding, IsBalanced
from headway.tables.answers import Answer
from headway.tables.hashes import key_frame
from headway.tables.one_pass import Together
from headway.tables.sights import Sight
from headway.tables.statistic import worst

if TYPE_CHECKING:
    import polars as pl

KEPT_MOST = 1 << 17
KEPT = 1 << 14
"""So many different values are kept of a column that is compared with others, and of one whose values are counted."""


class Counts:
    """Watches how often each value of a column is there; NaN is a value here, null is none."""

    __slots__ = ("_column", "_counts", "_most", "columns", "lost", "n_values")

    def __init__(self, column: Sight, most: int = KEPT) -> None:
        self.columns = (column.name,)
        self.lost = 0
        """A value that is not kept, or has been kept again, may be there so many times more than is counted."""
        self.n_values = 0
        self._column = column
        self._most = most
        self._counts: pl.DataFrame | None = None

    def see(self, frame: "pl.DataFrame", _first: int) -> None:
        """Count."""
        import polars as pl

        found = key_frame(frame, [self._column]).drop_nulls()
        if not found.height:
            return
        self.n_values += found.height
        counts = found.group_by("k0").agg(pl.len().cast(pl.Int64).alias("n"))
        if self._counts is not None:
            counts = pl.concat([self._counts, counts]).group_by("k0").agg(pl.col("n").sum())
        if counts.height > 2 * self._most:
            counts = counts.sort("n", "k0", descending=[True, False])
            self.lost += int(counts["n"][self._most])
            counts = counts.head(self._most)
        self._counts = counts

    def ranked(self) -> "pl.DataFrame":
        """The values `k0` and how often they are there, `n`; the most frequent first."""
        import polars as pl

        if self._counts is None:
            return pl.DataFrame({"k0": pl.Series([], dtype=self._column.dtype), "n": pl.Series([], dtype=pl.Int64)})
        return self._counts.sort("n", "k0", descending=[True, False])


class Frequency:
    """On its way to the answer for `Varies` and `IsBalanced`, of one column."""

    __slots__ = ("_check", "_columns", "_counts", "watcher")

    def __init__(self, check: DataCheck, columns: tuple[Sight, ...]) -> None:
        self._check = check
        self._columns = columns
        self._counts = [Counts(column) for column in columns]
        self.watcher: Together | None = Together(self._counts)

    def go_on(self) -> None:
        """Everything was seen."""
        self.watcher = None

    def answer(self, n_rows: int) -> Answer:
        """What came of it."""
        return Answer(finding=worst([self._finding(counts, n_rows) for counts in self._counts]))

    def _finding(self, counts: Counts, n_rows: int) -> Finding:
        ranked = counts.ranked()
        if not ranked.height:
            return finding_of_number(self._check, float("nan"), n_rows)
        at = -1 if isinstance(self._check.asks, IsBalanced) else 0
        value, n = ranked.row(at)
        if at and counts.lost:
            # The rarest was not kept: some value is there once, as far as is known.
            n = 1
        said = f"at most {counts.lost / counts.n_values:.2%} more" if counts.lost else ""
        return finding_of_number(self._check, n / counts.n_values, n_rows, of=str(value), method=said)
