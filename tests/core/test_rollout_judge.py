import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from headway.core.rollout_judge import OTHERS, Judge, Seen, Verdict
from headway.core.rollout_window import Compared, Counts, Window
from headway.core.strategy import Strategy
from headway.core.strategy_grammar import read_strategy

CANARY = [{"canary": "10% for 12000 requests"}, "promote", {"bake": "14d"}]


def strategy(**values: object) -> Strategy:
    read = read_strategy({"strategy": CANARY, "rollback": ["errors"], **values})
    assert read.strategy is not None, read.problems
    return read.strategy


def minute(failed_new: int = 1, failed_old: int = 11, **more: int) -> Window:
    return Window(
        new=Counts(requests=120, failed=failed_new, slow=more.get("slow_new", 2)),
        old=Counts(requests=1080, failed=failed_old, slow=more.get("slow_old", 20)),
    )


def after(judge: Judge, *windows: Window, now: float = 0.0) -> Verdict:
    for window in windows:
        judge.after(window)
    return judge.verdict(now)


# --- outcomes -----------------------------------------------------------------------------------------------------


def test_an_equal_version_is_looked_at_until_the_end_and_promoted() -> None:
    judge = Judge(strategy())
    for n in range(1, 10):
        verdict = after(judge, minute())
        assert verdict.outcome == "keep-looking"
        assert f"{1200 * n:,} of 12,000 requests" in verdict.why
    verdict = after(judge, minute())
    assert verdict.outcome == "promote"
    assert "nothing was shown to be worse in 12,000 requests" in verdict.why


def test_a_worse_version_is_rolled_back_with_the_numbers() -> None:
    judge = Judge(strategy())
    verdict = after(judge, *[minute(failed_new=4)] * 5)
    assert verdict.outcome == "roll-back"
    assert "20 of 600 (3.33 %) failed, of the champion's 55 of 5,400 (1.02 %): 3.3 times as often" in verdict.why
    assert "rolls back at 20" in verdict.why
    page = (Path(__file__).parents[2] / "docs" / "rollouts.md").read_text()
    assert verdict.why in " ".join(page.split())
    [seen] = verdict.seen
    assert seen.evidence >= seen.rolls_back_at == 20
    assert seen.low > 1


def test_an_outage_of_both_is_not_held_against_the_new_one() -> None:
    judge = Judge(strategy())
    assert after(judge, minute(), *[minute(failed_new=40, failed_old=360)] * 3).outcome == "keep-looking"


def test_a_stage_before_the_last_goes_on() -> None:
    judge = Judge(strategy(strategy=[{"shadow": "100% for 1000 requests"}, *CANARY]))
    shadow = Window(new=Counts(requests=500), old=Counts(requests=500), compared=Compared(answered=500, differ=3))
    assert after(judge, shadow).outcome == "keep-looking"
    verdict = after(judge, shadow)
    assert verdict.outcome == "go-on"
    assert verdict.n_requests == 1000
    judge.begin(1, at=100.0)
    assert after(judge, minute(), now=160.0).outcome == "keep-looking"


@pytest.mark.parametrize("kind", ["time", "requests within time"])
def test_a_stage_ends_by_time(kind: str) -> None:
    said = "10% for 1h" if kind == "time" else "10% for 12000 requests within 1h"
    judge = Judge(strategy(strategy=[{"canary": said}, "promote"], unsure="rollback"))
    judge.begin(0, at=1000.0)
    assert after(judge, minute(), now=1000.0 + 3599).outcome == "keep-looking"
    verdict = judge.verdict(1000.0 + 3600)
    if kind == "time":
        assert verdict.outcome == "promote"
    else:
        assert (verdict.outcome, verdict.then) == ("unsure", "rollback")
        assert "10,800 requests are missing" in verdict.why


def test_a_check_that_is_not_proved_at_the_end_is_unsure_and_says_what_would_do() -> None:
    judge = Judge(strategy(checks=["new.errors / old.errors <= 2.5"]))
    verdict = after(judge, *[minute(failed_new=n % 2 + 1) for n in range(10)])
    assert verdict.outcome == "unsure"
    assert verdict.then == "hold"
    assert "not proved at the end of the stages; about" in verdict.why
    check = next(seen for seen in verdict.seen if seen.proved_at)
    assert check.needed > 0
    more = after(judge, *[minute(failed_new=n % 2 + 1) for n in range(math.ceil(check.needed / 1200) + 1)])
    assert more.outcome == "promote"
    assert "1 of 1 checks proved" in more.why


