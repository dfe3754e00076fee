"""Monitors for people: alarms first, then what was measured window by window as small charts, drawn in letters.

Decides nothing. Fits the width it is given, in Unicode or ASCII; words tell all, colours only add to them. Neighbour:
`core/watch_view` says what is drawn.
"""

from collections.abc import Sequence

from headway.core.telling import percent
from headway.core.watch import Alarm
from headway.core.watch_detail import headline as of_slices
from headway.core.watch_quality import is_less_better
from headway.core.watch_view import MonitorView, Point, Series
from headway.core.watch_words import cause, day, name
from headway.core.watch_words import one as in_words
from headway.terminal.paint import Paint
from headway.terminal.rollouts import wrapped
from headway.terminal.tail import clean
from headway.terminal.width import cells, cut, padded
from headway.terminal.words import ago, table

_STEPS = "▁▂▃▄▅▆▇█"
_PLAIN = "_.-=+*#@"
"""Heights of a chart, low to high."""

_NAME = 30
_WIDEST = 60
"""A chart has so many columns at most: one for a window."""

_MOST_CAUSES = 3

COMMANDS = {"look": "headway monitor {monitor}", "retrain": "headway run", "roll back": "headway rollback {endpoint}"}
"""What to type, by what an alarm says."""

Lines = list[tuple[str, str]]
"""Each line as plain text and with its colours."""


def status(view: MonitorView, *, columns: int, paint: Paint) -> Lines:
    """How a monitor stands."""
    if view.began is None:
        return _alike(
            [f"{view.monitor}: it did not watch anything yet; headway monitor {view.monitor} --look"], columns
        )
    lines = [(line, paint(line, "bold")) for line in wrapped([headline(view)], columns)]
    for alarm in view.open:
        lines += _alarm(alarm, columns, paint)
    if not view.open:
        lines += _alike(["  no alarm is open"], columns)
    lines += charts(view.series, columns=columns, paint=paint)
    lines += _alike([f"  {line}" for line in _below(view)], columns)
    return lines


def headline(view: MonitorView) -> str:
    """What is watched, how, and up to when."""
    began = view.began
    assert began is not None
    told = f"{view.monitor}: {began.model}@{began.version} on {began.endpoint}, by windows of {began.window}"
    if not view.windows:
        return f"{told}; none is over yet"
    last = view.windows[-1]
    return f"{told}; {view.n_windows:,} judged, the last one ended {day(last.until)} ({ago(view.at - last.until)})"


def _alarm(alarm: Alarm, columns: int, paint: Paint) -> Lines:
    raised = alarm.raised
    first, *others = raised.why.split("\n")
    lines = wrapped([f"  ALARM {day(alarm.at)[:10]}: {clean(first)}"], columns)
    told: Lines = [(line, paint(line, "red" if raised.says != "look" else "yellow")) for line in lines]
    causes = [cause.words for cause in raised.causes[:_MOST_CAUSES] if cause.words]
    command = COMMANDS[raised.says].format(monitor=raised.monitor, endpoint=raised.endpoint)
    do = f"{raised.says}: {command}" if raised.says != "look" else "look at what changed"
    return [*told, *_alike([f"    {clean(line)}" for line in (*causes, *others, do)], columns)]


def _below(view: MonitorView) -> list[str]:
    """Causes where no alarm tells them, the budget, and what else is to be known."""
    lines = []
    if view.causes and not any(alarm.raised.causes for alarm in view.open):
        lines += [cause.words for cause in view.causes[:_MOST_CAUSES]]
    lines += [*_weeks(view), *_slices_seen(view), *_slices(view), *_labels(view), *_skew(view)]
    budget = view.budget
    if budget is not None:
        many = "alarm" if budget.raised == 1 else "alarms"
        told = f"budget: at most {budget.allowed_per_year:.3g} false alarms a year; {budget.raised} {many} in 12 months"
        tried = budget.back_test
        if tried is not None:
            told += (
                f"; on its own reference the rule alarms in {tried.n_alarms} of {tried.n_windows} windows, "
                f"{tried.allowed:.2g} may be"
            )
        lines.append(told)
    return [*lines, *view.notes]


def _weeks(view: MonitorView) -> list[str]:
    """Whether the column that moved most is unlike the weeks before as well, or has been so for long."""
    moved = [] if view.detail is None else [one for one in view.detail.moved if "values" in one.beyond]
    known = [one for one in moved if one.since_weeks is not None]
    if not known:
        return []
    most = max(known, key=lambda one: one.psi)
    weeks = most.since_weeks or 0.0
    is_new = "which is new" if weeks > most.psi / 2 else "so it has been for a while"
    return [f"beside the four weeks before it {name(most.of)} moved by a PSI of {weeks:.2g}, {is_new}"]


