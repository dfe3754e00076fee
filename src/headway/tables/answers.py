"""What the files of this room that answer checks hand to each other.

Neighbours: `compile`, `order`, `keys`, `pairs`, `shifts` and `custom` give answers, `validate` asks for them and
`examples` shows the bad rows. Knows no check.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from headway.core.validation import Finding

if TYPE_CHECKING:
    import polars as pl

Mark = Callable[["pl.DataFrame", int], "pl.Series"]
"""Given rows, in the table's order, and the number of the first (from 0): a boolean column, true where one is bad."""


class Bad(Struct, frozen=True, kw_only=True):
    """How bad rows are found: `start` gives a `Mark` for one pass over the table, which reads `columns`.

    With an `expression`, they are where that is true, and it may be computed together with others.
    """

    columns: tuple[str, ...]
    start: Callable[[], Mark]
    expression: "pl.Expr | None" = None


class Answer(Struct, frozen=True, kw_only=True):
    """What came of a check: the finding without examples, and how its bad rows are found, where it has any."""

    finding: Finding
    bad: Bad | None = None


class Watcher(Protocol):
    """What is shown all rows of a table once, in order."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Those that it reads."""
        ...

    def see(self, frame: "pl.DataFrame", first: int) -> None:
        """Look at rows; the number of the first is given, from 0."""
        ...


def by_expression(columns: tuple[str, ...], bad: "pl.Expr") -> Bad:
    """Bad rows are where an expression over single rows is true."""

    def start() -> Mark:
        def mark(frame: "pl.DataFrame", _first: int) -> "pl.Series":
            found = frame.select(bad.alias("bad")).to_series().fill_null(value=False)
            return found if found.len() == frame.height else found.new_from_index(0, frame.height)

        return mark

    return Bad(columns=columns, start=start, expression=bad)
