"""How a number went from step to step (an epoch, an iteration), as a small picture that is a part of a page.

Of many points those are drawn that show its extremes: no peak is lost. Colours come from the page's style.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from headway.codec.page import text
from headway.core.telling import number

WIDTH, HEIGHT = 320, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 8, 34, 24

MOST = 400
"""Points that are drawn."""

Points = Sequence[tuple[int, float]]
"""Step and value, by step."""


def drawn(name: str, points: Points) -> str:
    """The picture of at least two points, with the least, the greatest and the last value in words."""
    values = [value for _, value in points]
    low, high = min(values), max(values)
    first, last = points[0][0], points[-1][0]
    wide, tall = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM

    def place(step: int, value: float) -> str:
        x = _LEFT + wide * (step - first) / max(last - first, 1)
        y = _TOP + tall * (1 - ((value - low) / (high - low) if high > low else 0.5))
        return f"{x:.1f} {y:.1f}"

    line = "L".join(place(*point) for point in thinned(points))
    told = f"{number(values[-1])} at the end, between {number(low)} and {number(high)}"
    return (
        f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{text(f"{name}: {told}")}">'
        f'<text x="{_LEFT}" y="18" font-size="13" font-weight="600">{text(name[:30])}</text>'
        f'<text class="soft" x="{WIDTH - _RIGHT}" y="18" font-size="13" text-anchor="end">{number(values[-1])}</text>'
        f'<path class="line" d="M{_LEFT} {HEIGHT - _BOTTOM}H{WIDTH - _RIGHT}"/><path class="mark" d="M{line}"/>'
        f'<text class="soft" x="{_LEFT}" y="{HEIGHT - 8}" font-size="11">{first:,}</text>'
        f'<text class="soft" x="{WIDTH - _RIGHT}" y="{HEIGHT - 8}" font-size="11" text-anchor="end">{last:,}</text>'
        "</svg>"
    )


def overlaid(name: str, lines: Sequence[tuple[str, Points]]) -> str:
    """Several lines over each other, each called as it is; told apart by colour and by how they are broken.

    A line without points is not drawn, and the others keep their colours. One has points.
    """
    every = [point for _, points in lines for point in points]
    low, high = min(value for _, value in every), max(value for _, value in every)
    first, last = min(step for step, _ in every), max(step for step, _ in every)
    wide, tall = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM

    def place(step: int, value: float) -> str:
        x = _LEFT + wide * (step - first) / max(last - first, 1)
        y = _TOP + tall * (1 - ((value - low) / (high - low) if high > low else 0.5))
        return f"{x:.1f} {y:.1f}"

    drawn_lines = "".join(
        f'<path class="mark line-{i}" d="M{"L".join(place(*point) for point in thinned(points))}">'
        f"<title>{text(f'{called}: {number(points[-1][1])} at the end')}</title></path>"
        for i, (called, points) in enumerate(lines)
        if points
    )
    told = ", ".join(f"{called} {number(points[-1][1])}" for called, points in lines if points)
    return (
        f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{text(f"{name}, at the end: {told}")}">'
        f'<text x="{_LEFT}" y="18" font-size="13" font-weight="600">{text(name[:30])}</text>'
        f'<text class="soft" x="{WIDTH - _RIGHT}" y="18" font-size="11" text-anchor="end">'
        f"{number(low)} to {number(high)}</text>"
        f'<path class="line" d="M{_LEFT} {HEIGHT - _BOTTOM}H{WIDTH - _RIGHT}"/>{drawn_lines}'
        f'<text class="soft" x="{_LEFT}" y="{HEIGHT - 8}" font-size="11">{first:,}</text>'
        f'<text class="soft" x="{WIDTH - _RIGHT}" y="{HEIGHT - 8}" font-size="11" text-anchor="end">{last:,}</text>'
        "</svg>"
    )


def thinned(points: Points) -> list[tuple[int, float]]:
    """Not more points than can be seen: of each stretch its first, least, greatest and last one.

    >>> len(thinned([(i, float(i % 7)) for i in range(10_000)])) <= MOST
    True
    """
    if len(points) <= MOST:
        return list(points)
    return list(_extremes(points, MOST // 4))


def _extremes(points: Points, n: int) -> Iterator[tuple[int, float]]:
    for begin, end in pairwise(len(points) * i // n for i in range(n + 1)):
        part = range(begin, end)
        kept = {begin, end - 1, min(part, key=lambda i: points[i][1]), max(part, key=lambda i: points[i][1])}
        yield from (points[i] for i in sorted(kept))
