"""What tells that something of a task is alive, after whoever started it was killed.

Every task inherits a locked file `<root>/alive/<key>`, which the kernel unlocks when its last holder is gone, and the
file's path in its environment as `HEADWAY_TASK`. The file has that name from before the process is made to after its
end, so SIGKILL of the driver between any two instructions leaves the truth: no such file, or an unlocked one that no
process names, is gone; anything else is running. A daemon that is meant to outlive its step drops both.

On Linux processes are found by /proc: by the file they hold (a step that clears its environment keeps it) or by the
variable (Python's `subprocess` closes descriptors but keeps the environment). Elsewhere only the lock and the pid of
the task's first process are known. Does not know tasks that this process itself runs.
"""

import os
import signal
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from time import monotonic, sleep

MARK = "HEADWAY_TASK"
"""The variable that names a task's alive file to all its descendants; `:` between those of nested runs."""

LOCK_FD = 147
"""Where a task holds its alive file: above what scripts number by hand (`exec 9>lock`), below the descriptors that bash
takes for itself (255) and the smallest usual limit (macOS: 256)."""

SURVIVAL_S = 5.0
"""How long `end` waits after SIGKILL: only a process inside a broken disk or network mount takes longer."""

_PROC = "/proc"
_SPARE = "~"
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def path_of(folder: str, key: str) -> str:
    """The alive file of a key: another one for every key, and a name that file systems take.

    >>> path_of("/p", "run/12/train-model/1")
    '/p/run+12+train-model+1'
    >>> path_of("/p", "a+b")
    '/p/a%2b;b'
    """
    name = "".join(c if c in _PLAIN else "+" if c == "/" else f"%{ord(c):x};" for c in key)
    if len(name) > 200:  # of the 255 that file systems allow
        from blake3 import blake3

        name = f"{name[:100]}+{blake3(key.encode()).hexdigest()}"
    return os.path.join(folder, name)


class Spares:
    """Alive files between two tasks: renamed, never removed while tasks go on.

    ext4 passes over inodes that were deleted in the last minutes, one by one: where a thousand files were just removed,
    making a new one takes a millisecond. Those that a killed driver left are taken over.
    """

    __slots__ = ("_folder", "_n", "_paths")

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._n = 0
        self._paths: list[tuple[str, str]] | None = None

    def claim(self, path: str, log_path: str) -> int:
        """The alive file of a task, open and locked. Raises BlockingIOError when something of it lives, and OSError.

        A lock that can be had proves that nothing lives of the task before: what that one's log would have been, when
        it printed nothing, becomes `log_path`, for a file is renamed several times as quickly as it is made.
        """
        if self._paths is None:
            os.makedirs(self._folder, exist_ok=True)
            spares = (name for name in os.listdir(self._folder) if name[0] == _SPARE)
            self._paths = [(os.path.join(self._folder, name), "") for name in spares]
        # What is there under the task's own name must not be replaced: its lock tells of an earlier attempt.
        while self._paths and not os.path.exists(path):
            spare, empty_log = self._paths.pop()
            # FileNotFoundError: somebody else took it. BlockingIOError: its last task left something in the background.
            with suppress(FileNotFoundError, BlockingIOError):
                fd = _locked(spare, os.O_RDWR, path)
                _pass_on(empty_log, log_path)
                return fd
        return _locked(path, os.O_RDWR | os.O_CREAT, path)

    def give_back(self, path: str, log_path: str = "") -> None:
        """Take the name off a task's alive file: its end is known. What it left in the background is left alone."""
        self._n += 1
        spare = f"{self._folder}/{_SPARE}{os.getpid()}-{self._n}"
        with suppress(FileNotFoundError):
            os.rename(path, spare)
            if self._paths is not None:
                self._paths.append((spare, log_path))

    def remove(self) -> None:
        """Remove all spare files."""
        for path, _ in self._paths or ():
            _forget(path)
        self._paths = None


def _pass_on(empty_log: str, log_path: str) -> None:
    with suppress(OSError):
        if empty_log and os.stat(empty_log).st_size == 0 and not os.path.lexists(log_path):
            os.rename(empty_log, log_path)


def _locked(path: str, flags: int, name: str) -> int:
    """The file at `path`, open, locked, and then called `name`."""
    fd = os.open(path, flags, 0o644)
    try:
        flock(fd, LOCK_EX | LOCK_NB)
        if path != name:
            os.rename(path, name)
    except BaseException:
        os.close(fd)
        raise
    return fd


