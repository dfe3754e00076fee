import json
import time
from pathlib import Path

import msgspec
import pytest

from headway.cli import dispatch
from headway.core.prediction_log import Line, open_name

STAGES = "canary: 10% for 10000 requests, promote"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def out(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert dispatch(["rollout", "plan", *words]) == 0
    return capsys.readouterr().out


def test_a_strategy_is_planned_before_it_is_written_down(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = out(capsys, "--strategy", STAGES, "--rate", "1200", "--errors", "1%")
    stage = "canary: 10% for 10000 requests (1,000 of the new version, 8.33 minutes; no error in them still allows"
    assert text.splitlines() == [
        "as you say: 1,200 requests a minute and 1 % fail",
        f"{stage} 0.299 %)",
        "  errors: if 2 % fail instead of 1 %, caught 54 times in 100, half of the time within 9,030 requests;",
        "          4 times in 5 from 2.4 times as many",
        "promote: the new version answers everything",
        "in all about 8.33 minutes until it takes over",
    ]
    # Nothing was made for it.
    assert list(folder.iterdir()) == []


def test_a_machine_is_told_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(out(capsys, "--strategy", STAGES, "--rate", "60", "--json"))
    assert told["basis"]["given"] == ["per_minute"]
    assert told["plan"]["stages"][0]["minutes"] == pytest.approx(10_000 / 60)
    assert told["strategy"]["stages"][0]["share"] == 0.1


def test_all_options_of_a_strategy_are_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = out(
        capsys,
        *("--strategy", "shadow: 100% for 2000 requests, canary: 10% for 10000 requests, promote"),
        *("--rollback", "errors,latency,quality", "--slower-than", "200ms", "--harm", "20", "--burst", "2"),
        *("--check", "disagreement(new, old) <= 0.1", "--check", "new.errors / old.errors <= 1.5 for each region"),
        *("--unsure", "rollback", "--false-rollbacks", "0.01", "--slices", "5"),
        *("--slow", "0.02", "--wrong", "20%", "--differ", "4%", "--labelled", "100%"),
    )
    assert "if 4 % are slow instead of 2 %" in text
    assert "if 4 % differ, proved after about" in text
    assert "quality: if 22 % are wrong" in text


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--strategy", "canary: 10% for ever, promote"], "`ever` is not a time"),
        (["--strategy", "canary 10% for 2h, promote"], "a colon is missing behind `canary`"),
        (["--strategy", STAGES, "--rate", "many"], "--rate cannot be many"),
        (["--strategy", STAGES, "--rate", "0"], "--rate cannot be 0"),
        (["--strategy", STAGES, "--errors", "5"], "--errors cannot be 5"),
        (["--strategy", STAGES, "--errors", "100%"], "--errors cannot be 100%"),
        (["--strategy", STAGES, "--slow", "nan"], "--slow cannot be nan"),
        (["--strategy", STAGES, "--labelled", "0"], "--labelled cannot be 0"),
        (["--strategy", STAGES, "--rollback", "latency"], "it is not said from when on a request is slow"),
        ([], "pipeline.yaml"),
        (["--file", "other.yaml"], "other.yaml"),
    ],
)
def test_what_cannot_be_planned_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], problem: str
) -> None:
    assert dispatch(["rollout", "plan", *words]) == 2
    told = capsys.readouterr().err
    assert problem in told
    assert "\n  do: " in told


def test_all_faults_of_a_strategy_are_told_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["rollout", "plan", "--strategy", "canary: 10% for ever, promot", "--check", "new.erors <= 0"]
    assert dispatch(words) == 2
    told = capsys.readouterr().err
    assert "headway rollout plan: `promot` is not a stage by itself (in --strategy)" in told
    assert "    canary: 10% for ever, promot\n                          ^\n    did you mean `promote`?" in told
    assert "(in --check)" in told
    assert "headway: the strategy has 3 faults" in told
    assert dispatch([*words, "--json"]) == 2
    machine = json.loads(capsys.readouterr().out)
    assert [fault["where"] for fault in machine["faults"]] == ["--strategy", "--strategy", "--check"]


