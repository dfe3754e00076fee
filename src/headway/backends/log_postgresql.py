"""The log in a PostgreSQL database: `postgresql://…`, for machines that share one. Specified in `docs/formats/log.md`.

All writers go through one advisory lock, so that the chain is continued by one after the other. A fact is as durable
as the server makes a commit, when `append` returned: `sync` has nothing left to do. An append whose answer was lost is
found again by its mark. Knows nothing of what facts mean.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, cast

from headway.codec import wire
from headway.core.facts import Entry, Fact, Row, key_of, kind_of
from headway.errors import AppendConflict, LogDamaged, LogTrouble
from headway.ports import Log
from headway.postgresql import Database, require

if TYPE_CHECKING:
    from headway.postgresql import Connection

PAGE = 1000
"""Rows that a scan asks for at a time: a network's way and back costs as much as some hundred rows."""

# Texts are compared by their bytes, whatever the database's language. Keys and streams may be of any length; an index
# of PostgreSQL takes 2,700 bytes, so that it has the first 200 characters, which no key of headway itself exceeds.
_STEPS = (
    """
CREATE TABLE facts (
    seq bigint PRIMARY KEY, stream text COLLATE "C" NOT NULL, n bigint NOT NULL, at double precision NOT NULL,
    kind text COLLATE "C" NOT NULL, key text COLLATE "C", body text NOT NULL, hash text NOT NULL,
    mark bigint NOT NULL, UNIQUE (stream, n)
);
CREATE INDEX facts_by_key ON facts (kind, left(key, 200), seq) WHERE key IS NOT NULL;
CREATE INDEX facts_by_kind ON facts (kind, seq);
CREATE FUNCTION facts_never_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'facts never change' USING ERRCODE = 'integrity_constraint_violation'; END $$;
CREATE TRIGGER facts_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON facts EXECUTE FUNCTION facts_never_change();
""",
)

_ROWS = "SELECT seq, stream, n, at, kind, key, body, hash FROM facts"
_LAST = _ROWS + " ORDER BY seq DESC LIMIT 2"
_READ = _ROWS + " WHERE stream = %s AND n > %s ORDER BY n"
# The lock is a statement of its own: what comes behind it sees all that was committed by who held it before.
_BEGIN = """
BEGIN;
SELECT pg_advisory_xact_lock(1212438361, hashtext(current_schema()));
SELECT tip.seq, tip.hash, (SELECT n FROM facts WHERE stream = %(stream)s ORDER BY n DESC LIMIT 1),
    EXISTS (SELECT FROM facts WHERE stream = %(stream)s AND n = %(first)s AND mark = %(mark)s)
FROM (SELECT) AS one LEFT JOIN (SELECT seq, hash FROM facts ORDER BY seq DESC LIMIT 1) AS tip ON true
"""
_INSERT = "INSERT INTO facts VALUES "
_VALUES = "(%s, %s, %s, %s, %s, %s, %s, %s, %s)"
# Numbers first, from the index alone; then the rows of one page, and not those of a page for each kind.
_PAGE_OF_KINDS = """
{rows} WHERE seq IN (
    SELECT one.seq FROM unnest(%(kinds)s::text[]) AS wanted(kind) CROSS JOIN LATERAL (
        SELECT seq FROM facts WHERE kind = wanted.kind COLLATE "C" AND seq > %(low)s AND seq < %(high)s
        ORDER BY seq {order} LIMIT %(size)s
    ) AS one ORDER BY one.seq {order} LIMIT %(size)s
) ORDER BY seq {order}
"""
_PAGE = "{rows} WHERE seq > %(low)s AND seq < %(high)s ORDER BY seq {order} LIMIT %(size)s"
_FIND = """
SELECT f.* FROM unnest(%(keys)s::text[]) AS wanted(key) CROSS JOIN LATERAL (
    {rows} WHERE kind = %(kind)s AND left(key, 200) = left(wanted.key, 200) COLLATE "C"
    AND key = wanted.key COLLATE "C" ORDER BY seq DESC LIMIT 1
) AS f
"""

