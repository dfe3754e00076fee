import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm

from headway.stats.power import (
    MANY,
    gap_to_decide,
    rows_to_decide,
    rows_to_see,
    rows_within,
    spread_of_area,
)


@pytest.mark.parametrize(("margin", "rows"), [(0.01, 6183), (0.02, 1546)])
def test_rows_for_a_margin_agree_with_the_textbook(margin: float, rows: int) -> None:
    # Equal models that differ on a tenth of the rows, 80 % power, one-sided 5 %: (1.645 + 0.842)^2 * 0.1 / margin^2.
    assert rows_to_decide(margin, 0.1**0.5, confidence=0.95) == rows


def test_a_value_at_its_limit_is_never_told_from_it() -> None:
    assert rows_to_decide(0.0, 0.3, confidence=0.95) is None
    assert rows_to_decide(1e-9, 0.3, confidence=0.95) is None


def test_a_gap_half_as_wide_takes_four_times_the_rows() -> None:
    wide, narrow = (rows_to_decide(gap, 10.0, confidence=0.99, power=0.9) for gap in (0.2, 0.1))
    assert wide is not None
    assert narrow is not None
    assert narrow / wide == pytest.approx(4, rel=1e-3)
    assert narrow < MANY


@pytest.mark.parametrize(("n_rows", "points"), [(1000, 2.5), (2000, 1.8), (10_000, 0.79)])
def test_the_smallest_gain_agrees_with_the_research_page(n_rows: int, points: float) -> None:
    below, above = (rows_to_see(gain / 100, 0.1, confidence=0.95) for gain in (points + 0.05, points - 0.05))
    assert below is not None
    assert above is not None
    assert below <= n_rows <= above


@pytest.mark.parametrize(("gain", "rows"), [(0.02, 3601), (0.03, 1599)])
def test_rows_for_one_of_thirty_two_asks(gain: float, rows: int) -> None:
    assert rows_to_see(gain, 0.1, confidence=1 - 0.05 / 32) == rows


def test_rows_to_show_a_value_within_are_those_of_two_one_sided_tests() -> None:
    n_rows = rows_within(0.1, 1.0, confidence=0.95)
    assert n_rows is not None
    # Both ends clear: the chance that a mean at the middle lies less than gap - z / sqrt(n) off it.
    reach = 0.1 * n_rows**0.5 - norm.ppf(0.95)
    assert 2 * norm.cdf(reach) - 1 == pytest.approx(0.8, abs=1e-3)
    assert rows_within(0.0, 1.0, confidence=0.95) is None


def test_a_gap_and_its_rows_are_inverse() -> None:
    assert rows_to_decide(gap_to_decide(4321, 0.7, 0.99), 0.7, 0.99) in {4321, 4322}


def test_the_spread_of_an_area_is_that_of_hanley_and_mcneil() -> None:
    # Their formula in full, for 60 positive rows and 140 negative ones.
    area, n_positive, n_negative = 0.85, 60, 140
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    full = area * (1 - area) + (n_positive - 1) * (q1 - area**2) + (n_negative - 1) * (q2 - area**2)
    error = (full / (n_positive * n_negative)) ** 0.5
    assert spread_of_area(area, 0.3) / 200**0.5 == pytest.approx(error, rel=0.01)


def test_a_simulated_area_varies_about_as_much() -> None:
    rng = np.random.default_rng(9)
    # Exponential scores, as the formula has them: areas of 1 / (1 + 1/3) = 0.75.
    areas = [mannwhitneyu(rng.exponential(3.0, 100), rng.exponential(1.0, 300)).statistic / 30_000 for _ in range(2000)]
    assert float(np.std(areas)) * 400**0.5 == pytest.approx(spread_of_area(0.75, 0.25), rel=0.06)
