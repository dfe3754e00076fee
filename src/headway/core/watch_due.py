"""When a monitor has something to judge: told by its facts and the clock, without a look at what was logged.

Small and quick: whoever looks after a hundred monitors keeps one of these for each and no window of them. Neighbours:
`watch` is the whole machine, `watch_spans` says which windows are over once there are cells.
"""

from collections import deque

from headway.core import facts as f
from headway.core.monitor_grammar import DAY_S, Plan
from headway.core.watch_spans import GRACE_S, end_after

HORIZON_S = 35 * DAY_S
HORIZON_DELAYS = 3.0
"""Labels are waited for so long after a window, or for so many times their delay."""


def waits_for_labels(until: float, plan: Plan, now: float) -> bool:
    """Whether labels of a window that ended at `until` have had their time, and are still waited for."""
    return until + plan.delay_s <= now <= until + max(HORIZON_S, HORIZON_DELAYS * plan.delay_s)


class Due:
    """What of a monitor's facts says when it has to be looked at. Owned by one loop."""

    __slots__ = ("_ends", "_is_empty", "_until", "began", "is_proven", "open")

    def __init__(self) -> None:
        self.began: f.MonitorBegan | None = None
        """How the version that answers now is watched."""
        self.open: dict[int, f.AlarmRaised] = {}
        """The alarms that did not end, by their number."""
        self.is_proven = False
        """Whether labels ever proved anything."""
        self._until = 0.0
        self._is_empty = False
        self._ends: deque[float] = deque()

    def after(self, fact: f.Fact) -> None:
        """Take in what happened."""
        match fact:
            case f.MonitorBegan():
                self.began, self._until, self._is_empty = fact, fact.since, False
            case f.WindowClosed():
                self._until, self._is_empty = fact.until, not fact.n_requests
                if fact.n_rows:
                    self._ends.append(fact.until)
            case f.QualitySeen():
                self.is_proven = True
            case f.AlarmRaised():
                self.open[fact.alarm] = fact
            case f.AlarmEnded():
                self.open.pop(fact.alarm, None)
            case _:
                pass

    def window_at(self, plan: Plan) -> float | None:
        """When the next window of time is over; None where only what was logged can tell.

        So it is with windows of so many rows, and with those behind one in which nothing was asked.
        """
        if not plan.window_s or self._is_empty:
            return None
        return end_after(self._until + plan.window_s / 2, plan.window_s) + GRACE_S

    def waits(self, plan: Plan, now: float) -> float:
        """The end of the newest window that labels may be about by now; 0 where there is none."""
        keep = max(HORIZON_S, HORIZON_DELAYS * plan.delay_s)
        while self._ends and self._ends[0] + keep < now:
            self._ends.popleft()
        return max((end for end in self._ends if waits_for_labels(end, plan, now)), default=0.0)
