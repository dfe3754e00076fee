"""Looking through runs: newest first, by what they are, and no further than need be."""

from collections.abc import Iterator
from typing import Any

import pytest

from headway.backends.log_memory import MemoryLog
from headway.core import facts as f
from headway.core.ids import Digest, RunId
from headway.errors import UsageMistaken
from headway.flows import run_list
from headway.flows.run_list import Question, metrics_of, runs


def started(n: int, **more: object) -> f.RunStarted:
    return f.RunStarted(
        run=RunId(n), name="churn", file="p", pipeline=Digest("0" * 64), options=f.RunOptions(), **more  # type: ignore[arg-type] # a table
    )  # fmt: skip


def made(n: int) -> MemoryLog:
    log = MemoryLog()
    fill(log, n)
    return log


def fill(log: MemoryLog, n: int) -> None:
    for i in range(1, n + 1):
        log.append(f"run/{i}", [started(i, params={"n": i % 3})], expect=0, at=float(i))
        log.append(f"run/{i}", [f.RunFinished(outcome="passed", exit_code=0, seconds=1.0)], expect=1, at=i + 0.5)


def test_pages_follow_each_other_without_a_gap() -> None:
    log = made(23)
    seen: list[int] = []
    before = 0
    while True:
        page = runs(log, Question(before=before), limit=5)
        seen += [line.run for line in page.lines]
        before = page.before
        if not before:
            break
    assert seen == list(range(23, 0, -1))


class Counted(MemoryLog):
    """Counts what is read of it."""

    __slots__ = ("n_read",)

    def scan(self, *args: Any, **kwargs: Any) -> Iterator[f.Entry]:
        self.n_read = 0
        for entry in super().scan(*args, **kwargs):
            self.n_read += 1
            yield entry


def test_the_newest_runs_cost_no_more_in_a_long_log() -> None:
    log = Counted()
    fill(log, 400)
    assert [line.run for line in runs(log, Question(), limit=3).lines] == [400, 399, 398]
    assert log.n_read <= 8


def test_a_run_that_was_taken_up_again_is_running_until_it_ends() -> None:
    log = made(2)
    log.append("run/1", [f.RunResumed()], expect=2, at=10.0)
    assert [line.outcome for line in runs(log, Question(), limit=9).lines] == ["passed", "running"]
    log.append("run/1", [f.RunFinished(outcome="failed", exit_code=1, seconds=2.0, why="no")], expect=3, at=11.0)
    assert [(line.outcome, line.why) for line in runs(log, Question(), limit=9).lines] == [
        ("passed", ""),
        ("failed", "no"),
    ]


def test_a_parameter_is_asked_for_by_its_value() -> None:
    assert [line.run for line in runs(made(7), Question(param="n=2"), limit=9).lines] == [5, 2]
    assert runs(made(7), Question(param="m=2"), limit=9).lines == ()


def reported(log: MemoryLog, run: int, **values: float) -> None:
    metrics = tuple(f.Metric(name=name, value=value) for name, value in values.items())
    end = f.StepFinished(step="train", outcome="passed", exit_code=0, seconds=1.0, metrics=metrics)
    log.append(f"run/{run}", [started(run), end], expect=0, at=float(run))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("auc>=0.7", [4, 3]),
        ("auc > 0.7", [4]),
        ("auc<0.7", [1]),
        ("auc <= 0.7", [3, 1]),
        ("auc=0.7", [3]),
        ("auc == 0.7", [3]),
        ("loss>-1e3", [2]),
        ("f1>0", []),
    ],
)
def test_a_metric_is_asked_for_by_what_it_is(asked: str, found: list[int]) -> None:
    log = made(0)
    for run, values in enumerate(({"auc": 0.6}, {"loss": 2.0}, {"auc": 0.7}, {"auc": 0.8}), 1):
        reported(log, run, **values)
    assert [line.run for line in runs(log, Question(metric=asked), limit=9).lines] == found


@pytest.mark.parametrize("asked", ["auc", "auc>", ">0.7", "auc>high", "auc!=1", "auc>1>2"])
def test_a_condition_that_says_nothing_is_refused(asked: str) -> None:
    with pytest.raises(UsageMistaken, match="says nothing of a metric"):
        runs(made(1), Question(metric=asked), limit=9)


def test_a_rare_metric_is_looked_for_a_page_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_list, "MOST_READ", 10)
    log = made(0)
    reported(log, 1, auc=0.9)
    for run in range(2, 25):
        reported(log, run, auc=0.5)
    pages: list[list[int]] = []
    before = 0
    while not pages or before:
        page = runs(log, Question(metric="auc>0.8", before=before), limit=3)
        pages.append([line.run for line in page.lines])
        before = page.before
    assert pages == [[], [], [1]]


def test_numbers_are_those_of_the_last_steps() -> None:
    log = made(0)
    metrics = tuple(f.Metric(name=name, value=1.0) for name in ("a", "b"))
    late = (f.Metric(name="auc", value=0.8), f.Metric(name="b", value=2.0))
    log.append(
        "run/1",
        [
            started(1),
            f.StepFinished(step="x", outcome="passed", exit_code=0, seconds=1.0, metrics=metrics),
            f.StepFinished(step="y", outcome="passed", exit_code=0, seconds=1.0, metrics=late),
        ],
        expect=0,
        at=1.0,
    )
    assert metrics_of(log, [RunId(1)], 2) == {RunId(1): {"b": 2.0, "auc": 0.8}}
