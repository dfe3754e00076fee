"""Shares of rows, among rows that the truth alone chooses: accuracy, recall, specificity, disagreement.

Exact where rows are independent. Both models are asked about the same rows, so a difference is one of paired shares.
"""

from collections.abc import Callable

import numpy as np
from msgspec import Struct
from scipy import special

from headway.stats import compare
from headway.stats.answers import Answers, Flags, Rows, positives, right_answers, some
from headway.stats.bounds import Interval
from headway.stats.interval import clopper_pearson
from headway.stats.metrics_estimate import (
    FEW_UNITS,
    Bounds,
    Estimate,
    Metric,
    alone,
    bound_linear,
    compared,
    deviation,
    unit_codes,
)


class Hits(Struct, frozen=True, kw_only=True, eq=False):
    """Rows that count, and which of them a model has right."""

    rows: Rows
    right: Flags


def share(hits: Callable[[Rows, Answers], Hits]) -> Metric:
    """The metric that is the share right of the rows that count, which must be the same for all models."""

    def of_one(rows: Rows, answers: Answers, level: float) -> Estimate:
        found = hits(rows, answers)
        return alone(_share(found.right), bound_share(found.rows, found.right, level), len(found.right))

    def of_two(rows: Rows, new: Answers, old: Answers, level: float, times: float) -> Estimate:
        ours, theirs = hits(rows, new), hits(rows, old)
        bounds = bound_difference(ours.rows, ours.right, theirs.right, level, times)
        counts = len(ours.right), int(np.count_nonzero(ours.right != theirs.right))
        return compared(_share(ours.right), _share(theirs.right), bounds, counts, times)

    return Metric(of_one=of_one, of_two=of_two)


def bound_share(rows: Rows, right: Flags, level: float) -> Bounds:
    """The bounds of a share of `rows`: exact, or by the number of independent rows that the units are worth.

    Sources: Clopper & Pearson (1934), Biometrika 26, 404-413; for units Korn & Graubard (1998), Survey Methodology 24,
    193-201.
    """
    n_rows, value = len(right), _share(right)
    spread = (value * (1 - value)) ** 0.5
    if rows.units is None:
        exact = clopper_pearson(int(np.count_nonzero(right)), n_rows, level)
        return Bounds(low=exact.low, high=exact.high, method="Clopper-Pearson", spread=spread)
    n_units = unit_codes(rows)[1]
    error = deviation(rows, right.astype(np.float64) - value)
    if n_units < FEW_UNITS:
        return Bounds(low=None, high=None, method=f"none, fewer than {FEW_UNITS} units", spread=error * n_rows**0.5)
    # Rows that are all alike show no variance; then a unit counts as one row, which is the most careful.
    worth = spread**2 / error**2 if error > 0 else float(n_units)
    tail = (1 - level) / 2
    worth *= float(special.stdtrit(n_rows - 1, tail) / special.stdtrit(n_units - 1, tail)) ** 2
    worth = min(worth, float(n_rows))
    hits = value * worth
    return Bounds(
        low=0.0 if value == 0 else float(special.betaincinv(hits, worth - hits + 1, tail)),
        high=1.0 if value == 1 else float(special.betaincinv(hits + 1, worth - hits, 1 - tail)),
        method="Clopper-Pearson over units",
        spread=error * n_rows**0.5,
        approximate=True,
    )


def bound_difference(rows: Rows, new: Flags, old: Flags, level: float, times: float) -> Bounds:
    """The bounds of the share `new` less `times` the share `old` of the same rows."""
    parts = new - times * old.astype(np.float64)
    value = float(np.mean(parts))
    if rows.units is not None:
        moves = new.astype(np.int8) - old.astype(np.int8)
        return bound_linear(rows, value, parts - value, moves, level, 1.0 if times == 1 else None)
    pairs = compare.count_pairs(new, old)
    if times == 1:
        bounds: Interval = compare.tango_corrected(pairs, level)
        return Bounds(low=bounds.low, high=bounds.high, method="Tango, continuity-corrected", spread=pairs.spread)
    both = int(np.count_nonzero(new & old))
    spread = float(np.std(parts))
    if both + pairs.lost == 0:
        return Bounds(low=None, high=None, method="none, the old model has no row right", spread=spread)
    around = compare.ratio_corrected(pairs, both, level)
    theirs = _share(old)
    return Bounds(
        low=(around.low - times) * theirs,
        # Nothing bounds a ratio whose lower side may be 0.
        high=(around.high - times) * theirs if around.high < np.inf else None,
        method="Nam-Blackwelder, continuity-corrected",
        spread=spread,
    )


def _share(right: Flags) -> float:
    return int(np.count_nonzero(right)) / len(right)


def disagreement(rows: Rows, new: Answers, old: Answers, level: float) -> Estimate:
    """The share of rows to which the two models give other labels."""
    differ = rows.once("differ", lambda: np.asarray(new.labels != old.labels, dtype=np.bool_), new, old)
    found = alone(_share(differ), bound_share(rows, differ, level), len(differ))
    return Estimate(
        value=found.value,
        low=found.low,
        high=found.high,
        n_rows=found.n_rows,
        method=found.method,
        new=found.value,
        spread=found.spread,
        n_differ=int(np.count_nonzero(differ)),
        approximate=found.approximate,
    )


def _every_row(rows: Rows, answers: Answers) -> Hits:
    return Hits(rows=rows, right=right_answers(rows, answers))


def _positive_rows(rows: Rows, answers: Answers) -> Hits:
    return _some_rows(rows, answers, "positive", some(positives(rows), "recall", "positive"))


def _negative_rows(rows: Rows, answers: Answers) -> Hits:
    negative = rows.once("negative", lambda: ~positives(rows))
    return _some_rows(rows, answers, "negative", some(negative, "specificity", "negative"))


def _some_rows(rows: Rows, answers: Answers, kind: str, chosen: Flags) -> Hits:
    # Without units the rows themselves tell nothing that the flags do not.
    subset = rows if rows.units is None else rows.once(f"{kind} rows", lambda: rows.take(chosen))
    return Hits(rows=subset, right=rows.once(f"{kind} right", lambda: right_answers(rows, answers)[chosen], answers))


METRICS = {"accuracy": share(_every_row), "recall": share(_positive_rows), "specificity": share(_negative_rows)}
