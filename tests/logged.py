"""Lines and labels of a prediction log as tests write them, and sums of windows."""

from collections.abc import Sequence
from typing import Any

from headway.core.prediction_log import LabelLine, Line
from headway.core.rollout_window import Compared, Counts, Slice, Window
from headway.core.strategy import Strategy
from headway.core.strategy_grammar import read_strategy

OLD, NEW = 3, 4
START = 1_763_980_000.0
CANARY = {"canary": "10% for 12000 requests"}
SHADOW = {"shadow": "100% for 2000 requests"}


def strategy(*stages: dict[str, str], **values: object) -> Strategy:
    read = read_strategy({"strategy": [*stages, "promote", {"bake": "14d"}], "rollback": ["errors"], **values})
    assert read.strategy is not None, read.problems
    return read.strategy


def line(request_id: str, version: int = OLD, answer: Any = 0, **more: Any) -> Line:
    """A request of one row; `row` is it, `after` how many seconds after the start it was answered."""
    rows, answers = more.pop("rows", [more.pop("row", {})]), more.pop("answers", [answer])
    is_failed = more.get("status", 200) != 200
    return Line(
        request_id=request_id,
        at=START + more.pop("after", 1.0),
        ms=more.pop("ms", 5.0),
        model="churn",
        version=version,
        rows=rows,
        predictions=[] if is_failed else answers,
        **more,
    )


def copy(request_id: str, answer: Any = 0, **more: Any) -> Line:
    return line(request_id, NEW, answer, is_shadow=True, **more)


def label(request_id: str, truth: Any, row: int = 0, after: float = 10.0) -> LabelLine:
    return LabelLine(request_id=request_id, row=row, label=truth, at=START, received_at=START + after)


def total(windows: Sequence[Window], place: Slice = (), stage: int | None = None) -> Window:
    """All windows of a slice in one."""
    found = [w for w in windows if w.slice == place and stage in (None, w.stage)]
    return Window(
        new=_sum([w.new for w in found]),
        old=_sum([w.old for w in found]),
        compared=_sum_pairs([w.compared for w in found]),
        slice=place,
    )


def _sum(counts: Sequence[Counts]) -> Counts:
    n_bins = max((len(c.bins) for c in counts), default=0)
    return Counts(
        requests=sum(c.requests for c in counts),
        failed=sum(c.failed for c in counts),
        slow=sum(c.slow for c in counts),
        labelled=round(sum(c.labelled for c in counts), 9),
        wrong=round(sum(c.wrong for c in counts), 9),
        bins=tuple(round(sum(c.bins[i] for c in counts if c.bins), 9) for i in range(n_bins)),
    )


def _sum_pairs(pairs: Sequence[Compared]) -> Compared:
    names = ("answered", "differ", "labelled", "only_new", "only_old", "neither")
    return Compared(**{name: round(sum(getattr(p, name) for p in pairs), 9) for name in names})
