"""What a measurement gives, and the bounds that any metric gets whose error is, to first order, a mean over rows.

Where rows come in units (all of one customer, say), only units are independent: parts are summed by unit first. The
families of metrics lie in `metrics_*` beside; which one has a name says `metrics`.
"""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from scipy import special

from headway.stats.answers import Answers, Places, Rows, Values
from headway.stats.compare import bound_by_movement

FEW_ROWS = 30
"""An asymptotic interval is given only if so many rows tell; with fewer a wide bound by their number, or none."""

FEW_UNITS = 30
"""With fewer units no range is given: a spread between so few says little of that between others."""


Moves = Values | npt.NDArray[np.int8]
"""Which way a row moves an estimate, by its sign; 0: not at all."""


class Estimate(Struct, frozen=True, kw_only=True):
    """What the data say of a metric (`value`), or of `new` less so many times `old`, and how surely.

    `low` and `high` bound it at the confidence asked for, each on its own side; None: nothing bounds it there.
    `n_rows` is the number of rows that count for this metric (recall: the positive ones), `n_differ` of those on which
    the two models differ. `spread` is the standard deviation of one row's part: that of `value` is spread/sqrt(n_rows).
    `approximate` says that the method keeps the confidence only about, the better the more rows there are. `groups`:
    of a gap between groups, each one's number, value and rows.
    """

    value: float
    low: float | None
    high: float | None
    n_rows: int
    method: str
    new: float
    spread: float
    old: float | None = None
    n_differ: int | None = None
    approximate: bool = False
    groups: tuple[tuple[int, float, int], ...] = ()


class Metric(Struct, frozen=True, kw_only=True):
    """How a metric is measured: `of_one(rows, answers, level)` and `of_two(rows, new, old, level, times)`."""

    of_one: Callable[[Rows, Answers, float], Estimate]
    of_two: Callable[[Rows, Answers, Answers, float, float], Estimate]


class Bounds(Struct, frozen=True, kw_only=True):
    """The range of an estimate, how it was made, and the standard deviation of one row's part in it."""

    low: float | None
    high: float | None
    method: str
    spread: float
    approximate: bool = False

    def within(self, lowest: float, highest: float) -> "Bounds":
        """The same, without what the metric cannot be."""
        return Bounds(
            low=None if self.low is None else min(max(self.low, lowest), highest),
            high=None if self.high is None else max(min(self.high, highest), lowest),
            method=self.method,
            spread=self.spread,
            approximate=self.approximate,
        )


def alone(value: float, bounds: Bounds, n_rows: int) -> Estimate:
    """The estimate of one model's metric."""
    return Estimate(
        value=value,
        low=bounds.low,
        high=bounds.high,
        n_rows=n_rows,
        method=bounds.method,
        new=value,
        spread=bounds.spread,
        approximate=bounds.approximate,
    )


def compared(new: float, old: float, bounds: Bounds, counts: tuple[int, int], times: float) -> Estimate:
    """The estimate of `new` less `times` `old`; `counts` are the rows, and those on which the models differ."""
    return Estimate(
        value=new - times * old,
        low=bounds.low,
        high=bounds.high,
        n_rows=counts[0],
        method=bounds.method,
        new=new,
        old=old,
        spread=bounds.spread,
        n_differ=counts[1],
        approximate=bounds.approximate,
    )


# --- units -------------------------------------------------------------------------------------------------------


def unit_codes(rows: Rows) -> tuple[Places, int]:
    """The unit of each row as a number from 0, and how many units there are; without units each row is one."""
    if rows.units is None:
        return np.arange(len(rows)), len(rows)
    units = rows.units

    def code() -> tuple[Places, int]:
        lowest, highest = int(units.min()), int(units.max())
        if highest - lowest <= 4 * len(units):
            # Small numbers need no sorting.
            seen = np.zeros(highest - lowest + 1, dtype=np.int64)
            seen[units - lowest] = 1
            places = np.cumsum(seen) - 1
            return places[units - lowest], int(places[-1]) + 1
        found, codes = np.unique(units, return_inverse=True)
        return codes.reshape(-1), len(found)

    return rows.once("unit codes", code)


