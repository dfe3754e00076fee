"""Many slices judged as one check: `new.recall - old.recall > -0.02 for each region`.

A slice is `measure`d at any confidence by whoever has its rows; here is decided at which. Pure, like `core/gate`.

Of many slices one seems to break a rule by chance sooner or later, so a slice is said to break it only if it does at
the level that the correction leaves it. That it keeps the rule needs no correction. To `veto`, a slice must be shown to
break the rule; to `prove` it, every slice must be shown to keep it.
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from headway.core.check import Check, Evidence
from headway.core.gate import CheckVerdict, SliceVerdict, side
from headway.core.gate_words import explain_slice, explain_slices
from headway.errors import HeadwayError

Mode = Literal["veto", "prove"]
"""What slices are for: to hinder what harms one of them, or to let pass only what is shown to harm none."""

Multiplicity = Literal["holm", "bh", "none"]
"""How it is corrected that there are many: no false alarm at all, few among the alarms, or not."""


class Slicing(Struct, frozen=True, kw_only=True):
    """How slices are judged; one with fewer than `min_rows` rows that count for the metric is too small to tell."""

    mode: Mode = "veto"
    multiplicity: Multiplicity = "holm"
    min_rows: int = 30


class Part(Struct, frozen=True, kw_only=True):
    """A slice: `region=south`, and how many rows it has."""

    name: str
    n_rows: int


Found = Evidence | HeadwayError
"""What is known of a slice, or why nothing is."""

Measure = Callable[[int, float], Found]
"""Measures the slice of this number at a confidence."""


def judge_slices(
    check: Check, parts: Sequence[Part], measure: Measure, slicing: Slicing, confidence: float
) -> CheckVerdict:
    """What all slices say together. `measure` is asked again at other levels for those that seem to break the rule."""
    found = {i: measure(i, confidence) for i in range(len(parts))}
    large = {i for i, part in enumerate(parts) if _counted(part, found[i]) >= slicing.min_rows}
    suspects = [i for i in sorted(large) if _is_broken(check, found[i])]

    def broken_at(some: Sequence[int], level: float) -> list[int]:
        found.update({i: measure(i, 1 - level) for i in some})
        return [i for i in some if _is_broken(check, found[i])]

    _correct[slicing.multiplicity](suspects, len(large), 1 - confidence, broken_at)
    judged = [_judged(check, part, found[i], is_small=i not in large) for i, part in enumerate(parts)]
    judged.sort(key=lambda one: _harm(check, one))
    outcome = _outcome(judged, slicing.mode)
    why = _why(check, judged, slicing.mode, outcome)
    return CheckVerdict(check=check, outcome=outcome, why=why, slices=tuple(judged))


# --- correcting for their number ---------------------------------------------------------------------------------

_Again = Callable[[Sequence[int], float], list[int]]
"""Measures slices at another level; which of them break the rule there."""


def _holm(suspects: Sequence[int], n_slices: int, alpha: float, broken_at: _Again) -> None:
    """Holm's steps, by levels instead of p-values: those rejected need no part of alpha any more.

    An interval leaves out the limit where its p-value is at most the level, so that both reject the same.
    """
    open_ones, n_rejected = list(suspects), 0
    while open_ones:
        broken = broken_at(open_ones, alpha / (n_slices - n_rejected))
        if not broken:
            return
        n_rejected += len(broken)
        open_ones = [i for i in open_ones if i not in broken]


def _benjamini_hochberg(suspects: Sequence[int], n_slices: int, alpha: float, broken_at: _Again) -> None:
    """The largest k of which k break the rule at alpha * k / m, found from above."""
    n_broken = len(suspects)
    while n_broken and (n_still := len(broken_at(suspects, alpha * n_broken / n_slices))) < n_broken:
        n_broken = n_still


def _not_at_all(suspects: Sequence[int], n_slices: int, alpha: float, broken_at: _Again) -> None:
    """Each slice as if it were the only one."""


_correct: dict[Multiplicity, Callable[[Sequence[int], int, float, _Again], None]] = {
    "holm": _holm,
    "bh": _benjamini_hochberg,
    "none": _not_at_all,
}


# --- judging -----------------------------------------------------------------------------------------------------


def _counted(part: Part, found: Found) -> int:
    """The rows that count for the metric: of recall the positive ones."""
    return min(part.n_rows, found.n_rows) if isinstance(found, Evidence) else part.n_rows


def _is_broken(check: Check, found: Found) -> bool:
    return isinstance(found, Evidence) and _is_finite(found) and side(check, found) == "fail"


def _is_finite(found: Evidence) -> bool:
    return all(math.isfinite(number) for number in (found.estimate, found.low or 0.0, found.high or 0.0))


def _judged(check: Check, part: Part, found: Found, *, is_small: bool) -> SliceVerdict:
    if not isinstance(found, Evidence) or not _is_finite(found):
        problem = found.problem if isinstance(found, HeadwayError) else "the measured value is no number"
        rows = f"{part.n_rows:,} row{'s' * (part.n_rows != 1)}"
        outcome: Literal["small", "unsure"] = "small" if is_small else "unsure"
        return SliceVerdict(name=part.name, outcome=outcome, why=f"{part.name} ({rows}): {problem}")
    told = "unsure" if is_small else side(check, found)
    return SliceVerdict(
        name=part.name,
        outcome="small" if is_small else told,
        why=explain_slice(check, part.name, found, told),
        evidence=found,
    )


def _harm(check: Check, one: SliceVerdict) -> tuple[int, float, str]:
    """The most harmful first: what is shown to break the rule, then by the value itself; too small ones last."""
    rank = {"fail": 0, "unsure": 1, "pass": 1, "small": 2}[one.outcome]
    return rank, math.inf if one.evidence is None else -_excess(check, one.evidence.estimate), one.name


def _excess(check: Check, value: float) -> float:
    """How far a value lies on the bad side of the limit; below 0 on the good one."""
    if check.op == "within":
        return abs(value - check.limit) - check.tolerance
    return check.limit - value if check.wants_more else value - check.limit


def _outcome(judged: Sequence[SliceVerdict], mode: Mode) -> Literal["pass", "fail", "unsure"]:
    outcomes = {one.outcome for one in judged}
    if "fail" in outcomes:
        return "fail"
    if mode == "prove":
        return "pass" if outcomes == {"pass"} else "unsure"
    return "pass" if any(_tells(one) for one in judged) else "unsure"


def _tells(one: SliceVerdict) -> bool:
    """Whether a slice could have been shown to break the rule: it is large enough, and something bounds its value."""
    found = one.evidence
    return one.outcome != "small" and found is not None and not (found.low is None and found.high is None)


# --- telling -----------------------------------------------------------------------------------------------------


def _why(check: Check, judged: Sequence[SliceVerdict], mode: Mode, outcome: str) -> str:
    n_small = sum(one.outcome == "small" for one in judged)
    said = explain_slices(
        check,
        len(judged),
        next(((one.name, one.evidence) for one in judged if one.evidence is not None), None),
        sum(one.outcome == "fail" for one in judged),
        n_small,
        _could_hide(check, judged),
        n_proved=sum(one.outcome == "pass" for one in judged) if mode == "prove" else None,
    )
    mute = [one for one in judged if one.outcome == "unsure" and not _tells(one)]
    if outcome == "unsure" and mode == "veto" and n_small < len(judged) and mute:
        said += f" But nothing bounds any of them: {mute[0].why}."
    return said


def _could_hide(check: Check, judged: Sequence[SliceVerdict]) -> float | None:
    """The worst value that the ranges of those too small leave open; None where one of them has no such end."""
    ends: list[float] = []
    for one in judged:
        if one.outcome != "small":
            continue
        if one.evidence is None:
            return None
        within = check.op == "within"
        found = [one.evidence.low] * (within or check.wants_more) + [one.evidence.high] * (not check.wants_more)
        if None in found:
            return None
        ends += [end for end in found if end is not None]
    return max(ends, key=lambda end: _excess(check, end), default=None)
