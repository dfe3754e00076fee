"""Whether two samples differ beyond chance, and by enough to matter: the rule of every alarm about distributions.

A shift is told only if both hold. Beyond chance: with data that did not change, the probability that any column of a
family is told is at most `false_alarms`, at any number of rows, the noise of both samples counted. By enough: what is
measured, less what chance alone would make of it, is at least `least`, in a unit that people can read.

The rows of each sample must be independent of each other: where neighbours in time are alike (a sensor every second,
ten rows of one customer), fewer rows tell than there are, and alarms come more often than asked for. Nothing here sees
the order of rows. What the numbers mean, and what to say of them, is `tables/shifts`' and `core/watch`'s business.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from msgspec import Struct
from scipy import special

from headway.errors import Unmeasurable
from headway.stats import distance
from headway.stats.alarm import with_blocks
from headway.stats.bins import Bins, Counts, Floats, Tally, align
from headway.stats.spells import rise

N_CELLS = 32
"""Into how many parts numbers are merged for the test of their shape."""

LEAST_EXPECTED = 5.0
"""So many rows of either sample are to be expected in a cell for a chi-square to hold; smaller ones are merged."""

Method = Literal["kolmogorov-smirnov", "chi-square", "one-cell", "fisher", "mean-rank"]
"""What told: the cumulative shares, the shares of all cells together, those of a single cell, one share exactly, or
where rows stand among those of both samples on average (which `shift_cells` looks at)."""


class Shift(Struct, frozen=True, kw_only=True):
    """What two samples say of each other.

    `distance` is in `unit`: `sd` are standard deviations of the reference (Wasserstein distance), `share` is of the
    rows (total variation). Samples of these sizes from one source would be about `by_chance` apart. `p` is the
    probability that they differ as clearly by one of the tests of this kind of column, or more; `method` names the one
    that told most and `statistic` is its number. Where the change is largest the share of rows went from `before` to
    `after`: of those with the value `at` for categories (the empty text being all others), of those up to `at` for
    numbers, or, by the method `one-cell`, in the bin that ends there. `beyond` is the share of the current's rows that
    lie outside the reference's range, or have a value that it does not.
    """

    of: Literal["numbers", "categories", "share"]
    n_reference: int
    n_current: int
    distance: float
    unit: Literal["sd", "share"]
    by_chance: float
    p: float
    method: Method
    statistic: float
    at: float | str
    before: float
    after: float
    beyond: float = 0.0

    @property
    def effect(self) -> float:
        """The distance without what chance adds to it; independent parts add up by their squares."""
        return float(np.sqrt(max(self.distance**2 - self.by_chance**2, 0.0)))


class ShiftVerdict(Struct, frozen=True, kw_only=True):
    """One shift judged in its family: an alarm if `p_adjusted` is within `false_alarms` and its effect is `least`."""

    shift: Shift
    p_adjusted: float
    false_alarms: float
    least: float

    @property
    def is_beyond_chance(self) -> bool:
        """Whether chance alone seldom makes such a difference, be it large or small."""
        return self.p_adjusted <= self.false_alarms

    @property
    def is_alarm(self) -> bool:
        """Whether the column is told as changed."""
        return self.is_beyond_chance and self.shift.effect >= self.least


def numeric_shift(reference: Bins, current: Counts) -> Shift:
    """How the current's numbers, counted on the reference's bins, differ from the reference's.

    Three tests share the level, so that a change of any form is seen: Kolmogorov-Smirnov (half of it) for what moves as
    a whole, a chi-square on 32 parts (a quarter) for what changes in width or shape, and each bin by itself, exactly (a
    quarter), for a value that suddenly comes up more often or not at all. The first and the last keep the level with
    any ties; none looks at how large a number is, so that an absurd one counts as one row. Anderson-Darling's test
    finds a plain shift with somewhat fewer rows, yet neither peaks nor ends cut off, and its level depends on the ties
    (tests/stats/test_shift_rates.py has the kinds of change that are found).
    Raises Unmeasurable when a sample has no number.
    Sources: Smirnov (1939), Bull. Math. Univ. Moscou 2, 3-14, for `p` of two samples, conservative with ties (Noether
    1963, Amer. Statist. 17, 36-39); for the others see `_chi_square_p`, `_one_cell_p`.
    """
    before, n, m = reference.counts, _n_rows(reference.counts, "reference"), _n_rows(current, "current")
    gaps = distance.cumulative_gaps(before, current)
    widest = int(np.argmax(np.abs(gaps)))
    largest = float(np.abs(gaps[widest]))
    cells = distance.coarsen(before, current, int(np.clip(min(n, m) // (2 * LEAST_EXPECTED), 2, N_CELLS)))
    shape, shape_p = _chi_square_p(*cells)
    cell, cell_p = _one_cell_p(before, current)
    told: list[tuple[float, Method, float]] = [
        (2 * float(special.kolmogorov(np.sqrt(n * m / (n + m)) * largest)), "kolmogorov-smirnov", largest),
        (4 * shape_p, "chi-square", shape),
        (4 * cell_p, "one-cell", float(current[cell] / m - before[cell] / n)),
    ]
    p, method, statistic = min(told)
    where = slice(cell, cell + 1) if method == "one-cell" else slice(widest + 1)
    edges, spread = reference.edges, reference.edges.spread
    apart = (
        (distance.wasserstein(reference, current) / spread, distance.wasserstein_by_chance(reference, current) / spread)
        if spread > 0
        else (distance.total_variation(before, current), distance.total_variation_by_chance(before, current))
    )
    inner = slice(int(np.searchsorted(edges.at, edges.low)), int(np.searchsorted(edges.at, edges.high)) + 1)
    return Shift(
        of="numbers",
        n_reference=n,
        n_current=m,
        distance=apart[0],
        unit="sd" if spread > 0 else "share",
        by_chance=apart[1],
        p=min(p, 1.0),
        method=method,
        statistic=statistic,
        at=float(edges.at[min(where.stop, len(edges.at)) - 1]),
        before=float(before[where].sum() / n),
        after=float(current[where].sum() / m),
        beyond=float(1 - current[inner].sum() / m),
    )


def category_shift(reference: Tally, current: Tally) -> Shift:
    """How the current's categories differ from the reference's; also for labels. As `aligned_shift`, out of tallies.

    A value that the reference does not have is new only if the reference keeps all its values; else it counts as one
    of the others.
    """
    names, before, after = align(reference, current)
    return aligned_shift([*names, ""], before, after, is_whole=reference.n_other == 0)


def aligned_shift(names: Sequence[str], reference: Counts, current: Counts, *, is_whole: bool = True) -> Shift:
    """How two counts of the same values (`names`) differ, whatever order they are in.

    Two tests share the level: a chi-square for all values together, those too rare for it being one; and each value by
    itself, exactly, which also finds a new one. `is_whole`: the reference has no values but those counted, so that one
    that it has in no row is new. O(n log n) in the values.
    Raises Unmeasurable when a sample has no value.
    Sources: as `_chi_square_p`, `_one_cell_p`.
    """
    n, m = _n_rows(reference, "reference"), _n_rows(current, "current")
    shape, shape_p = _chi_square_p(reference, current)
    cell, cell_p = _one_cell_p(reference, current)
    change = current / m - reference / n
    told: list[tuple[float, Method, float]] = [
        (2 * shape_p, "chi-square", shape),
        (2 * cell_p, "one-cell", float(change[cell])),
    ]
    p, method, statistic = min(told)
    most = cell if method == "one-cell" else int(np.argmax(np.abs(change)))
    return Shift(
        of="categories",
        n_reference=n,
        n_current=m,
        distance=distance.total_variation(reference, current),
        unit="share",
        by_chance=distance.total_variation_by_chance(reference, current),
        p=min(p, 1.0),
        method=method,
        statistic=statistic,
        at=names[most],
        before=float(reference[most] / n),
        after=float(current[most] / m),
        beyond=float(current[reference == 0].sum() / m) if is_whole else 0.0,
    )


def share_shift(
    reference: tuple[int, int], current: tuple[int, int], *, effect: float = 1.0, n_blocks: int = 0
) -> Shift:
    """How a share differs: of nulls, of one value, of new values; each sample is (rows that count, all rows).

    Exact given both totals, whatever the share; `statistic` is the difference. Of rows that are alike so many tell what
    one does as their design effect `effect` says, which was measured on `n_blocks` blocks (`alarm`; 0: it is known).
    Those may come in spells, so that a share that rose is as likely as `spells.rise` says at least.
    Raises Unmeasurable when a sample has no rows.
    Source: Fisher (1922), J. R. Stat. Soc. 85, 87-94; two-sided by twice the smaller tail.

    >>> found = share_shift((100, 10_000), (40, 1000))
    >>> found.p < 1e-9, round(found.distance, 3), found.method
    (True, 0.03, 'fisher')
    """
    counts = [np.array([hits, n_rows - hits], dtype=np.int64) for hits, n_rows in (reference, current)]
    n, m = _n_rows(counts[0], "reference"), _n_rows(counts[1], "current")
    before, after = reference[0] / n, current[0] / m
    p, by_chance = 1.0, 0.0
    # Of most columns no row is missing, in either sample: that is known without reckoning.
    if reference[0] or current[0]:
        tail = tails(counts[0][:1] / effect, counts[1][:1] / effect, np.float64(n / effect), np.float64(m / effect))
        p = float(with_blocks(np.minimum(2 * tail, 1.0), n_blocks)[0])
        # Half a row where there was none: nothing is known to be nothing.
        usual = max(reference[0], 0.5) / n
        p = max(p, rise(usual, current, effect=effect, n_blocks=n_blocks)) if after > usual else p
        by_chance = distance.total_variation_by_chance(counts[0], counts[1]) * effect**0.5
    return Shift(
        of="share",
        n_reference=n,
        n_current=m,
        distance=abs(after - before),
        unit="share",
        by_chance=by_chance,
        p=p,
        method="fisher",
        statistic=after - before,
        at="",
        before=before,
        after=after,
    )


def family(shifts: Sequence[Shift], *, false_alarms: float, least: float) -> tuple[ShiftVerdict, ...]:
    """Each shift judged as one of all: with nothing changed, any of them is told with probability `false_alarms`.

    In the order given. Whatever the columns have to do with each other, the probability is at most that.
    Source: Holm (1979), Scand. J. Stat. 6, 65-70.

    >>> still = share_shift((500, 10_000), (52, 1000))
    >>> moved = share_shift((500, 10_000), (250, 1000))
    >>> [one.is_alarm for one in family([still, moved], false_alarms=0.01, least=0.1)]
    [False, True]
    """
    adjusted = holm(np.array([one.p for one in shifts], dtype=np.float64))
    return tuple(
        ShiftVerdict(shift=one, p_adjusted=float(p), false_alarms=false_alarms, least=least)
        for one, p in zip(shifts, adjusted, strict=True)
    )


def holm(p: Floats) -> Floats:
    """Each p adjusted for all being looked at, in [0, 1], in the order given: those below a level hold it together.

    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    raised = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    adjusted = np.empty_like(raised)
    adjusted[order] = raised
    return adjusted


