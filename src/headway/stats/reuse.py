"""Asking the same rows more than once: what error probability each ask may use so that all of them together keep it.

Whoever sees an answer can build the next model after it. Only so many histories of answers can be told apart, though,
and an error in none of them is likely enough if each ask gets its share of alpha. How often a holdout was asked is
`core/holdout`'s business; many questions at one time are `multiple`'s. Imports nothing heavy until asked.
"""

import math
from collections.abc import Iterator

from headway.errors import Unmeasurable

SMALLEST_ALPHA = 1e-15
"""Less for each ask is hardly told from nothing by floating-point numbers, and no holdout could ever reach it."""


def n_histories(asks: int, passes: int) -> int:
    """In how many histories of answers a pass can be given, when all ends after so many asks, or so many passes.

    The sum of C(asks, j) for j from 1 to `passes`: with one pass that is `asks`, with as many as asks 2^asks - 1. These
    are the modes firstChange and full of Renggli et al. `asks` >= 1, `passes` >= 1; more passes than asks are no more.
    Source: Renggli et al. (2019), MLSys (arXiv 1903.00278), by the argument of Dwork et al. (2015), NIPS 28.

    >>> n_histories(32, 1), n_histories(32, 4), n_histories(32, 32) == 2**32 - 1
    (32, 41448, True)
    """
    *_, last = _growing(asks, passes)
    return last


def _growing(asks: int, passes: int) -> Iterator[int]:
    """The sum, term by term."""
    if asks < 1 or passes < 1:
        raise ValueError(f"a budget of {asks} asks and {passes} passes")
    total, term = 0, 1
    for j in range(1, min(passes, asks) + 1):
        term = term * (asks - j + 1) // j
        total += term
        yield total


def confidence_of_ask(confidence: float, asks: int, passes: int) -> float:
    """The confidence at which each ask must be decided, so that no false pass in all has probability `confidence`.

    Holds against anybody who sees only whether a model passed. `confidence` in (0.5, 1).
    Raises Unmeasurable when so little is left for each ask that nothing could ever pass.

    >>> round(confidence_of_ask(0.95, 32, 1), 7)
    0.9984375
    """
    alpha = 1 - confidence
    n_nodes = 0
    # Nothing is counted beyond what decides: a large budget has more histories than there are atoms.
    for n_nodes in _growing(asks, passes):
        if n_nodes > alpha / SMALLEST_ALPHA:
            raise Unmeasurable(
                f"a budget of {asks:,} asks and {passes:,} passes leaves each ask so little that nothing could pass",
                at="reuse",
                remedy="allow fewer passes, or fewer asks; fresh rows start a new budget",
            )
    return 1 - alpha / n_nodes


def n_level_histories(asks: int, levels: int, *, only_rising: bool = True) -> int:
    """In how many histories one of `levels` (>= 1) can be shown after each ask, as ease.ml/meter does.

    `only_rising`: the level shown never falls, which leaves C(asks + levels - 1, levels - 1) instead of levels^asks.
    Source: Hubis, Wu & Zhang (2019), arXiv 1906.00299.

    >>> n_level_histories(32, 5), n_level_histories(32, 5, only_rising=False) > 2 * 10**22
    (58905, True)
    """
    return math.comb(asks + levels - 1, levels - 1) if only_rising else levels**asks


def smallest_alpha_of_pairs(n_differ: int, n_rows: int, limit: float = 0.0) -> float:
    """The smallest alpha at which `new - old` could be shown to lie above `limit`, if all that differ were gains.

    `n_differ` of `n_rows` (> 0) rows are answered differently. By the rule that the gate decides by, Tango's score with
    the continuity correction (`compare.tango_corrected`). 1 where nothing could be shown. A budget that gives each ask
    less than this never lets anything pass.

    >>> round(smallest_alpha_of_pairs(20, 1000), 7)
    1.08e-05
    """
    from scipy.special import ndtr

    from headway.stats.power_exact import score

    return float(ndtr(-score(n_differ, 0, n_rows, limit)))


def smallest_alpha_of_share(n_rows: int, limit: float) -> float:
    """The smallest alpha at which a share could be shown to lie above `limit` in [0, 1], if all of `n_rows` were hits.

    By Clopper-Pearson, which the gate decides by: limit to the power of n_rows.

    >>> round(smallest_alpha_of_share(20, 0.8), 5)
    0.01153
    """
    return float(limit**n_rows)
