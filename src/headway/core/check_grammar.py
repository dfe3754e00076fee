"""Reads the language of a gate's checks: `new.recall >= 0.7`, `new.auc - old.auc > -0.01 for each region`.

    CHECK  = SIDE (OP NUMBER ["+/-" TOL] | "within" [[NUMBER] "+/-"] TOL) ["for" "each" COLUMN {"," COLUMN}]
    SIDE   = new.METRIC [("-" | "/") old.METRIC] | disagreement(new, old) | (gap | ratio) "(" new.METRIC by COLUMN ")"

Texts in the language of `core/check_dialect` are told by their variables and handed over. Every fault is told with its
place and a way to mend it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from headway.core import check_dialect
from headway.core.check import COSTS, Check, Form, Op
from headway.core.check_sense import refuse_senseless
from headway.core.check_tokens import JOINING, Reader, Token
from headway.core.metric import is_metric, what_was_meant
from headway.errors import CheckUnreadable, Fault, FileFaulty

_KNOWN_OPS: tuple[Op, ...] = (">=", ">", "<=", "<")

_FORMS = (
    "`new.METRIC OP NUMBER`, `new.METRIC - old.METRIC OP NUMBER` or another form of docs/gates.md,"
    " OP being >=, >, <=, < or within"
)

_INSTEAD = {"ece": "even a perfect model's ece is far from 0: write new.calibration, or new.brier - old.brier"}

_UNITS = frozenset({"ms", "s", "mb", "kb", "gb", "point", "points", "pp", "percent"})


def parse_check(text: str, own: Sequence[str] = ()) -> Check:
    """Read one check; `own` are the names of the user's metrics.

    Raises CheckUnreadable, with the column where it went wrong and what could have been meant. A text of the dialect
    may hold several checks: `parse_checks` reads those.

    >>> check = parse_check("new.accuracy - old.accuracy > -0.01 for each region")
    >>> check.metric, check.form, check.op, check.limit, check.each
    ('accuracy', 'difference', '>', -0.01, ('region',))
    >>> parse_check("new.mae / old.mae within 0.05").edges
    (0.95, 1.05)
    """
    checks = _read(text, own)
    if len(checks) > 1:
        problem = "it holds several conditions"
        raise Reader(text).fault(text.index(checks[1].text), problem, "write one condition a line")
    return checks[0]


def parse_checks(texts: Sequence[str], own: Sequence[str] = ()) -> tuple[Check, ...]:
    """Read all checks of a gate, in their order; `own` are the names of the user's metrics.

    Raises CheckUnreadable if one cannot be read, FileFaulty with all of them if several cannot.
    """
    checks: list[Check] = []
    troubles: list[CheckUnreadable] = []
    for text in texts:
        try:
            checks += _read(text, own)
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


def _read(text: str, own: Sequence[str]) -> tuple[Check, ...]:
    reader = Reader(text)
    if check_dialect.is_dialect(reader):
        return check_dialect.read(reader)
    side = _side(reader, own)
    place = reader.next.at
    op, limit, tolerance = _comparison(reader, side.form)
    each = _slices(reader, side)
    _refuse_rest(reader, is_after_slices=bool(each))
    check = Check(
        text=text.strip(),
        metric=side.metric,
        form=side.form,
        op=op,
        limit=limit,
        tolerance=tolerance,
        each=each,
        by=side.by,
    )
    refuse_senseless(check, reader, place, is_own=side.metric in own)
    return (check,)


# --- what is measured --------------------------------------------------------------------------------------------


class _Side(NamedTuple):
    """What stands before the comparison."""

    form: Form
    metric: str
    by: str = ""


class _Term(NamedTuple):
    """`new.METRIC` or `old.METRIC`, and where it stands."""

    model: str
    metric: str
    at: int


def _side(reader: Reader, own: Sequence[str]) -> _Side:
    first = reader.next
    if reader.after_next.text == "(" and first.text in {"gap", "ratio"}:
        return _between_groups(reader, own)
    if reader.after_next.text == "(" and first.text == "disagreement":
        reader.read()
        for wanted in ("(", "new", ",", "old", ")"):
            if not reader.takes(wanted):
                raise reader.fault(reader.next.at, f"{wanted!r} is missing", "write disagreement(new, old)")
        return _Side("disagreement", "disagreement")
    if first.kind == "end":
        raise reader.fault(first.at, "it compares with nothing", f"write {_FORMS}")
    new = _term(reader, own)
    sign = reader.takes("-", "/")
    if sign is None:
        if new.model == "old":
            raise reader.fault(new.at, "it says nothing of the new model", f"write new.{new.metric}")
        return _Side("value", new.metric)
    old = _term(reader, own)
    _refuse_pair(reader, new, old, sign.text)
    return _Side("difference" if sign.text == "-" else "ratio", new.metric)


def _refuse_pair(reader: Reader, first: _Term, second: _Term, sign: str) -> None:
    right = f"new.{first.metric} {sign} old.{first.metric}"
    if second.model == first.model == "old":
        raise reader.fault(first.at, "it says nothing of the new model", f"write {right}")
    if first.metric != second.metric:
        place = second.at + len("old.")
        raise reader.fault(place, f"{first.metric} and {second.metric} are two metrics", f"write {right}")
    if first.model == "old":
        turned = "the number's sign too" if sign == "-" else "1 over the number"
        remedy = f"write {right}, and turn the comparison and {turned}"
        raise reader.fault(first.at, "a check starts with the new model", remedy)
    if second.model == "new":
        raise reader.fault(second.at, "it compares the new model with itself", f"write {right}")


def _between_groups(reader: Reader, own: Sequence[str]) -> _Side:
    """`gap(new.METRIC by COLUMN)` or `ratio(new.METRIC by COLUMN)`."""
    name = reader.read().text
    reader.read()
    term = _term(reader, own)
    form = f"{name}(new.{term.metric} by COLUMN)"
    if term.model == "old":
        raise reader.fault(term.at, "it says nothing of the new model", f"write {form}")
    if not reader.takes("by"):
        raise reader.fault(reader.next.at, "it does not say between which groups", f"write {form}")
    place = reader.next.at
    column = reader.column()
    if term.metric in COSTS:
        raise reader.fault(place, f"no group of rows has a {term.metric} of its own", f"write new.{term.metric}")
    if not reader.takes(")"):
        raise reader.fault(reader.next.at, "the bracket is not closed", f"write {form}")
    return _Side("gap" if name == "gap" else "gap-ratio", term.metric, column)


def _term(reader: Reader, own: Sequence[str]) -> _Term:
    token = reader.read()
    model, dot, name = token.text.partition(".")
    if token.kind == "end":
        raise reader.fault(token.at, "it ends where old.METRIC should stand", f"write {_FORMS}")
    if not dot and _is_metric(token.text, own):
        raise reader.fault(token.at, f"it does not say whose {token.text}", f"write new.{token.text}")
    if model not in {"new", "old"} or not dot:
        raise reader.fault(token.at, f"{token.text!r} is neither new.METRIC nor old.METRIC", _remedy_for(token))
    if not name:
        raise reader.fault(token.at + len(token.text), f"{token.text!r} names no metric", f"write {model}.accuracy")
    if not _is_metric(name, own):
        remedy = _INSTEAD.get(name.lower()) or what_was_meant(name, [*own, *COSTS])
        raise reader.fault(token.at + len("new."), f"{name!r} is not a metric", remedy)
    return _Term(model, name, token.at)


def _remedy_for(token: Token) -> str:
    special = {
        "disagreement": "write disagreement(new, old)",
        "gap": "write gap(new.METRIC by COLUMN)",
        "ratio": "write ratio(new.METRIC by COLUMN), or new.METRIC / old.METRIC",
    }
    return special.get(token.text, f"write {_FORMS}")


def _is_metric(name: str, own: Sequence[str]) -> bool:
    return name in own or name in COSTS or is_metric(name)


# --- the comparison ----------------------------------------------------------------------------------------------


def _comparison(reader: Reader, form: Form) -> tuple[Op, float, float]:
    """The operator, the limit and the tolerance."""
    token = reader.read()
    if token.text == "within":
        return _within(reader, form)
    if token.kind == "end":
        raise reader.fault(token.at, "it compares with nothing", f"write {_FORMS}")
    if token.kind == "and" or token.text in JOINING:
        raise reader.fault(token.at, "a check is one condition", "write one condition a line")
    if token.kind != "op":
        raise reader.fault(token.at, f"{token.text!r} is not part of this form of check", f"write {_FORMS}")
    if token.text not in _KNOWN_OPS:
        raise reader.fault(token.at, "this comparison is not known", "use one of >=, >, <=, <, within")
    limit = reader.number("number")
    return token.text, limit, reader.tolerance() or 0.0


def _within(reader: Reader, form: Form) -> tuple[Op, float, float]:
    """`within TOL`, `within +/- TOL`: around no change; `within NUMBER +/- TOL`: around that."""
    neutral = 1.0 if form in {"ratio", "gap-ratio"} else 0.0
    alone = reader.tolerance()
    if alone is not None:
        return "within", neutral, alone
    place = reader.next.at
    number = reader.number("number")
    behind = reader.tolerance()
    return ("within", neutral, reader.above_zero(number, place)) if behind is None else ("within", number, behind)


# --- slices, and what is left over -------------------------------------------------------------------------------


def _slices(reader: Reader, side: _Side) -> tuple[str, ...]:
    columns = reader.each()
    for column, place in columns:
        if side.metric in COSTS:
            raise reader.fault(place, f"no slice has a {side.metric} of its own", "leave out `for each`")
        if column == side.by:
            raise reader.fault(place, f"a slice of {column} has but one group of {column}", "name another column")
    return tuple(column.name for column in columns)


def _refuse_rest(reader: Reader, *, is_after_slices: bool) -> None:
    token, after = reader.next, reader.after_next
    if token.kind == "end":
        return
    if token.kind == "and" or token.text in JOINING:
        is_column = is_after_slices and after.kind in {"name", "quoted"} and "." not in after.text
        remedy = f"write `for each …, {after.text}`" if is_column else "write one condition a line"
        raise reader.fault(token.at, f"{token.text!r} joins nothing here", remedy)
    if token.text.lower() in _UNITS or token.text == "%":
        remedy = "write the number alone: shares as fractions, other metrics in the unit that their name tells"
        raise reader.fault(token.at, f"{token.text!r} is left over: a number has no unit", remedy)
    remedy = "end after the column" if is_after_slices else "end there, or go on with `+/- TOL` or `for each COLUMN`"
    raise reader.fault(token.at, f"{token.text!r} is left over", remedy)
