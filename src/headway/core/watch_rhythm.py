"""Whether what a day shows is news or the rhythm of the week: it is held against its week and the same days before.

A reference says what is usual over all its days. Weekends may lie off that every week, which no reference can tell that
is in no order of time. So what counts on a day must show once more, without the rhythm: in the seven days that end with
it against the reference, which hold each day of the week once, or in the day against the same days of the four weeks
before. Whatever comes suddenly shows in the second, what comes slowly and what stays in the first (ADR 45). Each is
asked at half of the level and for half of what matters. A version's first eight days know no rhythm yet.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from headway.core.monitor_grammar import DAY_S
from headway.core.sketch import Sketch, merge
from headway.core.watch_detail import Guess, Moved
from headway.core.watch_drift import Ground, Levels, moves
from headway.core.watch_estimate import Asked
from headway.core.watch_quality import Promise
from headway.core.watch_spans import Span
from headway.stats.bins import Counts

WEEK_S = 7 * DAY_S

N_WEEKS = 4
"""Of so many weeks before the same days are looked at."""

HALF = 0.5
"""So much of the level, and of what matters, is for each of the two ways in which a day can show that it is news."""

Part = Literal["day", "week", "same"]


class Rhythm(Struct, frozen=True, kw_only=True):
    """The `week` that ends with a day, and the `same` day of the weeks before, those that were answered in."""

    week: Span
    same: tuple[Span, ...]


def rhythm_of(cells: Sequence[Sketch], since: float, until: float, *, began: float) -> Rhythm | None:
    """What a day from `since` to `until` is held against besides the reference; `cells` are all of the version.

    None where a version that `began` then has no such day before, and for what is as long as a week.
    """
    if until - since >= WEEK_S or since - WEEK_S < began:
        return None
    before = [n * WEEK_S for n in range(1, N_WEEKS + 1) if since - n * WEEK_S >= began]
    same = [_span(cells, since - back, until - back) for back in before]
    return Rhythm(week=_span(cells, until - WEEK_S, until), same=tuple(one for one in same if one.cells))


def _span(cells: Sequence[Sketch], since: float, until: float) -> Span:
    return Span(since=since, until=until, cells=tuple(one for one in cells if since <= one.first_at < until))


def added(spans: Sequence[Span]) -> Sketch | None:
    """All cells of some spans added up; None where there is none."""
    cells = [cell for span in spans for cell in span.cells]
    return merge(cells) if cells else None


def spans_of(part: Part, day: Span, rhythm: Rhythm | None) -> tuple[Span, ...]:
    """Which spans of time a part is; of no rhythm there is only the day."""
    if part == "day" or rhythm is None:
        return (day,) if part == "day" else ()
    return (rhythm.week,) if part == "week" else rhythm.same


class Besides(Struct, frozen=True, kw_only=True):
    """The counts of a week and of the same days before; None where nothing was answered."""

    week: Sketch | None
    same: Sketch | None


def besides(rhythm: Rhythm | None) -> Besides | None:
    """What is counted of a rhythm; None where there is none."""
    return None if rhythm is None else Besides(week=added([rhythm.week]), same=added(rhythm.same))


def news(
    on: Ground, moved: tuple[Moved, ...], counts: Counts, levels: Levels, known: Callable[[], Besides | None]
) -> tuple[Moved, ...]:
    """Of what counts in the columns of a day, `counts` of shape `(n_axes, 64)`, only what is no rhythm of weeks.

    `known` is asked only where something counts.
    """
    if not any(one.beyond for one in moved) or (found := known()) is None:
        return moved
    half = Levels(inputs=HALF * levels.inputs, outputs=HALF * levels.outputs, least=HALF * levels.least)
    week = () if found.week is None else moves(on, found.week.table, half)
    same = moves(on.of_rows(found.same.table), counts, half) if found.same is not None and found.same.n_rows else ()
    shown = {(one.of, one.side, what) for one in (*week, *same) for what in one.beyond}
    return tuple(
        replace(one, beyond=tuple(what for what in one.beyond if (one.of, one.side, what) in shown)) for one in moved
    )


def lost(
    asked: Asked, rhythm: Rhythm | Besides | None, ask: Callable[[Part, Asked], tuple[Guess, ...]]
) -> tuple[Guess, ...]:
    """What is estimated of a day, where a loss counts only if it is no rhythm of weeks; `ask` estimates a part."""
    found = ask("day", asked)
    if rhythm is None or not any(one.is_beyond for one in found):
        return found
    half = replace(asked, alpha=HALF * asked.alpha, least_loss=HALF * asked.least_loss)
    usual = {
        one.metric: Promise(metric=one.metric, value=one.value, low=one.low, high=one.high)
        for one in ask("same", replace(half, was={}))
    }
    again = (*ask("week", half), *ask("day", replace(half, was=usual)))
    shown = {one.metric for one in again if one.is_beyond}
    return tuple(replace(one, is_beyond=one.is_beyond and one.metric in shown) for one in found)
