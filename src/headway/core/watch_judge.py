"""A window judged: all that was counted of it, beside the reference and the windows before; headline and detail.

How a window's part of the budget is spent: half of it by what comes out and by quality (of that half: predictions a
half, traffic, estimated and proven quality a sixth each), a quarter by single columns that go in, a quarter by all
columns together; of that quarter features that are made anew have half, where they are. Neighbours: `watch_drift`,
`watch_traffic`, `watch_quality` and `watch_skew` judge each a part; `core/watch` decides.
"""

from collections.abc import Sequence

from msgspec import UNSET, Struct

from headway.core import facts as f
from headway.core import watch_skew
from headway.core.facts import Reading
from headway.core.monitor_grammar import Plan
from headway.core.sketch import Sketch
from headway.core.watch_detail import Detail, Guess, Skewed, SliceSeen
from headway.core.watch_drift import NEVER, Ground, Levels, moves, readings
from headway.core.watch_rhythm import Rhythm, besides, news
from headway.core.watch_spans import Span
from headway.core.watch_traffic import traffic_of, traffic_readings
from headway.stats.alarm import Budget, alphas

MOST_READINGS = 12
"""A fact has so many at most; the others are in the blob that it names."""

OF_COLUMNS = 0.1
"""So much of what single columns may spend is for those that come or go as a whole, which needs little."""

_ALWAYS = ("traffic", "estimate", "skew")

QUALITY = "quality"
"""What a reading of an estimated metric is of."""


class Spending(Struct, frozen=True, kw_only=True):
    """What each question of a window may spend: the chance that it alarms for nothing.

    `is_sliced`: all slices together may spend as much once more on columns, traffic and estimates.
    """

    inputs: float
    outputs: float
    traffic: float
    estimate: float
    proven: float
    together: float
    skew: float = 0.0
    columns: float = 0.0
    is_sliced: bool = False

    @property
    def whole(self) -> float:
        """All of them."""
        of_slices = self.inputs + self.outputs + self.traffic + self.estimate
        return (1 + self.is_sliced) * of_slices + self.proven + self.together + self.skew + self.columns


def spending(plan: Plan, per_year: float) -> Spending:
    """What a window may spend of which a year has `per_year`.

    >>> parts = spending(Plan(name="live", endpoint="e"), 365.25)
    >>> round(parts.whole * 365.25, 9), round((parts.inputs + parts.columns) / parts.whole, 9)
    (2.0, 0.25)
    """
    levels = alphas(Budget(per_year=plan.false_alarms_per_year, windows_per_year=per_year))
    half = levels.outputs_and_quality
    # Both are asked once a day: with both asked, each may spend half of it.
    skew = levels.multivariate / 2 if plan.skew is not UNSET else 0.0
    # Where there are slices, half is for them: as much as for the whole.
    own = 2.0 if plan.slices else 1.0
    return Spending(
        inputs=(1 - OF_COLUMNS) * levels.features / own,
        outputs=half / 2 / own,
        traffic=half / 6 / own,
        estimate=half / 6 / own,
        proven=half / 6,
        together=levels.multivariate - skew,
        skew=skew,
        columns=OF_COLUMNS * levels.features,
        is_sliced=bool(plan.slices),
    )


class Around(Struct, frozen=True, kw_only=True):
    """What a window is seen against: the ground, the windows of the version before it, the cells of weeks before.

    Columns are judged by the `day` that ends with the window where it is shorter than one, since mornings are not like
    nights; in a version's first hours that is not whole yet, and nothing of columns counts. `rhythm` is what that day
    is held against besides, as soon as the version has served for longer than a week.
    """

    ground: Ground
    before: Sequence[f.WindowClosed] = ()
    weeks: Sketch | None = None
    day: Sketch | None = None
    is_whole: bool = True
    rhythm: Rhythm | None = None


class Extra(Struct, frozen=True, kw_only=True):
    """What was found in the rows of a window and not in its cells; what counts of them is apart."""

    guesses: tuple[Guess, ...] = ()
    recognised: Reading | None = None
    skew: Skewed | None = None
    slices: tuple[SliceSeen, ...] = ()
    of_slices: tuple[Reading, ...] = ()
    others: dict[str, int] | None = None
    of_others: tuple[Reading, ...] = ()
    notes: tuple[str, ...] = ()


class Judged(Struct, frozen=True, kw_only=True):
    """What goes into a window's fact, and what into its blob."""

    readings: tuple[Reading, ...]
    detail: Detail


def judge(span: Span, cells: Sketch | None, plan: Plan, around: Around, extra: Extra) -> Judged:
    """Judge a window; `cells` are its own added up, None where it has none. Some 1 ms a column."""
    spends = spending(plan, span.per_year)
    levels = Levels(inputs=spends.inputs, outputs=spends.outputs, least=plan.least_effect)
    levels = levels if around.is_whole else Levels(inputs=NEVER, outputs=NEVER, least=plan.least_effect)
    traffic = traffic_of(cells)
    weeks = None if around.weeks is None else around.weeks.table
    day = cells if around.day is None else around.day
    moved = () if cells is None or day is None else moves(around.ground, day.table, levels, weeks)
    if day is not None:
        moved = news(around.ground, moved, day.table, levels, lambda: besides(around.rhythm))
    told = [
        *traffic_readings(traffic, span, around.before, alpha=spends.traffic),
        *map(of_guess, extra.guesses[:2]),
        *([] if extra.recognised is None else [extra.recognised]),
        *watch_skew.readings(extra.skew),
        *extra.of_slices,
        *extra.of_others,
        *readings(moved),
    ]
    # What later windows are compared with is always among them; then comes what counts.
    kept = sorted(told, key=lambda one: (one.about not in _ALWAYS, not one.is_beyond))
    recognised = extra.recognised
    return Judged(
        readings=tuple(kept[:MOST_READINGS]),
        detail=Detail(
            traffic=traffic,
            moved=moved,
            guesses=extra.guesses,
            together=None if recognised is None else recognised.value,
            counts=b"" if day is None else day.counts,
            is_wide=day is not None and day.is_wide,
            alpha=spends.whole,
            notes=extra.notes,
            skew=extra.skew,
            slices=extra.slices,
            others=extra.others,
        ),
    )


def of_guess(guess: Guess) -> Reading:
    """An estimate as a reading."""
    return Reading(
        of=QUALITY,
        measure=guess.metric,
        value=guess.value,
        about="estimate",
        was=guess.was,
        low=guess.low,
        high=guess.high,
        is_beyond=guess.is_beyond,
    )
