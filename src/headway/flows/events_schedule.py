"""Time tables: a time of theirs came, or went by while nobody looked, and then it counts once.

`core/event_schedule` says which times a table means. A clock that is wrong for a while does no lasting harm: what was
told of a time that is still to come does not count.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from headway.core import facts as f
from headway.core.event_schedule import Table, table_problem
from headway.core.grammar import CronTrigger, Triggers
from headway.core.telling import duration
from headway.errors import UsageMistaken
from headway.flows.event_pace import Pace
from headway.flows.events import Event, Source, Told, World
from headway.flows.zones import find

LATE_S = 120.0
"""What is told of later than this after its time is told as late."""

_KEY = "%Y-%m-%dT%H:%M:%SZ"


class ScheduleSource:
    """One time table."""

    __slots__ = ("_table", "_told", "_zone", "_zone_name", "name", "pace", "paths")

    def __init__(self, trigger: CronTrigger, told: Told) -> None:
        self._zone_name = trigger.timezone
        self._zone = _zone(trigger.timezone)
        problem = table_problem(trigger.cron)
        if problem:
            raise UsageMistaken(
                f"`{trigger.cron}` is not a time table: it {problem}",
                at="triggers.schedule",
                remedy='write minute, hour, day, month, weekday: "0 3 * * 1" is Mondays at 3:00',
            )
        self._table = Table(trigger.cron, self._zone)
        self._told = told
        self.name = source_of(trigger)
        self.paths: Sequence[str] = ()
        self.pace = Pace()

    def look(self, now: float) -> list[Event]:
        """The last time of the table that came since it was told last; those before it went by."""
        self.pace.begin()
        next_at = self._table.next_after(now)
        self.pace.well(now, next_at - now, f"next {self._said(next_at)}" if next_at < math.inf else "never comes again")
        since = max((at for one in self._told.states(self.name) if (at := _read(one.key)) <= now), default=None)
        if since is None:
            return self.pace.told([f.SourceWatched(source=self.name, key=_written(now))])
        came = self._table.latest(now)
        if came <= since:
            return []
        late = f", {duration(now - came)} ago" if now - came > LATE_S else ""
        why = f"it was {self._said(came)}{late}"
        return self.pace.told([f.EventSeen(source=self.name, key=_written(came), why=why)])

    def due_at(self, now: float) -> float:
        """When the table's next time comes."""
        return self.pace.due_at(now)

    def _said(self, at: float) -> str:
        return f"{datetime.fromtimestamp(at, self._zone):%a %Y-%m-%d %H:%M} {self._zone_name}"


_: type[Source] = ScheduleSource


def source_of(trigger: CronTrigger) -> str:
    """The source of a time table's events.

    >>> source_of(CronTrigger(cron="0 3 * * 1")), source_of(CronTrigger(cron="0 3 * * 1", timezone="Europe/Berlin"))
    ('schedule: 0 3 * * 1', 'schedule: 0 3 * * 1 Europe/Berlin')
    """
    zone = "" if trigger.timezone == "UTC" else f" {trigger.timezone}"
    return f"schedule: {trigger.cron}{zone}"


def sources(triggers: Triggers, told: Told, world: World) -> list[Source]:
    """Each time table once. Raises UsageMistaken for a time zone that this machine does not know."""
    del world
    written = triggers.schedule
    tables = written if isinstance(written, list) else [written]
    asked = [CronTrigger(cron=one) if isinstance(one, str) else one for one in tables]
    return [ScheduleSource(one, told) for one in dict.fromkeys(asked) if isinstance(one, CronTrigger)]


def _zone(name: str) -> tzinfo:
    found = find(name)
    if found is None:
        raise UsageMistaken(
            f"this machine knows no time zone {name!r}",
            at="triggers.schedule: timezone",
            remedy="write one as in Europe/Berlin; where the system has none of them: pip install tzdata",
        )
    return found


def _written(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):{_KEY}}"


def _read(key: str) -> float:
    try:
        return datetime.strptime(key, _KEY).replace(tzinfo=UTC).timestamp()
    except ValueError:
        # What somebody else told of this table by another name of the event says nothing of a time.
        return -math.inf
