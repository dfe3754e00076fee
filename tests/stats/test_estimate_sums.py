"""Quality estimated from a sketch's sums: what the rows themselves give."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import Unmeasurable
from headway.stats import isotonic
from headway.stats.bins import Floats
from headway.stats.estimate import METRICS, estimate
from headway.stats.estimate_sums import Sums, estimate_sums, sums_of

UNIT = 2.0**34
"""A chance of 1 in a sketch."""

BY_SUMS = [metric for metric in METRICS if metric != "auc"]


def fitted(seed: int, n: int = 3000) -> isotonic.Isotonic:
    rng = np.random.default_rng(seed)
    scores = rng.random(n)
    return isotonic.fit(scores, rng.random(n) < scores**1.5)


def sums(fit: isotonic.Isotonic, scores: Floats, says_yes: npt.NDArray[np.bool_]) -> Sums:
    """What a sketch keeps of rows: chances as whole numbers of parts."""
    kept, weights = [], np.zeros((2, len(fit.variances)))
    for weight, side in zip(weights, (says_yes, ~says_yes), strict=True):
        chances = fit(scores[side])
        kept += [len(chances), np.rint(chances * UNIT).sum(), np.rint(chances * (1 - chances) * UNIT).sum()]
        left, right, part = fit.between(scores[side])
        np.add.at(weight, right, np.rint(part * UNIT) / UNIT)
        np.add.at(weight, left, 1 - np.rint(part * UNIT) / UNIT)
    return sums_of([int(one) for one in kept], weights, unit=UNIT)


@pytest.mark.parametrize("metric", BY_SUMS)
@given(st.integers(0, 2**32), st.integers(1, 300), st.floats(0.3, 3), st.floats(0.05, 0.95))
def test_it_is_what_the_rows_give(metric: str, seed: int, n: int, power: float, threshold: float) -> None:
    fit = fitted(seed % 5)
    scores = np.random.default_rng(seed).random(n) ** power
    says_yes = scores > threshold
    kept = sums(fit, scores, says_yes)
    try:
        found = estimate(metric, fit, scores, says_yes)
    except Unmeasurable:
        with pytest.raises(Unmeasurable):
            estimate_sums(metric, fit, kept)
        return
    judged = estimate_sums(metric, fit, kept)
    assert [judged.value, judged.low, judged.high] == pytest.approx([found.value, found.low, found.high], abs=1e-9)
    assert judged.n_rows == n


@pytest.mark.parametrize("n", [400, 5000, 100_000])
@pytest.mark.parametrize("power", [0.5, 1.0, 2.5])
def test_an_area_of_blocks_is_nearly_that_of_the_rows(n: int, power: float) -> None:
    fit = fitted(8, 20_000)
    scores = np.random.default_rng(n).random(n) ** power
    found = estimate("auc", fit, scores, scores > 0.5)
    judged = estimate_sums("auc", fit, sums(fit, scores, scores > 0.5))
    assert judged.value == pytest.approx(found.value, abs=0.0005)
    assert judged.high - judged.low == pytest.approx(found.high - found.low, rel=0.02)
    assert judged.n_rows == n


def test_sums_of_parts_are_the_sums_of_all() -> None:
    fit = fitted(3)
    scores = np.random.default_rng(9).random(500)
    one, other, both = (sums(fit, some, some > 0.4) for some in (scores[:200], scores[200:], scores))
    assert both.n_rows == tuple(np.add(one.n_rows, other.n_rows))
    assert both.chances == pytest.approx(np.add(one.chances, other.chances))
    assert both.spreads == pytest.approx(np.add(one.spreads, other.spreads))
    assert both.weights == pytest.approx(one.weights + other.weights)


def test_what_cannot_be_estimated_is_told() -> None:
    fit = fitted(1)
    scores = np.array([0.2, 0.7])
    none, some = sums(fit, scores[:0], scores[:0] > 0), sums(fit, scores, scores > 0.5)
    with pytest.raises(Unmeasurable, match="no row to estimate by"):
        estimate_sums("accuracy", fit, none)
    with pytest.raises(Unmeasurable, match="log_loss is not estimated"):
        estimate_sums("log_loss", fit, some)
    with pytest.raises(Unmeasurable, match="no row was answered with yes"):
        estimate_sums("precision", fit, sums(fit, scores, scores > 1))
