"""The checks that a schema means: each key that asks something becomes one check, which knows where it is written.

Takes a schema that `core/schema_faults` has nothing to say of. How checks are measured is `tables/`'s business.
"""

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from headway.core import schema as s
from headway.core import validation as v
from headway.core.problem import Path
from headway.core.spans import amount, end, share, span
from headway.core.units import duration_s

T = TypeVar("T")

VARIES = 0.99
"""The share of one value that `varies: true` allows."""

TELLS = 0.95
"""The share of the label that `no-target-leak: true` allows one column to explain."""

OUTLIERS = 3.0
"""How many quartile distances `outliers: true` allows: Tukey's "far out"."""


def checks_of(schema: s.Schema) -> tuple[v.DataCheck, ...]:
    """All checks, those of the table's form first, then column by column, then those of rows together.

    >>> from headway.core.schema import Column, Schema
    >>> [check.at for check in checks_of(Schema(rows="10..", columns={"temp": Column(type="number", min=0)}))]
    ['columns', 'rows', 'columns.temp.type', 'columns.temp.min']
    """
    found = [*_of_form(schema)]
    for name in schema.columns:
        written = schema.column(name)
        assert written is not None
        found += _of_column(written, name, f"columns.{name}")
    found += _of_table(schema)
    found += _against_others(schema)
    for i, custom in enumerate(schema.checks):
        found += _custom(custom, f"checks[{i}]")
    return tuple(found)


def names(written: s.Names) -> tuple[str, ...]:
    """One name or several."""
    return (written,) if isinstance(written, str) else tuple(written)


# --- the table's form -------------------------------------------------------------------------------------------------


def _of_form(schema: s.Schema) -> Iterator[v.DataCheck]:
    listed = {name: schema.column(name) or s.Column() for name in schema.columns}
    must = tuple(name for name, column in listed.items() if column.required is True)
    should = tuple(name for name, column in listed.items() if column.required == "warn")
    if must:
        yield v.DataCheck(asks=v.HasColumn(), columns=must, at="columns")
    if should:
        yield v.DataCheck(asks=v.HasColumn(), columns=should, at="columns", severity="warn")
    if schema.extra_columns != "allow":
        known = tuple(listed)
        yield v.DataCheck(asks=v.NoOthers(), columns=known, at="extra-columns", severity=schema.extra_columns)
    if schema.rows is not UNSET:
        low, high = _ends(schema.rows)
        asks: v.Ask = v.RowCount(minimum=int(low or 0), maximum=None if high is None else int(high))
        yield v.DataCheck(asks=asks, at="rows", severity=_severity(schema.rows))
    if schema.row_change is not UNSET:
        low, high = _ends(schema.row_change)
        asks = v.RowChange(minimum=low or 0.0, maximum=high)
        yield v.DataCheck(asks=asks, at="row-change", severity=_severity(schema.row_change))


# --- one column -------------------------------------------------------------------------------------------------------


class _Maker(msgspec.Struct, frozen=True):
    """Makes the checks of one column."""

    column: s.Column
    name: str
    at: str

    # Any: whichever of the long forms it is.
    def check(self, key: str, asks: v.Ask, written: Any) -> v.DataCheck:  # noqa: ANN401 (as above)
        severity = getattr(written, "severity", UNSET)
        return v.DataCheck(
            asks=asks,
            columns=(self.name,),
            severity=self.column.severity if severity is UNSET else severity,
            tolerance=_tolerance(written),
            at=f"{self.at}.{key}",
            if_there=self.column.required is False,
        )


def _of_column(column: s.Column, name: str, at: str) -> Iterator[v.DataCheck]:
    made = _Maker(column, name, at)
    yield from _of_values(made, column)
    yield from _of_bounds(made, column)
    yield from _of_texts(made, column)
    yield from _of_order(made, column)
    yield from _of_statistics(made, column)


