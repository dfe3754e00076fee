"""What late labels prove of closed windows: joined by request, measured, and told as facts when it is new.

A window is proven when labels have had their time (`delay`), and again when more labels came, or other ones. Only the
windows that new labels are about are measured again. Neighbours: `core/watch_quality` says what a loss is,
`tables/labelled` joins.
"""

import io
from collections.abc import Iterator
from hashlib import blake2b
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from headway.core import facts as f
from headway.core.monitor_grammar import Plan
from headway.core.reference import Layout
from headway.core.watch import Watch
from headway.core.watch_detail import Measured, Moved, Proven, SliceMeasured, Trusted
from headway.core.watch_drift import beside
from headway.core.watch_due import waits_for_labels
from headway.core.watch_judge import spending
from headway.core.watch_quality import Promise, adds_up, can_be_lost, is_lost, pooled
from headway.core.watch_spans import Span
from headway.errors import BlobDamaged, BlobMissing, Unmeasurable
from headway.flows.delivery import Delivery
from headway.flows.predictions import files_of, folder_of
from headway.flows.watch_begin import Kept, promise_of

if TYPE_CHECKING:
    import polars as pl

    from headway.tables.labelled import Labelled

LEAST = 30
"""Of fewer labels nothing is said."""

MORE = 1.1
"""A window is told again when so many times more labels came, or all of them."""

PATIENCE = 20.0
"""However many labels trickle in, joining them takes a twentieth of a processor at most."""

SHOWN = 0.975
"""Each bound that people see is missed so seldom on its side: a range of 95 %."""

LEAST_OF_SLICE, MOST_SLICES = 30, 20
N_BINS = 10
FIRST = 2
"""So many proven windows say what is usual where nobody promised anything."""

_BESIDE = {"classes": ("accuracy", "auc", "recall", "precision"), "numbers": ("mae", "rmse"), "texts": ("accuracy",)}
"""What is measured beside the monitor's own metric."""


class _Measure(Struct, frozen=True, kw_only=True, eq=False):
    """What is needed to measure a window."""

    layout: Layout
    metric: str
    slices: tuple[str, ...] = ()


class Labels:
    """The labels of one endpoint, as far as they were looked at."""

    __slots__ = ("_folder", "_kept", "_looked_at", "_not_before", "_plan", "_seen", "_world")

    def __init__(self, world: Delivery, plan: Plan, kept: Kept) -> None:
        self._world = world
        self._plan = plan
        self._kept = kept
        self._folder = folder_of(world.home, plan.endpoint)
        self._seen = ""
        self._looked_at = self._not_before = 0.0

    def proven(self, watch: Watch, *, now: float) -> Iterator[f.QualitySeen]:
        """What is new of it, oldest window first. Cheap when no label came since the look before."""
        # What is proven late of the version before says whether going back to it would help.
        waiting = [one for one in (*watch.earlier, *watch.current) if self._is_due(one, now)]
        if not waiting or self._looked_at <= now < self._not_before:
            return
        files = files_of(self._folder, "labels")
        stamp = blake2b(msgspec.json.encode((files, waiting[-1].number)), digest_size=8).hexdigest()
        if not files or stamp == self._seen:
            return
        from headway.tables.labelled import Wanted, labelled, labels_since

        began_at = perf_counter()
        labels = labels_since(self._folder, waiting[0].since)
        wanted = [Wanted(version=one.version, since=one.since, until=one.until) for one in waiting]
        for window, there in zip(waiting, labelled(self._folder, labels, wanted), strict=True):
            found = self._of_window(window, watch, there)
            if found is not None:
                yield found
        self._seen = stamp
        self._looked_at, self._not_before = now, now + PATIENCE * (perf_counter() - began_at)

    def _is_due(self, window: f.WindowClosed, now: float) -> bool:
        return bool(window.n_rows) and waits_for_labels(window.until, self._plan, now)

    def _of_window(self, window: f.WindowClosed, watch: Watch, there: "Labelled") -> f.QualitySeen | None:
        began = watch.began if window.number >= watch.first else watch.before
        before = watch.quality.get(window.number)
        assert began is not None
        if there.n_labelled < LEAST or _is_known(before, there.n_labelled, there.n_rows, _stamp(there.frame)):
            return None
        told = _Measure(layout=self._kept.layout, metric=began.metric, slices=self._plan.slices)
        shown = _measured(there.frame, told, began.metric, SHOWN)
        if shown is None:
            return None
        promise = promise_of(began) or _usual(watch, window.number, began.metric)
        # Half of what proven quality may spend is for a window by itself, half for what adds up over windows.
        alpha = spending(self._plan, Span(since=window.since, until=window.until, cells=()).per_year).proven / 2
        sure = _measured(there.frame, told, began.metric, 1 - alpha)
        low, high = (shown.value if bound is None else bound for bound in (shown.low, shown.high))
        is_beyond = False
        if promise is not None and can_be_lost(began.metric):
            least = self._plan.least_loss
            at_once = sure is not None and is_lost(promise, sure.value, sure.low, sure.high, least_loss=least)
            so_far = [*_before(watch, window.number), (shown.value, low, high)]
            is_beyond = at_once or adds_up(promise, so_far, least_loss=least, windows_per_alarm=1 / alpha)
        return f.QualitySeen(
            monitor=self._plan.name,
            number=window.number,
            metric=began.metric,
            value=shown.value,
            low=low,
            high=high,
            n_labelled=there.n_labelled,
            n_rows=there.n_rows,
            expected=None if promise is None else promise.value,
            is_beyond=is_beyond,
            detail=self._world.blobs.put(
                msgspec.msgpack.encode(
                    replace(_proven(there.frame, told, shown), label_moved=self._label_moved(there.frame))
                )
            ),
            labels=_stamp(there.frame),
        )

    def _label_moved(self, frame: "pl.DataFrame") -> Moved | None:
        """How the labels differ from those of the reference; None where that has none."""
        import polars as pl

        from headway.tables.labelled import is_of_numbers, label_axis, label_counts

        try:
            rows = pl.read_parquet(io.BytesIO(self._world.blobs.get(self._kept.reference.rows)))
        except (BlobMissing, BlobDamaged):
            return None
        if "label" not in rows.columns or rows["label"].null_count() == rows.height:
            return None
        axis = label_axis(rows["label"], of_numbers=is_of_numbers(self._kept.layout))
        return beside(axis, label_counts(rows["label"], axis), label_counts(frame["label"], axis))


