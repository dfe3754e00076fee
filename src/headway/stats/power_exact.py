"""How often the gate's own rules for shares decide, by enumeration of what can be seen: no approximation.

A share of one model is decided by Clopper-Pearson, shares of two on the same rows by Tango's score with the continuity
correction (`interval.clopper_pearson`, `compare.tango_corrected`). Closed formulas, for other metrics, are `power`'s.
Fast enough to be asked for many numbers of rows: what can be seen, but never is, is left out (8 deviations off).
"""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from scipy import special

from headway.stats.power import MANY

Floats = npt.NDArray[np.float64]

FAR = 8.0
"""So many standard deviations off nothing is looked at: the chance is below 1e-14."""

LOOKED_AT = 2000
"""Of far more numbers that may be seen to differ, about twice so many stand for all: from some 100,000 rows on, and
to the sixth digit."""

FINE = 4096
"""Numbers of rows up to this are told exactly, larger ones to this part of them."""

SETTLED = 64
"""From row to row the power of one share goes up and down a little: rows are enough if so many more are, too."""


class Region(Struct, frozen=True, kw_only=True):
    """The values that shall be shown: the true one lies above `low`, below `high`, or both; None: no such end."""

    low: float | None = None
    high: float | None = None

    def reached(self, gap: float) -> tuple[float, "Region"]:
        """A true value this far inside of the end, and the region; of two ends, the middle, and `gap` to either side.

        >>> Region(low=0.5).reached(0.25)[0], Region(low=-1.0, high=1.0).reached(0.5)
        (0.75, (0.0, Region(low=-0.5, high=0.5)))
        """
        if self.low is not None and self.high is not None:
            middle = (self.low + self.high) / 2
            return middle, Region(low=middle - gap, high=middle + gap)
        if self.low is not None:
            return self.low + gap, self
        assert self.high is not None, "a region with an end"
        return self.high - gap, self


# --- two models on the same rows ----------------------------------------------------------------------------------


