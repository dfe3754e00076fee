"""The store of blobs in a folder: `file:<path>`. Its form is specified in `docs/formats/store.md`.

A blob is one read-only file `<first two digits>/<digest>`. It is written under `tmp/`, hashed on the way, and moved
into place when it is whole. One that turns out damaged is put aside under `damaged/`, so that whatever made it makes
it again. Knows nothing of trees, of the log, or of who needs what.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from blake3 import blake3

from headway.backends import path_of
from headway.core.ids import Digest
from headway.errors import BlobDamaged, BlobMissing, DiskFull, FileMissing, HeadwayError, StoreTrouble
from headway.ports import BlobInfo, Blobs

BLOCK = 1 << 20
"""Bytes read and hashed at a time: larger ones gain nothing, they leave the processor's cache."""

LARGE = 1 << 24
"""Bytes from which a file that is only hashed is hashed by all processors: starting their threads takes a while."""

MANY = 64
"""Pending blobs from which the whole file system is synced: a thousand one by one took 16 times as long."""

EMPTY = Digest("af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")
"""The digest of nothing: any other blob without a byte is what a power failure left of one that was not synced."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_CLOEXEC


class FileBlobs:
    """Blobs in the folder `root`, which is made when something is stored."""

    __slots__ = ("_pending", "_root", "_tmp")

    def __init__(self, root: str) -> None:
        self._root = root
        self._tmp = os.path.join(root, "tmp")
        self._pending: set[Digest] = set()

    def put(self, data: bytes) -> Digest:
        """Store bytes. See `Blobs`."""
        digest = Digest(blake3(data).hexdigest())
        if not self._again(digest, len(data)):

            def fill(fd: int) -> tuple[Digest, int]:
                _write(fd, data)
                return digest, len(data)

            self._store(fill)
        return digest

    def put_file(self, path: str, *, move: bool = False) -> tuple[Digest, int]:
        """Store a file. See `Blobs`.

        What is stored is what was read, also while somebody writes to it. `move` asks for a file that nobody has
        open for writing; if it can be seen to change, has other names or lies elsewhere, it is copied.
        """
        try:
            fd = os.open(path, _OLD)
        except OSError as e:
            raise _translate(e, path) from e
        try:
            kept = self._moved(fd, path) if move else self._small(fd, path)
            if kept is None:
                kept = self._store(lambda target: _copy(fd, target))
                if move:
                    with _translated(path):
                        os.unlink(path)
        finally:
            os.close(fd)
        return kept

    def get(self, digest: Digest) -> bytes:
        """The content. See `Blobs`."""
        fd = self._open(digest)
        with _translated(self._root):
            try:
                data = _read(fd)
            finally:
                os.close(fd)
        if blake3(data).hexdigest() != digest:
            raise self._put_aside(digest)
        return data

    def fetch(self, digest: Digest, path: str, *, executable: bool = False) -> None:
        """Write the content to a file. See `Blobs`; the file is new and gets the usual rights of a new file."""
        fresh = os.path.join(os.path.dirname(path), f".headway-{os.urandom(8).hex()}.tmp")
        source = self._open(digest)
        try:
            with _translated(path):
                target = os.open(fresh, _NEW, 0o777 if executable else 0o666)
                try:
                    try:
                        found, _size = _copy(source, target)
                    finally:
                        os.close(target)
                    if found == digest:
                        os.replace(fresh, path)
                        return
                except BaseException:
                    os.unlink(fresh)
                    raise
                os.unlink(fresh)
        finally:
            os.close(source)
        raise self._put_aside(digest)

    def has(self, digests: Sequence[Digest]) -> set[Digest]:
        """Those that are there. See `Blobs`. One `stat` each: a few microseconds."""
        root, status, found = self._root, os.stat, set()
        for digest in digests:
            try:
                size = status(f"{root}/{digest[:2]}/{digest}").st_size
            except FileNotFoundError:
                continue
            except OSError as e:
                raise _translate(e, self._root) from e
            if size or digest == EMPTY:
                found.add(digest)
        return found

    def delete(self, digest: Digest) -> None:
        """Forget a blob. See `Blobs`."""
        self._pending.discard(digest)
        with _translated(self._root), suppress(FileNotFoundError):
            os.unlink(self._path(digest))

    def list(self) -> Iterator[BlobInfo]:
        """All blobs. See `Blobs`; `at` is when one was last stored, again or for the first time."""
        for folder in _entries(self._root):
            if len(folder.name) != 2:
                continue
            for entry in _entries(folder.path):
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if len(entry.name) == 64 and stat.S_ISREG(status.st_mode):
                    yield BlobInfo(digest=Digest(entry.name), size_bytes=status.st_size, at=status.st_mtime)

    def sweep(self, *, before: float) -> int:
        """Remove what killed writers left, and damaged blobs that were put aside. See `Blobs`."""
        freed = 0
        for name in ("tmp", "damaged"):
            for entry in _entries(os.path.join(self._root, name)):
                with _translated(self._root), suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    if status.st_mtime < before:
                        os.unlink(entry.path)
                        freed += status.st_size
        return freed

    def sync(self) -> None:
        """Make all that was stored durable. See `Blobs`: first the files, then the folders that name them."""
        if not self._pending:
            return
        with _translated(self._root):
            if len(self._pending) < MANY or not _sync_all(self._root):
                for digest in self._pending:
                    _sync(self._path(digest))
                for prefix in {digest[:2] for digest in self._pending}:
                    _sync(os.path.join(self._root, prefix))
                _sync(self._root)
                _sync(os.path.dirname(os.path.abspath(self._root)))
        self._pending.clear()

    def _path(self, digest: Digest) -> str:
        return f"{self._root}/{digest[:2]}/{digest}"

    def _again(self, digest: Digest, size: int) -> bool:
        """Whether the blob is there whole; if so it counts as stored now, so that `gc` lets it live for a while."""
        path = self._path(digest)
        try:
            if os.stat(path).st_size != size:
                return False
            os.utime(path)
        except (FileNotFoundError, PermissionError):
            # Nobody may touch another user's file, but writing it anew is allowed to all who may write here.
            return False
        except OSError as e:
            raise _translate(e, self._root) from e
        # Whoever stored it may not have synced it yet; that would now be ours to do.
        self._pending.add(digest)
        return True

    def _store(self, fill: Callable[[int], tuple[Digest, int]]) -> tuple[Digest, int]:
        """Let `fill` write a new file and name it, then move it into its place."""
        placed = False
        with _translated(self._root):
            path = f"{self._tmp}/{os.getpid()}-{os.urandom(8).hex()}"
            try:
                fd = os.open(path, _NEW, 0o444)
            except FileNotFoundError:
                os.makedirs(self._tmp, exist_ok=True)
                fd = os.open(path, _NEW, 0o444)
            try:
                try:
                    digest, size = fill(fd)
                finally:
                    # Here a network's file system may say that it had no room after all.
                    os.close(fd)
                if not self._again(digest, size):
                    self._place(path, digest)
                    placed = True
            finally:
                if not placed:
                    os.unlink(path)
        return digest, size

    def _small(self, fd: int, path: str) -> tuple[Digest, int] | None:
        """Store a file that fits into one block from memory: when it is there already, no file is made at all."""
        with _translated(path):
            data = os.read(fd, BLOCK)
            if len(data) == BLOCK or os.read(fd, 1):
                os.lseek(fd, 0, os.SEEK_SET)
                return None
        return self.put(data), len(data)

    def _moved(self, fd: int, path: str) -> tuple[Digest, int] | None:
        """Use up the file itself; None when that cannot be done safely."""
        with _translated(path):
            before = os.fstat(fd)
            link = os.lstat(path)
            if before.st_nlink != 1 or (link.st_dev, link.st_ino) != (before.st_dev, before.st_ino):
                return None
            digest, size = _hash(fd, before.st_size)
            if size != before.st_size or _times(os.fstat(fd)) != _times(before):
                os.lseek(fd, 0, os.SEEK_SET)
                return None
            if self._again(digest, size):
                os.unlink(path)
                return digest, size
            os.fchmod(fd, 0o444)
            os.utime(fd)
            try:
                self._place(path, digest)
            except OSError as e:
                if e.errno != errno.EXDEV:
                    raise
                os.lseek(fd, 0, os.SEEK_SET)
                return None
        return digest, size

    def _place(self, path: str, digest: Digest) -> None:
        place = self._path(digest)
        try:
            os.rename(path, place)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.rename(path, place)
        self._pending.add(digest)

    def _open(self, digest: Digest) -> int:
        try:
            return os.open(self._path(digest), _OLD)
        except FileNotFoundError as e:
            raise BlobMissing(
                f"blob {digest[:12]} is not in the store",
                at=self._root,
                remedy="run the step that made it again, or bring the store back from a copy",
            ) from e
        except OSError as e:
            raise _translate(e, self._root) from e

    def _put_aside(self, digest: Digest) -> BlobDamaged:
        """Take a damaged blob out of the way, where it can be, so that storing it again mends the store."""
        with suppress(OSError):
            os.makedirs(os.path.join(self._root, "damaged"), exist_ok=True)
            os.rename(self._path(digest), os.path.join(self._root, "damaged", digest))
        return BlobDamaged(
            f"blob {digest[:12]} is damaged: its bytes are not those it was made of",
            at=self._root,
            remedy="it was put aside; run the step that made it again, and have the disk checked",
        )


_: type[Blobs] = FileBlobs


def connect(url: str) -> FileBlobs:
    """The store of `file:<path>`; nothing is touched yet."""
    return FileBlobs(path_of(url))


def _copy(source: int, target: int) -> tuple[Digest, int]:
    """Copy a file to its end; digest and size of what was copied."""
    hasher, size = blake3(), 0
    while block := os.read(source, BLOCK):
        hasher.update(block)
        _write(target, block)
        size += len(block)
    return Digest(hasher.hexdigest()), size


def _hash(fd: int, size: int) -> tuple[Digest, int]:
    hasher, seen = blake3(max_threads=blake3.AUTO if size >= LARGE else 1), 0
    while block := os.read(fd, LARGE if size >= LARGE else BLOCK):
        hasher.update(block)
        seen += len(block)
    return Digest(hasher.hexdigest()), seen


def _read(fd: int) -> bytes:
    size = os.fstat(fd).st_size
    data = os.read(fd, size)
    if len(data) == size:
        return data
    # No system reads more than 2 GiB at once.
    parts, seen = [data], len(data)
    while seen < size and data:
        data = os.read(fd, size - seen)
        parts.append(data)
        seen += len(data)
    return b"".join(parts)


def _write(fd: int, data: bytes) -> None:
    done = os.write(fd, data)
    while done < len(data):
        done += os.write(fd, memoryview(data)[done:])


def _sync_all(folder: str) -> bool:
    """Have the whole file system of `folder` written out; False where the system has no such call.

    The standard library has only `sync`, which would wait for every disk and network share of the machine.
    """
    import ctypes

    try:
        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except AttributeError:
        return False
    fd = os.open(folder, _OLD)
    try:
        if syncfs(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), folder)
    finally:
        os.close(fd)
    return True


def _times(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _sync(path: str) -> None:
    try:
        fd = os.open(path, _OLD)
    except FileNotFoundError:
        # Deleted meanwhile; there is nothing left to keep.
        return
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    with _translated(folder), suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        yield from entries


@contextmanager
def _translated(at: str) -> Iterator[None]:
    """What the system raises, in Headway's words."""
    try:
        yield
    except OSError as e:
        raise _translate(e, at) from e


def _translate(e: OSError, at: str) -> HeadwayError:
    if isinstance(e, FileNotFoundError):
        return FileMissing(f"{e.filename} is not there", at=at, remedy="see that the file, or its folder, exists")
    if e.errno in _FULL:
        return DiskFull(
            "no space is left; nothing was stored", at=at, remedy="free some (`headway gc`), then run again"
        )
    return StoreTrouble(f"{e.filename or at}: {e.strerror}", at=at, remedy="see that it can be read and written to")
