"""How many rows it takes to decide. Imports nothing heavy until asked, so that `core/gate` may use it."""

import math

MANY = 100_000_000
"""More rows than this are not worth naming: the answer is then that no number of rows decides."""


def rows_to_decide(gap: float, spread: float, confidence: float, power: float = 0.8) -> int | None:
    """The rows at which a value this far from its limit is told from it with probability `power`.

    `gap` >= 0 is the distance from the limit; `spread` >= 0 the standard deviation of one row's part in the value;
    `confidence` in (0.5, 1) that of each bound. None when the gap is nothing or takes more than MANY rows.
    Source: Connor (1987), Biometrics 43, 207-211, with the spread as observed instead of one for each hypothesis.

    >>> rows_to_decide(0.02, 0.1**0.5, confidence=0.95)
    1546
    """
    if gap <= 0:
        return None
    from headway.stats.interval import normal_quantile

    reach = normal_quantile(confidence) + normal_quantile(power)
    root = reach * spread / gap
    return math.ceil(root * root) if root <= math.sqrt(MANY) else None
