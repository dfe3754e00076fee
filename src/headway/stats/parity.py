"""Whether two models answer alike: the same labels, and numbers that hardly differ.

What is compared are answers to the same rows, in their order. Does not know what was asked, nor what is made of it.
"""

from typing import Any

import numpy as np
from msgspec import Struct

# Any: labels of any kind.
Array = np.ndarray[Any, np.dtype[Any]]


class Parity(Struct, frozen=True, kw_only=True):
    """How far apart two models' answers are; `wrong` tells of the first row that differs too much, empty when none."""

    n_rows: int
    max_difference: float
    wrong: str = ""

    def with_(self, other: "Parity") -> "Parity":
        """Both together."""
        return Parity(
            n_rows=self.n_rows + other.n_rows,
            max_difference=max(self.max_difference, other.max_difference),
            wrong=self.wrong or other.wrong,
        )


NOTHING = Parity(n_rows=0, max_difference=0.0)


def parity(labels: Array, others: Array, chances: Array | None, of_others: Array | None, *, tolerance: float) -> Parity:
    """Labels must be equal, unless one is a fraction: these, and chances, may differ by `tolerance`.

    Differences of numbers above 1 are in parts of them. What is no number (NaN) on both sides is equal; a text and a
    number never are.

    >>> parity(np.array(["a", "b"]), np.array(["a", "c"]), None, None, tolerance=0).wrong
    'row 1: b, and c'
    >>> parity(np.array([2000.0]), np.array([2000.002]), None, None, tolerance=1e-5).wrong
    ''
    """
    n = len(labels)
    if labels.shape != others.shape:
        return Parity(n_rows=n, max_difference=0.0, wrong=f"answers of {labels.shape}, and {others.shape}")
    if (chances is None) != (of_others is None) or (
        chances is not None and of_others is not None and chances.shape != of_others.shape
    ):
        return Parity(n_rows=n, max_difference=0.0, wrong="only one gives probabilities, or they give others")
    most, wrong = 0.0, ""
    for one, other in ((labels, others), (chances, of_others)):
        if one is None or other is None:
            continue
        apart = _apart(one, other)
        # Of what differs by no number it is only said that it does.
        is_told = np.isfinite(apart) if not _are_numbers(one, other) else np.full(apart.shape, fill_value=True)
        most = max(most, float(apart[is_told].max(initial=0.0)))
        wrong = wrong or _told(apart > tolerance, one, other)
    return Parity(n_rows=n, max_difference=most, wrong=wrong)


def _apart(one: Array, other: Array) -> Array:
    """How far apart values are: 0 where they are equal, infinite where they are not and no number says how far."""
    if one.dtype.kind == "O" or other.dtype.kind == "O":
        return _each_apart(one, other)
    if not _are_numbers(one, other) or "f" not in (one.dtype.kind, other.dtype.kind):
        return np.where(one != other, np.inf, 0.0)
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.abs(one - other) / np.maximum(1.0, np.abs(one))
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    return np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart))


def _are_numbers(one: Array, other: Array) -> bool:
    """Whether both are of numbers, which truth values are not."""
    return one.dtype.kind in "iuf" and other.dtype.kind in "iuf"


def _each_apart(one: Array, other: Array) -> Array:
    """The same where values of several kinds stand side by side: each pair by itself."""
    apart = np.zeros(one.shape, dtype=np.float64)
    for place in np.ndindex(one.shape):
        pair = [np.asarray(one[place]), np.asarray(other[place])]
        if any(value.dtype.kind == "O" for value in pair):
            apart[place] = 0.0 if one[place] is other[place] or one[place] == other[place] else np.inf
        else:
            apart[place] = float(np.max(_apart(*pair), initial=0.0)) if pair[0].shape == pair[1].shape else np.inf
    return apart


def _told(bad: Array, one: Array, other: Array) -> str:
    if not bad.any():
        return ""
    at = int(np.argmax(bad.reshape(len(bad), -1).any(axis=1)))
    return f"row {at}: {_short(one[at])}, and {_short(other[at])}"


# Any: a label, or the numbers of a row.
def _short(value: Any) -> str:  # noqa: ANN401 (as above)
    return str(value.tolist() if hasattr(value, "tolist") else value)[:80]
