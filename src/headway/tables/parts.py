"""What a check wants of the one query that answers all: aggregates, and how their values become its answer.

Neighbours: `compile` makes them of checks, `one_pass` runs them. Knows no check and no file.
"""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from headway.stats.moments import Moments, merge
from headway.tables.answers import Answer

if TYPE_CHECKING:
    import polars as pl

Values = Sequence[object]
Tell = Callable[[Values, int], Answer]
"""Given what the parts gave and the number of rows, the answer."""


Fold = Literal["sum", "least", "most", "moments"]
"""How what a part gave for some rows and for others becomes what it is for all."""


class Part(Struct, frozen=True, kw_only=True):
    """An aggregate; one of `moments` gives a struct of `n`, `mean` and `var`, which are folded as `Moments`.

    Parts that name the same thing in `same` are equal, and computed once.
    """

    value: "pl.Expr"
    fold: Fold = "sum"
    same: str = ""


class Measure(Struct, frozen=True, kw_only=True):
    """What one check wants of the query: `parts` are aggregates over `columns`, in the order that `tell` takes them."""

    columns: tuple[str, ...]
    parts: tuple[Part, ...]
    tell: Tell


def integer(value: object) -> int:
    """What a sum or a count gave; of no rows, 0."""
    return value if isinstance(value, int) else 0


def number(value: object) -> float:
    """What an aggregate gave; NaN when there was nothing to aggregate."""
    return float(value) if isinstance(value, int | float) else math.nan


def folded(fold: Fold, one: object, other: object) -> object:
    """What a part is for all rows, of what it gave for some and for the others; None is of no value."""
    if fold == "moments":
        return merge(_moments(one), _moments(other))
    if one is None or other is None:
        return other if one is None else one
    match fold:
        case "sum":
            return one + other  # type: ignore[operator] # numbers: a part that is folded so gives no other
        case "least":
            return min(one, other)  # type: ignore[call-overload] # as above
        case "most":
            return max(one, other)  # type: ignore[call-overload] # as above


def _moments(found: object) -> Moments:
    match found:
        case Moments():
            return found
        case {"n": int(n), "mean": float(mean), "var": var}:
            # Of one value Polars knows no variance.
            return Moments(n_rows=n, mean=mean, m2=var * (n - 1) if isinstance(var, float) else 0.0)
        case _:
            # Of no values there is no mean.
            return Moments()
