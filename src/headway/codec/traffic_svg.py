"""Bars of a release's page: who answers which share of the requests, and how far evidence is from its bound.

Parts of a page: colours come from its style by names, words stand beside them as text, and a label says what each bar
shows. Neighbours: `rollout_svg` draws evidence over time, `loop_svg` the loop.
"""

from collections.abc import Sequence
from typing import Literal

from headway.codec.page import text

Side = Literal["new", "old", "copies"]
"""Whose share: the new version's, that of what served before, or of requests that the new one gets copies of."""

_WIDE, _TALL, _BOUND = 1000, 16, 960
"""A bar's size, which a page stretches; evidence reaches its bound at `_BOUND`, so that what lies beyond is seen."""


def split(shares: Sequence[tuple[Side, float]], label: str) -> str:
    """One bar of the shares (0 to 1) beside each other; copies are drawn below, since clients do not wait for them.

    >>> split([("new", 0.1), ("old", 0.9)], "10 %").count("<rect")
    2
    """
    x, parts = 0.0, []
    for side, share in shares:
        wide = _WIDE * min(max(share, 0.0), 1.0)
        if side == "copies":
            parts.append(f'<rect class="copies" x="0" y="{_TALL - 4}" width="{wide:.1f}" height="4"/>')
            continue
        parts.append(f'<rect class="{side}" x="{x:.1f}" y="0" width="{wide:.1f}" height="{_TALL}"/>')
        x += wide
    return _bar("traffic", label, "".join(parts))


def meter(share: float, mark: str, label: str) -> str:
    """How much of its way (0 to 1) something has gone, with a line where its bound is.

    >>> "bound" in meter(0.5, "near", "half")
    True
    """
    wide = _BOUND * min(max(share, 0.0), 1.0)
    body = (
        f'<rect class="track" x="0" y="4" width="{_WIDE}" height="8"/>'
        f'<rect class="gone {text(mark)}" x="0" y="4" width="{wide:.1f}" height="8"/>'
        f'<line class="bound" x1="{_BOUND}" x2="{_BOUND}" y1="0" y2="{_TALL}" vector-effect="non-scaling-stroke"/>'
    )
    return _bar("evidence", label, body)


def _bar(kind: str, label: str, body: str) -> str:
    return (
        f'<svg class="{kind}" viewBox="0 0 {_WIDE} {_TALL}" preserveAspectRatio="none" role="img" '
        f'aria-label="{text(label)}">{body}</svg>'
    )
