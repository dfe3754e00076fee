"""When a source is looked at: every so often, at once when something changed there, seldom while it cannot be reached.

Neighbours: `flows/events` says what a source is, `flows/event_waker` touches it. Knows no source.
"""

from typing import TypeVar

from headway.errors import HeadwayError

FIRST_PAUSE_S = 5.0
"""After a look that came to nothing the next one waits so long, and twice as long after each further one."""

LONGEST_PAUSE_S = 600.0

AGAIN_S = 10.0
"""What told something is looked at again within so long."""

T = TypeVar("T")

_DOUBLINGS = 10
"""More would not make the pause longer."""


class Pace:
    """The pace of one source: `said` is what it found last, `trouble` what keeps it from looking, or empty.

    `touched` when something changed there, `is_watched` while somebody would tell.
    """

    __slots__ = ("_at", "_n_failed", "_pause_s", "is_watched", "said", "touched", "trouble")

    def __init__(self) -> None:
        """One that was never looked at, and is due."""
        self.said = ""
        self.trouble = ""
        self.touched = False
        self.is_watched = False
        self._at: float | None = None
        self._pause_s = 0.0
        self._n_failed = 0

    def begin(self) -> None:
        """It is being looked at: what changes from now on is another change."""
        self.touched = False

    def well(self, now: float, pause_s: float, said: str) -> None:
        """It was looked at, and is to be looked at again after so long."""
        self._at, self._pause_s, self.said = now, pause_s, said
        self.trouble, self._n_failed = "", 0

    def told(self, events: list[T]) -> list[T]:
        """These events, which it tells: it is looked at again soon, for nobody knows yet whether they were appended."""
        if events:
            self._pause_s = min(self._pause_s, AGAIN_S)
        return events

    def failed(self, now: float, error: HeadwayError, *, least_s: float = FIRST_PAUSE_S) -> None:
        """It could not be looked at: the pause is at least so long, and grows as long as that goes on."""
        pause_s = max(FIRST_PAUSE_S, least_s) * 2 ** min(self._n_failed, _DOUBLINGS)
        self._at, self._pause_s = now, min(pause_s, max(LONGEST_PAUSE_S, least_s))
        self._n_failed += 1
        self.trouble = f"{error.problem} ({error.at})"

    def due_at(self, now: float) -> float:
        """When it is to be looked at: now, when something changed there or the clock was set back since."""
        if self._at is None or self.touched or now < self._at:
            return now
        return self._at + self._pause_s
