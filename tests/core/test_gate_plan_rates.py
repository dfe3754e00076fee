"""A plan is kept: with the rows it says, the gate's own rules let a good model through 4 times in 5."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from headway.core.check_grammar import parse_check
from headway.core.gate_plan import plan
from headway.core.gate_ways import Assumed
from headway.stats.answers import Answers, Rows
from headway.stats.groups import gap_of, ratio_of
from headway.stats.metrics import measure

WORLDS = 400
Rng = np.random.Generator
World = tuple[npt.NDArray[np.generic], Answers, Answers]


def labels(n_rows: int, rng: Rng, difference: float = 0.0, right: float = 0.8) -> World:
    """Two models of which the old one is `right`, differing on a tenth of rows."""
    truth = rng.integers(0, 2, n_rows)
    drawn = rng.choice(3, n_rows, p=[(0.1 + difference) / 2, (0.1 - difference) / 2, 0.9])
    same = rng.random(n_rows) < right
    new_right = np.where(drawn == 0, True, np.where(drawn == 1, False, same))
    old_right = np.where(drawn == 0, False, np.where(drawn == 1, True, same))
    return (
        truth,
        Answers(labels=np.where(new_right, truth, 1 - truth)),
        Answers(labels=np.where(old_right, truth, 1 - truth)),
    )


def better(n_rows: int, rng: Rng) -> World:
    return labels(n_rows, rng, difference=0.03)


def one_of_85(n_rows: int, rng: Rng) -> World:
    truth = rng.integers(0, 2, n_rows)
    new = Answers(labels=np.where(rng.random(n_rows) < 0.85, truth, 1 - truth))
    return truth, new, new


def areas(n_rows: int, rng: Rng) -> World:
    """An area of 0.85 under the curve, of normal scores, a fifth of the rows positive."""
    truth = (rng.random(n_rows) < 0.2).astype(np.int64)
    # The area is the chance that a positive row's score is above a negative one's: sqrt(2) * 1.0364 apart.
    scores = rng.normal(size=n_rows) + 1.4657 * truth
    new = Answers(labels=truth, chances=1 / (1 + np.exp(-scores)))
    return truth, new, new


def errors(n_rows: int, rng: Rng) -> World:
    """Equally good in the mean; what one row's errors differ by has a standard deviation of 2 (folded normals)."""
    truth = rng.normal(size=n_rows)
    scale = 2 / (2 * (1 - 2 / np.pi)) ** 0.5
    new, old = (Answers(labels=truth + scale * rng.normal(size=n_rows)) for _ in range(2))
    return truth, new, old


@pytest.mark.parametrize(
    ("text", "assumed", "world", "apart"),
    [
        pytest.param("new.accuracy - old.accuracy > -0.03", Assumed(asks=1), labels, 0.06, id="no worse"),
        pytest.param("new.accuracy - old.accuracy > 0 +/- 0.03", Assumed(asks=1), better, 0.06, id="better"),
        pytest.param("new.accuracy - old.accuracy within 0.04", Assumed(asks=1), labels, 0.06, id="within"),
        pytest.param("new.accuracy >= 0.8 +/- 0.05", Assumed(asks=1), one_of_85, 0.06, id="one share"),
        pytest.param("new.accuracy - old.accuracy > -0.04", Assumed(asks=16, power=0.9), labels, 0.06, id="a budget"),
        pytest.param("new.mae - old.mae < 0.2", Assumed(asks=1, spread=2.0), errors, 0.06, id="a mean"),
        # Hanley and McNeil's formula is careful where scores are normal.
        pytest.param("new.auc >= 0.8 +/- 0.05", Assumed(asks=1, positives=0.2), areas, 0.1, id="an area"),
    ],
)
def test_with_so_many_rows_a_good_model_passes_as_often_as_was_planned(
    text: str, assumed: Assumed, world: Callable[[int, Rng], World], apart: float
) -> None:
    check = parse_check(text)
    confidence = 1 - 0.05 / assumed.asks
    n_rows = plan([check], assumed, confidence_of_ask=confidence).rows
    assert n_rows is not None
    rng = np.random.default_rng(12)
    low_edge, high_edge = check.edges[0], check.edges[-1]
    n_passed = 0
    for _ in range(WORLDS):
        truth, new, old = world(n_rows, rng)
        found = measure(check.metric, truth, new, old if check.compares else None, confidence)
        assert found.low is not None
        assert found.high is not None
        is_above, is_below = found.low > low_edge, found.high < high_edge
        n_passed += (is_above and is_below) if check.op == "within" else (is_above if check.wants_more else is_below)
    assert n_passed / WORLDS == pytest.approx(assumed.power, abs=apart)


@pytest.mark.parametrize("text", ["gap(new.accuracy by group) <= 0.1", "ratio(new.accuracy by group) >= 0.8"])
def test_groups_that_are_alike_pass_as_often_as_was_planned(text: str) -> None:
    check = parse_check(text)
    made = plan([check], Assumed(asks=1), confidence_of_ask=0.95).checks[0]
    n_rows = made.supposed[0].rows
    assert n_rows is not None
    rng = np.random.default_rng(13)
    codes = np.repeat(np.arange(2), n_rows)
    n_passed = 0
    for _ in range(WORLDS):
        # Right half of the time in either group, as a plan supposes.
        rows, answers = Rows(truth=rng.integers(0, 2, 2 * n_rows)), Answers(labels=rng.integers(0, 2, 2 * n_rows))
        measure_groups = gap_of if check.form == "gap" else ratio_of
        found = measure_groups("accuracy", rows, answers, codes, 0.95)
        assert found.low is not None
        assert found.high is not None
        n_passed += found.high <= check.limit if check.form == "gap" else found.low >= check.limit
    # Its exact intervals are a little wider than the formula has them.
    assert 0.7 < n_passed / WORLDS < 0.85
