"""A PostgreSQL database by its URL: opened, its tables made, reached again when the connection broke, its faults told.

Two back-ends live in databases, `log_postgresql` and `leases_postgresql`; this is what they share and lies below both.
Knows neither facts nor leases. libpq reads PGPASSWORD, PGPASSFILE, PGSSLMODE and its other variables by itself.
"""

import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote

from headway.core.redact import redacted
from headway.errors import (
    Conflict,
    DiskFull,
    ExtraMissing,
    FileMissing,
    HeadwayError,
    LogDamaged,
    LogNewer,
    LogTrouble,
    RemoteRefused,
    RemoteUnreachable,
    UsageMistaken,
)

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[object, ...]]

_T = TypeVar("_T")

SCHEMA = "headway"
"""Where the tables lie when the URL does not say `schema=NAME`; two projects in one database need two."""

PATIENCE_S = 30.0
"""How long a database that was there before is waited for: a restart takes seconds, a failover some more."""

LOCK_S = 10
"""How long to wait for another writer, each of whom needs some milliseconds."""

# What PostgreSQL says, in the words of its untranslated catalogue, when it answers and lets nobody in.
_CLOSED = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|permission denied"
    r"|(role|database|user) \".*\" does not exist|not permitted to log in|server does not support SSL"
)
_STOPPED = ("57P01", "57P02", "57P03")
_RESTORE = "`headway audit` says how far the log is whole; restore the database from a copy, or name another schema"

# A client that vanishes in the middle of an append must not keep others from appending for longer than this.
_SESSION = f"""
SET lock_timeout = '{LOCK_S}s'; SET idle_in_transaction_session_timeout = '{LOCK_S}s';
SET client_min_messages = 'warning'; SET default_transaction_isolation = 'read committed'
"""
_FORMS = "CREATE TABLE IF NOT EXISTS forms (name text PRIMARY KEY, version integer NOT NULL)"


