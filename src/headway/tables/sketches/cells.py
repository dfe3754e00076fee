"""In which cell of an axis a value lies, whatever type a file gave it.

The same value is a number in one file and a text in the next, where its column had texts besides: so texts that read as
a number in JSON are numbers, and categories are alike when they read alike. Neighbour: `batches` has the columns.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.core.reference import FIRST, MISSING, NUMBER, OTHER, Axis, shown
from headway.core.sketch import N_CELLS
from headway.stats.sketch import Counts, Floats, Parts, Places, count, count_numbers

if TYPE_CHECKING:
    import polars as pl

MOST_KNOWN = 10_000
"""Of a column of categories so many values are remembered with their cell."""


# Any: whatever rows hold.
class _Memo(dict[Any, int]):
    """The cells of values of one type that were met: of all types 1, 1.0 and True would be one."""

    def __init__(self, cell: Callable[[object], int]) -> None:
        super().__init__({None: MISSING})
        self._cell = cell

    # Any: as above.
    def __missing__(self, value: Any) -> int:  # noqa: ANN401 (as above)
        if value != value:  # noqa: PLR0124 (only NaN is not itself)
            return MISSING
        cell = self._cell(value)
        if len(self) < MOST_KNOWN:
            self[value] = cell
        return cell


class AxisCells:
    """The cells of one axis. Remembers values it met; one owner."""

    __slots__ = ("_edges", "_is_number", "_memos", "_values")

    def __init__(self, axis: Axis) -> None:
        self._is_number = axis.kind == "number"
        self._edges = np.array(axis.edges, dtype=np.float64)
        self._values = {shown(value): cell for cell, value in enumerate(axis.values, start=FIRST)}
        self._memos: dict[type, _Memo] = {}

    # Any: values of rows and answers.
    def counts(self, values: "Sequence[Any] | Floats | pl.Series | None", parts: Parts) -> Counts:
        """How many of the values lie in each cell, in each part of the rows; shape `(n_parts, 64)`."""
        if values is None:
            found = np.zeros((len(parts.sizes), N_CELLS), dtype=np.int64)
            found[:, MISSING] = parts.sizes
            return found
        if not self._is_number:
            return count(self.of(values), parts, N_CELLS)
        ordered, others = numbers(values)
        found = count_numbers(self._edges, ordered, parts, shape=(FIRST, N_CELLS, MISSING))
        if others is not None:
            n_others = np.bincount(parts.places[others], minlength=len(parts.sizes))
            found[:, MISSING] -= n_others
            found[:, OTHER] += n_others
        return found

    # Any: as above.
    def of(self, values: "Sequence[Any] | Floats | pl.Series") -> Places:
        """The cell of each category; `(n_rows,)`."""
        own = listed(values)
        kinds = set(map(type, own)) - {type(None)}
        if len(kinds) <= 1 and not kinds & {list, dict}:
            cells = map(self._memo(next(iter(kinds), str)).__getitem__, own)
        else:
            cells = map(self._category, own)
        return np.fromiter(cells, dtype=np.intp, count=len(own))

    def cell(self, value: object) -> int:
        """The cell of one category."""
        return self._values.get(shown(value), OTHER)

    def _memo(self, kind: type) -> _Memo:
        if kind not in self._memos:
            self._memos[kind] = _Memo(self.cell)
        return self._memos[kind]

    # Any: as above.
    def _category(self, value: Any) -> int:  # noqa: ANN401 (as above)
        if isinstance(value, list | dict):
            return self.cell(value)
        return self._memo(value.__class__)[value]


# Any: as above.
def numbers(values: "Sequence[Any] | Floats | pl.Series") -> "tuple[Floats, Places | None]":
    """Values as numbers, NaN for what is missing, and where those are that cannot be one (they are NaN as well)."""
    if isinstance(values, np.ndarray):
        return values, None
    if not isinstance(values, list | tuple):
        series: pl.Series = values  # type: ignore[assignment] # nothing else is left
        if series.dtype.is_numeric():
            return series.to_numpy().astype(np.float64, copy=False), None
        values = series.to_list()
    kinds = set(map(type, values))
    try:
        if kinds <= {float, int}:
            return np.array(values, dtype=np.float64), None
        if kinds <= {float, int, type(None)}:
            return np.array([np.nan if value is None else value for value in values], dtype=np.float64), None
    except OverflowError:
        pass
    told = [_number(value) for value in values]
    others = np.flatnonzero([one is None for one in told])
    return np.array([np.nan if one is None else one for one in told], dtype=np.float64), others


# Any: as above.
def _number(value: Any) -> float | None:  # noqa: ANN401 (as above)
    """A value as a number; NaN for a missing one, None for one that is none."""
    if value is None:
        return float("nan")
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    return float(value) if isinstance(value, str) and NUMBER.fullmatch(value) else None


# Any: as above.
def listed(values: "Sequence[Any] | Floats | pl.Series") -> Sequence[Any]:
    """Values as Python has them."""
    if isinstance(values, list | tuple):
        return values
    if isinstance(values, np.ndarray):
        return list(values.tolist())
    series: pl.Series = values  # type: ignore[assignment] # nothing else is left
    return series.to_list()
