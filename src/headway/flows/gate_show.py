"""Find what a gate kept: of a run and step, or by the digest of its verdict. Reads; records nothing.

Neighbours: `core/gate_kept` is what is found, `steps/gate` wrote it, `flows/history` looks back at whole runs.
"""

from collections.abc import Iterator
from typing import cast

import msgspec

from headway.core.facts import ModelJudged, ModelRegistered, StepFinished
from headway.core.gate_kept import GateView, KeptGate
from headway.core.history import RunView, StepView
from headway.core.ids import Digest, RunId
from headway.errors import BlobMissing, NameUnknown, UsageMistaken
from headway.flows import history, holdouts, launch
from headway.ports import Blobs, Log

LEAST = 8
"""Digits of a digest that a person must give."""


def of_run(run: RunId | None, step: str | None, *, log: Log, blobs: Blobs) -> GateView:
    """The gate of a run (None: the newest), of its step `step` where it has several.

    Raises NameUnknown without a run, a gate or that step; UsageMistaken when it has several and none is named;
    BlobMissing, BlobDamaged.
    """
    if run is None:
        run = launch.latest(log)
        if run is None:
            raise NameUnknown(
                "there is no run yet, and no gate", at="RUN", remedy="`headway run` makes the first; docs/gates.md"
            )
    view = history.run_view(run, log)
    gates = [one for one in view.steps.values() if _is_gate(one, blobs)]
    return _view(_chosen(view, gates, step), view.run, log=log, blobs=blobs)


def _is_gate(step: StepView, blobs: Blobs) -> bool:
    """By what it reported: the digest of a gate's record. Other steps may call something else a verdict."""
    digest = step.values.get("verdict", "")
    if not _is_digest(digest):
        return False
    try:
        return read(Digest(digest), blobs) is not None
    except BlobMissing:
        # Gone with an old run: that is told when it is asked for.
        return True


def _is_digest(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


def _chosen(view: RunView, gates: list[StepView], step: str | None) -> StepView:
    names = [one.step for one in gates]
    if step is not None:
        if step in names:
            return gates[names.index(step)]
        is_known = step in view.steps
        raise NameUnknown(
            f"step {step!r} of run {view.run} kept no verdict of a gate"
            if is_known
            else f"run {view.run} has no step {step!r}",
            at="--step",
            remedy=f"its gates are {', '.join(names)}" if names else f"`headway show {view.run}` lists its steps",
        )
    if not gates:
        raise NameUnknown(
            f"run {view.run} has no verdict of a gate",
            at="RUN",
            remedy=f"`headway show {view.run}` tells how far it came; name an earlier run (`headway runs`), "
            "or add a step with `uses: gate` (docs/gates.md)",
        )
    if len(gates) > 1:
        raise UsageMistaken(
            f"run {view.run} has {len(gates)} gates: {', '.join(names)}",
            at="--step",
            remedy=f"name one: --step {names[-1]}",
        )
    return gates[0]


def _view(step: StepView, run: RunId, *, log: Log, blobs: Blobs) -> GateView:
    digest = Digest(step.values["verdict"])
    kept = read(digest, blobs)
    assert kept is not None, "it was seen to be a gate's"
    made_by = step.of_run or run
    return GateView(digest=digest, kept=kept, run=made_by, step=step.step, asked=asked_of(kept, log))


def of_digest(text: str, *, log: Log, blobs: Blobs) -> GateView:
    """The gate whose verdict has this digest, or the only one whose digest begins so.

    Raises NameUnknown when none has or several have, BlobMissing, BlobDamaged.
    """
    known = dict(_verdicts(log))
    found = [digest for digest in known if digest.startswith(text)]
    if not found and _is_digest(text):
        # One that another project's log tells of may be in a store that is shared.
        found = [Digest(text)]
    if len(found) > 1:
        raise NameUnknown(f"{len(found)} verdicts begin with {text}", at="DIGEST", remedy="give more digits of it")
    kept = read(found[0], blobs) if found else None
    if kept is None:
        raise NameUnknown(
            f"{text} is no verdict of a gate",
            at="DIGEST",
            remedy="`headway show RUN` names a gate's verdict among the values, `headway models show NAME@N` too",
        )
    run, step = known.get(found[0], (None, ""))
    return GateView(digest=found[0], kept=kept, run=run, step=step, asked=asked_of(kept, log))


def _verdicts(log: Log) -> Iterator[tuple[Digest, tuple[RunId | None, str]]]:
    """All digests that steps and the registry called a verdict; the run that made one comes last, and stands."""
    for entry in log.scan(("ModelJudged", "ModelRegistered")):
        fact = cast("ModelJudged | ModelRegistered", entry.fact)
        if fact.verdict is not None:
            yield fact.verdict, (fact.run, "")
    for entry in log.scan(("StepFinished",), newest_first=True):
        done = cast("StepFinished", entry.fact)
        if _is_digest(digest := done.values.get("verdict", "")):
            yield Digest(digest), (RunId(int(entry.stream.partition("/")[2])), done.step)


def read(digest: Digest, blobs: Blobs) -> KeptGate | None:
    """What is kept under this digest; None when it is no gate's. Raises BlobMissing, BlobDamaged."""
    try:
        return msgspec.json.decode(blobs.get(digest), type=KeptGate)
    except msgspec.MsgspecError:
        return None


def asked_of(kept: KeptGate, log: Log) -> str:
    """How often the holdout was asked up to now, and how often it may be asked still."""
    if kept.data is None:
        return ""
    ledger = holdouts.read(log, kept.data.digest)
    if not ledger.n_asks:
        return ""
    times = f"{ledger.n_asks} time{'s' * (ledger.n_asks != 1)}"
    return times if ledger.left is None else f"{times}, {ledger.left} of {ledger.budget} left"