def _slices_seen(view: MonitorView) -> list[str]:
    """What is not as usual in a slice of the newest window, or how many slices are as usual."""
    slices = () if view.detail is None else view.detail.slices
    if not slices:
        return []
    beyond = [in_words(reading) for reading in of_slices(slices)]
    return beyond[:_MOST_CAUSES] or [f"{len(slices)} slices were looked at, and all are as usual"]


def _slices(view: MonitorView) -> list[str]:
    """The slice that labels prove to be the worst one."""
    if view.proven is None or not view.proven.slices:
        return []
    worst = min(
        view.proven.slices,
        key=lambda one: -one.measured.value if is_less_better(one.measured.metric) else one.measured.value,
    )
    low, high = worst.measured.low, worst.measured.high
    between = "" if low is None or high is None else f" ({low:.3g} to {high:.3g})"
    told = f"{worst.column}={worst.value}: {worst.measured.metric} {worst.measured.value:.3g}{between}"
    return [f"worst of its slices is {told}, {worst.measured.n_rows:,} rows"]


def _labels(view: MonitorView) -> list[str]:
    """How the labels differ from those of the reference, where that is more than usual."""
    moved = None if view.proven is None else view.proven.label_moved
    if moved is None or moved.psi <= moved.psi_usual:
        return []
    return [cause("the truth", moved.psi, moved.where, (moved.before, moved.after), None)]


def _skew(view: MonitorView) -> list[str]:
    """What of features that were made anew differs from what was served; an alarm about it tells that itself."""
    found = view.skew
    if found is None:
        return []
    worst = found.columns[0] if found.columns else None
    if worst is None or not worst.n_differ:
        return [f"features of {found.n_rows:,} requests were made anew, and are as they were served"]
    if worst.is_beyond and any(alarm.raised.about == "skew" for alarm in view.open):
        return []
    bears = "" if worst.is_beyond else f"; {percent(found.tolerated)} may"
    return [f"{worst.words}, of {found.n_rows:,} requests{bears}"]


def charts(series: Sequence[Series], *, columns: int, paint: Paint) -> Lines:
    """A line for each number: its name, a column for each window, the newest in words."""
    wide = min(max((cells(clean(one.name)) for one in series), default=0), _NAME)
    lines: Lines = []
    for one in series:
        title = padded(cut(clean(one.name), wide, paint.ellipsis), wide)
        told = clean(one.told)
        room = min(max(columns - 2 - wide - 2 - min(cells(told) + 1, 40), 6), _WIDEST)
        chart = spark(one.points[-room:], paint)
        plain = cut(f"  {title} {chart} {told}".rstrip(), columns, paint.ellipsis)
        painted = plain.replace(chart, paint(chart, "red" if one.is_beyond else "cyan"), 1)
        lines.append((plain, painted))
    return lines


def spark(points: Sequence[Point], paint: Paint) -> str:
    """A column for each window, blank where it has no number; the scale goes from the least to the most."""
    steps = _STEPS if paint.ellipsis == "…" else _PLAIN
    there = [point.value for point in points if point.value is not None]
    if not there:
        return " " * len(points)
    low, high = min(there), max(there)
    span = high - low
    # What hardly changes is drawn flat, and not as noise that fills the height.
    flat = span <= 0.02 * max(abs(high), abs(low))
    return "".join(
        " " if point.value is None else steps[3 if flat else round((point.value - low) / span * (len(steps) - 1))]
        for point in points
    )


def listed(views: Sequence[MonitorView]) -> list[str]:
    """All monitors, a line each."""
    rows = []
    for view in views:
        began = view.began
        if began is None:
            rows.append([view.monitor, "-", "not yet", "", ""])
            continue
        alarm = "; ".join(f"{one.raised.about}: {one.raised.says}" for one in view.open) or "no alarm"
        last = f"{ago(view.at - view.windows[-1].until)}" if view.windows else "no window yet"
        rows.append([view.monitor, began.endpoint, f"{began.model}@{began.version}", alarm, last])
    return table(rows, heads=["monitor", "endpoint", "version", "alarms", "last window"])


def _alike(lines: Sequence[str], columns: int) -> Lines:
    return [(line, line) for line in wrapped(lines, columns)]
