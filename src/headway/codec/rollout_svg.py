"""Draws how the evidence of a release went as SVG: a line for each guard on its way to rolling back, stages below.

Made on the server, without a library; light and dark. Lines are told apart by names at their ends and by dashes beside
colours. Neighbours: `core/rollout_course` says what is drawn, `page` has the letters.
"""

from collections.abc import Iterator
from itertools import pairwise

from headway.codec.page import text
from headway.core.rollout_course import Course
from headway.core.telling import duration

WIDTH = 880
_LEFT, _TOP, _TALL = 48, 84, 220
_BARE_TOP = 26
"""Where the frame begins in a picture that has no heading of its own."""

_LETTER = 6.6
"""Of 12 pixels, about so wide is a letter on average."""

_LINE = 15
"""Names at the ends of lines stand so far apart at least."""

_COLOURS = 6
_DASHES = ("", "6 3", "2 3", "8 3 2 3")

STYLE = """
.r { --ink: #1c2024; --soft: #60646c; --line: #d9dce1; --paper: #fcfcfd; --bad: #b3261e;
  --c0: #3e63dd; --c1: #18794e; --c2: #8a5a00; --c3: #6f3fb5; --c4: #0b7285; --c5: #a61e4d; }
@media screen and (prefers-color-scheme: dark) {
.r { --ink: #edeef0; --soft: #a4a9b1; --line: #363a40; --paper: #111214; --bad: #ff8a80;
  --c0: #7c9bff; --c1: #4cc38a; --c2: #f1a10d; --c3: #c4a0ff; --c4: #66d9e8; --c5: #faa2c1; } }
.r text { font: 12px system-ui, sans-serif; fill: var(--ink); }
.r text.s { fill: var(--soft); font-size: 11px; } .r text.h { font-weight: 600; font-size: 14px; }
.r rect.paper { fill: var(--paper); } .r path { fill: none; stroke-width: 2; }
.r line { stroke: var(--line); } .r line.bad { stroke: var(--bad); stroke-width: 2; stroke-dasharray: 5 4; }
.r text.bad { fill: var(--bad); }
"""


def drawn(course: Course, *, title: str, said: str, width: int = WIDTH, bare: bool = False) -> str:
    """The whole picture as one file; `said` is how the release stands, in a sentence.

    `bare`: without a heading, for a page that has its own.
    """
    frame = _Frame(course, width, _BARE_TOP if bare else _TOP)
    height = round(max([frame.top + _TALL + 56, *(y + _LINE for y, _ in _places(course, frame))]))
    body = "".join((*_grid(frame), *_stages(course, frame), *_lines(course, frame)))
    words = " ".join(_told(course))
    head = (
        f'<text class="h" x="12" y="24">{text(_cut(title, width - 24, 7.6))}</text>'
        f'<text class="s" x="12" y="44">{text(_cut(said, width - 24))}</text>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="r" role="img" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" aria-labelledby="r-title r-desc"><title id="r-title">{text(title)}</title>'
        f'<desc id="r-desc">{text(said)} {text(words)}</desc><style>{STYLE}</style>'
        f'<rect class="paper" width="{width}" height="{height}"/>{"" if bare else head}{body}</svg>\n'
    )


