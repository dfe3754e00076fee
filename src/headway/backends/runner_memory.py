"""A runner for tests: tasks are plays that a function writes, and time passes only while somebody waits for it.

Same contract as `runner_local`, without processes: a pipeline of hours is played in microseconds, the same each time.
Writes what a play says to the task's log, as a real step would. Does not look at `cwd`, `env` and `fallback`.
"""

from collections.abc import Callable
from contextlib import suppress
from math import inf
from os import makedirs
from os.path import dirname
from typing import Literal

from msgspec import Struct

from headway.errors import StepHeld, StepNotStarted
from headway.ports import Exit, Runner, Task


class Play(Struct, frozen=True, kw_only=True):
    """What a task does: says something at once, takes its time, acts at its natural end, and ends with a code.

    `seconds` may be `inf`. A `stubborn` one ends when killed only, an `immortal` one never. One that `refuses` cannot
    be started. `act` (writes the outputs, say) is not reached by a task that was stopped.
    """

    code: int = 0
    seconds: float = 0.0
    says: bytes = b""
    act: Callable[[Task], None] | None = None
    stubborn: bool = False
    immortal: bool = False
    refuses: str = ""


class World:
    """What outlives a driver: the clock, in seconds, and the tasks at work. Give it to the next runner."""

    __slots__ = ("at_work", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self.at_work: dict[str, _Actor] = {}


class MemoryRunner:
    """Plays what `script` says for each task (default: every task ends well, at once) in a `world` (default: its own).

    `started` holds all tasks that were started through this object, in order.
    """

    __slots__ = ("_mine", "_script", "_woken", "started", "world")

    def __init__(self, script: Callable[[Task], Play] | None = None, *, world: World | None = None) -> None:
        self._script = script or _succeed
        self._mine: set[str] = set()
        self._woken = False
        self.started: list[Task] = []
        self.world = world or World()

    def start(self, task: Task) -> None:
        """Begin the play. Raises StepNotStarted when it refuses, or when the key is at work."""
        if task.key in self.world.at_work:
            raise StepNotStarted(f"{task.key} is running already", at=task.key, remedy="wait for its end, or stop it")
        play = self._script(task)
        if play.refuses:
            raise StepNotStarted(play.refuses, at=task.key, remedy="let the play not refuse")
        makedirs(dirname(task.log_path), exist_ok=True)
        with open(task.log_path, "ab") as log:
            log.write(play.says)
        self.started.append(task)
        self._mine.add(task.key)
        self.world.at_work[task.key] = _Actor(task, play, self.world.now)

    def wait(self, timeout_s: float | None) -> list[Exit]:
        """Let time pass until the next end, or the timeout.

        Raises AssertionError where a real runner would wait for ever.
        """
        if not self._mine:
            return []
        if self._woken:
            self._woken = False
            return []
        world = self.world
        until = min(world.at_work[key].ends_at for key in self._mine)
        if timeout_s is not None:
            until = min(until, world.now + timeout_s)
        assert until < inf, f"{sorted(self._mine)} never end, and nobody would stop them"
        world.now = max(world.now, until)
        ended = sorted((a for a in map(world.at_work.__getitem__, self._mine) if a.ends_at <= world.now), key=_ends_at)
        for actor in ended:
            del world.at_work[actor.task.key]
            self._mine.remove(actor.task.key)
            if actor.play.act and not actor.stopped:
                actor.play.act(actor.task)
        return [Exit(key=a.task.key, code=a.code, seconds=a.ends_at - a.since) for a in ended]

    def stop(self, key: str, *, grace_s: float) -> None:
        """Ask a play to end, which it does at once unless it is stubborn."""
        if key in self._mine:
            self.world.at_work[key].stop(self.world.now, grace_s)

    def wake(self) -> None:
        """Make the next `wait` return at once."""
        self._woken = True

    def ask(self, key: str) -> Literal["running", "gone"]:
        """Whether the play is still at work in this world, whoever started it."""
        actor = self.world.at_work.get(key)
        if actor and key not in self._mine and actor.ends_at <= self.world.now:
            del self.world.at_work[key]
        return "running" if key in self.world.at_work else "gone"

    def evict(self, key: str, *, grace_s: float) -> None:
        """End a play that an earlier runner of this world began. Raises StepHeld when it is immortal."""
        actor = self.world.at_work.get(key)
        if actor is None:
            return
        actor.stop(self.world.now, grace_s)
        if actor.ends_at == inf:
            raise StepHeld(f"{key} is alive and cannot be ended", at=key, remedy="let the play be mortal")
        self.world.now = max(self.world.now, actor.ends_at)
        del self.world.at_work[key]
        self._mine.discard(key)

    def close(self) -> None:
        """End all plays of this object."""
        for key in self._mine:
            with suppress(KeyError):
                del self.world.at_work[key]
        self._mine.clear()


_: type[Runner] = MemoryRunner


def connect(url: str) -> MemoryRunner:  # noqa: ARG001 (every `memory:` is a world of its own)
    """A runner for `memory:` whose tasks all end well."""
    return MemoryRunner()


class _Actor:
    """A play under way."""

    __slots__ = ("code", "ends_at", "play", "since", "stopped", "task")

    def __init__(self, task: Task, play: Play, now: float) -> None:
        self.task = task
        self.play = play
        self.since = now
        self.ends_at = inf if play.immortal else now + play.seconds
        self.code = play.code
        self.stopped = False

    def stop(self, now: float, grace_s: float) -> None:
        ends_at = now + grace_s if self.play.stubborn else now
        if self.play.immortal or ends_at >= self.ends_at:
            return
        self.stopped = True
        self.ends_at = ends_at
        # As a shell shows them: 128 + SIGKILL, 128 + SIGTERM.
        self.code = 137 if self.play.stubborn or grace_s <= 0 else 143


def _ends_at(actor: _Actor) -> float:
    return actor.ends_at


def _succeed(_: Task) -> Play:
    return Play()
