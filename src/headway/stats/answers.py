"""What is known of the rows of a comparison and what models answered to them: which are positive, which right.

Refuses what cannot be meant (missing answers, texts against numbers, labels where probabilities are needed), so that no
metric is computed on it. All columns have the shape `(n_rows,)`. What takes a pass over the rows is worked out once and
kept with them, so that twenty checks of the same answers do not compare or sort twenty times.
"""

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt
from msgspec import Struct, field

from headway.errors import Unmeasurable

T = TypeVar("T")

Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Column = npt.NDArray[np.generic]
"""A column as it was read: numbers, flags or texts."""


Places = npt.NDArray[np.int64]
"""A whole number for each row: a place, or the number of a class, unit or query."""

Index = slice | npt.NDArray[np.int64] | Flags
"""Some rows: a stretch (whose columns are views), their places, or a flag for each row."""


class Rows(Struct, frozen=True, kw_only=True, eq=False):
    """What is known of the rows of a comparison besides the answers.

    `truth`: the true labels or values. `units`: a number for each row, equal for rows of one unit, such as one
    customer; only units are independent of each other then. `queries`: a number for each row, equal for rows that are
    ranked together. `seed` (>= 0) feeds what is resampled, so that the same rows give the same range on any machine.
    """

    truth: Column
    units: npt.NDArray[np.int64] | None = None
    queries: npt.NDArray[np.int64] | None = None
    seed: int = 0
    weights: Values | None = None
    """How many rows alike each of these stands for; made by `classes.alike` only, for metrics of labels alone."""
    kept: dict[tuple[str | int, ...], tuple[object, ...]] = field(default_factory=dict)
    """What was worked out of these rows; see `once`."""

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def n_rows(self) -> int:
        """How many rows there are, those alike counted each."""
        return len(self.truth) if self.weights is None else int(self.weights.sum())

    def count(self, flags: Flags) -> int:
        """How many rows are flagged, those alike counted each."""
        return int(np.count_nonzero(flags)) if self.weights is None else int(self.weights[flags].sum())

    def mean(self, values: Values) -> float:
        """The mean over all rows."""
        return float(np.mean(values) if self.weights is None else (self.weights * values).sum() / self.weights.sum())

    def take(self, index: Index) -> "Rows":
        """Some of the rows, in the order of `index`. Keep what you take: what is worked out stays with it."""
        return Rows(
            truth=self.truth[index],
            units=None if self.units is None else self.units[index],
            queries=None if self.queries is None else self.queries[index],
            seed=self.seed,
        )

    def once(self, name: str, make: Callable[[], T], *of: object) -> T:
        """What `make` gives, made at the first call with this name and these very objects."""
        key: tuple[str | int, ...] = (name, *map(id, of))
        if key not in self.kept:
            # The objects are kept too, for else another could come to have the same id.
            self.kept[key] = (make(), *of)
        return cast("T", self.kept[key][0])


class Answers(Struct, frozen=True, kw_only=True, eq=False):
    """One model's answers in the order of the rows.

    `labels`: the class or value of each row (what ranks, where there are no `chances`). `chances`: the probability of
    the label 1. `probabilities`: those of each of `classes`, shape `(n_rows, n_classes)`. `quantiles`: forecast
    quantiles by their level in (0, 1).
    """

    labels: Column
    chances: Column | None = None
    classes: tuple[object, ...] = ()
    probabilities: Values | None = None
    quantiles: dict[float, Values] | None = None

    def take(self, index: Index) -> "Answers":
        """The answers to some of the rows, in the order of `index`."""
        quantiles = self.quantiles
        return Answers(
            labels=self.labels[index],
            chances=None if self.chances is None else self.chances[index],
            classes=self.classes,
            probabilities=None if self.probabilities is None else self.probabilities[index],
            quantiles=None if quantiles is None else {level: values[index] for level, values in quantiles.items()},
        )


def check_answers(rows: Rows, answers: Answers, whose: str) -> None:
    """Raises Unmeasurable unless every row has an answer, and nothing is missing, NaN or infinite."""
    rows.once("rows are sound", lambda: _check_rows(rows))
    rows.once("answers are sound", lambda: _check_said(rows, answers, whose), answers)


def _check_rows(rows: Rows) -> None:
    if len(rows) == 0:
        raise Unmeasurable("the data have no row", at="data", remedy="measure on rows that hold some")
    _check_column(rows.truth, "true values", at="data")
    for column, what in ((rows.units, "units"), (rows.queries, "queries")):
        if column is not None and column.shape != rows.truth.shape:
            raise ValueError(f"{what} of shape {column.shape} for {len(rows)} rows")


def _check_said(rows: Rows, answers: Answers, whose: str) -> None:
    columns = [answers.labels, answers.chances, *(answers.quantiles or {}).values()]
    shapes = [(column, rows.truth.shape) for column in columns if column is not None]
    if answers.probabilities is not None:
        shapes.append((answers.probabilities, (len(rows), len(answers.classes))))
    for column, shape in shapes:
        if column.shape != shape:
            each = "one value" if len(shape) == 1 else f"{shape[1]} probabilities, one for each of its classes"
            raise Unmeasurable(
                f"the {whose} model gave answers of shape {column.shape} to {len(rows):,} rows",
                at=f"{whose} model",
                remedy=f"let it answer each row with {each}",
            )
        _check_column(column, f"answers of the {whose} model", at=f"{whose} model")


