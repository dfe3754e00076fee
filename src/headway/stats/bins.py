"""Counts on bins that a reference fixes once: what is enough to compare two samples, and adds up over batches.

Numbers are counted on `Edges`, categories in a `Tally`. Both are whole numbers, so that counting a table batch by batch
and adding gives the same as counting it at once, in any order. How far two counts are apart is `distance`'s business,
whether that means anything `shift`'s.
"""

from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from headway.errors import Unmeasurable

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
# Any: whole numbers, floats of any width and booleans alike.
Numbers = npt.NDArray[Any]

N_PARTS = 1024
"""The reference's rows are cut into so many equal parts: no cumulative share is known worse than to one of them."""

FEW_ROWS = 2 * N_PARTS
"""Up to so many rows, each value of the reference has a bin of its own."""

GROWTH = 1.5
"""How many times further out the outer half of a tail may end than the tail without it. From the square root of 2 on
the tail of a distribution has no variance; what lies further out than 1.5 is one absurd value and no tail."""

REACH = 16.0
"""Bins go on beyond the reference, to so many times its own distance from the median."""

LADDER = 1.05
"""Outside the middle, the two ends of a bin are at most in this ratio of their distances from the median."""

N_MIDDLE = 256
"""In the middle no bin is wider than this part of the range that all but the tails lie in."""

HUGE = 1e150
"""Numbers beyond this are taken for infinite: their squares would be."""

MOST_VALUES = 100_000
"""How many values of a category are counted each by itself, if nothing else is said."""


class Edges(Struct, frozen=True, kw_only=True, eq=False):
    """The ends of bins, increasing: bin i holds `at[i-1] < x <= at[i]`, the first and the last are open; (n_edges,).

    `low` and `high` are the ends of the reference but for absurd values, `median` its median, `spread` its standard
    deviation with what lies beyond those ends counted as at them: 0 if all values are alike, or all but so few that
    they are in no tail.
    """

    at: Floats
    low: float
    high: float
    median: float
    spread: float


class Bins(Struct, frozen=True, kw_only=True, eq=False):
    """A reference counted: `counts[i]` of its numbers lie in bin i of `edges`; (n_edges + 1,). NaN is in no bin."""

    edges: Edges
    counts: Counts

    @property
    def n_rows(self) -> int:
        """How many numbers were counted."""
        return int(self.counts.sum())


def fix_bins(values: Numbers) -> Bins:
    """The bins that these values of a reference fix, and their own counts on them: `fix_edges` and `count` in one."""
    ordered = _ordered(values)
    edges = _edges(ordered)
    return Bins(edges=edges, counts=_counts(edges, ordered))


def fix_edges(sample: Numbers) -> Edges:
    """The bins that a reference fixes by its values, or by a fair sample of them in any order; shape `(n_rows,)`.

    Edges are: the quantiles between 1,024 equal parts; in the tails those at 1/2048, 1/4096 ... from either end; a
    ladder whose steps widen with the distance from the median, for gaps and for what lies beyond the reference; and
    just below each value that stands there more than once another edge, so that it has a bin of its own. Some 1,300
    edges for a continuous column, at most 2,700. NaN is passed over. O(n log n).
    Raises Unmeasurable when there is no finite number.

    >>> edges = fix_edges(np.array([0, 0, 1, 1, 1]))
    >>> int(count(edges, np.array([0, 1, 1, 9, np.inf, np.nan])).sum()), edges.low, edges.high
    (5, 0.0, 1.0)
    """
    return _edges(_ordered(sample))


def _ordered(values: Numbers) -> Numbers:
    """The values that are numbers, in order. Numpy sorts them with vector instructions; but booleans it does not."""
    ordered = np.sort(values.view(np.uint8) if values.dtype.kind == "b" else values)
    if ordered.dtype.kind != "f" or len(ordered) == 0 or not np.isnan(ordered[-1]):
        return ordered
    return ordered[: int(np.searchsorted(ordered, np.nan, side="left"))]


