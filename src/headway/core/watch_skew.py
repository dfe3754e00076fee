"""Whether features are served as they are made offline: of each column the share of rows that differ.

A column counts if more rows differ than `tolerate`, beyond chance with all columns looked at, at the level that the
window may spend. Rows are those of different requests and keys, so that each tells for itself. Neighbours:
`flows/watch_skew` has features made anew, `core/watch_drift` asks whether values move.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from scipy import special

from headway.core.facts import Cause, Reading
from headway.core.watch_detail import Skewed, SkewedColumn, SkewedRow
from headway.core.watch_words import DIFFERS, differs, told_of
from headway.stats.interval import clopper_pearson
from headway.stats.shift import holm

Floats = npt.NDArray[np.float64]

MOST_COLUMNS = 3
"""So many columns are in a headline; all of them are in the detail."""


class Tried(Struct, frozen=True, kw_only=True):
    """One column: of so many rows so many differ, by so much at the middle (None: no numbers), some of them shown."""

    of: str
    n_differ: int
    by: float | None = None
    examples: tuple[SkewedRow, ...] = ()


def skewed(columns: Sequence[Tried], *, n_rows: int, n_asked: int, tolerate: float, alpha: float) -> Skewed:
    """What was compared of a window, the columns of which most rows differ first; `n_rows` of `n_asked` were made anew.

    >>> found = skewed([Tried(of="age", n_differ=0), Tried(of="visits", n_differ=40, by=2.0)],
    ...     n_rows=200, n_asked=200, tolerate=0.01, alpha=0.001)
    >>> [one.of for one in found.columns if one.is_beyond]
    ['visits']
    >>> found.columns[0].words
    'visits was served otherwise than it is made anew in 20 % of rows (14.7 to 26.2 %), by 2 at the middle'
    """
    if not n_rows or not columns:
        return Skewed(n_asked=n_asked, n_rows=n_rows, tolerated=tolerate)
    hits = np.array([one.n_differ for one in columns], dtype=np.float64)
    p = holm(_chances(hits, n_rows, tolerate))
    found = [_column(one, n_rows, float(at), tolerate, alpha) for one, at in zip(columns, p, strict=True)]
    ranked = sorted(found, key=lambda one: (not one.is_beyond, -one.share))
    return Skewed(n_asked=n_asked, n_rows=n_rows, tolerated=tolerate, columns=tuple(ranked))


def _chances(hits: Floats, n: int, limit: float) -> Floats:
    """The chance of so many or more of n where the share is the limit; exact."""
    tails = special.betainc(np.maximum(hits, 1), n - hits + 1, limit)
    return np.asarray(np.where(hits > 0, tails, 1.0), dtype=np.float64)


def _column(one: Tried, n: int, p: float, tolerate: float, alpha: float) -> SkewedColumn:
    share = one.n_differ / n
    between = clopper_pearson(one.n_differ, n)
    return SkewedColumn(
        of=one.of,
        n_differ=one.n_differ,
        share=share,
        low=between.low,
        high=between.high,
        p=p,
        by=one.by,
        examples=one.examples,
        is_beyond=p <= alpha and share > tolerate,
        words=differs(one.of, share, (between.low, between.high), one.by) if one.n_differ else "",
    )


def readings(found: Skewed | None) -> tuple[Reading, ...]:
    """How many rows differ in the column that differs most, in any case; and each column that counts, up to three."""
    if found is None or not found.columns:
        return ()
    beyond = [one for one in found.columns if one.is_beyond][:MOST_COLUMNS]
    return tuple(
        Reading(
            of=one.of,
            measure=DIFFERS,
            value=one.share,
            about="skew",
            low=one.low,
            high=one.high,
            usual_high=found.tolerated,
            p=one.p,
            is_beyond=one.is_beyond,
        )
        for one in (beyond or found.columns[:1])
    )


def causes(found: Skewed) -> tuple[Cause, ...]:
    """Of each column that counts what was served and what it is, by examples."""
    told = []
    for one in [one for one in found.columns if one.is_beyond][:MOST_COLUMNS]:
        rows = "; ".join(
            f"request {row.request_id} was served {row.served}, made anew it is {row.anew}" for row in one.examples
        )
        by = "" if one.by is None else f", by {told_of(one.by)} at the middle"
        told.append(
            Cause(
                of=one.of, moved=one.share, words=f"{one.of} in {one.n_differ:,} of {found.n_rows:,} rows{by}: {rows}"
            )
        )
    return tuple(told)
