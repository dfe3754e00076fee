"""The process that writes one version's prediction log down, so that the one that answers never waits for a disk.

Started by `record`, which speaks to it over its stdin and hears of it over its stdout:

    record: {"folder": "/…/predictions", "model": "churn", "version": 3, "signature": {…}, "recording": {…}}   one line
    record: 4 bytes of length, then that many of MessagePack: [batch, [entries], [labels]]                   each batch
    writer: {"batch": 7, "n_unreadable": 0}           all of it is in a file
    writer: {"trouble": "No space left on device"}    nothing can be written; "" when it can again

Lines are appended to an open file as soon as they come, and an open file becomes a Parquet segment when it is large or
old (by `seal`, a process that ends again: Polars is not kept in memory here). What cannot be written is tried again
until it can be; meanwhile nothing more is read, so that there is one place where things are dropped and counted: where
they wait. At the end of input it ends. Whoever is killed leaves open files, which the next writer seals.
"""

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import time

import msgspec
from msgspec import Struct

from headway.codec.prediction_line import encoder
from headway.core.prediction_log import COPY, Kind, Label, expired, segment, segments, sketch_name
from headway.core.recording import Recording
from headway.core.signature import Signature
from headway.serving import seal
from headway.serving.entries import Scribe
from headway.serving.journal import Journal, is_abandoned
from headway.serving.record import Answered

SEAL_BYTES = 64 * 2**20
"""A larger open file is sealed: some 100,000 rows of 30 numbers, which take seconds and 150 MB to seal."""

SEAL_S = 3600.0
"""An older one is, too: few enough files in a quarter, few enough lines to read one by one."""

MOST_WAITING = 4
"""Segments are made when nobody else wants the processor, until so many files wait for it: some 300 MB."""

PIPE_BYTES = 2**20

SYNC_S = 1.0
RETRY_S = 0.5

GIVE_UP_S = 10.0
"""How long writing is still tried when whoever sent it is gone."""


class Begin(Struct, frozen=True, kw_only=True):
    """The first line."""

    folder: str
    model: str
    version: int
    signature: Signature = Signature()
    recording: Recording = Recording()
    seal_bytes: int = SEAL_BYTES
    seal_s: float = SEAL_S


class Batch(Struct, frozen=True, array_like=True):
    """What is sent at a time; `number` counts up."""

    number: int
    entries: list[Answered] = []
    labels: list[Label] = []


