"""What is senseless in a schema: bounds that nothing lies within, checks that a type cannot have, columns nobody knows.

Everything at once, each with its path, for `codec/schema_file` to give it a place. That a value is of the right kind at
all was seen before; whether expressions compile is asked of engines, by others.
"""

from collections.abc import Iterator
from datetime import date, datetime, time
from math import isnan
from typing import Any

from msgspec import UNSET

from headway.core import schema as s
from headway.core import validation as v
from headway.core.problem import Path, Problem
from headway.core.schema_checks import cell, names, quantile, splits_of
from headway.core.schema_names import misnamed_columns
from headway.core.spans import amount, share, span
from headway.core.telling import listed, quoted
from headway.core.units import duration_s

_NUMBERS = frozenset(("integer", "number", "decimal"))
_TIMES = frozenset(("date", "datetime", "time"))
_ORDERED = _NUMBERS | _TIMES | {"duration", "string"}

_FITS: dict[str, frozenset[str]] = {
    **dict.fromkeys(("min", "max", "above", "below", "increasing"), _ORDERED),
    **dict.fromkeys(("matches", "date-format", "plain-text", "one-type", "one-null"), frozenset(("string",))),
    **dict.fromkeys(
        ("finite", "outliers", "mean", "std", "median", "sum", "smallest", "largest", "quantiles"),
        _NUMBERS | {"duration"},
    ),
    "length": frozenset(("string", "list", "binary")),
    "fresh": frozenset(("date", "datetime", "string")),
    "after": frozenset(("date", "datetime", "string")) | _NUMBERS,
}
"""Which types a key can be asked of; a key that is not here, of each."""

AMOUNTS = "write a count of rows (12) or a share of them (0.1%), at most 100%"
SHARES = "write a share, such as 5%, from 0% to 100%"
SPANS = "write 4..6, 4.., ..6 or one number"
TIMES = "write 90 (seconds), 30m, 6h, 2d or 1w"


def problems_in(schema: s.Schema) -> list[Problem]:
    """All that is senseless in it, in the order of its keys."""
    found = [*_of_table(schema)]
    for name in schema.columns:
        column = schema.column(name)
        assert column is not None
        found += _of_column(column, ("columns", name))
    found += _of_label(schema)
    found += _of_others(schema)
    for i, custom in enumerate(schema.checks):
        found += _of_custom(custom, ("checks", i))
    found += misnamed_columns(schema)
    return found


def _bad(path: Path, problem: str, remedy: str) -> Problem:
    return Problem(path=path, problem=problem, remedy=remedy)


# --- parts that stand everywhere --------------------------------------------------------------------------------------


# Any (here and below): one of the long forms, or a short one.
def _tolerance(written: Any, path: Path) -> Iterator[Problem]:  # noqa: ANN401 (as above)
    said = getattr(written, "tolerate", 0)
    if amount(said) is None:
        yield _bad((*path, "tolerate"), f"`{said}` is not so many rows", AMOUNTS)


def _share(written: Any, path: Path, key: str) -> Iterator[Problem]:  # noqa: ANN401 (as above)
    said = getattr(written, key, written)
    at = (*path, key) if hasattr(written, key) else path
    if isinstance(said, str) and share(said) is None:
        yield _bad(at, f"`{said}` is not a share", SHARES)


def _ends(written: s.Span | s.Range, path: Path) -> tuple[tuple[float | None, float | None], list[Problem]]:
    """The ends of a span, and what is wrong with it."""
    if isinstance(written, s.Range):
        found = []
        ends: list[float | None] = []
        for key, said in (("min", written.min), ("max", written.max)):
            read = None if said is UNSET else span(said)
            if said is not UNSET and (read is None or read[0] != read[1]):
                found.append(_bad((*path, key), f"`{said}` is not a number", "write a number, or a share such as 5%"))
            ends.append(read[0] if read else None)
        if written.min is UNSET and written.max is UNSET:
            found.append(_bad(path, "it has neither `min` nor `max`", "write one of them"))
        low, high = ends
    else:
        both = span(written)
        if both is None:
            return (None, None), [_bad(path, f"`{written}` is not a span", SPANS)]
        (low, high), found = both, []
    if low is not None and high is not None and low > high:
        found.append(_bad(path, f"nothing lies within {low} to {high}", "write the smaller number first"))
    return (low, high), found


