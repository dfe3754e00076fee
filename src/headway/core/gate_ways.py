"""How a check of each kind is planned: the rows it takes, the labels, the chance at so many rows, what they can see.

A way speaks of a `gap`: how far on the good side of its limit the true value lies (of `within`: how far the ends lie
from the middle, where the true value is). `core/gate_plan` chooses gaps and puts it together.
"""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from headway.core.check import Check
from headway.core.metric import split_name

if TYPE_CHECKING:
    from headway.stats.power_exact import Region

Method = Literal["exact", "hoeffding", "bennett"]
"""By the gate's own rules, or by the bounds of ease.ml/ci, which hold for anything and take more rows."""

Assumption = Literal["", "differ", "bound", "spread", "area", "areas", "half"]
"""What a way takes for granted: the share that differs; at most the share that a check allows; one row's spread; what
is supposed as area under the curve; TYPICAL_AREA for both models; a metric of one half in each group."""

FEW_ROWS = 30
"""Fewer never give a range by an approximate method (`stats/metrics`)."""

FEW_OF_A_CLASS = 10
"""Fewer of either class never give a range of an area under the ROC curve."""

_SHARES = frozenset({"accuracy", "recall", "specificity", "hit_rate", "coverage"})
"""Metrics that are shares of rows which both models are asked about, also with a parameter."""

_RANKED = frozenset({"recall", "precision"})
"""Of a ranking where they have a parameter: then a mean over queries, and no share."""

TYPICAL_AREA = 0.8
"""The area under the curve that a difference of areas is planned for, and with 1/2 as the correlation of the two."""


class Assumed(Struct, frozen=True, kw_only=True):
    """What a plan takes for granted: shares in [0, 1], `rows` and `asks` counts; None: not said.

    `differ` is the share of rows on which the models differ, `positives` that of positive rows, `spread` the standard
    deviation of one row's part (of a ratio: in units of the old value).
    """

    confidence: float = 0.95
    power: float = 0.8
    asks: int = 32
    passes: int = 1
    method: Method = "exact"
    rows: int | None = None
    differ: float = 0.1
    spread: float | None = None
    positives: float | None = None


class Need(Struct, frozen=True):
    """What it takes: so many rows, and labels for so many of them."""

    rows: int
    labels: int


class Way(Struct, frozen=True, kw_only=True):
    """How one check is planned.

    `need(gap, confidence)` is what decides it, None where nothing does; `chance(n_rows, gap, confidence)` that so many
    rows do, None where the method knows no chance; `smallest(n_rows, confidence)` gap that so many see, None if none.
    `counted` names the rows, `assumes` what it takes for granted.
    """

    method: str
    counted: str
    need: Callable[[float, float], Need | None]
    smallest: Callable[[int, float], float | None]
    chance: Callable[[int, float, float], float] | None = None
    assumes: Assumption = ""


class Unplanned(Struct, frozen=True):
    """Why a check cannot be planned, in words, with what to do."""

    why: str


def way_of(check: Check, assumed: Assumed, checks: Sequence[Check]) -> Way | Unplanned:
    """How a check is planned, among all `checks` of its gate."""
    if assumed.method != "exact":
        return _by_bounds(check, assumed, checks)
    if check.costs:
        return _cost(check)
    if check.form in {"gap", "gap-ratio"}:
        return _groups(check, assumed)
    if check.form in {"difference", "value"} and _is_share(check):
        return _pairs(check, assumed) if check.form == "difference" else _share(check, assumed)
    if check.form == "disagreement":
        return _share(check, assumed)
    return _varying(check, assumed)


def _is_share(check: Check) -> bool:
    base, parameter = split_name(check.metric)
    if base == "precision":
        # Of two models each has a denominator of its own.
        return parameter is None and check.form == "value"
    return base in _SHARES and not (base in _RANKED and parameter is not None)


def _varying(check: Check, assumed: Assumed) -> Way | Unplanned:
    if assumed.spread is not None:
        return _by_spread(check, assumed, FEW_ROWS)
    if check.metric == "auc" and check.form != "ratio":
        return _area(check, assumed)
    return Unplanned(
        "give --spread, the standard deviation of one row's part in it (a verdict has it: headway gate show --json)"
    )


def region_of(check: Check) -> "Region":
    """The values that the check asks for."""
    from headway.stats.power_exact import Region

    if check.op == "within":
        return Region(low=check.edges[0], high=check.edges[1])
    return Region(low=check.limit) if check.wants_more else Region(high=check.limit)


