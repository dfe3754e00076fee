"""How much single columns tell of a label: the share of its variation that goes away when the column is known.

For a label of numbers that is the correlation ratio (Pearson, 1905), for one of classes Goodman and Kruskal's tau
(1954), which is the same of its indicators. What a column tells is learned on every second row and measured on the
others, so that a column whose values are all different, an id, tells nothing by chance. Numbers are cut into bins.
"""

from typing import TYPE_CHECKING

from headway.core.findings import finding_of_number
from headway.core.validation import DataCheck, HidesLabel
from headway.errors import Unmeasurable
from headway.stats.association import share_told
from headway.tables.answers import Answer
from headway.tables.literals import as_number
from headway.tables.samples import Sample, rows_for
from headway.tables.sights import NESTED, NUMBERS, Sight

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    Floats = npt.NDArray[np.float64]
    Codes = npt.NDArray[np.int64]

ROWS_MOST = 1 << 18
"""So many rows are looked at; more of them change the share in its third digit."""

BINS_MOST = 256
BIN_ROWS = 50
"""Numbers are cut into bins of equal mass, of about so many rows each; fewer rows a bin would tell mostly chance."""

CLASSES_MOST = 20
"""A label of numbers with up to so many different values is one of classes."""

ROWS_LEAST = 20
"""Fewer rows with a label tell nothing."""


class Telling:
    """On its way to the answer for `HidesLabel`."""

    __slots__ = ("_check", "_columns", "_label", "_sample", "watcher")

    def __init__(self, check: DataCheck, columns: tuple[Sight, ...], label: Sight) -> None:
        assert isinstance(check.asks, HidesLabel)
        self._check = check
        self._label = label
        self._columns = tuple(one for one in columns if one.name != label.name and one.kind not in NESTED | {"null"})
        values = [_value(column).alias(f"c{i}") for i, column in enumerate((*self._columns, label))]
        names = tuple(column.name for column in (*self._columns, label))
        self._sample = Sample(values, names, most=rows_for(len(names), ROWS_MOST))
        self.watcher: Sample | None = self._sample

    def go_on(self) -> None:
        """Everything was seen."""
        self.watcher = None

    def answer(self, n_rows: int) -> Answer:
        """What came of it: the column that tells most."""
        rows = self._sample.rows()
        label = f"c{len(self._columns)}"
        rows = rows.filter(rows[label].is_not_null()) if rows.width else rows
        if rows.height < ROWS_LEAST:
            raise Unmeasurable(
                f"only {rows.height} rows have a label", at=self._check.at, remedy=f"use at least {ROWS_LEAST}"
            )
        truth = _indicators(rows[label])
        told = [(share_told(_codes(rows[f"c{i}"]), truth), one.name) for i, one in enumerate(self._columns)]
        if not told:
            return Answer(finding=finding_of_number(self._check, 0.0, n_rows))
        share, name = max(told)
        step = self._sample.step
        method = (
            f"learned on half of the rows, measured on the others; of every {step}th row"
            if step > 1
            else ("learned on half of the rows, measured on the others")
        )
        return Answer(finding=finding_of_number(self._check, share, n_rows, of=name, method=method))


def _value(column: Sight) -> "pl.Expr":
    import polars as pl

    if column.kind in NUMBERS | {"date", "datetime", "duration"}:
        return as_number(column, "")
    return column.value.cast(pl.String) if column.kind != "binary" else column.value.bin.encode("hex")


def _indicators(label: "pl.Series") -> "Floats":
    """The label as columns of numbers, (n_rows, n_classes): itself, or one of 0 and 1 for each of its classes."""
    import numpy as np

    if label.dtype.is_float() and label.n_unique() > CLASSES_MOST:
        return label.to_numpy().reshape(-1, 1).astype(np.float64)
    names = label.value_counts(sort=True).head(100)[label.name]
    return np.stack([(label == name).to_numpy() for name in names], axis=1).astype(np.float64)


def _codes(values: "pl.Series") -> "Codes":
    """A number from 0 for each bin or category; what is missing is one, too."""
    import numpy as np

    if not values.dtype.is_float():
        return values.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    found = values.to_numpy().astype(np.float64)
    there = found[np.isfinite(found)]
    levels = np.unique(there)
    n_bins = min(max(len(there) // BIN_ROWS, 2), BINS_MOST)
    if len(levels) > n_bins:
        levels = np.unique(np.quantile(there, np.arange(1, n_bins) / n_bins))
    codes = np.searchsorted(levels, found, side="left") + 1
    codes[np.isnan(found)] = 0
    return codes
