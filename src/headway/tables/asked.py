"""Models asked about the rows of a table: about all at once, and about single rows with a watch.

Neighbour: `predictions` reads what a model answered elsewhere. Knows no metric.
"""

import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from headway.core.prediction import LoadedModel, Prediction
from headway.errors import HeadwayError, ModelUnreadable

if TYPE_CHECKING:
    import polars as pl

    from headway.stats.answers import Answers, Values

TIMED, WARM_UP = 500, 30
"""Rows that are answered one by one to time them, and those before, whose times do not count."""

NEW, OLD = "the challenger", "the champion"
"""What the two models of a gate are called."""

TIME_LIMIT_S = 30.0
"""Timing ends after so long, with the times that there are."""


def predicted(model: LoadedModel, rows: "pl.DataFrame", called: str) -> Prediction:
    """What a model says to these rows. It may be a program: whatever that raises comes as ModelUnreadable."""
    try:
        return model.predict(rows)
    except HeadwayError:
        raise
    except Exception as e:
        raise ModelUnreadable(
            f"{called} fails on these {rows.height:,} rows: {type(e).__name__}: {str(e)[:300]}",
            at=f"{called} ({model.format})",
            remedy="mend what it does when it predicts: it gets the columns that it names, or all but the label",
        ) from e


def ask(model: LoadedModel, rows: "pl.DataFrame", called: str = "the model") -> "Answers":
    """The model's answers, with its probabilities of 1 where its classes are two and one of them is 1 or true.

    Raises as `predicted`.
    """
    from headway.stats.answers import Answers

    said = predicted(model, rows, called)
    if said.probabilities is None:
        return Answers(labels=said.labels)
    of_one = said.probabilities[:, said.classes.index(1)] if len(said.classes) == 2 and 1 in said.classes else None
    return Answers(labels=said.labels, chances=of_one, classes=said.classes, probabilities=said.probabilities)


def time_rows(models: Sequence[LoadedModel], frame: "pl.DataFrame") -> "list[Values]":
    """How many milliseconds each model takes for single rows; by turns, so that the machine is the same for all."""
    import numpy as np

    n, taken = WARM_UP + TIMED, [list[float]() for _ in models]
    end = time.monotonic() + TIME_LIMIT_S
    for i in range(n if frame.height else 0):
        # Spread over all rows, which may be in some order.
        row = [frame.row(i * frame.height // n if frame.height > n else i % frame.height, named=True)]
        for k in sorted(range(len(models)), reverse=bool(i % 2)):
            begin = time.perf_counter()
            models[k].predict(row)
            taken[k].append((time.perf_counter() - begin) * 1000)
        if time.monotonic() > end:
            break
    return [np.array(times[min(WARM_UP, len(times) // 2) :], dtype=np.float64) for times in taken]


def run_both(
    load_new: Callable[[], LoadedModel],
    load_old: Callable[[], LoadedModel] | None,
    frame: "pl.DataFrame",
    *,
    timed: bool,
) -> "tuple[Answers, Answers | None, tuple[Values | None, Values | None], tuple[str, ...]]":
    """Both models' answers, and their times in milliseconds if `timed`; else one model is in memory at a time.

    Last the columns that the new one takes, none when it does not name them.
    """
    model = load_new()
    new, columns = ask(model, frame, NEW), model.columns
    if load_old is None:
        return new, None, (time_rows([model], frame)[0] if timed else None, None), columns
    if not timed:
        del model
        return new, ask(load_old(), frame, OLD), (None, None), columns
    champion = load_old()
    old = ask(champion, frame, OLD)
    ours, theirs = time_rows([model, champion], frame)
    return new, old, (ours, theirs), columns


def size_mb(path: str) -> float:
    """The bytes of a model's file or folder, in millions."""
    if os.path.isfile(path):
        return os.path.getsize(path) / 1e6
    return sum(os.path.getsize(os.path.join(at, file)) for at, _, files in os.walk(path) for file in files) / 1e6
