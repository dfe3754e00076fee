import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from headway.stats.bins import count, fix_bins
from headway.stats.distance import (
    chi_square,
    coarsen,
    hellinger,
    jensen_shannon,
    kolmogorov_smirnov,
    l_infinity,
    psi,
    total_variation,
    total_variation_by_chance,
    wasserstein,
    wasserstein_by_chance,
)

RNG = np.random.default_rng(20130102)
N = 100_000
Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Random = np.random.Generator


@pytest.fixture
def rng() -> Random:
    return np.random.default_rng(20130102)


def normal(random: Random, n_rows: int = N) -> Floats:
    return random.standard_normal(n_rows)


def zero_inflated(share: float) -> Floats:
    return np.where(RNG.random(N) < share, 0.0, np.exp(normal(RNG)))


PAIRS: dict[str, tuple[Floats, Floats]] = {
    "normal, moved": (normal(RNG), normal(RNG) + 0.2),
    "normal, far": (normal(RNG), normal(RNG) + 3),
    "normal, twice as wide": (normal(RNG), 2 * normal(RNG)),
    "normal, small window": (normal(RNG), normal(RNG, 2000) + 0.2),
    "small reference": (normal(RNG, 3000), normal(RNG, 20_000) + 0.3),
    "log-normal, wider": (np.exp(normal(RNG)), np.exp(1.15 * normal(RNG))),
    "log-normal of sd 1.5": (np.exp(1.5 * normal(RNG)), np.exp(1.5 * normal(RNG)) * 1.1),
    "t of 3, wider": (RNG.standard_t(3, N), 1.2 * RNG.standard_t(3, N)),
    "t of 3, moved": (RNG.standard_t(3, N), RNG.standard_t(3, N) + 0.2),
    "pareto of 2.5": (RNG.pareto(2.5, N), 1.1 * RNG.pareto(2.5, N)),
    "poisson": (RNG.poisson(3.0, N).astype(float), RNG.poisson(3.3, N).astype(float)),
    "tenths": (np.round(normal(RNG), 1), np.round(normal(RNG) + 0.1, 1)),
    "mostly zero": (zero_inflated(0.6), zero_inflated(0.55)),
    "a new peak in a gap": (
        np.where(RNG.random(N) < 0.5, 0.0, 1e6) + normal(RNG),
        np.where(RNG.random(N) < 0.5, 0.0, np.where(RNG.random(N) < 0.2, 10.0, 1e6)) + normal(RNG),
    ),
    "times": (1.7e9 + RNG.random(N), 1.7e9 + RNG.random(N) + 0.1),
}


@pytest.mark.parametrize("name", PAIRS)
def test_distances_on_bins_are_those_of_the_values(name: str) -> None:
    before, after = PAIRS[name]
    bins = fix_bins(before)
    counts = count(bins.edges, after)
    exact = float(stats.ks_2samp(before, after, method="asymp").statistic)
    assert exact - 1 / 1024 - 1e-12 <= kolmogorov_smirnov(bins.counts, counts) <= exact + 1e-12
    assert wasserstein(bins, counts) == pytest.approx(stats.wasserstein_distance(before, after), rel=0.02)
    assert bins.edges.spread == pytest.approx(np.std(before), rel=0.02)


@pytest.mark.parametrize("absurd", [1e6, -1e30, np.inf])
@pytest.mark.parametrize("n_rows", [100, 2000, 50_000])
def test_one_absurd_value_moves_no_distance(rng: Random, absurd: float, n_rows: int) -> None:
    bins, values = fix_bins(normal(rng)), normal(rng, n_rows) + 0.3
    plain, odd = count(bins.edges, values), count(bins.edges, np.append(values[1:], absurd))
    assert kolmogorov_smirnov(bins.counts, odd) == pytest.approx(kolmogorov_smirnov(bins.counts, plain), abs=2 / n_rows)
    assert wasserstein(bins, odd) == pytest.approx(wasserstein(bins, plain), abs=10 / n_rows)
    for measure in (psi, jensen_shannon, hellinger):
        old, new = (measure(*coarsen(bins.counts, counts)) for counts in (plain, odd))
        assert new == pytest.approx(old, abs=0.02 + 3 / n_rows)


@pytest.mark.parametrize("n_rows", [500, 2000, 20_000])
def test_with_few_rows_all_that_is_left_out_is_how_far_out_the_outermost_lies(rng: Random, n_rows: int) -> None:
    for _ in range(30):
        before, after = np.exp(normal(rng, n_rows)), np.exp(1.15 * normal(rng, n_rows))
        bins = fix_bins(before)
        exact, found = stats.wasserstein_distance(before, after), wasserstein(bins, count(bins.edges, after))
        left_out = 2 / n_rows * (max(float(after.max()), float(before.max())) - bins.edges.high)
        assert exact * 0.95 - left_out <= found <= exact * 1.02


