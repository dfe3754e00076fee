"""Rows of training against the requests of a prediction log, matched by a key and compared cell by cell.

So a feature that is made in two ways, once for training and once for serving, is found out row by row. Of more than a
million matching rows, those of an even part of all keys are compared. Neighbour: `shifts` compares without a key.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headway.core.findings import finding_of_rows
from headway.core.validation import DataCheck, NoSkew
from headway.errors import Unmeasurable
from headway.tables.answers import Answer, Bad, Mark
from headway.tables.hashes import common_type, hashes_of, key_frame
from headway.tables.one_pass import watched
from headway.tables.sights import Sight, Sights, one, sights_of

if TYPE_CHECKING:
    import polars as pl

    from headway.tables.batches import Data

ROWS_MOST = 1 << 20
"""So many rows of the log are held."""

NEAR = 1e-6
"""Numbers are the same up to this part of them: one side may keep them in 32 bits."""


class Skew:
    """On its way to the answer for `NoSkew` with a key. Reads the log when it is made."""

    __slots__ = ("_check", "_compared", "_is_done", "_matched", "_n_bad", "_n_matched", "_one_in", "_types", "columns")

    def __init__(self, check: DataCheck, sights: Sights, log: "Data") -> None:
        assert isinstance(check.asks, NoSkew)
        there = sights_of(log)
        key = check.asks.key
        names = [name for name in (check.columns or sights) if name != key and (check.columns or name in there)]
        mine = [one(name, sights, check.at) for name in (key, *names)]
        theirs = [one(name, there, check.at) for name in (key, *names)]
        if not names:
            raise Unmeasurable("the two tables have only the key in common", at=check.at, remedy="name columns")
        types = [common_type(here, other, check.at, "in the log") for here, other in zip(mine, theirs, strict=True)]
        kept = _Kept(theirs, {column.name: kind for column, kind in zip(theirs, types, strict=True) if kind})
        watched(log, [kept])
        self._check = check
        self._compared = mine
        self._matched = kept.rows()
        self._one_in = kept.one_in
        self._types = {column.name: kind for column, kind in zip(mine, types, strict=True) if kind}
        self.columns = tuple(column.name for column in mine)
        self._n_bad = 0
        self._n_matched = 0
        self._is_done = False

    @property
    def watcher(self) -> "Skew | None":
        """Itself, until it has seen all."""
        return None if self._is_done else self

    def see(self, frame: "pl.DataFrame", _first: int) -> None:
        """Compare these rows with those of the log."""
        differs = self._differs(frame)
        self._n_matched += differs.len() - differs.null_count()
        self._n_bad += int(differs.sum() or 0)

    def go_on(self) -> None:
        """Everything was seen."""
        self._is_done = True

    def answer(self, n_rows: int) -> Answer:
        """What came of it: of the rows that are in the log, those that differ."""
        if not self._n_matched:
            raise Unmeasurable("no row's key is in the log", at=self._check.at, remedy="check the key")
        method = f"{self._n_matched:,} of {n_rows:,} rows are in the log"
        if self._one_in > 1:
            method += f", of one in {self._one_in} keys"
        finding = finding_of_rows(self._check, self._n_bad, self._n_matched, method=method)

        def start() -> Mark:
            return lambda frame, _first: self._differs(frame).fill_null(value=False)

        return Answer(finding=finding, bad=Bad(columns=self.columns, start=start))

    def _differs(self, frame: "pl.DataFrame") -> "pl.Series":
        """For each row whether it differs from the log's, null where that has none or it is not looked for."""
        import polars as pl

        mine = key_frame(frame, self._compared, self._types).with_row_index("at")
        both = mine.join(self._matched, on="k0", how="inner", suffix="_log")
        tests = [_differ(f"k{i}", both.schema[f"k{i}"]) for i in range(1, len(self._compared))]
        found = both.group_by("at").agg(pl.any_horizontal(tests).any().alias("differs")) if both.height else None
        if found is None:
            return pl.Series("bad", [None], dtype=pl.Boolean).new_from_index(0, frame.height)
        return mine.select("at").join(found, on="at", how="left").sort("at")["differs"]


def _differ(name: str, dtype: "pl.DataType") -> "pl.Expr":
    import polars as pl

    here, there = pl.col(name), pl.col(f"{name}_log")
    if not dtype.is_float():
        return here.ne_missing(there)
    # Where one side is missing, or both are infinite on different sides, there is no distance: they differ.
    is_near = (here - there).abs() <= NEAR * pl.max_horizontal(here.abs(), there.abs())
    return here.ne_missing(there) & ~(is_near.fill_null(value=False) & here.is_finite() & there.is_finite())


class _Kept:
    """Watches the log and keeps its rows: those of all keys, or of every second, every fourth, as they become many."""

    __slots__ = ("_columns", "_frames", "_n", "_types", "columns", "one_in")

    def __init__(self, columns: Sequence[Sight], types: "dict[str, pl.DataType]") -> None:
        self.columns = tuple(column.name for column in columns)
        self._columns = columns
        self._types = types
        self._frames: list[pl.DataFrame] = []
        self._n = 0
        self.one_in = 1

    def see(self, frame: "pl.DataFrame", _first: int) -> None:
        """Keep rows."""
        import polars as pl

        rows = key_frame(frame, self._columns, self._types)
        found = hashes_of(frame, self._columns[:1], types=self._types)
        rows = rows.with_columns(pl.Series("hash", found)).filter(pl.col("k0").is_not_null())
        self._frames.append(rows.filter(pl.col("hash") % self.one_in == 0))
        self._n += self._frames[-1].height
        while self._n > ROWS_MOST:
            self.one_in *= 2
            self._frames = [pl.concat(self._frames).filter(pl.col("hash") % self.one_in == 0)]
            self._n = self._frames[0].height

    def rows(self) -> "pl.DataFrame":
        """What was kept."""
        import polars as pl

        names = [f"k{i}" for i in range(len(self._columns))]
        if not self._frames:
            types = {f"k{i}": self._types.get(column.name, column.dtype) for i, column in enumerate(self._columns)}
            return pl.DataFrame(schema=types)
        return pl.concat(self._frames).select(names)
