"""Which values of a column come most often: all of them counted while they are few, else those that stand out.

When more are met than are held, the rarest are let go (Misra and Gries, 1982): the counts of the others may then be
too low, by no more than the most that was let go at once. Knows no tables. Neighbour: `frequencies` does it for checks.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import polars as pl

# Any type of numbers.
Numbers = npt.NDArray[np.generic]
Counts = npt.NDArray[np.int64]

STANDS_OUT = 1e-4
"""Of many values, those that make up less than this share of a batch are not taken in."""


class OftenNumbers:
    """Numbers of one type; `most` are held."""

    __slots__ = ("counts", "is_whole", "most", "n_held", "pieces")

    def __init__(self, most: int) -> None:
        self.most = most
        self.pieces: list[Numbers] = []
        self.counts: list[Counts] = []
        self.n_held = 0
        self.is_whole = True
        """Whether nothing was let go."""

    def add(self, values: Numbers, counts: Counts) -> None:
        """Different numbers, and how often each is there."""
        if len(values) > self.most or not self.is_whole:
            self.is_whole = False
            stands_out = counts > max(1, STANDS_OUT * int(counts.sum()))
            values, counts = values[stands_out], counts[stands_out]
        self.pieces.append(values)
        self.counts.append(counts)
        self.n_held += len(values)
        if self.n_held > 2 * self.most:
            self._gather()
            if self.n_held > self.most:
                self.is_whole = False
                kept = np.sort(np.argsort(-self.counts[0], kind="stable")[: self.most // 2])
                self.pieces, self.counts = [self.pieces[0][kept]], [self.counts[0][kept]]
                self.n_held = len(kept)

    def merge(self, other: "OftenNumbers") -> None:
        """Take in what another has seen."""
        is_whole = other.is_whole
        for values, counts in zip(other.pieces, other.counts, strict=True):
            self.add(values, counts)
        self.is_whole &= is_whole

    def _gather(self) -> None:
        if len(self.pieces) > 1:
            values, at = np.unique(np.concatenate(self.pieces), return_inverse=True)
            counts = np.bincount(at.ravel(), np.concatenate(self.counts), len(values)).astype(np.int64)
            self.pieces, self.counts = [values], [counts]
        self.n_held = sum(map(len, self.pieces))

    def all(self) -> tuple[Numbers, Counts]:
        """What is held, in order of the values."""
        self._gather()
        if not self.pieces:
            return np.empty(0), np.empty(0, dtype=np.int64)
        return self.pieces[0], self.counts[0]

    def first(self, n: int) -> tuple[Numbers, Counts]:
        """The most frequent, most frequent first, and the lesser of two that are alike in that."""
        values, counts = self.all()
        at = np.argsort(-counts, kind="stable")[:n]
        return values[at], counts[at]


class OftenTexts:
    """Texts; `most` are held, in a frame of `value` and `count`."""

    __slots__ = ("is_whole", "most", "n_held", "pieces")

    def __init__(self, most: int) -> None:
        self.most = most
        self.pieces: list[pl.DataFrame] = []
        self.n_held = 0
        self.is_whole = True

    def would_lose(self, found: "pl.DataFrame") -> bool:
        """Whether more might be met with these texts than are held."""
        return found.height > self.most or self.n_held + found.height > 2 * self.most

    def add(self, found: "pl.DataFrame") -> None:
        """Different texts, and how often each is there."""
        import polars as pl

        if found.height > self.most or not self.is_whole:
            self.is_whole = False
            found = found.filter(pl.col("count") > max(1, STANDS_OUT * int(found["count"].sum())))
        self.pieces.append(found)
        self.n_held += found.height
        if self.n_held > 2 * self.most:
            whole = self.all()
            if whole.height > self.most:
                self.is_whole = False
                whole = whole.top_k(self.most // 2, by="count")
            self.pieces, self.n_held = [whole], whole.height

    def merge(self, other: "OftenTexts") -> None:
        """Take in what another has seen."""
        for piece in other.pieces:
            self.add(piece)
        self.is_whole &= other.is_whole

    def all(self) -> "pl.DataFrame":
        """What is held, in any order."""
        import polars as pl

        if not self.pieces:
            return pl.DataFrame(schema={"value": pl.String, "count": pl.Int64})
        if len(self.pieces) > 1:
            self.pieces = [pl.concat(self.pieces).group_by("value").agg(pl.col("count").sum())]
        return self.pieces[0]

    def first(self, n: int) -> "pl.DataFrame":
        """The most frequent, most frequent first, and the lesser of two that are alike in that."""
        whole = self.all()
        if whole.height > 4 * n:
            least = whole["count"].top_k(n).min()
            whole = whole.filter(whole["count"] >= least)
        return whole.sort(["count", "value"], descending=[True, False]).head(n)
