import math

import pytest

from headway.core.rollout_plan import RolloutPlan, Sight, StagePlan, Supposed, plan_rollout
from headway.core.rollout_plan_words import plan_lines
from headway.core.strategy_grammar import read_strategy


def test_a_plan_is_told_stage_by_stage_with_its_warnings_last() -> None:
    said = {
        "strategy": [{"shadow": "100% for 2000 requests"}, {"canary": "50% for 20000 requests"}, "promote"],
        "rollback": ["errors", "quality"],
        "checks": ["disagreement(new, old) <= 0.1", "new.errors / old.errors <= 1.1"],
        "harm": "20",
    }
    strategy = read_strategy(said).strategy
    assert strategy is not None
    plan = plan_rollout(strategy, Supposed())
    lines = plan_lines(plan)
    heads = [line.split(" (")[0] for line in lines if not line.startswith((" ", "warning"))]
    assert heads == ["shadow: 100% for 2000 requests", "canary: 50% for 20000 requests"]
    assert sum("disagreement(new, old) <= 0.1: if 6 % differ, proved after about" in line for line in lines) == 1
    n_warnings = len(plan.warnings) + sum(len(stage.warnings) for stage in plan.stages)
    assert n_warnings > 1
    assert [line.startswith("warning: ") for line in lines[-n_warnings:]] == [True] * n_warnings


def test_what_is_never_seen_is_told() -> None:
    sights = (
        Sight(guard="errors", truth="2 % fail", chance=0.0, requests=None, least=math.inf),
        Sight(guard="shift(new, old) <= 0.05", truth="both are alike", is_proof=True),
    )
    stage = StagePlan(
        stage="canary: 1% for 10 requests",
        n_requests=10,
        n_new=0.1,
        minutes=0.1,
        unseen=0.95,
        sights=sights,
        warnings=(),
    )
    _, first, second, third = plan_lines(RolloutPlan(stages=(stage,), warnings=()))
    assert first == "  errors: if 2 % fail, caught 0 times in 100;"
    assert second == "          not even 64 times as many is caught 4 times in 5"
    assert third == "  shift(new, old) <= 0.05: if both are alike, never proved"


@pytest.mark.parametrize(
    ("errors", "truth", "least"),
    [
        (0.05, "10 % fail instead of 5 %", "not even all of them, 20 times as many, are caught 4 times in 5"),
        (0.6, "100 % fail instead of 60 %", "not even all of them, 1.7 times as many, are caught 4 times in 5"),
        (0.001, "0.2 % fail instead of 0.1 %", "not even 64 times as many is caught 4 times in 5"),
        (0.0, "none of the champion's fail", "not even 64 times as many is caught 4 times in 5"),
    ],
)
def test_no_more_than_all_requests_can_fail(errors: float, truth: str, least: str) -> None:
    strategy = read_strategy({"strategy": [{"canary": "5% for 40 requests"}, "promote"]}).strategy
    assert strategy is not None
    _, first, second, *_ = plan_lines(plan_rollout(strategy, Supposed(errors=errors)))
    assert f"if {truth}, caught" in first
    assert second.strip() == least
