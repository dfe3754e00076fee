"""A release as it goes: on a screen its picture, drawn over and over; in lines anywhere else; not at all beside JSON.

What is told of it in a line stays above the picture. Draws by itself, as `live` does and for its reasons.
"""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Self

from headway.core.rollout import Rollout
from headway.core.rollout_picture import traffic
from headway.flows.rollout_view import Looked
from headway.terminal.live import Region
from headway.terminal.out import Out
from headway.terminal.paint import can_redraw, paint_for
from headway.terminal.rollouts import status
from headway.terminal.tail import clean

EVERY_S = 0.5
"""How long between two drawings, at least: a look is a second after another at its soonest."""


class Following:
    """Hears how a release goes, and shows it on standard error; called as the flows call whoever listens.

    `look` gives the release as the log has it now. Where nobody watches a screen, lines are `stamped` with the time.
    Leaving it gives the terminal back as it was.
    """

    __slots__ = ("_drawn_at", "_is_watched", "_look", "_out", "_paint", "_quiet", "_region", "_stamped")

    def __init__(
        self, environ: Mapping[str, str], look: Callable[[], Looked], *, quiet: bool, stamped: bool = False
    ) -> None:
        self._out = Out(sys.stderr)
        self._paint = paint_for(sys.stderr, environ)
        self._region = Region(self._out)
        self._look = look
        self._quiet = quiet
        self._stamped = stamped
        self._is_watched = not quiet and can_redraw(environ, is_terminal=sys.stderr.isatty())
        self._drawn_at = -EVERY_S

    def __call__(self, line: str, rollout: Rollout) -> None:
        """A line for a person, empty where only the counts moved; the picture is drawn anew where there is a screen."""
        if self._quiet:
            return
        if not self._is_watched:
            if line:
                stamp = f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC  " if self._stamped else ""
                self._out.line(stamp + clean(line))
            return
        now = time.monotonic()
        # Before the claim there is no release to look at.
        if rollout.open is not None and (line or now - self._drawn_at >= EVERY_S):
            self._drawn_at = now
            columns, rows = self._out.size()
            picture = status(self._look(), columns=max(columns - 1, 30), paint=self._paint)
            self._region.draw([clean(line)] if line else [], picture[: max(rows - 2, 1)])
        elif line:
            self._keep(clean(line))

    def _keep(self, line: str) -> None:
        if self._region.is_drawn:
            self._region.end([line])
        else:
            self._out.line(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._region.end([])


def left(looked: Looked) -> str:
    """What is said where a driver was interrupted: everything stays as it is, and how to go on."""
    view = looked.release
    if view.outcome:
        return "headway: interrupted\n"
    go_on, back = f"headway rollout watch {view.endpoint}", f"headway rollout abort {view.endpoint}"
    stays = f"headway: interrupted; {traffic(view)}, and that stays so"
    return f"{stays}\n  to go on: {go_on}\n  to take it back: {back}\n"
