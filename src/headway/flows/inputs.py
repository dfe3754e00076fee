"""What a good run read that is not in Git: kept in the store, so that a checkout of its commit brings it back.

Steps' outputs are kept by `flows/collect`. Here are their inputs: what no step makes and Git does not track, and
datasets that changed, which get a new version. Asks Git and reads files only about inputs that differ from the lock's.
"""

import os
from collections.abc import Collection, Iterator

from headway.codec.lock import Lock
from headway.core.dataset import Pin, Snapshot
from headway.core.ids import Artifact
from headway.core.plan import MISSING
from headway.errors import FileMissing, OutputUnreadable
from headway.flows import dataset as datasets
from headway.flows import git
from headway.flows.context import Context, Ports
from headway.flows.listing import is_passed_over
from headway.flows.pins import Kept
from headway.flows.store import keep
from headway.flows.surroundings import user
from headway.flows.workspace import Workspace


class Inputs:
    """Keeps what the steps of one run read. `made` are the outputs of all steps of its pipeline."""

    __slots__ = ("_context", "_made", "_now", "_ports", "_workspace")

    def __init__(
        self, context: Context, ports: Ports, workspace: Workspace, *, made: Collection[str], now: float
    ) -> None:
        self._context = context
        self._ports = ports
        self._workspace = workspace
        self._made = frozenset(made)
        self._now = now

    def keep(self, before: Lock, fresh: Lock, *, is_broken: bool = False) -> Kept:
        """Store what `fresh` reads and `before` did not know, and say what is to be pinned.

        What changed while the run was at work cannot be had any more and is left out. `is_broken` tells that `before`
        could not be read: then the datasets are those that lie here. Raises DiskFull, and what the log raises.
        """
        data = before.data
        if is_broken:
            data = datasets.versions_here(self._ports.log, self._workspace.look)
        now = _read_by(fresh)
        known = _read_by(before) if before.inputs is not None else {}
        changed = [path for path, digest in now.items() if known.get(path) != digest]
        again = {
            name: pin for name, pin in data.items() if any(datasets.overlaps(p, pin.artifact.path) for p in changed)
        }
        renewed = {name: fresh_pin for name, pin in again.items() if (fresh_pin := self._renewed(name, pin, now))}
        held = {pin.artifact.path for pin in data.values()}
        asked = [p for p in changed if not _is_at_or_below(p, self._made) and not _is_at_or_below(p, held)]
        inputs = self._inputs(before, now, asked)
        if renewed or inputs:
            # No lock may name content that could still be lost.
            self._ports.blobs.sync()
        return Kept(inputs=inputs, data={**(data if is_broken else {}), **renewed})

    def _inputs(self, before: Lock, now: dict[str, str], asked: list[str]) -> dict[str, Artifact] | None:
        if not git.in_repository(self._context.folder):
            return None
        left = now.keys() - asked
        inputs = {p: a for p, a in (before.inputs or {}).items() if _is_at_or_below(p, left)}
        if asked:
            tracked = git.tracked(self._context.folder, asked)
            if tracked is None:
                return None
            above = {a for path in tracked for a in _parents(path)}
            for path in asked:
                if self._is_as_read(path, now[path]):
                    inputs |= {a.path: a for a in self._kept(path, tracked, above)}
        return inputs

    def _is_as_read(self, path: str, digest: str) -> bool:
        try:
            return self._workspace.look(path).digest == digest
        except (FileMissing, OutputUnreadable):
            return False

    def _kept(self, path: str, tracked: set[str], above: set[str]) -> Iterator[Artifact]:
        """What Git does not track of a path: all of it, none, or of a folder the parts."""
        if path in tracked:
            return
        folder = os.path.join(self._context.folder, path)
        if path in above and os.path.isdir(folder):
            for name in sorted(os.listdir(folder)):
                if not is_passed_over(name):
                    yield from self._kept(f"{path}/{name}", tracked, above)
            return
        try:
            yield keep(self._ports.blobs, self._context.folder, path, self._workspace.stats)
        except (FileMissing, OutputUnreadable):
            # A link that leads nowhere, or what is being written: the run is good without it.
            return

    def _renewed(self, name: str, pin: Pin, now: dict[str, str]) -> Pin | None:
        """The pin of a dataset as this run read it; None when it is as it was, or no longer as it was read."""
        path = pin.artifact.path
        try:
            here = self._workspace.look(path)
        except (FileMissing, OutputUnreadable):
            return None
        if here == pin.artifact or now.get(path, here.digest) != here.digest:
            return None
        kept = keep(self._ports.blobs, self._context.folder, path, self._workspace.stats)
        self._ports.blobs.sync()
        by, note = user(self._context.environ), f"as run {self._context.run_id} read it"
        asked = Snapshot(dataset=name, artifact=kept, source=pin.source, by=by, note=note)
        return datasets.pin_of(datasets.record(self._ports.log, asked, pin, now=self._now).version)


def _read_by(lock: Lock) -> dict[str, str]:
    """Path to digest of all that the steps read and that is there."""
    return {
        part.name: part.value
        for pinned in lock.steps.values()
        for part in pinned.parts
        if part.kind == "in" and part.value != MISSING
    }


def _parents(path: str) -> Iterator[str]:
    """The folders that a path lies in, the nearest first."""
    while path := path.rpartition("/")[0]:
        yield path


def _is_at_or_below(path: str, places: Collection[str]) -> bool:
    return path in places or any(above in places for above in _parents(path))