def test_a_check_is_proved_over_all_requests_and_by_no_slice() -> None:
    judge = Judge(strategy(checks=["new.errors <= 0.5 for each region"]))
    south = Window(new=Counts(requests=1), old=Counts(requests=9), slice=(("region", "south"),))
    verdict = after(judge, *[minute()] * 10, south)
    assert {seen.slice: seen.state for seen in verdict.seen if seen.proved_at} == {
        (): "proved",
        (("region", "south"),): "open",
    }
    assert verdict.outcome == "promote"


def test_labels_that_come_during_the_bake_roll_back() -> None:
    judge = Judge(strategy(rollback=["errors", "quality"]))
    assert after(judge, *[minute()] * 10).outcome == "promote"
    judge.begin(2, at=0.0)
    alone = Window(new=Counts(requests=1200))
    assert after(judge, alone, now=86400.0).outcome == "keep-looking"
    labels = Window(new=Counts(labelled=1200, wrong=260), old=Counts(labelled=10800, wrong=1400))
    verdict = after(judge, labels, now=7 * 86400.0)
    assert verdict.outcome == "roll-back"
    assert verdict.why.startswith("quality: 260 of 1,200 (21.7 %) were wrong")
    assert Judge(strategy()).verdict(0.0).outcome == "keep-looking"


def test_a_bake_is_over_when_its_time_is() -> None:
    judge = Judge(strategy())
    judge.begin(2, at=0.0)
    assert judge.verdict(14 * 86400.0 - 1).outcome == "keep-looking"
    assert judge.verdict(14 * 86400.0).outcome == "go-on"


# --- harm ---------------------------------------------------------------------------------------------------------


def test_harm_that_is_expected_stops_and_harm_that_is_proved_rolls_back() -> None:
    values = {"harm": "at most 20 extra failed requests", "rollback": ["not-ready"]}
    judge = Judge(strategy(**values))
    # 4 a minute, 1.2 of which the champion would have failed as well.
    assert after(judge, *[minute(failed_new=4, failed_old=11)] * 7).outcome == "keep-looking"
    verdict = after(judge, minute(failed_new=4, failed_old=11))
    assert (verdict.outcome, verdict.then) == ("unsure", "hold")
    assert "about 22 requests failed" in verdict.why
    assert verdict.harm.expected == pytest.approx(8 * (4 - 11 / 9))
    gross = after(Judge(strategy(**values)), *[minute(failed_new=60)] * 2)
    assert gross.outcome == "roll-back"
    assert "at least" in gross.why
    assert gross.harm.proved > 20


def test_a_shadow_harms_nobody() -> None:
    judge = Judge(strategy(strategy=[{"shadow": "100% for 5000 requests"}, *CANARY], harm=5, rollback=["not-ready"]))
    assert after(judge, Window(new=Counts(requests=500, failed=400), old=Counts(requests=500))).outcome != "roll-back"


# --- slices and the budget ----------------------------------------------------------------------------------------


def of_slices(verdict: Verdict) -> list[Seen]:
    return [seen for seen in verdict.seen if seen.slice]


def test_a_slice_that_is_worse_rolls_back_though_all_together_are_not() -> None:
    judge = Judge(strategy(checks=["new.errors / old.errors <= 1.5 for each region"]))
    for _ in range(6):
        judge.after(minute())
        south = Window(
            new=Counts(requests=30, failed=12), old=Counts(requests=270, failed=3), slice=(("region", "south"),)
        )
        judge.after(south)
        judge.after(Window(new=Counts(requests=90), old=Counts(requests=810), slice=(("region", "north"),)))
    verdict = judge.verdict(0.0)
    assert verdict.outcome == "roll-back"
    assert "in region=south: 72 of 180 (40 %) failed" in verdict.why
    assert {seen.state for seen in verdict.seen if seen.slice == (("region", "north"),)} == {"open"}


