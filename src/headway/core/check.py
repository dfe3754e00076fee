"""A gate's check and the evidence for it, as values: `new.recall >= 0.7`, `new.auc - old.auc > -0.01 for each region`.

`core/check_grammar` reads checks, `stats/metrics` measures, `core/gate` judges.
"""

from typing import Literal

from msgspec import Struct

from headway.core.metric import MetricWords, words_of

Op = Literal[">=", ">", "<=", "<", "within"]

Form = Literal["value", "difference", "ratio", "disagreement", "gap", "gap-ratio"]
"""`new.M`; `new.M - old.M`; `new.M / old.M`; `disagreement(new, old)`; difference and ratio of groups' metrics."""


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
        return words_of(self.metric)

    @property
    def compares(self) -> bool:
        """Whether it needs the old model."""
        return self.form in {"difference", "ratio", "disagreement"}

    @property
    def wants_more(self) -> bool:
        """Whether the good side is the upper one."""
        return self.op in {">=", ">"}


class Evidence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was measured for one check.

    `estimate` is the metric of the new model, or its difference from the old one's; `low` and `high` bound it, each
    missed with probability 1 - `confidence` at most; None: nothing bounds it there. `n_rows` count for this metric, on
    `n_differ` of them the models differ. `spread` is the standard deviation of one row's part in the estimate.
    `approximate` methods keep the confidence only about, the better the more rows there are.
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
