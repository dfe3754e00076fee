"""Sketches add up exactly, in any order and grouping, and refuse what cannot be added."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.core.sketch import N_CELLS, UNIT, Sketch, merge, ms_edges
from headway.errors import Unmeasurable
from headway.stats.sketch import packed
from tries import tries

N_AXES = 2


def whole_numbers(values: list[int], *, is_wide: bool) -> bytes:
    """As `weights` has them."""
    if not is_wide:
        return np.array(values, dtype="<i8").tobytes()
    return np.array([[value >> 32 for value in values], [value % 2**32 for value in values]], dtype="<i8").tobytes()


def read_back(weights: bytes, *, is_wide: bool) -> list[int]:
    numbers = np.frombuffer(weights, "<i8").tolist()
    n = len(numbers) // 2
    return [high * 2**32 + low for high, low in zip(numbers[:n], numbers[n:], strict=True)] if is_wide else numbers


@st.composite
def sketches(draw: st.DrawFn) -> Sketch:
    """One of two axes and three blocks, with a few large counts among small ones."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    most = draw(st.sampled_from([1, 1000, 2**31, 2**32 - 1, 2**40]))
    is_wide = most > 2**32 or draw(st.booleans())
    counts = rng.integers(0, most, N_AXES * N_CELLS)
    n_rows = draw(st.integers(0, 1000))
    return Sketch(
        layout="a",
        version=3,
        first_at=draw(st.floats(0, 100)),
        last_at=draw(st.floats(100, 200)),
        n_requests=draw(st.integers(0, 1000)),
        n_rows=n_rows,
        counts=packed(counts, is_wide=is_wide),
        ms=packed(rng.integers(0, 9, N_CELLS), is_wide=is_wide),
        failures=draw(st.dictionaries(st.sampled_from([400, 500, 503]), st.integers(1, 9))),
        sums=tuple(draw(st.lists(st.integers(0, 2**40), min_size=6, max_size=6))),
        weights=whole_numbers([draw(st.integers(-(2**62), 2**62)) for _ in range(6)], is_wide=is_wide),
        is_wide=is_wide,
    )


@settings(max_examples=tries(40), deadline=None)
@given(st.lists(sketches(), min_size=1, max_size=6), st.integers(0, 5), st.randoms())
def test_adding_is_exact_and_in_any_order_and_grouping(parts: list[Sketch], cut: int, random: Random) -> None:
    whole = merge(parts)
    mixed = list(parts)
    random.shuffle(mixed)
    cut = min(cut, len(mixed))
    groups = [merge(group) for group in (mixed[:cut], mixed[cut:]) if group]
    assert merge(groups) == whole
    assert (whole.table == sum(one.table for one in parts)).all()
    assert (whole.times == sum(one.times for one in parts)).all()
    assert whole.sums == tuple(sum(one.sums[i] for one in parts) for i in range(6))
    weights = [read_back(one.weights, is_wide=one.is_wide) for one in parts]
    assert read_back(whole.weights, is_wide=whole.is_wide) == [sum(each) for each in zip(*weights, strict=True)]
    assert np.allclose(
        whole.blocks.ravel() * UNIT, [float(sum(each)) for each in zip(*weights, strict=True)], rtol=1e-12
    )
    assert whole.n_failed == sum(one.n_failed for one in parts)


@settings(max_examples=20, deadline=None)
@given(sketches())
def test_one_alone_is_itself(one: Sketch) -> None:
    whole = merge([one])
    assert (whole.table == one.table).all()
    assert (whole.first_at, whole.last_at, whole.failures) == (one.first_at, one.last_at, one.failures)
    assert merge([whole]) == whole


def test_more_rows_than_four_bytes_count_are_counted() -> None:
    full = Sketch(
        layout="a",
        version=1,
        first_at=0,
        last_at=1,
        n_requests=2**32 - 1,
        n_rows=2**32 - 1,
        counts=packed(np.full(N_CELLS, 2**32 - 1)),
        ms=packed(np.full(N_CELLS, 1)),
    )
    both = merge([full, full])
    assert both.is_wide
    assert len(both.weights) == 0
    assert both.table.max() == 2**33 - 2
    assert both.times.tolist() == [2] * N_CELLS
    assert len(both.counts) == 8 * N_CELLS


def test_what_cannot_be_added_is_refused() -> None:
    one = Sketch(layout="a", version=1, first_at=0, last_at=1, n_requests=0, n_rows=0, counts=b"", ms=b"")
    other = Sketch(layout="b", version=1, first_at=0, last_at=1, n_requests=0, n_rows=0, counts=b"", ms=b"")
    with pytest.raises(Unmeasurable, match="on one layout"):
        merge([one, other])
    with pytest.raises(Unmeasurable, match="nothing to add up"):
        merge([])


def test_times_have_ten_cells_a_decade() -> None:
    edges = ms_edges()
    assert len(edges) == N_CELLS - 1
    assert edges[10] / edges[0] == pytest.approx(10)
    assert edges[-1] == pytest.approx(79_245, rel=1e-4)
