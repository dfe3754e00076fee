"""Runs: the list with its filters, one run with its steps, and one step with what it printed."""

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from headway.codec.curve_svg import drawn
from headway.codec.loop_svg import spans
from headway.core.history import RunView, StepView
from headway.core.ids import RunId
from headway.core.loop import State, state_of
from headway.core.trigger import HAND
from headway.errors import BlobMissing, NameUnknown, UsageMistaken
from headway.flows import history
from headway.flows.at_work import is_at_work
from headway.flows.event_hand import Asked as ByHand
from headway.flows.event_hand import ask
from headway.flows.events import World
from headway.flows.run_list import MOST, Question, RunLine, metrics_of, runs
from headway.terminal.words import took
from headway.web.acts import Act, Doing, Done
from headway.web.pages import Asked, Page

FEW = 50
"""Runs of a page, unless more are asked for."""

N_METRICS, STEP_METRICS = 3, 6
"""Numbers that are shown of a run of the list, and of a step of a run."""

CURVES = 24
"""Numbers of a run that are drawn as curves."""

TAIL_BYTES = 256 * 1024
"""Of what a step printed, the end is shown."""

_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_])")

OUTCOMES = ("running", "passed", "failed", "refused", "held", "invalid", "rolled-back", "interrupted")

ASKED = ("outcome", "name", "commit", "trigger", "param", "metric")
"""What runs are asked for by."""


class RunRow(Struct, frozen=True, kw_only=True):
    """One run of the list."""

    line: RunLine
    state: State
    metrics: dict[str, float] = {}


class RunsPage(Struct, frozen=True, kw_only=True):
    """The list: `older` is what to ask for to see the next page, 0 at the end. `question` is what was asked."""

    runs: tuple[RunRow, ...]
    question: Question
    older: int
    pipelines: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = OUTCOMES


class RunPage(Struct, frozen=True, kw_only=True):
    """One run; `picture` is an SVG of when each step ran, `gates` are the steps that kept a verdict.

    `curves` are SVGs, one for each number that was reported at several steps of a training; `numbers` are those that
    each step reported last.
    """

    run: RunView
    outcome: str
    state: State
    states: dict[str, State]
    picture: str = ""
    gates: tuple[str, ...] = ()
    curves: tuple[str, ...] = ()
    numbers: dict[str, dict[str, float]] = {}


class StepPage(Struct, frozen=True, kw_only=True):
    """One step of a run. `printed` is the end of what it printed, of which `skipped_bytes` came before."""

    run: RunId
    name: str
    step: StepView
    state: State
    printed: str
    skipped_bytes: int = 0


def _number(asked: Asked, name: str, default: int) -> int:
    text = asked.query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 12):
        raise UsageMistaken(f"{text!r} is no number", at=name, remedy="give a whole number")
    return int(text)


def _runs(asked: Asked) -> RunsPage:
    limit = min(max(_number(asked, "limit", FEW), 1), MOST)
    wanted = {name: asked.query.get(name, "").strip() for name in ASKED}
    question = Question(before=_number(asked, "before", 0), **wanted)
    found = runs(asked.parts.log, question, limit=limit)
    numbers = metrics_of(asked.parts.log, [line.run for line in found.lines], N_METRICS)
    rows = [_row(line, numbers[line.run], asked) for line in found.lines]
    return RunsPage(
        runs=tuple(rows),
        question=question,
        older=found.before,
        pipelines=tuple(pipeline.name for pipeline in asked.site.pipelines()),
    )


def _row(line: RunLine, metrics: dict[str, float], asked: Asked) -> RunRow:
    if line.outcome == "running" and not is_at_work(asked.parts.leases, line.run, now=asked.now):
        line = replace(line, outcome="unfinished")
    return RunRow(line=line, state=state_of(line.outcome), metrics=metrics)


def _found(asked: Asked) -> RunView:
    text = asked.path["run"]
    if not (text.isascii() and text.isdecimal() and len(text) < 12):
        raise NameUnknown(f"{text!r} is no run", at="run", remedy="`headway runs` lists them")
    return history.run_view(RunId(int(text)), asked.parts.log)


def _stands(asked: Asked) -> tuple[RunView, str]:
    """The run, and how it stands; of one that was left nobody is at work on any step."""
    run = _found(asked)
    if run.outcome != "running" or is_at_work(asked.parts.leases, run.run, now=asked.now):
        return run, run.outcome
    steps = {name: replace(step, state="left") if step.state == "running" else step for name, step in run.steps.items()}
    return replace(run, steps=steps), "unfinished"


