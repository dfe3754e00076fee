"""What each stage of a strategy can see and cannot, before it starts: chances, the least that shows, how long it takes.

Errors and slow requests are reckoned exactly (`stats/power_arms`); of everything else it is told after how many
requests the evidence is enough if all comes just as often as supposed, which is about as often too early as too late.
Each stage is reckoned by itself, as if nothing had been seen before. Nothing is seen of the traffic here: what is
supposed of it stands in `Supposed`. `core/rollout_judge` is what keeps to it.
"""

import math

from msgspec import Struct

from headway.core.guard import Guard
from headway.core.rollout_share_track import ShareTrack
from headway.core.rollout_track import Track, track_of
from headway.core.rollout_window import Compared, Counts, Window
from headway.core.strategy import WATCHED, Stage, Strategy, budget_of
from headway.core.telling import duration, percent
from headway.stats.power_arms import (
    MOST_RATIO,
    Traffic,
    chance_of_harm,
    chance_to_catch,
    least_ratio,
    requests_to_catch,
    rounded_up,
)

TOO_SHORT = 0.5
"""A stage that catches a doubling less often than this is warned of."""

_MANY = 1_000_000


class Supposed(Struct, frozen=True, kw_only=True):
    """What is supposed of the traffic: `per_minute` requests, the champion's shares of failed and of slow requests.

    `wrong`: the champion's share of wrong answers; `differ`: on how many the two versions do not agree; so many
    requests are `labelled`, as a share, in time. The evidence is looked at each minute.
    """

    per_minute: float = 1200.0
    errors: float = 0.01
    slow: float = 0.01
    wrong: float = 0.15
    differ: float = 0.06
    labelled: float = 1.0


class Sight(Struct, frozen=True, kw_only=True):
    """What one guard sees in one stage.

    `truth` says what is supposed to be true; `chance` that it is caught (or proved) within the stage, NaN where only
    `requests` is known: those of the endpoint by which it is in half of all cases, None: more than can be said. The
    `least` ratio of error rates that is caught 4 times in 5 is infinite if none is, not even `most`, NaN where it does
    not apply.
    """

    guard: str
    truth: str
    is_proof: bool = False
    chance: float = math.nan
    requests: int | None = None
    least: float = math.nan
    most: float = MOST_RATIO


class StagePlan(Struct, frozen=True, kw_only=True):
    """What a stage sees: `n_requests` of the endpoint in `minutes`, of which the new version gets `n_new`.

    `unseen`: the largest error rate at which it may well (5 times in 100) make no error at all. `warnings` are whole
    sentences.
    """

    stage: str
    n_requests: int
    n_new: float
    minutes: float
    unseen: float
    sights: tuple[Sight, ...]
    warnings: tuple[str, ...]


class RolloutPlan(Struct, frozen=True, kw_only=True):
    """The plan of all watched stages, and what a strategy without any leaves to chance."""

    stages: tuple[StagePlan, ...]
    warnings: tuple[str, ...]


def plan_rollout(strategy: Strategy, supposed: Supposed) -> RolloutPlan:
    """What each watched stage of a strategy sees, if the traffic is as supposed. Seconds for several guards.

    >>> from headway.core.strategy_grammar import read_strategy
    >>> short = read_strategy({"strategy": [{"canary": "5% for 500 requests"}, "promote"]}).strategy
    >>> print(plan_rollout(short, Supposed(errors=0.02)).stages[0].warnings[0])
    canary: 5% for 500 requests catches a doubled error rate 1 time in 100: 8,220 requests catch it half of the time
    """
    last = strategy.last_watched
    stages = tuple(
        _plan(stage, strategy, supposed, is_due=i == last)
        for i, stage in enumerate(strategy.stages)
        if stage.kind in WATCHED
    )
    warnings = []
    if not stages:
        warnings.append("no stage compares the versions: only golden requests and readiness are checked")
    if strategy.most_harm:
        warnings += _of_harm(strategy, supposed)
    return RolloutPlan(stages=stages, warnings=tuple(warnings))


def _plan(stage: Stage, strategy: Strategy, supposed: Supposed, *, is_due: bool) -> StagePlan:
    """The plan of one stage; `is_due`: at its end checks must have been proved."""
    n_requests = stage.n_requests or round(stage.time_s / 60 * supposed.per_minute)
    minutes = n_requests / supposed.per_minute
    sights: list[Sight] = []
    for guard, part in budget_of(strategy)[: len(strategy.guards)]:
        own = part / 2 if guard.each else part
        sights += _sights(guard, (own, strategy.alpha), stage, n_requests, supposed)
    n_new = stage.share * n_requests
    return StagePlan(
        stage=stage.text,
        n_requests=n_requests,
        n_new=n_new,
        minutes=minutes,
        unseen=1 - 0.05 ** (1 / max(n_new, 1.0)),
        sights=tuple(sights),
        warnings=tuple(_warnings(stage, n_requests, minutes, [one for one in sights if not one.is_proof or is_due])),
    )


