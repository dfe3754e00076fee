"""The loop as a picture: its stages on a closed way, each with a sign for its state, a name and a few words.

A part of a page: colours come from the page's style by the names of states, and each stage is a link to its own page.
"""

from collections.abc import Callable, Iterator, Sequence

from headway.codec.page import text
from headway.core.loop import Loop, Stop

STEP_X, MARGIN_X, LEAST_X = 158, 96, 800
TOP_Y, BOTTOM_Y, HEIGHT = 106, 234, 324
RADIUS = 24

_MARKS = {
    "well": "M-9 1l6 6l12 -13",
    "running": "M-5 -9l14 9l-14 9z",
    "waiting": "M-5 -8v16M5 -8v16",
    "trouble": "M0 -10v12M0 9v.5",
    "idle": "M-7 0h14",
}
"""A sign for each state, so that none is told by its colour alone."""

_SIGNS = 20
"""Signs of a name or of its words on a line."""


def drawn(loop: Loop, ago: Callable[[float], str]) -> str:
    """The picture; `ago` says how long ago a time is."""
    stops = loop.stops
    n_top = (len(stops) + 1) // 2
    width = max(2 * MARGIN_X + STEP_X * (n_top - 1), LEAST_X)
    parts = [_open("loop", width, HEIGHT, "group", "The loop, from data to monitors and back"), *_way(width)]
    for stop, (x, y) in zip(stops, _places(len(stops), width), strict=True):
        parts.append(_stop(stop, x, y, ago))
    return "".join([*parts, "</svg>"])


def _open(kind: str, width: int, height: int, role: str, label: str) -> str:
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f'<svg class="{kind}" {size} role="{role}" aria-label="{text(label)}">'


def _places(n: int, width: int) -> Iterator[tuple[int, int]]:
    """Where stages stand: above from left to right, then below and back, spread over the same width."""
    n_top = (n + 1) // 2
    for y, many in ((TOP_Y, n_top), (BOTTOM_Y, n - n_top)):
        for i in range(many):
            share = 0.5 if many == 1 else i / (many - 1)
            yield round(MARGIN_X + (width - 2 * MARGIN_X) * (share if y == TOP_Y else 1 - share)), y


def _way(width: int) -> Iterator[str]:
    left, right, bow = MARGIN_X, width - MARGIN_X, 60
    there = f"M{left} {TOP_Y}H{right}C{right + bow} {TOP_Y} {right + bow} {BOTTOM_Y} {right} {BOTTOM_Y}"
    back = f"H{left}C{left - bow} {BOTTOM_Y} {left - bow} {TOP_Y} {left} {TOP_Y}"
    yield f'<path class="way" d="{there}{back}"/>'
    mid = (TOP_Y + BOTTOM_Y) // 2
    # Which way it goes: down on the right, up again on the left, where a new run begins.
    yield f'<path class="tip" d="M{right + 38} {mid - 6}h14l-7 12z"/>'
    yield f'<path class="tip" d="M{left - 52} {mid + 6}h14l-7 -12z"/>'


def _stop(stop: Stop, x: int, y: int, ago: Callable[[float], str]) -> str:
    age = ago(stop.at) if stop.at is not None else ""
    is_top = y == TOP_Y
    # All words stand outside the way, which bends at both ends.
    lines = [
        ("", _short(stop.shown), -76 if is_top else 46, 15, "600"),
        (' class="soft"', _short(stop.words), -56 if is_top else 65, 12, "400"),
        (' class="soft"', age, -40 if is_top else 81, 12, "400"),
    ]
    if is_top and not age:
        lines = [(kind, words, dy + 16, size, weight) for kind, words, dy, size, weight in lines]
    written = " ".join(
        f'<text{kind} x="{x}" y="{y + dy}" font-size="{size}" font-weight="{weight}" text-anchor="middle">'
        f"{text(words)}</text>"
        for kind, words, dy, size, weight in lines
        if words
    )
    sign = (
        f'<circle cx="{x}" cy="{y}" r="{RADIUS}"/>'
        f'<path class="mark" transform="translate({x} {y})" d="{_MARKS[stop.state]}"/>'
    )
    link = f'<a href="{text(stop.link)}">{sign}{written}</a>' if stop.link else sign + written
    told = text(f"{stop.shown}: {stop.words}{f', {age}' if age else ''}")
    return f'<g class="stop {stop.state}"><title>{told}</title>{link}</g>'


def _short(words: str) -> str:
    return words if len(words) <= _SIGNS else words[: _SIGNS - 1].rstrip() + "…"


def spans(bars: Sequence[tuple[str, str, float, float]], *, total_s: float, said: Sequence[str]) -> str:
    """What ran when: a bar for each of `name, state, began, took` (seconds), and what is `said` of each beside it."""
    name_x, bar_x, width, row = 190, 200, 900, 26
    scale = (width - bar_x - 160) / max(total_s, 1e-9)
    height = row * len(bars) + 6
    parts = [_open("spans", width, height, "img", "When each step ran")]
    for i, ((name, state, began, took), words) in enumerate(zip(bars, said, strict=True)):
        y = 4 + row * i
        x, wide = bar_x + began * scale, max(took * scale, 3.0)
        parts.append(
            f'<g class="stop {state}"><text x="{name_x}" y="{y + 15}" font-size="13" text-anchor="end">'
            f"{text(_short(name))}</text>"
            f'<rect x="{x:.1f}" y="{y + 2}" width="{wide:.1f}" height="16" rx="3"/>'
            f'<text class="soft" x="{x + wide + 6:.1f}" y="{y + 15}" font-size="12">{text(words)}</text></g>'
        )
    return "".join([*parts, "</svg>"])
