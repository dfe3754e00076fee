"""Firings: every event starts one run or waits, limits hold at any moment, and failing runs do not come in storms."""

import itertools
import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import facts as f
from headway.core.ids import RunId
from headway.core.trigger import DAY_S, FIRST_PAUSE_S, HAND, LONGEST_PAUSE_S, WEEK_S, Fire, Firings, Limits, Start

DATA = "data: data/training.csv"


def event(key: str, source: str = DATA) -> f.EventSeen:
    return f.EventSeen(source=source, key=key, why=f"{source} has {key}")


class Loop:
    """What a loop does: fires what is due, and lets the run end as told."""

    def __init__(self, limits: Limits, outcome: f.RunOutcome = "passed") -> None:
        self.machine = Firings(limits)
        self.outcome = outcome
        self.fired: list[tuple[float, f.TriggerFired]] = []
        self.facts: list[tuple[f.Fact, float]] = []

    def tell(self, fact: f.Fact, at: float) -> None:
        self.facts.append((fact, at))
        self.machine.after(fact, at)

    def see(self, one: f.EventSeen, at: float) -> None:
        if self.machine.is_new(one):
            self.tell(one, at)
        self.settle(at)

    def settle(self, at: float) -> None:
        while actions := self.machine.next(at):
            for action in actions:
                match action:
                    case Fire(firing=n, sources=sources, why=why):
                        fact = f.TriggerFired(firing=n, sources=sources, why=why)
                        self.fired.append((at, fact))
                        self.tell(fact, at)
                    case Start(fired=fired):
                        self.tell(f.FiringEnded(firing=fired.firing, outcome=self.outcome, run=RunId(fired.firing)), at)


def test_an_event_starts_one_run_and_the_same_event_no_other() -> None:
    loop = Loop(Limits())
    loop.see(event("a"), 1.0)
    loop.see(event("a"), 2.0)
    assert [(at, one.firing, one.why) for at, one in loop.fired] == [(1.0, 1, f"{DATA} has a")]


def test_data_that_are_again_as_they_were_are_news() -> None:
    loop = Loop(Limits())
    for at, key in enumerate("aba"):
        loop.see(event(key), float(at))
    assert len(loop.fired) == 3


def test_a_delivery_that_comes_again_is_not() -> None:
    loop = Loop(Limits())
    for at, key in enumerate("aba"):
        loop.see(event(key, "http: retrain"), float(at))
    assert len(loop.fired) == 2


def test_a_branch_that_comes_back_to_a_commit_is_news_and_other_branches_do_not_matter() -> None:
    loop = Loop(Limits())
    told = ["main@a", "dev@a", "main@a", "main@b", "dev@a", "main@a"]
    for at, key in enumerate(told):
        loop.see(event(key, "push"), float(at))
    assert [at for at, _ in loop.fired] == [0.0, 1.0, 3.0, 5.0]


def test_how_a_source_was_when_it_was_first_watched_starts_nothing() -> None:
    loop = Loop(Limits())
    loop.tell(f.SourceWatched(source=DATA, key="a"), 1.0)
    loop.see(event("a"), 2.0)
    assert loop.machine.standing(2.0).waiting == ()
    loop.see(event("b"), 3.0)
    assert [at for at, _ in loop.fired] == [3.0]


def test_what_comes_during_a_run_waits_for_its_end_and_shares_the_next_one() -> None:
    machine = Firings(Limits())
    machine.after(event("a"), 1.0)
    (fire,) = machine.next(1.0)
    assert isinstance(fire, Fire)
    fired = f.TriggerFired(firing=fire.firing, sources=fire.sources, why=fire.why)
    machine.after(fired, 1.0)
    for source, key in ((DATA, "b"), (DATA, "c"), ("push: main", "9f1")):
        machine.after(event(key, source), 2.0)
    assert machine.next(3.0) == (Start(fired=fired),)
    assert machine.standing(3.0).why == "firing 1 is under way"
    machine.after(f.FiringEnded(firing=1, outcome="passed"), 4.0)
    (second,) = machine.next(4.0)
    assert isinstance(second, Fire)
    assert (second.firing, second.sources) == (2, (DATA, "push: main"))
    assert second.why == f"{DATA} has c and push: main has 9f1"


def test_a_cooldown_holds_events_back_and_says_until_when() -> None:
    loop = Loop(Limits(cooldown_s=100.0))
    loop.see(event("a"), 1000.0)
    loop.see(event("b"), 1050.0)
    standing = loop.machine.standing(1050.0)
    assert (standing.due, standing.why) == (1100.0, "the cooldown after the last run")
    assert [one.key for one in standing.waiting] == ["b"]
    loop.settle(1099.9)
    assert len(loop.fired) == 1
    loop.settle(1100.0)
    assert [at for at, _ in loop.fired] == [1000.0, 1100.0]


