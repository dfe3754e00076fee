"""The evidence for and against one guard in one slice: a fold of windows that gives e-values at any moment.

A track is a frozen value: `after` gives the next one. `worse` is the logarithm of the e-value that the guard's limit is
broken, `kept` that it is kept. Methods are those of `stats/arms`, `stats/share` and `stats/betting`; the verdict is
`core/rollout_judge`'s.
"""

import math
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from headway.core.guard import Guard, Metric
from headway.core.rollout_window import CountName, Window
from headway.stats import arms as two
from headway.stats import share
from headway.stats.interval import Interval


class RatioTrack(Struct, frozen=True, kw_only=True):
    """Of two arms: the share of the new version over that of the champion."""

    guard: Guard
    known: two.Ratio = two.Ratio()

    def after(self, window: Window, burst: float) -> "RatioTrack":
        """With one more window."""
        arms = window.arms(cast("CountName", self.guard.metric), burst)
        return replace(self, known=self.known.after(arms))

    def worse(self) -> float:
        """Evidence, as a logarithm, that the limit is broken."""
        return two.log_evidence_of_ratio_above(self.known, self.guard.limit)

    def kept(self) -> float:
        """Evidence, as a logarithm, that it is kept."""
        return two.log_evidence_of_ratio_below(self.known, self.guard.limit)

    def estimate(self) -> float:
        """What the guard's number is now; NaN where nothing is known."""
        return self.known.estimate

    def interval(self, level: float) -> Interval:
        """Where it lies, at any moment."""
        return two.interval_of_ratio(self.known, level)

    def times(self, factor: float) -> "RatioTrack":
        """As if there were so many times the evidence, and all of the same kind."""
        return replace(self, known=replace(self.known, logs=tuple(factor * log for log in self.known.logs)))


class GapTrack(Struct, frozen=True, kw_only=True):
    """Of two arms: the share of the new version less that of the champion; of labels in a shadow, from pairs besides.

    Pairs and arms tell of different requests; the e-value is the mean of the two (`stats/arms.log_mean`).
    """

    guard: Guard
    known: two.Gap = two.Gap()
    only_new: float = 0.0
    only_old: float = 0.0
    labelled: float = 0.0

    def after(self, window: Window, burst: float) -> "GapTrack":
        """With one more window."""
        metric = cast("CountName", self.guard.metric)
        known, pairs = self.known.after(window.arms(metric, burst)), window.compared
        if metric != "wrong" or not pairs.labelled:
            return replace(self, known=known)
        return replace(
            self,
            known=known,
            only_new=self.only_new + pairs.only_new / burst,
            only_old=self.only_old + pairs.only_old / burst,
            labelled=self.labelled + pairs.labelled / burst,
        )

    def worse(self) -> float:
        """Evidence, as a logarithm, that the limit is broken."""
        by_arms = two.log_evidence_of_gap_above(self.known, self.guard.limit)
        return self._with_pairs(by_arms, self.guard.limit, self.only_old, self.only_new)

    def kept(self) -> float:
        """Evidence, as a logarithm, that it is kept."""
        by_arms = two.log_evidence_of_gap_below(self.known, self.guard.limit)
        return self._with_pairs(by_arms, -self.guard.limit, self.only_new, self.only_old)

    def _with_pairs(self, by_arms: float, margin: float, for_it: float, against: float) -> float:
        if not self.labelled:
            return by_arms
        from headway.stats.betting import log_evidence_of_pairs

        by_pairs = log_evidence_of_pairs(for_it, against, self.labelled, margin)
        return two.log_mean([by_arms, by_pairs]) if self.known.weight else by_pairs

    def estimate(self) -> float:
        """What the guard's number is now; NaN where nothing is known."""
        if not self.labelled:
            return self.known.estimate
        of_pairs = (self.only_old - self.only_new) / self.labelled
        if not self.known.weight:
            return of_pairs
        # As many requests as each tells of: half of the pairs are the new version's.
        total = self.labelled / 2 + self.known.weight
        return (of_pairs * self.labelled / 2 + self.known.here) / total

    def interval(self, level: float) -> Interval:
        """Where it lies, at any moment."""
        stakes = math.log(2 / (1 - level))

        def at(limit: float) -> "GapTrack":
            return replace(self, guard=replace(self.guard, limit=limit))

        return Interval(
            low=two.edge(lambda gap: at(gap).worse() < stakes, -0.999, 0.999),
            high=two.edge(lambda gap: at(gap).kept() < stakes, 0.999, -0.999),
            level=level,
        )

    def times(self, factor: float) -> "GapTrack":
        """As if there were so many times the evidence, and all of the same kind."""
        return replace(
            self,
            known=times_gap(self.known, factor),
            only_new=factor * self.only_new,
            only_old=factor * self.only_old,
            labelled=factor * self.labelled,
        )


