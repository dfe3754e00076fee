"""What models answered to the rows of a comparison: which rows are positive, which answers are right.

Refuses what cannot be meant (missing answers, texts against numbers, labels where probabilities are needed), so that no
metric is computed on it. All columns have the shape `(n_rows,)`.
"""

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from headway.errors import Unmeasurable

Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Column = npt.NDArray[np.generic]
"""A column as it was read: numbers, flags or texts."""


class Answers(Struct, frozen=True, kw_only=True, eq=False):
    """One model's answers in the order of the rows: labels (or values), and its probabilities of 1, if it gives any."""

    labels: Column
    chances: Column | None = None


def check_answers(truth: Column, answers: Answers, whose: str) -> None:
    """Raises Unmeasurable unless every row of `truth` has an answer, and nothing is missing, NaN or infinite."""
    if len(truth) == 0:
        raise Unmeasurable("the data have no row", at="data", remedy="measure on rows that hold some")
    _check_column(truth, "true values", at="data")
    for column in (answers.labels, answers.chances):
        if column is None:
            continue
        if column.shape != truth.shape:
            raise Unmeasurable(
                f"the {whose} model gave answers of shape {column.shape} to {len(truth):,} rows",
                at=f"{whose} model",
                remedy="let it answer each row with one value",
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
        return int(np.count_nonzero(~np.isfinite(column.astype(np.float64))))
    if column.dtype.kind == "O":
        # NaN is the one value that differs from itself; None is what a table gives for an absent one.
        return sum(1 for value in column.tolist() if value is None or value != value)  # noqa: PLR0124 - as said above
    return 0


def is_binary(column: Column) -> bool:
    """Whether a column holds flags, or numbers that are all 0 or 1.

    >>> is_binary(np.array([0.0, 1.0])), is_binary(np.array([0, 2])), is_binary(np.array(["0", "1"]))
    (True, False, False)
    """
    return column.dtype.kind == "b" or (column.dtype.kind in "iuf" and bool(np.isin(column, (0, 1)).all()))


def positives(truth: Column) -> Flags:
    """The rows whose true value is 1; raises Unmeasurable if some are neither 0 nor 1."""
    if not is_binary(truth):
        seen = ", ".join(repr(value) for value in np.unique(truth.astype(np.str_))[:3].tolist())
        raise Unmeasurable(
            f"the gate cannot tell which rows are positive: the target holds {seen}",
            at="target",
            remedy="write the target as 1 (positive) and 0, or gate on accuracy",
        )
    return truth.astype(np.bool_)


def some(flags: Flags, metric: str, kind: str) -> Flags:
    """The flags as they are; raises Unmeasurable if none is set, for then `metric` has nothing to count."""
    if not flags.any():
        raise Unmeasurable(
            f"{metric} has no value: none of the {len(flags):,} rows is {kind}",
            at=metric,
            remedy="measure on rows that hold both classes",
        )
    return flags


def right_answers(truth: Column, answers: Answers) -> Flags:
    """Which labels are the true ones; raises Unmeasurable if the two are of kinds that are never equal.

    >>> right_answers(np.array([1, 0]), Answers(labels=np.array([True, True]))).tolist()
    [True, False]
    """
    labels = answers.labels
    if (labels.dtype.kind in "biuf") != (truth.dtype.kind in "biuf"):
        raise Unmeasurable(
            f"the model answers in {labels.dtype}, the target holds {truth.dtype}: no answer can be right",
            at="target",
            remedy="let the model answer in the target's own labels",
        )
    if labels.dtype.kind == "f" and is_binary(truth) and not is_binary(labels):
        raise Unmeasurable(
            f"the target is 0 or 1, the model answers with numbers from {labels.min():g} to {labels.max():g}",
            at="target",
            remedy="let the model answer with 0 or 1 (and probabilities beside), or gate on mse",
        )
    return np.asarray(labels == truth, dtype=np.bool_)


def chances_of_one(answers: Answers, metric: str) -> Values:
    """The probabilities of the label 1; raises Unmeasurable if the model gives none, or some outside of [0, 1]."""
    if answers.chances is None:
        raise Unmeasurable(
            f"{metric} needs probabilities of the label 1, and the model gives none",
            at=metric,
            remedy="train one that gives them (predict_proba, classes 0 and 1), or gate on accuracy",
        )
    values = answers.chances.astype(np.float64)
    if values.min() < 0 or values.max() > 1:
        raise Unmeasurable(
            f"{metric} needs probabilities, and the answers run from {values.min():g} to {values.max():g}",
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
    return column.astype(np.float64)
