"""Rows that a database gives, written to Parquet a batch at a time.

Neighbour: `parquet` cuts the file. Knows no database: what its types are in Arrow, a back-end says.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from headway.errors import QueryMistaken
from headway.tables.parquet import ParquetWriter

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 4096
"""Rows asked for at a time: as Python objects a wide row takes tens of kilobytes."""


def write_rows(path: str, schema: "pa.Schema", batches: Iterable[Sequence[Sequence[object]]]) -> int:
    """Write batches of rows, each a sequence of values in the order of the schema; returns the number of rows.

    Decimals are given as text. Raises QueryMistaken for two columns of one name and for a value that is not of its
    column's type.
    """
    import pyarrow as pa

    check_names(schema.names)
    with ParquetWriter(path, schema) as writer:
        for rows in batches:
            columns = zip(*rows, strict=True) if rows else ((),) * len(schema)
            arrays = [_array(values, field) for values, field in zip(columns, schema, strict=True)]
            writer.write(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return writer.n_rows


def check_names(names: Sequence[str]) -> None:
    """Raise QueryMistaken when two columns have one name: a file could not tell them apart."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise QueryMistaken(
            f"the query has several columns named {', '.join(map(repr, twice))}",
            at="the query",
            remedy="give each a name of its own: `SELECT a.id AS a_id, …`",
        )


def _array(values: Sequence[object], field: "pa.Field") -> "pa.Array":
    import pyarrow as pa

    try:
        if pa.types.is_decimal(field.type):
            return pa.array(values, type=pa.string()).cast(field.type)
        return pa.array(values, type=field.type)
    # Which it is depends on the type asked for and on the value: Arrow's own errors for a misfit are of the first two.
    except (ValueError, TypeError, OverflowError) as e:
        raise QueryMistaken(
            f"column {field.name!r} has a value that is no {field.type}: {e}",
            at="the query",
            remedy=f"cast the column to text: `CAST({field.name} AS text)`",
        ) from e
