"""Numbers about whole columns, as parts of the one query: means, spreads, sums, shares, and bounds on quantiles.

A quantile is not computed: that it lies within bounds, two counts tell exactly. NaN is no value here. Neighbour:
`compile` has the other checks of whole columns.
"""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from headway.core.findings import finding_of_number, finding_of_quantile
from headway.core.validation import DataCheck, Finding, Statistic
from headway.errors import Unmeasurable
from headway.stats.moments import Moments
from headway.tables.answers import Answer
from headway.tables.literals import as_number, is_one_of
from headway.tables.parts import Measure, Part, Values, integer, number
from headway.tables.sights import Sight

if TYPE_CHECKING:
    import polars as pl


def statistics(check: DataCheck, ask: Statistic, columns: tuple[Sight, ...]) -> Measure | None:
    """What the query must find out for a bound on a number; None where it takes a count of different values."""
    if ask.of == "distinct":
        return None
    each = [_statistic(check, ask, column) for column in columns]
    sizes = [len(parts) for parts, _ in each]

    def tell(values: Values, n_rows: int) -> Answer:
        rest, found = list(values), []
        for size, (_, told) in zip(sizes, each, strict=True):
            mine, rest = rest[:size], rest[size:]
            found.append(told(mine, n_rows))
        return Answer(finding=worst(found))

    return Measure(
        columns=tuple(column.name for column in columns),
        parts=tuple(part for parts, _ in each for part in parts),
        tell=tell,
    )


_Told = Callable[[Values, int], Finding]


def _statistic(  # noqa: C901, PLR0911 (one case a kind)
    check: DataCheck, ask: Statistic, column: Sight
) -> tuple[tuple[Part, ...], _Told]:
    def plainly(values: Values, n_rows: int) -> Finding:
        return finding_of_number(check, number(values[0]), n_rows, of=column.name)

    def moment(values: Values, n_rows: int) -> Finding:
        return finding_of_number(check, _moment(ask.of, values[0]), n_rows, of=column.name)

    def total(values: Values, n_rows: int) -> Finding:
        # Of no values Polars gives 0, which is no sum of anything.
        found = number(values[0]) if integer(values[1]) else math.nan
        return finding_of_number(check, found, n_rows, of=column.name)

    def share(values: Values, n_rows: int) -> Finding:
        of = integer(values[1]) if len(values) > 1 else n_rows
        return finding_of_number(check, integer(values[0]) / of if of else math.nan, n_rows, of=column.name)

    def quantile(values: Values, n_rows: int) -> Finding:
        n = integer(values[2])
        shares = [integer(value) / n if n else math.nan for value in values[:2]]
        return finding_of_quantile(check, shares[0], shares[1], n_rows)

    if ask.of == "nulls":
        return (Part(value=column.is_null.sum()),), share
    if ask.of == "share":
        if ask.at is None:
            raise Unmeasurable("it does not say the share of what", at=check.at, remedy="write the value as `at`")
        there = ~column.is_null
        return (Part(value=is_one_of([ask.at], column).sum()), Part(value=there.sum())), share
    value = as_number(column, check.at)
    match ask.of:
        case "min":
            return (Part(value=value.min(), fold="least"),), plainly
        case "max":
            return (Part(value=value.max(), fold="most"),), plainly
        case "sum":
            return (Part(value=value.sum()), Part(value=value.count())), total
        case "median" | "quantile":
            return _counts(ask, value), quantile
        case _:
            return (_moments(value, column.name),), moment


def _moments(value: "pl.Expr", name: str) -> Part:
    import polars as pl

    found = pl.struct(n=value.count(), mean=value.mean(), var=value.var())
    return Part(value=found, fold="moments", same=f"moments of {name}")


def _moment(of: str, found: object) -> float:
    if not isinstance(found, Moments) or not found.n_rows:
        return math.nan
    return found.mean if of == "mean" else found.std


def _counts(ask: Statistic, value: "pl.Expr") -> tuple[Part, ...]:
    """How many values lie below the minimum and up to the maximum, and how many there are; NaN is no value."""
    low = value.count() * 0 if ask.minimum is None else (value < ask.minimum).sum()
    high = value.count() * 0 if ask.maximum is None else (value <= ask.maximum).sum()
    return Part(value=low), Part(value=high), Part(value=value.count())


def worst(findings: Sequence[Finding]) -> Finding:
    """The finding that counts for a check of several columns."""
    order = {"error": 0, "fail": 1, "pass": 2, "not-applicable": 3}
    return min(findings, key=lambda finding: order[finding.outcome])
