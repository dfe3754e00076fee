"""Draws how the numbers of a column lie in two versions of the data, over each other, as a part of a page.

Heights are shares of the rows for each unit of width, so that bins of other widths can be held against each other.
Neighbour: `page_profile` draws one alone.
"""

from headway.codec.page import text
from headway.core.profile import ColumnProfile, Histogram
from headway.core.profile_words import measured

WIDTH, HEIGHT = 480, 170
_FOOT = 150


def beside(column: ColumnProfile, now: Histogram, before: Histogram) -> str:
    """What is now filled, what was before as a line around it. Both have rows."""
    low, high = min(now.edges[0], before.edges[0]), max(now.edges[-1], before.edges[-1])
    most = max(*_heights(now), *_heights(before))

    def steps(histogram: Histogram) -> str:
        path = ""
        for i, tall in enumerate(_heights(histogram)):
            left, right = (WIDTH * (edge - low) / ((high - low) or 1.0) for edge in histogram.edges[i : i + 2])
            y = _FOOT - 140 * tall / (most or 1.0)
            path += f"{'L' if path else f'M{left:.1f} {_FOOT}L'}{left:.1f} {y:.1f}L{right:.1f} {y:.1f}"
        return f"{path}V{_FOOT}"

    marks = "".join(
        f'<text class="soft" x="{x}" y="166" font-size="11" text-anchor="{side}">{text(measured(column, value))}</text>'
        for x, side, value in ((0, "start", low), (WIDTH, "end", high))
    )
    said = text(f"{column.name}: how its numbers lie now (filled) and lay before (line)")
    return (
        f'<svg class="beside" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}">'
        f'<path class="now" d="{steps(now)}Z"/><path class="before" d="{steps(before)}"/>{marks}</svg>'
    )


def _heights(histogram: Histogram) -> list[float]:
    """The share of the rows in each bin, for each unit of its width."""
    whole = sum(histogram.counts) or 1
    edges = histogram.edges
    return [count / whole / ((edges[i + 1] - edges[i]) or 1.0) for i, count in enumerate(histogram.counts)]
