"""How a version begins to be watched: its reference made and tried, what was promised of it, the fact that says so.

Made anew when it is killed before the fact is written: nothing is changed by that. Neighbour: `reference` asks the
version and counts what it answers.
"""

import msgspec
from msgspec import Struct

from headway.core import facts as f
from headway.core.check import Evidence
from headway.core.gate_kept import KeptGate
from headway.core.metric import words_of
from headway.core.monitor_grammar import DAY_S, YEAR_S, Plan
from headway.core.reference import Layout, Reference, layout_id
from headway.core.watch import Watch
from headway.core.watch_drift import Ground, Levels, ground, tried
from headway.core.watch_judge import spending
from headway.core.watch_quality import Promise, can_be_lost
from headway.errors import BlobDamaged, BlobMissing, SystemRefused
from headway.flows import gate_show, registry
from headway.flows.delivery import Delivery
from headway.flows.predictions import folder_of
from headway.flows.watch_served import Served, key_of
from headway.ports import Blobs
from headway.stats.interval import clopper_pearson
from headway.stats.sketch import numbers

HISTORY_S = 35 * DAY_S
"""Of a version that has served for long the last five weeks are looked at first, so that there are weeks before."""


class Kept(Struct, frozen=True, kw_only=True, eq=False):
    """A reference as windows are judged against it."""

    reference: Reference
    ground: Ground

    @property
    def layout(self) -> Layout:
        """What windows are counted on."""
        return self.reference.layout


def since_of(watch: Watch, served: Served, now: float) -> float:
    """From when on a version's answers are looked at: where it took over, or what was judged of it already."""
    is_same = watch.began is not None and (watch.began.model, watch.began.version) == (
        served.release.model,
        served.release.version,
    )
    judged = watch.windows[-1].until if is_same and watch.windows and watch.current else 0.0
    return max(served.since, now - HISTORY_S, judged)


def made(world: Delivery, plan: Plan, served: Served) -> tuple[f.MonitorBegan, Kept]:
    """The reference of a version, kept, and the fact; `since` is left for the caller. Takes seconds to minutes.

    Raises what `flows/reference.made` raises: without a reference nothing can be compared.
    """
    from headway.flows import reference as making

    release = served.release
    reference = making.made(world, plan.endpoint, release.version, plan.reference, plan.target, plan.window_rows)
    digest = world.blobs.put(msgspec.json.encode(reference))
    world.blobs.sync()
    lay(world, plan.endpoint, reference.layout)
    kept = kept_of(world.blobs, reference)
    promise = _promise(world, plan, served, reference)
    fact = f.MonitorBegan(
        monitor=plan.name,
        endpoint=plan.endpoint,
        model=release.model,
        version=release.version,
        reference=digest,
        layout=layout_id(reference.layout),
        window=plan.window,
        false_alarms_per_year=plan.false_alarms_per_year,
        key=key_of(plan, served),
        metric=metric_of(plan, reference),
        promised=None if promise is None else promise.value,
        promised_low=None if promise is None else promise.low,
        promised_high=None if promise is None else promise.high,
        promised_by="" if promise is None else promise.by,
        back_test=_tried(plan, kept),
        previous=served.previous,
        rows=reference.rows,
        blocks=reference.blocks,
    )
    return fact, kept


def read(blobs: Blobs, began: f.MonitorBegan) -> Kept:
    """The reference that a monitor began with. Raises BlobMissing, BlobDamaged."""
    return kept_of(blobs, msgspec.json.decode(blobs.get(began.reference), type=Reference))


def kept_of(blobs: Blobs, reference: Reference) -> Kept:
    """A reference with its blocks. Raises BlobMissing, BlobDamaged."""
    import numpy as np

    n_axes = len(reference.layout.axes)
    counts = numbers(reference.counts).reshape(n_axes, -1)
    parts = msgspec.msgpack.decode(blobs.get(reference.blocks), type=list[bytes])
    blocks = np.stack([numbers(one).reshape(n_axes, -1) for one in parts]) if parts else np.empty((0, *counts.shape))
    return Kept(reference=reference, ground=ground(reference, counts, blocks.astype(np.int64)))


def lay(world: Delivery, endpoint: str, layout: Layout) -> None:
    """Put the layout where the servers of the endpoint count by it; it lies there already, mostly.

    Raises SystemRefused.
    """
    from headway.tables.sketches.files import write_layout

    folder = folder_of(world.home, endpoint)
    try:
        write_layout(folder, layout)
    except OSError as e:
        raise SystemRefused(
            f"the layout of version {layout.version} cannot be written: {e.strerror}",
            at=folder,
            remedy="see that there is room, and that the folder may be written",
        ) from e


def metric_of(plan: Plan, reference: Reference) -> str:
    """What quality is measured by: what was said, or what suits the model's answers."""
    if plan.metric:
        return plan.metric
    kinds = {axis.kind for axis in reference.layout.outputs if axis.name == "prediction"}
    return "mae" if kinds == {"number"} and reference.layout.yes is None else "accuracy"


def promise_of(began: f.MonitorBegan) -> Promise | None:
    """What was promised of the monitor's metric, with its range; None where nothing can be held to it."""
    if began.promised is None or not began.promised_by:
        return None
    return Promise(
        metric=began.metric,
        value=began.promised,
        low=began.promised_low,
        high=began.promised_high,
        by=began.promised_by,
    )


def _promise(world: Delivery, plan: Plan, served: Served, reference: Reference) -> Promise | None:
    metric = metric_of(plan, reference)
    if not can_be_lost(metric):
        return None
    promised = _of_gate(world, served, metric)
    realised = reference.realised.get(metric)
    if promised is not None or realised is None or reference.is_in_sample:
        # Of rows that it learned from a version answers more rightly than it ever will again.
        return promised
    return Promise(metric=metric, value=realised.value, low=realised.low, high=realised.high, by="reference")


def _of_gate(world: Delivery, served: Served, metric: str) -> Promise | None:
    """What the gate measured of the version."""
    release = served.release
    verdict = registry.read(world.log, release.model).judged(release.version).verdict
    if verdict is None:
        return None
    try:
        kept: KeptGate | None = gate_show.read(verdict, world.blobs)
    except (BlobMissing, BlobDamaged):
        return None
    told = [] if kept is None else [check.evidence for check in kept.verdict.checks if check.evidence is not None]
    found = [promise for evidence in told if (promise := _of_evidence(evidence, metric)) is not None]
    return found[0] if found else None


def _of_evidence(evidence: Evidence, metric: str) -> Promise | None:
    """What a check says of the version's own metric, with a range; None where it says nothing of it."""
    if evidence.metric != metric:
        return None
    if evidence.new is None or (evidence.old is None and evidence.new == evidence.estimate):
        return Promise(metric=metric, value=evidence.estimate, low=evidence.low, high=evidence.high, by="gate")
    if not words_of(metric).percent or not evidence.n_rows:
        # The range is that of a difference: nothing bounds what it says of the version itself.
        return None
    n = evidence.n_rows
    range_ = clopper_pearson(round(evidence.new * n), n)
    return Promise(metric=metric, value=evidence.new, low=range_.low, high=range_.high, by="gate")


def _tried(plan: Plan, kept: Kept) -> f.BackTest | None:
    spends = spending(plan, YEAR_S / (plan.window_s or DAY_S))
    levels = Levels(inputs=spends.inputs, outputs=spends.outputs, least=plan.least_effect)
    n_rows = plan.window_rows or kept.reference.n_rows // 8
    return tried(kept.ground, levels, n_rows=n_rows)
