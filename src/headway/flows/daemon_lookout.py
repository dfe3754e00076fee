"""The sources of one pipeline's events, looked at when they are due. What they tell is appended, and no more is done.

`flows/events` knows what a source is; `daemon_firings` starts runs for what was appended, by this or by anybody.
"""

from collections.abc import Callable, Sequence
from math import inf

from headway.core import facts as f
from headway.core.daemon import Told
from headway.core.trigger import PUSH
from headway.flows.events import Source, see
from headway.ports import Exit, Log

_TOLD_OF: dict[type[f.Fact], tuple[str, ...]] = {
    f.AlarmRaised: ("drift:", "quality:"),
    f.AlarmEnded: ("drift:", "quality:"),
    f.RunFinished: ("pipeline:",),
    f.AliasMoved: ("model-age:",),
    f.DatasetVersioned: ("data:",),
}
"""Which sources may have something to tell after a fact: what the log says need not wait until they are due."""


class Lookout:
    """Looks at the sources of one pipeline. Owned by the daemon's loop."""

    __slots__ = ("_log", "_sources", "_tell", "_troubles", "name")

    def __init__(self, name: str, sources: Sequence[Source], *, log: Log, tell: Callable[[Told], None]) -> None:
        self.name = name
        self._sources = sources
        self._log = log
        self._tell = tell
        self._troubles: dict[str, str] = {}

    def do(self, now: float) -> float:
        """Look at the sources that are due."""
        for source in self._sources:
            if source.due_at(now) <= now:
                see(self._log, self.name, source.look(now), now=now)
                self._say_trouble(source, now)
        return min((source.due_at(now) for source in self._sources), default=inf)

    def after(self, entry: f.Entry) -> bool:
        """Whether a fact may be an event for one of the sources."""
        kinds = _TOLD_OF.get(type(entry.fact), ())
        if isinstance(entry.fact, f.EventSeen) and entry.fact.source == PUSH:
            # Whoever told of it, its commits are taken before a run for them begins.
            kinds = (PUSH,)
        touched = [source for source in self._sources if source.name.startswith(kinds)] if kinds else []
        for source in touched:
            source.pace.touched = True
        return bool(touched)

    def ended(self, exit_: Exit, now: float) -> bool:  # noqa: ARG002 (no process is its own)
        """Nothing here waits for a process."""
        return False

    def _say_trouble(self, source: Source, now: float) -> None:
        """Tell what keeps a source from looking, and that it is over, once each."""
        trouble, before = source.pace.trouble, self._troubles.get(source.name, "")
        if trouble == before:
            return
        self._troubles[source.name] = trouble
        says = f"{source.name}: {trouble}; it is tried again" if trouble else f"{source.name}: can be looked at again"
        self._tell(Told(at=now, kind="trouble", says=says, about=self.name))
