"""What a plan of a rollout rests on, and the whole plan told: what was supposed, where from, stage by stage, how long.

`core/rollout_plan` reckons, `core/rollout_plan_words` tells a watched stage; here is what surrounds them. Knows no log:
what one tells is handed over as `Logged`.
"""

import math
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from headway.core.rollout_plan import RolloutPlan, StagePlan, Supposed
from headway.core.rollout_plan_words import plan_lines
from headway.core.strategy import WATCHED, Stage, Strategy
from headway.core.telling import duration, listed, number, percent

LEAST = 100
"""Of fewer requests no share is told: the guess is as good."""


class Logged(Struct, frozen=True, kw_only=True):
    """What the prediction log of an endpoint tells: so many requests in a time.

    Of the `n_of_version` that the champion was to answer so many failed or were slow; `n_slow` is None where nobody
    said what slow is.
    """

    endpoint: str
    n_requests: int
    seconds: float
    n_of_version: int = 0
    n_failed: int = 0
    n_slow: int | None = None


class Basis(Struct, frozen=True, kw_only=True):
    """What is supposed, and where each number is from: typed (`given`), `measured`, or a guess where neither."""

    supposed: Supposed
    given: tuple[str, ...] = ()
    measured: tuple[str, ...] = ()
    logged: Logged | None = None


class Forecast(Struct, frozen=True, kw_only=True):
    """A whole plan. `step` is whose strategy it is, and `endpoint` where; each is empty where it is not known."""

    strategy: Strategy
    basis: Basis
    plan: RolloutPlan
    step: str = ""
    endpoint: str = ""


def basis_of(given: dict[str, float], logged: Logged | None) -> Basis:
    """What to suppose: what was typed, then what was measured, then a guess.

    >>> basis_of({"errors": 0.02}, Logged(endpoint="e", n_requests=1200, seconds=600.0)).supposed.per_minute
    120.0
    """
    measured: dict[str, float] = {}
    if logged is not None and logged.n_requests >= LEAST:
        measured["per_minute"] = logged.n_requests / max(logged.seconds / 60, 1.0)
        n = logged.n_of_version
        if n >= LEAST:
            # None of so many is not never: half a failure is as likely to be too much as too little.
            measured["errors"] = max(logged.n_failed, 0.5) / n
        if n >= LEAST and logged.n_slow is not None:
            measured["slow"] = max(logged.n_slow, 0.5) / n
        measured = {name: value for name, value in measured.items() if name not in given}
    return Basis(
        supposed=replace(Supposed(), **{**measured, **given}),
        given=tuple(given),
        measured=tuple(measured),
        logged=logged,
    )


def told(forecast: Forecast) -> tuple[str, ...]:
    """The plan as lines: what it rests on, each stage with what it sees, how long it all takes, warnings last."""
    plans = {plan.stage: plan for plan in forecast.plan.stages}
    lines = [*_head(forecast), *_basis(forecast)]
    for stage in forecast.strategy.stages:
        lines += _stage(stage, plans)
    lines.append(_in_all(forecast.strategy, plans))
    warnings = [warning for plan in forecast.plan.stages for warning in plan.warnings]
    return (*lines, *(f"warning: {warning}" for warning in (*warnings, *forecast.plan.warnings)))


def _head(forecast: Forecast) -> Iterator[str]:
    if forecast.step and forecast.endpoint:
        yield f"step {forecast.step}, on the endpoint {forecast.endpoint}"
    elif forecast.step:
        yield f"step {forecast.step}, on an endpoint that only a run knows (--endpoint)"


# --- what it rests on ---------------------------------------------------------------------------------------------


def _basis(forecast: Forecast) -> Iterator[str]:
    basis = forecast.basis
    asked = _asked(forecast.strategy)
    if not asked:
        return
    said = {name: words for name, words in _words(basis.supposed).items() if name in asked}
    measured = [said[name] for name in said if name in basis.measured]
    if basis.logged is not None:
        yield _of_log(basis.logged, measured)
    elif forecast.endpoint:
        yield f"{forecast.endpoint} logged nothing yet"
    given = [said[name] for name in said if name in basis.given]
    if given:
        yield f"as you say: {listed(given, most=9)}"
    guessed = [f"{said[name]} ({_FLAGS[name]})" for name in said if name not in (*basis.given, *basis.measured)]
    if guessed:
        yield f"guessed, since nothing tells it: {listed(guessed, most=9)}"


