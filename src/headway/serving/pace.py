"""Whether a model is quick enough to be asked on the event loop, as it has shown so far.

On the loop the wall clock counts, since that is how long nobody else is answered. In the thread it cannot: what is
measured there holds the wait for the interpreter's lock, which a busy loop keeps for milliseconds, so that a quick
model under load would look slow for ever. There the thread's processor time counts; a model that waits for something
else takes little of it, is tried on the loop, found slow, and tried ever more rarely.
"""

QUICK_S = 0.001
"""A model that needs less for a batch is quick: a thread would cost more than it."""

HANGS_S = 0.05
"""A batch on the loop that takes this long ends its being quick at once."""

SLOW_IN_A_ROW = 4
"""Batches on the loop that must be slow, one after the other: a busy machine sets any of them aside for a while."""

FIRST_TRY = 8
LAST_TRY = 4096
"""Batches in the thread that must be quick, one after the other, before the loop is tried: at first, and at most."""

SETTLED = 64
"""Batches on the loop after which earlier failures are forgotten."""


class Pace:
    """How one model did. A model is slow until it has shown that it is not."""

    __slots__ = ("_n_needed", "_n_quick", "_n_slow", "is_quick")

    def __init__(self) -> None:
        self.is_quick = False
        self._n_quick = 0
        self._n_slow = 0
        self._n_needed = FIRST_TRY

    def on_loop(self, wall_s: float) -> None:
        """A batch took so long on the loop."""
        if wall_s < QUICK_S:
            self._n_slow = 0
            self._n_quick += 1
            if self._n_quick == SETTLED:
                self._n_needed = FIRST_TRY
            return
        self._n_slow += 1
        if self._n_slow >= SLOW_IN_A_ROW or wall_s >= HANGS_S:
            self.is_quick = False
            self._n_quick = self._n_slow = 0
            self._n_needed = min(2 * self._n_needed, LAST_TRY)

    def in_thread(self, cpu_s: float) -> None:
        """A batch took so much processor time of the thread."""
        self._n_quick = self._n_quick + 1 if cpu_s < QUICK_S else 0
        if self._n_quick >= self._n_needed:
            self.is_quick = True
            self._n_quick = self._n_slow = 0
