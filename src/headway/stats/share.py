"""One share of requests, watched: evidence that it is above or below a limit, right however often one looks.

For what has no second arm: requests slower than an objective, answers on which a shadow differs from the champion. Two
arms are `arms`' business, labels on which two models are right `betting`'s.

**What makes it hold.** `log_evidence_of_share_*` and `interval_of_share` take each request by itself: given all before
it, the claim must hold for it. Where up to m requests go together, divide the counts by m (see `arms`).
`log_evidence_of_blocks_above` takes blocks (minutes): the requests of one block may hang together as they like, as long
as bursts do not outlast it, for the claim need only hold for each block's share given the blocks before.
Knows no limit, no verdict and no clock.
"""

import functools
import math
from collections.abc import Sequence

from msgspec import Struct

from headway.errors import Unmeasurable
from headway.stats.arms import edge, log_mean
from headway.stats.bounds import Interval

BLOCK_BETS = (0.05, 0.1, 0.2, 0.4, 0.7, 0.9)
"""Parts of the stake that a block without any bad request loses."""


class Blocks(Struct, frozen=True, kw_only=True):
    """What is known of a share after some blocks, against one limit: the logarithm of what each bet has made of 1."""

    logs: tuple[float, ...] = (0.0,) * len(BLOCK_BETS)

    def after(self, share: float, limit: float) -> "Blocks":
        """With one more block, a `share` in [0, 1] of which is bad; `limit` in (0, 1), the same for all. O(1)."""
        if not 0 <= share <= 1:
            raise ValueError("a share lies in [0, 1]")
        won = (math.log1p(bet * (share / limit - 1)) for bet in BLOCK_BETS)
        return Blocks(logs=tuple(log + more for log, more in zip(self.logs, won, strict=True)))

    def times(self, factor: float) -> "Blocks":
        """As if these blocks had come so often."""
        return Blocks(logs=tuple(factor * log for log in self.logs))

    def log_evidence(self) -> float:
        """As `log_evidence_of_blocks_above` has it."""
        return log_mean(self.logs)


def log_evidence_of_share_above(hits: float, trials: float, limit: float) -> float:
    """The logarithm of the e-value against "at most a share `limit` of requests is a hit"; `limit` in (0, 1).

    The average over all shares above the limit by Jeffreys' prior; counts may be fractions. O(1).
    Source: Robbins (1970), Ann. Math. Statist. 41, 1397-1409; with limit 1/2 and a flat prior `betting` has the same.

    >>> round(math.exp(log_evidence_of_share_above(20, 100, 0.1)), 1)
    8.5
    """
    _check(hits, trials, limit)
    return _log_mixture(hits, trials - hits, limit)


def log_evidence_of_share_below(hits: float, trials: float, limit: float) -> float:
    """The same against "at least a share `limit` is a hit": a proof that it is less.

    >>> round(math.exp(log_evidence_of_share_below(20, 400, 0.1)), 1)
    155.1
    """
    _check(hits, trials, limit)
    return _log_mixture(trials - hits, hits, 1 - limit)


def interval_of_share(hits: float, trials: float, level: float = 0.95) -> Interval:
    """The shares that no look has to give up: missed with probability 1 - level at most, ever.

    Raises Unmeasurable without trials.
    Source: the beta-binomial confidence sequence with a flat prior, Howard et al. (2021), Ann. Statist. 49, 1055-1080.

    >>> found = interval_of_share(60, 100)
    >>> round(found.low, 4), round(found.high, 4)
    (0.4408, 0.746)
    """
    if trials <= 0:
        raise Unmeasurable("a share of no requests has no value", at="share", remedy="look when some have come")
    _check(hits, trials, 0.5)
    from scipy.special import betaln

    top = float(betaln(1 + hits, 1 + trials - hits)) + math.log(1 - level)

    def is_kept(share: float) -> bool:
        return top < _times_log(hits, share) + _times_log(trials - hits, 1 - share)

    middle = hits / trials
    return Interval(low=edge(is_kept, 0.0, middle), high=edge(is_kept, 1.0, middle), level=level)


def log_evidence_of_blocks_above(shares: Sequence[float], limit: float) -> float:
    """The logarithm of the e-value against "blocks have a share of at most `limit` on average", in (0, 1).

    `shares` has one number in [0, 1] for each block, in the order of time. The average over bets of the product of
    1 + bet (share / limit - 1). A single bad block, however bad, multiplies the evidence by 1 / limit at most.
    Source: Waudby-Smith & Ramdas (2024), J. R. Statist. Soc. B 86, 1-27. O(blocks).

    >>> round(math.exp(log_evidence_of_blocks_above([0.03, 0.02, 0.04, 0.02], 0.01)), 1)
    12.2
    """
    _check(0, 1, limit)
    return functools.reduce(lambda known, share: known.after(share, limit), shares, Blocks()).log_evidence()


def _log_mixture(hits: float, others: float, limit: float) -> float:
    """The average of likelihood ratios over shares above the limit, as Beta(1/2, 1/2) weighs them there."""
    from scipy.special import betaincc, betaln

    above = float(betaincc(hits + 0.5, others + 0.5, limit))
    if above == 0.0:
        return -math.inf
    prior = math.log(float(betaincc(0.5, 0.5, limit))) + float(betaln(0.5, 0.5))
    claimed = _times_log(hits, limit) + _times_log(others, 1 - limit)
    return float(betaln(hits + 0.5, others + 0.5)) + math.log(above) - prior - claimed


def _times_log(times: float, share: float) -> float:
    if times == 0:
        return 0.0
    return times * math.log(share) if share > 0 else -math.inf


def _check(hits: float, trials: float, limit: float) -> None:
    if not (0 <= hits <= trials and 0 < limit < 1):
        raise ValueError(f"{hits} of {trials} against {limit}")
