"""Bounds of numbers and times from what was seen: so wide that a fresh sample of the same source keeps them.

The largest of so many values is exceeded by the largest of as many new ones half of the time, so what was seen is no
bound. It is widened by the weight of the tail, and rounded outwards; what looks like a natural end is kept.
"""

import math
from collections.abc import Callable
from datetime import date, timedelta

from msgspec import Struct

from headway.core.profile import ColumnProfile

PILED = {"integer": 20}
"""An end that is the end of nature is hit by at least so many values (else 50), and by `PILED_SHARE` of all."""

PILED_SHARE = 0.005
"""Rows come in clumps, thirty flights in one hour's weather: fewer say nothing of an end, however many they are."""


LEAN = 3
"""A column whose upper half is so many times as wide as its lower one has a tail like an exponential one."""

FEW = 1000
"""Fewer values show little of a tail."""


class Bounds(Struct, frozen=True, kw_only=True):
    """The least and the largest value to be expected; None where nothing can be said."""

    low: float | None = None
    high: float | None = None


def bounds_of(column: ColumnProfile) -> Bounds:
    """The bounds of a column of numbers; none where all its values are alike."""
    low, high = column.minimum, column.maximum
    if not isinstance(low, int | float) or not isinstance(high, int | float) or low == high:
        return Bounds()
    # A share comes near to 1 often, where it does at all.
    if column.kind != "integer" and low >= 0 and 0.9 < high <= 1 and column.quantiles.get("0.99", 0) > 0.9:
        return Bounds(low=0, high=1)
    if low >= 0 and high == 100 and column.quantiles.get("0.99", 0) >= 95:
        return Bounds(low=0, high=100)
    middle = column.quantiles.get("0.5", (low + high) / 2)
    widest = middle + (high - middle) * _weight(column, is_upper=True)
    least = middle - (middle - low) * _weight(column, is_upper=False)
    if not 1 / _VAST < widest - least < _VAST:
        return Bounds()
    step = _step(widest - least)
    if column.kind == "integer":
        step = max(step, 1)
    lower = _short(low, math.floor) if _is_end(column, is_upper=False) else _multiple(math.floor(least / step), step)
    upper = _short(high, math.ceil) if _is_end(column, is_upper=True) else _multiple(math.ceil(widest / step), step)
    # Nothing on the other side of 0 was seen: a count, a price, a depth.
    lower = 0 if low >= 0 > lower else lower
    upper = 0 if high <= 0 < upper else upper
    return Bounds(low=_whole(column, lower), high=_whole(column, upper))


_VAST = 1e300
"""Values so far apart, or so near to each other, that no float may be left for a bound."""


def _whole(column: ColumnProfile, value: float) -> float | None:
    if column.kind != "integer" and not float(value).is_integer():
        return value
    whole = int(value)
    # No file holds a larger one, nor can a schema.
    return whole if column.kind != "integer" or -(2**63) <= whole < 2**63 else None


def _weight(column: ColumnProfile, *, is_upper: bool) -> float:
    """How many times as far from the median as anything seen a new value may lie.

    The tail is weighed by its quantiles, not by its end, which is chance. Where two steps outwards are as long
    (exponential), 2 is enough: a new end exceeds it about once in as many samples as there were rows. The heavier, the
    more; a tail of Pareto's with exponent 2 goes beyond 10 times in one sample of a hundred.
    """
    names = ("0.5", "0.75", "0.95", "0.99") if is_upper else ("0.5", "0.25", "0.05", "0.01")
    middle, near, far, end = (column.quantiles.get(name) for name in names)
    other = column.quantiles.get("0.05" if is_upper else "0.95")
    if middle is None or near is None or far is None or end is None or other is None:
        return 5
    inner, outer = abs(far - near), abs(end - far)
    longer, shorter = abs(far - middle), abs(middle - other)
    # Where half of the values are alike the quantiles are too, and say nothing of the rest.
    if inner == 0 or shorter == 0:
        return 10
    ratio = max(outer / inner, longer / shorter / LEAN)
    # Real columns have tails that a few hundred rows do not show.
    more = 2 if column.n_values < FEW else 0
    return more + (2 if ratio < 0.7 else 3 if ratio < 0.9 else 6 if ratio < 1.2 else 10)


def _is_end(column: ColumnProfile, *, is_upper: bool) -> bool:
    """Whether values pile up at the end, which they do at an end of nature: a visibility of 10 miles, a Sunday."""
    end = column.maximum if is_upper else column.minimum
    at_end = _count(column, end)
    if at_end < max(PILED.get(column.kind, 50), PILED_SHARE * column.n_values):
        return False
    numbers = sorted(
        (one.value for one in column.top if isinstance(one.value, int | float) and one.value != end), reverse=is_upper
    )
    beside = _count(column, numbers[0]) if numbers else 0
    return at_end >= beside / 2


def _count(column: ColumnProfile, value: object) -> int:
    return next((one.count for one in column.top if one.value == value), 0)


def _step(width: float) -> float:
    """A round number, 1, 2 or 5, near to a tenth of the width.

    >>> _step(178), _step(7.2), _step(0.06)
    (20.0, 1.0, 0.005)
    """
    tenth = width / 10
    unit = 10.0 ** math.floor(math.log10(tenth))
    return min((unit * k for k in (1, 2, 5, 10)), key=lambda step: abs(math.log(step / tenth)))


def _short(value: float, outwards: Callable[[float], int]) -> float:
    """The end itself, or where it has many digits four of them, outwards."""
    if value == float(f"{value:.6g}"):
        return value
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 3)
    return _multiple(outwards(value / step), step)


def _multiple(times: int, step: float) -> float:
    """So many steps, without the dust of binary fractions."""
    return round(times * step, max(1 - math.floor(math.log10(step)), 0))


# --- times ------------------------------------------------------------------------------------------------------------

LATER = 20
"""Years beyond the newest day seen that new data may reach; what is later is no time but a word for one, as 9999 is."""


def days_of(column: ColumnProfile) -> tuple[str, str] | None:
    """The first and the last day to be expected of a column of times; None where they cannot be read.

    The first lies as far before what was seen as that is long, and a year at least; the last far in the future, for new
    data are newer.
    """
    try:
        first, last = date.fromisoformat(str(column.minimum)[:10]), date.fromisoformat(str(column.maximum)[:10])
        earlier = first - max(last - first, timedelta(days=365))
    except (ValueError, OverflowError):
        return None
    if last.year + LATER > 9990 or earlier.year < 10:
        return None
    return f"{earlier.year // 10 * 10:04}-01-01", f"{(last.year + LATER) // 10 * 10 + 10:04}-01-01"
