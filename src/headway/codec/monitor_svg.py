"""Draws what a monitor measured window by window as SVG: a small chart for each number, one below the other.

Made on the server, without a library; light and dark. Windows that counted for an alarm are marked by a ring and not
by colour alone, releases and alarms by numbered lines through all charts; the title and the description say in words
how it stands. Neighbours: `core/watch_view` says what is drawn, `page` has the letters.
"""

from collections.abc import Iterator, Sequence

from headway.codec.page import text
from headway.core.watch_view import MonitorView, Point, Series
from headway.core.watch_words import day

WIDTH = 880
_LEFT, _RIGHT, _TOP, _TALL, _GAP = 220, 230, 76, 44, 18
_LISTED = 18

STYLE = """
.m { --ink: #1c2024; --soft: #60646c; --line: #d9dce1; --paper: #fcfcfd; --bad: #b3261e; --mark: #3e63dd;
  --band: #e4e9fb; }
@media screen and (prefers-color-scheme: dark) {
.m { --ink: #edeef0; --soft: #a4a9b1; --line: #363a40; --paper: #111214; --bad: #ff8a80; --mark: #7c9bff;
  --band: #1d2a52; } }
.m text { font: 12px system-ui, sans-serif; fill: var(--ink); }
.m text.s { fill: var(--soft); font-size: 11px; } .m text.h { font-weight: 600; font-size: 14px; }
.m text.bad { fill: var(--bad); }
.m rect.paper { fill: var(--paper); } .m path { fill: none; stroke: var(--mark); stroke-width: 2; }
.m path.band { fill: var(--band); stroke: none; }
.m line { stroke: var(--line); } .m circle { fill: none; stroke: var(--bad); stroke-width: 2; }
.m line.mark { stroke: var(--soft); stroke-dasharray: 4 3; }
.m line.alarm { stroke: var(--bad); stroke-dasharray: none; }
.m .tag { fill: var(--paper); stroke: var(--soft); stroke-width: 1; } .m .tag.alarm { stroke: var(--bad); }
"""


def drawn(view: MonitorView) -> str:
    """The whole picture as one file."""
    title, said = _title(view), _said(view)
    foot = _TOP + len(view.series) * (_TALL + _GAP) + 28
    height = foot + _LISTED * len(view.marks) + (10 if view.marks else 0)
    body = "".join(part for i, series in enumerate(view.series) for part in _chart(series, _TOP + i * (_TALL + _GAP)))
    told = " ".join(f"{series.name}: {series.told}." for series in view.series if series.told)
    told += "".join(f" {day(one.at)[:10]}, {one.kind}: {one.words}." for one in view.marks)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="m" role="img" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" aria-labelledby="m-title m-desc"><title id="m-title">{text(title)}</title>'
        f'<desc id="m-desc">{text(said)} {text(told)}</desc><style>{STYLE}</style>'
        f'<rect class="paper" width="{WIDTH}" height="{height}"/>'
        f'<text class="h" x="12" y="24">{text(_cut(title, 110))}</text>'
        f'<text class="{"bad" if view.open else "s"}" x="12" y="44">{text(_cut(said, 130))}</text>'
        f"{''.join(_marks(view, foot))}{body}"
        f"{_days(view, foot)}</svg>\n"
    )


def _marks(view: MonitorView, foot: float) -> Iterator[str]:
    """Lines through all charts with a number at the head, and what each number means below the charts."""
    n_at: dict[int, int] = {}
    for i, one in enumerate(view.marks):
        # What fell into one window stands side by side.
        beside = n_at[one.place] = n_at.get(one.place, -1) + 1
        x = min(_x(one.place, len(view.windows)) + 16 * beside, WIDTH - _RIGHT)
        kind = "mark alarm" if one.kind == "alarm" else "mark"
        tag = "tag alarm" if one.kind == "alarm" else "tag"
        y = foot + 4 + _LISTED * i
        yield f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 4}" y2="{foot - 28}"/>'
        for left, top in ((x - 7, _TOP - 18.0), (_LEFT - 20, y - 11)):
            yield f'<rect class="{tag}" x="{left:.1f}" y="{top:.1f}" width="14" height="14" rx="3"/>'
            yield f'<text class="s" x="{left + 7:.1f}" y="{top + 11:.1f}" text-anchor="middle">{i + 1}</text>'
        words = f"{day(one.at)} {one.kind}: {one.words}" + (f" ({one.why})" if one.why else "")
        side = "bad" if one.kind == "alarm" else "s"
        yield f'<text class="{side}" x="{_LEFT}" y="{y}">{text(_cut(words, 100))}</text>'


