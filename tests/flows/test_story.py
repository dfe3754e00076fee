"""The story out of a log: which part of it is told, and in what order."""

from pathlib import Path
from typing import Any

import pytest

from headway.backends import connect
from headway.core import facts as f
from headway.core.ids import Digest, RunId
from headway.errors import UsageMistaken
from headway.flows.story import Asked, story
from headway.ports import Log

D = Digest("d" * 64)


@pytest.fixture(params=["memory", "sqlite"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Log:
    """Two runs, one of which failed, and a release that was rolled back; a fact an hour."""
    made: Any = connect("log", "memory:" if request.param == "memory" else f"sqlite:{tmp_path}/log.sqlite")
    release = f.ReleaseStarted(endpoint="churn", release=1, model="churn", version=3, key="k")
    facts: list[tuple[str, f.Fact]] = [
        ("run/1", f.RunStarted(run=RunId(1), name="churn", file="p", pipeline=D, options=f.RunOptions())),
        ("run/1", f.StepStarted(step="train")),
        ("run/1", f.StepFinished(step="train", outcome="passed")),
        ("run/1", f.RunFinished(outcome="passed", exit_code=0, seconds=1.0)),
        ("endpoint/churn", release),
        ("endpoint/churn", f.EndpointSwitched(release=1, url="u")),
        ("endpoint/churn", f.ReleaseFinished(release=1, outcome="rolled-back", why="more errors")),
        ("run/2", f.RunStarted(run=RunId(2), name="churn", file="p", pipeline=D, options=f.RunOptions())),
        ("run/2", f.RunFinished(outcome="failed", exit_code=1, seconds=1.0, why="train: exit code 1")),
    ]
    for hour, (stream, fact) in enumerate(facts):
        made.append(stream, [fact], expect=len(made.read(stream)), at=3600.0 * hour)
    return made  # type: ignore[no-any-return] # connect answers by name


def texts(log: Log, **asked: Any) -> list[str]:
    return [f"{one.line.about}: {one.line.text}" for one in story(log, Asked(**asked)).told]


def test_all_of_it_is_told_oldest_first_without_small_things(log: Log) -> None:
    assert texts(log) == [
        "run 1: churn began, started by hand",
        "run 1: passed after 1.0 s",
        "endpoint churn: churn@3 is to be released",
        "endpoint churn: churn@3 answers from here on",
        "endpoint churn: churn@3 was rolled back: more errors",
        "run 2: churn began, started by hand",
        "run 2: failed after 1.0 s: train: exit code 1",
    ]


def test_every_adds_the_small_things(log: Log) -> None:
    assert texts(log, every=True)[1:3] == ["run 1: step train began", "run 1: step train passed"]


@pytest.mark.parametrize("about", ["endpoint", "endpoint/churn", "endpoint churn"])
def test_a_part_can_be_asked_for_by_what_it_is_about(log: Log, about: str) -> None:
    assert len(texts(log, about=about)) == 3
    assert texts(log, about="endpoint/other") == []
    assert texts(log, about="run/2") == texts(log, about="run", last=2)


def test_since_and_last_cut_off_what_came_before(log: Log) -> None:
    assert len(texts(log, since=3600.0 * 6)) == 3
    short = story(log, Asked(last=2))
    assert not short.is_whole
    assert [one.line.about for one in short.told] == ["run 2", "run 2"]
    assert story(log, Asked(last=7)).is_whole


def test_a_release_is_called_by_its_version_also_when_it_began_before(log: Log) -> None:
    assert texts(log, since=3600.0 * 6)[0] == "endpoint churn: churn@3 was rolled back: more errors"


def test_a_time_that_was_wrong_hides_no_newer_fact(log: Log) -> None:
    log.append("run/2", [f.RunResumed()], expect=2, at=10.0)
    log.append("run/2", [f.RunFinished(outcome="passed", exit_code=0)], expect=3, at=3600.0 * 9)
    assert len(texts(log, since=3600.0 * 8)) == 2


def test_what_no_story_is_about_is_refused(log: Log) -> None:
    with pytest.raises(UsageMistaken) as refused:
        story(log, Asked(about="runs"))
    assert "run/7" in refused.value.remedy


def test_files_of_labels_that_came_one_after_the_other_are_one_line(log: Log) -> None:
    def came(endpoint: str, *days: str, at: float) -> None:
        files = [
            f.LabelsAdded(endpoint=endpoint, source=f"{day}.csv", digest=D, key=day, n_new=100, by="ann")
            for day in days
        ]
        log.append(f"labels/{endpoint}", files, expect=len(log.read(f"labels/{endpoint}")), at=at)

    came("churn", "1", "2", "3", at=3600.0 * 9)
    came("other", "1", at=3600.0 * 9)
    came("other", "2", at=3600.0 * 9)
    came("churn", "4", at=3600.0 * 10)
    told = [
        "labels churn: 300 labels of churn came in 3 files, 1.csv to 3.csv by ann",
        "labels other: 200 labels of other came in 2 files, 1.csv to 2.csv by ann",
        "labels churn: 100 labels of churn came in 4.csv by ann",
    ]
    assert texts(log, about="labels") == told
    assert texts(log, last=2) == told[-2:]
    assert len(texts(log, about="labels", every=True)) == 6
