import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.stats.moments import Moments, merge

Floats = npt.NDArray[np.float64]
NUMBERS = st.lists(st.floats(-1e6, 1e6), max_size=20).map(lambda given: np.array(given, dtype=float))


def measure(values: Floats) -> Moments:
    """What numpy says of one batch, in long doubles."""
    if not len(values):
        return Moments()
    held = values.astype(np.longdouble)
    with np.errstate(invalid="ignore"):
        mean, m2 = float(np.mean(held)), float(np.var(held) * len(held))
    return Moments(n_rows=len(values), mean=mean, m2=m2, minimum=float(values.min()), maximum=float(values.max()))


@given(NUMBERS, NUMBERS, NUMBERS)
def test_merged_batches_are_one_pass_over_all(one: Floats, two: Floats, three: Floats) -> None:
    held = np.concatenate([one, two, three])
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
    assert merged.std == pytest.approx(float(exact), rel=1e-6)


def test_infinities_are_ends_and_leave_no_spread() -> None:
    found = measure(np.array([1.0, math.inf]))
    assert (found.n_rows, found.mean, found.minimum, found.maximum) == (2, math.inf, 1.0, math.inf)
    assert math.isnan(found.std)
    both = merge(found, measure(np.array([-math.inf])))
    assert math.isnan(both.mean)
    assert (both.minimum, both.maximum) == (-math.inf, math.inf)
    assert merge(measure(np.array([2.0, 3.0])), found).mean == math.inf


def test_nothing_changes_nothing() -> None:
    some = measure(np.array([1.0, 2.0]))
    assert merge(Moments(), some) == merge(some, measure(np.array([]))) == some
