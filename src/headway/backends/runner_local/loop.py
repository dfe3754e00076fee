"""The loop: waits for the ends of tasks, stops them with grace, and hands each end over once.

No threads, and no output passes through here: a task writes to its log by a descriptor of its own. Ends are seen by
pidfds, or by asking each known pid where there are none; other children of this process are never touched. Does not
know steps, retries or timeouts; `flows/run` calls `stop` when a step's time is over.
"""

import os
import select
import signal
import sys
from contextlib import suppress
from math import inf
from time import monotonic
from typing import Literal

from headway.backends import path_of
from headway.backends.runner_local import alive
from headway.backends.runner_local.spawn import explained, open_log, spawn
from headway.errors import StepHeld, StepNotStarted
from headway.ports import Exit, Runner, Task

LINGER_S = 2.0
"""How long the end of a stopped task waits for its killed group to vanish; a broken mount can hold it longer."""

CODE_LOST = 255
"""The code when the kernel no longer has it, since something else in this process waited for any child."""

_RUNNING = -1
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class _Live:
    """A task at work. `kill_at` is finite once it was asked to stop; `code` is set once its leader has ended."""

    __slots__ = (
        "alive_path",
        "code",
        "cpu_s",
        "key",
        "kill_at",
        "killed",
        "log_path",
        "max_rss",
        "pid",
        "pidfd",
        "seconds",
        "since",
    )

    def __init__(self, task: Task, pid: int, since: float, alive_path: str) -> None:
        self.key = task.key
        self.log_path = task.log_path
        self.pid = pid
        self.pidfd = _pidfd(pid)
        self.since = since
        self.alive_path = alive_path
        self.kill_at = inf
        self.killed = False
        self.code = _RUNNING
        self.seconds = 0.0
        self.cpu_s = 0.0
        self.max_rss = 0


