"""Which columns explain a change: where the truth is known, and where nothing can be told."""

import numpy as np
import numpy.typing as npt
import pytest

from headway.errors import Unmeasurable
from headway.stats.bins import Counts, Floats
from headway.stats.causes import Rows, explained
from headway.stats.estimate import expected

Places = npt.NDArray[np.integer]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20130107)


def right(a: Places, b: Places) -> Floats:
    """The chance that an answer is right: `a` matters, `b` a little, nothing else does."""
    return np.asarray(0.95 - 0.05 * a - 0.01 * b, dtype=np.float64)


def drawn(rng: np.random.Generator, n: int, up: float = 0.0) -> Places:
    """A column of eight cells; `up` of the rows moved to the upper ones."""
    return np.where(rng.random(n) < up, rng.integers(5, 8, n), rng.integers(0, 8, n))


def counts(*columns: Places) -> list[Counts]:
    return [np.bincount(column, minlength=64).astype(np.int64) for column in columns]


def test_the_column_that_moved_and_matters_explains_the_change(rng: np.random.Generator) -> None:
    a, b, c = (drawn(rng, 20_000) for _ in range(3))
    now_a, now_b, now_c = drawn(rng, 5000, 0.6), drawn(rng, 5000, 0.6), drawn(rng, 5000, 0.9)
    rows = Rows(parts=right(a, b)[:, None])
    change = float(right(now_a, now_b).mean() - right(a, b).mean())
    found = explained(["a", "b", "c"], np.stack([a, b, c]), rows, counts(now_a, now_b, now_c), change)
    by_name = {one.name: one for one in found}
    assert [one.name for one in found[:2]] == ["a", "b"]
    assert by_name["a"].explains == pytest.approx(5 / 6, abs=0.05)
    assert by_name["b"].explains == pytest.approx(1 / 6, abs=0.05)
    # It moved most and explains nothing.
    assert abs(by_name["c"].explains or 0.0) < 0.05
    assert by_name["a"].change == pytest.approx(-0.05 * 0.6 * 2.5, rel=0.1)


def test_a_column_that_did_not_move_explains_nothing(rng: np.random.Generator) -> None:
    n_told = 0
    for _ in range(200):
        a, b = drawn(rng, 2000), drawn(rng, 2000)
        rows = Rows(parts=right(a, b)[:, None])
        n_told += explained(["a"], a[None], rows, counts(drawn(rng, 500)), change=-0.1)[0].explains is not None
    # Twice its own error is exceeded by one in twenty.
    assert n_told <= 24


def test_the_error_is_that_of_many_references_and_windows(rng: np.random.Generator) -> None:
    parts, errors = [], []
    for _ in range(300):
        a, b = drawn(rng, 1500), drawn(rng, 1500)
        losses = right(a, b) + 0.1 * rng.standard_normal(1500)
        found = explained(["a"], a[None], Rows(parts=losses[:, None]), counts(drawn(rng, 400, 0.5)), change=-0.1)[0]
        parts.append(found.change)
        errors.append(found.error)
    assert np.mean(errors) == pytest.approx(np.std(parts), rel=0.2)


@pytest.mark.parametrize("metric", ["recall", "f1", "precision"])
def test_a_ratio_is_explained_as_what_its_counts_make(metric: str, rng: np.random.Generator) -> None:
    a = drawn(rng, 30_000)
    chance = 0.2 + 0.08 * a
    says_yes = rng.random(30_000) < chance

    def parts(column: Places, yes: npt.NDArray[np.bool_]) -> Floats:
        p = 0.2 + 0.08 * column
        return np.stack([p * yes, (1 - p) * yes, p * ~yes, (1 - p) * ~yes], axis=1)

    def value(means: Floats) -> float:
        tp, fp, fn, tn = means.tolist()
        return expected(metric, (tp, fp, fn, tn)).value

    now = drawn(rng, 30_000, 0.7)
    now_yes = rng.random(30_000) < 0.2 + 0.08 * now
    whole = value(parts(now, now_yes).mean(axis=0)) - value(parts(a, says_yes).mean(axis=0))
    found = explained(["a"], a[None], Rows(parts=parts(a, says_yes), value=value), counts(now), whole)[0]
    assert found.explains == pytest.approx(1, abs=0.1)


def test_what_the_reference_has_not_seen_is_not_supposed(rng: np.random.Generator) -> None:
    a, b = drawn(rng, 4000), drawn(rng, 4000)
    rows = Rows(parts=right(a, b)[:, None])
    beyond = np.zeros(64, dtype=np.int64)
    beyond[20] = 300
    beyond[:8] = 100
    some, none = explained(["a", "b"], np.stack([a, a]), rows, [beyond, np.roll(beyond[:64] * (beyond > 200), 9)], -0.1)
    assert {some.name, none.name} == {"a", "b"}
    by_name = {one.name: one for one in (some, none)}
    assert by_name["a"].unseen == pytest.approx(300 / 1100)
    assert (by_name["b"].unseen, by_name["b"].explains) == (1, None)


def test_nothing_is_explained_by_a_handful_of_rows(rng: np.random.Generator) -> None:
    a = np.where(np.arange(5000) < 20, 7, 0)
    rows = Rows(parts=np.where(a == 7, 0.2, 0.9)[:, None])
    window = np.bincount([7], weights=[500], minlength=64).astype(np.int64)
    found = explained(["a"], a[None], rows, [window], change=-0.5)[0]
    assert found.n_effective < 100
    assert found.explains is None
    assert found.change < -0.3
    assert explained(["a"], a[None], rows, [window], change=0.0)[0].explains is None


def test_no_rows_explain_nothing() -> None:
    with pytest.raises(Unmeasurable, match="no row of the reference"):
        explained(
            ["a"], np.zeros((1, 0), dtype=np.int64), Rows(parts=np.zeros((0, 1))), [np.ones(3, dtype=np.int64)], 1
        )
