"""The sums that a tally adds up between two looks: of each stage and slice, for both versions and for pairs.

Mutable, owned by one `core/tally.Tally`. Knows no log and no join.
"""

from collections.abc import Iterator, Sequence

from headway.core.rollout_window import Compared, Counts, Slice, Units, Window

Place = tuple[int, Slice]
"""A stage, and a slice of its requests."""


class Arm:
    """One version's part."""

    __slots__ = ("bins", "failed", "labelled", "requests", "slow", "wrong")

    def __init__(self) -> None:
        self.requests = 0
        self.failed = 0
        self.slow = 0
        self.labelled = 0.0
        self.wrong = 0.0
        self.bins: list[float] = []

    def binned(self, bins: Sequence[int], n_bins: int) -> None:
        """An answer's rows, each in its bin; all of them together are one request."""
        if not self.bins:
            self.bins = [0.0] * n_bins
        for i in bins:
            self.bins[i] += 1 / len(bins)

    def counted(self) -> Counts:
        """As a value."""
        return Counts(
            requests=self.requests,
            failed=self.failed,
            slow=self.slow,
            labelled=plain(self.labelled),
            wrong=plain(min(self.wrong, self.labelled)),
            bins=tuple(map(plain, self.bins)),
        )


class Pairs:
    """What a shadow compared."""

    __slots__ = ("answered", "differ", "labelled", "neither", "only_new", "only_old")

    def __init__(self) -> None:
        self.answered = 0
        self.differ = 0.0
        self.labelled = 0.0
        self.only_new = 0.0
        self.only_old = 0.0
        self.neither = 0.0

    def judged(self, new: float, old: float, weight: float) -> None:
        """One label more: how much each version lost by it, from 0 to 1."""
        self.labelled += weight
        self.only_new += weight * max(old - new, 0.0)
        self.only_old += weight * max(new - old, 0.0)
        self.neither += weight * min(new, old)

    def counted(self) -> Compared:
        """As a value."""
        return Compared(
            answered=self.answered,
            differ=plain(min(self.differ, float(self.answered))),
            labelled=plain(self.labelled),
            only_new=plain(self.only_new),
            only_old=plain(self.only_old),
            neither=plain(self.neither),
        )


class Sums:
    """What was counted in one place since the last look."""

    __slots__ = ("new", "old", "pairs")

    def __init__(self) -> None:
        self.new = Arm()
        self.old = Arm()
        self.pairs = Pairs()


def windows(
    sums: dict[Place, Sums], units: dict[Place, tuple[Units, ...]], by: Sequence[str], at: float
) -> Iterator[Window]:
    """What was counted, stage after stage; in each all requests come first, and slices in the order of their names.

    `by` says for each stage by what customers stick to a version in it.
    """
    for stage, place in sorted({*sums, *units}):
        one = sums.get((stage, place)) or Sums()
        yield Window(
            new=one.new.counted(),
            old=one.old.counted(),
            compared=one.pairs.counted(),
            slice=place,
            stage=stage,
            at=at,
            by=by[stage],
            units=units.get((stage, place), ()),
        )


def plain(value: float) -> float:
    """A sum without the dust of adding parts of rows: a whole number where it is one, and short as JSON."""
    whole = round(value)
    return whole if abs(value - whole) < 1e-9 else value
