"""Snapshots of files elsewhere on this machine: `file:/srv/exports/*.csv`, a share that is mounted, for instance.

A file that changes while it is copied is copied again. Neighbour: `source_object` is for buckets. Knows nothing of
versions or the store.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress

from headway.backends import path_of
from headway.codec.source_state import Unordered
from headway.core.pattern import MAGIC, matcher, split
from headway.core.source_state import SourceState
from headway.errors import DiskFull, HeadwayError, NothingMatches, SourceRefused, SourceUnreachable
from headway.ports import Source

ATTEMPTS = 3
"""So often a file is copied that somebody writes to meanwhile."""


class FileSource:
    """The files of this machine."""

    __slots__ = ()

    def snapshot(self, wanted: str, folder: str) -> list[str]:
        """The files that the URL or pattern `wanted` names, below the folder they have in common. See `Source`.

        Links are followed to files, not to folders. Rights and times are not kept.
        """
        pattern = path_of(wanted)
        base, rest = split(pattern)
        if MAGIC.isdisjoint(rest):
            names = [rest] if rest and os.path.isfile(pattern) else []
        else:
            names = sorted(filter(matcher(rest), _files(base or ".")))
        if not names:
            raise NothingMatches(
                f"no file answers to {pattern!r}",
                at=wanted,
                remedy="check it: `*` stands for anything but `/`, `**` for any number of folders",
            )
        for name in names:
            _copy(os.path.join(base, name), os.path.join(folder, name))
        return names

    def state(self, wanted: str) -> SourceState:
        """The files that `wanted` names by name, size and times. See `Source`."""
        pattern = path_of(wanted)
        base, rest = split(pattern)
        names = [rest] if MAGIC.isdisjoint(rest) else filter(matcher(rest), _files(base or "."))
        hasher, n = Unordered(), 0
        for name in names:
            with suppress(FileNotFoundError):
                try:
                    told = os.stat(os.path.join(base, name))
                except PermissionError as e:
                    raise _translate(e, os.path.join(base, name)) from e
                hasher.add(f"{name}\0{told.st_size}\0{told.st_mtime_ns}\0{told.st_ino}")
                n += 1
        return SourceState(key=hasher.key(), n_things=n)


_: type[Source] = FileSource


def connect(url: str) -> FileSource:
    """The files of this machine; `url` is looked at when a snapshot is taken. Raises UsageMistaken without a path."""
    path_of(url)
    return FileSource()


def _files(base: str) -> Iterator[str]:
    """The files below a folder, relative to it."""

    def fail(e: OSError) -> None:
        raise _translate(e, e.filename or base) from e

    for folder, _, names in os.walk(base, onerror=fail):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                yield os.path.relpath(path, base)


def _copy(source: str, target: str) -> None:
    """Copy a file as it was at one moment."""
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        for _attempt in range(ATTEMPTS):
            before = os.stat(source)
            shutil.copyfile(source, target)
            after = os.stat(source)
            is_still = (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
            if is_still and before.st_size == after.st_size == os.stat(target).st_size:
                return
    except OSError as e:
        raise _translate(e, source) from e
    raise SourceUnreachable(
        "a file changes again and again while it is read",
        at=source,
        remedy="wait until nobody writes to it, then add it again",
    )


def _translate(e: OSError, path: str) -> HeadwayError:
    if e.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("no space is left for a snapshot", at=path, remedy="free some, then run again")
    if isinstance(e, PermissionError):
        return SourceRefused(f"a file may not be read: {e.strerror}", at=path, remedy="see that you may read it")
    if isinstance(e, FileNotFoundError):
        return NothingMatches("a file or folder is not there", at=path, remedy="check the pattern")
    return SourceUnreachable(f"a file cannot be read: {e.strerror or e}", at=path, remedy="check the disk or the share")
