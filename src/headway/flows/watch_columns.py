"""Columns of requests that the reference does not have, counted window by window, and what of them counts.

Neighbour: `core/watch_columns` judges, `tables/new_columns` reads.
"""

from collections.abc import Sequence
from contextlib import suppress

from headway.core.facts import Reading
from headway.core.monitor_grammar import Plan
from headway.core.sketch import Sketch
from headway.core.watch import Watch
from headway.core.watch_columns import MOST_TOLD, Come, Rules, columns
from headway.core.watch_drift import FEW
from headway.core.watch_judge import spending
from headway.core.watch_spans import Span
from headway.core.watch_traffic import MOST_BEFORE
from headway.errors import BlobDamaged, BlobMissing
from headway.flows.watch_begin import Kept
from headway.flows.watch_kept import detail_of
from headway.ports import Blobs


class Columns:
    """The columns of one version's windows. What was counted of a window before is read once."""

    __slots__ = ("_blobs", "_folder", "_kept", "_known", "_plan")

    def __init__(self, blobs: Blobs, folder: str, plan: Plan, kept: Kept) -> None:
        self._blobs = blobs
        self._folder = folder
        self._plan = plan
        self._kept = kept
        self._known: dict[int, Come] = {}

    def look(self, span: Span, cells: Sketch, watch: Watch) -> tuple[dict[str, int], Sequence[Reading]]:
        """How many rows have each other column, answered or not, and what of that counts."""
        from headway.tables.labelled import Wanted
        from headway.tables.new_columns import others

        layout = self._kept.layout
        wanted = Wanted(version=layout.version, since=span.since, until=span.until)
        found = others(self._folder, wanted, [axis.name for axis in layout.inputs])
        now = Come(n_rows=span.n_rows + sum(cells.failures.values()), columns=found)
        return found, columns(now, self._before(watch), self._rules(span))[:MOST_TOLD]

    def _rules(self, span: Span) -> Rules:
        effects = [one.effects for one in self._kept.ground.against]
        return Rules(
            alpha=spending(self._plan, span.per_year).columns,
            least=min(self._plan.least_effect, FEW),
            effect=max((max(one.values, one.missing) for one in effects), default=1.0),
        )

    def _before(self, watch: Watch) -> list[Come]:
        """What came in the windows before; what the store has lost, or nobody counted, is left out."""
        windows = watch.current[-MOST_BEFORE:]
        for window in windows:
            if window.number not in self._known and window.n_requests and window.detail is not None:
                with suppress(BlobMissing, BlobDamaged):
                    found = detail_of(self._blobs, window).others
                    if found is not None:
                        self._known[window.number] = Come(n_rows=window.n_rows + window.n_failed, columns=found)
        return [self._known[one.number] for one in windows if one.number in self._known]
