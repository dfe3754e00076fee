"""The machine of a run: facts in, actions out. Decides order, conditions, retries, time limits and the outcome.

Whether a step's result is known already needs digests and the store: that is asked for by `Consider`, and what comes
back is either the fact `StepReused` or the observation `due`. Knows no process, no file and no shell.
"""

from collections.abc import Iterator, Mapping, Sequence
from heapq import heappop, heappush

from msgspec import Struct

from headway.core import facts as f
from headway.core.declared_env import with_env
from headway.core.expression import Scope, StepScope, is_met
from headway.core.pipeline import Pipeline, StepSpec

GOOD = frozenset({"passed", "reused"})
"""States after which what a step made can be used."""

_EXIT: dict[str, int] = {"passed": 0, "failed": 1, "refused": 3, "invalid": 4, "held": 6, "rolled-back": 7}


class Consider(Struct, frozen=True):
    """See whether these steps, whose turn has come, must run."""

    steps: tuple[str, ...]


class Start(Struct, frozen=True):
    """Claim this attempt, then start it."""

    step: str
    attempt: int


class Skip(Struct, frozen=True):
    """Record that these steps are not run, and why."""

    steps: tuple[tuple[str, str], ...]


class Stop(Struct, frozen=True):
    """Ask running steps to end; `why` is `timeout` or `interrupted`."""

    steps: tuple[str, ...]
    why: str


class Ask(Struct, frozen=True):
    """See what is left of attempts that were started before a crash, and end it."""

    steps: tuple[tuple[str, int], ...]


class Wait(Struct, frozen=True):
    """Wait for a step to end, at most until `until` (UTC seconds; None: as long as it takes)."""

    until: float | None


class Finish(Struct, frozen=True):
    """Record the end of the run."""

    outcome: f.RunOutcome
    exit_code: int
    why: str


Action = Consider | Start | Skip | Stop | Ask | Wait | Finish


class _State:
    """One step's: `state` is waiting, considered, due, running, or how it ended."""

    __slots__ = (
        "attempt",
        "failures",
        "finished",
        "needs",
        "ready_at",
        "settled",
        "spec",
        "started_at",
        "state",
        "stopped",
        "values",
    )

    def __init__(self, spec: StepSpec) -> None:
        self.spec = spec
        self.state = "waiting"
        self.settled = False
        self.needs = 0
        self.attempt = 0
        self.failures = 0
        self.started_at = 0.0
        self.ready_at = 0.0
        self.stopped = ""
        self.values: dict[str, str] = {}
        self.finished: f.StepFinished | f.StepReused | None = None


