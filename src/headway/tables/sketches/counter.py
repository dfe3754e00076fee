"""Counts rows of the prediction log into sketches: each of at most an hour and 1,000 rows, as the layout says.

Rows go to sketches in the order in which they come, so that a file counted line by line, at once, or as a table of
Parquet gives the same ones. Neighbours: `batches` has the columns, `cells` where values lie.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from headway.core.prediction_log import OK
from headway.core.reference import PREDICTION, Layout, layout_id
from headway.core.sketch import N_CELLS, UNIT, Sketch, ms_edges
from headway.stats.sketch import Counts, Parts, Places, count_numbers, packed
from headway.tables.sketches.batches import Batch, Line, of_frame, of_lines
from headway.tables.sketches.cells import AxisCells, numbers

if TYPE_CHECKING:
    import polars as pl

    from headway.stats.isotonic import Isotonic

WAITING_LINES = 1_024
"""So many lines wait until they are counted: an array of a hundred numbers costs as much as one of a thousand, and of
more the processor does not have all close by."""

WAITING_ROWS = 8_192
"""The same of rows of tables, which are smaller."""

MOST_ROWS = 65_536
"""So many rows of a table are counted at a time: then sums of chances are exact (see `stats/sketch_chances`)."""

Key = tuple[int, int]
"""A sketch: which hour since 1970, and its number among those of that hour."""


class _Cell(Struct):
    """A sketch that is being counted."""

    first_at: float
    last_at: float
    counts: Counts
    ms: Counts
    failures: dict[int, int]
    n_requests: int = 0
    n_rows: int = 0
    # What is kept for estimates; None without a calibration.
    sums: Counts | None = None
    weights: Counts | None = None
    sketch: Sketch | None = None


class Counter:
    """Counts on one layout. One owner; `cells` may be asked at any time, and again when more was added.

    A million rows of 20 numbers take about a second as tables, several as lines.
    """

    __slots__ = ("_axes", "_cells", "_fit", "_frames", "_id", "_layout", "_lines", "_ms_edges", "_n_rows", "_n_waiting")

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._id = layout_id(layout)
        self._axes = [AxisCells(axis) for axis in layout.axes]
        self._fit: Isotonic | None = None
        if layout.calibration is not None and layout.scores:
            self._fit = layout.calibration.isotonic
        self._ms_edges = np.array(ms_edges())
        self._cells: dict[Key, _Cell] = {}
        # Of each hour, the rows that were answered so far.
        self._n_rows: dict[int, int] = {}
        self._lines: list[Line] = []
        self._frames: list[pl.DataFrame] = []
        self._n_waiting = 0

    def add(self, lines: Sequence[Line]) -> None:
        """Count lines of the layout's version; they are not to be changed afterwards."""
        if self._frames:
            self._flush()
        self._lines += lines
        self._n_waiting += len(lines)
        if self._n_waiting >= WAITING_LINES:
            self._flush()

    def add_frame(self, frame: "pl.DataFrame") -> None:
        """Count a table of the log that has only rows of the layout's version; each request's rows stand together.

        Columns are those of a segment (docs/formats/predictions.md); one that is not there is missing in all rows.
        """
        if self._lines:
            self._flush()
        self._frames.append(frame)
        self._n_waiting += frame.height
        if self._n_waiting >= WAITING_ROWS:
            self._flush()

    def cells(self) -> list[Sketch]:
        """What was counted until now, in order of time."""
        self._flush()
        found = []
        for _, cell in sorted(self._cells.items(), key=lambda item: item[0]):
            if cell.sketch is None:
                cell.sketch = self._sketch(cell)
            found.append(cell.sketch)
        return found

    def _sketch(self, cell: _Cell) -> Sketch:
        has_sums = cell.sums is not None and cell.weights is not None
        return Sketch(
            layout=self._id,
            version=self._layout.version,
            first_at=cell.first_at,
            last_at=cell.last_at,
            n_requests=cell.n_requests,
            n_rows=cell.n_rows,
            counts=packed(cell.counts),
            ms=packed(cell.ms),
            failures=dict(sorted(cell.failures.items())),
            sums=tuple(map(int, cell.sums.ravel())) if has_sums and cell.sums is not None else (),
            weights=cell.weights.astype("<i8").tobytes() if has_sums and cell.weights is not None else b"",
        )

    # --- counting -----------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        lines, frames = self._lines, self._frames
        self._lines, self._frames, self._n_waiting = [], [], 0
        if lines:
            for begins in range(0, len(lines), WAITING_LINES):
                self._count(of_lines(self._layout, lines[begins : begins + WAITING_LINES]))
        elif frames:
            for whole in _together(frames):
                for begins in range(0, whole.height, MOST_ROWS):
                    self._count(of_frame(self._layout, whole.slice(begins, MOST_ROWS)))

    def _count(self, batch: Batch) -> None:
        if not len(batch.at):
            return
        is_answered = batch.status == OK
        places, keys = self._placed(batch, is_answered)
        cells = [self._cell(key) for key in keys]
        self._note_requests(batch, is_answered, Parts.of(places, len(cells)), cells)
        parts = Parts.of(places[is_answered], len(cells))
        for i, (axis, values) in enumerate(zip(self._axes, batch.columns, strict=True)):
            for cell, counts in zip(cells, axis.counts(values, parts), strict=True):
                cell.counts[i] += counts
        for cell, n in zip(cells, parts.sizes.tolist(), strict=True):
            cell.n_rows += n
        if self._fit is not None:
            self._note_chances(self._fit, batch, parts, cells)

    def _placed(self, batch: Batch, is_answered: npt.NDArray[np.bool_]) -> tuple[Places, list[Key]]:
        """Which sketch each row goes to, as a number from 0, and which sketches these are."""
        hours = np.floor(batch.at / self._layout.cell_s).astype(np.int64)
        places = np.empty(len(hours), dtype=np.intp)
        keys: list[Key] = []
        first_hour = int(hours[0])
        for hour in [first_hour] if np.all(hours == first_hour) else np.unique(hours).tolist():
            here = hours == hour
            answered = is_answered[here]
            before = self._n_rows.get(hour, 0)
            numbers_ = (before + np.cumsum(answered) - answered) // self._layout.cell_rows
            first, last = int(numbers_[0]), int(numbers_[-1])
            places[here] = len(keys) + numbers_ - first
            keys += [(hour, number) for number in range(first, last + 1)]
            self._n_rows[hour] = before + int(answered.sum())
        return places, keys

    def _cell(self, key: Key) -> _Cell:
        cell = self._cells.get(key)
        if cell is None:
            n_blocks = 0 if self._fit is None else len(self._fit.variances)
            cell = self._cells[key] = _Cell(
                first_at=np.inf,
                last_at=-np.inf,
                counts=np.zeros((len(self._axes), N_CELLS), dtype=np.int64),
                ms=np.zeros(N_CELLS, dtype=np.int64),
                failures={},
                sums=None if self._fit is None else np.zeros((2, 3), dtype=np.int64),
                weights=None if self._fit is None else np.zeros((2, n_blocks), dtype=np.int64),
            )
        cell.sketch = None
        return cell

    def _note_requests(
        self, batch: Batch, is_answered: npt.NDArray[np.bool_], parts: Parts, cells: Sequence[_Cell]
    ) -> None:
        n_requests = np.bincount(parts.places[batch.is_first], minlength=len(cells)).tolist()
        timed = batch.is_first & is_answered
        timed_parts = Parts.of(parts.places[timed], len(cells))
        times = count_numbers(self._ms_edges, batch.ms[timed], timed_parts, shape=(0, N_CELLS, 0))
        for i, (cell, at) in enumerate(zip(cells, parts.split(batch.at), strict=True)):
            cell.first_at = min(cell.first_at, float(at.min()))
            cell.last_at = max(cell.last_at, float(at.max()))
            cell.n_requests += n_requests[i]
            cell.ms += times[i]
        failed = ~is_answered
        for status, place in zip(batch.status[failed].tolist(), parts.places[failed].tolist(), strict=True):
            failures = cells[place].failures
            failures[status] = failures.get(status, 0) + 1

    def _note_chances(self, fit: "Isotonic", batch: Batch, parts: Parts, cells: Sequence[_Cell]) -> None:
        from headway.stats.sketch_chances import Scored, chances

        layout = self._layout
        told = [batch.columns[layout.axis(name)] for name in layout.scores]
        at = layout.axis(PREDICTION)
        answers = batch.columns[at]
        known = [numbers(one)[0] for one in told if one is not None]
        if not known or answers is None:
            return
        scores = np.fmax.reduce(known)
        if layout.largest:
            says_yes = np.ones(len(scores), dtype=np.bool_)
        elif layout.score == PREDICTION:
            says_yes = scores >= layout.threshold
        else:
            says_yes = self._axes[at].of(answers) == self._axes[at].cell(layout.yes)
        held = ~np.isnan(scores)
        rows = Scored(scores=scores[held], says_yes=says_yes[held], places=parts.places[held])
        found = chances(fit, rows, len(cells), unit=UNIT)
        for cell, sums, weights in zip(cells, found.sums, found.weights, strict=True):
            if cell.sums is not None and cell.weights is not None:
                cell.sums += sums
                cell.weights += weights


def _together(frames: "list[pl.DataFrame]") -> "list[pl.DataFrame]":
    """Tables as one, unless their columns differ in names or types: to ask that of each would take as long."""
    import polars as pl

    if len(frames) == 1:
        return frames
    try:
        return [pl.concat(frames)]
    except pl.exceptions.PolarsError:
        return frames
