"""Models asked about the rows of a table: about all at once, and about single rows with a watch.

Neighbour: `predictions` reads what a model answered elsewhere. Knows no metric.
"""

import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from headway.core.prediction import LoadedModel

if TYPE_CHECKING:
    import polars as pl

    from headway.stats.answers import Answers, Values

TIMED, WARM_UP = 500, 30
"""Rows that are answered one by one to time them, and those before, whose times do not count."""

TIME_LIMIT_S = 30.0
"""Timing ends after so long, with the times that there are."""


def ask(model: LoadedModel, rows: "pl.DataFrame") -> "Answers":
    """The model's answers, with its probabilities of 1 where its classes are two and one of them is 1 or true."""
    from headway.stats.answers import Answers

    said = model.predict(rows)
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
) -> "tuple[Answers, Answers | None, tuple[Values | None, Values | None]]":
    """Both models' answers, and their times in milliseconds if `timed`; else one model is in memory at a time."""
    model = load_new()
    new = ask(model, frame)
    if load_old is None:
        return new, None, (time_rows([model], frame)[0] if timed else None, None)
    if not timed:
        del model
        return new, ask(load_old(), frame), (None, None)
    champion = load_old()
    old = ask(champion, frame)
    ours, theirs = time_rows([model, champion], frame)
    return new, old, (ours, theirs)


def size_mb(path: str) -> float:
    """The bytes of a model's file or folder, in millions."""
    if os.path.isfile(path):
        return os.path.getsize(path) / 1e6
    return sum(os.path.getsize(os.path.join(at, file)) for at, _, files in os.walk(path) for file in files) / 1e6
