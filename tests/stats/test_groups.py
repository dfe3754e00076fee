"""Gaps between groups against fairlearn and by enumeration of how often they mislead."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom

from headway.errors import Unmeasurable
from headway.stats.answers import Answers, Places, Rows, Values
from headway.stats.bounds import Interval
from headway.stats.compare import square_and_add
from headway.stats.groups import gap_of, ratio_of
from headway.stats.interval import clopper_pearson, wilson


def people() -> tuple[Rows, Answers, Places]:
    """240 rows of three groups, written so that anybody can make them again."""
    i = np.arange(240)
    truth = ((i * 13) % 17 < 7).astype(int)
    labels = ((i * 13 + i % 5) % 17 < 7).astype(int)
    return Rows(truth=truth), Answers(labels=labels), (i * 7) % 11 % 3


@pytest.mark.parametrize(
    ("metric", "gap", "ratio", "values"),
    [
        ("accuracy", 0.05287356321839087, 0.9339080459770114, (0.7613636363636364, 0.7471264367816092, 0.8)),
        (
            "recall",
            0.03650793650793649,
            0.9494505494505495,
            (0.7222222222222222, 0.6857142857142857, 0.7142857142857143),
        ),
        ("precision", 0.11428571428571432, 0.8571428571428571, (0.7027027027027027, 0.6857142857142857, 0.8)),
    ],
)
def test_gaps_and_ratios_are_those_of_fairlearn(
    metric: str, gap: float, ratio: float, values: tuple[float, ...]
) -> None:
    """Numbers of fairlearn 0.15.0: MetricFrame(...).difference(), .ratio() and .by_group."""
    rows, answers, codes = people()
    apart, share = gap_of(metric, rows, answers, codes, 0.95), ratio_of(metric, rows, answers, codes, 0.95)
    assert apart.value == pytest.approx(gap, abs=1e-12)
    assert share.value == pytest.approx(ratio, abs=1e-12)
    assert [value for _, value, _ in apart.groups] == pytest.approx(values, abs=1e-12)
    assert [code for code, _, _ in apart.groups] == [0, 1, 2]
    for found in (apart, share):
        assert found.low is not None
        assert found.high is not None
        assert found.low <= found.value <= found.high


def of_two(n_rows: tuple[int, int], hits: tuple[int, int]) -> tuple[Rows, Answers, Places]:
    labels = np.concatenate([np.arange(n) < right for n, right in zip(n_rows, hits, strict=True)])
    return Rows(truth=np.ones(len(labels))), Answers(labels=labels), np.repeat([0, 1], n_rows)


def test_the_bounds_of_two_groups_are_exact_intervals_squared_and_added() -> None:
    rows, answers, codes = of_two((200, 150), (180, 120))
    one, other = clopper_pearson(180, 200, 0.9), clopper_pearson(120, 150, 0.9)
    # Of both ends the upper one is that of one pair, the lower one of two ordered pairs.
    assert gap_of("accuracy", rows, answers, codes, 0.95).high == pytest.approx(
        square_and_add(0.9, one, 0.8, other, 0.0).high
    )
    one, other = clopper_pearson(180, 200, 0.95), clopper_pearson(120, 150, 0.95)
    assert gap_of("accuracy", rows, answers, codes, 0.95).low == pytest.approx(
        square_and_add(0.9, one, 0.8, other, 0.0).low
    )


def test_a_ratio_is_at_least_so_much_where_the_difference_from_so_much_is_above_zero() -> None:
    rows, answers, codes = of_two((400, 300), (360, 240))
    low = ratio_of("accuracy", rows, answers, codes, 0.95).low
    assert low is not None
    one, other = clopper_pearson(240, 300, 0.9), clopper_pearson(360, 400, 0.9)
    scaled = Interval(low=low * other.low, high=low * other.high, level=0.9)
    assert square_and_add(0.8, one, low * 0.9, scaled, 0.0).low == pytest.approx(0, abs=1e-12)


def test_a_group_of_forty_cannot_prove_a_gap_of_five_points() -> None:
    rows, answers, codes = of_two((5000, 40), (4500, 36))
    found = gap_of("accuracy", rows, answers, codes, 0.95)
    assert found.value == pytest.approx(0)
    assert found.high is not None
    assert found.high > 0.05


def test_a_group_without_a_value_leaves_the_good_end_open() -> None:
    rows, answers, codes = people()
    barren = Rows(truth=np.where(codes == 2, 0, rows.truth))
    found, share = (ask("recall", barren, answers, codes, 0.95) for ask in (gap_of, ratio_of))
    assert (found.high, share.low) == (None, None)
    assert (found.low, share.high) != (None, None)
    assert [code for code, _, _ in found.groups] == [0, 1]


@pytest.mark.parametrize(
    ("codes", "said"),
    [(np.zeros(240, dtype=int), "a gap needs two groups, and the rows make 1"), (np.arange(240) // 239, "1 of 2 has")],
)
def test_one_group_has_no_gap(codes: Places, said: str) -> None:
    rows, answers, _ = people()
    truth = rows.truth.astype(int)
    truth[-1] = 0
    with pytest.raises(Unmeasurable, match=said):
        gap_of("recall", Rows(truth=truth), answers, codes, 0.95)


def test_a_ratio_of_signed_numbers_is_refused() -> None:
    rows, answers, codes = people()
    with pytest.raises(Unmeasurable, match="a ratio of bias says nothing"):
        ratio_of("bias", rows, answers, codes, 0.95)


def test_the_order_of_rows_and_the_names_of_groups_change_nothing() -> None:
    rows, answers, codes = people()
    order = np.random.default_rng(1).permutation(240)
    for ask in (gap_of, ratio_of):
        found = ask("f1", rows, answers, codes, 0.95)
        moved = ask("f1", rows.take(order), answers.take(order), 9 - codes[order], 0.95)
        assert (found.value, found.low, found.high) == pytest.approx((moved.value, moved.low, moved.high), abs=1e-12)


def worst_miss(interval: Callable[[int, int, float], Interval], n_rows: tuple[int, int], alpha: float) -> float:
    """The greatest probability that the upper end lies below the true difference of two shares, by enumeration."""

    def ends(n: int) -> tuple[Values, Values]:
        found = [interval(hits, n, 1 - 2 * alpha) for hits in range(n + 1)]
        return np.array([bounds.low for bounds in found]), np.array([bounds.high for bounds in found])

    one, other = (np.arange(n + 1) / n for n in n_rows)
    reach = np.hypot((ends(n_rows[0])[1] - one)[:, None], other - ends(n_rows[1])[0])
    highs = one[:, None] - other + reach
    worst = 0.0
    for share in (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98):
        for apart in (-0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2):
            if 0 < share + apart < 1:
                chances = [
                    binom.pmf(np.arange(n + 1), n, p) for n, p in zip(n_rows, (share + apart, share), strict=True)
                ]
                worst = max(worst, float(np.outer(*chances)[highs < apart - 1e-12].sum()))
    return worst


SIZES = [(40, 40), (40, 400), (100, 100), (100, 1000), (300, 300)]


@pytest.mark.parametrize("n_rows", SIZES)
@pytest.mark.parametrize(("alpha", "most"), [(0.05, 1.01), (0.01, 1.6), (0.05 / 32, 2.3)])
def test_a_gap_is_seldom_taken_for_smaller_than_it_is(n_rows: tuple[int, int], alpha: float, most: float) -> None:
    assert max(worst_miss(clopper_pearson, n, alpha) for n in (n_rows, n_rows[::-1])) <= most * alpha


def test_wilsons_intervals_would_not_do() -> None:
    assert worst_miss(wilson, (400, 40), 0.05) > 1.4 * 0.05
    assert worst_miss(wilson, (400, 40), 0.05 / 32) > 3.5 * 0.05 / 32
