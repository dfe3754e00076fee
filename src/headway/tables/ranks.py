"""What stands at which rank in a column of numbers, from a few thousand of them: quantiles, and histograms to look at.

Each batch is sorted and leaves the middles of a thousand equal parts, so that no rank is off by more than half of such
a part; summaries are joined by joining their points. Columns of few different values are exact. Knows no tables.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from headway.core.profile import Histogram

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

PARTS = 1024
"""A rank is off by one in 2,048 rows at most; joining adds one in 16,384 and less."""

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BINS = 20

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
_TIMES = (1.0, 5.0, 15.0, 30.0)
_STEPS_S = (
    *_TIMES,
    *(step * _MINUTE for step in _TIMES),
    *(step * _HOUR for step in (1, 3, 6, 12)),
    *(step * _DAY for step in (1, 2, 7, 14, 28, 91, 182, 365, 730, 1826, 3652, 9131, 18262, 36525)),
)


class Ranks:
    """Points in order, each with how many numbers it stands for; `most` are kept."""

    __slots__ = ("most", "n", "n_pending", "points", "weights")

    def __init__(self, most: int) -> None:
        self.most = max(most, 4 * PARTS)
        self.points: list[Floats] = []
        self.weights: list[Counts] = []
        self.n_pending = 0
        self.n = 0

    def add(self, values: Floats, counts: Counts) -> None:
        """Different numbers in order, and how often each is there."""
        if len(values) > PARTS:
            values, counts = _thinned(values, counts, PARTS)
        self._take(values, counts)

    def merge(self, other: "Ranks") -> None:
        """Take in what another has seen."""
        for points, weights in zip(other.points, other.weights, strict=True):
            self._take(points, weights)

    def _take(self, points: Floats, weights: Counts) -> None:
        self.points.append(points)
        self.weights.append(weights)
        self.n += int(weights.sum())
        self.n_pending += len(points)
        if self.n_pending > self.most:
            self._gather()
            points, weights = self.points[0], self.weights[0]
            if len(points) > self.most // 2:
                points, weights = _thinned(points, weights, self.most // 4)
            self.points, self.weights, self.n_pending = [points], [weights], len(points)

    def _gather(self) -> None:
        if len(self.points) < 2:
            return
        points, at = np.unique(np.concatenate(self.points), return_inverse=True)
        weights = np.bincount(at.ravel(), np.concatenate(self.weights), len(points)).astype(np.int64)
        self.points, self.weights = [points], [weights]

    def scaled(self, factor: float) -> "Ranks":
        """The same in another unit; the factor is above 0."""
        found = Ranks(self.most)
        for points, weights in zip(self.points, self.weights, strict=True):
            found._take(points * factor, weights)
        return found

    def quantiles(self) -> dict[str, float]:
        """The numbers at the usual quantiles: the least that so many are not above."""
        if not self.n:
            return {}
        self._gather()
        up_to = np.cumsum(self.weights[0])
        at = np.searchsorted(up_to, [math.ceil(q * self.n) for q in QUANTILES])
        return {f"{q:g}": float(self.points[0][i]) for q, i in zip(QUANTILES, at, strict=True)}

    def below(self, edges: Sequence[float]) -> Counts:
        """How many numbers are less than each edge."""
        self._gather()
        up_to = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(self.weights[0])))
        found: Counts = up_to[np.searchsorted(self.points[0], edges, side="left")]
        return found

    def histogram(self, least: float, most: float, *, is_whole: bool, is_time: bool) -> Histogram | None:
        """Counts between round edges; what lies far outside of the middle is in a bin of its own at either end."""
        if not self.n or not math.isfinite(most - least):
            return None
        found = self.quantiles()
        low, high = _middle(found, least, most)
        width = (high - low) or (1.0 if is_whole or not high else abs(high))
        # Rice's rule while there are few rows.
        width_of_bin = width / min(max(math.ceil(2 * self.n ** (1 / 3)), BINS // 4), BINS)
        if width_of_bin <= max(1e-12 * max(abs(low), abs(high)), 1e-290):
            # Too close to each other, or to 0, for round numbers between them.
            edges = [least, most if most > least else math.nextafter(least, math.inf)]
            return Histogram(edges=tuple(edges), counts=(self.n,))
        step = next((s for s in _STEPS_S if is_time and s >= width_of_bin), None) or _round(width_of_bin)
        step = max(step, 1.0) if is_whole else step
        first = math.floor(low / step)
        n = max(math.floor(high / step) + 1 - first, 1)
        edges = [_clean((first + i) * step, step) for i in range(n + 1)]
        if not is_whole and n > 1 and edges[-2] == most:
            # The last bin has both its ends.
            edges.pop()
        edges = ([least] if least < edges[0] else []) + edges + ([most] if most > edges[-1] else [])
        counts = np.diff(np.concatenate((self.below(edges[:-1]), [self.n])))
        return Histogram(edges=tuple(edges), counts=tuple(counts.tolist()))


def _thinned(points: Floats, weights: Counts, n: int) -> tuple[Floats, Counts]:
    """The middles of n parts of equal weight; at either end the parts halve, so that little stays little there.

    What weighs more than a part keeps what it weighs, but for a part.
    """
    up_to = np.cumsum(weights)
    n_rows = int(up_to[-1])
    halves = n_rows / n / 2.0 ** np.arange(1, max(int(np.log2(max(n_rows / n, 1))), 1) + 1)
    ends = np.concatenate((np.zeros(1), halves[::-1], np.linspace(0, n_rows, n + 1)[1:-1], n_rows - halves, [n_rows]))
    ends = np.unique(ends.round().astype(np.int64))
    at = np.searchsorted(up_to, (ends[:-1] + ends[1:] + 1) // 2)
    kept, places = np.unique(at, return_inverse=True)
    return points[kept], np.bincount(places.ravel(), np.diff(ends), len(kept)).astype(np.int64)


def _middle(found: dict[str, float], least: float, most: float) -> tuple[float, float]:
    """Between which numbers the bins lie: all, unless some are further out than five times the quartiles' distance."""
    low, high = found["0.25"], found["0.75"]
    reach = 5 * (high - low)
    if reach == 0:
        low, high = found["0.01"], found["0.99"]
        return (low, high) if low < high else (least, most)
    return max(least, low - reach), min(most, high + reach)


def _round(step: float) -> float:
    """The next of 1, 2, 5, 10 and so on."""
    unit = 10.0 ** math.floor(math.log10(step))
    return next(times * unit for times in (1, 2, 5, 10) if times * unit >= step * (1 - 1e-9))


def _clean(value: float, step: float) -> float:
    """A multiple of a step without what the multiplication left behind its last digit."""
    return round(value, max(-math.floor(math.log10(step)) + 1, 0))