def _of_values(made: _Maker, column: s.Column) -> Iterator[v.DataCheck]:
    if column.type is not UNSET:
        kind = column.type.is_ if isinstance(column.type, s.Typed) else column.type
        yield made.check("type", v.IsKind(kind), column.type)
    if column.nulls is not UNSET:
        most = column.nulls.max if isinstance(column.nulls, s.Nulls) else column.nulls
        check = made.check("nulls", v.NotNull(), column.nulls)
        yield msgspec.structs.replace(check, tolerance=amount(most) or v.Tolerance())
    if is_on(column.unique):
        yield made.check("unique", v.IsUnique(), column.unique)
    if column.values is not UNSET:
        values = column.values.are if isinstance(column.values, s.Values) else column.values
        check = made.check("values", v.OneOf(tuple(values)), column.values)
        if column.other:
            check = msgspec.structs.replace(check, tolerance=amount(column.other) or v.Tolerance())
        yield check


def _of_bounds(made: _Maker, column: s.Column) -> Iterator[v.DataCheck]:
    if column.min is not UNSET:
        yield made.check("min", v.InRange(minimum=_bound(column.min)), column.min)
    if column.above is not UNSET:
        yield made.check("above", v.InRange(minimum=_bound(column.above), open_minimum=True), column.above)
    if column.max is not UNSET:
        yield made.check("max", v.InRange(maximum=_bound(column.max)), column.max)
    if column.below is not UNSET:
        yield made.check("below", v.InRange(maximum=_bound(column.below), open_maximum=True), column.below)
    if is_on(column.finite):
        yield made.check("finite", v.IsFinite(), column.finite)
    if column.outliers is not False:
        times = column.outliers.times if isinstance(column.outliers, s.Outliers) else column.outliers
        yield made.check("outliers", v.NoOutlier(OUTLIERS if times is True else float(times)), column.outliers)


def _of_texts(made: _Maker, column: s.Column) -> Iterator[v.DataCheck]:
    if column.matches is not UNSET:
        yield made.check("matches", v.Matches(_text(column.matches)), column.matches)
    if column.length is not UNSET:
        if isinstance(column.length, s.Length):
            low, high = column.length.min, None if column.length.max is UNSET else column.length.max
        else:
            low, high = _whole(column.length)
        yield made.check("length", v.HasLength(minimum=low, maximum=high), column.length)
    if column.date_format is not UNSET:
        yield made.check("date-format", v.IsDate(_text(column.date_format)), column.date_format)
    for key, asks, written in (
        ("plain-text", v.IsPlain(), column.plain_text),
        ("one-type", v.OneType(), column.one_type),
        ("one-null", v.OneNull(), column.one_null),
    ):
        if is_on(written):
            yield made.check(key, asks, written)


def _of_order(made: _Maker, column: s.Column) -> Iterator[v.DataCheck]:
    order = column.increasing.is_ if isinstance(column.increasing, s.Order) else column.increasing
    if order:
        yield made.check("increasing", v.IsIncreasing(strictly=order == "strictly"), column.increasing)
    if column.fresh is not UNSET:
        within = column.fresh.within if isinstance(column.fresh, s.Age) else column.fresh
        yield made.check("fresh", v.IsFresh(duration_s(within) or 0.0), column.fresh)
    if column.after is not UNSET:
        yield made.check("after", v.IsAfter(_text(column.after)), column.after)


_STATISTICS = ("mean", "std", "median", "sum", "smallest", "largest", "distinct")


def _of_statistics(made: _Maker, column: s.Column) -> Iterator[v.DataCheck]:
    for key in _STATISTICS:
        written = getattr(column, key)
        if written is not UNSET:
            yield made.check(key, _statistic(written, {"smallest": "min", "largest": "max"}.get(key, key)), written)
    for at, written in column.quantiles.items():
        yield made.check(f"quantiles.{at}", _statistic(written, "quantile", quantile(at)), written)
    for value, written in column.shares.items():
        yield made.check(f"shares.{value}", _statistic(written, "share", cell(value, column)), written)
    if column.varies is not False:
        most = _share(column.varies, "most", VARIES)
        yield made.check("varies", v.Varies(most), column.varies)
    if column.balanced is not UNSET:
        yield made.check("balanced", v.IsBalanced(_share(column.balanced, "least", 0.0)), column.balanced)


