"""A world for the machine of a run: processes that end when told, a clock that jumps, a crash after any fact.

Drives `core.run.Run` as `flows/settle` does, on memory alone.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from headway.core import facts as f
from headway.core import run as r
from headway.core.ids import Digest, RunId
from headway.core.pipeline import Pipeline


class Killed(Exception):
    """The driver is gone; what was appended is all that is left."""


class World:
    """One run of `pipeline`: `ends` are the outcomes of a step's attempts, `takes` its seconds (1 each by default).

    `known` steps are reused. `interrupt_after` and `kill_after` count appended facts. After `run`: `order` of first
    starts, `states`, `whys` of skips, `started_at`, `ended_at`, `passes` (how often each passed), `most_at_once`.
    """

    def __init__(  # noqa: PLR0913 (a world has many knobs)
        self,
        pipeline: Pipeline,
        *,
        jobs: int = 1,
        ends: Mapping[str, Sequence[str]] | None = None,
        takes: Mapping[str, float] | None = None,
        known: Collection[str] = (),
        interrupt_after: int | None = None,
        kill_after: int | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.facts: list[tuple[f.Fact, float]] = []
        self.now = 0.0
        self.order: list[str] = []
        self.whys: dict[str, str] = {}
        self.started_at: dict[str, list[float]] = {}
        self.ended_at: dict[str, float] = {}
        self.passes: dict[str, int] = {}
        self.most_at_once = 0
        self._spans: list[tuple[str, float, float]] = []
        self._jobs = jobs
        self._ends = {step: list(outcomes) for step, outcomes in (ends or {}).items()}
        self._takes = dict(takes or {})
        self._known = set(known)
        self._interrupt_after = interrupt_after
        self._kill_after = kill_after
        self._running: dict[str, tuple[int, float, str]] = {}
        self._machine = self._new()

    def _new(self) -> r.Run:
        return r.Run(self.pipeline, jobs=self._jobs, run_id="1")

    @property
    def states(self) -> dict[str, str]:
        """How each step that was settled ended."""
        states: dict[str, str] = {}
        for fact, _ in self.facts:
            match fact:
                case f.StepFinished(step=step, outcome=outcome):
                    states[step] = outcome
                case f.StepReused(step=step):
                    states[step] = "reused"
                case f.StepSkipped(step=step):
                    states[step] = "skipped"
                case _:
                    pass
        return states

    def seconds_together(self, a: str, b: str) -> float:
        """How long two steps ran at the same time."""
        return sum(
            max(0.0, min(end_a, end_b) - max(at_a, at_b))
            for step_a, at_a, end_a in self._spans
            for step_b, at_b, end_b in self._spans
            if (step_a, step_b) == (a, b)
        )

    def run(self) -> f.RunFinished:
        """From the start to the end, or until killed (raises Killed)."""
        self._append([f.RunStarted(run=RunId(1), name="p", file="", pipeline=Digest(""), options=f.RunOptions())])
        return self._settle()

    def resume(self) -> f.RunFinished:
        """A new driver takes the facts up."""
        self._machine = self._new()
        for fact, at in self.facts:
            self._machine.after(fact, at)
        self._interrupt_after = None
        self._append([f.RunResumed()])
        return self._settle()

    def run_until_ended(self) -> f.RunFinished:
        """Run; when killed, resume, without being killed again."""
        try:
            return self.run()
        except Killed:
            self._kill_after = None
            return self.resume()

    def _settle(self) -> f.RunFinished:
        while actions := self._machine.next(self.now):
            for action in actions:
                for facts in self._act(action):
                    self._append(facts)
        assert self._machine.finished is not None
        return self._machine.finished

    def _append(self, facts: Sequence[f.Fact]) -> None:
        for fact in facts:
            if isinstance(fact, f.StepFinished) and fact.outcome == "passed":
                self.passes[fact.step] = self.passes.get(fact.step, 0) + 1
            self.facts.append((fact, self.now))
            self._machine.after(fact, self.now)
            if len(self.facts) == self._interrupt_after:
                self._machine.interrupt()
        if self._kill_after is not None and len(self.facts) >= self._kill_after:
            raise Killed

    def _act(self, action: r.Action) -> Iterator[Sequence[f.Fact]]:
        match action:
            case r.Consider(steps=steps):
                known = [s for s in steps if s in self._known]
                yield [f.StepReused(step=s, cache_key="k", of_run=RunId(1)) for s in known]
                self._machine.due([s for s in steps if s not in self._known])
            case r.Start(step=step, attempt=attempt):
                yield [f.StepStarted(step=step, attempt=attempt)]
                self._machine.adopt(step)
                self._begin(step, attempt)
            case r.Skip(steps=skipped):
                self.whys |= dict(skipped)
                yield [f.StepSkipped(step=step, why=why) for step, why in skipped]
            case r.Stop(steps=steps):
                for step in steps:
                    attempt, _, outcome = self._running[step]
                    self._running[step] = (attempt, self.now, outcome)
            case r.Ask(steps=orphans):
                for step, _ in orphans:
                    self._running.pop(step, None)
                yield [f.StepLost(step=step, attempt=attempt) for step, attempt in orphans]
            case r.Wait(until=until):
                yield self._wait(until)
            case r.Finish(outcome=outcome, exit_code=code, why=why):
                yield [f.RunFinished(outcome=outcome, exit_code=code, why=why)]

    def _begin(self, step: str, attempt: int) -> None:
        outcomes = self._ends.get(step) or ["passed"]
        outcome = outcomes[min(len(self.started_at.get(step, ())), len(outcomes) - 1)]
        self._running[step] = (attempt, self.now + self._takes.get(step, 1.0), outcome)
        if step not in self.order:
            self.order.append(step)
        self.started_at.setdefault(step, []).append(self.now)
        self.most_at_once = max(self.most_at_once, len(self._running))

    def _wait(self, until: float | None) -> Sequence[f.Fact]:
        soonest = min((end for _, end, _ in self._running.values()), default=None)
        if soonest is None or (until is not None and until < soonest):
            assert until is not None, "nothing runs and nothing is waited for"
            self.now = max(self.now, until)
            return ()
        self.now = max(self.now, soonest)
        ended = [step for step, (_, end, _) in self._running.items() if end <= self.now]
        return [self._end(step) for step in ended]

    def _end(self, step: str) -> f.StepFinished:
        attempt, _, outcome = self._running.pop(step)
        self._spans.append((step, self.started_at[step][-1], self.now))
        self.ended_at[step] = self.now
        stopped = self._machine.why_stopped(step)
        ended: f.Outcome = stopped or outcome  # type: ignore[assignment] # scripts hold outcomes
        return f.StepFinished(step=step, outcome=ended, exit_code=0 if ended == "passed" else 1, attempt=attempt)
