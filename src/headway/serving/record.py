"""What the server tells the prediction log: one entry for each request to the model, one for each label.

An entry holds the bytes as they came and went. Reading them, redacting them and writing them down is the business of
another process (`log_writer`): the one that answers spends a microsecond on a prediction and never waits for a disk.
What was sent is kept until the writer says that it is in a file, and sent again when the writer was killed; when there
is no room to keep more, what comes is dropped and counted.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections import deque
from typing import Protocol

import msgspec
from msgspec import Struct

from headway.core.prediction_log import Label
from headway.core.recording import Recording, is_chosen
from headway.core.signature import Signature
from headway.ports import Serving
from headway.serving.trace import say

FLUSH_S = 0.1
"""How long an entry may wait before it is sent: what a killed server can lose."""

FLUSH_BYTES = 4 * 2**20
"""When this much waits it is sent at once."""

ROOM_BYTES = 64 * 2**20
"""What may wait for a slow disk: some 80,000 requests of one row of 30 numbers."""

ENTRY_BYTES = 200
"""What an entry takes besides its request and answer."""

CLOSE_S = 5.0
"""How long an ending server waits for the rest to be written."""

SAY_S = 10.0
"""How often the log of the server tells of dropped predictions."""

MOST_PAUSE_S = 30.0


class Answered(Struct, frozen=True, array_like=True, gc=False):
    """A request to the model as a client was answered. `ms` of the model's time and ours; `at` in UTC seconds.

    `form` says how `request` and `answer` are to be read: `predict` (plain rows as JSON) or `infer` (the Open Inference
    Protocol, where `request_head` and `answer_head` are the bytes of JSON before binary tensors; -1: all of it).
    `is_shadow`: it was asked with a copy, and no client got it. `status`, as HTTP has it: not 200 is a request that
    failed, of which the answer does not matter. `instead_of`: the version that was to answer, and gave none.
    """

    request_id: str
    at: float
    ms: float
    form: str
    request: bytes
    answer: bytes
    request_head: int = -1
    answer_head: int = -1
    is_shadow: bool = False
    status: int = 200
    instead_of: int = 0


class Recorder(Protocol):
    """Where the server sends its entries. Neither method blocks or raises."""

    def note(self, entry: Answered) -> None:
        """Take one request, after its answer was sent; it is counted as dropped when there is no room."""

    def label(self, labels: tuple[Label, ...]) -> bool:
        """Take all of these labels; False, and none is taken, when there is no room."""


class Counts(Struct, frozen=True, kw_only=True):
    """How the log fares, since the server started: counts of requests, but `n_labels`.

    `n_noted` were answered; of these `n_left_out` (by `share`), `n_written`, `n_dropped` (no room, or the server ended
    while the disk was away), `n_unreadable`; the rest waits, in `held_bytes`. `trouble` is why nothing can be written
    now, empty when it can.
    """

    n_noted: int = 0
    n_left_out: int = 0
    n_written: int = 0
    n_dropped: int = 0
    n_unreadable: int = 0
    n_labels: int = 0
    held_bytes: int = 0
    trouble: str = ""


class _Sent(Struct):
    """A batch that the writer has not confirmed."""

    number: int
    n_entries: int
    n_labels: int
    size_bytes: int
    frame: bytes


class PredictionLog:
    """The real recorder. Lives on the event loop that answers; the writer's process is started with the first entry.

    `begin` is the writer's first line (see `log_writer.Begin`), as values that JSON has.
    """

    __slots__ = (
        "_batch", "_begin", "_dropped_said", "_full_at", "_is_closing", "_labels", "_loop", "_n_batches", "_room",
        "_running", "_said_at", "_sent", "_sent_bytes", "_share", "_timer", "_writer", "held_bytes", "n_dropped",
        "n_labels", "n_left_out", "n_noted", "n_unreadable", "n_written", "trouble",
    )  # fmt: skip

    def __init__(self, begin: dict[str, object], recording: Recording, *, room_bytes: int = ROOM_BYTES) -> None:
        self._begin = msgspec.json.encode({**begin, "recording": recording}) + b"\n"
        self._share = recording.share
        self._room = room_bytes
        self._batch: list[Answered] = []
        self._labels: list[Label] = []
        # Of `held_bytes`, what was sent; and how many of them fill a batch.
        self._sent_bytes = 0
        self._full_at = FLUSH_BYTES
        self._n_batches = 0
        self._sent: deque[_Sent] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._running: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._is_closing = False
        self._said_at = 0.0
        self._dropped_said = 0
        self.held_bytes = 0
        self.n_noted = 0
        self.n_left_out = 0
        self.n_written = 0
        self.n_dropped = 0
        self.n_unreadable = 0
        self.n_labels = 0
        self.trouble = ""

    @property
    def counts(self) -> Counts:
        """How it fares now."""
        return Counts(
            n_noted=self.n_noted,
            n_left_out=self.n_left_out,
            n_written=self.n_written,
            n_dropped=self.n_dropped,
            n_unreadable=self.n_unreadable,
            n_labels=self.n_labels,
            held_bytes=self.held_bytes,
            trouble=self.trouble,
        )

    def note(self, entry: Answered) -> None:
        """See `Recorder`."""
        self.n_noted += 1
        if self._share < 1.0 and not is_chosen(entry.request_id, self._share):
            self.n_left_out += 1
            return
        # Once for each request: no call and no look more than needed.
        held = self.held_bytes + len(entry.request) + len(entry.answer) + ENTRY_BYTES
        if held > self._room:
            self.n_dropped += 1
            return
        self.held_bytes = held
        self._batch.append(entry)
        if self._timer is None or held > self._full_at:
            self._due()

    def label(self, labels: tuple[Label, ...]) -> bool:
        """See `Recorder`."""
        held = self.held_bytes + ENTRY_BYTES * len(labels)
        if held > self._room:
            return False
        self.held_bytes = held
        self._labels += labels
        self._due()
        return True

    async def close(self, *, patience_s: float | None = None) -> None:
        """Send the rest, and wait until it is written, but no longer than CLOSE_S, or `patience_s`, or until cancelled.

        What is not written by then counts as dropped.
        """
        self._flush()
        self._is_closing = True
        self._room = -1
        try:
            if self._running is not None:
                # Its end of input is what lets the writer seal and end.
                if self._writer is not None:
                    self._writer.close()
                await asyncio.wait([self._running], timeout=CLOSE_S if patience_s is None else patience_s)
        finally:
            if self._running is not None:
                self._running.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._running
            self.n_dropped += sum(sent.n_entries for sent in self._sent)
            self._sent.clear()
            self._say_dropped()

    def _due(self) -> None:
        if self.held_bytes > self._full_at:
            self._flush()
        elif self._timer is None:
            if self._loop is None:
                self._loop = asyncio.get_running_loop()
            self._timer = self._loop.call_later(FLUSH_S, self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not (self._batch or self._labels):
            return
        self._n_batches += 1
        body = msgspec.msgpack.encode((self._n_batches, self._batch, self._labels))
        sent = _Sent(
            number=self._n_batches,
            n_entries=len(self._batch),
            n_labels=len(self._labels),
            size_bytes=self.held_bytes - self._sent_bytes,
            frame=len(body).to_bytes(4, "big") + body,
        )
        self._sent.append(sent)
        self._batch, self._labels = [], []
        self._sent_bytes = self.held_bytes
        self._full_at = self._sent_bytes + FLUSH_BYTES
        if self._writer is not None:
            self._writer.write(sent.frame)
        elif self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run())

    # --- the writer's process -----------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Keep a writer, and hear it, until the log is closed and all is written."""
        pause_s = 0.2
        while True:
            began = time.monotonic()
            try:
                why = await self._with_writer()
            except OSError as e:
                why = str(e)
            if self._is_closing:
                return
            pause_s = 0.2 if time.monotonic() - began > MOST_PAUSE_S else min(2 * pause_s, MOST_PAUSE_S)
            self.trouble = f"its writer {why}"
            say(f"prediction log: its writer {why}; it is started again in {pause_s:g} s")
            await asyncio.sleep(pause_s)

    async def _with_writer(self) -> str:
        """Start a writer, send what waits, hear it until it ends; returns how it ended."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "headway.serving.log_writer",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(self._begin)
        for sent in self._sent:
            process.stdin.write(sent.frame)
        self._writer = process.stdin
        if self._is_closing:
            process.stdin.close()
        try:
            while line := await process.stdout.readline():
                self._hear(line)
            code = await process.wait()
        except asyncio.CancelledError:
            process.kill()
            # To the end of its output: only then does the loop let go of its pipes.
            await process.stdout.read()
            await process.wait()
            raise
        finally:
            self._writer = None
            # Else its transport would be closed by the collector, which is told of as a leak.
            process.stdin.close()
        return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"

    def _hear(self, line: bytes) -> None:
        said = msgspec.json.decode(line)
        if "trouble" in said:
            self.trouble = said["trouble"]
            state = "is written again" if not self.trouble else f"cannot be written, and is tried again: {self.trouble}"
            say(f"prediction log: it {state}")
            return
        if self.trouble.startswith("its writer"):
            self.trouble = ""
        while self._sent and self._sent[0].number <= said["batch"]:
            sent = self._sent.popleft()
            self.held_bytes -= sent.size_bytes
            self._sent_bytes -= sent.size_bytes
            self.n_written += sent.n_entries
            self.n_labels += sent.n_labels
        n_unreadable = said.get("n_unreadable", 0)
        self.n_unreadable += n_unreadable
        self.n_written -= n_unreadable
        self._full_at = self._sent_bytes + FLUSH_BYTES
        if time.monotonic() - self._said_at > SAY_S:
            self._say_dropped()

    def _say_dropped(self) -> None:
        if self.n_dropped > self._dropped_said:
            n = self.n_dropped - self._dropped_said
            say(f"prediction log: {n:,} predictions were dropped for want of room ({self.n_dropped:,} in all)")
            self._dropped_said = self.n_dropped
            self._said_at = time.monotonic()


def log_of(serving: Serving, signature: Signature, folder: str) -> PredictionLog | None:
    """The log of a version that serves an endpoint whose `folder` this is; None when it is switched off."""
    if not serving.recording.is_on:
        return None
    begin = {
        "folder": os.path.join(folder, "predictions"),
        "model": serving.model,
        "version": serving.version,
        "signature": signature,
    }
    return PredictionLog(begin, serving.recording)
