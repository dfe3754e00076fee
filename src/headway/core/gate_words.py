"""A judged check in a sentence or two: the rule, what was found, on how many rows, and what follows from it.

For somebody who knows the product and not statistics. Decides nothing: `core/gate` hands the outcome in.
"""

import math
from typing import Literal

from headway.core.check import Check, Evidence
from headway.stats.power import rows_to_decide

POWER = 0.8
"""The chance at which "so many more rows would decide it" is meant."""

MOST_DECIMALS = 9
"""Anything smaller is told as zero."""


def explain(check: Check, evidence: Evidence, outcome: Literal["pass", "fail", "unsure"]) -> str:
    """The rule, the finding, the rows and the advice.

    >>> from headway.core.check_grammar import parse_check
    >>> check = parse_check("new.recall - old.recall > -0.02")
    >>> recall = Evidence(metric="recall", estimate=-0.01, low=-0.035, high=0.014, new=0.79, old=0.8, n_rows=310,
    ...     n_differ=19, spread=0.247, method="Tango", confidence=0.95)
    >>> print(explain(check, recall, "unsure"))
    recall may not fall by more than 2 points: it went from 80.0 to 79.0 %, -1.0 points, range -3.5 to +1.4
    (310 positive rows, the models differ on 19). About 3,500 more positive rows would decide it 4 times in 5;
    a limit of -0.035 would let it pass.
    """
    rows = f"{evidence.n_rows:,} {check.words.rows}"
    if evidence.n_differ is not None:
        rows += f", the models differ on {evidence.n_differ:,}"
    advice = {"pass": _on_pass, "fail": _on_fail, "unsure": _on_unsure}[outcome]
    return f"{check.metric} {_rule(check)}: {_finding(check, evidence)} ({rows}). {advice(check, evidence)}"


def _rule(check: Check) -> str:
    is_strict = check.op in {">", "<"}
    if not check.compares:
        more, less = ("above", "below") if is_strict else ("at least", "at most")
        return f"must be {more if check.wants_more else less} {_limit(check)}"
    good, bad = ("rise", "fall") if check.wants_more else ("fall", "rise")
    if check.limit == 0:
        return f"must {good}" if is_strict else f"may not {bad}"
    if (check.limit > 0) == check.wants_more:
        return f"must {good} by {'more than' if is_strict else 'at least'} {_limit(check)}"
    return f"may not {bad} by more than {_limit(check)}"


def _finding(check: Check, evidence: Evidence) -> str:
    decimals = _decimals(check, evidence)
    if not check.compares:
        return (
            f"it is {_number(check, evidence.estimate, decimals)}{_percent(check)}, {_range(check, evidence, decimals)}"
        )
    went = f"it moved by {_number(check, evidence.estimate, decimals)}{_points(check)}"
    if evidence.old is not None and evidence.new is not None:
        # The two values themselves need no more digits than the reader would look at.
        few = _few_decimals(check, max(abs(evidence.old), abs(evidence.new)))
        old, new = (f"{value * _scale(check):.{few}f}" for value in (evidence.old, evidence.new))
        moved = _number(check, evidence.estimate, decimals)
        went = f"it went from {old} to {new}{_percent(check)}, {moved}{_points(check)}"
    return f"{went}, {_range(check, evidence, decimals)}"


def _range(check: Check, evidence: Evidence, decimals: int) -> str:
    low, high = evidence.low, evidence.high
    if low is None and high is None:
        return "range unknown"
    from_low = "from below" if low is None else _number(check, low, decimals)
    to_high = "and up" if high is None else f"to {_number(check, high, decimals)}"
    return f"range {from_low} {to_high}"


def _on_pass(_: Check, evidence: Evidence) -> str:
    return f"A model that breaks this rule gets through {_odds(evidence)}."


def _on_fail(check: Check, evidence: Evidence) -> str:
    instead = "Keep the champion, or train a better challenger" if check.compares else "Train a better model"
    return f"{instead}; a model that keeps this rule is refused {_odds(evidence)}."


