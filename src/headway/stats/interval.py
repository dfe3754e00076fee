"""Intervals for one number: a proportion, a mean.

Two numbers on the same rows are `compare`'s business. Nothing here knows of limits or verdicts (`core/gate` does).
`level` is two-sided throughout: a bound of a 0.90 interval is missed on its own side at most 5 times in 100.
"""

import numpy as np
import numpy.typing as npt
from scipy import special

from headway.errors import Unmeasurable
from headway.stats.bounds import Interval


def wilson(hits: int, trials: int, level: float = 0.95) -> Interval:
    """An interval for a proportion, fit to be shown for small samples too.

    `hits` of `trials` (> 0). Both bounds in [0, 1]. Its coverage is `level` on average over proportions, not for each:
    decide by `clopper_pearson`. Raises Unmeasurable when `trials` is 0.
    Source: Wilson (1927), J. Am. Stat. Assoc. 22, 209-212.

    >>> shown = wilson(8, 10)
    >>> round(shown.low, 4), round(shown.high, 4)
    (0.4902, 0.9433)
    """
    _check_counts(hits, trials)
    z = normal_quantile((1 + level) / 2)
    share = hits / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * float(np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)))
    # At the ends one bound is the observed share itself; rounding would put it an ulp outside of [0, 1].
    low = 0.0 if hits == 0 else middle - half
    high = 1.0 if hits == trials else middle + half
    return Interval(low=low, high=high, level=level)


def clopper_pearson(hits: int, trials: int, level: float = 0.95) -> Interval:
    """The exact interval for a proportion: each bound is missed with probability (1 - level) / 2 at most, at any size.

    `hits` of `trials` (> 0). Both bounds in [0, 1]. Raises Unmeasurable when `trials` is 0.
    Source: Clopper & Pearson (1934), Biometrika 26, 404-413.

    >>> exact = clopper_pearson(8, 10)
    >>> round(exact.low, 4), round(exact.high, 4)
    (0.4439, 0.9748)
    """
    _check_counts(hits, trials)
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(special.betaincinv(hits, trials - hits + 1, tail))
    high = 1.0 if hits == trials else float(special.betainccinv(hits + 1, trials - hits, tail))
    return Interval(low=low, high=high, level=level)


def student(values: npt.NDArray[np.float64], level: float = 0.95) -> Interval:
    """The t interval for the mean of `values` (shape `(n_rows,)`, at least 2, finite, independent).

    Exact for normal values, approximate for others: the more skewed they are, the more rows it takes. Values that are
    all alike give an interval of no width, which says that nothing was seen to vary, not that nothing can.
    Raises Unmeasurable with fewer than 2 rows.
    Source: Student (1908), Biometrika 6, 1-25.

    >>> around = student(np.array([1.0, 2.0, 3.0, 4.0]))
    >>> round(around.low, 4), round(around.high, 4)
    (0.4457, 4.5543)
    """
    n_rows = len(values)
    if n_rows < 2:
        raise Unmeasurable(
            f"a range for a mean needs 2 rows, there is {n_rows}", at="mean", remedy="measure on more rows"
        )
    t = float(special.stdtrit(n_rows - 1, (1 + level) / 2))
    mean = float(np.mean(values))
    half = t * float(np.std(values, ddof=1)) / n_rows**0.5
    return Interval(low=mean - half, high=mean + half, level=level)


def normal_quantile(share: float) -> float:
    """The value below which a standard normal falls with probability `share` in (0, 1).

    >>> round(normal_quantile(0.95), 6)
    1.644854
    """
    return float(special.ndtri(share))


def _check_counts(hits: int, trials: int) -> None:
    if trials <= 0:
        raise Unmeasurable("a share of no rows has no value", at="proportion", remedy="measure on rows that hold some")
    if not 0 <= hits <= trials:
        raise ValueError(f"{hits} hits of {trials} trials")