def test_the_budget_is_never_overspent_however_many_slices_come() -> None:
    said = strategy(
        rollback=["errors", "latency"],
        checks=["new.errors / old.errors <= 1.5 for each region", "new.slow <= 0.1 for each region"],
        slices=5,
        harm=20,
        **{"slower-than": "1s", "false-rollbacks": 0.02},
    )
    judge = Judge(said)
    for i in range(12):
        judge.after(minute())
        place = (("region", f"r{i}"),)
        judge.after(Window(new=Counts(requests=5), old=Counts(requests=50), slice=place))
    verdict = judge.verdict(0.0)
    assert len(of_slices(verdict)) == 10
    assert sum(seen.slice == (("region", OTHERS),) for seen in verdict.seen) == 2
    assert sum(1 / seen.rolls_back_at for seen in verdict.seen) < 0.02
    # Exactly what harm leaves.
    assert sum(1 / seen.rolls_back_at for seen in verdict.seen) == pytest.approx(0.02 * 7 / 8)


def test_windows_of_columns_that_no_guard_names_are_not_looked_at() -> None:
    judge = Judge(strategy())
    place = (("plan", "free"),)
    judge.after(Window(new=Counts(requests=100, failed=100), old=Counts(requests=100), slice=place))
    assert judge.verdict(0.0).outcome == "keep-looking"


def test_the_same_windows_give_the_same_verdict_whenever_it_is_asked() -> None:
    often, once = Judge(strategy()), Judge(strategy())
    windows = [minute(failed_new=n % 4) for n in range(9)]
    for window in windows:
        often.after(window)
        often.verdict(1.0)
        once.after(window)
    assert often.verdict(2.0) == once.verdict(2.0)


# --- how often it is wrong ----------------------------------------------------------------------------------------

EVERYTHING: Mapping[str, object] = {
    "strategy": [{"shadow": "100% for 2000 requests"}, {"canary": "10% for 72000 requests"}, "promote"],
    "rollback": ["errors", "latency", "quality", "predictions"],
    "checks": ["new.errors / old.errors <= 1.5 for each region", "disagreement(new, old) <= 0.1"],
    "slower-than": "200ms",
}


def rolled_back(rng: np.random.Generator, *, factor: float = 1.0) -> bool:
    """Whether a version that fails `factor` times as often, and is equal otherwise, was rolled back within the hour."""
    judge = Judge(strategy(**EVERYTHING))

    def counts(n: int, rate: float, labelled: int) -> Counts:
        low = int(rng.binomial(n, 0.3))
        return Counts(
            requests=n,
            failed=int(rng.binomial(n, rate)),
            slow=int(rng.binomial(n, 0.02)),
            labelled=labelled,
            wrong=int(rng.binomial(labelled, 0.15)),
            bins=(low, n - low),
        )

    for _ in range(4):
        pairs = Compared(
            answered=500,
            differ=int(rng.binomial(500, 0.06)),
            labelled=100,
            only_new=int(rng.binomial(100, 0.03)),
            only_old=int(rng.binomial(100, 0.03)),
        )
        judge.after(Window(new=counts(500, 0.01 * factor, 0), old=counts(500, 0.01, 0), compared=pairs))
        if judge.verdict(0.0).outcome == "roll-back":
            return True
    judge.begin(1, at=0.0)
    rate = 0.01
    for minute_of_hour in range(60):
        # Both versions' rate walks, and there are outages of both.
        rate = min(max(rate * math.exp(rng.normal(0, 0.3)), 0.002), 0.05)
        now = 0.3 if rng.random() < 0.02 else rate
        judge.after(Window(new=counts(120, min(now * factor, 1), 40), old=counts(1080, now, 360)))
        for region, share in (("south", 0.25), ("north", 0.75)):
            of_new, of_old = int(120 * share), int(1080 * share)
            window = Window(
                new=counts(of_new, min(now * factor, 1), 0), old=counts(of_old, now, 0), slice=(("region", region),)
            )
            judge.after(window)
        if minute_of_hour % 3 == 2 and judge.verdict(0.0).outcome == "roll-back":
            return True
    return False


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_guards_and_slices_together_roll_back_equal_versions_as_rarely_as_is_said() -> None:
    worlds = 60
    rng = np.random.default_rng(91)
    falsely = sum(rolled_back(rng) for _ in range(worlds)) / worlds
    assert falsely <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / worlds)


@pytest.mark.slow
def test_a_version_that_fails_three_times_as_often_is_rolled_back_by_them() -> None:
    rng = np.random.default_rng(92)
    assert sum(rolled_back(rng, factor=3.0) for _ in range(10)) >= 9