def _usual(watch: Watch, number: int, metric: str) -> Promise | None:
    """Where nobody promised anything, what the first proven windows showed."""
    first = watch.first if number >= watch.first else watch.first_before
    proven = [watch.quality[one] for one in sorted(watch.quality) if first <= one < number][:FIRST]
    if len(proven) < FIRST:
        return None
    value = pooled([(one.value, one.n_labelled) for one in proven])
    half = max((one.high - one.low) / 2 for one in proven) / FIRST**0.5
    return Promise(metric=metric, value=value, low=value - half, high=value + half, by="")


def _before(watch: Watch, number: int) -> list[tuple[float, float, float]]:
    """What labels proved of the version before this window: values with their bounds, oldest first."""
    first = watch.first if number >= watch.first else watch.first_before
    before = [watch.quality[one] for one in sorted(watch.quality) if first <= one < number]
    return [(one.value, one.low, one.high) for one in before]


def _is_known(before: f.QualitySeen | None, n_labelled: int, n_rows: int, stamp: str) -> bool:
    """Whether it was told already, or so nearly that nobody needs to hear it again."""
    if before is None:
        return False
    if before.labels == stamp:
        return True
    is_more = before.n_labelled < n_labelled < MORE * before.n_labelled
    return is_more and n_labelled < n_rows


def _stamp(frame: "pl.DataFrame") -> str:
    """Names the labels that were counted."""
    rows = frame.select("request_id", "row", "label")
    found = rows.hash_rows(seed=1).sort().to_numpy()
    return blake2b(found.tobytes(), digest_size=8).hexdigest()


def _measured(frame: "pl.DataFrame", told: _Measure, metric: str, confidence: float) -> Measured | None:
    from headway.stats.metrics import measure
    from headway.tables.labelled import measurable

    both = measurable(frame, told.layout)
    if both is None:
        return None
    try:
        found = measure(metric, both[0], both[1], None, confidence)
    except Unmeasurable:
        return None
    return Measured(metric=metric, value=found.value, low=found.low, high=found.high, n_rows=found.n_rows)


def _proven(frame: "pl.DataFrame", told: _Measure, shown: Measured) -> Proven:
    from headway.tables.labelled import is_of_numbers, slices_of

    kind = "numbers" if is_of_numbers(told.layout) else "texts" if told.layout.yes is None else "classes"
    others = [_measured(frame, told, metric, SHOWN) for metric in _BESIDE[kind] if metric != told.metric]
    slices = []
    for one in slices_of(frame, told.slices, least=LEAST_OF_SLICE, most=MOST_SLICES):
        measured = _measured(one.frame, told, told.metric, SHOWN)
        if measured is not None:
            slices.append(SliceMeasured(column=one.column, value=one.value, measured=measured))
    return Proven(
        metrics=(shown, *(one for one in others if one is not None)),
        slices=tuple(slices),
        calibration=_calibration(frame, told.layout),
    )


def _calibration(frame: "pl.DataFrame", layout: Layout) -> tuple[Trusted, ...]:
    """Rows by the chance that was given, in ten parts of alike many rows: what was said and what came true."""
    import numpy as np

    from headway.tables.labelled import held

    found = held(frame, layout)
    if found is None or not len(found[0]):
        return ()
    said, truth = found
    parts = [part for part in np.array_split(np.argsort(said, kind="stable"), N_BINS) if len(part)]
    return tuple(
        Trusted(said=float(said[part].mean()), held=float(truth[part].mean()), n_rows=len(part)) for part in parts
    )
