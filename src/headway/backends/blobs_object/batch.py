"""Many things stored in a bucket as one: packs go up while the next is filled, and one index object tells of all."""

import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from types import TracebackType
from typing import Self

from blake3 import blake3

from headway.backends.blobs_object.bucket import Bucket
from headway.backends.blobs_object.index import RemoteIndex
from headway.codec import chunks, pack
from headway.codec.pack import LIST, Place, record
from headway.core.ids import Digest
from headway.errors import BlobDamaged, FileMissing, HeadwayError, StoreTrouble
from headway.ports import Batch, Piece

PACK_BYTES = 16 << 20
"""At which a pack goes up: large enough that a request's own time does not count, small enough to hold several."""

_IN_FLIGHT = 3

_YOUNG_S = 600.0
"""A pack that somebody named this recently is safe from gc, whose grace is an hour, without naming it again."""


class ObjectBatch:
    """A batch under way. See `Batch`. Nothing of it can be seen before it ends."""

    __slots__ = (
        "_ages", "_bucket", "_index", "_is_broken", "_mine", "_offset", "_open", "_packer", "_parts", "_pool",
        "_relied", "_sent", "_under_way",
    )  # fmt: skip

    def __init__(self, bucket: Bucket, index: RemoteIndex) -> None:
        self._bucket = bucket
        self._index = index
        self._packer = pack.Packer()
        self._pool = ThreadPoolExecutor(_IN_FLIGHT)
        self._under_way: deque[tuple[str, bytes, Future[None]]] = deque()
        self._is_broken = False
        # The records of each pack that has arrived, and packs of others whose pieces were found there.
        self._sent: dict[str, bytes] = {}
        self._mine: set[Digest] = set()
        self._ages: dict[str, float] = {}
        self._relied: set[str] = set()
        self._begin()

    def _begin(self) -> None:
        # First: what an interrupt leaves of the rest is not taken for a pack by `_send`.
        self._open: dict[Digest, bytes] = {}
        self._parts: list[bytes] = [pack.HEAD]
        self._offset = len(pack.HEAD)

    def put(self, data: bytes) -> Digest:
        """Store bytes. See `Batch`."""
        if len(data) > chunks.MAX_BYTES:
            return self._large(BytesIO(data).readinto)[0]
        return self._keep(data)

    def put_file(self, path: str) -> tuple[Digest, int]:
        """Store a file. See `Batch`."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as e:
            raise FileMissing(f"{path} is not there", at=path, remedy="see that the file exists") from e
        except OSError as e:
            raise unreadable(path, e) from e
        try:
            data = os.read(fd, chunks.MAX_BYTES + 1)
            if len(data) <= chunks.MAX_BYTES:
                return self._keep(data), len(data)
            os.lseek(fd, 0, os.SEEK_SET)
            return self._large(lambda buffer: os.readv(fd, [buffer]))
        except OSError as e:
            raise unreadable(path, e) from e
        finally:
            os.close(fd)

    def add(self, piece: Piece) -> None:
        """Store what another store gave. See `Batch`."""
        if piece.is_list:
            self._keep_list(piece.digest, piece.data, piece.size_bytes)
        elif piece.is_verified and len(piece.data) <= chunks.MAX_BYTES:
            self._keep_as(piece.digest, piece.data)
        elif self.put(piece.data) != piece.digest:
            raise BlobDamaged(
                f"what was given for blob {piece.digest[:12]} is not it",
                at=self._bucket.url,
                remedy="try again; `headway data verify` looks for damage in the store it came from",
            )

    def __enter__(self) -> Self:
        self._ages = self._index.ages()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            if not self._is_broken:
                self._send()
                while self._under_way:
                    self._arrive()
        except HeadwayError:
            # What went wrong first is what is told.
            if kind is None:
                raise
        finally:
            self._pool.shutdown(cancel_futures=True)
            self._tell()

    def _tell(self) -> None:
        """Let others see what has arrived."""
        # Named again, a pack of somebody else is as young as this batch: see `collect`.
        old = {name for name in self._relied if time.time() - self._ages.get(name, 0.0) > _YOUNG_S}
        packs = {**dict.fromkeys(old, b""), **self._sent}
        if packs:
            self._index.add(packs)

    def _arrive(self) -> None:
        """Wait for the pack that was sent first. After one that failed none is told of: it may rest on that one."""
        name, records, asked = self._under_way[0]
        try:
            asked.result()
        except BaseException:
            self._is_broken = True
            raise
        if not self._is_broken:
            self._sent[name] = records
        # Last: a later pack may rest on this one, so an interrupt must not lose it.
        self._under_way.popleft()

    def _large(self, readinto: Callable[[memoryview], int]) -> tuple[Digest, int]:
        whole, size, parts = blake3(), 0, []
        for chunk in chunks.cut(readinto):
            whole.update(chunk)
            size += len(chunk)
            parts.append((bytes.fromhex(self._keep(bytes(chunk))), len(chunk)))
        digest = Digest(whole.hexdigest())
        self._keep_list(digest, pack.encode_list(parts), size)
        return digest, size

    def _keep(self, data: bytes) -> Digest:
        digest = Digest(blake3(data).hexdigest())
        self._keep_as(digest, data)
        return digest

    def _keep_as(self, digest: Digest, data: bytes) -> None:
        if not self._has(digest):
            form, stored = self._packer.stored(data)
            self._append(Place(digest, self._offset, len(stored), len(data), form), bytes(stored))

    def _keep_list(self, digest: Digest, data: bytes, size: int) -> None:
        if not self._has(digest):
            self._append(Place(digest, self._offset, len(data), size, LIST), data)

    def _has(self, digest: Digest) -> bool:
        if digest in self._mine:
            return True
        found = self._index.find(digest)
        if found is None:
            return False
        self._relied.add(found[0])
        return True

    def _append(self, place: Place, stored: bytes) -> None:
        self._parts.append(stored)
        self._offset += len(stored)
        # After what they tell of: an interrupt before this leaves bytes that nothing tells of.
        self._open[place.digest] = record(place)
        self._mine.add(place.digest)
        if self._offset >= PACK_BYTES:
            self._send()

    def _send(self) -> None:
        """Let the pack go up, as soon as there are not too many on their way."""
        if not self._open:
            return
        while len(self._under_way) >= _IN_FLIGHT:
            self._arrive()
        name, end = pack.ending(self._open.values())
        asked = self._pool.submit(self._bucket.put, f"packs/{name}", b"".join([*self._parts, end]))
        self._under_way.append((name, end[: -pack.FOOTER_BYTES], asked))
        self._begin()


_: type[Batch] = ObjectBatch


def unreadable(path: str, e: OSError) -> StoreTrouble:
    """The error for a file that cannot be read."""
    return StoreTrouble(f"{path}: {e.strerror}", at=path, remedy="see that it is a file and can be read")
