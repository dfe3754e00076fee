"""Many things stored as one: small ones into packs, large ones in chunks or whole."""

import os
from collections import deque
from contextlib import suppress
from io import BytesIO
from types import TracebackType
from typing import TYPE_CHECKING, Self

from blake3 import blake3

from headway.backends.blobs_file import files, large
from headway.backends.blobs_file.folder import Folder
from headway.codec import pack
from headway.codec.chunks import MAX_BYTES
from headway.codec.pack import LIST, Place, record
from headway.core.ids import Digest
from headway.errors import BlobDamaged
from headway.ports import Batch, Piece

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

_FLUSH_BYTES = 1 << 20

_THREADS = 2
"""So that one can wait for the disk while another hands over."""

_AHEAD = 8
"""So many MiB may wait to be written while more is gathered."""


class PackBatch:
    """A batch under way. See `Batch`. What it has packed can be seen by others when a pack is closed."""

    __slots__ = (
        "_buffer", "_fd", "_folder", "_fresh", "_offset", "_open", "_packer", "_pool", "_under_way", "_written",
    )  # fmt: skip

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._packer: pack.Packer | None = None
        # Made for what is larger than a MiB: until then it would only cost time.
        self._pool: ThreadPoolExecutor | None = None
        self._under_way: deque[Future[None]] = deque()
        self._begin()

    def _begin(self) -> None:
        # First: what an interrupt leaves of the rest is not taken for a pack by `close`.
        self._open: dict[Digest, bytes] = {}
        self._fd: int | None = None
        self._fresh = ""
        # What was gathered from the place `written` on, up to `offset`.
        self._buffer: list[bytes | memoryview] = [pack.HEAD]
        self._written = 0
        self._offset = len(pack.HEAD)

    def put(self, data: bytes) -> Digest:
        """Store bytes. See `Batch`."""
        if len(data) > MAX_BYTES:
            return large.put(self._folder, self, BytesIO(data).readinto)[0]
        return self.keep(data)

    def put_file(self, path: str) -> tuple[Digest, int]:
        """Store a file. See `Batch`."""
        try:
            fd = os.open(path, files.OLD)
        except OSError as e:
            raise files.translate(e, path) from e
        try:
            with files.translated(path):
                data = os.read(fd, MAX_BYTES + 1)
                if len(data) <= MAX_BYTES:
                    return self.keep(data), len(data)
                os.lseek(fd, 0, os.SEEK_SET)
                return large.put(self._folder, self, lambda buffer: os.readv(fd, [buffer]))
        finally:
            os.close(fd)

    def add(self, piece: Piece) -> None:
        """Store what another store gave. See `Batch`."""
        if piece.is_list:
            self.keep_list(piece.digest, piece.data, piece.size_bytes)
        elif piece.is_verified and len(piece.data) <= MAX_BYTES:
            if not self.has(piece.digest, len(piece.data)):
                self.append(piece.digest, piece.data)
        elif self.put(piece.data) != piece.digest:
            raise BlobDamaged(
                f"what was given for blob {piece.digest[:12]} is not it",
                at=self._folder.root,
                remedy="try again; `headway data verify` looks for damage in the store it came from",
            )

    def has(self, digest: Digest, size: int) -> bool:
        """Whether a piece is stored already, here or before."""
        folder = self._folder
        if digest in self._open:
            return True
        # A batch may store again what somebody has stored by itself since it began: better than to ask for each.
        return (folder.index.knows(digest) is not None or folder.may_have_file(digest)) and folder.again(digest, size)

    def keep(self, data: bytes | memoryview) -> Digest:
        """Store one piece as it is given: of at most 256 KiB, or a file's chunk."""
        digest = Digest(blake3(data).hexdigest())
        if not self.has(digest, len(data)):
            self.append(digest, data)
        return digest

    def append(self, digest: Digest, data: bytes | memoryview) -> None:
        """Store a piece that is known not to be stored."""
        if self._packer is None:
            self._packer = pack.Packer()
        form, stored = self._packer.stored(data)
        self._write(Place(digest, self._offset, len(stored), len(data), form), bytes(stored))

    def keep_list(self, digest: Digest, data: bytes, size: int) -> None:
        """Store the list of a large blob's pieces, all of which are stored."""
        if not self.has(digest, size):
            self._write(Place(digest, self._offset, len(data), size, LIST), data)

    def close(self) -> None:
        """Move the pack that is being written into its place."""
        if not self._open:
            return
        records, (name, end) = list(self._open.values()), pack.ending(self._open.values())
        with files.translated(self._folder.root):
            try:
                if self._fd is None:
                    self._fd, self._fresh = files.create(self._folder.tmp)
                files.write_at(self._fd, [*self._buffer, end], self._written)
                self._settle()
                while self._under_way:
                    self._under_way.popleft().result()
                if self._offset >= pack.FULL_BYTES:
                    files.begin_sync(self._fd)
                fd, self._fd = self._fd, None
                os.close(fd)
                self._folder.place(self._fresh, os.path.join(self._folder.index.folder, name))
                self._begin()
            except BaseException:
                self._drop()
                raise
        self._folder.index.add(name, records)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
        if kind is None:
            with files.translated(self._folder.root):
                self._folder.index.save()

    def _write(self, place: Place, stored: bytes) -> None:
        self._buffer.append(stored)
        self._offset += len(stored)
        # Last: an interrupt before this leaves bytes that nothing tells of.
        self._open[place.digest] = record(place)
        if self._offset - self._written >= _FLUSH_BYTES:
            with files.translated(self._folder.root):
                try:
                    self._flush()
                except BaseException:
                    self._drop()
                    raise
            if self._offset >= pack.FULL_BYTES:
                self.close()

    def _flush(self) -> None:
        """Let what was gathered be written while more is."""
        if self._fd is None:
            self._fd, self._fresh = files.create(self._folder.tmp)
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(_THREADS)
        while len(self._under_way) >= _AHEAD:
            self._under_way.popleft().result()
        self._under_way.append(self._pool.submit(files.write_at, self._fd, self._buffer, self._written))
        self._buffer, self._written = [], self._offset

    def _settle(self) -> None:
        """Wait until nobody writes any more: the number of a file is another's as soon as it is closed."""
        if self._pool is not None:
            self._pool.shutdown()
        self._pool = None

    def _drop(self) -> None:
        """Give up the pack that is being written: nothing of it can be seen by anybody."""
        self._open = {}
        self._settle()
        self._under_way.clear()
        if self._fd is not None:
            os.close(self._fd)
        if self._fresh:
            with suppress(FileNotFoundError):
                os.unlink(self._fresh)
        self._begin()


_: type[Batch] = PackBatch