def _run(asked: Asked) -> RunPage:
    run, outcome = _stands(asked)
    states = {step.step: state_of(step.state) for step in run.steps.values()}
    timed = [step for step in run.steps.values() if step.started_at is not None]
    bars = [(step.step, states[step.step], *_when(step, run, asked.now)) for step in timed]
    total = max((began + length for _, _, began, length in bars), default=0.0)
    said = [f"{step.state}, {took(bar[3])}" for step, bar in zip(timed, bars, strict=True)]
    gates = tuple(step.step for step in run.steps.values() if step.values.get("verdict"))
    picture = spans(bars, total_s=total, said=said) if bars else ""
    return RunPage(
        run=run,
        outcome=outcome,
        state=state_of(outcome),
        states=states,
        picture=picture,
        gates=gates,
        curves=tuple(_curves(run)),
        numbers={step.step: _numbers(step) for step in run.steps.values()},
    )


def _numbers(step: StepView) -> dict[str, float]:
    return dict(list({metric.name: metric.value for metric in step.metrics}.items())[-STEP_METRICS:])


def _curves(run: RunView) -> Iterator[str]:
    found: dict[str, dict[int, float]] = {}
    for step in run.steps.values():
        for metric in step.metrics:
            if metric.at_step is not None:
                found.setdefault(metric.name, {})[metric.at_step] = metric.value
    for name, points in list(found.items())[:CURVES]:
        if len(points) > 1:
            yield drawn(name, sorted(points.items()))


def _when(step: StepView, run: RunView, now: float) -> tuple[float, float]:
    began = 0.0 if step.started_at is None else max(step.started_at - run.at, 0.0)
    running = max(now - run.at - began, 0.0) if step.state == "running" else 0.0
    return began, step.seconds or running


def _step(asked: Asked) -> StepPage:
    run, _ = _stands(asked)
    step = run.steps.get(asked.path["step"])
    if step is None:
        raise NameUnknown(
            f"run {run.run} has no step {asked.path['step']!r}", at="step", remedy=f"see the page of run {run.run}"
        )
    tail = bytearray()
    n_bytes = 0
    try:
        for block in history.printed(asked.parts.blobs, asked.site.settings.home, run, step.step):
            n_bytes += len(block)
            tail += block
            del tail[:-TAIL_BYTES]
    except BlobMissing:
        tail += b"what it printed is not in the store any more"
    return StepPage(
        run=run.run,
        name=run.started.name,
        step=step,
        state=state_of(step.state),
        printed=_ESCAPES.sub("", tail.decode("utf-8", "replace")),
        skipped_bytes=max(n_bytes - TAIL_BYTES, 0),
    )


def _start(doing: Doing) -> Done:
    """Ask for a run, which `headway up` starts: no limit holds it back."""
    site, parts = doing.site, doing.parts
    name = doing.fields["pipeline"]
    pipeline = next((one for one in site.pipelines() if one.name == name), None)
    if pipeline is None:
        known = ", ".join(one.name for one in site.pipelines())
        raise NameUnknown(f"there is no pipeline {name!r} here", at="pipeline", remedy=f"use one of: {known}")
    settings = site.settings
    world = World(
        log=parts.log,
        leases=parts.leases,
        folder=settings.folder,
        home=settings.home,
        environ=settings.environ,
        source=parts.source,
        looking=True,
    )
    ask(pipeline, world, ByHand(name=HAND, why=doing.why, by=doing.by), now=doing.now)
    site.heard(name)
    return Done(done=f"a run of {name} is asked for", page="/")


ACTS = (Act(path="/runs", role="operator", does=_start, takes=("pipeline",)),)


# Any: the views' own values.
def _asked_again(view: Any) -> str:  # noqa: ANN401 (as above)
    return f"headway runs -n {len(view.runs) or FEW}"


PAGES = (
    Page(
        path="/runs",
        asks={
            "outcome": "how it ended",
            "name": "the pipeline",
            "commit": "its first digits",
            "trigger": "what started it",
            "param": "a parameter and its value: train.lr=0.1",
            "metric": "a metric and a bound: auc>=0.7",
            "before": "older than the run of this number",
            "limit": "so many at most",
        },
        template="runs.html",
        section="/runs",
        gives=RunsPage,
        view=_runs,
        title=lambda _: "Runs",
        command=_asked_again,
        way="Runs",
    ),
    Page(
        path="/runs/{run}",
        template="run.html",
        section="/runs",
        gives=RunPage,
        view=_run,
        title=lambda view: f"Run {view.run.run}",
        command=lambda view: f"headway show {view.run.run}",
        refresh_s=2,
    ),
    Page(
        path="/runs/{run}/steps/{step}",
        template="step.html",
        section="/runs",
        gives=StepPage,
        view=_step,
        title=lambda view: f"{view.step.step} of run {view.run}",
        command=lambda view: f"headway logs {view.run} {view.step.step}",
        refresh_s=2,
    ),
)
