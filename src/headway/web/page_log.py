"""What a step printed: any of its lines, however many there are; searched, and followed while it prints."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from headway.core.history import RunView, StepView
from headway.core.ids import RunId
from headway.core.loop import State, state_of
from headway.errors import BlobMissing, UsageMistaken
from headway.flows.printed import Hits, Line, Printed
from headway.web.named import number, stands, step_of
from headway.web.pages import Asked, Page

LINES = 300
"""Lines that are shown at once: what a screen holds several times over, and small to send."""

BEFORE = 20
"""Lines that are shown before one that was asked for."""

LONGEST_SEARCH = 200


class LogPart(Struct, frozen=True, kw_only=True):
    """Some lines of what an attempt of a step printed until now, of `n_lines` and `n_bytes` in all.

    `is_live`: it still prints, and may add to the last line. `of_run` is the run that printed it where this one did not
    run the step. `trouble` says why nothing can be shown.
    """

    run: RunId
    step: str
    attempt: int = 0
    lines: tuple[Line, ...] = ()
    n_lines: int = 0
    n_bytes: int = 0
    is_live: bool = False
    of_run: RunId | None = None
    trouble: str = ""

    @property
    def first(self) -> int:
        """The number of the first line that is shown, 0 where none is."""
        return self.lines[0].number if self.lines else 0

    @property
    def last(self) -> int:
        """The number of the last line that is shown."""
        return self.lines[-1].number if self.lines else 0


class LogPage(Struct, frozen=True, kw_only=True):
    """The lines that were asked for: `line` is the one that is marked, `found` what a search came to."""

    name: str
    state: State
    stands: str
    log: LogPart
    line: int = 0
    query: str = ""
    found: Hits | None = None


def end_of(asked: Asked, run: RunView, step: StepView, most: int = LINES) -> LogPart:
    """The last lines of what a step printed."""
    return _part(asked, run, step, lambda printed: printed.lines(printed.n_lines - most + 1, most))


def _part(asked: Asked, run: RunView, step: StepView, lines: Callable[[Printed], Sequence[Line]]) -> LogPart:
    if step.of_run is not None and step.of_run != run.run:
        return LogPart(run=run.run, step=step.step, of_run=step.of_run)
    try:
        printed = asked.site.shelf.printed(asked.parts.blobs, asked.site.settings.home, run, step.step)
        shown = tuple(lines(printed))
        n_lines, n_bytes = printed.n_lines, printed.n_bytes
    except BlobMissing as e:
        return LogPart(run=run.run, step=step.step, trouble=f"what it printed is not in the store any more: {e.remedy}")
    return LogPart(
        run=run.run,
        step=step.step,
        attempt=step.attempt,
        lines=shown,
        n_lines=n_lines,
        n_bytes=n_bytes,
        is_live=step.state in ("running", "waiting", "lost") and run.outcome == "running",
    )


def _log(asked: Asked) -> LogPage:
    run, _ = stands(asked)
    step = step_of(run, asked)
    line, before, since = (number(asked, name) for name in ("line", "before", "from"))
    after = number(asked, "after", -1)
    query = asked.query.get("q", "")
    if len(query) > LONGEST_SEARCH:
        raise UsageMistaken(f"that is more than {LONGEST_SEARCH} letters", at="q", remedy="look for fewer")
    found: list[Hits] = []

    def lines(printed: Printed) -> Sequence[Line]:
        if query and not line:
            found.append(printed.find(query, since or 1))
            return ()
        if line:
            return printed.lines(max(line - BEFORE, 1), LINES)
        if before:
            first = max(before - LINES, 1)
            return printed.lines(first, before - first)
        if after >= 0:
            return printed.lines(after + 1, LINES)
        return printed.lines(printed.n_lines - LINES + 1, LINES)

    log = _part(asked, run, step, lines)
    return LogPage(
        name=run.started.name,
        state=state_of(step.state),
        stands=step.state,
        log=log,
        line=line,
        query=query,
        found=found[0] if found else None,
    )


PAGES = (
    Page(
        path="/runs/{run}/steps/{step}/log",
        asks={
            "line": "the lines around this one",
            "before": "those before this line",
            "after": "those after this line",
            "q": "words to look for; small letters find capitals, too",
            "from": "the line from which on to look for them",
        },
        template="log.html",
        section="/runs",
        gives=LogPage,
        view=_log,
        title=lambda view: f"What {view.log.step} of run {view.log.run} printed",
        command=lambda view: f"headway logs {view.log.run} {view.log.step}",
        refresh_s=0,
    ),
)
