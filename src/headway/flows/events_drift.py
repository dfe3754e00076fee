"""Drift: alarms about what comes in and goes out, and about the quality that is estimated of it."""

from headway.core.grammar import MonitorTrigger, Triggers
from headway.flows.event_alarms import AlarmSource
from headway.flows.events import Source, Told, World


def sources(triggers: Triggers, told: Told, world: World) -> list[Source]:
    """The one monitor."""
    asked = triggers.drift
    if not isinstance(asked, MonitorTrigger):
        return []
    return [AlarmSource("drift", asked, ("drift", "estimate"), told=told, world=world)]
