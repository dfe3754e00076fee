"""Slices of windows counted: the rows of each value of the monitor's `slices`, as the reference has them.

Cells know no slice, so that rows are read: at most MOST_ROWS of a window, whole requests, evenly. Which values there
are says the reference: one that stops coming is still looked at. Neighbour: `core/watch_slices` judges.
"""

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from headway.core.monitor_grammar import Plan
from headway.core.reference import shown
from headway.core.sketch import Sketch, merge
from headway.core.watch import Watch
from headway.core.watch_detail import SliceSeen
from headway.core.watch_judge import spending
from headway.core.watch_rhythm import Besides, Rhythm
from headway.core.watch_slices import Cells, Place, Rules, promises, seen
from headway.core.watch_spans import Span
from headway.core.watch_traffic import MOST_BEFORE
from headway.errors import BlobDamaged, BlobMissing
from headway.flows.watch_begin import Kept
from headway.flows.watch_kept import detail_of
from headway.flows.watch_rows import MOST_ROWS
from headway.ports import Blobs

if TYPE_CHECKING:
    import polars as pl

LEAST_OF_REFERENCE = 200
"""A value that fewer rows of the reference have is no slice: nothing is known of it."""

MOST = 20
"""So many slices are looked at, the most frequent ones."""

_SEED = 3


class Slices:
    """The slices of one version's windows. What the reference has of them is counted once."""

    __slots__ = ("_blobs", "_folder", "_kept", "_known", "_places", "_plan", "note")

    def __init__(self, blobs: Blobs, folder: str, plan: Plan, kept: Kept) -> None:
        self._blobs = blobs
        self._folder = folder
        self._plan = plan
        self._kept = kept
        self._places: list[Place] | None = None
        self._known: dict[int, tuple[SliceSeen, ...]] = {}
        self.note = ""
        """What could not be looked at, and why."""

    def look(
        self, span: Span, day: Span, rhythm: Rhythm | None, watch: Watch, *, is_whole: bool
    ) -> tuple[SliceSeen, ...]:
        """Each slice of a window judged; nothing where none is asked for or known.

        Columns and estimates by the `day` that ends with it; not at all where that `is_whole` no day. What those show
        counts if it is no `rhythm` of weeks.
        """
        if not self._plan.slices:
            return ()
        if self._places is None:
            began = watch.began
            self._places = self._of_reference("" if began is None else began.metric)
        places = self._places
        if not places:
            return ()
        step = max(math.ceil(day.n_rows / MOST_ROWS), 1)
        rows = self._rows(day, step)
        own = rows.filter(rows["at"] >= span.since) if day.since < span.since else rows
        before = self._before(watch)
        rules = self._rules(span, "" if watch.began is None else watch.began.metric, len(places))
        found: list[SliceSeen] = []
        unsure: list[tuple[int, Place, Cells]] = []
        for one in places:
            counted = self._counted(own, one)
            of_day = counted if own is rows else self._counted(rows, one)
            cells = Cells(own=counted, day=of_day if is_whole else None, scale=float(step))
            told = seen(one, cells, span, _of(before, one), rules)
            # Traffic has its own comparison with the windows before: no row need be read for it again.
            if rhythm is not None and any(one_.is_beyond and one_.about != "traffic" for one_ in told.readings):
                unsure.append((len(found), one, cells))
            found.append(told)
        if rhythm is None or not unsure:
            return tuple(found)
        week, same = (self._rows_of(spans) for spans in ([rhythm.week], rhythm.same))
        for at, one, cells in unsure:
            known = Besides(week=self._counted(week, one), same=self._counted(same, one))
            found[at] = seen(one, replace(cells, besides=known), span, _of(before, one), rules)
        return tuple(found)

    def _rules(self, span: Span, metric: str, n_slices: int) -> Rules:
        return Rules(
            spends=spending(self._plan, span.per_year),
            n_slices=n_slices,
            layout=self._kept.layout,
            metric=metric,
            least_effect=self._plan.least_effect,
            least_loss=self._plan.least_loss,
        )

    # --- the reference ------------------------------------------------------------------------------------------

    def _of_reference(self, metric: str) -> list[Place]:
        import polars as pl

        from headway.tables.labelled import slices_of
        from headway.tables.layouts import count_blocks

        rows = pl.read_parquet(io.BytesIO(self._blobs.get(self._kept.reference.rows)))
        there = set(rows.columns)
        missing = [one for one in self._plan.slices if f"feature.{one}" not in there]
        if missing:
            self.note = f"the reference has no column {', '.join(missing)}: only labels are looked at by it"
        found: list[Place] = []
        is_in_sample = self._kept.reference.is_in_sample
        for one in slices_of(rows, self._plan.slices, least=LEAST_OF_REFERENCE, most=MOST):
            cells, _ = count_blocks(one.frame, [0] * one.frame.height, self._kept.layout)
            on = self._kept.ground.of_rows(cells.table)
            # Of what it learned from a version is surer than of anything else.
            was = {} if is_in_sample else promises(cells, on, self._kept.layout, metric)
            on = on.with_outputs(None) if is_in_sample else on
            found.append(Place(column=one.column, value=shown(one.value), ground=on, was=was))
        return found[:MOST]

    # --- windows ------------------------------------------------------------------------------------------------

    def _rows(self, span: Span, step: int) -> "pl.DataFrame":
        """What was asked in a window, answered or not; one of `step` requests."""
        import polars as pl

        from headway.tables import prediction_log
        from headway.tables.labelled import together

        version = self._kept.layout.version
        frames = []
        for frame in prediction_log.scan(self._folder, since=span.since, until=span.until, failed=True):
            own = frame.filter(pl.col("version") == version)
            if step > 1:
                own = own.filter(pl.col("request_id").hash(_SEED) % step == 0)
            if own.height:
                frames.append(own)
        return together(frames)

    def _rows_of(self, spans: Sequence[Span]) -> "pl.DataFrame":
        """At most MOST_ROWS of what was asked in some spans of time."""
        from headway.tables.labelled import together

        step = max(math.ceil(sum(span.n_rows for span in spans) / MOST_ROWS), 1)
        return together([self._rows(span, step) for span in spans])

    def _counted(self, rows: "pl.DataFrame", place: Place) -> Sketch | None:
        import polars as pl

        from headway.tables.sketches.counter import Counter

        name = f"feature.{place.column}"
        if name not in rows.columns:
            return None
        alike = [value for value in rows[name].drop_nulls().unique().to_list() if shown(value) == place.value]
        own = rows.filter(pl.col(name).is_in(alike))
        if not own.height:
            return None
        counter = Counter(replace(self._kept.layout, cell_rows=2**31, cell_s=1e15))
        counter.add_frame(own)
        return merge(counter.cells())

    def _before(self, watch: Watch) -> list[tuple[SliceSeen, ...]]:
        """The slices of the windows before, the newest last; what the store has lost is left out."""
        found = []
        for window in watch.current[-MOST_BEFORE:]:
            if window.number not in self._known and window.detail is not None:
                try:
                    self._known[window.number] = detail_of(self._blobs, window).slices
                except (BlobMissing, BlobDamaged):
                    self._known[window.number] = ()
            found.append(self._known.get(window.number, ()))
        return found


def _of(before: Sequence[tuple[SliceSeen, ...]], place: Place) -> list[SliceSeen]:
    return [one for window in before for one in window if (one.column, one.value) == (place.column, place.value)]
