"""`headway monitor` typed: what it shows, what it refuses, and that it ends when it is asked to."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from headway import wiring
from headway.cli import dispatch
from headway.config import load
from headway.core import facts as f
from headway.core.ids import Digest
from headway.errors import FileMissing
from headway.flows.watch_here import Here
from headway.flows.watch_news import Looked
from headway.flows.watch_run import Heard

PIPELINE = """
steps:
  - run: "true"
monitors:
  live: {endpoint: churn, window: 1d}
  other: {endpoint: churn, window: 1000}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(capsys: pytest.CaptureFixture[str], *words: str, expect: int = 0) -> str:
    assert dispatch(["monitor", *words]) == expect
    told = capsys.readouterr()
    return told.out + told.err


@pytest.mark.usefixtures("folder")
def test_monitors_that_did_not_watch_anything_yet(capsys: pytest.CaptureFixture[str]) -> None:
    lines = typed(capsys).splitlines()
    assert [line.split()[:1] for line in lines] == [["monitor"], ["live"], ["other"]]
    assert "did not watch anything yet" in typed(capsys, "live")
    shown = json.loads(typed(capsys, "live", "--json"))
    assert shown["monitor"] == "live"
    assert "began" not in shown


def test_nothing_is_made_by_looking(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    typed(capsys)
    assert sorted(os.listdir(folder)) == ["pipeline.yaml"]


@pytest.mark.usefixtures("folder")
def test_a_look_says_why_there_is_nothing_to_look_at(capsys: pytest.CaptureFixture[str]) -> None:
    told = typed(capsys, "live", "--look")
    assert told == "live: nothing serves at churn; it is watched when something is released there\n"
    assert [one["monitor"] for one in json.loads(typed(capsys, "--look", "--json"))] == ["live", "other"]


def test_a_folder_without_a_pipeline_has_no_monitors(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert typed(capsys).startswith("no monitor yet")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("liv",), "there is no monitor 'liv'"),
        (("liv", "--look"), "there is no monitor 'liv'"),
        (("run", "liv"), "there is no monitor 'liv'"),
        (("run", "live", "--look"), "takes no --look"),
        (("run", "--svg", "a.svg"), "takes no --svg"),
        (("live", "other"), "2 names are given"),
        (("--svg", "a.svg"), "the charts of one monitor are meant"),
        (("live", "--windows", "0"), "0 windows are none"),
        (("--file", "none.yaml"), "none.yaml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_meant_is_refused(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], problem: str
) -> None:
    assert problem in typed(capsys, *words, expect=2)


@pytest.mark.usefixtures("folder")
def test_one_that_is_in_no_file_any_more_is_not_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    began = f.MonitorBegan(
        monitor="gone", endpoint="churn", model="churn", version=1, reference=Digest("r"), layout="l", window="1 day",
        false_alarms_per_year=2.0,
    )  # fmt: skip
    with wiring.open(load()) as parts:
        parts.log.append("monitor/gone", [began], expect=0, at=0.0)
    assert "pipeline.yaml does not describe the monitor gone" in typed(capsys, "run", "gone", expect=2)
    assert "pipeline.yaml does not describe the monitor gone" in typed(capsys, "gone", "--look", expect=2)


def test_two_files_with_a_monitor_of_one_name_are_refused(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "b.yaml").write_text(PIPELINE)
    told = typed(capsys, "run", "pipeline.yaml", "b.yaml", expect=2)
    assert "pipeline.yaml and b.yaml both describe a monitor live" in told


@pytest.mark.usefixtures("folder")
def test_what_others_saw_is_told_when_one_cannot_look(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = [
        Heard(monitor="live", trouble=FileMissing("there is no x", at="x", remedy="write one")),
        Heard(monitor="other", looked=Looked(monitor="other", endpoint="churn", notes=("a note",))),
    ]
    monkeypatch.setattr(Here, "__call__", lambda *_: heard)
    told = typed(capsys, "--look", expect=2)
    assert told.startswith("other: a note\n")
    assert "there is no x" in told


def test_a_monitor_with_faults_is_told_with_its_line(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "pipeline.yaml").write_text(PIPELINE.replace("1d", "90m"))
    told = typed(capsys, expect=2)
    assert "`90m` is not a number of whole hours" in told
    assert "pipeline.yaml:5" in told


def test_it_looks_until_it_is_asked_to_end(folder: Path) -> None:
    words = [sys.executable, "-m", "headway", "monitor", "run", "live", "pipeline.yaml"]
    with subprocess.Popen(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline().startswith("live: nothing serves at churn")
        # It is there for ever, and small: what reckons is started when there is anything to judge.
        held = Path(f"/proc/{process.pid}/maps").read_text()
        assert not [one for one in ("numpy", "polars", "scipy", "sklearn") if one in held]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        assert process.stdout.read() == ""
