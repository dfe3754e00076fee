"""How many rows it takes to decide, by closed formulas. Imports nothing heavy until asked, for `core` uses it.

By enumeration, for the rules that the gate decides shares by: `power_exact`.
"""

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
    return _rows(_reach(confidence, power) * spread / gap)


def rows_within(gap: float, spread: float, confidence: float, power: float = 0.8) -> int | None:
    """The rows at which a value in the middle is shown to lie within `gap` to either side, with probability `power`.

    Both ends must be shown, each with the `confidence`: two one-sided tests.
    Source: Schuirmann (1987), J. Pharmacokinetics and Biopharmaceutics 15, 657-680.

    >>> rows_within(0.02, 0.1**0.5, confidence=0.95)
    2141
    """
    if gap <= 0:
        return None
    return _rows(_reach(confidence, (1 + power) / 2) * spread / gap)


def rows_to_see(gain: float, differ: float, confidence: float, power: float = 0.8) -> int | None:
    """The rows at which a gain of one model over another shows as more than nothing, with probability `power`.

    `gain` > 0 is the true difference of two shares on the same rows, `differ` >= `gain` the share of rows on which the
    models differ. What published tables have; `power_exact.rows_for_pairs` is what the gate's own rule takes.
    Source: Connor (1987), Biometrics 43, 207-211.

    >>> rows_to_see(0.02, 0.1, confidence=1 - 0.05 / 32), rows_to_see(0.03, 0.1, confidence=1 - 0.05 / 32)
    (3601, 1599)
    """
    if gain <= 0:
        return None
    from headway.stats.interval import normal_quantile

    differ = max(differ, gain)
    null = normal_quantile(confidence) * math.sqrt(differ)
    return _rows((null + normal_quantile(power) * math.sqrt(differ - gain * gain)) / gain)


def gap_to_decide(n_rows: int, spread: float, confidence: float, power: float = 0.8) -> float:
    """How far from its limit a value must lie to be told from it on `n_rows` (> 0) rows, with probability `power`.

    >>> round(gap_to_decide(1546, 0.1**0.5, confidence=0.95), 4)
    0.02
    """
    return _reach(confidence, power) * spread / math.sqrt(n_rows)


def chance_to_decide(n_rows: int, gap: float, spread: float, confidence: float) -> float:
    """The chance that `n_rows` (> 0) rows tell a value this far from its limit from it; `spread` > 0.

    >>> round(chance_to_decide(1546, 0.02, 0.1**0.5, confidence=0.95), 3)
    0.8
    """
    from scipy.special import ndtr

    from headway.stats.interval import normal_quantile

    return float(ndtr(gap * math.sqrt(n_rows) / spread - normal_quantile(confidence)))


def spread_of_area(area: float, positives: float) -> float:
    """About what one row adds to the error of an area under the ROC curve: that of n rows is 1/sqrt(n) of it.

    `area` in (0, 1), `positives` in (0, 1) the share of positive rows. For scores that are exponential in
    either class, which is careful for most others.
    Source: Hanley & McNeil (1982), Radiology 143, 29-36, for many rows.

    >>> round(spread_of_area(0.9, 0.5) / 10, 4)
    0.0319
    """
    above_two = area / (2 - area) - area * area
    two_above = 2 * area * area / (1 + area) - area * area
    return math.sqrt(two_above / positives + above_two / (1 - positives))


def _reach(confidence: float, power: float) -> float:
    from headway.stats.interval import normal_quantile

    return normal_quantile(confidence) + normal_quantile(power)


def _rows(root: float) -> int | None:
    return max(1, math.ceil(root * root)) if root <= math.sqrt(MANY) else None
