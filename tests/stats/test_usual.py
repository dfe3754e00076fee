"""Whether a number is as usual, by a few before it: known answers, and how often it is told for nothing."""

import numpy as np
import pytest
from scipy import stats

from headway.stats.usual import LEAST, angle, of_angle, usual


def test_the_interval_is_students_for_one_more_value() -> None:
    before = np.array([3.0, 5.0, 4.0, 8.0, 6.0, 7.0])
    found = usual(before, 12.0, level=0.9)
    assert found is not None
    spread = stats.sem(before) * np.sqrt(len(before)) * np.sqrt(1 + 1 / len(before))
    low, high = stats.t.interval(0.9, df=5, loc=5.5, scale=spread)
    assert [found.low, found.middle, found.high] == pytest.approx([low, 5.5, high])
    assert found.p == pytest.approx(2 * stats.t.sf(6.5 / spread, df=5))


@pytest.mark.parametrize("n", range(LEAST))
def test_a_few_numbers_are_too_few(n: int) -> None:
    assert usual(np.arange(n, dtype=float), 100.0, level=0.9) is None


def test_numbers_that_are_all_alike_promise_nothing() -> None:
    before = np.full(10, 7.0)
    alike, other, free = (
        usual(before, now, level=0.99, least_spread=spread) for now, spread in ((7.0, 0.0), (7.1, 0.0), (7.1, 0.1))
    )
    assert alike is not None
    assert other is not None
    assert free is not None
    assert (alike.p, other.p) == (1.0, 0.0)
    assert free.p > 0.3


def test_the_angle_of_a_share_and_back() -> None:
    for share in (0.0, 0.01, 0.5, 1.0):
        assert of_angle(angle(share, 10_000)) == pytest.approx(share, abs=1e-4)


def test_it_is_told_for_nothing_as_seldom_as_asked_for() -> None:
    rng = np.random.default_rng(1)
    numbers = rng.normal(0, 1, (20_000, 9))
    n_told = sum(found.p <= 0.01 for row in numbers if (found := usual(row[:8], float(row[8]), level=0.99)))
    assert abs(n_told - 200) < 4 * np.sqrt(200)
