"""What may start a run: the sources of a pipeline's events, each of which is looked at when it is due.

A source is of one kind (`flows/events_<kind>`): it looks at files, Git, a clock or the log and tells what happened
since it last told, as facts of `trigger/<pipeline>`. `see` appends them. `core/trigger` decides what they start, and
`flows/daemon` does it. Knows no run.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import UNSET, Struct

from headway import ports
from headway.core import facts as f
from headway.core.event_memory import Memory, Remembered
from headway.core.grammar import Triggers
from headway.core.ids import Digest
from headway.core.pipeline import Pipeline
from headway.core.trigger import Firings, Limits
from headway.errors import AppendConflict
from headway.flows import firing
from headway.flows.event_pace import Pace
from headway.ports import Leases, Log

Event = f.EventSeen | f.SourceWatched
"""What a source tells: that something happened, or how it was when it was first looked at."""


class World(Struct, frozen=True, kw_only=True):
    """What sources look at: a project's `folder` and its `home`, absolute, and the ports they need.

    `source` opens a place where data lies, by its URL. One who is `looking` changes nothing: no file, no branch, no
    log. Places that may take their time are asked aside and looked at again, unless one `waits` for their answer.
    `remembered` is what sources of several pipelines share, so that a remote is asked once for all of them.
    """

    log: Log
    leases: Leases
    folder: str
    home: str
    environ: Mapping[str, str]
    source: Callable[[str], ports.Source]
    looking: bool = False
    waits: bool = True
    # Any: each kind of source keeps a value of its own there.
    remembered: dict[str, Any] = {}


class Source(Protocol):
    """Something that starts runs. One object, one owner; nothing is looked at before `look`."""

    @property
    def name(self) -> str:
        """The trigger as it is written, `source` of its events: `data: data/training.csv`."""

    @property
    def paths(self) -> Sequence[str]:
        """Folders, absolute, of whose changes it wants to know at once; for most there are none. From any thread."""

    @property
    def pace(self) -> Pace:
        """When it looks, what it said last, and what keeps it from looking."""

    def look(self, now: float) -> list[Event]:
        """What happened since it was told last, and is not told yet; mostly nothing. May be called at any time.

        What it gives is to be appended by `see`; until then it gives the same again. Trouble with what it looks at is
        not raised: `pace.trouble` says it, and the next look is later.
        """

    def due_at(self, now: float) -> float:
        """When to look again, in UTC seconds; infinity when only somebody else can tell what happens there."""


class Told:
    """What was told of the sources of one pipeline, by whomever, as its stream says."""

    __slots__ = ("_log", "_memory", "_stream", "pipeline")

    def __init__(self, log: Log, pipeline: str) -> None:
        self.pipeline = pipeline
        self._log = log
        self._stream = firing.stream(pipeline)
        self._memory = Memory()

    def newest(self, source: str, prefix: str = "") -> Remembered | None:
        """The last state of a source that was told, of those whose key begins so; None when there is none."""
        self._read()
        return self._memory.newest(source, prefix)

    def is_fired(self, source: str) -> bool:
        """Whether a run was claimed for the last state of a source."""
        self._read()
        return self._memory.is_fired(source)

    def states(self, source: str) -> Iterator[Remembered]:
        """All that is remembered of a source, newest first."""
        self._read()
        return self._memory.states(source)

    def _read(self) -> None:
        for entry in self._log.read(self._stream, after=self._memory.length):
            self._memory.after(entry)


def sources(pipeline: Pipeline, world: World) -> list[Source]:
    """All sources of a pipeline's events, in the order of the grammar; nothing is looked at yet."""
    if not pipeline.triggers:
        return []
    from importlib import import_module

    triggers = triggers_of(pipeline)
    told = Told(world.log, pipeline.name)
    found: list[Source] = []
    for kind in triggers.__struct_fields__:
        if kind != "limits" and getattr(triggers, kind) is not UNSET:
            found += import_module(f"headway.flows.events_{kind}").sources(triggers, told, world)
    return found


def triggers_of(pipeline: Pipeline) -> Triggers:
    """What the file says of triggers."""
    return msgspec.convert(pipeline.triggers, Triggers)


def see(log: Log, pipeline: str, events: Sequence[Event], *, now: float) -> list[f.EventSeen]:
    """Append what happened to the pipeline's stream; gives what of it was news. Anyone may write there meanwhile.

    What was told before is passed over, so that whoever is not sure may tell it again.
    """
    while events:
        machine, length = Firings(Limits()), 0
        for entry in log.read(firing.stream(pipeline)):
            machine.after(entry.fact, entry.at)
            length = entry.n
        fresh: list[Event] = []
        for event in events:
            if machine.is_new(event):
                machine.after(event, now)
                fresh.append(event)
        try:
            log.append(firing.stream(pipeline), fresh, expect=length, at=now)
        except AppendConflict:
            continue
        return [event for event in fresh if isinstance(event, f.EventSeen)]
    return []


def short(digest: Digest | str) -> str:
    """As much of a digest or a commit as people need to tell it from others.

    >>> short("98a7ec89d1b2")
    '98a7ec89'
    """
    return digest[:8]
