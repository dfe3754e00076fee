"""A gate's plan: what it takes to decide each check, before a row is labelled. `core/gate_plan_words` tells it.

How a check of each kind is reckoned is `core/gate_ways`' business; here it is decided what is supposed of the truth:
rows needed depend on it, and a model right at a limit is never told from one that breaks it.
"""

import math
from collections.abc import Sequence

from msgspec import Struct

from headway.core.check import Check
from headway.core.check_sense import span
from headway.core.gate_numbers import reach
from headway.core.gate_ways import Assumed, Assumption, Unplanned, Way, way_of
from headway.core.telling import percent

_GAPS = (0.01, 0.02, 0.05)
"""Supposed distances from the limit, where the check itself does not say one."""

_PARTS = (0.05, 0.1, 0.2)
"""The same where the metric has no bounds, in parts of one row's spread."""


class Supposed(Struct, frozen=True, kw_only=True):
    """What it takes if the truth is this: `gap` on the good side of the limit; `truth` says it.

    `rows` and `labels` at the confidence of each ask, `rows_once` if the holdout were asked only once; None: no number
    of rows decides it. `chance` is that of the rows that there are.
    """

    truth: str
    gap: float
    rows: int | None
    labels: int | None
    rows_once: int | None
    chance: float | None = None


class CheckPlan(Struct, frozen=True, kw_only=True):
    """One check's plan, the likeliest supposition first; `smallest` gap that the rows there are can see.

    Its rows are `counted` ones (positive rows), which are a `share` of all; None: it was not said which, and then the
    rows that there are, `n_rows`, are taken as such. `unplanned` says why there is nothing to plan, or what has to be
    known for it. `hopeless`: so many rows cannot pass it whatever they hold, so little may each ask be wrong.
    """

    check: Check
    supposed: tuple[Supposed, ...] = ()
    method: str = ""
    counted: str = ""
    share: float | None = None
    n_rows: int | None = None
    assumes: Assumption = ""
    smallest: float | None = None
    hopeless: bool = False
    unplanned: str = ""


class HoldoutUse(Struct, frozen=True, kw_only=True):
    """How a holdout stands: asked so often, passed so often; None: no budget was given for it yet."""

    path: str
    n_asks: int
    n_passes: int
    budget: int | None
    left: int | None


class GatePlan(Struct, frozen=True, kw_only=True):
    """The plan of a gate: `rows` and `labels` that decide all its checks.

    One ask more would cost the `dearest` check (its place in `checks`) `next_ask` rows more.
    """

    assumed: Assumed
    confidence_of_ask: float
    checks: tuple[CheckPlan, ...]
    rows: int | None
    labels: int | None
    dearest: int | None
    next_ask: int | None
    holdout: HoldoutUse | None = None


def plan(
    checks: Sequence[Check], assumed: Assumed, *, confidence_of_ask: float, holdout: HoldoutUse | None = None
) -> GatePlan:
    """The plan for all checks of a gate, each ask decided at `confidence_of_ask`.

    >>> from headway.core.check_grammar import parse_check
    >>> made = plan([parse_check("new.accuracy - old.accuracy > -0.02")], Assumed(asks=1), confidence_of_ask=0.95)
    >>> made.rows, made.labels, made.checks[0].supposed[0].truth
    (1663, 167, 'both models are equally good')
    """
    plans = tuple(_of_check(check, assumed, checks, confidence_of_ask) for check in checks)
    # How many rows hold so many positive ones, or fill groups, is known only where it was said.
    of_all = [(one.supposed[0], one.share) for one in plans if one.supposed and one.share is not None]
    known = [i for i, one in enumerate(plans) if one.supposed and one.supposed[0].rows is not None]
    dearest = max(known, key=lambda i: plans[i].supposed[0].rows or 0, default=None)
    return GatePlan(
        assumed=assumed,
        confidence_of_ask=confidence_of_ask,
        checks=plans,
        rows=_most([one.rows and math.ceil(one.rows / share) for one, share in of_all]),
        labels=_most([one.labels and math.ceil(one.labels / share) for one, share in of_all]),
        dearest=dearest,
        next_ask=None if dearest is None else _next_ask(plans[dearest], checks, assumed, confidence_of_ask),
        holdout=holdout,
    )


