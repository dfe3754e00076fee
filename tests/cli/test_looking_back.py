"""`headway runs`, `show`, `diff`, `audit` and `status`, for people and for machines."""

import re
import time
from pathlib import Path

import msgspec
import pytest
from syrupy.assertion import SnapshotAssertion

from headway import config, wiring
from headway.cli import dispatch
from headway.core import facts as f
from headway.core.ids import Artifact, Digest, RunId
from headway.flows import launch


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of which three runs are recorded: passed, failed with tests, and one under way."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline.yaml").write_text("pipeline: churn\nsteps: [{run: python train.py}]")
    with wiring.open(config.load(folder=str(tmp_path))) as parts:
        summary = parts.blobs.put(b"# Fit\n\nwell")
        place = f.Place(python="3.12.7 .venv/bin/python", platform="Linux 6.12 x86_64", host="desk", user="ann")
        for run, lr in ((1, 0.1), (2, 0.2), (3, 0.2)):
            started = f.RunStarted(
                run=RunId(run), name="churn", file="pipeline.yaml", pipeline=Digest("p" * 64), options=f.RunOptions(),
                params={"train.lr": lr}, place=place,
                source=f.Source(commit=str(run) * 40, branch="main", diff=Digest("d" * 64) if run == 2 else None),
            )  # fmt: skip
            trained = f.StepFinished(
                step="train", outcome="passed", seconds=62.0, cache_key=f"{run}" * 64,
                parts=(f.KeyPart(kind="in", name="a.csv", value=str(run) * 64),),
                outputs={"model": Artifact(path="m.pkl", digest=Digest(str(run) * 64), size_bytes=2048)},
                metrics=(f.Metric(name="auc", value=0.7 + run / 100),), values={"note": "fine"}, summary=summary,
            )  # fmt: skip
            facts: list[f.Fact] = [started, f.StepStarted(step="train", why="a.csv changed"), trained]
            parts.log.append(f"run/{run}", facts, expect=0, at=time.time() - 600 + run)
        tests = (
            f.TestResult(name="tests::test_auc", outcome="passed", seconds=0.01),
            f.TestResult(name="tests::test_recall", outcome="failed", seconds=0.5, message="assert 0.5 > 0.6\nwhere"),
        )
        tested = f.StepFinished(step="test", outcome="failed", exit_code=1, tests=tests, why="1 of 2 tests failed")
        skipped = f.StepSkipped(step="deploy", why="an earlier step did not pass: Test")
        passed = f.RunFinished(outcome="passed", exit_code=0, seconds=63.5)
        failed = f.RunFinished(outcome="failed", exit_code=1, seconds=65.0, why="Test: 1 of 2 tests failed")
        parts.log.append("run/1", [passed], expect=3, at=time.time() - 600)
        parts.log.append("run/2", [f.RunResumed(), tested, skipped, failed], expect=3, at=time.time() - 600)
    return tmp_path


def typed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What a command prints, without what differs from run to run."""
    assert dispatch(list(words)) == 0
    return re.sub(r"last hash [0-9a-f]{64}", "last hash DIGEST", capsys.readouterr().out)


@pytest.mark.parametrize("words", [["runs"], ["show", "1"], ["show", "2"], ["show"], ["diff", "1", "2"], ["diff", "3"],
                                   ["audit"], ["status"]], ids=" ".join)  # fmt: skip
def test_what_is_shown_to_people(
    words: list[str], capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion
) -> None:
    assert typed(capsys, *words) == snapshot


def test_the_same_is_told_to_machines(capsys: pytest.CaptureFixture[str]) -> None:
    runs = msgspec.json.decode(typed(capsys, "runs", "--json"))["runs"]
    assert [(run["run"], run["outcome"]) for run in runs] == [(3, "running"), (2, "failed"), (1, "passed")]
    shown = msgspec.json.decode(typed(capsys, "show", "2", "--json"))
    assert (shown["outcome"], shown["steps"]["test"]["tests"][1]["message"]) == ("failed", "assert 0.5 > 0.6\nwhere")
    changes = msgspec.json.decode(typed(capsys, "diff", "1", "2", "--json"))["changes"]
    assert {"kind": "params", "name": "train.lr", "before": "0.1", "after": "0.2"} in changes
    audited = msgspec.json.decode(typed(capsys, "audit", "--json"))
    assert (audited["n_facts"], audited["n_streams"], audited["seen"]) == (14, 3, None)
    assert msgspec.json.decode(typed(capsys, "status", "--json"))["next"] == "headway resume 3"


def test_a_run_under_way_is_running(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with wiring.open(config.load(folder=str(project))) as parts:
        parts.leases.acquire(launch.LEASE, holder="somebody", ttl_s=60.0, now=time.time())
        assert "3    running " in typed(capsys, "runs")
        assert "run 3 of churn: running, " in typed(capsys, "show")
        assert "at work (somebody)" in typed(capsys, "status")
        parts.leases.release(launch.LEASE, holder="somebody")


def test_a_summary_that_was_collected_is_said_to_be_gone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with wiring.open(config.load(folder=str(project))) as parts:
        for blob in list(parts.blobs.list()):
            parts.blobs.delete([blob.digest], before=4e9)
    assert typed(capsys, "show", "1").endswith("train says:\n  (its summary is no longer in the store)\n")


def test_the_list_of_runs_can_be_short(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(typed(capsys, "runs", "-n", "1").splitlines()) == 2


def test_a_hash_that_was_noted_is_looked_for(capsys: pytest.CaptureFixture[str]) -> None:
    head = msgspec.json.decode(typed(capsys, "audit", "--json"))["head"]
    assert msgspec.json.decode(typed(capsys, "audit", "--noted", head[:8], "--json"))["seen"] is True
    assert dispatch(["audit", "--noted", "00000000"]) == 1
    assert "no fact has the hash 00000000" in capsys.readouterr().err


def test_in_a_folder_of_nothing_there_is_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))
    assert typed(capsys, "runs") == "no run yet; `headway run` makes the first\n"
    assert typed(capsys, "status") == "nothing is in production yet\nnothing ran yet\nnext: headway init\n"
    # A log that is not there is not whole: somebody may have taken it away.
    assert dispatch(["audit"]) == 2
    assert capsys.readouterr().err.startswith("headway: there is no log: nothing was recorded here\n")
