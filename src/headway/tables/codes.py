"""Columns as numbers: each row's group, numbered in the order of the groups' values, in whatever order rows come.

For the gate, which judges the rows of each group. Neighbour: `predictions` brings what models answered to them.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headway.core.gate_evidence import Grouping
from headway.core.problem import did_you_mean
from headway.errors import DataUnreadable, Unmeasurable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    Codes = npt.NDArray[np.int64]

MOST_GROUPS = 1000
"""More groups than this are not judged each: a column of so many values is rather a key than a kind."""


def grouping(table: "pl.DataFrame", columns: Sequence[str], *, at: str) -> Grouping:
    """The groups that the values of these columns make together, those of missing values too.

    Raises DataUnreadable when there is no such column, Unmeasurable when there are more than MOST_GROUPS.
    """
    import numpy as np

    whole = np.zeros(table.height, dtype=np.int64)
    told: list[str] = [""]
    for name in columns:
        codes, values = coded(one(table, name, at=at))
        if len(values) > MOST_GROUPS:
            raise _too_many(name, len(values), at)
        together = whole * len(values) + codes
        used = np.flatnonzero(np.bincount(together, minlength=len(told) * len(values)))
        if len(used) > MOST_GROUPS:
            raise _too_many(" and ".join(columns), len(used), at)
        places = np.zeros(len(told) * len(values), dtype=np.int64)
        places[used] = np.arange(len(used))
        whole = places[together]
        said = [f"{name}={value}" if value is not None else f"{name} is missing" for value in values]
        told = [", ".join(filter(None, (told[i // len(values)], said[i % len(values)]))) for i in used.tolist()]
    return Grouping(codes=whole, names=tuple(told))


def one(table: "pl.DataFrame", name: str, *, at: str) -> "pl.Series":
    """A column by its name. Raises DataUnreadable, naming the nearest."""
    if name in table.columns:
        return table[name]
    remedy = did_you_mean(name, table.columns, f"they have: {', '.join(table.columns[:10])}")
    raise DataUnreadable(f"the data have no column {name!r}", at=at, remedy=remedy)


def coded(column: "pl.Series") -> "tuple[Codes, list[str | None]]":
    """The rank of each row's value among those that the column holds, from 0, and these; what is missing comes last.

    NaN is missing too. Raises DataUnreadable for lists and the like.
    """
    import numpy as np
    import polars as pl

    kind = column.dtype
    if kind.is_nested() or kind == pl.Object:
        raise DataUnreadable(
            f"the column {column.name} holds {kind}, which makes no groups", at=column.name, remedy="name another"
        )
    if kind.is_float():
        column = column.fill_nan(None)
    if kind in (pl.Enum, pl.Categorical):
        # They would be ordered by when they were first met.
        column = column.cast(pl.String)
    text = column.dtype in (pl.String, pl.Binary)
    plain = (column.cast(pl.Categorical) if text and kind != pl.Binary else column).to_physical()
    if plain.dtype in (pl.Boolean, pl.Binary, pl.Null) or plain.dtype.is_decimal():
        plain = column.cast(pl.String).cast(pl.Categorical).to_physical()
    missing = plain.is_null().to_numpy()
    numbers = plain.fill_null(0).to_numpy()
    first, raw = _numbered(numbers[~missing] if missing.any() else numbers)
    places = np.flatnonzero(~missing)[first] if missing.any() else first
    values = column.gather(places)
    order = values.arg_sort().to_numpy()
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    told: list[str | None] = [str(value) for value in values.gather(order).to_list()]
    codes = np.full(len(column), len(told), dtype=np.int64)
    codes[~missing] = ranks[raw]
    return codes, told + [None] * bool(missing.any())


def _numbered(numbers: "npt.NDArray[np.generic]") -> "tuple[Codes, Codes]":
    """Where each value comes first, and for each row which value it has."""
    import numpy as np

    if len(numbers) and numbers.dtype.kind in "iu":
        low, high = int(numbers.min()), int(numbers.max())
        if high - low <= 4 * len(numbers) and high < 1 << 63:
            # Small numbers need no sorting: the last to be written at a place, from the end, is the first.
            shifted = numbers.astype(np.int64) - low
            first = np.full(high - low + 1, -1, dtype=np.int64)
            first[shifted[::-1]] = np.arange(len(numbers) - 1, -1, -1)
            used = np.flatnonzero(first >= 0)
            places = np.zeros(len(first), dtype=np.int64)
            places[used] = np.arange(len(used))
            return first[used], places[shifted]
    _, first, raw = np.unique(numbers, return_index=True, return_inverse=True)
    return first.astype(np.int64), raw.reshape(-1).astype(np.int64)


def _too_many(name: str, n_groups: int, at: str) -> Unmeasurable:
    return Unmeasurable(
        f"{name} makes {n_groups:,} groups, and {MOST_GROUPS:,} are judged at most",
        at=at,
        remedy="name a column of fewer values, or write a coarser one into the data",
    )
