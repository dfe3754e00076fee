"""What people are told of an alarm: at most three lines, whole sentences, with the numbers."""

import pytest

from headway.core import facts as f
from headway.core.facts import Reading
from headway.core.ids import Digest
from headway.core.watch import Raise, Watch
from headway.core.watch_words import cause, one, why
from monitored import DAY_S, START

BEGAN = f.MonitorBegan(
    monitor="live",
    endpoint="churn",
    model="churn",
    version=13,
    reference=Digest("r"),
    layout="l",
    window="1 day",
    false_alarms_per_year=2.0,
    promised=0.84,
    promised_by="gate",
    previous=12,
)
MOVED = Reading(of="probability.1", measure="psi", value=0.14, usual_high=0.05, is_beyond=True)
AGE = Reading(of="age", measure="psi", value=0.31, usual_high=0.02, is_beyond=True)
GUESS = Reading(
    of="quality", measure="accuracy", value=0.813, low=0.798, high=0.827, was=0.84, about="estimate", is_beyond=True
)


def watch(*windows: tuple[Reading, ...]) -> Watch:
    found = Watch()
    found.after(BEGAN, START)
    for number, readings in enumerate(windows, 1):
        since = START + (number - 1) * DAY_S
        window = f.WindowClosed(
            monitor="live",
            number=number,
            version=13,
            since=since,
            until=since + DAY_S,
            n_requests=1000,
            n_rows=1000,
            readings=readings,
        )
        found.after(window, since + DAY_S)
    return found


def raised(found: Watch) -> Raise:
    (action,) = found.next(START)
    assert isinstance(action, Raise)
    return action


def test_drift_with_an_estimated_loss() -> None:
    found = watch((), (MOVED, AGE, GUESS))
    assert why(found, raised(found), now=START).split("\n") == [
        (
            "The probability of 1 moved (PSI 0.14, usually up to 0.05) and age moved (PSI 0.31, usually up to 0.02) "
            "since 2025-12-02."
        ),
        "Estimated accuracy 81.3 (79.8 to 82.7), was 84.0.",
        "This monitor raises at most 2 false alarms a year; this is the first alarm in 12 months.",
    ]


def test_an_estimated_loss_alone() -> None:
    found = watch((GUESS,))
    assert (
        why(found, raised(found), now=START).split("\n")[0] == "Answers are less sure than they were since 2025-12-01."
    )


def test_of_many_columns_the_first_are_named_and_the_others_counted() -> None:
    many = tuple(Reading(of=f"x{i}", measure="psi", value=0.5, usual_high=0.1, is_beyond=True) for i in range(9))
    found = watch(many)
    first = why(found, raised(found), now=START).split("\n")[0]
    assert first.endswith("x2 moved (PSI 0.5, usually up to 0.1) and 6 more since 2025-12-01.")


def test_alarms_of_a_year_are_counted() -> None:
    found = watch((AGE,))
    for number in (1, 2):
        fact = f.AlarmRaised(
            monitor="live", alarm=number, about="traffic", says="look", since_window=0, why="w", window=0
        )
        found.after(fact, START)
        found.after(f.AlarmEnded(monitor="live", alarm=number, why="w"), START)
    told = why(found, raised(found), now=START + DAY_S).split("\n")[-1]
    assert told == "This monitor raises at most 2 false alarms a year; this is alarm 3 in 12 months."
    later = why(found, raised(found), now=START + 400 * DAY_S).split("\n")[-1]
    assert later.endswith("this is the first alarm in 12 months.")


def _labels(found: Watch, number: int, value: float, *, bad: bool) -> None:
    seen = f.QualitySeen(
        monitor="live",
        number=number,
        metric="accuracy",
        value=value,
        low=value - 0.03,
        high=value + 0.03,
        n_labelled=900,
        n_rows=1000,
        expected=0.84,
        is_beyond=bad,
    )
    found.after(seen, START)


def test_a_loss_since_the_release() -> None:
    found = watch((), ())
    _labels(found, 1, 0.78, bad=True)
    assert why(found, raised(found), now=START).split("\n")[0] == (
        "Labels of 900 of 1,000 rows show that accuracy is 78.0 % (75.0 to 81.0); 84.0 was promised by its gate. "
        "It never was better since churn@13 was released."
    )


def test_a_loss_that_came_later() -> None:
    found = watch((), (), ())
    _labels(found, 1, 0.85, bad=False)
    _labels(found, 2, 0.78, bad=True)
    _labels(found, 3, 0.77, bad=True)
    assert why(found, raised(found), now=START).split("\n")[0] == (
        "Labels of 900 of 1,000 rows show that accuracy is 77.0 % (74.0 to 80.0); 84.0 was promised by its gate, "
        "of requests of 2025-12-03; it is so since 2025-12-02."
    )


@pytest.mark.parametrize(
    ("reading", "told"),
    [
        (
            Reading(of="age", measure="missing", value=0.0512, was=0.001, about="schema"),
            "age is missing in 5.1 % of rows (was 0.1 %)",
        ),
        (
            Reading(of="errors", measure="share", value=0.08, usual_high=0.006, about="traffic"),
            "8 % of requests failed, usually up to 0.6 %",
        ),
        (
            Reading(of="latency", measure="p95 ms", value=63.25, usual_high=15.8, about="traffic"),
            "1 of 20 requests took 63.2 ms or more, usually up to 15.8 ms",
        ),
        (
            Reading(of="rows", measure="recognised", value=0.64),
            "all columns together are unlike the reference (a row is told apart in 64 % of cases, by chance in 50 %)",
        ),
    ],
    ids=lambda value: value.measure if isinstance(value, Reading) else "",
)
def test_other_readings(reading: Reading, told: str) -> None:
    assert one(reading) == told


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("up to 3", "25 % of rows are up to 3, which were 10 %"),
        ("3 to 4", "25 % of rows are 3 to 4, which were 10 %"),
        ("`pro`", "25 % of rows have `pro`, which were 10 %"),
        ("other values", "25 % of rows are other values, which were 10 %"),
    ],
)
def test_where_a_column_moved(where: str, told: str) -> None:
    assert cause("tenure", 0.31, where, (0.1, 0.25), None) == f"tenure moved (PSI 0.31): {told}"
