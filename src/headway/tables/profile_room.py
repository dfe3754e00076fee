"""How much may be held of each column of a profile, and how much is told of one."""

from msgspec import Struct

TOP = 50
"""The most frequent values that are told; what a schema lists is no more than this."""

N_PATTERNS = 20


class Room(Struct, frozen=True, kw_only=True):
    """How many different values, and points of ranks, are held of a column: fewer, the more columns there are.

    >>> Room.of(20).held, Room.of(5000).held
    (131072, 4096)
    """

    held: int
    points: int

    @classmethod
    def of(cls, n_columns: int) -> "Room":
        """That of a table with so many columns: some hundreds of megabytes for all together, at the worst."""
        share = max(n_columns, 1)
        return cls(
            held=min(max((1 << 22) // share, 1 << 12), 1 << 17), points=min(max((1 << 23) // share, 1 << 12), 1 << 16)
        )