class _Frame:
    """Where moments and ways stand."""

    __slots__ = ("_began_at", "_span", "right", "room", "top")

    def __init__(self, course: Course, width: int, top: int) -> None:
        times = [at for at, _ in course.stages] + [moment.at for moment in course.moments]
        self._began_at = min(times, default=course.ended_at)
        self._span = max(course.ended_at - self._began_at, 1.0)
        longest = max((len(name) for name in course.names), default=0)
        self.room = round(min(longest * _LETTER + 24, max(width * 250 // WIDTH, 130)))
        """Pixels for the names at the right."""
        self.right = width - self.room
        self.top = top

    @property
    def span_s(self) -> float:
        """From the first stage to the end of the picture."""
        return self._span

    def x(self, at: float) -> float:
        """Pixels from the left of a moment."""
        return _LEFT + min(max((at - self._began_at) / self._span, 0.0), 1.0) * (self.right - _LEFT)

    def y(self, share: float) -> float:
        """Pixels from above of so much of the way."""
        return self.top + (1 - share) * _TALL


def _grid(frame: _Frame) -> Iterator[str]:
    for share in (0.0, 0.5):
        yield f'<line x1="{_LEFT}" x2="{frame.right}" y1="{frame.y(share):.0f}" y2="{frame.y(share):.0f}"/>'
    yield f'<line class="bad" x1="{_LEFT}" x2="{frame.right}" y1="{frame.top}" y2="{frame.top}"/>'
    yield f'<text class="bad" x="{_LEFT}" y="{frame.top - 6}">rolls back</text>'
    yield f'<text class="s" x="12" y="{frame.y(0) + 4:.0f}">none</text>'
    yield f'<text class="s" x="12" y="{frame.y(0.5) + 4:.0f}">half</text>'
    legend = f"evidence, by its logarithm; {duration(float(f'{frame.span_s:.2g}'))}"
    yield f'<text class="s" x="{_LEFT}" y="{frame.y(0) + 46:.0f}">{legend}</text>'


def _stages(course: Course, frame: _Frame) -> Iterator[str]:
    """A line where each began, with its name as far as it has room."""
    for (at, name), (end, _) in pairwise([*course.stages, (course.ended_at, "")]):
        left, room = frame.x(at), frame.x(end) - frame.x(at)
        yield f'<line x1="{left:.1f}" x2="{left:.1f}" y1="{frame.top}" y2="{frame.y(0) + 24:.0f}"/>'
        if room > 4 * _LETTER:
            yield f'<text class="s" x="{left + 4:.1f}" y="{frame.y(0) + 20:.0f}">{text(_cut(name, room - 6))}</text>'


def _lines(course: Course, frame: _Frame) -> Iterator[str]:
    for i, points in enumerate(_points(course, frame)):
        dash = _DASHES[i // _COLOURS % len(_DASHES)]
        style = f"stroke: var(--c{i % _COLOURS})" + (f"; stroke-dasharray: {dash}" if dash else "")
        # Evidence stands until somebody looks again: steps, not slopes.
        steps = "".join(f"H{x:.1f}V{y:.1f}" for x, y in points[1:])
        yield f'<path style="{style}" d="M{points[0][0]:.1f} {points[0][1]:.1f}{steps}H{frame.right}"/>'
    yield from _names(course, frame)


def _points(course: Course, frame: _Frame) -> list[list[tuple[float, float]]]:
    if not course.moments:
        return []
    return [
        [(frame.x(moment.at), frame.y(moment.ways[i])) for moment in course.moments] for i in range(len(course.names))
    ]


def _names(course: Course, frame: _Frame) -> Iterator[str]:
    """At the end of each line its name."""
    for y, i in _places(course, frame):
        told = _cut(course.names[i], frame.room - 20)
        yield f'<text x="{frame.right + 8}" y="{y:.0f}" style="fill: var(--c{i % _COLOURS})">{text(told)}</text>'


def _places(course: Course, frame: _Frame) -> list[tuple[float, int]]:
    """How high each name stands: beside its line, and below one another where lines end together."""
    places, y = [], frame.top - _LINE + 4.0
    ways = course.moments[-1].ways if course.moments else ()
    for wanted, i in sorted((frame.y(way), i) for i, way in enumerate(ways)):
        y = max(wanted + 4, y + _LINE)
        places.append((y, i))
    return places


def _told(course: Course) -> list[str]:
    """The picture in words, for who does not see it."""
    if not course.moments:
        return ["Nothing was looked at yet."]
    most = [max(moment.ways[i] for moment in course.moments) for i in range(len(course.names))]
    return [
        f"{name} came {round(100 * share)} % of its way to rolling back."
        for name, share in zip(course.names, most, strict=True)
    ]


def _cut(words: str, room: float, letter: float = _LETTER) -> str:
    most = max(int(room / letter), 1)
    return words if len(words) <= most else words[: most - 1] + "…"
