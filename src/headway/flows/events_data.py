"""Data: a file or folder changed and came to rest, or a place elsewhere says that what it holds is another.

Only what is new compared with what was told is an event, so that what changed while nobody looked is noticed. Where new
rows are counted, an event waits until there are enough of them. `flows/event_files` looks, `flows/event_place` says
where.
"""

import os
from collections.abc import Sequence
from threading import Lock

from msgspec import Struct

from headway.core import facts as f
from headway.core.event_memory import Remembered
from headway.core.event_place import Place, is_database
from headway.core.event_rest import Rest
from headway.core.grammar import DataTrigger, Triggers
from headway.core.telling import number, rows
from headway.core.units import duration_s
from headway.errors import FileMissing, HeadwayError, OutputUnreadable
from headway.flows import event_files, event_rows
from headway.flows.event_ask import Ask
from headway.flows.event_files import Sight
from headway.flows.event_pace import Pace
from headway.flows.event_place import place
from headway.flows.events import Event, Source, Told, World
from headway.flows.statcache import StatCache

EVERY_S = 1.0
"""A file or folder is looked at so often, for nothing but a system call or two."""

WRITING_S = 0.25
"""What is being written is looked at so often."""

WATCHED_S = 30.0
"""Where changes of a folder are told, it is looked at so often all the same: they may be lost."""

SHARE = 200
"""A folder is looked at so seldom that looking takes one part in so many of the time."""

FOUND_S = 10.0
"""So long it is believed that a dataset lies where it lay."""

SETTLE_S = 10.0
SETTLE_MOST = 30
"""Many objects elsewhere must be the same after so long, unless they never are."""

ASKING_S = 0.2
"""While an answer is waited for, somebody looks so often whether it is there."""


class State(Struct, frozen=True, kw_only=True):
    """How data are: `key` is empty where there are none. `n_rows` are counted, or what a watermark says.

    `is_many`: several things, which nobody puts there at one moment.
    """

    key: str
    n_rows: int | None = None
    what: str = ""
    is_many: bool = False


