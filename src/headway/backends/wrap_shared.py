"""Leases of a project whose log is shared: those about a working tree lie near it, all others where the log is.

Which are which is said in `core/lease`. Knows no back-end.
"""

from headway.core.lease import is_of_folder
from headway.ports import Leases


class SharedLeases:
    """Leases of this folder in `near`, of the project in `far`."""

    __slots__ = ("_far", "_near")

    def __init__(self, near: Leases, far: Leases) -> None:
        self._near = near
        self._far = far

    def acquire(self, name: str, *, holder: str, ttl_s: float, now: float) -> None:
        """Take the lease. See `Leases`."""
        self._of(name).acquire(name, holder=holder, ttl_s=ttl_s, now=now)

    def renew(self, name: str, *, holder: str, ttl_s: float, now: float) -> None:
        """Keep the lease. See `Leases`."""
        self._of(name).renew(name, holder=holder, ttl_s=ttl_s, now=now)

    def release(self, name: str, *, holder: str) -> None:
        """Give it back. See `Leases`."""
        self._of(name).release(name, holder=holder)

    def holder(self, name: str, *, now: float) -> str | None:
        """Who holds it. See `Leases`."""
        return self._of(name).holder(name, now=now)

    def _of(self, name: str) -> Leases:
        return self._near if is_of_folder(name) else self._far


_: type[Leases] = SharedLeases


def wrap(near: Leases, far: Leases) -> SharedLeases:
    """Both as one."""
    return SharedLeases(near, far)
