"""headway.lock as runs and datasets use it: asked why a step must run, changed by a good run and by `headway data`."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import msgspec
from msgspec import Struct

from headway.codec import lock, wire
from headway.codec.lock import Lock
from headway.core import facts as f
from headway.core import run as r
from headway.core.dataset import Pin
from headway.core.ids import Artifact, Digest
from headway.core.lease import LOCK
from headway.errors import FileFaulty, LeaseHeld
from headway.flows.rewrite import content, rewrite
from headway.ports import Leases

LEASE = LOCK
"""Held while the file is read, changed and written: a run may end while somebody adds data."""

_PATIENCE_S = 10.0
_PLACED = "placed"


class Kept(Struct, frozen=True, kw_only=True):
    """What a run read besides code: untracked inputs by path (None: nobody looked), and datasets with new versions."""

    inputs: Mapping[str, Artifact] | None = None
    data: Mapping[str, Pin] = {}


Keep = Callable[[Lock, Lock], Kept]
"""Given what was pinned and what a run is about to pin, stores what it read."""


class Pins:
    """headway.lock: read when somebody asks why a step runs, changed after a good run or with a dataset."""

    def __init__(self, folder: str, copy: str, *, leases: Leases | None = None) -> None:
        """The lock of the project in `folder`; `copy` is a file that remembers what the lock was made from.

        `leases` are needed by whoever changes it.
        """
        self._path = os.path.join(folder, lock.FILE)
        self._copy = copy
        self._leases = leases
        self._read: Lock | None = None
        self.is_broken = False
        """Whether the file that `lock` read last was there and could not be read."""

    def lock(self) -> Lock:
        """What is pinned; nothing without a lock, or with one that cannot be read (the next good run mends it)."""
        if self._read is None:
            data = content(self._path)
            try:
                self._read, self.is_broken = lock.parse(data), False
            except FileFaulty:
                self._read, self.is_broken = Lock(), bool(data)
        return self._read

    def read(self) -> Lock | None:
        """What is pinned; None without a lock. Raises FileFaulty when it cannot be read."""
        if not os.path.lexists(self._path):
            return None
        with open(self._path, "rb") as file:
            self._read = lock.parse(file.read())
        return self._read

    def parts(self) -> dict[str, tuple[f.KeyPart, ...]]:
        """The parts of each step's key at its last good run."""
        return {step: pinned.parts for step, pinned in self.lock().steps.items()}

    def write(self, machine: r.Run, *, whole: bool, keep: Keep | None = None) -> None:
        """Pin what this run read and made; a run of some steps leaves the others' pins as they are."""
        results = {step: done for step, done in machine.results().items() if done.parts and _is_good(done)}
        current = content(self._path)
        values = ((step, done.cache_key, done.outputs) for step, done in results.items())
        mark = wire.digest_of_all((machine.pipeline.name, *values))
        if whole and current and content(self._copy) == _signature(mark, current):
            # Rendering ten thousand steps to find the very file that is there would cost more than running none.
            return
        self._read = None
        before = self.lock()
        made = {step: lock.Pinned(parts=done.parts, outputs=done.outputs) for step, done in results.items()}
        if not whole:
            made = {**before.steps, **made}
        fresh = Lock(pipeline=machine.pipeline.name, steps=made)
        kept = keep(before, fresh) if keep is not None else Kept(inputs=before.inputs)

        def change(now: Lock) -> Lock:
            # Somebody may have added data since.
            return msgspec.structs.replace(fresh, data={**now.data, **kept.data}, inputs=kept.inputs)

        if made or current or kept.data:
            self.change(change, again="headway resume")
        if whole and all(done.cache_key for done in results.values()):
            self._remember(_signature(mark, content(self._path)))

    def change(self, change: Callable[[Lock], Lock], *, again: str) -> bool:
        """Write what `change` makes of the lock as it is now; whether that is another file."""
        with self._held():
            self._read = None
            now = self.lock()
            fresh = change(now)
            data = lock.render(fresh)
            self._read = fresh
            is_new = data != content(self._path)
            if is_new:
                rewrite(self._path, data, again=again)
        # Of what lies there without being pinned any more, a checkout knows by this that it may go.
        # Not of inputs: they may be somebody's own code, not yet in Git.
        self.place({path: artifact for path, (artifact, what) in fresh.artifacts().items() if what != "input"})
        return is_new

    @contextmanager
    def _held(self) -> Iterator[None]:
        if self._leases is None:
            yield
            return
        holder = f"process {os.getpid()} on {os.uname().nodename}"
        give_up_at = time.time() + _PATIENCE_S
        while True:
            try:
                self._leases.acquire(LEASE, holder=holder, ttl_s=60.0, now=time.time())
                break
            except LeaseHeld:
                if time.time() > give_up_at:
                    raise
                time.sleep(0.02)
        try:
            yield
        finally:
            self._leases.release(LEASE, holder=holder)

    # --- what was put where -------------------------------------------------------------------------------------

    def placed(self) -> dict[str, Artifact]:
        """What headway last knew at each path of this workspace, pinned now or not; nothing when that is forgotten."""
        try:
            return wire.unpack(content(self._placed), dict[str, Artifact])
        except ValueError:
            return {}

    def place(self, artifacts: Mapping[str, Artifact], *, gone: tuple[str, ...] = ()) -> None:
        """Remember what lies where now; paths that are `gone` are forgotten."""
        before = self.placed()
        after = {**before, **artifacts}
        for path in gone:
            after.pop(path, None)
        if after != before:
            self._keep(self._placed, wire.pack(after))

    @property
    def _placed(self) -> str:
        return os.path.join(os.path.dirname(self._copy), _PLACED)

    def _remember(self, signature: bytes) -> None:
        if content(self._copy) != signature:
            self._keep(self._copy, signature)

    @staticmethod
    def _keep(path: str, data: bytes) -> None:
        # Only ways to be quicker or tidier next time: where there is no room for it, the lock is made anew.
        fresh = f"{path}.{os.getpid()}.new"
        with suppress(OSError):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(fresh, "wb") as file:
                file.write(data)
            os.replace(fresh, path)


def _is_good(done: f.StepFinished | f.StepReused) -> bool:
    """Whether a step passed: of a good run those may have failed that `continue-on-error` lets."""
    return not isinstance(done, f.StepFinished) or done.outcome == "passed"


def _signature(mark: Digest, data: bytes) -> bytes:
    return f"{mark} {wire.digest_of(data)}".encode()
