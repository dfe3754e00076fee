import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as judge

from headway.core.metric import WORDS
from headway.errors import Unmeasurable
from headway.stats.answers import Answers, Column
from headway.stats.interval import clopper_pearson
from headway.stats.metrics import FEW_ROWS, METRICS, measure

LABELS = ["accuracy", "recall", "specificity", "precision", "f1"]
CHANCES = ["auc", "log_loss", "brier"]
NUMBERS = ["mae", "mse"]


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


def expected(metric: str, truth: Column, answers: Answers) -> float:
    """The same metric by scikit-learn."""
    of_labels = {
        "accuracy": judge.accuracy_score,
        "recall": judge.recall_score,
        "specificity": lambda t, a: judge.recall_score(1 - t, 1 - a),
        "precision": judge.precision_score,
        "f1": judge.f1_score,
        "mae": judge.mean_absolute_error,
        "mse": judge.mean_squared_error,
    }
    of_chances = {"auc": judge.roc_auc_score, "log_loss": judge.log_loss, "brier": judge.brier_score_loss}
    if metric in of_labels:
        return float(of_labels[metric](truth, answers.labels))
    return float(of_chances[metric](truth, answers.chances))


def test_every_metric_has_its_words_and_every_word_its_metric() -> None:
    assert list(METRICS) == list(WORDS)


@pytest.mark.parametrize("metric", METRICS)
def test_values_are_those_of_scikit_learn(metric: str) -> None:
    truth, new, old = world()
    found = measure(metric, truth, new, None, 0.95)
    assert found.value == found.new == pytest.approx(expected(metric, truth, new), abs=1e-9)
    both = measure(metric, truth, new, old, 0.95)
    assert both.new == pytest.approx(found.value, abs=1e-12)
    assert both.old == pytest.approx(expected(metric, truth, old), abs=1e-9)
    assert both.value == pytest.approx(both.new - (both.old or 0), abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_a_range_holds_the_value_and_keeps_to_what_the_metric_can_be(metric: str) -> None:
    truth, new, old = world()
    words = WORDS[metric]
    for against, lowest in ((None, words.lowest), (old, words.lowest - words.highest)):
        found = measure(metric, truth, new, against, 0.99)
        assert found.low is not None
        assert found.high is not None
        assert found.low < found.value < found.high
        assert lowest <= found.low
        assert found.high <= words.highest


@pytest.mark.parametrize("metric", METRICS)
@given(st.integers(0, 10_000))
def test_swapping_the_models_mirrors_the_range(metric: str, seed: int) -> None:
    truth, new, old = world(seed, n_rows=120)
    found, swapped = measure(metric, truth, new, old, 0.95), measure(metric, truth, old, new, 0.95)
    assert found.value == pytest.approx(-swapped.value, abs=1e-12)
    if found.low is None or swapped.high is None:
        assert found.low is swapped.high is None
    else:
        assert found.low == pytest.approx(-swapped.high, abs=1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_the_order_of_rows_changes_nothing(metric: str) -> None:
    truth, new, old = world()
    order = np.random.default_rng(1).permutation(len(truth))
    assert new.chances is not None
    assert old.chances is not None
    found = measure(metric, truth, new, old, 0.95)
    moved = measure(
        metric,
        truth[order],
        Answers(labels=new.labels[order], chances=new.chances[order]),
        Answers(labels=old.labels[order], chances=old.chances[order]),
        0.95,
    )
    assert (found.low, found.high) == pytest.approx((moved.low, moved.high), abs=1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_a_model_against_itself_is_never_above_or_below(metric: str) -> None:
    truth, new, _ = world()
    found = measure(metric, truth, new, new, 0.95)
    assert found.value == 0
    assert found.low is None or found.low < 0
    assert found.high is None or found.high > 0


@pytest.mark.parametrize("metric", [*LABELS, "auc", "brier"])
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


def test_methods_without_a_guarantee_say_so() -> None:
    truth, new, old = world()
    alone = {name for name in METRICS if measure(name, truth, new, None, 0.95).approximate}
    compared = {name for name in METRICS if measure(name, truth, new, old, 0.95).approximate}
    assert alone == {"auc", "log_loss", "brier", "mae", "mse"}
    assert compared == alone | {"precision", "f1"}


@pytest.mark.parametrize("metric", ["log_loss", *NUMBERS])
def test_few_rows_cannot_bound_a_loss_without_limit(metric: str) -> None:
    truth, new, old = world(n_rows=FEW_ROWS - 1)
    found = measure(metric, truth, new, old, 0.95)
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


@pytest.mark.parametrize("metric", CHANCES)
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
