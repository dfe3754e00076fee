"""The evidence for and against one guard in one slice: a fold of windows that gives e-values at any moment.

A track is a frozen value: `after` gives the next one. `worse` is the logarithm of the e-value that the guard's limit is
broken, `kept` that it is kept. Methods are those of `stats/arms`, `stats/share` and `stats/betting`; the verdict is
`core/rollout_judge`'s. Neighbours: `rollout_share_track`, `rollout_shift_track`, for what has no two rates.
"""

import math
from typing import Protocol, cast

from msgspec import Struct
from msgspec.structs import replace

from headway.core.guard import Guard
from headway.core.rollout_pending import Pending, many_enough
from headway.core.rollout_share_track import ShareTrack
from headway.core.rollout_shift_track import ShiftTrack
from headway.core.rollout_window import CountName, Window
from headway.stats import arms as two
from headway.stats.bounds import Interval


class RatioTrack(Struct, frozen=True, kw_only=True):
    """Of two arms: the share of the new version over that of the champion."""

    guard: Guard
    known: two.Ratio = two.Ratio()
    waiting: Pending = ()

    def after(self, window: Window, burst: float) -> "RatioTrack":
        """With one more window."""
        arms = window.arms(cast("CountName", self.guard.metric), burst)
        told, waiting = many_enough(self.waiting, window.stage, [arms], burst)
        return replace(self, known=self.known.after(told[0]) if told else self.known, waiting=waiting)

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
        return replace(self, known=self.known.times(factor))


class GapTrack(Struct, frozen=True, kw_only=True):
    """Of two arms: the share of the new version less that of the champion; of labels in a shadow, from pairs besides.

    Pairs and arms tell of different requests; the e-value is the mean of the two (`stats/arms.log_mean`).
    """

    guard: Guard
    known: two.Gap = two.Gap()
    waiting: Pending = ()
    only_new: float = 0.0
    only_old: float = 0.0
    labelled: float = 0.0

    def after(self, window: Window, burst: float) -> "GapTrack":
        """With one more window."""
        metric = cast("CountName", self.guard.metric)
        told, waiting = many_enough(self.waiting, window.stage, [window.arms(metric, burst)], burst)
        known, pairs = self.known.after(told[0]) if told else self.known, window.compared
        if metric != "wrong" or not pairs.labelled:
            return replace(self, known=known, waiting=waiting)
        return replace(
            self,
            known=known,
            waiting=waiting,
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
            known=self.known.times(factor),
            only_new=factor * self.only_new,
            only_old=factor * self.only_old,
            labelled=factor * self.labelled,
        )


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


class Provable(Protocol):
    """What evidence can be multiplied of."""

    def kept(self) -> float:
        """Evidence, as a logarithm, that a limit is kept."""

    def times(self, factor: float) -> "Provable":
        """As if there were so many times the evidence, and all of the same kind."""


def factor_to_prove(track: Provable, alpha: float) -> float | None:
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