# --- shares, exactly ----------------------------------------------------------------------------------------------


def _pairs(check: Check, assumed: Assumed) -> Way:
    from headway.stats import power_exact

    shown = region_of(check)

    # Which rows are positive is not known before they are labelled.
    labelled = assumed.differ if check.words.rows == "rows" else 1.0

    def need(gap: float, confidence: float) -> Need | None:
        truth, region = shown.reached(gap)
        rows = power_exact.rows_for_pairs(assumed.differ, truth, region, confidence, assumed.power)
        return None if rows is None else Need(rows, math.ceil(rows * max(labelled, abs(truth))))

    def chance(n_rows: int, gap: float, confidence: float) -> float:
        truth, region = shown.reached(gap)
        return power_exact.power_of_pairs(n_rows, assumed.differ, truth, region, confidence)

    def smallest(n_rows: int, confidence: float) -> float | None:
        return power_exact.smallest_difference(n_rows, assumed.differ, shown, confidence, assumed.power)

    method = "Tango, continuity-corrected"
    return Way(method=method, counted=check.words.rows, need=need, chance=chance, smallest=smallest, assumes="differ")


def _share(check: Check, assumed: Assumed) -> Way:
    from headway.stats import power_exact

    shown = region_of(check)

    def need(gap: float, confidence: float) -> Need | None:
        truth, region = shown.reached(gap)
        rows = power_exact.rows_for_share(truth, region, confidence, assumed.power) if 0 <= truth <= 1 else None
        # Whether two answers are the same is seen without the true one.
        return None if rows is None else Need(rows, 0 if check.form == "disagreement" else rows)

    def chance(n_rows: int, gap: float, confidence: float) -> float:
        truth, region = shown.reached(gap)
        return power_exact.power_of_share(n_rows, truth, region, confidence)

    def smallest(n_rows: int, confidence: float) -> float | None:
        return power_exact.smallest_distance(n_rows, shown, confidence, assumed.power)

    counted = "rows called positive" if check.metric == "precision" else check.words.rows
    return Way(method="Clopper-Pearson", counted=counted, need=need, chance=chance, smallest=smallest)


# --- by the spread of one row's part ------------------------------------------------------------------------------


def _by_spread(check: Check, assumed: Assumed, fewest: int, spread_at: Callable[[float], float] | None = None) -> Way:
    """By the spread that is assumed, or `spread_at(gap)` where it depends on what is true."""
    from headway.stats import power

    # Groups that are alike may seem to differ either way.
    alike = check.limit if check.form == "gap" else 1 - check.limit if check.form == "gap-ratio" else math.inf
    spread = spread_at or (lambda _: assumed.spread or 0.0)

    def is_within(gap: float) -> bool:
        return check.op == "within" or gap >= alike - 1e-12

    def each(gap: float) -> float:
        # Both ends must be shown: each with half of what may be missed.
        return (1 + assumed.power) / 2 if is_within(gap) else assumed.power

    def need(gap: float, confidence: float) -> Need | None:
        rows = power.rows_to_decide(gap, spread(gap), confidence, each(gap))
        return None if rows is None else Need(max(rows, fewest), max(rows, fewest))

    def chance(n_rows: int, gap: float, confidence: float) -> float:
        if n_rows < fewest:
            return 0.0
        one_end = power.chance_to_decide(n_rows, gap, spread(gap), confidence)
        return max(2 * one_end - 1, 0.0) if is_within(gap) else one_end

    def smallest(n_rows: int, confidence: float) -> float | None:
        if n_rows < fewest:
            return None
        gap = 0.0
        # Its spread hangs on it; a few rounds settle both.
        for _ in range(20):
            gap = power.gap_to_decide(n_rows, spread(gap), confidence, each(gap))
        return gap

    return Way(
        method="t interval",
        counted=check.words.rows,
        need=need,
        chance=chance,
        smallest=smallest,
        assumes="spread",
    )


def _area(check: Check, assumed: Assumed) -> Way | Unplanned:
    from msgspec.structs import replace

    from headway.stats.power import spread_of_area

    if check.form == "value" and not 0 < check.limit < 1:
        return Unplanned("an area of nothing or of all is not shown by any number of rows")
    positives = 0.5 if assumed.positives is None else assumed.positives
    sign = 0 if check.op == "within" else 1 if check.wants_more else -1

    def spread(gap: float) -> float:
        # Two areas whose errors go together by half: the variance of their difference is that of one.
        area = TYPICAL_AREA if check.form == "difference" else check.limit + sign * gap
        return spread_of_area(min(max(area, 0.001), 0.999), positives)

    fewest = math.ceil(FEW_OF_A_CLASS / min(positives, 1 - positives))
    assumes: Assumption = "area" if check.form == "value" else "areas"
    return replace(_by_spread(check, assumed, fewest, spread), method="DeLong", assumes=assumes)


