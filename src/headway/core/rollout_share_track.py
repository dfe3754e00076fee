"""The evidence for and against a limit of one share of requests, as a fold of windows.

A track like those of `core/rollout_track`, which knows this one.
"""

import math
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from headway.core.guard import Guard, Metric
from headway.core.rollout_window import CountName, Window
from headway.stats import share
from headway.stats.bounds import Interval

BLOCK_S = 60.0
"""So long is a block at least, in seconds."""


class Begun(Struct, frozen=True, kw_only=True):
    """A block that is not over: the time (UTC seconds) of its first window, and what it has so far."""

    at: float
    hits: float
    trials: float


class ShareTrack(Struct, frozen=True, kw_only=True):
    """Of one arm, or of a shadow's pairs: a share of requests, against its limit.

    That the limit is broken is judged by blocks of a minute and more, in which requests may hang together: a minute's
    stall is one event, however often one looks. Of disagreement, where no cause makes many at once, by requests, as is
    the proof that a limit is kept.
    """

    guard: Guard
    hits: float = 0.0
    trials: float = 0.0
    blocks: share.Blocks = share.Blocks()
    begun: Begun | None = None

    def after(self, window: Window, burst: float) -> "ShareTrack":
        """With one more window. One whose time is unknown is a block by itself."""
        trials, hits = _share_of(window, self.guard.metric)
        if not trials:
            return self
        known = replace(self, hits=self.hits + hits / burst, trials=self.trials + trials / burst)
        if not window.at:
            return replace(known, blocks=self.blocks.after(hits / trials, self.guard.limit))
        begun = self.begun
        if begun is None:
            return replace(known, begun=Begun(at=window.at, hits=hits, trials=trials))
        if window.at - begun.at < BLOCK_S:
            more = Begun(at=begun.at, hits=begun.hits + hits, trials=begun.trials + trials)
            return replace(known, begun=more)
        return replace(
            known,
            blocks=self.blocks.after(begun.hits / begun.trials, self.guard.limit),
            begun=Begun(at=window.at, hits=hits, trials=trials),
        )

    def worse(self) -> float:
        """Evidence, as a logarithm, that the limit is broken."""
        if self.guard.metric == "disagreement":
            return share.log_evidence_of_share_above(self.hits, self.trials, self.guard.limit)
        return self.blocks.log_evidence()

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
        return self.like(factor, factor)

    def like(self, factor: float, blocks: float) -> "ShareTrack":
        """As if there were so many times the requests, in so many times the blocks."""
        return replace(
            self, hits=factor * self.hits, trials=factor * self.trials, blocks=self.blocks.times(blocks), begun=None
        )


def _share_of(window: Window, metric: Metric) -> tuple[float, float]:
    compared = window.compared
    if metric == "disagreement":
        return compared.answered, compared.differ
    trials, hits = window.new.bad(cast("CountName", metric))
    if metric == "wrong":
        return trials + compared.labelled, hits + compared.only_old + compared.neither
    return trials, hits