def _warnings(stage: Stage, n_requests: int, minutes: float, sights: list[Sight]) -> list[str]:
    said = []
    doubled = next((one for one in sights if one.guard == "errors" and not math.isnan(one.chance)), None)
    if doubled is not None and doubled.chance < TOO_SHORT and doubled.most >= 2:
        enough = "no number that can be reckoned does"
        if doubled.requests:
            enough = f"{doubled.requests:,} requests catch it half of the time"
        said.append(f"{stage.text} catches a doubled error rate {_times(doubled.chance)}: {enough}")
    for one in sights:
        if one.is_proof and (one.requests is None or one.requests > n_requests):
            takes = "no number of requests" if one.requests is None else f"about {one.requests:,} requests"
            said.append(f"{stage.text} will hardly prove {one.guard}: if {one.truth} it takes {takes}")
    if stage.by:
        said.append(f"{stage.text}: reckoned as if each request had a {stage.by} of its own: few of them show less")
    if stage.n_requests and stage.time_s and minutes * 60 > stage.time_s:
        said.append(f"{stage.text}: so many requests take {duration(60 * minutes)} and would come too late")
    return said


def _times(chance: float) -> str:
    """A chance as people say it.

    >>> _times(0.031), _times(0.004), _times(1.0)
    ('3 times in 100', 'less than once in 100 times', '100 times in 100')
    """
    n = round(100 * chance)
    return f"{n} time{'s' * (n != 1)} in 100" if n else "less than once in 100 times"


# --- errors and slow requests, exactly ----------------------------------------------------------------------------


def _sights(guard: Guard, parts: tuple[float, float], stage: Stage, n_requests: int, supposed: Supposed) -> list[Sight]:
    """What a guard sees; `parts`: its part of the budget of false alarms, and the level at which it is proved."""
    part, alpha = parts
    sights = []
    if guard.metric in {"errors", "slow"} and guard.form == "ratio" and guard.limit == 1.0:
        sights.append(_of_ratio(guard, part, stage, n_requests, supposed))
    elif _is_seen(guard, stage):
        sights.append(_caught(guard, part, stage, supposed))
    if guard.must_be_proved and _is_seen(guard, stage):
        sights.append(_proved(guard, alpha, stage, supposed))
    return sights


def _is_seen(guard: Guard, stage: Stage) -> bool:
    return guard.metric != "disagreement" or stage.kind == "shadow"


def _of_ratio(guard: Guard, part: float, stage: Stage, n_requests: int, supposed: Supposed) -> Sight:
    """A doubling of errors (or of slow requests) against the champion."""
    # A copied request is asked twice: the arms are alike, and there are more answers than requests.
    answers = 1 + stage.share if stage.kind == "shadow" else 1.0
    share = stage.share / answers
    rate = supposed.errors if guard.metric == "errors" else supposed.slow
    # The evidence is looked at each minute, and at the end of the stage if that comes before.
    per_look = answers * min(supposed.per_minute, n_requests)
    traffic = Traffic(share=share, rate=rate, alpha=part, per_look=per_look)
    # More than all cannot fail.
    ratio = min(2.0, traffic.most_ratio)
    half = requests_to_catch(traffic, ratio)
    what = "fail" if guard.metric == "errors" else "are slow"
    least = least_ratio(traffic, n_requests * answers)
    truth = f"{percent(ratio * rate)} {what} instead of {percent(rate)}"
    return Sight(
        guard=guard.text,
        truth=truth if rate else f"none of the champion's {what}",
        chance=chance_to_catch(traffic, n_requests * answers, ratio),
        requests=None if half is None else rounded_up(half / answers),
        least=math.inf if least is None else least,
        most=traffic.most_ratio,
    )


# --- everything else, by what comes on average --------------------------------------------------------------------


def _caught(guard: Guard, part: float, stage: Stage, supposed: Supposed) -> Sight:
    """A version that breaks the limit clearly: after how many requests that shows."""
    worse, told = _clearly_worse(guard, supposed)
    window = _expected(guard, worse, stage, supposed)
    return Sight(guard=guard.text, truth=told, requests=_enough(guard, window, part, supposed, is_proof=False))


