"""Which step made what, and what was made of it: a fold of all finished steps that is carried on, not begun anew.

Neighbour: `flows/lineage` asks it. A copy of the log in memory, for who asks often (the pages): each fact is read once.
It remembers digests and where facts stand, no fact.
"""

import threading
from array import array
from collections.abc import Collection
from heapq import heappop, heappush
from typing import Protocol

from headway.core.facts import Entry, StepFinished
from headway.core.ids import Digest
from headway.core.lineage import Maker, made_of, maker
from headway.ports import Log


class Made(Protocol):
    """Who knows what steps made. Both ways of knowing answer alike."""

    def makers(self, log: Log, digests: Collection[Digest]) -> dict[Digest, Maker]:
        """The first step that made each of these; what no step made is absent."""

    def made_of(self, log: Log, digests: Collection[Digest]) -> set[Digest]:
        """These digests and those of all that steps made of them, and of that again."""


class Scanned:
    """Reads all steps whenever it is asked: for a command, which asks once."""

    __slots__ = ()

    def makers(self, log: Log, digests: Collection[Digest]) -> dict[Digest, Maker]:
        """See `Made`."""
        # Of a hundred thousand steps a few made what is asked for: no others are kept in memory.
        steps = [entry for entry in log.scan(("StepFinished",)) if _made(entry, digests)]
        return {digest: found for digest in digests if (found := maker(steps, digest)) is not None}

    def made_of(self, log: Log, digests: Collection[Digest]) -> set[Digest]:
        """See `Made`."""
        return made_of(log.scan(("StepFinished",)), digests)


class Remembered:
    """Remembers what it read, and reads on from there. May be asked by several threads, each with a log of its own.

    Some 300 bytes for each output that differs from all others.
    """

    __slots__ = ("_first", "_lock", "_made", "_readers", "_seq")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seq = 0
        self._first: dict[str, int] = {}  # Digest to the fact of the step that made it first.
        self._made: dict[int, tuple[str, ...]] = {}  # Such a fact to all that the step made.
        self._readers: dict[str, array[int]] = {}  # Digest to the facts of steps that read it and made something.

    def makers(self, log: Log, digests: Collection[Digest]) -> dict[Digest, Maker]:
        """See `Made`."""
        with self._lock:
            self._read_on(log)
            places = {digest: self._first[digest] for digest in digests if digest in self._first}
        found: dict[Digest, Maker] = {}
        for digest, seq in places.items():
            one = maker(log.scan(("StepFinished",), after_seq=seq - 1, limit=1), digest)
            if one is not None:
                found[digest] = one
        return found

    def made_of(self, log: Log, digests: Collection[Digest]) -> set[Digest]:
        """See `Made`."""
        with self._lock:
            self._read_on(log)
            return self._reached(digests)

    def _reached(self, digests: Collection[Digest]) -> set[Digest]:
        # Since which fact each is reached: what read it before then read something else that was the same.
        since: dict[str, int] = dict.fromkeys(digests, 0)
        due: list[tuple[int, str]] = [(0, digest) for digest in digests]
        while due:
            begun, digest = heappop(due)
            for seq in self._readers.get(digest, ()) if begun == since[digest] else ():
                if seq <= begun:
                    continue
                for made in self._made[seq]:
                    if seq < since.get(made, seq + 1):
                        since[made] = seq
                        if made in self._readers:
                            heappush(due, (seq, made))
        return {Digest(digest) for digest in since}

    def _read_on(self, log: Log) -> None:
        for entry in log.scan(("StepFinished",), after_seq=self._seq):
            self._seq = entry.seq
            fact = entry.fact
            if not isinstance(fact, StepFinished) or not fact.outputs:
                continue
            for artifact in fact.outputs.values():
                self._first.setdefault(artifact.digest, entry.seq)
            self._made[entry.seq] = tuple(artifact.digest for artifact in fact.outputs.values())
            for value in {part.value for part in fact.parts if part.kind == "in"}:
                self._readers.setdefault(value, array("q")).append(entry.seq)


def _made(entry: Entry, digests: Collection[Digest]) -> bool:
    fact = entry.fact
    return isinstance(fact, StepFinished) and any(one.digest in digests for one in fact.outputs.values())


_: tuple[type[Made], ...] = (Scanned, Remembered)