def record(fd: int, pid: int) -> None:
    """Note the task's first process in its alive file, where /proc will not tell."""
    if not os.path.isdir(_PROC):
        # Best effort: the process is there already, whether its number could be noted or not.
        with suppress(OSError):
            os.truncate(fd, 0)
            os.write(fd, b"%d" % pid)


def marked(outer: str | None, path: str) -> str:
    """The value of `MARK` for a task whose environment had it as `outer`: a run inside a run's step belongs to both."""
    return f"{outer}:{path}" if outer else path


def remains(path: str) -> list[int] | None:
    """The pids of what is left of the task, [] when something is but cannot be found; None when it is gone.

    Some milliseconds on Linux, when there is an alive file: one look at all of /proc.
    """
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        locked = _is_locked(fd)
        # After the lock: what held it and is gone by now may have left a child without it, which /proc shows.
        pids = _found(path, fd)
        if pids is None:
            pids = _recorded(fd) if locked else []
        if locked or pids:
            return pids
        _forget(path)
        return None
    finally:
        os.close(fd)


def end(path: str, *, grace_s: float) -> list[int] | None:
    """Ask all that is left of the task to end, and after `grace_s` make it; what survives, like `remains`."""
    kill_at = monotonic() + grace_s
    asked: set[int] = set()
    pause_s = 0.002
    while (pids := remains(path)) is not None:
        now = monotonic()
        if now >= kill_at + SURVIVAL_S:
            break
        for pid in pids:
            if now >= kill_at:
                _signal_group_of(pid, signal.SIGKILL)
            elif pid not in asked:
                asked.add(pid)
                _signal_group_of(pid, signal.SIGTERM)
                # One that is suspended could not hear the first signal.
                _signal_group_of(pid, signal.SIGCONT)
        sleep(pause_s)
        pause_s = min(pause_s * 2, 0.05)
    return pids


def groups() -> set[int] | None:
    """The process groups of this machine that something lives in; None where there is no /proc. Some milliseconds.

    A killed orphan is a zombie until init waits for it, which some take seconds to do, or never: `killpg(group, 0)`
    calls such a group alive.
    """
    found = set()
    for pid in _pids() or ():
        with suppress(OSError), open(f"{_PROC}/{pid}/stat", "rb") as f:
            # pid (name) state ppid pgrp …, and the name may hold anything.
            state, _, group = f.read().rpartition(b")")[2].split(None, 3)[:3]
            if state not in (b"Z", b"X"):
                found.add(int(group))
    return found or None


def _forget(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def _is_locked(fd: int) -> bool:
    try:
        # Shared: two that ask at the same time must not take each other for the task.
        flock(fd, LOCK_SH | LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _found(path: str, fd: int) -> list[int] | None:
    """Processes that hold the alive file or name it; None where there is no /proc."""
    pids = _pids()
    if pids is None:
        return None
    me, wanted, file = os.getpid(), os.fsencode(path), os.fstat(fd)
    found = []
    for pid in pids:
        # OSError: it ended meanwhile, or is another user's.
        with suppress(OSError):
            if pid != me and (_holds(pid, file) or _names(pid, wanted)):
                found.append(pid)
    return found


def _pids() -> list[int] | None:
    try:
        return [int(name) for name in os.listdir(_PROC) if name.isdigit()]
    except FileNotFoundError:
        return None


def _holds(pid: int, file: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(f"{_PROC}/{pid}/fd/{LOCK_FD}"), file)
    except FileNotFoundError:
        return False


def _names(pid: int, wanted: bytes) -> bool:
    mark = f"{MARK}=".encode()
    with open(f"{_PROC}/{pid}/environ", "rb") as f:
        for entry in f.read().split(b"\0"):
            if entry.startswith(mark):
                return b":%b:" % wanted in b":%b:" % entry[len(mark) :]
    return False


def _recorded(fd: int) -> list[int]:
    text = os.pread(fd, 32, 0)
    return [int(text)] if text.isdigit() else []


def _signal_group_of(pid: int, number: int) -> None:
    """Signal the whole group that a process is in, but never our own."""
    try:
        group = os.getpgid(pid)
    except OSError:
        group = pid  # a leader that ended; its group may live
    with suppress(ProcessLookupError, PermissionError):
        if group == os.getpgrp():
            os.kill(pid, number)
        else:
            os.killpg(group, number)
