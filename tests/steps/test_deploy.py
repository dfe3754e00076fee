"""Deploying from a run: checked, idempotent, and honest about what it checked."""

from pathlib import Path

import msgspec
import pytest

from headway.backends.target_memory import MemoryTarget
from headway.core.facts import ReleaseStarted
from headway.core.ids import RunId
from headway.core.limits import Limits
from headway.core.recording import Recording
from headway.core.strategy_grammar import read_strategy
from headway.errors import FileFaulty, FileMissing, GoldenRefused, NameUnknown, UsageMistaken, VersionUnproven
from headway.steps import find, problems_of
from headway.testing.bench import Trial
from headway.testing.verdicts import kept_verdict

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
    verdict = kept_verdict(trial.parts.blobs, trial.bench().artifact("model.py"))
    trial.task = msgspec.structs.replace(trial.task, values={"gate": {"verdict": verdict}})
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
        ({"strategy": ["canary: 10%"]}, UsageMistaken, "is not a stage by itself"),
        (
            {"strategy": [{"canary": "10% for 5m"}, "promote"], "log": False},
            UsageMistaken,
            "nothing is logged by which",
        ),
        ({"unsure": "shrug"}, FileFaulty, "1 fault"),
        ({"golden-within": "soon"}, UsageMistaken, "'soon' is no time"),
        ({"golden-within": 0}, UsageMistaken, "0.0 is no time"),
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


def test_what_no_gate_let_pass_is_refused_and_goes_with_a_reason_that_is_told(
    trial: Trial, capsys: pytest.CaptureFixture[str]
) -> None:
    register(trial, 2)
    trial.task = msgspec.structs.replace(trial.task, values={}, by="ann")
    (Path(trial.folder) / "model.py").write_text("def predict(rows): return [3 for _ in rows]\n")
    trial.task = msgspec.structs.replace(trial.task, run_id=RunId(3))
    trial.run("register", {"model": "model.py", "name": "churn"})
    with pytest.raises(VersionUnproven, match="churn@3 is not released: no gate judged it") as caught:
        trial.run("deploy", {**WITH, "model": "churn@3"})
    assert caught.value.exit_code == 3
    assert trial.run("deploy", {**WITH, "model": "churn@3", "override": "it is urgent"}) == 0
    assert "note: no gate let it pass; overridden: it is urgent" in capsys.readouterr().out
    started = trial.parts.log.read("endpoint/churn")[0].fact
    assert isinstance(started, ReleaseStarted)
    assert (started.override, started.by) == ("it is urgent", "ann")


@pytest.mark.parametrize(("within", "within_ms"), [("50ms", 50.0), (2, 2000.0), ("", 0.0)])
def test_a_bound_for_all_golden_requests_is_the_releases(trial: Trial, within: str | float, within_ms: float) -> None:
    given = {"golden-within": within} if within else {}
    assert trial.run("deploy", {**WITH, "golden": "golden.jsonl", **given}) == 0
    started = trial.parts.log.read("endpoint/churn")[0].fact
    assert isinstance(started, ReleaseStarted)
    assert started.within_ms == within_ms


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


# --- strategies --------------------------------------------------------------------------------------------------


def test_faults_of_a_strategy_are_seen_before_the_run_each_at_its_place() -> None:
    told = {
        **WITH,
        "strategy": [{"canary": "10 for ever"}, "promote"],
        "rollback": ["erors"],
        "checks": ["new.f1 > 1"],
        "burst": 0,
    }
    assert [p.path for p in problems_of(find("deploy"), told)] == [
        ("strategy", 0, "canary"),
        ("rollback", 0),
        ("checks", 0),
        ("burst",),
    ]


def test_a_slice_must_be_logged_to_be_told_apart() -> None:
    told = {
        **WITH,
        "strategy": [{"canary": "10% for 5m"}, "promote"],
        "checks": ["new.errors / old.errors <= 1.5 for each region, plan"],
        "log": {"leave-out": ["region"], "hash": ["plan"]},
    }
    (problem,) = problems_of(find("deploy"), told)
    assert (problem.path, "hash: [region]" in problem.remedy) == (("log", "leave-out"), True)


def test_customers_who_are_not_logged_cannot_be_counted() -> None:
    told = {**WITH, "strategy": [{"canary": "10% by customer for 2h"}, "promote"], "log": {"leave-out": ["customer"]}}
    (problem,) = problems_of(find("deploy"), told)
    assert problem.problem == "`customer` is not logged, so that `by customer` tells nothing apart"
    assert problems_of(find("deploy"), {**told, "log": {"hash": ["customer"]}}) == []


def test_expressions_in_a_strategy_are_waited_for() -> None:
    told = {**WITH, "strategy": "${{ params.strategy }}", "checks": ["${{ params.check }}"], "burst": "${{ params.b }}"}
    assert not problems_of(find("deploy"), told)


def test_all_keys_of_a_strategy_reach_the_release(trial: Trial) -> None:
    told = {
        "strategy": [{"shadow": "100% for 2000 requests"}, {"canary": "10% for 5m"}, "promote", {"bake": "14d"}],
        "rollback": ["errors", "latency", "quality"],
        "checks": ["disagreement(new, old) <= 0.1"],
        "unsure": "rollback",
        "false-rollbacks": "0.1",
        "slower-than": "200ms",
        "wrong": "off by 5%",
        "harm": "at most 20 extra failed requests",
        "burst": 2,
        "slices": 5,
    }
    assert trial.run("deploy", {**WITH, **told}) == 0
    claim = trial.parts.log.read("endpoint/churn")[0].fact
    assert isinstance(claim, ReleaseStarted)
    assert claim.strategy == read_strategy({**told, "false-rollbacks": 0.1}).strategy


def test_a_release_that_waits_for_a_person_ends_with_exit_code_6(
    trial: Trial, capsys: pytest.CaptureFixture[str]
) -> None:
    trial.run("deploy", WITH)
    register(trial, 2)
    told = {**WITH, "model": "churn@2", "strategy": [{"pause": "approval by alice"}, "promote"]}
    assert trial.run("deploy", told) == 6
    said = capsys.readouterr().out
    assert "stage 1 of 2: pause: approval by alice" in said
    assert "churn@2 is held on churn: pause: approval by alice: waits for alice" in said
    assert trial.run("deploy", told) == 6


def test_a_bake_is_left_to_whoever_watches(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    trial.run("deploy", WITH)
    register(trial, 2)
    assert trial.run("deploy", {**WITH, "model": "churn@2", "strategy": "blue-green"}) == 0
    assert "headway rollout watch churn" in capsys.readouterr().out
    champion = trial.bench().resolve("churn@champion")
    assert champion is not None
    assert champion.version == 2
