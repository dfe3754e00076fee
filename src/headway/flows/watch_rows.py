"""What needs the rows of a window and not only its cells: all columns told apart together, losses of numbers estimated.

Rows are read a segment at a time and thinned evenly, so that a window of ten million costs little more room than one of
ten thousand. Both need scikit-learn; without it they are left out, and that is told. Neighbour: `watch_windows`.
"""

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from headway.core.facts import Reading
from headway.core.monitor_grammar import DAY_S, Plan
from headway.core.reference import PREDICTION, Layout
from headway.core.watch_detail import Guess
from headway.core.watch_estimate import Asked
from headway.core.watch_judge import spending
from headway.core.watch_quality import is_lost
from headway.core.watch_rhythm import HALF, Rhythm
from headway.core.watch_spans import Span
from headway.errors import ExtraMissing, Unmeasurable
from headway.flows.watch_begin import Kept
from headway.ports import Blobs

if TYPE_CHECKING:
    import polars as pl

    from headway.tables.domain import ToldApart
    from headway.tables.loss_model import LossModel

MOST_ROWS = 20_000
"""So many rows of a window are looked at, evenly over all."""

DAYS_A_YEAR = 365.25
"""So often at most it is asked what is asked once a day, or by each window where those are longer."""

USUAL_LOSS = "mae"
"""What is estimated of a model that gives numbers where the monitor's own metric cannot be."""


