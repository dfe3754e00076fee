"""`headway labels add`: what it says of files that are new, known, corrected, or no labels of this endpoint."""

import json
from pathlib import Path

import pytest

from headway import config, wiring
from headway.cli import dispatch
from headway.core import facts as f
from headway.flows.predictions import folder_of
from headway.tables import prediction_log


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose endpoint answered two requests."""
    (tmp_path / "headway.toml").touch()
    monkeypatch.chdir(tmp_path)
    with wiring.open(config.load(folder=str(tmp_path))) as parts:
        started = f.ReleaseStarted(endpoint="churn", release=1, model="churn", version=3, key="k")
        parts.log.append("endpoint/churn", [started], expect=0, at=1.0)
    predictions = Path(folder_of(str(tmp_path / ".headway"), "churn"))
    predictions.mkdir(parents=True)
    line = '{"request_id":"%s","at":2.0,"ms":1.0,"model":"churn","version":3,"rows":[{"x":1}],"predictions":[1]}\n'
    (predictions / "predictions-0123456789abcde0.jsonl").write_text(line % "a" + line % "b")
    return tmp_path


def test_files_are_added_and_told_one_by_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "may.csv").write_text("request_id,label,at\na,1,10\nb,0,10\nc,1,10\nd,,10\n")
    (folder / "mended.csv").write_text("request_id,label,at\na,0,20\nb,0,20\nb,0,15\n")
    assert dispatch(["labels", "add", "may.csv", "mended.csv", "may.csv"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "may.csv: 3 new, 1 without a label yet, for churn",
        "  1 is of no prediction in the log: it is kept, in case it comes; see that --key names the request's id",
        "mended.csv: 0 new, 1 corrected, 1 known already, 1 said again in the file, for churn",
        "may.csv: just this was added to churn before",
    ]
    joined = prediction_log.joined(folder_of(str(folder / ".headway"), "churn"))
    assert dict(joined.frame.select("request_id", "label").rows()) == {"a": 0, "b": 0}
    # That b was still so at a later time was written down, too.
    assert (joined.n_labelled, joined.n_unknown, joined.n_repeated) == (2, 1, 2)


def test_machines_read_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "may.jsonl").write_text('{"order": "a", "churned": 1, "x": 2}\n')
    words = ["labels", "add", "may.jsonl", "--endpoint", "churn", "--key", "order", "--label", "churned", "--json"]
    assert dispatch(words) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["file"], one["was_added_before"], one["n_new"], one["n_of_no_prediction"]) == ("may.jsonl", False, 1, 0)
    assert dispatch(words) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["was_added_before"], one["n_new"]) == (True, 0)


def test_mistakes_are_told_with_what_to_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "may.csv").write_text("id,label\na,1\n")
    assert dispatch(["labels", "add", "may.csv"]) == 2
    assert "--key names the one" in capsys.readouterr().err
    assert dispatch(["labels", "add", "gone.csv"]) == 2
    assert dispatch(["labels", "add", "may.csv", "--endpoint", "chrun"]) == 2
    assert "did you mean `churn`?" in capsys.readouterr().err