def _counted(written: s.Span | s.Range, path: Path) -> Iterator[Problem]:
    """A span of a count: whole numbers from 0."""
    (low, high), found = _ends(written, path)
    yield from found
    if not found and any(end is not None and (end < 0 or not float(end).is_integer()) for end in (low, high)):
        yield _bad(path, "it counts, so its ends are whole numbers from 0", "write 10..20, 10.. or ..20")


def _shares(written: s.Span | s.Range, path: Path) -> Iterator[Problem]:
    (low, high), found = _ends(written, path)
    yield from found
    if not found and any(end is not None and not 0 <= end <= 1 for end in (low, high)):
        yield _bad(path, "a share lies within 0 % to 100 %", "write 10%..30%")


# --- a column ---------------------------------------------------------------------------------------------------------


def _of_column(column: s.Column, path: Path) -> Iterator[Problem]:
    kind = column.type.is_ if isinstance(column.type, s.Typed) else column.type
    if isinstance(kind, str):
        yield from _misfits(column, kind, path)
    for field, key in zip(column.__struct_fields__, column.__struct_encode_fields__, strict=True):
        yield from _tolerance(getattr(column, field), (*path, key))
    yield from _of_values(column, path)
    yield from _of_range(column, path)
    yield from _of_numbers(column, path)


def _misfits(column: s.Column, kind: v.Kind, path: Path) -> Iterator[Problem]:
    for field, key in zip(column.__struct_fields__, column.__struct_encode_fields__, strict=True):
        fits = _FITS.get(key)
        written = getattr(column, field)
        if fits is None or kind in fits or written is UNSET or written is False or written == {}:
            continue
        remedy = f"take it out, or make the type {listed(sorted(fits), 9, last='or')}"
        yield Problem(path=(*path, key), problem=f"`{key}` cannot be asked of a {kind}", remedy=remedy, at_key=True)
    if column.values is not UNSET:
        values = column.values.are if isinstance(column.values, s.Values) else column.values
        below: Path = ("values", "are") if isinstance(column.values, s.Values) else ("values",)
        for i, value in enumerate(values):
            yield from _of_kind(value, kind, (*path, *below, i))
    for key in ("min", "max", "above", "below"):
        bound = getattr(column, key)
        if bound is not UNSET and kind in _ORDERED:
            if isinstance(bound, s.Bound):
                yield from _of_kind(bound.is_, kind, (*path, key, "is"))
            else:
                yield from _of_kind(bound, kind, (*path, key))
    for value in column.shares:
        yield from _of_kind(cell(value, column), kind, (*path, "shares", value))


_READS = {"date": date.fromisoformat, "datetime": datetime.fromisoformat, "time": time.fromisoformat}
_EXAMPLES = {"date": "2013-01-31", "datetime": "2013-01-31T08:30:00", "time": "08:30:00"}


def _of_kind(value: v.Cell, kind: v.Kind, path: Path) -> Iterator[Problem]:
    """Whether a value can stand in a column of this type."""
    remedy = ""
    if kind in _NUMBERS | {"duration"}:
        whole = not isinstance(value, float) or value.is_integer()
        if isinstance(value, str | bool) or (kind == "integer" and not whole):
            remedy = "write a whole number" if kind == "integer" else "write a number"
    elif kind == "boolean":
        remedy = "" if isinstance(value, bool) else "write true or false"
    elif kind == "string":
        remedy = "" if isinstance(value, str) else f'put it in quotes: "{str(value).lower()}"'
    elif kind in _READS:
        try:
            _READS[kind](value)  # type: ignore[arg-type]  # what is no text is refused as well
        except (TypeError, ValueError):
            remedy = f"write it like {_EXAMPLES[kind]}"
    if remedy:
        yield _bad(path, f"{quoted(value)} is not a {kind}", remedy)


