"""Rows as numbers that trees can learn from: what is known of the columns is fixed once, by the rows that are learned.

Numbers, truth values and times become floats, texts the place of their value among the most frequent ones. What is
missing, unknown, or of another type than it was, is missing to the trees. Neighbours: `loss_model` and `domain` learn;
`model_rows` has the tables that a user's own model is asked with.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from headway.errors import ExtraMissing, Unmeasurable

if TYPE_CHECKING:
    import polars as pl

MOST_VALUES = 250
"""So many values of a text are told apart; scikit-learn's trees take 255 at most."""

_SEED = 20130101

Floats = npt.NDArray[np.float64]


class Columns(Struct, frozen=True, kw_only=True):
    """The columns that are learned from: of each its name, and the values of a text by their place; None of numbers."""

    names: tuple[str, ...]
    values: tuple[tuple[str, ...] | None, ...]

    @property
    def is_category(self) -> list[bool]:
        """Which columns are places without an order."""
        return [one is not None for one in self.values]

    def matrix(self, rows: "pl.DataFrame") -> Floats:
        """The rows as numbers, NaN where there is none; shape `(n_rows, n_columns)`. Columns that lack are missing."""
        found = np.full((rows.height, len(self.names)), np.nan)
        for at, (name, values) in enumerate(zip(self.names, self.values, strict=True)):
            if name in rows.columns:
                found[:, at] = _numbers(rows[name]) if values is None else _places(rows[name], values)
        return found


def columns_of(rows: "pl.DataFrame") -> Columns:
    """What can be learned from in rows, by their types; lists, objects and the like are left out.

    Raises Unmeasurable where nothing is left.
    """
    import polars as pl

    names: list[str] = []
    values: list[tuple[str, ...] | None] = []
    for column in rows.iter_columns():
        if column.dtype.is_numeric() or column.dtype.is_temporal() or column.dtype == pl.Boolean:
            values.append(None)
        elif column.dtype in (pl.String, pl.Categorical, pl.Enum):
            counted = (
                column.cast(pl.String).drop_nulls().value_counts(name="n").sort(["n", column.name], descending=True)
            )
            values.append(tuple(counted[column.name].head(MOST_VALUES).to_list()))
        else:
            continue
        names.append(column.name)
    if not names:
        raise Unmeasurable("no column to learn from", at="rows", remedy="log inputs that are numbers, truths or texts")
    return Columns(names=tuple(names), values=tuple(values))


def _numbers(column: "pl.Series") -> Floats:
    import polars as pl

    if column.dtype.is_nested() or column.dtype == pl.Object:
        return np.full(column.len(), np.nan)
    physical = column.to_physical() if column.dtype.is_temporal() else column
    return np.asarray(physical.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy(), dtype=np.float64)


def _places(column: "pl.Series", values: tuple[str, ...]) -> Floats:
    import polars as pl

    if column.dtype.is_nested() or column.dtype == pl.Object or not values:
        return np.full(column.len(), np.nan)
    texts = column.cast(pl.String, strict=False)
    places = texts.replace_strict(list(values), list(range(len(values))), default=None, return_dtype=pl.Float64)
    return np.asarray(places.fill_null(np.nan).to_numpy(), dtype=np.float64)


# Any: fitted trees of scikit-learn, which ships no types; their options are its own.
def fitted(name: str, matrix: Floats, target: npt.NDArray[Any], **options: object) -> Any:  # noqa: ANN401 (as above)
    """Trees of one of scikit-learn's kinds that have learned `target` of the rows of `matrix`. Raises ExtraMissing.

    In one thread: threads that wait for each other in turns cost ten times as much on a machine that has other work.
    """
    try:
        import sklearn.ensemble as kinds
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped] # ships no types
    except ImportError as e:
        raise ExtraMissing(
            "learning from rows needs scikit-learn, which is not installed",
            at=name,
            remedy="pip install 'headway[sklearn]'",
        ) from e
    with threadpool_limits(limits=1):
        return getattr(kinds, name)(early_stopping=False, random_state=_SEED, **options).fit(matrix, target)


# Any: fitted trees.
def asked(trees: Any, matrix: Floats) -> npt.NDArray[Any]:  # noqa: ANN401 (as above)
    """What they answer to rows, in one thread."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        return np.asarray(trees.predict(matrix))
