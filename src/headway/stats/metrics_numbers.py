"""Metrics of predicted numbers that are no means: the root of the squared error, r2, the median error."""

import math

import numpy as np
from scipy import special

from headway.errors import Unmeasurable
from headway.stats import compare, ratio
from headway.stats.answers import Answers, Rows, Values, numbers
from headway.stats.bounds import Interval
from headway.stats.metrics_estimate import (
    FEW_ROWS,
    FEW_UNITS,
    Bounds,
    Estimate,
    Metric,
    alone,
    compared,
    count_moves,
    deviation,
    unit_codes,
)
from headway.stats.metrics_linear import LOG, Linear, linear, log_below
from headway.stats.metrics_losses import errors_of


def _rmse(rows: Rows, answers: Answers) -> Linear:
    errors = errors_of(rows, answers, "rmse")
    squares = errors**2
    mean = float(np.mean(squares))
    root = math.sqrt(mean)
    # Where nothing is wrong the root has no slope, and no row tells.
    parts = (squares - mean) / (2 * root) if root > 0 else np.zeros(len(errors))
    return Linear(value=root, parts=parts, said=errors, off=errors)


def _r2(rows: Rows, answers: Answers) -> Linear:
    truth = numbers(rows.truth, "r2")
    errors = errors_of(rows, answers, "r2")
    away = (truth - np.mean(truth)) ** 2
    spread, squares = float(np.mean(away)), errors**2
    if spread == 0:
        raise Unmeasurable(
            "r2 has no value: all true values are the same", at="r2", remedy="gate on mae, or measure on other rows"
        )
    share = float(np.mean(squares)) / spread
    return Linear(value=1 - share, parts=-(squares - share * away) / spread, said=errors, off=errors)


# --- the median error --------------------------------------------------------------------------------------------


def _median_of_one(rows: Rows, answers: Answers, level: float) -> Estimate:
    misses = np.abs(errors_of(rows, answers, "median_absolute_error"))
    value = float(np.median(misses))
    found = _between_ranks(rows, misses, value, level)
    return alone(value, found[0], len(misses))


def _between_ranks(rows: Rows, values: Values, value: float, level: float) -> tuple[Bounds, Values]:
    """The bounds of a median, which are values of rows, and which rows lie below it (less half, so 0 on average).

    Exact for independent rows: a row lies below the true median with probability 1/2. Over units the share below has
    the variance that is seen.
    Sources: Thompson (1936), Ann. Math. Stat. 7, 122-128; Woodruff (1952), J. Am. Stat. Assoc. 47, 635-646.
    """
    n_rows = len(values)
    below = np.asarray((values < value) + 0.5 * (values == value))
    below -= np.mean(below)
    tail = (1 - level) / 2
    error = deviation(rows, below)
    ordered = np.sort(values)
    # A rank's worth in values, by the width of the range: what one row adds to the median's error.
    if rows.units is None:
        # The k lowest values: the true median lies below them all with probability P(Binomial(n, 1/2) < k).
        k = _lower_rank(n_rows, tail)
        low = float(ordered[k - 1]) if k >= 1 else None
        high = float(ordered[n_rows - k]) if k >= 1 else None
        method, is_approximate = "order statistics", False
        reach = _normal(level) * 0.5 / math.sqrt(n_rows)
    else:
        n_units = unit_codes(rows)[1]
        reach = float(special.stdtrit(n_units - 1, 1 - tail)) * error
        first, last = math.floor(n_rows * (0.5 - reach)) - 1, math.ceil(n_rows * (0.5 + reach))
        is_known = n_units >= FEW_UNITS and first >= 0 and last < n_rows
        low, high = (float(ordered[first]), float(ordered[last])) if is_known else (None, None)
        method, is_approximate = "order statistics over units", True
    if low is None or high is None:
        return Bounds(low=None, high=None, method="none, too few rows for a median", spread=0.0), below
    spread = (high - low) / (2 * reach) * error * math.sqrt(n_rows)
    return Bounds(low=low, high=high, method=method, spread=spread, approximate=is_approximate), below


def _normal(level: float) -> float:
    return float(special.ndtri((1 + level) / 2))


def _lower_rank(n_rows: int, tail: float) -> int:
    """The highest k with P(Binomial(n, 1/2) < k) at most `tail`; 0: none."""
    low, high = 0, n_rows // 2
    while low < high:
        middle = (low + high + 1) // 2
        if special.bdtr(middle - 1, n_rows, 0.5) <= tail:
            low = middle
        else:
            high = middle - 1
    return low


def _median_of_two(rows: Rows, new: Answers, old: Answers, level: float, times: float) -> Estimate:
    ours, theirs = (np.abs(errors_of(rows, answers, "median_absolute_error")) for answers in (new, old))
    values = float(np.median(ours)), float(np.median(theirs))
    (new_bounds, new_below), (old_bounds, old_below) = (
        _between_ranks(rows, misses, value, level) for misses, value in zip((ours, theirs), values, strict=True)
    )
    counts = len(ours), int(np.count_nonzero(ours != theirs))
    few = count_moves(rows, ours - theirs)[2] < FEW_ROWS
    if few or new_bounds.low is None or new_bounds.high is None or old_bounds.low is None or old_bounds.high is None:
        method = f"none, fewer than {FEW_ROWS} rows tell" if few else new_bounds.method
        return compared(*values, Bounds(low=None, high=None, method=method, spread=new_bounds.spread), counts, times)
    alike = ratio.correlation(rows, new_below, old_below)
    added = compare.square_and_add(
        values[0],
        Interval(low=new_bounds.low, high=new_bounds.high, level=level),
        times * values[1],
        Interval(low=times * old_bounds.low, high=times * old_bounds.high, level=level),
        alike,
    )
    mine, other = new_bounds.spread, times * old_bounds.spread
    bounds = Bounds(
        low=added.low,
        high=added.high,
        method=f"{new_bounds.method}, square-and-add",
        spread=math.sqrt(max(mine**2 - 2 * alike * mine * other + other**2, 0.0)),
        approximate=True,
    )
    return compared(*values, bounds, counts, times)


METRICS = {
    "rmse": linear(_rmse, 0.0, math.inf, LOG),
    "r2": linear(_r2, -math.inf, 1.0, log_below(1.0)),
    "median_absolute_error": Metric(of_one=_median_of_one, of_two=_median_of_two),
}