@pytest.mark.parametrize(
    ("limits", "span_s", "words"),
    [(Limits(per_day=3), DAY_S, "3 runs a day at most"), (Limits(per_week=1), WEEK_S, "1 run a week at most")],
)
def test_so_many_in_any_such_time_and_no_more(limits: Limits, span_s: float, words: str) -> None:
    most = limits.per_day or limits.per_week or 0
    loop = Loop(limits)
    for n in range(most + 1):
        loop.see(event(str(n)), float(n))
    assert len(loop.fired) == most
    standing = loop.machine.standing(50.0)
    assert (standing.due, standing.why) == (span_s, words)
    loop.settle(span_s)
    assert len(loop.fired) == most + 1


def test_no_run_at_all_when_none_is_allowed() -> None:
    loop = Loop(Limits(per_day=0))
    loop.see(event("a"), 1.0)
    assert loop.fired == []
    assert loop.machine.standing(1.0).due == math.inf
    loop.see(event("please", HAND), 2.0)
    assert len(loop.fired) == 1


def test_a_person_is_not_held_back_by_limits() -> None:
    loop = Loop(Limits(cooldown_s=1e6, per_day=1), outcome="failed")
    for n in range(5):
        loop.see(event(str(n), HAND), float(n))
    assert len(loop.fired) == 5


def test_retrains_that_all_fail_come_ever_more_seldom() -> None:
    loop = Loop(Limits(), outcome="failed")
    for minute in range(14 * 24 * 60):
        loop.see(event(str(minute)), minute * 60.0)
    gaps = [b - a for (a, _), (b, _) in itertools.pairwise(loop.fired)]
    assert gaps[:4] == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S, 8 * FIRST_PAUSE_S]
    assert max(gaps) == LONGEST_PAUSE_S
    assert len(loop.fired) < 30
    loop.outcome = "passed"
    loop.settle(loop.fired[-1][0] + LONGEST_PAUSE_S)
    at = loop.fired[-1][0] + 60.0
    loop.see(event("after one that passed"), at)
    assert loop.fired[-1][0] == at


def test_a_run_that_refused_its_data_does_not_hold_back_other_data() -> None:
    loop = Loop(Limits(), outcome="invalid")
    loop.see(event("a"), 1.0)
    loop.see(event("b"), 2.0)
    assert [at for at, _ in loop.fired] == [1.0, 2.0]
    # What is about the same data waits as after any other run.
    loop.see(event("1", source="quality: live"), 3.0)
    assert [at for at, _ in loop.fired] == [1.0, 2.0]
    loop.outcome = "failed"
    loop.see(event("c"), 4.0)
    assert loop.fired[-1][1].sources == ("quality: live", DATA)
    loop.see(event("d"), 5.0)
    assert len(loop.fired) == 3


def test_a_clock_that_was_wrong_for_a_while_stops_nothing() -> None:
    loop = Loop(Limits(cooldown_s=100.0, per_day=2))
    loop.see(event("a"), 4e9)
    loop.see(event("b"), 1000.0)
    loop.see(event("c"), 1001.0)
    assert loop.machine.standing(1001.0).due == 1100.0
    loop.settle(1100.0)
    loop.see(event("d"), 1300.0)
    assert [at for at, _ in loop.fired] == [4e9, 1000.0, 1100.0]


Steps = Sequence[tuple[float, str, str]]


@given(
    steps=st.lists(
        st.tuples(st.floats(0, 40000), st.sampled_from([DATA, "push: main", "http: x"]), st.sampled_from("abcde")),
        max_size=60,
    ),
    cooldown_s=st.sampled_from([0.0, 50.0, 7200.0]),
    per_day=st.sampled_from([None, 1, 3]),
    outcome=st.sampled_from(["passed", "failed"]),
)
def test_limits_hold_at_any_time_and_no_event_is_lost(
    steps: Steps, cooldown_s: float, per_day: int | None, outcome: f.RunOutcome
) -> None:
    loop = Loop(Limits(cooldown_s=cooldown_s, per_day=per_day), outcome)
    now = 0.0
    for wait_s, source, key in steps:
        now += wait_s
        loop.see(event(key, source), now)
    at = [when for when, _ in loop.fired]
    assert all(b - a >= cooldown_s for a, b in itertools.pairwise(at))
    if per_day is not None:
        assert all(b - a >= DAY_S for a, b in zip(at, at[per_day:], strict=False))
    # Each event is followed by a firing of its source, or waits.
    last_seen = {one.source: n for n, (one, _) in enumerate(loop.facts) if isinstance(one, f.EventSeen)}
    last_fired = {
        source: n for n, (one, _) in enumerate(loop.facts) if isinstance(one, f.TriggerFired) for source in one.sources
    }
    waiting = {one.source for one in loop.machine.standing(now).waiting}
    assert waiting == {source for source, n in last_seen.items() if n > last_fired.get(source, -1)}
    assert [one.firing for _, one in loop.fired] == list(range(1, len(at) + 1))
    # Whoever reads the log comes to the same.
    again = Firings(Limits(cooldown_s=cooldown_s, per_day=per_day))
    for fact, when in loop.facts:
        again.after(fact, when)
    assert again.standing(now) == loop.machine.standing(now)
    loop.settle(now + 3 * WEEK_S)
    assert loop.machine.standing(now + 3 * WEEK_S).waiting == ()
