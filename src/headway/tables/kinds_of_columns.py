"""What a column holds: by the file's own types, or by what its texts look like; and texts turned into values.

One odd cell among many does not make a column of numbers one of texts: it is left empty among the values, and counted
as a misfit. Neighbour: `scan` has the same notion of numbers for DuckDB. Knows no files.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from headway.core.validation import Kind
from headway.tables.scan import NUMBER, WHOLE

if TYPE_CHECKING:
    import polars as pl

MISSING = ("", "NA", "N/A", "n/a", "#N/A", "null", "NULL", "None", "-", "?")
"""Texts that stand for no value in columns of other things than texts."""

_NONE = "^(?:" + "|".join(map(re.escape, MISSING)) + ")$"
_WHOLE = f"^(?:{WHOLE.strip(chr(39))})$"
_NUMBER = f"^(?:{NUMBER.strip(chr(39))})$"
# A number of more than eighteen digits would lose some as a float: it names something, and nobody reckons with it.
_LONG = "^-?[0-9]{19,}$"
_TRUTH = "^(?i:true|false)$"
_DAY = r"^[0-9]{4}-[01][0-9]-[0-3][0-9]$"
_MOMENT = r"^[0-9]{4}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9](:[0-6][0-9]([.][0-9]+)?)?"
_ZONE = "(Z|[+-][0-9]{2}:?[0-9]{2})"
_ZONED = f"{_MOMENT}{_ZONE}$"
_MOMENT = f"{_MOMENT}{_ZONE}?$"

_CLOCKS = ("%H:%M:%S%.f", "%H:%M")
"""How the time of a day is spelled, behind the day."""


class Seen(Struct, frozen=True, kw_only=True):
    """How many texts of a sample look like what; they may be added."""

    n: int = 0
    whole: int = 0
    number: int = 0
    truth: int = 0
    day: int = 0
    moment: int = 0
    zoned: int = 0
    list: int = 0
    struct: int = 0

    def __add__(self, other: "Seen") -> "Seen":
        return Seen(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})

    @property
    def kind(self) -> Kind:
        """What most of the texts look like: all but one in a hundred of them, or but one when there are ten.

        >>> Seen(n=1000, whole=990, number=5).kind, Seen(n=1000, whole=990).kind, Seen(n=9, whole=8).kind
        ('number', 'integer', 'string')
        """
        odd = max(self.n // 100, self.n >= 10)
        if self.n == 0:
            return "null"
        groups: tuple[tuple[int, Kind], ...] = (
            (self.whole + self.number, "number" if self.number else "integer"),
            (self.truth, "boolean"),
            (self.day, "date"),
            (self.day + self.moment, "datetime"),
            (self.list, "list"),
            (self.struct, "struct"),
        )
        return next((kind for count, kind in groups if self.n - count <= odd), "string")


def seen(frame: "pl.DataFrame", *, is_json: bool = False) -> dict[str, Seen]:
    """What the texts of each column look like. Those of JSON are spelled as there: a text has quotes, and is no number.

    All columns are asked at once: a query for each would take a millisecond.
    """
    import polars as pl

    names = frame.columns
    if not is_json:
        found = _counts(frame, {"whole": _WHOLE, "number": _NUMBER, "long": _LONG, "none": _NONE})
        odd = [name for name in names if found[name]["whole"] + found[name]["number"] < found[name]["n"]]
        more = _counts(frame.select(odd), {"truth": _TRUTH, "day": _DAY, "moment": _MOMENT, "zoned": _ZONED})
    else:
        # The texts of moments are moments, those of numbers are texts.
        bare = {"whole": _WHOLE, "number": _NUMBER, "truth": _TRUTH, "list": r"^\[", "struct": r"^\{"}
        found = _counts(frame, bare)
        quoted = frame.select(pl.when(pl.all().str.starts_with('"')).then(pl.all().str.strip_chars('"')))
        more = _counts(quoted, {"day": _DAY, "moment": _MOMENT, "zoned": _ZONED})
    return {name: _seen({**more.get(name, {}), **found[name]}) for name in names}


def _seen(counts: dict[str, int]) -> Seen:
    # Each is counted by the narrowest word that fits.
    counts["number"] -= counts["whole"] + counts.pop("long", 0)
    counts["n"] -= counts.pop("none", 0)
    return Seen(**counts)


def _counts(frame: "pl.DataFrame", patterns: dict[str, str]) -> dict[str, dict[str, int]]:
    """By column: how many texts there are (`n`), and how many match each of the patterns."""
    import polars as pl

    if not frame.width:
        return {}
    rows = [frame.select(pl.all().count()).row(0)]
    rows += [frame.select(pl.all().str.contains(pattern).sum()).row(0) for pattern in patterns.values()]
    columns = zip(*rows, strict=True)
    return {
        name: dict(zip(("n", *patterns), column, strict=True))
        for name, column in zip(frame.columns, columns, strict=True)
    }


def plain_json(texts: "pl.Series") -> "pl.Series":
    """The texts of JSON values without the quotes and escapes of JSON; numbers, lists and objects as they are."""
    import polars as pl

    is_quoted = texts.str.starts_with('"')
    if not is_quoted.any():
        return texts
    bare = texts.to_frame().select(
        pl.when(is_quoted).then(pl.col(texts.name).str.slice(1).str.head(-1)).otherwise(pl.col(texts.name))
    )[texts.name]
    escaped = (is_quoted & texts.str.contains("\\", literal=True)).fill_null(value=False)
    if not escaped.any():
        return bare
    return bare.scatter(escaped.arg_true(), texts.filter(escaped).str.json_decode(pl.String))


def type_of(looks: Seen) -> "pl.DataType":
    """The type of Polars that values of such texts have."""
    import polars as pl

    match looks.kind:
        case "integer":
            return pl.Int64()
        case "number":
            return pl.Float64()
        case "boolean":
            return pl.Boolean()
        case "date":
            return pl.Date()
        case "datetime":
            return pl.Datetime("us", "UTC" if 2 * looks.zoned > looks.moment else None)
        case _:
            return pl.String()


def kind_of(kind: "pl.DataType") -> Kind:
    """What a column of a type of Polars holds.

    >>> import polars as pl
    >>> kind_of(pl.UInt8()), kind_of(pl.List(pl.Int8)), kind_of(pl.Datetime("ns", "UTC"))
    ('integer', 'list', 'datetime')
    """
    import polars as pl

    if kind.is_integer():
        return "integer"
    if kind.is_float():
        return "number"
    kinds: tuple[tuple[type[pl.DataType], Kind], ...] = (
        (pl.Decimal, "decimal"),
        (pl.Boolean, "boolean"),
        (pl.Date, "date"),
        (pl.Time, "time"),
        (pl.Datetime, "datetime"),
        (pl.Duration, "duration"),
        (pl.Binary, "binary"),
        (pl.List, "list"),
        (pl.Array, "list"),
        (pl.Struct, "struct"),
        (pl.Null, "null"),
    )
    return next((name for one, name in kinds if isinstance(kind, one) or kind == one), "string")


def common(one: "pl.DataType", other: "pl.DataType") -> "pl.DataType | None":
    """A type for the values of both; None when there is none, as for lists and numbers."""
    import polars as pl

    if one == other or isinstance(other, pl.Null):
        return one
    kinds = {kind_of(one), kind_of(other)}
    if isinstance(one, pl.Null):
        return other
    same: dict[Kind, pl.DataType] = {"integer": pl.Int64(), "duration": pl.Duration("us")}
    if len(kinds) == 1 and kinds <= {*same}:
        return same[kinds.pop()]
    if kinds <= {"integer", "number", "decimal"}:
        return pl.Float64()
    if kinds <= {"date", "datetime"}:
        zones = {kind.time_zone for kind in (one, other) if isinstance(kind, pl.Datetime)}
        return pl.Datetime("us", zones.pop()) if len(zones) == 1 else pl.Datetime("us", "UTC")
    return None if kinds & {"list", "struct", "binary", "duration"} else pl.String()


def typed(texts: "pl.DataFrame", types: "Mapping[str, pl.DataType]") -> "pl.DataFrame":
    """The values that texts spell; null where one spells none of the type. Other columns are cast."""
    import polars as pl

    schema = texts.schema
    moments = [n for n, kind in types.items() if isinstance(kind, pl.Datetime) and isinstance(schema[n], pl.String)]
    found = texts.select(
        [
            pl.col(name) if name in moments or schema[name] == kind else _value(pl.col(name), schema[name], kind)
            for name, kind in types.items()
        ]
    )
    for name in moments:
        kind = types[name]
        assert isinstance(kind, pl.Datetime)
        found = found.with_columns(_moments(texts[name], kind))
    return found


def values(texts: "pl.Series", kind: "pl.DataType") -> "pl.Series":
    """The values that texts spell; null where one spells none of that type."""
    return typed(texts.to_frame(), {texts.name: kind}).to_series()


def _value(column: "pl.Expr", stored: "pl.DataType", kind: "pl.DataType") -> "pl.Expr":
    import polars as pl

    if not isinstance(stored, pl.String):
        return column.cast(kind)
    match kind:
        case pl.Boolean():
            lower = column.str.to_lowercase()
            return pl.when(lower.is_in(["true", "false"])).then(lower == "true").alias(column.meta.output_name())
        case pl.Date():
            return column.str.to_date("%Y-%m-%d", strict=False)
        case _:
            return column.cast(kind, strict=False)


def _moments(texts: "pl.Series", kind: "pl.Datetime") -> "pl.Series":
    """Moments: in the spelling of the first of them, which is quick, then what is left in the others."""
    import polars as pl

    first = next(iter(texts.drop_nulls().head(1)), "")
    separator = "T" if "T" in first else " "
    zone = "%z" if kind.time_zone else ""
    is_utc = bool(zone) and bool(texts.str.ends_with("Z").all())
    if zone:
        texts = texts.str.head(-1) if is_utc else texts.str.replace("Z$", "+00:00")
    found = pl.Series(texts.name, [None], dtype=pl.Datetime("us")).new_from_index(0, len(texts))
    if not zone or is_utc:
        found = _seconds(texts, separator)
        zone = ""
    spellings = [
        "%Y-%m-%d" + between + form + zone for between in dict.fromkeys((separator, *"T ")) for form in _CLOCKS
    ]
    for spelling in (*spellings, "%Y-%m-%d"):
        if found.null_count() == texts.null_count():
            break
        left = found.is_null() & texts.is_not_null()
        more = texts.filter(left).str.to_datetime(spelling, strict=False, time_unit="us")
        found = found.scatter(left.arg_true(), more.dt.replace_time_zone(None))
    return found.dt.replace_time_zone(kind.time_zone).cast(kind)


def _seconds(texts: "pl.Series", separator: str) -> "pl.Series":
    """Moments to the second and its parts: Polars is four times quicker without the parts, so these are read apart."""
    import polars as pl

    whole = texts.str.head(19).str.to_datetime(
        f"%Y-%m-%d{separator}%H:%M:%S", strict=False, cache=False, time_unit="us"
    )
    if texts.str.len_bytes().max() == 19:
        return whole
    parts = texts.str.slice(19)
    micros = (parts.cast(pl.Float64, strict=False) * 1e6).round().cast(pl.Int64, strict=False)
    return texts.to_frame().select(
        pl.when(parts == "").then(whole).when(parts.str.starts_with(".")).then(whole + micros.cast(pl.Duration("us")))
    )[texts.name]


def misfits(texts: "pl.Series", found: "pl.Series") -> "pl.Series":
    """True where a text says something, and it is not what its column holds."""
    import polars as pl

    if isinstance(found.dtype, pl.String) or found.null_count() == texts.null_count():
        return pl.Series(texts.name, [False]).new_from_index(0, texts.len())
    return texts.is_not_null() & found.is_null() & ~texts.is_in(list(MISSING))
