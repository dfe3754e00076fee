"""Columns of the prediction log that a layout does not have, counted by rows that have a value there.

Segments say by their footers which columns they have: where there is no other, no row is read. Neighbour: `sketches`
counts the columns that the layout has.
"""

import os
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from headway.core.prediction_log import Segment
from headway.tables.labelled import Wanted
from headway.tables.prediction_lines import FEATURE, SHADOW
from headway.tables.prediction_log.files import listed, whole

if TYPE_CHECKING:
    import polars as pl


def others(folder: str, wanted: Wanted, known: Collection[str]) -> dict[str, int]:
    """How many rows of a window, answered or not, have a value in each column that is not among these.

    Costs opening each segment of the window, and reading the columns in question.
    """
    found: dict[str, int] = {}
    for frame in _frames(folder, wanted, frozenset(known)):
        for name in frame.columns:
            n = frame.height - frame[name].null_count()
            if n:
                plain = name.removeprefix(FEATURE)
                found[plain] = found.get(plain, 0) + n
    return found


def _frames(folder: str, wanted: Wanted, known: frozenset[str]) -> "Iterator[pl.DataFrame]":
    """The other columns of each file, of the window's rows."""
    import polars as pl

    for one in listed(folder, "predictions"):
        if one.first_at >= wanted.until or one.last_at < wanted.since:
            continue
        frame = _read(os.path.join(folder, one.name), one, folder, known)
        if frame is None:
            continue
        own = frame.filter(
            (pl.col("version") == wanted.version) & (pl.col("at") >= wanted.since) & (pl.col("at") < wanted.until)
        )
        if SHADOW in own.columns:
            own = own.filter(~pl.col(SHADOW))
        yield own.select(_others(own.columns, known))


def _read(path: str, one: Segment, folder: str, known: frozenset[str]) -> "pl.DataFrame | None":
    """A file that has other columns; None where it has none, or is gone."""
    import polars as pl

    if one.is_open:
        frame = whole(folder, one)
        return frame if frame is not None and _others(frame.columns, known) else None
    try:
        names = list(pl.read_parquet_schema(path))
        asked = _others(names, known)
        if not asked:
            return None
        return pl.read_parquet(path, columns=["at", "version", *asked, *({SHADOW} & set(names))])
    except FileNotFoundError:
        return None


def _others(names: Collection[str], known: frozenset[str]) -> list[str]:
    return [name for name in names if name.startswith(FEATURE) and name.removeprefix(FEATURE) not in known]
