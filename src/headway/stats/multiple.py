"""Many questions at once: p-values adjusted for their number, and the level at which each may be decided.

Needed where one of many answers suffices to act (one slice that is worse blocks a model), not where all must agree.
Asking the same rows again and again is `reuse`'s business. Imports nothing.
"""

from collections.abc import Sequence
from typing import Literal

Correction = Literal["holm", "bh", "none"]
"""`holm`: no false alarm at all, 1 - alpha of the times. `bh`: at most a share alpha of the alarms is false."""


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given: at most alpha where the answer stands at level alpha.

    The chance of any false one stays at alpha, however the questions hang together. `p_values` in [0, 1].
    Source: Holm (1979), Scandinavian J. Statistics 6, 65-70.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    _check(p_values)
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, i in enumerate(_order(p_values)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's adjusted p-values, in the order given; for lists to look at, not to decide by.

    Of those at most alpha, a share alpha is false on average, if the questions do not hang together the wrong way.
    `p_values` in [0, 1].
    Source: Benjamini & Hochberg (1995), J. R. Statist. Soc. B 57, 289-300.

    >>> [round(p, 3) for p in benjamini_hochberg([0.01, 0.04, 0.03])]
    [0.03, 0.04, 0.04]
    """
    _check(p_values)
    adjusted = [1.0] * len(p_values)
    lowest = 1.0
    order = _order(p_values)
    for rank in range(len(order), 0, -1):
        i = order[rank - 1]
        lowest = min(lowest, len(p_values) * p_values[i] / rank)
        adjusted[i] = lowest
    return adjusted


def alphas(p_values: Sequence[float], alpha: float, correction: Correction) -> list[float]:
    """The level at which each interval must be decided so that those which leave out their limit are the rejected.

    An interval says that a limit is passed where its p-value is at most its level. Holm's steps: the smallest p-value
    is held to alpha / m, the next to alpha / (m - 1), and from the first that is not small enough, all to its level.
    Benjamini-Hochberg: all are held to alpha * k / m, k being the number of those rejected. `alpha` in (0, 1).

    >>> alphas([0.001, 0.6, 0.04], 0.06, "holm")
    [0.02, 0.03, 0.03]
    >>> alphas([0.001, 0.6, 0.04], 0.06, "none")
    [0.06, 0.06, 0.06]
    """
    _check(p_values)
    m, order = len(p_values), _order(p_values)
    if correction == "none" or m == 0:
        return [alpha] * m
    if correction == "bh":
        passed = [rank for rank, i in enumerate(order, 1) if p_values[i] <= alpha * (rank / m)]
        return [alpha * (max(passed, default=1) / m)] * m
    levels = [0.0] * m
    level = alpha / m
    is_stopped = False
    for rank, i in enumerate(order):
        level = level if is_stopped else alpha / (m - rank)
        is_stopped = is_stopped or p_values[i] > level
        levels[i] = level
    return levels


def e_benjamini_hochberg(e_values: Sequence[float], alpha: float) -> list[bool]:
    """Which of many e-values stand out, in the order given: a share alpha of them is false on average, always.

    Unlike with p-values this needs nothing of how the questions hang together. `e_values` >= 0, `alpha` in (0, 1).
    Source: Wang & Ramdas (2022), J. R. Statist. Soc. B 84, 822-852.

    >>> e_benjamini_hochberg([70.0, 3.0, 35.0], 0.05)
    [True, False, True]
    """
    if not all(e >= 0 for e in e_values):
        raise ValueError("an e-value is a number from 0")
    m, highest_first = len(e_values), sorted(e_values, reverse=True)
    passed = [rank for rank, e in enumerate(highest_first, 1) if e >= m / (alpha * rank)]
    least = m / (alpha * max(passed)) if passed else float("inf")
    return [bool(passed) and e >= least for e in e_values]


def _order(p_values: Sequence[float]) -> list[int]:
    return sorted(range(len(p_values)), key=lambda i: p_values[i])


def _check(p_values: Sequence[float]) -> None:
    # NaN would sort anywhere, and make the rest come out wrong in silence.
    if not all(0 <= p <= 1 for p in p_values):
        raise ValueError("a p-value lies in [0, 1]")