class DataSource:
    """What one `data:` names."""

    __slots__ = (
        "_ask",
        "_every_s",
        "_found_at",
        "_mark",
        "_place",
        "_read_mark",
        "_rest",
        "_state",
        "_told",
        "_trigger",
        "_turn",
        "_unsettled",
        "_world",
        "name",
        "pace",
    )

    def __init__(self, trigger: DataTrigger, told: Told, world: World) -> None:
        self.name = source_of(trigger.dataset)
        self.pace = Pace()
        self._trigger = trigger
        self._told = told
        self._world = world
        self._every_s = duration_s(trigger.every) or 300.0
        self._ask: Ask[State] = Ask()
        self._turn: Lock = world.remembered.setdefault("data", Lock())
        self._rest = Rest()
        self._place: Place | None = None
        self._found_at = 0.0
        self._read_mark: bytes | None = None
        self._unsettled: list[str] = []
        self._mark: bytes | None = None
        self._state: State | None = None

    @property
    def paths(self) -> Sequence[str]:
        """The folder that the data are, once it was looked at; a file is looked at quickly enough."""
        here = self._here
        return [here] if here and os.path.isdir(here) and not _holds(here, self._world.home) else []

    def look(self, now: float) -> list[Event]:
        """Whether the data are others than was told last, and at rest."""
        self.pace.begin()
        try:
            found = self._far(now) if self._find(now).url else self._near(now)
        except HeadwayError as e:
            self.pace.failed(now, e)
            return []
        return [] if found is None else self.pace.told(self._news(found))

    def due_at(self, now: float) -> float:
        """Every second or so for files here, as often as the file says for places elsewhere."""
        return self.pace.due_at(now)

    # --- looking ------------------------------------------------------------------------------------------------

    def _find(self, now: float) -> Place:
        """Where to look, which may be another place than last time: a dataset was given a version."""
        if self._place is None or not 0 <= now - self._found_at < FOUND_S:
            world = self._world
            self._place = place(self._trigger, folder=world.folder, log=world.log, environ=world.environ)
            self._found_at = now
        return self._place

    @property
    def _here(self) -> str:
        where = self._place
        return os.path.join(self._world.folder, where.path) if where is not None and where.path else ""

    def _near(self, now: float) -> State | None:
        """The data of this machine; None while nothing can be said of them, or nothing new."""
        if self._ask.is_asking:
            return self._asked(now, None)
        import time

        began = time.thread_time()
        seen = event_files.sight(self._here)
        spent_s = time.thread_time() - began
        if seen is None:
            self._mark, self._state = None, State(key="", what="nothing is there")
            self.pace.well(now, EVERY_S, "waits for it to arrive")
            return self._state
        pause_s = max(WATCHED_S if self.pace.is_watched and seen.is_folder else EVERY_S, SHARE * spent_s)
        if seen.mark == self._mark and self._state is not None:
            self.pace.well(now, pause_s, self.pace.said)
            return self._state
        wait_s = 0.0 if self._world.looking else self._wait_s(seen, now)
        if wait_s > 0:
            # Those who look at a folder of a hundred thousand files while they arrive leave time for them to arrive.
            # Who writes may close it at any moment, and then nothing more is waited for.
            self.pace.well(now, max(min(wait_s, WRITING_S), 4 * spent_s), "is being written")
            return None
        return self._asked(now, seen, pause_s)

    def _wait_s(self, seen: Sight, now: float) -> float:
        is_open = event_files.is_written(seen.newest) if now - seen.changed_at < 3600 else False
        return self._rest.wait_s(seen.mark, now, changed_at=seen.changed_at, is_open=is_open, is_folder=seen.is_folder)

    def _asked(self, now: float, seen: Sight | None, pause_s: float = EVERY_S) -> State | None:
        """What the data are, read aside where somebody else would have to wait."""
        was_read, self._read_mark = self._read_mark, seen.mark if seen is not None else self._read_mark
        try:
            answer = self._ask.answer(lambda: self._read(seen), waits=self._world.waits)
        except (FileMissing, OutputUnreadable):
            self._mark = None
            if was_read == self._read_mark and seen is not None:
                raise
            # It went away, or changed, while it was read: unless the same is seen again.
            self.pace.well(now, EVERY_S, "is being written")
            return None
        if not answer:
            self.pace.well(now, ASKING_S, self.pace.said)
            return None
        self._state = answer[0]
        self.pace.well(now, pause_s, self._state.what)
        return self._state

    def _read(self, seen: Sight | None) -> State:
        """Name what was seen, and count its rows if that is asked for. Runs aside."""
        assert seen is not None, "nothing is asked before it was seen"
        world, path = self._world, self._place.path if self._place is not None else ""
        # One after the other: they share what is remembered of files, and the disk.
        with self._turn:
            stats = StatCache.load(os.path.join(world.home, "cache", "stat"))
            key = event_files.name_of(world.folder, path, seen, stats)
            if not world.looking:
                stats.save()
        n_rows = event_rows.count([os.path.join(world.folder, path)]) if self._trigger.new_rows else None
        self._mark = seen.mark
        files = f"{number(seen.n_files)} file{'s' * (seen.n_files != 1)}"
        what = files if seen.is_folder else f"{number(seen.size_bytes)} bytes"
        return State(key=key, n_rows=n_rows, what=what if n_rows is None else rows(n_rows))

    def _far(self, now: float) -> State | None:
        where = self._place
        assert where is not None, "look finds it first"

        def ask() -> State:
            told = self._world.source(where.url).state(where.wanted)
            word = "row" if is_database(where.url) else "object"
            things = f"{number(told.n_things)} {word}{'s' * (told.n_things != 1)}"
            what = things if told.number is None else f"at {told.number}"
            is_many = not is_database(where.url) and told.n_things > 1
            return State(key=told.key, n_rows=told.number, what=what, is_many=is_many)

        answer = self._ask.answer(ask, waits=self._world.waits)
        if not answer:
            self.pace.well(now, ASKING_S, self.pace.said)
            return None
        self.pace.well(now, self._every_s, answer[0].what)
        return answer[0] if self._is_settled(now, answer[0]) else None

    def _is_settled(self, now: float, state: State) -> bool:
        """Whether many things are as they were a moment ago: half of what is being brought there is no event."""
        before = self._told.newest(self.name)
        if self._world.waits or not state.is_many or before is None or before.key == state.key:
            self._unsettled = []
            return True
        if self._unsettled[-1:] == [state.key] or len(self._unsettled) >= SETTLE_MOST:
            return True
        self._unsettled.append(state.key)
        self.pace.well(now, min(self._every_s, SETTLE_S), f"{state.what}, and more may be coming")
        return False

    # --- telling ------------------------------------------------------------------------------------------------

    def _news(self, state: State) -> list[Event]:
        before = self._told.newest(self.name)
        if before is None:
            return [f.SourceWatched(source=self.name, key=state.key, n_rows=state.n_rows)]
        if state.key in ("", before.key):
            return []
        least, what = self._trigger.new_rows, self._trigger.dataset
        if not least or state.n_rows is None:
            return [self._event(state, f"{what} {'changed' if before.key else 'arrived'}")]
        n = new_rows(before, state.n_rows)
        if n < least:
            self.pace.said = f"{number(n)} of {number(least)} new rows"
            return []
        return [self._event(state, f"{what} has {number(n)} new row{'s' * (n != 1)}")]

    def _event(self, state: State, why: str) -> f.EventSeen:
        return f.EventSeen(source=self.name, key=state.key, why=why, n_rows=state.n_rows)


_: type[Source] = DataSource


def new_rows(before: Remembered, n_rows: int) -> int:
    """How many rows are new; of a table with fewer rows than before all are, for it is another."""
    known = before.n_rows or 0
    return n_rows - known if n_rows >= known else n_rows


def source_of(name: str) -> str:
    """The source of events of data.

    >>> source_of("data/training.csv")
    'data: data/training.csv'
    """
    return f"data: {name}"


def sources(triggers: Triggers, told: Told, world: World) -> list[Source]:
    """Each `data:` of the file."""
    written = triggers.data
    asked = written if isinstance(written, list) else [written]
    return [DataSource(one, told, world) for one in asked if isinstance(one, DataTrigger)]


def _holds(folder: str, other: str) -> bool:
    return f"{os.path.realpath(other)}/".startswith(f"{os.path.realpath(folder)}/")