# Any: `of` is one of the literals of Statistic.
def _statistic(written: s.Span | s.Range, of: Any, at: v.Cell | None = None) -> v.Statistic:  # noqa: ANN401 (as above)
    low, high = _ends(written)
    return v.Statistic(of=of, minimum=low, maximum=high, at=at)


def quantile(written: str) -> float:
    """Which quantile a key names: `0.95` or `95%`; NaN when it names none."""
    read = end(written)
    return float("nan") if read is None else float(read)


def cell(written: str, column: s.Column) -> v.Cell:
    """The value that a key of a mapping stands for in a column of this type: keys are texts, values need not be."""
    kind = column.type.is_ if isinstance(column.type, s.Typed) else column.type
    read = end(written) if kind in ("integer", "number", "decimal") and "%" not in written else None
    if read is not None:
        return read
    return written == "true" if kind == "boolean" and written in ("true", "false") else written


# --- the table --------------------------------------------------------------------------------------------------------


def _of_table(schema: s.Schema) -> Iterator[v.DataCheck]:
    if schema.key is not UNSET:
        columns = names(schema.key.columns if isinstance(schema.key, s.Key) else schema.key)
        yield _check(v.IsUnique(), columns, "key", schema.key)
        for name in columns:
            if _says_nothing_of_nulls(schema, name):
                yield v.DataCheck(asks=v.NotNull(), columns=(name,), at="key", severity=_severity(schema.key))
    if schema.no_duplicates is not False:
        columns = names(schema.no_duplicates.columns) if isinstance(schema.no_duplicates, s.Duplicates) else ()
        yield _check(v.NoDuplicates(), columns, "no-duplicates", schema.no_duplicates)
    if schema.label is not UNSET:
        yield from _of_label(
            schema, schema.label if isinstance(schema.label, s.Label) else s.Label(column=schema.label)
        )


def _says_nothing_of_nulls(schema: s.Schema, name: str) -> bool:
    column = schema.column(name)
    return column is None or column.nulls is UNSET


def _of_label(schema: s.Schema, label: s.Label) -> Iterator[v.DataCheck]:
    column = (label.column,)
    if _says_nothing_of_nulls(schema, label.column):
        yield v.DataCheck(asks=v.NotNull(), columns=column, at="label")
    if label.balance is not UNSET:
        yield _check(v.IsBalanced(_share(label.balance, "least", 0.0)), column, "label.balance", label.balance)
    if label.one_label is not False:
        among = names(label.one_label.columns) if isinstance(label.one_label, s.Duplicates) else ()
        yield _check(v.OneLabel(label.column), among, "label.one-label", label.one_label)
    if label.no_target_leak is not False:
        leak = label.no_target_leak
        asks = v.HidesLabel(label=label.column, most=_share(leak, "most", TELLS))
        among = names(leak.columns) if isinstance(leak, s.Leak) else ()
        yield _check(asks, among, "label.no-target-leak", leak)
    if label.shift is not False:
        yield _check(_shift(label.shift), column, "label.shift", label.shift)


def _shift(written: bool | s.Shift) -> v.NoShift:  # noqa: FBT001 (as it is written)
    if not isinstance(written, s.Shift):
        return v.NoShift()
    return v.NoShift(false_alarms=share(written.false_alarms) or 0.01, least=written.least)


