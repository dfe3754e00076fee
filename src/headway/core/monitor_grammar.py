"""Reads a monitor as a person writes it: windows, budget and delay as numbers. All faults are told at once.

    WINDOW       = COUNT (predictions) | TIME (whole hours)
    FALSE-ALARMS = NUMBER "per" ("day" | "week" | "month" | "quarter" | "year")

Knows no endpoint and no data: whether its columns are there is seen when the reference is made.
"""

import re
from collections.abc import Iterator, Mapping

import msgspec
from msgspec import UNSET, Struct, UnsetType

from headway.core.grammar import Labels, Monitor, Skew
from headway.core.ids import is_name
from headway.core.metric import is_metric, what_was_meant
from headway.core.problem import Path, Problem
from headway.core.units import duration_s

HOUR_S = 3600.0
DAY_S = 86400.0
YEAR_S = 365.25 * DAY_S

WINDOW_S = DAY_S
"""A window when nothing is said: a day has its rush and its night."""

FALSE_ALARMS = "2 per year"

_PER_YEAR = {"day": 365.25, "week": 365.25 / 7, "month": 12.0, "quarter": 4.0, "year": 1.0}
_BUDGET = re.compile(r"(?P<many>[0-9]{1,6}(?:\.[0-9]{1,6})?)\s*(?:per|a|an|/)\s*(?P<span>[a-z]+)")
_TIMES = "write a number of predictions (1000) or a time of whole hours (1h, 1d, 7d)"


class SkewPlan(Struct, frozen=True, kw_only=True):
    """How features are made anew: by the command `run`, of `rows` requests a day, matched by `key`.

    `columns` are compared, all there are where it is empty; `tolerate` is the share of rows that may differ.
    """

    run: str
    key: str = "request_id"
    columns: tuple[str, ...] = ()
    rows: int = 500
    tolerate: float = 0.01
    timeout_s: float = 600.0


class Plan(Struct, frozen=True, kw_only=True):
    """A monitor in numbers. A window is `window_s` seconds long or, where that is 0, has at least `window_rows` rows.

    `labels` is the path where labels arrive, empty where they are only told to the endpoint; they take `delay_s` to do
    so. `metric` is empty where the model's kind decides. `least_effect` is a share of rows, `least_loss` a part of what
    was promised.
    """

    name: str
    endpoint: str
    reference: str = "training"
    target: str = ""
    labels: str = ""
    labels_key: str = "request_id"
    delay_s: float = 0.0
    window_s: float = WINDOW_S
    window_rows: int = 0
    metric: str = ""
    slices: tuple[str, ...] = ()
    least_effect: float = 0.05
    least_loss: float = 0.02
    false_alarms_per_year: float = 2.0
    skew: SkewPlan | UnsetType = UNSET

    @property
    def window(self) -> str:
        """A window in words.

        >>> Plan(name="live", endpoint="e").window, Plan(name="live", endpoint="e", window_s=0, window_rows=1000).window
        ('1 day', '1,000 rows')
        """
        if not self.window_s:
            return f"{self.window_rows:,} rows"
        size, unit = (DAY_S, "day") if self.window_s % DAY_S == 0 else (HOUR_S, "hour")
        many = round(self.window_s / size)
        return f"{many} {unit}{'s' * (many != 1)}"


# Any or object: as YAML has it; a compiled pipeline keeps monitors as they were written.
def plan_of(name: str, written: Monitor | Mapping[str, object]) -> Plan:
    """The monitor in numbers; it was read without faults.

    >>> plan_of("live", {"endpoint": "churn", "window": "7d", "false-alarms": "1 per month"}).false_alarms_per_year
    12.0
    """
    monitor = written if isinstance(written, Monitor) else msgspec.convert(written, Monitor)
    labels = monitor.labels
    if isinstance(labels, str):
        labels = Labels(path=labels)
    window = monitor.window
    window_s = duration_s(window) if isinstance(window, str) else None
    slices = (monitor.slices,) if isinstance(monitor.slices, str) else tuple(monitor.slices)
    return Plan(
        name=name,
        endpoint=monitor.endpoint,
        reference=monitor.reference or "training",
        target=monitor.target,
        labels="" if labels is UNSET else labels.path,
        labels_key="request_id" if labels is UNSET else labels.key,
        delay_s=0.0 if labels is UNSET else duration_s(labels.delay) or 0.0,
        window_s=0.0 if isinstance(window, int) else window_s or WINDOW_S,
        window_rows=window if isinstance(window, int) else 0,
        metric=monitor.metric,
        slices=slices,
        least_effect=monitor.least_effect,
        least_loss=monitor.least_loss,
        false_alarms_per_year=per_year(monitor.false_alarms or FALSE_ALARMS) or 0.0,
        skew=UNSET if monitor.skew is UNSET else _skew(monitor.skew),
    )


