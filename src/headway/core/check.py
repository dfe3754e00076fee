"""A gate's check and the evidence for it, as values: `new.recall >= 0.7`, `new.auc - old.auc > -0.01 for each region`.

`core/check_grammar` reads checks, `stats/metrics` measures, `core/gate` judges.
"""

import math
from typing import Literal

from msgspec import Struct

from headway.core.metric import MetricWords, words_of

Op = Literal[">=", ">", "<=", "<", "within"]

Form = Literal["value", "difference", "ratio", "disagreement", "gap", "gap-ratio"]
"""`new.M`; `new.M - old.M`; `new.M / old.M`; `disagreement(new, old)`; the largest value of a group less the smallest;
the smallest over the largest."""

_TIMED = MetricWords(highest=math.inf, rows="timed rows")

COSTS: dict[str, MetricWords] = {
    "latency_mean_ms": _TIMED,
    "latency_p50_ms": _TIMED,
    "latency_p90_ms": _TIMED,
    "latency_p95_ms": _TIMED,
    "latency_p99_ms": _TIMED,
    "size_mb": MetricWords(highest=math.inf, rows=""),
}
"""What serving costs: measured on the model, not on its answers. A size (1 MB = 1,000,000 bytes) is no sample."""

_SHARE_OF_ROWS = MetricWords(percent=True)


class Check(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One condition: what its `form` says of the `metric`, against a `limit`.

    `within` asks for at most `tolerance` to either side of the limit; with another `op` the tolerance is how exactly
    the value is to be known, which `headway gate plan` needs and a verdict does not. `each` names the columns whose
    values make slices that are judged each, `by` the column whose groups a gap is between.
    """

    text: str
    metric: str
    op: Op
    limit: float
    form: Form = "value"
    tolerance: float = 0.0
    each: tuple[str, ...] = ()
    by: str = ""

    @property
    def words(self) -> MetricWords:
        """How this check's metric is told."""
        if self.form == "disagreement":
            return _SHARE_OF_ROWS
        return COSTS.get(self.metric) or words_of(self.metric)

    @property
    def compares(self) -> bool:
        """Whether it needs the old model."""
        return self.form in {"difference", "ratio", "disagreement"}

    @property
    def costs(self) -> bool:
        """Whether it is about latency or size, for which the answers say nothing."""
        return self.metric in COSTS

    @property
    def wants_more(self) -> bool:
        """Whether the good side is the upper one."""
        return self.op in {">=", ">"}

    @property
    def edges(self) -> tuple[float, ...]:
        """Where good turns to bad: the limit, or both ends of what `within` allows."""
        if self.op != "within":
            return (self.limit,)
        return (self.limit - self.tolerance, self.limit + self.tolerance)


class Evidence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was measured for one check.

    `estimate` is what the check's form speaks of: the metric of the new model, its difference from the old one's, new
    over old, the share of rows with different answers, the gap between groups, or the smallest group over the largest.
    A ratio is decided without a division, by new - r * old against 0 at each edge r of the check; its bounds are told
    in the ratio's own numbers, r + bound / old, which lie on the same side of r.
    `low` and `high` bound the estimate, each missed with probability 1 - `confidence` at most; None: nothing bounds it
    there. What was no sample, as a size, has both equal to the estimate. `n_rows` count for this metric, on `n_differ`
    of them the models differ. `spread` is the standard deviation of one row's part in the estimate. `approximate`
    methods keep the confidence only about, the better the more rows there are. `groups` are the values
    that a gap is between, by the group's name.
    """

    metric: str
    estimate: float
    low: float | None
    high: float | None
    n_rows: int
    method: str
    confidence: float
    new: float | None = None
    old: float | None = None
    n_differ: int | None = None
    spread: float | None = None
    approximate: bool = False
    groups: tuple[tuple[str, float], ...] = ()
