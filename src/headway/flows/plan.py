"""What a run would do, and why; nothing is written, nothing started, nothing restored."""

import os
from collections.abc import Iterator
from typing import Literal

import msgspec

from headway.codec import wire
from headway.core import facts as f
from headway.core import run as r
from headway.core.expression_names import step_ids
from headway.core.ids import RunId
from headway.core.pipeline import Pipeline, StepSpec
from headway.core.plan import always_runs
from headway.errors import HeadwayError
from headway.flows.context import Ports
from headway.flows.launch import Where, seed_of
from headway.flows.pins import Pins
from headway.flows.prepare import Prepared, Preparer
from headway.flows.reuse import Reuse
from headway.flows.selection import select
from headway.flows.statcache import StatCache
from headway.flows.workspace import Workspace


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a plan.

    `depends`: it reads what an earlier step of the plan will make anew; if that comes out the same, it is reused.
    """

    step: str
    name: str
    action: Literal["run", "reuse", "depends", "skip"]
    why: str


def plan(pipeline: Pipeline, options: f.RunOptions, *, where: Where, ports: Ports) -> tuple[Planned, ...]:
    """Each step in order, supposing that all that runs passes. Raises as reading the pipeline does."""
    chosen, known = select(pipeline, options, ports.log)
    cache = os.path.join(where.home, "cache")
    workspace = Workspace(where.folder, StatCache.load(os.path.join(cache, "stat")))
    preparer = Preparer(
        chosen, workspace=workspace, environ=where.environ, scripts=where.home, seed=seed_of(where.environ)
    )
    pins = Pins(where.folder, os.path.join(cache, "lock"))
    reuse = Reuse(ports.log, ports.blobs, workspace=workspace, before=pins.parts)
    machine = r.Run(chosen, jobs=max(len(chosen.steps), 1), run_id="?", known=known)
    return _Planning(machine, preparer, reuse, force=options.force).all()


class _Planning:
    """Walks the machine through a run in which every step that would run passes."""

    def __init__(self, machine: r.Run, preparer: Preparer, reuse: Reuse, *, force: bool) -> None:
        self._machine = machine
        self._preparer = preparer
        self._reuse = reuse
        self._force = force
        self._specs = {spec.id: spec for spec in machine.pipeline.steps}
        self._planned: dict[str, Planned] = {}
        self._fresh_paths: dict[str, str] = {}
        self._fresh_inside: dict[str, str] = {}

    def all(self) -> tuple[Planned, ...]:
        while actions := self._machine.next(0.0):
            for action in actions:
                match action:
                    case r.Consider(steps=steps):
                        self._consider(steps)
                    case r.Skip(steps=skipped):
                        for step, why in skipped:
                            self._note(step, "skip", why)
                            self._machine.after(f.StepSkipped(step=step, why=why), 0.0)
                    case r.Start(step=step, attempt=attempt):
                        self._machine.after(f.StepFinished(step=step, outcome="passed", attempt=attempt), 0.0)
                    case _:
                        return tuple(self._planned[step] for step in self._specs if step in self._planned)
        return ()

    def _consider(self, steps: tuple[str, ...]) -> None:
        ready: list[Prepared] = []
        for step in steps:
            spec = self._specs[step]
            if cause := self._depends(spec):
                self._note(step, "depends" if spec.cacheable else "run", cause)
                self._fresh(spec)
                continue
            try:
                ready.append(self._preparer.prepare(spec, self._machine.scope(spec)))
            except HeadwayError as e:
                self._note(step, "run", f"it would fail: {e.problem}")
                self._fresh(spec)
        known = {} if self._force else self._reuse.known(ready)
        for prepared in ready:
            self._judge(prepared, known)
        self._machine.due([step for step in steps if self._planned[step].action != "reuse"])

    def _judge(self, prepared: Prepared, known: dict[str, tuple[RunId, f.StepFinished]]) -> None:
        spec = prepared.spec
        if prepared.key is not None and prepared.key in known:
            run, fact = known[prepared.key]
            self._note(spec.id, "reuse", f"as in run {run}")
            self._machine.after(f.StepReused(step=spec.id, cache_key=prepared.key, of_run=run, values=fact.values), 0.0)
            return
        if prepared.missing:
            why = f"it would fail: declared input not there: {', '.join(prepared.missing[:3])}"
        elif prepared.key is None:
            why = always_runs(spec)
        else:
            why = "--force" if self._force else self._reuse.explain(prepared)
        self._note(spec.id, "run", why)
        self._fresh(spec)

    def _depends(self, spec: StepSpec) -> str:
        """Why nothing can be said of this step yet: it reads what another will make."""
        for path in spec.inputs:
            fresh = next((p for p in _upwards(path.rstrip("/")) if p in self._fresh_paths), None)
            fresh = fresh or self._fresh_inside.get(path.rstrip("/"))
            if fresh is not None:
                return f"it reads {fresh}, which {self._fresh_paths[fresh]} makes"
        for name in _steps_in(spec):
            if name in self._planned and self._planned[name].action in ("run", "depends"):
                return f"it reads what {name} reports"
        return ""

    def _fresh(self, spec: StepSpec) -> None:
        for path in spec.outputs.values():
            self._fresh_paths[path] = spec.id
            for folder in _upwards(path):
                self._fresh_inside.setdefault(folder, path)

    def _note(self, step: str, action: Literal["run", "reuse", "depends", "skip"], why: str) -> None:
        self._planned[step] = Planned(step=step, name=self._specs[step].name, action=action, why=why)


def _steps_in(spec: StepSpec) -> set[str]:
    """Ids of the steps that the texts of a step refer to."""
    if spec.run is not None and "${{" not in spec.run and not spec.env:
        return set()
    texts = [spec.run or "", *spec.env.values(), wire.encode(spec.with_values).decode()]
    return {step for text in texts for step in step_ids(text)}


def _upwards(path: str) -> Iterator[str]:
    """A path and the folders it lies in.

    >>> list(_upwards("a/b/c"))
    ['a/b/c', 'a/b', 'a']
    """
    while path:
        yield path
        path = path.rpartition("/")[0]
