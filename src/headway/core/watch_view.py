"""A monitor as a person looks at it: how it stands, what it measured window by window, what lies behind an alarm.

Folded by `core/watch`; here it is put into lines of numbers that can be drawn. `terminal/monitors` draws them in
letters, `codec/monitor_svg` as a picture.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from headway.core import facts as f
from headway.core.facts import Cause, Reading
from headway.core.monitor_grammar import YEAR_S
from headway.core.watch import Alarm, Watch
from headway.core.watch_causes import causes
from headway.core.watch_detail import Detail, Proven, Skewed
from headway.core.watch_marks import Mark, marks
from headway.core.watch_quality import amount
from headway.core.watch_words import name

MOST_COLUMNS = 4
"""So many columns that go in are drawn: those that moved most in the newest window."""

USUAL_TIMES = 100.0
"""What is usual up to so many times what is usual in the middle is not known yet: there were few windows."""


class Point(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A number of a window, None where it has none; `low` and `high` bound it, `is_beyond`: it counted for an alarm."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    usual_low: float | None = None
    usual_high: float | None = None
    is_beyond: bool = False


class Series(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One number over all windows that are shown, oldest first; `told` is the newest in words."""

    name: str
    points: tuple[Point, ...]
    told: str = ""

    @property
    def is_beyond(self) -> bool:
        """Whether its newest number counts for an alarm."""
        return bool(self.points) and self.points[-1].is_beyond


