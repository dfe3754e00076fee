"""`headway report`: of a real run, a release and a week, as Markdown and as pages."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from headway import config, wiring
from headway.cli import dispatch
from headway.core import facts as f
from headway.core.strategy_typed import read_typed
from headway.wiring import Parts

PIPELINE = r"""
pipeline: churn
steps:
  - name: Validate
    run: |
      echo '{"auc": 0.71}' >> "$HEADWAY_METRICS"
      echo '## All <b>fine</b>' >> "$HEADWAY_SUMMARY"
  - name: Train
    run: for i in $(seq 100); do echo "epoch $i"; done; printf '\033[31mit broke\033[0m\n'; exit 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def parts(folder: Path) -> Iterator[Parts]:
    with wiring.open(config.load(folder=str(folder))) as opened:
        yield opened


def test_a_run_is_reported_with_what_it_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["run"]) == 1
    capsys.readouterr()
    assert dispatch(["report"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("# Run 1 of churn\n\n**Run 1 of churn failed: Train: exit code 3**\n")
    assert "epoch 100\nit broke\n```" in text
    assert "epoch 61\n" not in text
    assert "| auc | 0.71 |" in text
    assert "## All <b>fine</b>" in text
    assert dispatch(["report", "1", "--html", "run.html", "--markdown", "run.md"]) == 0
    assert capsys.readouterr().out.startswith("wrote run.html: Run 1 of churn failed")
    assert (folder / "run.md").read_text() == text
    page = (folder / "run.html").read_text()
    assert "it broke" in page
    assert "All &lt;b&gt;fine" in page


def test_a_release_is_reported_with_its_picture(parts: Parts, capsys: pytest.CaptureFixture[str]) -> None:
    strategy = read_typed({"strategy": "canary: 10% for 10000 requests, promote"}, at="test")
    started = f.ReleaseStarted(endpoint="e", release=1, model="m", version=2, key="1", strategy=strategy)
    end = f.ReleaseFinished(release=1, outcome="rolled-back", why="6 % errors")
    facts: list[f.Fact] = [started, f.StageBegan(release=1, stage=0), f.StageLooked(release=1, stage=0), end]
    for n, fact in enumerate(facts):
        parts.log.append("endpoint/e", [fact], expect=n, at=60.0 * n)
    assert dispatch(["report", "e"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("# Release 1 of e: m@2\n")
    assert "| why it ended so | 6 % errors |" in text
    assert "m@2 begins `canary: 10% for 10000 requests`" in text
    assert dispatch(["report", "e/1", "--html", "release.html"]) == 0
    assert "<svg" in Path("release.html").read_text()
    assert dispatch(["report", "e/7"]) == dispatch(["report", "other"]) == dispatch(["report", "e/x"]) == 2


def test_a_week_is_reported_and_machines_can_read_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dispatch(["run"])
    capsys.readouterr()
    assert dispatch(["report", "--week"]) == 0
    assert "In 7 days: 1 run, 0 passed and 0 alarms" in capsys.readouterr().out
    assert dispatch(["report", "--since", "1h", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["headline"].startswith("In 1 hour: 1 run")
    assert dispatch(["report", "--week", "1"]) == 2
    assert "leave one of them out" in capsys.readouterr().err


def test_where_there_is_no_run_it_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["report"]) == 2
    assert dispatch(["report", "--since", "soon"]) == 2
    assert "how long ago" in capsys.readouterr().err
    assert dispatch(["report", "--since", "9999-01-01"]) == 2
    assert "is still to come" in capsys.readouterr().err
    assert dispatch(["report", "--since", "1h", "--week"]) == 2
    assert "leave one of them out" in capsys.readouterr().err
