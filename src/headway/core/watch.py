"""The machine of a monitor: facts in, alarms out. Decides when one is raised, what it says to do, and when it is over.

What a window shows is measured before (`core/watch_judge`) and stands in its fact; here it only counts whether it is
beyond what is usual. Drift alone says look; a loss of quality, estimated or proven, says retrain; a loss that was there
from the release on says roll back. Alarms of one kind follow each other: as long as one is open, no second one is
raised. Neighbours: `core/watch_spans` says which windows are over, `core/watch_words` tells people. Knows no clock.
"""

from collections.abc import Iterator, Sequence
from typing import get_args

from msgspec import Struct

from headway.core import facts as f
from headway.core.facts import AlarmKind, Says
from headway.core.watch_quality import WELL, loss, pooled

KINDS: tuple[AlarmKind, ...] = get_args(AlarmKind)

KEPT = 1000
"""Windows that are remembered, to be shown and to be compared with: of hours six weeks, of days almost three years."""

_LOSSES: frozenset[AlarmKind] = frozenset({"estimate", "quality"})


class Raise(Struct, frozen=True, kw_only=True):
    """Raise an alarm: number `alarm`, decided by window `window`, first seen in `since_window`."""

    alarm: int
    about: AlarmKind
    says: Says
    since_window: int
    window: int


class End(Struct, frozen=True, kw_only=True):
    """An alarm is over."""

    alarm: f.AlarmRaised
    why: str


Action = Raise | End