def _most(numbers: Sequence[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return max(known, default=None) if len(known) == len(numbers) else None


def _of_check(check: Check, assumed: Assumed, checks: Sequence[Check], confidence: float) -> CheckPlan:
    way = way_of(check, assumed, checks)
    if isinstance(way, Unplanned):
        return CheckPlan(check=check, unplanned=way.why)
    true = suppositions(check, assumed)
    if not true:
        return CheckPlan(check=check, unplanned=_beyond(check, assumed))
    share = _share_counted(way, assumed)
    n_rows = None if assumed.rows is None else max(1, round(assumed.rows * (share or 1.0)))
    supposed = []
    for gap, truth in true:
        needed, once = way.need(gap, confidence), way.need(gap, assumed.confidence)
        chance = None
        if n_rows is not None and way.chance is not None:
            chance = way.chance(n_rows, gap, confidence)
        supposed.append(
            Supposed(
                truth=truth,
                gap=gap,
                rows=None if needed is None else needed.rows,
                labels=None if needed is None else needed.labels,
                rows_once=None if once is None else once.rows,
                chance=chance,
            )
        )
    return CheckPlan(
        check=check,
        supposed=tuple(supposed),
        method=way.method,
        counted=way.counted,
        share=share,
        n_rows=n_rows,
        assumes=way.assumes,
        smallest=None if n_rows is None else _smallest(check, way, n_rows, confidence),
        hopeless=n_rows is not None and _is_hopeless(check, way, assumed.differ, n_rows, confidence),
    )


def _smallest(check: Check, way: Way, n_rows: int, confidence: float) -> float | None:
    """The smallest gap that is seen, if there can be one as large."""
    gap = way.smallest(n_rows, confidence)
    return gap if gap is not None and gap < _room(check) else None


def _room(check: Check) -> float:
    """How far on the good side of its limit a value can lie."""
    lowest, highest = span(check)
    if check.op == "within":
        return check.limit if check.form == "ratio" else max(highest - check.limit, check.limit - lowest)
    return highest - check.limit if check.wants_more else check.limit - lowest


def _beyond(check: Check, assumed: Assumed) -> str:
    if check.form == "disagreement":
        return f"the models are supposed to differ on {percent(assumed.differ)} of rows, which breaks it: see --differ"
    return "no value can lie so far on the good side of its limit"


def _share_counted(way: Way, assumed: Assumed) -> float | None:
    positives = assumed.positives
    if way.counted == "positive rows":
        return positives or None
    if way.counted == "negative rows":
        return None if positives is None else (1 - positives) or None
    return 1.0 if way.counted == "rows" else None


def _is_hopeless(check: Check, way: Way, differ: float, n_rows: int, confidence: float) -> bool:
    if check.op == "within":
        return False
    from headway.stats.reuse import smallest_alpha_of_pairs, smallest_alpha_of_share

    least = 0.0
    if way.method.startswith("Tango"):
        limit = check.limit if check.wants_more else -check.limit
        least = smallest_alpha_of_pairs(math.ceil(differ * n_rows), n_rows, limit)
    elif way.method == "Clopper-Pearson":
        least = smallest_alpha_of_share(n_rows, check.limit if check.wants_more else 1 - check.limit)
    return least > 1 - confidence


def _next_ask(one: CheckPlan, checks: Sequence[Check], assumed: Assumed, confidence: float) -> int | None:
    """How many rows one more ask costs: by the formula, for exact numbers of rows jump by more than that."""
    from headway.stats.interval import normal_quantile
    from headway.stats.reuse import n_histories

    first = one.supposed[0]
    rows = first.rows or 0
    grown = n_histories(assumed.asks + 1, assumed.passes) / n_histories(assumed.asks, assumed.passes)
    after = 1 - (1 - confidence) / grown
    if assumed.method != "exact":
        way = way_of(one.check, assumed, checks)
        needed = way.need(first.gap, after) if isinstance(way, Way) else None
        return None if needed is None else needed.rows - rows
    power = normal_quantile(assumed.power)
    ratio = (normal_quantile(after) + power) / (normal_quantile(confidence) + power)
    return math.ceil(rows * (ratio * ratio - 1))


# --- what is supposed ---------------------------------------------------------------------------------------------


def suppositions(check: Check, assumed: Assumed) -> list[tuple[float, str]]:
    """What may be true, as far as a check says it: distances on the good side of its limit, each in words.

    A tolerance is one; a loss that is allowed is meant for a model that is as good; else there are three of them.

    >>> from headway.core.check_grammar import parse_check
    >>> suppositions(parse_check("new.accuracy - old.accuracy > 0.02 +/- 0.01"), Assumed())
    [(0.01, 'it is 1 point better than the limit')]
    >>> suppositions(parse_check("new.mae / old.mae <= 1.05"), Assumed())
    [(0.05, 'both models are equally good')]
    """
    if check.costs:
        return [(0.0, "")]
    lowest, highest = span(check)
    if check.op == "within":
        return [(check.tolerance, _in_the_middle(check))] if lowest <= check.limit <= highest else []
    if check.tolerance > 0:
        return [(check.tolerance, _better(check, check.tolerance))] if check.tolerance <= _room(check) else []
    if check.form == "disagreement":
        gap = assumed.differ - check.limit if check.wants_more else check.limit - assumed.differ
        return [(gap, f"they differ on {percent(assumed.differ)} of rows")] if gap > 0 else []
    slack = _slack(check)
    if slack > 0:
        alike = "the groups are alike" if check.form in {"gap", "gap-ratio"} else "both models are equally good"
        return [(slack, alike)]
    return [(gap, _better(check, gap)) for gap in _gaps(check, assumed)]


def _slack(check: Check) -> float:
    """How far on the good side equally good models, or groups that are alike, lie."""
    if check.form == "value":
        return 0.0
    neutral = 1.0 if check.form in {"ratio", "gap-ratio"} else 0.0
    slack = neutral - check.limit if check.wants_more else check.limit - neutral
    return round(slack, 12)


def _gaps(check: Check, assumed: Assumed) -> list[float]:
    room = _room(check)
    gaps: tuple[float, ...] = _GAPS
    if not math.isfinite(check.words.highest) and check.form in {"value", "difference"}:
        gaps = tuple((assumed.spread or 1.0) * part for part in _PARTS)
    within = [gap for gap in gaps if gap < room]
    return within or ([room / 2] if room > 0 else [])


def _better(check: Check, gap: float) -> str:
    return f"it is {reach(check, gap)} better than the limit"


def _in_the_middle(check: Check) -> str:
    neutral = {"difference": 0.0, "ratio": 1.0}.get(check.form)
    return "both models are equally good" if check.limit == neutral else "it lies in the middle"