def _proved(guard: Guard, alpha: float, stage: Stage, supposed: Supposed) -> Sight:
    """A version that is like the champion: after how many requests it is proved to keep the limit."""
    usual = _usual(guard, supposed)
    window = _expected(guard, usual, stage, supposed)
    told = f"{percent(usual)} differ" if guard.metric == "disagreement" else "both are alike"
    return Sight(
        guard=guard.text, truth=told, is_proof=True, requests=_enough(guard, window, alpha, supposed, is_proof=True)
    )


def _usual(guard: Guard, supposed: Supposed) -> float:
    """The champion's share; of bins the share of the one that is looked at."""
    return {
        "errors": supposed.errors,
        "slow": supposed.slow,
        "wrong": supposed.wrong,
        "disagreement": supposed.differ,
        "predictions": 0.2,
    }[guard.metric]


def _clearly_worse(guard: Guard, supposed: Supposed) -> tuple[float, str]:
    """The share of a version that breaks the limit by as much again, or by 2 points where the limit is none."""
    usual = _usual(guard, supposed)
    match guard.form:
        case "ratio":
            share = 2 * guard.limit * usual
        case "value":
            share = 2 * guard.limit
        case "difference":
            share = usual + guard.limit + max(abs(guard.limit), 0.02)
    share = min(share, 0.99)
    words = {"errors": "fail", "slow": "are slow", "wrong": "are wrong", "disagreement": "differ"}
    if guard.metric == "predictions":
        return share, f"a bin moves by {100 * (share - usual):.3g} points"
    return share, f"{percent(share)} {words[guard.metric]}"


def _expected(guard: Guard, share_new: float, stage: Stage, supposed: Supposed) -> Window:
    """What a million requests give on average, if the new version has this share of what the guard counts."""
    n_new = round(stage.share * _MANY)
    n_old = _MANY if stage.kind == "shadow" else _MANY - n_new
    usual, name = _usual(guard, supposed), guard.metric
    if name == "disagreement":
        return Window(compared=Compared(answered=n_new, differ=round(share_new * n_new)))
    if name == "predictions":
        return Window(new=_bins(n_new, share_new), old=_bins(n_old, usual))
    if name == "wrong" and stage.kind == "shadow":
        labelled = round(supposed.labelled * n_new)
        only_old = (supposed.differ + share_new - usual) / 2
        pairs = Compared(
            labelled=labelled,
            only_old=round(max(only_old, 0.0) * labelled),
            only_new=round(max(only_old - share_new + usual, 0.0) * labelled),
        )
        return Window(compared=pairs)
    return Window(new=_of(name, n_new, share_new, supposed), old=_of(name, n_old, usual, supposed))


def _bins(n: int, share: float) -> Counts:
    inside = round(share * n)
    return Counts(requests=n, bins=(inside, n - inside))


def _of(name: str, n: int, share: float, supposed: Supposed) -> Counts:
    match name:
        case "errors":
            return Counts(requests=n, failed=round(share * n))
        case "slow":
            return Counts(requests=n, slow=round(share * n))
        case _:
            labelled = round(supposed.labelled * n)
            return Counts(requests=n, labelled=labelled, wrong=share * labelled)


def _enough(guard: Guard, window: Window, alpha: float, supposed: Supposed, *, is_proof: bool) -> int | None:
    """The requests after which the evidence is 1 / alpha, if everything comes as often as it does on average."""
    track = track_of(guard).after(window, 1.0)
    stakes = -math.log(alpha)

    def is_enough(n: float) -> bool:
        part = _times_of(track, n / _MANY, n / supposed.per_minute)
        return (part.kept() if is_proof else part.worse()) >= stakes

    low, high = 1.0, 64.0 * _MANY
    if not is_enough(high):
        return None
    while high / low > 1.01:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return rounded_up(high)


def _times_of(track: Track, factor: float, minutes: float) -> Track:
    """A track that has seen so many times the one window it saw; a share's blocks are minutes that are all alike."""
    return track.like(factor, minutes) if isinstance(track, ShareTrack) else track.times(factor)


def _of_harm(strategy: Strategy, supposed: Supposed) -> list[str]:
    """That an equal version may be stopped by the estimate of its harm."""
    said = []
    for stage in strategy.stages:
        if stage.kind != "canary":
            continue
        n_new = stage.share * (stage.n_requests or stage.time_s / 60 * supposed.per_minute)
        chance = chance_of_harm(n_new, stage.share, supposed.errors, strategy.most_harm)
        if chance > 0.01:
            most = f"{strategy.most_harm:.0f} extra failures"
            said.append(f"{stage.text}: an equal version seems to have made {most} {_times(chance)}, and is held then")
    return said
