"""`headway gate show` as it is typed, on runs that really took place."""

import json
import os
from pathlib import Path

import pytest

from headway.cli import dispatch

PIPELINE = """
steps:
  - name: Train
    run: cp source.py model.py
    in: source.py
    out: model.py
  - name: Holdout
    uses: validate-data
    with: {data: holdout.csv, schema: schema.yaml}
  - name: Gate
    uses: gate
    with: {challenger: model.py, data: holdout.csv, target: late, checks: [new.accuracy >= 0.8, new.accuracy >= 0.2]}
"""
SECOND = """
  - name: Second Gate
    if: always()
    uses: gate
    with: {challenger: model.py, data: holdout.csv, target: late, checks: [new.recall >= 0.3]}
"""
MODEL = "COLUMNS = ['x']\ndef predict(rows): return [int(row['x'] > 50) for row in rows]\n"


def write(folder: Path, pipeline: str = PIPELINE) -> None:
    (folder / "pipeline.yaml").write_text(pipeline)
    (folder / "source.py").write_text(MODEL)
    (folder / "schema.yaml").write_text("columns:\n  x: {type: integer}\n")
    rows = (f"{i % 100},{int(i % 100 > 40)}" for i in range(500))
    (folder / "holdout.csv").write_text("x,late\n" + "\n".join(rows) + "\n")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run 1 has one gate, run 2 two of them."""
    folder = tmp_path_factory.mktemp("project")
    before = os.getcwd()
    os.chdir(folder)
    try:
        write(folder)
        assert dispatch(["run"]) == 0
        write(folder, PIPELINE + SECOND)
        assert dispatch(["run"]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def here(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    return project


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert dispatch(["gate", "show", *words]) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *words: str, code: int = 2) -> str:
    capsys.readouterr()
    assert dispatch(["gate", "show", *words]) == code
    return capsys.readouterr().err


def test_a_verdict_is_drawn_with_its_record(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = shown(capsys, "1")
    assert told.startswith("gate: pass, let through: 2 of 2 checks hold\n")
    assert "accuracy must be at least 80 %: it is 90" in told
    assert "all rows" in told
    assert "┃ limit 80 %" in told
    assert "\x1b" not in told
    for word in ("challenger", "model.py (", "holdout.csv (", "1, step gate", "2 times, 30 of 32 left"):
        assert word in told


def test_the_same_is_there_for_machines_and_browsers(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(shown(capsys, "1", "--json"))
    assert (found["run"], found["step"], len(found["digest"])) == (1, "gate", 64)
    assert found["record"]["verdict"]["outcome"] == "pass"
    assert found["record"]["step"]["checks"] == ["new.accuracy >= 0.8", "new.accuracy >= 0.2"]
    told = shown(capsys, "1", "--html", "gate.html", "--svg", "gate.svg")
    assert told == "gate: pass, let through: 2 of 2 checks hold\nwrote gate.html and gate.svg\n"
    page = (here / "gate.html").read_text()
    assert "new.accuracy &gt;= 0.8" in page
    assert found["digest"] in page
    assert (here / "gate.svg").read_text().startswith("<svg xmlns=")
    refused(capsys, "1", "--html", "no/gate.html", code=1)


def test_a_verdict_is_found_by_its_digest(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digest = json.loads(shown(capsys, "1", "--json"))["digest"]
    for text in (digest[:8], digest):
        found = json.loads(shown(capsys, text, "--json"))
        assert (found["digest"], found["run"], found["step"]) == (digest, 1, "gate")
    assert "is no verdict of a gate" in refused(capsys, "f" * 12)


def test_of_several_gates_one_must_be_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "run 2 has 2 gates: gate, second-gate" in refused(capsys)
    assert "new.recall >= 0.3" in shown(capsys, "--step", "second-gate")
    assert "new.accuracy >= 0.2" in shown(capsys, "latest", "--step", "gate")
    assert "kept no verdict of a gate" in refused(capsys, "--step", "train")
    # A review of data reports a verdict, too, which is another thing.
    assert "its gates are gate, second-gate" in refused(capsys, "--step", "holdout")
    assert "has no step 'gone'" in refused(capsys, "--step", "gone")


def test_runs_that_are_not_there_are_told(
    here: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "there is no run 99" in refused(capsys, "99")
    assert "'abc' is no run" in refused(capsys, "abc")
    monkeypatch.chdir(tmp_path)
    assert "there is no run yet" in refused(capsys)
    (tmp_path / "pipeline.yaml").write_text("steps:\n  - run: 'true'\n")
    assert dispatch(["run"]) == 0
    assert "run 1 has no verdict of a gate" in refused(capsys)
