"""Intervals for the difference between two answers on the same rows.

Rows on which both are equally right say nothing of a difference, so these methods see only the rows that tell: far
fewer rows decide than two separate intervals would need. Rows must be independent of each other: ten alike rows of one
customer count as one. What a metric is by name is `metrics`' business, areas under curves are `auc`'s.
"""

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from headway.errors import Unmeasurable
from headway.stats.bounds import Interval
from headway.stats.interval import clopper_pearson, normal_quantile


class Pairs(Struct, frozen=True, kw_only=True):
    """How two models answered the same `n_rows` (> 0): `gained` only the new one has right, `lost` only the old one."""

    gained: int
    lost: int
    n_rows: int

    @property
    def difference(self) -> float:
        """The share right of the new model less that of the old one, in [-1, 1]."""
        return (self.gained - self.lost) / self.n_rows

    @property
    def spread(self) -> float:
        """The standard deviation of one row's part in the difference; that of the difference is 1/sqrt(n) of it."""
        share = (self.gained + self.lost) / self.n_rows
        return float(max(share - self.difference**2, 0.0) ** 0.5)


def count_pairs(new_right: npt.NDArray[np.bool_], old_right: npt.NDArray[np.bool_]) -> Pairs:
    """The counts that a paired comparison needs, from two arrays of shape `(n_rows,)` in the same order.

    Raises Unmeasurable without rows.

    >>> count_pairs(np.array([True, True, False]), np.array([True, False, False]))
    Pairs(gained=1, lost=0, n_rows=3)
    """
    if len(new_right) == 0:
        raise Unmeasurable("no row can be compared", at="pairs", remedy="compare on rows that hold some")
    gained = int(np.count_nonzero(new_right & ~old_right))
    lost = int(np.count_nonzero(old_right & ~new_right))
    return Pairs(gained=gained, lost=lost, n_rows=len(new_right))


def tango(pairs: Pairs, level: float = 0.95) -> Interval:
    """Tango's score interval for a difference of paired proportions, as published; bounds in [-1, 1].

    Its error is close to nominal when many rows differ, and up to twice nominal when fewer than about 20 do: decide by
    `tango_corrected`.
    Source: Tango (1998), Statistics in Medicine 17, 891-908.

    >>> shown = tango(Pairs(gained=16, lost=8, n_rows=86))
    >>> round(shown.low, 3), round(shown.high, 3)
    (-0.02, 0.207)
    """
    return _score_interval(pairs, level, step=0.0)


def tango_corrected(pairs: Pairs, level: float = 0.95) -> Interval:
    """Tango's interval with each bound moved out by one row, as Edwards corrected McNemar's test for continuity.

    This is what the gate decides by. By enumeration over all tables (tests/stats/test_compare_levels.py) a bound is
    missed with at most the nominal probability for `level` up to 0.95, at most 1.1 times it at 0.98. An interval that
    leaves out zero implies that the exact McNemar test rejects too.
    Sources: Tango (1998) as above; Edwards (1948), Psychometrika 13, 185-187.

    >>> decides = tango_corrected(Pairs(gained=16, lost=8, n_rows=86))
    >>> round(decides.low, 3), round(decides.high, 3)
    (-0.032, 0.219)
    """
    return _score_interval(pairs, level, step=1.0)


def _score_interval(pairs: Pairs, level: float, *, step: float) -> Interval:
    z = normal_quantile((1 + level) / 2)
    mirrored = Pairs(gained=pairs.lost, lost=pairs.gained, n_rows=pairs.n_rows)
    return Interval(low=_lowest(pairs, z, step), high=-_lowest(mirrored, z, step), level=level)


def _lowest(pairs: Pairs, z: float, step: float) -> float:
    """The smallest difference that the score test does not reject, by bisection down to neighbouring floats."""

    def is_rejected(theta: float) -> bool:
        return pairs.gained - pairs.lost - pairs.n_rows * theta - step > z * _score_deviation(pairs, theta)

    rejected, kept = -1.0, pairs.difference
    if not is_rejected(rejected):
        return rejected
    while True:
        middle = (rejected + kept) / 2
        if middle in (rejected, kept):
            return kept
        if is_rejected(middle):
            rejected = middle
        else:
            kept = middle


def _score_deviation(pairs: Pairs, theta: float) -> float:
    """The standard deviation of gained - lost if the true difference is `theta`, at the likeliest share lost then."""
    n = pairs.n_rows
    a = 2.0 * n
    b = -pairs.gained - pairs.lost + (2 * n - pairs.gained + pairs.lost) * theta
    c = -pairs.lost * theta * (1 - theta)
    root = max(b * b - 4 * a * c, 0.0) ** 0.5
    # The two forms are equal; for b > 0 the first would subtract nearly equal numbers.
    lost_share = (root - b) / (2 * a) if b <= 0 else -2 * c / (root + b)
    return float(max(n * (2 * lost_share + theta * (1 - theta)), 0.0) ** 0.5)


