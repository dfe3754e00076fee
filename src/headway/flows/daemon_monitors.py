"""The monitors of all pipelines, in one process of their own: `headway monitor run FILE…`.

It sees whether there is anything to judge, and starts what reckons for as long as that takes (`watch_apart`); one that
is killed looks again, and counts nothing twice. What they raise is told, whoever looked. One that another daemon left
is ended first: it may watch what is no longer to be watched.
"""

import os
from collections.abc import Callable, Sequence
from math import inf

from headway.core import facts as f
from headway.core.daemon import INTERRUPTED, Kind, Told, ended, pause_s
from headway.flows.daemon_children import Children
from headway.flows.daemon_files import Watched
from headway.ports import Exit

KEY = "monitors"

GRACE_S = 10.0
"""A look at a monitor may take so long until it hears that it is to end."""

STEADY_S = 60.0
"""A process that lived so long was well: what ends it then is no consequence of how it began."""


class Monitors:
    """Keeps the monitors' process alive. Owned by the daemon's loop, and kept when files change."""

    __slots__ = ("_began", "_children", "_due", "_is_fresh", "_n_failed", "_once", "_tell", "_watched")

    name = "monitors"

    def __init__(self, *, children: Children, tell: Callable[[Told], None], once: bool = False) -> None:
        """`once`: monitors look, in a process for each file, and end."""
        self._children = children
        self._once = once
        self._tell = tell
        self._watched: tuple[Watched, ...] = ()
        self._is_fresh = True
        self._n_failed = 0
        self._began = self._due = -inf

    def watch(self, watched: Sequence[Watched]) -> None:
        """What there is to be watched now; where that is something else than before, the process begins anew."""
        fresh = tuple(one for one in watched if one.pipeline.monitors)
        if _what(fresh) != _what(self._watched):
            self._children.stop(KEY, grace_s=GRACE_S)
            self._n_failed, self._due = 0, -inf
        self._watched = fresh

    def do(self, now: float) -> float:
        """Start it where it is not there. Raises StepHeld when one that was left cannot be ended."""
        if self._once:
            return self._look()
        if self._children.is_mine(KEY):
            return inf
        if self._is_fresh and self._children.is_left(KEY):
            self._children.evict(KEY, grace_s=GRACE_S)
        self._is_fresh = False
        if not self._watched:
            return inf
        # A clock that was set back since is no reason to wait for an hour.
        if self._began <= now < self._due:
            return self._due
        # With a folder before it each is a file, and not the name of a monitor.
        self._children.start(KEY, ["monitor", "run", *(os.path.join(".", one.file) for one in self._watched)])
        self._began = now
        return inf

    def _look(self) -> float:
        """Let the monitors look, but where they do so already."""
        for one in self._watched:
            key = f"{KEY}/{one.pipeline.name}"
            if not (self._children.is_mine(key) or self._children.is_left(key) or self._children.is_left(KEY)):
                self._children.start(key, ["monitor", "--look", "--file", one.file])
        self._watched = ()
        return inf

    def after(self, entry: f.Entry) -> bool:
        """Tell alarms, whoever raised them; nothing is to be done about them here."""
        about = entry.stream.partition("/")[2]
        match entry.fact:
            case f.AlarmRaised():
                # The line that says most; `headway monitor` has all of them.
                why = entry.fact.why.partition("\n")[0]
                says = f"alarm {entry.fact.alarm}, {entry.fact.about}: {entry.fact.says}: {why}"
                self._say("alarm", says, entry.at, about)
            case f.AlarmEnded():
                self._say("alarm", f"alarm {entry.fact.alarm} is over: {entry.fact.why}", entry.at, about)
            case _:
                pass
        return False

    def ended(self, exit_: Exit, now: float) -> bool:
        """Take in that it ended: it is started again, after a pause where it ended badly."""
        if exit_.key != KEY:
            return False
        if exit_.code in (0, INTERRUPTED, 143):
            self._due = now
            return True
        self._n_failed = 1 if exit_.seconds >= STEADY_S else self._n_failed + 1
        pause = pause_s(self._n_failed)
        self._began, self._due = now, now + pause
        why = self._children.last_words(KEY) or f"the process {ended(exit_.code)}"
        self._say("process", f"nobody watches: {why}; it is started again in {pause:.0f} s", now, self.name)
        return True

    def rest(self) -> None:
        """Ask it to end."""
        self._children.stop(KEY, grace_s=GRACE_S)

    def _say(self, kind: Kind, says: str, at: float, about: str) -> None:
        self._tell(Told(at=at, kind=kind, says=says, about=about))


def _what(watched: Sequence[Watched]) -> list[object]:
    return [(one.file, one.pipeline.monitors) for one in watched]
