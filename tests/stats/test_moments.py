import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.stats.moments import Moments, measure, merge

NUMBERS = st.lists(st.floats(-1e6, 1e6) | st.just(math.nan), max_size=20).map(
    lambda given: np.array(given, dtype=float)
)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_merged_batches_are_one_pass_over_all(
    one: npt.NDArray[np.float64], two: npt.NDArray[np.float64], three: npt.NDArray[np.float64]
) -> None:
    whole = np.concatenate([one, two, three])
    held = whole[~np.isnan(whole)]
    found = merge(merge(measure(one), measure(two)), measure(three))
    assert found.n_rows == len(held)
    if len(held):
        assert found.mean == pytest.approx(np.mean(held), abs=1e-6)
        assert (found.minimum, found.maximum) == (held.min(), held.max())
    if len(held) > 1:
        assert found.std == pytest.approx(np.std(held, ddof=1), rel=1e-9, abs=1e-6)
    else:
        assert math.isnan(found.std)


def test_large_numbers_that_are_nearly_alike_keep_their_spread() -> None:
    values = 1.7e9 + np.random.default_rng(1).standard_normal(10_000) * 1e-3
    exact = np.std((values - 1.7e9).astype(np.longdouble), ddof=1)
    merged = Moments()
    for batch in np.split(values, 10):
        merged = merge(merged, measure(batch))
    assert measure(values).std == pytest.approx(float(exact), rel=1e-9)
    assert merged.std == pytest.approx(float(exact), rel=1e-6)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float32"])
def test_every_type_is_summed_in_double_precision(dtype: str) -> None:
    values = (np.arange(100_001) % 2).astype(dtype)
    found = measure(values)
    assert found.mean == pytest.approx(50_000 / 100_001, rel=1e-12)
    assert found.variance == pytest.approx(np.var(values.astype(float), ddof=1), rel=1e-12)


def test_float32_is_not_summed_as_such() -> None:
    assert measure(np.full(2**21, 16_777_217 / 16, dtype=np.float32)).mean == float(np.float32(16_777_217 / 16))


def test_infinities_are_ends_and_leave_no_spread() -> None:
    found = measure(np.array([1.0, math.inf, math.nan]))
    assert (found.n_rows, found.mean, found.minimum, found.maximum) == (2, math.inf, 1.0, math.inf)
    assert math.isnan(found.std)
    both = merge(found, measure(np.array([-math.inf])))
    assert math.isnan(both.mean)
    assert (both.minimum, both.maximum) == (-math.inf, math.inf)
    assert merge(measure(np.array([2.0, 3.0])), found).mean == math.inf


def test_the_largest_numbers_overflow_without_a_warning() -> None:
    found = measure(np.array([1.7e308, -1.7e308, 1e308]))
    assert (found.minimum, found.maximum) == (-1.7e308, 1.7e308)


def test_nothing_changes_nothing() -> None:
    some = measure(np.array([1.0, 2.0]))
    assert merge(Moments(), some) == merge(some, measure(np.array([math.nan]))) == some
