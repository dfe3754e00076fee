"""The machine of a run, without any process: order, conditions, retries, limits, interruptions, crashes."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import facts as f
from headway.core import run as r
from headway.core.pipeline import Pipeline, Resources, Retry, StepSpec
from headway.testing.worlds import World


def step(name: str, *needs: str, **more: object) -> StepSpec:
    return StepSpec(id=name, name=name.title(), run=f"do {name}", needs=needs, **more)  # type: ignore[arg-type] # table


def line(*names: str, **more: object) -> tuple[StepSpec, ...]:
    return tuple(step(name, *names[max(i - 1, 0) : i], **more) for i, name in enumerate(names))


def pipeline(*steps: StepSpec) -> Pipeline:
    return Pipeline(name="p", steps=steps)


def test_steps_of_a_list_run_one_after_the_other() -> None:
    world = World(pipeline(*line("a", "b", "c")), jobs=4)
    assert world.run().outcome == "passed"
    assert world.order == ["a", "b", "c"]
    assert world.most_at_once == 1


def test_independent_steps_run_side_by_side_up_to_jobs() -> None:
    world = World(pipeline(*(step(n) for n in "abcdef")), jobs=2)
    world.run()
    assert world.most_at_once == 2
    assert sorted(world.order) == list("abcdef")


def test_a_step_that_needs_more_processors_takes_more_of_the_jobs() -> None:
    wide = step("wide", resources=Resources(cpu=2))
    world = World(pipeline(wide, step("b"), step("c")), jobs=2)
    world.run()
    assert world.most_at_once == 2
    assert world.order[0] == "wide"
    assert world.seconds_together("wide", "b") == 0


def test_a_step_wider_than_all_jobs_runs_alone_rather_than_never() -> None:
    world = World(pipeline(step("a"), step("wide", resources=Resources(cpu=64))), jobs=2)
    assert world.run().outcome == "passed"


def test_a_failure_stops_the_pipeline_and_later_steps_say_why() -> None:
    world = World(pipeline(*line("a", "b", "c")), ends={"a": ["failed"]})
    end = world.run()
    assert (end.outcome, end.exit_code) == ("failed", 1)
    assert world.order == ["a"]
    assert world.whys == {"b": "an earlier step did not pass: A", "c": "an earlier step did not pass: A"}


def test_steps_already_at_work_are_let_finish_after_a_failure() -> None:
    world = World(
        pipeline(step("quick"), step("slow"), step("late")), jobs=2, ends={"quick": ["failed"]}, takes={"slow": 9.0}
    )
    assert world.run().outcome == "failed"
    assert world.states["slow"] == "passed"
    assert world.states["late"] == "skipped"


@pytest.mark.parametrize(
    ("condition", "fails", "runs"),
    [
        ("always()", True, True),
        ("always()", False, True),
        ("failure()", True, True),
        ("failure()", False, False),
        ("success()", True, False),
    ],
)
def test_conditions_see_whether_an_earlier_step_failed(condition: str, fails: bool, runs: bool) -> None:
    steps = pipeline(step("a"), step("b", "a", condition=condition))
    world = World(steps, ends={"a": ["failed" if fails else "passed"]})
    world.run()
    assert ("b" in world.order) == runs


def test_a_step_skipped_by_its_own_condition_does_not_stop_the_next() -> None:
    world = World(pipeline(step("a", condition="false"), step("b", "a")))
    assert world.run().outcome == "passed"
    assert world.order == ["b"]


def test_a_tolerated_failure_lets_the_run_pass() -> None:
    world = World(pipeline(step("a", continue_on_error=True), step("b", "a")), ends={"a": ["failed"]})
    assert world.run().outcome == "passed"
    assert world.order == ["a", "b"]


def test_a_retry_waits_longer_each_time_and_then_passes() -> None:
    retry = Retry(times=2, wait_s=10, factor=3)
    world = World(pipeline(step("a", retry=retry)), ends={"a": ["failed", "timeout", "passed"]})
    assert world.run().outcome == "passed"
    starts = world.started_at["a"]
    assert [round(b - a) for a, b in pairwise(starts)] == [11, 31]


def test_retries_come_to_an_end() -> None:
    world = World(pipeline(step("a", retry=Retry(times=1))), ends={"a": ["failed"] * 5})
    assert world.run().outcome == "failed"
    assert len(world.started_at["a"]) == 2


def test_a_refusal_is_not_retried() -> None:
    world = World(pipeline(step("a", retry=Retry(times=3))), ends={"a": ["refused"] * 5})
    assert world.run().outcome == "refused"
    assert len(world.started_at["a"]) == 1


@pytest.mark.parametrize(
    ("outcome", "code"), [("refused", 3), ("invalid", 4), ("held", 6), ("rolled-back", 7), ("timeout", 1)]
)
def test_the_way_a_step_ended_gives_the_exit_code(outcome: f.Outcome, code: int) -> None:
    world = World(pipeline(*line("a", "b")), ends={"a": [outcome]})
    assert world.run().exit_code == code


def test_a_step_past_its_timeout_is_stopped() -> None:
    world = World(pipeline(step("a", timeout_s=5.0)), takes={"a": 100.0})
    end = world.run()
    assert end.outcome == "failed"
    assert world.states["a"] == "timeout"
    assert world.now == pytest.approx(5.0)


def test_known_steps_are_reused_and_count_as_passed() -> None:
    world = World(pipeline(*line("a", "b")), known={"a"})
    assert world.run().outcome == "passed"
    assert world.order == ["b"]
    assert world.states["a"] == "reused"


def test_an_interrupted_run_stops_its_steps_and_can_be_resumed() -> None:
    steps = pipeline(*line("a", "b", "c"))
    world = World(steps, interrupt_after=2)
    end = world.run()
    assert (end.outcome, end.exit_code) == ("interrupted", 130)
    assert world.resume().outcome == "passed"
    assert world.states == {"a": "passed", "b": "passed", "c": "passed"}
    assert world.passes["a"] == 1


def test_resuming_a_failed_run_does_again_what_failed_and_what_was_skipped() -> None:
    world = World(pipeline(*line("a", "b", "c")), ends={"b": ["failed", "passed"]})
    assert world.run().outcome == "failed"
    assert world.resume().outcome == "passed"
    assert world.passes == {"a": 1, "b": 1, "c": 1}


def test_a_scope_offers_declared_outputs_and_reported_values() -> None:
    machine = r.Run(pipeline(step("a", outputs={"model": "m.pkl"}), step("b", "a")), jobs=1, run_id="7")
    machine.after(f.StepFinished(step="a", outcome="passed", values={"version": "churn@3"}), 0.0)
    assert dict(machine.step_scope("a").out) == {"model": "m.pkl", "version": "churn@3"}


# --- laws -------------------------------------------------------------------------------------------------------


@st.composite
def pipelines(draw: Callable) -> Pipeline:  # type: ignore[type-arg] # hypothesis' own draw
    n = draw(st.integers(1, 12))
    steps = []
    for i in range(n):
        needs = draw(st.sets(st.integers(0, i - 1), max_size=3)) if i else set()
        retry = Retry(times=draw(st.integers(0, 2)), wait_s=draw(st.sampled_from([0.0, 3.0])))
        condition = draw(st.sampled_from(["success()"] * 6 + ["always()", "failure()"]))
        tolerant = draw(st.integers(0, 9)) == 0
        timeout = draw(st.sampled_from([None, None, 2.5]))
        steps.append(
            step(
                f"s{i}",
                *(f"s{j}" for j in sorted(needs)),
                retry=retry,
                condition=condition,
                continue_on_error=tolerant,
                timeout_s=timeout,
            )
        )
    return pipeline(*steps)


outcomes = st.lists(st.sampled_from(["passed"] * 5 + ["failed", "timeout", "refused", "held"]), min_size=1, max_size=4)


@given(steps=pipelines(), jobs=st.integers(1, 4), data=st.data())
def test_every_run_ends_and_keeps_the_order(steps: Pipeline, jobs: int, data: st.DataObject) -> None:
    ends = {s.id: data.draw(outcomes) for s in steps.steps}
    known = data.draw(st.sets(st.sampled_from([s.id for s in steps.steps])))
    takes = {s.id: data.draw(st.sampled_from([0.5, 1.0, 4.0])) for s in steps.steps}
    world = World(steps, jobs=jobs, ends=ends, known=known, takes=takes)
    end = world.run()
    assert set(world.states) == {s.id for s in steps.steps}
    assert world.most_at_once <= jobs
    for spec in steps.steps:
        for need in spec.needs:
            if spec.id in world.started_at and need in world.ended_at:
                assert world.ended_at[need] <= world.started_at[spec.id][0]
    bad = [
        s for s in steps.steps if world.states[s.id] not in ("passed", "reused", "skipped") and not s.continue_on_error
    ]
    assert (end.outcome == "passed") == (not bad)


@given(steps=pipelines(), jobs=st.integers(1, 3), cut=st.integers(1, 40), data=st.data())
def test_a_run_killed_after_any_fact_goes_on_and_no_passed_step_runs_twice(
    steps: Pipeline, jobs: int, cut: int, data: st.DataObject
) -> None:
    ends = {s.id: data.draw(outcomes) for s in steps.steps}
    world = World(steps, jobs=jobs, ends=ends, kill_after=cut)
    end = world.run_until_ended()
    assert end.outcome != "interrupted"
    assert all(n == 1 for n in world.passes.values())
    assert set(world.states) == {s.id for s in steps.steps}
