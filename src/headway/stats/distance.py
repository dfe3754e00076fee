"""How far apart two samples are, from their counts on the same bins or values; no notion of chance or of alarms.

`reference` and `current` are counts of shape `(n_cells,)`, each of one row at least, as `bins.count` or `bins.align`
gives them. All but `psi` and `chi_square` are metrics that do not depend on how many rows there are; what differs by
chance alone grows as the rows get fewer all the same (`shift` counts with it). On fine bins `psi`, `jensen_shannon` and
`hellinger` add up the noise of every bin: merge them with `coarsen` before showing them to people who know these
numbers from 10 or 30 bins.
"""

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from headway.stats.bins import Bins, Counts, Edges, Floats

N_SHOWN = 30
"""Into how many bins `coarsen` merges; what most tools call PSI and Jensen-Shannon is measured on so many."""


def shares(counts: Counts, added: float = 0.0) -> Floats:
    """Counts as parts of all rows, when so many rows are added to each cell."""
    raised = counts + np.float64(added)
    return np.asarray(raised / raised.sum(), dtype=np.float64)


def cumulative_gaps(reference: Counts, current: Counts) -> Floats:
    """By how much the current's share up to each edge exceeds the reference's; in [-1, 1], shape `(n_cells - 1,)`."""
    # Whole numbers add up exactly; shares would leave a difference where there is none.
    before, after = np.cumsum(reference), np.cumsum(current)
    return np.asarray(after[:-1] / after[-1] - before[:-1] / before[-1], dtype=np.float64)


def kolmogorov_smirnov(reference: Counts, current: Counts) -> float:
    """The largest difference between the cumulative shares, in [0, 1].

    On `fix_edges`' bins at most 1/1024 below that of the values themselves, never above it.
    Source: Smirnov (1939), Bull. Math. Univ. Moscou 2, 3-14.

    >>> round(kolmogorov_smirnov(np.array([5, 5, 0]), np.array([2, 5, 3])), 9)
    0.3
    """
    return float(np.max(np.abs(cumulative_gaps(reference, current)), initial=0.0))


def wasserstein(reference: Bins, current: Counts) -> float:
    """How far, on average, rows must move for the reference to become the current; in the unit of the values.

    The area between the two cumulative shares, which are taken to rise evenly within a bin. Beyond the ends of the
    reference (`low`, `high`) the outermost row of either sample is not counted, so that a single absurd value adds
    nothing; nor does it count how much further out rows are than the bins go, some 16 times the reference's range.
    Both make the distance too small rather than too large: by less than 1 % from 100,000 log-normal rows on, by some
    5 % for 2,000, where that one row makes so much of the whole.
    Source: Vallender (1974), Theory Probab. Appl. 18, 784-786.

    >>> from headway.stats.bins import count, fix_bins
    >>> bins = fix_bins(np.arange(1000.0))
    >>> round(wasserstein(bins, count(bins.edges, np.arange(1000.0) + 50)), 1)
    49.9
    """
    edges, gaps = reference.edges, cumulative_gaps(reference.counts, current)
    outer = (edges.at < edges.low) | (edges.at > edges.high)
    least = 1 / reference.n_rows + 1 / int(current.sum())
    return _area(edges, np.where(outer, np.sign(gaps) * np.maximum(np.abs(gaps) - least, 0.0), gaps))


def wasserstein_by_chance(reference: Bins, current: Counts) -> float:
    """What `wasserstein` would be on average for two samples of these sizes from one source, about.

    The source is what both samples make together. Each gap between the cumulative shares is normal then, with the
    variance H (1 - H) (1/n + 1/m), and its absolute value has the mean sqrt(2/pi) of its standard deviation.
    """
    before, after = np.cumsum(reference.counts), np.cumsum(current)
    pooled = (before[:-1] + after[:-1]) / (before[-1] + after[-1])
    edges = reference.edges
    inner = (edges.at >= edges.low) & (edges.at <= edges.high)
    noise = np.sqrt(2 / np.pi * pooled * (1 - pooled) * (1 / before[-1] + 1 / after[-1]))
    return _area(edges, np.where(inner, noise, 0.0))


def _area(edges: Edges, gaps: Floats) -> float:
    """The area between zero and the lines through `gaps` at the edges."""
    left, right = gaps[:-1], gaps[1:]
    together = np.abs(left) + np.abs(right)
    # Where the sign changes the area is that of two triangles: (a^2 + b^2) / 2(|a| + |b|).
    crossing = (left * right < 0) & (together > 0)
    heights = together / 2
    heights[crossing] = (left[crossing] ** 2 + right[crossing] ** 2) / (2 * together[crossing])
    return float(np.sum(heights * np.diff(edges.at)))


