"""How often somebody may do something: a bucket each that fills with time, and whose it is. The clock is passed."""

from collections import OrderedDict
from ipaddress import ip_address

from starlette.requests import Request


class Rate:
    """So many at once, and so many a second in the long run, for each of those who ask; others are not told of it.

    It remembers a bounded number of them, those who asked last.

    >>> rate = Rate(most=2, per_s=1.0)
    >>> [rate.take("10.0.0.1", 0.0), rate.take("10.0.0.1", 0.0), rate.take("10.0.0.1", 0.0), rate.take("10.0.0.1", 1.5)]
    [0.0, 0.0, 1.0, 0.0]
    """

    __slots__ = ("_held", "_most", "_per_s")

    REMEMBERED = 4096

    def __init__(self, *, most: int, per_s: float) -> None:
        self._most = most
        self._per_s = per_s
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, who: str, now: float) -> float:
        """The seconds until this one may again; 0.0: now. Nothing is counted."""
        return max(0.0, (1.0 - self._left(who, now)) / self._per_s)

    def take(self, who: str, now: float) -> float:
        """Count one, if it may be; returns as `wait`."""
        left = self._left(who, now)
        if left < 1.0:
            return (1.0 - left) / self._per_s
        self._held[who] = (left - 1.0, now)
        self._held.move_to_end(who)
        if len(self._held) > self.REMEMBERED:
            self._held.popitem(last=False)
        return 0.0

    def _left(self, who: str, now: float) -> float:
        left, at = self._held.get(who, (float(self._most), now))
        # A clock that was set back fills nothing, and takes nothing away.
        return min(float(self._most), left + max(0.0, now - at) * self._per_s)


def asker(request: Request, *, has_proxy: bool) -> str:
    """Whose bucket a request is taken from: the address that it came from.

    Where `web.url` says that there is a proxy (`has_proxy`), on this machine, it is the one that the proxy wrote down
    last, so that nobody out there uses up what others may do.
    """
    peer = request.client.host if request.client else ""
    if not has_proxy:
        return peer
    before = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return before[:64] if before and _is_here(peer) else peer


def _is_here(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
