"""Snapshots of a query over PostgreSQL: `postgresql://…`, into one Parquet file.

The rows come through a cursor of the server, a batch at a time, in a transaction that reads one moment of the database
and can write nothing. The URL's password is never shown. Knows nothing of versions or the store.
"""

import os
import re
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from headway.codec.source_state import state_of
from headway.core.source_state import SourceState
from headway.errors import ExtraMissing, HeadwayError, QueryMistaken, SourceRefused, SourceUnreachable
from headway.ports import Source

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

FILE = "rows.parquet"
"""The name of what a query gives."""

# What PostgreSQL says, in the words of its untranslated catalogue, when it answers and lets nobody in.
_CLOSED = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|permission denied"
    r"|(role|database|user) \".*\" does not exist|not permitted to log in"
)

_SIMPLE = {
    "bool": "bool_",
    "int2": "int16",
    "int4": "int32",
    "int8": "int64",
    "oid": "int64",
    "float4": "float32",
    "float8": "float64",
    "date": "date32",
    "bytea": "binary",
}
"""Of PostgreSQL's types, those whose Arrow type needs no more than a name; what is not here or below becomes text."""


_TEXTS = ("text", "varchar", "bpchar", "name")
"""These are text, and arrays of them lists of text; arrays of what becomes text become text as a whole."""


class PostgresqlSource:
    """What the database of a connection URL holds."""

    __slots__ = ("_url", "place")

    def __init__(self, url: str) -> None:
        self._url = url
        self.place = _without_password(url)

    def snapshot(self, wanted: str, folder: str) -> list[str]:
        """The rows of the query `wanted`. See `Source`; raises QueryMistaken for a query that is none or that writes.

        Numbers of a declared precision become decimals; others, and whatever Parquet has no type for (JSON, UUIDs,
        intervals, ranges, …), become text as PostgreSQL writes it.
        """
        require()
        import psycopg

        try:
            # Closed and never committed: not even what slips through a transaction that reads would last.
            with closing(self._connected()) as connection, connection.cursor("headway") as cursor:
                self._declare(cursor, wanted)
                self._write(cursor, os.path.join(folder, FILE))
        except psycopg.Error as e:
            raise _translate(e, self.place) from e
        return [FILE]

    def state(self, wanted: str) -> SourceState:
        """What the query `wanted` gives. See `Source`; raises QueryMistaken for one that is none or that writes."""
        require()
        import psycopg

        try:
            with closing(self._connected()) as connection, connection.cursor("headway") as cursor:
                self._declare(cursor, wanted)
                return state_of(row for rows in _batches(cursor) for row in rows)
        except psycopg.Error as e:
            raise _translate(e, self.place) from e

    def _connected(self) -> "psycopg.Connection[tuple[object, ...]]":
        import psycopg
        from psycopg.types.string import TextLoader

        # Any other dialect of dates and floats would be read wrongly; an idle network is noticed within a minute.
        connection = psycopg.connect(
            self._url,
            connect_timeout=15,
            keepalives_idle=30,
            options="-c default_transaction_read_only=on -c datestyle=ISO -c intervalstyle=postgres -c timezone=UTC"
            " -c extra_float_digits=1 -c bytea_output=hex -c lc_messages=C",
        )
        try:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            known = {*_SIMPLE, *_TEXTS, "timestamp", "timestamptz", "time"}
            for info in connection.adapters.types:
                if info.name not in known:
                    connection.adapters.register_loader(info.oid, TextLoader)
                if info.name not in known and info.array_oid:
                    connection.adapters.register_loader(info.array_oid, TextLoader)
        except BaseException:
            connection.close()
            raise
        return connection

    def _declare(self, cursor: "psycopg.ServerCursor[tuple[object, ...]]", query: str) -> None:
        text = query.strip().rstrip(";").strip()
        if not text:
            raise QueryMistaken("the query is empty", at=self.place, remedy="write one SELECT")
        # With parameters, even none, the server takes one statement and no more.
        cursor.execute(text.encode().replace(b"%", b"%%"), ())

    def _write(self, cursor: "psycopg.ServerCursor[tuple[object, ...]]", path: str) -> None:
        import pyarrow as pa

        from headway.tables.rows import write_rows

        assert cursor.description is not None
        schema = pa.schema([(column.name, _type_of(column)) for column in cursor.description])
        write_rows(path, schema, _batches(cursor))


_: type[Source] = PostgresqlSource


def connect(url: str) -> PostgresqlSource:
    """The database of a URL as libpq takes it; nothing is touched yet."""
    return PostgresqlSource(url)


def require() -> None:
    """Raise ExtraMissing when psycopg or pyarrow is not there."""
    from importlib.util import find_spec

    if find_spec("psycopg") is None or find_spec("pyarrow") is None:
        raise ExtraMissing(
            "PostgreSQL is read by psycopg and pyarrow, which are not both installed",
            at="headway[sql]",
            remedy="pip install 'headway[sql]'",
        )


def _batch() -> int:
    from headway.tables.rows import BATCH

    return BATCH


def _batches(cursor: "psycopg.ServerCursor[tuple[object, ...]]") -> Iterator[list[tuple[object, ...]]]:
    while rows := cursor.fetchmany(_batch()):
        yield rows


def _type_of(column: "psycopg.Column") -> "pa.DataType":
    import psycopg
    import pyarrow as pa

    info = psycopg.adapters.types.get(column.type_code)
    if info is None:
        return pa.string()
    # The registry finds a type by its array's number, too.
    if info.array_oid != column.type_code:
        return _element(info.name, column)
    is_list = info.name != "numeric" and (info.name in _TEXTS or not pa.types.is_string(_element(info.name, column)))
    return pa.list_(_element(info.name, column)) if is_list else pa.string()


def _element(name: str, column: "psycopg.Column") -> "pa.DataType":
    import pyarrow as pa

    if name == "numeric":
        precision, scale = column.precision, column.scale
        if precision is None or scale is None or not 0 <= scale <= precision <= 76:
            return pa.string()
        return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)
    match name:
        case "timestamp":
            return pa.timestamp("us")
        case "timestamptz":
            return pa.timestamp("us", tz="UTC")
        case "time":
            return pa.time64("us")
        case _:
            return getattr(pa, _SIMPLE[name])() if name in _SIMPLE else pa.string()


def _without_password(url: str) -> str:
    url = re.sub(r"(//[^/@:]*):[^@]*@", r"\1:***@", url)
    return re.sub(r"(?i)(password=)[^&\s]*", r"\1***", url)


def _translate(e: "psycopg.Error", place: str) -> HeadwayError:
    """The error of Headway for an SQLSTATE: its first two signs are the class."""
    import psycopg

    state, said = e.sqlstate or "", str(e).strip().split("\n")[0]
    if state == "42501" or state.startswith("28") or (not state and _CLOSED.search(str(e))):
        return SourceRefused(
            f"PostgreSQL does not let you in: {said}", at=place, remedy="check user, password, database and rights"
        )
    if isinstance(e, psycopg.OperationalError) or state[:2] in ("08", "53", "57", "58"):
        return SourceUnreachable(
            f"PostgreSQL does not answer: {said}", at=place, remedy="check that it runs and can be reached, try again"
        )
    return QueryMistaken(
        f"PostgreSQL does not take the query: {said}", at=place, remedy="write one SELECT that PostgreSQL takes"
    )
