"""A schema from what data are like: readable, and so wide that a fresh sample of the same source keeps it.

What is written is what a person would say after a look: types, what is never missing, which values, within which round
bounds. It says nothing that chance could break, guesses no label, and tells beside each line what it was seen in.
"""

import math

from msgspec import UNSET, Struct

from headway.core.infer_numbers import bounds_of, days_of
from headway.core.infer_texts import MOST_VALUES, SURE, closed_values, form_of, space_of
from headway.core.profile import ColumnProfile, Profile
from headway.core.schema import Bound, Column, Order, Range, Schema, Shift
from headway.core.telling import number, quoted, rows
from headway.core.validation import Kind
from headway.stats.interval import clopper_pearson

FEW = 30
"""Fewer values say nothing of others."""

MANY = 1000
"""What is missing in none of so many rows is taken to be never missing; of fewer rows, that is not known."""

FAIRLY_SURE = 0.9
"""The level for what was never missing: its upper end is exceeded once in 20."""

MARGIN = 1.5
"""The share of missing values may rise so many times; it changes more from month to month than chance tells."""

LEAST_SHARE = 0.001
"""A share that may not be 0 is no smaller: otherwise one row of a small delivery would break it."""


class Inferred(Struct, frozen=True, kw_only=True):
    """A schema, and what each part of it was seen in, by its place (`columns.temp`)."""

    schema: Schema
    notes: dict[str, str]


def infer(profile: Profile) -> Inferred:
    """The schema that data of this profile and fresh data of the same source keep."""
    notes: dict[str, str] = {}
    columns: dict[str, Kind | Column | None] = {}
    moving = []
    for column in profile.columns:
        columns[column.name], notes[f"columns.{column.name}"] = _column(column)
        if _moves(column):
            moving.append(column.name)
    least = _round_down(profile.n_rows / 10)
    notes["rows"] = f"{profile.n_rows:,} seen"
    schema = Schema(
        rows=f"{least}.." if least else UNSET,
        row_change=Range(min=0.5, max=2, severity="warn") if least else UNSET,
        extra_columns="warn" if columns else "allow",
        columns=columns,
        shift=Shift(except_=moving, severity="warn") if len(moving) < len(columns) else False,
    )
    return Inferred(schema=schema, notes={at: note for at, note in notes.items() if note})


def _column(column: ColumnProfile) -> tuple[Kind | Column | None, str]:
    if column.kind == "null" or not column.n_values:
        return None, f"no value in {rows(column.n_rows)}: say what it should hold"
    asked: dict[str, object] = {"type": column.kind}
    nulls = _nulls(column)
    if nulls is not None:
        asked["nulls"] = nulls
    note = ""
    if column.n_values >= FEW:
        if column.n_distinct == 1 and not column.distinct_error:
            note = f"always {quoted(column.minimum)}: a model learns nothing from it"
        else:
            more, note = _of_values(column)
            asked |= more
    made = Column(**asked)  # type: ignore[arg-type]  # the parts are named above
    return (column.kind if made == Column(type=column.kind) else made), note


def _nulls(column: ColumnProfile) -> int | str | None:
    """How many values may be missing: none where of many none was, else what chance and a margin make of it."""
    if column.n_rows < FEW:
        return None
    if column.n_null == 0 and column.n_rows >= MANY:
        return 0
    share = column.n_null / column.n_rows
    level = SURE if column.n_null else FAIRLY_SURE
    most = _round_up(max(clopper_pearson(column.n_null, column.n_rows, level).high, share * MARGIN, LEAST_SHARE))
    return None if most > 0.9 else _percent(most)


def _of_values(column: ColumnProfile) -> tuple[dict[str, object], str]:
    if column.kind in ("integer", "number", "decimal"):
        return _of_numbers(column)
    if column.kind in ("date", "datetime"):
        return _of_times(column)
    return _of_texts(column) if column.kind == "string" else ({}, "")


