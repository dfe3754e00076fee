"""Values as a person writes them in a schema, as Polars compares them with a column: numbers, texts, ISO 8601 times.

Neighbour: `compile` asks for them. Knows no check.
"""

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from headway.core.validation import Cell
from headway.errors import Unmeasurable
from headway.tables.sights import NUMBERS, TIMES, Sight

if TYPE_CHECKING:
    import polars as pl


def bound(cell: Cell, column: Sight, at: str) -> "pl.Expr":  # noqa: PLR0911 (one case a kind)
    """A limit that values of the column are compared with. Raises Unmeasurable when the two cannot be compared."""
    import polars as pl

    match column.kind:
        case "integer" | "number" | "decimal" if (found := _number(cell)) is not None:
            # Past 64 bits Polars 1.20 would compare with null.
            return pl.lit(found if -(1 << 63) <= found < 1 << 63 else float(found))
        case "date" | "datetime" if (moment := _moment(cell)) is not None:
            return _time(moment, column, at)
        case "time" if isinstance(cell, str) and (clock := _clock(cell)) is not None:
            return pl.lit(clock)
        case "duration" if (seconds := _number(cell)) is not None:
            return pl.lit(timedelta(seconds=seconds))
        case "string":
            return pl.lit(plain(cell))
        case "boolean" if isinstance(cell, bool):
            return pl.lit(cell)
        case "null":
            # There is nothing to compare with; the comparison must only be of one type.
            return pl.lit(None, dtype=column.dtype)
        case _:
            raise Unmeasurable(
                f"{cell!r} cannot be compared with column {column.name!r}, which holds {_plural(column)}",
                at=at,
                remedy=_remedy(column),
            )


def is_one_of(cells: Sequence[Cell], column: Sight) -> "pl.Expr":  # noqa: PLR0911 (one case a kind)
    """Whether the column's value is one of these; NaN is none. What no value of the column's kind can be is left out.

    Texts are compared with what stands in a file of texts, so that `007` is not 7.
    """
    import polars as pl

    if column.text is not None and any(isinstance(cell, str) for cell in cells) and column.kind not in TIMES:
        return _among(column.text, [plain(cell) for cell in cells], pl.String())
    match column.kind:
        case "string":
            return _among(column.value, [plain(cell) for cell in cells], pl.String())
        case "integer" | "number" | "decimal":
            numbers = [number for cell in cells if (number := _number(cell)) is not None]
            if column.kind == "integer":
                # Beyond 64 bits or with a fraction it is no value of the column.
                whole = [int(number) for number in numbers if math.isfinite(number) and number == int(number)]
                return _among(column.value, [n for n in whole if _fits(n, column.dtype)], column.dtype)
            # 0.1 in 32 bits is not 0.1 in 64.
            dtype = column.dtype if column.is_float else pl.Float64()
            return _among(column.value.cast(dtype), [float(n) for n in numbers if not math.isnan(n)], dtype)
        case "date" | "datetime":
            moments = [moment for cell in cells if (moment := _moment(cell)) is not None]
            return _any([column.value == _time(moment, column, column.name) for moment in moments], column)
        case "boolean":
            truths = {str(cell).lower() for cell in cells}
            known = [truth for truth in (True, False) if plain(truth) in truths]
            return _among(column.value, known, pl.Boolean())
        case "null":
            return _any([], column)
        case _:
            return _among(column.value.cast(pl.String), [plain(cell) for cell in cells], pl.String())


def as_number(column: Sight, at: str) -> "pl.Expr":
    """The column as numbers, times in UTC seconds; NaN is null. Raises Unmeasurable for what is none of them."""
    import polars as pl

    match column.kind:
        case "integer" | "boolean" | "decimal" | "null":
            return column.value.cast(pl.Float64)
        case "number":
            return column.value.fill_nan(None) if column.is_float else column.value.cast(pl.Float64)
        case "date":
            return column.value.cast(pl.Date).dt.epoch("s").cast(pl.Float64)
        case "datetime":
            return column.value.dt.epoch("us").cast(pl.Float64) / 1e6
        case "duration":
            return column.value.dt.total_microseconds().cast(pl.Float64) / 1e6
        case _:
            raise Unmeasurable(
                f"column {column.name!r} holds {_plural(column)}, not numbers",
                at=at or column.name,
                remedy="ask this of a column of numbers or times",
            )


