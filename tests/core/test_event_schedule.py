"""Time tables: the times they mean, through nights with two or no hour of a name, and what is wrong with one."""

import itertools
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.core.event_schedule import Table, table_problem
from tries import tries

BERLIN = ZoneInfo("Europe/Berlin")
TABLES = [
    "0 3 * * 1",
    "30 2 * * *",
    "*/15 * * * *",
    "5 * * * *",
    "0 */6 * * *",
    "59 23 L * *",
    "0 0 1 1 *",
    "0 2,3 * * *",
]
ZONES = [UTC, BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kathmandu")]


def at(text: str, zone: tzinfo = BERLIN, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def times(cron: str, since: str, n: int) -> list[str]:
    """The next times of a table in Berlin, as the clock there shows them with its distance from UTC."""
    table, now, found = Table(cron, BERLIN), at(since), []
    for _ in range(n):
        now = table.next_after(now)
        found.append(f"{datetime.fromtimestamp(now, BERLIN):%m-%d %H:%M %z}")
    return found


def test_a_time_in_the_hour_that_the_clock_leaps_over_is_the_first_moment_after_it() -> None:
    assert times("30 2 * * *", "2026-03-28T00:00", 3) == ["03-28 02:30 +0100", "03-29 03:00 +0200", "03-30 02:30 +0200"]


def test_a_time_that_the_clock_shows_twice_is_meant_once() -> None:
    assert times("30 2 * * *", "2026-10-24T00:00", 3) == ["10-24 02:30 +0200", "10-25 02:30 +0200", "10-26 02:30 +0100"]


def test_a_table_that_repeats_within_the_hour_goes_on_through_both() -> None:
    assert times("*/30 * * * *", "2026-10-25T01:45", 5) == [
        "10-25 02:00 +0200",
        "10-25 02:30 +0200",
        "10-25 02:00 +0100",
        "10-25 02:30 +0100",
        "10-25 03:00 +0100",
    ]


def test_the_second_of_two_hours_finds_the_time_of_the_first() -> None:
    table = Table("30 2 * * *", BERLIN)
    now = at("2026-10-25T02:15", fold=1)
    assert table.latest(now) == at("2026-10-25T02:30", fold=0)
    assert table.next_after(now) == at("2026-10-26T02:30")


def test_a_table_whose_day_seldom_comes_has_an_end() -> None:
    table = Table("0 0 29 2 *", UTC)
    assert datetime.fromtimestamp(table.next_after(at("2026-01-01", UTC)), UTC).year == 2028
    assert datetime.fromtimestamp(table.latest(at("2026-01-01", UTC)), UTC).year == 2024
    assert datetime.fromtimestamp(table.latest(-5e9), UTC).year == 1968
    assert datetime.fromtimestamp(table.next_after(1e18), UTC).year == 3004


def test_a_day_of_the_month_and_one_of_the_week_mean_either() -> None:
    table = Table("0 0 31 12 0", UTC)
    assert table.latest(at("2026-01-01", UTC)) == at("2025-12-31", UTC)
    assert table.latest(at("2025-12-30", UTC)) == at("2025-12-28", UTC)


@settings(max_examples=tries(50))
@given(
    cron=st.sampled_from(TABLES),
    zone=st.sampled_from(ZONES),
    start=st.sampled_from(["2026-03-28", "2026-10-24", "2026-10-31", "2026-04-04", "2026-06-30", "2026-12-31"]),
    hours=st.floats(0, 72),
)
def test_the_latest_time_is_the_last_of_those_that_come_one_after_the_other(
    cron: str, zone: tzinfo, start: str, hours: float
) -> None:
    table, now = Table(cron, zone), at(start, zone) + hours * 3600
    # What cron would have done: all times from long before, in order.
    before = (
        datetime.fromtimestamp(at(start, zone) - 4 * 86400, zone)
        if cron != "0 0 1 1 *"
        else datetime(2025, 1, 1, tzinfo=zone)
    )
    all_times = itertools.takewhile(lambda one: one <= now, (one.timestamp() for one in CronSim(cron, before)))
    assert table.latest(now) == max(all_times, default=table.latest(now))
    after = table.next_after(now)
    assert after > now
    assert table.latest(after) == after
    assert table.latest(after - 1) <= now


@pytest.mark.parametrize(
    ("cron", "problem"),
    [
        ("0 3 * * 1", ""),
        ("0 0 L * *", ""),
        ("0 0 29 2 *", ""),
        ("@daily", "has 1 field, not 5"),
        ("0 0 3 * * 1", "has 6 fields, not 5"),
        ("60 3 * * 1", "says `60`, which is no minute"),
        ("0 24 * * *", "says `24`, which is no hour"),
        ("0 0 0 * *", "says `0`, which is no day of the month"),
        ("0 0 1 13 *", "says `13`, which is no month"),
        ("0 0 * * MO", "says `MO`, which is no day of the week"),
        ("0 0 * * MON#2/2", "says `MON#2/2`, which is no day of the week"),
        ("*/0 * * * *", "says `*/0`, which is no minute"),
        ("9-5 * * * *", "says `9-5`, which is no minute"),
        ("0 3 ? * *", "says `?`, which is no day of the month"),
        ("0 0 31 2 *", "names a day that no month of it has"),
        ("0 0 31 4,6,9,11 *", "names a day that no month of it has"),
    ],
)
def test_what_is_wrong_with_a_table_is_shown(cron: str, problem: str) -> None:
    assert table_problem(cron) == problem
    if problem:
        with pytest.raises(ValueError, match=r"field|which is no|no month"):
            Table(cron)
