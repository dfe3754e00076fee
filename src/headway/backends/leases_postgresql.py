"""Leases as rows of a PostgreSQL database, beside the log: `postgresql://…`, for machines that share one.

Only the database's clock counts, so that clocks of machines may differ. A holder's process says every `BEAT_S` that it
is alive; when it has said nothing for `HOLD_S`, its leases are free. So a killed process is found out within seconds,
a server that restarts takes no lease from anybody, and neither `ttl_s` nor `now` is needed or looked at.
"""

import secrets
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, TypeVar

from headway.errors import FileMissing, HeadwayError, LeaseHeld
from headway.ports import Leases
from headway.postgresql import Database, require

if TYPE_CHECKING:
    from headway.postgresql import Connection

_T = TypeVar("_T")

HOLD_S = 10.0
"""For how long a holder that says nothing is believed to live."""

BEAT_S = 2.0
"""How often a holder says that it lives: four times in vain are forgiven."""

_STEPS = (
    """
CREATE TABLE leases (
    name text COLLATE "C" PRIMARY KEY, holder text NOT NULL, owner bigint NOT NULL, until timestamptz NOT NULL
)
""",
)
_UNTIL = f"clock_timestamp() + interval '{HOLD_S} s'"
# In one statement, so that of two who ask at once one finds the other.
_ACQUIRE = f"""
INSERT INTO leases AS l VALUES (%(name)s, %(holder)s, %(owner)s, {_UNTIL})
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, owner = excluded.owner, until = excluded.until
WHERE l.until <= clock_timestamp() OR (l.owner = excluded.owner AND l.holder = excluded.holder)
"""  # noqa: S608 (a number of ours)
# Also when its time is over: nobody took it meanwhile, or the row would be theirs.
_RENEW = f"UPDATE leases SET until = {_UNTIL} WHERE name = %(name)s AND owner = %(owner)s AND holder = %(holder)s"  # noqa: S608 (as above)
_BEAT = f"UPDATE leases SET until = {_UNTIL} WHERE owner = %s"  # noqa: S608 (as above)
_RELEASE = "DELETE FROM leases WHERE name = %(name)s AND owner = %(owner)s AND holder = %(holder)s"
_RELEASE_ALL = "DELETE FROM leases WHERE owner = %s"
_HOLDER = "SELECT holder FROM leases WHERE name = %s AND until > clock_timestamp()"


class PostgresqlLeases:
    """Leases in the schema that `url` names. They are this object's: another one is somebody else.

    A connection is kept as long as anything is held, and a thread that says so.
    """

    __slots__ = ("_db", "_held", "_lock", "_over", "_owner")

    def __init__(self, url: str, *, looking: bool = False) -> None:
        self._db = Database(url, name="leases", steps=_STEPS, looking=looking)
        self._owner = secrets.randbits(62)
        self._held: set[str] = set()
        self._lock = Lock()
        self._over = Event()

    def acquire(self, name: str, *, holder: str, ttl_s: float, now: float) -> None:  # noqa: ARG002 (see the module)
        """Take the lease. See `Leases`."""
        with self._lock:
            if not self._changed(_ACQUIRE, name, holder):
                # The connection is kept: who waits asks again soon.
                other = self._holder(name) or ""
                raise LeaseHeld(
                    f"{name} is held by {other or 'another process'}",
                    at=self._db.place,
                    remedy="wait until it is done, or end it",
                    holder=other,
                )
            if not self._held:
                self._over = Event()
                Thread(target=self._live, args=(self._over,), name="headway leases", daemon=True).start()
            self._held.add(name)

    def renew(self, name: str, *, holder: str, ttl_s: float, now: float) -> None:  # noqa: ARG002 (see the module)
        """Keep the lease. See `Leases`."""
        with self._lock:
            if not self._changed(_RENEW, name, holder):
                other = self._holder(name) or ""
                raise LeaseHeld(
                    f"{name} is no longer ours" + (f": {other} holds it" if other else ""),
                    at=self._db.place,
                    remedy="stop what needs it, and take it anew",
                    holder=other,
                )

    def release(self, name: str, *, holder: str) -> None:
        """Give it back. See `Leases`."""
        with self._lock:
            if name in self._held and self._changed(_RELEASE, name, holder):
                self._held.discard(name)
            self._rest()

    def holder(self, name: str, *, now: float) -> str | None:  # noqa: ARG002 (see the module)
        """Who holds it. See `Leases`."""
        with self._lock:
            try:
                return self._holder(name)
            except FileMissing:
                return None
            finally:
                self._rest()

    def close(self) -> None:
        """Give back all that is held, and let go of the connection."""
        with self._lock:
            if self._held:
                self._held.clear()
                self._run(lambda db: db.execute(_RELEASE_ALL, [self._owner]))
            self._rest()

    def _changed(self, sql: str, name: str, holder: str) -> bool:
        values = {"name": name, "holder": holder, "owner": self._owner}
        return bool(self._run(lambda db: db.execute(sql.encode(), values).rowcount))

    def _holder(self, name: str) -> str | None:
        found = self._run(lambda db: db.execute(_HOLDER, [name]).fetchone())
        return None if found is None else str(found[0])

    def _run(self, act: "Callable[[Connection], _T]") -> _T:
        return self._db.run(act)

    def _rest(self) -> None:
        """Keep no connection and no thread for nothing."""
        if not self._held:
            self._over.set()
            self._db.close()

    def _live(self, over: Event) -> None:
        while not over.wait(BEAT_S):
            with self._lock:
                if over.is_set():
                    return
                try:
                    self._db.run(lambda db: db.execute(_BEAT, [self._owner]), patience_s=0.0)
                except HeadwayError:
                    # The next beat tries again; a holder whose lease was lost meanwhile hears of it when it renews.
                    continue


_: type[Leases] = PostgresqlLeases


def connect(url: str) -> PostgresqlLeases:
    """The leases beside the log of this URL; nothing is touched yet. Raises ExtraMissing."""
    require()
    return PostgresqlLeases(url)


def look(url: str) -> PostgresqlLeases:
    """The leases for one who only looks: where there is no table, nothing is held. Raises ExtraMissing."""
    require()
    return PostgresqlLeases(url, looking=True)
