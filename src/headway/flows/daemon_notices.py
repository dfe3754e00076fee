"""What people are told of, sent while the daemon has nothing to wait for: `flows/notify` does it, this steps it."""

from collections.abc import Callable
from math import inf

from headway.core import facts as f
from headway.core.daemon import Told
from headway.core.notice import KINDS
from headway.flows.notify import Courier
from headway.ports import Exit

STEP_S = 1.0
"""How soon it is seen that somebody was told, or that it is time to try again."""


class Notices:
    """Steps the courier. Owned by the daemon's loop."""

    __slots__ = ("_courier", "_tell", "_troubles")

    name = ""

    def __init__(self, courier: Courier, *, tell: Callable[[Told], None]) -> None:
        self._courier = courier
        self._tell = tell
        self._troubles: dict[str, str] = {}

    def do(self, now: float) -> float:
        """Send what is due; what keeps somebody from being told is said once."""
        standing = self._courier.step()
        for notifier, trouble in standing.trouble.items():
            if self._troubles.get(notifier) != trouble:
                self._tell(Told(at=now, kind="trouble", says=f"{notifier} cannot be told: {trouble}", about="notify"))
        self._troubles = dict(standing.trouble)
        return now + STEP_S if standing.n_waiting or standing.n_busy or standing.elsewhere else inf

    def after(self, entry: f.Entry) -> bool:
        """Whether somebody may want to be told of a fact."""
        return f.kind_of(entry.fact) in KINDS

    def ended(self, exit_: Exit, now: float) -> bool:  # noqa: ARG002 (no process is its own)
        """Nothing here waits for a process."""
        return False
