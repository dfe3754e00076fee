import itertools
import math
import time

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from headway.errors import Unmeasurable
from headway.stats.bins import Bins, Tally, count, fix_bins, tally
from headway.stats.shift import (
    Shift,
    _chi_square_p,
    _merge_rare,
    aligned_shift,
    category_shift,
    family,
    holm,
    numeric_shift,
    share_shift,
    tails,
)

Floats = npt.NDArray[np.float64]
Random = np.random.Generator
REFERENCE = fix_bins(np.random.default_rng(20130103).standard_normal(100_000))


@pytest.fixture
def rng() -> Random:
    return np.random.default_rng(20130104)


def shift_of(values: npt.NDArray[np.float64], reference: Bins = REFERENCE) -> Shift:
    return numeric_shift(reference, count(reference.edges, values))


def is_told(shift: Shift, n_columns: int = 20, least: float = 0.1) -> bool:
    """Whether the first of so many columns is told when the others stay as they are."""
    still = share_shift((50, 100), (50, 100))
    return family([shift, *[still] * (n_columns - 1)], false_alarms=0.01, least=least)[0].is_alarm


# --- exactness ----------------------------------------------------------------------------------------------------


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_one_share_is_fishers_test_or_a_little_more(n: int, m: int, data: st.DataObject) -> None:
    before, after = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    law = stats.hypergeom(n + m, before + after, m)
    exact = law.sf(after - 1) if after * (n + m) > (before + after) * m else law.cdf(after)
    found = tails(np.array([before]), np.array([after]), np.float64(n), np.float64(m))[0]
    assert exact - 1e-9 <= found <= 1
    if exact < 0.001:
        assert found <= 1.25 * exact
    assert share_shift((before, n), (after, m)).p == pytest.approx(min(2 * found, 1))


@pytest.mark.parametrize(("n", "m"), [(5, 3), (12, 8), (40, 25)])
def test_one_share_alarms_at_most_as_often_as_asked_whatever_the_totals(n: int, m: int) -> None:
    for pooled in range(n + m + 1):
        after = np.arange(max(pooled - n, 0), min(pooled, m) + 1)
        chances = stats.hypergeom.pmf(after, n + m, pooled, m)
        p = np.array([share_shift((pooled - int(x), n), (int(x), m)).p for x in after])
        for level in (0.3, 0.05, 0.01, 0.001):
            assert chances[p <= level].sum() <= level + 1e-12


def test_numbers_keep_the_level_over_all_ways_to_deal_out_the_rows() -> None:
    """Exact: each of the 252 samples of 5 rows out of 10 comes up equally often if nothing changed."""
    for pool in (np.arange(10.0), np.array([0.0] * 6 + [1, 1, 2, 5]), np.array([0.0] * 5 + [1] * 5)):
        found = []
        for dealt in itertools.combinations(range(10), 5):
            bins = fix_bins(np.delete(pool, dealt))
            found.append(numeric_shift(bins, count(bins.edges, pool[list(dealt)])).p)
        for level in (0.5, 0.2, 0.1, 0.05, 0.01):
            assert np.mean(np.array(found) <= level) <= level


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_holm_agrees_with_statsmodels(n: int, rng: Random) -> None:
    for p in (rng.random(n), rng.random(n) ** 8, np.full(n, 0.01), np.linspace(0, 1, n)):
        assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)


@pytest.mark.parametrize("counts", [[5, 0, 1], [0, 0, 9], [3, 2, 1, 1, 90], [50, 60], [1, 1, 1]])
def test_merging_rare_cells_keeps_all_rows_and_leaves_none_rare(counts: list[int]) -> None:
    before, after = np.array(counts), np.array(counts[::-1])
    merged = _merge_rare(before, after)
    assert [int(one.sum()) for one in merged] == [sum(counts)] * 2
    assert len(merged[0]) == 1 or bool(np.all(sum(merged) * 0.5 >= 5))


def test_two_large_samples_of_few_cells_give_the_chi_square_of_scipy() -> None:
    before, after = np.array([4000, 3000, 1500, 1000, 500]), np.array([3900, 3100, 1500, 950, 550])
    expected = stats.chi2_contingency([before, after])
    statistic, p = _chi_square_p(before, after)
    assert statistic == pytest.approx(expected.statistic)
    assert p == pytest.approx(expected.pvalue, rel=0.01)


# --- what is told -------------------------------------------------------------------------------------------------


def test_numbers_that_moved_are_told_with_where_and_how_far(rng: Random) -> None:
    found = shift_of(rng.standard_normal(5000) + 0.5)
    assert is_told(found)
    assert (found.of, found.unit, found.n_reference, found.n_current) == ("numbers", "sd", 100_000, 5000)
    assert found.distance == pytest.approx(0.5, abs=0.06)
    assert isinstance(found.at, float)
    assert found.at == pytest.approx(0.25, abs=0.3)
    assert found.before - found.after == pytest.approx(0.197, abs=0.02)


def test_a_harmless_shift_is_beyond_chance_in_many_rows_and_told_by_no_alarm(rng: Random) -> None:
    judged = family([shift_of(rng.standard_normal(100_000) + 0.03)], false_alarms=0.01, least=0.1)[0]
    assert judged.is_beyond_chance
    assert not judged.is_alarm


@pytest.mark.parametrize("n_rows", [100, 1000, 20_000])
@pytest.mark.parametrize("absurd", [1e6, -1e6, 1e300, np.inf, -np.inf])
@pytest.mark.parametrize("moved", [0.0, 1.0])
def test_one_absurd_value_changes_no_verdict(absurd: float, n_rows: int, moved: float, rng: Random) -> None:
    values = rng.standard_normal(n_rows) + moved
    for reference in (REFERENCE, fix_bins(np.append(rng.standard_normal(20_000), absurd))):
        plain, odd = shift_of(values, reference), shift_of(np.append(values[1:], absurd), reference)
        assert is_told(plain) == is_told(odd) == (moved > 0)