class Run:
    """One run of a pipeline. Owned by one loop."""

    def __init__(
        self, pipeline: Pipeline, *, jobs: int, run_id: str, known: Mapping[str, StepScope] | None = None
    ) -> None:
        """`jobs` steps at a time (> 0); `known`: steps left out on purpose (`--from`, `--only`) and what they made."""
        self.pipeline = pipeline
        self._jobs = jobs
        self._run_id = run_id
        self._steps = {spec.id: _State(spec) for spec in pipeline.steps}
        self._index = {spec.id: i for i, spec in enumerate(pipeline.steps)}
        self._after: dict[str, list[str]] = {}
        self._ready: list[int] = []
        self._due: list[int] = []
        self._running: set[str] = set()
        self._orphans: dict[str, int] = {}
        self._later: set[str] = set()
        self._worst: tuple[f.RunOutcome, str] | None = None
        self._interrupted = False
        self.started_at: float | None = None
        self._known = dict(known or {})
        self.finished: f.RunFinished | None = None
        self._link()

    def _link(self) -> None:
        for step, state in self._steps.items():
            needs = [n for n in state.spec.needs if n in self._steps]
            state.needs = len(needs)
            for need in needs:
                self._after.setdefault(need, []).append(step)
        self._ready = [self._index[s] for s, state in self._steps.items() if not state.needs]

    # --- facts in -----------------------------------------------------------------------------------------------

    def after(self, fact: f.Fact, at: float) -> None:
        """Take in a fact of this run's stream."""
        match fact:
            case f.StepStarted(step=step, attempt=attempt):
                self._begun(step, attempt, at)
            case f.StepFinished():
                self._ended(fact, at)
            case f.StepReused(step=step):
                self._steps[step].finished = fact
                self._steps[step].values = fact.values
                self._settled(step, "reused")
            case f.StepSkipped(step=step):
                self._settled(step, "skipped")
            case f.StepLost(step=step):
                self._forget(step)
            case f.RunStarted():
                self.started_at = at
            case f.RunResumed():
                self._resumed()
            case f.RunFinished():
                self.finished = fact
            case _:
                pass

    def due(self, steps: Sequence[str]) -> None:
        """An observation, not a fact: these considered steps must run."""
        for step in steps:
            self._steps[step].state = "due"
            heappush(self._due, self._index[step])

    def interrupt(self) -> None:
        """An observation: a person or the system asked this process to stop."""
        self._interrupted = True

    def _begun(self, step: str, attempt: int, at: float) -> None:
        state = self._steps[step]
        state.state, state.attempt, state.started_at, state.stopped = "running", attempt, at, ""
        self._running.add(step)
        self._later.discard(step)
        self._orphans[step] = attempt

    def adopt(self, step: str) -> None:
        """An observation: this process itself started the attempt, so there is nothing to ask about it."""
        self._orphans.pop(step, None)

    def _forget(self, step: str) -> None:
        state = self._steps[step]
        self._running.discard(step)
        self._orphans.pop(step, None)
        state.state = "waiting"
        heappush(self._ready, self._index[step])

    def _ended(self, fact: f.StepFinished, at: float) -> None:
        state = self._steps[fact.step]
        self._running.discard(fact.step)
        self._orphans.pop(fact.step, None)
        state.finished, state.values = fact, fact.values
        # One that never began has no number of its own.
        state.attempt = max(state.attempt, fact.attempt)
        if fact.outcome == "interrupted":
            # Not an end: the step starts anew when the run is resumed.
            state.state = "interrupted"
            self._interrupted = True
            return
        # Without an exit code it could not even be started: trying again would find the same.
        failed = fact.outcome in ("failed", "timeout") and fact.exit_code is not None
        state.failures += failed
        retry = state.spec.retry
        if failed and state.failures <= retry.times:
            state.state = "later"
            state.ready_at = at + retry.wait_s * retry.factor ** (state.failures - 1)
            self._later.add(fact.step)
            return
        if fact.outcome != "passed" and not state.spec.continue_on_error and self._worst is None:
            self._worst = (_run_outcome(fact), f"{state.spec.name}: {fact.why or fact.outcome}")
        self._settled(fact.step, fact.outcome)

    def _settled(self, step: str, how: str) -> None:
        state = self._steps[step]
        state.state, state.settled = how, True
        for name in self._after.get(step, ()):
            later = self._steps[name]
            later.needs -= 1
            if not later.needs:
                heappush(self._ready, self._index[name])

    def _resumed(self) -> None:
        """Go on: after a crash exactly where it stood; after an end, whatever did not end well gets another turn."""
        ended, self.finished, self._interrupted = self.finished is not None, None, False
        for state in self._steps.values():
            tolerated = state.settled and state.spec.continue_on_error
            if state.state == "interrupted" or (ended and state.state not in GOOD and not tolerated):
                state.state, state.settled, state.failures = "waiting", False, 0
        if ended:
            self._worst = None
            self._later.clear()
        for state in self._steps.values():
            state.needs = sum(1 for n in state.spec.needs if n in self._steps and not self._steps[n].settled)
        self._ready = [self._index[s] for s, st in self._steps.items() if st.state == "waiting" and not st.needs]

    # --- actions out --------------------------------------------------------------------------------------------

    def next(self, now: float) -> Sequence[Action]:
        """What to do at `now` (UTC seconds); nothing when the run has ended."""
        if self.finished is not None:
            return ()
        if self._orphans:
            return (Ask(tuple(self._orphans.items())),)
        return self._wind_down() if self._interrupted else self._go_on(now)

    def _go_on(self, now: float) -> Sequence[Action]:
        if late := self._late(now):
            return (Stop(late, "timeout"),)
        if actions := self._turns(now):
            return actions
        if self._running or self._later:
            return (Wait(self._deadline()),)
        outcome, why = self._worst or ("passed", "")
        return (Finish(outcome, _EXIT[outcome], why),)

    def _wind_down(self) -> Sequence[Action]:
        asked = tuple(s for s in sorted(self._running) if not self._steps[s].stopped)
        if asked:
            self._mark(asked, "interrupted")
            return (Stop(asked, "interrupted"),)
        if self._running:
            return (Wait(None),)
        return (Finish("interrupted", 130, "asked to end, by Ctrl-C or a signal"),)

    def _late(self, now: float) -> tuple[str, ...]:
        late = tuple(s for s in sorted(self._running) if not self._steps[s].stopped and now >= self._limit(s))
        self._mark(late, "timeout")
        return late

    def _mark(self, steps: Sequence[str], why: str) -> None:
        for step in steps:
            self._steps[step].stopped = why

    def _limit(self, step: str) -> float:
        state = self._steps[step]
        return state.started_at + state.spec.timeout_s if state.spec.timeout_s else float("inf")

    def _deadline(self) -> float | None:
        times = [self._limit(s) for s in self._running if not self._steps[s].stopped]
        times += [self._steps[s].ready_at for s in self._later]
        soonest = min(times, default=float("inf"))
        return None if soonest == float("inf") else soonest

    def _turns(self, now: float) -> Sequence[Action]:
        for again in [s for s in self._later if self._steps[s].ready_at <= now]:
            self._later.discard(again)
            self._steps[again].state = "waiting"
            heappush(self._ready, self._index[again])
        skipped: list[tuple[str, str]] = []
        considered: list[str] = []
        while self._ready:
            step = self.pipeline.steps[heappop(self._ready)]
            if self._steps[step.id].state != "waiting":
                # Its turn came in an earlier life of this run; the facts say what became of it.
                continue
            met, why = self._met(step)
            if met:
                considered.append(step.id)
                self._steps[step.id].state = "considered"
            else:
                skipped.append((step.id, why))
        actions: list[Action] = []
        if skipped:
            actions.append(Skip(tuple(skipped)))
        if considered:
            actions.append(Consider(tuple(considered)))
        return actions or self._starts()

    def _starts(self) -> Sequence[Action]:
        free = self._jobs - sum(self._steps[s].spec.resources.cpu for s in self._running)
        starts: list[Action] = []
        while self._due and (free > 0 or not (self._running or starts)):
            step = self.pipeline.steps[self._due[0]]
            cpu = step.resources.cpu
            if cpu > free and (self._running or starts):
                break
            heappop(self._due)
            met, why = self._met(step)
            if not met:
                # An earlier step failed while this one waited for its turn.
                return [*starts, Skip(((step.id, why),))]
            free -= cpu
            starts.append(Start(step.id, self._steps[step.id].attempt + 1))
        return starts

    def _met(self, step: StepSpec) -> tuple[bool, str]:
        """Whether the step's condition holds, and if not the sentence why."""
        if step.condition == "success()":
            return self._worst is None, self._blocked()
        if is_met(step.condition, self.scope(step)):
            return True, ""
        if self._worst is not None and "failure()" not in step.condition and "always()" not in step.condition:
            return False, self._blocked()
        return False, f"its condition is not met: {step.condition}"

    def _blocked(self) -> str:
        return f"an earlier step did not pass: {self._worst[1].partition(':')[0]}" if self._worst else ""

    # --- looking in ---------------------------------------------------------------------------------------------

    def scope(self, step: StepSpec) -> Scope:
        """What the expressions of `step` may refer to now."""
        scope = Scope(
            params=self.pipeline.params,
            steps=_Steps(self),
            matrix=step.matrix,
            run_id=self._run_id,
            run_name=self.pipeline.name,
            failed=self._worst is not None,
            interrupted=self._interrupted,
        )
        return with_env(scope, self.pipeline.env, step.env, {})

    def step_scope(self, step: str) -> StepScope:
        """What one step gave: declared outputs by path, then the values it wrote."""
        if step in self._known:
            return self._known[step]
        state = self._steps[step]
        return StepScope(out={**state.spec.outputs, **state.values}, outcome=state.state)

    def state_of(self, step: str) -> str:
        """Waiting, considered, due, running, later, or how the step ended."""
        return self._steps[step].state

    def why_stopped(self, step: str) -> str:
        """Why a running step was asked to end: `timeout`, `interrupted` or nothing."""
        return self._steps[step].stopped

    def results(self) -> dict[str, f.StepFinished | f.StepReused]:
        """The last end of each step that ended, in the order of the pipeline."""
        return {s: st.finished for s, st in self._steps.items() if st.finished is not None and s not in self._running}


class _Steps(Mapping[str, StepScope]):
    """The steps of a run as expressions see them; made when looked at, for there may be ten thousand."""

    __slots__ = ("_run",)

    def __init__(self, run: Run) -> None:
        self._run = run

    def __getitem__(self, step: str) -> StepScope:
        return self._run.step_scope(step)

    def __iter__(self) -> Iterator[str]:
        return iter(self._run._steps)  # noqa: SLF001 (its own view)

    def __len__(self) -> int:
        return len(self._run._steps)  # noqa: SLF001 (its own view)


def _run_outcome(fact: f.StepFinished) -> f.RunOutcome:
    match fact.outcome:
        case "refused" | "held" | "invalid" | "rolled-back":
            return fact.outcome
        case _:
            return "failed"
