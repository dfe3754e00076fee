"""Rows of a reference as what explains a loss is reckoned by: the cell of each column, and how sure the answer is.

Neighbour: `stats/causes` reckons. Does not know how a window was counted.
"""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from headway.core.reference import FIRST, MISSING, OTHER, PREDICTION, Axis, Layout, shown
from headway.tables.labelled import sureness
from headway.tables.prediction_lines import FEATURE

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl


class Explaining(Struct, frozen=True, kw_only=True, eq=False):
    """Rows of the reference: `cells`, `(n_columns, n_rows)`; `right` is the chance that each answer is right."""

    cells: "npt.NDArray[np.int64]"
    right: "npt.NDArray[np.float64]"


def explaining(parquet: bytes, layout: Layout, columns: Sequence[Axis]) -> Explaining | None:
    """The rows that a reference kept, on these axes; None where no score says how sure an answer is."""
    import numpy as np
    import polars as pl

    if layout.calibration is None or not layout.scores:
        return None
    frame = pl.read_parquet(io.BytesIO(parquet))
    if not set(layout.scores) <= set(frame.columns) or not frame.height:
        return None
    if layout.largest:
        scores = sureness(frame, layout)
        yes = np.ones(len(scores), dtype=np.bool_)
    else:
        scores = frame[layout.score].cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
        yes = _says_yes(frame, scores, layout)
    there = np.isfinite(scores)
    chances = layout.calibration.isotonic(scores[there])
    cells = [_cells(axis, frame)[there] for axis in columns]
    right = np.where(yes[there], chances, 1 - chances)
    return Explaining(cells=np.stack(cells), right=right) if there.any() and cells else None


def _says_yes(frame: "pl.DataFrame", scores: "npt.NDArray[np.float64]", layout: Layout) -> "npt.NDArray[np.bool_]":
    import numpy as np

    if layout.score == PREDICTION:
        return np.asarray(scores >= layout.threshold)
    return np.array([shown(answer) == shown(layout.yes) for answer in frame[PREDICTION].to_list()], dtype=np.bool_)


def _cells(axis: Axis, frame: "pl.DataFrame") -> "npt.NDArray[np.int64]":
    import numpy as np
    import polars as pl

    name = FEATURE + axis.name
    if name not in frame.columns:
        return np.full(frame.height, MISSING, dtype=np.int64)
    values = frame[name]
    missing = values.is_null().to_numpy()
    if axis.kind == "category":
        known = {shown(value): cell for cell, value in enumerate(axis.values, start=FIRST)}
        own = {value: known.get(shown(value), OTHER) for value in values.unique().to_list() if value is not None}
        return np.array([MISSING if value is None else own[value] for value in values.to_list()], dtype=np.int64)
    numbers = values.cast(pl.Float64, strict=False).to_numpy()
    found = np.where(np.isnan(numbers), OTHER, FIRST + np.searchsorted(axis.edges, numbers))
    return np.where(missing | (np.isnan(numbers) & values.dtype.is_numeric()), MISSING, found).astype(np.int64)
