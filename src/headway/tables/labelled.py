"""Predictions of a window with the labels that came for them, as truth and answers to measure by.

Of several labels for one row the last to come counts, so that corrections do; one that came twice counts once. Which
answer is positive says the layout, so that what is measured live is what was measured on the reference. Neighbours:
`prediction_log` reads the files, `stats/metrics` measures.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from headway.core.reference import FIRST, OTHER, PREDICTION, Axis, Layout, shown
from headway.core.sketch import N_CELLS
from headway.tables import prediction_log
from headway.tables.prediction_lines import FEATURE, common

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from headway.stats.answers import Answers, Rows

_KEY = ["request_id", "row"]

LABEL = "label"


class Labelled(Struct, frozen=True, kw_only=True, eq=False):
    """The rows of a window that have a label, in order of time, with their `label`; of `n_rows` in all."""

    # polars.DataFrame, which is not imported before a table is read.
    frame: Any
    n_rows: int

    @property
    def n_labelled(self) -> int:
        """How many rows have a label."""
        return int(self.frame.height)


def labels_since(folder: str, since: float) -> "pl.DataFrame":
    """The labels that came since then (UTC seconds): request, row, label; of several for a row the last to come."""
    found = prediction_log.read(folder, "labels", since=since)
    if not found.height:
        import polars as pl

        return pl.DataFrame(schema={"request_id": pl.String, "row": pl.Int64, LABEL: pl.Float64})
    last = found.unique(subset=_KEY, keep="last", maintain_order=True)
    return last.select(*_KEY, LABEL).filter(last[LABEL].is_not_null())


class Wanted(Struct, frozen=True, kw_only=True):
    """The window that is wanted: what `version` answered from `since` to `until` (UTC seconds)."""

    version: int
    since: float
    until: float


def labelled(folder: str, labels: "pl.DataFrame", wanted: Sequence[Wanted]) -> list[Labelled]:
    """What was answered in each of these windows, with those labels. The log is read once for all of them."""
    import polars as pl

    frames: list[list[pl.DataFrame]] = [[] for _ in wanted]
    n_rows = [0] * len(wanted)
    since, until = min(one.since for one in wanted), max(one.until for one in wanted)
    for frame in prediction_log.scan(folder, since=since, until=until):
        for at, one in enumerate(wanted):
            own = frame.filter(
                (pl.col("version") == one.version) & (pl.col("at") >= one.since) & (pl.col("at") < one.until)
            )
            if own.height:
                n_rows[at] += own.height
                frames[at].append(own.join(labels, on=_KEY, how="inner", maintain_order="left"))
    return [Labelled(frame=together(own), n_rows=n) for own, n in zip(frames, n_rows, strict=True)]


def together(frames: "Sequence[pl.DataFrame]") -> "pl.DataFrame":
    """Tables of which a column may be of numbers here and of texts there, as one in order of time."""
    import polars as pl

    if not frames:
        return pl.DataFrame(schema={"request_id": pl.String, "row": pl.Int64, "at": pl.Float64})
    kinds: dict[str, pl.DataType] = {}
    for frame in frames:
        for name, dtype in frame.schema.items():
            kinds[name] = common(kinds.get(name, pl.Null()), dtype)
    alike = [frame.cast({n: kinds[n] for n in frame.columns if frame.schema[n] != kinds[n]}) for frame in frames]
    return pl.concat(alike, how="diagonal").sort("at", maintain_order=True)


def measurable(frame: "pl.DataFrame", layout: Layout) -> "tuple[Rows, Answers] | None":
    """Truth and answers of labelled rows; None where there are none, or the answers have several outputs.

    Numbers stay numbers; of two classes the positive one is 1, other classes are texts.
    """
    import numpy as np

    from headway.stats.answers import Answers, Rows

    if not frame.height or PREDICTION not in frame.columns:
        return None
    if is_of_numbers(layout):
        truth, answer = _numbers(frame[LABEL]), _numbers(frame[PREDICTION])
        there = np.isfinite(truth) & np.isfinite(answer)
        return (Rows(truth=truth[there]), Answers(labels=answer[there])) if there.any() else None
    if layout.yes is None:
        return Rows(truth=_texts(frame[LABEL])), Answers(labels=_texts(frame[PREDICTION]))
    yes = shown(layout.yes)
    truth = (_texts(frame[LABEL]) == yes).astype(np.int64)
    if layout.score not in frame.columns:
        return Rows(truth=truth), Answers(labels=(_texts(frame[PREDICTION]) == yes).astype(np.int64))
    score = _numbers(frame[layout.score])
    is_yes = score >= layout.threshold if layout.score == PREDICTION else _texts(frame[PREDICTION]) == yes
    there = np.isfinite(score)
    answers = Answers(labels=is_yes.astype(np.int64)[there], chances=score[there])
    return (Rows(truth=truth[there]), answers) if there.any() else None


def held(frame: "pl.DataFrame", layout: Layout) -> "tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]] | None":
    """Of labelled rows the score, and whether what it promises came true; None where there is no score.

    Of two classes the score is that of the positive one, and promises it. Of more it is the largest probability, and
    promises that the answer is right.
    """
    import numpy as np

    if not {LABEL, *layout.scores} <= set(frame.columns) or not layout.scores:
        return None
    rows = frame.filter(frame[LABEL].is_not_null())
    if not layout.largest:
        found = measurable(rows, layout)
        if found is None or found[1].chances is None:
            return None
        return np.asarray(found[1].chances, dtype=np.float64), np.asarray(found[0].truth == 1)
    if PREDICTION not in frame.columns:
        return None
    scores = sureness(rows, layout)
    there = np.isfinite(scores)
    return scores[there], (_texts(rows[LABEL]) == _texts(rows[PREDICTION]))[there]


def sureness(frame: "pl.DataFrame", layout: Layout) -> "npt.NDArray[np.float64]":
    """The largest probability of each row of a model of more than two classes; NaN where there is none."""
    import numpy as np

    return np.asarray(np.fmax.reduce([_numbers(frame[name]) for name in layout.largest]), dtype=np.float64)


def is_of_numbers(layout: Layout) -> bool:
    """Whether the model gives numbers, and not classes."""
    return layout.yes is None and any(axis.name == PREDICTION and axis.kind == "number" for axis in layout.outputs)


def label_axis(labels: "pl.Series", *, of_numbers: bool) -> Axis:
    """How labels are counted, by those of a reference: numbers by their quantiles, else the most frequent values."""
    import numpy as np

    if not of_numbers:
        counts = labels.drop_nulls().value_counts(sort=True).head(N_CELLS - FIRST)
        values = tuple(dict.fromkeys(shown(value) for value in counts[labels.name].to_list()))
        return Axis(name=LABEL, kind="category", values=values)
    numbers = _numbers(labels)
    numbers = numbers[np.isfinite(numbers)]
    shares = np.arange(1, N_CELLS - FIRST) / (N_CELLS - FIRST)
    edges = np.unique(np.quantile(numbers, shares)) if len(numbers) else np.array([])
    return Axis(name=LABEL, kind="number", edges=tuple(edges.tolist()))


def label_counts(labels: "pl.Series", axis: Axis) -> "npt.NDArray[np.int64]":
    """The labels counted on it, shape `(64,)`; those that are missing are left out."""
    import numpy as np

    if axis.kind == "category":
        known = {value: cell for cell, value in enumerate(axis.values, start=FIRST)}
        cells = [known.get(value, OTHER) for value in _texts(labels.drop_nulls()).tolist()]
        return np.bincount(np.array(cells, dtype=np.int64), minlength=N_CELLS)
    numbers = _numbers(labels)
    there = numbers[np.isfinite(numbers)]
    return np.bincount(FIRST + np.searchsorted(axis.edges, there), minlength=N_CELLS)


def slices_of(frame: "pl.DataFrame", columns: Sequence[str], *, least: int, most: int) -> "list[Slice]":
    """The rows of each value of these columns that has `least` rows; of many values the `most` frequent."""
    found: list[Slice] = []
    for column in columns:
        name = FEATURE + column
        if name not in frame.columns:
            continue
        counts = frame[name].drop_nulls().value_counts(sort=True).head(most)
        for value, n in counts.iter_rows():
            if n >= least:
                found.append(Slice(column=column, value=value, frame=frame.filter(frame[name] == value)))
    return found


class Slice(Struct, frozen=True, kw_only=True, eq=False):
    """The rows that have a value in a column."""

    column: str
    # Any: a value of a table; polars.DataFrame, as above.
    value: Any
    frame: Any


def _texts(values: "pl.Series") -> "npt.NDArray[np.str_]":
    """The values as they read; alike ones are read once."""
    import numpy as np

    known = {value: shown(value) for value in values.unique().to_list()}
    return np.array([known[value] for value in values.to_list()], dtype=np.str_)


def _numbers(values: "pl.Series") -> "npt.NDArray[np.float64]":
    """The values as numbers, NaN where one is none."""
    import numpy as np
    import polars as pl

    return np.asarray(values.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy(), dtype=np.float64)
