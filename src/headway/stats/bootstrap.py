"""Ranges by resampling, for statistics that no closed form bounds: BCa over rows, or over units of rows.

Resamples are drawn from the raw stream of a seeded generator, which no version of NumPy changes, so that the same rows
give the same range on any machine; and the rows are put in an order of their own first, so that theirs does not matter.
What a statistic is by name is `metrics`' business.
"""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from scipy import special

from headway.stats.answers import Column, Values
from headway.stats.bounds import Interval

N_RESAMPLES = 2000
"""At 2,000 the bounds of a 0.90 interval vary by about a thirtieth of its width from seed to seed."""

FEW_ROWS = 50
"""With fewer rows or units the distribution of the resamples is too coarse to take its tails for those of chance."""

MOST_BLOCKS = 5_000
"""More rows are first added up in so many blocks at random, whose spread tells that of the rows to 1 %."""

CHUNK = 1_000_000
"""So many drawn rows are held at a time."""

Tell = Callable[[Values], Values]
"""The statistic from sums: shape `(..., n_columns)` to `(...)`."""


def bca(columns: Values, tell: Tell, level: float, seed: int, n_resamples: int = N_RESAMPLES) -> Interval | None:
    """The bias-corrected and accelerated interval for `tell` of the columns' sums over independent rows.

    `columns` has shape `(n_rows, n_columns)`, the rows of a unit added up beforehand (if their number counts, a column
    of ones tells it). None where the resamples do not vary, or the correction runs out of them: nothing is known then.
    Source: Efron (1987), J. Am. Stat. Assoc. 82, 171-185; resampling blocks of sums: Kleiner et al. (2014), J. R. Stat.
    Soc. B 76, 795-816, for the idea.

    >>> values = np.stack([np.arange(100.0) ** 2, np.ones(100)], axis=1)
    >>> found = bca(values, lambda sums: sums[..., 0] / sums[..., 1], level=0.9, seed=1)
    >>> 2780 < found.low < 2890 and 3740 < found.high < 3880
    True
    """
    blocks = _in_blocks(columns, seed)
    total = blocks.sum(axis=0)
    resampled = np.concatenate([tell(sums) for sums in _resample(blocks, seed, n_resamples)])
    without = tell(total - blocks)
    return adjusted(float(tell(total)), resampled, without, level)


def adjusted(value: float, resampled: Values, without: Values, level: float) -> Interval | None:
    """The BCa interval from the resampled statistics and those `without` each row or unit in turn."""
    resampled = resampled[np.isfinite(resampled)]
    if len(resampled) < 2 or resampled.min() == resampled.max() or not np.isfinite(without).all():
        return None
    below = (np.count_nonzero(resampled < value) + np.count_nonzero(resampled <= value)) / (2 * len(resampled))
    if not 0 < below < 1:
        return None
    bias = float(special.ndtri(below))
    pulls = without.mean() - without
    squares = float(np.dot(pulls, pulls))
    skew = float(np.sum(pulls**3)) / (6 * squares**1.5) if squares > 0 else 0.0
    ends = []
    for z in (special.ndtri((1 - level) / 2), special.ndtri((1 + level) / 2)):
        stretch = 1 - skew * (bias + z)
        if stretch <= 0:
            return None
        ends.append(float(np.quantile(resampled, special.ndtr(bias + (bias + z) / stretch))))
    return Interval(low=ends[0], high=ends[1], level=level)


def _in_blocks(columns: Values, seed: int) -> Values:
    """The rows in an order of their own; if they are many, added up in blocks of rows taken at random."""
    ordered = columns[np.lexsort(columns.T[::-1])]
    n_rows = len(ordered)
    if n_rows <= MOST_BLOCKS:
        return ordered
    shuffled = ordered[np.argsort(generator(seed, 1).random_raw(n_rows), kind="stable")]
    starts = np.arange(MOST_BLOCKS) * n_rows // MOST_BLOCKS
    return np.asarray(np.add.reduceat(shuffled, starts, axis=0), dtype=np.float64)


def _resample(blocks: Values, seed: int, n_resamples: int) -> Iterator[Values]:
    """The sums of each resample, some resamples at a time, shape `(n, n_columns)`."""
    n_blocks = len(blocks)
    raw = generator(seed, 0)
    for n in _chunks(n_resamples, max(CHUNK // n_blocks, 1)):
        drawn = draw(raw, n * n_blocks, n_blocks).reshape(n, n_blocks)
        drawn += np.arange(n)[:, np.newaxis] * n_blocks
        counts = np.bincount(drawn.reshape(-1), minlength=n * n_blocks).reshape(n, n_blocks)
        # Not by BLAS, which adds in an order of the machine's.
        yield np.einsum("ij,jk->ik", counts.astype(np.float64), blocks)


def _chunks(total: int, size: int) -> Iterator[int]:
    for start in range(0, total, size):
        yield min(size, total - start)


def draw(raw: np.random.PCG64, size: int, n: int) -> npt.NDArray[np.int64]:
    """`size` numbers from 0 to n - 1 (n at most 2 ** 31), each as likely as any other to one in 2 ** 31 / n."""
    words = raw.random_raw((size + 1) // 2)
    halves = np.concatenate([words & np.uint64(0xFFFFFFFF), words >> np.uint64(32)])[:size]
    return np.asarray((halves * np.uint64(n)) >> np.uint64(32), dtype=np.int64)


def uniform(raw: np.random.PCG64, size: int) -> Values:
    """`size` numbers in [0, 1), of 53 random bits each."""
    return np.asarray((raw.random_raw(size) >> np.uint64(11)) * 2.0**-53, dtype=np.float64)


def generator(seed: int, stream: int = 0) -> np.random.PCG64:
    """The raw stream of a seed; streams of other numbers are independent of it."""
    return np.random.PCG64([seed, stream])


def groups_at_random(codes: Column, seed: int, n_groups: int) -> Column:
    """The number of the group that each unit is in, groups of equal size drawn at random; `codes` run from 0."""
    order = np.argsort(generator(seed, 2).random_raw(int(codes.max()) + 1), kind="stable")
    group = np.empty(len(order), dtype=np.int64)
    group[order] = np.arange(len(order)) * n_groups // len(order)
    return np.asarray(group[codes], dtype=np.int64)
