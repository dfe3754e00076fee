"""Begin a run, take one up again, or only say what would happen: the doors to `flows/run`."""

import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

import msgspec

from headway.codec import wire
from headway.codec.lock import Lock
from headway.core import facts as f
from headway.core import run as r
from headway.core.expression import StepScope
from headway.core.ids import Artifact, RunId
from headway.core.lease import of_firing, of_run
from headway.core.pipeline import Pipeline
from headway.errors import AppendConflict, BlobMissing, NameUnknown, UsageMistaken
from headway.flows import at_work, surroundings
from headway.flows.at_work import Workplace, beyond
from headway.flows.collect import scalars
from headway.flows.context import Context, Ports, attempt_key
from headway.flows.firing import run_of, started_by
from headway.flows.pins import Kept, Pins
from headway.flows.prepare import Preparer
from headway.flows.reuse import Reuse, put_in_place
from headway.flows.run import GRACE_S, Acts, Watcher
from headway.flows.selection import select
from headway.flows.settle import settle
from headway.flows.statcache import StatCache
from headway.flows.workspace import Workspace
from headway.ports import Blobs, Leases, Log, Runner

LEASE = at_work.LEASE
"""One run at a time may change a working tree."""

_OVER: tuple[f.RunOutcome, ...] = ("passed", "failed", "refused", "held", "invalid", "rolled-back")
"""How a run ends that its firing does not take up again: all ways but having been interrupted."""


class Parts(Ports, Protocol):
    """What launching needs of the world."""

    @property
    def leases(self) -> Leases:
        """Who may act in this folder."""


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """The coordinates of a project for its runs: absolute folders, the environment steps inherit, processors."""

    folder: str
    home: str
    environ: Mapping[str, str]
    jobs: int
    is_shared: bool = False
    """Whether other folders, on other machines, append to the same log."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended; `results` are the last facts of its steps, in order, `skipped` the others and why."""

    run: RunId
    outcome: f.RunOutcome
    exit_code: int
    why: str
    seconds: float
    results: dict[str, f.StepFinished | f.StepReused]
    skipped: dict[str, str] = {}


def launch(
    pipeline: Pipeline, options: f.RunOptions, *, file: str, where: Where, parts: Parts, watcher: Watcher
) -> Ended:
    """Run `pipeline` (overrides applied) and see it through. Raises LeaseHeld when a run is at work in this folder.

    A firing has one run: where that was begun before it is gone on with, and left alone when it came to an end. Raises
    NameUnknown for a firing that never was.
    """
    seed = seed_of(where.environ)
    firing = options.firing
    trigger = started_by(parts.log, pipeline.name, firing) if firing else "person"
    asked = surroundings.ask(where.folder, where.environ)
    with Workplace(parts.leases), beyond(of_firing(firing) if firing and where.is_shared else "", parts.leases):
        # Asked under the lease, so that of two who were told to start it one begins it and the other finds it.
        begun = run_of(parts.log, firing) if firing else None
        if begun is not None:
            return _gone_on(begun, but=_OVER, where=where, parts=parts, watcher=watcher)
        close_abandoned(where, parts)
        chosen, known = select(pipeline, options, parts.log)
        source = surroundings.answer(asked, parts.blobs)
        started = f.RunStarted(
            run=RunId(0),
            name=pipeline.name,
            file=file,
            pipeline=parts.blobs.put(wire.encode(pipeline)),
            options=options,
            params=scalars(pipeline.params),
            source=source,
            place=surroundings.place(where.environ, parts.blobs),
            seed=seed,
            trigger=trigger,
        )
        started = _number(started, parts.log)
        with beyond(of_run(started.run) if where.is_shared else "", parts.leases):
            return _carry_out(chosen, started, known, where=where, parts=parts, watcher=watcher)


def resume(run: RunId, *, where: Where, parts: Parts, watcher: Watcher) -> Ended:
    """Go on with a run that was interrupted, killed or failed; what passed is not done again."""
    with Workplace(parts.leases):
        return _gone_on(run, but=("passed",), where=where, parts=parts, watcher=watcher)


def _gone_on(run: RunId, *, but: tuple[f.RunOutcome, ...], where: Where, parts: Parts, watcher: Watcher) -> Ended:
    """Take a run up again, `but` one that ended so. Call with the lease of the folder."""
    with beyond(of_run(run) if where.is_shared else "", parts.leases):
        return _taken_up(run, but=but, where=where, parts=parts, watcher=watcher)


