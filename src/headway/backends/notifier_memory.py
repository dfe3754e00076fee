"""Notices that are remembered and go nowhere: what the other back-ends are compared with, and for tests."""

from headway.core.courier import Receipt
from headway.core.notice import Notice
from headway.ports import Notifier


class MemoryNotifier:
    """Keeps what it is told in `told`; while there is `trouble`, it gives that back and keeps nothing."""

    __slots__ = ("n_asked", "told", "trouble")

    def __init__(self) -> None:
        self.told: list[Notice] = []
        self.trouble: Receipt | None = None
        self.n_asked = 0

    def send(self, notice: Notice) -> Receipt:
        """Remember it. See `Notifier`."""
        self.n_asked += 1
        if self.trouble is not None:
            return self.trouble
        self.told.append(notice)
        return Receipt()


_: type[Notifier] = MemoryNotifier


def connect(url: str) -> MemoryNotifier:
    """One that remembers nothing yet."""
    del url
    return MemoryNotifier()
