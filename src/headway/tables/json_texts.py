"""JSON lines, or one JSON list, as Parquet of texts: by DuckDB, which reads it in little memory and in order.

Neighbour: `scan` says how DuckDB reads JSON. Values keep their quotes, so that `"1"` is not `1`.
"""

import os

from headway.tables import engine, scan


def as_texts(path: str, folder: str, memory_bytes: int) -> tuple[str, list[str], int]:
    """A copy in the folder, whose columns are c0, c1, …; their names; how many rows. Raises TableUnreadable."""
    copy = os.path.join(folder, f"{os.urandom(8).hex()}.parquet")
    while True:
        try:
            with engine.opened(memory_bytes) as db:
                db.run("SET preserve_insertion_order = true")
                table = scan.open_table(db, [path], is_plain=False)
                form = "FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 65536"
                ((n_rows,),) = db.run(f"COPY ({table.sql}) TO {engine.text(copy)} ({form})")
                return copy, [column.name for column in table.columns], int(str(n_rows))
        except engine.TooLarge:
            memory_bytes *= 2
            if memory_bytes > 8 << 30:
                raise
