"""When two values of a column are the same, as expressions of SQL that are equal for both.

Where both sides have one type, equal values are the same, NULL and NULL, NaN and NaN too. Texts that look like numbers
are the same when they are the same number (`7` and `7.0`), beyond what a float holds exactly when they are the same
text. Neighbour: `scan` says what a text looks like. Pure.
"""

from msgspec import Struct

from headway.tables.scan import NOTHING, NUMBER, Column

_WHOLE = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"})
_FLOATS = frozenset({"FLOAT", "DOUBLE"})
_TIMES = frozenset({"DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"})

_AS_NUMBER = (
    f"CASE WHEN regexp_full_match(@, {NUMBER}) AND NOT (abs(TRY_CAST(@ AS DOUBLE)) >= 9007199254740992 "
    "AND isfinite(TRY_CAST(@ AS DOUBLE))) THEN (TRY_CAST(@ AS DOUBLE) + 0.0)::VARCHAR ELSE @ END"
)
_AS_TIME = "coalesce(TRY_CAST(@ AS TIMESTAMP)::VARCHAR, @)"
_AS_TRUTH = "CASE WHEN lower(@) IN ('true', 'false') THEN lower(@) ELSE @ END"


class Pair(Struct, frozen=True, kw_only=True):
    """A column that both tables have: its place in either, and what makes their values comparable.

    Values that are equal with `cast` behind them are the same. Where they differ, `refine` (an expression with `@` in
    the place of either) may still make them equal; it is dear and therefore asked only then. `is_text`: they are texts.
    """

    name: str
    old_at: int
    new_at: int
    cast: str = ""
    refine: str | None = None
    is_text: bool = True

    def old(self, prefix: str = "c") -> str:
        """The value of the old table, whose columns are named by this prefix and their place."""
        return f"{prefix}{self.old_at}{self.cast}"

    def new(self, prefix: str = "c") -> str:
        """The value of the new table, as above."""
        return f"{prefix}{self.new_at}{self.cast}"

    def exact(self, value: str) -> str:
        """`value`, which is an `old` or a `new`, in the form that is equal for the same values."""
        return self.refine.replace("@", value) if self.refine else value


def pair(old: tuple[int, Column], new: tuple[int, Column]) -> Pair:
    """How a column is compared, each given with its place."""
    (old_at, before), (new_at, after) = old, new
    types, is_typed = {before.type, after.type}, not (before.is_text or after.is_text)
    cast, refine = "", None
    if is_typed and types <= _WHOLE and len(types) > 1:
        cast = "::HUGEINT"
    elif is_typed and types <= _FLOATS and len(types) > 1:
        cast = "::DOUBLE"
    elif not is_typed or len(types) > 1:
        cast = "" if before.is_text and after.is_text else "::VARCHAR"
        refine = _refinement(before, after)
    is_text = not is_typed or cast == "::VARCHAR" or types == {"VARCHAR"}
    return Pair(name=before.name, old_at=old_at, new_at=new_at, cast=cast, refine=refine, is_text=is_text)


def is_retyped(before: Column, after: Column) -> bool:
    """Whether a column's type differs; one without a value has any type."""
    return before.type != after.type and NOTHING not in (before.type, after.type)


def _refinement(before: Column, after: Column) -> str | None:
    types = {before.type, after.type} - {NOTHING}
    if types <= {"BIGINT"} and before.is_text and after.is_text:
        # A whole number without needless zeros is written in one way.
        return None
    if all(kind in _WHOLE or kind in _FLOATS or kind.startswith("DECIMAL") or kind == "HUGEINT" for kind in types):
        return _AS_NUMBER
    if types <= _TIMES:
        return _AS_TIME
    return _AS_TRUTH if types == {"BOOLEAN"} else None
