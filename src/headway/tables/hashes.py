"""Rows told apart by hashes of 64 bits of what they hold: eight bytes a row, whatever the row.

Neighbour: `keys` and `pairs` ask with them what repeats and what is there in another table.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from headway.errors import Unmeasurable
from headway.tables import kinds_of_columns as kinds
from headway.tables.sights import NESTED, Sight

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    Hashes = npt.NDArray[np.uint64]
    Bools = npt.NDArray[np.bool_]

HASHES_MOST = 1 << 26
"""So many hashes are held at a time: half a gigabyte."""

_SEEDS = ((0x9E37, 0x79B9, 0x7F4A, 0x7C15), (0xBF58, 0x476D, 0x1CE4, 0xE5B9))


def key_frame(
    frame: "pl.DataFrame", columns: Sequence[Sight], types: "Mapping[str, pl.DataType] | None" = None
) -> "pl.DataFrame":
    """The columns of a key as they are compared, k0, k1, …: what is nested as text; `types` are cast to."""
    import polars as pl

    parts = []
    for i, column in enumerate(columns):
        value = column.value
        if column.kind in NESTED:
            # Polars 1.20 has no good hash of lists.
            value = pl.when(value.is_not_null()).then(pl.struct(value).struct.json_encode())
        elif isinstance(column.dtype, pl.Categorical | pl.Enum):
            value = value.cast(pl.String)
        if types and column.name in types:
            value = value.cast(types[column.name])
        parts.append(value.alias(f"k{i}"))
    return frame.select(parts)


def common_type(here: Sight, there: Sight, at: str, where: str = "there") -> "pl.DataType | None":
    """What both are cast to before they are compared, None when they are alike. Raises Unmeasurable: nothing fits both.

    `where` is what the other table is called.
    """
    if here.dtype == there.dtype or here.kind in NESTED:
        return None
    common = kinds.common(here.dtype, there.dtype)
    if common is None:
        raise Unmeasurable(
            f"column {here.name!r} is stored as {here.stored_as} here and as {there.stored_as} {where}",
            at=at,
            remedy="store both alike",
        )
    return common


def misfit_frame(frame: "pl.DataFrame", columns: Sequence[Sight]) -> "pl.DataFrame | None":
    """What is written where a cell is no value of its column's kind, and null elsewhere; None when all are."""
    import polars as pl

    parts = [
        pl.when(column.misfits).then(column.text).alias(f"m{i}")
        for i, column in enumerate(columns)
        if column.misfits is not None and column.text is not None
    ]
    found = frame.select(parts) if parts else None
    return None if found is None or all(one.null_count() == found.height for one in found) else found


def hashes_of(
    frame: "pl.DataFrame",
    columns: Sequence[Sight],
    *,
    types: "Mapping[str, pl.DataType] | None" = None,
    second: bool = False,
) -> "Hashes":
    """A hash of each row's key; equal keys have equal hashes. `second`: another one, independent of the first."""
    import numpy as np

    seeds = _SEEDS[second]
    found: Hashes = key_frame(frame, columns, types).hash_rows(*seeds).to_numpy()
    misfits = misfit_frame(frame, columns)
    if misfits is None:
        return found
    is_there = np.zeros(frame.height, dtype=np.bool_)
    for one in misfits:
        is_there |= one.is_not_null().to_numpy()
    return np.where(is_there, found ^ misfits.hash_rows(*seeds).to_numpy(), found)


def are_whole(frame: "pl.DataFrame", columns: Sequence[Sight]) -> "Bools | None":
    """True for rows that have a value in each of the columns; None when all have."""
    import polars as pl

    if not any(frame[column.name].null_count() for column in columns):
        return None
    whole = frame.select(pl.all_horizontal([column.is_null.not_() for column in columns]).alias("whole"))
    found: Bools = whole.to_series().to_numpy()
    return found


class Collected:
    """Hashes put side by side; when there are more than `most`, only those of a range are kept: the lower ones."""

    __slots__ = ("_low", "_n", "_room", "high", "most")

    def __init__(self, low: int, most: int) -> None:
        import numpy as np

        self._low = low
        self.most = most
        self.high = 1 << 64
        self._n = 0
        self._room: Hashes = np.empty(1 << 16, dtype=np.uint64)

    def add(self, found: "Hashes") -> None:
        """Keep those that lie in the range."""
        found = self._within(found)
        while self._n + len(found) > self.most and self.high - self._low > 1:
            self.high = (self._low + self.high) // 2
            kept = self._within(self._room[: self._n])
            self._room[: len(kept)] = kept
            self._n = len(kept)
            found = self._within(found)
        needed = self._n + len(found)
        if needed > len(self._room):
            # The kernel moves the pages, and gives new ones only where they are written.
            self._room.resize(max(needed, 2 * len(self._room)), refcheck=False)
        self._room[self._n : needed] = found
        self._n = needed

    def taken(self) -> "Hashes":
        """All that were kept, in order; they are handed over."""
        found = self._room[: self._n]
        found.sort()
        return found

    def different(self) -> "Hashes":
        """Those that were kept, each once, in order; they are handed over."""
        import numpy as np

        found = self.taken()
        is_first = np.ones(len(found), dtype=np.bool_)
        np.not_equal(found[1:], found[:-1], out=is_first[1:])
        return found[is_first]

    def _within(self, found: "Hashes") -> "Hashes":
        if self._low:
            found = found[found >= self._low]
        return found[found < self.high] if self.high < 1 << 64 else found


def is_among(known: "Hashes", found: "Hashes") -> "Bools":
    """Which of the hashes are among those known, which are in order."""
    import numpy as np

    if not len(known):
        return np.zeros(len(found), dtype=np.bool_)
    at = np.minimum(np.searchsorted(known, found), len(known) - 1)
    same: Bools = known[at] == found
    return same
