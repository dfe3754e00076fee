"""Several runs side by side: what differs in code, parameters, inputs, metrics and steps, in a table and pictures."""

from collections.abc import Iterator

from msgspec import Struct

from headway.codec import parallel_svg
from headway.codec.curve_svg import overlaid
from headway.core.history import RunView, differences
from headway.core.ids import RunId
from headway.core.loop import State, state_of
from headway.core.run_picture import Values, picture
from headway.core.telling import number
from headway.errors import UsageMistaken
from headway.flows import history
from headway.web.pages import Asked, Page

MOST = 8
"""Runs that fit beside each other."""

CURVES = 12
"""Metrics whose way from step to step is drawn."""

FEW = 6
"""Steps at which values are told in words."""


class Compared(Struct, frozen=True, kw_only=True):
    """One run at the head of a column."""

    run: RunId
    name: str
    outcome: str
    state: State
    at: float


class CompareRow(Struct, frozen=True, kw_only=True):
    """One thing that is not the same in all of them: its value in each, in their order."""

    kind: str
    name: str
    values: tuple[str, ...]


class CurvesTold(Struct, frozen=True, kw_only=True):
    """A metric that several runs reported step by step: an SVG, and the same at a few steps in words, by run."""

    name: str
    svg: str
    steps: tuple[int, ...]
    values: tuple[tuple[str, ...], ...]


class ComparePage(Struct, frozen=True, kw_only=True):
    """The runs, and all in which any of them differs from the first.

    `parallel` is an SVG of what differs, coloured `by` one of the `metrics`; empty where nothing could be seen in it.
    """

    runs: tuple[Compared, ...]
    rows: tuple[CompareRow, ...]
    by: str = ""
    metrics: tuple[str, ...] = ()
    parallel: str = ""
    curves: tuple[CurvesTold, ...] = ()


def _numbers(text: str) -> list[int]:
    found: list[int] = []
    for part in text.replace(" ", ",").split(","):
        if part and not (part.isascii() and part.isdecimal() and len(part) < 12):
            raise UsageMistaken(f"{part!r} is no run", at="runs", remedy="give numbers with commas between: runs=3,5")
        if part and int(part) not in found:
            found.append(int(part))
    if not 1 < len(found) <= MOST:
        remedy = f"give two to {MOST} of them: runs=3,5"
        raise UsageMistaken(f"{len(found)} run{'s' * (len(found) != 1)} cannot be compared", at="runs", remedy=remedy)
    return found


def view(asked: Asked) -> ComparePage:
    """The runs that were asked for, compared with the first of them."""
    runs = [history.run_view(RunId(number), asked.parts.log) for number in _numbers(asked.query.get("runs", ""))]
    values = [Values(run=run.run, params=run.started.params, metrics=run.metrics) for run in runs]
    found = picture(values, asked.query.get("by", ""))
    return ComparePage(
        by=found.by,
        metrics=tuple(dict.fromkeys(name for one in values for name in one.metrics)),
        parallel=parallel_svg.drawn(found) if len(found.axes) > 1 else "",
        curves=tuple(_curves(runs)),
        runs=tuple(
            Compared(
                run=run.run, name=run.started.name, outcome=run.outcome, state=state_of(run.outcome), at=run.at
            )
            for run in runs
        ),
        rows=tuple(_rows(runs)),
    )  # fmt: skip


def _curves(runs: list[RunView]) -> Iterator[CurvesTold]:
    found: dict[str, dict[RunId, dict[int, float]]] = {}
    for run in runs:
        for step in run.steps.values():
            for metric in step.metrics:
                if metric.at_step is not None:
                    found.setdefault(metric.name, {}).setdefault(run.run, {})[metric.at_step] = metric.value
    for name, reported in list(found.items())[:CURVES]:
        of = {run: points for run, points in reported.items() if len(points) > 1}
        if of:
            lines = [(f"run {run.run}", sorted(of.get(run.run, {}).items())) for run in runs]
            # A run without the metric has no line, and the others keep their colours.
            yield _told(name, lines, [run.run for run in runs], of)


def _told(
    name: str, lines: list[tuple[str, list[tuple[int, float]]]], runs: list[RunId], of: dict[RunId, dict[int, float]]
) -> CurvesTold:
    steps = sorted({step for points in of.values() for step in points})
    few = sorted({steps[i * (len(steps) - 1) // (FEW - 1)] for i in range(FEW)})
    values = (
        tuple(number(at) if (at := of.get(run, {}).get(step)) is not None else "-" for run in runs) for step in few
    )
    return CurvesTold(name=name, svg=overlaid(name, lines), steps=tuple(few), values=tuple(values))


_ORDER = ("params", "metrics", "code", "inputs", "outputs", "steps")


def _rows(runs: list[RunView]) -> list[CompareRow]:
    changes = [{(one.kind, one.name): one for one in differences(runs[0], other)} for other in runs[1:]]
    names = {key for found in changes for key in found}
    rows = []
    for kind, name in sorted(names, key=lambda key: (_ORDER.index(key[0]), key[1])):
        told = [found.get((kind, name)) for found in changes]
        first = next(one.before for one in told if one is not None)
        values = (first, *(first if one is None else one.after for one in told))
        rows.append(CompareRow(kind=kind, name=name, values=values))
    return rows


PAGES = (
    Page(
        path="/compare",
        asks={
            "runs": "two to eight numbers of runs with commas between them",
            "by": "the parameter or metric that colours",
        },
        template="compare.html",
        section="/runs",
        gives=ComparePage,
        view=view,
        title=lambda found: "Runs " + ", ".join(str(one.run) for one in found.runs),
        command=lambda found: f"headway diff {found.runs[0].run} {found.runs[1].run}",
        refresh_s=0,
    ),
)
