"""The log in memory: `memory:`. For tests and trials; it passes the same suite as the log on disk.

Facts are kept encoded, as they would lie in a file, so that what cannot be written is found here too.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from headway.codec import wire
from headway.core.facts import Entry, Fact, Row, key_of, kind_of
from headway.errors import AppendConflict
from headway.ports import Log


class MemoryLog:
    """A log that lives as long as this object."""

    __slots__ = ("_newest", "_rows", "_streams")

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._streams: dict[str, list[Row]] = {}
        self._newest: dict[tuple[str, str | None], Row] = {}

    def append(self, stream: str, facts: Sequence[Fact], *, expect: int, at: float) -> int:
        """Append facts. See `Log`."""
        if not facts:
            return expect
        length = len(self._streams.get(stream, ()))
        if length != expect:
            raise AppendConflict(
                f"stream {stream} has {length} facts, not {expect}: somebody else appended first",
                at=f"log: {stream}",
                remedy="read the stream again and decide anew",
            )
        at += 0.0  # As on disk: an int has another form than the float that is read back.
        before = self._rows[-1].hash if self._rows else wire.GENESIS
        fresh = []
        for i, fact in enumerate(facts, 1):
            seq, n, body = len(self._rows) + i, expect + i, wire.encode_fact(fact)
            before = wire.chain(before, seq=seq, stream=stream, n=n, at=at, body=body)
            fresh.append(
                Row(seq=seq, stream=stream, n=n, at=at, kind=kind_of(fact), key=key_of(fact), body=body, hash=before)
            )
        self._rows += fresh
        self._streams.setdefault(stream, []).extend(fresh)
        self._newest |= {(row.kind, row.key): row for row in fresh}
        return expect + len(facts)

    def read(self, stream: str, *, after: int = 0) -> list[Entry]:
        """The facts of a stream. See `Log`."""
        return [wire.entry_of(row) for row in self._streams.get(stream, ())[after:]]

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
        rows = self._rows[after_seq : None if before_seq is None else max(before_seq - 1, 0)]
        if newest_first:
            rows.reverse()
        return islice((wire.entry_of(row) for row in rows if not kinds or row.kind in kinds), limit)

    def find(self, kind: str, keys: Sequence[str]) -> dict[str, Entry]:
        """The newest fact for each key. See `Log`."""
        return {key: wire.entry_of(self._newest[kind, key]) for key in keys if (kind, key) in self._newest}

    def raw(self, *, after_seq: int = 0) -> Iterator[Row]:
        """All rows, not decoded. See `Log`."""
        return iter(self._rows[after_seq:])

    def sync(self) -> None:
        """Nothing to do: see `Log`."""

    def close(self) -> None:
        """Nothing to let go of: see `Log`."""


_: type[Log] = MemoryLog


def connect(_url: str) -> MemoryLog:
    """A new, empty log."""
    return MemoryLog()
