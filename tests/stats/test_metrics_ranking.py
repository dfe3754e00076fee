"""Metrics of rankings against scikit-learn, a plain loop, and by hand where rows are scored alike."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn import metrics as judge

from headway.errors import Unmeasurable
from headway.stats.answers import Answers, Rows, Values
from headway.stats.metrics import measure

N_QUERIES, N_EACH = 40, 12


def world(seed: int = 0) -> tuple[Values, Values]:
    """What each row is worth (0 to 3, some queries holding nothing), and its score; each `(N_QUERIES, N_EACH)`."""
    rng = np.random.default_rng(seed)
    gains = rng.integers(0, 4, (N_QUERIES, N_EACH)) * (rng.random((N_QUERIES, N_EACH)) < 0.3)
    gains[::10] = 0
    return gains.astype(float), gains + 2 * rng.standard_normal(gains.shape)


def found(metric: str, gains: Values, scores: Values) -> float:
    """The metric as we measure it, of rows in an order that has nothing to do with queries."""
    order = np.random.default_rng(1).permutation(gains.size)
    queries = np.repeat(np.arange(len(gains)) * 7 - 3, gains.shape[1])
    rows = Rows(truth=gains.reshape(-1)[order], queries=queries[order])
    return measure(metric, rows, Answers(labels=scores.reshape(-1)[order]), None, 0.95).value


def loop(score: Callable[[list[bool]], float], gains: Values, scores: Values) -> float:
    """The mean over queries of a score of what matters, best score first."""
    return float(np.mean([score((g[np.argsort(-s)] > 0).tolist()) for g, s in zip(gains, scores, strict=True)]))


@pytest.mark.parametrize("k", [1, 3, 5, 12, 100])
@pytest.mark.parametrize("digits", [9, 0], ids=["all apart", "many alike"])
def test_ndcg_is_that_of_scikit_learn(k: int, digits: int) -> None:
    gains, scores = world()
    scores = np.round(scores, digits)
    assert found(f"ndcg@{k}", gains, scores) == pytest.approx(judge.ndcg_score(gains, scores, k=k), abs=1e-12)


def test_map_of_all_rows_is_the_mean_average_precision_of_scikit_learn() -> None:
    gains, scores = world()
    each = [judge.average_precision_score(g > 0, s) if g.any() else 0.0 for g, s in zip(gains, scores, strict=True)]
    assert found("map@12", gains, scores) == pytest.approx(np.mean(each), abs=1e-12)


@pytest.mark.parametrize("k", [1, 3, 5, 20])
def test_the_first_k_are_counted_as_a_plain_loop_does(k: int) -> None:
    gains, scores = world()

    def average_precision(hits: list[bool]) -> float:
        at = [sum(hits[: i + 1]) / (i + 1) for i in range(min(k, len(hits))) if hits[i]]
        return sum(at) / min(sum(hits), k) if any(hits) else 0.0

    scored: dict[str, Callable[[list[bool]], float]] = {
        f"precision@{k}": lambda hits: sum(hits[:k]) / k,
        f"recall@{k}": lambda hits: sum(hits[:k]) / sum(hits) if any(hits) else 0.0,
        f"hit_rate@{k}": lambda hits: float(any(hits[:k])),
        f"map@{k}": average_precision,
        "mrr": lambda hits: 1 / (hits.index(True) + 1) if any(hits) else 0.0,
    }
    for metric, score in scored.items():
        assert found(metric, gains, scores) == pytest.approx(loop(score, gains, scores), abs=1e-12)


@pytest.mark.parametrize(
    ("metric", "value"), [("mrr", 1 / 3), ("hit_rate@2", 0), ("precision@3", 1 / 3), ("recall@2", 0), ("map@3", 1 / 3)]
)
def test_a_model_that_tells_nothing_apart_gains_nothing(metric: str, value: float) -> None:
    assert found(metric, np.array([[1.0, 0, 0]]), np.zeros((1, 3))) == pytest.approx(value)


def test_a_query_is_what_counts_once() -> None:
    gains, scores = world()
    rows = Rows(truth=gains.reshape(-1), queries=np.repeat(np.arange(N_QUERIES), N_EACH))
    new, old = Answers(labels=scores.reshape(-1)), Answers(labels=-scores.reshape(-1))
    for metric in ("ndcg@5", "hit_rate@1"):
        estimate = measure(metric, rows, new, old, 0.95)
        assert estimate.n_rows == N_QUERIES
        assert estimate.n_differ is not None
        assert estimate.n_differ <= N_QUERIES


def test_probabilities_rank_before_labels() -> None:
    rows = Rows(truth=np.array([0.0, 1]), queries=np.array([4, 4]))
    said = Answers(labels=np.array([1.0, 1]), chances=np.array([0.6, 0.7]))
    assert measure("mrr", rows, said, None, 0.95).value == 1


def test_units_hold_whole_queries() -> None:
    gains, scores = world()
    queries = np.repeat(np.arange(N_QUERIES), N_EACH)
    answers = Answers(labels=scores.reshape(-1))
    rows = Rows(truth=gains.reshape(-1), queries=queries, units=queries)
    alone = Rows(truth=gains.reshape(-1), queries=queries)
    ours, theirs = (measure("ndcg@5", table, answers, None, 0.95) for table in (rows, alone))
    assert ours.low == pytest.approx(theirs.low)
    torn = Rows(truth=gains.reshape(-1), queries=queries, units=np.arange(gains.size))
    with pytest.raises(Unmeasurable, match="rows of one query belong to several units"):
        measure("ndcg@5", torn, answers, None, 0.95)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (Rows(truth=np.array([0.0, 1])), "not said which rows belong to one"),
        (Rows(truth=np.array([-1.0, 1]), queries=np.array([0, 0])), "the target holds -1"),
        (Rows(truth=np.array(["a", "b"]), queries=np.array([0, 0])), "needs numbers"),
    ],
)
def test_what_cannot_be_ranked_is_refused(rows: Rows, said: str) -> None:
    with pytest.raises(Unmeasurable, match=said):
        measure("ndcg@5", rows, Answers(labels=np.array([1.0, 2])), None, 0.95)
