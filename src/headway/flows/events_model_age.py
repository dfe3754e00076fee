"""Age: the version that a model's name means was registered too long ago, and again after each such time.

So a retrain that came to nothing is not the last one.
"""

import math
from collections.abc import Sequence

from headway.core import facts as f
from headway.core.grammar import ModelAgeTrigger, Triggers
from headway.core.telling import duration
from headway.core.units import duration_s
from headway.errors import HeadwayError, NameUnknown
from headway.flows import registry
from headway.flows.event_pace import Pace
from headway.flows.events import Event, Source, Told, World

EVERY_S = 60.0
"""Another version may serve meanwhile."""


class AgeSource:
    """One model's age."""

    __slots__ = ("_log", "_older_than_s", "_told", "_trigger", "name", "pace", "paths")

    def __init__(self, trigger: ModelAgeTrigger, told: Told, world: World) -> None:
        self.name = f"model-age: {trigger.model}"
        self.pace = Pace()
        self.paths: Sequence[str] = ()
        self._trigger = trigger
        self._older_than_s = duration_s(trigger.older_than) or math.inf
        self._told = told
        self._log = world.log

    def look(self, now: float) -> list[Event]:
        """Whether it has become so old since it was told last."""
        self.pace.begin()
        try:
            model, made = registry.named(self._log, self._trigger.model)
        except NameUnknown as e:
            self.pace.well(now, EVERY_S, f"waits: {e.problem}")
            return []
        except HeadwayError as e:
            self.pace.failed(now, e)
            return []
        began = model.registered_at(made.version)
        age_s = now - began
        n = math.floor(age_s / self._older_than_s)
        next_at = began + (max(n, 0) + 1) * self._older_than_s
        told = f"{model.name}@{made.version} is {duration(max(age_s, 0.0))} old"
        self.pace.well(now, min(next_at - now, EVERY_S), f"{told}; next in {duration(next_at - now)}")
        key = f"{made.version}/{n}"
        if n < 1 or any(one.key == key for one in self._told.states(self.name)):
            return []
        return [f.EventSeen(source=self.name, key=key, why=f"{told}, older than {duration(self._older_than_s)}")]

    def due_at(self, now: float) -> float:
        """When it is so old, at the latest within a minute."""
        return self.pace.due_at(now)


_: type[Source] = AgeSource


def sources(triggers: Triggers, told: Told, world: World) -> list[Source]:
    """The one model."""
    asked = triggers.model_age
    return [AgeSource(asked, told, world)] if isinstance(asked, ModelAgeTrigger) else []
