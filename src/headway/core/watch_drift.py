"""How the columns of a window differ from the reference: which count towards an alarm, by how much, and where.

Two families share the level: what goes in and what comes out. A column counts if it differs beyond chance in its family
(with all columns looked at) and by enough rows. What is usual is fixed by the reference, or for outputs by the first
window where the reference's own answers are not to be compared with (`Ground`). Neighbour: `stats/shift_cells` tests.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from headway.core.facts import BackTest, Reading
from headway.core.reference import Axis, Reference, shown
from headway.core.watch_detail import Beyond, Moved, Side
from headway.errors import Unmeasurable
from headway.stats import shift_cells
from headway.stats.alarm import Effects, axis_effects, back_test
from headway.stats.bins import Counts
from headway.stats.shift import Shift, holm
from headway.stats.shift_cells import AxisShift, axis_shifts

FEW = 0.01
"""A share of missing or uncountable values counts that changed by so much: it is mostly none at all."""

MOST_TRIED = 4000
"""So many columns times windows are tried on the reference itself, which takes a second or two."""

NEVER = -1.0
"""The level at which nothing counts."""

LEAST_TRIED = 8
"""In so many windows, one after the other, a reference must be parted to be tried on itself."""


class Ground(Struct, frozen=True, kw_only=True, eq=False):
    """What a window's columns are compared with. `n_inputs` of the axes go in, the others come out.

    `blocks` are the counts of contiguous blocks of the reference, shape `(n_blocks, n_axes, 64)`. `is_without_outputs`:
    nothing is known of what usually comes out.
    """

    axes: tuple[Axis, ...]
    against: tuple[shift_cells.Axis, ...]
    n_inputs: int
    blocks: Counts
    is_without_outputs: bool = False

    def with_outputs(self, counts: Counts | None) -> "Ground":
        """With other counts of what comes out, shape `(n_axes, 64)`; None: nothing that comes out can be compared."""
        if counts is None:
            return replace(self, is_without_outputs=True)
        return _with(self, counts, first=self.n_inputs)

    def of_rows(self, counts: Counts) -> "Ground":
        """With the counts of some of the reference's rows, shape `(n_axes, 64)`: rows are as alike as all are."""
        return _with(self, counts, first=0)

    def side(self, at: int) -> Side:
        """Whether an axis goes in or comes out."""
        return "input" if at < self.n_inputs else "output"


def ground(reference: Reference, counts: Counts, blocks: Counts) -> Ground:
    """The ground that a reference is; `counts` of shape `(n_axes, 64)`."""
    layout = reference.layout
    against = [
        _axis(axis, counts[at], axis_effects(blocks[:, at]) if len(blocks) else Effects())
        for at, axis in enumerate(layout.axes)
    ]
    return Ground(axes=layout.axes, against=tuple(against), n_inputs=len(layout.inputs), blocks=blocks)


def _axis(axis: Axis, counts: Counts, effects: Effects) -> shift_cells.Axis:
    is_number = axis.kind == "number"
    return shift_cells.Axis(
        counts=counts[: axis.n_cells],
        edges=np.array(axis.edges, dtype=np.float64) if is_number else None,
        names=() if is_number else tuple(map(shown, axis.values)),
        effects=effects,
    )


def _with(on: Ground, counts: Counts, *, first: int) -> Ground:
    """With other counts of the axes from the `first` on."""
    against = [
        known
        if at < first
        else shift_cells.Axis(
            counts=counts[at][: axis.n_cells], edges=known.edges, names=known.names, effects=known.effects
        )
        for at, (axis, known) in enumerate(zip(on.axes, on.against, strict=True))
    ]
    return replace(on, against=tuple(against))


class Levels(Struct, frozen=True, kw_only=True):
    """What of the budget the families of a window may spend, and the least share of rows that counts."""

    inputs: float
    outputs: float
    least: float


def moves(on: Ground, counts: Counts, levels: Levels, weeks: Counts | None = None) -> tuple[Moved, ...]:
    """How each column of a window, `counts` of shape `(n_axes, 64)`, differs; `weeks` are those of the weeks before.

    Nothing where the window has no row. Some 0.5 ms a column.
    """
    if not counts.size or not counts[0].sum():
        return ()
    shifts = axis_shifts(on.against, [row[: axis.n_cells] for row, axis in zip(counts, on.axes, strict=True)])
    found: list[Moved] = []
    for side, level in (("input", levels.inputs), ("output", levels.outputs)):
        of_side = [at for at in range(len(shifts)) if on.side(at) == side]
        is_judged = side == "input" or not on.is_without_outputs
        beyond = _beyond([shifts[at] for at in of_side], level if is_judged else NEVER, levels.least)
        found += [_moved(on, at, shifts[at], what) for at, what in zip(of_side, beyond, strict=True)]
    if weeks is None or not weeks[0].sum():
        return tuple(found)
    earlier = axis_shifts(
        [_axis(axis, row, Effects()) for axis, row in zip(on.axes, weeks, strict=True)],
        [row[: axis.n_cells] for row, axis in zip(counts, on.axes, strict=True)],
    )
    return tuple(_with_weeks(one, was) for one, was in zip(found, earlier, strict=True))


def beside(axis: Axis, before: Counts, after: Counts) -> Moved:
    """How one axis of a sample differs from that of another, both of shape `(64,)`; nothing of it counts for an alarm.

    Raises Unmeasurable when one of them has no row.
    """
    (shift,) = axis_shifts([_axis(axis, before, Effects())], [after[: axis.n_cells]])
    on = Ground(axes=(axis,), against=(), n_inputs=0, blocks=before[:0])
    return _moved(on, 0, shift, ())


