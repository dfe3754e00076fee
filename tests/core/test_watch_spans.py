"""Which windows are over: aligned ones of time, full ones of rows; idle times, clocks that jump, late cells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.monitor_grammar import DAY_S, HOUR_S, YEAR_S, Plan
from headway.core.reference import Layout
from headway.core.sketch import Sketch
from headway.core.watch_spans import GRACE_S, LONGEST_S, MONDAY_S, Past, Span, is_final, over

LAYOUT = Layout(version=1, inputs=(), outputs=())
MONDAY = MONDAY_S + 2900 * 7 * DAY_S
DAYS = Plan(name="live", endpoint="churn")
HOURS = Plan(name="live", endpoint="churn", window_s=HOUR_S)


def cell(at: float, *, rows: int = 100, length_s: float = 3000.0) -> Sketch:
    """A cell that begins so many seconds after that Monday began."""
    return Sketch(
        layout="l",
        version=1,
        first_at=MONDAY + at,
        last_at=MONDAY + at + length_s,
        n_requests=rows,
        n_rows=rows,
        counts=b"",
        ms=b"",
    )


def spans(cells: list[Sketch], plan: Plan, *, since: float = 0.0, now: float, was_empty: bool = False) -> list[Span]:
    return list(over(cells, plan, LAYOUT, Past(until=MONDAY + since, was_empty=was_empty), now=MONDAY + now))


def told(found: list[Span], unit: float = HOUR_S) -> list[tuple[float, float, int]]:
    return [((one.since - MONDAY) / unit, (one.until - MONDAY) / unit, one.n_rows) for one in found]


def test_a_window_of_time_is_over_a_little_after_its_end() -> None:
    cells = [cell(hour * HOUR_S) for hour in range(30)]
    assert told(spans(cells, DAYS, now=DAY_S)) == []
    assert told(spans(cells, DAYS, now=DAY_S + GRACE_S)) == [(0, 24, 2400)]


def test_windows_end_at_whole_multiples_and_the_first_is_as_long_as_it_must_be() -> None:
    cells = [cell(hour * HOUR_S) for hour in range(60)]
    assert told(spans(cells, DAYS, since=10 * HOUR_S, now=60 * HOUR_S)) == [(10, 24, 1400), (24, 48, 2400)]
    assert told(spans(cells, DAYS, since=14 * HOUR_S, now=60 * HOUR_S)) == [(14, 48, 3400)]


def test_weeks_begin_on_mondays() -> None:
    weeks = Plan(name="live", endpoint="churn", window_s=7 * DAY_S)
    found = spans([cell(day * DAY_S) for day in range(9)], weeks, since=DAY_S, now=8 * DAY_S)
    assert told(found, DAY_S) == [(1, 7, 600)]


def test_a_cell_that_reaches_over_the_release_belongs_to_the_first_window() -> None:
    found = spans([cell(9.5 * HOUR_S, length_s=0.9 * HOUR_S)], DAYS, since=10 * HOUR_S, now=2 * DAY_S)
    assert told(found) == [(10, 24, 100)]


def test_idle_time_is_told_once_and_then_passed_over() -> None:
    cells = [cell(0.0), cell(100 * HOUR_S)]
    assert told(spans(cells, HOURS, now=200 * HOUR_S)) == [(0, 1, 100), (1, 2, 0), (100, 101, 100), (101, 102, 0)]


def test_what_was_told_to_be_empty_is_not_told_again_by_the_next_look() -> None:
    assert told(spans([cell(0.0)], HOURS, since=2 * HOUR_S, now=500 * HOUR_S, was_empty=True)) == []
    later = [cell(0.0), cell(300 * HOUR_S)]
    assert told(spans(later, HOURS, since=2 * HOUR_S, now=301.5 * HOUR_S, was_empty=True)) == [(300, 301, 100)]


def test_a_clock_that_was_set_back_closes_nothing_and_one_that_jumped_ahead_everything_once() -> None:
    cells = [cell(hour * HOUR_S) for hour in range(3)]
    assert told(spans(cells, HOURS, since=3 * HOUR_S, now=-DAY_S)) == []
    assert told(spans(cells, HOURS, now=10 * YEAR_S)) == [(0, 1, 100), (1, 2, 100), (2, 3, 100), (3, 4, 0)]


def test_cells_that_come_after_their_window_was_judged_are_in_no_window() -> None:
    assert told(spans([cell(0.0), cell(5 * HOUR_S)], HOURS, since=5 * HOUR_S, now=6.5 * HOUR_S)) == [(5, 6, 100)]


def test_a_window_of_rows_is_full_with_the_cell_that_fills_it() -> None:
    plan = Plan(name="live", endpoint="churn", window_s=0.0, window_rows=2500)
    cells = [cell(minute * 60.0, rows=1000, length_s=50.0) for minute in range(7)]
    found = spans(cells, plan, now=HOUR_S)
    assert [one.n_rows for one in found] == [3000, 3000]
    assert [len(one.cells) for one in found] == [3, 3]
    assert found[0].until == found[1].since == pytest.approx(MONDAY + 170.001)


def test_a_cell_that_may_yet_grow_waits() -> None:
    small = cell(0.0, rows=10, length_s=50.0)
    assert not is_final(small, LAYOUT, MONDAY + HOUR_S)
    assert is_final(small, LAYOUT, MONDAY + HOUR_S + GRACE_S)
    full = cell(0.0, rows=1000, length_s=50.0)
    assert not is_final(full, LAYOUT, MONDAY + 60.0)
    assert is_final(full, LAYOUT, MONDAY + 50.0 + GRACE_S)


def test_a_window_spends_its_part_of_the_budget_and_a_long_one_no_more_than_a_month() -> None:
    assert Span(since=0.0, until=DAY_S, cells=()).per_year == pytest.approx(365.25)
    assert Span(since=0.0, until=YEAR_S, cells=()).per_year == pytest.approx(YEAR_S / LONGEST_S)


_begins = st.lists(st.integers(0, 60 * 24 * 4), max_size=40, unique=True)


@given(_begins, st.lists(st.integers(0, 120), min_size=1, max_size=6), st.sampled_from(["rows", "time"]))
def test_looking_often_or_once_makes_the_same_windows(begins: list[int], looks: list[int], of: str) -> None:
    plan = HOURS if of == "time" else Plan(name="live", endpoint="e", window_s=0.0, window_rows=1500)
    cells = [cell(begin * 60.0, rows=1000, length_s=40.0) for begin in begins]
    once = told(spans(cells, plan, now=120 * HOUR_S))
    often: list[Span] = []
    for look in [*sorted(looks), 120]:
        now = look * HOUR_S
        there = [one for one in cells if one.last_at <= MONDAY + now]
        since = often[-1].until - MONDAY if often else 0.0
        often += spans(there, plan, since=since, now=now, was_empty=bool(often) and not often[-1].cells)
    assert told(often) == once
    taken = [one for span in often for one in span.cells]
    assert len(taken) == len({one.first_at for one in taken})