class Alarm(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An alarm as it stands: since when it is open, and when and why it ended."""

    raised: f.AlarmRaised
    at: float
    ended_at: float | None = None
    ended_why: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it did not end yet."""
        return self.ended_at is None


class Watch:
    """One monitor, as its facts tell it. Owned by one loop, or by one reader."""

    __slots__ = ("alarms", "before", "began", "began_at", "first", "first_before", "n_windows", "quality", "windows")

    def __init__(self) -> None:
        self.began: f.MonitorBegan | None = None
        """How the version that answers now is watched."""
        self.began_at = 0.0
        self.before: f.MonitorBegan | None = None
        """How it was watched before: mostly the version before."""
        self.first_before = 1
        """The number of the first window of that."""
        self.windows: list[f.WindowClosed] = []
        """The newest closed windows, of all versions, the newest last."""
        self.n_windows = 0
        """The number of the newest window."""
        self.first = 1
        """The number of the first window of the version that is watched now."""
        self.quality: dict[int, f.QualitySeen] = {}
        """What labels proved, by the number of the window; the newest word on each."""
        self.alarms: list[Alarm] = []
        """All alarms ever raised, the newest last."""

    # --- looking in ---------------------------------------------------------------------------------------------

    @property
    def current(self) -> list[f.WindowClosed]:
        """The closed windows of the version that is watched now."""
        return [window for window in self.windows if window.number >= self.first]

    @property
    def earlier(self) -> list[f.WindowClosed]:
        """Those of the version before."""
        return [window for window in self.windows if self.first_before <= window.number < self.first]

    @property
    def open_alarms(self) -> list[Alarm]:
        """The alarms that did not end."""
        return [alarm for alarm in self.alarms if alarm.is_open]

    def raised_since(self, at: float) -> int:
        """How many alarms were raised since then (UTC seconds)."""
        return sum(alarm.at >= at for alarm in self.alarms)

    def window(self, number: int) -> f.WindowClosed | None:
        """The closed window of that number, if it is remembered."""
        at = number - (self.windows[0].number if self.windows else 0)
        return self.windows[at] if 0 <= at < len(self.windows) else None

    # --- facts --------------------------------------------------------------------------------------------------

    def after(self, fact: f.Fact, at: float) -> None:
        """Take in what happened."""
        match fact:
            case f.MonitorBegan():
                self.before, self.first_before = self.began, self.first
                self.began, self.began_at = fact, at
                self.first = self.n_windows + 1
            case f.WindowClosed():
                self.windows.append(fact)
                self.n_windows = fact.number
                if len(self.windows) > KEPT:
                    self.quality.pop(self.windows.pop(0).number, None)
            case f.QualitySeen():
                self.quality[fact.number] = fact
            case f.AlarmRaised():
                self.alarms.append(Alarm(raised=fact, at=at))
            case f.AlarmEnded():
                self._end(fact, at)
            case _:
                pass

    def _end(self, fact: f.AlarmEnded, at: float) -> None:
        for i, alarm in enumerate(self.alarms):
            if alarm.raised.alarm == fact.alarm and alarm.is_open:
                self.alarms[i] = Alarm(raised=alarm.raised, at=alarm.at, ended_at=at, ended_why=fact.why)

    # --- deciding -----------------------------------------------------------------------------------------------

    def next(self, now: float) -> Sequence[Action]:  # noqa: ARG002 (as `flows/settle` asks a machine)
        """What to do now: alarms that are over first, then those to raise."""
        if self.began is None:
            return ()
        ends = tuple(self._ended())
        if ends:
            return ends
        return tuple(self._raised())

    def _ended(self) -> Iterator[End]:
        assert self.began is not None
        for alarm in self.open_alarms:
            about = alarm.raised.about
            if alarm.raised.window < self.first:
                name = f"{self.began.model}@{self.began.version}"
                is_other = alarm.raised.version != self.began.version
                why = f"{name} answers now" if is_other else "it is watched in another way now"
                yield End(alarm=alarm.raised, why=why)
            elif self._is_well(about, alarm.raised.window):
                yield End(alarm=alarm.raised, why=f"the last {WELL} windows were as usual again")

    def _is_well(self, about: AlarmKind, since: int) -> bool:
        if about == "quality":
            proven = [seen for seen in self._proven() if seen.number > since]
            return len(proven) >= WELL and not any(seen.is_beyond for seen in proven[-WELL:])
        # A window without a row says that requests are missing, and nothing about what is in them.
        told = [one for one in self.current if one.number > since and tells(one, about)]
        return len(told) >= WELL and not any(is_beyond(one, about) for one in told[-WELL:])

    def _raised(self) -> Iterator[Raise]:
        is_open = {alarm.raised.about for alarm in self.open_alarms}
        wanted = {about: shown for about in KINDS if (shown := self._shown(about)) is not None}
        # Whoever is told to retrain, because of what drift does, need not be told to look at the drift as well.
        if _LOSSES & (is_open | wanted.keys()):
            wanted.pop("drift", None)
        # What labels prove need not be estimated.
        if "quality" in is_open | wanted.keys():
            wanted.pop("estimate", None)
        n = self.alarms[-1].raised.alarm if self.alarms else 0
        for about, (since, window) in wanted.items():
            if about not in is_open:
                n += 1
                yield Raise(alarm=n, about=about, says=self._says(about), since_window=since, window=window)

    def _shown(self, about: AlarmKind) -> tuple[int, int] | None:
        """The first window in a row that showed it, and the newest, which must; None where that does not."""
        since = newest = 0
        for number, is_shown in self._told(about):
            if not is_shown:
                break
            since, newest = number, newest or number
        return (since, newest) if newest else None

    def _told(self, about: AlarmKind) -> Iterator[tuple[int, bool]]:
        """Of each window of the version that is watched now, the newest first, whether it showed it."""
        if about == "quality":
            yield from ((seen.number, seen.is_beyond) for seen in reversed(self._proven()))
            return
        for window in reversed(self.windows):
            if window.number < self.first:
                return
            if about != "skew" or tells(window, about):
                yield window.number, is_beyond(window, about)

    def _proven(self) -> list[f.QualitySeen]:
        """What labels proved of the version that is watched now, in the order of the windows."""
        return [self.quality[number] for number in sorted(self.quality) if number >= self.first]

    def _says(self, about: AlarmKind) -> Says:
        if about not in _LOSSES:
            return "look"
        return "roll back" if about == "quality" and self._is_lost_since_release() else "retrain"

    def _is_lost_since_release(self) -> bool:
        """Whether it never was as good as promised, and the version before, which is still there, was not as bad."""
        assert self.began is not None
        previous = self.began.previous
        if previous is None or not _is_lost_throughout(self._proven()):
            return False
        before = [number for number in sorted(self.quality) if self._is_of(number, previous)]
        return not before or not self.quality[before[-1]].is_beyond

    def _is_of(self, number: int, version: int) -> bool:
        window = self.window(number)
        return number < self.first and window is not None and window.version == version


def _is_lost_throughout(proven: Sequence[f.QualitySeen]) -> bool:
    """Whether windows before a loss was sure had lost as well, at least half as much: it only took time to be sure."""
    since = len(proven)
    while since and proven[since - 1].is_beyond:
        since -= 1
    early, late = (_loss(part) for part in (proven[:since], proven[since:]))
    return early is None or (late is not None and early >= late / 2)


def _loss(proven: Sequence[f.QualitySeen]) -> float | None:
    """By how much windows together are worse than promised; None where there are none, or nobody promised."""
    told = [(loss(one.metric, one.value, one.expected), one.n_labelled) for one in proven if one.expected is not None]
    return pooled(told) if told else None


def tells(window: f.WindowClosed, about: AlarmKind) -> bool:
    """Whether a window says anything about it: features are made anew once a day, not in each window."""
    if about == "skew":
        return any(reading.about == "skew" for reading in window.readings)
    return bool(window.n_rows) or about == "traffic"


def is_beyond(window: f.WindowClosed, about: AlarmKind) -> bool:
    """Whether something in this window counts towards an alarm about this."""
    return any(reading.is_beyond and reading.about == about for reading in window.readings)
