"""A pipeline's triggers as they stand: each source is looked at, nothing is changed and nothing told.

`core/event_outlook` puts together what is said. Neighbour: `flows/daemon_lookout` tells what it sees.
"""

from headway.core import facts as f
from headway.core.event_outlook import History, Outlook
from headway.core.pipeline import Pipeline
from headway.flows import firing
from headway.flows.events import World, sources
from headway.flows.firing import limits_of


def look(pipeline: Pipeline, world: World, *, now: float) -> Outlook:
    """How the triggers of a pipeline stand. `world` is one who is looking."""
    assert world.looking, "who asks how things stand changes nothing"
    history = History(limits_of(pipeline))
    for entry in world.log.read(firing.stream(pipeline.name)):
        history.after(entry.fact, entry.at)
    looked, news = [], []
    for source in sources(pipeline, world):
        told = source.look(now)
        looked.append(history.view(source.name, source.pace.said, told, trouble=source.pace.trouble))
        news += [event for event in told if isinstance(event, f.EventSeen)]
    return history.outlook(pipeline.name, looked, news, now=now)
