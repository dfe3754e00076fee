"""`headway triggers` and `headway trigger`, typed in a project."""

import json
import time
from pathlib import Path

import pytest

from headway import wiring
from headway.cli import dispatch
from headway.config import load
from headway.core import facts as f
from headway.flows import firing
from headway.flows.daemon import LEASE

FILE = """
pipeline: churn
triggers:
  data: {dataset: a.csv, new-rows: 2}
  schedule: {cron: "0 3 * * 1", timezone: Europe/Berlin}
  http: {path: retrain}
  limits: {cooldown: 6h}
steps:
  - run: echo trained
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pipeline.yaml").write_text(FILE)
    (tmp_path / "a.csv").write_text("id\n1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("USER", "ann")
    return tmp_path


def facts(project: Path) -> list[f.Fact]:
    with wiring.look(load(folder=str(project))) as parts:
        return [entry.fact for entry in parts.log.read(firing.stream("churn"))]


def test_all_triggers_are_shown_and_nothing_is_made(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["triggers"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "churn: nothing waits"
    assert lines[1].startswith("  data: a.csv ")
    assert lines[1].endswith(" 1 row; not watched before the first `headway up`")
    assert "schedule: 0 3 * * 1 Europe/Berlin  next Mon" in lines[2]
    assert lines[3].split() == ["http:", "retrain", "a", "call", "of", "/hooks/retrain"]
    assert lines[4] == "nothing starts by itself here: `headway up` is not at work"
    assert {one.name for one in project.iterdir()} == {"pipeline.yaml", "a.csv"}


def test_machines_get_the_same(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["triggers", "--json"]) == 0
    (view,) = json.loads(capsys.readouterr().out)["triggers"]
    assert [one["source"] for one in view["sources"]] == [
        "data: a.csv",
        "schedule: 0 3 * * 1 Europe/Berlin",
        "http: retrain",
    ]
    assert (view["pipeline"], view["due"]) == ("churn", None)


def test_a_run_is_asked_for_by_hand(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["trigger", "--why", "new labels"]) == 0
    assert "churn: new labels; the run begins when `headway up` is started" in capsys.readouterr().out
    assert dispatch(["trigger", "data", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["event"]["why"] == "data: a.csv, by hand: ann asked for it"
    first, second = facts(project)
    assert isinstance(first, f.EventSeen)
    assert (first.source, first.why, first.by) == ("hand", "new labels", "ann")
    assert isinstance(second, f.EventSeen)
    assert second.key != first.key
    assert dispatch(["triggers"]) == 0
    assert capsys.readouterr().out.startswith("churn: a run may begin now: data: a.csv, by hand")


def test_whoever_leads_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with wiring.open(load(folder=str(project))) as parts:
        parts.leases.acquire(LEASE, holder="process 4711 on build-1", ttl_s=60, now=time.time())
        assert dispatch(["trigger"]) == 0
        assert "`headway up` starts the run (process 4711 on build-1)" in capsys.readouterr().out
        assert dispatch(["triggers"]) == 0
        assert "not at work" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trigger", "dat"], "did you mean 'data'?"),
        (["trigger", "deploy"], "it has data: a.csv, schedule: 0 3 * * 1 Europe/Berlin, http: retrain and hand"),
        (["trigger", "--file", "b.yaml"], "there is no b.yaml"),
        (["triggers", "b.yaml"], "there is no b.yaml"),
    ],
)
def test_what_is_not_there_is_told(
    project: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert dispatch(words) == 2
    assert said in capsys.readouterr().err
    assert facts(project) == []