class LocalRunner:
    """Runs tasks here. `root` is a folder of its own, the same for every process that works on one project.

    `Exit.max_rss_bytes` is that of the task's largest process that was waited for; on Linux it is at least the peak of
    this driver, whose memory the child borrows until it has become the command.
    """

    __slots__ = ("_by_fd", "_folder", "_live", "_null", "_poller", "_restless", "_spares", "_wake_r", "_wake_w")

    def __init__(self, root: str) -> None:
        self._folder = os.path.join(os.path.realpath(root), "alive")
        self._spares = alive.Spares(self._folder)
        self._live: dict[str, _Live] = {}
        self._by_fd: dict[int, _Live] = {}
        # Those that need more than a look at their pidfd: they are being stopped, or have none.
        self._restless: dict[str, _Live] = {}
        self._null = _no_input()
        self._wake_r, self._wake_w = os.pipe()
        os.set_blocking(self._wake_r, False)
        os.set_blocking(self._wake_w, False)
        self._poller = select.poll()
        self._poller.register(self._wake_r, select.POLLIN)
        if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
            # Inherited from a parent that never waits: the kernel would throw away our children's codes, too.
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def start(self, task: Task) -> None:
        """Start a task; about 0.1 ms beside what the kernel takes for a process.

        Raises StepNotStarted, and DiskFull when its log cannot be begun; nothing runs then.
        """
        if task.key in self._live:
            raise StepNotStarted(f"{task.key} is running already", at=task.key, remedy="wait for its end, or stop it")
        path = alive.path_of(self._folder, task.key)
        try:
            lock = self._spares.claim(path, task.log_path)
        except BlockingIOError as e:
            raise StepNotStarted(
                f"processes of an earlier {task.key} are alive", at=task.key, remedy="headway resume ends them first"
            ) from e
        except OSError as e:
            raise explained(e, f"the lock file {path} cannot be made", task.key) from e
        log = -1
        try:
            log = open_log(task)
            env = {**task.env, alive.MARK: alive.marked(task.env.get(alive.MARK), path)}
            since = monotonic()
            pid = spawn(task, env, (self._null, log, lock))
            alive.record(lock, pid)
        except BaseException:
            self._spares.give_back(path)
            raise
        finally:
            # Ours are closed, so that the lock is the task's alone.
            os.close(lock)
            if log >= 0:
                os.close(log)
        self._watch(_Live(task, pid, since, path))

    def wait(self, timeout_s: float | None) -> list[Exit]:
        """Wait for ends (see `Runner.wait`). A `wake` from before the call is not lost."""
        deadline = None if timeout_s is None else monotonic() + timeout_s
        ended: list[Exit] = []
        pause_s = 0.001
        while self._live:
            woken = False
            for fd, _ in self._poller.poll(self._patience_ms(deadline, pause_s)):
                if fd == self._wake_r:
                    woken = True
                    os.read(fd, 4096)
                else:
                    self._reap(self._by_fd[fd], ended)
            if self._restless:
                self._tend(ended)
            if ended or woken or (deadline is not None and monotonic() >= deadline):
                break
            pause_s = min(pause_s * 1.5, 0.02)
        return ended

    def stop(self, key: str, *, grace_s: float) -> None:
        """Ask the whole group to end, and after `grace_s` make it; the group is empty when `wait` tells the end.

        `wait` must be called for the second part to happen; `stop` itself may be called from a signal handler.
        """
        live = self._live.get(key)
        if live is None:
            return
        kill_at = monotonic() + grace_s
        asked_before = live.kill_at < inf
        live.kill_at = min(live.kill_at, kill_at)
        if asked_before:
            return
        self._restless[key] = live
        if grace_s > 0:
            _signal_group(live.pid, signal.SIGTERM)
            # One that is suspended could not hear the first signal.
            _signal_group(live.pid, signal.SIGCONT)

    def wake(self) -> None:
        """Make `wait` return: the one under way, or the next. Safe in a signal handler."""
        # BlockingIOError: the pipe is full of calls already. EBADF: closed.
        with suppress(OSError):
            os.write(self._wake_w, b"!")

    def ask(self, key: str) -> Literal["running", "gone"]:
        """What is left of a task, whoever started it. See `alive` for how that is known, and where less is."""
        left = key in self._live or alive.remains(alive.path_of(self._folder, key)) is not None
        return "running" if left else "gone"

    def evict(self, key: str, *, grace_s: float) -> None:
        """End all that is left of such a task.

        Raises StepHeld when something lives `alive.SURVIVAL_S` after SIGKILL, or cannot be found or signalled.
        """
        path = alive.path_of(self._folder, key)
        left = alive.end(path, grace_s=grace_s)
        if left is not None:
            pids = " ".join(map(str, left)) or "unknown"
            raise StepHeld(
                f"processes of {key} are alive and cannot be ended (pids: {pids})",
                at=key,
                remedy=f"end them by hand (fuser -k {path}), then headway resume",
            )

    def close(self) -> None:
        """Kill what still runs and let go of all descriptors; its ends are not told."""
        if self._null < 0:
            return
        for key in self._live:
            self.stop(key, grace_s=0)
        give_up_at = monotonic() + alive.SURVIVAL_S
        while self._live and monotonic() < give_up_at:
            self.wait(0.1)
        for fd in (self._null, self._wake_r, self._wake_w, *self._by_fd):
            os.close(fd)
        for known in (self._live, self._by_fd, self._restless):
            known.clear()
        self._null = self._wake_r = self._wake_w = -1
        self._spares.remove()

    def _watch(self, live: _Live) -> None:
        self._live[live.key] = live
        if live.pidfd >= 0:
            self._by_fd[live.pidfd] = live
            self._poller.register(live.pidfd, select.POLLIN)
        else:
            self._restless[live.key] = live

    def _patience_ms(self, deadline: float | None, pause_s: float) -> int | None:
        """How long to sleep: to the deadline, the next kill, or the next look at what only looking shows."""
        now = monotonic()
        spans = [] if deadline is None else [deadline - now]
        # A copy: `stop` may come in from a signal handler.
        for live in list(self._restless.values()):
            if live.pidfd < 0:
                spans.append(pause_s)
            if live.kill_at < inf and not live.killed:
                spans.append(live.kill_at - now)
        # Rounded up: sleeping a little too short would turn the loop into a busy one.
        return max(0, int(min(spans) * 1000) + 1) if spans else None

    def _reap(self, live: _Live, ended: list[Exit]) -> None:
        """Take the leader's status if it has ended; tell the end, unless its group is being stopped."""
        try:
            pid, status, usage = os.wait4(live.pid, os.WNOHANG)
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            live.code = code if code >= 0 else 128 - code
            live.max_rss = usage.ru_maxrss * _RSS_UNIT
            live.cpu_s = usage.ru_utime + usage.ru_stime
        except ChildProcessError:
            live.code = CODE_LOST
        live.seconds = monotonic() - live.since
        if live.pidfd >= 0:
            self._poller.unregister(live.pidfd)
            del self._by_fd[live.pidfd]
            os.close(live.pidfd)
            live.pidfd = -1
        if live.kill_at == inf:
            self._tell(live, ended)

    def _tend(self, ended: list[Exit]) -> None:
        """Look after tasks without a pidfd and those that are being stopped."""
        leaderless = []
        for live in list(self._restless.values()):
            if live.code == _RUNNING and live.pidfd < 0:
                self._reap(live, ended)
            if live.kill_at == inf:
                continue
            if not live.killed and monotonic() >= live.kill_at:
                live.killed = True
                _signal_group(live.pid, signal.SIGKILL)
            if live.code != _RUNNING:
                leaderless.append(live)
        # The leader may go first (a shell dies of SIGTERM at once) while its child makes use of the grace.
        inhabited = _inhabited([live.pid for live in leaderless])
        for live in leaderless:
            if live.pid not in inhabited or monotonic() >= live.kill_at + LINGER_S:
                self._tell(live, ended)

    def _tell(self, live: _Live, ended: list[Exit]) -> None:
        del self._live[live.key]
        self._restless.pop(live.key, None)
        self._spares.give_back(live.alive_path, live.log_path)
        ended.append(
            Exit(key=live.key, code=live.code, seconds=live.seconds, max_rss_bytes=live.max_rss, cpu_s=live.cpu_s)
        )


_: type[Runner] = LocalRunner


def connect(url: str) -> LocalRunner:
    """The runner for `local:ROOT`."""
    return LocalRunner(path_of(url))


def _no_input() -> int:
    """An end of input for all tasks, above the standard streams.

    A driver started with some of those closed gets their numbers from `open`; they stay taken by /dev/null then, so
    that no log or lock ends up there.
    """
    fd = os.open(os.devnull, os.O_RDWR)
    while fd <= 2:
        fd = os.open(os.devnull, os.O_RDWR)
    return fd


def _pidfd(pid: int) -> int:
    """A descriptor that is readable once `pid` ended; -1 where there is none: macOS, old kernels, too many open."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return -1


def _signal_group(leader: int, number: int) -> None:
    # PermissionError: what macOS says of a group of zombies.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def _inhabited(groups: list[int]) -> set[int]:
    """Those of these process groups that something lives in."""
    # The kernel's quick answer first: nearly always there is nothing at all, not even a zombie.
    there = {group for group in groups if _exists(group)}
    living = alive.groups() if there else None
    return there if living is None else there & living


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        # PermissionError: as above; and others' processes we could not end anyway.
        return False
    return True
