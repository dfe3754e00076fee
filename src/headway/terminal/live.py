"""A run on a screen: what ended scrolls up and stays, what is at work is drawn over and over below.

Nothing is drawn before a step has been at work for `CALM_S`: quick runs are only lines. Draws by itself, since
`rich.live` takes 20 ms to import and, when the window gets narrower, leaves fragments and overwrites lines that should
stay (ADR 9); how wide a text is on the screen, `wcwidth` says.
"""

from math import inf
from typing import Self

from headway.terminal.lines import Lines, Step
from headway.terminal.out import Out
from headway.terminal.paint import Paint
from headway.terminal.width import cells, cut, padded

CALM_S = 0.15
"""How long a step must have been at work before anything is drawn."""

EVERY_S = 0.1
"""How long between two drawings, at least."""

MOST = 16
"""Steps at work that are shown, each on a line; more are counted."""

_NAME_COLUMNS = 32
_HIDE, _SHOW, _CLEAR, _CLEAR_LINE = "\x1b[?25l", "\x1b[?25h", "\x1b[J", "\x1b[K"


class Live:
    """Shows a run on a terminal."""

    __slots__ = ("_drawn_at", "_lines", "_out", "_paint", "_region", "_since", "_started_at", "_waiting")

    def __init__(self, out: Out, paint: Paint, *, why: bool) -> None:
        self._out = out
        self._paint = paint
        self._lines = Lines(self._keep, paint, why=why, announce=False)
        self._region = Region(out)
        self._waiting: list[str] = []
        self._since: dict[str, float] = {}
        self._started_at = inf
        self._drawn_at = -inf

    def started(self, step_id: str, name: str, index: int, total: int, why: str) -> None:
        """A step was started; it counts as at work from the next tick on."""
        self._lines.started(step_id, name, index, total, why)

    def output_at(self, step_id: str, log_path: str) -> None:
        """From here on its last line of output is shown."""
        self._lines.output_at(step_id, log_path)

    def ended(self, step_id: str, outcome: str, seconds: float, note: str) -> None:
        """It ended: a line that stays."""
        self._since.pop(step_id, None)
        self._lines.ended(step_id, outcome, seconds, note)

    def reused(self, step_id: str, note: str) -> None:
        """It was not run: its result was known."""
        self._lines.reused(step_id, note)

    def skipped(self, step_id: str, why: str) -> None:
        """It was not run: its condition was not met."""
        self._lines.skipped(step_id, why)

    def tick(self, now: float) -> None:
        """Draw, when it is time to."""
        self._started_at = min(self._started_at, now)
        for step_id in self._lines.at_work:
            self._since.setdefault(step_id, now)
        calm = self._region.is_drawn or any(now - since >= CALM_S for since in self._since.values())
        # Either way round, so that a clock put back does not stop the drawing.
        if calm and abs(now - self._drawn_at) >= EVERY_S:
            self._drawn_at = now
            self._region.draw(self._take_waiting(), self._picture(now))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._region.end(self._take_waiting())
        self._lines.close()

    def _keep(self, line: str) -> None:
        if self._region.is_drawn:
            self._waiting.append(line)
        else:
            self._out.write(line + "\n")

    def _take_waiting(self) -> list[str]:
        waiting, self._waiting = self._waiting, []
        return waiting

    def _picture(self, now: float) -> list[tuple[str, str]]:
        """The lines to be drawn: what they say, and that with its colours."""
        columns, rows = self._out.size()
        columns -= 1  # in the last one, terminals differ
        at_work = list(self._lines.at_work.items())
        most = max(1, min(MOST, rows - 4))
        shown = at_work if len(at_work) <= most else at_work[: most - 1]
        width = min(_NAME_COLUMNS, max((cells(step.title) for _, step in shown), default=0))
        frame = self._paint.frames[int(now / EVERY_S) % len(self._paint.frames)]
        lines = [self._step(step, frame, width, now - self._since[step_id], columns) for step_id, step in shown]
        if len(at_work) > len(shown):
            lines.append(self._dim(f"  and {len(at_work) - len(shown)} more at work", columns))
        lines.append(self._dim(self._sum(now), columns))
        return lines

    def _step(self, step: Step, frame: str, width: int, seconds: float, columns: int) -> tuple[str, str]:
        ellipsis = self._paint.ellipsis
        head = cut(
            f"{frame} {padded(cut(step.title, width, ellipsis), width)} {clock(seconds):>6}  ", columns, ellipsis
        )
        output = cut(step.tail.line() if step.tail else "", columns - cells(head), ellipsis)
        painted = self._paint(head[:1], "cyan") + head[1:] + self._paint(output, "dim")
        return head + output, painted

    def _sum(self, now: float) -> str:
        done = self._lines.n_done
        parts = [f"{sum(done.values())} of {self._lines.n_total} step{'s' * (self._lines.n_total != 1)} done"]
        parts += [f"{n} {happened}" for happened, n in done.items() if n and happened != "passed"]
        return f"  {', '.join(parts)}; {clock(now - self._started_at)}"

    def _dim(self, text: str, columns: int) -> tuple[str, str]:
        text = cut(text, columns, self._paint.ellipsis)
        return text, self._paint(text, "dim")


class Region:
    """The last rows of the screen, drawn over each time; what is put above them stays."""

    __slots__ = ("_columns", "_out", "_widths", "is_drawn")

    def __init__(self, out: Out) -> None:
        self._out = out
        self._widths: list[int] = []
        self._columns = 0
        self.is_drawn = False

    def draw(self, above: list[str], lines: list[tuple[str, str]]) -> None:
        """Put `above` where the region was, and under it the region: `lines`, each as plain text and with colours."""
        parts = [self._home(), "" if self.is_drawn else _HIDE]
        parts += [line + "\n" for line in above]
        # Each line is written over the one before and its rest is cleared: cleared first, the region would flicker.
        parts += [painted + _CLEAR_LINE + "\n" for _, painted in lines]
        if above:
            parts[0] += _CLEAR
        self.is_drawn = True
        self._widths = [cells(plain) for plain, _ in lines]
        self._out.write("".join(parts) + _CLEAR)

    def end(self, above: list[str]) -> None:
        """Take the region away and leave `above` in its place."""
        if self.is_drawn:
            self._out.write(self._home() + _CLEAR + "".join(line + "\n" for line in above) + _SHOW)
            self._widths = []
            self.is_drawn = False

    def _home(self) -> str:
        """Back to the region's first row.

        In a window that got narrower each line has taken as many rows as it needs now: most terminals wrap again.
        """
        columns, _ = self._out.size()
        rows = sum(max(1, -(-width // columns)) for width in self._widths)
        resized = columns != self._columns
        self._columns = columns
        return (f"\r\x1b[{rows}A" if rows else "\r") + (_CLEAR if resized else "")


def clock(seconds: float) -> str:
    """A running time, as a clock shows it.

    >>> clock(7.9), clock(75), clock(4000)
    ('0:07', '1:15', '1:06:40')
    """
    whole = max(0, int(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
