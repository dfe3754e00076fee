"""A monitor looks: what its endpoint served is read from the prediction log, judged by windows, and told as facts.

One pass may be killed anywhere and repeated: every fact says all that the next one needs, and is appended with the
expected length of the stream. When nothing is new a pass costs milliseconds and no import. Neighbours: `core/watch`
decides, `watch_begin` makes the reference, `watch_windows` judges windows, `watch_labels` joins labels.
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from headway.core import facts as f
from headway.core import watch_skew
from headway.core.grammar import Monitor
from headway.core.monitor_grammar import Plan, plan_of
from headway.core.watch import Action, End, Raise, Watch
from headway.core.watch_causes import causes
from headway.core.watch_spans import GRACE_S
from headway.core.watch_words import why
from headway.errors import AppendConflict, BlobDamaged, BlobMissing
from headway.flows import watch_begin
from headway.flows.delivery import Delivery
from headway.flows.watch_begin import Kept
from headway.flows.watch_kept import detail_of
from headway.flows.watch_labels import Labels
from headway.flows.watch_news import Looked, collected, next_look, nothing_serves, stream
from headway.flows.watch_served import Endpoint, Served, key_of
from headway.flows.watch_windows import Windows

TRIES = 5
"""How often a pass begins anew because somebody else looked at the same time."""


# Mapping: as a compiled pipeline keeps monitors.
def look(world: Delivery, monitor: Monitor | Mapping[str, object] | Plan, name: str, now: float) -> Looked:
    """One pass over one monitor. Raises what making a reference raises, BlobMissing, StoreTrouble, LogTrouble.

    Who looks again and again keeps a `Watcher`, which remembers what it read.
    """
    return Watcher(world, monitor if isinstance(monitor, Plan) else plan_of(name, monitor)).look(now)


class Watcher:
    """One monitor in this process: what it read is remembered from look to look."""

    __slots__ = ("_endpoint", "_kept", "_labels", "_n", "_told", "_watch", "_windows", "_world", "plan")

    def __init__(self, world: Delivery, plan: Plan) -> None:
        self.plan = plan
        self._world = world
        self._endpoint = Endpoint(world.log, plan.endpoint)
        self._forget()

    def _forget(self) -> None:
        self._watch = Watch()
        self._n = 0
        self._kept: Kept | None = None
        self._windows: Windows | None = None
        self._labels: Labels | None = None
        self._told: list[f.Fact] = []

    def look(self, now: float) -> Looked:
        """One pass; somebody else may look at the same time."""
        for _ in range(TRIES):
            try:
                return self._look(now)
            except AppendConflict:
                self._forget()
        return self._look(now)

    @property
    def watch(self) -> Watch:
        """The monitor, as far as it was read."""
        return self._watch

    # --- a pass -------------------------------------------------------------------------------------------------

    def _look(self, now: float) -> Looked:
        self._told = []
        self._catch_up()
        served = self._endpoint.look()
        if served is None:
            return self._looked(None, now, [nothing_serves(self._endpoint)])
        notes = collected(self._world, served, self.plan.endpoint)
        if not self._is_of(served):
            self._close_before(served, now)
            self._begin(served, now)
        elif not self._is_ready():
            self._begin(served, now)
        self._settle(now)
        for fact in self._closed(now):
            self._tell([fact], now)
            self._settle(now)
        for proven in self._proven(now):
            self._tell([proven], now)
            self._settle(now)
        if self._told:
            self._world.log.sync()
        return self._looked(served, now, notes)

    def _catch_up(self) -> None:
        for entry in self._world.log.read(stream(self.plan.name), after=self._n):
            self._watch.after(entry.fact, entry.at)
            self._n += 1

    def _is_of(self, served: Served) -> bool:
        began = self._watch.began
        return began is not None and began.key == key_of(self.plan, served)

    def _close_before(self, served: Served, now: float) -> None:
        """What the version before answered until it was taken off; nobody is alarmed by it any more."""
        began = self._watch.began
        if began is None or began.version == served.release.version or began.endpoint != self.plan.endpoint:
            return
        try:
            for fact in self._closed(min(now, served.since)):
                self._tell([fact], now)
        except (BlobMissing, BlobDamaged):
            # Its reference is gone, as `gc` may do with what is old. What is new matters more.
            return

    def _begin(self, served: Served, now: float) -> None:
        fact, kept = watch_begin.made(self._world, self.plan, served)
        since = watch_begin.since_of(self._watch, served, now)
        self._tell([replace(fact, since=since)], now)
        self._use(kept)

    def _use(self, kept: Kept) -> None:
        self._kept = kept
        self._windows = Windows(self._world, self.plan, kept)
        self._labels = Labels(self._world, self.plan, kept)

    def _is_ready(self) -> bool:
        """Whether there is a reference to compare with: what `gc` or a lost disk took is made again."""
        try:
            self._ready()
        except (BlobMissing, BlobDamaged):
            return False
        return True

    def _ready(self) -> None:
        began = self._watch.began
        assert began is not None
        if self._kept is None or self._kept.layout.version != began.version:
            kept = watch_begin.read(self._world.blobs, began)
            watch_begin.lay(self._world, self.plan.endpoint, kept.layout)
            self._use(kept)

    def _closed(self, now: float) -> Iterator[f.WindowClosed]:
        self._ready()
        assert self._windows is not None
        for span in self._windows.over(self._watch, now=now):
            yield self._windows.closed(span, self._watch)

    def _proven(self, now: float) -> Iterator[f.QualitySeen]:
        self._ready()
        assert self._labels is not None
        return self._labels.proven(self._watch, now=now)

    # --- facts --------------------------------------------------------------------------------------------------

    def _tell(self, facts: Sequence[f.Fact], now: float) -> None:
        self._n = self._world.log.append(stream(self.plan.name), facts, expect=self._n, at=now)
        for fact in facts:
            self._watch.after(fact, now)
        self._told += facts

    def _settle(self, now: float) -> None:
        while actions := self._watch.next(now):
            for action in actions:
                self._tell([self._fact_of(action, now)], now)

    def _fact_of(self, action: Action, now: float) -> f.Fact:
        match action:
            case End(alarm=alarm, why=reason):
                return f.AlarmEnded(monitor=self.plan.name, alarm=alarm.alarm, why=reason)
            case Raise():
                return self._raised(action, now)

    def _raised(self, action: Raise, now: float) -> f.AlarmRaised:
        began = self._watch.began
        assert began is not None
        return f.AlarmRaised(
            monitor=self.plan.name,
            alarm=action.alarm,
            about=action.about,
            says=action.says,
            since_window=action.since_window,
            why=why(self._watch, action, now=now),
            causes=self._causes(action),
            window=action.window,
            version=began.version,
            endpoint=self.plan.endpoint,
            model=began.model,
        )

    def _causes(self, action: Raise) -> tuple[f.Cause, ...]:
        window = self._watch.window(action.window)
        if window is None or window.detail is None or action.about in ("schema", "traffic"):
            return ()
        detail = detail_of(self._world.blobs, window)
        if action.about == "skew":
            return () if detail.skew is None else watch_skew.causes(detail.skew)
        return causes(detail)

    def _looked(self, served: Served | None, now: float, notes: Sequence[str]) -> Looked:
        return Looked(
            monitor=self.plan.name,
            endpoint=self.plan.endpoint,
            facts=tuple(self._told),
            open=tuple(alarm.raised for alarm in self._watch.open_alarms),
            next_at=self._next_at(now),
            version=None if served is None else served.release.version,
            notes=tuple(notes),
        )

    def _next_at(self, now: float) -> float:
        """When the next window may be over, or labels may have come."""
        plan, watch = self.plan, self._watch
        since = watch.current[-1].until if watch.current else (watch.began.since if watch.began is not None else now)
        over_at = since + plan.window_s + GRACE_S
        return next_look(plan, over_at, now, is_proven=bool(watch.quality))