def _title(view: MonitorView) -> str:
    began = view.began
    if began is None:
        return f"{view.monitor}: nothing was watched yet"
    return f"{view.monitor}: {began.model}@{began.version} on {began.endpoint}, windows of {began.window}"


def _said(view: MonitorView) -> str:
    if not view.open:
        return "No alarm is open."
    return " ".join(f"ALARM {day(one.at)[:10]}: {one.raised.why.split(chr(10))[0]}" for one in view.open)


def _chart(series: Series, top: float) -> Iterator[str]:
    """A chart: its name to the left, its newest number to the right."""
    bad = ' class="bad"' if series.is_beyond else ""
    yield f'<text{bad} x="12" y="{top + 18:.0f}">{text(_cut(series.name, 32))}</text>'
    for i, line in enumerate(_folded(series.told)):
        yield f'<text class="s" x="{WIDTH - _RIGHT + 12}" y="{top + 16 + 14 * i:.0f}">{text(line)}</text>'
    yield f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{top + _TALL}" y2="{top + _TALL}"/>'
    low, high = _range(series.points)
    places = [_x(i, len(series.points)) for i in range(len(series.points))]

    def y(value: float) -> float:
        return top + _TALL - (value - low) / (high - low) * _TALL

    for first, last in _stretches(series.points):
        part = range(first, last + 1)
        upper = [(places[i], y(_or(series.points[i].high, series.points[i].value))) for i in part]
        lower = [(places[i], y(_or(series.points[i].low, series.points[i].value))) for i in part]
        yield f'<path class="band" d="M{_line(upper)}L{_line(lower[::-1])}Z"/>'
        yield f'<path d="M{_line([(places[i], y(series.points[i].value or 0.0)) for i in part])}"/>'
    for place, point in zip(places, series.points, strict=True):
        if point.is_beyond and point.value is not None:
            yield f'<circle cx="{place:.1f}" cy="{y(point.value):.1f}" r="4"/>'


def _range(points: Sequence[Point]) -> tuple[float, float]:
    """From the least to the most that is drawn, with some room where all are alike."""
    values = [value for one in points for value in (one.value, one.low, one.high) if value is not None]
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = max((high - low) * 0.08, abs(high) * 0.02, 1e-9)
    return low - room, high + room


def _stretches(points: Sequence[Point]) -> Iterator[tuple[int, int]]:
    """Windows in a row that have a number: the first and the last of each."""
    first = -1
    for i, point in enumerate([*points, Point()]):
        if point.value is not None and first < 0:
            first = i
        elif point.value is None and first >= 0:
            yield first, i - 1
            first = -1


def _x(i: int, n: int) -> float:
    return _LEFT + (i + 0.5) / max(n, 1) * (WIDTH - _LEFT - _RIGHT)


def _line(places: Sequence[tuple[float, float]]) -> str:
    # A line of one place has no length: it is drawn as a dot's width.
    if len(places) == 1:
        places = [places[0], (places[0][0] + 1, places[0][1])]
    return "L".join(f"{x:.1f} {y:.1f}" for x, y in places)


def _or(value: float | None, otherwise: float | None) -> float:
    return value if value is not None else otherwise or 0.0


def _days(view: MonitorView, height: float) -> str:
    if not view.windows:
        return ""
    first, last = day(view.windows[0].since), day(view.windows[-1].until)
    return (
        f'<text class="s" x="{_LEFT}" y="{height - 12}">{text(first)}</text>'
        f'<text class="s" x="{WIDTH - _RIGHT}" y="{height - 12}" text-anchor="end">{text(last)}</text>'
    )


def _folded(told: str) -> list[str]:
    """In two or three short lines, parted at commas."""
    lines: list[str] = []
    for part in told.split(", "):
        if lines and len(lines[-1]) + len(part) < 30:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return [_cut(line, 36) for line in lines[:3]]


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"
