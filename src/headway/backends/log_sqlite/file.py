"""The file of a log: how it is made, opened and looked at, and what SQLite's errors mean.

The form is specified in `docs/formats/log.md`. Knows no facts.
"""

import errno
import os
import sqlite3
from contextlib import suppress

from headway.errors import Conflict, DiskFull, HeadwayError, LogDamaged, LogNewer, LogTrouble

VERSION = 1
"""Of the schema, in `PRAGMA user_version`; a later one is refused."""

APPLICATION = 0x48445759
"""`HDWY`, in `PRAGMA application_id`: by it `file` and others know whose database it is."""

PATIENCE_S = 10.0
"""How long to wait for another writer: an append takes well under a millisecond, a checkpoint rarely a second."""

# The triggers keep the promise that a fact never changes against a slip of somebody's hand, not against malice: that
# is what the chain of hashes is for.
_SCHEMA = f"""
PRAGMA synchronous = OFF;
PRAGMA journal_mode = MEMORY;
BEGIN;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
CREATE TABLE facts (
    seq INTEGER PRIMARY KEY, stream TEXT NOT NULL, n INTEGER NOT NULL, at REAL NOT NULL,
    kind TEXT NOT NULL, key TEXT, body TEXT NOT NULL, hash TEXT NOT NULL, UNIQUE (stream, n)
);
CREATE INDEX facts_by_key ON facts (kind, key) WHERE key IS NOT NULL;
CREATE INDEX facts_by_kind ON facts (kind, seq);
CREATE TRIGGER facts_never_change BEFORE UPDATE ON facts BEGIN SELECT raise(ABORT, 'facts never change'); END;
CREATE TRIGGER facts_never_go BEFORE DELETE ON facts BEGIN SELECT raise(ABORT, 'facts never go'); END;
COMMIT;
PRAGMA journal_mode = WAL;
"""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

RESTORE = "`headway audit` says how far the log is whole; restore it from a copy, or move it away to begin anew"
"""The remedy for a log that is not whole."""


def make(path: str) -> None:
    """Make an empty log beside its place, then link it into it; whoever was first keeps it."""
    fresh = f"{path}.{os.getpid()}-{os.urandom(4).hex()}.new"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        connection = sqlite3.connect(fresh, isolation_level=None)
        try:
            connection.executescript(_SCHEMA)
        finally:
            connection.close()
        sync(fresh)
        with suppress(FileExistsError):
            os.link(fresh, path)
    except sqlite3.Error as e:
        raise translate(e, path) from e
    except OSError as e:
        if e.errno in _FULL:
            raise _disk_full(path) from e
        raise LogTrouble(
            f"the log cannot be made: {e.strerror}", at=path, remedy="see that its folder can be written to"
        ) from e
    finally:
        with suppress(OSError):
            os.unlink(fresh)


def opened(path: str) -> sqlite3.Connection:
    """A connection to the log at `path`. Raises LogDamaged, LogNewer, LogTrouble, Conflict."""
    # A file: URI with mode=rw, because a plain path would silently make an empty file where one was removed.
    return _connected(path, "mode=rw")


def looked_at(path: str) -> sqlite3.Connection:
    """A connection for one who only looks, and may not be allowed more. Raises as `opened`.

    Who may write opens it as ever: so the last one out tidies up. For who may not, SQLite must find what others at work
    have put beside the file, or be told that there is nobody.
    """
    if os.access(path, os.W_OK) and os.access(os.path.dirname(path), os.W_OK):
        return opened(path)
    try:
        return _connected(path, "mode=ro")
    except LogTrouble:
        if _size(path + "-wal"):
            raise
    return _connected(path, "immutable=1")


def _connected(path: str, how: str) -> sqlite3.Connection:
    connection = None
    version = -1
    try:
        uri = f"file:{_quoted(path)}?{how}"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=PATIENCE_S)
        connection.execute("PRAGMA synchronous = NORMAL")
        # Every 16 MB instead of 4: each checkpoint flushes twice, which a run of many small steps feels.
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as e:
        raise translate(e, path) from e
    except UnicodeDecodeError as e:
        raise no_text(path) from e
    finally:
        if connection is not None and version != VERSION:
            connection.close()
    if version != VERSION:
        raise _other_version(path, version)
    return connection


def no_text(path: str) -> LogDamaged:
    """What is said when SQLite quotes the damaged part of a schema, which is no text."""
    return LogDamaged("the log's file is damaged: its schema is no text", at=path, remedy=RESTORE)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _quoted(path: str) -> str:
    """A path as a `file:` URI of SQLite takes it."""
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def sync(path: str) -> None:
    """Make a file, or what a folder lists, durable. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _other_version(path: str, version: int) -> HeadwayError:
    if version > VERSION:
        return LogNewer(
            f"the log has form {version}; this version of headway knows {VERSION}",
            at=path,
            remedy="install the version of headway that wrote it, or a newer one",
        )
    return LogDamaged("the file is not a log of headway", at=path, remedy="restore it from a copy, or name another")


def _disk_full(path: str) -> DiskFull:
    return DiskFull("no space is left for the log; nothing was appended", at=path, remedy="free some, then run again")


def translate(e: sqlite3.Error, path: str) -> HeadwayError:
    """The error of Headway that says what SQLite means. The low byte of its codes is the kind of trouble."""
    code = getattr(e, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR):
        return LogDamaged(f"the log's file is damaged: {e}", at=path, remedy=RESTORE)
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path)):
        return _disk_full(path)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL):
        return Conflict(
            f"another process has kept the log to itself for {PATIENCE_S:g} s",
            at=path,
            remedy="wait until it is done, or end it, and run again",
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN):
        return LogTrouble(
            f"the log cannot be opened for writing: {e}",
            at=path,
            remedy="see that it is a file, and that it and its folder can be written to",
        )
    return LogTrouble(f"the log cannot be used: {e}", at=path, remedy="check the disk: space, quota, health")


def _is_full(path: str) -> bool:
    """Whether an I/O error may well come from a full disk: SQLite does not say so of the files beside the main one."""
    try:
        room = os.statvfs(os.path.dirname(path))
    except OSError:
        return False
    return room.f_bavail * room.f_frsize < 1 << 20
