"""Draws the checks of a gate as SVG: intervals over the good side, the limit as a line, signs beside colours.

Neighbours: `core/gate_picture` says what is drawn, `page_gate` makes files of it. Widths of letters are estimates, for
nothing here knows a font.
"""

from collections.abc import Iterator, Sequence
from unicodedata import east_asian_width

from headway.codec.page import text
from headway.core.gate_picture import SIGNS, WHOLE, WORDS, Axis, Line, Plot, shortened, tick_told

_LETTER = 6.9
"""Of 12 pixels, about so wide is a letter on average; wide ones (Chinese, Japanese, Korean) take 12."""

_ROW = 24
_TOP = 30
"""Above the lines of a plot the limit is named, below them the axis has its numbers."""

_BOTTOM = 34
_GAP = 12

STYLE = """
.g { --g-pass: #18794e; --g-fail: #b3261e; --g-unsure: #8a5a00; --g-error: #6f3fb5; --g-off: #60646c;
  --g-ink: #1c2024; --g-soft: #60646c; --g-line: #d9dce1; --g-good: #e3f4ea; --g-paper: #fcfcfd; }
.g-pass { color: #18794e; } .g-fail { color: #b3261e; } .g-unsure { color: #8a5a00; } .g-error { color: #6f3fb5; }
.g-small, .g-not-applicable { color: #60646c; }
@media screen and (prefers-color-scheme: dark) {
.g { --g-pass: #4cc38a; --g-fail: #ff8a80; --g-unsure: #f1a10d; --g-error: #c4a0ff; --g-off: #a4a9b1;
  --g-ink: #edeef0; --g-soft: #a4a9b1; --g-line: #363a40; --g-good: #14301f; --g-paper: #111214; }
.g-pass { color: #4cc38a; } .g-fail { color: #ff8a80; } .g-unsure { color: #f1a10d; } .g-error { color: #c4a0ff; }
.g-small, .g-not-applicable { color: #a4a9b1; }
}
.g text { font: 12px system-ui, sans-serif; fill: var(--g-ink); font-variant-numeric: tabular-nums; }
.g text.g-s { fill: var(--g-soft); font-size: 11px; }
.g text.g-h { font-weight: 600; font-size: 13px; }
.g text.g-v { fill: currentColor; font-weight: 600; }
.g rect.g-paper { fill: var(--g-paper); } .g rect.g-good { fill: var(--g-good); }
.g line, .g path { stroke: currentColor; stroke-width: 2; fill: none; }
.g .g-dot { fill: currentColor; stroke: none; }
.g path.g-open { fill: var(--g-paper); }
.g line.g-axis { stroke: var(--g-line); stroke-width: 1; }
.g line.g-limit { stroke: var(--g-ink); stroke-width: 2; }
.g line.g-still { stroke: var(--g-soft); stroke-width: 1; stroke-dasharray: 2 3; }
"""
"""For the file and the page; every name begins with g, so that a page's own are left alone."""


def drawn(found: Sequence[Plot], *, title: str, said: str, width: int, most: int) -> str:
    """All checks below each other as one file; of each check at most so many slices."""
    parts, top = [], 34.0
    for plot in found:
        head, height = _head(plot, width, top)
        body, more = _body(plot, width, top + height, most)
        parts.append(f"<g>{head}{body}</g>")
        top += height + more + 2 * _GAP
    told = f'<text class="g-h" x="{_GAP}" y="22">{text(_fitting(f"{title}: {said}", width - 2 * _GAP, 7.4))}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="g" role="img" width="{width}" height="{top:.0f}" '
        f'viewBox="0 0 {width} {top:.0f}" aria-labelledby="g-title g-desc"><title id="g-title">{text(title)}</title>'
        f'<desc id="g-desc">{text(said)}. {text(" ".join(map(told_of, found)))}</desc><style>{STYLE}</style>'
        f'<rect class="g-paper" width="{width}" height="{top:.0f}"/>{told}{"".join(parts)}</svg>\n'
    )


