"""Forecasts, several classes, bias and calibration."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn import metrics as judge

from headway.errors import Unmeasurable
from headway.stats.answers import Answers, Rows
from headway.stats.interval import clopper_pearson
from headway.stats.metrics import measure


def forecasts(n_rows: int = 500, n_levels: int = 19) -> tuple[Rows, Answers]:
    """Normal truth around a known mean, and the quantiles of that very distribution."""
    rng = np.random.default_rng(3)
    mean = rng.standard_normal(n_rows)
    levels = np.arange(1, n_levels + 1) / (n_levels + 1)
    quantiles = {float(level): mean + norm.ppf(level) for level in levels}
    return Rows(truth=mean + rng.standard_normal(n_rows)), Answers(labels=mean, quantiles=quantiles)


@pytest.mark.parametrize("level", [0.05, 0.5, 0.9])
def test_the_pinball_loss_is_that_of_scikit_learn(level: float) -> None:
    rows, said = forecasts()
    quantile = said.labels.astype(float) + norm.ppf(level)
    found = measure(f"pinball@{level}", rows, said, None, 0.95)
    assert found.value == pytest.approx(judge.mean_pinball_loss(rows.truth, quantile, alpha=level), abs=1e-12)


def test_the_crps_comes_near_its_closed_form_with_many_quantiles() -> None:
    rows, said = forecasts(n_levels=999)
    z = rows.truth.astype(float) - said.labels.astype(float)
    # Gneiting & Raftery (2007), J. Am. Stat. Assoc. 102, 359-378, equation 21.
    closed = np.mean(z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))
    assert measure("crps", rows, said, None, 0.95).value == pytest.approx(closed, abs=1e-4)


def test_coverage_is_the_share_within_the_central_interval() -> None:
    rows, said = forecasts()
    within = np.abs(rows.truth.astype(float) - said.labels.astype(float)) <= norm.ppf(0.9)
    found = measure("coverage@0.8", rows, said, None, 0.95)
    exact = clopper_pearson(int(within.sum()), 500, 0.9)
    assert found.value == within.mean()
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-12)


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("pinball@0.99", "needs the forecast quantile 0.99, and the model gives 0.05, 0.1"),
        ("coverage@0.99", "needs the forecast quantile 0.005"),
    ],
)
def test_a_quantile_that_was_not_forecast_is_named(metric: str, said: str) -> None:
    rows, answers = forecasts()
    with pytest.raises(Unmeasurable, match=said):
        measure(metric, rows, answers, None, 0.95)
    with pytest.raises(Unmeasurable, match=r"the model gives (none|0)"):
        measure(metric if metric[0] == "p" else "crps", rows, Answers(labels=answers.labels), None, 0.95)


def several(n_rows: int = 600) -> tuple[Rows, Answers]:
    rng = np.random.default_rng(4)
    told = rng.dirichlet(np.ones(3), n_rows)
    classes = ("early", "late", "on time")
    truth = np.array(classes, dtype=object)[(rng.random(n_rows)[:, None] > np.cumsum(told, axis=1)).sum(axis=1)]
    labels = np.array(classes, dtype=object)[told.argmax(axis=1)]
    return Rows(truth=truth), Answers(labels=labels, classes=classes, probabilities=told)


def test_several_classes_have_a_log_loss_and_a_brier_score() -> None:
    rows, said = several()
    truth = rows.truth.astype(str)
    assert measure("log_loss", rows, said, None, 0.95).value == pytest.approx(
        judge.log_loss(truth, said.probabilities), abs=1e-12
    )
    # Brier's own form, summed over classes; scikit-learn has it from 1.7 on.
    assert said.probabilities is not None
    one_hot = truth[:, None] == np.array(said.classes)
    assert measure("brier", rows, said, None, 0.95).value == pytest.approx(
        ((said.probabilities - one_hot) ** 2).sum(axis=1).mean(), abs=1e-12
    )


@pytest.mark.parametrize("metric", ["f1_macro", "precision_macro", "recall_macro", "mcc", "kappa"])
def test_texts_are_classes_like_numbers(metric: str) -> None:
    rows, said = several()
    names = {"early": 5, "late": -3, "on time": 70_000}
    as_numbers = Rows(truth=np.array([names[str(value)] for value in rows.truth]))
    answers = Answers(labels=np.array([names[str(value)] for value in said.labels]))
    ours, theirs = measure(metric, rows, said, None, 0.95), measure(metric, as_numbers, answers, None, 0.95)
    assert (ours.value, ours.low) == pytest.approx((theirs.value, theirs.low), abs=1e-12)


def test_a_class_that_only_a_model_tells_counts_as_in_scikit_learn() -> None:
    truth = np.array([0, 1] * 50)
    labels = np.where(np.arange(100) < 10, 7, truth)
    said = Answers(labels=labels)
    for metric, score in (("f1_macro", judge.f1_score), ("precision_macro", judge.precision_score)):
        value = score(truth, labels, average="macro", zero_division=0)
        assert measure(metric, truth, said, None, 0.95).value == pytest.approx(value, abs=1e-12)
    # A recall of rows that are not there has no value.
    assert measure("recall_macro", truth, said, None, 0.95).value == pytest.approx(0.9)


def test_numbers_are_no_classes() -> None:
    with pytest.raises(Unmeasurable, match=r"f1_macro needs classes, and the target holds numbers such as 0\.5"):
        measure("f1_macro", np.array([0.5, 1.0]), Answers(labels=np.array([0.5, 1.0])), None, 0.95)


def test_a_class_that_the_model_does_not_know_is_named() -> None:
    rows, said = several()
    unknown = Rows(truth=np.where(np.arange(600) == 3, "never", rows.truth.astype(str)))
    with pytest.raises(Unmeasurable, match="the target holds 'never', which is no class of the model"):
        measure("log_loss", unknown, said, None, 0.95)


def test_bias_of_probabilities_is_calibration_in_the_large() -> None:
    truth = np.array([0, 1, 1, 0] * 20)
    said = Answers(labels=truth, chances=np.full(80, 0.6))
    assert measure("bias", truth, said, None, 0.95).value == pytest.approx(0.1)
    assert measure("bias", truth, Answers(labels=truth), None, 0.95).value == 0


def test_a_true_value_of_zero_has_no_share_off() -> None:
    with pytest.raises(Unmeasurable, match="mape has no value: 1 of 2 true values are 0"):
        measure("mape", np.array([0.0, 1]), Answers(labels=np.array([1.0, 1])), None, 0.95)
    assert measure("smape", np.array([0.0, 1]), Answers(labels=np.array([0.0, 1])), None, 0.95).value == 0


def calibrated(seed: int, n_rows: int, away: float = 0.0) -> tuple[Rows, Answers]:
    rng = np.random.default_rng(seed)
    chances = rng.uniform(0.1, 0.9 - away, n_rows)
    truth = (rng.random(n_rows) < chances + away).astype(int)
    return Rows(truth=truth), Answers(labels=truth, chances=chances)


def test_a_calibrated_model_has_no_error_on_average_but_for_chance() -> None:
    found = [measure("calibration", *calibrated(seed, 1000), None, 0.95) for seed in range(100)]
    assert abs(np.mean([estimate.value for estimate in found])) < 0.002


def test_what_chance_makes_of_a_calibration_error_is_what_drawn_labels_show() -> None:
    rows, said = calibrated(1, 2000)
    assert said.chances is not None
    chances = said.chances.astype(float)
    bins = np.argsort(np.argsort(chances)) * 10 // 2000
    rng = np.random.default_rng(5)
    drawn = [np.abs(np.bincount(bins, (rng.random(2000) < chances) - chances)).sum() / 2000 for _ in range(2000)]
    seen = np.abs(np.bincount(bins, rows.truth.astype(float) - chances)).sum() / 2000
    value = measure("calibration", rows, said, None, 0.95).value
    assert value == pytest.approx(seen - np.mean(drawn), abs=3e-4)


@pytest.mark.parametrize("away", [0.0, 0.02, 0.1])
def test_the_range_of_a_calibration_error_holds_the_true_one(away: float) -> None:
    found = [measure("calibration", *calibrated(seed, 1000, away), None, 0.95) for seed in range(400)]
    above = sum(estimate.low is not None and estimate.low > away for estimate in found) / 400
    below = sum(estimate.high is not None and estimate.high < away for estimate in found) / 400
    # Three standard errors above 5 %.
    assert above <= 0.083
    assert below <= 0.083
    # A model 10 points off is told from one that is calibrated.
    assert away < 0.1 or all(estimate.low is not None and estimate.low > 0 for estimate in found)


def test_few_rows_say_nothing_of_calibration() -> None:
    found = measure("calibration", *calibrated(1, 200), None, 0.95)
    assert (found.low, found.high, found.method) == (None, None, "none, fewer than 300 rows or 30 units")
