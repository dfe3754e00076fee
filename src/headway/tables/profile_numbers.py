"""What is seen of a column of numbers, times or truths: batches are taken in one by one, and two of these joined.

Neighbours: `profile_texts` for all other columns, `profile` for tables.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from headway.core.profile import ColumnProfile, Counted, Histogram
from headway.core.validation import Cell, Kind
from headway.stats.moments import Moments, merge
from headway.tables.distinct import Distinct, hashes_of_numbers
from headway.tables.often import OftenNumbers
from headway.tables.profile_room import TOP, Room
from headway.tables.ranks import Ranks

if TYPE_CHECKING:
    import polars as pl

# Any: whole numbers and floats of any width.
Numbers = npt.NDArray[Any]

TIMES = frozenset({"date", "time", "datetime", "duration"})
AMOUNTS = frozenset({"integer", "number", "decimal"})

_PER_SECOND = {"ms": 1e3, "us": 1e6, "ns": 1e9}


class NumbersSeen:
    """State of one column. Its values are as Polars has them: days, microseconds and so on."""

    __slots__ = (
        "_kind",
        "_type",
        "distinct",
        "first",
        "is_increasing",
        "last",
        "least",
        "moments",
        "most",
        "n_infinite",
        "n_nan",
        "n_zero",
        "often",
        "ranks",
    )

    def __init__(self, kind: Kind, stored: "pl.DataType", room: Room) -> None:
        self._kind = kind
        self._type = stored
        self.distinct = Distinct(room.held)
        self.often = OftenNumbers(room.held)
        self.ranks = Ranks(room.points)
        self.moments = Moments()
        self.n_nan = self.n_infinite = self.n_zero = 0
        self.is_increasing = True
        self.first: float | None = None
        self.last: float | None = None
        # The ends as they are: moments have whole numbers above 2^53 only about.
        self.least: float | None = None
        self.most: float | None = None

    def add(self, column: "pl.Series") -> None:
        """Take in values without nulls."""
        import polars as pl

        if self._kind == "decimal" or isinstance(column.dtype, pl.Int128):
            column = column.cast(pl.Float64)
        elif self._kind == "boolean":
            column = column.cast(pl.UInt8)
        elif self._kind in TIMES:
            column = column.to_physical()
        values = column.to_numpy()
        ordered = np.sort(values)
        # Sorted, what is infinite stands at the ends, and NaN behind it.
        if len(ordered) and values.dtype.kind == "f" and not np.isfinite(ordered[[0, -1]]).all():
            values = self._finite(values)
            column, ordered = pl.Series(values), np.sort(values)
        if not len(values):
            return
        self._see_order(values)
        self._see_ends([ordered[0].item(), ordered[-1].item()])
        starts = np.concatenate((np.zeros(1, dtype=np.int64), np.flatnonzero(ordered[1:] != ordered[:-1]) + 1))
        different = ordered[starts]
        counts = np.diff(starts, append=len(ordered))
        self.moments = merge(self.moments, _moments(column, float(ordered[0]), float(ordered[-1])))
        zero = np.searchsorted(different, 0)
        self.n_zero += int(counts[zero]) if zero < len(different) and different[zero] == 0 else 0
        # Nobody takes fractions for keys.
        self.distinct.add(hashes_of_numbers(different), len(values), may_be_key=values.dtype.kind != "f")
        self.often.add(different, counts)
        self.ranks.add(different.astype(np.float64, copy=False), counts)

    def merge(self, other: "NumbersSeen") -> None:
        """Take in what another has seen of rows further down."""
        self.moments = merge(self.moments, other.moments)
        self.n_nan += other.n_nan
        self.n_infinite += other.n_infinite
        self.n_zero += other.n_zero
        self.distinct.merge(other.distinct)
        self.often.merge(other.often)
        self.ranks.merge(other.ranks)
        meets = self.last is None or other.first is None or self.last <= other.first
        self.is_increasing &= other.is_increasing and meets
        self.first = other.first if self.first is None else self.first
        self.last = self.last if other.last is None else other.last
        self._see_ends([other.least, other.most])

    def described(self, column: ColumnProfile) -> ColumnProfile:
        """The column with what is known of its values now."""
        n, error = self.distinct.count()
        values, counts = self.often.first(TOP)
        has_numbers = self._kind != "boolean" and self.moments.n_rows > 0
        return replace(
            column,
            n_nan=self.n_nan,
            n_infinite=self.n_infinite,
            n_zero=self.n_zero if self._kind in AMOUNTS else 0,
            n_distinct=n,
            distinct_error=error,
            minimum=self._end(self.least),
            maximum=self._end(self.most),
            mean=self._number(self.moments.mean) if has_numbers else None,
            std=self._spread() if has_numbers else None,
            quantiles={k: self._number(v) for k, v in self.ranks.quantiles().items()} if has_numbers else {},
            histogram=self._histogram() if has_numbers else None,
            top=tuple(
                Counted(value=self._cell(value), count=int(count))
                for value, count in zip(values.tolist(), counts.tolist(), strict=True)
                # Of many values none is worth naming that is there once.
                if self.often.is_whole or count > 1
            ),
            is_increasing=self.is_increasing and n > 1,
        )

    def _finite(self, values: Numbers) -> Numbers:
        nan, infinite = np.isnan(values), np.isinf(values)
        n_nan, n_infinite = int(np.count_nonzero(nan)), int(np.count_nonzero(infinite))
        self.n_nan += n_nan
        self.n_infinite += n_infinite
        return values[~(nan | infinite)] if n_nan or n_infinite else values

    def _see_order(self, values: Numbers) -> None:
        if self.is_increasing:
            meets = self.last is None or bool(self.last <= values[0])
            self.is_increasing = meets and bool(np.all(values[1:] >= values[:-1]))
        if self.first is None:
            self.first = values[0].item()
        self.last = values[-1].item()

    def _see_ends(self, ends: Sequence[float | None]) -> None:
        known = [one for one in (self.least, self.most, *ends) if one is not None]
        if known:
            self.least, self.most = min(known), max(known)

    # --- as people see it -----------------------------------------------------------------------------------------

    def _scale(self) -> float:
        """How many of Polars' units are a second; 1 for numbers."""
        import polars as pl

        match self._type:
            case pl.Date():
                return 1 / 86400
            case pl.Datetime() | pl.Duration():
                return _PER_SECOND[self._type.time_unit]
            case pl.Time():
                return 1e9
            case _:
                return 1.0

    def _number(self, value: float) -> float:
        return value / self._scale()

    def _spread(self) -> float | None:
        return self._number(self.moments.std) if math.isfinite(self.moments.std) else None

    def _histogram(self) -> Histogram | None:
        scale = self._scale()
        ranks = self.ranks if scale == 1 else self.ranks.scaled(1 / scale)
        return ranks.histogram(
            self.moments.minimum / scale,
            self.moments.maximum / scale,
            is_whole=self._kind == "integer",
            is_time=self._kind in TIMES,
        )

    def _end(self, value: float | None) -> Cell | None:
        return None if value is None or self._kind == "boolean" else self._cell(value)

    def _cell(self, value: float) -> Cell:
        import polars as pl

        match self._kind:
            case "boolean":
                return bool(value)
            case "integer":
                return int(value)
            case "number" | "decimal":
                return float(value)
            case "duration":
                # ISO 8601 has a form for it that nobody reads.
                return self._number(value)
            case _:
                moment = pl.Series([int(value)]).cast(self._type).item()
                return str(moment.isoformat())


def _moments(column: "pl.Series", least: float, most: float) -> Moments:
    """Those of values that are finite and some. Polars is ten times quicker at it than numpy.

    Of a million numbers about 1e9 with a spread of 1 the spread is wrong by 1e-9 of itself.
    """
    n = len(column)
    mean, variance = column.mean(), column.var() if n > 1 else 0.0
    assert isinstance(mean, float)
    assert isinstance(variance, float)
    return Moments(n_rows=n, mean=mean, m2=variance * (n - 1), minimum=least, maximum=most)
