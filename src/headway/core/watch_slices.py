"""One slice of a window (the rows that have one value in a column) judged as a window is, at its part of the budget.

Half of what a window may spend on columns, traffic and estimates is for its slices, alike for each. A slice is compared
with the same slice of the reference, and with itself in the windows before. What is estimated of it is compared with
what would be estimated of the reference's rows: in a slice scores may never have meant what they mean on the whole.
Neighbour: `flows/watch_slices` counts slices.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from headway.core import facts as f
from headway.core.reference import Layout
from headway.core.sketch import Sketch
from headway.core.watch_detail import Guess, SliceSeen
from headway.core.watch_drift import Ground, Levels, moves, readings
from headway.core.watch_estimate import Asked, guesses
from headway.core.watch_judge import Spending, of_guess
from headway.core.watch_quality import Promise
from headway.core.watch_rhythm import Besides, Part, lost, news
from headway.core.watch_spans import Span
from headway.core.watch_traffic import traffic_of, traffic_readings

LEAST = 100
"""Of a slice of fewer rows in a window columns are not compared, and nothing is estimated."""


class Place(Struct, frozen=True, kw_only=True, eq=False):
    """A slice of the reference: its column and value, what it is compared with, and what was estimated of it.

    `was` is empty where nothing can be promised of it.
    """

    column: str
    value: str
    ground: Ground
    was: dict[str, Promise] = {}

    @property
    def name(self) -> str:
        """As people read it."""
        return f"{self.column}={self.value}"


class Rules(Struct, frozen=True, kw_only=True):
    """What all slices of a window are judged by: what each part may spend, among `n_slices`, and what matters."""

    spends: Spending
    n_slices: int
    layout: Layout
    metric: str
    least_effect: float
    least_loss: float


def promises(cells: Sketch, on: Ground, layout: Layout, metric: str) -> dict[str, Promise]:
    """What is estimated of a slice of the reference; nothing where that cannot be."""
    asked = Asked(metric=metric, was={}, alpha=0.05, least_loss=0.0)
    found = guesses(cells, layout, on, asked)
    return {one.metric: Promise(metric=one.metric, value=one.value, low=one.low, high=one.high) for one in found}


class Cells(Struct, frozen=True, kw_only=True, eq=False):
    """A slice of a window: its cells added up (`own`), and those that columns and estimates are judged by (`day`).

    None where it has no row, or is not to be judged. Of the requests one of `scale` was looked at. `besides`: what
    that day is held against besides the reference, where what it shows may be the rhythm of the week.
    """

    own: Sketch | None
    day: Sketch | None
    scale: float = 1.0
    besides: Besides | None = None


def seen(place: Place, counted: Cells, span: Span, before: Sequence[SliceSeen], rules: Rules) -> SliceSeen:
    """A slice judged; `before` is it in the windows before, the newest last."""
    spends, n = rules.spends, rules.n_slices
    own, day, scale = counted.own, counted.day, counted.scale
    came = traffic_of(own)
    traffic = replace(came, n_requests=round(scale * came.n_requests), n_failed=round(scale * came.n_failed))
    told = list(traffic_readings(traffic, span, [_window(one) for one in before], alpha=spends.traffic / n))
    if day is not None and day.n_rows >= LEAST:
        levels = Levels(inputs=spends.inputs / n, outputs=spends.outputs / n, least=rules.least_effect)
        moved = moves(place.ground, day.table, levels)
        told += readings(news(place.ground, moved, day.table, levels, lambda: counted.besides))
        asked = Asked(metric=rules.metric, was=place.was, alpha=spends.estimate / n, least_loss=rules.least_loss)
        told += map(of_guess, _guesses(place, counted, day, asked, rules.layout)[:1] if place.was else ())
    return SliceSeen(
        column=place.column,
        value=place.value,
        n_requests=traffic.n_requests,
        n_failed=traffic.n_failed,
        n_rows=0 if own is None else round(scale * own.n_rows),
        readings=tuple(replace(reading, slice=place.name) for reading in told),
    )


def _guesses(place: Place, counted: Cells, day: Sketch, asked: Asked, layout: Layout) -> tuple[Guess, ...]:
    known = counted.besides
    parts: dict[Part, Sketch | None] = {"day": day}
    if known is not None:
        parts |= {"week": known.week, "same": known.same}

    def ask(part: Part, asked: Asked) -> tuple[Guess, ...]:
        cells = parts[part]
        return () if cells is None else guesses(cells, layout, place.ground, asked)

    return lost(asked, known, ask)


def _window(one: SliceSeen) -> f.WindowClosed:
    """A slice of a window before, as if it were all of it."""
    return f.WindowClosed(
        monitor="",
        number=0,
        version=0,
        since=0.0,
        until=0.0,
        n_requests=one.n_requests,
        n_rows=one.n_rows,
        n_failed=one.n_failed,
        readings=tuple(replace(reading, slice="") for reading in one.readings),
    )
