"""Alarms of a monitor as events: those that are open, are about the right thing, and have lasted for long enough.

`events_drift` and `events_quality` say which those are. An alarm that ended by itself before anybody looked starts
nothing: things are as they were again.
"""

from collections.abc import Collection, Sequence

from headway.core import facts as f
from headway.core.grammar import MonitorTrigger
from headway.flows.event_pace import Pace
from headway.flows.events import Event, Source, Told, World

EVERY_S = 30.0
"""Whoever reads the log anyway touches the source when an alarm is raised; this is for everybody else."""


class AlarmSource:
    """The alarms of one monitor."""

    __slots__ = ("_about", "_log", "_n_read", "_open", "_told", "_trigger", "_window", "name", "pace", "paths")

    def __init__(
        self, kind: str, trigger: MonitorTrigger, about: Collection[f.AlarmKind], *, told: Told, world: World
    ) -> None:
        self.name = f"{kind}: {trigger.monitor}"
        self.pace = Pace()
        self.paths: Sequence[str] = ()
        self._trigger = trigger
        self._about = frozenset(about)
        self._told = told
        self._log = world.log
        self._open: dict[int, f.AlarmRaised] = {}
        self._window = 0
        self._n_read = 0

    def look(self, now: float) -> list[Event]:
        """The alarms that are open and were not told."""
        self.pace.begin()
        self._read()
        fitting = [one for one in self._open.values() if one.about in self._about and self._says(one)]
        lasting = [one for one in fitting if self._lasts(one) >= self._trigger.windows]
        self.pace.well(now, EVERY_S, self._said(fitting, lasting))
        if not lasting:
            return []
        known = {one.key for one in self._told.states(self.name)}
        return [self._event(one) for one in lasting if _key(one) not in known]

    def due_at(self, now: float) -> float:
        """Twice a minute, or when it is touched."""
        return self.pace.due_at(now)

    def _read(self) -> None:
        for entry in self._log.read(f"monitor/{self._trigger.monitor}", after=self._n_read):
            self._n_read = entry.n
            match entry.fact:
                case f.AlarmRaised() as raised:
                    self._open[raised.alarm] = raised
                case f.AlarmEnded(alarm=number):
                    self._open.pop(number, None)
                case f.WindowClosed(number=number):
                    self._window = max(self._window, number)
                case _:
                    pass

    def _says(self, one: f.AlarmRaised) -> bool:
        return self._trigger.says in ("any", one.says)

    def _lasts(self, one: f.AlarmRaised) -> int:
        """For how many windows it has been so."""
        return max(self._window, one.window, one.since_window) - one.since_window + 1

    def _said(self, fitting: Sequence[f.AlarmRaised], lasting: Sequence[f.AlarmRaised]) -> str:
        if lasting:
            return f"alarm {lasting[-1].alarm} is open"
        if fitting:
            return f"alarm {fitting[-1].alarm} lasts for {self._lasts(fitting[-1])} of {self._trigger.windows} windows"
        others = [one for one in self._open.values() if one.about in self._about]
        return f"alarm {others[-1].alarm} says only `{others[-1].says}`" if others else "no alarm"

    def _event(self, one: f.AlarmRaised) -> f.EventSeen:
        first = one.why.strip().partition("\n")[0]
        return f.EventSeen(
            source=self.name, key=_key(one), why=f"alarm {one.alarm} of {self._trigger.monitor}: {first}"
        )


_: type[Source] = AlarmSource


def _key(one: f.AlarmRaised) -> str:
    return f"alarm {one.alarm}"
