"""A served model is held to what it answered before, row by row."""

from typing import Any

import pytest

from headway.core.golden import GoldenReply
from headway.core.kept_answers import TOLERANCE, Compared, KeptAnswers, compare

ROWS: list[dict[str, Any]] = [{"a": 1}, {"a": 2}]
CHANCES: list[list[float | None]] = [[0.9, 0.1], [0.25, 0.75]]
CLASSIFIER = KeptAnswers(rows=ROWS, predictions=[0, 1], classes=[0, 1], probabilities=CHANCES)
REGRESSOR = KeptAnswers(rows=ROWS, predictions=[2000.0, 0.5], by="register")


def reply(predictions: list[Any], probabilities: list[list[float | None]] | None = None, classes: Any = (0, 1)) -> Any:
    names = list(classes) if probabilities is not None else None
    return GoldenReply(predictions=predictions, classes=names, probabilities=probabilities)


def test_the_same_answers_are_alike() -> None:
    assert compare(CLASSIFIER, reply([0, 1], CHANCES)) == Compared(n_rows=2)
    assert compare(REGRESSOR, reply([2000.0, 0.5])) == Compared(n_rows=2)


def test_numbers_may_differ_by_the_tolerance_in_parts_of_what_is_large() -> None:
    near = compare(REGRESSOR, reply([2000.0 * (1 + TOLERANCE / 2), 0.5]))
    assert not near.unlike
    assert near.max_difference == pytest.approx(TOLERANCE / 2)
    far = compare(REGRESSOR, reply([2000.0, 0.5 + 2 * TOLERANCE]), first=10)
    assert far.unlike == ("row 11 {'a': 2}: answered 0.50002, and 0.5 when it was registered",)
    assert not compare(REGRESSOR, reply([2000.0, 0.51]), tolerance=0.1).unlike


@pytest.mark.parametrize(
    ("kept", "got", "said"),
    [
        (CLASSIFIER, reply([1, 1], CHANCES), "row 0 {'a': 1}: answered 1, and 0 at its gate"),
        (
            CLASSIFIER,
            reply([0, 1], [[0.9, 0.1], [0.5, 0.5]]),
            "row 1 {'a': 2}: gave the chances 0: 0.5, 1: 0.5, and the chances 0: 0.25, 1: 0.75 at its gate",
        ),
        (
            CLASSIFIER,
            reply([1, 1], [[0.1, 0.9], [0.25, 0.75]]),
            (
                "row 0 {'a': 1}: answered 1 and gave the chances 0: 0.1, 1: 0.9, "
                "and the chances 0: 0.9, 1: 0.1 at its gate"
            ),
        ),
        (
            CLASSIFIER,
            reply([0, 1]),
            "row 0 {'a': 1}: gave no probabilities of 0, 1 (its classes: none), which it gave at its gate",
        ),
        (
            CLASSIFIER,
            reply([0, 1], CHANCES, classes=("no", "yes")),
            "row 0 {'a': 1}: gave no probabilities of 0, 1 (its classes: no, yes), which it gave at its gate",
        ),
        (
            CLASSIFIER,
            reply([0, 1], [[0.9, 0.1]]),
            "row 0 {'a': 1}: gave no probabilities of 0, 1 (its classes: 0, 1), which it gave at its gate",
        ),
        (REGRESSOR, reply([None, 0.5]), "row 0 {'a': 1}: answered None, and 2000.0 when it was registered"),
        (REGRESSOR, reply(["2000", 0.5]), "row 0 {'a': 1}: answered 2000, and 2000.0 when it was registered"),
        (REGRESSOR, reply([2000.0]), "rows 0 to 1: 1 answers came for 2 rows"),
    ],
)
def test_another_answer_is_told_with_its_row(kept: KeptAnswers, got: GoldenReply, said: str) -> None:
    assert compare(kept, got).unlike[0] == said


def test_classes_are_matched_by_name_whatever_their_order() -> None:
    turned: list[list[float | None]] = [[0.1, 0.9], [0.75, 0.25]]
    assert not compare(CLASSIFIER, reply([0, 1], turned, classes=(1, 0))).unlike
    some = KeptAnswers(rows=ROWS, predictions=["0", "1"], classes=["1"], probabilities=[[0.1], [0.75]], by="file")
    assert not compare(some, reply([0, 1], CHANCES)).unlike


def test_either_of_two_equally_likely_classes_may_be_the_label() -> None:
    even: list[list[float | None]] = [[0.5, 0.5], [0.5, 0.5]]
    kept = KeptAnswers(rows=ROWS, predictions=[0, 1], classes=[0, 1], probabilities=even)
    assert not compare(kept, reply([1, 0], [[0.499999, 0.500001], [0.5, 0.5]])).unlike
    assert compare(kept, reply([2, 1], even)).unlike


def test_several_outputs_are_held_each_to_its_own() -> None:
    kept = KeptAnswers(rows=ROWS, predictions=[[1.0, "a"], [2.0, "b"]])
    assert not compare(kept, reply([[1.0 + TOLERANCE / 2, "a"], [2.0, "b"]])).unlike
    assert compare(kept, reply([[1.0, "a"], [2.0, "c"]])).unlike == (
        "row 1 {'a': 2}: answered [2.0, 'c'], and [2.0, 'b'] at its gate",
    )


def test_parts_are_put_together_and_cut_out() -> None:
    assert CLASSIFIER.some(1, 1) == KeptAnswers(
        rows=[{"a": 2}], predictions=[1], classes=[0, 1], probabilities=[[0.25, 0.75]]
    )
    assert CLASSIFIER.evenly(1) == KeptAnswers(
        rows=[{"a": 1}], predictions=[0], classes=[0, 1], probabilities=[[0.9, 0.1]]
    )
    assert CLASSIFIER.evenly(2) is CLASSIFIER
    assert REGRESSOR.evenly(1) == KeptAnswers(rows=[{"a": 1}], predictions=[2000.0], by="register")
    both = Compared(n_rows=2, max_difference=0.1, unlike=("a",)).with_(Compared(n_rows=3, unlike=("b",)))
    assert both == Compared(n_rows=5, max_difference=0.1, unlike=("a", "b"))
