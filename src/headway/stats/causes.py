"""Which columns explain a change of quality: the reference as it would be if one column were as in the window.

The reference's rows are weighted so that one column has the shares of the window, cell by cell, while all else stays as
it was in each cell. What that changes is what the column explains. Columns that go together explain the same part, so
that the parts may add up to more than all; what changed in no column alone, or in what a row means, no column explains.
Neighbour: `shift_cells` says which columns moved. Knows no names of metrics.
Sources: Kitagawa (1955), J. Am. Stat. Assoc. 50, 1168-1194; Shimodaira (2000), J. Stat. Plan. Inference 90, 227-244.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from headway.errors import Unmeasurable
from headway.stats.bins import Counts, Floats

FEW_ROWS = 100.0
"""With fewer effective rows nothing is explained: a handful of rows would stand for all of the window."""

FEW_OF_A_CELL = 5.0
"""The mean of a cell is that of its rows and of so many more which are as all rows are."""

CLEAR = 2.0
"""A part counts if it is that many times its own standard error."""

_ROUNDED = 1e-9
"""What is less than that part of the whole is a sum that does not come out to the last digit."""


class Explained(Struct, frozen=True, kw_only=True):
    """What one column explains of a change. `change` is the part, in the unit of the value, `error` its standard error.

    `explains` is that part over the whole change, None where it cannot be told: it is within its own noise, or too few
    rows of the reference are like the window's (`n_effective`), or the whole changed by nothing. `unseen` is the share
    of the window's rows in cells where the reference has none: of these nothing is known, and nothing is supposed.
    """

    name: str
    change: float
    error: float
    explains: float | None
    n_effective: float
    unseen: float


Value = Callable[[Floats], float]
"""From the means of the rows' parts, shape `(n_parts,)`, to what they make together."""


def mean_of(means: Floats) -> float:
    """The value that is a mean: accuracy, or any mean loss, whose rows have one part."""
    return float(means[0])


class Rows(Struct, frozen=True, kw_only=True, eq=False):
    """Rows of the reference: their parts of a metric, shape `(n_rows, n_parts)`, and what makes the metric of them.

    The parts are what is expected of a row, not what its label says: of accuracy the chance that the answer is right,
    of a mean loss the loss that is expected, of recall or F1 the four expected counts.
    """

    parts: Floats
    value: Value = mean_of


def explained(
    names: Sequence[str], cells: npt.NDArray[np.integer], rows: Rows, window: Sequence[Counts], change: float
) -> tuple[Explained, ...]:
    """What each column explains of `change`, the most first; `change` is the window's value less the reference's.

    `cells` says in which cell of each column a row of the reference lies, shape `(n_columns, n_rows)`; `window` has the
    counts of the window's cells, for each column. Raises Unmeasurable without rows. O(n_columns * n_rows).

    >>> cells = np.array([[0, 1] * 500, [0, 0, 1, 1] * 250])
    >>> right = Rows(parts=np.array([[0.9], [0.6]] * 500))
    >>> found = explained(["tenure", "age"], cells, right, [np.array([20, 80]), np.array([50, 50])], change=-0.15)
    >>> [(one.name, None if one.explains is None else round(one.explains, 2)) for one in found]
    [('tenure', 0.59), ('age', None)]
    """
    if not len(rows.parts):
        raise Unmeasurable("no row of the reference to explain by", at="reference", remedy="keep some of its rows")
    means = rows.parts.mean(axis=0)
    slopes = _slopes(rows.value, means)
    found = [
        _of_one(name, np.asarray(own, dtype=np.intp), rows, (means, slopes), (counts, change))
        for name, own, counts in zip(names, cells, window, strict=True)
    ]
    return tuple(sorted(found, key=lambda one: (-(one.explains or 0.0), one.name)))


def _slopes(value: Value, means: Floats) -> Floats:
    """How the value moves with each of the means."""
    steps = np.maximum(np.abs(means), 1e-3) * 1e-5
    moved = means + np.diag(steps)
    back = means - np.diag(steps)
    return np.array([value(up) - value(down) for up, down in zip(moved, back, strict=True)]) / (2 * steps)


def _of_one(
    name: str, cells: npt.NDArray[np.intp], rows: Rows, at: tuple[Floats, Floats], seen: tuple[Counts, float]
) -> Explained:
    (means, slopes), (counts, change) = at, seen
    n_cells = max(int(cells.max()) + 1, len(counts))
    n_rows = np.bincount(cells, minlength=n_cells).astype(np.float64)
    after = np.bincount(np.arange(len(counts)), counts, n_cells)
    held = n_rows > 0
    of_window = float(after.sum())
    known = float(after[held].sum())
    if not known:
        return Explained(name=name, change=0.0, error=0.0, explains=None, n_effective=0.0, unseen=float(of_window > 0))
    before, now = n_rows[held] / n_rows.sum(), after[held] / known
    # What is known of the window's rows in cells of the reference is not carried over to the others.
    weight = (now - before) * known / of_window
    sums = np.stack([np.bincount(cells, part, n_cells)[held] for part in rows.parts.T], axis=1)
    own = (sums + FEW_OF_A_CELL * means) / (n_rows[held] + FEW_OF_A_CELL)[:, None]
    part = rows.value(means + weight @ own) - rows.value(means)
    flat = rows.parts @ slopes
    second = np.bincount(cells, flat**2, n_cells)[held] / n_rows[held]
    first = np.bincount(cells, flat, n_cells)[held] / n_rows[held]
    variances = (np.maximum(second - first**2, 0.0) * n_rows[held] + FEW_OF_A_CELL * float(np.var(flat))) / (
        n_rows[held] + FEW_OF_A_CELL
    )
    of_reference = float(np.sum(weight**2 * variances / n_rows[held]))
    centred = own @ slopes
    of_counts = float(np.sum(now * centred**2) - np.sum(now * centred) ** 2) / of_window
    error = (of_reference + max(of_counts, 0.0)) ** 0.5
    n_effective = len(cells) / float(np.sum(now**2 / before))
    is_clear = abs(part) > max(CLEAR * error, _ROUNDED * abs(change)) and n_effective >= FEW_ROWS and change != 0
    return Explained(
        name=name,
        change=part,
        error=error,
        explains=part / change if is_clear else None,
        n_effective=n_effective,
        unseen=1 - known / of_window,
    )
