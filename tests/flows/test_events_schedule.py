"""Time tables as sources: each time once, missed ones once, and no clock that was wrong does lasting harm."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events_world import Looking
from headway.core.event_schedule import Table
from headway.errors import UsageMistaken
from headway.flows.events import Told
from tries import tries

NIGHTLY = {"schedule": "0 3 * * *"}


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_a_time_that_comes_is_told_once_and_the_next_is_known(tmp_path: Path) -> None:
    looking = Looking(tmp_path, NIGHTLY, now=at("2026-11-27T12:00"))
    assert looking.told() == looking.told() == []
    assert looking.source.pace.said == "next Sat 2026-11-28 03:00 UTC"
    assert looking.source.due_at(looking.now) == at("2026-11-28T03:00")
    assert looking.told(after_s=3600) == []
    (event,) = looking.told(at=at("2026-11-28T03:00:01"))
    assert (event.source, event.key) == ("schedule: 0 3 * * *", "2026-11-28T03:00:00Z")
    assert event.why == "it was Sat 2026-11-28 03:00 UTC"
    assert looking.told(after_s=60) == []


def test_what_was_told_to_nobody_is_told_again(tmp_path: Path) -> None:
    looking = Looking(tmp_path, NIGHTLY, now=at("2026-11-27T12:00"))
    looking.told()
    later = at("2026-11-28T03:05")
    assert looking.source.look(later) == looking.source.look(later) != []


def test_what_could_not_be_appended_is_looked_at_again_soon(tmp_path: Path) -> None:
    looking = Looking(tmp_path, NIGHTLY, now=at("2026-11-27T12:00"))
    looking.told()
    looking.now = at("2026-11-28T03:00")
    # The log is down, and nobody appends what is told.
    assert looking.source.look(looking.now) != []
    looking.now += 10
    assert len(looking.due()) == 1
    looking.now += 10
    assert looking.due() == []
    assert looking.source.due_at(looking.now) == at("2026-11-29T03:00")


def test_times_that_went_by_while_nobody_looked_count_once(tmp_path: Path) -> None:
    looking = Looking(tmp_path, NIGHTLY, now=at("2026-11-27T12:00"))
    looking.told()
    again = Looking(tmp_path, NIGHTLY, now=at("2026-12-04T09:00"), log=looking.log)
    (event,) = again.told()
    assert event.key == "2026-12-04T03:00:00Z"
    assert event.why == "it was Fri 2026-12-04 03:00 UTC, 6 hours ago"
    assert again.told() == []


def test_a_clock_that_was_years_ahead_does_not_silence_the_table(tmp_path: Path) -> None:
    looking = Looking(tmp_path, NIGHTLY, now=at("2026-11-27T12:00"))
    looking.told()
    assert [one.key for one in looking.told(at=at("2099-01-01T12:00"))] == ["2099-01-01T03:00:00Z"]
    back = at("2026-11-27T13:00")
    assert looking.source.due_at(back) == back
    assert looking.told(at=back) == []
    assert [one.key for one in looking.told(at=at("2026-11-28T03:00"))] == ["2026-11-28T03:00:00Z"]
    restarted = Looking(tmp_path, NIGHTLY, now=at("2026-11-28T04:00"), log=looking.log)
    assert restarted.told() == []
    assert [one.key for one in restarted.told(at=at("2026-11-29T03:00"))] == ["2026-11-29T03:00:00Z"]


def test_a_clock_that_is_set_back_a_little_tells_no_time_twice(tmp_path: Path) -> None:
    looking = Looking(tmp_path, NIGHTLY, now=at("2026-11-28T02:59"))
    looking.told()
    assert len(looking.told(at=at("2026-11-28T03:00:10"))) == 1
    assert looking.told(at=at("2026-11-28T02:59:50")) == []
    assert looking.told(at=at("2026-11-28T03:00:20")) == []


def test_tables_of_several_places_are_sources_of_their_own(tmp_path: Path) -> None:
    berlin = {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}
    looking = Looking(tmp_path, {"schedule": ["30 2 * * *", berlin, berlin]}, now=at("2026-10-24T12:00"))
    assert [one.name for one in looking.sources] == ["schedule: 30 2 * * *", "schedule: 30 2 * * * Europe/Berlin"]
    keys = [event.key for hour in range(72) for event in looking.told(at=at("2026-10-24T12:00") + hour * 3600)]
    # The night with two hours of one name holds one time of the table of Berlin.
    assert keys == [
        "2026-10-25T00:30:00Z",
        "2026-10-25T02:30:00Z",
        "2026-10-26T01:30:00Z",
        "2026-10-26T02:30:00Z",
        "2026-10-27T01:30:00Z",
        "2026-10-27T02:30:00Z",
    ]


def test_a_zone_that_this_machine_lost_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageMistaken, match="names a day that no month of it has"):
        Looking(tmp_path, {"schedule": "0 0 31 2 *"}, now=0.0)
    with pytest.raises(UsageMistaken, match="knows no time zone 'Mars/Olympus'"):
        Looking(tmp_path, {"schedule": {"cron": "0 3 * * *", "timezone": "Mars/Olympus"}}, now=0.0)


HOUR_S = 3600.0
Life = list[tuple[str, float]]


@settings(max_examples=tries(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cron=st.sampled_from(["0 3 * * *", "*/20 * * * *", "30 2 * * 0", "0 0 1 * *"]),
    life=st.lists(
        st.tuples(st.sampled_from(["look", "lose", "restart", "wrong"]), st.floats(0, 60 * HOUR_S)), max_size=40
    ),
)
def test_whatever_becomes_of_who_looks_and_of_its_clock_no_time_is_told_twice_or_lost(
    tmp_path: Path, cron: str, life: Life
) -> None:
    triggers = {"schedule": {"cron": cron, "timezone": "Europe/Berlin"}}
    # Before and behind the two odd nights of a year.
    looking = Looking(tmp_path, triggers, now=at("2026-03-27T12:00"))
    looking.told()
    table, now, told = Table(cron, ZoneInfo("Europe/Berlin")), looking.now, list[float]()
    for how, seconds in life:
        if how == "wrong":
            # A clock that is off by so much for one look, ahead or behind.
            off = now + (seconds - 30 * HOUR_S) * 50
            looking.told(at=off)
            looking.now = now
            continue
        before, now = now, now + seconds
        if how == "restart":
            looking = Looking(tmp_path, triggers, now=now, log=looking.log)
        if how == "lose":
            looking.source.look(now)
            continue
        told += [datetime.fromisoformat(one.key).timestamp() for one in looking.told(at=now)]
        assert all(one <= now for one in told)
        assert len(set(told)) == len(told)
        came = table.latest(now)
        is_wrong_once = any(way == "wrong" for way, _ in life)
        # It is told, or was: by a clock that was right, or by one that was ahead.
        if came > before and not is_wrong_once:
            assert told[-1] == came
        known = {
            datetime.fromisoformat(one.key).timestamp()
            for one in Told(looking.log, "churn").states(looking.source.name)
        }
        assert came in known or max((one for one in known if one <= now), default=0.0) >= came
