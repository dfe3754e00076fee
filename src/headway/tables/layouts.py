"""From rows that a version answered to what its live predictions are counted on, and what the rows themselves count.

Columns are those of the prediction log: `feature.<name>`, `prediction`, `probability.<class>`, and `label` where the
truth is known. Neighbours: `reference_rows` takes the rows, `sketches` counts, `labelled` says what is true and what
was answered.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from msgspec import structs

from headway.core.reference import (
    FIRST,
    PREDICTION,
    PROBABILITY,
    Axis,
    Calibration,
    Layout,
    Realised,
    shown,
)
from headway.core.scalar import Scalar
from headway.core.sketch import N_CELLS, merge
from headway.errors import Unmeasurable
from headway.stats.sketch import fix_cells
from headway.tables.labelled import LABEL
from headway.tables.prediction_lines import FEATURE
from headway.tables.sketches.counter import Counter

if TYPE_CHECKING:
    import polars as pl

    from headway.core.sketch import Sketch

MOST_VALUES = N_CELLS - FIRST
MOST_BLOCKS = 62
MOST_CLASSES = 10
"""Of a model of more classes the probabilities are not counted."""

LEAST_CALIBRATED = 50
"""Fewer labelled rows say nothing of how sure a model may be."""

_REALISED = {
    "yes": ("accuracy", "precision", "recall", "specificity", "f1", "auc", "balanced_accuracy", "log_loss", "brier"),
    "classes": ("accuracy", "balanced_accuracy", "precision_macro", "recall_macro", "f1_macro"),
    "numbers": ("mae", "rmse", "mse", "bias", "r2", "median_absolute_error"),
}

_CONFIDENCE = 0.975
"""Each bound holds so surely, so that a range of both does with 95 %."""


# Any: classes are whatever the model was trained on.
def lay_out(frame: "pl.DataFrame", version: int, classes: Sequence[Any] = ()) -> Layout:
    """The layout that rows and answers of a reference fix. `classes` are a classifier's, in the model's order.

    Of two classes 1 or true is the positive one, else the last.
    """
    inputs = tuple(_axis(name.removeprefix(FEATURE), frame[name]) for name in frame.columns if name.startswith(FEATURE))
    told = [name for name in frame.columns if name == PREDICTION or name.startswith(f"{PREDICTION}.")]
    outputs = [_answers(name, frame[name], classes) for name in told]
    yes: Scalar = None
    if len(classes) == 2:
        yes = next((one for one in classes if one == 1), classes[-1])
        chances = [f"{PROBABILITY}{yes}"]
    else:
        chances = [f"{PROBABILITY}{one}" for one in classes] if len(classes) <= MOST_CLASSES else []
    outputs += [
        Axis(name=name, kind="number", edges=fix_cells(_numbers(frame[name])))
        for name in chances
        if name in frame.columns
    ]
    if not classes and _says_chances(frame):
        yes = 1
    layout = Layout(version=version, inputs=inputs, outputs=tuple(outputs), yes=yes)
    return structs.replace(layout, calibration=_calibration(frame, layout))


def _axis(name: str, values: "pl.Series") -> Axis:
    """How an input is counted: numbers by bins, all else by its most frequent values."""
    if values.dtype.is_numeric() and values.len() > values.null_count():
        return Axis(name=name, kind="number", edges=fix_cells(_numbers(values)))
    return Axis(name=name, kind="category", values=_frequent(values))


# Any: as above.
def _answers(name: str, values: "pl.Series", classes: Sequence[Any]) -> Axis:
    """How answers are counted: classes and few whole numbers by value, other numbers by bins."""
    if classes:
        seen = {shown(one) for one in classes}
        more = [one for one in _frequent(values) if shown(one) not in seen]
        return Axis(name=name, kind="category", values=(*classes, *more)[:MOST_VALUES])
    is_few = values.dtype.is_integer() and values.n_unique() <= MOST_VALUES
    if values.dtype.is_numeric() and not is_few:
        return Axis(name=name, kind="number", edges=fix_cells(_numbers(values)))
    return Axis(name=name, kind="category", values=_frequent(values))


def _frequent(values: "pl.Series") -> tuple[Scalar, ...]:
    """The most frequent values, of those alike the least first."""
    counts: dict[str, int] = {}
    by_name: dict[str, Scalar] = {}
    for value, n in values.drop_nulls().value_counts().iter_rows():
        name = shown(value)
        by_name.setdefault(name, value)
        counts[name] = counts.get(name, 0) + n
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    return tuple(by_name[name] for name in ranked[:MOST_VALUES])


def _numbers(values: "pl.Series") -> npt.NDArray[np.float64]:
    import polars as pl

    return np.asarray(values.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy(), dtype=np.float64)


def _says_chances(frame: "pl.DataFrame") -> bool:
    """Whether a model's answers are the chance of a truth that is 0 or 1."""
    if LABEL not in frame.columns or PREDICTION not in frame.columns or not frame[PREDICTION].dtype.is_float():
        return False
    answers = _numbers(frame[PREDICTION])
    truth = {shown(value) for value in frame[LABEL].drop_nulls().unique().to_list()}
    is_chance = bool(len(answers)) and bool(np.all((answers >= 0) & (answers <= 1)))
    return is_chance and truth in ({"0", "1"}, {"false", "true"})


