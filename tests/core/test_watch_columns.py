"""Columns that requests newly bring, and that stop coming: what counts, and how often it counts for nothing."""

import numpy as np
import pytest

from headway.core.monitor_grammar import Plan
from headway.core.watch_columns import GONE, NEW, Come, Rules, columns
from headway.core.watch_judge import spending

RULES = Rules(alpha=spending(Plan(name="live", endpoint="e"), 365.25).columns, least=0.01)


def day(n_rows: int = 1000, **names: int) -> Come:
    return Come(n_rows=n_rows, columns=names)


def told(now: Come, *before: Come, rules: Rules = RULES) -> list[tuple[str, str]]:
    return [(one.of, one.measure) for one in columns(now, before, rules)]


def test_what_comes_newly_counts_if_enough_rows_have_it() -> None:
    usual = [day()] * 7
    assert told(day(region=1000), *usual) == [("region", NEW)]
    assert told(day(region=9), *usual) == []
    assert told(day(20, region=1), *[day(20)] * 7) == []


def test_the_first_window_says_what_is_usual() -> None:
    assert told(day(region=1000)) == []
    assert told(day(region=1000), day(region=3)) == []


def test_what_was_always_there_is_missed_when_it_does_not_come() -> None:
    assert told(day(), *[day(customer=1000)] * 7) == [("customer", GONE)]
    assert told(day(), *[day(customer=1000)] * 3) == []
    assert told(day(), *[day(customer=1000)] * 6, day()) == []


def test_rows_that_are_alike_tell_less() -> None:
    usual = [day()] * 2
    assert told(day(region=15), *usual) == [("region", NEW)]
    assert told(day(region=15), *usual, rules=Rules(alpha=RULES.alpha, least=0.01, effect=10.0)) == []


@pytest.mark.parametrize("n_rows", [30, 300, 3000])
def test_columns_that_some_clients_send_now_and_then_raise_no_more_alarms_than_the_budget_has(n_rows: int) -> None:
    # A budget that is used up, and columns that only so few rows have that they come for the first time now and then.
    rules = Rules(alpha=0.02, least=0.0)
    rng = np.random.default_rng(n_rows)
    names = [f"x{i}" for i in range(20)]
    n_windows = n_alarms = 0
    for _ in range(100):
        rates = rng.choice([0.02, 0.1, 1.0, 5.0], size=len(names)) / n_rows
        days = [
            Come(n_rows=n_rows, columns={name: n for name, n in zip(names, found, strict=True) if n})
            for found in rng.binomial(n_rows, rates, size=(30, len(names))).tolist()
        ]
        for at in range(1, len(days)):
            n_windows += 1
            n_alarms += bool(columns(days[at], days[max(at - 28, 0) : at], rules))
    allowed = rules.alpha * n_windows
    assert n_alarms <= allowed + 3 * allowed**0.5