def _taken_up(run: RunId, *, but: tuple[f.RunOutcome, ...], where: Where, parts: Parts, watcher: Watcher) -> Ended:
    started, ended, length = find(run, parts.log)
    if ended is not None and ended.outcome in but:
        why = "it had passed already" if ended.outcome == "passed" else f"it had ended already: {ended.outcome}"
        return Ended(run=run, outcome=ended.outcome, exit_code=ended.exit_code, why=why, seconds=0.0, results={})
    close_abandoned(where, parts, but=run)
    pipeline = _recorded(started, parts.blobs)
    chosen, known = select(pipeline, started.options, parts.log)
    _put_back(run, where, parts)
    resumed = f.RunResumed(by=surroundings.user(where.environ))
    parts.log.append(_stream(run), [resumed], expect=length, at=time.time())
    return _carry_out(chosen, started, known, where=where, parts=parts, watcher=watcher)


def find(run: RunId, log: Log) -> tuple[f.RunStarted, f.RunFinished | None, int]:
    """A run's beginning, its end if it has one, and the length of its stream. Raises NameUnknown."""
    entries = log.read(_stream(run))
    if not entries or not isinstance(entries[0].fact, f.RunStarted):
        raise NameUnknown(f"there is no run {run}", at="RUN", remedy="`headway runs` lists them")
    last = entries[-1].fact
    return entries[0].fact, last if isinstance(last, f.RunFinished) else None, len(entries)


def latest(log: Log) -> RunId | None:
    """The number of the newest run, or None when there was none."""
    for entry in log.scan(("RunStarted",), newest_first=True, limit=1):
        if isinstance(entry.fact, f.RunStarted):
            return entry.fact.run
    return None


def close_abandoned(where: Where, parts: Ports, *, but: RunId | None = None) -> None:
    """End what is left of this folder's runs (`but` one) whose process is gone; they can still be resumed.

    Their steps may be alive although it is not, and would write into the files of the next run. Call with the lease.
    """
    for number in _left(where.home):
        if number != but:
            _close(number, parts)


def _left(home: str) -> list[RunId]:
    """The runs that have a folder here: those that have not ended, or whose end was not tidied up after."""
    try:
        names = os.listdir(os.path.join(home, "runs"))
    except FileNotFoundError:
        return []
    return sorted(RunId(int(name)) for name in names if name.isdigit())


def _close(run: RunId, parts: Ports) -> None:
    entries = parts.log.read(_stream(run))
    if not entries or isinstance(entries[-1].fact, f.RunFinished):
        return
    at_work: dict[str, int] = {}
    for entry in entries:
        match entry.fact:
            case f.StepStarted(step=step, attempt=attempt):
                at_work[step] = attempt
            case f.StepFinished(step=step) | f.StepLost(step=step):
                at_work.pop(step, None)
            case _:
                pass
    for step, attempt in at_work.items():
        key = attempt_key(run, step, attempt)
        if parts.runner.ask(key) == "running":
            parts.runner.evict(key, grace_s=GRACE_S)
    end = f.RunFinished(outcome="interrupted", exit_code=130, why="its process was gone when the next run began")
    parts.log.append(_stream(run), [end], expect=len(entries), at=time.time())


def _carry_out(
    pipeline: Pipeline,
    started: f.RunStarted,
    known: dict[str, StepScope],
    *,
    where: Where,
    parts: Parts,
    watcher: Watcher,
) -> Ended:
    jobs = started.options.jobs or where.jobs
    machine = r.Run(pipeline, jobs=jobs, run_id=str(started.run), known=known)
    context = Context(
        run_id=started.run,
        folder=where.folder,
        home=where.home,
        file=started.file,
        environ=where.environ,
        source=started.source,
        force=started.options.force,
        seed=started.seed,
    )
    workspace = _workspace(where)
    whole = not (started.options.only or started.options.start_from)
    pins = Pins(where.folder, os.path.join(where.home, "cache", "lock"), leases=parts.leases)

    def keep(before: Lock, fresh: Lock) -> Kept:
        from headway.flows.inputs import Inputs

        made = [path for spec in pipeline.steps for path in spec.outputs.values()]
        made += [str(path) for scope in known.values() for path in scope.out.values()]
        inputs = Inputs(context, parts, workspace, made=made, now=time.time())
        return inputs.keep(before, fresh, is_broken=pins.is_broken)

    acts = Acts(
        machine,
        context,
        parts,
        preparer=Preparer(
            pipeline,
            workspace=workspace,
            environ=where.environ,
            seed=started.seed,
            scripts=os.path.join(context.workspace, "scripts"),
        ),
        reuse=Reuse(parts.log, parts.blobs, workspace=workspace, before=pins.parts),
        watcher=watcher,
        now=time.time,
        finish=lambda action: pins.write(machine, whole=whole, keep=keep) if action.outcome == "passed" else None,
        pause=time.sleep,
    )
    with _Signals(machine, acts, parts.runner):
        try:
            settle(machine, log=parts.log, stream=_stream(started.run), act=acts.act, now=time.time)
        finally:
            workspace.stats.save()
    _tidy(context.workspace)
    end = machine.finished or f.RunFinished(outcome="interrupted", exit_code=130)
    return Ended(
        run=started.run,
        outcome=end.outcome,
        exit_code=end.exit_code,
        why=end.why,
        seconds=end.seconds,
        results=machine.results(),
        skipped=_skipped(machine, started.run, parts.log),
    )


