"""One gate: what it said, why, and each check as an interval against its limit."""

from msgspec import Struct

from headway.codec.gate_svg import figure
from headway.codec.page_gate import MANY, NARROW, WIDE
from headway.core.gate_kept import GateView, headline, next_steps, record
from headway.core.gate_picture import WORDS, plots
from headway.core.ids import RunId
from headway.core.loop import State
from headway.flows import gate_show
from headway.web.named import run_number
from headway.web.pages import Asked, Page


class CheckShown(Struct, frozen=True, kw_only=True):
    """One check: its pictures are SVG, for a wide screen and for a telephone; empty where nothing was measured."""

    check: str
    outcome: str
    state: State
    why: str
    warning: str = ""
    wide: str = ""
    narrow: str = ""
    slices: tuple[str, ...] = ()


class GatePage(Struct, frozen=True, kw_only=True):
    """What the page shows."""

    run: RunId
    said: str
    outcome: str
    state: State
    promise: str
    checks: tuple[CheckShown, ...]
    next: tuple[str, ...]
    record: tuple[tuple[str, str], ...]
    asked: str = ""


_STATES: dict[str, State] = {"pass": "well", "fail": "trouble", "unsure": "waiting", "error": "trouble"}


def view(asked: Asked) -> GatePage:
    """The gate of a run's step."""
    run = run_number(asked)
    found = gate_show.of_run(run, asked.path["step"], log=asked.parts.log, blobs=asked.parts.blobs)
    verdict = found.kept.verdict
    return GatePage(
        run=run,
        said=headline(found),
        outcome=verdict.outcome,
        state=_STATES.get(verdict.outcome, "idle"),
        promise=verdict.promise,
        checks=tuple(_checks(found)),
        next=tuple(advice.replace("`", "") for advice in next_steps(found)),
        record=tuple(record(found)),
        asked=found.asked,
    )


def _checks(found: GateView) -> list[CheckShown]:
    shown = []
    for i, plot in enumerate(plots(found.kept.verdict)):
        wide, narrow = (
            figure(plot, width=width, most=MANY, place=f"{kind}-{i}") if plot.axis is not None else ""
            for kind, width in (("wide", WIDE), ("narrow", NARROW))
        )
        shown.append(
            CheckShown(
                check=plot.check,
                outcome=WORDS[plot.outcome],
                state=_STATES.get(plot.outcome, "idle"),
                why=plot.why.removeprefix(f"{plot.check}: "),
                warning=plot.warning,
                wide=wide,
                narrow=narrow,
                slices=tuple(f"{line.name}: {line.told} ({WORDS[line.outcome]})" for line in plot.lines[1:MANY]),
            )
        )
    return shown


PAGES = (
    Page(
        path="/runs/{run}/gates/{step}",
        template="gate.html",
        section="/runs",
        gives=GatePage,
        view=view,
        title=lambda found: f"The gate of run {found.run}",
        command=lambda found: f"headway gate show {found.run}",
        refresh_s=0,
    ),
)
