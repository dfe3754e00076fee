from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.tally_answers import MOST_BINS, Bins, Measure, bins_of, is_number, same

CLASSES = Measure(bins=Bins(of="classes", classes=("0", "1")))
NUMBERS = Measure(bins=Bins(of="numbers", edges=(10.0, 20.0), spread=40.0))


@pytest.mark.parametrize(
    ("answers", "of"),
    [
        (["yes", "no"], "classes"),
        ([True, False], "classes"),
        ([0, 1, 1], "classes"),
        ([0.0, 1.0], "classes"),
        (list(range(50)), "numbers"),
        ([0.5, 1, 2], "numbers"),
        ([0.5, None, 2.5], "numbers"),
        ([None, None], "classes"),
        ([], "classes"),
        ([["a", 1], ["b", 2]], "classes"),
        ([[0.5, 1], [1.5, 2]], "numbers"),
    ],
    ids=str,
)
def test_a_champion_gives_classes_or_numbers(answers: list[Any], of: str) -> None:
    assert bins_of(answers).of == of


@given(st.lists(st.one_of(st.floats(allow_nan=False, width=32), st.none(), st.sampled_from(["a", "b"])), max_size=80))
def test_every_answer_has_a_bin_and_their_order_does_not_matter(answers: list[Any]) -> None:
    bins = bins_of(answers)
    assert bins == bins_of(answers[::-1])
    assert bins.n <= 2 * MOST_BINS
    measure = Measure(bins=bins)
    assert all(0 <= bins.place(answer) < bins.n for answer in answers if measure.is_one(answer))
    assert bins.spread >= 0


def test_bins_of_numbers_hold_as_many_each() -> None:
    bins = bins_of([i / 7 for i in range(1000)])
    counts = [0] * bins.n
    for i in range(1000):
        counts[bins.place(i / 7)] += 1
    assert bins.n == MOST_BINS
    assert max(counts) - min(counts) <= 2


def test_rare_and_new_classes_share_the_last_bin() -> None:
    bins = bins_of([f"c{i:02}" for i in range(40) for _ in range(40 - i)])
    assert bins.n == 2 * MOST_BINS
    assert [bins.place(name) for name in ("c00", "c18", "c19", "new")] == [0, 18, 19, 19]


@pytest.mark.parametrize(
    ("measure", "one", "other", "differ"),
    [
        (CLASSES, 1, 1.0, False),
        (CLASSES, 1, "1", False),
        (CLASSES, 1, 0, True),
        (CLASSES, None, None, False),
        (CLASSES, [1, "a"], [1, "a"], False),
        (CLASSES, [1, "a"], [1], True),
        (CLASSES, [1], 1, True),
        (NUMBERS, 100, 100.4, False),
        (NUMBERS, 100, 100.5, True),
        (NUMBERS, 100, "100", False),
        (NUMBERS, 100, None, True),
        (Measure(bins=NUMBERS.bins, off_by=2.0), 100, 102, False),
        (Measure(bins=NUMBERS.bins, off_by=0.1, is_relative=True), 100, 111, True),
        (Measure(bins=Bins(of="numbers")), 1e9, 1e9 + 1e-3, False),
    ],
)
def test_when_two_answers_differ(measure: Measure, one: Any, other: Any, differ: bool) -> None:
    assert measure.differ(one, other) is differ


@pytest.mark.parametrize(
    ("measure", "answer", "truth", "loss"),
    [
        (CLASSES, 1, "1", 0.0),
        (CLASSES, True, "True", 0.0),
        (CLASSES, 1, 0, 1.0),
        (CLASSES, [1, 2], 1, None),
        (NUMBERS, 90, 100, 0.25),
        (NUMBERS, 90, "100", 0.25),
        (NUMBERS, -1e9, 100, 1.0),
        (NUMBERS, None, 100, 1.0),
        (NUMBERS, 90, "none", None),
        (NUMBERS, 90, "nan", None),
        (NUMBERS, 90, True, None),
        (NUMBERS, 90, None, None),
        (Measure(bins=Bins(of="numbers")), 5.0, 5, 0.0),
        (Measure(bins=Bins(of="numbers")), 5.1, 5, 1.0),
        (Measure(bins=NUMBERS.bins, off_by=0.1, is_relative=True), -91, -100, 0.0),
        (Measure(bins=NUMBERS.bins, off_by=0.1, is_relative=True), 1e-9, 0, 0.0),
    ],
)
def test_how_wrong_an_answer_is(measure: Measure, answer: Any, truth: Any, loss: float | None) -> None:
    assert measure.loss(answer, truth) == loss


def test_what_a_number_is() -> None:
    assert [is_number(value) for value in (1, 1.5, True, None, "1", float("nan"), float("inf"))] == [
        *(True, True, False, False, False, False, False)
    ]
    assert same("a", "a")
    assert not same("True", "true")
    assert not same("1", True)