def figure(plot: Plot, *, width: int, most: int, place: str) -> str:
    """One check as a part of a page, below its own words there."""
    body, height = _body(plot, width, 0.0, most)
    return (
        f'<svg class="g" role="img" width="{width}" height="{height:.0f}" viewBox="0 0 {width} {height:.0f}" '
        f'aria-labelledby="{place}-title {place}-desc"><title id="{place}-title">{text(plot.check)}</title>'
        f'<desc id="{place}-desc">{text(told_of(plot))}</desc>{body}</svg>'
    )


def told_of(plot: Plot) -> str:
    """The picture in words, for who does not see it."""
    parts = [f"{plot.check}: {WORDS[plot.outcome]}"]
    if plot.axis is not None:
        parts.append(plot.limit)
        unit = f" {plot.axis.unit}" if plot.axis.unit else ""
        parts += [f"{line.name} {line.told}{unit}, {WORDS[line.outcome]}" for line in plot.lines[:10] if line.told]
    left = len(plot.lines) - 10
    return "; ".join(parts) + (f"; and {left:,} more" if left > 0 else "") + "."


# --- one check ---------------------------------------------------------------------------------------------------


def _head(plot: Plot, width: int, top: float) -> tuple[str, float]:
    """The check with its outcome, in as many lines as it takes."""
    word = f"{SIGNS[plot.outcome]} {WORDS[plot.outcome]}"
    indent = _GAP + _wide(word, 8.2) + 10
    lines = _wrapped(plot.check, width - indent - _GAP, 7.6)
    y = top + 16
    said = f'<text class="g-h g-v g-{plot.outcome}" x="{_GAP}" y="{y:.0f}">{text(word)}</text>'
    said += "".join(
        f'<text class="g-h" x="{indent:.0f}" y="{y + i * 17:.0f}">{text(line)}</text>' for i, line in enumerate(lines)
    )
    height = 6.0 + 17 * len(lines)
    if plot.axis is None:
        for line in _wrapped(plot.why.removeprefix(f"{plot.check}: "), width - 2 * _GAP, 6.4):
            said += f'<text class="g-s" x="{_GAP}" y="{top + height + 14:.0f}">{text(line)}</text>'
            height += 16
    return said, height


class _Frame:
    """Where things of a plot stand: the names at the left, the track, numbers and rows at the right or below."""

    __slots__ = ("at", "axis", "beside", "is_narrow", "row", "top", "track", "width")

    def __init__(self, axis: Axis, lines: Sequence[Line], width: int, top: float) -> None:
        self.width, self.top, self.axis = width, top + _TOP, axis
        self.is_narrow = width < 600
        self.beside = 0.0
        names = max(_wide(line.name, 7.4) for line in lines) + 32
        notes = max(max(_wide(line.told), _wide(note_of(line), 6.2)) for line in lines) + 8
        if self.is_narrow:
            # Names and numbers stand above each track, rows below it, and it has the whole width.
            self.row, self.at, self.track = 62, float(_GAP), float(width - 2 * _GAP)
            return
        self.row = 36 if any(note_of(line) for line in lines) else _ROW
        self.at = min(names, width * 0.28) + _GAP
        self.beside = min(max(notes, 100), width * 0.3)
        self.track = width - self.at - self.beside - 2 * _GAP

    def x(self, value: float) -> float:
        """Across, for a value on the axis."""
        return self.at + self.axis.place(value) * self.track


def _body(plot: Plot, width: int, top: float, most: int) -> tuple[str, float]:
    if plot.axis is None:
        return "", 0.0
    lines = plot.lines[: most + 1]
    frame = _Frame(plot.axis, lines, width, top)
    bottom = frame.top + len(lines) * frame.row
    parts = [*_ground(plot, frame, bottom, len(lines)), *_axis(frame, bottom)]
    for i, line in enumerate(lines):
        parts.append(_line(line, frame, frame.top + i * frame.row))
    # Over the intervals, for what crosses it is what counts.
    parts += [
        f'<line class="g-limit" x1="{frame.x(limit):.1f}" x2="{frame.x(limit):.1f}" y1="{begin:.1f}" y2="{end:.1f}"/>'
        for limit in plot.limits
        if 0 <= frame.axis.place(limit) <= 1
        for begin, end in _bands(frame, bottom, len(lines))
    ]
    return "".join(parts), bottom + _BOTTOM - top


