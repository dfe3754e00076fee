"""Windows against their reference on 64 cells: what is told, and how seldom where nothing changed."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from headway.errors import Unmeasurable
from headway.stats.alarm import Budget, Effects, alphas, axis_effects
from headway.stats.bins import Counts
from headway.stats.shift import Shift, aligned_shift, family, share_shift, tails
from headway.stats.shift_cells import Axis, _chi_square, _mean_rank, _one_cell, axis_shifts, usual_psi

Floats = npt.NDArray[np.float64]
Random = np.random.Generator
EDGES = stats.norm.ppf(np.arange(1, 62) / 62)
NORMAL = np.full(62, 1 / 62)


@pytest.fixture
def rng() -> Random:
    return np.random.default_rng(20130106)


def counted(values: Floats, n_missing: int = 0, n_unknown: int = 0) -> Counts:
    cells = np.bincount(np.searchsorted(EDGES, values), minlength=62)
    return np.concatenate([[n_missing, n_unknown], cells])


def numbers(rng: Random, n: int = 20_000, effects: Effects | None = None) -> Axis:
    found = effects or Effects(n_blocks=64)
    return Axis(counts=np.concatenate([[0, 0], rng.multinomial(n, NORMAL)]), edges=EDGES, effects=found)


def values_of(axis: Axis, current: Counts) -> Shift:
    found = axis_shifts([axis], [current])[0].values
    assert found is not None
    return found


# --- exactness ----------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 9), min_size=2, max_size=6), st.data())
def test_the_mean_rank_is_never_less_likely_than_said(reference: list[int], data: st.DataObject) -> None:
    """Exact, by all ways to deal out the pooled rows: a multivariate hypergeometric law."""
    x = np.array(reference)
    y = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(x), max_size=len(x))))
    n, m = int(x.sum()), int(y.sum())
    if n < 1 or m < 1:
        return
    pooled = x + y
    ranks = np.cumsum(pooled) - pooled / 2
    law = stats.multivariate_hypergeom(pooled, m)
    ways = np.array(np.meshgrid(*(range(min(k, m) + 1) for k in pooled), indexing="ij")).reshape(len(x), -1).T
    ways = ways[ways.sum(axis=1) == m]
    chances = np.array([law.pmf(way) for way in ways])
    as_far = np.abs(ways @ ranks / m - (n + m) / 2) >= abs(y @ ranks / m - (n + m) / 2) - 1e-9
    _, p = _mean_rank(x[None].astype(float), y[None].astype(float))
    assert p[0] >= chances[as_far].sum() - 1e-9


def test_the_mean_rank_is_nearly_that_of_mann_and_whitney(rng: Random) -> None:
    """As a deviate within a tenth, where the reference is much larger; its sign says which way the rows went."""
    for moved in (0.1, 0.15, -0.2):
        x, y = rng.multinomial(400_000, NORMAL), counted(rng.standard_normal(2000) + moved)[2:]
        at = np.arange(62)
        judge = stats.mannwhitneyu(np.repeat(at, y), np.repeat(at, x), method="asymptotic")
        shift, p = _mean_rank(x[None].astype(float), y[None].astype(float))
        assert shift[0] == pytest.approx(judge.statistic / (x.sum() * y.sum()) - 0.5, abs=1e-12)
        assert p[0] >= judge.pvalue
        assert stats.norm.isf(p[0] / 2) == pytest.approx(stats.norm.isf(judge.pvalue / 2), rel=0.15)


@given(st.lists(st.integers(0, 40), min_size=3, max_size=8), st.data())
def test_cells_are_judged_as_shift_judges_them(reference: list[int], data: st.DataObject) -> None:
    x = np.array([*reference, 5])
    y = np.array([*data.draw(st.lists(st.integers(0, 40), min_size=len(reference), max_size=len(reference))), 3])
    many = np.tile(np.pad(x, (0, 32 - len(x))), (3, 1)), np.tile(np.pad(y, (0, 32 - len(x))), (3, 1))
    one = aligned_shift([""] * len(x), x, y)
    _, cell = _one_cell(*(side.astype(float) for side in many))
    _, shape = _chi_square(*(side.astype(float) for side in many))
    assert min(2 * min(cell[1], shape[1]), 1) == pytest.approx(one.p, rel=1e-6)
    assert len(set(cell)) == len(set(shape)) == 1


def test_shares_of_rows_that_are_alike_are_those_of_fewer_rows() -> None:
    assert share_shift((1000, 20_000), (100, 1000), effect=10).p == pytest.approx(
        share_shift((100, 2000), (10, 100)).p, rel=1e-9
    )
    assert share_shift((1000, 20_000), (100, 1000), effect=10, n_blocks=20).p > share_shift((100, 2000), (10, 100)).p
    half = tails(np.array([2.5]), np.array([3.5]), np.float64(50), np.float64(20))[0]
    low, high = (tails(np.array([a]), np.array([b]), np.float64(50), np.float64(20))[0] for a, b in ((3, 3), (2, 4)))
    assert high < half < low


# --- what is told -------------------------------------------------------------------------------------------------


def test_numbers_that_moved_are_told_with_where_and_how_far(rng: Random) -> None:
    found = axis_shifts([numbers(rng)], [counted(rng.standard_normal(2000) + 0.3)])[0]
    assert found.values is not None
    assert found.values.p < 1e-9
    assert (found.values.of, found.values.unit, found.values.method) == ("numbers", "sd", "mean-rank")
    # The outer cells are taken for their ends, so that the reference is a little less wide than it is.
    assert found.values.effect == pytest.approx(0.3, abs=0.05)
    assert isinstance(found.values.at, float)
    assert found.values.before > found.values.after
    # Two normals that are .3 apart have all but .119 in common.
    assert found.moved == pytest.approx(0.119, abs=0.03)
    assert found.psi == pytest.approx(0.09, abs=0.03)
    assert (found.missing.p, found.unknown.p) == (1, 1)


def test_what_is_missing_or_cannot_be_counted_is_told_apart_from_the_values(rng: Random) -> None:
    before = Axis(counts=counted(rng.standard_normal(20_000), n_missing=200), edges=EDGES)
    found = axis_shifts([before], [counted(rng.standard_normal(1800), n_missing=120, n_unknown=80)])[0]
    assert found.missing.p < 1e-9
    assert [found.missing.before, found.missing.after] == pytest.approx([200 / 20_200, 0.06])
    assert found.unknown.p < 1e-9
    assert found.unknown.after == 0.04
    assert found.values is not None
    assert found.values.p > 1e-4
    assert found.values.n_current == 1800
    assert len(found.shifts) == 3


def test_a_value_that_comes_up_more_often_is_told_by_its_cell(rng: Random) -> None:
    values = rng.standard_normal(2000)
    values[:100] = 0.001
    found = values_of(numbers(rng), counted(values))
    assert found.p < 1e-9
    assert found.method == "one-cell"
    assert found.at == EDGES[31]
    assert found.after == pytest.approx(0.065, abs=0.02)


def test_categories_are_told_by_name_and_new_ones_are_others(rng: Random) -> None:
    axis = Axis(counts=np.array([0, 0, 4000, 3000, 1500]), names=("a", "b", "c"))
    moved = values_of(axis, np.array([0, 0, 300, 550, 150]))
    assert (moved.of, moved.unit, moved.at) == ("categories", "share", "b")
    assert moved.p < 1e-9
    found = axis_shifts([axis], [np.array([0, 80, 470, 353, 176])])[0]
    assert found.values is not None
    assert (found.values.at, found.values.method) == ("", "one-cell")
    assert found.values.beyond == pytest.approx(80 / 1079)
    assert found.unknown.p < 1e-9
    assert found.moved == pytest.approx(0.074, abs=0.02)


def test_many_axes_at_once_are_judged_as_each_by_itself(rng: Random) -> None:
    axes = [
        numbers(rng),
        Axis(counts=np.array([3, 0, 400, 300]), names=("a", "b"), effects=Effects(values=2.0, n_blocks=30)),
        numbers(rng, 500, Effects(values=1.5, missing=3.0, n_blocks=100)),
        Axis(counts=np.array([5, 0, 70, 80]), edges=np.array([0.0])),
    ]
    now = [counted(rng.standard_normal(300) + 0.1), np.array([0, 9, 30, 50]), counted(rng.standard_normal(4000), 7)]
    now.append(np.array([0, 0, 9, 2]))
    # A row of a sketch has zeros behind.
    padded = [np.pad(one, (0, 64 - len(one))) for one in now]
    together = axis_shifts(axes, padded)
    for axis, one, found in zip(axes, now, together, strict=True):
        alone = axis_shifts([axis], [one])[0]
        assert [s.p for s in alone.shifts] == pytest.approx([s.p for s in found.shifts], rel=1e-9)
        assert [alone.moved, alone.psi, alone.psi_usual] == pytest.approx([found.moved, found.psi, found.psi_usual])
        assert alone.values is not None
        assert found.values is not None
        assert alone.values.effect == pytest.approx(found.values.effect)
        assert alone.values.at == found.values.at
    assert axis_shifts([], []) == ()


def test_an_axis_without_values_has_only_its_shares(rng: Random) -> None:
    found = axis_shifts([numbers(rng)], [np.array([500, *[0] * 63])])[0]
    assert found.values is None
    assert found.missing.p < 1e-9
    assert len(found.shifts) == 2
    with pytest.raises(Unmeasurable, match="no row has a value"):
        axis_shifts([numbers(rng)], [np.zeros(64, dtype=np.int64)])


def test_the_same_shares_are_no_shift() -> None:
    axis = Axis(counts=np.array([10, 20, *[300] * 62]), edges=EDGES, effects=Effects(n_blocks=64))
    found = axis_shifts([axis], [axis.counts])[0]
    assert [one.p for one in found.shifts] == [1, 1, 1]
    assert found.values is not None
    assert (found.values.effect, found.moved) == (0, 0)
    assert found.psi < found.psi_usual


@pytest.mark.parametrize("n", [300, 100_000])
def test_the_index_exceeds_what_is_usual_once_in_a_hundred_windows(n: int, rng: Random) -> None:
    axis = numbers(rng, 50_000)
    found = axis_shifts([axis] * 400, [np.concatenate([[0, 0], rng.multinomial(n, NORMAL)]) for _ in range(400)])
    # All windows share the noise of one reference.
    assert np.mean([one.psi > one.psi_usual for one in found]) <= most(0.01, 400)
    assert usual_psi(10, 50_000, n) == pytest.approx(found[0].psi_usual)


# --- rates --------------------------------------------------------------------------------------------------------


def most(asked: float, n_runs: int) -> float:
    """The rate that a rule which keeps to what was asked exceeds in so many runs once in 741 times (0.00135)."""
    return float(stats.binom.ppf(stats.norm.cdf(3), n_runs, asked)) / n_runs


def unchanged(rng: Random, axis_shares: Floats, n: int, m: int, n_axes: int) -> list[Shift]:
    """Windows of independent rows, each against a reference of its own."""
    axes = [
        Axis(counts=np.concatenate([[0, 0], one]), edges=EDGES[: len(axis_shares) - 1])
        for one in rng.multinomial(n, axis_shares, size=n_axes)
    ]
    now = [np.concatenate([[0, 0], one]) for one in rng.multinomial(m, axis_shares, size=n_axes)]
    return [one.values for one in axis_shifts(axes, now) if one.values is not None]


@pytest.mark.parametrize("m", [200, 100_000])
def test_nothing_changed_is_told_no_more_often_than_asked(m: int, rng: Random) -> None:
    p = np.array([one.p for one in unchanged(rng, NORMAL, 20_000, m, 600)])
    for level in (0.1, 0.01, 0.001):
        assert np.mean(p <= level) <= most(level, len(p))


def test_a_fifth_of_a_standard_deviation_is_found_from_2000_rows_on(rng: Random) -> None:
    """Hourly windows, 50 features, 2 false alarms a year, and a design effect that was measured on 256 blocks."""
    level = alphas(Budget(per_year=2, windows_per_year=8760)).features
    still = share_shift((50, 100), (50, 100))
    n_told = 0
    for _ in range(60):
        blocks = np.concatenate([np.zeros((256, 2), dtype=np.int64), rng.multinomial(80, NORMAL, size=256)], axis=1)
        axis = Axis(counts=blocks.sum(axis=0), edges=EDGES, effects=axis_effects(blocks))
        found = values_of(axis, counted(rng.standard_normal(2000) + 0.2))
        # Each of 50 features asks three questions.
        n_told += family([found, *[still] * 149], false_alarms=level, least=0.1)[0].is_alarm
    assert n_told >= 56
    assert math.isclose(level, 0.5 / 8760)
