"""Gaps between groups of rows: how far apart a metric is for, say, women and men, at most and at least.

That a gap is small must be proved for every pair of groups, so the wide end is that of the worst pair, without a
correction: whichever pair is truly farthest apart, its own bound is missed no more often than it says
(intersection-union, Berger 1982, Technometrics 24, 295-300). That some gap is large may be shown by any of the pairs,
so the narrow end is corrected for their number (Bonferroni).

Two groups' values have an interval each, which are squared and added (Zou & Donner 2008, Statistics in Medicine 27,
1693-1702). For shares these are exact ones (Clopper-Pearson) and not Wilson's as in Newcombe's method 10, which misses
up to 1.6 times as often as it says at 5 %, and 4 to 12 times at the levels of a budget (tests/stats/test_groups.py).
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from msgspec import Struct

from headway.errors import Unmeasurable
from headway.stats.answers import Answers, Places, Rows, Values, check_answers
from headway.stats.metrics import Estimate, Metric, find
from headway.stats.metrics_own import Function

_NONE: Mapping[str, Function] = {}


class _Groups(Struct, frozen=True, kw_only=True, eq=False):
    """The values of all groups that have one, with their ranges; NaN where nothing bounds one."""

    codes: tuple[int, ...]
    values: Values
    lows: Values
    highs: Values
    spreads: Values
    n_rows: Values
    method: str
    n_without: int


def gap_of(
    metric: str,
    rows: Rows,
    answers: Answers,
    codes: Places,
    confidence: float,
    *,
    own: Mapping[str, Function] = _NONE,
) -> Estimate:
    """The greatest value of a metric over groups less the smallest; `codes` >= 0 number the group of each row.

    `gap <= g` holds for sure where `high` is at most g. The estimate's `groups` are each group's number, value and
    rows. A group without a value (no positive row, say) or too small for a range leaves the upper end open.
    Raises Unmeasurable where fewer than two groups have a value.

    >>> rows = Rows(truth=np.ones(200))
    >>> answers = Answers(labels=np.array([1] * 90 + [0] * 10 + [1] * 80 + [0] * 20))
    >>> found = gap_of("accuracy", rows, answers, np.arange(200) // 100, confidence=0.95)
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.1, 0.0, 0.189)
    """
    wide, narrow = _measure(metric, rows, answers, codes, confidence, own)
    apart = wide.values[:, np.newaxis] - wide.values
    most = _most(apart + _reach(wide.highs - wide.values, wide.values - wide.lows), wide)
    least = apart - _reach(narrow.values - narrow.lows, narrow.highs - narrow.values)
    low = max(float(np.nanmax(least)), 0.0) if np.isfinite(least).any() else None
    return _told(wide, float(apart.max()), (low, most), (1.0, 1.0), len(rows))


def ratio_of(
    metric: str,
    rows: Rows,
    answers: Answers,
    codes: Places,
    confidence: float,
    *,
    own: Mapping[str, Function] = _NONE,
) -> Estimate:
    """The smallest value of a metric over groups by the greatest, in [0, 1]; else as `gap_of`.

    `ratio >= r` holds for sure where `low` is at least r: then value_a - r * value_b is above 0 for all groups a, b.
    Raises Unmeasurable also where a value is below 0 or all are 0.
    Source: Donner & Zou (2012), Statistics in Medicine 31, 2577-2587, for a ratio out of two intervals.
    """
    wide, narrow = _measure(metric, rows, answers, codes, confidence, own)
    if wide.values.min() < 0 or wide.values.max() <= 0:
        raise Unmeasurable(
            f"a ratio of {metric} says nothing where it runs from {wide.values.min():g} to {wide.values.max():g}",
            at=metric,
            remedy="gate on the gap between groups instead",
        )
    lows = _ratio_lows(wide.values, wide.lows, wide.highs)
    low = None if wide.n_without or np.isnan(lows).any() else min(float(lows.min()), 1.0)
    highs = 1 / _ratio_lows(narrow.values, narrow.lows, narrow.highs).T
    high = min(float(np.nanmin(highs)), 1.0) if np.isfinite(highs).any() else None
    value = float(wide.values.min() / wide.values.max())
    return _told(wide, value, (low, high), (1 / float(wide.values.max()), value / float(wide.values.max())), len(rows))


def _reach(up: Values, down: Values) -> Values:
    """How far each difference (row less column) may reach beyond what is seen."""
    return np.asarray(np.hypot(up[:, np.newaxis], down))


def _most(highs: Values, groups: _Groups) -> float | None:
    return None if groups.n_without or np.isnan(highs).any() else max(float(highs.max()), 0.0)


def _ratio_lows(values: Values, lows: Values, highs: Values) -> Values:
    """The lower end of each ratio, row by column: where value_a - r * value_b less its reach is 0.

    A group with itself is 1; what is divided by nothing has the lower end 0.
    """
    a, b = values[:, np.newaxis], values
    over = a**2 - (a - lows[:, np.newaxis]) ** 2
    under = b**2 - (highs - b) ** 2
    root = a * b + np.sqrt(np.maximum((a * b) ** 2 - over * under, 0.0))
    found = np.divide(over, root, out=np.zeros_like(root), where=(root > 0) | np.isnan(root))
    np.fill_diagonal(found, np.where(np.isnan(lows + highs), np.nan, 1.0))
    return np.asarray(np.maximum(found, 0.0))


# --- measuring each group ----------------------------------------------------------------------------------------


def _measure(
    metric: str, rows: Rows, answers: Answers, codes: Places, confidence: float, own: Mapping[str, Function]
) -> tuple[_Groups, _Groups]:
    """Each group measured at the confidence asked for, and at that of one among all ordered pairs."""
    check_answers(rows, answers, "new")
    parts = rows.once("groups", lambda: _split(rows, answers, codes), answers, codes)
    if len(parts) < 2:
        raise Unmeasurable(
            f"a gap needs two groups, and the rows make {len(parts)}",
            at=metric,
            remedy="name a column that parts the rows, or leave this check out",
        )
    found = find(metric, own)
    level = 2 * confidence - 1
    narrow = 1 - (1 - level) / (len(parts) * (len(parts) - 1))
    wide_groups, narrow_groups = (_of_each(found, parts, at) for at in (level, narrow))
    if len(wide_groups.values) < 2:
        raise Unmeasurable(
            f"a gap needs two groups that have a {metric}; {len(wide_groups.values)} of {len(parts)} has one",
            at=metric,
            remedy="measure on rows that hold both classes in each group",
        )
    return wide_groups, narrow_groups


def _split(rows: Rows, answers: Answers, codes: Places) -> list[tuple[int, Rows, Answers]]:
    """The rows of each group, in one pass over all."""
    order = np.argsort(codes, kind="stable")
    ordered, said = rows.take(order), answers.take(order)
    starts = np.flatnonzero(np.concatenate([[True], codes[order][1:] != codes[order][:-1], [True]]))
    stretches = [slice(start, end) for start, end in pairwise(starts.tolist())]
    return [(int(codes[order[part.start]]), ordered.take(part), said.take(part)) for part in stretches]


def _of_each(metric: Metric, parts: list[tuple[int, Rows, Answers]], level: float) -> _Groups:
    found: dict[int, Estimate] = {}
    for code, rows, answers in parts:
        try:
            check_answers(rows, answers, "new")
            found[code] = metric.of_one(rows, answers, level)
        except Unmeasurable:
            # Counted below: what cannot be measured for one group is unknown for the gap.
            continue
    estimates = list(found.values())

    def column(values: list[float | None]) -> Values:
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)

    return _Groups(
        codes=tuple(found),
        values=column([e.value for e in estimates]),
        lows=column([e.low for e in estimates]),
        highs=column([e.high for e in estimates]),
        spreads=column([e.spread for e in estimates]),
        n_rows=column([float(e.n_rows) for e in estimates]),
        method=max((e.method for e in estimates), key=[e.method for e in estimates].count, default=""),
        n_without=len(parts) - len(found),
    )


def _told(
    groups: _Groups,
    value: float,
    bounds: tuple[float | None, float | None],
    slopes: tuple[float, float],
    n_rows: int,
) -> Estimate:
    """The estimate; `slopes` is how it moves with the smallest and with the greatest group's value."""
    worst, best = int(groups.values.argmin()), int(groups.values.argmax())
    variance = sum(
        (slope * groups.spreads[i]) ** 2 / groups.n_rows[i] for slope, i in zip(slopes, (worst, best), strict=True)
    )
    told = zip(groups.codes, groups.values.tolist(), groups.n_rows.astype(int).tolist(), strict=True)
    return Estimate(
        value=value,
        low=bounds[0],
        high=bounds[1],
        n_rows=n_rows,
        method=f"{groups.method} by group, square-and-add",
        new=value,
        spread=float(variance * n_rows) ** 0.5,
        approximate=True,
        groups=tuple(told),
    )
