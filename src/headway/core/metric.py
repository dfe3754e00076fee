"""The vocabulary of metrics: which names a check can use, what values each can take and in what words it is told.

A name may carry a parameter after `@`: `ndcg@10`, `coverage@0.8`. How each is measured stands in `stats/metrics`, and a
test keeps the two in step.
"""

import math
from collections.abc import Iterable

from msgspec import Struct


class MetricWords(Struct, frozen=True, kw_only=True):
    """How a metric is told: values run from `lowest` to `highest`, shown in `percent` or plain; `rows` are its rows."""

    lowest: float = 0.0
    highest: float = 1.0
    percent: bool = False
    rows: str = "rows"


class Parameter(Struct, frozen=True, kw_only=True):
    """What a metric's parameter is: a whole number from 1, or a share in (0, 1); `such_as` is one in a name."""

    words: MetricWords
    such_as: str
    whole: bool


_SHARE = MetricWords(percent=True)
_PLAIN = MetricWords()
_LOSS = MetricWords(highest=math.inf)
_ANY = MetricWords(lowest=-math.inf, highest=math.inf)
_SIGNED = MetricWords(lowest=-1.0)
_RANKED = MetricWords(rows="queries")
_SHARE_RANKED = MetricWords(percent=True, rows="queries")

WORDS: dict[str, MetricWords] = {
    "accuracy": _SHARE,
    "recall": MetricWords(percent=True, rows="positive rows"),
    "specificity": MetricWords(percent=True, rows="negative rows"),
    "precision": _SHARE,
    "f1": _PLAIN,
    "balanced_accuracy": _SHARE,
    "recall_macro": _SHARE,
    "precision_macro": _SHARE,
    "f1_macro": _PLAIN,
    "mcc": _SIGNED,
    "kappa": _SIGNED,
    "auc": _PLAIN,
    "average_precision": _PLAIN,
    "log_loss": _LOSS,
    "brier": MetricWords(highest=2.0),
    "bias": _ANY,
    "mae": _LOSS,
    "mse": _LOSS,
    "mape": _LOSS,
    "smape": MetricWords(highest=2.0),
    "calibration": _SIGNED,
    "rmse": _LOSS,
    "r2": MetricWords(lowest=-math.inf),
    "median_absolute_error": _LOSS,
    "mrr": _RANKED,
    "crps": _LOSS,
}
"""The metrics a check can name; how each is measured stands in `stats/metrics`, and a test keeps the two in step."""

PARAMETERS: dict[str, Parameter] = {
    "accuracy": Parameter(words=_SHARE, such_as="accuracy@5", whole=True),
    "ndcg": Parameter(words=_RANKED, such_as="ndcg@10", whole=True),
    "map": Parameter(words=_RANKED, such_as="map@10", whole=True),
    "hit_rate": Parameter(words=_SHARE_RANKED, such_as="hit_rate@10", whole=True),
    "precision": Parameter(words=_SHARE_RANKED, such_as="precision@10", whole=True),
    "recall": Parameter(words=_SHARE_RANKED, such_as="recall@10", whole=True),
    "pinball": Parameter(words=_LOSS, such_as="pinball@0.9", whole=False),
    "coverage": Parameter(words=_SHARE, such_as="coverage@0.8", whole=False),
}
"""The metrics that take a parameter: accuracy among the likeliest classes, rankings cut off, levels of forecasts."""


def split_name(name: str) -> tuple[str, float | None]:
    """The name before `@` and the parameter after it; None without one, NaN where it is no number that fits.

    >>> split_name("ndcg@10"), split_name("accuracy"), split_name("pinball@2")
    (('ndcg', 10.0), ('accuracy', None), ('pinball', nan))
    """
    base, at, written = name.partition("@")
    if not at:
        return base, None
    parameter = PARAMETERS.get(base)
    # Plain digits only: neither `ndcg@010` nor `pinball@1e-1`, which would be second spellings.
    digits = written.replace(".", "", 1)
    if parameter is None or not digits.isdecimal() or not digits.isascii():
        return base, math.nan
    value = float(written)
    fits = written.isdecimal() and value >= 1 and written[0] != "0" if parameter.whole else 0 < value < 1
    return base, value if fits else math.nan


def is_metric(name: str) -> bool:
    """Whether a check can name this metric; the user's own are not known here.

    >>> is_metric("auc"), is_metric("ndcg@10"), is_metric("ndcg"), is_metric("ndcg@0"), is_metric("auc@3")
    (True, True, False, False, False)
    """
    base, parameter = split_name(name)
    if parameter is None:
        return base in WORDS
    return not math.isnan(parameter)


def words_of(name: str) -> MetricWords:
    """How a metric is told; one of the user's own has no bounds.

    >>> words_of("recall").rows, words_of("recall@10").rows, words_of("profit").highest
    ('positive rows', 'queries', inf)
    """
    if not is_metric(name):
        return _ANY
    base, parameter = split_name(name)
    return WORDS[base] if parameter is None else PARAMETERS[base].words


def what_was_meant(name: str, others: Iterable[str] = ()) -> str:
    """What to write instead of a name that is no metric, `others` being names that can be used besides.

    >>> what_was_meant("recal"), what_was_meant("ndcg@ten")
    ("did you mean 'recall'?", 'write it with a whole number from 1: ndcg@10')
    """
    from difflib import get_close_matches

    spelt = name.replace("-", "_").lower()
    base = spelt.partition("@")[0]
    if base in PARAMETERS and (base not in WORDS or "@" in spelt):
        parameter = PARAMETERS[base]
        kind = "a whole number from 1" if parameter.whole else "a share of 1"
        return f"write it with {kind}: {parameter.such_as}"
    names = [*others, *WORDS, *(parameter.such_as for parameter in PARAMETERS.values())]
    # An abbreviation is a likelier slip than a typing error, and too far from the whole word to be found as one.
    close = [known for known in names if len(spelt) > 1 and known.startswith(spelt)]
    close = close or get_close_matches(spelt, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"the metrics are {', '.join(names)}"
