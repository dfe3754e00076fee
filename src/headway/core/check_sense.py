"""Refuses checks that can be read but ask nothing: a limit that no value or every value keeps, a ratio that can be -1.

Such a check would refuse every model or let every one through, and is a slip of the pen.
"""

import math

from headway.core.check import Check
from headway.core.check_tokens import Reader

MOST_TIMES = 20.0
"""A ratio with a limit above this was meant in percent: no gate would let a metric grow so many times."""


def refuse_senseless(check: Check, reader: Reader, at: int, *, is_own: bool = False) -> None:
    """Raises CheckUnreadable, which points to `at`, where the check compares, if the check asks nothing.

    `is_own`: the metric is the user's, so nothing is known of its values.
    """
    if check.form in {"ratio", "gap-ratio"}:
        _refuse_ratio(check, reader, at, is_own=is_own)
    lowest, highest = span(check)
    if check.op == "within":
        low, high = check.edges
        is_senseless = high < lowest or low > highest or (low <= lowest and high >= highest)
        number = check.tolerance
    else:
        limit = number = check.limit
        at_an_end = (limit == highest and check.op in {">", "<="}) or (limit == lowest and check.op in {"<", ">="})
        is_senseless = not lowest <= limit <= highest or at_an_end
        if not is_senseless and check.tolerance > 0:
            is_senseless, number = check.tolerance >= highest - lowest, check.tolerance
    if is_senseless:
        told = f"{_what(check)} runs from {lowest:g} to {highest:g}, so this holds always or never"
        raise reader.fault(at, told, _mended(number, lowest, highest))


def span(check: Check) -> tuple[float, float]:
    """The values that the check's form can take."""
    lowest, highest = check.words.lowest, check.words.highest
    return {
        "value": (lowest, highest),
        "difference": (lowest - highest, highest - lowest),
        "ratio": (0.0, math.inf),
        "disagreement": (0.0, 1.0),
        "gap": (0.0, highest - lowest),
        "gap-ratio": (0.0, 1.0),
    }[check.form]


def _what(check: Check) -> str:
    return {
        "value": check.metric,
        "difference": f"a difference of {check.metric}",
        "ratio": f"a ratio of {check.metric}",
        "disagreement": check.metric,
        "gap": f"a gap of {check.metric}",
        "gap-ratio": f"a ratio of groups' {check.metric}",
    }[check.form]


def _mended(number: float, lowest: float, highest: float) -> str:
    hundredth = number / 100
    is_percent = lowest < hundredth < highest and abs(number) > 1
    return f"write {hundredth:g} if {number:g} % was meant" if is_percent else "mend the number"


def _refuse_ratio(check: Check, reader: Reader, at: int, *, is_own: bool) -> None:
    metric = check.metric
    if check.words.lowest < 0 and not is_own:
        instead = f"new.{metric} - old.{metric}" if check.form == "ratio" else f"gap(new.{metric} by {check.by})"
        raise reader.fault(at, f"{metric} can be negative, and then a ratio says nothing", f"write {instead}")
    if check.limit <= 0:
        raise reader.fault(
            at, f"{_what(check)} is above 0, and so is its limit", "write 1 for no change, 0.95 for 5 % less"
        )
    if check.op == "within" and check.tolerance >= check.limit:
        told = f"the tolerance of a ratio is smaller than what it is around, {check.limit:g}"
        raise reader.fault(at, told, _mended(check.tolerance, 0, check.limit))
    if check.limit > MOST_TIMES:
        told = f"{check.limit:g} times the value lets everything through or nothing"
        raise reader.fault(at, told, f"write {check.limit / 100:g} if {check.limit:g} % was meant")