def _bands(frame: _Frame, bottom: float, n_lines: int) -> list[tuple[float, float]]:
    """From where to where down the good side and the limit are drawn: never through words."""
    if not frame.is_narrow:
        return [(frame.top - 6, bottom)]
    return [(frame.top + i * frame.row + 20, frame.top + i * frame.row + 44) for i in range(n_lines)]


def _ground(plot: Plot, frame: _Frame, bottom: float, n_lines: int) -> Iterator[str]:
    low, high = plot.good
    begin = frame.at if low is None else frame.x(low)
    end = frame.at + frame.track if high is None else frame.x(high)
    for upper, lower in _bands(frame, bottom, n_lines):
        yield (
            f'<rect class="g-good" x="{begin:.1f}" y="{upper:.1f}" width="{max(end - begin, 0):.1f}" '
            f'height="{lower - upper:.1f}"/>'
        )
    still = None if frame.is_narrow or plot.still in plot.limits else plot.still
    if still is not None and 0 < frame.axis.place(still) < 1:
        x = frame.x(still)
        yield f'<line class="g-still" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.top:.1f}" y2="{bottom:.1f}"/>'
    # Beside the middle of the limits, and never beyond the picture.
    middle = sum(frame.x(limit) for limit in plot.limits) / len(plot.limits)
    side = {(True, False): f"{plot.limit}, good →", (False, True): f"← good, {plot.limit}"}.get(
        (low is not None and high is None, low is None), f"{plot.limit}, good between"
    )
    half = _wide(side, 6.6) / 2
    x = min(max(middle, _GAP + half), frame.width - _GAP - half)
    yield f'<text class="g-s" x="{x:.1f}" y="{frame.top - 12:.1f}" text-anchor="middle">{text(side)}</text>'


def _axis(frame: _Frame, bottom: float) -> Iterator[str]:
    yield (
        f'<line class="g-axis" x1="{frame.at:.1f}" x2="{frame.at + frame.track:.1f}" y1="{bottom:.1f}" '
        f'y2="{bottom:.1f}"/>'
    )
    free = 0.0
    for i, tick in enumerate(frame.axis.ticks):
        unit = f" {frame.axis.unit}" if frame.axis.unit and i == len(frame.axis.ticks) - 1 else ""
        word = tick_told(frame.axis, tick) + unit
        x, half = frame.x(tick), _wide(word, 6.4) / 2
        yield f'<line class="g-axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom:.1f}" y2="{bottom + 4:.1f}"/>'
        middle = min(max(x, half + 2), frame.width - half - 2)
        if middle - half >= free:
            yield f'<text class="g-s" x="{middle:.1f}" y="{bottom + 17:.1f}" text-anchor="middle">{text(word)}</text>'
            free = middle + half + 6


def note_of(line: Line) -> str:
    """On how many rows it rests, and what a slice says."""
    return ", ".join(word for word in (line.rows, WORDS[line.outcome] if line.name != WHOLE else "") if word)


def _line(line: Line, frame: _Frame, top: float) -> str:
    weight = ' font-weight="600"' if line.name == WHOLE else ""
    y = top + (32 if frame.is_narrow else frame.row / 2)
    sign = f'<text class="g-v g-{line.outcome}" x="{_GAP}" y="{{y:.1f}}">{SIGNS[line.outcome]}</text>'
    told = f"<title>{text(_said(line, frame.axis))}</title>"
    if frame.is_narrow:
        numbers = _wide(line.told) if line.told else 0
        name = shortened(line.name, frame.width - 2 * _GAP - 18 - numbers - 8, _wide, "…")
        end = frame.width - _GAP
        words = (
            f'{sign.format(y=top + 14)}<text x="{_GAP + 18}" y="{top + 14:.1f}"{weight}>{text(name)}</text>'
            f'<text x="{end}" y="{top + 14:.1f}" text-anchor="end">{text(line.told)}</text>'
            f'<text class="g-s" x="{end}" y="{top + 56:.1f}" text-anchor="end">{text(note_of(line))}</text>'
        )
    else:
        name = shortened(line.name, frame.at - _GAP - 26, _wide, "…")
        x = frame.at + frame.track + 10
        note = _fitting(note_of(line), frame.beside, 6.2)
        # One of the two alone stands in the middle.
        above, below = (y - 3, y + 11) if note and line.told else (y + 4, y + 4)
        words = (
            f'{sign.format(y=y + 4)}<text x="{_GAP + 18}" y="{y + 4:.1f}"{weight}>{text(name)}</text>'
            f'<text x="{x:.1f}" y="{above:.1f}">{text(line.told)}</text>'
            f'<text class="g-s" x="{x:.1f}" y="{below:.1f}">{text(note)}</text>'
        )
    return f'<g class="g-{line.outcome}">{told}{words}{"".join(_interval(line, frame, y))}</g>'


