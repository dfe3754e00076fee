"""The values that tell how two tables differ, and what is asked about them.

Neighbours: `difference` gives them, `keyed` and `unkeyed` find the rows.
"""

from msgspec import Struct

from headway.tables.same import Pair
from headway.tables.scan import Table
from headway.tables.values import Scalar


class Retyped(Struct, frozen=True, kw_only=True):
    """A column whose type differs; types in DuckDB's words."""

    name: str
    old: str
    new: str


class ColumnChange(Struct, frozen=True, kw_only=True):
    """In how many of the changed rows this column has another value."""

    name: str
    n_rows: int


class Cell(Struct, frozen=True, kw_only=True):
    """A value that changed."""

    name: str
    old: Scalar
    new: Scalar


class ChangedRow(Struct, frozen=True, kw_only=True):
    """A row that changed: its key, and the cells that differ."""

    key: dict[str, Scalar]
    cells: tuple[Cell, ...]


class TableDiff(Struct, frozen=True, kw_only=True):
    """How a table became another. Rows are compared by the columns that both have.

    Without a key no row can have changed: it was removed, and another one was added. `added`, `removed` and `changed`
    are examples, the first by key; of rows that are there several times each is shown once.
    """

    key: tuple[str, ...]
    n_rows_old: int
    n_rows_new: int
    columns_added: tuple[str, ...]
    columns_removed: tuple[str, ...]
    columns_retyped: tuple[Retyped, ...]
    n_added: int
    n_removed: int
    n_changed: int
    columns_changed: tuple[ColumnChange, ...]
    added: tuple[dict[str, Scalar], ...]
    removed: tuple[dict[str, Scalar], ...]
    changed: tuple[ChangedRow, ...]

    @property
    def is_same(self) -> bool:
        """Whether both hold the same rows in the same columns, in whatever order."""
        return not (
            self.columns_added
            or self.columns_removed
            or self.columns_retyped
            or self.n_added
            or self.n_removed
            or self.n_changed
        )


class Question(Struct, frozen=True, kw_only=True):
    """Two open tables and what is asked about them; `pairs` are the columns of both that are not in the key.

    With `is_json` values are texts of JSON.
    """

    old: Table
    new: Table
    keys: tuple[Pair, ...]
    pairs: tuple[Pair, ...]
    examples: int
    is_json: bool


class Rows(Struct, frozen=True, kw_only=True):
    """What was found of the rows."""

    n_rows_old: int
    n_rows_new: int
    n_added: int
    n_removed: int
    n_changed: int = 0
    columns_changed: tuple[ColumnChange, ...] = ()
    added: tuple[dict[str, Scalar], ...] = ()
    removed: tuple[dict[str, Scalar], ...] = ()
    changed: tuple[ChangedRow, ...] = ()
