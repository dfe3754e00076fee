"""A run's facts folded into what people are shown, and two runs compared."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import facts as f
from headway.core.history import RunView, differences, view
from headway.core.ids import Artifact, Digest, RunId


def started(**changed: object) -> f.RunStarted:
    fact = f.RunStarted(run=RunId(1), name="churn", file="pipeline.yaml", pipeline=Digest(""), options=f.RunOptions())
    return msgspec.structs.replace(fact, **changed)


def folded(*facts: f.Fact, begin: f.RunStarted | None = None) -> RunView:
    """The view of a run with these facts, one a second."""
    entries = [
        f.Entry(seq=n, stream="run/1", n=n, at=float(n), fact=fact)
        for n, fact in enumerate((begin or started(), *facts), 1)
    ]
    found = view(entries)
    assert found is not None
    return found


PASSED = f.StepFinished(step="train", outcome="passed", seconds=2.0, metrics=(f.Metric(name="auc", value=0.7),))


def test_a_stream_that_is_no_run_has_no_view() -> None:
    entry = f.Entry(seq=1, stream="model/a", n=1, at=0.0, fact=f.EndpointStopped())
    assert view([]) is None
    assert view([entry]) is None


def test_a_run_without_an_end_is_running() -> None:
    run = folded(f.StepStarted(step="train", why="it never passed before"))
    assert (run.outcome, run.exit_code) == ("running", None)
    assert (run.steps["train"].state, run.steps["train"].started_at) == ("running", 2.0)


def test_a_passed_step_keeps_the_reason_why_it_ran() -> None:
    assert folded(f.StepStarted(step="train", why="a.csv changed"), PASSED).steps["train"].why == "a.csv changed"


def test_a_failed_step_says_why_it_failed_and_not_why_it_ran() -> None:
    failed = f.StepFinished(step="train", outcome="failed", exit_code=1, why="exit code 1")
    step = folded(f.StepStarted(step="train", why="a.csv changed"), failed).steps["train"]
    assert (step.state, step.why) == ("failed", "exit code 1")


def test_the_last_attempt_counts() -> None:
    run = folded(
        f.StepStarted(step="train"),
        f.StepFinished(step="train", outcome="failed", attempt=1),
        f.StepStarted(step="train", attempt=2),
        msgspec.structs.replace(PASSED, attempt=2),
    )
    assert (run.steps["train"].state, run.steps["train"].attempt) == ("passed", 2)


def test_a_run_that_was_taken_up_again_is_running_and_no_longer_failed() -> None:
    run = folded(f.RunFinished(outcome="failed", exit_code=1, seconds=9.0, why="train: exit code 1"), f.RunResumed())
    assert (run.outcome, run.exit_code, run.why, run.seconds, run.n_resumed) == ("running", None, "", 0.0, 1)


def test_a_skipped_step_that_ran_after_all_is_not_skipped() -> None:
    run = folded(f.StepSkipped(step="train", why="x"), f.RunResumed(), f.StepStarted(step="train"), PASSED)
    assert run.steps["train"].state == "passed"


def test_a_reused_step_tells_of_the_run_that_made_it() -> None:
    step = folded(f.StepReused(step="train", cache_key="k", of_run=RunId(7))).steps["train"]
    assert (step.state, step.why, step.of_run) == ("reused", "as in run 7", 7)


def test_a_metric_that_two_steps_report_is_told_apart() -> None:
    second = msgspec.structs.replace(PASSED, step="test", metrics=(f.Metric(name="auc", value=0.6),))
    assert folded(PASSED, second).metrics == {"auc": 0.7, "test: auc": 0.6}


def test_the_last_value_of_a_metric_counts() -> None:
    epochs = tuple(f.Metric(name="loss", value=1 / n, at_step=n) for n in (1, 2, 4))
    assert folded(msgspec.structs.replace(PASSED, metrics=epochs)).metrics == {"loss": 0.25}


def made(digest: str) -> f.StepFinished:
    part = f.KeyPart(kind="in", name="a.csv", value=digest * 64)
    return msgspec.structs.replace(
        PASSED, parts=(part,), outputs={"m": Artifact(path="m.pkl", digest=Digest(digest * 64))}
    )


DIFFERENCES = [
    pytest.param(started(params={"a": 0.1}), PASSED, started(params={"a": 0.2}), PASSED, "params a 0.1 0.2", id="lr"),
    pytest.param(started(params={}), PASSED, started(params={"a": True}), PASSED, "params a - true", id="new param"),
    pytest.param(started(params={"a": 1}), PASSED, started(params={"a": True}), PASSED, "params a 1 true", id="kind"),
    pytest.param(started(params={"a": "1"}), PASSED, started(params={"a": 1}), PASSED, "params a '1' 1", id="text"),
    pytest.param(
        started(params={"a": 0.12345678}), PASSED, started(params={"a": 0.12345679}), PASSED,
        "params a 0.12345678 0.12345679", id="a hair",
    ),
    pytest.param(started(), made("1"), started(), made("2"),
                 "inputs a.csv 111111111111 222222222222; outputs m.pkl 111111111111 222222222222", id="data"),
    pytest.param(started(), PASSED, started(), f.StepFinished(step="train", outcome="failed"),
                 "metrics auc 0.7 -; steps train passed failed", id="state"),
    pytest.param(started(source=f.Source(commit="a" * 40)), PASSED, started(source=f.Source(commit="b" * 40)), PASSED,
                 "code commit aaaaaaaaaaaa bbbbbbbbbbbb", id="commit"),
    pytest.param(started(), PASSED, started(place=f.Place(python="3.12")), PASSED, "code python  3.12", id="python"),
]  # fmt: skip


@pytest.mark.parametrize(("a", "done", "b", "done_then", "said"), DIFFERENCES)
def test_two_runs_differ_in(
    a: f.RunStarted, done: f.StepFinished, b: f.RunStarted, done_then: f.StepFinished, said: str
) -> None:
    changes = differences(folded(done, begin=a), folded(done_then, begin=b))
    assert "; ".join(f"{c.kind} {c.name} {c.before} {c.after}" for c in changes) == said


def test_a_reused_step_counts_as_passed_in_a_comparison() -> None:
    reused = f.StepReused(step="train", cache_key="k", of_run=RunId(1), metrics=PASSED.metrics)
    assert differences(folded(PASSED), folded(reused)) == ()


params = st.dictionaries(
    st.text(max_size=3), st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
)


@given(params, params)
def test_both_sides_of_a_difference_never_look_the_same(a: dict[str, f.Scalar], b: dict[str, f.Scalar]) -> None:
    for change in differences(folded(begin=started(params=a)), folded(begin=started(params=b))):
        assert change.before != change.after
