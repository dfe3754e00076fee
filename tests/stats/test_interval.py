import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from headway.errors import Unmeasurable
from headway.stats.interval import clopper_pearson, student, wilson

COUNTS = [(0, 1), (1, 1), (0, 20), (8, 10), (1, 29), (15, 148), (81, 263), (999, 1000), (500_000, 1_000_000)]

# Newcombe (1998), Statistics in Medicine 17, 857-872, table I: methods 3 (score) and 5 (Clopper-Pearson), 95 %.
PUBLISHED = [
    (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
    (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
    (0, 20, (0.0000, 0.1611), (0.0000, 0.1684)),
    (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
]


@pytest.mark.parametrize(("hits", "trials", "score", "exact"), PUBLISHED)
def test_proportions_agree_with_newcombes_table(
    hits: int, trials: int, score: tuple[float, float], exact: tuple[float, float]
) -> None:
    shown, decides = wilson(hits, trials), clopper_pearson(hits, trials)
    assert (round(shown.low, 4), round(shown.high, 4)) == score
    assert (round(decides.low, 4), round(decides.high, 4)) == exact


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95, 0.9999])
@pytest.mark.parametrize(("hits", "trials"), COUNTS)
def test_proportions_agree_with_statsmodels(hits: int, trials: int, level: float) -> None:
    for ours, name in ((wilson, "wilson"), (clopper_pearson, "beta")):
        found = ours(hits, trials, level)
        expected = proportion_confint(hits, trials, alpha=1 - level, method=name)
        assert (found.low, found.high) == pytest.approx(expected, abs=1e-9)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_proportions_interval_holds_it_stays_in_range_and_mirrors(counts: tuple[int, int]) -> None:
    hits, trials = counts
    for interval in (wilson, clopper_pearson):
        found, mirrored = interval(hits, trials), interval(trials - hits, trials)
        assert 0 <= found.low <= hits / trials <= found.high <= 1
        assert (found.low, found.high) == pytest.approx((1 - mirrored.high, 1 - mirrored.low), abs=1e-12)


@pytest.mark.parametrize("trials", [1, 7, 50, 300])
@pytest.mark.parametrize("level", [0.9, 0.99])
def test_clopper_pearson_misses_on_either_side_no_more_often_than_it_says(trials: int, level: float) -> None:
    hits = np.arange(trials + 1)
    bounds = [clopper_pearson(int(h), trials, level) for h in hits]
    lows, highs = np.array([b.low for b in bounds]), np.array([b.high for b in bounds])
    for truth in np.linspace(0.001, 0.999, 333):
        chances = binom.pmf(hits, trials, truth)
        assert chances[lows > truth].sum() <= (1 - level) / 2 + 1e-12
        assert chances[highs < truth].sum() <= (1 - level) / 2 + 1e-12


def test_a_mean_agrees_with_statsmodels() -> None:
    values = np.random.default_rng(5).gamma(2.0, size=60)
    for level in (0.8, 0.95, 0.999):
        found = student(values, level)
        assert (found.low, found.high) == pytest.approx(DescrStatsW(values).tconfint_mean(alpha=1 - level), abs=1e-9)


def test_no_rows_and_a_single_value_cannot_be_measured() -> None:
    with pytest.raises(Unmeasurable, match="no rows"):
        wilson(0, 0)
    with pytest.raises(Unmeasurable, match="no rows"):
        clopper_pearson(0, 0)
    with pytest.raises(Unmeasurable, match="needs 2 rows"):
        student(np.array([1.0]))
