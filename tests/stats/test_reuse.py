from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm

from headway.errors import Unmeasurable
from headway.stats.compare import Pairs, tango_corrected
from headway.stats.interval import clopper_pearson
from headway.stats.power_exact import score
from headway.stats.reuse import (
    confidence_of_ask,
    n_histories,
    n_level_histories,
    smallest_alpha_of_pairs,
    smallest_alpha_of_share,
)


@pytest.mark.parametrize(
    ("asks", "passes", "histories", "alpha"),
    [
        (32, 1, 32, 1.6e-3),
        (32, 4, 41_448, 1.2e-6),
        (100, 1, 100, 5e-4),
        (100, 5, 79_375_495, 6.3e-10),
        (32, 32, 2**32 - 1, 1.2e-11),
    ],
)
def test_the_table_of_the_research_page(asks: int, passes: int, histories: int, alpha: float) -> None:
    assert n_histories(asks, passes) == histories
    assert 1 - confidence_of_ask(0.95, asks, passes) == pytest.approx(alpha, rel=0.05)


@given(st.integers(1, 9), st.integers(1, 9))
def test_histories_are_those_in_which_a_pass_ends_something(asks: int, passes: int) -> None:
    # Written out: every row of answers, cut off at the last pass that is allowed, and each pass in it counted once.
    points = set()
    for answers in product([False, True], repeat=asks):
        for at in range(asks):
            if answers[at] and sum(answers[: at + 1]) <= passes:
                points.add(answers[: at + 1])
    assert n_histories(asks, passes) == len(points)


def test_a_budget_of_one_ask_costs_nothing() -> None:
    assert confidence_of_ask(0.95, 1, 1) == pytest.approx(0.95, abs=1e-15)
    assert confidence_of_ask(0.9, 1, 5) == pytest.approx(0.9, abs=1e-15)


@pytest.mark.parametrize(("asks", "passes"), [(100, 50), (10**9, 10**8)])
def test_a_budget_that_leaves_nothing_says_so(asks: int, passes: int) -> None:
    with pytest.raises(Unmeasurable, match="nothing could pass") as raised:
        confidence_of_ask(0.95, asks, passes)
    assert "fewer passes" in raised.value.remedy


@pytest.mark.parametrize(("asks", "passes"), [(0, 1), (5, 0), (-1, 1)])
def test_what_is_no_budget_is_refused(asks: int, passes: int) -> None:
    with pytest.raises(ValueError, match="budget"):
        n_histories(asks, passes)


def test_levels_that_only_rise_leave_few_histories() -> None:
    for asks, levels in ((3, 2), (4, 3), (5, 4)):
        shown = list(product(range(levels), repeat=asks))
        assert n_level_histories(asks, levels, only_rising=False) == len(shown)
        assert n_level_histories(asks, levels) == sum(list(row) == sorted(row) for row in shown)


@pytest.mark.parametrize(
    ("n_differ", "n_rows", "limit"), [(20, 1000, 0.0), (5, 50, 0.0), (40, 500, 0.01), (3, 99, -0.02)]
)
def test_below_the_smallest_alpha_no_table_passes(n_differ: int, n_rows: int, limit: float) -> None:
    smallest = smallest_alpha_of_pairs(n_differ, n_rows, limit)
    best = Pairs(gained=n_differ, lost=0, n_rows=n_rows)
    assert tango_corrected(best, 1 - 2 * smallest * 1.001).low > limit
    assert tango_corrected(best, 1 - 2 * smallest * 0.999).low <= limit


def test_rows_that_do_not_differ_show_no_gain() -> None:
    assert smallest_alpha_of_pairs(0, 1000) == 1.0
    assert smallest_alpha_of_pairs(0, 1000, limit=0.01) > 0.99
    # But that the models are not far apart, they do show.
    assert smallest_alpha_of_pairs(0, 1000, limit=-0.02) < 1e-4


def test_below_the_smallest_alpha_no_share_passes() -> None:
    smallest = smallest_alpha_of_share(30, 0.9)
    assert smallest == pytest.approx(binom.sf(29, 30, 0.9))
    assert clopper_pearson(30, 30, 1 - 2 * smallest * 1.001).low > 0.9
    assert clopper_pearson(30, 30, 1 - 2 * smallest * 0.999).low <= 0.9


def worlds_with_a_false_pass(asks: int, passes: int, confidence: float, n_worlds: int) -> float:
    """The share of worlds in which a model passes, when the labels are flips of a coin and so none can be better.

    Each challenger is the champion with the answers to 40 of 400 rows turned; who passes is champion from then on.
    """
    rng = np.random.default_rng(32)
    labels = rng.random((n_worlds, 400)) < 0.5
    champion = rng.random((n_worlds, 400)) < 0.5
    passed = np.zeros(n_worlds, dtype=np.int64)
    for _ in range(asks):
        turned = rng.permuted(np.broadcast_to(np.arange(400) < 40, labels.shape), axis=1)
        gained = np.sum(turned & (champion != labels), axis=1)
        is_passed = (score(gained, 40 - gained, 400, 0.0) > norm.isf(1 - confidence)) & (passed < passes)
        passed += is_passed
        champion ^= turned & is_passed[:, None]
    return float(np.mean(passed > 0))


@pytest.mark.slow
@pytest.mark.parametrize(("asks", "passes"), [(32, 1), (32, 4), (100, 1)])
def test_over_a_whole_budget_no_more_false_passes_than_one_ask_may_have(asks: int, passes: int) -> None:
    n_worlds = 3000
    most = 0.05 + 3 * (0.05 * 0.95 / n_worlds) ** 0.5
    assert worlds_with_a_false_pass(asks, passes, confidence_of_ask(0.95, asks, passes), n_worlds) <= most
    # The same without a budget: this is what it is for.
    assert worlds_with_a_false_pass(asks, passes, 0.95, n_worlds) > 0.4
