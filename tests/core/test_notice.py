"""Notices: which facts are worth one, what they say, and that each names one command to act."""

from collections.abc import Sequence

import pytest

from headway.core import facts as f
from headway.core.ids import Digest, RunId
from headway.core.notice import FEW, KINDS, LONGEST_TEXT, Notice, digest, notice_of

D = Digest("d" * 64)


def entries(stream: str, *facts: f.Fact) -> list[f.Entry]:
    return [f.Entry(seq=n, stream=stream, n=n, at=100.0 + n, fact=fact) for n, fact in enumerate(facts, 1)]


def told(stream: str, *facts: f.Fact) -> Notice | None:
    """The notice of the last of these facts."""
    found = entries(stream, *facts)
    return notice_of(found[-1], found)


def run_that(outcome: f.RunOutcome, *, why: str = "", trigger: str = "person", step: str = "train") -> list[f.Fact]:
    started = f.RunStarted(run=RunId(7), name="churn", file="p", pipeline=D, options=f.RunOptions(), trigger=trigger)
    return [
        started,
        f.StepStarted(step=step),
        f.StepFinished(step=step, outcome="failed", why="exit code 1"),
        f.RunFinished(outcome=outcome, exit_code=1, why=why),
    ]


RELEASE = f.ReleaseStarted(endpoint="churn", release=4, model="churn", version=12, key="k")

RAISED = f.AlarmRaised(
    monitor="live",
    alarm=2,
    about="drift",
    says="retrain",
    since_window=3,
    why="the predictions moved, and accuracy fell by 3 points",
    causes=(f.Cause(of="tenure", moved=0.41, words="tenure moved most"), f.Cause(of="age", moved=0.2)),
    version=12,
    endpoint="churn",
    model="churn",
)


@pytest.mark.parametrize(
    ("stream", "facts", "title", "command"),
    [
        ("run/7", run_that("failed", why="train: exit code 1"), "run 7 of churn failed", "headway logs 7 train"),
        ("run/7", run_that("refused"), "run 7 of churn was refused by its gate", "headway show 7"),
        ("run/7", run_that("held"), "run 7 of churn is held", "headway show 7"),
        ("run/7", run_that("invalid"), "run 7 of churn was stopped at invalid data", "headway logs 7 train"),
        (
            "trigger/churn",
            [f.FiringEnded(firing=1, outcome="failed", why="the file is gone")],
            "churn: no run could be started",
            "headway triggers",
        ),
        ("monitor/live", [RAISED], "live: drift alarm of churn@12, retrain", "headway run"),
        (
            "monitor/live",
            [f.AlarmRaised(monitor="live", alarm=1, about="schema", says="look", since_window=1, why="w")],
            "live: schema alarm, look",
            "headway monitor live",
        ),
        (
            "monitor/live",
            [
                f.AlarmRaised(
                    monitor="live",
                    alarm=1,
                    about="quality",
                    says="roll back",
                    since_window=1,
                    why="w",
                    endpoint="churn",
                )
            ],
            "live: quality alarm, roll back",
            "headway rollback churn",
        ),
        (
            "monitor/live",
            [f.AlarmEnded(monitor="live", alarm=2, why="as before")],
            "live: alarm 2 is over",
            "headway monitor live",
        ),
        (
            "endpoint/churn",
            [RELEASE, f.ReleaseHeld(release=4, stage=1, why="too little was seen")],
            "churn: churn@12 is held",
            "headway rollout status churn --release 4",
        ),
        (
            "endpoint/churn",
            [RELEASE, f.ReleaseHeld(release=4, stage=1, cause="approval")],
            "churn: churn@12 waits for an approval",
            "headway rollout promote churn",
        ),
        (
            "endpoint/churn",
            [RELEASE, f.ReleaseFinished(release=4, outcome="rolled-back", why="more errors")],
            "churn: churn@12 was rolled back",
            "headway rollout status churn --release 4",
        ),
        (
            "endpoint/churn",
            [RELEASE, f.ReleaseFinished(release=4, outcome="released")],
            "churn: churn@12 is released",
            "headway rollout status churn --release 4",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_notice_says_what_happened_and_the_one_command(
    stream: str, facts: Sequence[f.Fact], title: str, command: str
) -> None:
    notice = told(stream, *facts)
    assert notice is not None
    assert (notice.title, notice.command) == (title, command)
    assert notice.text
    pages = {"run": "/runs/7", "endpoint": "/releases/churn/4"}
    assert notice.link == pages.get(stream.partition("/")[0], f"/story?about={stream}")
    assert f.kind_of(facts[-1]) in KINDS


def test_a_notice_has_the_reason_and_the_causes() -> None:
    notice = told("monitor/live", RAISED)
    assert notice is not None
    assert notice.text.splitlines() == [RAISED.why, "- tenure moved most", "- age moved by 0.2"]


def test_what_ended_well_asks_for_nothing() -> None:
    released = told("endpoint/churn", RELEASE, f.ReleaseFinished(release=4, outcome="released"))
    rolled_back = told("endpoint/churn", RELEASE, f.ReleaseFinished(release=4, outcome="rolled-back"))
    assert released is not None
    assert rolled_back is not None
    assert (released.is_good, rolled_back.is_good) == (True, False)


def test_a_run_that_was_started_by_itself_says_by_what() -> None:
    notice = told("run/7", *run_that("failed", trigger="drift: live"))
    assert notice is not None
    assert "drift: live" in notice.text


def test_data_that_were_stopped_are_another_topic_than_runs() -> None:
    topics = [
        notice.topic for outcome in ("invalid", "failed") if (notice := told("run/7", *run_that(outcome))) is not None
    ]
    assert topics == ["data", "run"]


@pytest.mark.parametrize("outcome", ["passed", "interrupted", "rolled-back"])
def test_other_ends_of_a_run_are_no_news(outcome: f.RunOutcome) -> None:
    assert told("run/7", *run_that(outcome)) is None


@pytest.mark.parametrize(
    "fact",
    [
        f.FiringEnded(firing=1, outcome="failed", run=RunId(7)),
        f.StepFinished(step="s", outcome="failed"),
        f.ReleaseFinished(release=9, outcome="failed"),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_what_is_told_elsewhere_or_belongs_to_nothing_is_no_news(fact: f.Fact) -> None:
    assert told("trigger/churn", fact) is None


def test_a_notice_of_the_same_fact_has_the_same_key_and_another_fact_another() -> None:
    found = entries("run/7", *run_that("failed"), f.RunResumed(), f.RunFinished(outcome="failed", exit_code=1))
    first, again, second = notice_of(found[3], found[:4]), notice_of(found[3], found[:4]), notice_of(found[5], found)
    assert first == again
    assert first is not None
    assert second is not None
    assert first.key != second.key


def test_a_text_that_nobody_reads_to_its_end_is_cut() -> None:
    notice = told("run/7", *run_that("failed", why="x" * 10_000))
    assert notice is not None
    assert len(notice.text) == LONGEST_TEXT


def test_many_at_once_become_one_that_names_the_worst() -> None:
    bad = told("run/7", *run_that("failed"))
    good = told("endpoint/churn", RELEASE, f.ReleaseFinished(release=4, outcome="released"))
    assert bad is not None
    assert good is not None
    one = digest([good] * 3 + [bad] * (FEW + 2))
    assert one.title == "10 things happened"
    assert one.text.splitlines() == [f"- {bad.title}"] * FEW + ["- and 5 more"]
    assert one.command == "headway log"
    assert not one.is_good
    assert digest([good, good]).is_good
