"""The log in one SQLite file: `sqlite:<path>`. The form of the file is specified in `docs/formats/log.md`.

Facts are committed to the write-ahead log without waiting for the disk, which SIGKILL cannot undo; `sync` waits.
The file is made whole beside its place and then linked into it, so that nobody ever meets half a log and two
processes that begin at once end up with the same one. Knows nothing of what facts mean.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from heapq import merge
from itertools import islice

from headway.backends import path_of
from headway.backends.log_sqlite import file
from headway.codec import wire
from headway.core.facts import Entry, Fact, Row, key_of, kind_of
from headway.errors import AppendConflict, FileMissing, LogDamaged, LogTrouble
from headway.ports import Log

# The body is JSON, kept as text so that `sqlite3 log.sqlite` and its JSON functions can read it; it is read back as
# bytes, so that a damaged body is found by its hash and not by a failed decoding.
_ROWS = "SELECT seq, stream, n, at, kind, key, CAST(body AS BLOB), hash FROM facts"
_LAST = _ROWS + " ORDER BY seq DESC LIMIT 2"
_TIP = "SELECT seq, hash FROM facts ORDER BY seq DESC LIMIT 1"
_LENGTH = "SELECT n FROM facts WHERE stream = ? ORDER BY n DESC LIMIT 1"
_INDEXED = "SELECT count(*) FROM facts INDEXED BY facts_by_kind WHERE kind >= ''"
_INSERT = "INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?, CAST(? AS TEXT), ?)"
_READ = _ROWS + " WHERE stream = ? AND n > ? ORDER BY n"
# All keys in one statement: half the time of one statement each.
_FIND = """
SELECT seq, stream, n, at, f.kind, f.key, CAST(body AS BLOB), hash FROM json_each(:keys) AS wanted CROSS JOIN facts AS f
ON seq = (SELECT max(seq) FROM facts WHERE kind = :kind AND key = wanted.value)
"""

_FIND_ONE = _ROWS + " WHERE kind = ? AND key = ? ORDER BY seq DESC LIMIT 1"

# macOS has no fdatasync.
_flush = getattr(os, "fdatasync", os.fsync)

_ALL = 2**63 - 1
"""No fact has this number: all are before it."""

_Record = tuple[int, str, int, float, str, str | None, bytes, str]


class SqliteLog:
    """The log in the file at `path`, which is made if need be. One object, one thread.

    For one who is `looking` nothing is made, and the file need not be one that may be written to.
    """

    __slots__ = ("_connection", "_last", "_lengths", "_path", "_unsynced", "_wal")

    def __init__(self, path: str, *, looking: bool = False) -> None:
        self._path = path = os.path.realpath(path)  # SQLite, too, puts its write-ahead log beside what links lead to.
        self._last = (0, wire.GENESIS)
        self._lengths: dict[str, int] = {}  # Of streams written to here; true until the tip says somebody else wrote.
        self._unsynced = False
        self._wal: int | None = None
        self._connection: sqlite3.Connection | None
        if looking:
            self._connection = file.looked_at(path)
        else:
            if not os.path.exists(path):
                file.make(path)
            self._connection = file.opened(path)

    def append(self, stream: str, facts: Sequence[Fact], *, expect: int, at: float) -> int:
        """Append facts. See `Log`; the chain is continued from what is last in the file now, whoever wrote that."""
        if not facts:
            return expect
        at += 0.0  # An int would be hashed in another form than the float that the file gives back; so would -0.0.
        with _Transaction(self._db, self._path) as db:
            seq, before = self._end()
            length = self._lengths.get(stream)
            if length is None:
                found = db.execute(_LENGTH, (stream,)).fetchone()
                length = found[0] if found else 0
            if length != expect:
                raise AppendConflict(
                    f"stream {stream} has {length} facts, not {expect}: somebody else appended first",
                    at=f"log: {stream}",
                    remedy="read the stream again and decide anew",
                )
            records: list[_Record] = []
            for n, fact in enumerate(facts, expect + 1):
                seq += 1
                body = wire.encode_fact(fact)
                before = wire.chain(before, seq=seq, stream=stream, n=n, at=at, body=body)
                records.append((seq, stream, n, at, kind_of(fact), key_of(fact), body, before))
            db.execute(_INSERT, records[0]) if len(records) == 1 else db.executemany(_INSERT, records)
        self._last = (seq, before)
        self._lengths[stream] = expect + len(facts)
        self._unsynced = True
        return expect + len(facts)

    def read(self, stream: str, *, after: int = 0) -> list[Entry]:
        """The facts of a stream. See `Log`; raises LogDamaged also when some are missing in between."""
        with self._translated():
            records = self._db.execute(_READ, (stream, after)).fetchall()
        if records and records[-1][2] != after + len(records):
            raise LogDamaged(f"facts of stream {stream} are missing", at=self._path, remedy=file.RESTORE)
        return [_entry(record) for record in records]

    def scan(
        self,
        kinds: Sequence[str] = (),
        *,
        after_seq: int = 0,
        before_seq: int | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> Iterator[Entry]:
        """Facts of all streams. See `Log`; one may append while it is under way."""
        between = after_seq, _ALL if before_seq is None else before_seq
        if kinds:
            # Kind by kind, each through the index, and merged: SQLite itself would sort all of them for every page.
            records: Iterator[_Record]
            each = [self._pages(between, kind, newest_first=newest_first, limit=limit) for kind in set(kinds)]
            records = merge(*each, key=_seq, reverse=newest_first)
        else:
            records = self._pages(between, newest_first=newest_first, limit=limit)
        return map(_entry, islice(records, limit))

    def find(self, kind: str, keys: Sequence[str]) -> dict[str, Entry]:
        """The newest fact for each key. See `Log`."""
        with self._translated():
            # SQLite's JSON functions end a text at its first NUL, and would find another key.
            odd = [key for key in keys if "\0" in key]
            values = {"kind": kind, "keys": wire.encode([key for key in keys if "\0" not in key]).decode()}
            records = self._db.execute(_FIND, values).fetchall()
            for key in odd:
                records += self._db.execute(_FIND_ONE, (kind, key)).fetchall()
        return {record[5]: _entry(record) for record in records}

    def raw(self, *, after_seq: int = 0) -> Iterator[Row]:
        """All rows, not decoded. See `Log`; it does not check them (see `wire.verified`)."""
        if after_seq <= 0:
            self._check_file()
        return map(_row, self._pages((after_seq, _ALL)))

    def sync(self) -> None:
        """Make all that was appended durable. See `Log`.

        What SQLite has moved from the write-ahead log into the main file meanwhile, it has synced itself.
        """
        if not self._unsynced:
            return
        try:
            if self._wal is None:
                # Never open and close the main file like this: POSIX would drop SQLite's own locks on it.
                self._wal = os.open(self._path + "-wal", os.O_RDONLY | os.O_CLOEXEC)
                file.sync(os.path.dirname(self._path))
            _flush(self._wal)
        except OSError as e:
            raise LogTrouble(
                f"the log could not be made durable: {e.strerror}", at=self._path, remedy="check the disk, run again"
            ) from e
        self._unsynced = False

    def close(self) -> None:
        """Let go of the file; syncs first. See `Log`. The last one out moves everything into the main file."""
        if self._connection is None:
            return
        try:
            self.sync()
        finally:
            connection, self._connection = self._connection, None
            if self._wal is not None:
                os.close(self._wal)
                self._wal = None
            with self._translated():
                connection.close()

    @property
    def _db(self) -> sqlite3.Connection:
        if self._connection is None:
            raise LogTrouble("the log was closed", at=self._path, remedy="open it again")
        return self._connection

    def _end(self) -> tuple[int, str]:
        """Number and hash of the last fact; what somebody else wrote there is verified before anyone builds on it."""
        tip = self._db.execute(_TIP).fetchone() or (0, wire.GENESIS)
        if tip == self._last:
            return self._last
        self._lengths.clear()
        seq, hash_ = tip
        if seq <= self._last[0]:
            raise LogDamaged(f"fact {self._last[0]} of the log is gone", at=self._path, remedy=file.RESTORE)
        last = self._db.execute(_LAST).fetchall()
        before = last[1][7] if len(last) > 1 else wire.GENESIS
        wire.verify([_row(last[0])], after_seq=seq - 1, before=before)
        return seq, hash_

    def _check_file(self) -> None:
        """One flipped bit can lead SQLite to another table's pages, where it finds no facts and no fault either."""
        with self._translated():
            (said,) = self._db.execute("PRAGMA integrity_check(1)").fetchone()
            (rows,) = self._db.execute("SELECT count(*) FROM facts NOT INDEXED").fetchone()
            if rows != self._db.execute(_INDEXED).fetchone()[0]:
                said = "its table and its index differ"
        if said != "ok":
            raise LogDamaged(f"the log is damaged: {said}", at=self._path, remedy=file.RESTORE)

    def _pages(
        self, between: tuple[int, int], kind: str | None = None, *, newest_first: bool = False, limit: int | None = None
    ) -> Iterator[_Record]:
        """Records in pages, each read to its end: an open cursor would hold back checkpoints and later appends."""
        size = min(limit or 256, 256)
        low, high = between
        of_kind = "" if kind is None else "kind = ? AND "
        order = "DESC" if newest_first else "ASC"
        sql = f"{_ROWS} WHERE {of_kind}seq > ? AND seq < ? ORDER BY seq {order} LIMIT ?"
        while True:
            values = (low, high, size) if kind is None else (kind, low, high, size)
            with self._translated():
                page = self._db.execute(sql, values).fetchall()
            yield from page
            if len(page) < size:
                return
            if newest_first:
                high = page[-1][0]
            else:
                low = page[-1][0]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """What SQLite raises, in Headway's words."""
        try:
            yield
        except sqlite3.Error as e:
            raise file.translate(e, self._path) from e
        except UnicodeDecodeError as e:
            raise file.no_text(self._path) from e


