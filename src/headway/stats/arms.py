"""Two versions that share the traffic: evidence about their rates of bad answers, right however often one looks.

Traffic is cut into windows in the order of time; of each only four numbers are needed (`Arms`). `Ratio` asks who made
the errors, `Gap` by how much the rates differ. Both hold for rates that change from window to window as they like, so
an outage of both versions is evidence of nothing, and the share of traffic may change between windows.

**What makes it hold.** Which version answers a request is drawn apart from what the request is, and in a window each
bad answer comes by itself, given the window's rates. Where up to m bad answers of one version may have one cause (a
user who tries again, a pod that stumbles), divide all four numbers by m: evidence then takes m times the requests, and
holds for any dependence within groups of m (by Hoelder's inequality). A version that is bad in longer bursts of its own
cannot be told from one that is worse, by anybody. With traffic by user, count users, not requests.

Proof, for one window: a bad answer of the new version multiplies the stake by a, one of the old by b, and for
independent answers E[a^X b^Y] <= exp(n_new p_new (a - 1) + n_old p_old (b - 1)); a and b are chosen so that this is at
most 1 (or a known number) whenever the claim is true. For equal rates and any pattern of errors it follows from the
drawing of requests alone: Hoeffding (1963), J. Am. Stat. Assoc. 58, 13-30, theorem 4. Windows multiply, so Ville's
inequality holds at every look. Counts may be sums of losses in [0, 1] as well, for a^u <= 1 + u (a - 1) there.
Both versions may be asked the very same requests (a shadow), for (a - 1)(b - 1) < 0.
Sources: Lindon & Malek (2022), NeurIPS, for counts given their sum; Turner, Ly & Grunwald (2024), J. Statist. Planning
and Inference 230, 106116, for two streams. Knows no limit, no verdict and no clock (`core/rollout_judge`).
"""

import functools
import math
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from headway.stats.bounds import Interval


class Arms(Struct, frozen=True, kw_only=True):
    """One window of both versions: what each was asked (>= 0), and how much of it was bad (0 to as many).

    Counts, or counts divided by the size of bursts; `bad_*` may be a sum of losses, each in [0, 1].
    """

    n_new: float
    bad_new: float
    n_old: float
    bad_old: float

    def __post_init__(self) -> None:
        if not (0 <= self.bad_new <= self.n_new and 0 <= self.bad_old <= self.n_old):
            raise ValueError(f"more was bad than was asked: {self}")

    def in_bursts(self, size: float) -> "Arms":
        """As if so many bad answers, which may have one cause, were one."""
        return Arms(
            n_new=self.n_new / size, bad_new=self.bad_new / size, n_old=self.n_old / size, bad_old=self.bad_old / size
        )


# --- who made the errors: the ratio of the two rates --------------------------------------------------------------

STEPS = 8
"""Ratios are known in steps of the 8th root of 2, 9 %."""

_REACH = 6 * STEPS
_BETS = (3, 5, 8, 13, 19, 27)
_FURTHEST = _REACH + max(_BETS)
RATIOS = tuple(2 ** (step / STEPS) for step in range(-_FURTHEST, _FURTHEST + 1))
"""What is kept in mind: from 1/664 to 664. Claims can be tested from 1/64 to 64."""

_WEIGHTS = (0.05, 0.2, 0.4, 0.2, 0.1, 0.05)
"""How much is staked on the truth being 1.3, 1.5, 2, 3.1, 5.2, 10.4 times the claim: most on a doubling."""


