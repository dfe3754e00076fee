"""Some rows of a table to be a reference: contiguous blocks from all over it, so that neighbours stay neighbours.

Rows taken one by one from all over would be less alike than those that come one after the other, and what is usual in a
window would be thought too little. Neighbour: `layouts` counts them.
"""

import itertools
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from headway.tables.batches import Data, open_data

if TYPE_CHECKING:
    import polars as pl

N_BLOCKS = 64

LEAST_BLOCK = 16
"""Of few rows there are fewer blocks, each with so many."""


class Head(Struct, frozen=True, kw_only=True):
    """What a table is, before any row of it is read."""

    columns: tuple[str, ...]

    def has(self, names: Collection[str]) -> bool:
        """Whether it has all of these columns."""
        return set(names) <= set(self.columns)


def head(paths: Sequence[str]) -> Head:
    """The columns of a table. Raises FileMissing, TableUnreadable."""
    with open_data(paths) as data:
        return Head(columns=tuple(column.name for column in data.columns))


def sample(paths: Sequence[str], columns: Sequence[str], *, most: int) -> "tuple[pl.DataFrame, list[int]]":
    """At most so many rows with these columns, in their order, and the block of each, from 0.

    All rows where there are no more; else 64 blocks of rows that follow each other, evenly from all over the table.
    Raises FileMissing, TableUnreadable, ColumnMissing.
    """
    import polars as pl

    with open_data(paths) as data:
        n_rows = data.n_rows if data.n_rows is not None else _counted(data)
        n_blocks = max(1, min(N_BLOCKS, min(n_rows, most) // LEAST_BLOCK))
        starts = [block * n_rows // n_blocks for block in range(n_blocks + 1)]
        size = n_rows if n_rows <= most else most // n_blocks
        spans = [(begins, min(begins + size, ends)) for begins, ends in itertools.pairwise(starts)]
        frames: list[pl.DataFrame] = []
        of_rows: list[int] = []
        for batch in data.batches(columns):
            first = batch.first_row - 1
            for block, (begins, ends) in enumerate(spans):
                low, high = max(begins - first, 0), min(ends - first, batch.n_rows)
                if low < high:
                    frames.append(batch.frame.slice(low, high - low))
                    of_rows += [block] * (high - low)
        empty = pl.DataFrame(schema={name: data.type_of(name) for name in columns})
    return (pl.concat(frames) if frames else empty), of_rows


def _counted(data: Data) -> int:
    """The rows of texts, which do not say how many they are."""
    names = [data.columns[0].name] if data.columns else []
    return sum(batch.n_rows for batch in data.batches(names))
