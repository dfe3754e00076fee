"""Calibration: how far probabilities are from how often things happen, less what chance alone makes of it.

The expected calibration error (ECE) of a model that is calibrated is far from 0 (.039 with 15 bins and 1,000 rows), so
that is taken off: what labels drawn from the model's own probabilities show on the same rows.
"""

import math

import numpy as np
from msgspec import Struct
from scipy import special

from headway.stats import bootstrap
from headway.stats.answers import Answers, Places, Rows, Values, chances_of_one, positives
from headway.stats.bounds import Interval
from headway.stats.compare import square_and_add
from headway.stats.interval import normal_quantile
from headway.stats.metrics_estimate import FEW_UNITS, Bounds, Estimate, Metric, alone, compared, unit_codes

N_BINS = 10
"""Bins of equal numbers of rows, by probability."""

N_DRAWS = 2000

LEAST_ROWS = 300
"""With fewer rows chance alone makes an ECE of more than .05, and no limit that anybody would set can be told."""


class Calibration(Struct, frozen=True, kw_only=True, eq=False):
    """The ECE less what chance makes of it on average, and its range."""

    value: float
    bounds: Bounds


def _calibrate(rows: Rows, answers: Answers, level: float) -> Calibration:
    """The ECE less what chance makes of it, and the range of the true one.

    What chance makes of it: labels drawn from the probabilities differ from those, bin by bin, by about a normal error,
    whose mean size is known. Between the seen and the true ECE lies at most what chance adds to each bin. Above, that
    is one sum of errors, whose normal quantile is added; below it is the sum of their sizes, whose quantile is found by
    resampling and taken off. So both ends hold whatever the true calibration is, and are wide.
    Sources: Naeini, Cooper & Hauskrecht (2015), AAAI 29, for bins of equal mass; Brocker & Smith (2007), Weather and
    Forecasting 22, 651-661, for labels drawn from the probabilities.
    """
    chances = chances_of_one(rows, answers, "calibration")
    gaps = positives(rows) - chances
    bins = rows.once("bins", lambda: _bin(chances), answers)
    error = float(np.abs(np.bincount(bins, gaps, minlength=N_BINS)).sum()) / len(rows)
    by_chance = np.sqrt(np.bincount(bins, chances * (1 - chances), minlength=N_BINS)).sum() / len(rows)
    covariance = _covariance(rows, bins, gaps)
    spread = math.sqrt(max(float(covariance.sum()), 0.0) * len(rows))
    value = error - math.sqrt(2 / math.pi) * float(by_chance)
    n_units = unit_codes(rows)[1]
    if len(rows) < LEAST_ROWS or n_units < FEW_UNITS:
        method = f"none, fewer than {LEAST_ROWS} rows or {FEW_UNITS} units"
        return Calibration(value=value, bounds=Bounds(low=None, high=None, method=method, spread=spread))
    # The worst signs that the errors of bins could have make the widest sum.
    variance = float(np.diagonal(covariance).sum()) if rows.units is None else float(np.abs(covariance).sum())
    bounds = Bounds(
        low=error - _sum_of_sizes(covariance, (1 + level) / 2, rows.seed),
        high=error + normal_quantile((1 + level) / 2) * math.sqrt(variance),
        method=f"ECE of {N_BINS} bins less chance",
        spread=spread,
        approximate=True,
    )
    return Calibration(value=value, bounds=bounds.within(-1.0, 1.0))


def _bin(chances: Values) -> Places:
    """Bins of equal numbers of rows; rows that are told alike are in one."""
    ordered = np.sort(chances)
    edges = ordered[np.arange(1, N_BINS) * len(ordered) // N_BINS]
    return np.asarray(np.searchsorted(edges, chances, side="right"), dtype=np.int64)


def _covariance(rows: Rows, bins: Places, gaps: Values) -> Values:
    """The covariance of what chance adds to the mean gap of each bin, as a share of all rows, `(N_BINS, N_BINS)`."""
    means = np.bincount(bins, gaps, minlength=N_BINS) / np.maximum(np.bincount(bins, minlength=N_BINS), 1)
    residuals = gaps - means[bins]
    if rows.units is None:
        return np.diag(np.bincount(bins, residuals**2, minlength=N_BINS)) / len(rows) ** 2
    codes, n_units = unit_codes(rows)
    sums = np.bincount(codes * N_BINS + bins, residuals, minlength=n_units * N_BINS).reshape(n_units, N_BINS)
    return np.asarray(np.einsum("ui,uj->ij", sums, sums) * (n_units / max(n_units - 1, 1)) / len(rows) ** 2)


def _sum_of_sizes(covariance: Values, share: float, seed: int) -> float:
    """The quantile of the summed sizes of normal errors with this covariance."""
    uniform = bootstrap.uniform(bootstrap.generator(seed, 3), N_DRAWS * N_BINS).reshape(N_DRAWS, N_BINS)
    normal = special.ndtri(np.clip(uniform, 2.0**-54, None))
    errors = np.einsum("ij,kj->ik", normal, _root(covariance))
    return float(np.quantile(np.abs(errors).sum(axis=1), share))


def _root(covariance: Values) -> Values:
    """Cholesky's lower triangle L with L L' = `covariance`; a row of zeros where nothing is left.

    Written out for the few bins there are: LAPACK's roots differ from machine to machine.
    """
    root = np.zeros_like(covariance)
    for i in range(len(covariance)):
        for j in range(i):
            if root[j, j] > 0:
                root[i, j] = (covariance[i, j] - (root[i, :j] * root[j, :j]).sum()) / root[j, j]
        root[i, i] = math.sqrt(max(float(covariance[i, i] - (root[i, :i] ** 2).sum()), 0.0))
    return root


def _of_one(rows: Rows, answers: Answers, level: float) -> Estimate:
    found = _calibrate(rows, answers, level)
    return alone(found.value, found.bounds, len(rows))


def _of_two(rows: Rows, new: Answers, old: Answers, level: float, times: float) -> Estimate:
    """By square-and-add as if the two models' errors were independent, which is careful where they are alike."""
    ours, theirs = _calibrate(rows, new, level), _calibrate(rows, old, level)
    n_differ = int(np.count_nonzero(np.asarray(new.chances != old.chances)))
    bounds = ours.bounds
    if bounds.low is not None and bounds.high is not None:
        low, high = theirs.bounds.low or 0.0, theirs.bounds.high or 0.0
        added = square_and_add(
            ours.value,
            Interval(low=bounds.low, high=bounds.high, level=level),
            times * theirs.value,
            Interval(low=times * low, high=times * high, level=level),
            correlation=0.0,
        )
        spread = math.hypot(bounds.spread, times * theirs.bounds.spread)
        bounds = Bounds(
            low=added.low, high=added.high, method=f"{bounds.method}, square-and-add", spread=spread, approximate=True
        )
    return compared(ours.value, theirs.value, bounds, (len(rows), n_differ), times)


METRICS = {"calibration": Metric(of_one=_of_one, of_two=_of_two)}
