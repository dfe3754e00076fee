"""Turns checks of rows and of whole columns into parts of one query over the named columns, and back into answers.

Neighbours: `each_row` has what is asked of single rows as expressions, `literals` what a person wrote as values;
`order` and `keys` answer what needs rows in their order or against each other. Knows no file.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from headway.core.findings import finding_of_columns, finding_of_number, finding_of_rows, not_applicable
from headway.core.validation import (
    DataCheck,
    Finding,
    HasColumn,
    IsAfter,
    IsFresh,
    NoOthers,
    OneNull,
    OneType,
    RowAsk,
    RowChange,
    RowCount,
    RowHolds,
    Statistic,
)
from headway.errors import HeadwayError, Unmeasurable
from headway.tables.answers import Answer, by_expression
from headway.tables.each_row import Known, bad_cells
from headway.tables.literals import as_number, instant
from headway.tables.parts import Measure, Part, Values, integer, number
from headway.tables.sights import TIMES, Sight, Sights, seen, want
from headway.tables.statistic import statistics, worst

if TYPE_CHECKING:
    import polars as pl


class Beside(Struct, frozen=True, kw_only=True):
    """What is known before the query: the time, the rows of the reference, and by column what was seen of it before.

    `newest` is the last time of a column in the table that a check names, or why it is not known; `unseen`
    are columns of texts that could not be looked at, and why.
    """

    now: float
    n_reference: int | None = None
    known: dict[str, Known] = {}
    newest: dict[tuple[str, str], int | float | HeadwayError | None] = {}
    unseen: dict[str, HeadwayError] = {}


def measure(  # noqa: PLR0911 (one case a kind)
    check: DataCheck, sights: Sights, beside: Beside
) -> Measure | None:
    """What the query must find out for a check, or None when a query over rows in any order cannot answer it.

    Raises ColumnMissing, Unmeasurable.
    """
    match check.asks:
        case HasColumn():
            missing = [name for name in check.columns if name not in sights]
            return _known(lambda n_rows: finding_of_columns(check, missing, list(sights), n_rows=n_rows))
        case NoOthers():
            others = [name for name in sights if name not in check.columns]
            return _known(lambda n_rows: finding_of_columns(check, others, list(sights), n_rows=n_rows))
        case RowCount():
            return _known(lambda n_rows: finding_of_number(check, n_rows, n_rows))
        case RowChange():
            return _known(lambda n_rows: _change(check, n_rows, beside.n_reference))
        case Statistic() as ask:
            return statistics(check, ask, seen(check, sights))
        case IsFresh():
            return _fresh(check, seen(check, sights), beside.now)
        case IsAfter(other):
            return _after(check, other, seen(check, sights), beside)
        case RowHolds():
            return None
        case ask if isinstance(ask, RowAsk):
            return _rows(check, ask, seen(check, sights), beside)
        case _:
            return None


def rows_measure(check: DataCheck, columns: tuple[str, ...], bad: "pl.Expr", method: str = "") -> Measure:
    """The rows in which an expression over single rows is true; null is not."""

    def tell(values: Values, n_rows: int) -> Answer:
        finding = finding_of_rows(check, integer(values[0]), n_rows, method=method)
        return Answer(finding=finding, bad=by_expression(columns, bad))

    return Measure(columns=columns, parts=(Part(value=bad.sum()),), tell=tell)


def _known(finding: Callable[[int], Finding]) -> Measure:
    return Measure(columns=(), parts=(), tell=lambda _, n_rows: Answer(finding=finding(n_rows)))


def _change(check: DataCheck, n_rows: int, reference: int | None) -> Finding:
    if reference is None:
        return not_applicable(check, "there is no reference yet", n_rows=n_rows)
    if reference == 0:
        raise Unmeasurable("the reference has no rows", at=check.at, remedy="name a reference that has rows")
    return finding_of_number(check, n_rows / reference, n_rows, reference=reference)


def _rows(check: DataCheck, ask: RowAsk, columns: tuple[Sight, ...], beside: Beside) -> Measure:
    found = []
    for column in columns:
        if isinstance(ask, OneType | OneNull) and column.name in beside.unseen:
            raise beside.unseen[column.name]
        bad = bad_cells(ask, column, check.at, beside.known.get(column.name, Known()))
        if bad is not None:
            found.append((column.name, bad))
    return _any_of(check, found)


def _any_of(check: DataCheck, found: list[tuple[str, "pl.Expr"]]) -> Measure:
    """The rows in which one of several cells is bad."""
    import polars as pl

    if not found:
        return _known(lambda n_rows: finding_of_rows(check, 0, n_rows))
    names = tuple(name for name, _ in found)
    bads = [bad for _, bad in found]
    bad = bads[0] if len(bads) == 1 else pl.any_horizontal([bad.fill_null(value=False) for bad in bads])
    return rows_measure(check, names, bad)


def _after(check: DataCheck, other: str, columns: tuple[Sight, ...], beside: Beside) -> Measure:
    import polars as pl

    found = []
    for column in columns:
        last = beside.newest.get((other, column.name))
        if isinstance(last, HeadwayError):
            raise last
        # Of no rows there is no newest time, and every time is later.
        if last is not None:
            found.append((column.name, instant(column, check.at) <= pl.lit(last)))
    return _any_of(check, found)


def _fresh(check: DataCheck, columns: tuple[Sight, ...], now: float) -> Measure:
    for column in columns:
        want(column, TIMES, "time", check.at)

    def tell(values: Values, n_rows: int) -> Answer:
        found = [
            finding_of_number(check, now - number(value), n_rows, of=column.name)
            for value, column in zip(values, columns, strict=True)
        ]
        return Answer(finding=worst(found))

    parts = tuple(Part(value=as_number(column, check.at).max(), fold="most") for column in columns)
    return Measure(columns=tuple(column.name for column in columns), parts=parts, tell=tell)