class Rows:
    """The rows of one version's reference and windows. What is learned of the reference is learned once."""

    __slots__ = ("_blobs", "_folder", "_kept", "_model", "_plan", "note")

    def __init__(self, blobs: Blobs, folder: str, plan: Plan, kept: Kept) -> None:
        self._blobs = blobs
        self._folder = folder
        self._plan = plan
        self._kept = kept
        self._model: LossModel | None = None
        self.note = ""
        """What was left out, and why."""

    def of_spans(self, spans: Sequence[Span]) -> "pl.DataFrame":
        """At most MOST_ROWS rows of some spans of time, evenly, in order of time."""
        import polars as pl

        from headway.tables import prediction_log
        from headway.tables.labelled import together

        step = max(math.ceil(sum(span.n_rows for span in spans) / MOST_ROWS), 1)
        version = self._kept.layout.version
        frames = [
            frame.filter(pl.col("version") == version).gather_every(step)
            for span in sorted(spans, key=lambda one: one.since)
            for frame in prediction_log.scan(self._folder, since=span.since, until=span.until)
        ]
        return together([frame for frame in frames if frame.height])

    # --- all columns together -----------------------------------------------------------------------------------

    def is_due(self, span: Span) -> bool:
        """Whether all columns are looked at together: once a day, by the window that reaches into the next."""
        return span.until - span.since >= DAY_S or math.floor(span.since / DAY_S) < math.floor(span.until / DAY_S)

    def recognised(self, day: Span, rhythm: Rhythm | None, *, per_year: float) -> Reading | None:
        """How often a row of a day is told from one of the reference; None where that cannot be learned.

        It counts if it is no rhythm of weeks. At most DAYS_A_YEAR of `per_year` windows ask.
        """
        layout = self._kept.layout
        rows = self.of_spans([day])
        if not layout.inputs or not rows.height:
            return None
        found = self._apart(self._read(), rows)
        if found is None:
            return None
        alpha = spending(self._plan, min(per_year, DAYS_A_YEAR)).together
        is_beyond = found.p <= alpha and found.share >= self._plan.least_effect
        if is_beyond and rhythm is not None:
            is_beyond = self._is_apart(
                self._read(), self.of_spans([rhythm.week]), alpha=HALF * alpha
            ) or self._is_apart(self.of_spans(rhythm.same), rows, alpha=HALF * alpha)
        return Reading(
            of="rows", measure="recognised", value=found.n_right / found.n_rows, p=found.p, is_beyond=is_beyond
        )

    def _is_apart(self, usual: "pl.DataFrame", rows: "pl.DataFrame", *, alpha: float) -> bool:
        if not usual.height or not rows.height:
            return False
        found = self._apart(usual, rows)
        return found is not None and found.p <= alpha and found.share >= HALF * self._plan.least_effect

    def _apart(self, usual: "pl.DataFrame", rows: "pl.DataFrame") -> "ToldApart | None":
        from headway.tables.domain import tell_apart

        layout = self._kept.layout
        effects = [axis.effects for axis in self._kept.ground.against[: len(layout.inputs)]]
        try:
            return tell_apart(
                _inputs(usual, layout),
                _inputs(rows, layout),
                effect=max(one.values for one in effects),
                n_blocks=max(one.n_blocks for one in effects),
            )
        except Unmeasurable:
            return None
        except ExtraMissing as e:
            self.note = f"columns were not looked at together: {e.problem}; {e.remedy}"
            return None

    # --- losses of numbers --------------------------------------------------------------------------------------

    @property
    def gives_numbers(self) -> bool:
        """Whether the version gives numbers, of which what they lose can be estimated."""
        layout = self._kept.layout
        return layout.yes is None and any(one.name == PREDICTION and one.kind == "number" for one in layout.outputs)

    def guess(self, spans: Sequence[Span], asked: Asked) -> Guess | None:
        """The loss of a model that gives numbers, estimated; None where nothing can be learned of the reference."""
        import numpy as np
        import polars as pl

        from headway.tables.loss_model import LOSSES

        loss = asked.metric if asked.metric in LOSSES else USUAL_LOSS
        promise = asked.was.get(loss)
        model = self._learned(loss)
        rows = None if model is None else self.of_spans(spans)
        if model is None or rows is None or PREDICTION not in rows.columns:
            return None
        said = np.asarray(rows[PREDICTION].cast(pl.Float64, strict=False).to_numpy(), dtype=np.float64)
        there = np.isfinite(said)
        inputs = _inputs(rows, self._kept.layout).filter(pl.Series(there))
        effects = [one.effects.values for one in self._kept.ground.against]
        try:
            shown, sure = (
                model.estimate(inputs, said[there], confidence=confidence, effect=max(effects))
                for confidence in (0.95, 1 - 2 * asked.alpha)
            )
        except Unmeasurable:
            return None
        return Guess(
            metric=loss,
            value=shown.value,
            low=shown.low,
            high=shown.high,
            was=None if promise is None else promise.value,
            is_beyond=promise is not None
            and is_lost(promise, sure.value, sure.low, sure.high, least_loss=asked.least_loss),
        )

    def _learned(self, loss: str) -> "LossModel | None":
        import numpy as np
        import polars as pl

        from headway.tables.loss_model import fit

        if self._model is not None or self.note:
            return self._model
        rows = self._read()
        if "label" not in rows.columns or PREDICTION not in rows.columns:
            return None
        said, true = (
            np.asarray(rows[name].cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy(), dtype=np.float64)
            for name in (PREDICTION, "label")
        )
        try:
            self._model = fit(_inputs(rows, self._kept.layout), said, true, loss)
        except (Unmeasurable, ExtraMissing) as e:
            self.note = f"{loss} is not estimated without labels: {e.problem}; {e.remedy}"
        return self._model

    def _read(self) -> "pl.DataFrame":
        """The reference's rows. They are not kept: one process may look after a hundred monitors."""
        import polars as pl

        return pl.read_parquet(io.BytesIO(self._blobs.get(self._kept.reference.rows)))


def _inputs(rows: "pl.DataFrame", layout: Layout) -> "pl.DataFrame":
    """What goes in, of types that do not depend on the window; a column that is not there is null."""
    import polars as pl

    columns = []
    for axis in layout.inputs:
        name = f"feature.{axis.name}"
        kind = pl.Float64() if axis.kind == "number" else pl.String()
        there = pl.col(name).cast(kind, strict=False) if name in rows.columns else pl.lit(None, kind).alias(name)
        columns.append(there)
    return rows.select(columns)
