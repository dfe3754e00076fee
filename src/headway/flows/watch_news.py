"""Whether there is anything for a monitor to judge: its facts, the clock, and names and sizes of files; no numbers.

So a process that looks after a hundred monitors for ever stays small: it imports nothing that reckons, and remembers no
window. Neighbours: `watch` judges, `watch_run` lets it, in a process that ends (`watch_apart`).
"""

import math
from collections.abc import Sequence

from msgspec import Struct

from headway.core import facts as f
from headway.core.monitor_grammar import HOUR_S, Plan
from headway.core.watch import Watch
from headway.core.watch_due import Due
from headway.core.watch_spans import GRACE_S
from headway.errors import TargetUnavailable
from headway.flows.delivery import Delivery
from headway.flows.labels import Seen, Sweep, Swept
from headway.flows.predictions import files_of, folder_of
from headway.flows.settle import fold
from headway.flows.watch_served import Endpoint, Served, key_of
from headway.ports import Log

SOON_S = 20.0
"""How long to wait before it is seen again whether a window of rows may be full, or labels may have come."""

LATEST_S = 300.0
"""However long its window is, so often a monitor sees whether another version serves."""


class Looked(Struct, frozen=True, kw_only=True):
    """What a pass came to: what is new, when to look again (UTC seconds), and what could not be done, in words.

    `version` is the one that is watched, None where nothing serves.
    """

    monitor: str
    endpoint: str
    facts: tuple[f.Fact, ...] = ()
    open: tuple[f.AlarmRaised, ...] = ()
    next_at: float = 0.0
    version: int | None = None
    notes: tuple[str, ...] = ()


def read(log: Log, name: str) -> Watch:
    """A monitor as the log tells it."""
    watch = Watch()
    fold(watch, log=log, stream=stream(name))
    return watch


def stream(name: str) -> str:
    """The log's stream of a monitor."""
    return f"monitor/{name}"


def names(log: Log) -> tuple[str, ...]:
    """The names of all monitors that ever watched anything, in order."""
    found = (entry.fact for entry in log.scan(["MonitorBegan"]))
    return tuple(sorted({fact.monitor for fact in found if isinstance(fact, f.MonitorBegan)}))


def nothing_serves(endpoint: Endpoint) -> str:
    """That there is nothing to watch, in words."""
    was = "anything serves there again" if endpoint.was_up else "something is released there"
    return f"nothing serves at {endpoint.name}; it is watched when {was}"


class News(Struct, frozen=True, kw_only=True):
    """What a look from outside came to. `is_sure`: a window is over, or another version serves; else it may be in vain.

    `signs` name all that was seen, empty where there is nothing to judge; `files` are the labels that arrived.
    """

    looked: Looked
    signs: tuple[object, ...] = ()
    is_sure: bool = False
    files: tuple[Seen, ...] = ()


class Outlook:
    """One monitor as it is seen from outside. Owned by one loop."""

    __slots__ = ("_due", "_endpoint", "_folder", "_judged", "_n", "_notes", "_plan", "_sweep", "_world")

    def __init__(self, world: Delivery, plan: Plan) -> None:
        self._world = world
        self._plan = plan
        self._folder = folder_of(world.home, plan.endpoint)
        self._endpoint = Endpoint(world.log, plan.endpoint)
        self._sweep = Sweep(world, plan) if plan.labels else None
        self._due = Due()
        self._n = 0
        self._judged: tuple[object, ...] = ()
        self._notes: tuple[str, ...] = ()

    @property
    def plan(self) -> Plan:
        """How it was described."""
        return self._plan

    def look(self, now: float) -> News:
        """See what is new. Some hundred microseconds. Raises LogTrouble."""
        for entry in self._world.log.read(stream(self._plan.name), after=self._n):
            self._due.after(entry.fact)
            self._n += 1
        files = () if self._sweep is None else tuple(self._sweep.new())
        served = self._endpoint.look()
        if served is None:
            signs: tuple[object, ...] = files and (files,)
            return self._news(now, None, [nothing_serves(self._endpoint)], files, signs=signs)
        notes = collected(self._world, served, self._plan.endpoint)
        began = self._due.began
        key = key_of(self._plan, served)
        if began is None or began.key != key:
            return self._news(now, served, notes, files, signs=(key, files), is_sure=True)
        over_at = self._due.window_at(self._plan)
        # Whether a window that is over is judged shows in the facts: then the next one is waited for.
        is_over = over_at is not None and now >= over_at
        signs = (*((over_at,) if is_over else ()), *self._logged(now, knows_end=over_at is not None), *files)
        return self._news(now, served, notes, files, signs=signs, is_sure=is_over)

    def _logged(self, now: float, *, knows_end: bool) -> tuple[object, ...]:
        """What was logged since, where that tells whether there is anything to judge."""
        # Cells of an hour that is over are full, though nothing is written any more.
        told: list[object] = [] if knows_end else [math.floor((now - GRACE_S) / HOUR_S)]
        if self._plan.window_rows:
            told.append(files_of(self._folder, "predictions"))
        waiting = self._due.waits(self._plan, now)
        if waiting and (labels := files_of(self._folder, "labels")):
            told += [waiting, labels]
        return tuple(told)

    def judged(self, news: News, swept: Swept | None, notes: Sequence[str]) -> None:
        """Take in that what was seen has been judged; `notes` hold until something is judged again."""
        self._judged = news.signs
        self._notes = tuple(notes)
        if self._sweep is not None and swept is not None:
            self._sweep.told(news.files, swept)

    def _news(
        self,
        now: float,
        served: Served | None,
        notes: Sequence[str],
        files: tuple[Seen, ...],
        *,
        signs: tuple[object, ...],
        is_sure: bool = False,
    ) -> News:
        looked = Looked(
            monitor=self._plan.name,
            endpoint=self._plan.endpoint,
            open=tuple(self._due.open.values()),
            next_at=self._next_at(now),
            version=None if served is None else served.release.version,
            notes=tuple(dict.fromkeys((*notes, *self._notes))),
        )
        is_new = bool(signs) and signs != self._judged
        return News(looked=looked, signs=signs if is_new else (), is_sure=is_sure, files=files)

    def _next_at(self, now: float) -> float:
        over_at = self._due.window_at(self._plan)
        return next_look(self._plan, over_at, now, is_proven=self._due.is_proven)


def next_look(plan: Plan, over_at: float | None, now: float, *, is_proven: bool) -> float:
    """When the next window, which ends at `over_at`, may be over, or labels may have come (UTC seconds)."""
    if not plan.window_s or is_proven or plan.labels:
        return now + SOON_S
    return min(max(over_at or 0.0, now + SOON_S), now + LATEST_S)


def collected(world: Delivery, served: Served, endpoint: str) -> list[str]:
    """Bring here what was logged elsewhere; gives what could not be brought, in words.

    That is brought at the next look; what is here can be judged.
    """
    try:
        return list(world.target(served.release.target).collect(endpoint))
    except TargetUnavailable as e:
        return [e.problem]
