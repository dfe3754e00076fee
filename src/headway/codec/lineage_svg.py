"""Draws a lineage, or a run, as boxes in columns, each leading to its page, as a picture that is a part of a page.

Colours come from the page. Neighbours: `core/lineage_picture` and `core/run_graph` say what stands where, `loop_svg`
draws the loop.
"""

from headway.codec.page import text
from headway.core.lineage_picture import Box, Picture

WIDTH = 1000
_TOP, _TALL, _GAP, _SPACE, _NARROW = 30, 44, 14, 46, 26


def drawn(picture: Picture, name: str = "Lineage", *, least: int = 0) -> str:
    """The picture of at least one box; with `least` no box is less wide, and the picture as wide as that takes."""
    n, space = len(picture.columns), _NARROW if least else _SPACE
    width = max(WIDTH, n * (least + space) - space)
    wide = (width - space * (n - 1)) / n
    # Where boxes have a least width, few of them need not fill a page.
    if least:
        wide = min(wide, 1.5 * least)
        width = round(n * (wide + space) - space)
    top = _TOP if any(picture.columns) else 6
    counts = [sum(box.column == i for box in picture.boxes) for i in range(n)]
    tall = max(counts) * (_TALL + _GAP) - _GAP
    height = top + tall + 6
    places: list[tuple[float, float]] = []
    seen = [0] * n
    for box in picture.boxes:
        # Columns stand in the middle beside the longest.
        above = (tall - (counts[box.column] * (_TALL + _GAP) - _GAP)) / 2
        places.append((box.column * (wide + space), top + above + seen[box.column] * (_TALL + _GAP)))
        seen[box.column] += 1
    heads = "".join(
        f'<text class="soft" x="{i * (wide + space):.0f}" y="16" font-size="13">{text(head)}</text>'
        for i, head in enumerate(picture.columns)
        if head
    )
    ways = "".join(
        _way(places[a][0] + wide, places[a][1] + _TALL / 2, places[b][0], places[b][1] + _TALL / 2)
        for a, b in picture.ways
    )
    boxes = "".join(_box(box, *place, wide) for box, place in zip(picture.boxes, places, strict=True))
    return (
        f'<svg class="{"run-graph" if least else "lineage-graph"}" viewBox="0 0 {width} {height:.0f}" width="{width}" '
        f'height="{height:.0f}" role="group" aria-label="{text(f"{name}: {picture.told}")}">{heads}{ways}{boxes}</svg>'
    )


def _way(x: float, y: float, to_x: float, to_y: float) -> str:
    half = (x + to_x) / 2
    return f'<path class="way" d="M{x:.1f} {y:.1f}C{half:.1f} {y:.1f} {half:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"/>'


def _box(box: Box, x: float, y: float, wide: float) -> str:
    most = int(wide / 9.2)
    title, words = _cut(box.title, most), _cut(box.words, most)
    middle = _TALL / 2 + 5 if not words else 18
    body = (
        f'<g class="box {box.look}"><title>{text(f"{box.title} {box.words}".strip())}</title>'
        f'<rect x="{x + 1:.1f}" y="{y:.1f}" width="{wide - 2:.1f}" height="{_TALL}" rx="6"/>'
        f'<text x="{x + 10:.1f}" y="{y + middle:.1f}" font-size="14" font-weight="600">{text(title)}</text>'
    )
    if words:
        body += f'<text class="soft" x="{x + 10:.1f}" y="{y + 35:.1f}" font-size="12.5">{text(words)}</text>'
    body += "</g>"
    return f'<a href="{text(box.address)}">{body}</a>' if box.address else body


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else words[: max(most, 2) - 1] + "…"