def ratio_bets() -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The ratios that are bet on against "at most 1", and the part of the stake on each.

    >>> [round(ratio, 1) for ratio in ratio_bets()[0]]
    [1.3, 1.5, 2.0, 3.1, 5.2, 10.4]
    """
    return tuple(2 ** (bet / STEPS) for bet in _BETS), _WEIGHTS


class Ratio(Struct, frozen=True, kw_only=True):
    """What is known of the ratio rate_new / rate_old after some windows: a few sums, whose size does not grow.

    `logs[i]` is the logarithm of how likely the errors fell to the arms as they did if the ratio is `RATIOS[i]`, up to
    a term that is the same for all. `here` and `there` are the two sums of Mantel & Haenszel's estimate.
    """

    logs: tuple[float, ...] = (0.0,) * len(RATIOS)
    here: float = 0.0
    there: float = 0.0

    def after(self, arms: Arms) -> "Ratio":
        """With one more window. One in which a version was not asked tells nothing. O(1): some 50 microseconds."""
        asked, bad = arms.n_new + arms.n_old, arms.bad_new + arms.bad_old
        if not (arms.n_new and arms.n_old and bad):
            return self
        share = arms.n_new / asked
        logs = tuple(
            log + arms.bad_new * _LOG_RATIOS[i] - bad * math.log(share * RATIOS[i] + 1 - share)
            for i, log in enumerate(self.logs)
        )
        return Ratio(
            logs=logs,
            here=self.here + arms.bad_new * (1 - share),
            there=self.there + arms.bad_old * share,
        )

    def times(self, factor: float) -> "Ratio":
        """As if there were so many times the evidence, and all of the same kind."""
        return Ratio(logs=tuple(factor * log for log in self.logs), here=self.here, there=self.there)

    @property
    def estimate(self) -> float:
        """The ratio, windows weighed by what they tell; infinite where only the new version erred, NaN where neither.

        Source: Mantel & Haenszel (1959), J. Nat. Cancer Inst. 22, 719-748.
        """
        if self.there == 0:
            return math.inf if self.here else math.nan
        return self.here / self.there


_LOG_RATIOS = tuple(math.log(ratio) for ratio in RATIOS)


def ratio_of(windows: Iterable[Arms]) -> Ratio:
    """What these windows say of the ratio.

    >>> told = ratio_of([Arms(n_new=100, bad_new=6, n_old=1900, bad_old=35)])
    >>> round(told.estimate, 2), round(math.exp(log_evidence_of_ratio_above(told, 1.0)), 1)
    (3.26, 8.3)
    """
    return functools.reduce(Ratio.after, windows, Ratio())


def log_evidence_of_ratio_above(known: Ratio, ratio: float) -> float:
    """The logarithm of the e-value against "the new version's rate is at most `ratio` times the old one's".

    `ratio` in [1/64, 64]; it is taken up to the next step, which is careful. With 1 the bets are on the new version
    making so many of the errors as if its rate were 1.3 to 10.4 times the old one's.
    """
    return _log_evidence(known, math.ceil(STEPS * math.log2(ratio) - 1e-9), 1)


def log_evidence_of_ratio_below(known: Ratio, ratio: float) -> float:
    """The same against "the new version's rate is at least `ratio` times the old one's": a proof that it is not."""
    return _log_evidence(known, math.floor(STEPS * math.log2(ratio) + 1e-9), -1)


def _log_evidence(known: Ratio, step: int, sign: int) -> float:
    if not -_REACH <= step <= _REACH:
        raise ValueError("ratios are tested from 1/64 to 64")
    here = step + _FURTHEST
    gains = [known.logs[here + sign * bet] - known.logs[here] for bet in _BETS]
    return log_mean(gains, _WEIGHTS)


def interval_of_ratio(known: Ratio, level: float = 0.9) -> Interval:
    """The ratios that no look has to give up: each end is missed with probability (1 - level) / 2 at most, ever.

    From 0 where no lower end is known, to infinity where no upper one is; rounded outwards to steps of 9 %.

    >>> found = interval_of_ratio(ratio_of([Arms(n_new=1000, bad_new=40, n_old=9000, bad_old=180)]))
    >>> round(found.low, 2), round(found.high, 2)
    (1.19, 3.36)
    """
    stakes = math.log(2 / (1 - level))
    low, high = -_REACH, _REACH
    while low <= _REACH and _log_evidence(known, low, 1) >= stakes:
        low += 1
    while high >= -_REACH and _log_evidence(known, high, -1) >= stakes:
        high -= 1
    return Interval(
        low=2 ** ((low - 1) / STEPS) if low > -_REACH else 0.0,
        high=2 ** ((high + 1) / STEPS) if high < _REACH else math.inf,
        level=level,
    )


# --- by how much: the difference of the two rates -----------------------------------------------------------------

GAP_BETS = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
"""What a bad answer of the new version adds to the stake, as a part of it: the rarer bad answers are, the more pays."""

_LESS_BETS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95)

_HALF = 0.5
"""So much of the stake is left, at least, after a bad answer of the old version."""


class Gap(Struct, frozen=True, kw_only=True):
    """What is known of rate_new - rate_old after some windows.

    `more` and `less` are the logarithms of what each bet on a higher (lower) rate has won if the rates are equal;
    `paid_more` and `paid_less` what each loses of it for every unit of the difference that is claimed instead.
    """

    more: tuple[float, ...] = (0.0,) * len(GAP_BETS)
    paid_more: tuple[float, ...] = (0.0,) * len(GAP_BETS)
    less: tuple[float, ...] = (0.0,) * len(_LESS_BETS)
    paid_less: tuple[float, ...] = (0.0,) * len(_LESS_BETS)
    here: float = 0.0
    weight: float = 0.0

    def after(self, arms: Arms) -> "Gap":
        """With one more window. One in which a version was not asked tells nothing. O(1)."""
        if not (arms.n_new and arms.n_old):
            return self
        odds = arms.n_new / arms.n_old
        up = [min(bet, _HALF / odds) for bet in GAP_BETS]
        weight = arms.n_new * arms.n_old / (arms.n_new + arms.n_old)
        return Gap(
            more=_add(self.more, [_won(arms, bet, odds) for bet in up]),
            paid_more=_add(self.paid_more, [arms.n_new * bet for bet in up]),
            less=_add(self.less, [_won(arms, -bet, odds) for bet in _LESS_BETS]),
            paid_less=_add(self.paid_less, [arms.n_new * bet for bet in _LESS_BETS]),
            here=self.here + weight * (arms.bad_new / arms.n_new - arms.bad_old / arms.n_old),
            weight=self.weight + weight,
        )

    def times(self, factor: float) -> "Gap":
        """As if there were so many times the evidence, and all of the same kind."""
        return Gap(
            more=tuple(factor * won for won in self.more),
            paid_more=tuple(factor * paid for paid in self.paid_more),
            less=tuple(factor * won for won in self.less),
            paid_less=tuple(factor * paid for paid in self.paid_less),
            here=factor * self.here,
            weight=factor * self.weight,
        )

    @property
    def estimate(self) -> float:
        """The difference, windows weighed by what they tell; NaN where there was nothing to compare."""
        return self.here / self.weight if self.weight else math.nan


def _won(arms: Arms, bet: float, odds: float) -> float:
    return arms.bad_new * math.log1p(bet) + arms.bad_old * math.log1p(-bet * odds)


def _add(sums: Sequence[float], more: Sequence[float]) -> tuple[float, ...]:
    return tuple(a + b for a, b in zip(sums, more, strict=True))


def gap_of(windows: Iterable[Arms]) -> Gap:
    """What these windows say of the difference.

    >>> told = gap_of([Arms(n_new=1000, bad_new=40, n_old=9000, bad_old=180)])
    >>> round(told.estimate, 3), round(math.exp(log_evidence_of_gap_above(told, 0.0)))
    (0.02, 139)
    """
    return functools.reduce(Gap.after, windows, Gap())


def log_evidence_of_gap_above(known: Gap, gap: float) -> float:
    """The logarithm of the e-value against "rate_new - rate_old is at most `gap`", in [-1, 1]."""
    return log_mean([won - gap * paid for won, paid in zip(known.more, known.paid_more, strict=True)])


def log_evidence_of_gap_below(known: Gap, gap: float) -> float:
    """The same against "rate_new - rate_old is at least `gap`": a proof that the new version is not that much worse."""
    return log_mean([won + gap * paid for won, paid in zip(known.less, known.paid_less, strict=True)])


def interval_of_gap(known: Gap, level: float = 0.9) -> Interval:
    """The differences that no look has to give up: each end is missed with probability (1 - level) / 2 at most, ever.

    >>> found = interval_of_gap(gap_of([Arms(n_new=1000, bad_new=40, n_old=9000, bad_old=180)]))
    >>> round(found.low, 4), round(found.high, 4)
    (0.0029, 0.0432)
    """
    stakes = math.log(2 / (1 - level))
    return Interval(
        low=edge(lambda gap: log_evidence_of_gap_above(known, gap) < stakes, -1.0, 1.0),
        high=edge(lambda gap: log_evidence_of_gap_below(known, gap) < stakes, 1.0, -1.0),
        level=level,
    )


def edge(is_kept: Callable[[float], bool], outer: float, inner: float) -> float:
    """Where keeping begins, from `outer`, which may be given up, to `inner`, which is kept; rounded outwards."""
    if is_kept(outer):
        return outer
    for _ in range(40):
        middle = (outer + inner) / 2
        outer, inner = (outer, middle) if is_kept(middle) else (middle, inner)
    return outer


def log_mean(logs: Sequence[float], weights: Sequence[float] = ()) -> float:
    """The logarithm of the weighted mean of e-values, given as logarithms.

    `weights` sum to 1; without them all count alike. A mean of e-values is one again, whatever they have to do
    with each other.

    >>> round(math.exp(log_mean([math.log(3), 0.0])), 6)
    2.0
    """
    most = max(logs)
    if math.isinf(most):
        return most
    shares = weights or (1 / len(logs),) * len(logs)
    return most + math.log(sum(share * math.exp(log - most) for share, log in zip(shares, logs, strict=True)))
