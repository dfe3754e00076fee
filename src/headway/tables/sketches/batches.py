"""Rows of the prediction log as what is counted of them: one list or series a column, whatever they came from.

From lines (an open file) and from a table (a segment of Parquet) comes the same. Neighbour: `cells` says in which cell
a value lies. Does not know files.
"""

from array import array
from collections.abc import Sequence
from itertools import chain
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from headway.core.prediction_log import OK
from headway.core.reference import PREDICTION, PROBABILITY, Layout
from headway.stats.sketch import Floats
from headway.tables.prediction_lines import FEATURE, SHADOW, STATUS

if TYPE_CHECKING:
    import polars as pl


class Line(Protocol):
    """What is read of a line: `core.prediction_log.Line`, or one that was just read."""

    at: float
    ms: float
    # Any: values of rows and answers are whatever the model was trained on.
    rows: list[dict[str, Any]]
    predictions: list[Any]
    classes: list[Any]
    probabilities: list[list[float | None]]
    is_shadow: bool
    status: int


class Batch(Struct, frozen=True, kw_only=True, eq=False):
    """Rows that were answered, and one for each request that was not; copies of shadows are left out.

    `at`, `ms`, `status` and `is_first` (whether the row is its request's first) have shape `(n_rows,)`; `columns` are
    those of the layout's axes, of the answered rows alone.
    """

    at: npt.NDArray[np.float64]
    ms: npt.NDArray[np.float64]
    status: npt.NDArray[np.int64]
    is_first: npt.NDArray[np.bool_]
    # Any: as above.
    columns: "list[Sequence[Any] | Floats | pl.Series | None]"


def of_lines(layout: Layout, lines: Sequence[Line]) -> Batch:
    """What lines hold of the columns of a layout."""
    if any(map(attrgetter("is_shadow"), lines)):
        lines = [line for line in lines if not line.is_shadow]
    answered = lines
    n_rows = n_answered = _n_rows(lines)
    if any(map(OK.__ne__, map(attrgetter("status"), lines))):
        answered = [line for line in lines if line.status == OK]
        n_answered = [n for line, n in zip(lines, n_rows, strict=True) if line.status == OK]
        n_rows = [n if line.status == OK else 1 for line, n in zip(lines, n_rows, strict=True)]
    counts = np.array(n_rows, dtype=np.intp)
    heads = [np.fromiter(map(attrgetter(name), lines), np.float64, len(lines)) for name in ("at", "ms", "status")]
    if set(n_rows) == {1}:
        is_first = np.ones(len(n_rows), dtype=np.bool_)
    else:
        heads = [np.repeat(head, counts) for head in heads]
        is_first = np.zeros(len(heads[0]), dtype=np.bool_)
        is_first[(np.cumsum(counts) - counts)[counts > 0]] = True
    return Batch(
        at=heads[0],
        ms=heads[1],
        status=heads[2].astype(np.int64),
        is_first=is_first,
        columns=[*_asked(layout, answered, n_answered), *_told(layout, answered, n_answered)],
    )


def _n_rows(lines: Sequence[Line]) -> list[int]:
    """The rows of each answer."""
    asked = [len(line.rows) for line in lines]
    told = [len(line.predictions) for line in lines]
    return asked if asked == told else list(map(max, asked, told))


# Any: values of rows and answers.
def _asked(layout: Layout, lines: Sequence[Line], n_rows: list[int]) -> "list[Sequence[Any] | Floats]":
    rows = _each([line.rows for line in lines], n_rows, {})
    numeric = [axis.name for axis in layout.inputs if axis.kind == "number"]
    found: dict[str, Sequence[Any] | Floats] = _at_once(rows, numeric) if len(numeric) > 1 and rows else {}
    for axis in layout.inputs:
        name = axis.name
        if name not in found:
            try:
                found[name] = list(map(itemgetter(name), rows))
            except KeyError:
                found[name] = [row.get(name) for row in rows]
    return [found[axis.name] for axis in layout.inputs]