class Database:
    """The tables `name` in the schema of `url`, which `steps` make: those that were not taken yet, each once.

    The connection is opened when first needed. For one who is `looking` nothing is made and nothing can be written.
    """

    __slots__ = ("_connection", "_looking", "_name", "_steps", "_url", "_was_there", "place", "schema")

    def __init__(self, url: str, *, name: str, steps: Sequence[str], looking: bool = False) -> None:
        self.place = redacted(url)
        if "@" in url.partition("?")[0].partition("://")[2].partition("/")[2]:
            # A password with a slash in it: libpq would take a part of it for a port, and say so.
            raise self._unreadable()
        self._url, self.schema = _parted(url)
        self._name = name
        self._steps = steps
        self._looking = looking
        self._connection: Connection | None = None
        self._was_there = False

    def run(self, act: "Callable[[Connection], _T]", *, patience_s: float = PATIENCE_S) -> _T:
        """What `act` gives; it is called again when the connection broke in it, and must then find out what it did.

        Raises RemoteUnreachable, RemoteRefused, Conflict, DiskFull, LogDamaged, LogNewer, LogTrouble, and FileMissing
        for one who is looking where nothing was made.
        """
        import psycopg

        until = time.monotonic() + patience_s
        pause_s = 0.02
        while True:
            try:
                return act(self._open())
            except psycopg.Error as e:
                is_gone = self._is_gone(e)
                self._settle()
                if not is_gone or time.monotonic() + pause_s > until:
                    raise self._translate(e) from e
            except BaseException:
                self._settle()
                raise
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 1.0)

    def close(self) -> None:
        """Let go of the connection; the next `run` opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open(self) -> "Connection":
        if self._connection is not None:
            return self._connection
        import psycopg

        try:
            connection = psycopg.connect(
                self._url,
                autocommit=True,
                cursor_factory=psycopg.ClientCursor,
                connect_timeout=10,
                client_encoding="UTF8",
                application_name="headway",
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
                tcp_user_timeout=20_000,
            )
        except psycopg.ProgrammingError:
            # What it says may quote a part of the password.
            raise self._unreadable() from None
        try:
            connection.execute(_SESSION)
            path = psycopg.sql.SQL("SET search_path TO {}").format(psycopg.sql.Identifier(self.schema))
            connection.execute(path)
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._was_there = True
        return connection

    def _unreadable(self) -> UsageMistaken:
        return UsageMistaken(
            "this is no address of a database",
            at=self.place,
            remedy="write postgresql://USER@HOST:PORT/DATABASE; other signs than letters and digits as %XX",
        )

    def _prepare(self, connection: "Connection") -> None:
        """See to it that the tables are there, in the form that this version knows."""
        if self._looking:
            connection.execute("SET default_transaction_read_only = on")
        version = self._version(connection)
        if version is None and self._looking:
            raise FileMissing(
                f"there is no {self._name} in schema {self.schema}: nothing was recorded there",
                at=self.place,
                remedy="`headway run` makes it, or name another in log.url",
            )
        if version is None or (version < len(self._steps) and not self._looking):
            self._make(connection)
            version = len(self._steps)
        if version > len(self._steps):
            raise LogNewer(
                f"the {self._name} has form {version}; this version of headway knows {len(self._steps)}",
                at=self.place,
                remedy="install the version of headway that wrote it, or a newer one",
            )

    def _version(self, connection: "Connection") -> int | None:
        (there,) = _row(connection.execute("SELECT to_regclass(%s)::text", [f'"{_doubled(self.schema)}".forms']))
        if there is None:
            return None
        found = connection.execute("SELECT version FROM forms WHERE name = %s", [self._name]).fetchone()
        return None if found is None else int(str(found[0]))

    def _make(self, connection: "Connection") -> None:
        import psycopg

        schema = psycopg.sql.Identifier(self.schema)
        with connection.transaction():
            # Of several who begin at once one makes the tables, and the others find them.
            connection.execute("SELECT pg_advisory_xact_lock(1212438361, 0)")
            (there,) = _row(connection.execute("SELECT to_regnamespace(%s)::text", [f'"{_doubled(self.schema)}"']))
            if there is None:
                connection.execute(psycopg.sql.SQL("CREATE SCHEMA {}").format(schema))
            if self._version(connection) is None:
                connection.execute(_FORMS)
            for step in self._steps[self._version(connection) or 0 :]:
                connection.execute(step.encode())
            connection.execute(
                "INSERT INTO forms VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET version = excluded.version",
                [self._name, len(self._steps)],
            )

    def _is_gone(self, e: "psycopg.Error") -> bool:
        """Whether another connection may do what this one did not."""
        state = e.sqlstate or ""
        if self._connection is None:
            is_reached = state[:2] not in ("", "08", "53", "57") or _CLOSED.search(str(e)) is not None
            return state in _STOPPED or "starting up" in str(e) or (self._was_there and not is_reached)
        return bool(self._connection.closed) or state in _STOPPED or state.startswith("08")

    def _settle(self) -> None:
        """End what is under way: the connection is kept where that can be done."""
        import psycopg

        connection = self._connection
        if connection is None:
            return
        try:
            if not connection.closed:
                connection.rollback()
                return
        except psycopg.Error:
            pass
        self.close()

    def _translate(self, e: "psycopg.Error") -> HeadwayError:
        """The error of Headway for an SQLSTATE: its first two signs are the class."""
        import psycopg

        state, said = e.sqlstate or "", str(e).strip().split("\n")[0]
        if state == "53100":
            return DiskFull("no space is left for the database", at=self.place, remedy="free some, then try again")
        if state == "55P03":
            return Conflict(
                f"another process has kept the {self._name} to itself for {LOCK_S} s",
                at=self.place,
                remedy="wait until it is done, or end it, and try again",
            )
        if state in ("42501", "25006") or state[:2] in ("28", "3D") or (not state and _CLOSED.search(str(e))):
            return RemoteRefused(
                f"PostgreSQL does not let you in: {said}",
                at=self.place,
                remedy="check user, database and rights; the password is taken from PGPASSWORD or ~/.pgpass",
            )
        if isinstance(e, psycopg.OperationalError) or state[:2] in ("08", "53", "57", "58"):
            return RemoteUnreachable(
                f"PostgreSQL does not answer: {said}",
                at=self.place,
                remedy="check that it runs and can be reached, then do the same again: nothing is done twice",
            )
        if state.startswith(("XX", "42")):
            return LogDamaged(f"the {self._name} is damaged: {said}", at=self.place, remedy=_RESTORE)
        return LogTrouble(f"the {self._name} cannot be used: {said}", at=self.place, remedy="see what the server logs")


def require() -> None:
    """Raise ExtraMissing when psycopg is not there."""
    from importlib.util import find_spec

    if find_spec("psycopg") is None:
        raise ExtraMissing(
            "a log in PostgreSQL needs psycopg, which is not installed",
            at="headway[sql]",
            remedy="pip install 'headway[sql]'",
        )


def _row(cursor: "psycopg.Cursor[tuple[object, ...]]") -> tuple[object, ...]:
    found = cursor.fetchone()
    assert found is not None
    return found


def _doubled(name: str) -> str:
    return name.replace('"', '""')


def _parted(url: str) -> tuple[str, str]:
    """The URL as libpq takes it, and the schema, which libpq has no word for.

    >>> _parted("postgresql://ann@db/shop?sslmode=require&schema=churn")
    ('postgresql://ann@db/shop?sslmode=require', 'churn')
    >>> _parted("postgresql://db/shop")
    ('postgresql://db/shop', 'headway')
    """
    head, _, query = url.partition("?")
    parts = [part for part in query.split("&") if part]
    schemas = [unquote(part[7:]) for part in parts if part.startswith("schema=")]
    rest = "&".join(part for part in parts if not part.startswith("schema="))
    return head + (f"?{rest}" if rest else ""), schemas[-1] if schemas and schemas[-1] else SCHEMA