def _beyond(shifts: Sequence[AxisShift], level: float, least: float) -> list[tuple[Beyond, ...]]:
    """Of each axis what counts, all looked at together."""
    asked: list[tuple[int, Beyond, Shift]] = []
    for at, one in enumerate(shifts):
        asked += [(at, "missing", one.missing), (at, "unknown", one.unknown)]
        if one.values is not None:
            asked.append((at, "values", one.values))
    adjusted = holm(np.array([shift.p for *_, shift in asked], dtype=np.float64))
    found: list[list[Beyond]] = [[] for _ in shifts]
    for (at, what, shift), p in zip(asked, adjusted, strict=True):
        if p > level:
            continue
        if what == "values":
            # A value that the reference did not have is one of the category's own values too: it is told once.
            new = shifts[at].unknown.effect if "unknown" in found[at] and shift.of == "categories" else 0.0
            is_enough = shifts[at].moved - new >= least
        else:
            is_enough = shift.effect >= min(least, FEW)
        if is_enough:
            found[at].append(what)
    return [tuple(what) for what in found]


def _moved(on: Ground, at: int, shift: AxisShift, beyond: tuple[Beyond, ...]) -> Moved:
    values = shift.values
    return Moved(
        of=on.axes[at].name,
        side=on.side(at),
        psi=_short(shift.psi),
        psi_usual=_short(shift.psi_usual),
        share=_short(shift.moved),
        p=1.0 if values is None else values.p,
        where="" if values is None else _where(on.axes[at], values),
        before=0.0 if values is None else _short(values.before),
        after=0.0 if values is None else _short(values.after),
        missing=_short(shift.missing.after),
        missing_was=_short(shift.missing.before),
        unknown=_short(shift.unknown.after),
        unknown_was=_short(shift.unknown.before),
        beyond=beyond,
    )


def _with_weeks(moved: Moved, was: AxisShift) -> Moved:
    return moved if was.values is None else replace(moved, since_weeks=_short(was.psi))


def _where(axis: Axis, shift: Shift) -> str:
    """Of which rows `before` and `after` speak."""
    if axis.kind == "category":
        return f"`{shift.at}`" if shift.at != "" else "other values"
    at = f"{shift.at:.4g}" if isinstance(shift.at, float) else str(shift.at)
    if shift.method in ("kolmogorov-smirnov", "mean-rank"):
        return f"up to {at}"
    place = next((i for i, edge in enumerate(axis.edges) if edge == shift.at), 0)
    if place and isinstance(shift.at, float) and axis.edges[place - 1] >= np.nextafter(shift.at, -np.inf):
        # A value that stands there so often that it has a bin of its own.
        return at
    return f"up to {at}" if place == 0 else f"{axis.edges[place - 1]:.4g} to {at}"


def _short(value: float) -> float:
    """Six digits: nobody looks at more, and a blob of 200 columns has 2,000 numbers."""
    return float(f"{value:.6g}")


def readings(moved: Sequence[Moved]) -> tuple[Reading, ...]:
    """A reading for each thing that counts; and for the outputs, and the three inputs that moved most, in any case.

    Those that count come first, and those that moved most first among them.
    """
    ranked = sorted(moved, key=lambda one: (not one.beyond, -one.psi))
    inputs = [one.of for one in ranked if one.side == "input"][:3]
    found: list[Reading] = []
    for one in ranked:
        if "values" in one.beyond or one.side == "output" or one.of in inputs:
            found.append(_of_values(one))
        if "missing" in one.beyond:
            found.append(_of_share(one, "missing", one.missing, one.missing_was))
        if "unknown" in one.beyond:
            found.append(_of_share(one, "unknown", one.unknown, one.unknown_was))
    return tuple(sorted(found, key=lambda reading: not reading.is_beyond))


def _of_values(one: Moved) -> Reading:
    return Reading(
        of=one.of,
        measure="psi",
        value=one.psi,
        usual_high=one.psi_usual,
        p=one.p,
        is_beyond="values" in one.beyond,
    )


def _of_share(one: Moved, measure: Beyond, value: float, was: float) -> Reading:
    return Reading(of=one.of, measure=measure, value=value, was=was, about="schema", is_beyond=True)


# --- the rule on its own reference ------------------------------------------------------------------------------


def tried(on: Ground, levels: Levels, *, n_rows: int) -> BackTest | None:
    """What the rule does in windows of about `n_rows` of the reference itself; None where it is too small for that.

    Windows are an eighth of the reference at most: shorter ones stand for what is longer.
    """
    n_blocks = len(on.blocks)
    if not n_blocks or not on.axes:
        return None
    rows = int(on.blocks[:, 0].sum())
    together = max(1, min(round(n_rows / max(rows / n_blocks, 1)), n_blocks // LEAST_TRIED))
    # Of many columns fewer windows are tried: neighbours are put together.
    blocks = on.blocks
    while len(blocks) * len(on.axes) > MOST_TRIED and len(blocks) >= 2 * LEAST_TRIED and together > 1:
        blocks = blocks[: len(blocks) // 2 * 2].reshape(-1, 2, *blocks.shape[1:]).sum(axis=1)
        together = max(1, together // 2)

    def rule(before: Sequence[Counts], now: Sequence[Counts]) -> bool:
        return any(one.beyond for one in moves(_with(on, np.stack(before), first=0), np.stack(now), levels))

    try:
        found = back_test(
            [blocks[:, at] for at in range(len(on.axes))],
            rule,
            n_together=together,
            alpha=levels.inputs + levels.outputs,
        )
    except Unmeasurable:
        return None
    return BackTest(n_windows=found.n_windows, n_alarms=found.n_alarms, allowed=_short(found.allowed))
