"""Files that Polars reads badly as Parquet that it reads well: by DuckDB, which needs little memory, and in order.

JSON, whose values become texts with their quotes, so that `"1"` is not `1`; and Parquet whose groups of rows are so big
that Polars would pass over half of one for every slice. Neighbour: `scan` says how DuckDB reads them.
"""

import os

from headway.tables import engine, scan

GROUP_ROWS = 1 << 16


def copied(path: str, folder: str, memory_bytes: int) -> tuple[str, list[str], int]:
    """A copy in the folder, whose columns are c0, c1, …; their names; how many rows. Raises TableUnreadable."""
    copy = os.path.join(folder, f"{os.urandom(8).hex()}.parquet")
    while True:
        try:
            with engine.opened(memory_bytes) as db:
                db.run("SET preserve_insertion_order = true")
                table = scan.open_table(db, [path], is_plain=False)
                form = f"FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE {GROUP_ROWS}"
                ((n_rows,),) = db.run(f"COPY ({table.sql}) TO {engine.text(copy)} ({form})")
                return copy, [column.name for column in table.columns], int(str(n_rows))
        except engine.TooLarge:
            memory_bytes *= 2
            if memory_bytes > 8 << 30:
                raise


def largest_group(path: str, memory_bytes: int) -> int:
    """How many rows the largest group of a Parquet file has."""
    with engine.opened(memory_bytes) as db:
        db.paths = (path,)
        ((n_rows,),) = db.run(f"SELECT max(row_group_num_rows) FROM parquet_metadata({engine.listed([path])})")
        return int(str(n_rows or 0))
