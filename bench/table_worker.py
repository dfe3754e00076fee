"""Runs in headway's environment with its extra `sql`: `table_worker.py N_ROWS CUT N_INSERTED` writes tables here.

data.csv, and with the same rows data.parquet as `headway.tables.parquet` writes it and plain.parquet as pyarrow does by
default. `N_INSERTED` rows are put in after the first `CUT`. What a row holds depends on its number alone.
"""

from __future__ import annotations

import os
import sys

import duckdb

# The numbers of inserted rows come after those of the others, so that a row is the same in both versions.
ROWS = """
select
    1000000000 + i as id,
    timestamp '2020-01-01' + to_seconds(i * 3) as at,
    (hash(i, 1) % 10000000) / 100.0 as amount,
    (hash(i, 2) % 1000000) / 1000000.0 as score,
    'customer-' || (hash(i, 3) % 500000) as customer,
    ['north', 'south', 'east', 'west'][1 + (hash(i, 4) % 4)::int] as region
from (
    select case when j < {cut} then j when j < {cut} + {more} then {n} + j - {cut} else j - {more} end as i
    from range({n} + {more}) t(j)
)
"""


def main(n_rows: str, cut: str, n_inserted: str) -> None:
    import pyarrow.parquet as pq

    from headway.tables.parquet import ParquetWriter

    rows = ROWS.format(n=int(n_rows), cut=int(cut), more=int(n_inserted))
    with duckdb.connect() as database:
        database.execute(f"copy ({rows}) to 'data.csv' (header)")
        database.execute(f"copy ({rows}) to 'duckdb.parquet'")
    # The name of the method that streams Arrow batches differs between versions of DuckDB.
    with (
        pq.ParquetFile("duckdb.parquet") as table,
        ParquetWriter(os.path.abspath("data.parquet"), table.schema_arrow) as ours,
        pq.ParquetWriter("plain.parquet", table.schema_arrow) as plain,
    ):
        for batch in table.iter_batches(50_000):
            ours.write(batch)
            plain.write_batch(batch)
    os.unlink("duckdb.parquet")


if __name__ == "__main__":
    main(*sys.argv[1:])
