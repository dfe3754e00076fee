"""The folder of a store: what is in it, what was written and is not durable yet, and the lock between writers and gc.

Whoever finds that something is stored already makes it young, under the lock that many may hold; gc, under the lock
that it holds alone, deletes only what is not. So nothing is taken away that somebody has just come to rely on.
"""

import fcntl
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from headway.backends.blobs_file import files
from headway.backends.blobs_file.index import CUTS, Index
from headway.codec import pack
from headway.core.ids import Digest
from headway.errors import BlobMissing

EMPTY = Digest("af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")
"""The digest of nothing: any other blob without a byte is what a power failure left of one that was not synced."""

_TOUCH_S = 0.05
"""A pack is made young again at most this often by one process: a batch finds thousands of pieces in it."""

_OPEN = 16
"""Packs kept open for reading."""


class Folder:
    """The folder at `root`; nothing is touched before something is stored."""

    __slots__ = ("_lock", "_open", "_prefixes", "_touched", "index", "pending", "root", "tmp")

    def __init__(self, root: str) -> None:
        # First: `__del__` asks for these, also after an interrupt here.
        self._open: dict[str, int] = {}
        self._lock: int | None = None
        self.root = root
        self.tmp = os.path.join(root, "tmp")
        self.index = Index(root)
        self.pending: set[str] = set()
        self._touched: dict[str, float] = {}
        self._prefixes: set[str] | None = None

    def path(self, digest: Digest) -> str:
        """Where a blob lies that is a file of its own."""
        return f"{self.root}/{digest[:2]}/{digest}"

    def holds(self, digest: Digest) -> bool:
        """Whether a blob is there, in a pack or as a file."""
        return self.index.find(digest) is not None or self._whole_size(digest) is not None

    def has_file(self, digest: Digest) -> bool:
        """Whether a blob is there as a file of its own."""
        return self._whole_size(digest) is not None

    def again(self, digest: Digest, size: int) -> bool:
        """Whether a blob is there; if so it counts as stored now, so that gc lets it live for a while."""
        packed = self.index.knows(digest)
        if packed is not None and self._made_young(packed):
            return True
        path = self.path(digest)
        return self._whole_size(digest) == size and self._made_young(path)

    def renew(self, digests: Sequence[Digest], before: float) -> set[Digest]:
        """Those that are there; what was stored last before then (UTC seconds) counts as stored now."""
        young: dict[str, bool] = {}
        found = set()
        for digest, packed in zip(digests, self.index.find_all(digests), strict=True):
            path = packed[0] if packed is not None else self.path(digest) if self.has_file(digest) else ""
            if path not in young:
                young[path] = bool(path) and self._is_young(path, before)
            if young[path]:
                found.add(digest)
        return found

    def _is_young(self, path: str, before: float) -> bool:
        try:
            return os.stat(path).st_mtime >= before or self._made_young(path)
        except FileNotFoundError:
            return False

    def read(self, path: str, n: int, offset: int) -> bytes:
        """Bytes of a pack, which stays open for a while; fewer at its end. Raises FileNotFoundError."""
        fd = self._open.get(path)
        if fd is None:
            fd = os.open(path, files.OLD)
            if len(self._open) >= _OPEN:
                os.close(self._open.pop(next(iter(self._open))))
            self._open[path] = fd
        return os.pread(fd, n, offset)

    def forget(self, name: str) -> None:
        """A source is gone: do not read it any more."""
        path = self.index.file_of(name)
        if path in self._open:
            os.close(self._open.pop(path))
        self._touched.pop(path, None)
        self.pending -= {path, os.path.join(self.index.folder, name)}
        self.index.refresh()

    def place(self, fresh: str, path: str) -> None:
        """Move a whole file into its place; durable after `sync`."""
        files.place(fresh, path)
        self.pending.add(path)
        if self._prefixes is not None:
            self._prefixes.add(os.path.basename(os.path.dirname(path)))

    def place_cuts(self, digest: Digest, records: list[bytes]) -> None:
        """Note which chunks a blob holds that is kept whole: then others can share them."""
        _, end = pack.ending(records)
        fd, fresh = files.create(self.tmp)
        try:
            files.write(fd, pack.HEAD + end)
        finally:
            os.close(fd)
        name = digest + CUTS
        self.place(fresh, os.path.join(self.index.folder, name))
        self.index.add(name, records)

    def sync(self) -> None:
        """Make all that was placed durable."""
        if self.pending:
            files.sync_files(self.pending, self.root)
            self.pending.clear()

    def blobs(self) -> Iterator[tuple[Digest, os.stat_result]]:
        """All blobs that are files of their own."""
        for folder in files.entries(self.root):
            if len(folder.name) != 2:
                continue
            for entry in files.entries(folder.path):
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if len(entry.name) == 64 and stat.S_ISREG(status.st_mode):
                    yield Digest(entry.name), status

    @contextmanager
    def locked(self, *, alone: bool) -> Iterator[None]:
        """Hold the lock: with others, or alone."""
        if self._lock is None:
            os.makedirs(self.root, exist_ok=True)
            self._lock = os.open(os.path.join(self.root, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        fcntl.flock(self._lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def missing(self, digest: Digest) -> BlobMissing:
        """The error for a blob that is not here."""
        return BlobMissing(
            f"blob {digest[:12]} is not in the store",
            at=self.root,
            remedy="`headway fetch` brings it where a remote has it; else run the step that made it again",
        )

    def __del__(self) -> None:
        for fd in self._open.values():
            os.close(fd)
        if self._lock is not None:
            os.close(self._lock)

    def may_have_file(self, digest: Digest) -> bool:
        """Whether there may be a file of this name, judged by the folders there were when this was first asked."""
        if self._prefixes is None:
            self._prefixes = {entry.name for entry in files.entries(self.root)}
        return digest[:2] in self._prefixes

    def _whole_size(self, digest: Digest) -> int | None:
        """The size of a blob that is a file of its own, if there is one that may be whole."""
        try:
            size = os.stat(self.path(digest)).st_size
        except FileNotFoundError:
            return None
        return size if size or digest == EMPTY else None

    def _made_young(self, path: str) -> bool:
        now = time.monotonic()
        if now - self._touched.get(path, -_TOUCH_S) >= _TOUCH_S:
            with self.locked(alone=False):
                try:
                    os.utime(path)
                except (FileNotFoundError, PermissionError):
                    # Nobody may touch another user's file, but writing it anew is allowed to all who may write here.
                    return False
            if path.startswith(self.index.folder) or len(self._touched) < 1000:
                self._touched[path] = now
        # Whoever stored it may not have synced it yet; that would now be ours to do.
        self.pending.add(path)
        return True
