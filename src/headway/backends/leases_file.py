"""Leases as locked files in a folder: `file:<path>`, for the processes of one machine.

The kernel holds the lock and lets go of it when the holder's process ends, however it ends: `ttl_s` is not needed and
not looked at. The file `<name>.lease` carries the holder's name for others to read; it stays when the lease ends, for
removing it would let two processes lock two files of one name.
"""

import errno
import fcntl
import os
import time

from headway.backends import path_of
from headway.errors import DiskFull, LeaseHeld, StoreTrouble
from headway.ports import Leases

# Whoever asks for the holder takes the lock for some microseconds, and a holder needs as long to write its name.
_ATTEMPTS = 4
_PAUSE_S = 0.005


class FileLeases:
    """Leases in the folder `root`, which is made if need be. They are this object's: another one is somebody else."""

    __slots__ = ("_held", "_root")

    def __init__(self, root: str) -> None:
        self._root = root
        self._held: dict[str, tuple[str, int]] = {}

    def acquire(self, name: str, *, holder: str, ttl_s: float, now: float) -> None:  # noqa: ARG002 (see the module)
        """Take the lease. See `Leases`."""
        if name in self._held:
            if self._keeps(name, holder):
                return
            if self._held[name][0] != holder:
                raise _held(name, self._held[name][0], self._path(name))
            self._drop(name)
        try:
            fd = self._lock(name)
            self._held[name] = (holder, fd)
            os.ftruncate(fd, 0)
            os.pwrite(fd, holder.encode(), 0)
        except OSError as e:
            if name in self._held:
                os.close(self._held.pop(name)[1])
            if e.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull("no space is left for a lease", at=self._path(name), remedy="free some") from e
            raise StoreTrouble(
                f"the lease cannot be taken: {e.strerror}",
                at=self._path(name),
                remedy="see that its folder can be written to and allows locks",
            ) from e

    def renew(self, name: str, *, holder: str, ttl_s: float, now: float) -> None:  # noqa: ARG002 (see the module)
        """Keep the lease. See `Leases`; it is lost when somebody removed its file."""
        if not self._keeps(name, holder):
            now_held_by = self.holder(name, now=now) or ""
            raise LeaseHeld(
                f"{name} is no longer ours" + (f": {now_held_by} holds it" if now_held_by else ""),
                at=self._path(name),
                remedy="stop what needs it, and take it anew",
                holder=now_held_by,
            )

    def release(self, name: str, *, holder: str) -> None:
        """Give it back. See `Leases`."""
        if name in self._held and self._held[name][0] == holder:
            self._drop(name)

    def holder(self, name: str, *, now: float) -> str | None:  # noqa: ARG002 (see the module)
        """Who holds it. See `Leases`; empty when the holder has not yet written its name."""
        try:
            fd = os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _text(fd)
        else:
            return None
        finally:
            os.close(fd)

    def _path(self, name: str) -> str:
        return os.path.join(self._root, name.replace("%", "%25").replace("/", "%2F") + ".lease")

    def _keeps(self, name: str, holder: str) -> bool:
        held = self._held.get(name)
        return held is not None and held[0] == holder and _is_at(held[1], self._path(name))

    def _drop(self, name: str) -> None:
        _, fd = self._held.pop(name)
        os.ftruncate(fd, 0)
        os.close(fd)

    def _lock(self, name: str) -> int:
        """A locked descriptor of the lease's file. Raises LeaseHeld, OSError."""
        path = self._path(name)
        holder = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(_PAUSE_S)
            fd = _opened(path)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _text(fd)
                os.close(fd)
            else:
                if _is_at(fd, path):
                    return fd
                # Somebody removed the file between opening and locking it; the lock would be on nothing.
                os.close(fd)
        raise _held(name, holder, path)


_: type[Leases] = FileLeases


def connect(url: str) -> FileLeases:
    """The leases of `file:<path>`; nothing is touched yet."""
    return FileLeases(path_of(url))


def _opened(path: str) -> int:
    # O_CLOEXEC: a step that outlives its run must not keep the run's lease.
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return os.open(path, flags, 0o666)


def _is_at(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def _text(fd: int) -> str:
    return os.pread(fd, 4096, 0).decode(errors="replace")


def _held(name: str, holder: str, path: str) -> LeaseHeld:
    return LeaseHeld(
        f"{name} is held by {holder or 'another process'}",
        at=path,
        remedy="wait until it is done, or end it",
        holder=holder,
    )