def _n_rows(counts: Counts, at: str) -> int:
    n_rows = int(counts.sum())
    if n_rows == 0:
        raise Unmeasurable("no row has a value to compare", at=at, remedy="compare on rows that hold some")
    return n_rows


def _chi_square_p(reference: Counts, current: Counts) -> tuple[float, float]:
    """Pearson's statistic and its p, for counts of which those too rare are merged into one.

    What is merged is settled by both samples together, so that it does not lean to either. `p` is the larger of
    Pearson's and that of the likelihood ratio with Williams' correction. Far out, where the level of a family lies, a
    few rows in a rare cell make Pearson's too small (four times at 0.0001 with 5 rows expected), and many sparse cells
    make the other too small (twice); by simulation the larger of the two keeps the level throughout.
    Sources: Pearson (1900), Philos. Mag. 50, 157-175; Williams (1976), Biometrika 63, 33-37.
    """
    before, after = _merge_rare(reference, current)
    found = distance.chi_square(before, after)
    if found.freedom == 0:
        return found.statistic, 1.0
    n, m = float(before.sum()), float(after.sum())
    pooled = (before + after).astype(np.float64)
    ratio = 2 * float(
        np.sum(special.xlogy(after, after * (n + m) / (pooled * m)))
        + np.sum(special.xlogy(before, before * (n + m) / (pooled * n)))
    )
    total = n + m
    williams = 1 + (total / n + total / m - 1) * (float(np.sum(total / pooled)) - 1) / (6 * total * found.freedom)
    statistic = min(found.statistic, ratio / williams)
    return found.statistic, float(special.chdtrc(found.freedom, statistic))


