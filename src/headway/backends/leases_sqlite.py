"""Leases as rows of an SQLite file: `sqlite:<path>`. They end when their time is over by the clock of who asks.

For processes that do not see each other die, as in containers that share a volume; on one machine `leases_file` is
better, since there the kernel sees it.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from headway.backends import path_of
from headway.errors import Conflict, DiskFull, LeaseHeld, StoreTrouble
from headway.ports import Leases

PATIENCE_S = 10.0
"""How long to wait for another process: each holds the file for less than a millisecond."""

_SCHEMA = "CREATE TABLE IF NOT EXISTS leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until REAL NOT NULL)"
# In one statement, so that of two who ask at once one finds the other.
_ACQUIRE = """
INSERT INTO leases VALUES (:name, :holder, :until)
ON CONFLICT (name) DO UPDATE SET holder = :holder, until = :until WHERE holder = :holder OR until <= :now
"""
_RENEW = "UPDATE leases SET until = :until WHERE name = :name AND holder = :holder AND until > :now"
_RELEASE = "DELETE FROM leases WHERE name = ? AND holder = ?"
_HOLDER = "SELECT holder FROM leases WHERE name = ? AND until > ?"


class SqliteLeases:
    """Leases in the file at `path`, which is made if need be.

    Opened for each act, of which a run has a few: so there is nothing to close, and nothing that outlives a holder.
    """

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path
        with self._opened() as db:
            db.execute(_SCHEMA)

    def acquire(self, name: str, *, holder: str, ttl_s: float, now: float) -> None:
        """Take the lease. See `Leases`."""
        self._change(_ACQUIRE, name, holder=holder, until=now + ttl_s, now=now)

    def renew(self, name: str, *, holder: str, ttl_s: float, now: float) -> None:
        """Keep the lease. See `Leases`."""
        self._change(_RENEW, name, holder=holder, until=now + ttl_s, now=now)

    def release(self, name: str, *, holder: str) -> None:
        """Give it back. See `Leases`."""
        with self._opened() as db:
            db.execute(_RELEASE, (name, holder))

    def holder(self, name: str, *, now: float) -> str | None:
        """Who holds it. See `Leases`."""
        with self._opened() as db:
            found = db.execute(_HOLDER, (name, now)).fetchone()
        return None if found is None else str(found[0])

    def _change(self, sql: str, name: str, *, holder: str, until: float, now: float) -> None:
        values = {"name": name, "holder": holder, "until": until, "now": now}
        with self._opened() as db:
            changed = db.execute(sql, values).rowcount
        if not changed:
            other = self.holder(name, now=now) or ""
            raise LeaseHeld(
                f"{name} is held by {other}" if other else f"{name} is held by nobody any more",
                at=self._path,
                remedy="wait until it is done, or take it anew",
                holder=other,
            )

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """The file, open; what goes wrong with it is told in Headway's words."""
        try:
            os.makedirs(os.path.dirname(os.path.abspath(self._path)), exist_ok=True)
            with closing(sqlite3.connect(self._path, isolation_level=None, timeout=PATIENCE_S)) as db:
                yield db
        except (sqlite3.Error, OSError) as e:
            code = getattr(e, "sqlite_errorcode", 0) & 0xFF
            if code == sqlite3.SQLITE_FULL:
                raise DiskFull("no space is left for a lease", at=self._path, remedy="free some") from e
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise Conflict("the leases are locked by another process", at=self._path, remedy="try again") from e
            raise StoreTrouble(
                f"the leases cannot be used: {e}", at=self._path, remedy="see that the file can be written to"
            ) from e


_: type[Leases] = SqliteLeases


def connect(url: str) -> SqliteLeases:
    """The leases of `sqlite:<path>`."""
    return SqliteLeases(path_of(url))
