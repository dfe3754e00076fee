"""Whether two models answer alike."""

from typing import Any

import numpy as np
import pytest

from headway.stats.parity import NOTHING, Parity, parity

LABELS = np.array([0, 1, 1])
CHANCES = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])


def test_what_is_the_same_is_not_apart() -> None:
    found = parity(LABELS, LABELS.copy(), CHANCES, CHANCES.copy(), tolerance=0.0)
    assert found == Parity(n_rows=3, max_difference=0.0)


def test_chances_may_differ_as_far_as_is_tolerated_and_the_farthest_is_told() -> None:
    others = CHANCES + np.array([[0.0, 0.0], [1e-6, 0.0], [0.0, -2e-6]])
    assert parity(LABELS, LABELS, CHANCES, others, tolerance=1e-5).wrong == ""
    found = parity(LABELS, LABELS, CHANCES, others, tolerance=1.5e-6)
    assert found.max_difference == pytest.approx(2e-6)
    assert found.wrong.startswith("row 2: [0.4, 0.6]")


def test_a_label_is_equal_or_it_is_not() -> None:
    assert parity(LABELS, np.array([0, 1, 0]), CHANCES, CHANCES, tolerance=1.0).wrong == "row 2: 1, and 0"


@pytest.mark.parametrize(
    ("one", "other", "is_alike"),
    [
        ([np.nan], [np.nan], True),
        ([np.nan], [0.0], False),
        ([np.inf], [np.inf], True),
        ([np.inf], [-np.inf], False),
        ([1e9], [1e9 + 1e3], True),
        ([1e-9], [2e-6], True),
        ([1.0], [1.0001], False),
    ],
    ids=str,
)
def test_numbers_that_are_foretold_are_apart_in_parts_of_them(
    one: list[float], other: list[float], is_alike: bool
) -> None:
    assert (parity(np.array(one), np.array(other), None, None, tolerance=1e-5).wrong == "") is is_alike


@pytest.mark.parametrize(
    ("one", "other", "wrong"),
    [
        (["a", "b"], [1.0, 2.0], "row 0: a, and 1.0"),
        ([1.0, 2.0], ["1.0", "2.0"], "row 0: 1.0, and 1.0"),
        ([1, 2], [1.0, 2.000001], ""),
        ([1.0, 2.000001], [1, 2], ""),
        ([1, 2], [1.0, 2.1], "row 1: 2, and 2.1"),
        ([1, "a", None], [1.000001, "a", None], ""),
        ([1, "a", None], [1, "a", float("nan")], "row 2: None, and nan"),
        ([float("nan"), "a"], [float("nan"), "a"], ""),
        (["1", "a"], [1, "a"], "row 0: 1, and 1"),
        ([True, False], ["True", "False"], "row 0: True, and True"),
        ([True, False], [1, 0], ""),
        ([1.0, [1, 2]], [1.0, [1, 2]], ""),
    ],
    ids=str,
)
def test_labels_of_several_kinds_are_compared_one_by_one(one: list[object], other: list[object], wrong: str) -> None:
    def array(labels: list[object]) -> np.ndarray[Any, np.dtype[Any]]:
        is_mixed = len({type(label) for label in labels}) > 1
        return np.array(labels, dtype=object) if is_mixed else np.array(labels)

    assert parity(array(one), array(other), None, None, tolerance=1e-5).wrong == wrong


def test_answers_of_another_shape_are_told() -> None:
    assert "(3,)" in parity(LABELS, LABELS[:2], None, None, tolerance=1.0).wrong
    assert parity(LABELS, LABELS, CHANCES, None, tolerance=1.0).wrong


def test_two_comparisons_are_one() -> None:
    both = NOTHING.with_(Parity(n_rows=2, max_difference=0.5, wrong="a")).with_(Parity(n_rows=1, max_difference=0.1))
    assert both == Parity(n_rows=3, max_difference=0.5, wrong="a")
