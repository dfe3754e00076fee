"""Whether a window differs from its reference, axis by axis, on the 64 cells of a sketch and at any level.

As `shift`, for live predictions: counted on few cells, by rows that are alike (`alarm.Effects`), at levels of a
millionth and less, for hundreds of axes at once. Counts are divided by the design effect before anything is reckoned
with them, and each p-value is widened for not knowing it exactly. `core/reference` says what the cells mean,
`core/watch` what is done about a shift.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from scipy import special

from headway.stats import distance
from headway.stats.alarm import Effects, with_blocks
from headway.stats.bins import Bins, Counts, Edges, Floats
from headway.stats.shift import LEAST_EXPECTED, Method, Shift, share_shift, tails

FIRST = 2
"""Before it are the cells of missing values (0) and of those that cannot be counted (1)."""

N_SHOWN = 10
"""Into so many cells numbers are merged for PSI: what people know it from."""

N_MOVED = 16
"""Into so many to say which share of the rows moved: chance makes less of it than of 62."""

_STEPS = 8
"""Newton's steps; what is found before the last is a bound too, only a wider one."""

_FURTHEST = 400.0
"""Beyond this a bound does not get tighter."""

Flags = npt.NDArray[np.bool_]


class Axis(Struct, frozen=True, kw_only=True, eq=False):
    """One axis of a reference: `counts` of its cells, `edges` between bins if it is of numbers, else `names` of values.

    `counts` has shape `(n_cells,)` or more, with zeros behind: as a row of a sketch.
    """

    counts: Counts
    edges: Floats | None = None
    names: tuple[str, ...] = ()
    effects: Effects = Effects()


class AxisShift(Struct, frozen=True, kw_only=True):
    """How one axis of a window differs.

    `missing` and `unknown` compare the shares of rows without a value, and with one that cannot be counted; `values`
    the others, and is None where one of the samples has none. For categories `values` has those of no own cell too.
    `moved` is the share of rows that must have moved, without what chance makes of it. `psi` is the population
    stability index of the values on few cells, and up to `psi_usual` in 99 windows of 100 that did not change.
    """

    missing: Shift
    unknown: Shift
    values: Shift | None
    moved: float = 0.0
    psi: float = 0.0
    psi_usual: float = 0.0

    @property
    def shifts(self) -> tuple[Shift, ...]:
        """All that was asked: what belongs into the family of tests."""
        some = (self.missing, self.unknown)
        return some if self.values is None else (*some, self.values)


def axis_shifts(axes: Sequence[Axis], current: Sequence[Counts]) -> tuple[AxisShift, ...]:
    """How each axis of a window differs from the reference; `current` has the window's counts of each, as `Axis`.

    Numbers: four tests share the level: the mean rank (which finds what moves as a whole with the fewest rows),
    Kolmogorov-Smirnov, a chi-square on cells merged until rows suffice, and each cell by itself, exactly. Categories:
    the last two. At any number of rows and any level a p-value is at most as small as it should be, as far as the
    design effect is known. Some 0.5 ms an axis.
    Raises Unmeasurable when a sample has no rows at all.
    Sources: Hoeffding (1963), J. Am. Stat. Assoc. 58, 13-30, theorems 1 and 4, for the mean rank; the others as in
    `shift`.

    >>> before = np.array([0, 0, *[1000] * 4])
    >>> axis = Axis(counts=before, edges=np.array([1.0, 2.0, 3.0]))
    >>> found = axis_shifts([axis], [np.array([90, 0, 100, 200, 300, 310])])[0]
    >>> found.missing.p < 1e-9, found.unknown.p, found.values.p < 1e-9, found.values.unit
    (True, 1.0, True, 'sd')
    """
    if not axes:
        return ()
    is_number = np.array([one.edges is not None for one in axes])
    before, after = (_values(axes, table, is_number) for table in ([one.counts for one in axes], current))
    effects = np.array([one.effects.values for one in axes])
    n_blocks = np.array([one.effects.n_blocks for one in axes])
    told = _tests(before, after, is_number, effects, n_blocks)
    return tuple(
        AxisShift(missing=_share(one, now, 0), unknown=_share(one, now, 1), values=None)
        if not (before[at].any() and after[at].any())
        else _whole(one, now, (before[at], after[at]), told.of(at))
        for at, (one, now) in enumerate(zip(axes, current, strict=True))
    )


