"""Windows of a monitor judged: cells of the prediction log read, put together, compared, and told as facts.

Cells are read once and remembered; rows are only looked at where cells do not suffice. Neighbours: `core/watch_spans`
says which windows are over, `core/watch_judge` judges, `watch` appends.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from headway.core import facts as f
from headway.core.monitor_grammar import DAY_S, Plan
from headway.core.sketch import UNIT, Sketch, merge
from headway.core.watch import Watch, tells
from headway.core.watch_detail import Detail, Guess, Skewed, headline
from headway.core.watch_estimate import Asked, guesses, not_estimated
from headway.core.watch_judge import Around, Extra, judge, spending
from headway.core.watch_quality import Promise
from headway.core.watch_rhythm import Rhythm, added, lost, rhythm_of, spans_of
from headway.core.watch_spans import Past, Span, over
from headway.flows.delivery import Delivery
from headway.flows.predictions import folder_of
from headway.flows.watch_begin import HISTORY_S, Kept
from headway.flows.watch_columns import Columns
from headway.flows.watch_kept import detail_of
from headway.flows.watch_rows import DAYS_A_YEAR, Rows
from headway.flows.watch_skew import Skews
from headway.flows.watch_slices import Slices
from headway.stats import causes
from headway.stats.estimate_sums import estimate_sums, sums_of
from headway.stats.sketch import numbers

if TYPE_CHECKING:
    from headway.tables.sketches import Known

WEEKS_S = 28 * DAY_S
"""With so much before it a window is compared as well, beside its reference."""

LEAST_BASE = 500
"""So many rows of a first window say what answers are usual, where the reference cannot."""

IN_SAMPLE = (
    "the reference is what the version learned from, to which its answers are better than to anything else: answers "
    "are compared with its first window instead; name rows that it did not see under `reference:`"
)


class Windows:
    """The cells of one version, as far as they were read, and what its windows are judged by."""

    __slots__ = ("_columns", "_first", "_folder", "_kept", "_known", "_plan", "_rows", "_skews", "_slices", "_world")

    def __init__(self, world: Delivery, plan: Plan, kept: Kept) -> None:
        self._world = world
        self._plan = plan
        self._kept = kept
        self._folder = folder_of(world.home, plan.endpoint)
        self._known: Known | None = None
        self._first: Detail | None = None
        self._rows = Rows(world.blobs, self._folder, plan, kept)
        self._columns = Columns(world.blobs, self._folder, plan, kept)
        self._slices = Slices(world.blobs, self._folder, plan, kept)
        self._skews = None if plan.skew is UNSET else Skews(world, plan.skew, self._folder, kept.layout.version)

    def over(self, watch: Watch, *, now: float) -> Iterator[Span]:
        """The windows that are over by now and were not judged yet, in order."""
        began = watch.began
        assert began is not None
        past = Past(until=began.since)
        if watch.current:
            last = watch.current[-1]
            past = Past(until=last.until, was_empty=not last.n_requests)
        if self._plan.window_s and not _may_be_over(past, self._plan, now):
            return iter(())
        return over(self.cells(watch), self._plan, self._kept.layout, past, now=now)

    def cells(self, watch: Watch) -> Sequence[Sketch]:
        """The cells of the version that the log has now, with those of the weeks before what was not judged yet."""
        from headway.tables import sketches

        since = self._since(watch)
        before = sketches.Known(since=since) if self._known is None else self._known.from_(since)
        self._known = sketches.read(self._folder, self._kept.layout, before)
        return self._known.cells

    def _since(self, watch: Watch) -> float:
        assert watch.began is not None
        until = watch.current[-1].until if watch.current else watch.began.since
        # A cell that reaches over the release is of the version as well.
        return max(watch.began.since, until - HISTORY_S) - self._kept.layout.cell_s

    def closed(self, span: Span, watch: Watch) -> f.WindowClosed:
        """A window judged; its detail is kept."""
        cells = merge(span.cells) if span.cells else None
        day = self._day(span, watch)
        around = self._around(span, day, watch)
        judged = judge(span, cells, self._plan, around, self._extra(span, cells, around.rhythm, watch, day=day))
        detail = replace(judged.detail, causes=self._explained(around.day, judged.detail))
        return f.WindowClosed(
            monitor=self._plan.name,
            number=watch.n_windows + 1,
            version=self._kept.layout.version,
            since=span.since,
            until=span.until,
            n_requests=judged.detail.traffic.n_requests,
            n_rows=span.n_rows,
            n_failed=judged.detail.traffic.n_failed,
            readings=judged.readings,
            detail=self._world.blobs.put(msgspec.msgpack.encode(detail)),
            n_unjudged=self._unjudged(span, watch),
        )

    def _day(self, span: Span, watch: Watch) -> Span:
        """By what columns and estimates are judged: the window, or the day that ends with it where that is longer."""
        began = watch.began
        assert began is not None
        since = max(span.until - DAY_S, began.since)
        if not self._plan.window_s or not span.cells or span.since <= since:
            return span
        own = set(map(id, span.cells))
        before = [one for one in self._all() if since <= one.first_at and one.last_at < span.until]
        return replace(span, since=since, cells=(*(one for one in before if id(one) not in own), *span.cells))

    def _is_whole(self, since: float, until: float) -> bool:
        """Whether all hours of a day are in that time. Windows of rows may be of any time: who chose them knows."""
        return not self._plan.window_s or until - since >= DAY_S

    def _base(self, watch: Watch) -> Detail | None:
        """The first window that tells enough, where the reference's own answers are not to be compared with."""
        if not self._kept.reference.is_in_sample:
            return None
        if self._first is None and watch.began is not None:
            since = watch.began.since
            enough = [one for one in watch.current if one.n_rows >= LEAST_BASE and self._is_whole(since, one.until)]
            if enough:
                self._first = detail_of(self._world.blobs, enough[0])
        return self._first

    def _around(self, span: Span, day: Span, watch: Watch) -> Around:
        base = self._base(watch)
        weeks = [cell for cell in self._all() if span.since - WEEKS_S <= cell.first_at < span.since]
        on = self._kept.ground
        if base is not None:
            counts = numbers(base.counts, is_wide=base.is_wide).reshape(len(on.axes), -1)
            on = on.with_outputs(counts)
        elif self._kept.reference.is_in_sample:
            on = on.with_outputs(None)
        return Around(
            ground=on,
            before=tuple(watch.current),
            weeks=merge(weeks) if weeks and span.cells else None,
            day=merge(day.cells) if day.cells else None,
            is_whole=self._is_whole(day.since, day.until),
            rhythm=self._rhythm(day, watch),
        )

    def _rhythm(self, day: Span, watch: Watch) -> Rhythm | None:
        began = watch.began
        assert began is not None
        return rhythm_of(self._all(), day.since, day.until, began=began.since) if self._plan.window_s else None

    def _extra(self, span: Span, cells: Sketch | None, rhythm: Rhythm | None, watch: Watch, *, day: Span) -> Extra:
        began, reference = watch.began, self._kept.reference
        assert began is not None
        if cells is None:
            return Extra()
        others, of_others = self._columns.look(span, cells, watch)
        if not cells.n_rows:
            return Extra(others=others, of_others=tuple(of_others))
        asked = Asked(
            metric=began.metric,
            was=self._was(self._base(watch)) if self._is_whole(day.since, day.until) else {},
            alpha=spending(self._plan, span.per_year).estimate,
            least_loss=self._plan.least_loss,
        )
        found = lost(asked, rhythm, lambda part, asked: self._guesses(spans_of(part, day, rhythm), asked))
        is_asked = self._rows.is_due(span) and self._is_whole(day.since, day.until)
        recognised = self._rows.recognised(day, rhythm, per_year=span.per_year) if is_asked else None
        skew = self._skew(span, watch)
        slices = self._slices.look(span, day, rhythm, watch, is_whole=self._is_whole(day.since, day.until))
        told = (
            IN_SAMPLE if reference.is_in_sample else "",
            not_estimated(self._kept.layout),
            self._rows.note,
            self._skews.note if self._skews else "",
            self._slices.note,
        )
        return Extra(
            guesses=found,
            recognised=recognised,
            skew=skew,
            slices=slices,
            of_slices=headline(slices),
            others=others,
            of_others=tuple(of_others),
            notes=tuple(one for one in told if one),
        )

    def _guesses(self, spans: Sequence[Span], asked: Asked) -> tuple[Guess, ...]:
        """What is estimated of some spans of time."""
        if self._rows.gives_numbers:
            guess = self._rows.guess(spans, asked)
            return () if guess is None else (guess,)
        cells = added(spans)
        return () if cells is None else guesses(cells, self._kept.layout, self._kept.ground, asked)

    def _skew(self, span: Span, watch: Watch) -> Skewed | None:
        """How features are made, asked by the first window that ends on a day, or by each where those are longer."""
        asked = {math.floor(one.until / DAY_S) for one in watch.current if tells(one, "skew")}
        if self._skews is None or math.floor(span.until / DAY_S) in asked:
            return None
        return self._skews.look(span, alpha=spending(self._plan, min(span.per_year, DAYS_A_YEAR)).skew)

    def _was(self, base: Detail | None) -> dict[str, Promise]:
        """What each metric that is estimated is to be."""
        reference = self._kept.reference
        if not reference.is_in_sample:
            told = [(metric, one.value, one.low, one.high) for metric, one in reference.realised.items()]
        else:
            # What it learned from it answers better than anything else: the first window says what is usual.
            told = [] if base is None else [(one.metric, one.value, one.low, one.high) for one in base.guesses]
        return {metric: Promise(metric=metric, value=value, low=low, high=high) for metric, value, low, high in told}

    def _explained(self, cells: Sketch | None, detail: Detail) -> tuple[f.Cause, ...]:
        """Which part of an estimated loss each column explains that moved; nothing where nothing is estimated."""
        layout, reference = self._kept.layout, self._kept.reference
        moved = [one.of for one in detail.moved if one.side == "input" and "values" in one.beyond]
        if cells is None or not cells.sums or not moved or layout.calibration is None:
            return ()
        from headway.tables.explaining import explaining

        at = [layout.axis(name) for name in moved]
        rows = explaining(self._world.blobs.get(reference.rows), layout, [layout.axes[one] for one in at])
        if rows is None:
            return ()
        sums = sums_of(cells.sums, cells.blocks, unit=UNIT)
        change = estimate_sums("accuracy", layout.calibration.isotonic, sums).value - float(rows.right.mean())
        if change >= 0:
            return ()
        window = [cells.table[one] for one in at]
        found = causes.explained(moved, rows.cells, causes.Rows(parts=rows.right[:, None]), window, change)
        moved_by = {one.of: one.psi for one in detail.moved}
        return tuple(f.Cause(of=one.name, moved=moved_by[one.name], explains=one.explains) for one in found)

    def _unjudged(self, span: Span, watch: Watch) -> int:
        """Rows that came when their window had been judged already, of those windows that the log still has whole."""
        judged = [one for one in watch.current if span.since - HISTORY_S <= one.since and one.until <= span.since]
        if not self._plan.window_s or not judged:
            return 0
        ends = [one.until for one in judged]
        there = [0] * len(judged)
        for cell in self._all():
            at = bisect_right(ends, cell.first_at)
            if at < len(judged) and judged[at].since <= cell.first_at:
                there[at] += cell.n_rows
        return sum(max(n - one.n_rows, 0) for n, one in zip(there, judged, strict=True))

    def _all(self) -> Sequence[Sketch]:
        return () if self._known is None else self._known.cells


def _may_be_over(past: Past, plan: Plan, now: float) -> bool:
    """Whether any window of time can have ended: the cells need not be read before."""
    return past.was_empty or now >= past.until + plan.window_s / 2