def _of_log(logged: Logged, measured: list[str]) -> str:
    n = logged.n_requests
    head = f"{logged.endpoint} logged {n:,} request{'s' * (n != 1)} in {duration(logged.seconds)}"
    if n < LEAST:
        return f"{head}: too few to go by"
    return f"{head}: {listed(measured, most=9)}" if measured else head


_FLAGS = {
    "per_minute": "--rate",
    "errors": "--errors",
    "slow": "--slow",
    "wrong": "--wrong",
    "differ": "--differ",
    "labelled": "--labelled",
}
"""The option that says each number otherwise."""


def _words(supposed: Supposed) -> dict[str, str]:
    labelled = "all are labelled" if supposed.labelled == 1 else f"{percent(supposed.labelled)} are labelled"
    return {
        "per_minute": f"{number(float(f'{supposed.per_minute:.3g}'))} requests a minute",
        "errors": f"{percent(supposed.errors)} fail",
        "slow": f"{percent(supposed.slow)} are slow",
        "wrong": f"{percent(supposed.wrong)} of the champion's answers are wrong",
        "differ": f"{percent(supposed.differ)} of the answers differ",
        "labelled": labelled,
    }


def _asked(strategy: Strategy) -> set[str]:
    """The numbers that this strategy's plan depends on."""
    if strategy.last_watched < 0:
        return set()
    metrics = {guard.metric for guard in strategy.guards}
    asked = {"per_minute"}
    if "errors" in metrics or strategy.most_harm:
        asked.add("errors")
    if "slow" in metrics:
        asked.add("slow")
    if "wrong" in metrics:
        asked |= {"wrong", "labelled"}
    if "disagreement" in metrics or ("wrong" in metrics and any(one.kind == "shadow" for one in strategy.stages)):
        asked.add("differ")
    return asked


# --- stages and times ---------------------------------------------------------------------------------------------


def _stage(stage: Stage, plans: dict[str, StagePlan]) -> Iterator[str]:
    if stage.kind in WATCHED:
        plan = plans[stage.text]
        yield from plan_lines(RolloutPlan(stages=(replace(plan, warnings=()),), warnings=()))
    elif stage.kind == "pause":
        yield f"{stage.text}: {_pause(stage)}"
    elif stage.kind == "promote":
        yield f"{stage.text}: the new version answers everything"
    elif stage.kind == "bake":
        kept = f"the old version stays warm for {duration(stage.time_s)}"
        # A strategy that has a name of its own is one text for all of its stages.
        yield f"{stage.text}: {kept}, and goes on counting labels" if ":" in stage.text else f"bake: {kept}"


def _pause(stage: Stage) -> str:
    if stage.approver == "*":
        return "waits until somebody promotes or aborts it"
    return f"waits for {stage.approver}" if stage.approver else f"waits {duration(stage.time_s)}"


def _in_all(strategy: Strategy, plans: dict[str, StagePlan]) -> str:
    """How long it takes until the version takes over, and how long it bakes."""
    before = strategy.stages[: [stage.kind for stage in strategy.stages].index("promote")]
    seconds = math.fsum(60 * plans[stage.text].minutes if stage.kind in WATCHED else stage.time_s for stage in before)
    said = f"in all about {duration(_round(seconds))} until it takes over" if seconds else "it takes over at once"
    if any(stage.approver for stage in before):
        said += ", and the wait for a person"
    bake = math.fsum(stage.time_s for stage in strategy.stages if stage.kind == "bake")
    return f"{said}; then {duration(bake)} of bake" if bake else said


def _round(seconds: float) -> float:
    """Two digits are as much as can be foretold."""
    return float(f"{seconds:.2g}")
