"""Files and folders that data arrive in: what is to be seen of them without reading, and whether somebody writes there.

Neighbours: `flows/listing` lists, `core/event_rest` says when they may be read, `flows/events_data` tells of them.
"""

import heapq
import os
import stat
from collections.abc import Iterable
from contextlib import suppress

from blake3 import blake3
from msgspec import Struct

from headway.core.ids import Digest
from headway.flows.digest import digest_path
from headway.flows.listing import Listing, Look, changed_ns, list_folder, look_of, seen, unreadable
from headway.flows.statcache import StatCache

NEWEST = 2000
"""Of a folder so many files, those that changed last, are asked whether somebody writes to them."""

LARGE_BYTES = 1 << 30
MANY_FILES = 10_000
"""Data larger than this are named by what is to be seen of them: to read them would take longer than to start."""


class Sight(Struct, frozen=True, kw_only=True):
    """What is to be seen of a file or folder: the same `mark` means that nothing changed. `newest` are paths."""

    mark: bytes
    is_folder: bool
    size_bytes: int
    n_files: int
    changed_at: float
    newest: tuple[str, ...]


def sight(path: str) -> Sight | None:
    """What is at a path; None when there is nothing. Raises OutputUnreadable.

    Takes a system call for each file, 2 microseconds or so, and forgets their names.
    """
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as e:
        raise unreadable(path, e) from e
    if not stat.S_ISDIR(status.st_mode):
        look = look_of(status)
        return _seen(bytes(look), [(path, look)], is_folder=False)
    listing = list_folder(path)
    files = listing.files
    mark = listing.mark or _mark(listing)
    # The folder's own time tells of a file that was taken away.
    return _seen(mark, ((os.path.join(path, name), look) for name, look in files.items()), is_folder=True)


def is_written(paths: Iterable[str]) -> bool | None:
    """Whether somebody has one of these files open for writing; None where the system cannot tell."""
    told: bool | None = False
    for path in paths:
        one = _is_open(path)
        if one:
            return True
        told = None if one is None else told
    return told


def name_of(folder: str, path: str, seen_there: Sight, stats: StatCache) -> str:
    """The key of what lies at `path` of `folder`: its digest, or of large data a name for what is to be seen of them.

    Raises FileMissing, OutputUnreadable when it changes meanwhile.
    """
    if seen_there.size_bytes > LARGE_BYTES or seen_there.n_files > MANY_FILES:
        return f"seen-{blake3(seen_there.mark).hexdigest(16)}"
    return Digest(digest_path(folder, path, stats).digest)


def _seen(mark: bytes, files: Iterable[tuple[str, Look]], *, is_folder: bool) -> Sight:
    size, n, latest = 0, 0, 0
    newest: list[tuple[int, str]] = []
    for path, look in files:
        at = changed_ns(look)
        size, n, latest = size + seen(look)[1], n + 1, max(latest, at)
        if len(newest) < NEWEST:
            heapq.heappush(newest, (at, path))
        elif at > newest[0][0]:
            heapq.heapreplace(newest, (at, path))
    return Sight(
        mark=mark,
        is_folder=is_folder,
        size_bytes=size,
        n_files=n,
        changed_at=latest / 1e9,
        newest=tuple(path for _, path in sorted(newest, reverse=True)),
    )


def _mark(listing: Listing) -> bytes:
    """A mark for a folder with links or things that are no content."""
    hasher = blake3()
    for path, look in sorted(listing.files.items()):
        hasher.update(path.encode("utf-8", "surrogateescape") + b"\0" + look)
    rest = (sorted(listing.links.items()), sorted(listing.folders), sorted(listing.others))
    hasher.update(repr(rest).encode("utf-8", "surrogateescape"))
    return hasher.digest()


def _is_open(path: str) -> bool | None:
    """Ask for a lease, which the kernel gives only while nobody has the file open for writing (Linux, local disks)."""
    try:
        import fcntl

        ask, signal_of = fcntl.F_SETLEASE, fcntl.F_SETSIG
    except (ImportError, AttributeError):
        return None
    from signal import SIGURG

    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        # Whoever took it away does not write to it.
        return False
    except OSError:
        return None
    try:
        # Should somebody open it in this moment, the kernel tells us by a signal: by one that does not end us.
        fcntl.fcntl(fd, signal_of, SIGURG)
        fcntl.fcntl(fd, ask, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except OSError:
        # Another's file, or a file system without leases.
        return None
    else:
        with suppress(OSError):
            fcntl.fcntl(fd, ask, fcntl.F_UNLCK)
        return False
    finally:
        os.close(fd)
