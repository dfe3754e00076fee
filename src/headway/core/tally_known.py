"""What a tally remembers of requests and labels: what was counted already, and for a while, what lacks its other half.

All of it is bounded. Mutable, owned by one `core/tally.Tally`.
"""

from typing import Generic, TypeVar

RECENT_S = 60.0
"""So long a request's id is remembered at least: who tries again does so within it."""

MOST_RECENT = 100_000
"""And so many ids are, of each version, where more come in that time."""

MOST_HALVES = 20_000
"""So many answers of a shadow's requests wait for the other version's; the one that has waited longest makes room."""

MOST_CASES = 50_000
"""So many requests' labels wait for the requests."""

MOST_LABELS = 16_000_000
"""So many labels are told apart; what comes later is not counted: by then the evidence is what it can be."""

_LOOSE = 65_536

Half = TypeVar("Half")


class Recent:
    """The ids of requests that were counted lately."""

    __slots__ = ("_before", "_now", "_since")

    def __init__(self) -> None:
        self._now: set[str] = set()
        self._before: set[str] = set()
        self._since = 0.0

    def is_new(self, request_id: str, at: float) -> bool:
        """Whether it was not counted; from now on it is. `at`: how late it is, in seconds."""
        if request_id in self._now or request_id in self._before:
            return False
        self._now.add(request_id)
        if len(self._now) >= MOST_RECENT or (at - self._since > RECENT_S and len(self._now) >= MOST_RECENT // 100):
            self._before, self._now, self._since = self._now, set(), at
        return True


class Labelled:
    """The rows whose labels were counted: eight bytes each."""

    __slots__ = ("_loose", "_packed")

    def __init__(self) -> None:
        import numpy as np

        self._loose: set[int] = set()
        self._packed = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._loose) + len(self._packed)

    @property
    def is_full(self) -> bool:
        """Whether no more are told apart."""
        return len(self) >= MOST_LABELS

    def is_new(self, request_id: str, row: int) -> bool:
        """Whether this row's label was not counted; from now on it is."""
        key = hash((request_id, row))
        if key in self._loose or self._is_packed(key):
            return False
        self._loose.add(key)
        if len(self._loose) >= _LOOSE:
            self._pack()
        return True

    def _is_packed(self, key: int) -> bool:
        if not len(self._packed):
            return False
        i = int(self._packed.searchsorted(key))
        return i < len(self._packed) and int(self._packed[i]) == key

    def _pack(self) -> None:
        import numpy as np

        more = np.fromiter(self._loose, dtype=np.int64, count=len(self._loose))
        self._packed = np.sort(np.concatenate([self._packed, more]))
        self._loose.clear()


class Waiting(Generic[Half]):
    """What waits for its other half, by the id of its request, the longest waiting first."""

    __slots__ = ("_all", "_most")

    def __init__(self, most: int) -> None:
        self._all: dict[str, Half] = {}
        self._most = most

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._all

    def put(self, request_id: str, half: Half) -> None:
        """Wait from now on; or go on waiting, with something else."""
        self._all[request_id] = half

    def get(self, request_id: str) -> Half | None:
        """What waits there."""
        return self._all.get(request_id)

    def pop(self, request_id: str) -> Half | None:
        """What waited there and does no longer."""
        return self._all.pop(request_id, None)

    def given_up(self) -> list[Half]:
        """What makes too many: gone from here."""
        gone = []
        while len(self._all) > self._most:
            gone.append(self._all.pop(next(iter(self._all))))
        return gone
