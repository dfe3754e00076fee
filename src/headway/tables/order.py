"""What only rows in their order tell: whether a column rises, and from that, at no cost, that nothing in it repeats.

A column that rises strictly has no value twice, and no set of columns with it in has equal rows. Of a column of whole
numbers that are close together one bit a number is kept instead. Neighbour: `keys` counts what stays open.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headway.core.findings import finding_of_rows
from headway.core.validation import DataCheck, IsIncreasing
from headway.errors import Unmeasurable
from headway.tables.answers import Answer, Bad, Mark
from headway.tables.sights import NUMBERS, TIMES, Sight

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

_ORDERED = NUMBERS | TIMES | {"string", "boolean", "time", "duration", "null"}

_SPAN_MOST = 1 << 28
"""A byte for each number between the least and the greatest: up to so many bytes are kept for a proof."""


class Rising:
    """Watches whether columns rise, each by itself; nulls and NaN are passed over."""

    __slots__ = ("_check", "_is_done", "_marks", "_n_bad", "columns")

    def __init__(self, check: DataCheck, columns: Sequence[Sight]) -> None:
        ask = check.asks
        assert isinstance(ask, IsIncreasing)
        for column in columns:
            if column.kind not in _ORDERED:
                raise Unmeasurable(
                    f"column {column.name!r} has no order: it is stored as {column.stored_as}",
                    at=check.at or column.name,
                    remedy="ask this of a column of times, numbers or texts",
                )
        self._check = check
        self.columns = tuple(column.name for column in columns)
        self._n_bad = 0
        self._marks = self._start()
        self._is_done = False

    @property
    def watcher(self) -> "Rising | None":
        """Itself, until it has seen all."""
        return None if self._is_done else self

    def go_on(self) -> None:
        """Everything was seen."""
        self._is_done = True

    def see(self, frame: "pl.DataFrame", first: int) -> None:
        """Count the rows that fall below the value before them."""
        self._n_bad += int(self._marks(frame, first).sum() or 0)

    def answer(self, n_rows: int) -> Answer:
        """What came of it."""
        finding = finding_of_rows(self._check, self._n_bad, n_rows)
        return Answer(finding=finding, bad=Bad(columns=self.columns, start=self._start))

    def _start(self) -> Mark:
        ask = self._check.asks
        assert isinstance(ask, IsIncreasing)
        carries = [_Carry(strictly=ask.strictly) for _ in self.columns]

        def mark(frame: "pl.DataFrame", _first: int) -> "pl.Series":
            found = carries[0].falls(frame[self.columns[0]])
            for carry, name in zip(carries[1:], self.columns[1:], strict=True):
                found = found | carry.falls(frame[name])
            return found

        return mark


class _Carry:
    """The last value that was seen."""

    __slots__ = ("_last", "_strictly")

    def __init__(self, *, strictly: bool) -> None:
        self._strictly = strictly
        self._last: pl.Series | None = None

    def falls(self, values: "pl.Series") -> "pl.Series":
        """True where a value is below the last one before it."""
        import polars as pl

        if values.dtype.is_float():
            values = values.fill_nan(None)
        filled = values.fill_null(strategy="forward") if values.null_count() else values
        if self._last is None:
            before = filled.shift(1)
        else:
            before = pl.concat([self._last, filled.head(max(filled.len() - 1, 0))]).head(filled.len())
            if values.null_count():
                before = before.fill_null(strategy="forward")
        last = filled.drop_nulls().tail(1)
        if last.len():
            self._last = last
        return (values <= before if self._strictly else values < before).fill_null(value=False)


class Proof:
    """Watches a column that may rise, or fall, strictly: then nothing that holds it is there twice."""

    __slots__ = ("_column", "_is_broken", "_last", "columns", "is_increasing", "n_nulls", "n_values")

    def __init__(self, column: Sight, *, is_increasing: bool) -> None:
        self.columns = (column.name,)
        self._column = column
        self.is_increasing = is_increasing
        self.n_values = 0
        self.n_nulls = 0
        self._last: object = None
        self._is_broken = False

    def proves(self, *, nulls_equal: bool) -> bool:
        """Whether no value is there twice, and no null where nulls are taken to be equal."""
        return not self._is_broken and not (nulls_equal and self.n_nulls > 1)

    def see(self, frame: "pl.DataFrame", _first: int) -> None:
        """Look whether it goes on as it began."""
        values = frame[self.columns[0]]
        self.n_nulls += values.null_count()
        self._is_broken = self._is_broken or _has_misfits(self._column, frame)
        values = values.drop_nulls()
        if self._is_broken or not values.len():
            return
        self.n_values += values.len()
        first, last = values[0], values[-1]
        # Values of one column, neither null: they compare.
        fits = self._last is None or (first != self._last and (first > self._last) == self.is_increasing)
        self._is_broken = not fits or not goes_strictly(values, is_increasing=self.is_increasing)
        self._last = last


def _has_misfits(column: Sight, frame: "pl.DataFrame") -> bool:
    """Whether something is written somewhere that is no value of the column's kind: that may be there twice, too."""
    if column.misfits is None or not frame[column.name].null_count():
        return False
    return bool(frame.select(column.misfits.any()).item())