def sum_by_unit(rows: Rows, parts: Values) -> Values:
    """The parts of the rows of each unit added up, shape `(n_units,)`; the parts themselves without units."""
    if rows.units is None:
        return parts
    codes, n_units = unit_codes(rows)
    return np.asarray(np.bincount(codes, weights=parts, minlength=n_units), dtype=np.float64)


def largest_unit(rows: Rows) -> float:
    """How many times the mean unit's rows the largest unit has; 1 without units."""
    if rows.units is None:
        return 1.0
    codes, n_units = unit_codes(rows)
    return float(np.bincount(codes, minlength=n_units).max()) * n_units / len(rows)


def deviation(rows: Rows, parts: Values) -> float:
    """The standard deviation of the mean of `parts` (which are 0 on average), from independent rows or units.

    Source for units: Liang & Zeger (1986), Biometrika 73, 13-22, with the factor n/(n - 1).
    """
    sums = sum_by_unit(rows, parts)
    n = len(sums) if rows.units is not None else rows.n_rows
    # Not by `dot`: BLAS wakes threads for it, which cost more than they save, and adds in an order of the machine's.
    squares = np.square(sums) if rows.weights is None else rows.weights * np.square(sums)
    return math.sqrt(n / max(n - 1, 1) * float(squares.sum())) / rows.n_rows


# --- bounds ------------------------------------------------------------------------------------------------------


def bound_mean(rows: Rows, values: Values, level: float, reach: float | None) -> Bounds:
    """The bounds of the mean of `values`, one for each row, of which each is within -`reach` to `reach` if that is
    known.
    """  # noqa: D205 - one sentence
    return bound_linear(rows, float(np.mean(values)), values - np.mean(values), values, level, reach)


def bound_linear(rows: Rows, value: float, parts: Values, moves: Moves, level: float, reach: float | None) -> Bounds:
    """The bounds of a value whose error is the mean of `parts` to first order; those are 0 on average.

    The t interval over rows or units, if FEW_ROWS of them tell: rows whose `moves` are not 0. With fewer a bound by how
    many those are, if a share s of rows can move the value by at most `reach` * s; else none.
    """
    error = deviation(rows, parts)
    spread = error * rows.n_rows**0.5
    up_down = count_moves(rows, moves)
    n_units = unit_codes(rows)[1] if rows.units is not None else rows.n_rows
    if rows.units is not None and n_units < FEW_UNITS:
        return Bounds(low=None, high=None, method=f"none, fewer than {FEW_UNITS} units", spread=spread)
    if up_down[2] >= FEW_ROWS:
        half = float(special.stdtrit(n_units - 1, (1 + level) / 2)) * error
        method = "t interval" if rows.units is None else "t interval over units"
        return Bounds(low=value - half, high=value + half, method=method, spread=spread, approximate=True)
    what = "rows" if rows.units is None else "units"
    if reach is None:
        return Bounds(low=None, high=None, method=f"none, fewer than {FEW_ROWS} {what} tell", spread=spread)
    # A unit with more rows than most counts for more than one in the mean.
    factor = reach * largest_unit(rows)
    bounds = bound_by_movement(up_down[0], up_down[1], n_units, level)
    return Bounds(
        low=factor * bounds.low, high=factor * bounds.high, method=f"share of {what} that tell", spread=spread
    )


def count_moves(rows: Rows, moves: Moves) -> tuple[int, int, int]:
    """How many rows or units hold one that moves up, one that moves down, and one that moves at all."""
    up, down = np.asarray(moves > 0), np.asarray(moves < 0)
    if rows.units is not None:
        codes, n_units = unit_codes(rows)
        up, down = (np.bincount(codes[flags], minlength=n_units) > 0 for flags in (up, down))
        return int(np.count_nonzero(up)), int(np.count_nonzero(down)), int(np.count_nonzero(up | down))
    n_up, n_down = rows.count(up), rows.count(down)
    return n_up, n_down, n_up + n_down
