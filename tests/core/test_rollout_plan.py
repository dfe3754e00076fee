import math

import pytest

from headway.core.rollout_judge import Judge
from headway.core.rollout_plan import RolloutPlan, Sight, StagePlan, Supposed, plan_rollout
from headway.core.rollout_window import Counts, Window
from headway.core.strategy import Strategy
from headway.core.strategy_grammar import read_strategy
from headway.stats.power_arms import Traffic, chance_to_catch


def strategy(*stages: dict[str, str], **values: object) -> Strategy:
    read = read_strategy({"strategy": [*stages, "promote"], **values})
    assert read.strategy is not None, read.problems
    return read.strategy


def plan(*stages: dict[str, str], supposed: Supposed | None = None, **values: object) -> RolloutPlan:
    return plan_rollout(strategy(*stages, **values), supposed or Supposed())


def sight(stage: StagePlan, guard: str, *, is_proof: bool = False) -> Sight:
    return next(one for one in stage.sights if one.guard == guard and one.is_proof == is_proof)


def test_a_stage_that_is_too_short_is_warned_of() -> None:
    [stage] = plan({"canary": "5% for 500 requests"}, supposed=Supposed(errors=0.02)).stages
    assert stage.n_new == 25
    # Rule: 25 requests without an error still allow 11.3 %.
    assert stage.unseen == pytest.approx(0.113, abs=0.0005)
    [warning] = stage.warnings
    assert warning.startswith("canary: 5% for 500 requests catches a doubled error rate 1 time in 100: ")
    errors = sight(stage, "errors")
    assert errors.chance < 0.03
    assert errors.least > 8


def test_a_stage_that_is_long_enough_is_not() -> None:
    [stage] = plan({"canary": "50% for 20000 requests"}).stages
    assert stage.warnings == ()
    assert stage.minutes == pytest.approx(20_000 / 1200)
    errors = sight(stage, "errors")
    assert errors.chance > 0.95
    assert 1.3 < errors.least < 2
    assert errors.truth == "2 % fail instead of 1 %"


def test_a_stage_by_time_has_the_requests_that_come_meanwhile() -> None:
    by_time = plan({"canary": "10% for 10m"}).stages[0]
    by_number = plan({"canary": "10% for 12000 requests"}).stages[0]
    assert by_time.n_requests == by_number.n_requests
    assert by_time.sights == by_number.sights


def test_the_guards_share_the_budget_that_the_judge_gives_them() -> None:
    values = {"rollback": ["errors", "latency"], "slower-than": "1s"}
    [stage] = plan_rollout(strategy({"canary": "10% for 12000 requests"}, **values), Supposed()).stages
    for guard, part in (("errors", 0.04), ("latency", 0.01)):
        traffic = Traffic(share=0.1, rate=0.01, alpha=part, per_look=1200)
        assert sight(stage, guard).chance == pytest.approx(chance_to_catch(traffic, 12_000, 2.0))


def test_a_shadow_sees_more_than_a_canary_of_as_many_requests() -> None:
    shadow = plan({"shadow": "100% for 2000 requests"}).stages[0]
    canary = plan({"canary": "50% for 2000 requests"}).stages[0]
    assert sight(shadow, "errors").chance > sight(canary, "errors").chance
    only = plan({"shadow": "100% for 2000 requests"}, checks=["disagreement(new, old) <= 0.1"]).stages[0]
    assert sight(only, "disagreement(new, old) <= 0.1", is_proof=True).requests == pytest.approx(460, rel=0.05)


@pytest.mark.parametrize(
    "check",
    [
        "new.errors / old.errors <= 2",
        "new.errors - old.errors <= 0.01",
        "new.errors <= 0.03",
        "new.accuracy - old.accuracy >= -0.05",
    ],
)
def test_as_many_requests_as_are_said_prove_it_if_all_comes_as_on_average(check: str) -> None:
    said = strategy({"canary": "50% for 1000000 requests"}, checks=[check], rollback=["not-ready"])
    [stage] = plan_rollout(said, Supposed()).stages
    needed = sight(stage, check, is_proof=True).requests
    assert needed is not None

    def proved(n: float) -> bool:
        judge = Judge(said)
        half = round(n / 2)
        counts = Counts(requests=half, failed=round(half / 100), labelled=half, wrong=0.15 * half)
        judge.after(Window(new=counts, old=counts))
        return judge.verdict(0.0).seen[0].state == "proved"

    assert proved(needed * 1.15)
    assert not proved(needed * 0.85)


def test_a_check_that_the_last_stage_cannot_prove_is_warned_of() -> None:
    stages = ({"canary": "10% for 10000 requests"}, {"canary": "50% for 10000 requests"})
    first, last = plan(*stages, checks=["new.errors / old.errors <= 1.1"]).stages
    assert not any("prove" in warning for warning in first.warnings)
    assert any("will hardly prove new.errors / old.errors <= 1.1: if both are alike" in w for w in last.warnings)
    [alone] = plan({"canary": "50% for 60000 requests"}, checks=["new.errors / old.errors <= 2"]).stages
    assert not any("prove" in warning for warning in alone.warnings)


def test_requests_that_come_too_late_are_warned_of() -> None:
    [stage] = plan({"canary": "50% for 120000 requests within 1h"}).stages
    assert stage.warnings == (
        "canary: 50% for 120000 requests within 1h: so many requests take 100 minutes and would come too late",
    )


def test_customers_that_stick_are_warned_of() -> None:
    [stage] = plan({"canary": "50% by customer_id for 20000 requests"}).stages
    [warning] = stage.warnings
    assert "as if each request had a customer_id of its own" in warning


def test_nothing_that_compares_is_told() -> None:
    found = plan_rollout(strategy(), Supposed())
    assert found.stages == ()
    assert "only golden requests" in found.warnings[0]


def test_a_budget_of_harm_that_stops_equal_versions_is_warned_of() -> None:
    found = plan({"canary": "50% for 20000 requests"}, harm=20)
    assert "an equal version seems to have made 20 extra failures 16 times in 100" in found.warnings[0]
    assert plan({"canary": "50% for 20000 requests"}, harm=20, rollback=[]).warnings == found.warnings
    assert plan({"canary": "10% for 2000 requests"}, harm=20).warnings == ()


def test_what_is_never_seen_has_no_number() -> None:
    [stage] = plan({"canary": "1% for 100 requests"}, supposed=Supposed(errors=0.00001)).stages
    assert sight(stage, "errors").least == math.inf
    assert "0" not in stage.warnings[0].split("catches")[1].split(":")[0].replace("100", "")
