"""Whether a number is as usual, by a few earlier ones: for what has no model, such as how many requests come in a day.

The earlier numbers may vary by whatever it is; only that they vary in a way that goes on is supposed. A trend, or a
season longer than what is remembered, is not usual by that, and is told.
"""

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from scipy import special

Floats = npt.NDArray[np.float64]

LEAST = 4
"""So many earlier numbers are needed: three degrees of freedom still forgive much."""


class Usual(Struct, frozen=True, kw_only=True):
    """What the next number is usually: `low` to `high` at the level asked for, `middle` in between.

    `p` is the chance of a number at least as far from the middle, on either side.
    """

    low: float
    middle: float
    high: float
    p: float


def usual(before: Floats, now: float, *, level: float, least_spread: float = 0.0) -> Usual | None:
    """How a number compares with those before it, shape `(n,)`; None where they are fewer than LEAST.

    By the interval that holds one more value of a normal sample with the probability `level` in (0, 1). The spread is
    taken to be `least_spread` at least: numbers that happened to be all alike do not promise that the next one is.
    Source: Hahn & Meeker (1991), Statistical Intervals, 4.2 (Student's prediction interval).

    >>> found = usual(np.array([9.0, 10.0, 11.0, 10.0]), 14.0, level=0.95)
    >>> round(found.low, 2), round(found.high, 2), round(found.p, 3)
    (7.09, 12.91, 0.022)
    """
    n = len(before)
    if n < LEAST:
        return None
    middle = float(np.mean(before))
    spread = max(float(np.std(before, ddof=1)), least_spread) * float(np.sqrt(1 + 1 / n))
    if spread == 0:
        return Usual(low=middle, middle=middle, high=middle, p=1.0 if now == middle else 0.0)
    half = float(special.stdtrit(n - 1, (1 + level) / 2)) * spread
    p = 2 * float(special.stdtr(n - 1, -abs(now - middle) / spread))
    return Usual(low=middle - half, middle=middle, high=middle + half, p=p)


def angle(share: float, n: float) -> float:
    """A share of `n` (> 0) on a scale where its noise does not depend on it, in [0, pi / 2].

    Source: Anscombe (1948), Biometrika 35, 246-254.

    >>> round(angle(0.0, 100), 4), round(angle(0.5, 100), 4)
    (0.061, 0.7854)
    """
    return float(np.arcsin(np.sqrt((share * n + 0.375) / (n + 0.75))))


def of_angle(value: float) -> float:
    """The share that an angle stands for, about; what lies beyond the ends is at them.

    >>> round(of_angle(0.7854), 4), of_angle(-0.2)
    (0.5, 0.0)
    """
    return float(np.sin(np.clip(value, 0.0, np.pi / 2)) ** 2)


def noise_of_angle(n: float) -> float:
    """The standard deviation that chance alone gives to the angle of a share of `n` (> 0).

    >>> noise_of_angle(2500)
    0.01
    """
    return 0.5 / float(np.sqrt(n))


__all__ = ["LEAST", "Usual", "angle", "noise_of_angle", "of_angle", "usual"]
