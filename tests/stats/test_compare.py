import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binom, norm
from statsmodels.stats.contingency_tables import mcnemar

from headway.errors import Unmeasurable
from headway.stats.bounds import Interval
from headway.stats.compare import (
    Pairs,
    bound_by_movement,
    count_pairs,
    square_and_add,
    tango,
    tango_corrected,
)
from headway.stats.interval import wilson

pairs = st.integers(1, 2000).flatmap(
    lambda n: st.integers(0, n).flatmap(
        lambda b: st.integers(0, n - b).map(lambda c: Pairs(gained=b, lost=c, n_rows=n)),
    )
)


@pytest.mark.parametrize(
    ("table", "level", "low", "high"),
    [
        # Tango (1998), Statistics in Medicine 17, 891-908.
        pytest.param(Pairs(gained=9, lost=3, n_rows=32), 0.95, -0.027, 0.390, id="tango-1998-3"),
        pytest.param(Pairs(gained=0, lost=1, n_rows=44), 0.90, -0.096, 0.037, id="tango-1998-contact-lenses"),
        # Agresti & Min (2005), Statistics in Medicine 24, 729-740.
        pytest.param(Pairs(gained=16, lost=8, n_rows=86), 0.95, -0.020, 0.207, id="agresti-min-2005"),
        # Fagerland, Lydersen & Laake (2014), Statistics in Medicine 33, 2850-2875: airway hyper-responsiveness.
        pytest.param(Pairs(gained=1, lost=7, n_rows=21), 0.95, -0.517, -0.026, id="fagerland-2014"),
    ],
)
def test_tango_agrees_with_published_intervals(table: Pairs, level: float, low: float, high: float) -> None:
    found = tango(table, level)
    assert (round(found.low, 3), round(found.high, 3)) == (low, high)


@pytest.mark.parametrize(
    "table",
    [
        Pairs(gained=9, lost=3, n_rows=32),
        Pairs(gained=0, lost=5, n_rows=70),
        Pairs(gained=0, lost=0, n_rows=50),
        Pairs(gained=100, lost=80, n_rows=2000),
        Pairs(gained=7, lost=3, n_rows=10),
        Pairs(gained=30, lost=1, n_rows=10_000),
    ],
)
def test_at_tangos_bounds_the_score_by_its_definition_is_the_quantile(table: Pairs) -> None:
    found = tango(table, 0.9)
    for bound, expected in ((found.low, norm.isf(0.05)), (found.high, -norm.isf(0.05))):
        if abs(bound) < 1:
            assert score_by_definition(table, bound) == pytest.approx(expected, abs=2e-6)


def score_by_definition(table: Pairs, theta: float) -> float:
    """(b - c - n theta) over its deviation at the likeliest share lost under `theta`, found by maximising."""

    def minus_log_likelihood(lost: float) -> float:
        shares = (lost + theta, lost, 1 - 2 * lost - theta)
        counts = (table.gained, table.lost, table.n_rows - table.gained - table.lost)
        return -sum(k * math.log(max(s, 1e-300)) for k, s in zip(counts, shares, strict=True) if k)

    bounds = (max(0.0, -theta), (1 - theta) / 2)
    inside = float(minimize_scalar(minus_log_likelihood, bounds=bounds, method="bounded", options={"xatol": 1e-14}).x)
    lost = min((*bounds, inside), key=minus_log_likelihood)
    deviation = math.sqrt(table.n_rows * (2 * lost + theta - theta**2))
    return (table.gained - table.lost - table.n_rows * theta) / deviation


@given(pairs, st.sampled_from([0.5, 0.9, 0.998]))
def test_swapping_the_models_mirrors_the_interval(table: Pairs, level: float) -> None:
    swapped = Pairs(gained=table.lost, lost=table.gained, n_rows=table.n_rows)
    for interval in (tango, tango_corrected):
        found, mirrored = interval(table, level), interval(swapped, level)
        assert (found.low, found.high) == (-mirrored.high, -mirrored.low)


@given(pairs, st.sampled_from([0.5, 0.9, 0.998]))
def test_the_correction_widens_and_both_hold_the_estimate_and_keep_to_the_range(table: Pairs, level: float) -> None:
    plain, corrected = tango(table, level), tango_corrected(table, level)
    assert -1 <= corrected.low <= plain.low <= table.difference + 1e-15
    assert table.difference - 1e-15 <= plain.high <= corrected.high <= 1


@given(st.integers(0, 300), st.integers(0, 300), st.sampled_from([0.8, 0.9, 0.98, 0.999]))
def test_leaving_out_zero_implies_that_the_exact_mcnemar_test_rejects(gained: int, lost: int, level: float) -> None:
    found = tango_corrected(Pairs(gained=gained, lost=lost, n_rows=1000), level)
    if found.low > 0 or found.high < 0:
        # statsmodels' exact test is two-sided, twice the smaller tail: it is at most 1 - level then.
        assert mcnemar([[400, gained], [lost, 0]], exact=True).pvalue <= 1 - level


def test_where_the_exact_mcnemar_test_rejects_the_interval_nearly_always_leaves_out_zero() -> None:
    stricter = [
        (n_differ - lost, lost)
        for n_differ in range(1, 200)
        for lost, p in enumerate(binom.cdf(np.arange(n_differ // 2), n_differ, 0.5))
        # Tables further off are rejected by both, and bisecting them all takes a second.
        if 0.03 < p <= 0.05 and tango_corrected(Pairs(gained=n_differ - lost, lost=lost, n_rows=1000), 0.9).low <= 0
    ]
    # Their exact p-values are 0.0494, 0.0494 and 0.0499.
    assert stricter == [(20, 10), (24, 13), (101, 78)]


def test_identical_answers_give_a_range_that_narrows_with_rows() -> None:
    few, many = (tango_corrected(Pairs(gained=0, lost=0, n_rows=n), 0.9) for n in (100, 10_000))
    assert few.low == -few.high
    assert few.high == pytest.approx(0.0436, abs=1e-4)
    assert many.high == pytest.approx(0.00045, abs=1e-5)


def test_counting_pairs_needs_rows() -> None:
    with pytest.raises(Unmeasurable, match="no row"):
        count_pairs(np.array([], dtype=bool), np.array([], dtype=bool))


def test_square_and_add_without_correlation_is_newcombes_interval_for_two_groups() -> None:
    # Newcombe (1998), Statistics in Medicine 17, 873-890, table II (a), method 10: 56/70 - 48/80.
    found = square_and_add(56 / 70, wilson(56, 70), 48 / 80, wilson(48, 80), correlation=0.0)
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)


def test_square_and_add_of_wholly_correlated_equals_has_no_width() -> None:
    share = Interval(low=0.4, high=0.6, level=0.9)
    found = square_and_add(0.5, share, 0.5, share, correlation=1.0)
    assert (found.low, found.high) == (0, 0)


@given(st.integers(0, 100), st.integers(0, 100))
def test_a_bound_by_movement_never_leaves_out_zero(up: int, down: int) -> None:
    found = bound_by_movement(up, down, 200, 0.9)
    assert found.low < 0 < found.high
    assert found.low <= (up - down) / 200 <= found.high
