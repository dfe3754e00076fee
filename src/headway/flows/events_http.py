"""Calls of an address: whoever receives them tells of them. Here is only that there is such a source."""

import math
from collections.abc import Sequence

from headway.core.grammar import HttpTrigger, Triggers
from headway.flows.event_pace import Pace
from headway.flows.events import Event, Source, Told, World


class HttpSource:
    """Calls of one address."""

    __slots__ = ("name", "pace", "paths")

    def __init__(self, path: str, pipeline: str) -> None:
        """`path` as it is written; where nothing is written the pipeline's name is the last part of the address."""
        self.name = source_of(path)
        self.paths: Sequence[str] = ()
        self.pace = Pace()
        self.pace.said = f"a call of /hooks/{path.strip('/') or pipeline}"

    def look(self, now: float) -> list[Event]:
        """Nothing: a call is told of when it comes."""
        del now
        return []

    def due_at(self, now: float) -> float:
        """Never."""
        del now
        return math.inf


_: type[Source] = HttpSource


def source_of(path: str) -> str:
    """The source of calls of an address that ends so.

    >>> source_of("retrain"), source_of("")
    ('http: retrain', 'http')
    """
    return f"http: {path}" if path else "http"


def sources(triggers: Triggers, told: Told, world: World) -> list[Source]:
    """The one address, unless the file says that there is none."""
    del world
    asked = triggers.http
    if asked is False:
        return []
    return [HttpSource(asked.path if isinstance(asked, HttpTrigger) else "", told.pipeline)]