def _edges(given: Numbers) -> Edges:
    """What `fix_edges` says, of values in order."""
    first, last = np.searchsorted(given, [-HUGE, HUGE], side="left")
    ordered = given[first:last].astype(np.float64, copy=False)
    n_rows = len(ordered)
    if n_rows == 0:
        raise Unmeasurable("no number can be compared with", at="reference", remedy="use a reference that holds some")
    median = float(ordered[(n_rows - 1) // 2])
    low, high, step = _ends(ordered, median)
    marks = np.unique(ordered[_ranks(n_rows)])
    marks = marks[(marks >= low) & (marks <= high)]
    n_alike = np.searchsorted(ordered, marks, "right") - np.searchsorted(ordered, marks, "left")
    below = np.nextafter(marks[(n_alike > 1) | (n_rows <= FEW_ROWS)], -np.inf)
    rungs = _rungs(median, step, REACH * max(high - median, median - low))
    if given.dtype.kind != "f" or bool(np.all(ordered == np.floor(ordered))):
        rungs = np.floor(rungs)
    kept = ordered if low <= ordered[0] and ordered[-1] <= high else np.clip(ordered, low, high)
    return Edges(
        at=np.unique(np.concatenate([marks, below, rungs, [np.nextafter(low, -np.inf), low, high]])),
        low=low,
        high=high,
        median=median,
        spread=float(np.std(kept)) if high > low else 0.0,
    )


def _ranks(n_rows: int) -> Counts:
    """Where the quantiles stand among so many ordered values, the least and the greatest value included."""
    n_halvings = int(np.log2(max(n_rows / N_PARTS, 1)))
    tail = 1 / (N_PARTS * 2.0 ** np.arange(1, n_halvings + 1))
    levels = np.concatenate([tail, np.arange(1, N_PARTS) / N_PARTS, 1 - tail])
    ranks = np.clip(np.ceil(levels * n_rows).astype(np.int64) - 1, 0, n_rows - 1)
    return np.concatenate([[0], ranks, [n_rows - 1]])


def _ends(ordered: Floats, median: float) -> tuple[float, float, float]:
    """The ends of a sample without its absurd values, and the width of its middle's widest bin."""
    n_rows = len(ordered)
    # One part of the rows, yet at least 4: where fewer are, all of them may be absurd.
    n_tail = max(1, min(max(n_rows // N_PARTS, 4), n_rows // 4))
    least, most = float(ordered[n_tail - 1]), float(ordered[n_rows - n_tail])
    reach = max(most - median, median - least) * GROWTH ** np.log2(n_tail)
    low, high = max(float(ordered[0]), median - reach), min(float(ordered[-1]), median + reach)
    return low, high, (most - least) / N_MIDDLE


def _rungs(median: float, step: float, furthest: float) -> Floats:
    """Edges to both sides of the median, even at first and then in proportion to the distance, up to `furthest`."""
    # Where the two meet: there a step is what the ratio makes of the distance.
    even = step / (LADDER - 1)
    if not 0 < even < furthest:
        return np.array([])
    n_even, n_more = round(1 / (LADDER - 1)), int(np.ceil(np.log(furthest / even) / np.log(LADDER)))
    out = np.concatenate([step * np.arange(1, n_even), even * LADDER ** np.arange(n_more + 1)])
    return median + np.concatenate([-out[::-1], out])


def count(edges: Edges, values: Numbers) -> Counts:
    """How many of the values lie in each bin; shape `(n_edges + 1,)`. The counts of batches may be added.

    Whole numbers, floats and booleans of any width; NaN is passed over, infinities lie in the open bins. O(n log n): to
    sort the values and look up the edges among them is 10 times faster than to look up each value among the edges.
    """
    return _counts(edges, _ordered(values))


def _counts(edges: Edges, ordered: Numbers) -> Counts:
    not_above = np.searchsorted(ordered, edges.at, side="right")
    return np.diff(not_above, prepend=0, append=len(ordered)).astype(np.int64, copy=False)


class Tally(Struct, frozen=True, kw_only=True):
    """Categories counted: in how many rows each value stands, and in how many those that were too many to be kept.

    A value that is not in `counts` is new if `n_other` is 0, and else cannot be told from one of the others.
    """

    counts: dict[str, int]
    n_other: int = 0

    @property
    def n_rows(self) -> int:
        """How many rows have a value."""
        return sum(self.counts.values()) + self.n_other


def tally(counts: Mapping[str, int] | Iterable[tuple[str, int]], *, most: int = MOST_VALUES, n_other: int = 0) -> Tally:
    """The counts of each value, or of the `most` frequent (of those alike the least), and the rest together.

    `counts` are values with the rows they stand in; those of values that are there more than once are added, so batches
    may follow each other. `n_other` rows are counted as other from the start. Linear in the number of values, but for
    a sort when there are more than `most`.

    >>> tally([("a", 2), ("b", 1), ("a", 2), ("c", 3)], most=2)
    Tally(counts={'a': 4, 'c': 3}, n_other=1)
    """
    summed: dict[str, int] = {}
    for value, n_rows in counts.items() if isinstance(counts, Mapping) else counts:
        summed[value] = summed.get(value, 0) + n_rows
    if len(summed) <= most:
        return Tally(counts=summed, n_other=n_other)
    ranked = sorted(summed.items(), key=lambda one: (-one[1], one[0]))
    return Tally(counts=dict(ranked[:most]), n_other=n_other + sum(n_rows for _, n_rows in ranked[most:]))


def align(reference: Tally, current: Tally) -> tuple[list[str], Counts, Counts]:
    """The values of both and their counts side by side, the last for `other`; shapes `(n_values,)`, `(n_values + 1,)`.

    What only one of the two keeps by itself is counted as other in both when the other one has others: it may be among
    them. So a value that is new can be told as such only against a reference that keeps all its values. Linear.

    >>> names, before, after = align(Tally(counts={"a": 3, "b": 1}), Tally(counts={"a": 2, "c": 2}))
    >>> names, before.tolist(), after.tolist()
    (['a', 'b', 'c'], [3, 1, 0, 0], [2, 0, 2, 0])
    """
    names = [name for name in reference.counts if not current.n_other or name in current.counts]
    names += [name for name in current.counts if not reference.n_other and name not in reference.counts]
    sides = []
    for one in (reference, current):
        kept = np.fromiter(map(one.counts.get, names, repeat(0)), dtype=np.int64, count=len(names))
        sides.append(np.append(kept, one.n_rows - kept.sum()))
    return names, sides[0], sides[1]