class _Transaction:
    """Begun when entered, committed when left, undone by any exception; a class, for it is quicker than a generator."""

    __slots__ = ("_db", "_path")

    def __init__(self, db: sqlite3.Connection, path: str) -> None:
        self._db = db
        self._path = path

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as e:
            raise file.translate(e, self._path) from e
        return self._db

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        try:
            if error is None:
                self._db.execute("COMMIT")
        except sqlite3.Error as e:
            error = e
        if error is None:
            return
        # After some errors, a full disk among them, SQLite has rolled back by itself.
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        if isinstance(error, sqlite3.Error):
            raise file.translate(error, self._path) from error


_: type[Log] = SqliteLog


def connect(url: str) -> SqliteLog:
    """The log of `sqlite:<path>`. Raises LogDamaged, LogNewer, LogTrouble, DiskFull, Conflict."""
    return SqliteLog(path_of(url))


def look(url: str) -> SqliteLog:
    """The log of `sqlite:<path>` for one who only reads it. Raises FileMissing where there is none, or as `connect`."""
    path = path_of(url)
    if not os.path.exists(path):
        raise FileMissing(
            "there is no log: nothing was recorded here",
            at=path,
            remedy="`headway run` makes it, or name its folder: -C",
        )
    return SqliteLog(path, looking=True)


def _seq(record: _Record) -> int:
    return record[0]


def _row(record: _Record) -> Row:
    seq, stream, n, at, kind, key, body, hash_ = record
    return Row(seq=seq, stream=stream, n=n, at=at, kind=kind, key=key, body=body, hash=hash_)


def _entry(record: _Record) -> Entry:
    seq, stream, n, at, _kind, _key, body, hash_ = record
    return Entry(seq=seq, stream=stream, n=n, at=at, fact=wire.decode_fact(body, seq=seq), hash=hash_)
