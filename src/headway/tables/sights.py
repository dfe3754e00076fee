"""How a check sees the columns of a table: typed values, and beside them what stands in a file of texts.

Neighbours: `batches` opens tables, `answers` says what comes of looking at them. Knows no check.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from headway.core.problem import did_you_mean
from headway.core.validation import DataCheck, Kind
from headway.errors import ColumnMissing, Unmeasurable
from headway.tables.kinds_of_columns import MISSING

if TYPE_CHECKING:
    import polars as pl

    from headway.tables.batches import Batch, Data

TEXTS: frozenset[Kind] = frozenset({"string"})
TIMES: frozenset[Kind] = frozenset({"date", "datetime"})
NUMBERS: frozenset[Kind] = frozenset({"integer", "number", "decimal"})
NESTED: frozenset[Kind] = frozenset({"list", "struct"})


class Sight(Struct, frozen=True, kw_only=True):
    """A column as it is asked for: `value` is its typed value, `text` what stands in a file of texts.

    With `is_text` the file holds texts, typed by what they look like; texts that look like texts are their own values.
    """

    name: str
    kind: Kind
    stored_as: str
    dtype: "pl.DataType"
    value: "pl.Expr"
    text: "pl.Expr | None" = None
    is_text: bool = False

    @property
    def is_float(self) -> bool:
        """Whether it can hold NaN."""
        return self.dtype.is_float()

    @property
    def misfits(self) -> "pl.Expr | None":
        """Where something is written that is no value of the column's kind; None: nowhere, by the file's format."""
        if self.text is None:
            return None
        return self.text.is_not_null() & self.value.is_null() & ~self.text.is_in(list(MISSING))

    @property
    def is_null(self) -> "pl.Expr":
        """Where there is no value: nothing, or a word for nothing, is written in the file."""
        misfits = self.misfits
        return self.value.is_null() if misfits is None else self.value.is_null() & ~misfits.fill_null(value=False)


Sights = dict[str, Sight]
"""The columns of a table, by name in its order."""


def sights_of(data: "Data") -> Sights:
    """All columns of a table."""
    import polars as pl

    return {
        column.name: Sight(
            name=column.name,
            kind=column.kind,
            stored_as=column.stored_as,
            dtype=data.type_of(column.name),
            value=pl.col(column.name),
            text=pl.col(_beside(column.name)) if column.is_text and column.kind != "string" else None,
            is_text=column.is_text,
        )
        for column in data.columns
    }


def frames(data: "Data", names: Sequence[str]) -> "Iterator[tuple[Batch, pl.DataFrame]]":
    """The table's rows in order, with what the expressions of these columns' sights read."""
    texts = [column.name for column in data.columns if column.is_text and column.kind != "string"]
    wanted = [name for name in texts if name in set(names)]
    for batch in data.batches(names):
        frame = batch.frame
        if wanted:
            frame = frame.with_columns([batch.as_text(name).alias(_beside(name)) for name in wanted])
        yield batch, frame


def seen(check: DataCheck, sights: Sights) -> tuple[Sight, ...]:
    """The columns of a check; all when it names none. Raises ColumnMissing."""
    if not check.columns:
        return tuple(sights.values())
    return tuple(one(name, sights, check.at) for name in check.columns)


def one(name: str, sights: Sights, at: str) -> Sight:
    """A column by its name. Raises ColumnMissing."""
    if name not in sights:
        known = list(sights)
        raise ColumnMissing(
            f"there is no column {name!r}",
            at=at or name,
            remedy=did_you_mean(name, known, f"it has {', '.join(known[:20])}" if known else "it has no columns"),
        )
    return sights[name]


def want(column: Sight, kinds: frozenset[Kind], what: str, at: str) -> None:
    """Raise Unmeasurable unless the column is of one of these kinds; one without values is of every kind."""
    if column.kind not in kinds and column.kind != "null":
        raise Unmeasurable(
            f"column {column.name!r} is no {what}: it is stored as {column.stored_as}",
            at=at or column.name,
            remedy=f"ask this of a {what}, or store the column as one",
        )


def _beside(name: str) -> str:
    """What the texts of a column are called in a frame; no file can name a column so."""
    return f"{name}\N{NULL}text"
