"""Rows and answers as values: some of them taken, what is worked out kept, ratios and disagreement."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import xlogy

from headway.errors import Unmeasurable
from headway.stats import classes
from headway.stats.answers import Answers, Index, Rows
from headway.stats.compare import Pairs, ratio_corrected
from headway.stats.interval import clopper_pearson
from headway.stats.metrics import disagreement, measure

BINARY = ["accuracy", "recall", "specificity", "precision", "f1", "balanced_accuracy", "f1_macro", "mcc", "kappa"]
BINARY += ["auc", "average_precision", "log_loss", "brier", "bias", "rmse", "r2", "mse"]


def world(seed: int = 0, n_rows: int = 400) -> tuple[Rows, Answers, Answers]:
    rng = np.random.default_rng(seed)
    truth = (rng.random(n_rows) < 0.4).astype(int)
    shared = rng.standard_normal(n_rows) + 2 * truth - 1
    answers = []
    for _ in range(2):
        chances = 1 / (1 + np.exp(-shared - 0.8 * rng.standard_normal(n_rows)))
        answers.append(Answers(labels=(chances >= 0.5).astype(int), chances=chances))
    return Rows(truth=truth), answers[0], answers[1]


@pytest.mark.parametrize(
    "index", [slice(100, 300), np.arange(100, 300), (np.arange(400) >= 100) & (np.arange(400) < 300)], ids=str
)
def test_some_rows_are_measured_like_rows_of_their_own(index: Index) -> None:
    rows, new, old = world()
    some = rows.take(index)
    alone = Rows(truth=rows.truth[100:300].copy())
    for metric in BINARY:
        found = measure(metric, some, new.take(index), old.take(index), 0.95)
        assert found == measure(metric, alone, new.take(index), old.take(index), 0.95)


def test_a_stretch_of_rows_is_a_view() -> None:
    rows, new, _ = world()
    assert np.shares_memory(rows.take(slice(10, 20)).truth, rows.truth)
    assert np.shares_memory(new.take(slice(10, 20)).labels, new.labels)


def test_taking_rows_takes_all_that_is_known_of_them() -> None:
    rows = Rows(truth=np.arange(6.0), units=np.arange(6), queries=np.arange(6) // 2, seed=7)
    answers = Answers(
        labels=np.arange(6.0),
        chances=np.arange(6) / 6,
        classes=("a", "b"),
        probabilities=np.arange(12.0).reshape(6, 2),
        quantiles={0.1: np.arange(6.0)},
    )
    some, said = rows.take(np.array([4, 1])), answers.take(np.array([4, 1]))
    assert some.units is not None
    assert some.queries is not None
    assert (some.units.tolist(), some.queries.tolist(), some.seed) == ([4, 1], [2, 0], 7)
    assert said.probabilities is not None
    assert said.quantiles is not None
    assert (said.probabilities.tolist(), said.classes) == ([[8, 9], [2, 3]], ("a", "b"))
    assert said.quantiles[0.1].tolist() == [4, 1]


def test_what_is_worked_out_once_is_kept_for_the_same_objects_only() -> None:
    rows, new, old = world()
    made: list[str] = []
    for answers in (new, old, new):
        rows.once("seen", lambda: made.append("x"), answers)
    assert len(made) == 2
    assert measure("accuracy", rows, new, None, 0.95) != measure("accuracy", rows, old, None, 0.95)
    assert measure("accuracy", rows, new, None, 0.95) == measure("accuracy", rows.truth, new, None, 0.95)


@pytest.mark.parametrize("metric", BINARY)
def test_a_ratio_of_one_is_decided_as_the_difference_is(metric: str) -> None:
    rows, new, old = world()
    difference = measure(metric, rows, new, old, 0.95)
    nearly = measure(metric, rows, new, old, 0.95, times=1 + 1e-9)
    assert (nearly.value, nearly.new, nearly.old) == pytest.approx(
        (difference.value, difference.new, difference.old), abs=1e-8
    )
    assert difference.low is not None
    assert difference.high is not None
    # At 0 both statistics are McNemar's; elsewhere they are two statistics for one hypothesis.
    assert (nearly.low is not None and nearly.low > 0) == (difference.low > 0)
    assert (nearly.low, nearly.high) == pytest.approx((difference.low, difference.high), abs=0.01)


@pytest.mark.parametrize("metric", BINARY)
def test_a_ratio_takes_so_many_times_the_old_metric_off(metric: str) -> None:
    rows, new, old = world()
    found, ours, theirs = (
        measure(metric, rows, new, old, 0.95, times=0.9),
        *(measure(metric, rows, answers, None, 0.95).value for answers in (new, old)),
    )
    assert found.value == pytest.approx(ours - 0.9 * theirs, abs=1e-12)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high


def test_disagreement_is_the_share_of_other_labels_with_exact_bounds() -> None:
    rows, new, old = world()
    found = disagreement(rows, new, old, 0.95)
    n_differ = int((new.labels != old.labels).sum())
    exact = clopper_pearson(n_differ, 400, 0.9)
    assert (found.value, found.n_differ) == (n_differ / 400, n_differ)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-12)
    assert disagreement(rows, new, new, 0.95).value == 0


def test_disagreement_of_numbers_is_any_difference() -> None:
    rows = Rows(truth=np.zeros(3))
    found = disagreement(rows, Answers(labels=np.array([1.0, 2, 3])), Answers(labels=np.array([1.0, 2, 3.01])), 0.95)
    assert found.value == pytest.approx(1 / 3)


def test_probabilities_have_one_for_each_class() -> None:
    rows = Rows(truth=np.array([0, 1]))
    said = Answers(labels=np.array([0, 1]), classes=(0, 1, 2), probabilities=np.full((2, 2), 0.5))
    with pytest.raises(Unmeasurable, match=r"answers of shape \(2, 2\) to 2 rows"):
        measure("accuracy", rows, said, None, 0.95)


OF_CLASSES = ["balanced_accuracy", "precision_macro", "f1_macro", "mcc", "kappa"]


@pytest.mark.parametrize(
    ("metric", "kind"),
    [(metric, kind) for kind in ("0 and 1", "texts", "some unknown") for metric in OF_CLASSES]
    + [("precision", "0 and 1"), ("f1", "0 and 1")],
)
def test_rows_that_are_alike_are_counted_and_nothing_else_changes(
    metric: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, new, old = world(n_rows=3000)
    columns = [rows.truth, new.labels, old.labels]
    if kind == "texts":
        columns = [np.array(["a", "b"], dtype=object)[column.astype(int)] for column in columns]
    elif kind == "some unknown":
        columns[1] = np.where(np.arange(3000) < 50, 7, columns[1])
    table, ours, theirs = Rows(truth=columns[0]), Answers(labels=columns[1]), Answers(labels=columns[2])
    asked = [(ours, None, 1.0), (ours, theirs, 1.0), (ours, theirs, 0.9)]
    merged = [measure(metric, table, a, b, 0.95, times=times) for a, b, times in asked]
    monkeypatch.setattr(classes, "MANY_ROWS", 10**9)
    for found, (a, b, times) in zip(merged, asked, strict=True):
        plain = measure(metric, Rows(truth=columns[0]), a, b, 0.95, times=times)
        for name in ("value", "low", "high", "n_rows", "new", "old", "n_differ", "spread"):
            assert getattr(found, name) == pytest.approx(getattr(plain, name), abs=1e-9), name
        assert found.method == plain.method


@pytest.mark.parametrize(("gained", "lost", "both", "n_rows"), [(16, 8, 40, 86), (3, 11, 300, 400), (40, 0, 100, 150)])
def test_the_bound_of_a_ratio_is_where_the_score_test_stops_rejecting(
    gained: int, lost: int, both: int, n_rows: int
) -> None:
    ratio = ratio_corrected(Pairs(gained=gained, lost=lost, n_rows=n_rows), both, level=0.9).low

    def shares(only_old: float) -> tuple[float, float, float, float]:
        # If the new share is `ratio` times the old one, and neither right as often as seen.
        right = (both + gained + lost) / n_rows
        of_both = (right - (1 + ratio) * only_old) / ratio
        return of_both, right - of_both - only_old, only_old, 1 - right

    def unlikely(only_old: float) -> float:
        chances = shares(only_old)
        counts = both, gained, lost
        if min(chances[:3]) < 0:
            return 1e9
        return -float(sum(xlogy(count, chance) for count, chance in zip(counts, chances, strict=False)))

    right = (both + gained + lost) / n_rows
    ends = max(0.0, (1 - ratio) * right), right / (1 + ratio)
    likeliest = minimize_scalar(unlikely, bounds=ends, method="bounded", options={"xatol": 1e-10}).x
    of_both, only_new, only_old, _ = shares(float(likeliest))
    new, old = of_both + only_new, of_both + only_old
    variance = n_rows * (new * (1 - new) + ratio**2 * old * (1 - old) - 2 * ratio * (of_both - new * old))
    statistic = both + gained - ratio * (both + lost) - (1 + ratio) / 2
    assert statistic == pytest.approx(1.644854 * variance**0.5, rel=1e-3)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 200), st.integers(0, 200))
def test_the_two_ends_of_a_ratio_mirror_each_other(gained: int, lost: int, both: int, neither: int) -> None:
    n_rows = gained + lost + both + neither
    found = ratio_corrected(Pairs(gained=gained, lost=lost, n_rows=n_rows), both)
    swapped = ratio_corrected(Pairs(gained=lost, lost=gained, n_rows=n_rows), both)
    assert found.low <= (both + gained) / (both + lost) <= found.high
    assert found.low * swapped.high == pytest.approx(1)
