"""Which windows of a monitor are over, and what cells of the prediction log each is made of.

A window of time ends at whole multiples of its length (UTC; weeks on Mondays), one of a number of rows with the cell
that fills it. It is over when nobody can be writing about it any more, as far as that can be known. The first window
of a version is between half and one and a half as long as others. Knows no clock and no file.
"""

import math
from collections.abc import Iterator, Sequence

from msgspec import Struct

from headway.core.monitor_grammar import HOUR_S, YEAR_S, Plan
from headway.core.reference import Layout
from headway.core.sketch import Sketch

GRACE_S = 60.0
"""So long after its end a window is over: what was asked before is answered and written down by then."""

MONDAY_S = 4 * 24 * HOUR_S
"""The first Monday after 1970 began."""

_TICK_S = 0.001
"""Windows do not hold their end; entries of the log lie at milliseconds."""

LONGEST_S = YEAR_S / 12
"""A window that took longer spends no more of the budget than this time would."""


class Span(Struct, frozen=True, kw_only=True):
    """A window that is over, from `since` to `until` (UTC seconds, without the end), and its cells."""

    since: float
    until: float
    cells: tuple[Sketch, ...]

    @property
    def n_rows(self) -> int:
        """How many rows were answered in it."""
        return sum(cell.n_rows for cell in self.cells)

    @property
    def per_year(self) -> float:
        """How many windows as long as this one a year has; by that it has its part of the budget."""
        return YEAR_S / max(min(self.until - self.since, LONGEST_S), 1.0)


class Past(Struct, frozen=True, kw_only=True):
    """What was judged before: all up to `until`; `was_empty`: the last window had no cell, which was told."""

    until: float
    was_empty: bool = False


def over(cells: Sequence[Sketch], plan: Plan, layout: Layout, past: Past, *, now: float) -> Iterator[Span]:
    """The windows that are over by `now` and were not judged yet, in order; `cells` are the version's, in any order.

    A window of time without any cell is told once; what is empty behind it is passed over. O(n log n) in the cells.
    """
    fresh = [cell for cell in cells if cell.last_at >= past.until]
    if plan.window_s:
        return _of_time(fresh, plan.window_s, past, now)
    done = [cell for cell in fresh if is_final(cell, layout, now)]
    return _of_rows(done, plan.window_rows, past.until)


def _of_time(cells: list[Sketch], length_s: float, past: Past, now: float) -> Iterator[Span]:
    # A cell that reaches over the release is of the version all the same.
    ordered = sorted(cells, key=lambda cell: cell.first_at)
    at, start, was_empty = 0, past.until, past.was_empty
    while True:
        if was_empty:
            if at == len(ordered):
                return
            start = max(start, _end_before(ordered[at].first_at, length_s))
        end = end_after(start + length_s / 2, length_s)
        if end + GRACE_S > now:
            return
        first = at
        while at < len(ordered) and ordered[at].first_at < end:
            at += 1
        was_empty = at == first
        yield Span(since=start, until=end, cells=tuple(ordered[first:at]))
        start = end


def end_after(at: float, length_s: float) -> float:
    """The first end of a window of that length that does not come before `at` (UTC seconds).

    >>> end_after(1.0, 3600.0), end_after(5 * 86400.0, 7 * 86400.0) == MONDAY_S + 7 * 86400
    (3600.0, True)
    """
    return math.ceil((at - MONDAY_S) / length_s) * length_s + MONDAY_S


def _end_before(at: float, length_s: float) -> float:
    return math.floor((at - MONDAY_S) / length_s) * length_s + MONDAY_S


def _of_rows(cells: list[Sketch], n_rows: int, since: float) -> Iterator[Span]:
    ordered = sorted(cells, key=lambda cell: (cell.last_at, cell.first_at))
    taken: list[Sketch] = []
    n_taken, start = 0, since
    for i, cell in enumerate(ordered):
        taken.append(cell)
        n_taken += cell.n_rows
        # Cells that end at one time stay together: by its end it is known what was judged.
        is_last = i + 1 == len(ordered) or ordered[i + 1].last_at >= cell.last_at + _TICK_S
        if n_taken >= n_rows and is_last:
            until = cell.last_at + _TICK_S
            yield Span(since=start, until=until, cells=tuple(taken))
            taken, n_taken, start = [], 0, until


def is_final(cell: Sketch, layout: Layout, now: float) -> bool:
    """Whether nothing is added to a cell any more: it is full, or its hour is over."""
    ends_at = math.floor(cell.first_at / layout.cell_s) * layout.cell_s + layout.cell_s
    return cell.last_at + GRACE_S <= now and (cell.n_rows >= layout.cell_rows or ends_at + GRACE_S <= now)
