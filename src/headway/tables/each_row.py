"""What is asked of single rows, as Polars expressions that are true where a row is bad.

Null breaks nothing but `NotNull`. NaN lies in no range, is none of any values, is not finite, and is an outlier of
nothing. What is written in a file of texts and is no value of its column's kind lies in no range either. Neighbour:
`compile` counts and combines; `survey` finds what must be `Known` of a column.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from headway.core.validation import (
    HasLength,
    InRange,
    IsDate,
    IsFinite,
    IsKind,
    IsPlain,
    Kind,
    Matches,
    NoOutlier,
    NotNull,
    OneNull,
    OneOf,
    OneType,
    RowAsk,
)
from headway.errors import Unmeasurable
from headway.tables import kinds_of_columns as kinds
from headway.tables.literals import as_number, bound, is_one_of, never
from headway.tables.sights import TEXTS, TIMES, Sight, want

if TYPE_CHECKING:
    import polars as pl

NOT_PLAIN = r"[\p{Cc}\x{FFFD}[\p{Cf}--[\x{200C}\x{200D}]]]|^\s|\s$"
"""Control and invisible characters (but the joiners that scripts and emoji need), replacement characters, and blanks
at an end."""


NOTHINGS = ("", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "missing", "-", "--", "?")
"""Words that stand for no value, in small letters."""


class Known(Struct, frozen=True, kw_only=True):
    """What was seen of a column before its rows are judged: its quartiles, or the reference's, and what is rare in it.

    `rare_nulls` are the spellings of nothing but the most frequent one; "" stands for nothing written at all.
    """

    quartiles: tuple[float, float] | None = None
    has_more_numbers: bool = True
    rare_nulls: tuple[str, ...] = ()


_NOTHING = Known()


def bad_cells(  # noqa: C901, PLR0911, PLR0912 (one case a kind)
    ask: RowAsk, column: Sight, at: str, known: Known = _NOTHING
) -> "pl.Expr | None":
    """Where a cell of the column breaks what is asked; None when none can. Raises Unmeasurable."""
    match ask:
        case NotNull():
            return column.is_null
        case IsKind(kind):
            return _not_of_kind(column, kind)
        case OneOf(values):
            return _or_misfit(column, ~is_one_of(values, column))
        case InRange():
            return _outside(ask, column, at)
        case Matches(pattern):
            return ~_text(column, at).str.contains(f"^(?:{pattern})$")
        case HasLength():
            return _length(ask, column, at)
        case IsDate(form):
            return _not_written_as(column, form, at)
        case IsFinite():
            return column.value.is_finite().not_() if column.is_float else None
        case IsPlain():
            return _text(column, at).str.contains(NOT_PLAIN) if _has_text(column) else None
        case NoOutlier() as ask:
            return _outlies(as_number(column, at), known.quartiles, ask.times_iqr)
        case OneType():
            return _rarer(column, has_more_numbers=known.has_more_numbers) if _has_text(column) else None
        case OneNull():
            return _rare_null(column, known.rare_nulls) if _has_text(column) and known.rare_nulls else None
        case _:
            raise Unmeasurable(f"{type(ask).__name__} is not asked of single cells", at=at, remedy="report this")


def looks_like_number(text: "pl.Expr") -> "pl.Expr":
    """Where a text spells a number."""
    import polars as pl

    return text.cast(pl.Float64, strict=False).is_not_null()


def stands_for_nothing(text: "pl.Expr") -> "pl.Expr":
    """Where a text is blank, or a word that stands for no value."""
    return text.str.strip_chars().str.to_lowercase().is_in(list(NOTHINGS))


def text_of(column: Sight) -> "pl.Expr":
    """What stands in the file, for a column of texts."""
    return column.value if column.text is None else column.text


def _rarer(column: Sight, *, has_more_numbers: bool) -> "pl.Expr":
    text = text_of(column)
    numbers = looks_like_number(text)
    return text.is_not_null() & ~stands_for_nothing(text) & (~numbers if has_more_numbers else numbers)


def _rare_null(column: Sight, rare: tuple[str, ...]) -> "pl.Expr":
    text = text_of(column)
    words = [word for word in rare if word]
    bad = text.is_in(words) if words else never(text)
    return bad.fill_null(value=False) | text.is_null() if "" in rare else bad


def _outlies(value: "pl.Expr", quartiles: tuple[float, float] | None, times: float) -> "pl.Expr | None":
    if quartiles is None:
        return None
    low, high = quartiles
    return (value < low - times * (high - low)) | (value > high + times * (high - low))


def _or_misfit(column: Sight, bad: "pl.Expr") -> "pl.Expr":
    misfits = column.misfits
    return bad if misfits is None else bad | misfits


def _outside(ask: InRange, column: Sight, at: str) -> "pl.Expr":
    import polars as pl

    value, bads = column.value, []
    if ask.minimum is not None:
        low = bound(ask.minimum, column, at)
        bads.append(value <= low if ask.open_minimum else value < low)
    if ask.maximum is not None:
        # NaN is above all numbers for Polars.
        high = bound(ask.maximum, column, at)
        bads.append(value >= high if ask.open_maximum else value > high)
    elif column.is_float:
        bads.append(value.is_nan())
    bad = bads[0] if bads else pl.lit(value=False)
    for other in bads[1:]:
        bad = bad | other
    return _or_misfit(column, bad)


def _has_text(column: Sight) -> bool:
    return column.text is not None or column.kind in TEXTS


def _text(column: Sight, at: str) -> "pl.Expr":
    if column.text is not None:
        return column.text
    want(column, TEXTS, "text", at)
    import polars as pl

    return column.value.cast(pl.String)


def _length(ask: HasLength, column: Sight, at: str) -> "pl.Expr":
    import polars as pl

    length = column.value.list.len() if column.kind == "list" else _text(column, at).str.len_chars()
    bad = pl.lit(value=False) if ask.minimum <= 0 and ask.maximum is None else length < ask.minimum
    return bad if ask.maximum is None else bad | (length > ask.maximum)


def _not_written_as(column: Sight, form: str, at: str) -> "pl.Expr | None":
    import polars as pl

    if column.text is None and column.kind in TIMES:
        # It is stored as a time, in whatever form a program shows it.
        return None
    text = _text(column, at)
    if not _is_form(form):
        raise Unmeasurable(
            f"{form!r} is no way to write a time", at=at or column.name, remedy="write it as %Y-%m-%d or %H:%M"
        )
    has_day = any(sign in form for sign in ("%Y", "%y", "%m", "%d", "%j", "%D", "%F", "%e", "%b", "%B", "%s"))
    has_clock = any(sign in form for sign in ("%H", "%I", "%M", "%S", "%T", "%R", "%k", "%l", "%s", "%r", "%X"))
    dtype = pl.Datetime("us", "UTC") if "%z" in form or "%:z" in form else pl.Datetime("us")
    kind = (dtype if has_clock else pl.Date()) if has_day else pl.Time()
    return text.is_not_null() & text.str.strptime(kind, form, strict=False).is_null()


def _is_form(form: str) -> bool:
    """Whether a time can be written so. One that Polars cannot write, it reads in no text, without a word."""
    import polars as pl

    try:
        return "%" in form and pl.select(pl.lit(_ANY_TIME).dt.strftime(form)).item() is not None
    except pl.exceptions.PolarsError:
        return False


_ANY_TIME = datetime(2026, 1, 31, tzinfo=UTC)

_WIDER: dict[Kind, frozenset[Kind]] = {"number": frozenset({"integer", "decimal"}), "decimal": frozenset({"integer"})}
"""Whose values are values of a kind, too."""


def _not_of_kind(column: Sight, kind: Kind) -> "pl.Expr | None":
    """Where a value is of another kind; a whole number is one however it is stored, for 3 may be kept as 3.0."""
    if column.kind in (kind, "null"):
        return column.misfits
    if kind == "integer" and column.kind in ("number", "decimal"):
        value = as_number(column, "")
        broken = (value != value.floor()) | column.value.is_not_null() & value.is_finite().fill_null(value=False).not_()
        return _or_misfit(column, broken)
    if column.is_text:
        return _not_spelled(column, kind)
    return None if column.kind in _WIDER.get(kind, ()) else column.value.is_not_null()


def _not_spelled(column: Sight, kind: Kind) -> "pl.Expr | None":
    """Where a text spells no value of the kind; every text is a text."""
    import polars as pl

    text = column.value if column.text is None else column.text
    types: dict[Kind, pl.DataType] = {
        "integer": pl.Int64(),
        "number": pl.Float64(),
        "decimal": pl.Float64(),
        "boolean": pl.Boolean(),
        "date": pl.Date(),
        "datetime": pl.Datetime("us"),
    }
    if kind == "string":
        return None
    if kind not in types:
        return text.is_not_null()

    def misfits(texts: "pl.Series") -> "pl.Series":
        found = _misfits(texts, types[kind])
        return found & _misfits(texts, pl.Datetime("us", "UTC")) if kind == "datetime" and found.any() else found

    return text.map_batches(misfits, return_dtype=pl.Boolean())


def _misfits(texts: "pl.Series", dtype: "pl.DataType") -> "pl.Series":
    return kinds.misfits(texts, kinds.values(texts, dtype))
