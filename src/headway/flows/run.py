"""Carry out a run: what the machine of `core/run` asks for, done through the ports, told back as facts.

Everything here may be killed at any moment: a step is claimed in the log before it starts, its outputs are in the
store before it is said to have finished, and whoever resumes asks the runner what is left.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from headway.codec import wire
from headway.core import facts as f
from headway.core import run as r
from headway.core.pipeline import StepSpec
from headway.errors import HeadwayError
from headway.flows.collect import Collector
from headway.flows.context import PARAMS, Context, Ports
from headway.flows.prepare import Prepared, Preparer
from headway.flows.reuse import Reuse
from headway.ports import Exit, Task

TICK_S = 0.05
"""How long facts may stay unsynced while nothing happens; also how often a terminal is redrawn."""

GRACE_S = 4.0
"""Between asking a step to end and making it; with the kill itself, children are gone within 5 s of Ctrl-C."""


class Watcher(Protocol):
    """Whoever is shown a run as it goes."""

    def started(self, step_id: str, name: str, index: int, total: int, why: str) -> None:
        """A step was started; `index` counts from 1."""

    def output_at(self, step_id: str, log_path: str) -> None:
        """Where what it prints can be read while it runs."""

    def ended(self, step_id: str, outcome: str, seconds: float, note: str) -> None:
        """It ended; `note` says what matters: why it failed, which tests, which metrics."""

    def reused(self, step_id: str, note: str) -> None:
        """It was not run: its result was known."""

    def skipped(self, step_id: str, why: str) -> None:
        """It was not run: its condition was not met."""

    def tick(self, now: float) -> None:
        """Time went by."""


class Acts:
    """Does what the machine asks; `act` is handed to `settle`."""

    def __init__(  # noqa: PLR0913 (the machine, the world, and who watches)
        self,
        machine: r.Run,
        context: Context,
        ports: Ports,
        *,
        preparer: Preparer,
        reuse: Reuse,
        watcher: Watcher,
        now: Callable[[], float],
        finish: Callable[[r.Finish], None],
        pause: Callable[[float], None],
    ) -> None:
        self._machine = machine
        self._context = context
        self._ports = ports
        self._preparer = preparer
        self._reuse = reuse
        self._watcher = watcher
        self._now = now
        self._finish = finish
        self._pause = pause
        self._collector = Collector(context, ports, preparer)
        self._specs = {spec.id: spec for spec in machine.pipeline.steps}
        self._index = {spec.id: i for i, spec in enumerate(machine.pipeline.steps, 1)}
        self._prepared: dict[str, tuple[Prepared, str]] = {}
        self._running: dict[str, tuple[StepSpec, int]] = {}
        self._unsynced = False
        self._environ = {
            # Python buffers what it prints into a file: a long step would look dead.
            "PYTHONUNBUFFERED": "1",
            **context.environ,
            # As bash would set it: the folder of whoever typed `headway run` may be another.
            "PWD": context.folder,
            "HEADWAY_RUN_ID": str(context.run_id),
            "HEADWAY_SEED": str(context.seed),
            **self._params(),
        }

    def _params(self) -> dict[str, str]:
        """A file of the parameters as this run has them, for scripts that would else read them without overrides."""
        params = self._machine.pipeline.params
        if not params:
            return {}
        path = os.path.join(self._context.workspace, PARAMS)
        with open(path, "wb") as file:
            file.write(wire.encode(params))
        return {"HEADWAY_PARAMS": path}

    def act(self, action: r.Action) -> Iterator[Sequence[f.Fact]]:
        """Carry out one action; yields what happened, each batch to be appended before going on."""
        match action:
            case r.Consider(steps=steps):
                yield from self._consider(steps)
            case r.Start(step=step, attempt=attempt):
                yield from self._start(step, attempt)
            case r.Skip(steps=skipped):
                yield [f.StepSkipped(step=step, why=why) for step, why in skipped]
                for step, why in skipped:
                    self._watcher.skipped(step, why)
            case r.Stop(steps=steps, why=why):
                for step in steps:
                    key = self._context.key(step, self._running_attempt(step))
                    self._ports.runner.stop(key, grace_s=GRACE_S)
            case r.Ask(steps=orphans):
                yield [self._lost(step, attempt) for step, attempt in orphans]
            case r.Wait(until=until):
                yield from self._wait(until)
            case r.Finish():
                yield from self._end(action)

    def hurry(self) -> None:
        """End what runs at once: somebody asked for the second time. May be called from a signal handler."""
        for key in list(self._running):
            self._ports.runner.stop(key, grace_s=0.0)

    # --- each action --------------------------------------------------------------------------------------------

    def _consider(self, steps: Sequence[str]) -> Iterator[Sequence[f.Fact]]:
        ready: list[Prepared] = []
        for step in steps:
            spec = self._specs[step]
            try:
                ready.append(self._preparer.prepare(spec, self._machine.scope(spec)))
            except HeadwayError as e:
                yield from self._refused(spec, str(e))
        whys, known = self._reuse.look(ready, force=self._context.force)
        if known:
            yield known
            for fact in known:
                self._watcher.reused(fact.step, _reused_note(fact))
        due = []
        for prepared in ready:
            if (why := whys.get(prepared.spec.id)) is None:
                continue
            if prepared.missing:
                names = ", ".join(prepared.missing[:3])
                yield from self._refused(prepared.spec, f"declared input not there: {names}")
                continue
            self._prepared[prepared.spec.id] = (prepared, why)
            due.append(prepared.spec.id)
        self._machine.due(due)

    def _refused(self, spec: StepSpec, why: str) -> Iterator[Sequence[f.Fact]]:
        """A step that cannot be started: it failed, and the run goes on as after any failure."""
        yield [f.StepFinished(step=spec.id, outcome="failed", why=why)]
        self._watcher.started(spec.id, spec.name, self._index[spec.id], len(self._specs), "")
        self._watcher.ended(spec.id, "failed", 0.0, why)

    def _start(self, step: str, attempt: int) -> Iterator[Sequence[f.Fact]]:
        spec = self._specs[step]
        known = self._prepared.get(step)
        if known is None:
            # A retry, or a step taken up again: its inputs may have changed since.
            prepared = self._preparer.prepare(spec, self._machine.scope(spec))
            known = self._prepared[step] = (prepared, f"attempt {attempt}")
        prepared, why = known
        yield [f.StepStarted(step=step, attempt=attempt, why=why)]
        self._watcher.started(step, spec.name, self._index[step], len(self._specs), why)
        self._preparer.workspace.disturbed(quiet=False)
        try:
            task = self._task(prepared, attempt)
            self._ports.runner.start(task)
        except HeadwayError as e:
            yield [f.StepFinished(step=step, outcome="failed", attempt=attempt, why=str(e))]
            self._watcher.ended(step, "failed", 0.0, str(e))
            return
        self._machine.adopt(step)
        self._running[task.key] = (spec, attempt)
        self._watcher.output_at(step, task.log_path)

    def _task(self, prepared: Prepared, attempt: int) -> Task:
        spec, context = prepared.spec, self._context
        files = self._collector.files(spec.id, attempt)
        env = {**self._environ, **prepared.env, "HEADWAY_STEP": spec.id, **files.env}
        if spec.run is not None:
            command = self._preparer.command(prepared, attempt)
            if "pytest" in prepared.text and not spec.tests:
                env["PYTEST_ADDOPTS"] = f"{env.get('PYTEST_ADDOPTS', '')} --junitxml={_quoted(files.junit)}".strip()
        else:
            # Threads of OpenMP that spin while they wait make predictions several times slower on a busy machine.
            env.setdefault("OMP_WAIT_POLICY", "passive")
            task = self._collector.step_task(prepared, self._machine, files)
            command = self._preparer.builtin(task, files.task)
        return Task(
            key=context.key(spec.id, attempt),
            argv=command.argv,
            fallback=command.fallback,
            cwd=context.folder,
            env=env,
            log_path=files.log,
        )

    def _running_attempt(self, step: str) -> int:
        return next((attempt for spec, attempt in self._running.values() if spec.id == step), 0)

    def _lost(self, step: str, attempt: int) -> f.StepLost:
        key = self._context.key(step, attempt)
        why = "it had ended, unheard"
        if self._ports.runner.ask(key) == "running":
            self._ports.runner.evict(key, grace_s=GRACE_S)
            why = "it was still at work without a run, and was ended"
        return f.StepLost(step=step, attempt=attempt, why=why)

    def _wait(self, until: float | None) -> Iterator[Sequence[f.Fact]]:
        left = TICK_S if until is None else min(TICK_S, max(until - self._now(), 0.0))
        if exits := self._ports.runner.wait(left):
            self._unsynced = True
            ended = [self._ended(one) for one in exits]
            self._preparer.workspace.disturbed(quiet=not self._running)
            yield ended
            for fact in ended:
                self._watcher.ended(fact.step, fact.outcome, fact.seconds, _note(fact))
        elif self._unsynced:
            self._sync()
        elif not self._running and until is not None:
            # Nothing runs; a retry waits for its time.
            self._pause(left)
        self._watcher.tick(self._now())

    def _ended(self, one: Exit) -> f.StepFinished:
        spec, attempt = self._running.pop(one.key)
        prepared, _ = self._prepared.pop(spec.id)
        return self._collector.finished(one, prepared, attempt, self._machine)

    def _end(self, action: r.Finish) -> Iterator[Sequence[f.Fact]]:
        self._finish(action)
        # Content first: no durable fact may name a blob that is not. The facts follow at the end of `settle`.
        self._ports.blobs.sync()
        began = self._machine.started_at or self._now()
        yield [
            f.RunFinished(
                outcome=action.outcome,
                exit_code=action.exit_code,
                seconds=round(self._now() - began, 3),
                why=action.why,
            )
        ]

    def _sync(self) -> None:
        self._ports.blobs.sync()
        self._ports.log.sync()
        self._unsynced = False


def _note(fact: f.StepFinished) -> str:
    if fact.why:
        return fact.why
    parts = []
    if fact.tests:
        passed = sum(t.outcome == "passed" for t in fact.tests)
        parts.append(f"{passed} of {len(fact.tests)} tests passed")
    parts += [f"{m.name} {m.value:.4g}" for m in fact.metrics[:3]]
    return ", ".join(parts)


def _reused_note(fact: f.StepReused) -> str:
    restored = f", {fact.restored} output{'s' * (fact.restored > 1)} restored" if fact.restored else ""
    return f"as in run {fact.of_run}{restored}"


def _quoted(path: str) -> str:
    return "'" + path.replace("'", "'\\''") + "'"