def total_variation(reference: Counts, current: Counts) -> float:
    """The share of the rows that would have to move for one to become the other, in [0, 1].

    >>> round(total_variation(np.array([50, 50]), np.array([60, 40])), 9)
    0.1
    """
    return float(np.abs(shares(reference) - shares(current)).sum() / 2)


def total_variation_by_chance(reference: Counts, current: Counts) -> float:
    """What `total_variation` would be on average for two samples of these sizes from one source, about.

    As for `wasserstein_by_chance`, cell by cell; a cell that is seldom hit cannot differ by more than twice its share.
    """
    n, m = int(reference.sum()), int(current.sum())
    pooled = (reference + current) / (n + m)
    noise = np.sqrt(2 / np.pi * pooled * (1 - pooled) * (1 / n + 1 / m))
    return float(np.minimum(noise, 2 * pooled * (1 - pooled)).sum() / 2)


def l_infinity(reference: Counts, current: Counts) -> float:
    """The largest change of any cell's share, in [0, 1]; TFDV's measure for categories."""
    return float(np.max(np.abs(shares(reference) - shares(current)), initial=0.0))


def jensen_shannon(reference: Counts, current: Counts) -> float:
    """The root of the Jensen-Shannon divergence to base 2: a metric in [0, 1].

    Sources: Lin (1991), IEEE Trans. Inf. Theory 37, 145-151; that it is a metric, Endres & Schindelin (2003), ibid. 49,
    1858-1860.
    """
    p, q = shares(reference), shares(current)
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return float(np.sqrt(max(divergence / np.log(2), 0.0)))


def _relative_entropy(p: Floats, q: Floats) -> float:
    held = p > 0
    return float(np.sum(p[held] * np.log(p[held] / q[held])))


def hellinger(reference: Counts, current: Counts) -> float:
    """The Hellinger distance, in [0, 1].

    Source: Hellinger (1909), J. reine angew. Math. 136, 210-271.
    """
    apart = np.sqrt(shares(reference)) - np.sqrt(shares(current))
    return float(np.sqrt(np.sum(apart**2) / 2))


def psi(reference: Counts, current: Counts) -> float:
    """The population stability index, from 0 on; the symmetric Kullback-Leibler divergence.

    Half a row is added to every cell, as the index is infinite where one of the two has none (Jeffreys' prior).
    Sources: Jeffreys (1946), Proc. R. Soc. Lond. A 186, 453-461; Siddiqi (2006), Credit Risk Scorecards, chapter 10.

    >>> round(psi(np.array([500, 500]), np.array([600, 400])), 4)
    0.0405
    """
    p, q = shares(reference, 0.5), shares(current, 0.5)
    return float(np.sum((q - p) * np.log(q / p)))


class ChiSquare(Struct, frozen=True, kw_only=True):
    """Pearson's statistic of two rows of counts, and in how many ways (`freedom`) they could differ."""

    statistic: float
    freedom: int


def chi_square(reference: Counts, current: Counts) -> ChiSquare:
    """Pearson's statistic for both counts coming from one source; cells that nobody hit are left out.

    Source: Pearson (1900), Philos. Mag. 50, 157-175; for two samples, Fisher (1922), J. R. Stat. Soc. 85, 87-94.

    >>> found = chi_square(np.array([10, 20, 0]), np.array([20, 10, 0]))
    >>> round(found.statistic, 4), found.freedom
    (6.6667, 1)
    """
    pooled = reference + current
    held = pooled > 0
    n, m = int(reference.sum()), int(current.sum())
    apart = current[held] / m - reference[held] / n
    statistic = float(np.sum(apart**2 / pooled[held])) * n * m
    return ChiSquare(statistic=statistic, freedom=max(int(np.count_nonzero(held)) - 1, 0))


def coarsen(reference: Counts, current: Counts, n_cells: int = N_SHOWN) -> tuple[Counts, Counts]:
    """Neighbouring bins merged into at most so many, each with the same share of the reference, as nearly as may be.

    >>> coarsen(np.array([1, 1, 1, 1]), np.array([0, 4, 0, 4]), 2)
    (array([2, 2]), array([4, 4]))
    """
    passed = np.cumsum(reference)
    ends = np.searchsorted(passed, passed[-1] * np.arange(1, n_cells) / n_cells, side="left") + 1
    starts = np.unique(np.concatenate([[0], ends[ends < len(reference)]]))
    merged: list[npt.NDArray[np.int64]] = [np.add.reduceat(counts, starts) for counts in (reference, current)]
    return merged[0], merged[1]
