"""The numbers of a check in its sentence: in percent, points, ms or plain, with the digits that tell them apart.

A ratio is told as the change in percent, `+7.5` for 1.075. `core/gate_words` makes the sentences; decides nothing.
"""

import math
from collections.abc import Callable

from headway.core.check import Check, Evidence
from headway.core.check_sense import span
from headway.core.telling import number

MOST_DECIMALS = 9
"""Anything smaller is told as zero."""


def told(check: Check, value: float, decimals: int) -> str:
    """What a check measures, or an end of its range; a change with its sign. Without a unit.

    >>> from headway.core.check_grammar import parse_check
    >>> told(parse_check("new.mae / old.mae < 1.05"), 1.075, 1), told(parse_check("new.mae < 2000"), 1234.5, 0)
    ('+7.5', '1,234')
    """
    # Adding 0.0 makes a rounded -0.0 a plain zero.
    rounded = round(_shown(check, value), decimals) + 0.0
    return f"{rounded:{'+' if _is_change(check) else ''},.{decimals}f}"


def unit(check: Check) -> str:
    """The unit of what a check measures, behind a blank; nothing for plain numbers."""
    if check.form in {"ratio", "disagreement", "gap-ratio"}:
        return " %"
    if check.words.percent:
        return " %" if check.form == "value" else " points"
    return unit_of_metric(check)


def unit_of_metric(check: Check) -> str:
    """The unit of the metric of one model, behind a blank.

    >>> from headway.core.check_grammar import parse_check
    >>> [unit_of_metric(parse_check(text)) for text in ("new.size_mb < 5", "new.recall - old.recall > 0")]
    [' MB', ' %']
    """
    if check.costs:
        return " MB" if check.metric == "size_mb" else " ms"
    return " %" if check.words.percent else ""


def amount(check: Check, value: float) -> str:
    """How much a limit asks for, without its sign, with its unit: `2 points` for -0.02, `5 %` for a ratio of 1.05.

    >>> from headway.core.check_grammar import parse_check
    >>> check = parse_check("new.recall - old.recall > -0.01")
    >>> amount(check, check.limit), amount(check, -0.025)
    ('1 point', '2.5 points')
    """
    much = number(float(f"{abs(_shown(check, value)):.12g}"))
    return much + (" point" if unit(check) == " points" and much == "1" else unit(check))


def reach(check: Check, tolerance: float) -> str:
    """A tolerance, which is a distance: of shares in points."""
    much = number(float(f"{tolerance * _scale(check):.12g}"))
    if _scale(check) == 1:
        return much + unit(check)
    return f"{much} point{'s' * (much != '1')}"


def of_model(check: Check, values: tuple[float, ...], value: float) -> str:
    """The metric of one model or group, with no more digits than one looks at; `values` are those told together."""
    scale = 100.0 if check.words.percent else 1.0
    return f"{value * scale + 0.0:,.{_few_of_metric(check, max(map(abs, values)))}f}"


def decimals(check: Check, evidence: Evidence) -> int:
    """As many as it takes to show on which side of each edge each number is, and that the range is one."""
    numbers = [n for n in (evidence.estimate, evidence.low, evidence.high) if n is not None]
    few = few_decimals(check, max(map(abs, [*numbers, *check.edges])))
    for places in range(few, few + 5):
        apart = [(n, edge) for n in numbers for edge in check.edges]
        if evidence.low is not None and evidence.high is not None:
            apart.append((evidence.low, evidence.high))
        if not any(_look_alike(check, one, other, places) for one, other in apart if one != other):
            return places
    return few


def few_decimals(check: Check, largest: float) -> int:
    """One decimal of a percentage, three of a share, three digits of a number that has no bounds."""
    return 1 if _scale(check) == 100 else _few_of_metric(check, largest)


def lenient(check: Check, evidence: Evidence) -> str | None:
    """What would have let the check pass, `a limit of 0.035`; None where no number that can be written would."""
    low, high = evidence.low, evidence.high
    lowest, highest = span(check)
    if check.op == "within":
        if low is None or high is None:
            return None
        needed = max(high - check.limit, check.limit - low)
        most = check.limit if check.form == "ratio" else highest - lowest
        bounds = (low, high)
        written = _outside(
            check, needed, 1, lambda reach: check.limit - reach <= bounds[0] and bounds[1] <= check.limit + reach
        )
        return f"a tolerance of {written}" if float(written) < most else None
    nearest = low if check.wants_more else high
    if nearest is None:
        return None
    step = -1 if check.wants_more else 1
    least = 0.0 if check.op in {">=", "<="} else math.ulp(nearest)
    written = _outside(check, nearest, step, lambda limit: (limit - nearest) * step >= least)
    return f"a limit of {written}" if lowest < float(written) < highest else None


def _outside(check: Check, nearest: float, step: int, passes: Callable[[float], bool]) -> str:
    """The next number outside of the range that passes, to two digits at least, written as the user would write it."""
    digits = 0 if nearest == 0 else min(max(1 - math.floor(math.log10(abs(nearest))), 0), MOST_DECIMALS)
    places = max(few_decimals(check, abs(nearest)) + (2 if _scale(check) == 100 else 0), digits)
    tens = 10.0**places
    many = math.floor(nearest * tens) if step < 0 else math.ceil(nearest * tens)
    written = f"{many / tens:.{places}f}"
    return written if passes(float(written)) else f"{(many + step) / tens:.{places}f}"


def _few_of_metric(check: Check, largest: float) -> int:
    if check.words.percent:
        return 1
    if math.isfinite(check.words.highest) or largest == 0:
        return 3
    return min(max(2 - math.floor(math.log10(largest)), 0), MOST_DECIMALS)


def _is_change(check: Check) -> bool:
    return check.form in {"difference", "ratio"}


def _scale(check: Check) -> float:
    return 100.0 if unit(check) in {" %", " points"} else 1.0


def _shown(check: Check, value: float) -> float:
    return (value - 1 if check.form == "ratio" else value) * _scale(check)


def _look_alike(check: Check, one: float, other: float, places: int) -> bool:
    return round(_shown(check, one), places) == round(_shown(check, other), places)
