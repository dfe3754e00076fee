"""The stages of a release as a machine: what it wants, who may say what, and that every cut is gone on with."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import facts as f
from headway.core import rollout as r
from headway.core.rollout_window import Counts, Window
from headway.core.strategy import Strategy
from headway.core.strategy_grammar import read_strategy

STAGES = [{"shadow": "100% for 100 requests"}, {"canary": "10% for 1000 requests"}, "promote", {"bake": "1h"}]


def strategy(stages: Sequence[object] = STAGES, **keys: Any) -> Strategy:
    read = read_strategy({"strategy": list(stages), "rollback": ["not-ready", "errors"], **keys})
    assert read.strategy is not None, read.problems
    return read.strategy


def order(version: int, plan: Strategy | None = None, key: str = "") -> r.Order:
    return r.Order(endpoint="e", model="m", version=version, key=key or f"run/{version}", strategy=plan)


def what_happens(action: Any) -> f.Fact:
    """The fact that an action leaves which went well."""
    number = action.release.release
    is_back = isinstance(action, r.Abort) and action.is_rolled_back
    made: dict[type, Callable[[], f.Fact]] = {
        r.StartVersion: lambda: f.VersionStarted(release=number),
        r.AskGolden: lambda: f.GoldenAnswered(release=number, n_requests=3),
        r.BeginStage: lambda: f.StageBegan(release=number, stage=action.stage),
        r.Hold: lambda: f.ReleaseHeld(release=number, stage=action.stage, why=action.why, cause=action.cause),
        r.Decide: lambda: f.ReleaseDirected(release=number, act="abort", why=action.why),
        r.Switch: lambda: f.EndpointSwitched(release=number, url="u"),
        r.Finish: lambda: f.ReleaseFinished(release=number, outcome="released"),
        r.Abort: lambda: f.ReleaseFinished(
            release=number, outcome="rolled-back" if is_back else "aborted", why=action.why
        ),
        r.Supersede: lambda: f.ReleaseFinished(release=number, outcome="aborted"),
    }
    return made[type(action)]()


class World:
    """Does what a machine wants, in facts only; each look counts what `seen` says, and takes a minute."""

    def __init__(self, seen: Callable[[f.Fact | None], Window | None] | None = None) -> None:
        self.facts: list[tuple[f.Fact, float]] = []
        self.now = 0.0
        self.seen = seen or (lambda _: Window(new=Counts(requests=50), old=Counts(requests=450)))

    def machine(self, asked: r.Order | None = None, until: r.Until | None = None) -> r.Rollout:
        made = r.Rollout("e", asked, until=until)
        for fact, at in self.facts:
            made.after(fact, at)
        return made

    def add(self, fact: f.Fact) -> None:
        self.facts.append((fact, self.now))

    def drive(self, asked: r.Order | None = None, until: r.Until | None = None, *, most: int = 500) -> list[str]:
        """What the machine wanted, in order; looks only once in a row."""
        machine = self.machine(asked, until)
        names: list[str] = []
        for _ in range(most):
            actions = machine.next(self.now)
            if not actions:
                return names
            for action in actions:
                name = type(action).__name__
                if isinstance(action, r.BeginStage):
                    name += f" {action.stage}"
                if names[-1:] != [name]:
                    names.append(name)
                fact = self.done(action)
                if fact is not None:
                    self.add(fact)
                    machine.after(fact, self.now)
        raise AssertionError(f"it came to no end: {names}")

    def done(self, action: r.Action) -> f.Fact | None:
        self.now += 1
        if isinstance(action, r.Claim):
            number, asked = action.release, action.order
            return f.ReleaseStarted(
                endpoint="e", release=number, model="m", version=asked.version, key=asked.key,
                cause=asked.cause, strategy=asked.strategy,
            )  # fmt: skip
        if isinstance(action, r.Look):
            self.now += 59
            window = self.seen(self.facts[-1][0])
            number, stage = action.release.release, action.stage
            return None if window is None else f.StageLooked(release=number, stage=stage, windows=(window,))
        return what_happens(action)

    def say(self, act: f.Act, by: str = "ann", why: str = "") -> None:
        self.add(f.ReleaseDirected(release=self.machine().n_releases, act=act, by=by, why=why))

    @property
    def ended(self) -> f.ReleaseFinished:
        found = self.machine().ended
        assert found is not None
        return found

    @property
    def serving(self) -> int:
        found = self.machine().serving
        assert found is not None
        return found.version


def world(plan: Strategy | None = None, **keys: Any) -> World:
    """An endpoint on which version 1 serves."""
    made = World(**keys)
    made.drive(order(1))
    return made


def bad(new_failed: int, old_failed: int = 0) -> Mapping[str, Any]:
    window = Window(new=Counts(requests=50, failed=new_failed), old=Counts(requests=450, failed=old_failed))
    return {"seen": lambda _: window}


START = ["Claim", "StartVersion", "AskGolden"]


def test_stages_are_gone_through_in_order_up_to_the_bake() -> None:
    made = world()
    names = made.drive(order(2, strategy()))
    assert names == [*START, "BeginStage 0", "Look", "BeginStage 1", "Look", "Switch", "BeginStage 3"]
    assert (made.serving, made.machine().is_baking, made.machine().previous.version) == (2, True, 1)  # type: ignore[union-attr] # there is one


def test_whoever_watches_goes_on_with_the_bake_and_finishes() -> None:
    made = world()
    made.drive(order(2, strategy()))
    assert made.drive(until="ended") == ["Look", "Finish"]
    assert (made.ended.outcome, made.serving) == ("released", 2)


def test_a_first_release_has_nothing_to_be_compared_with() -> None:
    made = World()
    assert made.drive(order(1, strategy())) == [*START, "Switch", "Finish"]
    assert made.serving == 1


def test_a_first_release_still_asks_for_an_approval() -> None:
    made = World()
    stages = [*STAGES[:2], {"pause": "approval by alice"}, *STAGES[2:]]
    assert made.drive(order(1, strategy(stages))) == [*START, "BeginStage 2", "Hold"]
    made.say("promote", "alice")
    assert made.drive(order(1, strategy(stages))) == ["Switch", "Finish"]


def test_a_version_that_is_released_again_is_not_compared_with_itself() -> None:
    made = world()
    assert made.drive(order(1, strategy(), "again")) == [*START, "Switch", "Finish"]


@pytest.mark.parametrize("at", [0, 1])
def test_errors_roll_back_with_their_reason(at: int) -> None:
    stages = STAGES if at == 0 else STAGES[1:]
    made = world(**bad(20))
    assert made.drive(order(2, strategy(stages)))[-2:] == ["Decide", "Abort"]
    assert (made.ended.outcome, made.serving) == ("rolled-back", 1)
    assert made.ended.why.startswith("errors: 20 of 50 (40 %) failed")


def test_a_loss_that_is_proved_in_the_bake_goes_back_to_the_old_version() -> None:
    made = world()
    plan = strategy(rollback=["quality"])
    made.drive(order(2, plan))
    late = Window(new=Counts(labelled=400, wrong=200), old=Counts(labelled=3600, wrong=300))
    made.seen = lambda _: late
    assert made.drive(until="ended") == ["Look", "Decide", "Abort"]
    assert (made.ended.outcome, made.serving) == ("rolled-back", 1)
    assert "quality" in made.ended.why
    machine = made.machine()
    assert machine.succeeded("run/2") is None
    assert made.drive(order(2, plan))[0] == "Claim"


def test_it_is_said_again_from_the_facts_why_it_was_rolled_back() -> None:
    made = world(**bad(20))
    made.drive(order(2, strategy()))
    cut = [fact for fact, _ in made.facts].index(made.machine().ended) - 1  # type: ignore[arg-type] # it ended
    made.facts = made.facts[:cut]
    verdict = made.machine().verdict(made.now)
    assert verdict is not None
    assert (verdict.outcome, verdict.why) == ("roll-back", made.machine().verdict(0.0).why)  # type: ignore[union-attr] # as above


# --- unsure ------------------------------------------------------------------------------------------------------

CHECKED = {"checks": ["new.errors / old.errors <= 1.5"]}


def test_what_is_not_proved_is_held_and_a_person_may_go_on() -> None:
    made = world()
    names = made.drive(order(2, strategy(**CHECKED)))
    assert names[-2:] == ["Look", "Hold"]
    held = made.machine().held
    assert held is not None
    assert (held.cause, held.stage) == ("unsure", 1)
    assert made.drive(order(2, strategy(**CHECKED))) == []
    made.say("promote")
    assert made.drive(order(2, strategy(**CHECKED))) == ["Switch", "BeginStage 3"]
    assert made.serving == 2


def test_what_is_held_goes_on_by_itself_once_it_is_proved() -> None:
    made = world()
    made.drive(order(2, strategy(**CHECKED)))
    made.seen = lambda _: Window(new=Counts(requests=500, failed=20), old=Counts(requests=4500, failed=300))
    assert made.drive(until="ended")[:3] == ["Look", "Switch", "BeginStage 3"]


@pytest.mark.parametrize(("then", "last", "serving"), [("rollback", "Abort", 1), ("promote", "BeginStage 3", 2)])
def test_unsure_does_what_the_file_says(then: str, last: str, serving: int) -> None:
    made = world()
    assert made.drive(order(2, strategy(unsure=then, **CHECKED)))[-1] == last
    assert made.serving == serving


def test_requests_that_do_not_come_make_it_unsure() -> None:
    made = world(seen=lambda _: None)
    plan = strategy([{"canary": "10% for 1000 requests within 10m"}, "promote"])
    assert made.drive(order(2, plan))[-2:] == ["Look", "Hold"]
    held = made.machine().held
    assert held is not None
    assert "1,000 requests are missing" in held.why


def test_harm_that_is_only_estimated_is_held_and_a_person_who_goes_on_is_asked_once() -> None:
    made = world(**bad(1, 3))
    plan = strategy([{"canary": "10% for 100000 requests"}, "promote", {"bake": "1h"}], harm=5)
    assert made.drive(order(2, plan))[-1] == "Hold"
    n_looks = sum(isinstance(fact, f.StageLooked) for fact, _ in made.facts)
    made.say("promote")
    made.seen = lambda _: None
    assert made.drive(until="ended") == ["Switch", "BeginStage 2", "Look", "Finish"]
    assert n_looks < 20
    assert made.serving == 2


# --- pauses and what people say ----------------------------------------------------------------------------------

APPROVED = strategy([{"canary": "10% for 1000 requests"}, {"pause": "approval by alice"}, "promote"])


def test_an_approval_is_waited_for_and_only_its_own_person_gives_it() -> None:
    made = world()
    assert made.drive(order(2, APPROVED))[-2:] == ["BeginStage 1", "Hold"]
    stages = made.machine().stages
    assert stages is not None
    refusal = stages.refusal("promote", "bob")
    assert refusal is not None
    assert "waits for alice, not for bob" in refusal.problem
    assert stages.refusal("promote", "alice") is None
    # Also where bob's word comes into the log past the refusal.
    made.say("promote", "bob")
    assert made.drive(order(2, APPROVED)) == []
    made.say("promote", "alice")
    assert made.drive(order(2, APPROVED)) == ["Switch", "Finish"]


def test_errors_during_an_approval_roll_back() -> None:
    made = world()
    made.drive(order(2, APPROVED))
    made.seen = lambda _: Window(new=Counts(requests=50, failed=20), old=Counts(requests=450))
    assert made.drive(until="ended") == ["Look", "Decide", "Abort"]


def test_a_pause_by_time_ends_by_itself() -> None:
    made = world()
    plan = strategy([{"canary": "10% for 1000 requests"}, {"pause": "30m"}, "promote"])
    assert made.drive(order(2, plan))[-4:] == ["BeginStage 1", "Look", "Switch", "Finish"]
    began, ended = (
        next(at for fact, at in made.facts if isinstance(fact, f.StageBegan) and fact.stage == 1),
        next(at for fact, at in made.facts[5:] if isinstance(fact, f.EndpointSwitched)),
    )
    assert 1800 <= ended - began < 2000


def test_who_pauses_it_stops_the_stages_and_not_the_guards() -> None:
    made = world()
    plan = strategy(STAGES[1:])
    machine = made.machine(order(2, plan))
    for _ in range(5):
        (action,) = machine.next(made.now)
        fact = made.done(action)
        assert fact is not None
        made.add(fact)
        machine.after(fact, made.now)
    made.say("pause")
    with pytest.raises(AssertionError, match="it came to no end"):
        made.drive(order(2, plan))
    made.seen = lambda _: Window(new=Counts(requests=500, failed=200), old=Counts(requests=4500))
    assert made.drive(order(2, plan)) == ["Look", "Decide", "Abort"]


def test_who_resumes_it_lets_it_go_on() -> None:
    made = world()
    plan = strategy(STAGES[1:])
    made.drive(order(2, plan), until="waiting")
    made.say("pause")
    with pytest.raises(AssertionError):
        made.drive(order(2, plan))
    stages = made.machine().stages
    assert stages is not None
    assert stages.refusal("pause", "ann") is not None
    made.say("resume")
    assert made.drive(order(2, plan)) == ["Switch", "BeginStage 2"]
    assert made.machine().stages.refusal("resume", "ann") is not None  # type: ignore[union-attr] # it is open


def test_who_promotes_goes_on_to_the_next_stage_at_once() -> None:
    made = world()
    made.drive(order(2, strategy()), until="waiting")
    made.say("promote")
    assert made.drive(order(2, strategy()), until="waiting") == ["BeginStage 1"]
    made.say("promote")
    assert made.drive(order(2, strategy()), until="waiting") == ["Switch", "BeginStage 3"]
    made.say("promote")
    assert made.drive(until="ended") == ["Finish"]


@pytest.mark.parametrize("n_facts", range(1, 12))
def test_a_release_can_be_aborted_at_every_point(n_facts: int) -> None:
    made = world()
    before = len(made.facts)
    made.drive(order(2, strategy()))
    made.facts = made.facts[: before + n_facts]
    made.say("abort", why="I was wrong")
    was_switched = any(isinstance(fact, f.EndpointSwitched) for fact, _ in made.facts[before:])
    assert made.drive(until="waiting") == ["Abort"]
    assert made.ended.outcome == ("rolled-back" if was_switched else "aborted")
    assert (made.ended.why, made.serving) == ("ann aborted it: I was wrong", 1)


def test_before_a_stage_nothing_but_an_abort_can_be_said() -> None:
    made = world()
    made.drive(order(2, strategy()))
    made.facts = made.facts[:6]
    stages = made.machine().stages
    assert stages is not None
    assert [stages.refusal(act, "ann") is None for act in ("promote", "pause", "resume", "abort")] == [
        False, False, False, True,
    ]  # fmt: skip


def test_without_its_champion_nothing_is_promoted_by_what_was_counted() -> None:
    made = world()
    plan = strategy(STAGES[1:])
    made.drive(order(2, plan), until="waiting")
    made.add(f.ReleaseHeld(release=2, stage=0, why="version 1 gives no answer", cause="champion"))
    assert made.drive(order(2, plan)) == []
    with pytest.raises(AssertionError):
        made.drive(until="ended")
    made.say("resume", by="")
    assert made.drive(order(2, plan))[:2] == ["Switch", "BeginStage 2"]


# --- others ------------------------------------------------------------------------------------------------------


def test_another_release_ends_a_bake_first_and_aborts_a_stage() -> None:
    made = world()
    made.drive(order(2, strategy()))
    assert made.drive(order(3))[:2] == ["Finish", "Claim"]
    made.drive(order(4, strategy()), until="waiting")
    assert made.machine().open is not None
    assert made.drive(order(5))[:2] == ["Supersede", "Claim"]


@given(cut=st.integers(0, 30), then=st.sampled_from(["same", "watch", "other", "none"]), n_failed=st.integers(0, 10))
def test_a_driver_that_dies_anywhere_is_gone_on_with(cut: int, then: str, n_failed: int) -> None:
    def seen(_: f.Fact | None) -> Window:
        return Window(new=Counts(requests=50, failed=n_failed), old=Counts(requests=450))

    made = world(seen=seen)
    before = len(made.facts)
    made.drive(order(2, strategy()))
    made.facts = made.facts[: before + cut]
    if then == "same":
        made.drive(order(2, strategy()))
    elif then == "watch":
        made.drive(until="ended")
    elif then == "other":
        made.drive(order(3))
    else:
        made.drive()
    machine = made.machine()
    if then in ("watch", "other", "none"):
        assert machine.open is None
    expected = {"other": {3}, "none": {1, 2}}.get(then, {1, 2})
    assert made.serving in expected
    switched = [fact.release for fact, _ in made.facts if isinstance(fact, f.EndpointSwitched)]
    # Nothing that was shown to be worse serves, and nothing is put there twice.
    assert len(switched) == len(set(switched))
    if n_failed > 4 and then in ("same", "watch"):
        assert made.serving == 1
