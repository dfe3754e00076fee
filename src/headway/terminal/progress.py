"""Chooses how a run is shown as it goes: live on a screen, in lines anywhere else, not at all beside JSON."""

import sys
from collections.abc import Mapping
from typing import Protocol, Self

from headway.flows.run import Watcher
from headway.terminal.lines import Lines
from headway.terminal.out import Out
from headway.terminal.paint import can_redraw, paint_for


class Progress(Watcher, Protocol):
    """A watcher to be entered and left; leaving it tells the rest and gives the terminal back as it was."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(self, *_: object) -> None:
        """End."""


def choose(environ: Mapping[str, str], *, why: bool, quiet: bool) -> Progress:
    """How to show a run on standard error; `why` tells of each step why it runs."""
    stream = sys.stderr
    paint = paint_for(stream, environ)
    if quiet:
        return Lines(_nowhere, paint, why=why)
    out = Out(stream)
    if can_redraw(environ, is_terminal=stream.isatty()):
        from headway.terminal.live import Live

        return Live(out, paint, why=why)
    return Lines(out.line, paint, why=why)


def _nowhere(_: str) -> None:
    return
