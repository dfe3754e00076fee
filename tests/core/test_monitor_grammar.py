"""Monitors as people write them, in numbers; and all that can be wrong with one."""

import pytest

from headway.core.grammar import Labels, Monitor, Skew
from headway.core.monitor_grammar import DAY_S, HOUR_S, Plan, SkewPlan, monitor_problems, per_year, plan_of


def test_what_is_not_said_has_its_default() -> None:
    plan = plan_of("live", {"endpoint": "churn"})
    assert plan == plan_of("live", Monitor(endpoint="churn")) == Plan(name="live", endpoint="churn")
    assert (plan.window_s, plan.false_alarms_per_year, plan.reference) == (DAY_S, 2.0, "training")


def test_what_is_said_is_read() -> None:
    written = {
        "endpoint": "churn",
        "window": 5000,
        "labels": {"path": "data/labels/", "key": "order", "delay": "7d"},
        "slices": "region",
        "false-alarms": "1 per quarter",
        "least-effect": 0.1,
    }
    plan = plan_of("live", written)
    assert (plan.window_s, plan.window_rows, plan.window) == (0.0, 5000, "5,000 rows")
    assert (plan.labels, plan.labels_key, plan.delay_s) == ("data/labels/", "order", 7 * DAY_S)
    assert (plan.slices, plan.false_alarms_per_year, plan.least_effect) == (("region",), 4.0, 0.1)


def test_skew_may_be_a_command_alone() -> None:
    assert plan_of("live", {"endpoint": "churn", "skew": "make features"}).skew == SkewPlan(run="make features")
    written = {"run": "make features", "key": "customer", "columns": "visits", "tolerate": 0, "timeout": "1h"}
    said = plan_of("live", {"endpoint": "churn", "skew": written}).skew
    assert said == SkewPlan(run="make features", key="customer", columns=("visits",), tolerate=0.0, timeout_s=3600.0)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        (" ", "no command makes features anew"),
        (Skew(run="x", rows=0), "0 requests are none"),
        (Skew(run="x", tolerate=1.0), "1.0 is no share of rows that may differ"),
        (Skew(run="x", timeout="soon"), "`soon` is no time"),
    ],
    ids=["empty", "rows", "tolerate", "timeout"],
)
def test_skew_that_cannot_be_meant_is_refused(written: Skew | str, problem: str) -> None:
    (found,) = monitor_problems("live", Monitor(endpoint="churn", skew=written))
    assert found.problem == problem
    assert found.remedy


def test_labels_may_be_a_path() -> None:
    plan = plan_of("live", Monitor(endpoint="churn", labels="truth.csv"))
    assert (plan.labels, plan.labels_key, plan.delay_s) == ("truth.csv", "request_id", 0.0)


@pytest.mark.parametrize(
    ("window", "seconds", "words"),
    [
        ("1h", HOUR_S, "1 hour"),
        ("36h", 36 * HOUR_S, "36 hours"),
        ("7d", 7 * DAY_S, "7 days"),
        ("60m", HOUR_S, "1 hour"),
    ],
)
def test_a_window_of_time(window: str, seconds: float, words: str) -> None:
    plan = plan_of("live", {"endpoint": "churn", "window": window})
    assert (plan.window_s, plan.window_rows, plan.window) == (seconds, 0, words)


@pytest.mark.parametrize(
    ("text", "many"),
    [
        ("2 per year", 2.0),
        ("2 a year", 2.0),
        ("0.5 per year", 0.5),
        ("1 per month", 12.0),
        ("3 per quarters", 12.0),
        ("1/week", 365.25 / 7),
        ("0 per year", None),
        ("-1 per year", None),
        ("two per year", None),
        ("2 per decade", None),
        ("", None),
    ],
)
def test_a_budget_in_words(text: str, many: float | None) -> None:
    assert per_year(text) == many


@pytest.mark.parametrize(
    ("monitor", "where"),
    [
        (Monitor(endpoint="e"), []),
        (Monitor(endpoint="e", window="30m"), ["window"]),
        (Monitor(endpoint="e", window="90m"), ["window"]),
        (Monitor(endpoint="e", window="soon"), ["window"]),
        (Monitor(endpoint="e", window=0), ["window"]),
        (Monitor(endpoint="e", metric="acuracy"), ["metric"]),
        (Monitor(endpoint="e", metric="ndcg@10"), []),
        (Monitor(endpoint="e", false_alarms="seldom", least_effect=5), ["least-effect", "false-alarms"]),
        (Monitor(endpoint="e", least_loss=-1), ["least-loss"]),
        (Monitor(endpoint="e", labels=Labels(path="l")), []),
    ],
)
def test_all_that_is_wrong_is_told_with_its_place(monitor: Monitor, where: list[str]) -> None:
    found = list(monitor_problems("live", monitor))
    assert [one.path[2] for one in found] == where
    assert all(one.problem and one.remedy for one in found)


@pytest.mark.parametrize("name", ["my monitor", "run", "../live"])
def test_a_monitor_has_a_name_that_a_stream_and_a_command_can_have(name: str) -> None:
    (found,) = monitor_problems(name, Monitor(endpoint="e"))
    assert found.path == ("monitors", name)
    assert found.at_key
