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
    """A column that both tables have: what to read on either side, c-numbers filled in.

    Equal `old` and `new` are the same value. Where they differ, `refine` (an expression with `@` in the place of
    either) may still make them equal; it is dear and therefore asked only then. `is_text`: of what type both are.
    """

    name: str
    old: str
    new: str
    refine: str | None
    is_text: bool

    def exact(self, side: str) -> str:
        """What is equal for the same values: `side` is one of `old`, `new`."""
        return self.refined(self.old if side == "old" else self.new)

    def refined(self, value: str) -> str:
        """`value`, which is an `old` or `new`, in the form that is equal for the same values."""
        return self.refine.replace("@", value) if self.refine else value


def pair(old: tuple[int, Column], new: tuple[int, Column]) -> Pair:
    """How a column is compared, each given with its place."""
    (at, before), (there, after) = old, new
    left, right = f"c{at}", f"c{there}"
    refine: str | None = None
    is_text = True
    if not before.is_text and not after.is_text and before.type == after.type:
        is_text = before.type == "VARCHAR"
    elif not before.is_text and not after.is_text and {before.type, after.type} <= _WHOLE:
        left, right, is_text = f"{left}::HUGEINT", f"{right}::HUGEINT", False
    elif not before.is_text and not after.is_text and {before.type, after.type} <= _FLOATS:
        left, right, is_text = f"{left}::DOUBLE", f"{right}::DOUBLE", False
    else:
        left, right = f"{left}::VARCHAR", f"{right}::VARCHAR"
        refine = _refinement(before, after)
    return Pair(name=before.name, old=left, new=right, refine=refine, is_text=is_text)


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