def _merge_rare(reference: Counts, current: Counts) -> tuple[Counts, Counts]:
    """Counts without empty cells, and with those merged that the smaller sample can expect too few rows in."""
    pooled = reference + current
    least = LEAST_EXPECTED * pooled.sum() / min(reference.sum(), current.sum())
    order = np.argsort(pooled, kind="stable")[np.count_nonzero(pooled == 0) :]
    # The rarest are merged until both they and the next by itself are enough.
    n_merged = int(np.count_nonzero(pooled[order] < least))
    if n_merged and pooled[order[:n_merged]].sum() < least:
        n_merged = min(n_merged + 1, len(order))
    starts = np.arange(max(n_merged - 1, 0), len(order))
    if len(starts):
        starts[0] = 0
    return np.add.reduceat(reference[order], starts), np.add.reduceat(current[order], starts)


def _one_cell_p(reference: Counts, current: Counts) -> tuple[int, float]:
    """The cell whose share changed least likely by chance, and the p for having looked at all and on both sides.

    Exact by Fisher's test in each cell, by Bonferroni's bound over the cells that either sample has hit.
    """
    held = np.flatnonzero(reference + current)
    n, m = int(reference.sum()), int(current.sum())
    found = tails(reference[held], current[held], np.float64(n), np.float64(m))
    clearest = int(np.argmin(found))
    return int(held[clearest]), min(2 * len(held) * float(found[clearest]), 1.0)


