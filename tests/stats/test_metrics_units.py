"""Rows that come in units: only units are independent, and the formulas are those of the sources."""

import numpy as np
import pytest
from scipy import special, stats

from headway.stats import metrics_calibration
from headway.stats.answers import Answers, Rows
from headway.stats.auc import place
from headway.stats.interval import clopper_pearson
from headway.stats.metrics import FEW_UNITS, disagreement, measure

METRICS = ["accuracy", "recall", "specificity", "precision", "f1", "balanced_accuracy", "f1_macro", "mcc", "kappa"]
METRICS += ["auc", "average_precision", "log_loss", "brier", "bias", "mse", "rmse", "calibration"]


def world(n_units: int = 120, seed: int = 0) -> tuple[Rows, Answers, Answers]:
    """Units of one to nine rows that share half of what is random about them."""
    rng = np.random.default_rng(seed)
    units = np.repeat(np.arange(n_units), rng.integers(1, 10, n_units))
    n_rows = len(units)
    truth = (rng.random(n_rows) < 0.4).astype(int)
    shared = rng.standard_normal(n_units)[units] + 2 * truth - 1
    answers = []
    for _ in range(2):
        own = rng.standard_normal(n_units)[units] + rng.standard_normal(n_rows)
        chances = 1 / (1 + np.exp(-shared - 0.6 * own))
        answers.append(Answers(labels=(chances >= 0.5).astype(int), chances=chances))
    # Numbers of units mean nothing but which rows belong together.
    return Rows(truth=truth, units=units * 1_000_003 - 7), answers[0], answers[1]


def error_of_mean(values: np.ndarray, units: np.ndarray) -> tuple[float, int]:
    """Liang & Zeger's standard error of a mean, in a loop, and the number of units."""
    rest = values - values.mean()
    sums = [rest[units == unit].sum() for unit in np.unique(units)]
    n = len(sums)
    return float(np.sqrt(n / (n - 1) * np.sum(np.square(sums))) / len(values)), n


@pytest.mark.parametrize("metric", ["brier", "accuracy", "mse"])
def test_a_difference_of_means_has_the_error_of_sums_by_unit(metric: str) -> None:
    rows, new, old = world()
    assert rows.units is not None
    assert new.chances is not None
    assert old.chances is not None
    truth = rows.truth.astype(float)
    parts = {
        "brier": (new.chances.astype(float) - truth) ** 2 - (old.chances.astype(float) - truth) ** 2,
        "accuracy": (new.labels == truth).astype(float) - (old.labels == truth),
        "mse": (new.labels.astype(float) - truth) ** 2 - (old.labels.astype(float) - truth) ** 2,
    }[metric]
    error, n = error_of_mean(parts, rows.units)
    low, high = stats.t.interval(0.9, n - 1, loc=parts.mean(), scale=error)
    found = measure(metric, rows, new, old, 0.95)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)
    assert found.spread == pytest.approx(error * len(parts) ** 0.5)


def test_a_share_is_bounded_by_the_rows_that_its_units_are_worth() -> None:
    rows, new, _ = world()
    assert rows.units is not None
    right = (new.labels == rows.truth).astype(float)
    error, n_units = error_of_mean(right, rows.units)
    share, n_rows = right.mean(), len(right)
    # Korn & Graubard (1998): the effective sample size, with the degrees of freedom of the units.
    worth = share * (1 - share) / error**2
    worth *= (stats.t.ppf(0.05, n_rows - 1) / stats.t.ppf(0.05, n_units - 1)) ** 2
    found = measure("accuracy", rows, new, None, 0.95)
    assert found.low == pytest.approx(stats.beta.ppf(0.05, share * worth, worth - share * worth + 1))
    assert found.high == pytest.approx(stats.beta.ppf(0.95, share * worth + 1, worth - share * worth))


def test_an_area_has_obuchowskis_variance() -> None:
    rows, new, _ = world()
    assert rows.units is not None
    assert new.chances is not None
    flags = rows.truth.astype(bool)
    places = place(flags, new.chances.astype(float))
    units, area = np.unique(rows.units), places.area
    m, n, k = int(flags.sum()), int((~flags).sum()), len(units)
    of_unit = [
        (
            (places.of_positives[rows.units[flags] == unit] - area).sum(),
            (places.of_negatives[rows.units[~flags] == unit] - area).sum(),
        )
        for unit in units
    ]
    # Obuchowski (1997), equations 4 to 8, each class's factor taken as that of all units.
    s10, s01, s11 = (sum(x * y for x, y in pairs) * k / (k - 1) for pairs in _pairs(of_unit))
    variance = s10 / m**2 + s01 / n**2 + 2 * s11 / (m * n)
    half = stats.t.ppf(0.95, k - 1) * variance**0.5 / (area * (1 - area))
    found = measure("auc", rows, new, None, 0.95)
    assert found.low == pytest.approx(special.expit(special.logit(area) - half), abs=1e-12)
    assert found.high == pytest.approx(special.expit(special.logit(area) + half), abs=1e-12)


