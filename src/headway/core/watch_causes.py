"""What may lie behind an alarm: the columns of its window, the most likely one first.

Where it was reckoned which part of the estimated loss a column explains, those come first by that; the others follow by
how far they moved. Neighbour: `stats/causes` reckons.
"""

from headway.core.facts import Cause
from headway.core.watch_detail import Detail, Moved
from headway.core.watch_words import cause

MOST = 5
"""So many are told."""


def causes(detail: Detail) -> tuple[Cause, ...]:
    """The columns that go in and moved beyond chance and by enough; none where none did."""
    explained = {one.of: one.explains for one in detail.causes}
    moved = [one for one in detail.moved if one.side == "input" and "values" in one.beyond]
    ranked = sorted(moved, key=lambda one: (-(explained.get(one.of) or 0.0), -one.psi))
    return tuple(_cause(one, explained.get(one.of)) for one in ranked[:MOST])


def _cause(one: Moved, explains: float | None) -> Cause:
    told = None if explains is None or explains < 0.01 else min(explains, 1.0)
    words = cause(one.of, one.psi, one.where, (one.before, one.after), told)
    return Cause(of=one.of, moved=one.psi, explains=told, words=words)
