"""What is said when a run has ended, and what a plan looks like."""

import sys
from io import StringIO
from typing import get_args

import msgspec
import pytest
from syrupy.assertion import SnapshotAssertion

from headway.core import facts as f
from headway.core.ids import Artifact, Digest, RunId
from headway.flows.launch import Ended
from headway.flows.plan import Planned
from headway.terminal import result

PASSED = f.StepFinished(
    step="train-model",
    outcome="passed",
    seconds=2.5,
    why="data/training.csv changed",
    outputs={"model": Artifact(path="models/model.pkl", digest=Digest("d" * 64), size_bytes=9)},
    values={"version": "churn@3"},
    metrics=(f.Metric(name="auc", value=0.7),),
)
REUSED = f.StepReused(step="data-validation", cache_key="k", of_run=RunId(11), values={"rows": "10"})


def ending(outcome: f.RunOutcome, step_outcome: f.Outcome = "passed", why: str = "") -> Ended:
    """A run of three steps, of which one was known and the last ended like this."""
    last = f.StepFinished(step="test-model", outcome=step_outcome, exit_code=1, why=why.partition(": ")[2])
    codes = {"passed": 0, "failed": 1, "refused": 3, "invalid": 4, "held": 6, "rolled-back": 7, "interrupted": 130}
    results: dict[str, f.StepFinished | f.StepReused] = {
        "data-validation": REUSED, "train-model": PASSED, "test-model": last,
    }  # fmt: skip
    return Ended(
        run=RunId(12), outcome=outcome, exit_code=codes[outcome], why=why, seconds=3.21, results=results,
        skipped={"deploy": "an earlier step did not pass: Test Model"} if why else {},
    )  # fmt: skip


ENDINGS = {
    "passed": ending("passed"),
    "failed": ending("failed", "failed", "Test Model: exit code 1"),
    "refused": ending("refused", "refused", "Test Model: refused"),
    "held": ending("held", "held", "Test Model: held"),
    "invalid": ending("invalid", "invalid", "Test Model: invalid"),
    "rolled-back": ending("rolled-back", "rolled-back", "Test Model: rolled-back"),
    "interrupted": ending("interrupted", "interrupted", "it was interrupted"),
    "resumed for nothing": Ended(
        run=RunId(12), outcome="passed", exit_code=0, why="it had passed already", seconds=0.0, results={}
    ),
}


@pytest.mark.parametrize("run", ENDINGS.values(), ids=ENDINGS.keys())
def test_a_run_ends_with_what_happened_and_what_to_do_next(
    run: Ended, capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion
) -> None:
    result.ended(run, as_json=False)
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) <= 3
    assert err == snapshot


@pytest.mark.parametrize("run", [ENDINGS["failed"]], ids=["failed"])
def test_a_run_ends_for_machines(run: Ended, capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion) -> None:
    result.ended(run, as_json=True)
    out, err = capsys.readouterr()
    assert err == ""
    assert msgspec.json.format(out, indent=2) == snapshot


def test_every_outcome_of_a_run_has_a_command_to_go_on_with() -> None:
    assert set(ENDINGS) >= set(get_args(f.RunOutcome))


def test_the_step_to_look_at_is_the_one_that_ended_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    allowed = f.StepFinished(step="lint", outcome="failed", why="exit code 1")
    run = ENDINGS["failed"]
    run = msgspec.structs.replace(run, results={"lint": allowed, **run.results})
    result.ended(run, as_json=False)
    assert "headway logs 12 test-model" in capsys.readouterr().err


class Gone(StringIO):
    """A stream whose reader went away."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("as_json", [True, False])
def test_a_reader_that_went_away_does_not_change_how_a_run_ended(
    as_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", Gone())
    monkeypatch.setattr(sys, "stderr", Gone())
    result.ended(ENDINGS["failed"], as_json=as_json)


PLAN = (
    Planned(step="data-validation", name="Data Validation", action="reuse", why="as in run 11"),
    Planned(step="train-model", name="Train Model", action="run", why="data/training.csv changed"),
    Planned(step="test-model", name="Test Model", action="depends", why="it reads m.pkl, which train-model makes"),
    Planned(step="notify", name="Notify", action="skip", why="its condition is not met: failure()"),
)


def test_a_plan_is_a_line_a_step(capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion) -> None:
    result.planned(PLAN, as_json=False)
    assert capsys.readouterr().out == snapshot


def test_a_plan_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    result.planned(PLAN, as_json=True)
    steps = msgspec.json.decode(capsys.readouterr().out)["steps"]
    assert steps[1] == {
        "step": "train-model", "name": "Train Model", "action": "run", "why": "data/training.csv changed",
    }  # fmt: skip


def test_a_plan_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    result.planned((), as_json=False)
    assert capsys.readouterr().out == "0 of 0 steps would run; nothing was done\n"
