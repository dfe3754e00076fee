import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from headway.errors import Unmeasurable
from headway.stats import auc
from headway.stats.answers import Flags, Values


def rows(seed: int, n_rows: int = 300, *, ties: bool = False) -> tuple[Flags, Values, Values]:
    rng = np.random.default_rng(seed)
    truth = rng.random(n_rows) < 0.3
    shared = rng.standard_normal(n_rows) + truth
    new, old = shared + 0.5 * rng.standard_normal(n_rows), shared + 0.7 * rng.standard_normal(n_rows)
    return (truth, np.round(new, 1), np.round(old, 1)) if ties else (truth, new, old)


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_the_area_is_scikit_learns(seed: int, ties: bool) -> None:
    truth, new, _ = rows(seed, ties=ties)
    assert auc.place(truth, new).area == pytest.approx(roc_auc_score(truth, new), abs=1e-12)


def test_an_area_and_its_variance_agree_with_r() -> None:
    # The clinical grade of 41 poor and 72 good outcomes (Turck et al. 2010, Intensive Care Med. 36, 107-115); R's pROC
    # prints 0.8236788617886179 for the area and 0.00146991470882363 for DeLong's variance of it.
    grades = np.arange(1.0, 6.0)
    poor, good = np.repeat(grades, [2, 12, 1, 8, 18]), np.repeat(grades, [37, 20, 3, 8, 4])
    placed = auc.place(np.arange(113) < 41, np.concatenate([poor, good]))
    assert placed.area == pytest.approx(0.8236788617886179, abs=1e-12)
    assert auc.standard_error(placed.of_positives, placed.of_negatives) ** 2 == pytest.approx(
        0.00146991470882363, abs=1e-15
    )


@pytest.mark.parametrize("ties", [True, False])
def test_the_error_of_a_difference_is_delongs_by_its_definition(ties: bool) -> None:
    truth, new, old = rows(7, n_rows=80, ties=ties)
    kernels = []
    for scores in (new, old):
        above = scores[truth][:, None] - scores[~truth][None, :]
        kernels.append((above > 0) + 0.5 * (above == 0))
    of_positives = np.cov([kernel.mean(axis=1) for kernel in kernels])
    of_negatives = np.cov([kernel.mean(axis=0) for kernel in kernels])
    total = of_positives / truth.sum() + of_negatives / (~truth).sum()
    variance = total[0, 0] + total[1, 1] - 2 * total[0, 1]

    ours, theirs = auc.place(truth, new), auc.place(truth, old)
    found = auc.standard_error(
        ours.of_positives - theirs.of_positives,
        ours.of_negatives - theirs.of_negatives,
    )
    assert found**2 == pytest.approx(variance, abs=1e-14)


@given(st.integers(0, 10_000))
def test_swapping_the_models_mirrors_the_interval_and_row_order_changes_nothing(seed: int) -> None:
    truth, new, old = rows(seed, n_rows=60, ties=True)
    if not 2 <= truth.sum() <= 58:
        return
    found = auc.difference_interval(auc.place(truth, new), auc.place(truth, old), 0.9)
    swapped = auc.difference_interval(auc.place(truth, old), auc.place(truth, new), 0.9)
    assert (found.low, found.high) == pytest.approx((-swapped.high, -swapped.low), abs=1e-12)
    order = np.random.default_rng(seed).permutation(60)
    moved = auc.difference_interval(auc.place(truth[order], new[order]), auc.place(truth[order], old[order]), 0.9)
    assert (found.low, found.high) == pytest.approx((moved.low, moved.high), abs=1e-12)


def test_any_rescaling_of_the_scores_that_keeps_their_order_changes_nothing() -> None:
    truth, new, _ = rows(3)
    assert auc.place(truth, np.exp(new)).area == auc.place(truth, new).area


def test_a_flawless_ranking_is_not_certain() -> None:
    truth = np.arange(40) >= 20
    found = auc.area_interval(auc.place(truth, np.arange(40.0)), 0.9)
    assert found.high == 1
    assert found.low == pytest.approx(0.05 ** (1 / 20))
    flawed = np.arange(40.0)
    flawed[[19, 20]] = flawed[[20, 19]]
    assert auc.area_interval(auc.place(truth, flawed), 0.9).low <= found.low


def test_models_that_rank_alike_are_bounded_by_the_number_of_rows() -> None:
    truth, new, _ = rows(1)
    placed = auc.place(truth, new)
    found = auc.difference_interval(placed, placed, 0.9)
    assert found.low == -found.high
    # Neither class showed a row that moved: each may hold 1 - 0.025 ** (1 / n) of them.
    assert found.high == pytest.approx(sum(1 - 0.025 ** (1 / n) for n in (truth.sum(), (~truth).sum())))


def test_an_absent_class_cannot_be_measured() -> None:
    with pytest.raises(Unmeasurable, match="needs both classes; 0 of 3 rows are positive"):
        auc.place(np.zeros(3, dtype=bool), np.arange(3.0))
    single = auc.place(np.arange(3) == 0, np.arange(3.0))
    with pytest.raises(Unmeasurable, match="2 rows of each class"):
        auc.area_interval(single)
