"""Releases as a machine: what it wants next, what serves, and where a rollback goes."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import facts as f
from headway.core import rollout as r
from headway.errors import NameUnknown


def order(version: int, key: str = "", **fields: object) -> r.Order:
    return r.Order(endpoint="flights", model="m", version=version, key=key or f"run/{version}", **fields)  # type: ignore[arg-type] # by name


def started(number: int, asked: r.Order) -> f.ReleaseStarted:
    return f.ReleaseStarted(
        endpoint="flights", release=number, model="m", version=asked.version, key=asked.key, cause=asked.cause
    )


def what_happens(action: r.Action, *, n_wrong: int = 0) -> f.Fact:
    """The fact that an action which went well leaves; with `n_wrong` the golden requests are answered wrongly."""
    if isinstance(action, r.Claim):
        return started(action.release, action.order)
    number = action.release.release
    facts: dict[type, f.Fact] = {
        r.StartVersion: f.VersionStarted(release=number),
        r.AskGolden: f.GoldenAnswered(release=number, n_requests=3, n_wrong=n_wrong),
        r.Switch: f.EndpointSwitched(release=number, url="http://there"),
        r.Finish: f.ReleaseFinished(release=number, outcome="released"),
        r.Supersede: f.ReleaseFinished(release=number, outcome="aborted", why="superseded"),
    }
    if isinstance(action, r.Abort):
        return f.ReleaseFinished(release=number, outcome="aborted", why=action.why)
    return facts[type(action)]


def settled(facts: list[f.Fact], asked: r.Order | None, *, n_wrong: int = 0) -> tuple[r.Rollout, list[str]]:
    """Drive a machine to its end, beginning with what the log holds; new facts are appended to `facts`."""
    machine = r.Rollout("flights", asked)
    for fact in facts:
        machine.after(fact, 0.0)
    names = []
    while actions := machine.next(0.0):
        for action in actions:
            names.append(type(action).__name__)
            fact = what_happens(action, n_wrong=n_wrong)
            facts.append(fact)
            machine.after(fact, 0.0)
    return machine, names


def released(*versions: int) -> list[f.Fact]:
    facts: list[f.Fact] = []
    for version in versions:
        settled(facts, order(version))
    return facts


def test_a_release_claims_starts_asks_switches_and_finishes() -> None:
    machine, names = settled([], order(1))
    assert names == ["Claim", "StartVersion", "AskGolden", "Switch", "Finish"]
    assert machine.serving is not None
    assert (machine.serving.version, machine.previous, machine.url, machine.open) == (1, None, "http://there", None)


def test_a_wrong_answer_aborts_before_the_switch_and_the_old_version_serves() -> None:
    facts = released(1)
    machine, names = settled(facts, order(2), n_wrong=1)
    assert names == ["Claim", "StartVersion", "AskGolden", "Abort"]
    assert machine.serving is not None
    assert machine.serving.version == 1
    assert machine.ended is not None
    assert (machine.ended.outcome, machine.ended.why) == ("aborted", "1 of 3 golden requests were answered wrongly")


@pytest.mark.parametrize("n_facts", range(1, 5))
def test_a_release_cut_off_anywhere_is_gone_on_with_under_its_key(n_facts: int) -> None:
    whole = released(1)
    facts = whole[:n_facts]
    machine, names = settled(facts, order(1))
    assert facts == whole
    assert names == ["StartVersion", "AskGolden", "Switch", "Finish"][n_facts - 1 :]
    assert machine.n_releases == 1


@pytest.mark.parametrize("n_facts", range(1, 4))
def test_a_release_cut_off_before_its_switch_makes_way_for_another(n_facts: int) -> None:
    facts = released(1)
    cut = facts + released(2)[:n_facts]
    cut[len(facts)] = started(2, order(2))
    machine, names = settled(cut, order(3))
    assert names == ["Supersede", "Claim", "StartVersion", "AskGolden", "Switch", "Finish"]
    assert machine.serving is not None
    assert (machine.serving.version, machine.n_releases) == (3, 3)


def test_a_release_cut_off_after_its_switch_is_finished_first() -> None:
    facts = released(1)[:4]
    _, names = settled(facts, order(2))
    assert names[:2] == ["Finish", "Claim"]


def test_without_an_order_only_what_is_open_is_ended() -> None:
    assert settled(released(1), None)[1] == []
    assert settled(released(1)[:2], None)[1] == ["Supersede"]
    assert settled(released(1)[:4], None)[1] == ["Finish"]


def test_a_key_that_succeeded_is_known_and_one_that_failed_is_tried_again() -> None:
    facts: list[f.Fact] = []
    machine, _ = settled(facts, order(1), n_wrong=1)
    assert machine.succeeded("run/1") is None
    machine, names = settled(facts, order(1))
    assert names[0] == "Claim"
    assert machine.succeeded("run/1") == machine.serving


def test_the_serving_version_and_the_one_before_are_kept_and_no_others() -> None:
    facts = released(1, 2)
    machine = r.Rollout("flights", order(3))
    for fact in facts:
        machine.after(fact, 0.0)
    while not isinstance(action := machine.next(0.0)[0], r.Finish):
        machine.after(what_happens(action), 0.0)
    assert action.keep == (3, 2)


def test_rollbacks_go_deeper_and_a_new_release_starts_from_there() -> None:
    facts = released(1, 2, 3)
    for expected in (2, 1):
        goal = settled(facts, None)[0].previous
        assert goal is not None
        machine, _ = settled(facts, order(goal.version, f"rollback/{expected}", cause="rollback"))
        assert machine.serving is not None
        assert machine.serving.version == expected
    assert machine.previous is None
    machine, _ = settled(facts, order(4))
    assert machine.previous is not None
    assert machine.previous.version == 1


def test_a_version_that_served_once_can_be_named_and_one_that_never_did_cannot() -> None:
    machine, _ = settled(released(1, 2), None)
    assert machine.last(1).release == 1
    with pytest.raises(NameUnknown, match="never released"):
        machine.last(9)


def test_a_stopped_endpoint_serves_nothing_but_remembers() -> None:
    facts = [*released(1, 2), f.EndpointStopped()]
    machine, _ = settled(facts, None)
    assert (machine.serving, machine.previous) == (None, None)
    assert machine.last(2).version == 2


def test_the_same_version_again_does_not_become_its_own_predecessor() -> None:
    facts = released(1, 2)
    machine, _ = settled(facts, order(2, "run/again"))
    assert machine.previous is not None
    assert machine.previous.version == 1


@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from(["good", "wrong", "back", "cut"]), st.integers(0, 4))))
def test_something_serves_for_ever_after_the_first_release(steps: Sequence[tuple[int, str, int]]) -> None:
    facts: list[f.Fact] = []
    has_served = False
    for i, (version, how, cut) in enumerate(steps):
        machine, _ = settled(facts, None)
        if how == "back":
            if machine.previous is not None:
                settled(facts, order(machine.previous.version, f"back/{i}", cause="rollback"))
        else:
            n_before = len(facts)
            settled(facts, order(version, f"run/{i}"), n_wrong=int(how == "wrong"))
            if how == "cut":
                del facts[n_before + cut :]
        machine = r.Rollout("flights")
        for fact in facts:
            machine.after(fact, 0.0)
        has_served |= any(isinstance(fact, f.EndpointSwitched) for fact in facts)
        assert (machine.serving is not None) == has_served
        if machine.previous is not None and machine.serving is not None:
            assert machine.previous.version != machine.serving.version
