"""Rows and what a model answered to them, chosen to be asked again of a server: as JSON, evenly taken, few enough.

`core/kept_answers` says what is kept and compares. Neighbour: `asked` asks models.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from headway.core.kept_answers import KeptAnswers

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from headway.stats.answers import Answers

MOST_ROWS = 256
"""Rows that are kept: a served model that differs in 1 row of 50 is seen 99 times in 100."""

MOST_BYTES = 1 << 20
"""Bytes of them as JSON: of wide tables fewer rows are kept, at least one."""

_encode = msgspec.json.Encoder(enc_hook=str).encode


def keep(
    rows: "pl.DataFrame", answers: "Answers", *, columns: Sequence[str] = (), by: Literal["gate", "file", "register"]
) -> bytes:
    """Some of the rows with their answers, as bytes of `KeptAnswers`; `columns` are the model's (all, when none).

    A row whose values or answers JSON has no word for (an infinite number) is left out; where a column is of a type
    that requests cannot carry no row is kept, and it is said why.
    """
    lacking = [name for name in columns if name not in rows.columns]
    told = f"the rows lack {lacking[0]}, which the model takes" if lacking else ""
    rows = rows.select(columns) if columns and not lacking else rows
    if told := told or _why_not(rows):
        return _encode(KeptAnswers(by=by, why=told))
    classes, probabilities = _probabilities(answers)
    sound = _sound(rows, [answers.labels, probabilities])
    places = _evenly(sound, MOST_ROWS)
    while True:
        kept = KeptAnswers(
            by=by,
            rows=rows[places].to_dicts(),
            predictions=answers.labels[places].tolist(),
            classes=list(classes),
            probabilities=[] if probabilities is None else probabilities[places].tolist(),
            why="" if places else "no row of it can be told as JSON",
        )
        data = _encode(kept)
        if len(data) <= MOST_BYTES or len(places) <= 1:
            return data
        places = _evenly(places, max(1, len(places) * MOST_BYTES // (2 * len(data))))


def _why_not(rows: "pl.DataFrame") -> str:
    import polars as pl

    plain = (pl.String, pl.Boolean, pl.Null, pl.Categorical, pl.Enum)
    for name, kind in rows.schema.items():
        if not (kind.is_integer() or kind.is_float() or kind in plain):
            return f"the column {name} is of type {kind}, which a request cannot carry"
    return ""


# Any: classes are whatever the model was trained on.
def _probabilities(answers: "Answers") -> "tuple[Sequence[Any], np.ndarray[Any, np.dtype[np.float64]] | None]":
    if answers.probabilities is not None:
        return answers.classes, answers.probabilities
    if answers.chances is not None:
        return (1,), answers.chances.astype("float64").reshape(-1, 1)
    return (), None


# Any: answers of any kind.
def _sound(rows: "pl.DataFrame", answers: "Sequence[np.ndarray[Any, np.dtype[Any]] | None]") -> list[int]:
    """The rows without an infinite number: JSON would make a gap of it, which is another row."""
    import numpy as np
    import polars as pl
    import polars.selectors as cs

    fractions = rows.select(pl.any_horizontal(cs.float().is_infinite().fill_null(value=False)).alias("bad"))
    bad = fractions.to_series().to_numpy() if fractions.height == rows.height else np.zeros(rows.height, dtype=bool)
    for column in answers:
        if column is not None and column.dtype.kind == "f":
            bad = bad | ~np.isfinite(column).reshape(len(bad), -1).all(axis=1) if len(bad) else bad
    return [int(at) for at in np.flatnonzero(~bad)]


def _evenly(places: list[int], most: int) -> list[int]:
    """At most so many of them, from the first to near the last.

    >>> _evenly([0, 1, 2, 3, 4, 5, 6], 3)
    [0, 2, 4]
    """
    n = min(most, len(places))
    return [places[at * len(places) // n] for at in range(n)]