def _of_values(column: s.Column, path: Path) -> Iterator[Problem]:
    if column.nulls is not UNSET:
        most = column.nulls.max if isinstance(column.nulls, s.Nulls) else column.nulls
        at = (*path, "nulls", "max") if isinstance(column.nulls, s.Nulls) else (*path, "nulls")
        if amount(most) is None:
            yield _bad(at, f"`{most}` is not so many rows", AMOUNTS)
    if amount(column.other) is None:
        yield _bad((*path, "other"), f"`{column.other}` is not so many rows", AMOUNTS)
    if column.values is UNSET:
        if column.other:
            yield _bad((*path, "other"), "`other` goes with `values`", "write values: […], or take it out")
        return
    values = column.values.are if isinstance(column.values, s.Values) else column.values
    if not values:
        yield _bad((*path, "values"), "no value is allowed", "list some, or take it out")
    if isinstance(column.values, s.Values) and column.other:
        yield _bad((*path, "other"), "`other` and `tolerate` say the same", "keep `tolerate`")
    if column.balanced is not UNSET and len(values) > 1:
        least = share(getattr(column.balanced, "least", column.balanced))
        if least is not None and least * len(values) > 1:
            remedy = f"write at most {100 // len(values)}%"
            yield _bad((*path, "balanced"), f"{len(values)} values cannot each make up so much", remedy)


def _of_range(column: s.Column, path: Path) -> Iterator[Problem]:
    """Whether anything lies between the bounds, and the allowed values do."""
    bounds = {
        key: bound.is_ if isinstance(bound, s.Bound) else bound
        for key in ("min", "above", "max", "below")
        if (bound := getattr(column, key)) is not UNSET
    }
    for one, other in (("min", "above"), ("max", "below")):
        if one in bounds and other in bounds:
            yield _bad((*path, other), f"`{one}` and `{other}` say the same twice", "keep one of them")
    for low in ("min", "above"):
        for high in ("max", "below"):
            if low in bounds and high in bounds and _exceeds(bounds[low], bounds[high], is_open=(low, high) != _CLOSED):
                problem = f"nothing lies between {quoted(bounds[low])} and {quoted(bounds[high])}"
                yield _bad((*path, high), problem, f"write more than `{low}`")
    values = column.values.are if isinstance(column.values, s.Values) else column.values
    for value in [] if values is UNSET else values:
        for key, bound in bounds.items():
            ends = (value, bound) if key in ("max", "below") else (bound, value)
            if _exceeds(*ends, is_open=key in ("above", "below")):
                problem = f"`{key}` forbids {quoted(value)}, which `values` allows"
                yield _bad((*path, key), problem, "with `values` no bounds are needed")


_CLOSED = ("min", "max")


def _exceeds(low: v.Cell, high: v.Cell, *, is_open: bool) -> bool:
    """Whether nothing is at least (or more than, if open) the one and at most the other; only of what compares."""
    if isinstance(low, str) != isinstance(high, str):
        return False
    return low > high or (is_open and low == high)  # type: ignore[operator]  # both are texts, or neither is


def _of_numbers(column: s.Column, path: Path) -> Iterator[Problem]:
    for key in ("mean", "std", "median", "sum", "smallest", "largest"):
        written = getattr(column, key)
        if written is not UNSET:
            yield from _ends(written, (*path, key))[1]
    if column.distinct is not UNSET:
        yield from _counted(column.distinct, (*path, "distinct"))
    for at, written in column.quantiles.items():
        if isnan(quantile(at)) or not 0 <= quantile(at) <= 1:
            yield Problem(
                path=(*path, "quantiles", at), problem=f"`{at}` is no quantile", remedy="write 0.95 or 95%", at_key=True
            )
        yield from _ends(written, (*path, "quantiles", at))[1]
    for value, written in column.shares.items():
        yield from _shares(written, (*path, "shares", value))
    yield from _of_forms(column, path)


def _of_forms(column: s.Column, path: Path) -> Iterator[Problem]:
    if isinstance(column.length, s.Length):
        high = column.length.max
        if column.length.min < 0:
            yield _bad((*path, "length", "min"), "no length is less than 0", "write 1")
        elif high is UNSET and not column.length.min:
            yield _bad((*path, "length"), "every length is so", "write min: 1, or max")
        elif high is not UNSET and column.length.min > high:
            problem = f"nothing has {column.length.min} to {high} characters"
            yield _bad((*path, "length", "max"), problem, "write more than `min`")
    elif column.length is not UNSET:
        yield from _counted(column.length, (*path, "length"))
    if column.fresh is not UNSET:
        within = column.fresh.within if isinstance(column.fresh, s.Age) else column.fresh
        if not duration_s(within):
            yield _bad((*path, "fresh"), f"`{within}` is not an age", TIMES)
    times = column.outliers.times if isinstance(column.outliers, s.Outliers) else column.outliers
    if not isinstance(times, bool) and not times >= 0:
        yield _bad((*path, "outliers"), f"{times} distances make no sense", "write 3, or 1.5 to be stricter")
    yield from _share(column.varies, (*path, "varies"), "most")
    if column.balanced is not UNSET:
        yield from _share(column.balanced, (*path, "balanced"), "least")


