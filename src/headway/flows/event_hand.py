"""What a person asks for: an event like any other, which no limit holds back. Neighbour: `flows/events` appends it."""

import secrets
from difflib import get_close_matches

from msgspec import Struct

from headway.core import facts as f
from headway.core.pipeline import Pipeline
from headway.core.telling import listed
from headway.core.trigger import HAND
from headway.errors import NameUnknown
from headway.flows.events import World, see, sources


class Asked(Struct, frozen=True, kw_only=True):
    """A run that `by` asks for, as if a trigger had told something: `name` is its kind or all of it, or `hand`."""

    name: str = HAND
    why: str = ""
    by: str = ""


def ask(pipeline: Pipeline, world: World, asked: Asked, *, now: float) -> f.EventSeen:
    """Tell that somebody wants a run of this pipeline; gives the event. Raises NameUnknown for no trigger of its file.

    Asked twice it is two events; those that wait together start one run.
    """
    meant = "" if asked.name == HAND else _meant(pipeline, world, asked.name)
    said = asked.why or f"{asked.by or 'somebody'} asked for it"
    event = f.EventSeen(
        source=HAND, key=secrets.token_hex(8), why=f"{meant}, by hand: {said}" if meant else said, by=asked.by
    )
    see(world.log, pipeline.name, [event], now=now)
    return event


def _meant(pipeline: Pipeline, world: World, name: str) -> str:
    """The trigger that is named."""
    names = [source.name for source in sources(pipeline, world)]
    kinds = [one.partition(":")[0] for one in names]
    if name in names:
        return name
    if name in kinds:
        return listed([one for one, kind in zip(names, kinds, strict=True) if kind == name])
    close = get_close_matches(name, [*names, *kinds, HAND], n=1)
    have = f"it has {listed([*names, HAND])}"
    raise NameUnknown(
        f"{pipeline.name} has no trigger {name!r}",
        at="NAME",
        remedy=f"did you mean {close[0]!r}?" if close else have,
    )