def goes_strictly(values: "pl.Series", *, is_increasing: bool) -> bool:
    """Whether values rise, or fall, from each to the next; NaN does neither."""
    if values.dtype.is_float() and values.is_nan().any():
        return False
    before, after = values.slice(0, max(values.len() - 1, 0)), values.slice(1)
    return bool((after > before if is_increasing else after < before).all())


class Bitmap:
    """Watches a column of whole numbers: a place for each between the least and the greatest, while they are close."""

    __slots__ = ("_column", "_low", "_places", "columns", "is_open", "n_values")

    def __init__(self, column: Sight) -> None:
        self.columns = (column.name,)
        self._column = column
        self.is_open = False
        self._low = 0
        self.n_values = 0
        self._places: np.ndarray[tuple[int], np.dtype[np.uint8]] | None = None

    @property
    def is_unique(self) -> bool:
        """Whether it is proven that no number is there twice."""
        return not self.is_open and self.n_different == self.n_values

    @property
    def n_different(self) -> int:
        """How many different numbers there are, unless it is open."""
        return 0 if self._places is None else int(self._places.sum(dtype="int64"))

    def see(self, frame: "pl.DataFrame", _first: int) -> None:
        """Mark the numbers."""
        values = frame[self.columns[0]].drop_nulls()
        if self.is_open:
            return
        if _has_misfits(self._column, frame):
            self.is_open, self._places = True, None
            return
        if not values.len():
            return
        low, high = int(values.min()), int(values.max())  # type: ignore[arg-type] # whole numbers, and there are some
        if not self._reaches(low, high):
            self.is_open, self._places = True, None
            return
        assert self._places is not None
        self.n_values += values.len()
        import polars as pl

        self._places[(values.cast(pl.Int64) - self._low).to_numpy()] = 1

    def _reaches(self, low: int, high: int) -> bool:
        """Make room for numbers from `low` to `high`, with as much again above; false when that is too much."""
        import numpy as np

        if not -(1 << 62) < low <= high < 1 << 62:
            return False
        old = self._places
        top = high if old is None else max(high, self._low + len(old) - 1)
        bottom = low if old is None else min(low, self._low)
        if old is not None and bottom == self._low and top < self._low + len(old):
            return True
        if top - bottom >= _SPAN_MOST:
            return False
        places = np.zeros(min(2 * (top - bottom + 1), _SPAN_MOST), dtype=np.uint8)
        if old is not None:
            places[self._low - bottom : self._low - bottom + len(old)] = old
        self._low, self._places = bottom, places
        return True