def tails(
    reference: Counts | Floats, current: Counts | Floats, n: np.float64 | Floats, m: np.float64 | Floats
) -> Floats:
    """For cells of two samples of n and m rows: the probability of a count as far from the expected, on its side.

    Counts may be fractions: those of rows divided by their design effect.

    Given how many rows of both are in a cell, the current's part is hypergeometric. Its logarithms fall ever faster, so
    that the tail is at most the geometric series of the first two terms: never below the exact one, and close to it far
    out (10 % above at 0.001).
    """
    x, pooled, total = current.astype(np.float64), (reference + current).astype(np.float64), n + m
    rest = total - pooled - m
    log_p = _log_choose(pooled, x) + _log_choose(total - pooled, m - x) - _log_choose(total, m)
    rising = (pooled - x) * (m - x) / ((x + 1) * (rest + x + 1))
    falling = x * (rest + x) / ((pooled - x + 1) * (m - x + 1))
    ratio = np.where(x * total > pooled * m, rising, falling)
    bound = np.full_like(ratio, np.inf)
    np.divide(np.exp(np.minimum(log_p, 0.0)), 1 - ratio, out=bound, where=ratio < 1)
    return np.minimum(bound, 1.0)


def _log_choose(n: Floats | np.float64, k: Floats | np.float64) -> Floats:
    return np.asarray(special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1), dtype=np.float64)
