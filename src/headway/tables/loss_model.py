"""How large the loss of a regression is without labels: learned from the reference's rows, row by row.

Trees learn which loss a row's inputs and its prediction lead to; their mean over new rows is what the metric will be
(direct loss estimation). It holds as long as rows with such inputs are as hard as they were (no change of concept), and
within what the reference has seen: so it warns and never decides. Classifiers are `stats/estimate`'s business.
Sources: NannyML's description of DLE for the method; Satterthwaite (1946), Biometrics Bull. 2, 110-114, for the degrees
of freedom of the intervals, which are ours.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from scipy import special

from headway.errors import Unmeasurable
from headway.stats.estimate import Estimated
from headway.tables.learned import Columns, asked, columns_of, fitted

if TYPE_CHECKING:
    import polars as pl

Floats = npt.NDArray[np.float64]

_BY_ROW: dict[str, Callable[[Floats, Floats], Floats]] = {
    "mae": lambda said, true: np.abs(said - true),
    "mape": lambda said, true: np.abs(said - true) / np.abs(true),
    "mse": lambda said, true: (said - true) ** 2,
    "rmse": lambda said, true: (said - true) ** 2,
}

LOSSES = tuple(_BY_ROW)
"""What can be estimated, as the gate calls it."""

FEW_ROWS = 200
"""Of fewer rows with labels nothing is learned."""

N_FOLDS = 8
"""The reference is learned so many times again without a part of it: how surely it is known what rows lead to."""

N_TREES = 200
"""So many trees, each of which makes a small step; half as many, with steps twice as large, for the folds."""

N_LEVELS = 10
"""Rows are put together by the loss that is expected of them: how far their losses lie apart depends on it."""


class LossModel(Struct, frozen=True, kw_only=True, eq=False):
    """What was learned. `whole` are the trees of all rows, `folds` those without a part of them.

    `levels` are the bounds between levels of expected loss, `variances` how much losses vary about it in each; `lowest`
    and `highest` the range of the losses that were seen.
    """

    loss: str
    columns: Columns
    # Any: fitted trees of scikit-learn, which ships no types.
    whole: Any
    folds: tuple[Any, ...]
    levels: Floats
    variances: Floats
    lowest: float
    highest: float

    def expected(self, rows: "pl.DataFrame", predictions: Floats) -> Floats:
        """The loss that is expected of each row, in the unit of the row's loss (squared for mse and rmse)."""
        return self._asked(self.whole, _matrix(self.columns, rows, predictions))

    def estimate(
        self, rows: "pl.DataFrame", predictions: Floats, *, confidence: float = 0.95, effect: float = 1.0
    ) -> Estimated:
        """What the metric will be on these rows, `predictions` of shape `(n_rows,)`.

        The interval holds what labels will say if the two conditions of the module are met: the chance of each row is
        in it (divided by the design effect of rows that are alike), and that of what was learned.
        Raises Unmeasurable without rows.
        """
        if not rows.height:
            raise Unmeasurable("no row to estimate by", at=self.loss, remedy="wait for predictions")
        matrix = _matrix(self.columns, rows, predictions)
        expected = self._asked(self.whole, matrix)
        value = float(expected.mean())
        of_rows = float(self.variances[np.searchsorted(self.levels, expected)].mean()) * effect / rows.height
        means = np.array([self._asked(fold, matrix).mean() for fold in self.folds], dtype=np.float64)
        # The jackknife of Quenouille (1956) and Tukey, over parts of the reference.
        of_learning = (N_FOLDS - 1) / N_FOLDS * float(np.sum((means - means.mean()) ** 2))
        variance = of_rows + of_learning
        # Satterthwaite's degrees of freedom: only what is known from the folds is itself an estimate.
        freedom = (N_FOLDS - 1) * (variance / of_learning) ** 2 if of_learning > 0 else np.inf
        wide = float(special.stdtrit(freedom, (1 + confidence) / 2)) * variance**0.5
        ends = [value, max(value - wide, 0.0), value + wide]
        found = [end**0.5 for end in ends] if self.loss == "rmse" else ends
        return Estimated(value=found[0], low=found[1], high=found[2], n_rows=rows.height)

    # Any: as above.
    def _asked(self, trees: Any, matrix: Floats) -> Floats:  # noqa: ANN401 (as above)
        return np.clip(asked(trees, matrix).astype(np.float64), self.lowest, self.highest)


def fit(rows: "pl.DataFrame", predictions: Floats, labels: Floats, loss: str) -> LossModel:
    """Learn from the reference which loss its rows lead to; `predictions` and `labels` of shape `(n_rows,)`.

    `rows` in the order of time. `loss` is one of LOSSES; rows without a loss (no label, no number) are passed over. The
    same rows give the same model. Some 10 s of CPU for 20,000 rows of ten columns, in one thread.
    Raises Unmeasurable for another loss or with fewer than FEW_ROWS rows, ExtraMissing without scikit-learn.
    """
    if loss not in _BY_ROW:
        raise Unmeasurable(
            f"{loss} is not estimated without labels", at=loss, remedy=f"estimate one of {', '.join(LOSSES)}"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        losses = _BY_ROW[loss](np.asarray(predictions, dtype=np.float64), np.asarray(labels, dtype=np.float64))
    held = np.isfinite(losses)
    if int(held.sum()) < FEW_ROWS:
        raise Unmeasurable(
            f"{int(held.sum())} rows have a label, and nothing is learned from fewer than {FEW_ROWS}",
            at=loss,
            remedy="take a reference of more rows with labels",
        )
    columns = columns_of(rows)
    matrix, losses = _matrix(columns, rows, predictions)[held], losses[held]
    parts = np.arange(len(losses)) * N_FOLDS // len(losses)
    folds = tuple(
        _fitted(columns, matrix[parts != part], losses[parts != part], N_TREES // 2) for part in range(N_FOLDS)
    )
    whole = _fitted(columns, matrix, losses, N_TREES)
    unseen = np.empty_like(losses)
    for part, fold in enumerate(folds):
        unseen[parts == part] = asked(fold, matrix[parts == part])
    levels = np.unique(np.quantile(unseen, np.arange(1, N_LEVELS) / N_LEVELS))
    at = np.searchsorted(levels, unseen)
    n_rows = np.maximum(np.bincount(at, minlength=len(levels) + 1), 1)
    variances = np.bincount(at, (losses - unseen) ** 2, len(levels) + 1) / n_rows
    return LossModel(
        loss=loss,
        columns=columns,
        whole=whole,
        folds=folds,
        levels=levels,
        variances=variances,
        lowest=float(losses.min()),
        highest=float(losses.max()),
    )


def _matrix(columns: Columns, rows: "pl.DataFrame", predictions: Floats) -> Floats:
    return np.column_stack([columns.matrix(rows), np.asarray(predictions, dtype=np.float64)])


# Any: fitted trees of scikit-learn.
def _fitted(columns: Columns, matrix: Floats, losses: Floats, n_trees: int) -> Any:  # noqa: ANN401 (as above)
    """Trees with large leaves and small steps: losses are mostly noise, and their mean is what counts."""
    return fitted(
        "HistGradientBoostingRegressor",
        matrix,
        losses,
        learning_rate=10 / n_trees,
        max_iter=n_trees,
        min_samples_leaf=int(np.clip(len(losses) // 50, 20, 100)),
        categorical_features=[*columns.is_category, False],
    )
