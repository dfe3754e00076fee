"""Arrow and Feather files, by way of pyarrow: turned into Parquet, which DuckDB reads without it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from headway.errors import DiskFull, ExtraMissing, TableUnreadable

if TYPE_CHECKING:
    import pyarrow as pa


def names_of(path: str) -> tuple[str, ...]:
    """The names of the columns. Raises ExtraMissing, TableUnreadable."""
    with _opened(path) as reader:
        return tuple(reader.schema.names)


def as_parquet(path: str, folder: str) -> str:
    """A copy as Parquet in `folder`, whose columns are named c0, c1, …; made a batch at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    copy = os.path.join(folder, f"{os.urandom(8).hex()}.parquet")
    with _opened(path) as reader:
        schema = pa.schema([field.with_name(f"c{i}") for i, field in enumerate(reader.schema)])
        with pq.ParquetWriter(copy, schema, compression="snappy") as writer:
            for at in range(reader.num_record_batches):
                batch = reader.get_batch(at)
                writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))
    return copy


@contextmanager
def _opened(path: str) -> "Iterator[pa.ipc.RecordBatchFileReader]":
    try:
        import pyarrow as pa
    except ModuleNotFoundError as e:
        raise ExtraMissing(
            "Arrow files are read by pyarrow, which is not installed", at=path, remedy="pip install 'headway[sql]'"
        ) from e
    try:
        with pa.memory_map(path) as f:
            yield pa.ipc.open_file(f)
    except (pa.ArrowException, OSError) as e:
        if "No space left" in str(e):
            raise DiskFull("no space is left for a copy of a table", at=path, remedy="free some") from e
        raise TableUnreadable(
            f"a table cannot be read: {e}", at=path, remedy="mend the file, or bring it back from a whole version"
        ) from e
