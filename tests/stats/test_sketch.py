"""Cells of a reference, and sums of chances: what is kept gives what the rows would."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.errors import Unmeasurable
from headway.stats import isotonic
from headway.stats.sketch import MOST_EDGES, Parts, count_numbers, fix_cells
from headway.stats.sketch_chances import Scored, calibrated, chances
from tries import tries

Floats = npt.NDArray[np.float64]

SAMPLES = {
    "normal": np.random.default_rng(1).normal(size=20_000),
    "log-normal": np.random.default_rng(2).lognormal(0, 2, 20_000),
    "many zeros": np.where(np.random.default_rng(3).random(20_000) < 0.6, 0.0, np.random.default_rng(4).random(20_000)),
    "counts": np.random.default_rng(5).poisson(30, 20_000).astype(float),
    "few": np.repeat([1.0, 2.0, 7.0], [1, 100, 1000]),
    "one": np.array([3.0]),
    "absurd": np.append(np.random.default_rng(6).normal(size=5_000), [1e300, -1e300]),
}


def shares(values: Floats, edges: tuple[float, ...]) -> Floats:
    """What part of the values lies in each bin."""
    parts = Parts.of(np.zeros(len(values), dtype=np.intp), 1)
    return np.asarray(count_numbers(np.array(edges), values, parts, shape=(0, len(edges) + 1, 0))[0] / len(values))


@pytest.mark.parametrize("name", SAMPLES)
def test_bins_are_few_and_rise_and_hold_the_reference_within_them(name: str) -> None:
    values = SAMPLES[name]
    edges = fix_cells(values)
    assert len(edges) <= MOST_EDGES
    assert (np.diff(edges) > 0).all()
    told = shares(values, edges)
    # Beyond the reference nothing lies, so that whatever comes there is seen.
    assert told[0] == told[-1] == 0
    assert told.sum() == pytest.approx(1)


@pytest.mark.parametrize("name", ["normal", "log-normal"])
def test_no_bin_of_a_continuous_column_holds_much_more_than_its_part(name: str) -> None:
    assert shares(SAMPLES[name], fix_cells(SAMPLES[name])).max() < 1.1 / 48


def test_a_frequent_value_has_a_bin_by_itself() -> None:
    values = SAMPLES["many zeros"]
    edges = fix_cells(values)
    assert 0.0 in edges
    assert shares(values, edges)[edges.index(0.0)] == pytest.approx((values == 0).mean())


def test_each_of_a_few_values_has_a_bin_and_so_has_what_lies_between() -> None:
    edges = fix_cells(SAMPLES["few"])
    assert shares(np.array([0.0, 1.0, 1.5, 2.0, 3.0, 7.0, 8.0]), edges).tolist() == pytest.approx([1 / 7] * 7)


def test_without_a_finite_number_there_are_no_bins() -> None:
    assert fix_cells(np.array([np.nan, np.inf])) == ()


@settings(max_examples=tries(60), deadline=None)
@given(
    st.lists(st.floats(allow_infinity=True, allow_nan=True), max_size=40),
    st.lists(st.floats(allow_infinity=False, allow_nan=False), max_size=20, unique=True).map(sorted),
    st.integers(1, 4),
)
def test_numbers_are_counted_as_one_by_one(values: list[float], edges: list[float], n_parts: int) -> None:
    places = np.array([(7 * i + i // 3) % n_parts for i in range(len(values))], dtype=np.intp)
    found = count_numbers(
        np.array(edges), np.array(values, dtype=float), Parts.of(places, n_parts), shape=(2, len(edges) + 3, 0)
    )
    expected = np.zeros((n_parts, len(edges) + 3), dtype=int)
    for place, value in zip(places, values, strict=True):
        expected[place, 0 if np.isnan(value) else 2 + sum(value > edge for edge in edges)] += 1
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("n_rows", [1, 7, 2_000])
def test_a_calibration_kept_short_says_what_the_whole_one_says(n_rows: int) -> None:
    rng = np.random.default_rng(n_rows)
    scores = np.round(rng.random(n_rows), 3)
    is_true = rng.random(n_rows) < scores
    full, short = isotonic.fit(scores, is_true), calibrated(scores, is_true, most=1_000)
    grid = np.linspace(-0.1, 1.1, 5_000)
    assert np.allclose(full(grid), short(grid), rtol=0, atol=1e-12)
    moves = rng.normal(size=5_000)
    assert short.variance_of(grid, moves) == pytest.approx(full.variance_of(grid, moves), rel=1e-9)


def test_a_calibration_of_many_blocks_is_kept_in_as_many_as_may_be() -> None:
    rng = np.random.default_rng(2)
    scores = rng.random(200_000)
    is_true = rng.random(200_000) < scores**2
    full, short = isotonic.fit(scores, is_true), calibrated(scores, is_true, most=62)
    assert len(full.variances) > 62 >= len(short.variances)
    assert (np.diff(short.chances) >= 0).all()
    assert len(short.at) <= 2 * 62
    assert np.abs(full(scores) - short(scores)).max() < 0.05
    assert float((full(scores) - short(scores)).mean()) == pytest.approx(0, abs=1e-3)


def test_without_rows_there_is_no_calibration() -> None:
    with pytest.raises(Unmeasurable):
        calibrated(np.array([]), np.array([], dtype=bool), most=9)


def test_weights_of_blocks_give_the_chances_and_their_variance() -> None:
    rng = np.random.default_rng(3)
    known = rng.random(3_000)
    fit = calibrated(known, rng.random(3_000) < known, most=20)
    scores, says_yes = rng.random(1_000), rng.random(1_000) < 0.3
    places = np.sort(rng.integers(0, 3, 1_000))
    found = chances(fit, Scored(scores=scores, says_yes=says_yes, places=places), 3, unit=2**34)
    assert found.sums[:, :, 0].sum() == 1_000
    for place in range(3):
        for i, side in enumerate((says_yes, ~says_yes)):
            own = scores[(places == place) & side]
            assert found.sums[place, i, 0] == len(own)
            assert found.sums[place, i, 1] / 2**34 == pytest.approx(fit(own).sum(), abs=1e-8)
            weights = found.weights[place, i] / 2**34
            assert weights.sum() == pytest.approx(len(own), abs=1e-8)
            assert np.sum(weights**2 * fit.variances) == pytest.approx(
                fit.variance_of(own, np.ones(len(own))), rel=1e-8
            )
