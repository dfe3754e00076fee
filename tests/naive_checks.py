"""What checks mean, row by row in plain Python: slow, short, and what the real thing is compared with."""

import math
import re
import statistics
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import assert_never

from headway.core import validation as v

Value = int | float | str | datetime | None
Row = dict[str, Value]
OfCells = v.NotNull | v.OneOf | v.InRange | v.Matches | v.HasLength | v.IsFinite | v.IsPlain | v.IsKind


def bad_rows(check: v.DataCheck, rows: Sequence[Row], names: Sequence[str]) -> set[int]:  # noqa: PLR0911
    """The numbers, from 0, of the rows that break a check."""
    columns = list(check.columns or names)
    match check.asks:
        case v.IsUnique():
            return _repeats(rows, columns, nulls_equal=False)
        case v.NoDuplicates():
            return _repeats(rows, columns, nulls_equal=True)
        case v.OneLabel(label=label):
            return _conflicts(rows, [name for name in columns if name != label], label)
        case v.IsIncreasing(strictly=strictly):
            return set().union(*(_falls([row[name] for row in rows], strictly=strictly) for name in columns))
        case v.NoOutlier(times_iqr=times):
            return set().union(*(_outliers([row[name] for row in rows], times) for name in columns))
        case v.RowHolds(expression=said):
            left, right = said.split(" <= ")
            return {i for i, row in enumerate(rows) if _is_above(row[left], row[right])}
        case ask if isinstance(ask, OfCells):
            is_bad = _cell(ask)
            return {i for i, row in enumerate(rows) if any(is_bad(row[name]) for name in columns)}
        case ask:
            raise AssertionError(f"{type(ask).__name__} has no counterpart in plain Python here: write one")


def _cell(ask: OfCells) -> Callable[[Value], bool]:  # noqa: PLR0911
    match ask:
        case v.NotNull():
            return lambda value: value is None
        case v.OneOf(values=values):
            return lambda value: value is not None and value not in values
        case v.InRange(minimum=low, maximum=high):
            return lambda value: (
                value is not None and (_is_nan(value) or _is_above(low, value) or _is_above(value, high))
            )
        case v.Matches(pattern=pattern):
            return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is None
        case v.HasLength(minimum=low, maximum=high):
            return lambda value: isinstance(value, str) and not low <= len(value) <= (high or 0)
        case v.IsFinite():
            return lambda value: isinstance(value, float) and not math.isfinite(value)
        case v.IsPlain():
            return lambda value: isinstance(value, str) and (value != value.strip() or any(map(_is_odd, value)))
        case v.IsKind(kind=kind):
            assert kind == "integer", f"the kind {kind!r} has no counterpart in plain Python here: write one"
            return lambda value: isinstance(value, float) and not value.is_integer()
        case _:
            assert_never(ask)


def number(check: v.DataCheck, rows: Sequence[Row]) -> float | None:  # noqa: C901, PLR0911
    """The number that a check measures, or None when there is nothing to measure."""
    ask = check.asks
    if isinstance(ask, v.RowCount):
        return len(rows)
    values = [row[check.columns[0]] for row in rows]
    there = [value for value in values if value is not None]
    counts = Counter("nan" if _is_nan(value) else value for value in there)
    if isinstance(ask, v.Varies | v.IsBalanced):
        shares = [n / len(there) for n in counts.values()]
        return (max(shares) if isinstance(ask, v.Varies) else min(shares)) if shares else None
    assert isinstance(ask, v.Statistic)
    if ask.of == "nulls":
        return (len(values) - len(there)) / len(values) if values else None
    if ask.of == "distinct":
        return len(counts)
    if ask.of == "share":
        return sum(value == ask.at for value in there) / len(there) if there else None
    numbers = sorted(float(value) for value in there if isinstance(value, int | float) and not _is_nan(value))
    if not numbers or (ask.of == "std" and len(numbers) < 2):
        return None
    match ask.of:
        case "mean":
            return math.fsum(numbers) / len(numbers) if math.isfinite(sum(numbers)) else sum(numbers)
        case "std":
            return statistics.stdev(numbers) if math.isfinite(sum(map(abs, numbers))) else math.nan
        case "min":
            return numbers[0]
        case "max":
            return numbers[-1]
        case "sum":
            return math.fsum(numbers) if math.isfinite(sum(map(abs, numbers))) else sum(numbers)
        case _:
            at = float(ask.at) if ask.of == "quantile" and ask.at is not None else 0.5
            return next(value for i, value in enumerate(numbers) if (i + 1) / len(numbers) >= at)


def _key(row: Row, columns: Sequence[str]) -> tuple[object, ...]:
    # 0.0 and -0.0 are equal in Python; NaN is not, and is one value here.
    return tuple("nan" if _is_nan(row[name]) else row[name] for name in columns)


def _repeats(rows: Sequence[Row], columns: Sequence[str], *, nulls_equal: bool) -> set[int]:
    seen: set[tuple[object, ...]] = set()
    bad = set()
    for i, row in enumerate(rows):
        key = _key(row, columns)
        if None in key and not nulls_equal:
            continue
        if key in seen:
            bad.add(i)
        seen.add(key)
    return bad


def _conflicts(rows: Sequence[Row], features: Sequence[str], label: str) -> set[int]:
    labels: dict[tuple[object, ...], set[object]] = {}
    for row in rows:
        if row[label] is not None:
            labels.setdefault(_key(row, features), set()).add(_key(row, [label]))
    return {i for i, row in enumerate(rows) if row[label] is not None and len(labels[_key(row, features)]) > 1}


def _falls(values: Sequence[Value], *, strictly: bool) -> set[int]:
    bad, last = set(), None
    for i, value in enumerate(values):
        if value is None or _is_nan(value):
            continue
        if last is not None and (_is_above(last, value) or (strictly and last == value)):
            bad.add(i)
        last = value
    return bad


def _outliers(values: Sequence[Value], times: float) -> set[int]:
    numbers = sorted(float(value) for value in values if isinstance(value, int | float) and math.isfinite(value))
    if not numbers:
        return set()
    low, high = (_quantile(numbers, at) for at in (0.25, 0.75))
    reach = times * (high - low)
    return {
        i
        for i, value in enumerate(values)
        if isinstance(value, int | float) and (value < low - reach or value > high + reach)
    }


def _quantile(ordered: Sequence[float], at: float) -> float:
    place = at * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _is_above(one: object, other: object) -> bool:
    """Whether one value is above another; as Polars has it, NaN is above all numbers."""
    if one is None or other is None:
        return False
    if _is_nan(one) or _is_nan(other):
        return _is_nan(one) and not _is_nan(other)
    if isinstance(one, str) and isinstance(other, datetime):
        one = datetime.fromisoformat(one)
    if isinstance(other, str) and isinstance(one, datetime):
        other = datetime.fromisoformat(other)
    return bool(one > other)  # type: ignore[operator] # values of one column


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _is_odd(sign: str) -> bool:
    return sign == "\ufffd" or (unicodedata.category(sign) in ("Cc", "Cf") and sign not in "\u200c\u200d")