def _skew(written: Skew | str) -> SkewPlan:
    skew = Skew(run=written) if isinstance(written, str) else written
    return SkewPlan(
        run=skew.run,
        key=skew.key,
        columns=(skew.columns,) if isinstance(skew.columns, str) else tuple(skew.columns),
        rows=skew.rows,
        tolerate=skew.tolerate,
        timeout_s=duration_s(skew.timeout) or 0.0,
    )


def monitor_problems(name: str, monitor: Monitor) -> Iterator[Problem]:
    """What is wrong with a monitor, as far as that can be seen without looking at anything."""
    at: Path = ("monitors", name)
    if not is_name(name):
        yield Problem(
            path=at, problem=f"`{name}` cannot name a monitor", remedy="use letters, digits, - _ and .", at_key=True
        )
    if name == "run":
        yield Problem(
            path=at, problem="`run` is a word of `headway monitor`", remedy="call the monitor otherwise", at_key=True
        )
    yield from _window(monitor.window, (*at, "window"))
    if monitor.metric and not is_metric(monitor.metric):
        remedy = what_was_meant(monitor.metric)
        yield Problem(path=(*at, "metric"), problem=f"`{monitor.metric}` is not a metric", remedy=remedy)
    if not 0 <= monitor.least_effect <= 1:
        yield Problem(
            path=(*at, "least-effect"),
            problem=f"{monitor.least_effect} is no share of the rows",
            remedy="write a number from 0 to 1",
        )
    if monitor.least_loss < 0:
        yield Problem(
            path=(*at, "least-loss"), problem=f"{monitor.least_loss} is no loss", remedy="write a number from 0"
        )
    if monitor.skew is not UNSET:
        yield from _skew_problems(monitor.skew, (*at, "skew"))
    if monitor.false_alarms and per_year(monitor.false_alarms) is None:
        yield Problem(
            path=(*at, "false-alarms"),
            problem=f"`{monitor.false_alarms}` is no number of false alarms",
            remedy="write `2 per year`, `1 per month` or `1 per week`",
        )


def per_year(text: str) -> float | None:
    """How many a year that is; None where it cannot be read, or is none: no rule raises no false alarm ever.

    >>> per_year("2 per year"), per_year("1 a month"), per_year("0 per year"), per_year("few")
    (2.0, 12.0, None, None)
    """
    found = _BUDGET.fullmatch(text.strip().lower())
    if found is None:
        return None
    many = float(found["many"]) * _PER_YEAR.get(found["span"].removesuffix("s"), 0.0)
    return many if many > 0 else None


def _skew_problems(written: Skew | str, at: Path) -> Iterator[Problem]:
    skew = Skew(run=written) if isinstance(written, str) else written
    if not skew.run.strip():
        yield Problem(path=at, problem="no command makes features anew", remedy="write `run: python features.py`")
    if skew.rows < 1:
        yield Problem(path=(*at, "rows"), problem=f"{skew.rows} requests are none", remedy="write a number from 1")
    if not 0 <= skew.tolerate < 1:
        yield Problem(
            path=(*at, "tolerate"),
            problem=f"{skew.tolerate} is no share of rows that may differ",
            remedy="write a number from 0 to less than 1",
        )
    if not duration_s(skew.timeout):
        yield Problem(path=(*at, "timeout"), problem=f"`{skew.timeout}` is no time", remedy="write `10m`")


def _window(window: object, at: Path) -> Iterator[Problem]:
    if isinstance(window, int):
        if window < 1:
            yield Problem(path=at, problem=f"a window of {window} predictions holds none", remedy=_TIMES)
    elif isinstance(window, str):
        seconds = duration_s(window)
        if seconds is None:
            yield Problem(path=at, problem=f"`{window}` is not a time", remedy=_TIMES)
        elif seconds < HOUR_S or seconds % HOUR_S:
            yield Problem(path=at, problem=f"`{window}` is not a number of whole hours", remedy=_TIMES)