def test_what_lies_beyond_the_bins_counts_as_at_their_end(rng: Random) -> None:
    bins = fix_bins(normal(rng))
    far, further = (wasserstein(bins, count(bins.edges, normal(rng, 1000) + away)) for away in (1e3, 1e9))
    assert far == further > 50


@pytest.mark.parametrize("n_rows", [100, 2000, 50_000])
def test_what_chance_adds_is_what_samples_of_one_source_show(rng: Random, n_rows: int) -> None:
    found = []
    for _ in range(60):
        bins = fix_bins(normal(rng, 20_000))
        counts = count(bins.edges, normal(rng, n_rows))
        found.append((wasserstein(bins, counts), wasserstein_by_chance(bins, counts)))
    seen, told = np.mean(found, axis=0)
    assert told == pytest.approx(seen, rel=0.1)


@pytest.mark.parametrize("n_values", [2, 50, 5000])
def test_what_chance_adds_to_categories_is_what_samples_of_one_source_show(rng: Random, n_values: int) -> None:
    chances = 1 / np.arange(1.0, n_values + 1)
    chances /= chances.sum()
    found = []
    for _ in range(100 if n_values > 2 else 1000):
        before, after = rng.multinomial(20_000, chances), rng.multinomial(2000, chances)
        found.append((total_variation(before, after), total_variation_by_chance(before, after)))
    seen, told = np.mean(found, axis=0)
    assert told == pytest.approx(seen, rel=0.15)


TWO_COUNTS = (
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=20)
    .filter(lambda rows: all(any(side) for side in zip(*rows, strict=True)))
    .map(lambda rows: (np.array(rows)[:, 0], np.array(rows)[:, 1]))
)


@given(TWO_COUNTS)
def test_distances_agree_with_scipy_and_with_each_other(pair: tuple[Counts, Counts]) -> None:
    before, after = pair
    p, q = before / before.sum(), after / after.sum()
    if not np.array_equal(p, q):
        # SciPy's own is NaN where rounding makes the sum of two equal ones negative.
        assert jensen_shannon(before, after) == pytest.approx(float(jensenshannon(p, q, base=2)), abs=1e-7)
    variation = total_variation(before, after)
    assert hellinger(before, after) ** 2 <= variation + 1e-9
    assert variation <= 2**0.5 * hellinger(before, after) + 1e-9
    assert kolmogorov_smirnov(before, after) <= variation + 1e-9
    assert l_infinity(before, after) <= variation * 2 + 1e-9
    a, b = (before + 0.5) / (before + 0.5).sum(), (after + 0.5) / (after + 0.5).sum()
    assert psi(before, after) == pytest.approx(float(stats.entropy(a, b) + stats.entropy(b, a)), abs=1e-9)
    for measure in (kolmogorov_smirnov, total_variation, l_infinity, jensen_shannon, hellinger, psi):
        assert measure(before, after) == pytest.approx(measure(after, before), abs=1e-12)
        assert measure(before, after) >= 0
        assert measure(before, before) == pytest.approx(0, abs=1e-7)


@given(TWO_COUNTS)
def test_chi_square_agrees_with_scipy(pair: tuple[Counts, Counts]) -> None:
    held = np.vstack(pair)[:, np.sum(pair, axis=0) > 0]
    found = chi_square(*pair)
    expected = stats.chi2_contingency(held, correction=False)
    assert found.statistic == pytest.approx(expected.statistic, abs=1e-9)
    assert found.freedom == expected.dof


@given(TWO_COUNTS, st.integers(1, 30))
def test_merged_bins_hold_the_same_rows_and_bring_samples_no_further_apart(
    pair: tuple[Counts, Counts], n_cells: int
) -> None:
    before, after = coarsen(*pair, n_cells)
    assert len(before) == len(after) <= n_cells
    assert (before.sum(), after.sum()) == (pair[0].sum(), pair[1].sum())
    for measure in (kolmogorov_smirnov, total_variation, jensen_shannon, hellinger):
        assert measure(before, after) <= measure(*pair) + 1e-9


def test_bins_of_a_continuous_column_merge_into_as_many_as_asked(rng: Random) -> None:
    bins = fix_bins(normal(rng))
    merged, _ = coarsen(bins.counts, bins.counts, 30)
    assert len(merged) == 30
    assert np.max(np.abs(merged / N - 1 / 30)) < 2 / 1024
