"""Tells a rollout's plan as lines: what each stage sees, by when, and what to be warned of. Reckons nothing."""

import math
from collections.abc import Iterator

from headway.core.rollout_plan import RolloutPlan, Sight, StagePlan
from headway.core.telling import duration, percent
from headway.stats.power_arms import MOST_RATIO


def plan_lines(plan: RolloutPlan) -> tuple[str, ...]:
    """The plan, a line for each stage and each thing that it sees; warnings come last.

    >>> from headway.core.rollout_plan import Supposed, plan_rollout
    >>> from headway.core.strategy_grammar import read_strategy
    >>> short = read_strategy({"strategy": [{"canary": "10% for 10000 requests"}, "promote"]}).strategy
    >>> for line in plan_lines(plan_rollout(short, Supposed())): print(line)
    canary: 10% for 10000 requests (1,000 of the new version, 8.33 minutes; no error in them still allows 0.299 %)
      errors: if 2 % fail instead of 1 %, caught 54 times in 100, half of the time within 9,030 requests;
              4 times in 5 from 2.4 times as many
    """
    lines = [line for stage in plan.stages for line in _stage(stage)]
    warnings = [warning for stage in plan.stages for warning in stage.warnings] + list(plan.warnings)
    return (*lines, *(f"warning: {warning}" for warning in warnings))


def _stage(stage: StagePlan) -> Iterator[str]:
    time = duration(60 * stage.minutes)
    unseen = f"no error in them still allows {percent(stage.unseen)}"
    yield f"{stage.stage} ({stage.n_new:,.0f} of the new version, {time}; {unseen})"
    for sight in stage.sights:
        yield from _sight(sight)


def _sight(sight: Sight) -> Iterator[str]:
    head = f"  {sight.guard}: if {sight.truth}, "
    verb = "proved" if sight.is_proof else "caught"
    if math.isnan(sight.chance):
        never = sight.requests is None
        yield f"{head}never {verb}" if never else f"{head}{verb} after about {sight.requests:,} requests"
        return
    half = "" if sight.requests is None else f", half of the time within {sight.requests:,} requests"
    yield f"{head}caught {round(100 * sight.chance)} times in 100{half};"
    least = f"4 times in 5 from {sight.least:.2g} times as many"
    if math.isinf(sight.least):
        # Where the champion's are not rare, more than all of the new version's cannot be bad.
        most = f"{sight.most:.2g} times as many"
        most = f"{most} is" if sight.most >= MOST_RATIO else f"all of them, {most}, are"
        least = f"not even {most} caught 4 times in 5"
    yield f"{' ' * (len(sight.guard) + 4)}{least}"
