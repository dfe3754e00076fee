"""What two arms can show before they are compared: the chance that evidence of more errors is ever enough.

Reckoned by errors, not by requests: with a constant share of traffic the evidence of `arms.Ratio` depends only on how
many errors there were and how many were the new version's, and each is the new version's with the same chance. So the
walk of the evidence is followed exactly, error by error, and no simulation is needed. A look comes every so many
errors, on average as many as it comes requests. Assumes a constant rate; for changing ones read the rate as a mean.
"""

import functools
import math

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from headway.stats.arms import ratio_bets

MOST_ERRORS = 4000
"""More errors than this are not followed: what they do not show is told as not shown."""

_LENGTHS = (60, 250, 1000, MOST_ERRORS)

MOST_RATIO = 64.0
"""Beyond this no ratio is tested (`stats/arms`)."""

Values = npt.NDArray[np.float64]


class Traffic(Struct, frozen=True, kw_only=True):
    """How two arms are asked: a `share` in (0, 1) goes to the new version; the champion's error `rate` in [0, 1].

    No version makes more errors than it gets requests, so a ratio reaches to 1 / `rate` at most; where the champion
    makes none, no number of times as many is more, and nothing is caught by it. The evidence is looked at every
    `per_look` requests of both; `alpha` in (0, 1) is the guard's part of the budget.
    """

    share: float
    rate: float
    alpha: float
    per_look: float = 1.0

    def errors(self, ratio: float) -> float:
        """Errors of a request of both, where the new version makes `ratio` times as many, or always fails."""
        return self.share * min(self.rate * ratio, 1.0) + (1 - self.share) * self.rate

    @property
    def most_ratio(self) -> float:
        """The largest ratio there can be and that is tested."""
        return min(MOST_RATIO, 1 / self.rate) if self.rate else MOST_RATIO


def chance_to_catch(traffic: Traffic, n_requests: float, ratio: float) -> float:
    """The chance that a version with `ratio` times the champion's error rate is caught within so many requests.

    Poisson in the number of errors. O(errors squared), a tenth of a second at most.

    >>> slow = Traffic(share=0.05, rate=0.02, alpha=0.05, per_look=100)
    >>> round(chance_to_catch(slow, 500, 2.0), 2), round(chance_to_catch(slow, 9000, 2.0), 2)
    (0.02, 0.58)
    """
    from scipy.special import gammaln

    ratio = min(ratio, traffic.most_ratio)
    expected = n_requests * traffic.errors(ratio)
    if expected <= 0:
        return 0.0
    # A few lengths only, so that walks are followed once and asked often.
    last = next((n for n in _LENGTHS if n >= expected + 8 * math.sqrt(expected) + 20), MOST_ERRORS)
    n = np.arange(last + 1)
    chances = np.exp(n * math.log(expected) - expected - gammaln(n + 1))
    caught = caught_by_errors(traffic, last, ratio)
    # A look comes after so many requests, not after so many errors: between two, more errors are as good as more looks.
    looks = np.arange(0, last + 1, _errors_per_look(traffic, ratio))
    caught = np.interp(n, looks, caught[looks])
    # What lies beyond the last is caught at least as often as there.
    return float(chances @ caught + max(0.0, 1 - float(chances.sum())) * caught[-1])


@functools.lru_cache(maxsize=64)
def caught_by_errors(traffic: Traffic, last: int, ratio: float) -> Values:
    """The chance of being caught by the n-th error, for n from 0 to `last`.

    The new version makes `ratio` times as many as the champion. Shape `(last + 1,)`, never falling.
    """
    share = traffic.share
    chance_new = share * ratio / (share * ratio + 1 - share)
    limits = _limits(last, share, traffic.alpha)
    every = _errors_per_look(traffic, ratio)
    walk = np.zeros(last + 2)
    walk[0] = 1.0
    caught = np.zeros(last + 1)
    for n in range(1, last + 1):
        # Since the last look the walk may have gone up that much above the limit, and no further.
        top = min(n, limits[n] + every) + 1
        up = walk[:top] * chance_new
        walk[:top] *= 1 - chance_new
        walk[1 : top + 1] += up
        caught[n] = caught[n - 1]
        if n % every == 0:
            caught[n] += walk[limits[n] : top + 1].sum()
            walk[limits[n] : top + 1] = 0.0
    caught.flags.writeable = False
    return caught


def _errors_per_look(traffic: Traffic, ratio: float) -> int:
    return max(1, round(traffic.per_look * traffic.errors(ratio)))


@functools.lru_cache(maxsize=64)
def _limits(last: int, share: float, alpha: float) -> tuple[int, ...]:
    """For each number of errors how many of them must be the new version's to catch it; never falling."""
    ratios, weights = ratio_bets()
    wins = np.log(ratios)
    costs = np.log(share * np.asarray(ratios) + 1 - share)
    own, limits = 0, [1]
    for n in range(1, last + 1):
        while own <= n and float(np.sum(weights * np.exp(np.minimum(own * wins - n * costs, 600.0)))) < 1 / alpha:
            own += 1
        limits.append(own)
    return tuple(limits)


def requests_to_catch(traffic: Traffic, ratio: float, chance: float = 0.5) -> int | None:
    """The requests after which it is caught with this chance; None: more than can be followed (`MOST_ERRORS`).

    >>> requests_to_catch(Traffic(share=0.1, rate=0.01, alpha=0.05, per_look=1200), 2.0)
    9030
    """
    per_request = traffic.errors(ratio)
    if not per_request:
        return None
    mosts = [n / per_request / 1.5 for n in _LENGTHS]
    high = next((most for most in mosts if chance_to_catch(traffic, most, ratio) >= chance), 0.0)
    if not high:
        return None
    low = 0.0
    while high - low > max(1.0, 0.005 * high):
        middle = (low + high) / 2
        low, high = (low, middle) if chance_to_catch(traffic, middle, ratio) >= chance else (middle, high)
    return rounded_up(high)


def least_ratio(traffic: Traffic, n_requests: float, chance: float = 0.8) -> float | None:
    """The least ratio of error rates that is caught with this chance; None: not even `Traffic.most_ratio` is.

    Known to 2 %. A version that is worse by less is let pass more often than that.
    """
    highest = traffic.most_ratio
    if chance_to_catch(traffic, n_requests, highest) < chance:
        return None
    low, high = 1.0, highest
    while high / low > 1.02:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if chance_to_catch(traffic, n_requests, middle) >= chance else (middle, high)
    return high


def chance_of_harm(n_new: float, share: float, rate: float, most: float) -> float:
    """The chance that an equal version seems to have made `most` (> 0) extra errors at some time in `n_new` requests.

    By reflection of a normal walk: about right for 10 errors and more.
    Source: Billingsley (1968), Convergence of Probability Measures, section 11.

    >>> round(chance_of_harm(2000, 0.1, 0.01, 20), 4)
    0.0
    """
    from scipy.special import ndtr

    spread = math.sqrt(n_new * rate / (1 - share))
    return min(1.0, 2 * float(ndtr(-most / spread))) if spread else 0.0


def rounded_up(n: float) -> int:
    """A number (>= 0) to three digits, upwards, for no more is known of it.

    >>> rounded_up(12345.6), rounded_up(7.2)
    (12400, 8)
    """
    step: int = 10 ** max(0, math.floor(math.log10(max(n, 1.0))) - 2)
    return math.ceil(n / step) * step