def _calibration(frame: "pl.DataFrame", layout: Layout) -> Calibration | None:
    """How often the score held; None without labels of both kinds."""
    from headway.stats.sketch_chances import calibrated
    from headway.tables.labelled import held

    found = held(frame, layout)
    if found is None or len(found[0]) < LEAST_CALIBRATED:
        return None
    scores, truth = found
    if truth.all() or not truth.any():
        return None
    fit = calibrated(scores, truth, most=MOST_BLOCKS)
    return Calibration(
        at=tuple(fit.at.tolist()),
        chances=tuple(fit.chances.tolist()),
        blocks=tuple(fit.blocks.tolist()),
        variances=tuple(fit.variances.tolist()),
    )


def count_blocks(frame: "pl.DataFrame", blocks: Sequence[int], layout: Layout) -> "tuple[Sketch, list[Sketch]]":
    """The rows counted on their layout: all of them, and each of their blocks. Raises Unmeasurable without a row."""
    import polars as pl

    whole = structs.replace(layout, cell_rows=2**31, cell_s=1e15)
    marked = frame.with_columns(
        pl.Series("block", blocks, dtype=pl.Int64),
        pl.lit("").alias("request_id"),
        pl.lit(0, pl.Int64).alias("row"),
        pl.lit(0.0).alias("at"),
        pl.lit(0.0).alias("ms"),
    )
    found: list[Sketch] = []
    for part in marked.partition_by("block", maintain_order=True, include_key=False):
        counter = Counter(whole)
        counter.add_frame(part)
        found += counter.cells()
    return merge(found), found


def realised(frame: "pl.DataFrame", layout: Layout) -> dict[str, Realised]:
    """What the labels say of the answers, metric by metric; nothing without labels."""
    from headway.stats.metrics import measure
    from headway.tables.labelled import is_of_numbers, measurable

    if LABEL not in frame.columns:
        return {}
    found = measurable(frame.filter(frame[LABEL].is_not_null()), layout)
    if found is None:
        return {}
    kind = "numbers" if is_of_numbers(layout) else "classes" if layout.yes is None else "yes"
    told: dict[str, Realised] = {}
    for metric in _REALISED[kind]:
        try:
            one = measure(metric, found[0], found[1], None, _CONFIDENCE)
        except Unmeasurable:
            # One class is absent, or there are no chances: of this metric nothing is known.
            continue
        told[metric] = Realised(value=one.value, low=one.low, high=one.high)
    return told
