"""The store of blobs in memory: `memory:`. For tests and trials; it passes the same suite as the store on disk."""

import os
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from blake3 import blake3

from headway.codec import pack
from headway.core.ids import Digest
from headway.errors import BlobDamaged, BlobMissing, FileMissing
from headway.ports import Batch, BlobInfo, Blobs, Piece, Tell


class MemoryBlobs:
    """Blobs that live as long as this object."""

    __slots__ = ("_blobs", "_lists")

    def __init__(self) -> None:
        self._blobs: dict[Digest, tuple[bytes, float]] = {}
        self._lists: dict[Digest, tuple[bytes, int, float]] = {}

    def put(self, data: bytes) -> Digest:
        """Store bytes. See `Blobs`."""
        digest = Digest(blake3(data).hexdigest())
        self._blobs[digest] = (bytes(data), time.time())
        return digest

    def put_file(self, path: str, *, move: bool = False) -> tuple[Digest, int]:
        """Store a file. See `Blobs`."""
        try:
            with open(path, "rb") as f:
                data = f.read()
        except FileNotFoundError as e:
            raise FileMissing(f"{path} is not there", at=path, remedy="see that the file exists") from e
        digest = self.put(data)
        if move:
            os.unlink(path)
        return digest, len(data)

    @contextmanager
    def batch(self) -> Iterator[Batch]:
        """Store many things. See `Blobs`; here that is no different from storing them one by one."""
        yield self

    def add(self, piece: Piece) -> None:
        """Store a piece. See `Batch`."""
        if piece.is_list:
            self._lists[piece.digest] = (piece.data, piece.size_bytes, time.time())
        elif self.put(piece.data) != piece.digest:
            raise BlobDamaged(f"what was given for blob {piece.digest[:12]} is not it", at="memory", remedy="try again")

    def get(self, digest: Digest) -> bytes:
        """The content. See `Blobs`."""
        if digest in self._lists and digest not in self._blobs:
            data = b"".join(self.get(part) for part in self._listed(digest))
            if blake3(data).hexdigest() != digest:
                del self._lists[digest]
                raise BlobDamaged(
                    f"blob {digest[:12]} is damaged", at="memory", remedy="run the step that made it again"
                )
            return data
        if digest not in self._blobs:
            raise BlobMissing(
                f"blob {digest[:12]} is not in the store", at="memory", remedy="run the step that made it again"
            )
        data = self._blobs[digest][0]
        if blake3(data).hexdigest() != digest:
            del self._blobs[digest]
            raise _damaged(digest)
        return data

    def slice(self, digest: Digest, start: int, size: int) -> bytes:
        """A part of the content. See `Blobs`."""
        return self.get(digest)[start : start + size]

    def fetch(self, digest: Digest, path: str, *, executable: bool = False) -> None:
        """Write the content to a file. See `Blobs`."""
        data = self.get(digest)
        fresh = f"{path}.{os.getpid()}.tmp"
        try:
            with open(fresh, "xb") as f:
                f.write(data)
        except FileNotFoundError as e:
            raise FileMissing(f"the folder of {path} is not there", at=path, remedy="make it first") from e
        if executable:
            mode = os.stat(fresh).st_mode
            os.chmod(fresh, mode | (mode & 0o444) >> 2)
        os.replace(fresh, path)

    def fetch_all(self, wanted: Sequence[tuple[Digest, str, bool]], tell: Tell | None = None) -> None:
        """Write many blobs. See `Blobs`."""
        for digest, path, executable in wanted:
            self.fetch(digest, path, executable=executable)
            if tell is not None:
                tell(1)

    def has(self, digests: Sequence[Digest]) -> set[Digest]:
        """Those that are there. See `Blobs`."""
        return (self._blobs.keys() | self._lists.keys()) & set(digests)

    def renew(self, digests: Sequence[Digest], *, before: float) -> set[Digest]:
        """Those that are there, young. See `Blobs`."""
        now = time.time()
        for digest in self.has(digests):
            if digest in self._blobs and self._blobs[digest][1] < before:
                self._blobs[digest] = (self._blobs[digest][0], now)
            if digest in self._lists and self._lists[digest][2] < before:
                self._lists[digest] = (*self._lists[digest][:2], now)
        return self.has(digests)

    def pieces(self, digests: Sequence[Digest]) -> Iterator[Piece]:
        """These blobs. See `Blobs`."""
        for digest in digests:
            if digest in self._lists and digest not in self._blobs:
                data, size, _ = self._lists[digest]
                yield Piece(digest, data, size, is_list=True)
            else:
                data = self.get(digest)
                yield Piece(digest, data, len(data))

    def parts(self, digests: Sequence[Digest]) -> Iterator[tuple[Digest, Sequence[Digest]]]:
        """Of what pieces they are. See `Blobs`."""
        for digest in digests:
            if digest in self._lists and digest not in self._blobs:
                yield digest, self._listed(digest)

    def check(self, digests: Sequence[Digest]) -> Iterator[tuple[Digest, Literal["missing", "damaged"]]]:
        """Those that cannot be had. See `Blobs`."""
        for digest in digests:
            try:
                self.get(digest)
            except BlobMissing:
                yield digest, "missing"
            except BlobDamaged:
                yield digest, "damaged"

    def delete(self, digests: Collection[Digest], *, before: float) -> int:
        """Forget blobs. See `Blobs`."""
        freed = 0
        for digest in digests:
            if self._blobs.get(digest, (b"", before))[1] < before:
                freed += len(self._blobs.pop(digest)[0])
            if self._lists.get(digest, (b"", 0, before))[2] < before:
                freed += len(self._lists.pop(digest)[0])
        return freed

    def list(self) -> Iterator[BlobInfo]:
        """All blobs. See `Blobs`."""
        for digest, (data, at) in [*self._blobs.items()]:
            yield BlobInfo(digest=digest, size_bytes=len(data), at=at)
        for digest, (_, size, at) in [*self._lists.items()]:
            if digest not in self._blobs:
                yield BlobInfo(digest=digest, size_bytes=size, at=at)

    def sweep(self, *, before: float) -> int:  # noqa: ARG002 (nothing is ever half done here)
        """Nothing to remove: see `Blobs`."""
        return 0

    def sync(self) -> None:
        """Nothing to do: see `Blobs`."""

    def _listed(self, digest: Digest) -> Sequence[Digest]:
        return [Digest(part.hex()) for part, _ in pack.listed(self._lists[digest][0], at="memory")]

    def damage(self, digest: Digest) -> None:
        """Change a blob's bytes, as a bad disk would: for the contract suite."""
        data, at = self._blobs[digest]
        self._blobs[digest] = (data[:-1] + bytes([data[-1] ^ 1]), at)


_: type[Blobs] = MemoryBlobs


def connect(_url: str) -> MemoryBlobs:
    """A new, empty store."""
    return MemoryBlobs()


def _damaged(digest: Digest) -> BlobDamaged:
    return BlobDamaged(f"blob {digest[:12]} is damaged", at="memory", remedy="run the step that made it again")
