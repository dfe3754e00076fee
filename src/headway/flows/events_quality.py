"""Lost quality: alarms about what labels proved, and about what is estimated until they come."""

from headway.core.grammar import MonitorTrigger, Triggers
from headway.flows.event_alarms import AlarmSource
from headway.flows.events import Source, Told, World


def sources(triggers: Triggers, told: Told, world: World) -> list[Source]:
    """The one monitor."""
    asked = triggers.quality
    if not isinstance(asked, MonitorTrigger):
        return []
    return [AlarmSource("quality", asked, ("quality", "estimate"), told=told, world=world)]
