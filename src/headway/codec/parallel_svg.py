"""Draws several runs as lines across axes (parallel coordinates), as a picture that is a part of a page.

Each line leads to its run, is reached by the keyboard, and says its values; colours come from the page's style.
Neighbours: `core/run_picture` says what stands where, `curve_svg` draws a number from step to step.
"""

from headway.codec.page import text
from headway.core.run_picture import Line, Picture

WIDTH, HEIGHT = 960, 300
_SIDE, _TOP, _BOTTOM = 70, 44, 26


def drawn(picture: Picture) -> str:
    """The picture of at least two axes."""
    n = len(picture.axes)
    across = [_SIDE + (WIDTH - 2 * _SIDE) * i / max(n - 1, 1) for i in range(n)]
    said = f"{len(picture.lines)} runs across {', '.join(axis.name for axis in picture.axes)}"
    parts = []
    for x, axis in zip(across, picture.axes, strict=True):
        parts.append(f'<path class="axis" d="M{x:.0f} {_TOP}V{HEIGHT - _BOTTOM}"/>')
        parts.append(
            f'<text x="{x:.0f}" y="16" font-size="12" font-weight="600" text-anchor="middle">'
            f"{text(_cut(axis.name, 1000 // (n * 7)))}</text>"
            f'<text class="soft" x="{x:.0f}" y="31" font-size="11" text-anchor="middle">{text(axis.kind)}</text>'
        )
    parts += [_line(line, across) for line in picture.lines]
    # Words last: they stand before the lines.
    for x, axis in zip(across, picture.axes, strict=True):
        parts += [
            f'<text class="on" x="{x + 6:.0f}" y="{_y(place) + 4:.1f}" font-size="11">{text(_cut(word, 16))}</text>'
            for place, word in axis.marks[:12]
        ]
    return (
        f'<svg class="parallel" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="group" '
        f'aria-label="{text(said)}">{"".join(parts)}</svg>'
    )


def _line(line: Line, across: list[float]) -> str:
    """From axis to axis, broken where the run has no value."""
    path, is_down = "", False
    for x, place in zip(across, line.places, strict=True):
        if place is not None:
            path += f"{'L' if is_down else 'M'}{x:.1f} {_y(place):.1f}"
        is_down = place is not None
    first = next(((x, _y(at)) for x, at in zip(across, line.places, strict=True) if at is not None), None)
    if first is None:
        return ""
    label = f'<text x="{first[0] - 8:.0f}" y="{first[1] + 4:.1f}" font-size="11" text-anchor="end">{line.run}</text>'
    shade = "none" if line.shade is None else str(line.shade)
    said = text(f"Run {line.run}: {line.told}")
    return (
        f'<a href="/runs/{line.run}" class="shade-{shade}" aria-label="{said}"><title>{said}</title>'
        f'<path class="wide" d="{path}"/><path d="{path}"/>{label}</a>'
    )


def _y(place: float) -> float:
    return _TOP + 8 + (HEIGHT - _TOP - _BOTTOM - 16) * (1 - place)


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else words[: max(most, 2) - 1] + "…"
