"""headway.lock as runs use it: asked why a step must run, written after a good run."""

import errno
import os
from contextlib import suppress

from headway.codec import lock, wire
from headway.core import facts as f
from headway.core import run as r
from headway.core.ids import Digest
from headway.errors import DiskFull, FileFaulty, StoreTrouble


class Pins:
    """headway.lock: read when somebody asks why a step runs, written after a good run."""

    def __init__(self, folder: str, copy: str) -> None:
        """The lock of the project in `folder`; `copy` is a file that remembers what the lock was made from."""
        self._path = os.path.join(folder, lock.FILE)
        self._copy = copy
        self._read: dict[str, lock.Pinned] | None = None

    def steps(self) -> dict[str, lock.Pinned]:
        """What is pinned, by step; nothing without a lock, or with one that cannot be read (the next one mends it)."""
        if self._read is None:
            try:
                self._read = lock.parse(self._bytes())
            except FileFaulty:
                self._read = {}
        return self._read

    def parts(self) -> dict[str, tuple[f.KeyPart, ...]]:
        """The parts of each step's key at its last good run."""
        return {step: pinned.parts for step, pinned in self.steps().items()}

    def write(self, machine: r.Run, *, whole: bool) -> None:
        """Pin what this run read and made; a run of some steps leaves the others' pins as they are."""
        results = {step: done for step, done in machine.results().items() if done.parts and _is_good(done)}
        current = self._bytes()
        values = ((step, done.cache_key, done.outputs) for step, done in results.items())
        mark = wire.digest_of_all((machine.pipeline.name, *values))
        if whole and current and self._remembered() == _signature(mark, current):
            # Rendering ten thousand steps to find the very file that is there would cost more than running none.
            return
        made = {step: lock.Pinned(parts=done.parts, outputs=done.outputs) for step, done in results.items()}
        if not whole:
            made = {**self.steps(), **made}
        data = lock.render(machine.pipeline.name, made)
        if data != current and (made or current):
            self._replace(data)
        if whole and all(done.cache_key for done in results.values()):
            self._remember(_signature(mark, data))

    def _bytes(self) -> bytes:
        return _content(self._path)

    def _replace(self, data: bytes) -> None:
        temporary = f"{self._path}.{os.getpid()}.tmp"
        try:
            try:
                with open(temporary, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, self._path)
            except OSError:
                with suppress(OSError):
                    os.unlink(temporary)
                raise
        except OSError as e:
            if e.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull("no space is left", at=self._path, remedy="free some, then headway resume") from e
            raise StoreTrouble(
                f"{lock.FILE} cannot be written: {e.strerror}",
                at=self._path,
                remedy="see that it is a file of yours in a folder that can be written to, then headway resume",
            ) from e

    def _remembered(self) -> bytes:
        return _content(self._copy)

    def _remember(self, signature: bytes) -> None:
        # Only a way to be quicker next time: where there is no room for it, the lock is made anew.
        with suppress(OSError):
            os.makedirs(os.path.dirname(self._copy), exist_ok=True)
            with open(self._copy, "wb") as file:
                file.write(signature)


def _is_good(done: f.StepFinished | f.StepReused) -> bool:
    """Whether a step passed: of a good run those may have failed that `continue-on-error` lets."""
    return not isinstance(done, f.StepFinished) or done.outcome == "passed"


def _content(path: str) -> bytes:
    """A file's bytes; none when it is not there or is no file that can be read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _signature(mark: Digest, data: bytes) -> bytes:
    return f"{mark} {wire.digest_of(data)}".encode()
