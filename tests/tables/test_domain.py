"""Whether all columns together differ: told where they do, seldom where they do not."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from headway.errors import Unmeasurable
from headway.tables.domain import _p, tell_apart


def rows(rng: np.random.Generator, n: int, *, together: float = 0.0) -> pl.DataFrame:
    """Two normal columns that go together so much, a category and a number that says nothing."""
    first, second = rng.standard_normal(n), rng.standard_normal(n)
    second = together * first + (1 - together**2) ** 0.5 * second
    kinds = np.array(["a", "b", "c"])[rng.integers(0, 3, n)]
    return pl.DataFrame({"first": first, "second": second, "kind": kinds, "other": rng.random(n)})


def test_columns_that_go_together_in_another_way_are_told() -> None:
    rng = np.random.default_rng(1)
    found = tell_apart(rows(rng, 3000, together=-0.6), rows(rng, 2000, together=0.6))
    assert found.n_rows == 2000
    assert found.p < 1e-6
    assert found.share > 0.2
    assert found.n_right / found.n_rows == pytest.approx(0.5 + found.share / 2)


def test_rows_that_are_alike_tell_less() -> None:
    rng = np.random.default_rng(1)
    sides = rows(rng, 1000, together=-0.5), rows(rng, 1000, together=0.5)
    plain, alike, unsure = (tell_apart(*sides, effect=e, n_blocks=n) for e, n in ((1.0, 0), (4.0, 0), (4.0, 20)))
    assert plain.n_right == alike.n_right
    assert plain.p < alike.p < unsure.p < 0.05


@pytest.mark.parametrize(("n_right", "n_rows"), [(0, 10), (5, 10), (8, 10), (600, 1000), (900, 1000)])
def test_a_coin_is_right_as_often_as_said(n_right: int, n_rows: int) -> None:
    exact = stats.binom.sf(n_right - 1, n_rows, 0.5)
    assert _p(n_right, n_rows, 0) == pytest.approx(exact if exact < 0.5 else 1)
    assert _p(n_right / 2, n_rows / 2, 0) >= _p(n_right, n_rows, 0)


def test_a_handful_of_rows_is_not_learned_from() -> None:
    rng = np.random.default_rng(1)
    with pytest.raises(Unmeasurable, match="98 rows are too few"):
        tell_apart(rows(rng, 500), rows(rng, 99))


@pytest.mark.slow
@pytest.mark.parametrize("n", [200, 1000])
def test_what_did_not_change_is_told_no_more_often_than_asked(n: int) -> None:
    rng = np.random.default_rng(n)
    p = np.array([tell_apart(rows(rng, n), rows(rng, n)).p for _ in range(100)])
    for level in (0.2, 0.05):
        assert np.mean(p <= level) <= stats.binom.ppf(stats.norm.cdf(3), len(p), level) / len(p)


@pytest.mark.slow
def test_rows_of_the_same_customers_are_not_told_as_a_change() -> None:
    """Ten rows of each customer, with his own level: a cut at random would have him on both sides of it."""
    rng = np.random.default_rng(5)

    def customers(n: int) -> pl.DataFrame:
        own = np.repeat(rng.standard_normal((n // 10, 4)), 10, axis=0)
        return pl.DataFrame(own + 0.02 * rng.standard_normal((n, 4)), schema=["a", "b", "c", "d"])

    p = np.array([tell_apart(customers(1000), customers(1000), effect=10.0).p for _ in range(100)])
    for level in (0.2, 0.05):
        assert np.mean(p <= level) <= stats.binom.ppf(stats.norm.cdf(3), len(p), level) / len(p)