def _skipped(machine: r.Run, run: RunId, log: Log) -> dict[str, str]:
    """Steps that were skipped, with the reasons, which only the log remembers."""
    steps = {spec.id for spec in machine.pipeline.steps if machine.state_of(spec.id) == "skipped"}
    if not steps:
        return {}
    facts = [entry.fact for entry in log.read(_stream(run))]
    return {fact.step: fact.why for fact in facts if isinstance(fact, f.StepSkipped) and fact.step in steps}


class _Signals:
    """While a run is at work, the first Ctrl-C (or TERM, HUP) ends its steps in order, the second at once."""

    def __init__(self, machine: r.Run, acts: Acts, runner: Runner) -> None:
        self._machine = machine
        self._acts = acts
        self._runner = runner
        self._before: dict[int, object] = {}
        self._asked = False

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._heard)

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type] # what getsignal gave

    def _heard(self, *_: object) -> None:
        if self._asked:
            self._acts.hurry()
        self._asked = True
        self._machine.interrupt()
        self._runner.wake()


def _put_back(run: RunId, where: Where, parts: Ports) -> None:
    """Let the workspace hold what the run's steps made before: other runs may have been at work in it since."""
    made: dict[str, Artifact] = {}
    for entry in parts.log.read(_stream(run)):
        if isinstance(entry.fact, f.StepFinished | f.StepReused):
            made |= {artifact.path: artifact for artifact in entry.fact.outputs.values()}
    workspace = _workspace(where)
    put_in_place(parts.blobs, made.values(), workspace)
    workspace.stats.save()


def _workspace(where: Where) -> Workspace:
    return Workspace(where.folder, StatCache.load(os.path.join(where.home, "cache", "stat")))


def _recorded(started: f.RunStarted, blobs: Blobs) -> Pipeline:
    try:
        data = blobs.get(started.pipeline)
    except BlobMissing as e:
        raise BlobMissing(
            f"the plan of run {started.run} is no longer in the store",
            at=f"run {started.run}",
            remedy="start anew with `headway run`: what passed is reused where its outputs are still known",
        ) from e
    return msgspec.json.decode(data, type=Pipeline)


def seed_of(environ: Mapping[str, str]) -> int:
    """The seed that steps shall find. Raises UsageMistaken when it is no whole number."""
    written = environ.get("HEADWAY_SEED") or "0"
    try:
        return int(written)
    except ValueError:
        raise UsageMistaken(
            f"the seed {written!r} is not a whole number", at="HEADWAY_SEED", remedy="set it to one, or not at all"
        ) from None


def _number(started: f.RunStarted, log: Log) -> f.RunStarted:
    """Claim the next number: the log refuses the second of two that try the same."""
    number = (latest(log) or 0) + 1
    while True:
        claim = msgspec.structs.replace(started, run=RunId(number))
        try:
            log.append(_stream(RunId(number)), [claim], expect=0, at=time.time())
        except AppendConflict:
            number += 1
        else:
            return claim


def _stream(run: RunId) -> str:
    return f"run/{run}"


def _tidy(workspace: str) -> None:
    """Take away the run's folder: what its steps left there is in the store and in the log."""
    with suppress(OSError):
        for entry in os.scandir(workspace):
            if entry.is_dir(follow_symlinks=False):
                from shutil import rmtree

                rmtree(entry.path)
            else:
                os.unlink(entry.path)
        os.rmdir(workspace)
