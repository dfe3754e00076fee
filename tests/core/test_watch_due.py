"""When a monitor has something to judge, by its facts and the clock."""

from headway.core import facts as f
from headway.core.ids import Digest
from headway.core.monitor_grammar import DAY_S, Plan
from headway.core.watch_due import Due
from headway.core.watch_spans import GRACE_S
from monitored import START

DAILY = Plan(name="live", endpoint="churn", labels="data/labels", delay_s=7 * DAY_S)
MANY = Plan(name="live", endpoint="churn", window_s=0.0, window_rows=1000)


def began(since: float = START) -> f.MonitorBegan:
    return f.MonitorBegan(
        monitor="live", endpoint="churn", model="churn", version=1, reference=Digest("r"), layout="l", window="1 day",
        false_alarms_per_year=2.0, since=since,
    )  # fmt: skip


def closed(number: int, *, n_requests: int = 100) -> f.WindowClosed:
    return f.WindowClosed(
        monitor="live", number=number, version=1, since=START + (number - 1) * DAY_S, until=START + number * DAY_S,
        n_requests=n_requests, n_rows=n_requests,
    )  # fmt: skip


def due(*facts: f.Fact) -> Due:
    found = Due()
    for fact in facts:
        found.after(fact)
    return found


def test_a_window_is_over_at_its_end_and_the_next_one_a_day_later() -> None:
    assert due(began()).window_at(DAILY) == START + DAY_S + GRACE_S
    assert due(began(), closed(1)).window_at(DAILY) == START + 2 * DAY_S + GRACE_S


def test_the_first_window_is_at_least_half_as_long_as_others() -> None:
    assert due(began(START + 0.6 * DAY_S)).window_at(DAILY) == START + 2 * DAY_S + GRACE_S


def test_only_what_was_logged_tells_when_a_window_of_rows_or_one_behind_an_empty_one_is_over() -> None:
    assert due(began()).window_at(MANY) is None
    assert due(began(), closed(1, n_requests=0)).window_at(DAILY) is None
    assert due(began(), closed(1, n_requests=0), closed(2)).window_at(DAILY) is not None


def test_labels_are_waited_for_from_their_delay_on_and_not_for_ever() -> None:
    found = due(began(), closed(1), closed(2), closed(3, n_requests=0))
    assert found.waits(DAILY, START + 7 * DAY_S) == 0.0
    assert found.waits(DAILY, START + 8 * DAY_S) == START + DAY_S
    assert found.waits(DAILY, START + 9 * DAY_S) == START + 2 * DAY_S
    assert found.waits(DAILY, START + 37.5 * DAY_S) == 0.0


def test_alarms_are_open_until_they_end() -> None:
    raised = f.AlarmRaised(monitor="live", alarm=1, about="drift", says="look", since_window=1, why="age moved")
    found = due(began(), raised)
    assert list(found.open) == [1]
    found.after(f.AlarmEnded(monitor="live", alarm=1, why="well again"))
    assert not found.open