def _check_column(column: Column, what: str, *, at: str) -> None:
    n_missing = _count_missing(column)
    if n_missing:
        raise Unmeasurable(
            f"{n_missing:,} of {len(column):,} {what} are missing or no finite number",
            at=at,
            remedy="mend or leave out those rows before the gate; it does not guess",
        )


def _count_missing(column: Column) -> int:
    if column.dtype.kind == "f":
        finite: Flags = np.isfinite(column.astype(np.float64, copy=False))
        return len(column) - int(np.count_nonzero(finite if finite.ndim == 1 else finite.all(axis=1)))
    if column.dtype.kind == "O":
        # NaN is the one value that differs from itself; None is what a table gives for an absent one.
        return sum(1 for value in column.tolist() if value is None or value != value)  # noqa: PLR0124 - as said above
    return 0


def is_binary(column: Column) -> bool:
    """Whether a column holds flags, or numbers that are all 0 or 1.

    >>> is_binary(np.array([0.0, 1.0])), is_binary(np.array([0, 2])), is_binary(np.array(["0", "1"]))
    (True, False, False)
    """
    return column.dtype.kind == "b" or (
        column.dtype.kind in "iuf" and bool(np.logical_or(column == 0, column == 1).all())
    )


def has_positives(rows: Rows) -> bool:
    """Whether the truth is 0 and 1, so that some rows can be called positive."""
    return rows.once("is binary", lambda: is_binary(rows.truth))


def positives(rows: Rows) -> Flags:
    """The rows whose true value is 1; raises Unmeasurable if some are neither 0 nor 1."""
    if not has_positives(rows):
        seen = ", ".join(repr(value) for value in np.unique(rows.truth.astype(np.str_))[:3].tolist())
        raise Unmeasurable(
            f"the gate cannot tell which rows are positive: the target holds {seen}",
            at="target",
            remedy="write the target as 1 (positive) and 0, or gate on accuracy or f1_macro",
        )
    return rows.once("positive", lambda: rows.truth.astype(np.bool_))


def some(flags: Flags, metric: str, kind: str) -> Flags:
    """The flags as they are; raises Unmeasurable if none is set, for then `metric` has nothing to count."""
    if not flags.any():
        raise Unmeasurable(
            f"{metric} has no value: none of the {len(flags):,} rows is {kind}",
            at=metric,
            remedy="measure on rows that hold both classes",
        )
    return flags


def right_answers(rows: Rows, answers: Answers) -> Flags:
    """Which labels are the true ones; raises Unmeasurable if the two are of kinds that are never equal.

    >>> right_answers(Rows(truth=np.array([1, 0])), Answers(labels=np.array([True, True]))).tolist()
    [True, False]
    """
    return rows.once("right", lambda: _right_answers(rows, answers), answers)


def _right_answers(rows: Rows, answers: Answers) -> Flags:
    labels, truth = answers.labels, rows.truth
    if (labels.dtype.kind in "biuf") != (truth.dtype.kind in "biuf"):
        raise Unmeasurable(
            f"the model answers in {labels.dtype}, the target holds {truth.dtype}: no answer can be right",
            at="target",
            remedy="let the model answer in the target's own labels",
        )
    if labels.dtype.kind == "f" and has_positives(rows) and not is_binary(labels):
        raise Unmeasurable(
            f"the target is 0 or 1, the model answers with numbers from {labels.min():g} to {labels.max():g}",
            at="target",
            remedy="let the model answer with 0 or 1 (and probabilities beside), or gate on mse",
        )
    return np.asarray(labels == truth, dtype=np.bool_)


def called_positive(rows: Rows, answers: Answers) -> Flags:
    """The rows that the model calls positive: right on a positive row, or wrong on another."""
    return rows.once("called", lambda: right_answers(rows, answers) == positives(rows), answers)


def chances_of_one(rows: Rows, answers: Answers, metric: str) -> Values:
    """The probabilities of the label 1; raises Unmeasurable if the model gives none, or some outside of [0, 1]."""
    chances = answers.chances
    if chances is None:
        raise Unmeasurable(
            f"{metric} needs probabilities of the label 1, and the model gives none",
            at=metric,
            remedy="train one that gives them (predict_proba, classes 0 and 1), or gate on accuracy",
        )
    values = rows.once("chances", lambda: chances.astype(np.float64, copy=False), answers)
    lowest, highest = rows.once("span of chances", lambda: (float(values.min()), float(values.max())), answers)
    if lowest < 0 or highest > 1:
        raise Unmeasurable(
            f"{metric} needs probabilities, and the answers run from {lowest:g} to {highest:g}",
            at=metric,
            remedy="let the model answer with the probability of 1",
        )
    return values


def numbers(column: Column, metric: str) -> Values:
    """The column as numbers; raises Unmeasurable if it holds texts."""
    if column.dtype.kind not in "biuf":
        raise Unmeasurable(
            f"{metric} needs numbers, and a column holds {column.dtype}",
            at=metric,
            remedy="gate on accuracy, or name a column of numbers as target",
        )
    return column.astype(np.float64, copy=False)
