"""A profile and the count of bad rows, computed as plainly as can be, to judge what is inferred by."""

import math
from datetime import date, datetime
from itertools import pairwise
from typing import Any

import polars as pl

from headway.core import validation as v
from headway.core.profile import ColumnProfile, Counted, Lengths, Profile

_KINDS: tuple[tuple[Any, v.Kind], ...] = (
    (pl.Boolean, "boolean"), (pl.Date, "date"), (pl.Datetime, "datetime"), (pl.String, "string"), (pl.Null, "null"),
)  # fmt: skip


def profile_of(frame: pl.DataFrame, n_top: int = 100, n_patterns: int = 100) -> Profile:
    columns = tuple(_column(frame[name], n_top, n_patterns) for name in frame.columns)
    return Profile(n_rows=frame.height, columns=columns)


def kind_of(series: pl.Series) -> v.Kind:
    if series.dtype.is_integer():
        return "integer"
    return "number" if series.dtype.is_float() else next(kind for dtype, kind in _KINDS if series.dtype == dtype)


def _column(series: pl.Series, n_top: int, n_patterns: int) -> ColumnProfile:
    kind = kind_of(series)
    values = series.drop_nulls()
    numbers = values.drop_nans() if kind == "number" else values
    more: dict[str, Any] = {}
    if kind in ("integer", "number") and len(numbers):
        finite = numbers.filter(numbers.is_finite()) if kind == "number" else numbers
        names = ("0.01", "0.05", "0.25", "0.5", "0.75", "0.95", "0.99")
        more["quantiles"] = {name: finite.quantile(float(name)) for name in names}
        more["n_nan"] = int(values.is_nan().sum()) if kind == "number" else 0
        more["n_infinite"] = int(values.is_infinite().sum()) if kind == "number" else 0
    if kind == "string" and len(values):
        lengths = values.str.len_chars()
        more["lengths"] = Lengths(minimum=lengths.min(), maximum=lengths.max(), mean=lengths.mean())  # type: ignore[arg-type]
        shapes = values.str.replace_all("[A-Z]", "A").str.replace_all("[a-z]", "a").str.replace_all("[0-9]", "9")
        more["patterns"] = tuple(Counted(*row) for row in _counts(shapes)[:n_patterns])
    return ColumnProfile(
        name=series.name,
        kind=kind,
        stored_as=str(series.dtype),
        n_rows=len(series),
        n_null=series.null_count(),
        n_distinct=values.n_unique(),
        minimum=_cell(numbers.min()),
        maximum=_cell(numbers.max()),
        top=tuple(Counted(_cell(value), n) for value, n in _counts(values)[:n_top]),
        is_increasing=kind != "null" and bool(values.is_sorted()),
        **more,
    )


def _cell(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value


def _counts(values: pl.Series) -> list[tuple[Any, int]]:
    if values.dtype == pl.Null:
        return []
    return values.alias("v").value_counts(sort=True).rows()


def broken(check: v.DataCheck, frame: pl.DataFrame) -> bool:
    """Whether the table breaks a check of the kinds that are inferred."""
    match check.asks:
        case v.HasColumn():
            return any(name not in frame.columns for name in check.columns)
        case v.NoOthers():
            return any(name not in check.columns for name in frame.columns)
        case v.RowCount(minimum=low):
            return frame.height < low
        case v.RowChange() | v.NoShift():
            return False
    return not check.tolerance.allows(_n_bad(check.asks, frame[check.columns[0]]), frame.height)


def _n_bad(asks: v.Ask, series: pl.Series) -> int:  # noqa: PLR0911
    values = series.drop_nulls()
    cells = [_cell(value) for value in values.to_list()]
    match asks:
        case v.IsKind(kind=kind):
            return 0 if kind_of(series) in (kind, "null") else len(values)
        case v.NotNull():
            return series.null_count()
        case v.OneOf(values=allowed):
            return sum(cell not in allowed for cell in cells)
        case v.InRange(minimum=low, maximum=high):
            return sum(not ((low is None or cell >= low) and (high is None or cell <= high)) for cell in cells)
        case v.IsUnique():
            return len(cells) - len(set(cells))
        case v.Matches(pattern=pattern):
            return int((~values.str.contains(f"^(?:{pattern})$")).sum())
        case v.HasLength(minimum=low, maximum=high):
            return sum(not low <= len(cell) <= (math.inf if high is None else high) for cell in cells)
        case v.IsFinite():
            return sum(not math.isfinite(cell) for cell in cells)
        case v.IsIncreasing():
            return sum(one > other for one, other in pairwise(cells))
    raise AssertionError(asks)
