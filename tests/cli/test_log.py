"""`headway log`: the story as people and machines read it."""

import json
from pathlib import Path

import pytest

from headway import config, wiring
from headway.cli import dispatch
from headway.core import facts as f
from headway.core.ids import Digest, RunId


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a run that failed, and one that passed after it, in November 2023."""
    (tmp_path / "headway.toml").touch()
    monkeypatch.chdir(tmp_path)
    with wiring.open(config.load(folder=str(tmp_path))) as parts:
        for run, outcome in ((1, "failed"), (2, "passed")):
            begun = f.RunStarted(
                run=RunId(run), name="churn", file="p", pipeline=Digest("d" * 64), options=f.RunOptions()
            )
            ended = f.RunFinished(outcome=outcome, exit_code=0, seconds=1.5)  # type: ignore[arg-type] # as above
            parts.log.append(f"run/{run}", [begun, ended], expect=0, at=1_700_000_000.0 + run)
    return tmp_path


def test_the_story_is_told_newest_last_and_what_went_wrong_is_marked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dispatch(["log"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "  2023-11-14 22:13:21  run 1  churn began, started by hand",
        "! 2023-11-14 22:13:21  run 1  failed after 1.5 s",
        "  2023-11-14 22:13:22  run 2  churn began, started by hand",
        "  2023-11-14 22:13:22  run 2  passed after 1.5 s",
    ]


def test_the_last_lines_are_told_and_that_there_are_earlier_ones(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dispatch(["log", "--last", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "… earlier: headway log --last 0"
    assert dispatch(["log", "--about", "run/1", "--since", "2023-11-14"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert dispatch(["log", "--since", "1h"]) == 0
    assert capsys.readouterr().out == "nothing happened in that time\n"


def test_machines_get_each_fact(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["log", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["is_bad"] for one in told] == [False, True, False, False]
    assert told[1]["fact"] == {"kind": "RunFinished", "outcome": "failed", "exit_code": 0, "seconds": 1.5}


@pytest.mark.parametrize(
    "words", [["--since", "soon"], ["--since", "0001-01-01T00:00+14:00"], ["--about", "runs"], ["--last", "-1"]]
)
def test_words_that_cannot_be_meant_are_refused(
    folder: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert dispatch(["log", *words]) == 2
    assert words[0] in capsys.readouterr().err


def test_where_nothing_happened_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert dispatch(["log"]) == 0
    assert capsys.readouterr().out == "nothing happened yet\n"
    assert list(tmp_path.iterdir()) == []