# --- the table --------------------------------------------------------------------------------------------------------


def _of_table(schema: s.Schema) -> Iterator[Problem]:
    if schema.version != 1:
        yield _bad(
            ("version",), f"version {schema.version} of this format is not known here", "write 1, or update headway"
        )
    if schema.rows is not UNSET:
        yield from _counted(schema.rows, ("rows",))
    if schema.row_change is not UNSET:
        (low, _), found = _ends(schema.row_change, ("row-change",))
        yield from found
        if low is not None and low < 0:
            yield _bad(("row-change",), "no table has fewer than 0 times the rows", "write 0.5..2")
    for key, written in (("key", schema.key), ("no-duplicates", schema.no_duplicates)):
        yield from _tolerance(written, (key,))
    if schema.key is not UNSET and not names(schema.key.columns if isinstance(schema.key, s.Key) else schema.key):
        yield _bad(("key",), "it names no column", "name one or more")


def _of_label(schema: s.Schema) -> Iterator[Problem]:
    if not isinstance(schema.label, s.Label):
        return
    label = schema.label
    if label.balance is not UNSET:
        yield from _share(label.balance, ("label", "balance"), "least")
    yield from _share(label.no_target_leak, ("label", "no-target-leak"), "most")
    yield from _tolerance(label.one_label, ("label", "one-label"))
    yield from _of_shift(label.shift, ("label", "shift"))


def _of_shift(shift: bool | s.Shift | s.Skew, path: Path) -> Iterator[Problem]:  # noqa: FBT001 (as it is written)
    if isinstance(shift, bool):
        return
    chance = share(shift.false_alarms)
    if chance is None or not 0 < chance < 1:
        remedy = "write a share above 0% and below 100%, such as 1%"
        yield _bad((*path, "false-alarms"), f"`{shift.false_alarms}` is no rate of false alarms", remedy)
    if not shift.least >= 0:
        yield _bad((*path, "least"), f"no change is less than {shift.least}", "write 0.1")
    if isinstance(shift, s.Shift) and shift.columns and shift.except_:
        yield _bad((*path, "except"), "`columns` and `except` go against each other", "keep one of them")


def _of_others(schema: s.Schema) -> Iterator[Problem]:
    yield from _of_shift(schema.shift, ("shift",))
    if isinstance(schema.skew, s.Skew):
        yield from _of_shift(schema.skew, ("skew",))
        yield from _tolerance(schema.skew, ("skew",))
    for i, one in enumerate(schema.foreign_keys):
        yield from _tolerance(one, ("foreign-keys", i))
        n, n_there = len(names(one.columns)), len(names(one.called))
        if not n or (n_there and n != n_there):
            problem = f"{n} columns here answer to {n_there} there" if n else "it names no column"
            yield _bad(("foreign-keys", i), problem, "name as many columns on both sides")
    for path, other in splits_of(schema):
        yield from _tolerance(other, path)


_ONE_OF = ("row", "sql", "python", "unique", "each")


def _of_custom(custom: s.Custom, path: Path) -> Iterator[Problem]:
    given = [key for key in _ONE_OF if getattr(custom, key) not in ("", [], UNSET)]
    if len(given) != 1:
        what = f"asks {listed(given)} at once" if given else "asks nothing"
        yield _bad(path, f"the check {what}", f"write one of {listed(_ONE_OF, 9, last='or')}")
    yield from _tolerance(custom, path)
    if isinstance(custom.each, s.Column):
        yield from _of_column(custom.each, (*path, "each"))
        if not custom.columns:
            yield _bad((*path, "each"), "`each` goes with `columns`", "write columns: [a, b]")
        if custom.tolerate or custom.severity is not UNSET:
            yield _bad((*path, "each"), "what `each` asks has its own `tolerate` and `severity`", "write them there")
    if custom.python and not _is_function(custom.python):
        yield _bad((*path, "python"), f"`{custom.python}` names no function", "write file.py:name")


def _is_function(text: str) -> bool:
    file, _, name = text.rpartition(":")
    return file.endswith(".py") and name.isidentifier()