def ratio_corrected(pairs: Pairs, both: int, level: float = 0.95) -> Interval:
    """The score interval for the share of the new model over that of the old one, each bound moved out by one row.

    `both` is the number of rows that both have right; with `pairs.lost` it must be above 0. The bounds lie in
    [0, inf]. By simulation with 100 to 1,000 rows (tests/stats/test_error_rates_metrics.py) it misses no more often
    than it says; at a ratio of 1 it is the corrected McNemar test, as `tango_corrected` is at a difference of 0.
    Sources: Nam & Blackwelder (2002), Statistics in Medicine 21, 689-699; Tang, Tang & Chan (2003), ibid. 22,
    1217-1233, for the closed form; the correction is Edwards' (1948), as in `tango_corrected`.

    >>> around = ratio_corrected(Pairs(gained=16, lost=8, n_rows=86), both=40)
    >>> round(around.low, 3), round(around.high, 3)
    (0.948, 1.459)
    """
    z = normal_quantile((1 + level) / 2)
    mirrored = Pairs(gained=pairs.lost, lost=pairs.gained, n_rows=pairs.n_rows)
    lowest = _lowest_ratio(mirrored, both, z)
    return Interval(low=_lowest_ratio(pairs, both, z), high=1 / lowest if lowest > 0 else np.inf, level=level)


def _lowest_ratio(pairs: Pairs, both: int, z: float) -> float:
    """The smallest ratio that the score test does not reject, by bisection down to neighbouring floats."""

    def is_rejected(ratio: float) -> bool:
        more = both + pairs.gained - ratio * (both + pairs.lost) - (1 + ratio) / 2
        return more > z * _ratio_deviation(pairs, both, ratio)

    rejected, kept = 0.0, (both + pairs.gained) / max(both + pairs.lost, 0.5)
    if not is_rejected(rejected):
        return rejected
    while True:
        middle = (rejected + kept) / 2
        if middle in (rejected, kept):
            return kept
        if is_rejected(middle):
            rejected = middle
        else:
            kept = middle


def _ratio_deviation(pairs: Pairs, both: int, ratio: float) -> float:
    """The standard deviation of rows right less `ratio` times those of the old model, if that is their true ratio."""
    n, share = pairs.n_rows, (both + pairs.gained + pairs.lost) / pairs.n_rows
    a = n * (1 + ratio)
    b = (both + pairs.lost) * ratio**2 - (both + pairs.gained + 2 * pairs.lost)
    c = pairs.lost * (1 - ratio) * share
    root = max(b * b - 4 * a * c, 0.0) ** 0.5
    # The two forms are equal; for b > 0 the first would subtract nearly equal numbers.
    lost_share = (root - b) / (2 * a) if b <= 0 else -2 * c / (root + b)
    return float(max(n * ((1 + ratio) * lost_share + share * (ratio - 1)), 0.0) ** 0.5)


def square_and_add(new: float, new_range: Interval, old: float, old_range: Interval, correlation: float) -> Interval:
    """An interval for `new - old` out of the interval of each and the correlation of the two estimates in [-1, 1].

    Fit where the two have denominators of their own, such as precision. Asymptotic, yet it keeps to the natural range
    and does not collapse when one of the two is 0 or 1.
    Sources: Newcombe (1998), Statistics in Medicine 17, 2635-2650; Zou & Donner (2008), ibid. 27, 1693-1702.

    >>> most, half = clopper_pearson(9, 10), clopper_pearson(5, 10)
    >>> apart = square_and_add(0.9, most, 0.5, half, correlation=0.0)
    >>> round(apart.low, 4), round(apart.high, 4)
    (-0.0658, 0.7277)
    """

    def reach(first: float, second: float) -> float:
        return float(max(first * first - 2 * correlation * first * second + second * second, 0.0) ** 0.5)

    return Interval(
        low=new - old - reach(new - new_range.low, old_range.high - old),
        high=new - old + reach(new_range.high - new, old - old_range.low),
        level=new_range.level,
    )


def bound_by_movement(up: int, down: int, n_rows: int, level: float = 0.95) -> Interval:
    """An interval for a mean of parts in [-1, 1], of which `up` are above 0 and `down` below it, in `n_rows` (> 0).

    Exact and wide: at worst every part below zero is -1 and those above count nothing, and the share of either is
    bounded exactly. For use where too few rows tell for an asymptotic method; it never leaves out zero.

    >>> bounds = bound_by_movement(up=0, down=5, n_rows=1000, level=0.9)
    >>> round(bounds.low, 4), round(bounds.high, 4)
    (-0.0105, 0.003)
    """
    return Interval(
        low=-clopper_pearson(down, n_rows, level).high, high=clopper_pearson(up, n_rows, level).high, level=level
    )
