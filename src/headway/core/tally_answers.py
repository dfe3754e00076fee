"""What an answer is to whoever counts: a class or a number, in which bin, like another one or not, right or wrong.

Whether a version gives classes or numbers, and how far its numbers spread, is fixed once, by the champion's first
answers (`Bins`). Knows no request and no window (`core/tally`).
"""

import bisect
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct

from headway.core.scalar import Scalar

FIRST = 50
"""So many answers of the champion fix the bins."""

MOST_BINS = 10
"""Numbers fall into so many bins, which hold as many of the champion's first answers each; classes into twice as many
at most, the last being all that are rare or new."""

FEW_CLASSES = 12
"""Whole numbers, of which there are no more than this, are classes: nobody foretells amounts by so few."""

ALIKE = 0.01
"""Numbers are alike that are no further apart than this part of the champion's spread, if nothing else is said."""

_LONGEST = 80

# Any: an answer is whatever the model was trained on: a number, a text, a list of them.
Answer = Any


class Bins(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the champion's answers are told apart, so that those of another version can be counted alike.

    Classes have a bin each, as texts, and all others the last one; numbers lie between `edges`, each bin with its upper
    end. `spread` is how far apart 9 of 10 of the champion's numbers lie.
    """

    of: Literal["classes", "numbers"]
    classes: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    spread: float = 0.0

    @property
    def n(self) -> int:
        """How many bins there are."""
        return len(self.classes if self.of == "classes" else self.edges) + 1

    def place(self, answer: Answer) -> int:
        """The bin of an answer.

        >>> Bins(of="classes", classes=("yes", "no")).place("maybe"), Bins(of="numbers", edges=(1.0, 2.0)).place(1)
        (2, 0)
        """
        value = first(answer)
        if self.of == "numbers":
            return bisect.bisect_left(self.edges, value)
        name = text(value)
        return self.classes.index(name) if name in self.classes else len(self.classes)


def bins_of(answers: Sequence[Answer]) -> Bins:
    """The bins that these answers of the champion fix, in whatever order they are given. O(n log n).

    >>> bins_of(["no", "yes", "no"]).classes, bins_of([0.5 * i for i in range(50)]).spread
    (('no', 'yes'), 22.5)
    """
    values = [first(answer) for answer in answers]
    numbers = sorted(float(value) for value in values if is_number(value))
    is_amount = any(not number.is_integer() for number in numbers) or len(set(numbers)) > FEW_CLASSES
    if numbers and is_amount and 2 * len(numbers) > len(values):
        n = len(numbers)
        edges = {numbers[min(n * i // MOST_BINS, n - 1)] for i in range(1, MOST_BINS)}
        spread = numbers[math.ceil(0.95 * n) - 1] - numbers[math.floor(0.05 * n)]
        return Bins(of="numbers", edges=tuple(sorted(edges)), spread=spread or numbers[-1] - numbers[0])
    counted = Counter(map(text, values))
    ranked = sorted(counted.items(), key=lambda one: (-one[1], one[0]))
    return Bins(of="classes", classes=tuple(name for name, _ in ranked[: 2 * MOST_BINS - 1]))


class Measure(Struct, frozen=True, kw_only=True):
    """How answers are compared with each other and with the truth.

    A number is wrong that is further from the truth than `off_by`, or, if it `is_relative`, than that part of it; with
    0 what it is off by is its loss, in parts of the champion's spread.
    """

    bins: Bins
    off_by: float = 0.0
    is_relative: bool = False

    def is_one(self, answer: Answer) -> bool:
        """Whether it is an answer at all: of a version whose champion gives numbers what is no number is none."""
        value = first(answer)
        if self.bins.of == "numbers":
            return is_number(value)
        return value is not None or NOTHING in self.bins.classes

    def differ(self, one: Answer, other: Answer) -> bool:
        """Whether two answers to one row are not alike; of several outputs, whether any is not."""
        if isinstance(one, list) or isinstance(other, list):
            if not (isinstance(one, list) and isinstance(other, list) and len(one) == len(other)):
                return True
            return any(self.differ(a, b) for a, b in zip(one, other, strict=True))
        if self.bins.of == "classes" or not (is_number(one) and is_number(other)):
            return not same(one, other)
        allowed = self._allowed(one) or ALIKE * self.bins.spread
        return bool(abs(one - other) > allowed + _last_digits(one))

    def loss(self, answer: Answer, truth: Scalar) -> float | None:
        """How wrong an answer is, from 0 to 1; None where the truth cannot be compared with it."""
        if isinstance(answer, list):
            return None
        if self.bins.of == "classes":
            return 0.0 if same(answer, truth) else 1.0
        number = _number(truth)
        if number is None:
            return None
        if not is_number(answer):
            return 1.0
        off = float(abs(answer - number))
        if self.off_by or not self.bins.spread:
            return 1.0 if off > self._allowed(number) + _last_digits(number) else 0.0
        return min(off / self.bins.spread, 1.0)

    def _allowed(self, truth: float) -> float:
        return self.off_by * abs(truth) if self.is_relative else self.off_by


NOTHING = "null"


def first(answer: Answer) -> Answer:
    """The first output of an answer that has several."""
    return answer[0] if isinstance(answer, list) and answer else answer


def is_number(value: Answer) -> bool:
    """Whether it is a finite number; truth values are none."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def same(one: Answer, other: Answer) -> bool:
    """Whether two classes are one, however they are written.

    >>> same(1, 1.0), same("1", 1), same("True", True), same("a", "b")
    (True, True, True, False)
    """
    if one == other:
        return True
    if isinstance(one, str) == isinstance(other, str):
        return False
    if isinstance(one, bool) or isinstance(other, bool):
        return text(one).lower() == text(other).lower()
    return text(one) == text(other)


def text(value: Answer) -> str:
    """A value as a text, the same for the same value however it is written; `null` where there is none.

    >>> text(17.0), text("17"), text(True), text(None)
    ('17', '17', 'true', 'null')
    """
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)[:_LONGEST]


def _number(truth: Scalar) -> float | None:
    """The number that a label says, also as a text: labels may come from a file in which all are texts."""
    if truth is None or isinstance(truth, bool):
        return None
    try:
        found = float(truth)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _last_digits(number: float) -> float:
    return 1e-9 * max(1.0, abs(number))
