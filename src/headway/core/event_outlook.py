"""What may start runs of a pipeline, and when: its sources as they were looked at, what waits, and how it went before.

`core/trigger` decides; this only puts together what people ask for. Knows no file and no clock.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from headway.core import facts as f
from headway.core.ids import RunId
from headway.core.telling import duration, listed
from headway.core.trigger import Firings, Limits, Start


class SourceView(Struct, frozen=True, kw_only=True):
    """One source: what it `said` when it was looked at, what would be told now (`news`), and what was told last.

    `trouble` is what keeps it from being looked at. `last_why` and `last_at` are of the last event; None when there was
    none. `is_watched`: what changes from now on is news; False before the first `headway up`.
    """

    source: str
    said: str
    news: tuple[str, ...] = ()
    trouble: str = ""
    is_watched: bool = False
    last_why: str = ""
    last_at: float | None = None


class FiringView(Struct, frozen=True, kw_only=True):
    """A firing: when and why a run was started; how it ended, empty while it is under way."""

    firing: int
    at: float
    why: str
    outcome: str = ""
    run: RunId | None = None
    ended_why: str = ""


class Outlook(Struct, frozen=True, kw_only=True):
    """All of one pipeline. `due` is when a run begins for what waits, in UTC seconds; None while nothing waits.

    `why` says what holds it back longest; `is_running` while one is under way.
    """

    pipeline: str
    at: float
    sources: tuple[SourceView, ...]
    waiting: tuple[str, ...]
    due: float | None
    why: str
    is_running: bool = False
    last: FiringView | None = None


class History:
    """The facts of a pipeline's stream, folded for people: what was told, and the last firing."""

    __slots__ = ("_fired", "_machine", "_seen")

    def __init__(self, limits: Limits) -> None:
        self._machine = Firings(limits)
        self._seen: dict[str, tuple[float, str]] = {}
        self._fired: FiringView | None = None

    def after(self, fact: f.Fact, at: float) -> None:
        """Take in what happened."""
        self._machine.after(fact, at)
        match fact:
            case f.EventSeen(source=source, why=why):
                self._seen[source] = at, why
            case f.TriggerFired(firing=number, why=why):
                self._fired = FiringView(firing=number, at=at, why=why)
            case f.FiringEnded(firing=number) as ended if self._fired is not None and self._fired.firing == number:
                self._fired = FiringView(
                    firing=number,
                    at=self._fired.at,
                    why=self._fired.why,
                    outcome=ended.outcome,
                    run=ended.run,
                    ended_why=ended.why,
                )
            case _:
                pass

    def view(
        self, source: str, said: str, told: Iterable[f.EventSeen | f.SourceWatched], *, trouble: str = ""
    ) -> SourceView:
        """A source that was looked at and told this, as if it were told now."""
        at, why = self._seen.get(source, (None, ""))
        events = list(told)
        news = [one.why for one in events if isinstance(one, f.EventSeen) and self._machine.is_new(one)]
        return SourceView(
            source=source,
            said=said,
            news=tuple(news),
            trouble=trouble,
            is_watched=not any(isinstance(one, f.SourceWatched) for one in events),
            last_why=why,
            last_at=at,
        )

    def outlook(self, name: str, looked: Sequence[SourceView], news: Sequence[f.EventSeen], *, now: float) -> Outlook:
        """How things would be if this news were told now."""
        for event in news:
            self._machine.after(event, now)
        standing = self._machine.standing(now)
        return Outlook(
            pipeline=name,
            at=now,
            sources=tuple(looked),
            waiting=tuple(event.why for event in standing.waiting),
            due=standing.due,
            why=standing.why,
            is_running=any(isinstance(action, Start) for action in self._machine.next(now)),
            last=self._fired,
        )


def told(view: Outlook) -> list[str]:
    """An outlook in lines: when a run begins and why, what is waited for, how the last one went."""
    lines = [f"{view.pipeline}: {_headline(view)}"]
    width = max((len(one.source) for one in view.sources), default=0)
    lines += [f"  {one.source:<{width}}  {_state(one, view.at)}" for one in view.sources]
    if view.last is not None:
        lines.append(f"  last run: {_last(view.last, view.at)}")
    return lines


def _headline(view: Outlook) -> str:
    what = listed(view.waiting)
    if view.due is None:
        return view.why if view.sources or view.is_running else "no triggers: a run begins by hand alone"
    if view.is_running:
        return f"{view.why}; another run waits for its end: {what}"
    if view.due <= view.at:
        return f"a run may begin now: {what}"
    if view.due == float("inf"):
        return f"no run begins ({view.why}): {what}"
    return f"a run begins in {duration(view.due - view.at)} ({view.why}): {what}"


def _state(one: SourceView, now: float) -> str:
    if one.trouble:
        return one.trouble
    said = one.said or "as it was"
    if one.news:
        return f"news: {'; '.join(one.news)}"
    if one.last_at is not None:
        return f"{said}; last {duration(max(now - one.last_at, 0.0))} ago: {one.last_why}"
    return said if one.is_watched else f"{said}; not watched before the first `headway up`"


def _last(last: FiringView, now: float) -> str:
    ago = f"{duration(max(now - last.at, 0.0))} ago"
    run = "" if last.run is None else f", run {last.run}"
    how = f"{last.outcome}{run}" if last.outcome else "is under way"
    more = f" ({last.ended_why})" if last.ended_why else ""
    return f"{ago}, {how}{more}: {last.why}"