def test_a_value_that_stands_for_missing_is_told_from_two_in_a_hundred_on(rng: Random) -> None:
    values = rng.standard_normal(2000)
    values[:40] = -999
    found = shift_of(values)
    assert is_told(found)
    assert found.method == "one-cell"
    assert found.beyond == pytest.approx(0.02)
    assert found.at == REFERENCE.edges.at[0]
    assert (found.before, found.after) == (0, 0.02)


def test_a_column_that_never_varied_is_told_by_the_rows_that_do() -> None:
    reference = fix_bins(np.zeros(1000))
    found = shift_of(np.repeat([0.0, 7.0], [700, 300]), reference)
    assert found.unit == "share"
    assert [found.distance, found.beyond] == pytest.approx([0.3, 0.3])
    assert is_told(found)
    assert not is_told(shift_of(np.append(np.zeros(999), 1e9), reference))
    assert shift_of(np.zeros(500), reference).p == 1


def test_the_same_rows_are_no_shift() -> None:
    found = numeric_shift(REFERENCE, REFERENCE.counts)
    assert (found.distance, found.effect, found.p, found.beyond) == (0, 0, 1, 0)


def test_categories_tell_the_value_that_moved_most_and_what_is_new() -> None:
    reference = Tally(counts={"a": 4000, "b": 3000, "c": 1500})
    found = category_shift(reference, Tally(counts={"a": 300, "b": 430, "c": 150, "new": 120}))
    assert is_told(found)
    assert (found.of, found.unit, found.at, found.beyond) == ("categories", "share", "a", 0.12)
    assert found.distance == pytest.approx(0.197, abs=0.001)


def test_counts_side_by_side_say_what_tallies_say() -> None:
    one, other = {"a": 40, "b": 60, "c": 9}, {"b": 35, "c": 40, "d": 25}
    names = ["d", "b", "a", "c"]
    sides = [np.array([side.get(name, 0) for name in names]) for side in (one, other)]
    found, same = aligned_shift(names, *sides), category_shift(Tally(counts=one), Tally(counts=other))
    assert (found.at, found.method, found.beyond) == (same.at, same.method, same.beyond) == ("a", "chi-square", 0.25)
    assert [found.p, found.distance, found.by_chance] == pytest.approx([same.p, same.distance, same.by_chance])


def test_new_values_are_told_if_they_are_enough_and_a_few_are_not() -> None:
    reference = Tally(counts={"a": 4000, "b": 6000})
    assert is_told(category_shift(reference, Tally(counts={"a": 400, "b": 600, "z": 40})), least=0.03)
    assert not is_told(category_shift(reference, Tally(counts={"a": 400, "b": 600, "z": 1})), least=0.0)


def test_many_codes_of_which_few_come_up_in_a_window_are_no_shift(rng: Random) -> None:
    codes = [rng.integers(0, 5000, n) for n in (100_000, 1000)]
    reference, current = (tally(zip(*_counted(one), strict=True)) for one in codes)
    found = category_shift(reference, current)
    assert found.distance > 0.3
    assert found.effect < 0.1
    assert not is_told(found)


def _counted(codes: npt.NDArray[np.int64]) -> tuple[list[str], list[int]]:
    values, counts = np.unique(codes, return_counts=True)
    return values.astype(str).tolist(), counts.tolist()


def test_categories_cost_in_proportion_to_the_distinct_values() -> None:
    def cost(n_values: int) -> float:
        counts = {str(i): 10 for i in range(n_values)}
        started = time.process_time()
        category_shift(Tally(counts=counts), Tally(counts=counts))
        return time.process_time() - started

    small, large = (min(cost(n) for _ in range(3)) for n in (10_000, 100_000))
    assert large < 30 * small + 0.05


def test_a_family_judges_each_by_its_rank_and_keeps_the_order() -> None:
    shifts = [share_shift((500, 10_000), (hits, 1000)) for hits in (52, 250, 75, 50)]
    judged = family(shifts, false_alarms=0.01, least=0.02)
    assert [one.is_alarm for one in judged] == [False, True, True, False]
    assert judged[1].p_adjusted == pytest.approx(4 * shifts[1].p)
    assert judged[2].p_adjusted == pytest.approx(3 * shifts[2].p)
    assert family([], false_alarms=0.01, least=0.1) == ()


def test_an_empty_sample_cannot_be_compared() -> None:
    with pytest.raises(Unmeasurable, match="no row"):
        shift_of(np.array([math.nan]))
    with pytest.raises(Unmeasurable, match="no row"):
        category_shift(Tally(counts={"a": 1}), Tally(counts={}))
    with pytest.raises(Unmeasurable, match="no row"):
        share_shift((0, 0), (1, 2))


# --- rates, in small; test_shift_rates measures them at length ----------------------------------------------------


def test_nothing_changed_alarms_no_more_often_than_asked(rng: Random) -> None:
    p = []
    for at in range(600):
        draw = (rng.standard_normal, rng.standard_exponential, lambda n: np.round(rng.standard_normal(n), 1))[at % 3]
        p.append(shift_of(draw(500), fix_bins(draw(3000))).p)
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3 * (0.05 * 0.95 / len(p)) ** 0.5


def test_a_shift_of_a_fifth_of_a_standard_deviation_is_told_from_2000_rows_on(rng: Random) -> None:
    assert sum(is_told(shift_of(rng.standard_normal(2000) + 0.2)) for _ in range(100)) >= 98
