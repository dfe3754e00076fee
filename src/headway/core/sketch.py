"""What is counted of a span of live predictions: small, of a fixed size, and exactly the same however it is added up.

One sketch is one cell of time of one file of the prediction log: at most an hour and at most 1,000 rows of one version.
All of it is whole numbers, so that adding is exact and in any order. `reference` says what the cells mean;
`stats/sketch` counts and adds; `tables/sketches` reads and writes them.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from headway.errors import Unmeasurable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

N_CELLS = 64
"""Cells of an axis, and of the times."""

UNIT = 2**34
"""A chance of 1 in `sums` and `weights`: whole numbers add up exactly, and each is right to 3e-11."""

N_SUMS = 6


class Sketch(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The predictions of a span of time, counted on a layout.

    `first_at` to `last_at` (UTC seconds) hold all of its requests. `n_requests` are those that this version was given
    by clients (no copies of a shadow); of these `failures` got no answer, by status (400, 500, 503, 504), the others
    answered `n_rows` rows. One that another version answered instead is that one's. `ms` counts answered requests by
    their time, on `ms_edges`. `counts` has a row of 64 for each axis of the layout. Both are bytes of little-endian
    unsigned whole numbers of 4 bytes, or of 8 where `is_wide`.

    Of a classifier of two classes with a calibration `sums` are of the rows that say yes, then of those that say no:
    how many there are, the sum of their chances p, that of p (1 - p). `weights` (little-endian, 8 bytes signed; the
    blocks of the calibration for the rows that say yes, then for those that say no) says how much each block made of
    these chances. Both are in parts of `UNIT`.
    """

    layout: str
    version: int
    first_at: float
    last_at: float
    n_requests: int
    n_rows: int
    counts: bytes
    ms: bytes
    failures: dict[int, int] = {}
    sums: tuple[int, ...] = ()
    weights: bytes = b""
    is_wide: bool = False

    @property
    def n_failed(self) -> int:
        """How many requests got no answer."""
        return sum(self.failures.values())

    @property
    def table(self) -> "npt.NDArray[np.int64]":
        """The counts as numbers; shape `(n_axes, 64)`."""
        from headway.stats.sketch import numbers

        return numbers(self.counts, is_wide=self.is_wide).reshape(-1, N_CELLS)

    @property
    def times(self) -> "npt.NDArray[np.int64]":
        """The counts of times as numbers; shape `(64,)`."""
        from headway.stats.sketch import numbers

        return numbers(self.ms, is_wide=self.is_wide)

    @property
    def blocks(self) -> "npt.NDArray[np.float64]":
        """What each block of the calibration made of the chances, of rows that say yes and no; `(2, n_blocks)`."""
        from headway.stats.sketch import weights_of

        return weights_of(self.weights, is_wide=self.is_wide).reshape(2, -1) / UNIT


def ms_edges() -> tuple[float, ...]:
    """The ends of the cells of times, in milliseconds: 10 a decade from 0.05 ms to 79 s; the first and last are open.

    >>> len(ms_edges()), [round(edge, 4) for edge in ms_edges()[:3]]
    (63, [0.05, 0.0629, 0.0792])
    """
    return tuple(0.05 * 10 ** (i / 10) for i in range(N_CELLS - 1))


def merge(sketches: Sequence[Sketch]) -> Sketch:
    """All of them as one: exact, in any order and grouping.

    Raises Unmeasurable without any, and for sketches of several layouts. 1,000 sketches of 20 features take some 10 ms.
    """
    if not sketches:
        raise Unmeasurable("there is nothing to add up", at="sketches", remedy="wait for predictions")
    first = sketches[0]
    if {one.layout for one in sketches} != {first.layout}:
        raise Unmeasurable(
            "what was counted on one layout cannot be added to what was counted on another",
            at="sketches",
            remedy="count the prediction log again on one layout",
        )
    from headway.stats.sketch import Weights, added, is_too_wide, packed

    widths = [one.is_wide for one in sketches]
    counts, ms = added([one.counts for one in sketches], widths), added([one.ms for one in sketches], widths)
    weights = Weights.added([one.weights for one in sketches], widths)
    is_wide = is_too_wide(counts) or is_too_wide(ms) or weights.is_too_wide
    failures: dict[int, int] = {}
    for one in sketches:
        for status, n in one.failures.items():
            failures[status] = failures.get(status, 0) + n
    return Sketch(
        layout=first.layout,
        version=first.version,
        first_at=min(one.first_at for one in sketches),
        last_at=max(one.last_at for one in sketches),
        n_requests=sum(one.n_requests for one in sketches),
        n_rows=sum(one.n_rows for one in sketches),
        counts=packed(counts, is_wide=is_wide),
        ms=packed(ms, is_wide=is_wide),
        failures=dict(sorted(failures.items())),
        sums=tuple(map(sum, zip(*(one.sums for one in sketches), strict=True))),
        weights=weights.packed(is_wide=is_wide),
        is_wide=is_wide,
    )
