"""Machines that walk a log or a store at random beside a model in memory. Needs hypothesis.

class TestMyLog(log_machine(lambda: MyLog(new_place())).TestCase): ...
"""

import os
import random
import tempfile
from collections.abc import Callable
from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from headway.codec import wire
from headway.codec.wire import digest_of
from headway.core.facts import Entry, Fact, key_of, kind_of
from headway.core.ids import Digest
from headway.errors import AppendConflict, BlobMissing
from headway.ports import Blobs, Log
from headway.testing import strategies

BRIEFLY = settings(max_examples=max(1, settings.default.max_examples // 5) if settings.default else 20, deadline=None)
"""A fifth of the walks of the profile in use, each as long as a busy machine makes it: for every save."""


class LogMachine(RuleBasedStateMachine):
    """Walks a log beside a list. A subclass gives `place`: a new, empty log's, which opens the log again and again."""

    place: Callable[[], Callable[[], Log]]

    def __init__(self) -> None:
        super().__init__()
        self.open = self.place()
        self.log = self.open()
        self.model: list[tuple[str, Fact, float]] = []

    def _of(self, stream: str) -> list[Fact]:
        return [fact for name, fact, _ in self.model if name == stream]

    @rule(stream=strategies.streams, facts=st.lists(strategies.facts, max_size=3), at=strategies.times)
    def append(self, stream: str, facts: list[Fact], at: float) -> None:
        length = len(self._of(stream))
        assert self.log.append(stream, facts, expect=length, at=at) == length + len(facts)
        self.model += [(stream, fact, at) for fact in facts]

    @rule(stream=strategies.streams, fact=strategies.facts, off=st.integers(1, 3))
    def append_with_a_wrong_length(self, stream: str, fact: Fact, off: int) -> None:
        try:
            self.log.append(stream, [fact], expect=len(self._of(stream)) + off, at=1.0)
        except AppendConflict:
            return
        raise AssertionError("a conflict was not seen")

    @rule(stream=strategies.streams, after=st.integers(0, 5))
    def read(self, stream: str, after: int) -> None:
        assert [e.fact for e in self.log.read(stream, after=after)] == self._of(stream)[after:]

    @rule(
        newest_first=st.booleans(),
        after_seq=st.integers(0, 5),
        before_seq=st.none() | st.integers(0, 9),
        limit=st.none() | st.integers(0, 4),
    )
    def scan(self, newest_first: bool, after_seq: int, before_seq: int | None, limit: int | None) -> None:
        high = len(self.model) + 1 if before_seq is None else before_seq
        expected = [(seq, *one) for seq, one in enumerate(self.model, 1) if after_seq < seq < high]
        found = self.log.scan(after_seq=after_seq, before_seq=before_seq, newest_first=newest_first, limit=limit)
        assert list(map(_told, found)) == expected[:: -1 if newest_first else 1][:limit]

    @rule(kinds=st.lists(st.sampled_from(["StepFinished", "RunStarted", "AliasMoved"]), min_size=1))
    def scan_kinds(self, kinds: list[str]) -> None:
        expected = [(seq, *one) for seq, one in enumerate(self.model, 1) if kind_of(one[1]) in kinds]
        assert list(map(_told, self.log.scan(kinds))) == expected

    @rule()
    def find(self) -> None:
        newest = {(kind_of(fact), key_of(fact)): seq for seq, (_, fact, _) in enumerate(self.model, 1)}
        for (kind, key), seq in newest.items():
            if key is not None:
                assert self.log.find(kind, [key, "no such key"])[key].seq == seq

    @rule()
    def sync(self) -> None:
        self.log.sync()

    @rule()
    def open_again(self) -> None:
        before, self.log = self.log, self.open()
        before.close()

    @invariant()
    def the_chain_holds(self) -> None:
        assert wire.verify(self.log.raw())[0] == len(self.model)

    def teardown(self) -> None:
        self.log.close()


_NOISE = random.Random(5).randbytes(700_000)  # noqa: S311 (the same in each run)


@st.composite
def _large_contents(draw: st.DrawFn) -> bytes:
    """Content of several pieces, of which it shares most with others of its kind."""
    at = draw(st.integers(0, len(_NOISE)))
    return _NOISE[:at] + draw(st.binary(max_size=3)) + _NOISE[at:]


_large = _large_contents()


class BlobsMachine(RuleBasedStateMachine):
    """Walks a store beside a dict. A subclass gives `place`: a new, empty store's, which opens it again and again."""

    place: Callable[[], Callable[[], Blobs]]
    stored: Bundle[Digest] = Bundle("stored")

    def __init__(self) -> None:
        super().__init__()
        self.open = self.place()
        self.blobs = self.open()
        self.model: dict[Digest, bytes] = {}
        self.once: set[Digest] = set()
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "f")

    @rule(target=stored, data=st.binary(max_size=40))
    def put(self, data: bytes) -> Digest:
        digest = self.blobs.put(data)
        assert digest == digest_of(data)
        self.model[digest] = data
        return digest

    @rule(target=stored, data=st.binary(max_size=40) | _large, move=st.booleans())
    def put_file(self, data: bytes, move: bool) -> Digest:
        with open(self.path, "wb") as f:
            f.write(data)
        digest, size = self.blobs.put_file(self.path, move=move)
        assert (digest, size) == (digest_of(data), len(data))
        self.model[digest] = data
        return digest

    @rule(target=stored, contents=st.lists(st.binary(max_size=40) | _large, min_size=1, max_size=6))
    def put_many(self, contents: list[bytes]) -> Digest:
        with self.blobs.batch() as batch:
            digests = [batch.put(data) for data in contents]
        assert digests == [digest_of(data) for data in contents]
        self.model.update(zip(digests, contents, strict=True))
        return digests[-1]

    @rule(digest=stored)
    def get(self, digest: Digest) -> None:
        if digest in self.model:
            assert self.blobs.get(digest) == self.model[digest]
            return
        # A pack is given up only when a good part of it is needed by nobody.
        with suppress(BlobMissing):
            assert digest_of(self.blobs.get(digest)) == digest

    @rule(digest=stored)
    def fetch(self, digest: Digest) -> None:
        if digest in self.model:
            self.blobs.fetch(digest, self.path)
            with open(self.path, "rb") as f:
                assert f.read() == self.model[digest]

    @rule(digest=consumes(stored))
    def delete(self, digest: Digest) -> None:
        if self.model.pop(digest, None) is not None:
            self.once.add(digest)
        needed = {*self.model, *(part for _, parts in self.blobs.parts([*self.model]) for part in parts)}
        gone = [blob.digest for blob in self.blobs.list() if blob.digest not in needed]
        self.once.update(gone)
        self.blobs.delete(gone, before=4e9)

    @rule()
    def check(self) -> None:
        assert list(self.blobs.check([*self.model])) == []

    @rule()
    def sync(self) -> None:
        self.blobs.sync()

    @rule()
    def sweep(self) -> None:
        self.blobs.sweep(before=1.0)

    @rule()
    def open_again(self) -> None:
        self.blobs = self.open()

    @invariant()
    def it_holds_what_the_model_holds(self) -> None:
        assert {b.digest: b.size_bytes for b in self.blobs.list()}.items() >= {
            d: len(x) for d, x in self.model.items()
        }.items()
        there = self.blobs.has([*self.model, *self.once, Digest("0" * 64)])
        assert set(self.model) <= there <= {*self.model, *self.once}

    def teardown(self) -> None:
        self.folder.cleanup()


def _told(entry: Entry) -> tuple[int, str, Fact, float]:
    return entry.seq, entry.stream, entry.fact, entry.at
