"""The evidence about predictions: how far each bin's share lies apart, bin by bin, as a fold of windows.

A track like those of `core/rollout_track`, which knows this one.
"""

import math

from msgspec import Struct
from msgspec.structs import replace

from headway.core.guard import Guard
from headway.core.rollout_pending import NO_ARMS, Pending, many_enough
from headway.core.rollout_window import Window
from headway.stats import arms as two
from headway.stats.bounds import Interval


class BinGap(Struct, frozen=True, kw_only=True):
    """The difference of the shares of one bin, as that and as the difference of the shares of all other bins turned.

    The bets of `stats/arms` are sharp for rare things, and one of the two is rarer than the other; e-values are the
    mean of both.
    """

    own: two.Gap = two.Gap()
    rest: two.Gap = two.Gap()

    def after(self, arms: two.Arms) -> "BinGap":
        """With one more window of this bin's counts."""
        turned = two.Arms(
            n_new=arms.n_new, bad_new=arms.n_new - arms.bad_new, n_old=arms.n_old, bad_old=arms.n_old - arms.bad_old
        )
        return BinGap(own=self.own.after(arms), rest=self.rest.after(turned))

    def above(self, gap: float) -> float:
        """Evidence, as a logarithm, that the new version's share is more than `gap` above the champion's."""
        own, rest = two.log_evidence_of_gap_above(self.own, gap), two.log_evidence_of_gap_below(self.rest, -gap)
        return two.log_mean([own, rest])

    def below(self, gap: float) -> float:
        """Evidence, as a logarithm, that it is not as much as `gap` above it."""
        own, rest = two.log_evidence_of_gap_below(self.own, gap), two.log_evidence_of_gap_above(self.rest, -gap)
        return two.log_mean([own, rest])

    def interval(self, level: float) -> Interval:
        """Where the difference lies, at any moment."""
        stakes = math.log(2 / (1 - level))
        return Interval(
            low=two.edge(lambda gap: self.above(gap) < stakes, -1.0, 1.0),
            high=two.edge(lambda gap: self.below(gap) < stakes, 1.0, -1.0),
            level=level,
        )


class ShiftTrack(Struct, frozen=True, kw_only=True):
    """Of two arms: how far any bin's share of predictions lies apart, upwards or downwards.

    Evidence that the limit is broken is the mean over bins and both directions, so that bins need no correction; that
    it is kept is the least, for every bin must keep it.
    """

    guard: Guard
    bins: tuple[BinGap, ...] = ()
    waiting: Pending = ()

    def after(self, window: Window, burst: float) -> "ShiftTrack":
        """With one more window."""
        arms = [window.of_bin(i, burst) for i in range(max(len(window.new.bins), len(window.old.bins)))]
        told, waiting = many_enough(self.waiting, window.stage, arms, burst)
        n = max(len(self.bins), len(told))
        bins = (*self.bins, *(BinGap() for _ in range(n - len(self.bins))))
        if told:
            bins = tuple(known.after(told[i] if i < len(told) else NO_ARMS) for i, known in enumerate(bins))
        return replace(self, bins=bins, waiting=waiting)

    def worse(self) -> float:
        """Evidence, as a logarithm, that some bin moved further than the limit."""
        limit = self.guard.limit
        ends = [end for known in self.bins for end in (known.above(limit), known.below(-limit))]
        return two.log_mean(ends) if ends else 0.0

    def kept(self) -> float:
        """Evidence, as a logarithm, that none did."""
        limit = self.guard.limit
        return min((end for known in self.bins for end in (known.below(limit), known.above(-limit))), default=0.0)

    def estimate(self) -> float:
        """How far the bin that moved most did; NaN where nothing is known."""
        return abs(self.bins[self.furthest].own.estimate) if self.bins else math.nan

    @property
    def furthest(self) -> int:
        """The bin that moved most."""
        moved = [0.0 if math.isnan(known.own.estimate) else abs(known.own.estimate) for known in self.bins]
        return max(range(len(moved)), key=lambda i: moved[i], default=0)

    def interval(self, level: float) -> Interval:
        """Where that bin's distance lies, each end at the level that looking at all bins leaves it."""
        if not self.bins:
            return Interval(low=0.0, high=1.0, level=level)
        found = self.bins[self.furthest].interval(1 - (1 - level) / len(self.bins))
        ends = sorted((abs(found.low), abs(found.high)))
        return Interval(low=0.0 if found.low <= 0 <= found.high else ends[0], high=ends[1], level=level)

    def times(self, factor: float) -> "ShiftTrack":
        """As if there were so many times the evidence, and all of the same kind."""
        bins = tuple(BinGap(own=b.own.times(factor), rest=b.rest.times(factor)) for b in self.bins)
        return replace(self, bins=bins)
