"""A schema in the making, from another tool's checks: what fits is put where a person would write it, the rest listed.

Nothing is dropped silently: what does not map is an `Unmapped` with its place and the reason. Knows no other tool.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from msgspec import UNSET, Struct, UnsetType, structs, to_builtins

from headway.codec.human import converted
from headway.codec.kinds import problems_of
from headway.codec.schema_file import beyond_numbers, fault_of_condition, fault_of_pattern
from headway.core.schema import (
    Amount,
    Bound,
    Column,
    Custom,
    Flag,
    Length,
    Nulls,
    Range,
    Schema,
    Span,
    Text,
    Typed,
    Values,
)
from headway.core.schema_faults import problems_in
from headway.core.validation import Cell, Kind, Severity


class Unmapped(Struct, frozen=True, kw_only=True):
    """A part of a suite that no check here says: what it is called there, where it stands, and why it was left out."""

    what: str
    at: str
    why: str

    @property
    def told(self) -> str:
        """All of it in a sentence: what is not asked must be known to be not asked."""
        return f"{self.what} at {self.at} is not asked: {self.why}"


class Suite(Struct, frozen=True, kw_only=True):
    """What a suite of `tool` means here, and what of it means nothing here."""

    tool: str
    schema: Schema
    unmapped: tuple[Unmapped, ...]


_SAME_SIDE = {"min": "above", "above": "min", "max": "below", "below": "max"}
"""Two bounds of one side do not stand beside each other in a column."""


# Any (here and below): values of whatever the other tool wrote.
class Draft:
    """Collects checks, column by column; `suite` gives all of it."""

    def __init__(self, tool: str) -> None:
        self.tool = tool
        self.columns: dict[str, dict[str, Any]] = {}
        self.table: dict[str, Any] = {}
        self.checks: list[Custom] = []
        self.unmapped: list[Unmapped] = []
        self._places: dict[tuple[str, str], tuple[str, str]] = {}

    def leave(self, what: str, at: str, why: str) -> None:
        """List a part that does not map."""
        self.unmapped.append(Unmapped(what=what, at=at, why=why))

    @contextmanager
    def part(self, what: str, at: str) -> Iterator[None]:
        """List a part whose values cannot be worked with, for files may be damaged."""
        try:
            yield
        except (TypeError, ValueError, AttributeError, LookupError, OverflowError):
            self.leave(what, at, "its values are of other kinds than it takes")

    def column(self, name: str) -> None:
        """The column is one of the table, though nothing more may be asked of it."""
        self.columns.setdefault(name, {})

    # Any: the value of whichever key it is.
    def ask(self, name: str, key: str, value: Any, *, what: str, at: str) -> None:  # noqa: ANN401 (as above)
        """Ask something of a column, under its key; what is asked twice becomes a check of its own."""
        asked = self.columns.setdefault(name, {})
        self._places.setdefault((name, key), (what, at))
        if key not in asked and _SAME_SIDE.get(key) not in asked:
            asked[key] = value
        elif asked.get(key) != value:
            each: dict[str, Any] = {key: value}
            if asked.get("required") is False:
                each["required"] = False
            self.checks.append(Custom(columns=name, each=Column(**each)))

    def row(self, condition: str, *, what: str, at: str, name: str = "", more: "Terms | None" = None) -> None:
        """A condition over rows, if the engine can read it."""
        if said := fault_of_condition(condition):
            self.leave(what, at, said)
            return
        more = more or Terms()
        self.checks.append(Custom(row=condition, name=name, tolerate=more.tolerate, severity=more.severity))

    def pattern(self, name: str, pattern: str, *, what: str, at: str, more: "Terms | None" = None) -> None:
        """A regular expression for whole texts, if the engine can read it."""
        if (found := fault_of_pattern(pattern)) is not None:
            self.leave(what, at, f"Rust's regular expressions cannot say it: {found[0]}")
            return
        self.ask(name, "matches", (more or Terms()).text(pattern), what=what, at=at)

    def suite(self) -> Suite:
        """The schema, less what makes no sense in it, which is listed."""
        while True:
            columns: dict[str, Kind | Column | None] = {name: Column(**asked) for name, asked in self.columns.items()}
            # Values may be of any kind: what another tool wrote, or a damaged file holds.
            written = to_builtins(Schema(columns=columns, checks=list(self.checks), **self.table))
            schema = converted(written, Schema) or Schema()
            problems = problems_of(written, Schema)[0] or beyond_numbers(written) or problems_in(schema)
            if not problems:
                return Suite(tool=self.tool, schema=_short(schema), unmapped=tuple(self.unmapped))
            path = problems[0].path
            if path[0] == "columns":
                name, key = str(path[1]), str(path[2]).replace("-", "_")
                del self.columns[name][key]
                what, at = self._places.get((name, key), (key, name))
            elif path[0] == "checks":
                del self.checks[int(path[1])]
                what, at = "check", "checks"
            else:
                self.table.pop(str(path[0]).replace("-", "_"))
                what, at = str(path[0]), str(path[0])
            self.leave(what, at, problems[0].problem)


def _short(schema: Schema) -> Schema:
    """Columns of which only the type is asked, or nothing, in short."""
    columns: dict[str, Kind | Column | None] = {}
    for name in schema.columns:
        column = schema.column(name) or Column()
        plain = column.type if isinstance(column.type, str) else None
        columns[name] = plain if column == (Column(type=plain) if plain else Column()) else column
    return structs.replace(schema, columns=columns)


def mapping(value: Any) -> Mapping[str, Any]:  # noqa: ANN401 (as above)
    """The value if it is a mapping, else an empty one: files may be damaged."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: Any) -> Sequence[Any]:  # noqa: ANN401 (as above)
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else ()


