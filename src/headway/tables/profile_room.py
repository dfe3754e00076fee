"""How much may be held of each column of a profile, and what is seen of one when all is read."""

from msgspec import Struct

from headway.core.profile import Counted, Histogram, Lengths
from headway.core.validation import Cell

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


class ColumnSeen(Struct, frozen=True, kw_only=True):
    """What `core.profile.ColumnProfile` says of the values; names and meanings are the same."""

    n_nan: int = 0
    n_infinite: int = 0
    n_zero: int = 0
    n_distinct: int = 0
    distinct_error: float = 0.0
    minimum: Cell | None = None
    maximum: Cell | None = None
    mean: float | None = None
    std: float | None = None
    quantiles: dict[str, float] = {}
    histogram: Histogram | None = None
    top: tuple[Counted, ...] = ()
    lengths: Lengths | None = None
    patterns: tuple[Counted, ...] = ()
    is_increasing: bool = False
