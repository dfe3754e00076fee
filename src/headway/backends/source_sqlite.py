"""Snapshots of a query over an SQLite file: `sqlite:<path>`, into one Parquet file.

SQLite keeps a type with each value, not with a column. So the rows are read twice in one transaction: first to see
what is there, then to write it. The file is opened for reading only. Knows nothing of versions or the store.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing

from headway.backends import path_of
from headway.codec.source_state import state_of
from headway.core.source_state import SourceState
from headway.errors import HeadwayError, QueryMistaken, SourceRefused, SourceUnreachable
from headway.ports import Source

FILE = "rows.parquet"
"""The name of what a query gives."""

# Of a declared type, what SQLite takes it for: its own rules of affinity, in their order.
_AFFINITIES = (("INT", "integer"), ("CHAR", "text"), ("CLOB", "text"), ("TEXT", "text"), ("BLOB", "blob"))
_WHOLE = 1 << 53
"""Up to here a float holds every whole number."""
_REALS = ("REAL", "FLOA", "DOUB")


class SqliteSource:
    """What the SQLite file at `path` holds."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def snapshot(self, wanted: str, folder: str) -> list[str]:
        """The rows of the query `wanted`. See `Source`; raises QueryMistaken for a query that is none or that writes.

        Whole numbers become 64-bit integers; a column that holds several kinds of values becomes text.
        """
        if not os.path.isfile(self._path):
            raise SourceUnreachable("there is no such SQLite file", at=self._path, remedy="check the path")
        try:
            with closing(self._open()) as connection:
                self._view(connection, wanted)
                # One transaction: both readings see the same rows.
                connection.execute("BEGIN")
                self._write(connection, os.path.join(folder, FILE))
        except sqlite3.Error as e:
            raise _translate(e, self._path) from e
        return [FILE]

    def state(self, wanted: str) -> SourceState:
        """What the query `wanted` gives. See `Source`; raises QueryMistaken for one that is none or that writes."""
        if not os.path.isfile(self._path):
            raise SourceUnreachable("there is no such SQLite file", at=self._path, remedy="check the path")
        try:
            with closing(self._open()) as connection:
                self._view(connection, wanted)
                return state_of(connection.execute("SELECT * FROM temp.headway"))
        except sqlite3.Error as e:
            raise _translate(e, self._path) from e

    def _open(self) -> sqlite3.Connection:
        quoted = self._path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        connection = sqlite3.connect(f"file:{quoted}?mode=ro", uri=True, isolation_level=None, timeout=10.0)
        try:
            connection.execute("PRAGMA temp_store = MEMORY")
            # A damaged or foreign file is met here, before a query can be blamed for it.
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    def _view(self, connection: sqlite3.Connection, query: str) -> None:
        """A view of the query, which can only be one that reads, and which knows the declared types of its columns."""
        try:
            connection.execute(f"CREATE TEMP VIEW headway AS {query.strip().rstrip(';')}")
            connection.execute("SELECT * FROM temp.headway LIMIT 0")
        except (sqlite3.OperationalError, sqlite3.ProgrammingError, sqlite3.Warning) as e:
            raise _translate(e, self._path, is_query=True) from e

    def _write(self, connection: sqlite3.Connection, path: str) -> None:
        from headway.tables.parquet import require

        require()
        import pyarrow as pa

        from headway.tables.rows import write_rows

        declared = connection.execute("PRAGMA temp.table_info(headway)").fetchall()
        names = [name for _, name, *_ in declared]
        found = self._kinds(connection, names)
        kinds = [_kind(seen, kind) for seen, (_, _, kind, *_) in zip(found, declared, strict=True)]
        types = {"integer": pa.int64(), "real": pa.float64(), "text": pa.string(), "blob": pa.binary()}
        schema = pa.schema([(name, types[kind]) for name, kind in zip(names, kinds, strict=True)])
        columns = [
            f"CAST({_quoted(name)} AS TEXT)" if kind == "text" and seen - {"text", "null"} else _quoted(name)
            for name, kind, seen in zip(names, kinds, found, strict=True)
        ]
        # S608: names are quoted; SQLite has no parameters for them.
        cursor = connection.execute(f"SELECT {', '.join(columns)} FROM temp.headway")  # noqa: S608
        write_rows(path, schema, _batches(cursor))

    def _kinds(self, connection: sqlite3.Connection, names: list[str]) -> list[set[str]]:
        """Of each column, the kinds of its values."""
        asked = []
        for name in map(_quoted, names):
            asked += [f"max(typeof({name}) = '{kind}')" for kind in ("integer", "real", "text", "blob")]
            asked.append(f"max(typeof({name}) = 'integer' AND {name} NOT BETWEEN -{_WHOLE} AND {_WHOLE})")
        found: list[set[str]] = [set() for _ in names]
        # Not more at a time than SQLite takes columns (2,000 by default).
        for start in range(0, len(asked), 1500):
            part = asked[start : start + 1500]
            values = connection.execute(f"SELECT {', '.join(part)} FROM temp.headway").fetchone()  # noqa: S608 (as above)
            for i, is_there in enumerate(values, start):
                if is_there:
                    found[i // 5].add(("integer", "real", "text", "blob", "large")[i % 5])
        return found


_: type[Source] = SqliteSource


def connect(url: str) -> SqliteSource:
    """What `sqlite:<path>` holds; nothing is touched yet."""
    return SqliteSource(path_of(url))


def _kind(seen: set[str], declared: str) -> str:
    """What a column becomes."""
    held = seen - {"large"}
    if held in ({"integer"}, {"real"}, {"text"}, {"blob"}):
        return held.pop()
    if held == {"integer", "real"} and "large" not in seen:
        return "real"
    if held:
        return "text"
    upper = declared.upper()
    if any(word in upper for word in _REALS):
        return "real"
    return next((kind for word, kind in _AFFINITIES if word in upper), "text")


def _batches(cursor: sqlite3.Cursor) -> Iterator[list[tuple[object, ...]]]:
    from headway.tables.rows import BATCH

    while rows := cursor.fetchmany(BATCH):
        yield rows


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _translate(e: sqlite3.Error | sqlite3.Warning, path: str, *, is_query: bool = False) -> HeadwayError:
    code = getattr(e, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return SourceUnreachable(f"the SQLite file is damaged: {e}", at=path, remedy="restore it from a copy")
    if code in (sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) and not is_query:
        return SourceRefused(f"the SQLite file cannot be read: {e}", at=path, remedy="see that you may read it")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR):
        return SourceUnreachable(f"the SQLite file cannot be read now: {e}", at=path, remedy="try again")
    return QueryMistaken(f"SQLite does not take the query: {e}", at=path, remedy="write one SELECT that SQLite takes")
