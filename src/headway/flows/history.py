"""Look back: runs, their logs, and whether the log itself is whole. Reads; records nothing."""

import os
from collections.abc import Iterator
from contextlib import suppress

from msgspec import Struct

from headway.codec import wire
from headway.core import facts as f
from headway.core.history import RunView, view
from headway.core.ids import RunId
from headway.errors import LogDamaged, NameUnknown
from headway.flows.commands import file_name
from headway.ports import Blobs, Log

BLOCK = 1 << 20
"""Bytes of a step's output in memory at a time."""


def run_view(run: RunId, log: Log) -> RunView:
    """One run, whole. Raises NameUnknown."""
    found = view(log.read(f"run/{run}"))
    if found is None:
        raise NameUnknown(f"there is no run {run}", at="RUN", remedy="`headway runs` lists them")
    return found


def log_path(home: str, run: RunId, step: str, attempt: int) -> str:
    """Where a step's output is while it runs."""
    return os.path.join(home, "runs", str(run), f"{file_name(step)}-{attempt}.log")


def printed(blobs: Blobs, home: str, run: RunView, step: str, *, skip: int = 0) -> Iterator[bytes]:
    """What a step printed after the first `skip` bytes, in blocks: from the store, or from its file while it runs.

    Raises NameUnknown.
    """
    found = run.steps.get(step)
    if found is None:
        raise NameUnknown(
            f"run {run.run} has no step {step!r}",
            at="STEP",
            remedy=f"its steps are {', '.join(list(run.steps)[:12])}",
        )
    if found.of_run is not None and found.of_run != run.run:
        return
    if found.log is None:
        with suppress(FileNotFoundError):
            yield from _blocks(log_path(home, run.run, step, found.attempt), skip)
        return
    # Through a file, since a step may have printed more than fits into memory.
    from tempfile import TemporaryDirectory

    # Beside the store, which has room for it; elsewhere when the project is somebody else's.
    with TemporaryDirectory(prefix="headway-", dir=home if os.access(home, os.W_OK) else None) as folder:
        path = os.path.join(folder, "log")
        blobs.fetch(found.log, path)
        yield from _blocks(path, skip)


def _blocks(path: str, skip: int) -> Iterator[bytes]:
    with open(path, "rb") as file:
        file.seek(skip)
        while block := file.read(BLOCK):
            yield block


class Overridden(Struct, frozen=True, kw_only=True):
    """Somebody answered for a version that no gate let pass: who, when (UTC seconds), and the reason."""

    version: str
    endpoint: str
    release: int
    at: float
    by: str
    why: str


class Audited(Struct, frozen=True, kw_only=True):
    """The log was read through: how many facts, and the hash of the last, which stands for all of them.

    `overrides` are the releases of versions that no gate let pass, oldest first.
    """

    n_facts: int
    n_streams: int
    head: str
    seen: bool | None = None
    """Whether the head that was noted down earlier is in the chain; None when none was given."""
    overrides: tuple[Overridden, ...] = ()


_BELOW_ALL = -(2**63) + 1


def _hash(row: f.Row, before: str) -> str:
    """The hash that a row must have; of a damaged one, columns may be missing or of another kind."""
    try:
        return wire.chain(before, seq=row.seq, stream=row.stream, n=row.n, at=row.at, body=row.body)
    except TypeError:
        return ""


def _is_labelled(row: f.Row, fact: f.Fact, n: int) -> bool:
    """Whether the columns that the hash does not cover say what the fact says."""
    return (row.n, row.kind, row.key) == (n, f.kind_of(fact), f.key_of(fact))


def audit(log: Log, *, noted: str | None = None) -> Audited:
    """Verify every fact and the whole chain of hashes. Raises LogDamaged at the first that does not fit, LogNewer."""
    head = wire.GENESIS
    lengths: dict[str, int] = {}
    seen = None if noted is None else False
    seq = 0
    overrides = list[Overridden]()
    # From far below the first: a row with a number that no append ever gives would be read by others, too.
    for row in log.raw(after_seq=_BELOW_ALL):
        seq += 1
        place = f"log: fact {row.seq}"
        if row.seq != seq:
            missing = f"facts {seq} to {row.seq - 1} are" if row.seq > seq + 1 else f"fact {seq} is"
            raise LogDamaged(
                f"{missing} missing" if row.seq > seq else f"fact {row.seq} was put in beside the others",
                at=place,
                remedy="somebody changed the log: restore it from a copy; what came before is whole",
            )
        lengths[row.stream] = lengths.get(row.stream, 0) + 1
        head = _hash(row, head)
        fact = wire.decode_fact(row.body, seq=row.seq) if head == row.hash else None
        if fact is None or not _is_labelled(row, fact, lengths[row.stream]):
            raise LogDamaged(
                f"fact {row.seq} ({row.kind} of {row.stream}) is not what was written",
                at=place,
                remedy="it or one before it was changed: restore the log from a copy; what came before is whole",
            )
        if noted is not None and head.startswith(noted):
            seen = True
        if isinstance(fact, f.ReleaseStarted) and fact.override:
            overrides.append(_overridden(fact, row.at))
    return Audited(n_facts=seq, n_streams=len(lengths), head=head, seen=seen, overrides=tuple(overrides))


def _overridden(started: f.ReleaseStarted, at: float) -> Overridden:
    return Overridden(
        version=f"{started.model}@{started.version}",
        endpoint=started.endpoint,
        release=started.release,
        at=at,
        by=started.by,
        why=started.override,
    )
