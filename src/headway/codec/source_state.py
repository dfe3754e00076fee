"""States of places by short keys: of listings that come in no order, and of what a database answers.

In no more memory than one object or row takes.
"""

from collections.abc import Iterable, Sequence

from blake3 import blake3

from headway.core.source_state import SourceState

_BITS = 256


class Unordered:
    """Takes in texts; `key` is the same for the same texts in any order, each as often.

    >>> one, other = Unordered(), Unordered()
    >>> for text in ("a", "b"): one.add(text)
    >>> for text in ("b", "a"): other.add(text)
    >>> one.key() == other.key() != Unordered().key()
    True
    """

    __slots__ = ("_n", "_sum")

    def __init__(self) -> None:
        self._sum = 0
        self._n = 0

    def add(self, text: str) -> None:
        """Take in one more."""
        # A sum and not an exclusive or: two of the same would else be none.
        digest = blake3(text.encode("utf-8", "surrogateescape")).digest()
        self._sum = (self._sum + int.from_bytes(digest)) % (1 << _BITS)
        self._n += 1

    def key(self) -> str:
        """32 hexadecimal digits for all that was taken in."""
        return blake3(self._sum.to_bytes(_BITS // 8) + self._n.to_bytes(8)).hexdigest(16)


def state_of(rows: Iterable[Sequence[object]]) -> SourceState:
    """The state that rows of an answer name, in whatever order.

    >>> state_of([(7, "a")]).number, state_of([]).n_things
    (7, 0)
    """
    hasher, n, number = Unordered(), 0, None
    for row in rows:
        if n == 0 and row and isinstance(row[0], int) and not isinstance(row[0], bool):
            number = row[0]
        hasher.add(repr(tuple(row)))
        n += 1
    return SourceState(key=hasher.key(), n_things=n, number=number)
