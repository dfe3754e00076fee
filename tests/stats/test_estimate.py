"""Quality estimated without labels: NannyML's values, and intervals that hold what the labels say."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import Unmeasurable
from headway.stats import isotonic
from headway.stats.auc import place
from headway.stats.estimate import METRICS, estimate

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

NANNYML = {
    "accuracy": 0.7529473153870189,
    "f1": 0.7285731713683801,
    "precision": 0.6518485525877952,
    "recall": 0.8257687418203987,
    "specificity": 0.7040887488463461,
    "auc": 0.8579581374129646,
}
"""NannyML 0.13.1, CBPE with calibration, of 1,500 rows below after a reference of 4,000."""


def rows(seed: int, n: int, power: float) -> tuple[Floats, Bools]:
    rng = np.random.default_rng(seed)
    scores = rng.random(n) ** power
    return scores, rng.random(n) < scores**1.5


def measured(metric: str, scores: Floats, is_true: Bools, says_yes: Bools) -> float:
    """What the labels say, by the definitions."""
    if metric == "auc":
        return place(is_true, scores).area
    tp, fp = np.sum(says_yes & is_true), np.sum(says_yes & ~is_true)
    fn, tn = np.sum(~says_yes & is_true), np.sum(~says_yes & ~is_true)
    found = {
        "accuracy": (tp + tn) / len(scores),
        "f1": 2 * tp / (2 * tp + fp + fn),
        "precision": tp / (tp + fp),
        "recall": tp / (tp + fn),
        "specificity": tn / (tn + fp),
    }
    return float(found[metric])


@pytest.mark.parametrize("metric", METRICS)
def test_it_is_what_nannyml_estimates(metric: str) -> None:
    fit = isotonic.fit(*rows(1, 4000, 1.5))
    scores, _ = rows(2, 1500, 1.0)
    value = estimate(metric, fit, scores, scores > 0.5).value
    if metric == "auc":
        # NannyML counts each row against itself too, as a tie.
        p = fit(scores)
        n_yes, own = p.sum(), np.sum(p * (1 - p))
        pairs = n_yes * (len(p) - n_yes)
        value = (value * (pairs - own) + own / 2) / pairs
    assert value == pytest.approx(NANNYML[metric], abs=1e-8)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("n", [3, 40])
def test_it_is_the_mean_over_all_labels_that_could_come(metric: str, n: int) -> None:
    """By drawing labels from the chances; ratios only nearly, so that there is no more than a few in a hundred."""
    fit = isotonic.fit(*rows(5, 60, 1.0))
    rng = np.random.default_rng(6)
    scores = np.round(rng.random(n), 1)
    scores[:2] = 0.3, 0.8
    says_yes = scores > 0.5
    found = estimate(metric, fit, scores, says_yes).value
    p = fit(scores)
    is_true = rng.random((20_000, n)) < p
    n_yes, n_true = np.sum(says_yes), np.sum(is_true, axis=1)
    tp, tn = np.sum(is_true & says_yes, axis=1), np.sum(~is_true & ~says_yes, axis=1)
    beats = (scores[:, None] > scores) + 0.5 * (scores[:, None] == scores)
    parts: dict[str, tuple[Floats, Floats]] = {
        "accuracy": (tp + tn, np.full_like(tp, n)),
        "auc": (np.einsum("di,ij,dj->d", is_true, beats, ~is_true), n_true * (n - n_true)),
        "f1": (2 * tp, n_yes + n_true),
        "precision": (tp, np.full_like(tp, n_yes)),
        "recall": (tp, n_true),
        "specificity": (tn, n - n_true),
    }
    part, whole = parts[metric]
    assert found == pytest.approx(float(part.sum() / whole.sum()), abs=0.01)


@pytest.mark.parametrize("metric", METRICS)
def test_derivatives_are_those_of_the_value(metric: str) -> None:
    """The interval comes from how the value moves with each chance: seen by moving the chances of a fit."""
    at = np.linspace(0.05, 0.95, 10)
    says_yes = at > 0.4

    def of(chances: Floats) -> float:
        fit = isotonic.Isotonic(at=at, chances=chances, blocks=np.arange(10), variances=np.zeros(10))
        return estimate(metric, fit, at, says_yes).value

    fit = isotonic.Isotonic(at=at, chances=at**1.5, blocks=np.arange(10), variances=np.zeros(10))
    found = estimate(metric, fit, at, says_yes, confidence=0.6)
    moves = []
    for i in range(10):
        up, down = at**1.5, at**1.5
        up[i] += 1e-6
        down[i] -= 1e-6
        moves.append((of(up) - of(down)) / 2e-6)
    spread = math.sqrt(sum(m**2 * p * (1 - p) for m, p in zip(moves, at**1.5, strict=True)))
    # The normal quantile of .8.
    assert found.value - found.low == pytest.approx(0.8416212335729143 * spread, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("n_reference", "n"), [(400, 200), (2000, 500), (2000, 10000)])
def test_intervals_hold_what_the_labels_say_later(metric: str, n_reference: int, n: int) -> None:
    """Inputs move (the power of the scores), what a score means does not. About 95 of 100 intervals hold the truth."""
    missed = 0
    n_trials = 500
    for trial in range(n_trials):
        fit = isotonic.fit(*rows(2 * trial, n_reference, 1.5))
        scores, is_true = rows(2 * trial + 1, n, 1.0)
        found = estimate(metric, fit, scores, scores > 0.4)
        missed += not found.low <= measured(metric, scores, is_true, scores > 0.4) <= found.high
    # Isotonic fits lean a little to the sure side, which an area sees most: up to one in ten.
    assert missed / n_trials <= 0.10 + 3 * math.sqrt(0.1 * 0.9 / n_trials)


@pytest.mark.parametrize("n", [1, 20, 300])
def test_a_fit_is_that_of_scikit_learn(n: int) -> None:
    sklearn = pytest.importorskip("sklearn.isotonic")
    scores, is_true = rows(n, n, 1.0)
    scores = np.round(scores, 2)
    asked = np.concatenate([np.linspace(-0.2, 1.2, 500), scores])
    judge = sklearn.IsotonicRegression(out_of_bounds="clip").fit(scores, is_true).predict(asked)
    assert isotonic.fit(scores, is_true)(asked) == pytest.approx(judge, abs=1e-12)


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]), st.booleans()), min_size=1, max_size=30),
    st.lists(st.floats(-1, 2), min_size=1, max_size=10),
)
def test_chances_rise_with_scores_and_stay_chances(pairs: list[tuple[float, bool]], asked: list[float]) -> None:
    fit = isotonic.fit(np.array([s for s, _ in pairs]), np.array([y for _, y in pairs]))
    found = fit(np.sort(np.array(asked)))
    assert np.all(np.diff(found) >= 0)
    assert np.all((found >= 0) & (found <= 1))
    assert fit.variance_of(np.array(asked), np.ones(len(asked))) > 0


@pytest.mark.parametrize(
    ("metric", "says_yes", "words"),
    [("precision", False, "no row was answered with yes"), ("auc", True, "all rows are expected to be of one class")],
)
def test_what_cannot_be_estimated_is_told(metric: str, says_yes: bool, words: str) -> None:
    fit = isotonic.fit(np.array([0.1, 0.9]), np.array([True, True]))
    scores = np.array([0.2, 0.7])
    with pytest.raises(Unmeasurable, match=words):
        estimate(metric, fit, scores, np.full(2, says_yes))
    with pytest.raises(Unmeasurable, match="no row to estimate by"):
        estimate(metric, fit, scores[:0], np.full(0, says_yes))
    with pytest.raises(Unmeasurable, match="no row to calibrate by"):
        isotonic.fit(scores[:0], np.full(0, fill_value=True))