def _groups(check: Check, assumed: Assumed) -> Way | Unplanned:
    """Two groups of as many rows each, whose metric is a share of one half: there it varies most."""
    from msgspec.structs import replace

    counted = f"{check.words.rows} in each group"
    if assumed.spread is not None:
        return replace(_by_spread(check, assumed, FEW_ROWS), counted=counted)
    if not math.isfinite(check.words.highest - check.words.lowest):
        return _varying(check, assumed)
    times = 1.0 if check.form == "gap" else check.limit
    # A gap of a ratio is told in shares of the largest group's metric: half of it in the metric's own numbers.
    scale = 1.0 if check.form == "gap" else 0.5
    way = _by_spread(check, assumed, FEW_ROWS, lambda _: 0.5 * math.sqrt(1 + times * times) / scale)
    return replace(way, method="squared and added", counted=counted, assumes="half")


# --- what serving costs -------------------------------------------------------------------------------------------


def _cost(check: Check) -> Way | Unplanned:
    """Of a quantile what its upper end takes: that one of the timed rows is likely to lie above it."""
    if check.metric == "size_mb":
        return Unplanned("a size is measured once, without rows, and no chance is in it")
    _, _, level = check.metric.removesuffix("_ms").rpartition("_p")
    if not level.isdecimal():
        return Unplanned("the gate times single rows itself, and needs no labels for it")
    quantile = int(level) / 100

    def need(_: float, confidence: float) -> Need | None:
        return Need(math.ceil(math.log(1 - confidence) / math.log(quantile)), 0)

    def smallest(_: int, __: float) -> float | None:
        return None

    return Way(method="order statistics", counted="timed rows", need=need, smallest=smallest)


# --- ease.ml/ci ---------------------------------------------------------------------------------------------------


def _by_bounds(check: Check, assumed: Assumed, checks: Sequence[Check]) -> Way | Unplanned:
    is_theirs = check.form == "disagreement" or (check.metric == "accuracy" and check.form in {"value", "difference"})
    if not is_theirs or check.each:
        return Unplanned(f"--method {assumed.method} knows accuracy and disagreement on all rows: use exact")
    bound = next((c.limit for c in checks if c.form == "disagreement" and c.op in {"<", "<="}), None)

    def need(gap: float, confidence: float) -> Need | None:
        return _bounded(check, assumed, gap, math.log(len(checks)) - math.log(1 - confidence), bound)

    def smallest(n_rows: int, confidence: float) -> float | None:
        low, high = 0.0, 1.0
        if (need(high, confidence) or Need(n_rows + 1, 0)).rows > n_rows:
            return None
        for _ in range(30):
            middle = (low + high) / 2
            found = need(middle, confidence)
            low, high = (low, middle) if found is not None and found.rows <= n_rows else (middle, high)
        return high

    is_bennett = assumed.method == "bennett" and check.form == "difference"
    assumes: Assumption = ("differ" if bound is None else "bound") if is_bennett else ""
    method = "Bennett's bound" if is_bennett else "Hoeffding's bound"
    return Way(method=method, counted="rows", need=need, smallest=smallest, assumes=assumes)


def _bounded(check: Check, assumed: Assumed, gap: float, log_odds: float, bound: float | None) -> Need | None:
    from headway.stats import estimator

    if gap <= 0:
        return None
    if assumed.method != "bennett" or check.form != "difference":
        weights = (1.0, -1.0) if check.form == "difference" else (1.0,)
        rows = math.ceil(estimator.hoeffding(estimator.Clause(weights=weights, tolerance=gap), log_odds))
        return Need(rows, 0 if check.form == "disagreement" else rows)
    if bound is not None:
        # That d keeps the bound is tested by one of the checks, which has its share: the paper's first pattern.
        exact = estimator.bennett(gap, bound, log_odds)
        return Need(math.ceil(exact), math.ceil(bound * exact))
    if assumed.differ <= 0:
        return None
    sample = estimator.pattern_2(gap, assumed.differ, log_odds)
    return Need(math.ceil(sample.rows), math.ceil(sample.labels))
