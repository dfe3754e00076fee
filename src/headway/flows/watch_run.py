"""Monitors that look for ever: each when it is due, and again more seldom while it cannot.

What `headway up` starts. It sees from outside (`watch_news`) which monitors have anything to judge, and has those
judged together: here (`watch_here`), or in a process that ends (`watch_apart`), so that this one stays small.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf

from msgspec import Struct

from headway.core.monitor_grammar import Plan
from headway.errors import HeadwayError
from headway.flows.delivery import Delivery
from headway.flows.labels import Swept
from headway.flows.watch_news import Looked, News, Outlook

FIRST_PAUSE_S = 10.0
LONGEST_PAUSE_S = 1800.0
"""After a pass that failed the next one comes so long after, and twice as long after each further one."""

ROUND_S = 30.0
"""So often it is seen whether the files say something else now."""

PATIENCE = 20.0
"""Where it may be in vain, monitors are judged again after so many times the processor's time that it took."""

Plans = Callable[[], Mapping[str, Plan]]
"""The monitors that are to look now, by name: asked again each round, since files change."""


class Heard(Struct, frozen=True, kw_only=True):
    """What came of one pass: what it came to, or why it could not be done; and of the labels that had arrived."""

    monitor: str
    looked: Looked | None = None
    trouble: HeadwayError | None = None
    swept: Swept | None = None


Judge = Callable[[Sequence[Plan], float], Iterable[Heard]]
"""Lets these monitors look now. Those of which it tells nothing were not reached: they are asked for again."""


class _Due(Struct):
    """One monitor as it is seen from outside, when it looks next, and how often it failed in a row."""

    outlook: Outlook
    at: float = -inf
    n_failed: int = 0


class Rounds:
    """All monitors of a project; the labels that arrive for one are taken into its log before it looks."""

    __slots__ = ("_due", "_judge", "_not_before", "_now", "_plans", "_world")

    def __init__(self, world: Delivery, plans: Plans, judge: Judge) -> None:
        self._world = world
        self._plans = plans
        self._judge = judge
        self._due: dict[str, _Due] = {}
        self._now = self._not_before = -inf

    def do(self, now: float) -> Sequence[Heard]:
        """Let all that are due look, once. Raises nothing that is about one monitor alone."""
        self._take_up(self._plans())
        if now < self._now:
            # The clock was set back: what was to be done later is looked at now.
            self._not_before = -inf
            for one in self._due.values():
                one.at = now
        self._now = now
        heard: list[Heard] = []
        seen: dict[str, News] = {}
        for name, one in self._due.items():
            if one.at <= now:
                self._see(name, one, seen, heard)
        if any(news.is_sure for news in seen.values()) or now >= self._not_before:
            heard += self._judged(seen, now)
        else:
            heard += [Heard(monitor=name, looked=news.looked) for name, news in seen.items()]
        return heard

    def next_at(self, now: float) -> float:
        """When to do it again, in UTC seconds."""
        return min([now + ROUND_S, *(max(one.at, now + 1.0) for one in self._due.values())])

    def _take_up(self, plans: Mapping[str, Plan]) -> None:
        for name, plan in plans.items():
            if name not in self._due or self._due[name].outlook.plan != plan:
                self._due[name] = _Due(outlook=Outlook(self._world, plan))
        for name in self._due.keys() - plans.keys():
            del self._due[name]

    def _see(self, name: str, one: _Due, seen: dict[str, News], heard: list[Heard]) -> None:
        try:
            news = one.outlook.look(self._now)
        except HeadwayError as e:
            heard.append(self._failed(name, one, e))
            return
        one.at = news.looked.next_at
        if news.signs:
            seen[name] = news
        else:
            one.n_failed = 0
            heard.append(Heard(monitor=name, looked=news.looked))

    def _judged(self, seen: Mapping[str, News], now: float) -> list[Heard]:
        if not seen:
            return []
        began_at = _processor_s()
        told: list[Heard] = []
        for name in seen:
            self._due[name].at = now
        for heard in self._judge([self._due[name].outlook.plan for name in seen], now):
            one = self._due[heard.monitor]
            if heard.looked is None:
                assert heard.trouble is not None
                told.append(self._failed(heard.monitor, one, heard.trouble))
                continue
            one.n_failed, one.at = 0, heard.looked.next_at
            one.outlook.judged(seen[heard.monitor], heard.swept, heard.looked.notes)
            told.append(heard)
        # What was sure to be needed spends nothing of what may be spent in vain: the reference of a new version alone
        # would have labels wait for five minutes.
        if not any(news.is_sure for news in seen.values()):
            self._not_before = now + PATIENCE * (_processor_s() - began_at)
        return told

    def _failed(self, name: str, one: _Due, trouble: HeadwayError) -> Heard:
        pause_s = min(FIRST_PAUSE_S * 2 ** min(one.n_failed, 16), LONGEST_PAUSE_S)
        one.n_failed += 1
        one.at = self._now + pause_s
        return Heard(monitor=name, trouble=trouble)


def _processor_s() -> float:
    """What this process and those that it waited for took until now."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system
