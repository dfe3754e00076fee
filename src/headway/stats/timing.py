"""How long single answers take: the mean or a quantile of measured times, with a range.

Quantiles by order statistics, which hold whatever the times are distributed like. Times of one machine at one moment:
the only measurement of a gate that another run does not repeat to the digit. Does not know what was timed.
"""

import numpy as np
from scipy import special

from headway.errors import Unmeasurable
from headway.stats.answers import Values
from headway.stats.metrics_estimate import Bounds, Estimate, alone, compared

LATENCIES: dict[str, float | None] = {
    "latency_mean_ms": None,
    "latency_p50_ms": 0.5,
    "latency_p90_ms": 0.9,
    "latency_p95_ms": 0.95,
    "latency_p99_ms": 0.99,
}
"""The share of times that lie below what a metric names; None: it names the mean."""


def latency(metric: str, new: Values, old: Values | None, confidence: float, *, times: float = 1.0) -> Estimate:
    """A key of LATENCIES of the `new` times (shape `(n_times,)`), or of those less `times` that of the `old` ones.

    Each bound is missed with probability 1 - `confidence` at most (for a mean: about); None where so few times bound
    nothing there. Raises Unmeasurable without times.
    """
    share, tail = LATENCIES[metric], 1 - confidence
    if len(new) == 0 or (old is not None and len(old) == 0):
        raise Unmeasurable("nothing was timed", at=metric, remedy="measure on rows that hold some")
    if old is None:
        value, bounds = _one(new, share, tail)
        return alone(value, bounds, len(new))
    # Each of the two may miss half as often, so that together they keep the confidence.
    (value, ours), (other, theirs) = _one(new, share, tail / 2), _one(old, share, tail / 2)
    low = None if ours.low is None or theirs.high is None else ours.low - times * theirs.high
    high = None if ours.high is None or theirs.low is None else ours.high - times * theirs.low
    spread = (ours.spread**2 + (times * theirs.spread) ** 2) ** 0.5
    apart = Bounds(low=low, high=high, method=f"{ours.method}, each model", spread=spread, approximate=ours.approximate)
    return compared(value, other, apart, (len(new), len(new)), times)


def _one(found: Values, share: float | None, tail: float) -> tuple[float, Bounds]:
    if share is None:
        return _mean(found, tail)
    return _quantile(found, share, tail)


def _mean(found: Values, tail: float) -> tuple[float, Bounds]:
    n, value = len(found), float(np.mean(found))
    if n < 2:
        return value, Bounds(low=None, high=None, method="t interval", spread=0.0, approximate=True)
    spread = float(np.std(found, ddof=1))
    half = float(special.stdtrit(n - 1, 1 - tail)) * spread / n**0.5
    return value, Bounds(
        low=max(value - half, 0.0), high=value + half, method="t interval", spread=spread, approximate=True
    )


def _quantile(found: Values, share: float, tail: float) -> tuple[float, Bounds]:
    """The interval between two of the sorted times, whose ranks a binomial count of smaller ones seldom leaves.

    Source: David & Nagaraja (2003), Order Statistics, 7.1.
    """
    ordered, n = np.sort(found), len(found)
    value = float(ordered[min(int(np.ceil(share * n)), n) - 1])
    # For the r-th time, r from 1: the probability that fewer than r lie below the quantile, so that it lies above it.
    above = special.bdtr(np.arange(n), n, share)
    low_rank = int(np.count_nonzero(above <= tail))
    high_rank = int(np.count_nonzero(1 - above > tail)) + 1
    low = float(ordered[low_rank - 1]) if low_rank >= 1 else None
    high = float(ordered[high_rank - 1]) if high_rank <= n else None
    # What one time adds, as if the range were that of a mean.
    ends = (float(ordered[0]) if low is None else low, float(ordered[-1]) if high is None else high)
    spread = (ends[1] - ends[0]) / 2 / float(special.ndtri(1 - tail)) * n**0.5
    return value, Bounds(low=low, high=high, method="order statistics", spread=spread)
