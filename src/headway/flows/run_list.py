"""The runs as people look through them: newest first, those that answer to a question, a page at a time.

One pass over the log from its end, which stops when the page is full: the newest of a hundred thousand runs cost no
more than those of a hundred. Neighbour: `flows/history` has one run whole. Reads; records nothing.
"""

import operator
import re
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from headway.core import facts as f
from headway.core.ids import RunId
from headway.errors import UsageMistaken
from headway.ports import Log

MOST = 200
"""Runs of a page at most."""

MOST_READ = 2_000
"""Runs whose steps are read for one page, where a metric is asked for: after so many the page ends as it is."""

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "=": operator.eq,
}  # fmt: skip

_CONDITION = re.compile(
    r"\s*(?P<name>[^<>=!]+?)\s*(?P<op>>=|<=|==?|>|<)\s*(?P<value>[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?)\s*",
    re.ASCII | re.IGNORECASE,
)


class RunLine(Struct, frozen=True, kw_only=True):
    """One run in a list."""

    run: RunId
    name: str
    at: float
    outcome: str
    seconds: float
    commit: str | None
    trigger: str
    why: str = ""


class Question(Struct, frozen=True, kw_only=True):
    """Which runs are wanted: what is empty is not asked. `param` is NAME=VALUE; `before` a run's number, 0 for none.

    `metric` is a name, a comparison (>, >=, <, <=, =) and a number; runs that did not report it do not answer to it.
    """

    outcome: str = ""
    name: str = ""
    commit: str = ""
    trigger: str = ""
    param: str = ""
    metric: str = ""
    before: int = 0


class Found(Struct, frozen=True, kw_only=True):
    """A page of runs; `before` is what to ask for to look further back, 0 where nothing is left."""

    lines: tuple[RunLine, ...]
    before: int = 0


class _Condition(Struct, frozen=True):
    """What a metric must be."""

    name: str
    holds: Callable[[float, float], bool]
    value: float


def runs(log: Log, question: Question, *, limit: int) -> Found:
    """The newest runs that answer to the question, newest first, `limit` of them at most.

    Raises UsageMistaken for a metric's condition that cannot be read.
    """
    wanted = _condition(question.metric)
    lines: list[RunLine] = []
    before, n_read = 0, 0
    for line in _found(log, question):
        if len(lines) == limit or n_read == MOST_READ:
            return Found(lines=tuple(lines), before=before)
        before = line.run
        if wanted is not None:
            n_read += 1
            value = _metrics(log, line.run).get(wanted.name)
            if value is None or not wanted.holds(value, wanted.value):
                continue
        lines.append(line)
    return Found(lines=tuple(lines))


def _condition(text: str) -> _Condition | None:
    if not text:
        return None
    found = _CONDITION.fullmatch(text)
    if found is None:
        remedy = "write a name, a comparison and a number, as in auc>=0.7"
        raise UsageMistaken(f"{text!r} says nothing of a metric", at="metric", remedy=remedy)
    return _Condition(found["name"], _COMPARE[found["op"].replace("==", "=")], float(found["value"]))


def _found(log: Log, question: Question) -> Iterator[RunLine]:
    # From the end, so that how a run ended is met before that it began.
    ends: dict[str, f.RunFinished | None] = {}
    for entry in log.scan(("RunStarted", "RunFinished", "RunResumed"), newest_first=True):
        fact = entry.fact
        if isinstance(fact, f.RunFinished):
            ends.setdefault(entry.stream, fact)
        elif isinstance(fact, f.RunResumed):
            ends.setdefault(entry.stream, None)
        elif isinstance(fact, f.RunStarted):
            line = _line(fact, entry.at, ends.pop(entry.stream, None))
            if _answers(line, fact, question):
                yield line


def _line(started: f.RunStarted, at: float, end: f.RunFinished | None) -> RunLine:
    return RunLine(
        run=started.run,
        name=started.name,
        at=at,
        outcome=end.outcome if end else "running",
        seconds=end.seconds if end else 0.0,
        commit=started.source.commit,
        trigger=started.trigger,
        why=end.why if end else "",
    )


def _answers(line: RunLine, started: f.RunStarted, question: Question) -> bool:
    if question.before and line.run >= question.before:
        return False
    name, _, value = question.param.partition("=")
    return (
        question.outcome in ("", line.outcome)
        and question.name in ("", line.name)
        and (line.commit or "").startswith(question.commit)
        and question.trigger in line.trigger
        and (not question.param or str(started.params.get(name, "")) == value)
    )


def metrics_of(log: Log, wanted: Iterable[RunId], most: int) -> dict[RunId, dict[str, float]]:
    """A few numbers of each of these runs: those that its last steps reported."""
    return {run: dict(list(_metrics(log, run).items())[-most:]) for run in wanted}


def _metrics(log: Log, run: RunId) -> dict[str, float]:
    """What the steps of a run reported, the last of each name."""
    numbers: dict[str, float] = {}
    for entry in log.read(f"run/{run}"):
        if isinstance(entry.fact, f.StepFinished | f.StepReused):
            numbers.update({metric.name: metric.value for metric in entry.fact.metrics})
    return numbers
