import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn import metrics as judge

from headway.core.metric import PARAMETERS, WORDS, words_of
from headway.errors import Unmeasurable
from headway.stats.answers import Answers, Column, Rows
from headway.stats.interval import clopper_pearson
from headway.stats.metrics import FAMILIES, FEW_ROWS, METRICS, measure

LABELS = ["accuracy", "recall", "specificity", "precision", "f1", "balanced_accuracy", "recall_macro"]
LABELS += ["precision_macro", "f1_macro", "mcc", "kappa"]
CHANCES = ["auc", "average_precision", "log_loss", "brier"]
NUMBERS = ["mae", "mse", "bias", "mape", "smape", "rmse", "r2", "median_absolute_error"]
SCORES = ["ndcg@5", "ndcg@100", "mrr", "map@5", "hit_rate@3", "precision@5", "recall@5"]
FORECASTS = ["pinball@0.9", "coverage@0.8", "crps"]
ALL = [*LABELS, *CHANCES, "calibration", *NUMBERS, *SCORES, *FORECASTS, "accuracy@2"]


def world(seed: int = 0, n_rows: int = 400) -> tuple[Column, Answers, Answers]:
    """The truth in 0 and 1, and the answers of two models that are about as good."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n_rows) < 0.4).astype(int)
    shared = rng.standard_normal(n_rows) + 2 * truth - 1
    answers = []
    for _ in range(2):
        chances = 1 / (1 + np.exp(-shared - 0.8 * rng.standard_normal(n_rows)))
        answers.append(Answers(labels=(chances >= 0.5).astype(int), chances=chances))
    return truth, answers[0], answers[1]


def fitting(metric: str, seed: int = 0, n_rows: int = 400) -> tuple[Rows, Answers, Answers]:
    """Rows and answers of two models that are about as good, such as the metric is made for."""
    if metric in NUMBERS or metric in FORECASTS:
        rng = np.random.default_rng(seed)
        values = rng.standard_normal(n_rows) * 2 + 0.5
        found = [values + rng.standard_t(6, n_rows) for _ in range(2)]
        of_levels = [{q: v + norm.ppf(q) for q in (0.1, 0.25, 0.5, 0.75, 0.9)} for v in found]
        new, old = (Answers(labels=v, quantiles=q) for v, q in zip(found, of_levels, strict=True))
        return Rows(truth=values), new, old
    if metric == "accuracy@2":
        rng = np.random.default_rng(seed)
        shared = rng.random((n_rows, 4))
        classes, weights = ("a", "b", "c", "d"), np.array([0.4, 0.3, 0.2, 0.1])
        names = np.array(classes)[(shared * weights).argmax(axis=1)]
        told = [shared * weights + 0.2 * rng.random((n_rows, 4)) for _ in range(2)]
        told = [t / t.sum(axis=1, keepdims=True) for t in told]
        new, old = (Answers(labels=np.array(classes)[t.argmax(axis=1)], classes=classes, probabilities=t) for t in told)
        return Rows(truth=names), new, old
    truth, new, old = world(seed, n_rows)
    return Rows(truth=truth, queries=np.arange(n_rows) // 8 if metric in SCORES else None), new, old


def expected(metric: str, rows: Rows, answers: Answers) -> float:
    """The same metric by scikit-learn."""
    truth = rows.truth
    of_labels = {
        "accuracy": judge.accuracy_score,
        "recall": judge.recall_score,
        "specificity": lambda t, a: judge.recall_score(1 - t, 1 - a),
        "precision": judge.precision_score,
        "f1": judge.f1_score,
        "balanced_accuracy": judge.balanced_accuracy_score,
        "recall_macro": lambda t, a: judge.recall_score(t, a, average="macro"),
        "precision_macro": lambda t, a: judge.precision_score(t, a, average="macro"),
        "f1_macro": lambda t, a: judge.f1_score(t, a, average="macro"),
        "mcc": judge.matthews_corrcoef,
        "kappa": judge.cohen_kappa_score,
        "bias": lambda t, a: float(np.mean(a - t)),
        "mae": judge.mean_absolute_error,
        "mse": judge.mean_squared_error,
        "mape": judge.mean_absolute_percentage_error,
        # scikit-learn has none: Makridakis (1993).
        "smape": lambda t, a: float(np.mean(2 * np.abs(a - t) / (np.abs(a) + np.abs(t)))),
        "rmse": judge.root_mean_squared_error,
        "r2": judge.r2_score,
        "median_absolute_error": judge.median_absolute_error,
    }
    of_chances = {
        "auc": judge.roc_auc_score,
        "average_precision": judge.average_precision_score,
        "log_loss": judge.log_loss,
        "brier": judge.brier_score_loss,
    }
    if metric in of_labels:
        return float(of_labels[metric](truth, answers.labels))
    if metric in of_chances:
        return float(of_chances[metric](truth, answers.chances))
    assert answers.probabilities is not None
    return float(judge.top_k_accuracy_score(truth, answers.probabilities, k=2, labels=answers.classes))


def test_every_metric_has_its_words_and_every_word_its_metric() -> None:
    assert list(METRICS) == list(WORDS)


def test_every_family_has_its_words_too() -> None:
    assert sorted(FAMILIES) == sorted(PARAMETERS)
    assert {name.partition("@")[0] for name in ALL if "@" in name} == set(FAMILIES)
    assert set(METRICS) <= set(ALL)


@pytest.mark.parametrize("metric", [*LABELS, *CHANCES, *NUMBERS, "accuracy@2"])
def test_values_are_those_of_scikit_learn(metric: str) -> None:
    rows, new, old = fitting(metric)
    found = measure(metric, rows, new, None, 0.95)
    assert found.value == found.new == pytest.approx(expected(metric, rows, new), abs=1e-12)
    both = measure(metric, rows, new, old, 0.95)
    assert both.new == pytest.approx(found.value, abs=1e-12)
    assert both.old == pytest.approx(expected(metric, rows, old), abs=1e-12)
    assert both.value == pytest.approx(both.new - (both.old or 0), abs=1e-12)


@pytest.mark.parametrize("metric", ALL)
def test_a_range_holds_the_value_and_keeps_to_what_the_metric_can_be(metric: str) -> None:
    rows, new, old = fitting(metric)
    words = words_of(metric)
    for against, lowest in ((None, words.lowest), (old, words.lowest - words.highest)):
        found = measure(metric, rows, new, against, 0.99)
        assert found.low is not None
        assert found.high is not None
        assert found.low < found.value < found.high
        assert lowest <= found.low
        assert found.high <= words.highest


@pytest.mark.parametrize("metric", ALL)
@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_swapping_the_models_mirrors_the_range(metric: str, seed: int) -> None:
    rows, new, old = fitting(metric, seed, n_rows=320)
    found, swapped = measure(metric, rows, new, old, 0.95), measure(metric, rows, old, new, 0.95)
    assert found.value == pytest.approx(-swapped.value, abs=1e-12)
    if found.low is None or swapped.high is None:
        assert found.low is swapped.high is None
    else:
        assert found.low == pytest.approx(-swapped.high, abs=1e-9)


@pytest.mark.parametrize("metric", ALL)
def test_the_order_of_rows_changes_nothing(metric: str) -> None:
    rows, new, old = fitting(metric)
    order = np.random.default_rng(1).permutation(len(rows))
    found = measure(metric, rows, new, old, 0.95)
    moved = measure(metric, rows.take(order), new.take(order), old.take(order), 0.95)
    assert (found.low, found.high) == pytest.approx((moved.low, moved.high), abs=1e-9)


@pytest.mark.parametrize("metric", ALL)
def test_a_model_against_itself_is_never_above_or_below(metric: str) -> None:
    rows, new, _ = fitting(metric)
    found = measure(metric, rows, new, new, 0.95)
    assert found.value == 0
    assert found.low is None or found.low < 0
    assert found.high is None or found.high > 0


@pytest.mark.parametrize("metric", [*LABELS[:5], "auc", "brier"])
def test_a_few_rows_that_differ_give_a_wide_range_that_holds_zero(metric: str) -> None:
    truth, new, _ = world()
    assert new.chances is not None
    chances = new.chances.astype(float)
    worse = np.flatnonzero((truth == 1) & (chances > 0.6))[: FEW_ROWS // 4]
    chances[worse] = 0.4
    old = Answers(labels=(chances >= 0.5).astype(int), chances=chances)
    found = measure(metric, truth, new, old, 0.95)
    assert found.low is not None
    assert found.high is not None
    if metric not in {"accuracy", "recall"}:
        assert found.low < 0 < found.high


def test_each_bound_alone_holds_the_confidence() -> None:
    right = np.array([1] * 80 + [0] * 20)
    found = measure("accuracy", np.ones(100, dtype=int), Answers(labels=right), None, 0.95)
    bounds = clopper_pearson(80, 100, level=0.9)
    assert (found.low, found.high) == pytest.approx((bounds.low, bounds.high))


def test_few_changed_answers_move_precision_by_no_more_than_their_share_of_the_rows_called_positive() -> None:
    truth = np.arange(1000) % 2
    called = (np.arange(1000) < 100).astype(int)
    changed = called.copy()
    changed[[1, 3, 5]] = 0
    found = measure("precision", truth, Answers(labels=called), Answers(labels=changed), 0.95)
    # Three rows gained, none lost, and 97 of 1,000 called positive by the model that calls fewer.
    assert found.low == pytest.approx(-clopper_pearson(0, 1000, 0.9).high / 0.097)
    assert found.high == pytest.approx(clopper_pearson(3, 1000, 0.9).high / 0.097)


def pick(metric: str, n_models: int) -> tuple[Rows, Answers, Answers | None]:
    rows, new, old = fitting(metric, n_rows=2000)
    return rows, new, old if n_models == 2 else None


def test_methods_without_a_guarantee_say_so() -> None:
    alone = {name for name in ALL if measure(name, *pick(name, 1), 0.95).approximate}
    compared = {name for name in ALL if measure(name, *pick(name, 2), 0.95).approximate}
    shares = {"accuracy", "recall", "specificity", "hit_rate@3", "coverage@0.8", "accuracy@2"}
    assert alone == {*ALL} - shares - {"precision", "f1", "median_absolute_error"}
    assert compared == {*ALL} - shares


@pytest.mark.parametrize("metric", ["log_loss", *(name for name in NUMBERS if name != "smape")])
def test_few_rows_cannot_bound_a_loss_without_limit(metric: str) -> None:
    rows, new, old = fitting(metric, n_rows=FEW_ROWS - 1)
    found = measure(metric, rows, new, old, 0.95)
    assert (found.low, found.high) == (None, None)


def test_the_area_is_not_bounded_when_a_class_is_rare() -> None:
    truth, new, old = world(n_rows=200)
    rare = np.where(np.cumsum(truth.astype(int)) <= 9, truth, 0)
    assert measure("auc", rare, new, old, 0.95).low is None
    assert measure("auc", rare, new, None, 0.95).low is None


def test_recall_counts_positive_rows_and_specificity_negative_ones() -> None:
    truth, new, old = world()
    assert measure("recall", truth, new, old, 0.95).n_rows == truth.sum()
    assert measure("specificity", truth, new, old, 0.95).n_rows == (1 - truth).sum()


def test_texts_are_labels_too_but_have_no_positive_class() -> None:
    truth = np.array(["late", "on time", "late"], dtype=object)
    same = Answers(labels=truth.copy())
    assert measure("accuracy", truth, same, None, 0.95).value == 1
    with pytest.raises(Unmeasurable, match=r"which rows are positive: the target holds 'late', 'on time'"):
        measure("recall", truth, same, None, 0.95)


def test_several_classes_have_an_accuracy() -> None:
    truth = np.array([0, 1, 2, 2])
    assert measure("accuracy", truth, Answers(labels=np.array([0, 1, 2, 0])), None, 0.95).value == 0.75


def damaged(what: str) -> tuple[Column, Answers]:
    truth, new, _ = world(n_rows=50)
    labels = new.labels.astype(float)
    chances = new.chances
    assert chances is not None
    if what == "nan label":
        labels[3] = np.nan
    elif what == "infinite chance":
        chances[3] = np.inf
    elif what == "missing truth":
        holey = truth.astype(object)
        holey[3] = None
        return holey, new
    elif what == "one answer short":
        labels, chances = labels[1:], chances[1:]
    elif what == "two columns":
        labels = np.stack([labels, labels], axis=1)
    elif what == "no row":
        truth, labels, chances = truth[:0], labels[:0], chances[:0]
    elif what == "numbers for labels":
        labels = chances
    elif what == "texts for labels":
        return truth, Answers(labels=labels.astype(str))
    return truth, Answers(labels=labels, chances=chances)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("nan label", "1 of 50 answers of the new model are missing"),
        ("infinite chance", "1 of 50 answers of the new model are missing"),
        ("missing truth", "1 of 50 true values are missing"),
        ("one answer short", r"answers of shape \(49,\) to 50 rows"),
        ("two columns", r"answers of shape \(50, 2\) to 50 rows"),
        ("no row", "no row"),
        ("numbers for labels", "target is 0 or 1, the model answers with numbers"),
        ("texts for labels", "no answer can be right"),
    ],
)
def test_what_cannot_be_meant_is_refused(what: str, said: str) -> None:
    truth, answers = damaged(what)
    with pytest.raises(Unmeasurable, match=said):
        measure("accuracy", truth, answers, None, 0.95)


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("recall", "none of the 40 rows is positive"),
        ("f1", "none of the 40 rows is positive"),
        ("precision", "none of the 40 rows is called positive"),
        ("auc", "needs both classes"),
    ],
)
def test_an_absent_class_is_refused(metric: str, said: str) -> None:
    nothing = np.zeros(40, dtype=int)
    with pytest.raises(Unmeasurable, match=said):
        measure(metric, nothing, Answers(labels=nothing, chances=np.linspace(0, 0.4, 40)), None, 0.95)


@pytest.mark.parametrize("metric", [*CHANCES, "calibration"])
def test_labels_are_not_taken_for_probabilities(metric: str) -> None:
    truth, new, _ = world()
    with pytest.raises(Unmeasurable, match=f"{metric} needs probabilities"):
        measure(metric, truth, Answers(labels=new.labels), None, 0.95)


def test_probabilities_above_one_are_refused() -> None:
    truth, new, _ = world()
    assert new.chances is not None
    with pytest.raises(Unmeasurable, match="run from"):
        measure("brier", truth, Answers(labels=new.labels, chances=new.chances.astype(float) * 2), None, 0.95)


def test_errors_of_texts_are_refused() -> None:
    texts = np.array(["a", "b"], dtype=object)
    with pytest.raises(Unmeasurable, match="mae needs numbers"):
        measure("mae", texts, Answers(labels=texts), None, 0.95)
