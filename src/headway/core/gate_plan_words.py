"""A gate's plan in words: for each check the rule, what it takes and what the rows there are can see; then the budget.

For somebody who decides what labels are paid for. Reckons nothing; `core/gate_plan` did.
"""

import math

from headway.core.check_words import rule, short
from headway.core.gate_numbers import reach
from headway.core.gate_plan import CheckPlan, GatePlan, HoldoutUse, Supposed
from headway.core.gate_ways import TYPICAL_AREA
from headway.core.telling import number, percent

MOST_EXACT = 10_000
"""Larger numbers of rows are told to three digits: they rest on suppositions, and should look like it."""


def tell(plan: GatePlan) -> list[str]:
    """The plan in lines, each check's indented below it.

    >>> from headway.core.check_grammar import parse_check
    >>> from headway.core.gate_plan import plan
    >>> from headway.core.gate_ways import Assumed
    >>> check = parse_check("new.accuracy - old.accuracy > -0.02")
    >>> for line in tell(plan([check], Assumed(asks=1, rows=1000), confidence_of_ask=0.95)):
    ...     print(line)
    new.accuracy - old.accuracy > -0.02
      accuracy may not fall by more than 2 points
      if both models are equally good: 1,663 rows; labels for 167, those on which the models differ
      1,000 rows: it passes 60 times in 100 then, and 4 times in 5 only if it is 2.6 points better than the limit
    Each check is decided 4 times in 5: a model that breaks one gets through at most 5 times in 100.
    Two asks of one holdout instead of one would take about 450 rows more.
    Taken for granted: the models differ on 10 % of rows (--differ).
    """
    lines = []
    for one in plan.checks:
        lines += [one.check.text, *(f"  {line}" for line in _of_check(one, plan))]
    if any(one.supposed for one in plan.checks):
        lines += _together(plan)
        lines += _assumptions(plan)
    if plan.holdout is not None:
        lines.append(_of_holdout(plan.holdout))
    return lines


# --- one check ----------------------------------------------------------------------------------------------------


def _of_check(one: CheckPlan, plan: GatePlan) -> list[str]:
    where = f" in each {short(' and '.join(one.check.each))}" if one.check.each else ""
    lines = [rule(one.check, where)]
    if one.unplanned:
        return [*lines, f"not planned: {one.unplanned}"]
    lines += [_supposed(one, supposed, is_bound=plan.assumed.method != "exact") for supposed in one.supposed]
    if one.check.each:
        lines.append(
            f"so many in each {short(' and '.join(one.check.each))}; Holm's correction for their number comes on top"
        )
    if one.n_rows is not None:
        lines.append(_with_rows(one, one.n_rows, plan))
    return lines


def _supposed(one: CheckPlan, supposed: Supposed, *, is_bound: bool) -> str:
    if one.check.costs:
        return f"at least {about(supposed.rows or 0)} {one.counted}; the gate times them itself"
    # A bound knows no chance of passing: the value is known to so much, wherever it lies.
    begin = f"to within {reach(one.check, supposed.gap)}: " if is_bound else f"if {supposed.truth}: "
    if supposed.rows is None or supposed.labels is None:
        return f"{begin}no number of rows decides it"
    rows = f"{begin}{about(supposed.rows)} {one.counted}"
    if one.share is not None and one.share < 1:
        rows += f", as {about(math.ceil(supposed.rows / one.share))} rows hold"
    if supposed.labels == supposed.rows:
        return rows
    if supposed.labels == 0:
        return f"{rows}; none needs a label"
    return f"{rows}; labels for {about(supposed.labels)}, those on which the models differ"


def _with_rows(one: CheckPlan, n_rows: int, plan: GatePlan) -> str:
    told = f"{n_rows:,} {one.counted}{' in one of them' if one.check.each else ''}"
    if one.hopeless:
        return (
            f"{told}: it can never pass, so little is left for each ask; allow fewer asks or passes, or use more rows"
        )
    first = one.supposed[0]
    if one.check.costs:
        return f"{told}: {'enough' if n_rows >= (first.rows or 0) else 'too few'}"
    seen = "nothing is seen" if one.smallest is None else _gap(one, one.smallest, often(plan.assumed.power))
    if first.chance is None:
        return f"{told}: {seen}"
    return f"{told}: it passes {_times(first.chance)} then, and {seen}"


def _gap(one: CheckPlan, gap: float, power: str) -> str:
    # Three digits, rounded up: what is told is seen.
    digits = 2 - math.floor(math.log10(gap)) if gap > 0 else 0
    upwards = math.ceil(gap * 10.0**digits - 1e-9) / 10.0**digits
    if one.supposed[0].chance is None:
        return f"the value is known to within {reach(one.check, upwards)}"
    if one.check.op == "within":
        return f"{power} if {reach(one.check, upwards)} to either side were allowed"
    return f"{power} only if it is {reach(one.check, upwards)} better than the limit"