def _pairs(of_unit: list[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    return [[(a, a) for a, _ in of_unit], [(b, b) for _, b in of_unit], of_unit]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("compares", [False, True])
def test_units_of_one_row_say_what_rows_say(metric: str, compares: bool) -> None:
    rows, new, old = world()
    against = old if compares else None
    each = Rows(truth=rows.truth, units=np.random.default_rng(1).permutation(len(rows)))
    found, plain = (measure(metric, table, new, against, 0.95) for table in (each, Rows(truth=rows.truth)))
    assert found.value == pytest.approx(plain.value, abs=1e-12)
    assert found.low is not None
    assert found.high is not None
    assert plain.low is not None
    assert plain.high is not None
    # The same data by two methods: the ends differ by little of the width.
    width = plain.high - plain.low
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=0.2 * width)


# Where bins begin depends on how often a probability comes up.
@pytest.mark.parametrize("metric", [metric for metric in METRICS if metric != "calibration"])
def test_repeated_rows_say_no_more_than_one_of_each(metric: str) -> None:
    rows, new, old = world()
    same = np.repeat(np.arange(len(rows)), 5)
    once = measure(metric, Rows(truth=rows.truth, units=np.arange(len(rows))), new, old, 0.95)
    repeated = measure(metric, Rows(truth=rows.truth[same], units=same), new.take(same), old.take(same), 0.95)
    assert repeated.value == pytest.approx(once.value, abs=1e-12)
    assert (repeated.low, repeated.high) == pytest.approx((once.low, once.high), abs=1e-9)


@pytest.mark.parametrize("metric", [*METRICS, "disagreement"])
def test_few_units_bound_nothing(metric: str) -> None:
    rows, new, old = world(n_units=FEW_UNITS - 1)
    if metric == "disagreement":
        found = disagreement(rows, new, old, 0.95)
    else:
        found = measure(metric, rows, new, old, 0.95)
        alone = measure(metric, rows, new, None, 0.95)
        assert (alone.low, alone.high) == (None, None)
    assert (found.low, found.high) == (None, None)
    assert "fewer than 30 units" in found.method or "30 units" in found.method


def test_few_units_that_differ_give_a_wide_bound_by_the_largest() -> None:
    units = np.repeat(np.arange(100), np.where(np.arange(100) < 50, 1, 3))
    rows = Rows(truth=np.ones(200, dtype=int), units=units)
    old = np.ones(200, dtype=int)
    old[[0, 1, 50, 51]] = 0
    found = measure("accuracy", rows, Answers(labels=np.ones(200, dtype=int)), Answers(labels=old), 0.95)
    # Three units gain, none loses; the largest has 3 rows where the mean has 2.
    assert found.high == pytest.approx(1.5 * clopper_pearson(3, 100, 0.9).high)
    assert found.low == pytest.approx(-1.5 * clopper_pearson(0, 100, 0.9).high)


def test_all_rows_right_are_worth_one_a_unit() -> None:
    rows = Rows(truth=np.ones(1000, dtype=int), units=np.arange(1000) // 10)
    found = measure("accuracy", rows, Answers(labels=np.ones(1000, dtype=int)), None, 0.95)
    assert found.high == 1
    assert found.low is not None
    assert found.low <= clopper_pearson(100, 100, 0.9).low


@pytest.mark.parametrize("metric", ["auc", "average_precision"])
def test_a_class_in_few_units_bounds_no_area(metric: str) -> None:
    rows, new, old = world()
    assert rows.units is not None
    few = np.isin(rows.units, np.unique(rows.units)[:9])
    truth = np.where(few, 1, 0)
    found = measure(metric, Rows(truth=truth, units=rows.units), new, old, 0.95)
    assert (found.low, found.high, found.method) == (None, None, "none, fewer than 10 rows or units of a class")


def test_the_root_of_a_covariance_is_choleskys() -> None:
    parts = np.random.default_rng(1).standard_normal((40, 6))
    covariance = parts.T @ parts
    assert metrics_calibration._root(covariance) == pytest.approx(np.linalg.cholesky(covariance))
    # Where two are one, nothing is left for the second.
    twice = covariance[:, [0, 0, 1]][[0, 0, 1]]
    root = metrics_calibration._root(twice)
    assert root @ root.T == pytest.approx(twice)
