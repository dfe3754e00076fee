"""Whether features are served as they are made: what counts, what is told, how often it alarms for nothing."""

import numpy as np
import pytest
from msgspec import UNSET

from headway.core.monitor_grammar import Plan, SkewPlan
from headway.core.watch_detail import SkewedColumn, SkewedRow
from headway.core.watch_judge import spending
from headway.core.watch_skew import Tried, causes, readings, skewed

ALPHA = 0.001


def test_only_what_is_more_than_tolerated_beyond_chance_counts() -> None:
    tried = [Tried(of="a", n_differ=8), Tried(of="b", n_differ=0), Tried(of="c", n_differ=90, by=1.5)]
    found = skewed(tried, n_rows=500, n_asked=510, tolerate=0.01, alpha=ALPHA)
    assert [(one.of, one.is_beyond) for one in found.columns] == [("c", True), ("a", False), ("b", False)]
    assert found.columns[0].low < 0.18 < found.columns[0].high
    assert [one.is_beyond for one in readings(found)] == [True]


def test_where_nothing_may_differ_one_row_counts() -> None:
    found = skewed([Tried(of="a", n_differ=1)], n_rows=500, n_asked=500, tolerate=0.0, alpha=ALPHA)
    assert found.columns[0].is_beyond
    still = skewed([Tried(of="a", n_differ=0)], n_rows=500, n_asked=500, tolerate=0.0, alpha=ALPHA)
    assert not still.columns[0].is_beyond
    assert [one.value for one in readings(still)] == [0.0]


def test_an_alarm_shows_what_was_served_and_what_it_is() -> None:
    examples = (SkewedRow(request_id="r7", served="2", anew="12"),)
    tried = [Tried(of="visits", n_differ=60, by=10.0, examples=examples)]
    (cause,) = causes(skewed(tried, n_rows=500, n_asked=500, tolerate=0.01, alpha=ALPHA))
    assert cause.words == "visits in 60 of 500 rows, by 10 at the middle: request r7 was served 2, made anew it is 12"


def test_nothing_that_could_be_matched_is_nothing_to_judge() -> None:
    assert readings(skewed([], n_rows=0, n_asked=5, tolerate=0.01, alpha=ALPHA)) == ()


def test_it_shares_what_a_window_may_spend() -> None:
    plain = Plan(name="live", endpoint="churn")
    asked = Plan(name="live", endpoint="churn", skew=SkewPlan(run="true"), slices=("region",))
    assert plain.skew is UNSET
    for per_year in (12.0, 365.25, 8766.0):
        assert spending(asked, per_year).whole == pytest.approx(spending(plain, per_year).whole)
    assert spending(asked, 365.25).skew > 0


@pytest.mark.parametrize("share", [0.002, 0.01])
def test_rows_that_differ_as_often_as_is_tolerated_raise_no_more_alarms_than_the_budget_has(share: float) -> None:
    # 20 columns that go together, a look a day for 400 years at two false alarms a year.
    rng = np.random.default_rng(5)
    n_days, n_columns, n = 146_100, 20, 500
    alpha = spending(Plan(name="live", endpoint="e", skew=SkewPlan(run="true")), 365.25).skew
    own = rng.binomial(n, share / 2, size=(n_days, n_columns))
    hits = own + rng.binomial(n, share / 2, size=(n_days, 1))
    # Only days on which the largest could count need be reckoned: of fewer rows nothing counts.
    least = next(k for k in range(n) if _counts(k, n_columns, n, alpha))
    n_alarms = sum(any(one.is_beyond for one in _of(day, n, alpha)) for day in hits[hits.max(axis=1) >= least].tolist())
    allowed = alpha * n_days
    assert allowed == pytest.approx(100, rel=0.01)
    assert n_alarms <= allowed + 3 * allowed**0.5


def test_a_column_made_otherwise_in_a_tenth_of_rows_is_seen_on_the_first_day() -> None:
    rng = np.random.default_rng(6)
    alpha = spending(Plan(name="live", endpoint="e", skew=SkewPlan(run="true")), 365.25).skew
    seen = [_of([int(rng.binomial(500, 0.1)), *[0] * 19], 500, alpha)[0].is_beyond for _ in range(300)]
    assert np.mean(seen) > 0.99


def _of(hits: list[int], n: int, alpha: float) -> tuple[SkewedColumn, ...]:
    tried = [Tried(of=f"x{i}", n_differ=k) for i, k in enumerate(hits)]
    return skewed(tried, n_rows=n, n_asked=n, tolerate=0.01, alpha=alpha).columns


def _counts(k: int, n_columns: int, n: int, alpha: float) -> bool:
    return _of([k, *[0] * (n_columns - 1)], n, alpha)[0].is_beyond