_RESTORE = "`headway audit` says how far the log is whole; restore it from a copy"

_ALL = 2**63 - 1
"""No fact has this number: all are before it."""

_Record = tuple[int, str, int, float, str, str | None, str, str]


class PostgresqlLog:
    """The log in the schema that `url` names, which is made if need be. One object, one thread, one connection."""

    __slots__ = ("_db", "_is_closed", "_last")

    def __init__(self, url: str, *, looking: bool = False) -> None:
        self._db = Database(url, name="log", steps=_STEPS, looking=looking)
        self._is_closed = False
        self._last: tuple[int, str] = (0, wire.GENESIS)
        self._db.run(lambda _: None)

    def append(self, stream: str, facts: Sequence[Fact], *, expect: int, at: float) -> int:
        """Append facts. See `Log`.

        When the connection breaks before the answer is here, the same is tried by another one, which first looks
        whether it was done: then nothing is done again. Raises RemoteUnreachable when there is no other for long.
        """
        if not facts:
            return expect
        at += 0.0  # An int would be hashed in another form than the float that the table gives back; so would -0.0.
        bodies = [(kind_of(fact), key_of(fact), wire.encode_fact(fact)) for fact in facts]
        mark = secrets.randbits(62)

        def act(db: "Connection") -> None:
            tip, length, is_done = self._begin(db, stream, expect + 1, mark)
            if is_done:
                db.execute("ROLLBACK")
                return
            if length != expect:
                raise AppendConflict(
                    f"stream {stream} has {length} facts, not {expect}: somebody else appended first",
                    at=f"log: {stream}",
                    remedy="read the stream again and decide anew",
                )
            seq, before = self._verified(db, tip)
            values: list[object] = []
            for n, (kind, key, body) in enumerate(bodies, expect + 1):
                seq += 1
                before = wire.chain(before, seq=seq, stream=stream, n=n, at=at, body=body)
                values += (seq, _kept(stream), n, at, kind, key and _kept(key), body.decode(), before, mark)
            # Sent together: a server that was not told to commit does not.
            sql = f"{_INSERT}{', '.join([_VALUES] * len(bodies))}; COMMIT"
            db.execute(sql.encode(), values)
            self._last = (seq, before)

        self._open.run(act)
        return expect + len(facts)

    def read(self, stream: str, *, after: int = 0) -> list[Entry]:
        """The facts of a stream. See `Log`; raises LogDamaged also when some are missing in between."""
        records = self._records(_READ, (_kept(stream), after))
        if records and records[-1][2] != after + len(records):
            raise LogDamaged(f"facts of stream {stream} are missing", at=self._db.place, remedy=_RESTORE)
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
        records = self._pages(between, kinds, newest_first=newest_first, limit=limit)
        return map(_entry, islice(records, limit))

    def find(self, kind: str, keys: Sequence[str]) -> dict[str, Entry]:
        """The newest fact for each key. See `Log`."""
        if not keys:
            return {}
        values = {"kind": kind, "keys": [_kept(key) for key in keys]}
        return {_given(cast("str", record[5])): _entry(record) for record in self._records(_in(_FIND), values)}

    def raw(self, *, after_seq: int = 0) -> Iterator[Row]:
        """All rows, not decoded. See `Log`; it does not check them (see `wire.verified`)."""
        return map(_row, self._pages((after_seq, _ALL), ()))

    def sync(self) -> None:
        """Nothing is left to do. See `Log`: what was committed is durable, unless the server was told otherwise."""

    def close(self) -> None:
        """Let go of the connection. See `Log`."""
        self._is_closed = True
        self._db.close()

    @property
    def _open(self) -> Database:
        if self._is_closed:
            raise LogTrouble("the log was closed", at=self._db.place, remedy="open it again")
        return self._db

    def _begin(self, db: "Connection", stream: str, first: int, mark: int) -> tuple[tuple[int, str], int, bool]:
        """Begin to write: the end of the chain, the stream's length, and whether these facts were written before."""
        cursor = db.execute(_BEGIN, {"stream": _kept(stream), "first": first, "mark": mark})
        while cursor.nextset():
            pass
        found = cursor.fetchone()
        assert found is not None
        seq, hash_, length, is_done = cast("tuple[int | None, str, int | None, bool]", found)
        return ((0, wire.GENESIS) if seq is None else (seq, hash_)), length or 0, is_done

    def _verified(self, db: "Connection", tip: tuple[int, str]) -> tuple[int, str]:
        """The end of the chain; what somebody else wrote there is verified before anyone builds on it."""
        if tip == self._last:
            return tip
        seq, hash_ = tip
        if seq <= self._last[0]:
            raise LogDamaged(f"fact {self._last[0]} of the log is gone", at=self._db.place, remedy=_RESTORE)
        last = [_row(cast("_Record", record)) for record in db.execute(_LAST).fetchall()]
        before = last[1].hash if len(last) > 1 else wire.GENESIS
        wire.verify([last[0]], after_seq=seq - 1, before=before)
        return seq, hash_

    def _pages(
        self, between: tuple[int, int], kinds: Sequence[str], *, newest_first: bool = False, limit: int | None = None
    ) -> Iterator[_Record]:
        size = PAGE if limit is None else min(limit, PAGE)
        order = "DESC" if newest_first else "ASC"
        sql = _in(_PAGE_OF_KINDS if kinds else _PAGE, order)
        values = {"low": between[0], "high": between[1], "size": size, "kinds": sorted(set(kinds))}
        while size:
            page = self._records(sql, values)
            yield from page
            if len(page) < size:
                return
            values["high" if newest_first else "low"] = page[-1][0]

    def _records(self, sql: str, values: "Sequence[object] | Mapping[str, object]") -> list[_Record]:
        found = self._open.run(lambda db: db.execute(sql.encode(), values).fetchall())
        return cast("list[_Record]", found)


