"""The budget of false alarms, what of it each look may spend, and how alike the rows of a reference are."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from headway.errors import Unmeasurable
from headway.stats.alarm import (
    LEAST_BLOCKS,
    MOST_A_WINDOW,
    Budget,
    alphas,
    axis_effects,
    back_test,
    design_effect,
    with_blocks,
)
from headway.stats.bins import Counts

Random = np.random.Generator
EDGES = stats.norm.ppf(np.arange(1, 62) / 62)


@pytest.fixture
def rng() -> Random:
    return np.random.default_rng(20130105)


def blocks_of(values: npt.NDArray[np.float64], n_blocks: int) -> Counts:
    """Numbers in the order of time, counted in contiguous blocks on 62 bins of a normal."""
    counts = np.zeros((n_blocks, len(EDGES) + 1), dtype=np.int64)
    np.add.at(counts, (np.arange(len(values)) * n_blocks // len(values), np.searchsorted(EDGES, values)), 1)
    return counts


# --- the budget ---------------------------------------------------------------------------------------------------


@given(st.floats(1e-3, 1e3), st.floats(1e-2, 1e6))
def test_all_windows_of_a_year_spend_the_budget_and_no_more(per_year: float, windows: float) -> None:
    levels = alphas(Budget(per_year=per_year, windows_per_year=windows))
    assert levels.whole * windows <= per_year * (1 + 1e-12)
    assert levels.whole == pytest.approx(min(per_year / windows, MOST_A_WINDOW))
    assert levels.outputs_and_quality == pytest.approx(2 * levels.features) == pytest.approx(2 * levels.multivariate)


@pytest.mark.parametrize(("per_year", "windows"), [(0, 1), (1, 0), (-1, 5)])
def test_no_budget_is_no_budget(per_year: float, windows: float) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        alphas(Budget(per_year=per_year, windows_per_year=windows))


# --- rows that are alike ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_blocks", [8, 64, 100, 512])
def test_independent_rows_count_as_nearly_what_they_are(n_blocks: int, rng: Random) -> None:
    found = [design_effect(rng.multinomial(200, np.full(62, 1 / 62), size=n_blocks)) for _ in range(40)]
    assert min(found) >= 1
    assert np.mean(found) <= (1.25 if n_blocks >= LEAST_BLOCKS else 2)


@pytest.mark.parametrize(("together", "alike"), [(20, 0.05), (50, 0.02), (50, 0.2)])
def test_rows_that_move_together_count_for_fewer(together: int, alike: float, rng: Random) -> None:
    """Groups of rows share a part of their value: the variance of a mean is 1 + (n - 1) alike times as large (Kish)."""
    found = []
    for _ in range(20):
        shared = np.repeat(rng.standard_normal(100_000 // together), together)
        values = alike**0.5 * shared + (1 - alike) ** 0.5 * rng.standard_normal(len(shared))
        found.append(design_effect(blocks_of(values, 256)))
    true = 1 + (together - 1) * alike
    # Ranks of normal values keep .955 of what the values themselves share.
    assert 0.9 * true <= np.mean(found) <= 1.35 * true


def test_a_window_is_judged_by_the_differences_of_long_blocks_too(rng: Random) -> None:
    """What rises and falls within blocks of 100 rows is seen in those of 400."""
    slow = np.repeat(rng.standard_normal(250) * 0.3, 400) + rng.standard_normal(100_000)
    assert design_effect(blocks_of(slow, 256)) > 20


def test_one_value_that_comes_in_bursts_is_seen(rng: Random) -> None:
    blocks = rng.multinomial(300, np.full(60, 1 / 60), size=64)
    blocks[::16, 7] += 60
    assert design_effect(blocks) > 5
    spread = blocks.copy()
    spread[:, 7] = blocks[:, 7].sum() // 64
    assert design_effect(spread) < 1.5


def test_missing_values_that_come_in_bursts_do_not_make_the_others_alike(rng: Random) -> None:
    blocks = rng.multinomial(300, np.full(64, 1 / 64), size=64)
    blocks[::8, 0] += 200
    blocks[:, 1] = 0
    found = axis_effects(blocks)
    assert found.missing > 50
    assert found.values < 1.6
    assert (found.unknown, found.n_blocks) == (1, 64)


@pytest.mark.parametrize("blocks", [np.zeros((0, 3)), np.array([[5, 3, 2]]), np.zeros((9, 4)), np.full((9, 1), 7)])
def test_what_cannot_differ_has_no_effect(blocks: npt.NDArray[np.float64]) -> None:
    assert design_effect(blocks.astype(np.int64)) == 1


def test_a_p_value_is_widened_for_few_blocks_and_by_none_at_all() -> None:
    p = np.array([1e-12, 1e-6, 1e-3, 0.05, 1.0])
    assert np.array_equal(with_blocks(p, 0), p)
    assert with_blocks(p, 1).tolist() == [1] * 5
    assert with_blocks(p, 64) == pytest.approx(2 * stats.t(63).sf(stats.norm.isf(p / 2)))
    for few, many in ((2, 8), (8, 64)):
        assert np.all(with_blocks(p, few)[:-1] > with_blocks(p, many)[:-1])
    assert np.array_equal(with_blocks(p, 64), with_blocks(p, 640))
    assert np.all(with_blocks(p, 64) >= p)


# --- the back-test ------------------------------------------------------------------------------------------------


def test_a_back_test_holds_each_window_against_the_rest(rng: Random) -> None:
    axes = [rng.integers(1, 50, (10, 4)), rng.integers(1, 50, (10, 2))]
    seen: list[Counts] = []

    def rule(before: Sequence[Counts], now: Sequence[Counts]) -> bool:
        for axis, one, other in zip(axes, before, now, strict=True):
            assert np.array_equal(one + other, axis.sum(axis=0))
        seen.append(now[0])
        return bool(now[0][0] > 60)

    found = back_test(axes, rule, n_together=3, alpha=0.01)
    expected = [axes[0][at : at + 3].sum(axis=0) for at in range(8)]
    assert np.array_equal(seen, expected)
    assert found.n_alarms == sum(one[0] > 60 for one in expected)
    assert (found.n_windows, found.allowed) == (8, 0.08)


@pytest.mark.parametrize("n_together", [0, 6])
def test_a_reference_is_not_tried_on_windows_that_are_most_of_it(n_together: int) -> None:
    with pytest.raises(Unmeasurable, match="too small to try windows"):
        back_test([np.ones((10, 2), dtype=np.int64)], lambda *_: True, n_together=n_together, alpha=0.01)
