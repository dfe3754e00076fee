import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from headway.errors import Unmeasurable
from headway.stats.bins import Edges, Tally, align, count, fix_bins, fix_edges, tally

RNG = np.random.default_rng(20130101)
SAMPLES = {
    "normal": RNG.standard_normal(50_000),
    "log-normal": np.exp(RNG.standard_normal(50_000)),
    "two far apart": np.where(RNG.random(50_000) < 0.5, 0.0, 1e6) + RNG.standard_normal(50_000),
    "cauchy": RNG.standard_cauchy(50_000),
    "times": 1.7e9 + 1e6 * RNG.random(50_000),
    "whole": RNG.poisson(3, 50_000),
    "many whole": RNG.integers(0, 10**6, 50_000),
    "mostly zero": np.where(RNG.random(50_000) < 0.9, 0.0, RNG.random(50_000)),
    "tenths": np.round(RNG.standard_normal(50_000), 1),
    "true or false": RNG.random(50_000) < 0.3,
    "few": RNG.standard_normal(7),
    "one": np.array([4.0]),
    "alike": np.full(1000, 2.5),
}
ANY = st.floats(allow_nan=True, allow_infinity=True, width=64)


def slow_count(edges: Edges, values: npt.NDArray[np.float64]) -> list[int]:
    """Each value looked up by itself."""
    found = [0] * (len(edges.at) + 1)
    for value in values.tolist():
        if value == value:  # noqa: PLR0124 (NaN alone is not itself)
            found[sum(edge < value for edge in edges.at.tolist())] += 1
    return found


@pytest.mark.parametrize("name", SAMPLES)
def test_no_bin_but_that_of_a_single_value_holds_more_than_its_part(name: str) -> None:
    values = SAMPLES[name]
    bins = fix_bins(values)
    assert bins.n_rows == len(values)
    assert bool(np.all(np.diff(bins.edges.at) > 0))
    for at in np.flatnonzero(bins.counts > np.ceil(len(values) / 1024)):
        inside = values[(values > bins.edges.at[at - 1]) & (values <= bins.edges.at[at])]
        assert len(np.unique(inside)) == 1
    assert len(bins.edges.at) <= 2700


@pytest.mark.parametrize("name", SAMPLES)
def test_tail_bins_halve_and_the_ends_are_those_of_the_sample(name: str) -> None:
    values = SAMPLES[name].astype(np.float64)
    edges = fix_edges(values)
    assert edges.median == np.quantile(values, 0.5, method="inverted_cdf")
    if name != "cauchy":
        assert (edges.low, edges.high) == (values.min(), values.max())
        assert edges.spread == pytest.approx(np.std(values), rel=1e-9)
    if name == "normal":
        below = np.searchsorted(np.sort(values), edges.at, side="right") / len(values)
        for share in (1 / 2048, 1 / 4096, 1 / 32768):
            for level in (share, 1 - share):
                assert np.min(np.abs(below - level)) <= 1 / len(values)


def test_bins_go_on_beyond_the_reference_in_steps_of_a_twentieth() -> None:
    edges = fix_edges(SAMPLES["normal"])
    beyond = edges.at[edges.at > edges.high] - edges.median
    assert beyond[-1] / (edges.high - edges.median) > 15
    assert np.max(beyond[1:] / beyond[:-1]) <= 1.05 + 1e-9


def test_bins_of_whole_numbers_hold_whole_numbers() -> None:
    edges = fix_edges(SAMPLES["whole"])
    assert len(edges.at) < 200
    halves = edges.at[edges.at != np.floor(edges.at)]
    assert np.array_equal(halves, np.nextafter(np.round(halves), -np.inf))


