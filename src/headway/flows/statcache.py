"""What files and folders of the workspace were like when they were read last, so that they need not be read again.

Only a copy: losing it costs time. Its form is specified in `docs/formats/store.md`. Knows how to compare, not how
to read.
"""

import os
from contextlib import suppress
from typing import TypeVar

import msgspec
from blake3 import blake3
from msgspec import Struct

from headway.core.ids import Artifact, Digest

RACY_NS = 50_000_000
"""A file that was changed less than this before it was read may be changed again with the same time: clocks of file
systems tick every 1 to 10 ms, and some round."""


_T = TypeVar("_T")


class _Known(Struct, array_like=True, gc=False):
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    digest: Digest


class _KnownFolder(Struct, array_like=True):
    mark: bytes
    artifact: Artifact


_encoder = msgspec.msgpack.Encoder()
_HEAD = b"headway-stat 1\n"
_FEW = 64
"""A folder of fewer files is listed as quickly as it is looked up."""


class StatCache:
    """Digests of files by path, as long as size, times and inode are the same. Losing it costs time only."""

    __slots__ = ("_changed", "_file", "_folders", "_folders_changed", "_known", "_used", "_used_folders")

    def __init__(self, file: str | None = None) -> None:
        self._file = file
        # Read when first asked for: of an unchanged folder, what is remembered of its files is not needed.
        self._known: dict[bytes, _Known] | None = None
        self._folders: dict[str, _KnownFolder] | None = None
        self._used: set[bytes] = set()
        self._used_folders: set[str] = set()
        self._changed = False
        self._folders_changed = False

    @classmethod
    def load(cls, file: str) -> "StatCache":
        """What `save` wrote to `file`; empty when there is none or it is damaged."""
        return cls(file)

    def save(self) -> None:
        """Write it for the next process, atomically. Does nothing when there is nothing new, or no room."""
        if self._file is None:
            return
        if self._folders_changed and self._folders is not None and _write(self._file + "-folders", self._folders):
            self._folders_changed = False
        if not self._changed or self._known is None:
            return
        if len(self._known) > 2 * len(self._used) + 1000:
            # Most of it is about files that nobody asks for any more, unless they were seen as part of a folder.
            below = tuple(os.fsencode(folder) + b"/" for folder in self._used_folders)
            self._known = {
                path: known for path, known in self._known.items() if path in self._used or path.startswith(below)
            }
        if _write(self._file, self._known):
            self._changed = False

    def get(self, path: str, status: os.stat_result) -> Digest | None:
        """The digest of the file at `path` (relative to the project) if it is still as it was when it was read."""
        key = path.encode("utf-8", "surrogateescape")
        known = self._files().get(key)
        if (
            known is None
            or known.mtime_ns != status.st_mtime_ns
            or known.size != status.st_size
            or known.ctime_ns != status.st_ctime_ns
            or known.inode != status.st_ino
        ):
            return None
        self._used.add(key)
        return known.digest

    def put(self, path: str, status: os.stat_result, digest: Digest, *, read_ns: int) -> None:
        """Remember a file that was read from `read_ns` (UTC nanoseconds) on and had this status before and after.

        Not if it was changed shortly before: then the next change might show in nothing that is looked at.
        """
        key = path.encode("utf-8", "surrogateescape")
        known = self._files()
        if read_ns - max(status.st_mtime_ns, status.st_ctime_ns) < RACY_NS:
            self._changed = known.pop(key, None) is not None or self._changed
            return
        known[key] = _Known(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, digest)
        self._used.add(key)
        self._changed = True

    def has_folder(self, path: str) -> bool:
        """Whether anything is remembered of the folder at `path`."""
        return path in self._marks()

    def folder(self, path: str, mark: bytes) -> Artifact | None:
        """The folder at `path` if it is still as it was when it had this mark (see `listing.mark_of`)."""
        known = self._marks().get(path)
        if known is None or known.mark != mark:
            return None
        self._used_folders.add(path)
        return known.artifact

    def put_folder(self, artifact: Artifact, mark: bytes, *, latest_ns: int, read_ns: int) -> None:
        """Remember a folder that had this mark at `read_ns`, before it was read; `latest_ns` as `mark_of` tells it."""
        if artifact.n_files < _FEW or read_ns - latest_ns < RACY_NS:
            return
        self._marks()[artifact.path] = _KnownFolder(mark, artifact)
        self._folders_changed = True

    def _marks(self) -> dict[str, _KnownFolder]:
        if self._folders is None:
            self._folders = _read(self._file and self._file + "-folders", dict[str, _KnownFolder])
        return self._folders

    def _files(self) -> dict[bytes, _Known]:
        if self._known is None:
            self._known = _read(self._file, dict[bytes, _Known])
        return self._known


def _read(file: str | None, kind: type[_T]) -> _T:
    """A map from a file; empty when there is none or it is damaged."""
    nothing: _T = msgspec.convert({}, kind)
    try:
        with open(file or "", "rb") as f:
            data = f.read()
    except OSError:
        return nothing
    start = len(_HEAD) + 32
    # A flipped bit in a digest would make a changed file look unchanged: hence the hash.
    if data.startswith(_HEAD) and blake3(data[start:]).digest() == data[len(_HEAD) : start]:
        try:
            return msgspec.msgpack.decode(memoryview(data)[start:], type=kind)
        except msgspec.MsgspecError:
            return nothing
    return nothing


def _write(file: str, values: object) -> bool:
    """Write such a map, atomically; False when that could not be done."""
    body = _encoder.encode(values)
    fresh = f"{file}.{os.getpid()}.new"
    try:
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(fresh, "wb") as f:
            f.write(_HEAD + blake3(body).digest() + body)
        os.replace(fresh, file)
    except OSError:
        with suppress(OSError):
            os.unlink(fresh)
        return False
    return True
