"""Which step made what, and what was made of it: a fold of all finished steps that is carried on, not begun anew.

Neighbours: `flows/lineage` asks it, `core/made` is what is remembered. A copy of the log, for who asks often (the
pages): each fact is read once, also if a process ends meanwhile (`docs/formats/log.md` has the form of what is kept).
"""

import os
import sys
import threading
from collections.abc import Collection
from contextlib import suppress
from typing import Protocol, cast

import msgspec
from msgspec import Struct

from headway.core.facts import Entry, StepFinished
from headway.core.ids import Digest
from headway.core.lineage import Maker, made_of, maker
from headway.core.made import Graph, Packed
from headway.flows import copies
from headway.ports import Log

STEPS = 1000
"""With so many new steps what is remembered is kept anew: fewer are read again in 20 ms."""

_HEAD = b"headway-made 1\n"


class _Kept(Struct, frozen=True, array_like=True):
    """What is kept: all steps up to a fact, by its number and hash; `order` is that of the bytes of numbers."""

    seq: int
    hash: str
    order: str
    graph: Packed


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

    What lies at `file` (in the project's cache) is read first, if it is a copy of this very log. Who `keeps` it writes
    it anew with every `STEPS` steps; whoever does so last is the one that counts. `core/made` says how large it is.
    """

    __slots__ = ("_file", "_graph", "_hash", "_keeps", "_lock", "_n_kept", "_seq")

    def __init__(self, file: str | None = None, *, keeps: bool = False) -> None:
        self._file = file
        self._keeps = keeps
        self._lock = threading.Lock()
        self._graph: Graph | None = None
        self._seq, self._hash = 0, ""
        self._n_kept = 0

    def makers(self, log: Log, digests: Collection[Digest]) -> dict[Digest, Maker]:
        """See `Made`."""
        with self._lock:
            graph = self._read_on(log)
            places = {digest: seq for digest in digests if (seq := graph.maker(digest)) is not None}
        found: dict[Digest, Maker] = {}
        for digest, seq in places.items():
            one = maker(log.scan(("StepFinished",), after_seq=seq - 1, limit=1), digest)
            if one is not None:
                found[digest] = one
        return found

    def made_of(self, log: Log, digests: Collection[Digest]) -> set[Digest]:
        """See `Made`."""
        with self._lock:
            return cast("set[Digest]", self._read_on(log).reached(digests))

    def _read_on(self, log: Log) -> Graph:
        if self._graph is None:
            self._graph = self._of_file(log)
        for entry in log.scan(("StepFinished",), after_seq=self._seq):
            self._seq, self._hash = entry.seq, entry.hash
            fact = entry.fact
            if isinstance(fact, StepFinished) and fact.outputs:
                read = {part.value for part in fact.parts if part.kind == "in"}
                self._graph.add(entry.seq, read, [artifact.digest for artifact in fact.outputs.values()])
        if self._keeps and self._file is not None and self._graph.n_steps >= self._n_kept + STEPS:
            kept = _Kept(seq=self._seq, hash=self._hash, order=sys.byteorder, graph=self._graph.pack())
            copies.write(self._file, _HEAD, msgspec.msgpack.encode(kept))
            # Also where it could not be written: that is tried again with as many steps more.
            self._n_kept = self._graph.n_steps
        return self._graph

    def _of_file(self, log: Log) -> Graph:
        """What is kept, if it is of this log: the hash of a fact stands for all facts before it."""
        body = copies.read(self._file, _HEAD)
        with suppress(msgspec.MsgspecError):
            kept = None if body is None else msgspec.msgpack.decode(body, type=_Kept)
            if kept is not None and kept.order == sys.byteorder:
                last = next(iter(log.scan(("StepFinished",), after_seq=kept.seq - 1, limit=1)), None)
                if last is not None and (last.seq, last.hash) == (kept.seq, kept.hash):
                    self._seq, self._hash = kept.seq, kept.hash
                    graph = Graph.of(kept.graph)
                    self._n_kept = graph.n_steps
                    return graph
        return Graph()


def of_project(home: str, *, keeps: bool) -> Remembered:
    """What is remembered of a project, whose `.headway` is `home`, from one process to the next."""
    return Remembered(os.path.join(home, "cache", "made"), keeps=keeps)


def _made(entry: Entry, digests: Collection[Digest]) -> bool:
    fact = entry.fact
    return isinstance(fact, StepFinished) and any(one.digest in digests for one in fact.outputs.values())


_: tuple[type[Made], ...] = (Scanned, Remembered)