def test_a_pipeline_without_a_deploy_step_has_no_strategy(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "pipeline.yaml").write_text("steps: [{run: 'true'}]\n")
    assert dispatch(["rollout", "plan"]) == 2
    assert "deploys" in capsys.readouterr().err


def test_the_log_of_the_endpoint_tells_what_to_suppose(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predictions = folder / ".headway" / "endpoints" / "churn" / "predictions"
    predictions.mkdir(parents=True)
    began = time.time() - 600
    lines = [
        Line(
            request_id=f"r{n}",
            at=began + n,
            ms=250.0 if n % 50 == 0 else 5.0,
            model="churn",
            version=1,
            rows=[{"x": 1}],
            predictions=[0] if n % 100 else [],
            status=200 if n % 100 else 500,
        )
        for n in range(600)
    ]
    file = predictions / open_name("predictions", "a1")
    file.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in lines))
    guards = ["--rollback", "errors,latency", "--slower-than", "0.2s"]
    text = out(capsys, "--strategy", STAGES, "--endpoint", "churn", *guards)
    head = "churn logged 600 requests in 9.98 minutes: 60.1 requests a minute, 1 % fail and 1 % are slow"
    assert text.splitlines()[0] == head
    assert "guessed" not in text
    told = json.loads(out(capsys, "--strategy", STAGES, "--endpoint", "churn", "--errors", "2%", "--json"))
    assert (told["basis"]["given"], told["basis"]["measured"]) == (["errors"], ["per_minute"])
    # An endpoint that never served tells nothing.
    told_of_other = out(capsys, "--strategy", STAGES, "--endpoint", "other").splitlines()
    assert told_of_other[0] == "other logged nothing yet"
    assert told_of_other[1].startswith("guessed")


PIPELINE = """
steps:
  - name: Deploy
    uses: deploy
    with:
      endpoint: churn
      model: churn@challenger
      strategy:
        - shadow: 100% for 2000 requests
        - canary: 10% for 10000 requests
        - pause: approval by alice
        - promote
        - bake: 14d
      rollback: [errors, latency]
      slower-than: 200ms
      harm: at most 20 extra failed requests
"""


def test_the_deploy_step_of_the_pipeline_is_planned(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "pipeline.yaml").write_text(PIPELINE)
    for words in ([], ["deploy"]):
        lines = out(capsys, *words, "--rate", "1200").splitlines()
        assert lines[0] == "step deploy, on the endpoint churn"
        assert [line for line in lines if line.startswith(("pause", "bake"))] == [
            "pause: approval by alice: waits for alice",
            "bake: 14d: the old version stays warm for 14 days, and goes on counting labels",
        ]
        assert "in all about 10 minutes until it takes over, and the wait for a person; then 14 days of bake" in lines
    # One key said otherwise, the others as they stand there.
    lines = out(capsys, "--rate", "1200", "--slower-than", "1s", "--false-rollbacks", "0.01").splitlines()
    assert lines[0] == "step deploy, on the endpoint churn"
    assert any(line.startswith("  latency: ") for line in lines)
    # A strategy of one's own is not judged by what stands in the step.
    assert "step deploy" not in out(capsys, "--strategy", STAGES)
    assert dispatch(["rollout", "plan", "train"]) == 2
    assert "no step 'train' deploys" in capsys.readouterr().err


def test_an_endpoint_that_only_a_run_knows_can_be_typed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "pipeline.yaml").write_text(PIPELINE.replace("endpoint: churn", "endpoint: ${{ env.WHERE }}"))
    assert out(capsys).splitlines()[0] == "step deploy, on an endpoint that only a run knows (--endpoint)"
    assert out(capsys, "--endpoint", "churn").splitlines()[:2] == [
        "step deploy, on the endpoint churn",
        "churn logged nothing yet",
    ]


def test_faults_of_the_step_are_those_of_its_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "pipeline.yaml").write_text(PIPELINE.replace("10% for 10000", "10% for ever"))
    assert dispatch(["rollout", "plan"]) == 2
    assert "pipeline.yaml:10:" in capsys.readouterr().err
