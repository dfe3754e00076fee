"""Evidence by betting: right at any number of rows, at any confidence, whenever one looks; asked for by `exact: true`.

An e-value is what a bet against a claim has made of 1. If the claim holds it is 1 at most on average, so 1/alpha or
more is seen with probability alpha at most, at any moment (Ville 1939). No approximation is in it, and that costs rows:
two to three times those of the score interval at one fixed look (`compare`, `power_exact`).
From counts where there are counts, so that the order of rows and the machine change nothing.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy import special

from headway.errors import Unmeasurable
from headway.stats.bounds import Interval
from headway.stats.compare import Pairs

Values = npt.NDArray[np.float64]

ALL_PURPOSE = 99
"""So many bets, evenly spread, where none was planned."""

HALVINGS = 50
"""A bound is found to 2^-50 of its range."""


# --- two models on the same rows, from counts ---------------------------------------------------------------------


def log_evidence_of_gain(gained: int, lost: int) -> float:
    """The logarithm of the e-value against "the new model is right no more often": rows both get right do not count.

    The average over all chances above a half that a row which differs is a gain, each against a half.
    E = 2^(b+c+1) (B(b+1, c+1) - B_1/2(b+1, c+1)), b being `gained` and c `lost`.
    Source: Robbins (1970), Ann. Math. Statist. 41, 1397-1409, for the mixture; Ramdas et al. (2023), Statistical
    Science 38, 576-601.

    >>> round(math.exp(log_evidence_of_gain(16, 4)), 2)
    20.54
    """
    n_differ = gained + lost
    upper = float(special.betaincc(gained + 1, lost + 1, 0.5))
    if upper == 0.0:
        return -math.inf
    return (n_differ + 1) * math.log(2) + float(special.betaln(gained + 1, lost + 1)) + math.log(upper)


def log_evidence_of_difference(gained: int, lost: int) -> float:
    """The logarithm of the e-value against "both models are right equally often", whichever is better.

    With Jeffreys' prior for the chance that a row which differs is a gain: E = 2^(b+c) B(b+1/2, c+1/2) / B(1/2, 1/2).

    >>> round(math.exp(log_evidence_of_difference(16, 4)), 2)
    8.28
    """
    prior = float(special.betaln(0.5, 0.5))
    return (gained + lost) * math.log(2) + float(special.betaln(gained + 0.5, lost + 0.5)) - prior


def log_evidence_above(pairs: Pairs, margin: float, bets: Sequence[float] = ()) -> float:
    """The logarithm of the e-value against "`new - old` is at most `margin`", in [-1, 1).

    The average over bets of (1 + bet (1 - margin))^gained (1 - bet margin)^same (1 - bet (1 + margin))^lost, each bet
    between 0 and 1 / (1 + margin). `bets` must be chosen before the data are seen (`planned_bets`); without any, 99
    evenly spread ones. Only counts matter.
    Source: Waudby-Smith & Ramdas (2024), J. R. Statist. Soc. B 86, 1-27, for three values.

    >>> round(math.exp(log_evidence_above(Pairs(gained=60, lost=40, n_rows=1000), -0.02)), 1)
    548.9
    """
    return log_evidence_of_pairs(pairs.gained, pairs.lost, pairs.n_rows, margin, bets)


def log_evidence_of_pairs(gained: float, lost: float, n: float, margin: float, bets: Sequence[float] = ()) -> float:
    """The same of counts that may be fractions: those of rows, `n` in all, divided by how many go together.

    >>> round(math.exp(log_evidence_of_pairs(30, 20, 500, -0.02)), 1)
    15.3
    """
    most = 1 / (1 + margin) if margin > -1 else math.inf
    some = np.asarray(bets, dtype=np.float64) if bets else _spread_bets(most)
    if np.any(some <= 0) or np.any(some >= most):
        raise ValueError(f"bets lie between 0 and {most:g}")
    logs = gained * np.log1p(some * (1 - margin)) + (n - gained - lost) * np.log1p(-some * margin)
    logs = logs + lost * np.log1p(-some * (1 + margin))
    # By hand, for scipy's takes ten times as long, and a canary's intervals ask hundreds of times.
    highest = float(np.max(logs))
    return highest + math.log(float(np.mean(np.exp(logs - highest))))


def planned_bets(gap: float, differ: float) -> tuple[float, ...]:
    """Bets that gain most where the true difference lies `gap` (> 0) beyond the margin and `differ` (> 0) of rows do.

    gap / differ, half and twice it, for neither is known well; less than 1/2, which can be staked at any margin.

    >>> [round(bet, 3) for bet in planned_bets(0.02, 0.1)]
    [0.1, 0.2, 0.4]
    """
    best = gap / differ
    return tuple(sorted({min(best * factor, 0.499) for factor in (0.5, 1.0, 2.0)}))


def interval_of_pairs(pairs: Pairs, level: float = 0.95) -> Interval:
    """The differences of two shares that no bet has refuted: missed with probability (1 - level) / 2 at most a side.

    Valid at any number of rows, also if the number was chosen while looking. Raises Unmeasurable without rows.

    >>> certain = interval_of_pairs(Pairs(gained=60, lost=40, n_rows=1000), 0.9)
    >>> round(certain.low, 4), round(certain.high, 4)
    (-0.0099, 0.051)
    """
    if pairs.n_rows <= 0:
        raise Unmeasurable("no row can be compared", at="pairs", remedy="compare on rows that hold some")
    stakes = math.log(2 / (1 - level))
    mirrored = Pairs(gained=pairs.lost, lost=pairs.gained, n_rows=pairs.n_rows)
    low = _lowest(lambda margin: log_evidence_above(pairs, margin) >= stakes, -1.0, pairs.difference)
    high = -_lowest(lambda margin: log_evidence_above(mirrored, margin) >= stakes, -1.0, -pairs.difference)
    return Interval(low=low, high=high, level=level)


def _spread_bets(most: float) -> Values:
    # At a margin of -1 there is no end to what can be staked: nothing is lost there.
    top = most if math.isfinite(most) else 1.0 / np.finfo(np.float64).eps
    return np.arange(1, ALL_PURPOSE + 1, dtype=np.float64) / (ALL_PURPOSE + 1) * top


# --- means of numbers within bounds -------------------------------------------------------------------------------


def hedged_capital(values: Values, level: float = 0.95, *, seed: int) -> Interval:
    """An interval for the mean of `values` (shape `(n_rows,)`, each in [0, 1], independent): exact at any size.

    Bets on each row by what the rows before it were like. The rows are put in an order of their own by `seed`, which
    must not be chosen after the data: so the order they come in changes nothing. Each bound is missed with probability
    (1 - level) / 2 at most. O(n_rows), about a second for a million rows.
    Raises Unmeasurable without rows, or where one lies outside of [0, 1].
    Source: Waudby-Smith & Ramdas (2024), J. R. Statist. Soc. B 86, 1-27: hedged capital, with the predictable bets for
    one fixed number of rows; the capital that counts is the most there ever was (Ville).

    >>> exact = hedged_capital(np.linspace(0.4, 0.6, 200), 0.9, seed=1)
    >>> round(exact.low, 2), round(exact.high, 2)
    (0.48, 0.52)
    """
    if len(values) == 0:
        raise Unmeasurable("a mean of no rows has no value", at="mean", remedy="measure on rows that hold some")
    if not (values.min() >= 0 and values.max() <= 1):
        raise Unmeasurable(
            f"a range by betting needs numbers from 0 to 1, and these run from {values.min():g} to {values.max():g}",
            at="mean",
            remedy="scale them by the least and the most that they can be",
        )
    alpha = (1 - level) / 2
    mixed = np.sort(values)[_mixed(len(values), seed)]
    low, high = _lower_bound(mixed, alpha), 1 - _lower_bound(1 - mixed, alpha)
    return Interval(low=low, high=high, level=level)


def _lower_bound(values: Values, alpha: float) -> float:
    bets = _predictable_bets(values, alpha)
    stakes = math.log(1 / alpha)

    def is_refuted(mean: float) -> bool:
        # Half of what there is, at most: a row of 0 takes no more.
        staked = np.minimum(bets, 0.5 / mean) if mean > 0 else bets
        return float(np.max(np.cumsum(np.log1p(staked * (values - mean))))) >= stakes

    return _lowest(is_refuted, 0.0, float(np.mean(values)))


def _predictable_bets(values: Values, alpha: float) -> Values:
    """For each row the bet that would have been best for the rows before it, begun with a mean and spread of 1/2."""
    n = len(values)
    seen = np.arange(1, n + 1)
    means = (0.5 + np.cumsum(values)) / (seen + 1)
    variances = (0.25 + np.cumsum((values - means) ** 2)) / (seen + 1)
    before = np.concatenate([[0.25], variances[:-1]])
    return np.asarray(np.sqrt(2 * math.log(1 / alpha) / (n * before)), dtype=np.float64)


def _mixed(n: int, seed: int) -> npt.NDArray[np.int64]:
    """An order of n rows that looks random, the same on any machine and with any version of numpy.

    Source: the finaliser of SplitMix64, Steele, Lea & Flood (2014), OOPSLA.
    """
    with np.errstate(over="ignore"):
        x = np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed % 2**64)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
    return np.argsort(x, kind="stable").astype(np.int64)


def _lowest(is_refuted: Callable[[float], bool], least: float, kept: float) -> float:
    """The smallest value that is not refuted, where all below a refuted one are; rounded outwards."""
    if not is_refuted(least):
        return least
    refuted = least
    for _ in range(HALVINGS):
        middle = (refuted + kept) / 2
        if is_refuted(middle):
            refuted = middle
        else:
            kept = middle
    return refuted
