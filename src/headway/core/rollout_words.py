"""What a release's evidence says, as sentences with the numbers that were counted. Decides nothing."""

import math

from msgspec import Struct

from headway.core.rollout_share_track import ShareTrack
from headway.core.rollout_shift_track import ShiftTrack
from headway.core.rollout_track import GapTrack, RatioTrack, Track
from headway.core.rollout_units_track import UnitsTrack
from headway.core.rollout_window import CountName, Slice, Window
from headway.core.telling import number, percent
from headway.stats.bounds import Interval

_FAILED = {"errors": "failed", "slow": "were slow", "wrong": "were wrong", "disagreement": "differ", "predictions": ""}


class Totals(Struct, frozen=True, kw_only=True):
    """All that was counted in one slice: for each metric of how many how many were bad, new version and champion."""

    new: dict[str, tuple[float, float]] = {}
    old: dict[str, tuple[float, float]] = {}
    n_endpoint: int = 0
    compared: tuple[float, float] = (0, 0)
    labelled: tuple[float, float, float] = (0, 0, 0)

    def after(self, window: Window) -> "Totals":
        """With one more window."""
        pairs = window.compared
        metrics: tuple[CountName, ...] = ("errors", "slow", "wrong")
        return Totals(
            new={name: _sum(self.new.get(name, (0, 0)), window.new.bad(name)) for name in metrics},
            old={name: _sum(self.old.get(name, (0, 0)), window.old.bad(name)) for name in metrics},
            # A shadow's requests are asked twice and count once.
            n_endpoint=self.n_endpoint + window.new.requests + window.old.requests - pairs.answered,
            compared=(self.compared[0] + pairs.answered, self.compared[1] + pairs.differ),
            labelled=(
                self.labelled[0] + pairs.labelled,
                self.labelled[1] + pairs.only_new,
                self.labelled[2] + pairs.only_old,
            ),
        )


def _sum(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float]:
    return first[0] + second[0], first[1] + second[1]


def of_track(track: Track | UnitsTrack, totals: Totals, bounds: Interval) -> str:
    """What one guard sees: the counts, the estimate, and between what it lies."""
    if isinstance(track, UnitsTrack):
        # Requests are what people know; each customer is an event once a span, so that the estimate is another one.
        return f"{_of_requests(track.whole, totals, bounds)}, each {track.by} counted once"
    return _of_requests(track, totals, bounds)


def _of_requests(track: Track, totals: Totals, bounds: Interval) -> str:
    metric = track.guard.metric
    match track:
        case ShiftTrack():
            if not track.bins:
                return "no prediction was counted"
            moved = f"bin {track.furthest + 1} of {len(track.bins)} moved by {_points(track.estimate())}"
            return f"{moved} ({_points(bounds.low)} to {_points(bounds.high)})"
        case ShareTrack() if metric == "disagreement":
            answered, differ = totals.compared
            return f"{number(differ)} of {number(answered)} answers differ ({_shares(bounds)})"
        case ShareTrack():
            # Of labels a shadow's count too, which are no counts of one version.
            share = percent(track.estimate()) if track.trials else "nothing seen"
            return f"{share} {_FAILED[metric]} ({_shares(bounds)})"
        case RatioTrack():
            return f"{_both(metric, totals)}: {_times(track.estimate())}{_ratios(bounds)}"
        case GapTrack():
            said = _paired(totals) if track.labelled else _both(metric, totals)
            estimate = track.estimate()
            gap = "nothing to compare" if math.isnan(estimate) else _points(estimate, signed=True)
            return f"{said}: {gap} ({_points(bounds.low, signed=True)} to {_points(bounds.high, signed=True)})"


def _both(metric: str, totals: Totals) -> str:
    new, old = totals.new.get(metric, (0, 0)), totals.old.get(metric, (0, 0))
    return f"{_of(*new)} {_FAILED[metric]}, of the champion's {_of(*old)}"


def _of(trials: float, bad: float) -> str:
    share = f" ({percent(bad / trials)})" if trials else ""
    return f"{bad:,.6g} of {trials:,.0f}{share}"


def _paired(totals: Totals) -> str:
    labelled, only_new, only_old = totals.labelled
    return (
        f"of {number(labelled)} labelled requests {number(only_new)} only the new version has right,"
        f" {number(only_old)} only the champion"
    )


def _shares(bounds: Interval) -> str:
    return f"{percent(bounds.low)} to {percent(bounds.high)}"


def _points(gap: float, *, signed: bool = False) -> str:
    return f"{100 * gap:+.3g} points" if signed else f"{100 * gap:.3g} points"


def _ratios(bounds: Interval) -> str:
    if math.isinf(bounds.high):
        return f" ({bounds.low:.2g} times or more)" if bounds.low else ""
    return f" ({bounds.low:.2g} to {bounds.high:.2g} times)"


def _times(ratio: float) -> str:
    if math.isnan(ratio):
        return "nothing to compare"
    return "only the new version's" if math.isinf(ratio) else f"{ratio:.2g} times as often"


def three_digits(value: float) -> str:
    """A number (>= 0) to three digits, as people read it.

    >>> three_digits(1258.9), three_digits(64.43), three_digits(0.01731)
    ('1,260', '64.4', '0.0173')
    """
    return number(float(f"{value:.3g}"))


def told_slice(place: Slice) -> str:
    """A slice behind the guard's name.

    >>> told_slice((("region", "south"),)), told_slice(())
    (' in region=south', '')
    """
    named = ", ".join(f"{column}={value}" for column, value in place)
    return f" in {named}" if named else ""


def of_harm(n: float, most: float, *, is_proved: bool) -> str:
    """That the budget of harm is used up.

    >>> of_harm(21.4, 20, is_proved=False)
    'harm: about 21 requests failed that would not have with the champion, of at most 20; that is an estimate'
    """
    many, sure = ("at least", "") if is_proved else ("about", "; that is an estimate")
    return f"harm: {many} {n:.0f} requests failed that would not have with the champion, of at most {most:.0f}{sure}"
