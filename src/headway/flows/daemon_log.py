"""The log as sources of the daemon see it: a stream that had nothing new is not read again until somebody appended.

Sources look each second, a hundred of them, and each asks what was told of it. The loop knows by one question whether
anything was appended at all, and says so here.
"""

from collections.abc import Iterator, Sequence

from headway.core.facts import Entry, Fact, Row
from headway.ports import Log


class QuietLog:
    """A log in front of another one. What somebody appends is seen at the loop's next round, not before."""

    __slots__ = ("_lengths", "_log")

    def __init__(self, log: Log) -> None:
        self._log = log
        self._lengths: dict[str, int] = {}

    def stirred(self) -> None:
        """Somebody appended something."""
        self._lengths.clear()

    def append(self, stream: str, facts: Sequence[Fact], *, expect: int, at: float) -> int:
        """See `Log`."""
        self._lengths.clear()
        return self._log.append(stream, facts, expect=expect, at=at)

    def read(self, stream: str, *, after: int = 0) -> list[Entry]:
        """See `Log`."""
        if self._lengths.get(stream) == after:
            return []
        found = self._log.read(stream, after=after)
        self._lengths[stream] = found[-1].n if found else after
        return found

    def scan(
        self,
        kinds: Sequence[str] = (),
        *,
        after_seq: int = 0,
        before_seq: int | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> Iterator[Entry]:
        """See `Log`."""
        return self._log.scan(kinds, after_seq=after_seq, before_seq=before_seq, newest_first=newest_first, limit=limit)

    def find(self, kind: str, keys: Sequence[str]) -> dict[str, Entry]:
        """See `Log`."""
        return self._log.find(kind, keys)

    def raw(self, *, after_seq: int = 0) -> Iterator[Row]:
        """See `Log`."""
        return self._log.raw(after_seq=after_seq)

    def sync(self) -> None:
        """See `Log`."""
        self._log.sync()

    def close(self) -> None:
        """See `Log`."""
        self._log.close()


_: type[Log] = QuietLog