def _against_others(schema: s.Schema) -> Iterator[v.DataCheck]:
    if schema.shift is not False:
        columns: tuple[str, ...] = ()
        if isinstance(schema.shift, s.Shift):
            columns = names(schema.shift.columns)
            if schema.shift.except_:
                columns = tuple(name for name in schema.columns if name not in names(schema.shift.except_))
        yield _check(_shift(schema.shift), columns, "shift", schema.shift)
    if schema.skew is not UNSET:
        skew = schema.skew if isinstance(schema.skew, s.Skew) else s.Skew(log=schema.skew)
        false_alarms = share(skew.false_alarms) or 0.01
        asks: v.Ask = v.NoSkew(log=skew.log, key=skew.key, false_alarms=false_alarms, least=skew.least)
        yield _check(asks, names(skew.columns), "skew", skew)
    for i, one in enumerate(schema.foreign_keys):
        asks = v.IsKnown(other=one.in_, columns=names(one.called))
        yield _check(asks, names(one.columns), f"foreign-keys[{i}]", one)
    for path, full in splits_of(schema):
        at = "not-in" + "".join(f"[{part}]" for part in path[1:])
        yield _check(v.NotShared(full.data), names(full.columns), at, full)


def splits_of(schema: s.Schema) -> Iterator[tuple[Path, s.NotIn]]:
    """The data of `not-in`, each in full, and where it is written."""
    written = schema.not_in
    several = [written] if isinstance(written, str | s.NotIn) else written
    for i, other in enumerate(several):
        path: Path = ("not-in",) if several is not written else ("not-in", i)
        yield path, s.NotIn(data=other) if isinstance(other, str) else other


def _custom(custom: s.Custom, at: str) -> Iterator[v.DataCheck]:
    if isinstance(custom.each, s.Column):
        for name in names(custom.columns):
            for check in _of_column(custom.each, name, f"{at}.each"):
                yield msgspec.structs.replace(check, name=custom.name and f"{custom.name}: {name}")
        return
    asks: v.Ask
    if custom.row:
        asks = v.RowHolds(custom.row)
    elif custom.sql:
        asks = v.SqlFinds(custom.sql)
    elif custom.python:
        asks = v.FunctionHolds(function=custom.python)
    else:
        asks = v.IsUnique()
    columns = names(custom.unique) or names(custom.columns)
    yield msgspec.structs.replace(_check(asks, columns, at, custom), name=custom.name)


# --- parts ------------------------------------------------------------------------------------------------------------


# Any (here and below): a long form, or any of the short ones.
def _check(asks: v.Ask, columns: tuple[str, ...], at: str, written: Any) -> v.DataCheck:  # noqa: ANN401 (as above)
    return v.DataCheck(asks=asks, columns=columns, at=at, severity=_severity(written), tolerance=_tolerance(written))


def _severity(written: Any) -> v.Severity:  # noqa: ANN401 (as above)
    said: v.Severity | UnsetType = getattr(written, "severity", UNSET)
    return "error" if said is UNSET else said


def _tolerance(written: Any) -> v.Tolerance:  # noqa: ANN401 (as above)
    return amount(getattr(written, "tolerate", 0)) or v.Tolerance()


def is_on(written: bool | s.Flag) -> bool:  # noqa: FBT001 (as it is written)
    """Whether something that may be asked is."""
    return written.is_ if isinstance(written, s.Flag) else written


def _bound(written: v.Cell | s.Bound) -> v.Cell:
    return written.is_ if isinstance(written, s.Bound) else written


def _text(written: str | s.Text) -> str:
    return written.is_ if isinstance(written, s.Text) else written


def _ends(written: s.Span | s.Range) -> tuple[float | None, float | None]:
    if isinstance(written, s.Range):
        return (
            None if written.min is UNSET else end(written.min),
            None if written.max is UNSET else end(written.max),
        )
    return span(written) or (None, None)


def _whole(written: s.Span) -> tuple[int, int | None]:
    low, high = span(written) or (None, None)
    return int(low or 0), None if high is None else int(high)


def _share(written: Any, key: str, otherwise: float) -> float:  # noqa: ANN401 (as above)
    """The share that is written, short or long; `otherwise` where only `true` is."""
    said = getattr(written, key, written)
    read = share(said)
    return otherwise if read is None else read
