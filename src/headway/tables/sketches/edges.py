"""What may stand twice in a log: the entries at the two ends of a file, by short keys.

A writer that is killed may have written a batch that it had not confirmed, and its successor writes it again at the
beginning of a file of its own (`serving/record`). So one file's last entries can be another's first, and no others.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from msgspec import Struct

EDGE_S = 5.0
"""How much time an end covers: a batch is sent after a tenth of a second, or when a held-up server comes to it."""

MOST_KEYS = 21_000
"""How many entries an end has at most: as many as a full batch (`record.FLUSH_BYTES` of `record.ENTRY_BYTES`)."""

KEY_BYTES = 8

Entry = tuple[str, float]
"""An entry's request and time."""


class Edge(Struct, frozen=True, array_like=True):
    """The entries at one end of a file: between when they were, and 8 bytes for each."""

    first_at: float = 0.0
    last_at: float = 0.0
    keys: bytes = b""

    @property
    def key_set(self) -> frozenset[bytes]:
        """The keys, each by itself."""
        return frozenset(self.keys[at : at + KEY_BYTES] for at in range(0, len(self.keys), KEY_BYTES))

    def meets(self, other: "Edge") -> bool:
        """Whether entries of both may be of the same time."""
        return bool(self.keys and other.keys) and self.first_at <= other.last_at and other.first_at <= self.last_at


def key(request_id: str, at: float) -> bytes:
    """What makes an entry one with another, in 8 bytes."""
    return blake2b(f"{at!r} {request_id}".encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()


class Ends:
    """Both ends of a file that grows. One owner."""

    __slots__ = ("_head", "_is_head_full", "_tail", "n_entries")

    def __init__(self) -> None:
        self._head: list[tuple[float, bytes]] = []
        self._is_head_full = False
        self._tail: deque[tuple[float, bytes]] = deque(maxlen=MOST_KEYS)
        self.n_entries = 0

    def add(self, entries: Sequence[Entry]) -> None:
        """Note the next entries of the file, in their order; only those at its ends are kept."""
        if not entries:
            return
        self.n_entries += len(entries)
        if not self._is_head_full:
            self._begin(entries)
        ends_at = entries[-1][1] - EDGE_S
        # Of many only the last ones; what is disordered by more than that is of no other file's beginning.
        last = entries[-MOST_KEYS:]
        begins = next((i for i in range(len(last), 0, -1) if last[i - 1][1] < ends_at), 0)
        if begins:
            self._tail.clear()
        self._tail.extend((at, key(request_id, at)) for request_id, at in last[begins:])
        while self._tail[0][0] < ends_at:
            self._tail.popleft()

    def _begin(self, entries: Sequence[Entry]) -> None:
        ends_at = (self._head[0][0] if self._head else entries[0][1]) + EDGE_S
        for request_id, at in entries:
            if at > ends_at or len(self._head) >= MOST_KEYS:
                self._is_head_full = True
                return
            self._head.append((at, key(request_id, at)))

    @property
    def head(self) -> Edge:
        """The first entries."""
        return _edge(self._head)

    @property
    def tail(self) -> Edge:
        """The last entries."""
        return _edge(self._tail)


def _edge(entries: Iterable[tuple[float, bytes]]) -> Edge:
    times, keys = [], []
    for at, own in entries:
        times.append(at)
        keys.append(own)
    return Edge(min(times), max(times), b"".join(keys)) if times else Edge()
