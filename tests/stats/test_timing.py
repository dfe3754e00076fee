"""Ranges of latencies: known ranks, and how often they miss."""

import numpy as np
import pytest
from scipy import stats

from headway.errors import Unmeasurable
from headway.stats.timing import LATENCIES, latency


def test_a_median_lies_between_the_ranks_of_the_binomial() -> None:
    found = latency("latency_p50_ms", np.arange(1.0, 101.0), None, 0.975)
    # The classical 95 % interval for a median of 100 goes from the 40th to the 61st.
    assert (found.value, found.low, found.high, found.n_rows) == (50.0, 40.0, 61.0, 100)
    assert found.method == "order statistics"


def test_too_few_times_bound_a_high_quantile_only_from_below() -> None:
    found = latency("latency_p99_ms", np.arange(1.0, 101.0), None, 0.95)
    assert found.high is None
    assert found.low == 97.0
    # 0.99 ** 299 is the first power below 0.05.
    assert latency("latency_p99_ms", np.arange(298.0), None, 0.95).high is None
    assert latency("latency_p99_ms", np.arange(299.0), None, 0.95).high == 298.0


def test_a_mean_has_the_t_interval() -> None:
    times = np.array([1.0, 2.0, 4.0, 3.0])
    found = latency("latency_mean_ms", times, None, 0.95)
    expected = stats.t.interval(0.9, 3, loc=2.5, scale=stats.sem(times))
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.approximate


def test_of_two_models_each_end_takes_the_worse_of_both() -> None:
    new, old = np.linspace(10, 20, 400), np.linspace(5, 15, 400)
    apart = latency("latency_p50_ms", new, old, 0.95)
    ours, theirs = (latency("latency_p50_ms", times, None, 0.975) for times in (new, old))
    assert apart.value == pytest.approx(5)
    assert apart.low is not None and ours.low is not None and theirs.high is not None  # noqa: PT018 - for mypy
    assert apart.low == ours.low - theirs.high
    assert (apart.new, apart.old) == (ours.value, theirs.value)
    doubled = latency("latency_p50_ms", new, old, 0.95, times=2.0)
    assert doubled.value == pytest.approx(ours.value - 2 * theirs.value)


def test_without_times_there_is_nothing_to_say() -> None:
    with pytest.raises(Unmeasurable, match="nothing was timed"):
        latency("latency_p50_ms", np.array([]), None, 0.95)


@pytest.mark.parametrize("metric", ["latency_p50_ms", "latency_p90_ms", "latency_p99_ms"])
def test_a_bound_is_missed_no_more_often_than_asked(metric: str) -> None:
    rng, share = np.random.default_rng(1), LATENCIES[metric] or 0.0
    true = float(stats.lognorm.ppf(share, 1.0))
    n_worlds, too_high, too_low = 1000, 0, 0
    for _ in range(n_worlds):
        found = latency(metric, rng.lognormal(size=400), None, 0.95)
        too_high += found.low is not None and found.low > true
        too_low += found.high is not None and found.high < true
    limit = 0.05 + 3 * (0.05 * 0.95 / n_worlds) ** 0.5
    assert max(too_high, too_low) / n_worlds <= limit
    assert max(too_high, too_low) / n_worlds > 0.01