class Terms(Struct, frozen=True, kw_only=True):
    """How many rows may break a check, and what a broken one does; makes the long forms where those are needed."""

    tolerate: Amount = 0
    severity: Severity | UnsetType = UNSET

    @property
    def _is_plain(self) -> bool:
        return not self.tolerate and self.severity is UNSET

    def bound(self, value: Cell) -> Cell | Bound:
        """A bound of values."""
        return value if self._is_plain else Bound(is_=value, tolerate=self.tolerate, severity=self.severity)

    def length(self, low: int | None, high: int | None) -> Span | Length:
        """How many characters; as they were written if those are no numbers."""
        if not self._is_plain:
            most = UNSET if high is None else high
            return Length(min=low or 0, max=most, tolerate=self.tolerate, severity=self.severity)
        return (
            low if low is not None and low == high else f"{'' if low is None else low}..{'' if high is None else high}"
        )

    def exactly(self, count: int) -> Span | Range:
        """One number that must be this."""
        return count if self.severity is UNSET else Range(min=count, max=count, severity=self.severity)

    def nulls(self, most: Amount) -> Amount | Nulls:
        """How many values may be missing at most."""
        return most if self.severity is UNSET else Nulls(max=most, severity=self.severity)

    def text(self, value: str) -> str | Text:
        """A regular expression, or a format of dates."""
        return value if self._is_plain else Text(is_=value, tolerate=self.tolerate, severity=self.severity)

    def values(self, are: Sequence[Cell]) -> list[Cell] | Values:
        """The allowed values."""
        return list(are) if self._is_plain else Values(are=list(are), tolerate=self.tolerate, severity=self.severity)

    def flag(self) -> bool | Flag:
        """Something that is asked."""
        return True if self._is_plain else Flag(tolerate=self.tolerate, severity=self.severity)

    def type(self, kind: Kind) -> Kind | Typed:
        """A type."""
        return kind if self._is_plain else Typed(is_=kind, tolerate=self.tolerate, severity=self.severity)


def percent_of(share: float) -> str:
    """A share as it is written in a schema.

    >>> percent_of(1 - 0.999)
    '0.1%'
    """
    return f"{share * 100:.10g}%"


# --- expressions ------------------------------------------------------------------------------------------------------


def named(column: str) -> str:
    """A column in SQL."""
    return '"' + column.replace('"', '""') + '"'


def literal(value: Cell) -> str:
    """A value in SQL."""
    if isinstance(value, bool):
        return str(value).upper()
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def literally(text: str) -> str:
    r"""A regular expression for just this text.

    >>> literally("a.b-c")
    'a\\.b-c'
    """
    return re.sub(r"([\\.^$*+?()\[\]{}|])", r"\\\1", text)


def whole(pattern: str, *, from_start: bool = False) -> str:
    """A regular expression for whole texts of one that is looked for in them, or (`from_start`) at their beginning.

    >>> whole("^N[0-9]+$"), whole("N[0-9]+", from_start=True), whole("x"), whole("^a|b$")
    ('N[0-9]+', 'N[0-9]+(?s:.*)', '(?s:.*)x(?s:.*)', '(?s:.*)(?:^a|b$)(?s:.*)')
    """
    if "|" in pattern:
        return f"{'' if from_start else '(?s:.*)'}(?:{pattern})(?s:.*)"
    is_start = pattern.startswith("^")
    is_end = re.search(r"(?<!\\)(\\\\)*\$$", pattern) is not None
    middle = pattern[is_start : len(pattern) - is_end]
    return f"{'' if is_start or from_start else '(?s:.*)'}{middle}{'' if is_end else '(?s:.*)'}"


# --- types ------------------------------------------------------------------------------------------------------------

_KINDS: tuple[tuple[str, Kind], ...] = (
    (r"u?int(eger)?(8|16|32|64|128)?(type)?|bigint|smallint|tinyint|long(type)?|short(type)?", "integer"),
    (r"float(ing)?(16|32|64)?(type)?|double(type)?|double[_ ]precision|real|number", "number"),
    (r"(decimal|numeric)(type)?(\(.*\))?", "decimal"),
    (r"bool(ean|_)?(type)?", "boolean"),
    (r"str(ing)?(\[.*\])?(type)?|utf-?8|text|(var|n)?char(\(.*\))?|unicode", "string"),
    (r"date(time)?(64)?\(.*\)|datetime(64)?(\[.*\])?(type)?|timestamp(_?ntz|tz)?(\(.*\))?(type)?", "datetime"),
    (r"date(32|64)?(type)?", "date"),
    (r"time(64)?(type)?", "time"),
    (r"timedelta(64)?(\[.*\])?|duration(\(.*\))?|interval", "duration"),
    (r"bytes|binary(type)?|blob|varbinary", "binary"),
    (r"(list|array)(type)?(\(.*\)|\[.*\]|<.*>)?", "list"),
    (r"struct(type)?(\(.*\)|\{.*\}|<.*>)?|dict|map", "struct"),
)


def kind_named(name: str) -> Kind | None:
    """The kind of a type by any tool's name for it.

    >>> [kind_named(name) for name in ("Int64", "float64", "datetime64[ns, UTC]", "string[python]", "object")]
    ['integer', 'number', 'datetime', 'string', None]
    """
    return next((kind for form, kind in _KINDS if re.fullmatch(form, name.strip(), re.IGNORECASE)), None)
