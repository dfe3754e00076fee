"""Starts one process: finds its executable, enters its folder, hands over its descriptors; explains what went wrong.

Does not wait for it, and does not know why a task is started.
"""

import errno
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from headway.backends.runner_local.alive import LOCK_FD
from headway.errors import DiskFull, HeadwayError, StepNotStarted
from headway.ports import Task

# Python ignores these two, and ignoring is inherited: `yes | head -1` would never end.
_DEFAULTED = (signal.SIGPIPE, signal.SIGXFSZ)

# A path is all that fchdir needs; O_PATH works in a folder that one may enter but not list.
_HERE = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY


def spawn(task: Task, env: Mapping[str, str], fds: tuple[int, int, int]) -> int:
    """The pid of a new process, leader of a session of its own.

    A session is a process group without a terminal: a step that asks for a password there fails, where one in a mere
    background group would be stopped by the system and hang. `fds`: what becomes its stdin, its stdout and stderr, and
    its lock. `task.fallback` is taken when the command cannot be found or executed. Raises StepNotStarted.
    """
    null, log, lock = fds
    actions = [
        (os.POSIX_SPAWN_DUP2, null, 0),
        (os.POSIX_SPAWN_DUP2, log, 1),
        (os.POSIX_SPAWN_DUP2, log, 2),
        (os.POSIX_SPAWN_DUP2, lock, LOCK_FD),
    ]
    failed: OSError | None = None
    with _working_in(task):
        for argv in filter(None, (task.argv, task.fallback)):
            path = _executable(argv[0], env.get("PATH", os.defpath))
            if path is None:
                continue
            try:
                return os.posix_spawn(
                    path, argv, env, file_actions=actions, setsid=True, setsigmask=(), setsigdef=_DEFAULTED
                )
            except ValueError as e:
                raise StepNotStarted(
                    f"{argv[0]!r} cannot be started: {e}",
                    at=task.key,
                    remedy="no word or variable may hold a NUL character, and no variable's name a =",
                ) from e
            except OSError as e:
                failed = e
                if e.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ENOEXEC):
                    break
    name = (task.argv or task.fallback or ("",))[0]
    if failed is None:
        remedy = "install it, or add its folder to PATH in the step's env"
        raise StepNotStarted(f"there is no command {name!r}", at=task.key, remedy=remedy)
    raise explained(failed, f"{name!r} cannot be started", task.key) from failed


def open_log(task: Task) -> int:
    """The task's log, open for appending; its folder is made when missing. Raises StepNotStarted, DiskFull."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    try:
        try:
            return os.open(task.log_path, flags, 0o644)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(task.log_path), exist_ok=True)
            return os.open(task.log_path, flags, 0o644)
    except OSError as e:
        raise explained(e, f"the log {task.log_path} cannot be opened", task.key) from e


def explained(error: OSError, what: str, key: str) -> HeadwayError:
    """What the system said about a task, and what to do; worth trying again when others' work caused it."""
    number = error.errno or 0
    said = f"{what}: {os.strerror(number)}"
    if number in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(said, at=key, remedy="free some space (headway gc), then headway resume")
    told = StepNotStarted(said, at=key, remedy=_REMEDIES.get(number, "mend what the system names, then headway resume"))
    if number in _PASSING:
        told.retry_after_s = 1.0
    return told


_REMEDIES = {
    errno.ENOENT: "see that it exists, and so does the interpreter that a script names in its first line",
    errno.ENOTDIR: "a part of the path is a file, not a folder: mind the spelling",
    errno.EACCES: "give the right to it: chmod +x for a command or a folder, chmod +w for a log",
    errno.ENOEXEC: "begin the script with a line #! that names its interpreter",
    errno.E2BIG: "command and environment are longer than the system takes: pass a file instead",
    errno.EAGAIN: "too many processes: run fewer steps at a time (--jobs), or raise ulimit -u",
    errno.ENOMEM: "too little memory: run fewer steps at a time (--jobs)",
    errno.EMFILE: "too many open files: run fewer steps at a time (--jobs), or raise ulimit -n",
    errno.ENFILE: "too many open files on this machine: run fewer steps at a time (--jobs)",
    errno.ETXTBSY: "the command's file is being written: wait for that",
}

_PASSING = frozenset((errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY))


@contextmanager
def _working_in(task: Task) -> Iterator[None]:
    """Be in the task's folder for as long as it takes to start it.

    `os.posix_spawn` cannot change folders, and a shell that does (`cd … && exec …`) costs 0.3 ms a task; these calls
    cost 4 microseconds, and in a process of one thread nobody else sees them.
    """
    here = os.open(".", _HERE)
    try:
        try:
            os.chdir(task.cwd)
        except OSError as e:
            raise explained(e, f"the working directory {task.cwd} cannot be entered", task.key) from e
        yield
    finally:
        os.fchdir(here)
        os.close(here)


def _executable(name: str, search: str) -> str | None:
    """The file that `name` means on this PATH, seen from the working directory; None when none can be executed.

    posix_spawnp would search the driver's own PATH. Nothing is cached: a search costs ten microseconds, and the step
    before may have made `.venv/bin/python`.
    """
    candidates = (name,) if "/" in name else (f"{folder or '.'}/{name}" for folder in search.split(os.pathsep))
    for path in candidates:
        if name and os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return None