class Report(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the writer says."""

    batch: int | None = None
    n_unreadable: int = 0
    trouble: str | None = None


class Writer:
    """Writes batches down. Owned by one process."""

    __slots__ = (
        "_begin", "_gone_at", "_hurrying", "_journals", "_report", "_scribe", "_sealing", "_synced_at", "_to_seal",
    )  # fmt: skip

    def __init__(self, begin: Begin, report: int) -> None:
        self._begin = begin
        self._report = report
        self._journals: dict[Kind, Journal] = {}
        self._scribe: Scribe | None = None
        self._sealing: subprocess.Popen[bytes] | None = None
        self._hurrying: subprocess.Popen[bytes] | None = None
        self._to_seal: list[str] = []
        self._synced_at = time.monotonic()
        self._gone_at: float | None = None

    def serve(self, source: int) -> None:
        """Write what comes until nothing comes any more."""
        self._take_over()
        while True:
            ready, _, _ = select.select([source], [], [], SYNC_S)
            if ready:
                head = _exactly(source, 4)
                body = None if head is None else _exactly(source, int.from_bytes(head, "big"))
                if body is None:
                    break
                self.write(msgspec.msgpack.decode(body, type=Batch))
            self.tend()
        for kind in tuple(self._journals):
            self._seal(kind)
        # Nothing comes any more, so that nobody is kept from anything.
        self._started(None, seal.HURRY)

    def write(self, batch: Batch) -> None:
        """Put a batch into open files, however long that takes, and say so."""
        n_unreadable = 0

        def refuse(entry: Answered, why: ValueError) -> None:
            nonlocal n_unreadable
            n_unreadable += 1
            sys.stderr.write(f"prediction log: {entry.request_id} cannot be read: {why}\n")

        lines = self._scribed().lines(batch.entries, refuse) if batch.entries else []
        if lines:
            self._append("predictions", encoder.encode_lines(lines), len(lines))
        if batch.labels:
            now = time.time()
            told = [self._scribed().label(label, now=now) for label in batch.labels]
            self._append("labels", encoder.encode_lines(told), len(told))
        self._say(Report(batch=batch.number, n_unreadable=n_unreadable))

    def tend(self) -> None:
        """What is due now and then: to disk, into segments, out of the way."""
        if time.monotonic() - self._synced_at > SYNC_S:
            self._synced_at = time.monotonic()
            for journal in self._journals.values():
                # The bytes are with the kernel; a disk that fails here fails at the next line again, and is told of.
                with contextlib.suppress(OSError):
                    journal.sync()
        for kind, journal in tuple(self._journals.items()):
            is_old = journal.n_lines > 0 and time.monotonic() - journal.born > self._begin.seal_s
            if is_old or journal.size_bytes > self._begin.seal_bytes:
                self._seal(kind)
        self._seal_next()

    def _append(self, kind: Kind, lines: bytes, n_lines: int) -> None:
        is_troubled = False
        begins = 0
        while True:
            try:
                if kind not in self._journals:
                    self._journals[kind] = Journal(self._begin.folder, kind)
                begins = self._journals[kind].size_bytes
                self._journals[kind].append(lines, n_lines)
                break
            except OSError as e:
                if not is_troubled:
                    self._say(Report(trouble=e.strerror or str(e)))
                    is_troubled = True
                journal = self._journals.get(kind)
                if journal is not None:
                    stands = journal.size_bytes - begins
                    n_lines -= lines.count(b"\n", 0, stands)
                    lines = lines[stands:]
                    self._seal(kind)
            if self._is_orphan():
                sys.exit(f"prediction log: {n_lines} lines could not be written and nobody waits for them")
            time.sleep(RETRY_S)
        if is_troubled:
            self._say(Report(trouble=""))

    def _is_orphan(self) -> bool:
        """Whether whoever sent it has been gone for a while."""
        poll = select.poll()
        poll.register(self._report, select.POLLERR)
        if poll.poll(0):
            self._gone_at = self._gone_at or time.monotonic()
        return self._gone_at is not None and time.monotonic() - self._gone_at > GIVE_UP_S

    def _scribed(self) -> Scribe:
        if self._scribe is None:
            b = self._begin
            key = _key(os.path.dirname(b.folder)) if b.recording.hashed else b""
            self._scribe = Scribe(b.model, b.version, b.signature, b.recording, key)
        return self._scribe

    # --- segments -----------------------------------------------------------------------------------------------

    def _take_over(self) -> None:
        """Seal what killed writers left, and delete what is not kept any longer."""
        for one in self._listed():
            path = os.path.join(self._begin.folder, one)
            named = segment(one)
            if named is not None and named.is_open and not named.token.startswith(COPY) and is_abandoned(path):
                self._to_seal.append(path)
        self._expire()
        self._seal_next()

    def _seal(self, kind: Kind) -> None:
        journal = self._journals.pop(kind)
        with contextlib.suppress(OSError):
            journal.sync()
        if journal.n_lines:
            self._to_seal.append(journal.path)
        journal.close()

    def _seal_next(self) -> None:
        """Seal what waits: in the background, and when that has no time for it, at once."""
        self._sealing = self._started(self._sealing)
        if len(self._to_seal) >= MOST_WAITING:
            self._hurrying = self._started(self._hurrying, seal.HURRY)

    def _started(self, before: subprocess.Popen[bytes] | None, *more: str) -> subprocess.Popen[bytes] | None:
        """A process that seals what waits, if any does and the one before has ended."""
        if not self._to_seal or (before is not None and before.poll() is None):
            return before
        argv = [sys.executable, "-P", "-m", "headway.serving.seal", *more, *self._to_seal]
        self._to_seal.clear()
        try:
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=2)
        except OSError as e:
            # Nothing is lost: open files are read as well, and the next writer seals them.
            sys.stderr.write(f"prediction log: a segment could not be sealed: {e}\n")
            return None
        finally:
            self._expire()

    def _expire(self) -> None:
        sizes = []
        for one in segments(self._listed()):
            with contextlib.suppress(FileNotFoundError):
                sizes.append((one, os.stat(os.path.join(self._begin.folder, one.name)).st_size))
        for one in expired(sizes, self._begin.recording, now=time.time()):
            # What was counted of it goes first: without its segment nobody would find it any more.
            for name in (sketch_name(one.name), one.name):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(self._begin.folder, name))

    def _listed(self) -> list[str]:
        try:
            return os.listdir(self._begin.folder)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _say(self, report: Report) -> None:
        # Nobody hears when the worker was killed: what it sent is still written.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._report, msgspec.json.encode(report) + b"\n")


def _key(folder: str) -> bytes:
    """What hashes of this endpoint are made with, made once: the same value has the same hash in all its segments."""
    path = os.path.join(folder, "hash.key")
    while True:
        try:
            with open(path, "rb") as f:
                key = f.read()
            if key:
                return key
        except FileNotFoundError:
            pass
        made = f"{path}.{os.getpid()}"
        fd = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(fd, os.urandom(32))
        os.fsync(fd)
        os.close(fd)
        # Somebody else may have been faster: theirs counts.
        with contextlib.suppress(FileExistsError):
            os.link(made, path)
        os.unlink(made)


def _exactly(source: int, n_bytes: int) -> bytes | None:
    """The next bytes; None when they do not come any more: a batch that was cut off is none."""
    parts = bytearray()
    while len(parts) < n_bytes:
        part = os.read(source, min(n_bytes - len(parts), 1 << 20))
        if not part:
            return None
        parts += part
    return bytes(parts)


def main() -> int:
    """Write until the input ends."""
    # Ctrl-C and an ending service reach this process, too, but there may be more to come: the end of input ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(5)
    source, report = os.dup(0), os.dup(1)
    # What is sent in a tenth of a second fits in then: its sender need not come back to it. Of uvloop it is a socket.
    with contextlib.suppress(OSError):
        fcntl.fcntl(source, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    os.dup2(2, 1)
    first = bytearray()
    while not first.endswith(b"\n"):
        byte = os.read(source, 1)
        if not byte:
            return 0
        first += byte
    Writer(msgspec.json.decode(first, type=Begin), report).serve(source)
    return 0


if __name__ == "__main__":
    sys.exit(main())
