"""A private folder for a while: gone when the block is left, and when the process was killed, taken away by the next.

Whoever has one holds a lock on the folder itself, which the kernel lets go of with the process; so a folder that can be
locked is nobody's. Knows nothing of what is put there.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def scratch(parent: str, prefix: str) -> Iterator[str]:
    """A new empty folder in `parent`, whose name begins with `prefix`.

    Other folders of that kind that nobody has are removed first. Raises OSError when it cannot be made.
    """
    _sweep(parent, prefix)
    folder, lock = _taken(parent, prefix)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _taken(parent: str, prefix: str) -> tuple[str, int]:
    """A new folder and its lock. One that a sweep took before it was locked is made again."""
    while True:
        folder = tempfile.mkdtemp(prefix=prefix, dir=parent)
        try:
            lock = os.open(folder, _OPEN)
        except FileNotFoundError:
            continue
        # Where folders cannot be locked (on some networks' file systems), no sweep can lock it either.
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock).st_nlink and os.path.exists(folder):
            return folder, lock
        os.close(lock)


def _sweep(parent: str, prefix: str) -> None:
    """Remove this user's folders of that kind that no process has."""
    for name in os.listdir(parent):
        if not name.startswith(prefix):
            continue
        folder = os.path.join(parent, name)
        try:
            lock = os.open(folder, _OPEN)
        except OSError:
            # Gone meanwhile, another's, or no folder.
            continue
        try:
            if os.fstat(lock).st_uid == os.geteuid():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            # Somebody is at work in it.
            pass
        finally:
            os.close(lock)
