"""Large blobs: cut into chunks, of which only those are written that are new.

One that holds mostly new content is kept whole, as a file of its own that can be cloned or linked in no time, with a
note of its chunks. One that shares much with what is stored becomes a list of chunks, and its new ones go into a pack.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from blake3 import blake3

from headway.backends.blobs_file import files
from headway.backends.blobs_file.folder import Folder
from headway.codec import chunks, pack
from headway.codec.pack import RAW, Place, record
from headway.core.ids import Digest

SHARED = 0.25
"""The share of known bytes from which a blob is kept as a list: below, a file of its own is worth the room."""

_LOOK = 64
"""Chunks that are looked at before anything is written: some 5 MB."""


class Packing(Protocol):
    """Where the chunks of a blob go that is kept in pieces: `batch` has it."""

    def has(self, digest: Digest, size: int) -> bool:
        """Whether a piece is stored already; if so it is made young."""

    def append(self, digest: Digest, data: bytes | memoryview) -> None:
        """Store a piece that is not."""

    def keep_list(self, digest: Digest, data: bytes, size: int) -> None:
        """Store the list of a blob's pieces."""


def put(folder: Folder, batch: Packing, readinto: Callable[[memoryview], int]) -> tuple[Digest, int]:
    """Store what `readinto` gives; digest and size."""
    writer = _Large(folder, batch, readinto)
    try:
        for chunk in chunks.cut(writer.readinto):
            writer.take(chunk)
        return writer.finish()
    finally:
        writer.let_go()


def cuts(folder: Folder, digest: Digest) -> list[Place]:
    """The chunks of a blob that is kept whole, in order; found and noted when they were not yet.

    Raises FileNotFoundError.
    """
    path = folder.path(digest)
    fd = os.open(path, files.OLD)
    try:
        parts = [(blake3(chunk).digest(), len(chunk)) for chunk in chunks.cut(lambda buffer: os.readv(fd, [buffer]))]
    finally:
        os.close(fd)
    places = list(_places(parts))
    folder.place_cuts(digest, _records(places))
    return places


def _places(parts: Iterable[tuple[bytes, int]]) -> Iterator[Place]:
    """Where chunks lie that follow each other from the start of a file."""
    offset = 0
    for digest, size in parts:
        yield Place(Digest(digest.hex()), offset, size, size, RAW)
        offset += size


def _records(places: Iterable[Place]) -> list[bytes]:
    """Their records; a chunk that occurs twice has one."""
    return [record(place) for place in {place.digest: place for place in places}.values()]


class _Large:
    """One large blob being stored."""

    __slots__ = (
        "_batch", "_fd", "_folder", "_fresh", "_held", "_known", "_mode", "_new", "_parts", "_read", "_size", "_whole",
    )  # fmt: skip

    def __init__(self, folder: Folder, batch: Packing, readinto: Callable[[memoryview], int]) -> None:
        self._folder = folder
        self._batch = batch
        self._read = readinto
        self._whole = blake3()
        self._size = 0
        self._known = 0
        self._parts: list[tuple[bytes, int]] = []
        self._new: set[Digest] = set()
        self._held: list[bytes] = []
        self._mode = "look"
        self._fd = -1
        self._fresh = ""

    def readinto(self, buffer: memoryview) -> int:
        """Read on. What comes is hashed and written as it is read, MiB by MiB: chunk by chunk costs half as much again.

        A hash of many blocks in order is quick where each begins at a multiple of its own size.
        """
        n = self._read(buffer)
        block = buffer[:n]
        self._whole.update(block)
        if self._mode == "look":
            self._held.append(bytes(block))
        elif self._mode == "whole":
            self._write(block)
        return n

    def take(self, chunk: memoryview) -> None:
        """The next chunk."""
        size = len(chunk)
        hasher = blake3(chunk)
        digest = Digest(hasher.hexdigest())
        is_new = digest not in self._new and not self._batch.has(digest, size)
        self._parts.append((hasher.digest(), size))
        self._size += size
        if is_new:
            self._new.add(digest)
        else:
            self._known += size
        if self._mode == "look":
            if len(self._parts) == _LOOK:
                self._decide()
        elif is_new and self._mode == "chunks":
            self._batch.append(digest, chunk)

    def finish(self) -> tuple[Digest, int]:
        """Put it in its place."""
        digest = Digest(self._whole.hexdigest())
        if self._mode == "look":
            if self._is_there(digest):
                return digest, self._size
            self._decide()
        if self._mode == "whole":
            fd, self._fd = self._fd, -1
            os.close(fd)
            if self._is_there(digest):
                return digest, self._size
            if self._known < self._size * SHARED:
                with files.translated(self._folder.root):
                    self._folder.place(self._fresh, self._folder.path(digest))
                    self._fresh = ""
                    self._folder.place_cuts(digest, _records(_places(self._parts)))
                return digest, self._size
            self._pack_new()
        self._batch.keep_list(digest, pack.encode_list(self._parts), self._size)
        return digest, self._size

    def let_go(self) -> None:
        """Remove what is not needed any more."""
        if self._fd >= 0:
            os.close(self._fd)
        if self._fresh:
            os.unlink(self._fresh)

    def _is_there(self, digest: Digest) -> bool:
        """Whether the blob is stored, as a file or with all its chunks: of a damaged one some may be gone."""
        return self._batch.has(digest, self._size) and (not self._new or self._folder.has_file(digest))

    def _decide(self) -> None:
        """Whole or in chunks, judged by how it begins; `finish` mends what that got wrong."""
        if self._known >= self._size * SHARED:
            self._mode = "chunks"
            held = memoryview(b"".join(self._held))
            for place in _places(self._parts):
                if place.digest in self._new and not self._batch.has(place.digest, place.size_bytes):
                    self._batch.append(place.digest, held[place.offset : place.offset + place.size_bytes])
        else:
            self._mode = "whole"
            with files.translated(self._folder.root):
                self._fd, self._fresh = files.create(self._folder.tmp)
            # More than was cut so far: all that was read.
            for block in self._held:
                self._write(block)
        self._held.clear()

    def _write(self, block: bytes | memoryview) -> None:
        with files.translated(self._folder.root):
            files.write(self._fd, block)

    def _pack_new(self) -> None:
        """It shares more than its beginning promised: keep only its new chunks."""
        fd = os.open(self._fresh, files.OLD)
        try:
            for place in _places(self._parts):
                if place.digest in self._new:
                    self._new.discard(place.digest)
                    self._batch.append(place.digest, os.pread(fd, place.size_bytes, place.offset))
        finally:
            os.close(fd)
