"""A file that lines are appended to, whole lines or none, until it is sealed into a segment.

It holds a lock while it is open, so that whoever comes after a killed writer knows which files are nobody's.
Standard library only.
"""

import contextlib
import errno
import fcntl
import os
import time

from headway.core.prediction_log import Kind, open_name


class Journal:
    """One open file in `folder`, which is made when it is not there (but not the folder it lies in).

    Raises OSError when it cannot be made.
    """

    __slots__ = ("_fd", "_is_dirty", "born", "n_lines", "path", "size_bytes")

    def __init__(self, folder: str, kind: Kind) -> None:
        # When it is a file that has this name, the next line says so.
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        self.path = os.path.join(folder, open_name(kind, os.urandom(8).hex()))
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        self.born = time.monotonic()
        self.size_bytes = 0
        self.n_lines = 0
        self._is_dirty = False

    def append(self, lines: bytes, n_lines: int) -> None:
        """Append all of it. Raises OSError, and only whole lines of it stand there then, as `size_bytes` says."""
        if not os.fstat(self._fd).st_nlink:
            raise OSError(errno.ESTALE, "its file was deleted", self.path)
        left = memoryview(lines)
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError:
            # A full disk takes a part: half a line must not stand there when there is room again. What is whole stays:
            # somebody may have read it already.
            n_bytes = lines.rfind(b"\n", 0, len(lines) - len(left)) + 1
            os.ftruncate(self._fd, self.size_bytes + n_bytes)
            self._have(lines[:n_bytes].count(b"\n"), n_bytes)
            raise
        self._have(n_lines, len(lines))

    def _have(self, n_lines: int, n_bytes: int) -> None:
        self.size_bytes += n_bytes
        self.n_lines += n_lines
        self._is_dirty = True

    def sync(self) -> None:
        """See that it outlives the machine. Raises OSError."""
        if self._is_dirty:
            os.fdatasync(self._fd)
            self._is_dirty = False

    def close(self) -> None:
        """Let go of it; an empty one is deleted."""
        if not self.size_bytes:
            # When the folder is gone or cannot be written: an empty file says nothing wrong.
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        os.close(self._fd)


def is_abandoned(path: str) -> bool:
    """Whether nobody writes to an open file any more."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(fd)
