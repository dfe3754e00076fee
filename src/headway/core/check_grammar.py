"""Reads the language of a gate's checks: `new.recall >= 0.7`, `new.auc - old.auc > -0.01`."""

import math
from collections.abc import Sequence

from headway.core.check import Check, Form, Op
from headway.core.metric import WORDS
from headway.errors import CheckUnreadable, Fault, FileFaulty

_NOT_YET = {
    "for each": "checks for each slice are not built yet",
    "within": "checks within a tolerance are not built yet",
    ".latency": "latency is not a metric yet",
    ".size": "size is not a metric yet",
    ".rmse": "rmse is not a metric yet",
    "disagreement": "disagreement is not a metric yet",
    ".ece": "ece is not a metric, for a perfect model's is far from 0",
}
_INSTEAD = {".rmse": "mse orders models alike: write new.mse", ".ece": "gate on new.brier - old.brier or on log_loss"}

_FORMS = "`new.METRIC OP NUMBER` or `new.METRIC - old.METRIC OP NUMBER`, OP being >=, >, <= or <"


def parse_check(text: str) -> Check:
    """Read one check.

    Raises CheckUnreadable, with the column where it went wrong and what could have been meant.

    >>> check = parse_check("new.accuracy - old.accuracy > -0.01")
    >>> check.metric, check.compares, check.op, check.limit
    ('accuracy', True, '>', -0.01)
    """
    _refuse_not_yet(text)
    start = next((i for i, c in enumerate(text) if c in "<>=!≥≤"), -1)
    if start < 0:
        raise _fault(text, len(text), "it compares with nothing", f"write {_FORMS}")
    op = _read_op(text, start)
    metric, compares = _read_side(text, text[:start])
    limit = _read_limit(text, start + len(op))
    _refuse_senseless(text, start, metric, compares=compares, op=op, limit=limit)
    form: Form = "difference" if compares else "value"
    return Check(text=text.strip(), metric=metric, form=form, op=op, limit=limit)


def parse_checks(texts: Sequence[str]) -> tuple[Check, ...]:
    """Read all checks of a gate.

    Raises CheckUnreadable if one cannot be read, FileFaulty with all of them if several cannot.
    """
    checks: list[Check] = []
    troubles: list[CheckUnreadable] = []
    for text in texts:
        try:
            checks.append(parse_check(text))
        except CheckUnreadable as trouble:
            troubles.append(trouble)
    if len(troubles) > 1:
        faults = tuple(Fault(trouble.problem, where=trouble.at, remedy=trouble.remedy) for trouble in troubles)
        raise FileFaulty(
            f"{len(faults)} checks cannot be read", at="checks", remedy="mend what is listed", faults=faults
        )
    if troubles:
        raise troubles[0]
    return tuple(checks)


def _read_op(text: str, start: int) -> Op:
    ops: tuple[Op, ...] = (">=", "<=", ">", "<")
    for op in ops:
        if text.startswith(op, start) and text[start + len(op) : start + len(op) + 1] not in {"=", "<", ">"}:
            return op
    raise _fault(text, start, "this comparison is not known", "use one of >=, >, <=, <")


def _read_side(text: str, side: str) -> tuple[str, bool]:
    """The metric on the left, and whether it is a difference."""
    for sign in "/+*(":
        if sign in side:
            raise _fault(text, side.index(sign), f"{sign!r} is not part of a check yet", f"write {_FORMS}")
    terms = side.split("-")
    names = [_read_term(text, term, sum(len(t) + 1 for t in terms[:i])) for i, term in enumerate(terms)]
    match names:
        case [("new", metric)]:
            return metric, False
        case [("new", metric), ("old", other)] if metric == other:
            return metric, True
        case [("new", metric), ("old", other)]:
            place = side.index("-") + 1
            raise _fault(text, place, f"{metric} and {other} are two metrics", f"write new.{metric} - old.{metric}")
        case [("old", metric), ("new", other)] if metric == other:
            turned = "turn the comparison and the number's sign too"
            raise _fault(
                text, 0, "a check starts with the new model", f"write new.{metric} - old.{metric}, and {turned}"
            )
        case [("old", metric)]:
            raise _fault(text, 0, "it says nothing of the new model", f"write new.{metric}")
        case _:
            raise _fault(text, 0, "this is not a form of check", f"write {_FORMS}")


def _read_term(text: str, term: str, place: int) -> tuple[str, str]:
    place += len(term) - len(term.lstrip())
    model, dot, metric = term.strip().partition(".")
    if not dot and model in WORDS:
        raise _fault(text, place, f"it does not say whose {model}", f"write new.{model}")
    if model not in {"new", "old"} or not dot:
        raise _fault(text, place, f"{term.strip()!r} is neither new.METRIC nor old.METRIC", f"write {_FORMS}")
    if metric not in WORDS:
        raise _fault(text, place + 4, f"{metric!r} is not a metric", _nearest(metric))
    return model, metric


def _refuse_not_yet(text: str) -> None:
    for word, problem in _NOT_YET.items():
        if word in text.lower():
            instead = _INSTEAD.get(word, f"leave it out for now; write {_FORMS}")
            raise _fault(text, text.lower().index(word), problem, instead)


def _nearest(metric: str) -> str:
    from difflib import get_close_matches

    spelt = metric.replace("-", "_").lower()
    # An abbreviation is a likelier slip than a typing error, and too far from the whole word to be found as one.
    close = [name for name in WORDS if len(spelt) > 1 and name.startswith(spelt)] or get_close_matches(
        spelt, WORDS, n=1
    )
    known = f"the metrics are {', '.join(WORDS)}"
    return f"did you mean {close[0]!r}? {known}" if close else known


def _read_limit(text: str, start: int) -> float:
    part = text[start:].strip()
    place = len(text) - len(text[start:].lstrip())
    if not part:
        raise _fault(text, len(text), "the number is missing", "write one, such as 0.8 or -0.01")
    if part.endswith("%"):
        raise _fault(text, place, "a limit is written as a fraction", "write 0.8 for 80 %, -0.01 for one point less")
    try:
        limit = float(part)
    except ValueError:
        remedy = "write one condition a line" if " and " in part else "write one, such as 0.8 or -0.01"
        raise _fault(text, place, f"{part!r} is not a number", remedy) from None
    if not math.isfinite(limit):
        raise _fault(text, place, f"{part} is no limit", "write a finite number, such as 0.8 or -0.01")
    return limit


def _refuse_senseless(text: str, start: int, metric: str, *, compares: bool, op: Op, limit: float) -> None:
    """A limit that no value can reach would refuse every model, and one that all do would let every one through."""
    words = WORDS[metric]
    lowest, highest = (
        (words.lowest - words.highest, words.highest - words.lowest) if compares else (words.lowest, words.highest)
    )
    at_an_end = (limit == highest and op in {">", "<="}) or (limit == lowest and op in {"<", ">="})
    if lowest <= limit <= highest and not at_an_end:
        return
    what = f"a difference of {metric}" if compares else metric
    span = f"{what} runs from {lowest:g} to {highest:g}"
    hundredth = limit / 100
    remedy = (
        f"write {hundredth:g} if {limit:g} % was meant"
        if lowest < hundredth < highest and abs(limit) > 1
        else "mend the number"
    )
    raise _fault(text, start, f"{span}, so this holds always or never", remedy)


def _fault(text: str, place: int, problem: str, remedy: str) -> CheckUnreadable:
    return CheckUnreadable(
        f"the check {text.strip()!r} cannot be read: {problem}",
        at=f"checks, column {place + 1}",
        remedy=remedy,
        offset=place,
    )