class ShareTrack(Struct, frozen=True, kw_only=True):
    """Of one arm, or of a shadow's pairs: a share of requests, against its limit.

    That the limit is broken is judged by blocks, the windows, in which requests may hang together: a minute's stall is
    one event. Of disagreement, where no cause makes many at once, by requests, as is the proof that a limit is kept.
    """

    guard: Guard
    hits: float = 0.0
    trials: float = 0.0
    blocks: tuple[float, ...] = ()
    block_times: float = 1.0

    def after(self, window: Window, burst: float) -> "ShareTrack":
        """With one more window."""
        trials, hits = _share_of(window, self.guard.metric)
        if not trials:
            return self
        blocks = (*self.blocks, hits / trials)
        return replace(self, hits=self.hits + hits / burst, trials=self.trials + trials / burst, blocks=blocks)

    def worse(self) -> float:
        """Evidence, as a logarithm, that the limit is broken."""
        if self.guard.metric == "disagreement":
            return share.log_evidence_of_share_above(self.hits, self.trials, self.guard.limit)
        return share.log_evidence_of_blocks_above(self.blocks, self.guard.limit, self.block_times)

    def kept(self) -> float:
        """Evidence, as a logarithm, that it is kept."""
        return share.log_evidence_of_share_below(self.hits, self.trials, self.guard.limit)

    def estimate(self) -> float:
        """What the guard's number is now; NaN where nothing is known."""
        return self.hits / self.trials if self.trials else math.nan

    def interval(self, level: float) -> Interval:
        """Where it lies, at any moment."""
        if not self.trials:
            return Interval(low=0.0, high=1.0, level=level)
        return share.interval_of_share(self.hits, self.trials, level)

    def times(self, factor: float) -> "ShareTrack":
        """As if there were so many times the evidence, and all of the same kind."""
        times = factor * self.block_times
        return replace(self, hits=factor * self.hits, trials=factor * self.trials, block_times=times)


def _share_of(window: Window, metric: Metric) -> tuple[float, float]:
    compared = window.compared
    if metric == "disagreement":
        return compared.answered, compared.differ
    trials, hits = window.new.bad(cast("CountName", metric))
    if metric == "wrong":
        return trials + compared.labelled, hits + compared.only_old + compared.neither
    return trials, hits


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

    def after(self, window: Window, burst: float) -> "ShiftTrack":
        """With one more window."""
        n = max(len(self.bins), len(window.new.bins))
        bins = (*self.bins, *(BinGap() for _ in range(n - len(self.bins))))
        return replace(self, bins=tuple(known.after(window.of_bin(i, burst)) for i, known in enumerate(bins)))

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
        bins = tuple(BinGap(own=times_gap(b.own, factor), rest=times_gap(b.rest, factor)) for b in self.bins)
        return replace(self, bins=bins)


Track = RatioTrack | GapTrack | ShareTrack | ShiftTrack


def track_of(guard: Guard) -> Track:
    """The track that a guard needs, before anything was seen."""
    if guard.metric == "predictions":
        return ShiftTrack(guard=guard)
    match guard.form:
        case "ratio":
            return RatioTrack(guard=guard)
        case "difference":
            return GapTrack(guard=guard)
        case "value":
            return ShareTrack(guard=guard)


MOST_TIMES = 1024.0


def factor_to_prove(track: Track, alpha: float) -> float | None:
    """How many times the evidence that there is would prove the guard kept, if it goes on as it did; None: none would.

    1 where it is proved. O(10) evaluations.
    """
    stakes = -math.log(alpha)
    if track.kept() >= stakes:
        return 1.0
    if track.times(MOST_TIMES).kept() < stakes:
        return None
    low, high = 1.0, MOST_TIMES
    while high / low > 1.05:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if track.times(middle).kept() >= stakes else (middle, high)
    return high


def times_gap(known: two.Gap, factor: float) -> two.Gap:
    """So many times what is known of a difference."""
    names = ("more", "paid_more", "less", "paid_less")
    scaled = {name: tuple(factor * part for part in getattr(known, name)) for name in names}
    return two.Gap(**scaled, here=factor * known.here, weight=factor * known.weight)
