"""The vocabulary of metrics: which names a check can use, what values each can take and in what words it is told.

How each is measured stands in `stats/metrics`, and a test keeps the two in step.
"""

import math

from msgspec import Struct


class MetricWords(Struct, frozen=True, kw_only=True):
    """How a metric is told: values run from `lowest` to `highest`, shown in `percent` or plain; `rows` are its rows."""

    lowest: float = 0.0
    highest: float = 1.0
    percent: bool = False
    rows: str = "rows"


WORDS: dict[str, MetricWords] = {
    "accuracy": MetricWords(percent=True),
    "recall": MetricWords(percent=True, rows="positive rows"),
    "specificity": MetricWords(percent=True, rows="negative rows"),
    "precision": MetricWords(percent=True),
    "f1": MetricWords(),
    "auc": MetricWords(),
    "log_loss": MetricWords(highest=math.inf),
    "brier": MetricWords(),
    "mae": MetricWords(highest=math.inf),
    "mse": MetricWords(highest=math.inf),
}
"""The metrics a check can name; how each is measured stands in `stats/metrics`, and a test keeps the two in step."""


def words_of(name: str) -> MetricWords:
    """How a metric is told; one of the user's own has no bounds."""
    return WORDS.get(name) or MetricWords(lowest=-math.inf, highest=math.inf)
