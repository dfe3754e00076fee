"""Runs: the list with its filters, one run with its steps, and one step with what it printed."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from headway.codec import lineage_svg
from headway.codec.curve_svg import drawn
from headway.codec.loop_svg import spans
from headway.core import run_graph
from headway.core.history import RunView, StepView
from headway.core.ids import RunId
from headway.core.loop import State, state_of
from headway.core.pipeline import Pipeline
from headway.core.trigger import HAND
from headway.errors import BlobMissing, NameUnknown
from headway.flows.at_work import is_at_work
from headway.flows.event_hand import Asked as ByHand
from headway.flows.event_hand import ask
from headway.flows.events import World
from headway.flows.run_list import MOST, Question, RunLine, metrics_of, runs
from headway.terminal.words import took
from headway.web.acts import Act, Doing, Done
from headway.web.named import number, stands, step_of
from headway.web.page_log import LogPart, end_of
from headway.web.pages import Asked, Page

FEW = 50
"""Runs of a page, unless more are asked for."""

N_METRICS, STEP_METRICS = 3, 6
"""Numbers that are shown of a run of the list, and of a step of a run."""

BOX = 140
"""A step of the graph is so wide at least: its name can be read."""

CURVES = 24
"""Numbers of a run that are drawn as curves."""

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
    """One run; `picture` is an SVG of when each step ran, `graph` of what waits for what, empty where that is unknown.

    `gates` are the steps that kept a verdict.

    `curves` are SVGs, one for each number that was reported at several steps of a training; `numbers` are those that
    each step reported last.
    """

    run: RunView
    outcome: str
    state: State
    states: dict[str, State]
    picture: str = ""
    graph: str = ""
    gates: tuple[str, ...] = ()
    curves: tuple[str, ...] = ()
    numbers: dict[str, dict[str, float]] = {}


class StepPage(Struct, frozen=True, kw_only=True):
    """One step of a run. `log` has the end of what it printed."""

    run: RunId
    name: str
    step: StepView
    state: State
    log: LogPart


def _runs(asked: Asked) -> RunsPage:
    limit = min(max(number(asked, "limit", FEW), 1), MOST)
    wanted = {name: asked.query.get(name, "").strip() for name in ASKED}
    question = Question(before=number(asked, "before"), **wanted)
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


def _run(asked: Asked) -> RunPage:
    run, outcome = stands(asked)
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
        graph=_graph(asked, run),
        gates=gates,
        curves=tuple(_curves(run)),
        numbers={step.step: _numbers(step) for step in run.steps.values()},
    )


def _graph(asked: Asked, run: RunView) -> str:
    """What waits for what, as the pipeline was when the run began."""
    try:
        pipeline = msgspec.json.decode(asked.parts.blobs.get(run.started.pipeline), type=Pipeline)
    except (BlobMissing, msgspec.MsgspecError):
        # The list of steps says how each stands.
        return ""
    words = {step.step: f"{step.state}, {took(step.seconds)}" for step in run.steps.values() if step.seconds}
    found = run_graph.graph(pipeline.steps, run, words)
    return "" if found is None else lineage_svg.drawn(found, "Steps", least=BOX)


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
    run, _ = stands(asked)
    step = step_of(run, asked)
    return StepPage(
        run=run.run, name=run.started.name, step=step, state=state_of(step.state), log=end_of(asked, run, step)
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
