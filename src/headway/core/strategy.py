"""How a version comes to an endpoint, as values: stages of traffic, what is watched meanwhile, what ends it.

`core/strategy_grammar` reads them from a file, `core/rollout_plan` says what they can see, `core/rollout_judge` judges.
"""

from typing import Literal

from msgspec import Struct

from headway.core.guard import Guard, shares_of_budget

StageKind = Literal["shadow", "canary", "pause", "promote", "bake"]

Unsure = Literal["hold", "rollback", "promote"]

WATCHED: frozenset[StageKind] = frozenset({"shadow", "canary"})
"""Stages in which both versions answer, so that they can be compared."""


class Stage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One stage: a `share` in (0, 1] of requests goes to the new version (canary), or is copied to it (shadow).

    It ends after `n_requests` of the endpoint (all of them, not the new version's; 0: no number is asked for) or after
    `time_s` seconds (0: no time is). With both, it should see so many requests before the time is over, and is unsure
    if it does not. `by` is the field of a request whose values stay with one version; empty: each request is drawn by
    itself. A pause waits `time_s`, or for the word of `approver` (`*`: of anybody who may).
    """

    kind: StageKind
    text: str
    share: float = 0.0
    n_requests: int = 0
    time_s: float = 0.0
    by: str = ""
    approver: str = ""

    @property
    def n_new(self) -> float:
        """The requests that the new version answers in it, on average."""
        return self.share * self.n_requests


class Strategy(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The stages in their order, and what is watched.

    `alpha` is the chance that a version which breaks nothing is rolled back by any guard in any slice at any look, and
    for each check the chance that a version which breaks it is promoted. `slower_than_s` makes a request slow.
    `most_harm`: so many requests may fail that would not have failed with the champion; 0: no such limit. So many
    `burst` bad answers may have one cause (see `stats/arms`); `n_slices` slices of each guard are told apart. A number
    is wrong that is further than `off_by` from the truth, or, `is_off_relative`, than that part of it; 0: nobody said,
    and what it is off by counts in parts of the champion's spread.
    """

    stages: tuple[Stage, ...]
    guards: tuple[Guard, ...] = ()
    is_not_ready_a_cause: bool = True
    unsure: Unsure = "hold"
    alpha: float = 0.05
    slower_than_s: float = 0.0
    most_harm: float = 0.0
    burst: int = 1
    n_slices: int = 20
    off_by: float = 0.0
    is_off_relative: bool = False

    @property
    def last_watched(self) -> int:
        """The stage at whose end it is decided whether to promote; -1 where nothing is watched."""
        return max((i for i, stage in enumerate(self.stages) if stage.kind in WATCHED), default=-1)


def is_watched(strategy: Strategy) -> bool:
    """Whether anything in it is judged by what both versions answered."""
    return any(stage.kind in WATCHED for stage in strategy.stages)


HARM = Guard(text="harm", metric="errors", form="difference", limit=0.0)
"""The budget of harm, which is one more cause to roll back where there is one."""


def budget_of(strategy: Strategy) -> list[tuple[Guard, float]]:
    """Each guard with its part of the budget of false rollbacks, the budget of harm last."""
    guards = [*strategy.guards, HARM] if strategy.most_harm else list(strategy.guards)
    return list(zip(guards, shares_of_budget(guards, strategy.alpha), strict=True)) if guards else []


def columns_of(strategy: Strategy) -> dict[str, str]:
    """The columns of requests by which they are told apart, and the words that ask for it; they must be logged."""
    wanted = {column: f"for each {column}" for guard in strategy.guards for column in guard.each}
    return wanted | {one.by: f"by {one.by}" for one in strategy.stages if one.kind == "canary" and one.by}