def _on_unsure(check: Check, evidence: Evidence) -> str:
    nearest = evidence.low if check.wants_more else evidence.high
    if nearest is None:
        return f"Too few rows tell for a range ({evidence.method}): measure on more {check.words.rows}."
    allow = f"a limit of {_lenient(check, nearest)} would let it pass"
    needed = _rows_needed(check, evidence)
    if needed is None:
        return f"The value lies so near the limit that no number of rows decides it; {allow}."
    # The formula takes the data as they are; where it says that they should have sufficed, a tenth more is a fair step.
    more = _rounded(max(needed - evidence.n_rows, evidence.n_rows / 10, 1))
    return f"About {more:,} more {check.words.rows} would decide it 4 times in 5; {allow}."


def _rows_needed(check: Check, evidence: Evidence) -> int | None:
    if evidence.spread is None:
        return None
    gap = abs(evidence.estimate - check.limit)
    # A share that is `gap` off its limit has at least this spread there, even if no row was seen to vary.
    least = math.sqrt(gap) if math.isfinite(check.words.highest) else 0.0
    return rows_to_decide(gap, max(evidence.spread, least), evidence.confidence, POWER)


def _rounded(rows: float) -> int:
    """Two digits: the number is an estimate, and should look like one."""
    unit = 10.0 ** max(math.floor(math.log10(rows)) - 1, 0)
    return round(math.ceil(rows / unit) * unit)


def _odds(evidence: Evidence) -> str:
    alpha, out_of = 1 - evidence.confidence, 100
    while round(alpha * out_of, 6) < 1:
        out_of *= 10
    times = round(alpha * out_of, 2)
    bound = "about" if evidence.approximate else "at most"
    return f"{bound} {times:g} time{'s' * (times != 1)} in {out_of:,}"


# --- numbers -----------------------------------------------------------------------------------------------------


def _scale(check: Check) -> float:
    return 100.0 if check.words.percent else 1.0


def _percent(check: Check) -> str:
    return " %" if check.words.percent else ""


def _points(check: Check) -> str:
    return " points" if check.words.percent else ""


def _limit(check: Check) -> str:
    told = f"{abs(check.limit) * _scale(check):g}"
    if not check.compares:
        return told + _percent(check)
    return told + (" point" if check.words.percent and told == "1" else _points(check))


def _number(check: Check, value: float, decimals: int) -> str:
    # Adding 0.0 makes a rounded -0.0 a plain zero.
    told = round(value * _scale(check), decimals) + 0.0
    return f"{told:+.{decimals}f}" if check.compares else f"{told:.{decimals}f}"


def _lenient(check: Check, nearest: float) -> str:
    """A limit just outside of the range, to two digits at least, written as the user would write it."""
    digits = 0 if nearest == 0 else min(max(1 - math.floor(math.log10(abs(nearest))), 0), MOST_DECIMALS)
    decimals = max(_few_decimals(check, abs(nearest)) + (2 if check.words.percent else 0), digits)
    unit = 10.0**decimals
    outside = math.floor(nearest * unit) / unit if check.wants_more else math.ceil(nearest * unit) / unit
    return f"{outside:.{decimals}f}"


def _few_decimals(check: Check, largest: float) -> int:
    """One decimal of a percentage, three of a share, three digits of a number that has no bounds."""
    if check.words.percent:
        return 1
    if math.isfinite(check.words.highest) or largest == 0:
        return 3
    return min(max(2 - math.floor(math.log10(largest)), 0), MOST_DECIMALS)


def _decimals(check: Check, evidence: Evidence) -> int:
    """As many as it takes to show on which side of the limit each number is, and that the range is one."""
    told = (evidence.estimate, evidence.low, evidence.high)
    numbers = [number for number in told if number is not None]
    few = _few_decimals(check, max(map(abs, [*numbers, check.limit])))
    for decimals in range(few, few + 5):
        apart = [(number, check.limit) for number in numbers]
        if evidence.low is not None and evidence.high is not None:
            apart.append((evidence.low, evidence.high))
        if not any(_look_alike(check, one, other, decimals) for one, other in apart if one != other):
            return decimals
    return few


def _look_alike(check: Check, one: float, other: float, decimals: int) -> bool:
    scale = _scale(check)
    return round(one * scale, decimals) == round(other * scale, decimals)
