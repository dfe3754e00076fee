"""What the columns of a comparison say: which rows are positive, which answers are right, which are probabilities.

Refuses what cannot be meant (missing answers, texts against numbers, labels where probabilities are needed), so that no
metric is computed on it. All columns have the shape `(n_rows,)`.
"""

import numpy as np
import numpy.typing as npt

from headway.errors import Unmeasurable

Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Column = npt.NDArray[np.generic]
"""A column as it was read: numbers, flags or texts."""


def check_answers(truth: Column, answers: Column, whose: str) -> None:
    """Raises Unmeasurable unless every row of `truth` has an answer, and neither is missing, NaN or infinite."""
    if len(truth) == 0:
        raise Unmeasurable("the data have no row", at="data", remedy="measure on rows that hold some")
    if answers.shape != truth.shape:
        raise Unmeasurable(
            f"the {whose} model gave answers of shape {answers.shape} to {len(truth):,} rows",
            at=f"{whose} model",
            remedy="let it answer each row with one value",
        )
    for column, what in ((truth, "true values"), (answers, f"answers of the {whose} model")):
        n_missing = _count_missing(column)
        if n_missing:
            raise Unmeasurable(
                f"{n_missing:,} of {len(truth):,} {what} are missing or no finite number",
                at="data" if column is truth else f"{whose} model",
                remedy="mend or leave out those rows before the gate; it does not guess",
            )


def _count_missing(column: Column) -> int:
    if column.dtype.kind == "f":
        return int(np.count_nonzero(~np.isfinite(column.astype(np.float64))))
    if column.dtype.kind == "O":
        # NaN is the one value that differs from itself; None is what a table gives for an absent one.
        return sum(1 for value in column.tolist() if value is None or value != value)  # noqa: PLR0124 - as said above
    return 0


def is_binary(truth: Column) -> bool:
    """Whether the true values are flags, or numbers that are all 0 or 1.

    >>> is_binary(np.array([0.0, 1.0])), is_binary(np.array([0, 2])), is_binary(np.array(["0", "1"]))
    (True, False, False)
    """
    return truth.dtype.kind == "b" or (truth.dtype.kind in "iuf" and bool(np.isin(truth, (0, 1)).all()))


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


def right_answers(truth: Column, answers: Column) -> Flags:
    """Which answers are right, taken as labels; probabilities of 1 count as the label 1 from 0.5 on.

    Raises Unmeasurable if answers and truth are of kinds that are never equal.

    >>> right_answers(np.array([1, 0]), np.array([0.7, 0.6])).tolist()
    [True, False]
    """
    if answers.dtype.kind == "f" and is_binary(truth):
        return np.asarray((probabilities(answers, "this metric") >= 0.5) == truth.astype(np.bool_))
    if (answers.dtype.kind in "biuf") != (truth.dtype.kind in "biuf"):
        raise Unmeasurable(
            f"the model answers in {answers.dtype}, the target holds {truth.dtype}: no answer can be right",
            at="target",
            remedy="let the model answer in the target's own labels",
        )
    return np.asarray(answers == truth, dtype=np.bool_)


def scores(answers: Column) -> Values:
    """The answers as numbers whose order counts; raises Unmeasurable if they are labels."""
    if answers.dtype.kind != "f":
        raise _labels_instead("auc", answers)
    return answers.astype(np.float64)


def probabilities(answers: Column, metric: str) -> Values:
    """The answers as probabilities; raises Unmeasurable if they are labels or leave [0, 1]."""
    if answers.dtype.kind != "f":
        raise _labels_instead(metric, answers)
    values = answers.astype(np.float64)
    if values.min() < 0 or values.max() > 1:
        raise Unmeasurable(
            f"{metric} needs probabilities, and the answers run from {values.min():g} to {values.max():g}",
            at=metric,
            remedy="let the model answer with the probability of 1",
        )
    return values


def _labels_instead(metric: str, answers: Column) -> Unmeasurable:
    return Unmeasurable(
        f"{metric} needs probabilities, and the model answers in labels ({answers.dtype})",
        at=metric,
        remedy="let the model answer with the probability of 1, or gate on accuracy",
    )


def numbers(column: Column, metric: str) -> Values:
    """The column as numbers; raises Unmeasurable if it holds texts."""
    if column.dtype.kind not in "biuf":
        raise Unmeasurable(
            f"{metric} needs numbers, and a column holds {column.dtype}",
            at=metric,
            remedy="gate on accuracy, or name a column of numbers as target",
        )
    return column.astype(np.float64)