def _of_numbers(column: ColumnProfile) -> tuple[dict[str, object], str]:
    asked: dict[str, object] = {}
    seen = f"{number(_float(column.minimum))} to {number(_float(column.maximum))}"
    if column.kind == "integer" and (closed := closed_values(column, most=2)) is not None:
        return {"values": list(closed.values)}, _values(column)
    bounds = bounds_of(column)
    is_id = column.kind == "integer" and _is_key(column)
    if is_id:
        asked["unique"] = True
    low, high = bounds.low, None if is_id else bounds.high
    for key, bound in (("min", low), ("max", high)):
        if bound is not None:
            asked[key] = bound if not column.n_nan else Bound(is_=bound, tolerate=_share_of_nan(column))
    if column.kind == "number" and not column.n_nan and not column.n_infinite:
        asked["finite"] = True
    if column.n_infinite:
        # What is infinite lies in no range.
        asked = {key: value for key, value in asked.items() if key not in ("min", "max")}
    return asked, seen


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _share_of_nan(column: ColumnProfile) -> str:
    high = clopper_pearson(column.n_nan, column.n_rows, SURE).high
    return _percent(_round_up(max(high, column.n_nan / column.n_rows * MARGIN, LEAST_SHARE)))


def _of_times(column: ColumnProfile) -> tuple[dict[str, object], str]:
    asked: dict[str, object] = {}
    days = days_of(column)
    if days is not None:
        asked |= {"min": days[0], "max": days[1]}
    # By chance 30 values stand in order less than once in 10^32 samples; but a delivery may be shuffled.
    if column.is_increasing and column.n_distinct >= FEW:
        asked["increasing"] = Order(severity="warn")
    return asked, f"{column.minimum} to {column.maximum}"


def _of_texts(column: ColumnProfile) -> tuple[dict[str, object], str]:
    closed = closed_values(column)
    if closed is not None:
        asked: dict[str, object] = {"values": list(closed.values)}
        if closed.other:
            asked["other"] = _percent(_round_up(max(closed.other, LEAST_SHARE)))
        return asked, _values(column)
    asked = {}
    is_key = _is_key(column)
    if is_key:
        asked["unique"] = True
    form = form_of(column)
    if form:
        asked["matches"] = form
    elif column.lengths is not None and column.lengths.minimum > 0:
        asked["length"] = f"1..{_round_number(column.lengths.maximum * 10)}"
    about = "" if is_key or column.n_distinct <= MOST_VALUES else "about " * bool(column.distinct_error)
    return asked, "all different" if is_key else f"{about}{number(column.n_distinct)} values"


def _values(column: ColumnProfile) -> str:
    return f"{column.n_distinct:,} values in {rows(column.n_values)}"


def _is_key(column: ColumnProfile) -> bool:
    """Whether that no value is there twice is a rule, not chance.

    Of n values out of so many possible ones n²/2 over their number would be there twice by chance. Where that is many,
    their absence is a rule; where it is nearly none it stays so. Between, nobody knows.
    """
    if not column.is_unique or column.n_values < FEW:
        return False
    if column.kind == "integer":
        space = _float(column.maximum) - _float(column.minimum) + 1
    else:
        space = space_of(column)
        if not any("9" in str(one.value) for one in column.patterns):
            return False
    if not space:
        return False
    expected = column.n_values**2 / (2 * space)
    return expected > 10 or expected < 1e-4


def _moves(column: ColumnProfile) -> bool:
    """Whether a column moves on with each delivery, as ids and times do; ids may be there twice by mistake."""
    is_id = column.kind == "string" and column.n_values >= FEW and column.n_distinct > column.n_values / 2
    return column.kind in ("date", "datetime", "null", "list", "struct", "binary") or _is_key(column) or is_id


# --- round numbers ----------------------------------------------------------------------------------------------------


def _round_up(share: float) -> float:
    """A share, rounded up to a round one.

    >>> _round_up(0.0012), _round_up(0.052), _round_up(0.31)
    (0.0015, 0.07, 0.4)
    """
    unit = 10.0 ** math.floor(math.log10(share))
    steps = (1, 1.5, 2, 3, 4, 5, 7, 10)
    return next(float(f"{unit * step:.3g}") for step in steps if unit * step >= share * (1 - 1e-12))


def _round_down(count: float) -> int:
    """A count, rounded down to its first digit.

    >>> _round_down(33677.6), _round_down(9.5), _round_down(0.4)
    (30000, 9, 0)
    """
    if count < 1:
        return 0
    unit = 10 ** math.floor(math.log10(count))
    return int(count // unit) * int(unit)


def _round_number(count: int) -> int:
    unit: int = 10 ** int(math.log10(count))
    return math.ceil(count / unit) * unit


def _percent(share: float) -> str:
    return f"{share * 100:.6g}%"
