"""Counting on fixed cells: from values to cells, and sums of what was counted, as bytes.

`core/reference` says what the cells mean. Neighbour: `bins` has some 1,300 bins a column, for whole tables; here are
64, for a span of live predictions of which there are many. `sketch_chances` beside has what estimates of quality need.
Knows no rows and no files.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

_NARROW = np.iinfo(np.uint32).max


def numbers(counts: bytes, *, is_wide: bool = False) -> Counts:
    """Counts that were written as bytes, as numbers; shape `(n_counts,)`.

    >>> numbers(packed(np.array([1, 70_000])))
    array([    1, 70000])
    """
    return np.frombuffer(counts, dtype="<u8" if is_wide else "<u4").astype(np.int64)


def is_too_wide(counts: Counts) -> bool:
    """Whether one of them does not fit into 4 bytes."""
    return bool(counts.size and counts.max() > _NARROW)


def packed(counts: Counts, *, is_wide: bool = False) -> bytes:
    """Counts as bytes, 4 for each or 8."""
    return bytes(counts.astype("<u8" if is_wide else "<u4").data)


def added(parts: Sequence[bytes], widths: Sequence[bool]) -> Counts:
    """The sum of counts that were written as bytes; shape `(n_counts,)`.

    >>> added([packed(np.array([1, 2])), packed(np.array([3, 2**40]), is_wide=True)], [False, True])
    array([            4, 1099511627778])
    """
    if not any(widths):
        joined = np.frombuffer(b"".join(parts), dtype="<u4").reshape(len(parts), -1)
        return np.asarray(joined.sum(axis=0, dtype=np.int64))
    total = np.zeros(len(parts[0]) // (8 if widths[0] else 4), dtype=np.int64)
    for part, is_wide in zip(parts, widths, strict=True):
        total += numbers(part, is_wide=is_wide)
    return total


class Weights(Struct, frozen=True, kw_only=True, eq=False):
    """Whole numbers as large as one likes, each as `high` times 2^32 and `low` below that; both of shape `(n,)`."""

    high: Counts
    low: Counts

    @classmethod
    def added(cls, parts: Sequence[bytes], widths: Sequence[bool]) -> "Weights":
        """The sum of such numbers that were written as bytes: of a billion parts at most."""
        narrow = [part for part, is_wide in zip(parts, widths, strict=True) if not is_wide]
        wide = [part for part, is_wide in zip(parts, widths, strict=True) if is_wide]
        halves = np.zeros((2, len(parts[0]) // (16 if widths[0] else 8)), dtype=np.int64)
        if narrow:
            joined = np.frombuffer(b"".join(narrow), dtype="<i8").reshape(len(narrow), -1)
            halves += (joined >> 32).sum(axis=0), (joined & _LOW).sum(axis=0)
        if wide:
            halves += np.frombuffer(b"".join(wide), dtype="<i8").reshape(len(wide), *halves.shape).sum(axis=0)
        return cls(high=halves[0] + (halves[1] >> 32), low=halves[1] & _LOW)

    @property
    def is_too_wide(self) -> bool:
        """Whether one of them does not fit into 8 bytes."""
        return bool(np.any(np.abs(self.high + 0.5) > 2.0**31))

    def packed(self, *, is_wide: bool = False) -> bytes:
        """The numbers as bytes, 8 for each; or 16, all of the high halves first."""
        numbers = np.concatenate([self.high, self.low]) if is_wide else (self.high << 32) | self.low
        return bytes(numbers.astype("<i8").data)


_LOW = 2**32 - 1


def weights_of(weights: bytes, *, is_wide: bool = False) -> Floats:
    """Such numbers, as near as fractions come to them; shape `(n,)`.

    >>> large = Weights(high=np.array([2**33]), low=np.array([0]))
    >>> weights_of(large.packed(is_wide=True), is_wide=True) == 2.0**65
    array([ True])
    """
    found = Weights.added([weights], [is_wide])
    return np.asarray(found.high * 2.0**32 + found.low, dtype=np.float64)


# --- from values to cells ---------------------------------------------------------------------------------------

MOST_EDGES = 61
"""With two cells for what is no number, and the open ones at both ends, these make 64."""

N_MIDDLE = 48
"""Equal parts of the reference; beyond the outermost edges of these come some in the tails, each half of the last."""

N_TAIL = 6

FEW_VALUES = (MOST_EDGES - 1) // 2
"""Up to so many values of a column each has a bin of its own, and so has what lies between two of them."""


def fix_cells(values: Floats) -> tuple[float, ...]:
    """The ends of the bins that a reference's numbers fix, at most 61, rising; none where there is no finite number.

    What lies below the least and above the greatest of them has a bin each. Of a column of few values each is a bin; of
    others the edges are quantiles, closer in the tails, and a value that many rows have is a bin by itself. NaN and
    infinities are passed over. O(n log n).

    >>> [round(edge, 3) for edge in fix_cells(np.array([0.0, 1.0, 1.0, np.nan]))]
    [-0.0, 0.0, 1.0, 1.0]
    """
    ordered = np.sort(values[np.isfinite(values)])
    if not len(ordered):
        return ()
    distinct, counts = np.unique(ordered, return_counts=True)
    if len(distinct) <= FEW_VALUES:
        edges = np.concatenate([_below(distinct), distinct])
    elif len(distinct) < MOST_EDGES:
        edges = np.concatenate([_below(distinct[:1]), distinct])
    else:
        tail = 1 / (N_MIDDLE * 2.0 ** np.arange(1, N_TAIL + 1))
        levels = np.concatenate([tail, np.arange(1, N_MIDDLE) / N_MIDDLE, 1 - tail])
        marks = ordered[np.clip(np.ceil(levels * len(ordered)).astype(np.int64) - 1, 0, len(ordered) - 1)]
        kept = np.unique(np.concatenate([_below(distinct[:1]), marks, distinct[-1:]]))
        common = np.flatnonzero(counts * N_MIDDLE >= len(ordered))
        common = common[np.argsort(-counts[common], kind="stable")][: MOST_EDGES - len(kept)]
        edges = np.concatenate([kept, _below(distinct[common])])
    return tuple(float(edge) for edge in np.unique(edges))


def _below(values: Floats) -> Floats:
    return np.nextafter(values, -np.inf)


class Parts(Struct, frozen=True, kw_only=True, eq=False):
    """Which part of a batch each row belongs to, `places` from 0, `(n_rows,)`; and how many rows each has, `sizes`.

    `order` brings rows of a part together, None where they stand so; `ends` says behind which of them a part ends.
    """

    places: Places
    sizes: Counts
    order: Places | None
    ends: list[int]

    @classmethod
    def of(cls, places: Places, n_parts: int) -> "Parts":
        """Those of so many parts."""
        sizes = np.bincount(places, minlength=n_parts)
        is_in_order = n_parts == 1 or bool(np.all(places[1:] >= places[:-1]))
        order = None if is_in_order else np.argsort(places, kind="stable")
        return cls(places=places, sizes=sizes, order=order, ends=np.cumsum(sizes).tolist())

    def split(self, values: Floats) -> list[Floats]:
        """The values of each part."""
        ordered = values if self.order is None else values[self.order]
        return [ordered[begins:ends] for begins, ends in zip([0, *self.ends[:-1]], self.ends, strict=True)]


def count(cells: Places, parts: Parts, n_cells: int) -> Counts:
    """How many rows of each part lie in each cell; shape `(n_parts, n_cells)`.

    >>> count(np.array([0, 1, 1, 0]), Parts.of(np.array([0, 0, 0, 1]), 2), 3)
    array([[1, 2, 0],
           [1, 0, 0]])
    """
    n_parts = len(parts.sizes)
    return np.bincount(parts.places * n_cells + cells, minlength=n_parts * n_cells).reshape(n_parts, n_cells)


def count_numbers(edges: Floats, values: Floats, parts: Parts, shape: tuple[int, int, int]) -> Counts:
    """How many numbers of each part lie in each bin; shape `(n_parts, n_cells)`.

    `shape` is the cell of the first bin, how many cells there are, and the cell of NaN. To sort the values and look up
    the edges among them is 7 times faster than to look up each value among the edges.

    >>> parts = Parts.of(np.zeros(5, dtype=int), 1)
    >>> count_numbers(np.array([1.0, 2.0]), np.array([0.5, 1.0, 1.5, 9.0, np.nan]), parts, (2, 6, 0))
    array([[1, 0, 2, 1, 1, 0]])
    """
    first, n_cells, missing = shape
    found = np.zeros((len(parts.sizes), n_cells), dtype=np.int64)
    last = first + len(edges)
    for row, own in zip(found, parts.split(values), strict=True):
        ordered = np.sort(own)
        n = len(ordered)
        if n and np.isnan(ordered[-1]):
            n = int(np.searchsorted(ordered, np.nan, side="left"))
            row[missing] = len(ordered) - n
            ordered = ordered[:n]
        # What lies up to each edge, less what lies up to the one before.
        up_to = ordered.searchsorted(edges, side="right")
        row[first:last] = up_to
        row[last] = n
        row[first + 1 : last + 1] -= up_to
    return found
