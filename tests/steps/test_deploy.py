"""Deploying from a run: checked, idempotent, and honest about what it checked."""

from pathlib import Path

import msgspec
import pytest

from headway.backends.target_memory import MemoryTarget
from headway.core.ids import RunId
from headway.core.limits import Limits
from headway.core.recording import Recording
from headway.errors import FileFaulty, FileMissing, GoldenRefused, NameUnknown, UsageMistaken
from headway.steps import find, problems_of
from headway.testing.bench import Trial

WITH = {"endpoint": "churn", "model": "churn@1", "target": "memory"}


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    made = Trial(str(tmp_path))
    register(made, 1)
    (tmp_path / "golden.jsonl").write_text('{"inputs": {"x": 1}, "expect": 1}\n')
    return made


def register(trial: Trial, version: int) -> None:
    """A new version in a run of its own."""
    trial.task = msgspec.structs.replace(trial.task, run_id=RunId(version))
    (Path(trial.folder) / "model.py").write_text(f"def predict(rows): return [{version} for _ in rows]\n")
    trial.run("register", {"model": "model.py", "name": "churn"})
    assert trial.outputs["number"] == str(version)


def test_a_version_is_put_on_an_endpoint_and_becomes_champion(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    assert trial.run("deploy", {**WITH, "golden": "golden.jsonl"}) == 0
    assert trial.outputs == {"url": "memory://churn", "version": "churn@1", "previous": ""}
    assert "churn@1 serves on memory://churn (1 golden requests right)" in capsys.readouterr().out
    champion = trial.bench().resolve("churn@champion")
    assert champion is not None
    assert champion.version == 1


def test_an_alias_will_do_and_the_way_back_is_told(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    trial.run("deploy", WITH)
    register(trial, 2)
    assert trial.run("deploy", {**WITH, "model": "churn@challenger"}) == 0
    assert (trial.outputs["version"], trial.outputs["previous"]) == ("churn@2", "1")
    said = capsys.readouterr().out
    assert "no golden requests: only readiness" in said
    assert "headway rollback churn" in said


def test_a_second_attempt_at_the_same_step_changes_nothing(trial: Trial) -> None:
    trial.run("deploy", WITH)
    facts = trial.parts.log.read("endpoint/churn")
    assert trial.run("deploy", WITH) == 0
    assert trial.parts.log.read("endpoint/churn") == facts


def test_wrong_answers_end_with_exit_code_7(trial: Trial) -> None:
    trial.run("deploy", WITH)
    register(trial, 2)
    with pytest.raises(GoldenRefused) as caught:
        trial.run("deploy", {**WITH, "model": "churn@2", "golden": "golden.jsonl"})
    assert caught.value.exit_code == 7
    assert trial.bench().target("memory").state("churn") is not None
    champion = trial.bench().resolve("churn@champion")
    assert champion is not None
    assert champion.version == 1


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"model": "churn@9"}, NameUnknown, "no churn@9"),
        ({"model": "churn"}, UsageMistaken, "does not name a model version"),
        ({"endpoint": "a/b"}, UsageMistaken, "cannot be an endpoint's name"),
        ({"target": "moon"}, NameUnknown, "moon"),
        ({"golden": "none.jsonl"}, FileMissing, "none.jsonl"),
        ({"strategy": ["canary: 10%"]}, UsageMistaken, "is not there yet"),
        ({"log": {"share": 2}}, UsageMistaken, "share: 2 is not it"),
        ({"limits": {"queue": 0}}, UsageMistaken, "queue: 0 is not it"),
        ({"limits": 5}, FileFaulty, "1 fault"),
        ({"port": 70000}, FileFaulty, "1 fault"),
        ({"roll": 1}, FileFaulty, "1 fault"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(
    trial: Trial, changed: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        trial.run("deploy", {**WITH, **changed})
    assert trial.parts.log.read("endpoint/churn") == []


def test_log_and_limits_reach_the_process_that_serves(trial: Trial) -> None:
    told = {"log": {"share": "0.1", "leave-out": ["email"]}, "limits": {"queue": 5, "answer": "2s"}}
    assert trial.run("deploy", {**WITH, **told}) == 0
    target = trial.bench().target("memory")
    assert isinstance(target, MemoryTarget)
    serving = target.live["churn"][1]
    assert serving.recording == Recording(share=0.1, leave_out=("email",))
    assert serving.limits == Limits(max_waiting=5, answer_s=2.0)


def test_faults_of_log_and_limits_are_seen_before_the_run_and_expressions_are_waited_for() -> None:
    told = {**WITH, "log": {"shar": 1, "keep": "${{ params.keep }}"}, "limits": {"queue": 0}}
    assert [(p.path, p.problem) for p in problems_of(find("deploy"), told)] == [
        (("log", "shar"), "there is no key 'shar'"),
        (("limits", "queue"), "queue: 0 is not it"),
    ]
    assert not problems_of(find("deploy"), {**WITH, "log": "${{ params.log }}"})