def plain(cell: Cell) -> str:
    """A value as it stands in a file of texts.

    >>> plain(True), plain(1), plain("a")
    ('true', '1', 'a')
    """
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


def _among(value: "pl.Expr", cells: Sequence[object], dtype: "pl.DataType | type[pl.DataType]") -> "pl.Expr":
    import polars as pl

    if 0 < len(cells) <= 8:
        # Up to so many, comparing one by one takes half the time of looking up.
        same = value == pl.lit(cells[0], dtype=dtype)
        for cell in cells[1:]:
            same = same | (value == pl.lit(cell, dtype=dtype))
        return same
    return value.is_in(pl.Series(cells, dtype=dtype).to_list()) if cells else never(value)


def never(value: "pl.Expr") -> "pl.Expr":
    """False where there is a value, null where there is none."""
    import polars as pl

    return pl.when(value.is_not_null()).then(pl.lit(value=False))


def _any(conditions: Sequence["pl.Expr"], column: Sight) -> "pl.Expr":
    if not conditions:
        return never(column.value)
    found = conditions[0]
    for condition in conditions[1:]:
        found = found | condition
    return found


def _number(cell: Cell) -> int | float | None:
    if isinstance(cell, bool):
        return None
    if isinstance(cell, str):
        try:
            return float(cell)
        except ValueError:
            return None
    return cell


def _fits(number: int, dtype: "pl.DataType") -> bool:
    import polars as pl

    try:
        pl.Series([number], dtype=dtype)
    except (OverflowError, TypeError, pl.exceptions.PolarsError):
        return False
    return True


def _moment(cell: Cell) -> date | datetime | None:
    if not isinstance(cell, str):
        return None
    try:
        return date.fromisoformat(cell) if len(cell) <= 10 else datetime.fromisoformat(cell)
    except ValueError:
        return None


def _clock(cell: str) -> time | None:
    try:
        return time.fromisoformat(cell)
    except ValueError:
        return None


def _time(moment: date | datetime, column: Sight, at: str) -> "pl.Expr":
    """A moment as the column's values are compared with it: in its zone; without one on either side, in UTC."""
    import polars as pl

    if not isinstance(moment, datetime):
        if column.kind == "date":
            return pl.lit(moment)
        moment = datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001 - UTC is put below
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    zone = getattr(column.dtype, "time_zone", None)
    if column.kind == "date":
        raise Unmeasurable(
            f"{moment} cannot be compared with column {column.name!r}, which holds days",
            at=at or column.name,
            remedy="write the day alone: 2026-01-31",
        )
    naive = pl.lit(utc.replace(tzinfo=None), dtype=pl.Datetime("us"))
    return naive if zone is None else naive.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)


def _plural(column: Sight) -> str:
    words = {
        "string": "texts",
        "boolean": "true and false",
        "date": "days",
        "datetime": "times",
        "time": "times of day",
        "duration": "durations",
        "binary": "bytes",
        "list": "lists",
        "struct": "nested values",
    }
    return words.get(column.kind, "numbers")


def _remedy(column: Sight) -> str:
    if column.kind in TIMES:
        return "write a time of ISO 8601, such as 2026-01-31"
    return "write a number" if column.kind in NUMBERS else "mend the value, or the kind of the column"


def instant(column: Sight, at: str) -> "pl.Expr":
    """The column's times in microseconds since 1970 in UTC, or its numbers, so that tables can be compared."""
    import polars as pl

    match column.kind:
        case "date":
            return column.value.cast(pl.Datetime("us")).dt.epoch("us")
        case "datetime":
            return column.value.dt.epoch("us")
        case _:
            return as_number(column, at)