@pytest.mark.parametrize("n_rows", [20, 100, 1000, 50_000])
def test_one_absurd_value_of_the_reference_changes_little(n_rows: int) -> None:
    values = np.random.default_rng(n_rows).standard_normal(n_rows)
    plain = fix_edges(values)
    for absurd in (1e6, -1e12, 1e200, np.inf):
        found = fix_edges(np.append(values, absurd))
        assert found.spread == pytest.approx(plain.spread, rel=0.35 if n_rows < 1000 else 0.08)
        assert len(found.at) < len(plain.at) + 150


@given(
    arrays(np.float64, st.integers(1, 60), elements=ANY).filter(lambda x: bool(np.any(np.abs(x) < 1e150))),
    arrays(np.float64, st.integers(0, 30), elements=ANY),
)
def test_counts_are_those_of_looking_up_each_value(
    reference: npt.NDArray[np.float64], values: npt.NDArray[np.float64]
) -> None:
    edges = fix_edges(reference)
    assert bool(np.all(np.isfinite(edges.at)))
    assert np.isfinite(edges.spread)
    assert count(edges, values).tolist() == slow_count(edges, values)


@given(arrays(np.int64, st.integers(0, 50), elements=st.integers(-(2**62), 2**62)), st.integers(0, 50))
def test_counts_of_batches_add_up(values: npt.NDArray[np.int64], cut: int) -> None:
    edges = fix_edges(SAMPLES["whole"])
    whole = count(edges, values)
    assert np.array_equal(whole, count(edges, values[:cut]) + count(edges, values[cut:]))
    assert whole.dtype == np.int64


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "uint64", "float32", "float64"])
def test_every_type_of_numbers_is_counted_alike(dtype: str) -> None:
    values = np.arange(500) % 3 % 2
    edges = fix_edges(values.astype(dtype))
    assert np.array_equal(count(edges, values.astype(dtype)), count(fix_edges(values), values))


def test_nothing_finite_is_no_reference() -> None:
    for values in (np.array([]), np.array([np.nan, np.inf])):
        with pytest.raises(Unmeasurable, match="no number"):
            fix_edges(values)


# --- categories ---------------------------------------------------------------------------------------------------


def test_what_is_too_much_to_keep_is_counted_together() -> None:
    found = tally({"b": 2, "a": 2, "c": 5, "d": 1}, most=2, n_other=3)
    assert found == Tally(counts={"c": 5, "a": 2}, n_other=6)
    assert found.n_rows == 13


@given(st.dictionaries(st.text(max_size=2), st.integers(1, 9)), st.dictionaries(st.text(max_size=2), st.integers(1, 9)))
def test_tallies_of_batches_add_up(one: dict[str, int], other: dict[str, int]) -> None:
    both = tally([*one.items(), *other.items()])
    assert both.n_rows == sum(one.values()) + sum(other.values())
    assert all(both.counts[key] == one.get(key, 0) + other.get(key, 0) for key in {*one, *other})


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 9)),
    st.dictionaries(st.sampled_from("defghi"), st.integers(1, 9)),
    st.integers(0, 2),
    st.integers(0, 2),
)
def test_no_row_is_lost_in_aligning(one: dict[str, int], other: dict[str, int], left: int, right: int) -> None:
    reference, current = Tally(counts=one, n_other=left), Tally(counts=other, n_other=right)
    names, before, after = align(reference, current)
    assert len(names) + 1 == len(before) == len(after)
    assert (int(before.sum()), int(after.sum())) == (reference.n_rows, current.n_rows)
    assert before.min() >= 0 <= after.min()
    assert len(set(names)) == len(names)


def test_a_value_is_new_only_to_a_reference_that_keeps_all() -> None:
    current = Tally(counts={"a": 1, "new": 2})
    names, before, after = align(Tally(counts={"a": 3}), current)
    assert (names, before.tolist(), after.tolist()) == (["a", "new"], [3, 0, 0], [1, 2, 0])
    names, before, after = align(Tally(counts={"a": 3}, n_other=4), current)
    assert (names, before.tolist(), after.tolist()) == (["a"], [3, 4], [1, 2])
