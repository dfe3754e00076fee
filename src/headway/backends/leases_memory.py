"""Leases in memory: `memory:`. For tests and trials; they end when their time is over."""

from headway.errors import LeaseHeld
from headway.ports import Leases


class MemoryLeases:
    """Leases that live as long as this object."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[str, tuple[str, float]] = {}

    def acquire(self, name: str, *, holder: str, ttl_s: float, now: float) -> None:
        """Take the lease. See `Leases`."""
        other = self.holder(name, now=now)
        if other is not None and other != holder:
            raise _held(name, other)
        self._held[name] = (holder, now + ttl_s)

    def renew(self, name: str, *, holder: str, ttl_s: float, now: float) -> None:
        """Keep the lease. See `Leases`."""
        other = self.holder(name, now=now)
        if other != holder:
            raise _held(name, other or "")
        self._held[name] = (holder, now + ttl_s)

    def release(self, name: str, *, holder: str) -> None:
        """Give it back. See `Leases`."""
        if name in self._held and self._held[name][0] == holder:
            del self._held[name]

    def holder(self, name: str, *, now: float) -> str | None:
        """Who holds it. See `Leases`."""
        holder, until = self._held.get(name, ("", now))
        return holder if until > now else None


_: type[Leases] = MemoryLeases


def connect(_url: str) -> MemoryLeases:
    """New leases; nobody holds any."""
    return MemoryLeases()


def _held(name: str, holder: str) -> LeaseHeld:
    return LeaseHeld(
        f"{name} is held by {holder}" if holder else f"{name} is held by nobody any more",
        at=f"lease: {name}",
        remedy="wait until it is done, or take it anew",
        holder=holder,
    )
