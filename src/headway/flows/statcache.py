"""What files and folders of the workspace were like when they were read last, so that they need not be read again.

Only a copy: losing it costs time. Its form is specified in `docs/formats/store.md`. Knows how to compare, not how
to read.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TypeVar, cast

import msgspec
from msgspec import Struct

from headway.core.ids import Artifact, Digest
from headway.flows import copies
from headway.flows.listing import LOOK_BYTES, Look, changed_ns

RACY_NS = 50_000_000
"""A file that was changed less than this before it was read may be changed again with the same time: clocks of file
systems tick every 1 to 10 ms, and some round."""


_T = TypeVar("_T")


class _KnownFolder(Struct, array_like=True):
    mark: bytes
    artifact: Artifact


_encoder = msgspec.msgpack.Encoder()
_HEAD = b"headway-stat 2\n"
_FEW = 64
"""A folder of fewer files is listed as quickly as it is looked up."""


class StatCache:
    """Digests of files by path, as long as size, times and inode are the same. Losing it costs time only."""

    __slots__ = ("_changed", "_file", "_folders", "_folders_changed", "_known", "_used", "_used_folders")

    def __init__(self, file: str | None = None) -> None:
        self._file = file
        # Read when first asked for: of an unchanged folder, what is remembered of its files is not needed.
        self._known: dict[bytes, bytes] | None = None
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
        if (
            self._folders_changed
            and self._folders is not None
            and copies.write(self._file + "-folders", _HEAD, _encoder.encode(self._folders))
        ):
            self._folders_changed = False
        if not self._changed or self._known is None:
            return
        if len(self._known) > 2 * len(self._used) + 1000:
            # Most of it is about files that nobody asks for any more, unless they were seen as part of a folder.
            below = tuple(os.fsencode(folder) + b"/" for folder in self._used_folders)
            self._known = {
                path: known for path, known in self._known.items() if path in self._used or path.startswith(below)
            }
        if copies.write(self._file, _HEAD, _encoder.encode(self._known)):
            self._changed = False

    def get(self, path: str, look: Look) -> Digest | None:
        """The digest of the file at `path` (relative to the project) if it is still as it was when it was read."""
        key = path.encode("utf-8", "surrogateescape")
        known = self._files().get(key)
        if known is None or known[:LOOK_BYTES] != look:
            return None
        self._used.add(key)
        return Digest(known[LOOK_BYTES:].hex())

    def get_all(self, folder: str, looks: Mapping[str, Look]) -> dict[str, Digest]:
        """As `get` for the files of a folder, by their paths in it: those that are as they were, in half the time."""
        known, prefix = self._files(), f"{folder}/".encode("utf-8", "surrogateescape")
        if not known:
            return {}
        keys = [prefix + path.encode("utf-8", "surrogateescape") for path in looks]
        self._used.update(keys)
        found = {
            path: was[LOOK_BYTES:].hex()
            for path, look, was in zip(looks, looks.values(), map(known.get, keys), strict=True)
            if was is not None and was.startswith(look)
        }
        # A call for each of a hundred thousand, if only of a name for a type, would be felt.
        return cast("dict[str, Digest]", found)

    def put(self, path: str, look: Look, digest: Digest, *, read_ns: int) -> None:
        """Remember a file that was read from `read_ns` (UTC nanoseconds) on and looked like this before and after.

        Not if it was changed shortly before: then the next change might show in nothing that is looked at.
        """
        key = path.encode("utf-8", "surrogateescape")
        known = self._files()
        if read_ns - changed_ns(look) < RACY_NS:
            self._changed = known.pop(key, None) is not None or self._changed
            return
        known[key] = look + bytes.fromhex(digest)
        self._used.add(key)
        self._changed = True

    def put_all(self, folder: str, files: Sequence[tuple[str, Look, Digest]], *, read_ns: int) -> None:
        """As `put`, for files of a folder by their paths in it, in a third of the time."""
        if not files:
            return
        if read_ns - changed_ns(b"".join([look for _, look, _ in files])) < RACY_NS:
            for path, look, digest in files:
                self.put(f"{folder}/{path}", look, digest, read_ns=read_ns)
            return
        prefix = f"{folder}/"
        known = {
            (prefix + path).encode("utf-8", "surrogateescape"): look + bytes.fromhex(digest)
            for path, look, digest in files
        }
        self._files().update(known)
        self._used.update(known)
        self._changed = True

    def folder(self, path: str, mark: bytes) -> Artifact | None:
        """The folder at `path` if it is still as it was when it had this mark (see `list_folder`)."""
        known = self._marks().get(path)
        if known is None or known.mark != mark:
            return None
        self._used_folders.add(path)
        return known.artifact

    def put_folder(self, artifact: Artifact, mark: bytes, *, latest_ns: int, read_ns: int) -> None:
        """Remember a folder that had this mark at `read_ns`, before it was read; `latest_ns` as its listing tells."""
        if artifact.n_files < _FEW or read_ns - latest_ns < RACY_NS:
            return
        self._marks()[artifact.path] = _KnownFolder(mark, artifact)
        self._folders_changed = True

    def _marks(self) -> dict[str, _KnownFolder]:
        if self._folders is None:
            self._folders = _read(self._file and self._file + "-folders", dict[str, _KnownFolder])
        return self._folders

    def _files(self) -> dict[bytes, bytes]:
        if self._known is None:
            self._known = _read(self._file, dict[bytes, bytes])
        return self._known


def _read(file: str | None, kind: type[_T]) -> _T:
    """A map from a file; empty when there is none or it is damaged."""
    # A flipped bit in a digest would make a changed file look unchanged: hence the hash of a copy.
    body = copies.read(file, _HEAD)
    with suppress(msgspec.MsgspecError):
        if body is not None:
            return msgspec.msgpack.decode(body, type=kind)
    return msgspec.convert({}, kind)
