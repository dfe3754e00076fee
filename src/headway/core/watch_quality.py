"""Whether what labels prove of a window, or an estimate supposes, is a loss: evidence, and enough of it to matter.

Better is more for some metrics and less for others. What was promised is itself measured on some rows, so that its own
range counts: a loss is told only if the whole range of the window lies on the worse side of it.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from headway.core.metric import split_name, words_of
from headway.stats.detector import Detector, log_e_of_deviate, step

LESS_IS_BETTER = frozenset(
    {"brier", "crps", "log_loss", "mae", "mape", "median_absolute_error", "mse", "pinball", "rmse", "smape"}
)

WELL = 2
"""So many windows in a row are as usual before an alarm is over: one may be so by chance."""

NEITHER = frozenset({"bias", "calibration", "coverage"})
"""Of these neither more nor less is better: a monitor cannot say by them what a loss is."""


SHOWN_SD = 1.959964
"""A range of 95 % reaches so many standard errors to either side."""


class Promise(Struct, frozen=True, kw_only=True):
    """What a metric is to be, with its own range where that is known; `by` says who promised it."""

    metric: str
    value: float
    low: float | None = None
    high: float | None = None
    by: Literal["", "gate", "reference"] = "reference"


def can_be_lost(metric: str) -> bool:
    """Whether a loss of this metric has a meaning.

    >>> can_be_lost("accuracy"), can_be_lost("pinball@0.9"), can_be_lost("bias")
    (True, True, False)
    """
    return split_name(metric)[0] not in NEITHER


def is_less_better(metric: str) -> bool:
    """Whether a smaller value is the better one.

    >>> is_less_better("mae"), is_less_better("auc"), is_less_better("pinball@0.9")
    (True, False, True)
    """
    return split_name(metric)[0] in LESS_IS_BETTER


def loss(metric: str, value: float, promised: float) -> float:
    """By how much it is worse than promised: more than 0 is worse.

    >>> round(loss("accuracy", 0.8, 0.84), 6), round(loss("mae", 2.5, 2.0), 6)
    (0.04, 0.5)
    """
    return value - promised if is_less_better(metric) else promised - value


def matters(promise: Promise, value: float, *, least_loss: float) -> bool:
    """Whether a value is worse than promised, by `least_loss` of it at least: else nothing is lost, whatever is proven.

    >>> promise = Promise(metric="accuracy", value=0.762)
    >>> [matters(promise, value, least_loss=0.02) for value in (0.825, 0.755, 0.74)]
    [False, False, True]
    """
    lost = loss(promise.metric, value, promise.value)
    return lost > 0 and lost >= least_loss * abs(promise.value)


def is_lost(promise: Promise, value: float, low: float | None, high: float | None, *, least_loss: float) -> bool:
    """Whether it is a loss: `value` is worse by `least_loss` of what was promised, and its whole range is worse.

    `low` and `high` are bounds at the level that the window may spend; without the one that counts nothing is told.

    >>> is_lost(Promise(metric="accuracy", value=0.84), 0.78, 0.75, 0.81, least_loss=0.02)
    True
    >>> is_lost(Promise(metric="accuracy", value=0.84, low=0.80, high=0.88), 0.78, 0.75, 0.81, least_loss=0.02)
    False
    """
    if not matters(promise, value, least_loss=least_loss):
        return False
    if is_less_better(promise.metric):
        limit = promise.value if promise.high is None else promise.high
        return low is not None and low > limit
    limit = promise.value if promise.low is None else promise.low
    return high is not None and high < limit


def deviate(promise: Promise, value: float, low: float, high: float, *, least_loss: float) -> float:
    """How many standard errors a value lies beyond what can be borne: what was promised, at the worst, less the loss.

    `low` to `high` is its range of 95 %; one without width tells nothing.

    >>> round(deviate(Promise(metric="accuracy", value=0.84, low=0.82, high=0.86), 0.78, 0.76, 0.80, least_loss=0.0), 2)
    3.92
    """
    error = (high - low) / (2 * SHOWN_SD)
    if error <= 0:
        return 0.0
    end = promise.high if is_less_better(promise.metric) else promise.low
    borne = promise.value if end is None else end
    return (loss(promise.metric, value, borne) - least_loss * abs(promise.value)) / error


def adds_up(
    promise: Promise, seen: Sequence[tuple[float, float, float]], *, least_loss: float, windows_per_alarm: float
) -> bool:
    """Whether windows prove a loss together of which the newest is one: `seen` has (value, low, high), oldest first.

    The ranges are those of 95 %. Without a loss it takes `windows_per_alarm` (> 1) windows on average until it says so.
    A window that lost nothing is no loss, whatever was before it; and after `WELL` of those in a row what was told
    before is not told again: it begins anew, by which there is only less evidence.

    >>> promise, bad, good = Promise(metric="accuracy", value=0.84), (0.78, 0.75, 0.81), (0.85, 0.82, 0.88)
    >>> asked = {"least_loss": 0.02, "windows_per_alarm": 365.0}
    >>> long = [bad] * 9
    >>> [adds_up(promise, seen, **asked) for seen in ([bad], [bad] * 3, [*long, good], [*long, good, good, bad])]
    [False, True, False, False]
    """
    found, is_told, n_well = Detector(), False, 0
    for value, low, high in seen:
        found = step(found, log_e_of_deviate(deviate(promise, value, low, high, least_loss=least_loss)))
        is_told = is_told or found.is_alarm(windows_per_alarm)
        n_well = 0 if matters(promise, value, least_loss=least_loss) else n_well + 1
        if is_told and n_well >= WELL:
            found, is_told = Detector(), False
    return n_well == 0 and found.is_alarm(windows_per_alarm)


def pooled(proven: Sequence[tuple[float, int]]) -> float:
    """The value of several windows together, by their rows: (value, rows) of each.

    >>> pooled([(0.8, 100), (0.9, 300)])
    0.875
    """
    return sum(value * n for value, n in proven) / sum(n for _, n in proven)


def amount(metric: str, value: float, beside: Sequence[float] = ()) -> str:
    """A metric as people read it: shares in percent with one digit, others with three; no unit.

    >>> amount("accuracy", 0.8131), amount("mae", 1234.5678), amount("auc", 0.7351), amount("mae", 0.01234)
    ('81.3', '1,235', '0.735', '0.0123')
    """
    words = words_of(metric)
    if words.percent:
        return f"{100 * value:.1f}"
    if words.highest <= 2:
        return f"{value:.3f}"
    most = max([abs(value), *map(abs, beside)])
    return f"{value:,.0f}" if most >= 1000 else f"{value:.3g}"