def _values(axes: Sequence[Axis], tables: Sequence[Counts], is_number: Flags) -> Counts:
    """The cells that hold values, side by side with zeros behind; those of categories begin with the unknown."""
    widest = max(len(one) for one in (*tables, *(axis.counts for axis in axes))) - 1
    found = np.zeros((len(tables), -(-widest // 32) * 32), dtype=np.int64)
    for row, counts, numeric in zip(found, tables, is_number, strict=True):
        start = FIRST if numeric else FIRST - 1
        row[: len(counts) - start] = counts[start:]
    return found


# --- evidence ------------------------------------------------------------------------------------------------------


class _Told(Struct, frozen=True, kw_only=True, eq=False):
    """Of each axis its p, the test that told most, the number of that test, and the cell it speaks of."""

    p: Floats
    method: tuple[Method, ...]
    statistic: Floats
    cell: npt.NDArray[np.intp]

    def of(self, at: int) -> tuple[float, Method, float, int]:
        return float(self.p[at]), self.method[at], float(self.statistic[at]), int(self.cell[at])


_METHODS: tuple[Method, ...] = ("chi-square", "one-cell", "kolmogorov-smirnov", "mean-rank")


def _tests(before: Counts, after: Counts, is_number: Flags, effects: Floats, n_blocks: Counts) -> _Told:
    """All tests of all axes; counts have shape `(n_axes, n_cells)`, the others `(n_axes,)`."""
    x, y = before / effects[:, None], after / effects[:, None]
    # Without rows there is nothing to divide by; such axes are left out by whoever asks.
    n, m = (np.maximum(one.sum(axis=1), 1e-300) for one in (x, y))
    shape, shape_p = _shape(x, y, is_number)
    cell, cell_p = _one_cell(x, y)
    gaps = np.abs(np.cumsum(y, axis=1) / m[:, None] - np.cumsum(x, axis=1) / n[:, None])
    widest = np.argmax(gaps, axis=1)
    rows = np.arange(len(x))
    largest = gaps[rows, widest]
    ks_p = np.where(is_number, special.kolmogorov(np.sqrt(n / (n + m) * m) * largest), 1.0)
    rank, rank_p = _mean_rank(x, y)
    p = np.stack([shape_p, cell_p, ks_p, np.where(is_number, rank_p, 1.0)])
    for blocks in np.unique(n_blocks):
        p[:, n_blocks == blocks] = with_blocks(p[:, n_blocks == blocks], int(blocks))
    change = (y / m[:, None] - x / n[:, None])[rows, cell]
    best = np.argmin(p, axis=0)
    return _Told(
        p=np.minimum(p[best, rows] * np.where(is_number, 4, 2), 1.0),
        method=tuple(_METHODS[one] for one in best),
        statistic=np.stack([shape, change, largest, rank])[best, rows],
        cell=np.where(best == 1, cell, widest),
    )


def _mean_rank(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """By how much the current's rows stand higher among all, as a share of them, and the p of both sides.

    Given the rows of both together, the smaller sample is drawn from them without return if nothing changed. Its mean
    rank is bounded by Chernoff's bound for draws with return: at any number of rows and any ties, and some ten times
    above the exact p at a millionth.
    """
    n, m = x.sum(axis=1), y.sum(axis=1)
    pooled = (x + y) / np.maximum(n + m, 1e-300)[:, None]
    ranks = np.cumsum(pooled, axis=1) - pooled / 2 - 0.5
    is_small = m <= n
    drawn = np.where(is_small[:, None], y, x)
    n_drawn = np.maximum(np.minimum(n, m), 1e-300)
    mean = np.sum(drawn * ranks, axis=1) / n_drawn
    variance = np.maximum(np.sum(pooled * ranks**2, axis=1), 1e-12)
    tilt = np.clip(mean / variance, -_FURTHEST, _FURTHEST)
    exponent = np.zeros(len(x))
    for _ in range(_STEPS):
        grown = pooled * np.exp(tilt[:, None] * ranks)
        total = np.maximum(grown.sum(axis=1), 1e-300)
        exponent = np.maximum(exponent, tilt * mean - np.log(total))
        slope = np.sum(grown * ranks, axis=1) / total
        curve = np.maximum(np.sum(grown * ranks**2, axis=1) / total - slope**2, 1e-12)
        tilt = np.clip(tilt + np.clip((mean - slope) / curve, -20.0, 20.0), -_FURTHEST, _FURTHEST)
    others = np.where(is_small, 1.0, -1.0) * mean * (n + m) / np.maximum(np.maximum(n, m), 1e-300)
    return others, np.minimum(2 * np.exp(-n_drawn * exponent), 1.0)


def _one_cell(x: Floats, y: Floats) -> tuple[npt.NDArray[np.intp], Floats]:
    """The cell whose share changed least likely by chance, and the p for having looked at all and on both sides."""
    n, m = x.sum(axis=1)[:, None], y.sum(axis=1)[:, None]
    held = x + y > 0
    found = np.where(held, tails(x, y, n, m), 1.0)
    clearest = np.argmin(found, axis=1)
    return clearest, np.minimum(2 * held.sum(axis=1) * found[np.arange(len(x)), clearest], 1.0)


def _shape(x: Floats, y: Floats, is_number: Flags) -> tuple[Floats, Floats]:
    """Pearson's statistic and its p, for neighbours put together until 10 rows are to be expected in most cells."""
    statistic, p = np.zeros(len(x)), np.ones(len(x))
    rows = np.maximum(np.minimum(x.sum(axis=1), y.sum(axis=1)), 1e-9)
    per_cell = rows / np.maximum(np.count_nonzero(x + y, axis=1), 1)
    wanted = np.clip(np.ceil(np.log2(2 * LEAST_EXPECTED / per_cell)), 0, 5)
    together = np.where(is_number, 2 ** wanted.astype(np.int64), 1)
    for factor in np.unique(together):
        some = together == factor
        merged = [one[some].reshape(int(some.sum()), -1, int(factor)).sum(axis=2) for one in (x, y)]
        statistic[some], p[some] = _chi_square(*merged)
    return statistic, p


def _chi_square(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """As `shift._chi_square_p`, of many at once: the larger p of Pearson's and of the corrected likelihood ratio."""
    n, m = (np.maximum(one.sum(axis=1, keepdims=True), 1e-300) for one in (x, y))
    x, y = _merge_rare(x, y)
    pooled, total = x + y, n + m
    held = pooled > 0
    safe = np.where(held, pooled, 1.0)
    pearson = np.sum((y / m - x / n) ** 2 / safe, axis=1) * (n * m)[:, 0]
    ratio = 2 * np.sum(special.xlogy(y, y * total / (safe * m)) + special.xlogy(x, x * total / (safe * n)), axis=1)
    freedom = np.maximum(held.sum(axis=1) - 1, 0)
    spread = np.sum(np.where(held, total / safe, 0.0), axis=1) - 1
    williams = 1 + (total / n + total / m - 1)[:, 0] * spread / (6 * total[:, 0] * np.maximum(freedom, 1))
    p = special.chdtrc(np.maximum(freedom, 1), np.minimum(pearson, ratio / williams))
    return pearson, np.where(freedom > 0, p, 1.0)


def _merge_rare(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Counts with a cell more, of all those in which the smaller sample can expect too few rows, and of the next one
    where they are too few together.
    """  # noqa: D205 - one sentence
    pooled = x + y
    smaller = np.minimum(x.sum(axis=1), y.sum(axis=1)) / np.maximum(pooled.sum(axis=1), 1e-300)
    expected = pooled * smaller[:, None]
    is_rare = expected < LEAST_EXPECTED
    of_rare = np.sum(expected, axis=1, where=is_rare)
    next_one = np.argmin(np.where(is_rare, np.inf, expected), axis=1)
    needs_more = (of_rare > 0) & (of_rare < LEAST_EXPECTED)
    is_rare[np.flatnonzero(needs_more), next_one[needs_more]] = True
    return tuple(  # type: ignore[return-value] # two go in
        np.concatenate([np.where(is_rare, 0.0, one), np.sum(one, axis=1, where=is_rare)[:, None]], axis=1)
        for one in (x, y)
    )


# --- how far, and where --------------------------------------------------------------------------------------------


def _share(axis: Axis, current: Counts, cell: int) -> Shift:
    effects = axis.effects
    return share_shift(
        (int(axis.counts[cell]), int(axis.counts.sum())),
        (int(current[cell]), int(current.sum())),
        effect=effects.missing if cell == 0 else effects.unknown,
        n_blocks=effects.n_blocks,
    )


def _whole(axis: Axis, now: Counts, counts: tuple[Counts, Counts], told: tuple[float, Method, float, int]) -> AxisShift:
    # Without the zeros behind, which the index would take for values.
    n_cells = 1 + len(axis.names if axis.edges is None else axis.edges)
    before, after = (one[:n_cells] for one in counts)
    n, m = int(before.sum()), int(after.sum())
    p, method, statistic, cell = told
    where = slice(cell + 1) if method in {"kolmogorov-smirnov", "mean-rank"} else slice(cell, cell + 1)
    if method == "chi-square":
        most = int(np.argmax(np.abs(after / m - before / n)))
        where = slice(most, most + 1)
    noise = axis.effects.values
    apart, unit, by_chance = _apart(axis, before, after)
    shift = Shift(
        of="numbers" if axis.edges is not None else "categories",
        n_reference=n,
        n_current=m,
        distance=apart,
        unit=unit,
        by_chance=by_chance * noise**0.5,
        p=p,
        method=method,
        statistic=statistic,
        at=_at(axis, where.stop - 1),
        before=float(before[where].sum() / n),
        after=float(after[where].sum() / m),
        beyond=float(after[before == 0].sum() / m),
    )
    few, fewer = (
        (distance.coarsen(before, after, n_few) if axis.edges is not None else (before, after))
        for n_few in (N_MOVED, N_SHOWN)
    )
    moved, chance = distance.total_variation(*few), noise**0.5 * distance.total_variation_by_chance(*few)
    return AxisShift(
        missing=_share(axis, now, 0),
        unknown=_share(axis, now, 1),
        values=shift,
        moved=max(moved**2 - chance**2, 0.0) ** 0.5,
        psi=distance.psi(*fewer),
        psi_usual=usual_psi(int(np.count_nonzero(fewer[0] + fewer[1])), n / noise, m / noise),
    )


def usual_psi(n_cells: int, n: float, m: float, *, share: float = 0.99) -> float:
    """What the population stability index of two samples of so many independent rows (> 0) seldom exceeds by chance.

    So many windows in all are below it: over 1/n + 1/m it follows a chi-square, nearly. The fewer the rows, the larger.
    Source: Yurdakul & Naranjo (2020), J. Risk Model Validation 14 (4), 89-100.

    >>> round(usual_psi(10, 20_000, 500), 3)
    0.044
    """
    return float(special.chdtri(max(n_cells - 1, 1), 1 - share)) * (1 / n + 1 / m)


def _apart(axis: Axis, before: Counts, after: Counts) -> tuple[float, Literal["sd", "share"], float]:
    """How far the values are apart, in which unit, and how far chance alone would put them."""
    spread = 0.0 if axis.edges is None else _spread(axis.edges, before)
    if axis.edges is None or spread == 0:
        return distance.total_variation(before, after), "share", distance.total_variation_by_chance(before, after)
    ends = Edges(at=axis.edges, low=float(axis.edges[0]), high=float(axis.edges[-1]), median=0.0, spread=spread)
    bins = Bins(edges=ends, counts=before)
    return distance.wasserstein(bins, after) / spread, "sd", distance.wasserstein_by_chance(bins, after) / spread


def _spread(edges: Floats, counts: Counts) -> float:
    """The standard deviation of numbers that lie evenly within their bins, those beyond the ends at the ends."""
    if len(edges) < 2:
        return 0.0
    shares = counts / counts.sum()
    left, right = np.concatenate([edges[:1], edges]), np.concatenate([edges, edges[-1:]])
    middle = (left + right) / 2
    mean = float(np.sum(shares * middle))
    return float(np.sqrt(np.sum(shares * ((middle - mean) ** 2 + (right - left) ** 2 / 12))))


def _at(axis: Axis, cell: int) -> float | str:
    if axis.edges is not None:
        return float(axis.edges[min(cell, len(axis.edges) - 1)]) if len(axis.edges) else 0.0
    return axis.names[cell - 1] if 0 < cell <= len(axis.names) else ""