def _times(chance: float) -> str:
    hundred = chance * 100
    if hundred < 0.5:
        return "hardly ever"
    if hundred > 99.5:
        return "nearly always"
    return f"{hundred:.0f} times in 100"


# --- all of them --------------------------------------------------------------------------------------------------


def _together(plan: GatePlan) -> list[str]:
    assumed = plan.assumed
    most = number(float(f"{(1 - assumed.confidence) * 100:.6g}"))
    promise = f"at most {most} time{'s' * (most != '1')} in 100"
    asks = "" if assumed.asks == 1 else f", each ask at {_near_all(plan.confidence_of_ask)} %"
    end = "a first pass" if assumed.passes == 1 else f"{assumed.passes:,} passes"
    in_all = "" if assumed.asks == 1 else f"in all {assumed.asks:,} asks of one holdout, which end with {end}, "
    if assumed.method == "exact":
        decided = f"Each check is decided {often(assumed.power)}{asks}"
        lines = [f"{decided}: {in_all}a model that breaks one gets through {promise}."]
    else:
        lines = [f"All values are known to so much{asks}: {in_all}one lies farther off {promise}."]
    is_whole = all(one.share is not None for one in plan.checks if one.supposed and not one.check.costs)
    if len(plan.checks) > 1 and is_whole and plan.rows is not None and plan.labels is not None:
        lines.append(f"All of them on the same rows: {about(plan.rows)}, with {about(plan.labels)} labels.")
    if plan.dearest is not None and plan.next_ask is not None:
        lines.append(_asks(plan, plan.checks[plan.dearest], plan.next_ask))
    return lines


def _near_all(share: float) -> str:
    """In percent, with as many digits as tell it from 100."""
    digits = 1 - math.floor(math.log10((1 - share) * 100))
    return f"{share * 100:.{max(digits, 0)}f}".rstrip("0").rstrip(".") if digits > 0 else f"{share * 100:.0f}"


def _asks(plan: GatePlan, one: CheckPlan, next_ask: int) -> str:
    more = f"about {about(_two_digits(next_ask))} {one.counted} more"
    of_which = f" for {one.check.text}" if len(plan.checks) > 1 else ""
    if plan.assumed.asks == 1:
        return f"Two asks of one holdout instead of one would take {more}{of_which}."
    once = one.supposed[0].rows_once
    begin = "" if once is None else f"Asked only once, {about(once)} {one.counted} would do{of_which}; "
    told = f"{begin}one ask more than {plan.assumed.asks:,} takes {more}."
    return told[0].upper() + told[1:]


def _assumptions(plan: GatePlan) -> list[str]:
    assumed = plan.assumed
    kinds = {one.assumes for one in plan.checks if one.supposed}
    positives = percent(0.5 if assumed.positives is None else assumed.positives)
    told = {
        "differ": f"the models differ on {percent(assumed.differ)} of rows (--differ)",
        "bound": "the models differ on as many rows as a check allows at most",
        "spread": f"one row's part varies by {number(assumed.spread or 0.0)} (--spread)",
        "area": f"{positives} of rows are positive (--positives)",
        "areas": f"areas near {TYPICAL_AREA:g} whose errors go half together, {positives} positive rows (--positives)",
        "half": "a metric of one half in each group, where it varies most (else give --spread)",
    }
    return [f"Taken for granted: {text}." for kind, text in told.items() if kind in kinds]


def _of_holdout(use: HoldoutUse) -> str:
    if use.budget is None or use.left is None:
        asked = f"asked {use.n_asks:,} times without a budget" if use.n_asks else "was never asked"
        return f"Holdout {use.path}: {asked}; the first gate that asks it sets its budget."
    passes = f"{use.n_passes:,} pass{'es' * (use.n_passes != 1)}"
    told = f"Holdout {use.path}: asked {use.n_asks:,} of {use.budget:,} times, {passes}"
    if use.left == 0:
        return f"{told}. It is spent: fresh rows start a new budget."
    after = "After the next ask it is spent" if use.left == 1 else f"{use.left:,} asks are left"
    return f"{told}. {after}."


def often(power: float) -> str:
    """How often a check is decided.

    >>> often(0.8), often(0.95)
    ('4 times in 5', '95 times in 100')
    """
    return "4 times in 5" if power == 0.8 else f"{number(float(f'{power * 100:.6g}'))} times in 100"


def about(rows: int) -> str:
    """A number of rows, a large one to three digits, upwards.

    >>> about(1663), about(620361)
    ('1,663', '621,000')
    """
    if rows <= MOST_EXACT:
        return f"{rows:,}"
    tens = 10 ** (len(str(rows)) - 3)
    return f"{math.ceil(rows / tens) * tens:,}"


def _two_digits(rows: int) -> int:
    tens: int = 10 ** max(len(str(rows)) - 2, 0)
    return math.ceil(rows / tens) * tens