_: type[Log] = PostgresqlLog


def connect(url: str) -> PostgresqlLog:
    """The log of a URL as libpq takes it; `schema=NAME` in its query says where in the database.

    Raises ExtraMissing, RemoteUnreachable, RemoteRefused, LogNewer, UsageMistaken.
    """
    require()
    return PostgresqlLog(url)


def look(url: str) -> PostgresqlLog:
    """The log for one who only reads it. Raises FileMissing where there is none, or as `connect`."""
    require()
    return PostgresqlLog(url, looking=True)


def _in(sql: str, order: str = "ASC") -> str:
    return sql.replace("{rows}", _ROWS).replace("{order}", order)


def _kept(text: str) -> str:
    """A text as PostgreSQL can keep it, which takes all characters but NUL."""
    return text.replace("\\", "\\\\").replace("\0", "\\0") if "\0" in text or "\\" in text else text


def _given(text: str) -> str:
    r"""The text that `_kept` made this of.

    >>> [_given(_kept(text)) == text for text in ("a", "\0", "\\0", "\\\0", "\\\\0")]
    [True, True, True, True, True]
    """
    if "\\" not in text:
        return text
    return "\\".join(part.replace("\\0", "\0") for part in text.split("\\\\"))


def _row(record: _Record) -> Row:
    seq, stream, n, at, kind, key, body, hash_ = record
    given = None if key is None else _given(key)
    return Row(seq=seq, stream=_given(stream), n=n, at=at, kind=kind, key=given, body=body.encode(), hash=hash_)


def _entry(record: _Record) -> Entry:
    seq, stream, n, at, _kind, _key, body, hash_ = record
    fact = wire.decode_fact(body.encode(), seq=seq)
    return Entry(seq=seq, stream=_given(stream), n=n, at=at, fact=fact, hash=hash_)
