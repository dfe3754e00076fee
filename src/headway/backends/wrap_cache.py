"""A store far away with one nearby in front of it: what is stored goes to both, what was read once is read nearby.

The far one is the truth; the near one may be deleted at any time. Knows neither of them: both are ports.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Literal

from headway.core.ids import Digest
from headway.errors import BlobDamaged
from headway.ports import Batch, BlobInfo, Blobs, Piece, Tell


class CachedBlobs:
    """`far`, by way of `near`."""

    __slots__ = ("_far", "_near", "_sent")

    def __init__(self, near: Blobs, far: Blobs) -> None:
        self._near = near
        self._far = far
        # What the far one is known to have, so that it is asked once.
        self._sent: set[Digest] = set()

    def put(self, data: bytes) -> Digest:
        """Store bytes. See `Blobs`."""
        self._far.put(data)
        return self._near.put(data)

    def put_file(self, path: str, *, move: bool = False) -> tuple[Digest, int]:
        """Store a file. See `Blobs`: first nearby, so that both get the same, also of a file that changes."""
        kept = self._near.put_file(path, move=move)
        _bring(self._near, self._far, [kept[0]])
        return kept

    def batch(self) -> AbstractContextManager[Batch]:
        """Store many things. See `Blobs`."""
        return self._both()

    @contextmanager
    def _both(self) -> Iterator[Batch]:
        done: list[Digest] = []
        try:
            with self._near.batch() as near:
                yield _Both(near, done)
        finally:
            _bring(self._near, self._far, done)

    def get(self, digest: Digest) -> bytes:
        """The content. See `Blobs`."""
        self._need([digest])
        try:
            return self._near.get(digest)
        except BlobDamaged:
            # The copy was put aside.
            self._need([digest])
            return self._near.get(digest)

    def slice(self, digest: Digest, start: int, size: int) -> bytes:
        """A part of the content. See `Blobs`; whoever looks at a part looks at more, so all of it is brought nearby."""
        self._need([digest])
        try:
            return self._near.slice(digest, start, size)
        except BlobDamaged:
            self._need([digest])
            return self._near.slice(digest, start, size)

    def fetch(self, digest: Digest, path: str, *, executable: bool = False) -> None:
        """Write the content to a file. See `Blobs`."""
        self._need([digest])
        try:
            self._near.fetch(digest, path, executable=executable)
        except BlobDamaged:
            self._need([digest])
            self._near.fetch(digest, path, executable=executable)

    def fetch_all(self, wanted: Sequence[tuple[Digest, str, bool]], tell: Tell | None = None) -> None:
        """Write many blobs. See `Blobs`."""
        self._need([digest for digest, _, _ in wanted])
        self._near.fetch_all(wanted, tell)

    def has(self, digests: Sequence[Digest]) -> set[Digest]:
        """Those that are there. See `Blobs`; what somebody who was killed had stored only nearby is sent on."""
        found = self._sent.intersection(digests)
        rest = [digest for digest in digests if digest not in found]
        if not rest:
            return found
        there = self._far.has(rest)
        lost = self._near.has([digest for digest in rest if digest not in there])
        if lost:
            _bring(self._near, self._far, sorted(lost))
        self._sent |= there | lost
        return found | there | lost

    def renew(self, digests: Sequence[Digest], *, before: float) -> set[Digest]:
        """Those that are there, young. See `Blobs`; in the far store, which alone says what is needed."""
        self._sent.difference_update(digests)
        there = self._far.renew(digests, before=before)
        return there | self.has([digest for digest in digests if digest not in there])

    def pieces(self, digests: Sequence[Digest]) -> Iterator[Piece]:
        """These blobs. See `Blobs`."""
        near = self._near.has(digests)
        yield from self._near.pieces([digest for digest in digests if digest in near])
        yield from self._far.pieces([digest for digest in digests if digest not in near])

    def parts(self, digests: Sequence[Digest]) -> Iterator[tuple[Digest, Sequence[Digest]]]:
        """Of what pieces they are. See `Blobs`."""
        near = self._near.has(digests)
        yield from self._near.parts([digest for digest in digests if digest in near])
        yield from self._far.parts([digest for digest in digests if digest not in near])

    def check(self, digests: Sequence[Digest]) -> Iterator[tuple[Digest, Literal["missing", "damaged"]]]:
        """Those that cannot be had. See `Blobs`; a copy nearby that is damaged is put aside and no loss."""
        near = self._near.has(digests)
        for _ in self._near.check([digest for digest in digests if digest in near]):
            continue
        yield from self._far.check(digests)

    def delete(self, digests: Collection[Digest], *, before: float) -> int:
        """Forget blobs, in both. See `Blobs`."""
        self._sent.clear()
        self._near.delete(digests, before=before)
        return self._far.delete(digests, before=before)

    def list(self) -> Iterator[BlobInfo]:
        """All blobs of the far store. See `Blobs`."""
        return self._far.list()

    def sweep(self, *, before: float) -> int:
        """Tidy both up. See `Blobs`."""
        return self._near.sweep(before=before) + self._far.sweep(before=before)

    def sync(self) -> None:
        """Make all durable, in both. See `Blobs`."""
        self._near.sync()
        self._far.sync()

    def _need(self, digests: Sequence[Digest]) -> None:
        near = self._near.has(digests)
        rest = list(dict.fromkeys(digest for digest in digests if digest not in near))
        if rest:
            _bring(self._far, self._near, rest)


_: type[Blobs] = CachedBlobs


def wrap(near: Blobs, far: Blobs) -> CachedBlobs:
    """`far`, by way of `near`."""
    return CachedBlobs(near, far)


class _Both:
    """A batch of the near store that remembers what must go to the far one."""

    __slots__ = ("_done", "_near")

    def __init__(self, near: Batch, done: list[Digest]) -> None:
        self._near = near
        self._done = done

    def put(self, data: bytes) -> Digest:
        """Store bytes. See `Batch`."""
        digest = self._near.put(data)
        self._done.append(digest)
        return digest

    def put_file(self, path: str) -> tuple[Digest, int]:
        """Store a file. See `Batch`."""
        kept = self._near.put_file(path)
        self._done.append(kept[0])
        return kept

    def add(self, piece: Piece) -> None:
        """Store a piece. See `Batch`."""
        self._near.add(piece)
        self._done.append(piece.digest)


def _bring(source: Blobs, target: Blobs, digests: Sequence[Digest]) -> None:
    """Let `target` have what it lacks of these, and of their pieces; lists after all they name."""
    there = target.has(digests)
    wanted = [digest for digest in dict.fromkeys(digests) if digest not in there]
    if not wanted:
        return
    pieces = [part for _, parts in source.parts(wanted) for part in parts]
    there = target.has(pieces)
    lists = []
    with target.batch() as batch:
        for piece in source.pieces([part for part in dict.fromkeys(pieces) if part not in there]):
            batch.add(piece)
        for piece in source.pieces(wanted):
            lists += [piece] if piece.is_list else []
            if not piece.is_list:
                batch.add(piece)
        for piece in lists:
            batch.add(piece)
