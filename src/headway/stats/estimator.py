"""How many rows the bounds of ease.ml/ci take, which hold for any distribution and are dear for it.

What a condition on the accuracies n (new) and o (old) and on the share d of rows answered differently needs, so that
every estimate lies within its tolerance with the probability asked for, however often the same rows are asked. The
gate decides by other methods, which need fewer rows (`power_exact`): this is for those who plan by the paper.
Source: Renggli et al. (2019), MLSys (arXiv 1903.00278).
"""

import math
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

Mode = Literal["none", "first-change", "full"]
"""What whoever makes the models sees: no answer, none after a first pass (which ends the test set), or every one."""


class Clause(Struct, frozen=True, kw_only=True):
    """One condition: the weights of its variables (`n - o` has 1 and -1), each in [0, 1], and the tolerance (> 0)."""

    weights: tuple[float, ...]
    tolerance: float


class Sample(Struct, frozen=True, kw_only=True):
    """What must be had: `rows` in all, and `labels` for so many of them. Not rounded."""

    rows: float
    labels: float


def log_odds_of_error(delta: float, steps: int, mode: Mode) -> float:
    """ln(1/delta') for the delta' that each of `steps` (>= 1) asks may use; all together fail with `delta` at most.

    delta / steps where no answer is seen (or none after the first pass), delta / 2^steps where every one is: so many
    histories can a developer follow. As a logarithm, for 2^steps may be beyond any float. `delta` in (0, 1).

    >>> round(log_odds_of_error(0.0001, 32, "none"), 3), round(log_odds_of_error(0.0001, 32, "full"), 3)
    (12.676, 31.391)
    """
    spent = steps * math.log(2) if mode == "full" else math.log(steps)
    return spent - math.log(delta)


def hoeffding(clause: Clause, log_odds: float) -> float:
    """The rows at which a clause's value is known to its tolerance but for the error probability exp(-`log_odds`).

    A variable times c is known to tolerance / c. Of several, each gets its share of the tolerance (in proportion to its
    weight) and of the error: for `n - o`, N = 4 ln(2/delta') / (2 tolerance^2).
    Source: Hoeffding (1963), J. Am. Stat. Assoc. 58, 13-30; section 3 of the paper.

    >>> round(hoeffding(Clause(weights=(1.0,), tolerance=0.01), log_odds_of_error(0.0001, 1, "none")))
    46052
    """
    reach = sum(abs(weight) for weight in clause.weights)
    return reach**2 * (log_odds + math.log(len(clause.weights))) / (2 * clause.tolerance**2)


def hoeffding_of_all(clauses: Sequence[Clause], log_odds: float) -> float:
    """The rows for all clauses of a condition (at least one) on one test set: each gets its share of the error."""
    return max(hoeffding(clause, log_odds + math.log(len(clauses))) for clause in clauses)


def bennett(tolerance: float, differ: float, log_odds: float) -> float:
    """The rows at which `n - o` is known to `tolerance`, where the models differ on at most a share `differ` (> 0).

    The fewer rows differ, the less the difference can vary: N = ln(2/delta') / (p h(tolerance/p)), p being that share
    and h(u) = (1 + u) ln(1 + u) - u. Both sides are bounded.
    Source: Bennett (1962), J. Am. Stat. Assoc. 57, 33-45; section 4 of the paper.

    >>> round(bennett(0.02, 0.1, log_odds_of_error(0.002, 7, "none")))
    4713
    """
    u = tolerance / differ
    return (log_odds + math.log(2)) / (differ * ((1 + u) * math.log1p(u) - u))


def pattern_1(tolerance: float, differ: float, log_odds: float) -> Sample:
    r"""For `d < A /\ n - o > C`: that d is below A is tested on rows without labels, and spends half of the error.

    `differ` is A. Only rows on which the models differ tell n and o apart, so a label is needed for a share A of them.

    >>> pattern = pattern_1(0.01, 0.1, log_odds_of_error(0.05, 1, "none"))
    >>> math.ceil(pattern.rows), math.ceil(pattern.labels)
    (9052, 906)
    """
    rows = bennett(tolerance, differ, log_odds + math.log(2))
    return Sample(rows=rows, labels=differ * rows)


def pattern_2(tolerance: float, differ: float, log_odds: float) -> Sample:
    """For `n - o > C` alone: d is estimated to twice the tolerance first, on other rows and without labels.

    `differ` is what is expected of d; what is found, and the tolerance it is found to, then stand for it. The rows are
    those of both parts, the labels those on which the models are expected to differ.

    >>> pattern = pattern_2(0.02, 0.06, log_odds_of_error(0.002, 7, "none"))
    >>> math.ceil(pattern.rows), math.ceil(pattern.labels)
    (7849, 305)
    """
    half = log_odds + math.log(2)
    first = hoeffding(Clause(weights=(1.0,), tolerance=2 * tolerance), half)
    second = bennett(tolerance, differ + 2 * tolerance, half)
    return Sample(rows=first + second, labels=differ * second)
