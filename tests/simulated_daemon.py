"""A project with a daemon on memory: its clock jumps, its runs are plays, and it can be killed at any act."""

from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path
from typing import Any

from headway.backends.leases_memory import MemoryLeases
from headway.backends.log_memory import MemoryLog
from headway.backends.runner_memory import MemoryRunner, Play
from headway.backends.runner_memory import World as Machine
from headway.core import facts as f
from headway.core.daemon import Told
from headway.core.ids import Digest, RunId
from headway.core.pipeline import Pipeline, StepSpec
from headway.errors import LeaseHeld
from headway.flows import firing
from headway.flows.daemon import Daemon, Duty, World
from headway.flows.daemon_children import Children
from headway.flows.daemon_files import Watched
from headway.flows.daemon_firings import Starter
from headway.flows.daemon_log import QuietLog
from headway.flows.launch import LEASE, find
from headway.ports import Task

BEGAN = 1_700_000_000.0


class Killed(BaseException):
    """Stands for SIGKILL of the daemon."""


class Fatal:
    """Acts of which the n-th kills the daemon: before it is done, or just after. 0: none does."""

    def __init__(self, kill_at: int = 0, *, after: bool = False) -> None:
        self.n_acts = 0
        self.kill_at = kill_at
        self._after = after

    def of(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def done(*args: Any, **kwargs: Any) -> Any:
            self.n_acts += 1
            is_last = self.n_acts == self.kill_at
            if is_last and not self._after:
                raise Killed
            result = act(*args, **kwargs)
            if is_last:
                raise Killed
            return result

        return done


class Deadly:
    """A port some of whose methods may kill."""

    def __init__(self, inner: Any, fatal: Fatal, names: tuple[str, ...]) -> None:
        self._inner = inner
        for name in names:
            setattr(self, name, fatal.of(getattr(inner, name)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def pipeline(name: str = "churn", **triggers: object) -> Pipeline:
    return Pipeline(name=name, steps=(StepSpec(id="train", name="Train", run="true"),), triggers=dict(triggers))


class Project:
    """What outlives a daemon: log, leases, the processes at work, the time.

    `ends` are how the processes of runs end, in order, the last one for ever after: an outcome, or an exit code of a
    process that ended before its run did, or what it complained of. A run begins `before_s` after its process.
    """

    def __init__(
        self, folder: Path, *, ends: Sequence[str | int] = ("passed",), takes_s: float = 60.0, before_s: float = 0.0
    ) -> None:
        self.folder = folder
        self.log = MemoryLog()
        self.leases = MemoryLeases()
        self.machine = Machine()
        self.machine.now = BEGAN
        self.told: list[Told] = []
        self._ends = list(ends)
        self._takes_s = takes_s
        self._before_s = before_s
        self._left: list[MemoryRunner] = []
        self._newest: MemoryRunner | None = None
        self.n_processes = 0
        self.commands: list[tuple[float, str]] = []
        """The other commands that were started, and when."""
        self.plays: Callable[[Task], Play] = lambda _: Play(seconds=inf)
        self.tick_s = 0.001
        """The least time that goes by at once: a coarse one makes long stories short."""

    def now(self) -> float:
        return self.machine.now

    def pause(self, seconds: float) -> bool:
        """Time goes by, also for the processes that daemons before the newest one left."""
        self.machine.now += max(seconds, self.tick_s)
        for runner in self._left:
            runner.wait(0.0)
        return False

    def see(self, key: str, pipeline: str = "churn", source: str = "data: day.csv") -> None:
        stream = firing.stream(pipeline)
        event = f.EventSeen(source=source, key=key, why=f"{source} has {key}")
        self.log.append(stream, [event], expect=len(self.log.read(stream)), at=self.now())

    # --- daemons ------------------------------------------------------------------------------------------------

    def daemon(
        self, *pipelines: Pipeline, fatal: Fatal | None = None, holder: str = "one",
        duties: Callable[[World], Sequence[Duty]] = lambda _: (),
    ) -> Daemon:  # fmt: skip
        """A daemon for these pipelines, with further duties; it may be killed by its acts."""
        fatal = fatal or Fatal()
        runner = MemoryRunner(self._play, world=self.machine)
        if self._newest is not None:
            self._left.append(self._newest)
        self._newest = runner
        deadly_log: Any = Deadly(self.log, fatal, ("append",))
        log = QuietLog(deadly_log)
        deadly: Any = Deadly(runner, fatal, ("start",))
        children = Children(deadly, folder=str(self.folder), home=str(self.folder), environ={})
        world = World(
            log=log, leases=self.leases, children=children, now=self.now, pause=self.pause, tell=self.told.append,
            holder=holder,
        )  # fmt: skip
        starters = [
            Starter(
                Watched(file=f"{one.name}.yaml", pipeline=one), log=log, leases=self.leases, children=children,
                tell=self.told.append,
            )
            for one in pipelines or (pipeline(),)
        ]  # fmt: skip
        return Daemon(world, [*starters, *duties(world)])

    def live(self, daemon: Daemon, seconds: float) -> None:
        """Let a daemon do its work for so long."""
        until = self.now() + seconds
        while self.now() < until:
            daemon.wait(min(daemon.round(), until))

    # --- runs ---------------------------------------------------------------------------------------------------

    def _play(self, task: Task) -> Play:
        """What `headway run --firing NAME` does, as a play; for other commands there is `plays`."""
        self.n_processes += 1
        if "--firing" not in task.argv:
            self.commands.append((self.now(), " ".join(task.argv[4:])))
            return self.plays(task)
        name = task.argv[task.argv.index("--firing") + 1]
        if self._before_s:
            return Play(seconds=self._before_s, act=lambda _: self._at_once(name))
        try:
            self.leases.acquire(LEASE, holder=task.key, ttl_s=1e9, now=self.now())
        except LeaseHeld as e:
            said = f'{{"error":"lease-held","problem":"{e.problem}","at":"workspace","remedy":"wait","faults":[]}}\n'
            return Play(code=5, says=said.encode())
        end = self._ends.pop(0) if len(self._ends) > 1 else self._ends[0]
        if isinstance(end, str) and end.startswith("{"):
            self.leases.release(LEASE, holder=task.key)
            return Play(code=2, says=end.encode() + b"\n")
        run = firing.run_of(self.log, name)
        if run is not None and (ended := find(run, self.log)[1]) is not None and ended.outcome != "interrupted":
            self.leases.release(LEASE, holder=task.key)
            return Play(code=ended.exit_code)
        return self._finishing(run or self._begun(name), end, task.key)

    def _begun(self, name: str) -> RunId:
        run = RunId(1 + sum(1 for _ in self.log.scan(("RunStarted",))))
        options = f.RunOptions(firing=name)
        began = f.RunStarted(run=run, name="churn", file="f", pipeline=Digest(""), options=options)
        self.log.append(f"run/{run}", [began], expect=0, at=self.now())
        return run

    def _at_once(self, name: str) -> None:
        """A run that begins late and takes no time."""
        if firing.run_of(self.log, name) is None:
            run = self._begun(name)
            self.log.append(f"run/{run}", [f.RunFinished(outcome="passed", exit_code=0)], expect=1, at=self.now())

    def _finishing(self, run: RunId, end: str | int, holder: str) -> Play:
        code = end if isinstance(end, int) else {"passed": 0, "interrupted": 130}.get(end, 1)

        def finish(_: Task) -> None:
            self.leases.release(LEASE, holder=holder)
            if isinstance(end, str):
                done = f.RunFinished(outcome=end, exit_code=code)  # type: ignore[arg-type] # tests write outcomes
                stream = f"run/{run}"
                self.log.append(stream, [done], expect=len(self.log.read(stream)), at=self.now())

        return Play(code=code, seconds=self._takes_s, act=finish)

    # --- looking in ---------------------------------------------------------------------------------------------

    def facts(self, *kinds: str) -> list[Any]:
        return [entry.fact for entry in self.log.scan(kinds)]

    def lines(self, kind: str) -> list[str]:
        return [told.says for told in self.told if told.kind == kind]