def score(gained: npt.ArrayLike, lost: npt.ArrayLike, n_rows: int, theta: float) -> Floats:
    """Tango's statistic with the continuity correction: that `new - old` is above `theta` is shown if it exceeds z.

    `gained` and `lost` are counts or arrays of them, `n_rows` (> 0) at least their sum, `theta` in [-1, 1]. The same
    arithmetic as in `compare`, for many tables at once (a test holds them together).
    Sources: Tango (1998), Statistics in Medicine 17, 891-908; Edwards (1948), Psychometrika 13, 185-187.

    >>> round(float(score(16, 8, 86, 0.0)), 4)
    1.4289
    """
    b, c = np.asarray(gained, dtype=np.float64), np.asarray(lost, dtype=np.float64)
    above = b - c - n_rows * theta - 1.0
    second = -b - c + (2.0 * n_rows - b + c) * theta
    last = -c * theta * (1 - theta)
    root = np.sqrt(np.maximum(second * second - 8.0 * n_rows * last, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        # The two forms are equal; for second > 0 the first would subtract nearly equal numbers.
        lost_share = np.where(second <= 0, (root - second) / (4.0 * n_rows), -2 * last / (root + second))
        deviation = np.sqrt(np.maximum(n_rows * (2 * lost_share + theta * (1 - theta)), 0.0))
        return np.where(deviation > 0, above / deviation, np.copysign(np.inf, above))


def power_of_pairs(n_rows: int, differ: float, difference: float, shown: Region, confidence: float) -> float:
    """The chance that `n_rows` (> 0) rows show the difference of two shares to lie in the region.

    The models differ on a share `differ` <= 1 of the rows in truth, and by `difference`; where that is more than
    `differ`, on as many. Each end of the range has the `confidence` in (0.5, 1). O(sqrt(n_rows)).

    >>> round(power_of_pairs(2000, 0.1, 0.02, Region(low=0.0), 0.95), 3)
    0.869
    """
    differ = max(differ, abs(difference))
    if differ <= 0:
        seen, chances = np.zeros(1), np.ones(1)
    else:
        middle, reach = n_rows * differ, FAR * math.sqrt(n_rows * differ * (1 - differ)) + 2 * FAR
        # Odd, for how many must be gains jumps at every second one.
        step = 2 * int(reach / LOOKED_AT) + 1
        seen = np.arange(max(0, math.floor(middle - reach)), min(n_rows, math.ceil(middle + reach)) + 1.0, step)
        chances = _binomial(seen, n_rows, differ)
        chances = chances / np.sum(chances)
    gains = (differ + difference) / (2 * differ) if differ > 0 else 0.5
    z = float(special.ndtri(confidence))
    least = np.zeros_like(seen)
    most = seen
    if shown.low is not None and shown.low >= -1:
        least = _fewest_gains(seen, n_rows, shown.low, z)
    if shown.high is not None and shown.high <= 1:
        most = seen - _fewest_gains(seen, n_rows, -shown.high, z)
    # P(least <= gained <= most), of which least may be seen + 1 and most -1: then nothing that can be seen shows it.
    within = np.where(most >= least, _up_to(most, seen, gains) - _up_to(least - 1, seen, gains), 0.0)
    return float(np.clip(np.sum(chances * within), 0.0, 1.0))


def rows_for_pairs(
    differ: float, difference: float, shown: Region, confidence: float, power: float = 0.8
) -> int | None:
    """The rows from which on the region is shown with at least this chance; None where MANY rows would not do.

    >>> rows_for_pairs(0.1, 0.0, Region(low=-0.02), 0.95)
    1663
    """

    def is_enough(n_rows: int) -> bool:
        return power_of_pairs(n_rows, differ, difference, shown, confidence) >= power

    return _fewest_rows(is_enough, _guess(difference, shown, math.sqrt(differ)))


def smallest_difference(
    n_rows: int, differ: float, shown: Region, confidence: float, power: float = 0.8
) -> float | None:
    """How far inside of the region's end the true difference must lie, for so many rows to show it with this chance.

    Of a region with two ends: how far apart from its middle the ends may lie. None if nothing would be shown.

    >>> round(smallest_difference(2000, 0.1, Region(low=0.0), 0.95), 4)
    0.018
    """

    def is_seen(gap: float) -> bool:
        difference, region = shown.reached(gap)
        return power_of_pairs(n_rows, differ, difference, region, confidence) >= power

    return _smallest(is_seen, _most(shown, -1.0))


def _fewest_gains(seen: Floats, n_rows: int, theta: float, z: float) -> Floats:
    """Of so many rows that differ, how many must be gains to show more than `theta`; seen + 1 where none suffices."""

    def is_shown(gained: Floats) -> npt.NDArray[np.bool_]:
        return np.asarray((gained <= seen) & (score(gained, seen - gained, n_rows, theta) > z))

    # A normal guess, moved to where it is right: most are within a few of it.
    guess = np.clip(np.round((seen + n_rows * theta + 1 + z * np.sqrt(np.maximum(seen, 1))) / 2), 0, seen + 1)
    low, high = np.zeros_like(seen), seen + 1
    for edge in (guess - 8, guess + 8):
        tried = np.clip(edge, 0, seen)
        reached = is_shown(tried)
        high = np.where(reached, np.minimum(high, tried), high)
        low = np.where(reached, low, np.maximum(low, tried + 1))
    while np.any(low < high):
        middle = np.floor((low + high) / 2)
        reached = is_shown(middle)
        low, high = np.where(reached, low, np.minimum(middle + 1, high)), np.where(reached, middle, high)
    return high


# --- one model ----------------------------------------------------------------------------------------------------


def power_of_share(n_rows: int, share: float, shown: Region, confidence: float) -> float:
    """The chance that `n_rows` (> 0) rows show a share to lie in the region, if it is `share` in truth.

    By Clopper-Pearson, each end of the range with the `confidence`. O(log n_rows).

    >>> round(power_of_share(100, 0.9, Region(low=0.8), 0.95), 4)
    0.8761
    """
    least, most = 0, n_rows
    if shown.low is not None and shown.low >= 0:
        least = _fewest_hits(n_rows, shown.low, 1 - confidence)
    if shown.high is not None and shown.high <= 1:
        most = n_rows - _fewest_hits(n_rows, 1 - shown.high, 1 - confidence)
    if most < least:
        return 0.0
    n, hits = np.full(2, float(n_rows)), np.array([most, least - 1.0])
    upper, lower = _up_to(hits, n, share)
    return float(np.clip(upper - lower, 0.0, 1.0))


def rows_for_share(share: float, shown: Region, confidence: float, power: float = 0.8) -> int | None:
    """The rows from which on the region is shown with at least this chance; None where MANY rows would not do.

    >>> rows_for_share(0.85, Region(low=0.8), 0.95)
    398
    """

    def is_enough(n_rows: int) -> bool:
        return power_of_share(n_rows, share, shown, confidence) >= power

    first = _fewest_rows(is_enough, _guess(share, shown, math.sqrt(max(share * (1 - share), 1e-4))))
    return None if first is None else _settled(is_enough, first)


def smallest_distance(n_rows: int, shown: Region, confidence: float, power: float = 0.8) -> float | None:
    """How far inside of the region's end the true share must lie, for so many rows to show it with this chance.

    Of a region with two ends: how far apart from its middle the ends may lie. None if nothing would be shown.

    >>> round(smallest_distance(1000, Region(low=0.8), 0.95), 4)
    0.0314
    """

    def is_seen(gap: float) -> bool:
        share, region = shown.reached(gap)
        return power_of_share(n_rows, share, region, confidence) >= power

    return _smallest(is_seen, _most(shown, 0.0))


def _fewest_hits(n_rows: int, limit: float, alpha: float) -> int:
    """The fewest hits that show a share above `limit`; n_rows + 1 where none suffices."""
    low, high = 0, n_rows + 1
    while low < high:
        middle = (low + high) // 2
        # The chance of so many or more at the limit: Clopper and Pearson's lower end lies above it where this is less.
        is_shown = middle > 0 and middle <= n_rows and special.betainc(middle, n_rows - middle + 1, limit) <= alpha
        low, high = (low, middle) if is_shown else (middle + 1, high)
    return high


# --- what both share ----------------------------------------------------------------------------------------------


def _binomial(hits: Floats, trials: int, share: float) -> Floats:
    """The chance of each number of hits."""
    logs = special.gammaln(trials + 1.0) - special.gammaln(hits + 1) - special.gammaln(trials - hits + 1)
    logs = logs + special.xlogy(hits, share) + special.xlog1py(trials - hits, -share)
    return np.asarray(np.exp(logs), dtype=np.float64)


def _up_to(hits: Floats, trials: Floats, share: float) -> Floats:
    """The chance of at most so many hits, for hits from -1 (never) to trials (always)."""
    inside = np.clip(hits, 0, np.maximum(trials - 1, 0))
    # As a beta function: for hits < trials, the chance of more is I_share(hits + 1, trials - hits).
    some = special.betaincc(inside + 1, np.maximum(trials - inside, 1), share)
    return np.where(hits < 0, 0.0, np.where(hits >= trials, 1.0, some))


def _guess(truth: float, shown: Region, spread: float) -> float | None:
    """About as many rows as the normal approximation would say; None where the true value is not inside the region."""
    ends = [] if shown.low is None else [truth - shown.low]
    ends += [] if shown.high is None else [shown.high - truth]
    gap = min(ends)
    return max(1.0, 6.0 * (spread / gap) ** 2) if gap > 0 else None


def _fewest_rows(is_enough: Callable[[int], bool], guess: float | None) -> int | None:
    if guess is None or guess > MANY:
        return None
    low, high = 0, math.ceil(guess)
    while not is_enough(high):
        low, high = high, high * 2
        if high > MANY:
            return None
    while high - low > max(1, high // FINE):
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def _settled(is_enough: Callable[[int], bool], first: int) -> int:
    """The number from which on rows stay enough, as far as SETTLED steps can tell."""
    step = max(1, first // 1000)
    answer = first
    for n_rows in range(first, first + SETTLED * step, step):
        if not is_enough(n_rows):
            answer = n_rows + step
    return answer


def _most(shown: Region, least: float) -> float:
    """The farthest that a value from `least` to 1 can lie inside of the region's end."""
    if shown.low is not None and shown.high is not None:
        middle = (shown.low + shown.high) / 2
        return max(1 - middle, middle - least)
    return 1 - shown.low if shown.low is not None else (shown.high or 0.0) - least


def _smallest(is_seen: Callable[[float], bool], most: float) -> float | None:
    if not is_seen(most):
        return None
    low, high = 0.0, most
    # To the sixth digit.
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (low, middle) if is_seen(middle) else (middle, high)
    return high
