"""A run as people look back at it: a fold of its stream into one value. Decides nothing."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from headway.core import facts as f
from headway.core.ids import Artifact, Digest, RunId


class StepView(Struct, kw_only=True):
    """One step of a run: the state of its last attempt, and everything it reported."""

    step: str
    state: str = "waiting"
    attempt: int = 0
    started_at: float | None = None
    seconds: float = 0.0
    exit_code: int | None = None
    why: str = ""
    of_run: RunId | None = None
    outputs: dict[str, Artifact] = {}
    values: dict[str, str] = {}
    metrics: tuple[f.Metric, ...] = ()
    tests: tuple[f.TestResult, ...] = ()
    parts: tuple[f.KeyPart, ...] = ()
    log: Digest | None = None
    log_bytes: int = 0
    summary: Digest | None = None


class RunView(Struct, kw_only=True):
    """A run; `outcome` is `running` until it ended, times are UTC seconds."""

    run: RunId
    started: f.RunStarted
    at: float
    outcome: str = "running"
    exit_code: int | None = None
    seconds: float = 0.0
    why: str = ""
    n_resumed: int = 0
    steps: dict[str, StepView] = {}

    @property
    def metrics(self) -> dict[str, float]:
        """The last value of each metric of the run; one that two steps report is told apart as `step: name`."""
        found: dict[str, float] = {}
        makers: dict[str, str] = {}
        for step in self.steps.values():
            for metric in step.metrics:
                clash = makers.setdefault(metric.name, step.step) != step.step
                found[f"{step.step}: {metric.name}" if clash else metric.name] = metric.value
        return found


def view(entries: Sequence[f.Entry]) -> RunView | None:
    """Fold a run's stream; None when it is no run's."""
    if not entries or not isinstance(entries[0].fact, f.RunStarted):
        return None
    first = entries[0].fact
    run = RunView(run=first.run, started=first, at=entries[0].at)
    for entry in entries[1:]:
        _take_in(run, entry)
    return run


def _take_in(run: RunView, entry: f.Entry) -> None:
    match entry.fact:
        case f.StepStarted(step=step, attempt=attempt, why=why):
            run.steps[step] = StepView(step=step, state="running", attempt=attempt, started_at=entry.at, why=why)
        case f.StepFinished() as fact:
            run.steps[fact.step] = _finished(fact, run.steps.get(fact.step))
        case f.StepReused() as fact:
            run.steps[fact.step] = StepView(
                step=fact.step,
                state="reused",
                of_run=fact.of_run,
                why=f"as in run {fact.of_run}",
                outputs=fact.outputs,
                values=fact.values,
                metrics=fact.metrics,
                parts=fact.parts,
            )
        case f.StepSkipped(step=step, why=why):
            run.steps[step] = StepView(step=step, state="skipped", why=why)
        case f.StepLost(step=step, attempt=attempt, why=why):
            run.steps[step] = StepView(step=step, state="lost", attempt=attempt, why=why)
        case f.RunResumed():
            run.outcome, run.exit_code, run.seconds, run.why = "running", None, 0.0, ""
            run.n_resumed += 1
        case f.RunFinished(outcome=outcome, exit_code=code, seconds=seconds, why=why):
            run.outcome, run.exit_code, run.seconds, run.why = outcome, code, seconds, why
        case _:
            pass


def _finished(fact: f.StepFinished, before: StepView | None) -> StepView:
    return StepView(
        step=fact.step,
        state=fact.outcome,
        attempt=fact.attempt,
        started_at=before.started_at if before else None,
        seconds=fact.seconds,
        exit_code=fact.exit_code,
        why=fact.why or (before.why if before and fact.outcome == "passed" else ""),
        outputs=fact.outputs,
        values=fact.values,
        metrics=fact.metrics,
        tests=fact.tests,
        parts=fact.parts,
        log=fact.log,
        log_bytes=fact.log_bytes,
        summary=fact.summary,
    )


class Change(Struct, frozen=True, kw_only=True):
    """One difference between two runs: `kind` is params, metrics, inputs, outputs, steps or code."""

    kind: str
    name: str
    before: str
    after: str


def differences(a: RunView, b: RunView) -> tuple[Change, ...]:
    """What differs from run `a` to run `b`, by kind and name."""
    changes: list[Change] = []
    sides = (
        ("code", _code(a), _code(b)),
        ("params", a.started.params, b.started.params),
        ("inputs", _inputs(a.steps.values()), _inputs(b.steps.values())),
        ("outputs", _outputs(a.steps.values()), _outputs(b.steps.values())),
        ("metrics", a.metrics, b.metrics),
        ("steps", _states(a), _states(b)),
    )
    for kind, before, after in sides:
        for name in sorted(before.keys() | after.keys()):
            was, now = before.get(name, _ABSENT), after.get(name, _ABSENT)
            if type(was) is not type(now) or was != now:
                changes.append(Change(kind=kind, name=name, **_shown(was, now)))
    return tuple(changes)


_ABSENT = "-"


def _shown(was: f.Scalar, now: f.Scalar) -> dict[str, str]:
    """Both values as short as tells them apart."""
    short = _text(was), _text(now)
    before, after = short if short[0] != short[1] else (repr(was), repr(now))
    return {"before": before, "after": after}


def _text(value: f.Scalar) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _code(run: RunView) -> dict[str, f.Scalar]:
    source, place = run.started.source, run.started.place
    return {
        "commit": (source.commit or "-")[:12],
        "uncommitted": source.diff[:12] if source.diff else "-",
        "python": place.python,
        "packages": place.packages[:12] if place.packages else "-",
    }


def _inputs(steps: Iterable[StepView]) -> dict[str, f.Scalar]:
    return {part.name: part.value[:12] for step in steps for part in step.parts if part.kind == "in"}


def _outputs(steps: Iterable[StepView]) -> dict[str, f.Scalar]:
    return {a.path: a.digest[:12] for step in steps for a in step.outputs.values()}


def _states(run: RunView) -> dict[str, f.Scalar]:
    return {step.step: "passed" if step.state == "reused" else step.state for step in run.steps.values()}
