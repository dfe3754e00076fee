"""A pipeline's sources, looked at in turn by a clock that jumps; what they tell is appended as a daemon would."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from headway import ports
from headway.backends import connect
from headway.backends.leases_memory import MemoryLeases
from headway.backends.log_memory import MemoryLog
from headway.core import facts as f
from headway.core.pipeline import Pipeline
from headway.flows.events import Source, World, see, sources

NOON = 1_795_780_800.0
"""2026-11-27 12:00 UTC."""


def opened(url: str) -> ports.Source:
    """Where data lies, as wiring opens it."""
    return connect("source", url, {})  # type: ignore[return-value] # connect answers by name


class Looking:
    """All sources of one pipeline. The `log` may be one that another has written to, as after a restart."""

    def __init__(
        self,
        folder: Path,
        triggers: dict[str, Any],
        *,
        now: float = NOON,
        log: MemoryLog | None = None,
        environ: dict[str, str] | None = None,
        source: Callable[[str], ports.Source] = opened,
        looking: bool = False,
        waits: bool = True,
        name: str = "churn",
    ) -> None:
        self.log = log if log is not None else MemoryLog()
        self.leases = MemoryLeases()
        self.now = now
        self.name = name
        self.world = World(
            log=self.log,
            leases=self.leases,
            folder=str(folder),
            home=str(folder / ".headway"),
            environ=environ or {},
            source=source,
            looking=looking,
            waits=waits,
            remembered={},
        )
        self.sources: Sequence[Source] = sources(Pipeline(name=name, steps=(), triggers=triggers), self.world)

    @property
    def source(self) -> Source:
        """The only one."""
        (only,) = self.sources
        return only

    def told(self, *, after_s: float = 0.0, at: float | None = None) -> list[f.EventSeen]:
        """What all of them tell when they are looked at so much later, or then, and is news."""
        self.now = self.now + after_s if at is None else at
        found = [event for one in self.sources for event in one.look(self.now)]
        return see(self.log, self.name, found, now=self.now)

    def due(self) -> list[f.EventSeen]:
        """What those tell that are due now."""
        found = [event for one in self.sources if one.due_at(self.now) <= self.now for event in one.look(self.now)]
        return see(self.log, self.name, found, now=self.now)