# Any: as above.
def _at_once(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> "dict[str, Sequence[Any] | Floats]":
    """Columns of nothing but numbers, where all rows have all of them; else none.

    Nearly always it is so, and takes half the time then.
    """
    try:
        flat = array("d", chain.from_iterable(map(itemgetter(*names), rows)))
    except (KeyError, TypeError, OverflowError):
        return {}
    matrix = np.frombuffer(flat, dtype=np.float64).reshape(len(rows), len(names)).T
    # An array takes truth values for numbers.
    doubtful = ((matrix == 0) | (matrix == 1)).any(axis=1).tolist()
    return {
        name: column
        for name, column, is_doubtful in zip(names, np.ascontiguousarray(matrix), doubtful, strict=True)
        if not (is_doubtful and bool in set(map(type, map(itemgetter(name), rows))))
    }


# Any: as above.
def _told(layout: Layout, lines: Sequence[Line], n_rows: list[int]) -> list[Sequence[Any] | None]:
    told = _each([line.predictions for line in lines], n_rows, None)
    is_single = list not in set(map(type, told))
    chances = _Chances(lines, n_rows)
    columns: list[Sequence[Any] | None] = []
    for name in (axis.name for axis in layout.outputs):
        if name.startswith(PROBABILITY):
            columns.append(chances.of(name.removeprefix(PROBABILITY)))
        elif name == PREDICTION:
            columns.append(told if is_single else [None if isinstance(one, list) and one else one for one in told])
        else:
            at = int(name.removeprefix(f"{PREDICTION}."))
            columns.append([one[at] if isinstance(one, list) and at < len(one) else None for one in told])
    return columns


class _Chances:
    """The probabilities of lines, asked for by the name of a class."""

    __slots__ = ("_lines", "_n_rows", "_whole")

    def __init__(self, lines: Sequence[Line], n_rows: list[int]) -> None:
        self._lines, self._n_rows = lines, n_rows
        self._whole = self._at_once()

    # Any: as above.
    def of(self, name: str) -> Sequence[Any] | None:
        if self._whole is not None:
            return self._whole.get(name)
        found: list[Any] = []
        for line, n in zip(self._lines, self._n_rows, strict=True):
            names = _classes(line)
            at = names.index(name) if name in names else -1
            told = line.probabilities if at >= 0 else []
            found += [one[at] if one and at < len(one) else None for one in told[:n]]
            found += [None] * (n - min(len(told), n))
        return found

    # Any: as above.
    def _at_once(self) -> dict[str, Sequence[Any]] | None:
        """All columns, where all lines have the same classes and all rows chances; else None."""
        if not self._lines:
            return {}
        first = self._lines[0].classes
        if any(line.classes != first for line in self._lines) or not first:
            return None
        told = [line.probabilities for line in self._lines]
        if list(map(len, told)) != self._n_rows:
            return None
        rows = list(chain.from_iterable(told))
        if None in rows or {len(row) for row in rows} != {len(first)}:
            return None
        return dict(zip(map(str, first), zip(*rows, strict=True), strict=False))


def _classes(line: Line) -> list[str]:
    if not line.probabilities:
        return []
    return list(map(str, line.classes or range(len(line.probabilities[0] or ()))))


# Any: as above.
def _each(of_lines: Sequence[list[Any]], n_rows: list[int], gap: object) -> list[Any]:
    """What lines have for each of their rows, one after the other; `gap` where one has less."""
    if list(map(len, of_lines)) == n_rows:
        return list(chain.from_iterable(of_lines))
    return [one[i] if i < len(one) else gap for one, n in zip(of_lines, n_rows, strict=True) for i in range(n)]


def of_frame(layout: Layout, frame: "pl.DataFrame") -> Batch:
    """What a table of the log holds of the columns of a layout; each request's rows stand together."""
    import polars as pl

    if SHADOW in frame.columns:
        frame = frame.filter(~pl.col(SHADOW))
    answered = frame
    if STATUS in frame.columns:
        frame = frame.filter((pl.col(STATUS) == OK) | (pl.col("row") == 0))
        answered = frame.filter(pl.col(STATUS) == OK)
        status = frame[STATUS].to_numpy()
    else:
        status = np.full(frame.height, OK, dtype=np.int64)
    names = [*(FEATURE + axis.name for axis in layout.inputs), *(axis.name for axis in layout.outputs)]
    return Batch(
        at=frame["at"].to_numpy(),
        ms=frame["ms"].to_numpy(),
        status=status,
        is_first=frame["row"].to_numpy() == 0,
        columns=[answered[name] if name in answered.columns else None for name in names],
    )


def columns_of(layout: Layout) -> list[str]:
    """The columns of a segment that `of_frame` looks at, where they are there, and `request_id`."""
    inputs = [FEATURE + axis.name for axis in layout.inputs]
    return ["request_id", "row", "at", "ms", SHADOW, STATUS, *inputs, *(axis.name for axis in layout.outputs)]
