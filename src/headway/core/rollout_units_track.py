"""The evidence of stages in which customers stick to a version: each counts once a span, and spans are not multiplied.

One customer's requests go together, for as long as a stage lasts: who meets one error meets many, and all of them at
one version. So versions are compared by customers. Within a span of time a customer is one event at most, and whose
event it is was drawn; in the next span the same customer may be one again, so that nothing stays unseen because all
customers have met an error already. Evidence of two spans has the same customers in it: it is averaged, never
multiplied, with weights that are fixed beforehand (1/2, 1/6, 1/12 and so on, in the order of spans), and a mean of
e-values is one whatever they have to do with each other. Requests of other stages are evidence of their own, and times
it. Whose first bad answer it was is judged as `stats/arms.Ratio` does it: given who was there, each first bad answer is
the new version's with the chance of its share of those who had met none (the conditional likelihood of Cox 1975,
Biometrika 62, 269-276). A track like those of `core/rollout_track`.
"""

import math
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from headway.core.guard import Guard
from headway.core.rollout_share_track import ShareTrack
from headway.core.rollout_shift_track import ShiftTrack
from headway.core.rollout_track import RatioTrack, Track
from headway.core.rollout_window import Units, Window
from headway.stats.arms import RATIOS, Arms, edge, log_mean
from headway.stats.bounds import Interval


class Span(Struct, frozen=True, kw_only=True):
    """One span of one stage, and its evidence."""

    stage: int
    span: int
    track: Track


class UnitsTrack(Struct, frozen=True, kw_only=True):
    """Of two arms, where customers stick to a version in some stage.

    `requests` is what was seen in other stages, `spans` in those; `whole` puts all together, for the estimate alone.
    """

    guard: Guard
    by: str
    requests: Track
    whole: Track
    spans: tuple[Span, ...] = ()

    def after(self, window: Window, burst: float) -> "UnitsTrack":
        """With one more window."""
        if not window.by:
            return replace(self, requests=self.requests.after(window, burst), whole=self.whole.after(window, burst))
        spans, whole = {(one.stage, one.span): one for one in self.spans}, self.whole
        for units in window.units:
            place = (window.stage, units.span)
            known = spans.get(place) or Span(stage=place[0], span=place[1], track=_nothing(self.requests))
            spans[place] = replace(known, track=_after(known.track, window, units, burst))
            whole = _after(whole, window, units, burst)
        return replace(self, by=window.by, spans=tuple(spans.values()), whole=whole)

    def worse(self) -> float:
        """Evidence, as a logarithm, that the limit is broken."""
        return self.requests.worse() + _mean([one.track.worse() for one in self.spans])

    def kept(self) -> float:
        """Evidence, as a logarithm, that it is kept."""
        return self.requests.kept() + _mean([one.track.kept() for one in self.spans])

    def estimate(self) -> float:
        """What the guard's number is now; NaN where nothing is known."""
        return self.whole.estimate()

    def interval(self, level: float) -> Interval:
        """Where it lies, at any moment."""
        stakes = math.log(2 / (1 - level))

        def is_kept(limit: float, side: Literal["worse", "kept"]) -> bool:
            at = self._at(limit)
            return (at.worse() if side == "worse" else at.kept()) < stakes

        if self.guard.form == "ratio":
            left = [ratio for ratio in _LIMITS if is_kept(ratio, "worse")]
            right = [ratio for ratio in _LIMITS if is_kept(ratio, "kept")]
            low = left[0] if left else _LIMITS[-1]
            high = right[-1] if right else _LIMITS[0]
            low, high = 0.0 if low == _LIMITS[0] else low / _STEP, math.inf if high == _LIMITS[-1] else high * _STEP
            return Interval(low=low, high=high, level=level)
        bottom = 0.0 if isinstance(self.requests, ShiftTrack) else -0.999
        return Interval(
            low=edge(lambda limit: is_kept(limit, "worse"), bottom, 0.999),
            high=edge(lambda limit: is_kept(limit, "kept"), 0.999, bottom),
            level=level,
        )

    def times(self, factor: float) -> "UnitsTrack":
        """As if there were so many times the evidence, and all of the same kind."""
        spans = tuple(replace(one, track=one.track.times(factor)) for one in self.spans)
        return replace(self, requests=self.requests.times(factor), whole=self.whole.times(factor), spans=spans)

    def _at(self, limit: float) -> "UnitsTrack":
        """The same evidence against another limit."""
        spans = tuple(replace(one, track=_with_limit(one.track, limit)) for one in self.spans)
        return replace(self, requests=_with_limit(self.requests, limit), spans=spans)


_LIMITS = tuple(ratio for ratio in RATIOS if 1 / 64 <= ratio <= 64)
_STEP = RATIOS[1] / RATIOS[0]


def after(track: Track | UnitsTrack, window: Window, burst: float) -> Track | UnitsTrack:
    """A track with one more window, which from the first one on in which customers stick is one of those.

    A share of requests against a limit is one of requests in any stage.
    """
    if window.by and not isinstance(track, UnitsTrack | ShareTrack):
        track = UnitsTrack(guard=track.guard, by=window.by, requests=track, whole=track)
    return track.after(window, burst)


def _after(track: Track, window: Window, units: Units, burst: float) -> Track:
    if isinstance(track, RatioTrack):
        risk = units.slow if track.guard.metric == "slow" else units.errors
        arms = Arms(n_new=risk.n_new, bad_new=risk.bad_new, n_old=risk.n_old, bad_old=risk.bad_old)
        return replace(track, known=track.known.after(arms.in_bursts(burst)))
    return track.after(Window(new=units.new, old=units.old, stage=window.stage, at=window.at), burst)


def _nothing(track: Track) -> Track:
    """The same track before anything was seen."""
    return type(track)(guard=track.guard)


def _with_limit(track: Track, limit: float) -> Track:
    return replace(track, guard=replace(track.guard, limit=limit))


def _mean(logs: list[float]) -> float:
    """The mean of the spans' evidence; what is left of the weights is that of spans to come, which is 1 so far."""
    weights = [1 / ((i + 1) * (i + 2)) for i in range(len(logs))]
    return log_mean([*logs, 0.0], [*weights, 1 - sum(weights)])
