"""The store of blobs in memory: `memory:`. For tests and trials; it passes the same suite as the store on disk."""

import os
import time
from collections.abc import Iterator, Sequence

from blake3 import blake3

from headway.core.ids import Digest
from headway.errors import BlobDamaged, BlobMissing, FileMissing
from headway.ports import BlobInfo, Blobs


class MemoryBlobs:
    """Blobs that live as long as this object."""

    __slots__ = ("_blobs",)

    def __init__(self) -> None:
        self._blobs: dict[Digest, tuple[bytes, float]] = {}

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

    def get(self, digest: Digest) -> bytes:
        """The content. See `Blobs`."""
        if digest not in self._blobs:
            raise BlobMissing(
                f"blob {digest[:12]} is not in the store", at="memory", remedy="run the step that made it again"
            )
        data = self._blobs[digest][0]
        if blake3(data).hexdigest() != digest:
            del self._blobs[digest]
            raise BlobDamaged(f"blob {digest[:12]} is damaged", at="memory", remedy="run the step that made it again")
        return data

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

    def has(self, digests: Sequence[Digest]) -> set[Digest]:
        """Those that are there. See `Blobs`."""
        return self._blobs.keys() & set(digests)

    def delete(self, digest: Digest) -> None:
        """Forget a blob. See `Blobs`."""
        self._blobs.pop(digest, None)

    def list(self) -> Iterator[BlobInfo]:
        """All blobs. See `Blobs`."""
        for digest, (data, at) in list(self._blobs.items()):
            yield BlobInfo(digest=digest, size_bytes=len(data), at=at)

    def sweep(self, *, before: float) -> int:  # noqa: ARG002 (nothing is ever half done here)
        """Nothing to remove: see `Blobs`."""
        return 0

    def sync(self) -> None:
        """Nothing to do: see `Blobs`."""

    def damage(self, digest: Digest) -> None:
        """Change a blob's bytes, as a bad disk would: for the contract suite."""
        data, at = self._blobs[digest]
        self._blobs[digest] = (data[:-1] + bytes([data[-1] ^ 1]), at)


_: type[Blobs] = MemoryBlobs


def connect(_url: str) -> MemoryBlobs:
    """A new, empty store."""
    return MemoryBlobs()