def _said(line: Line, axis: Axis) -> str:
    unit = f" {axis.unit}" if axis.unit and line.told else ""
    return ", ".join(word for word in (f"{line.name}: {line.told}{unit}", line.rows, WORDS[line.outcome]) if word)


def _interval(line: Line, frame: _Frame, y: float) -> Iterator[str]:
    if line.estimate is None:
        return
    low, high = -1.0 if line.low is None else frame.axis.place(line.low), 2.0
    if line.high is not None:
        high = frame.axis.place(line.high)
    begin, end = (frame.at + min(max(place, 0.0), 1.0) * frame.track for place in (low, high))
    # Nothing is known of the range: a line that is not one.
    dashes = ' stroke-dasharray="3 4"' if line.low is None and line.high is None else ""
    yield f'<line x1="{begin:.1f}" x2="{end:.1f}" y1="{y:.1f}" y2="{y:.1f}"{dashes}/>'
    if low < 0:
        yield f'<path d="M{begin + 7:.1f} {y - 5:.1f}L{begin:.1f} {y:.1f}L{begin + 7:.1f} {y + 5:.1f}"/>'
    else:
        yield f'<line x1="{begin:.1f}" x2="{begin:.1f}" y1="{y - 4:.1f}" y2="{y + 4:.1f}"/>'
    if high > 1:
        yield f'<path d="M{end - 7:.1f} {y - 5:.1f}L{end:.1f} {y:.1f}L{end - 7:.1f} {y + 5:.1f}"/>'
    else:
        yield f'<line x1="{end:.1f}" x2="{end:.1f}" y1="{y - 4:.1f}" y2="{y + 4:.1f}"/>'
    if 0 <= frame.axis.place(line.estimate) <= 1:
        yield _dot(line, frame.x(line.estimate), y)


def _dot(line: Line, x: float, y: float) -> str:
    """Of another shape for each outcome: a disc, a square, a hollow diamond, a small disc."""
    match line.outcome:
        case "pass":
            return f'<circle class="g-dot" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
        case "fail":
            return f'<rect class="g-dot" x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10"/>'
        case "small" | "not-applicable":
            return f'<circle class="g-dot" cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
        case _:
            return f'<path class="g-open" d="M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z"/>'


# --- letters -----------------------------------------------------------------------------------------------------


def _wide(told: str, letter: float = _LETTER) -> float:
    return sum(12.0 if east_asian_width(sign) in "WF" else letter for sign in told)


def _fitting(told: str, room: float, letter: float = _LETTER) -> str:
    if _wide(told, letter) <= room:
        return told
    end = len(told)
    while end and _wide(told[:end], letter) > room - 12:
        end -= 1
    return told[:end].rstrip() + "…"


def _wrapped(told: str, room: float, letter: float) -> list[str]:
    """In lines that fit, broken at blanks, and in a word only where it alone is too long."""
    lines = [""]
    for word in told.split():
        if lines[-1] and _wide(f"{lines[-1]} {word}", letter) > room:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
        while _wide(lines[-1], letter) > room and len(lines[-1]) > 4:
            fits = next(n for n in range(len(lines[-1]) - 1, 0, -1) if _wide(lines[-1][:n], letter) <= room or n == 1)
            lines[-1:] = [lines[-1][:fits], lines[-1][fits:]]
    return lines
