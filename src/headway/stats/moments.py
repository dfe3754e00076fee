"""Count, mean, spread and ends of numbers, batch by batch: what is merged is what one pass over all would have given.

Only the five numbers of each batch are kept; what measures a batch is the business of `tables/`, that of quantiles and
counts on bins `bins`'.
"""

import math

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


def merge(one: Moments, other: Moments) -> Moments:
    """The moments of both together.

    Source: Chan, Golub & LeVeque (1983), Amer. Statist. 37, 242-247.

    >>> both = merge(Moments(n_rows=2, mean=1.5, m2=0.5), Moments(n_rows=1, mean=6.0))
    >>> both.n_rows, both.mean, both.variance
    (3, 3.0, 7.0)
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
