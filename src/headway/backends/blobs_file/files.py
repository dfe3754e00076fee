"""Single files of the store on disk: written once, read whole, made durable; the system's errors in Headway's words."""

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

from blake3 import blake3

from headway.core.ids import Digest
from headway.errors import DiskFull, FileMissing, HeadwayError, StoreTrouble

BLOCK = 1 << 20
"""Bytes read and hashed at a time: larger ones gain nothing, they leave the processor's cache."""

LARGE = 1 << 24
"""Bytes from which a file that is only hashed is hashed by all processors: starting their threads takes a while."""

MANY = 64
"""Pending files from which the whole file system is synced: a thousand one by one took 16 times as long."""

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
OLD = os.O_RDONLY | os.O_CLOEXEC

_AT_ONCE = 1000
"""Blocks that the system takes in one call: 1024 at most."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_WRITE_OUT = 2
"""SYNC_FILE_RANGE_WRITE of Linux."""

_CLONE = 0x40049409
"""FICLONE of Linux: let a new file share the blocks of an old one, where the file system can (Btrfs, XFS, Bcachefs)."""


def copy(source: int, target: int) -> tuple[Digest, int]:
    """Copy a file to its end; digest and size of what was copied."""
    return write_hashed(iter(lambda: os.read(source, BLOCK), b""), target)


def write_hashed(blocks: Iterable[bytes], target: int) -> tuple[Digest, int]:
    """Write blocks to a file, one after the other; digest and size of what was written.

    From the second on, another processor hashes what this one writes.
    """
    blocks = iter(blocks)
    first = next(blocks, b"")
    hasher, size = blake3(first), len(first)
    write(target, first)
    second = next(blocks, b"")
    if second:
        from concurrent.futures import ThreadPoolExecutor
        from itertools import chain

        with ThreadPoolExecutor(1) as pool:
            # Nothing is to be hashed yet.
            hashed = pool.submit(hasher.update, b"")
            for block in chain([second], blocks):
                hashed.result()
                hashed = pool.submit(hasher.update, block)
                write(target, block)
                size += len(block)
    return Digest(hasher.hexdigest()), size


def clone(source: int, target: int) -> bool:
    """Let the empty file `target` share all blocks of `source`; False where that cannot be."""
    try:
        import fcntl

        fcntl.ioctl(target, _CLONE, source)
    except (ImportError, OSError):
        return False
    return True


def hash_of(fd: int, size: int) -> tuple[Digest, int]:
    """Digest and size of a file from where it is read, which is expected to have `size` bytes."""
    hasher, seen = blake3(max_threads=blake3.AUTO if size >= LARGE else 1), 0
    while block := os.read(fd, LARGE if size >= LARGE else BLOCK):
        hasher.update(block)
        seen += len(block)
    return Digest(hasher.hexdigest()), seen


def read(fd: int) -> bytes:
    """A whole file."""
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


def read_at(fd: int, size: int, at: int) -> bytes:
    """Up to `size` bytes of a file from the place `at`, fewer at its end."""
    parts: list[bytes] = []
    while size > 0 and (data := os.pread(fd, size, at)):
        parts.append(data)
        at, size = at + len(data), size - len(data)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def write(fd: int, data: bytes | memoryview) -> None:
    """All of `data`, however little the system takes at a time."""
    done = os.write(fd, data)
    while done < len(data):
        done += os.write(fd, memoryview(data)[done:])


def write_at(fd: int, blocks: Sequence[bytes | memoryview], at: int) -> None:
    """Write blocks one after the other from the place `at` of a file. Several may write to one file at once."""
    for start in range(0, len(blocks), _AT_ONCE):
        group = blocks[start : start + _AT_ONCE]
        size = sum(map(len, group))
        done = os.pwritev(fd, group, at)
        while done < size:
            done += os.pwrite(fd, memoryview(b"".join(group))[done:], at + done)
        at += size


def begin_sync(fd: int) -> None:
    """Have the system begin to write a file out, where it can be told to; `sync_files` then waits for less.

    Nothing is durable by this, and errors are left for who syncs.
    """
    import ctypes

    with suppress(AttributeError):
        ctypes.CDLL(None).sync_file_range(fd, ctypes.c_int64(0), ctypes.c_int64(0), ctypes.c_uint(_WRITE_OUT))


def place(fresh: str, path: str) -> None:
    """Move a whole file into its place, whose folder is made if need be."""
    try:
        os.rename(fresh, path)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.rename(fresh, path)


def create(folder: str, mode: int = 0o444) -> tuple[int, str]:
    """A new file in `folder` to be written, which is made if need be, and its path."""
    path = f"{folder}/{os.getpid()}-{os.urandom(8).hex()}"
    try:
        return os.open(path, NEW, mode), path
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)
        return os.open(path, NEW, mode), path


def put_aside(path: str, root: str) -> None:
    """Take a damaged file out of the way, where it can be; `sweep` removes it some day."""
    with suppress(OSError):
        os.makedirs(os.path.join(root, "damaged"), exist_ok=True)
        os.rename(path, os.path.join(root, "damaged", os.path.basename(path)))


def sync_files(paths: Iterable[str], root: str) -> None:
    """Make files below `root` durable, then the folders that name them."""
    paths = list(paths)
    if len(paths) >= MANY and _sync_all(root):
        return
    folders = {root, os.path.dirname(os.path.abspath(root))}
    for path in paths:
        _sync(path)
        folders.add(os.path.dirname(path))
    for folder in sorted(folders, reverse=True):
        _sync(folder)


def entries(folder: str) -> Iterator[os.DirEntry[str]]:
    """What is in a folder; nothing when there is none."""
    with translated(folder), suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as found:
        yield from found


@contextmanager
def translated(at: str) -> Iterator[None]:
    """What the system raises, in Headway's words."""
    try:
        yield
    except OSError as e:
        raise translate(e, at) from e


def translate(e: OSError, at: str) -> HeadwayError:
    """The error for what the system said."""
    if isinstance(e, FileNotFoundError):
        return FileMissing(f"{e.filename} is not there", at=at, remedy="see that the file, or its folder, exists")
    if e.errno in _FULL:
        return DiskFull(
            "no space is left; nothing was stored", at=at, remedy="free some (`headway gc`), then run again"
        )
    return StoreTrouble(f"{e.filename or at}: {e.strerror}", at=at, remedy="see that it can be read and written to")


def _sync_all(folder: str) -> bool:
    """Have the whole file system of `folder` written out; False where the system has no such call.

    The standard library has only `sync`, which would wait for every disk and network share of the machine.
    """
    import ctypes

    try:
        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except AttributeError:
        return False
    fd = os.open(folder, OLD)
    try:
        if syncfs(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), folder)
    finally:
        os.close(fd)
    return True


def _sync(path: str) -> None:
    try:
        fd = os.open(path, OLD)
    except FileNotFoundError:
        # Deleted meanwhile; there is nothing left to keep.
        return
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
