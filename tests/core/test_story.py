"""The story: every kind of fact has a line that people can read, and what went wrong is marked."""

from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings

from headway.core import facts as f
from headway.core.ids import Artifact, Digest, RunId
from headway.core.story import DETAILS, Line, is_detail, line_of
from headway.core.strategy import Stage, Strategy
from headway.testing import strategies
from tries import tries

D = Digest("d" * 64)
STAGE = Stage(kind="canary", text="canary: 10% for 10000 requests", share=0.1, n_requests=10000)
RELEASE = f.ReleaseStarted(
    endpoint="churn", release=4, model="churn", version=12, key="k", run=RunId(7), strategy=Strategy(stages=(STAGE,))
)
RELEASES = {("churn", 4): RELEASE}

STREAMS = {
    "runs": "run/7", "datasets": "dataset/train", "models": "model/churn", "endpoints": "endpoint/churn",
    "holdouts": "holdout/" + "ab" * 32, "triggers": "trigger/churn", "monitors": "monitor/live",
    "labels": "labels/churn", "notices": "notices",
}  # fmt: skip


def told(fact: f.Fact) -> Line | None:
    stream = STREAMS[type(fact).__module__.rpartition(".")[2]]
    return line_of(f.Entry(seq=1, stream=stream, n=1, at=5.0, fact=fact), RELEASES)


@settings(max_examples=tries(30))
@given(strategies.facts)
def test_every_fact_has_one_line_without_what_would_break_it(fact: f.Fact) -> None:
    line = told(fact)
    assert line is not None
    assert line.text
    assert "\n" not in line.text
    assert line.at == 5.0
    assert len(line.about) < 25


def test_details_are_kinds_that_there_are() -> None:
    assert {kind.__name__ for kind in get_args(f.Fact)} >= DETAILS


@pytest.mark.parametrize(
    ("fact", "text", "is_bad"),
    [
        (
            f.RunStarted(
                run=RunId(7), name="churn", file="p", pipeline=D, options=f.RunOptions(), trigger="drift: live",
                source=f.Source(commit="0123456789abcdef"),
            ),
            "churn began at 0123456789ab, started by drift: live",
            False,
        ),
        (f.RunFinished(outcome="invalid", exit_code=4, seconds=3.2, why="Data: 2 faults"),
         "stopped at invalid data after 3.2 s: Data: 2 faults", True),
        (f.RunFinished(outcome="passed", exit_code=0, seconds=60.0), "passed after 60.0 s", False),
        (f.StepFinished(step="train", outcome="passed", metrics=(f.Metric(name="auc", value=0.71),)),
         "step train passed: auc 0.71", False),
        (f.DatasetVersioned(dataset="train", version=3, artifact=Artifact(path="d", digest=D), source="s3://b/x"),
         "train@3 is there from s3://b/x", False),
        (f.ModelRegistered(model="churn", version=12, artifact=Artifact(path="m", digest=D), key="k", run=RunId(7)),
         "churn@12 was registered by run 7", False),
        (f.AliasMoved(model="churn", alias="champion", version=12, previous=11), "churn@champion means 12 now, was 11",
         False),
        (RELEASE, "churn@12 is to be released by run 7", False),
        (f.StageBegan(release=4, stage=0), "churn@12 begins `canary: 10% for 10000 requests`", False),
        (f.StageBegan(release=9, stage=1), "release 9 begins stage 2", False),
        (f.ReleaseHeld(release=4, stage=0, why="too little"), "churn@12 is held: too little", True),
        (f.ReleaseDirected(release=4, act="abort", why="bad"), "headway says of churn@12: take it back: bad", False),
        (f.EndpointSwitched(release=4, url="u"), "churn@12 answers from here on", False),
        (f.ReleaseFinished(release=4, outcome="rolled-back", why="labels"), "churn@12 was rolled back: labels", True),
        (f.EventSeen(source="data: d.csv", key="k", why="500 new rows"), "data: d.csv: 500 new rows", False),
        (f.FiringEnded(firing=2, outcome="failed", why="no file"), "firing 2: no run could be started: no file", True),
        (
            f.AlarmRaised(monitor="live", alarm=1, about="drift", says="retrain", since_window=1, why="age moved",
                          causes=(f.Cause(of="age", moved=0.3, words="age moved most"),)),
            "alarm 1, drift: retrain: age moved; age moved most",
            True,
        ),
        (
            f.QualitySeen(monitor="live", number=3, metric="accuracy", value=0.81, low=0.78, high=0.84, n_labelled=50,
                          n_rows=200, expected=0.9, is_beyond=True),
            "window 3: labels of 25 % prove accuracy 0.81 (0.78 to 0.84), promised 0.9",
            True,
        ),
        (f.LabelsAdded(endpoint="churn", source="may.csv", digest=D, key="k", n_new=1200, n_corrected=3),
         "1,200 labels of churn came, 3 corrected, in may.csv", False),
        (f.NoticeFailed(key="run/7#9", notifier="team", why="404"), "team was not told of run 7: 404", True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, msgspec.Struct) else "",
)  # fmt: skip
def test_a_line_has_the_numbers_and_the_reason(fact: f.Fact, text: str, is_bad: bool) -> None:
    line = told(fact)
    assert line is not None
    assert (line.text, line.is_bad) == (text, is_bad)


@pytest.mark.parametrize(
    ("fact", "is_small"),
    [
        (f.StepFinished(step="s", outcome="passed"), True),
        (f.StepFinished(step="s", outcome="failed"), False),
        (f.LabelsAdded(endpoint="e", source="s", digest=D, key="k", n_known=5), True),
        (f.LabelsAdded(endpoint="e", source="s", digest=D, key="k", n_corrected=1), False),
        (f.QualitySeen(monitor="m", number=1, metric="accuracy", value=1, low=1, high=1, n_labelled=1, n_rows=1), True),
        (f.StageLooked(release=1, stage=0), True),
        (f.StageBegan(release=1, stage=0), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, msgspec.Struct) else "",
)
def test_small_things_are_told_only_to_who_wants_them(fact: f.Fact, is_small: bool) -> None:
    assert is_detail(fact) is is_small


def test_what_is_of_no_kind_of_stream_has_no_line() -> None:
    assert line_of(f.Entry(seq=1, stream="other/1", n=1, at=0.0, fact=f.RunResumed()), {}) is None
