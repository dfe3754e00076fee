"""Count, mean, spread and ends of numbers, batch by batch: what is merged is what one pass over all would have given.

Only the five numbers of each batch are kept. Quantiles and counts on bins are `bins`' business.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct


class Moments(Struct, frozen=True, kw_only=True):
    """What is known of some numbers: how many, their mean, the sum of squares about it, the least and the greatest.

    NaN is in none of it. Infinities are: they are the ends then, and make the mean infinite or NaN, and `m2` NaN.
    Of no numbers the mean is 0, the least is inf, the greatest is -inf: so that they change nothing when merged.
    """

    n_rows: int = 0
    mean: float = 0.0
    m2: float = 0.0
    minimum: float = math.inf
    maximum: float = -math.inf

    @property
    def variance(self) -> float:
        """The variance with n - 1; NaN of fewer than two numbers."""
        return self.m2 / (self.n_rows - 1) if self.n_rows > 1 else math.nan

    @property
    def std(self) -> float:
        """The standard deviation with n - 1; NaN of fewer than two numbers."""
        return math.sqrt(self.variance) if self.n_rows > 1 else math.nan


# Any: whole numbers, floats of any width and booleans alike.
def measure(values: npt.NDArray[Any]) -> Moments:
    """The moments of an array of any shape. Sums are in double precision whatever the type; NaN is passed over.

    In two passes, the second corrected. Source: Chan, Golub & LeVeque (1983), Amer. Statist. 37, 242-247, eq. 1.7.

    >>> found = measure(np.array([1.0, 2.0, np.nan, 6.0]))
    >>> found.n_rows, found.mean, found.variance, found.maximum
    (3, 3.0, 7.0, 6.0)
    """
    held = values[~np.isnan(values)] if values.dtype.kind == "f" and np.isnan(values).any() else values
    if held.size == 0:
        return Moments()
    least, most = float(np.min(held)), float(np.max(held))
    if math.isinf(least) or math.isinf(most):
        # Of ends without sign in common the sum is NaN, as it should be; else it is the infinite one, or both.
        return Moments(n_rows=held.size, mean=least + most, m2=math.nan, minimum=least, maximum=most)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.mean(held, dtype=np.float64)
        apart = np.subtract(held, mean, dtype=np.float64).ravel()
        # What rounding left of the mean is found in what is left of the numbers, and taken out of the squares.
        left = np.sum(apart)
        m2 = np.dot(apart, apart) - left * left / held.size
        mean += left / held.size
    return Moments(n_rows=held.size, mean=float(mean), m2=float(m2), minimum=least, maximum=most)


def merge(one: Moments, other: Moments) -> Moments:
    """The moments of both together.

    Source: Chan, Golub & LeVeque (1983), Amer. Statist. 37, 242-247.

    >>> merge(measure(np.array([1.0, 2.0])), measure(np.array([6.0]))) == measure(np.array([1.0, 2.0, 6.0]))
    True
    """
    n_rows = one.n_rows + other.n_rows
    if 0 in (one.n_rows, other.n_rows):
        return one if one.n_rows else other
    apart = other.mean - one.mean
    share = other.n_rows / n_rows
    return Moments(
        n_rows=n_rows,
        mean=one.mean + apart * share if math.isfinite(apart) else one.mean + other.mean,
        m2=one.m2 + other.m2 + apart * apart * one.n_rows * share,
        minimum=min(one.minimum, other.minimum),
        maximum=max(one.maximum, other.maximum),
    )
