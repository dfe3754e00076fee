"""Cuts tables that are larger than memory into cells, so that rows which may belong together are in the same one.

DuckDB's own joins and groups need more memory than they are given here once two gigabytes meet; a cell always fits.
Each row is written once, to one of many Parquet files in the engine's folder, by a hash. Knows no comparison.
"""

import os
from collections.abc import Iterator, Sequence

from msgspec import Struct

from headway.tables.engine import Engine, listed

MOST = 256
"""Cells at a time: each holds rows back until they are worth writing."""


class Part(Struct, frozen=True, kw_only=True):
    """Rows to be cut: a query, and the expressions that are equal for rows which belong together."""

    name: str
    sql: str
    by: tuple[str, ...]


def count(size_bytes: int, memory_bytes: int) -> int:
    """Into how many cells a table of that size is cut: a quarter of the memory holds the larger side of one."""
    return min(max(-(-size_bytes // (memory_bytes // 4)), 1), MOST)


def cells(engine: Engine, parts: Sequence[Part], n: int, row_bytes: int) -> Iterator[tuple[str, ...]]:
    """For each of `n` cells, where the rows of each part are, to be named behind FROM; gone when the next is asked for.

    Raises what reading raises.
    """
    if n == 1:
        for part in parts:
            engine.run(f"CREATE OR REPLACE TEMP TABLE {part.name} AS {part.sql}")
        yield tuple(part.name for part in parts)
        return
    # An eighth of the memory is for rows that wait, in each of two threads.
    waiting = min(max(engine.memory_bytes // 8 // (n * row_bytes), 512), 8192)
    engine.run(f"SET partitioned_write_flush_threshold = {waiting}")
    for part in parts:
        _write(engine, part, n, waiting)
    for i in range(n):
        yield tuple(_place(engine, part, i) for part in parts)


def _write(engine: Engine, part: Part, n: int, waiting: int) -> None:
    folder = _folder(engine, part)
    os.mkdir(folder)
    form = f"FORMAT parquet, COMPRESSION uncompressed, ROW_GROUP_SIZE {waiting}"
    # What an empty cell is read from: it has the types.
    engine.run(f"COPY (SELECT * FROM ({part.sql}) LIMIT 0) TO '{folder}/none.parquet' ({form})")
    cell = f"hash({', '.join(part.by)}) % {n} AS cell"
    engine.run(
        f"COPY (SELECT *, {cell} FROM ({part.sql})) TO '{folder}/rows' "
        f"({form}, DICTIONARY_SIZE_LIMIT 1, PARTITION_BY (cell))"
    )


def _place(engine: Engine, part: Part, i: int) -> str:
    folder = _folder(engine, part)
    files = [f"{folder}/none.parquet"]
    cell = f"{folder}/rows/cell={i}"
    if os.path.isdir(cell):
        files += [os.path.join(cell, name) for name in sorted(os.listdir(cell))]
    return f"read_parquet({listed(files)}, hive_partitioning=false)"


def _folder(engine: Engine, part: Part) -> str:
    return os.path.join(engine.folder, part.name)
