"""`headway init`: looks, shows, asks, and writes only what nobody has."""

import sys
from io import StringIO
from pathlib import Path

import msgspec
import pytest

from headway.cli import dispatch


@pytest.fixture(autouse=True)
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two scripts, in which one stands."""
    (tmp_path / "train.py").touch()
    (tmp_path / "deploy.sh").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Typing(StringIO):
    """A terminal at which somebody types."""

    def isatty(self) -> bool:
        return True


def answer(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Typing(text))


PROPOSED = "steps:\n  - name: Train Model\n    run: python train.py\n  - name: Deploy Model\n    run: bash deploy.sh\n"


@pytest.mark.parametrize("yes", ["y\n", "Yes\n"])
def test_it_shows_what_it_found_and_writes_when_told_to(
    yes: str, scripts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(yes, monkeypatch)
    assert dispatch(["init"]) == 0
    out = capsys.readouterr().out
    assert PROPOSED in out
    assert out.endswith("wrote pipeline.yaml with 2 steps; next: headway plan, then headway run\n")
    assert (scripts / "pipeline.yaml").read_text().endswith(PROPOSED)


@pytest.mark.parametrize("no", ["n\n", "\n", "", "yep\n"])
def test_without_a_yes_nothing_is_written(
    no: str, scripts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(no, monkeypatch)
    assert dispatch(["init"]) == 0
    assert capsys.readouterr().out.endswith("nothing was written\n")
    assert not (scripts / "pipeline.yaml").exists()


def test_where_nobody_can_be_asked_nothing_is_written(
    scripts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO("y\n"))
    assert dispatch(["init"]) == 2
    assert "add --yes to write it" in capsys.readouterr().err
    assert not (scripts / "pipeline.yaml").exists()


def test_yes_can_be_said_beforehand(scripts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["init", "--yes"]) == 0
    assert dispatch(["plan"]) == 0
    assert capsys.readouterr().out.startswith("wrote pipeline.yaml with 2 steps")
    assert (scripts / "pipeline.yaml").exists()


def test_for_machines_it_proposes_and_writes_only_with_yes(scripts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["init", "--json"]) == 0
    document = msgspec.json.decode(capsys.readouterr().out)
    assert document["proposed"].endswith(PROPOSED)
    assert (document["written"], document["folder"]) == ([], str(scripts))
    assert not (scripts / "pipeline.yaml").exists()
    assert dispatch(["init", "--json", "--yes"]) == 0
    assert msgspec.json.decode(capsys.readouterr().out)["written"] == ["pipeline.yaml"]


def test_a_pipeline_that_is_there_is_left_alone(scripts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (scripts / "pipeline.yaml").write_text("mine")
    assert dispatch(["init", "--yes"]) == 5
    assert "a pipeline.yaml is here already" in capsys.readouterr().err
    assert (scripts / "pipeline.yaml").read_text() == "mine"


def test_without_scripts_it_says_what_it_looked_for(scripts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (scripts / "empty").mkdir()
    assert dispatch(["init", "empty"]) == 2
    assert "no script here looks like a step" in capsys.readouterr().err
    assert dispatch(["init", "nowhere"]) == 2
    assert "there is no folder nowhere" in capsys.readouterr().err


def test_a_folder_of_another_project_can_be_begun_in(scripts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (scripts / "pipeline.yaml").touch()
    below = scripts / "below"
    below.mkdir()
    (below / "train.py").touch()
    assert dispatch(["init", "-C", "below", "--yes"]) == 0
    assert (below / "pipeline.yaml").exists()
    assert capsys.readouterr().err == ""


def test_an_example_is_a_whole_project(scripts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["init", "demo", "--example", "flights"]) == 0
    out = capsys.readouterr().out
    assert "wrote 17 files" in out
    assert "next: cd demo && pip install" in out
    assert (scripts / "demo" / "pipeline.yaml").exists()
    assert dispatch(["init", "demo", "--example", "flights"]) == 5
    assert "is there already" in capsys.readouterr().err


def test_an_unknown_example_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["init", "--example", "flight", "--json"]) == 2
    assert msgspec.json.decode(capsys.readouterr().out)["error"] == "name-unknown"