class Budget(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How often a monitor may alarm for nothing a year, how often it alarmed in twelve months, what a trial showed."""

    allowed_per_year: float
    raised: int
    back_test: f.BackTest | None = None


class MonitorView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A monitor as it stands `at` a time. `began` is None before it watched anything.

    `windows` are those that the series show; `detail` and `proven` are the newest ones, as far as the store has them.
    """

    monitor: str
    at: float
    began: f.MonitorBegan | None = None
    n_windows: int = 0
    windows: tuple[f.WindowClosed, ...] = ()
    series: tuple[Series, ...] = ()
    open: tuple[Alarm, ...] = ()
    past: tuple[Alarm, ...] = ()
    causes: tuple[Cause, ...] = ()
    budget: Budget | None = None
    detail: Detail | None = None
    proven: Proven | None = None
    skew: Skewed | None = None
    notes: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()


class Newest(Struct, frozen=True, kw_only=True):
    """What the newest blobs say that tell of a window, of its labels, and of features that were made anew.

    `releases` are the facts of the endpoint.
    """

    detail: Detail | None = None
    proven: Proven | None = None
    skew: Skewed | None = None
    releases: tuple[f.Entry, ...] = ()


def view_of(name_: str, watch: Watch, told: Newest, *, now: float, most: int) -> MonitorView:
    """A monitor of which the newest `most` windows are shown."""
    began = watch.began
    if began is None:
        return MonitorView(monitor=name_, at=now)
    windows = tuple(watch.windows[-most:])
    late = windows[-1].n_unjudged if windows else 0
    return MonitorView(
        monitor=name_,
        at=now,
        began=began,
        n_windows=watch.n_windows,
        windows=windows,
        series=tuple(_series(windows, watch.quality, began.metric)),
        open=tuple(watch.open_alarms),
        past=tuple(alarm for alarm in watch.alarms if not alarm.is_open),
        causes=() if told.detail is None else causes(told.detail),
        budget=Budget(
            allowed_per_year=began.false_alarms_per_year,
            raised=watch.raised_since(now - YEAR_S),
            back_test=began.back_test,
        ),
        detail=told.detail,
        proven=told.proven,
        skew=told.skew,
        notes=(
            *(() if told.detail is None else told.detail.notes),
            *([f"{late:,} rows came after their window was judged"] if late else []),
        ),
        marks=marks(windows, watch.alarms, told.releases),
    )


def _series(windows: Sequence[f.WindowClosed], quality: Mapping[int, f.QualitySeen], metric: str) -> list[Series]:
    """What is drawn, in the order of how soon it is understood; what has no number in any window is left out."""
    inputs = _columns(windows)
    wanted = [("requests", "an hour"), ("errors", "share"), ("latency", "p95 ms")]
    wanted += [(of, "psi") for of in inputs]
    found = [_of_readings(windows, of, measure) for of, measure in wanted]
    guessed = [
        reading.measure
        for one in windows
        for reading in one.readings
        if reading.about == "estimate" and not reading.slice
    ]
    found += [_estimated(windows, one) for one in dict.fromkeys(guessed)]
    found.append(_proven(windows, quality, metric))
    found.append(_skewed(windows))
    return [one for one in found if any(point.value is not None for point in one.points)]


def _columns(windows: Sequence[f.WindowClosed]) -> list[str]:
    """The outputs, and the columns that moved most in the newest window that has any; others are not drawn."""
    told: list[str] = []
    for one in reversed(windows):
        told = [reading.of for reading in one.readings if reading.measure == "psi" and not reading.slice]
        if told:
            break
    outputs = [of for of in told if name(of) != of]
    return [*outputs, *[of for of in told if of not in outputs][:MOST_COLUMNS]]


def _of_readings(windows: Sequence[f.WindowClosed], of: str, measure: str) -> Series:
    found = [_reading(one, of, measure) for one in windows]
    newest = next((one for one in reversed(found) if one is not None), None)
    titles = {"an hour": "requests an hour", "share": "errors", "p95 ms": "latency, p95"}
    return Series(
        name=titles.get(measure, f"{name(of)}, PSI"),
        points=tuple(map(_point, found)),
        told="" if newest is None else _told(newest),
    )


def _reading(window: f.WindowClosed, of: str, measure: str) -> Reading | None:
    return next((one for one in window.readings if not one.slice and (one.of, one.measure) == (of, measure)), None)


def _point(reading: Reading | None) -> Point:
    if reading is None:
        return Point()
    usual_low, usual_high = _usual(reading)
    return Point(
        value=reading.value,
        low=reading.low,
        high=reading.high,
        usual_low=usual_low,
        usual_high=usual_high,
        is_beyond=reading.is_beyond,
    )


def _usual(reading: Reading) -> tuple[float | None, float | None]:
    """From where to where it usually is; by few windows, of which almost everything is usual, that is not said."""
    high = reading.usual_high
    if high is None or (reading.was is not None and high > USUAL_TIMES * max(reading.was, reading.value)):
        return None, None
    return reading.usual_low, high


def _told(reading: Reading) -> str:
    """The newest number, with what is usual."""
    scale, unit, digits = {"share": (100.0, " %", 2), "p95 ms": (1.0, " ms", 3)}.get(reading.measure, (1.0, "", 3))
    told = f"{scale * reading.value:.{digits}g}{unit}"
    low, high = _usual(reading)
    if high is None:
        return told
    if low is None or reading.measure == "share":
        return f"{told}, usually up to {scale * high:.{digits}g}{unit if unit == ' %' else ''}"
    return f"{told}, usually {scale * low:.{digits}g} to {scale * high:.{digits}g}"


def _estimated(windows: Sequence[f.WindowClosed], metric: str) -> Series:
    found = [_reading(one, "quality", metric) for one in windows]
    newest = next((one for one in reversed(found) if one is not None), None)
    told = ""
    if newest is not None:
        was = "" if newest.was is None else f", was {amount(metric, newest.was)}"
        told = f"{_between(metric, newest.value, newest.low, newest.high)}{was}"
    return Series(name=f"estimated {metric}", points=tuple(map(_point, found)), told=told)


def _proven(windows: Sequence[f.WindowClosed], quality: Mapping[int, f.QualitySeen], metric: str) -> Series:
    found = [quality.get(one.number) for one in windows]
    newest = next((one for one in reversed(found) if one is not None), None)
    told = ""
    if newest is not None:
        promised = "" if newest.expected is None else f", {amount(metric, newest.expected)} was promised"
        told = f"{_between(metric, newest.value, newest.low, newest.high)}{promised}"
    points = [
        Point() if one is None else Point(value=one.value, low=one.low, high=one.high, is_beyond=one.is_beyond)
        for one in found
    ]
    return Series(name=f"{metric} by labels", points=tuple(points), told=told)


def _skewed(windows: Sequence[f.WindowClosed]) -> Series:
    """The share of rows that differ from what is made anew, of the column that differs most."""
    found = [_worst(one) for one in windows]
    newest = next((one for one in reversed(found) if one is not None), None)
    told = "" if newest is None else f"{100 * newest.value:.3g} % of {name(newest.of)}"
    if newest is not None and newest.low is not None and newest.high is not None:
        told += f" ({100 * newest.low:.3g} to {100 * newest.high:.3g})"
    return Series(name="served otherwise", points=tuple(map(_point, found)), told=told)


def _worst(window: f.WindowClosed) -> Reading | None:
    return max((one for one in window.readings if one.about == "skew"), key=lambda one: one.value, default=None)


def _between(metric: str, value: float, low: float | None, high: float | None) -> str:
    beside = [one for one in (value, low, high) if one is not None]
    if low is None or high is None:
        return amount(metric, value, beside)
    return f"{amount(metric, value, beside)} ({amount(metric, low, beside)} to {amount(metric, high, beside)})"
