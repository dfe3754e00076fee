"""Keep one worker process alive: start it, notice its end, start it again with growing pauses, tell it what to do.

The holder's half of the conversation that `worker` describes. Standard library only, as `holder`.
"""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

MAX_CRASHES = 8
"""In a row, each within HEALTHY_S of its start; then a version is given up, after 13 s of pauses."""

HEALTHY_S = 60.0

ORDER_S = 10.0
"""How long a worker may take to obey; it is killed and started again when it does not."""

END_S = 40.0
"""How long an ending worker may take: the two limits in `worker`, and some."""

MAX_LOG_BYTES = 10 * 2**20

# Any: the JSON of a request, a reply or `ports.Serving`; these processes must not need msgspec.
Words = dict[str, Any]


class Place(NamedTuple):
    """Where workers live: `folder` for logs, `sockets` for private sockets, the shared listener's descriptor."""

    folder: str
    sockets: str
    workplace: str
    listener: int


def private_socket(place: Place, version: int) -> str:
    """The path of a version's private socket."""
    return os.path.join(place.sockets, f"v{version}.sock")


class Child:
    """A worker and how it fares.

    `settled` is set while it is known whether it `is_ready`. `is_kept`: start it again when it ends by itself, which
    begins once it was ready. `is_over`: it is not tried any more. `note` says what went wrong last. `n_ends` of its
    processes ended by themselves; `last_words` say how the last one did, also once another is ready.
    """

    __slots__ = (
        "_keeper", "_on_over", "_on_ready", "_place", "_process", "_stopping", "_turn",
        "is_kept", "is_over", "is_ready", "last_words", "n_crashes", "n_ends", "note", "settled", "spec", "version",
    )  # fmt: skip

    def __init__(
        self,
        spec: Words,
        place: Place,
        *,
        is_kept: bool,
        on_ready: "Callable[[Child], Awaitable[None]]",
        on_over: "Callable[[Child], Awaitable[None]]",
    ) -> None:
        """Start it at once. `on_ready` is awaited after each start that succeeded, `on_over` when it is given up."""
        self.spec = spec
        self.version = int(spec["version"])
        self.is_kept = is_kept
        self.is_ready = False
        self.is_over = False
        self.n_crashes = 0
        self.note = ""
        self.n_ends = 0
        self.last_words = ""
        self.settled = asyncio.Event()
        self._place = place
        self._on_ready = on_ready
        self._on_over = on_over
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._keeper = asyncio.create_task(self._keep())

    @property
    def private(self) -> str:
        """The path of its private socket."""
        return private_socket(self._place, self.version)

    @property
    def tail(self) -> str:
        """The last words of its log."""
        try:
            with open(self._log, "rb") as f:
                f.seek(max(0, os.fstat(f.fileno()).st_size - 2000))
                lines = f.read().decode("utf-8", "replace").strip().splitlines()
        except FileNotFoundError:
            return ""
        return "\n".join(lines[-8:])

    async def order(self, order: Words) -> bool:
        """Tell a ready worker what to do; True when it did. One that does not obey is killed (and started again)."""
        process = self._process
        if not self.is_ready or process is None or process.stdin is None:
            return False
        try:
            async with self._turn, asyncio.timeout(ORDER_S):
                process.stdin.write(json.dumps(order).encode() + b"\n")
                await process.stdin.drain()
                return await _heard(process) is not None
        except TimeoutError:
            process.kill()
        except (BrokenPipeError, ConnectionResetError):
            # It has just ended; `_keep` sees that, too.
            return False
        return False

    async def end(self) -> None:
        """Drain and end it, by force when it takes too long."""
        self._stopping.set()
        if await self.order({"do": "stop"}):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._keeper), END_S)
        self.is_ready = False
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        self._keeper.cancel()
        self.settled.set()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.private)

    @property
    def _log(self) -> str:
        return os.path.join(self._place.folder, f"v{self.version}.log")

    async def _keep(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            ended = await self._life()
            self.is_ready = False
            if self._stopping.is_set():
                return
            self.n_crashes = 1 if time.monotonic() - began > HEALTHY_S else self.n_crashes + 1
            self.n_ends += 1
            last = self.tail.rpartition("\n")[2]
            self.last_words = f"its process {ended}" + f": {last}" * bool(last)
            self.note = f"its process {ended}" + f" ({self.n_crashes} times in a row)" * (self.n_crashes > 1)
            if not self.is_kept or self.n_crashes >= MAX_CRASHES:
                self.is_over = True
                self.settled.set()
                await self._on_over(self)
                return
            self.settled.clear()
            await asyncio.sleep(min(10.0, 0.1 * 2 ** (self.n_crashes - 1)))

    async def _life(self) -> str:
        """One process from its start to its end; returns how it ended."""
        try:
            process = await self._spawn()
        except OSError as e:
            return f"could not be started: {e.strerror}"
        if await _heard(process) == {"ready": True} and not self._stopping.is_set():
            self.is_ready = self.is_kept = True
            self.note = ""
            await self._on_ready(self)
            self.settled.set()
        code = await process.wait()
        return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"

    def _opened_log(self) -> int:
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if os.fstat(log).st_size <= MAX_LOG_BYTES:
            return log
        os.close(log)
        os.replace(self._log, self._log + ".1")
        return self._opened_log()

    async def _spawn(self) -> asyncio.subprocess.Process:
        log = self._opened_log()
        try:
            # -P: a project's own random.py must not stand in for the standard library's.
            self._process = process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "headway.serving.worker",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
                pass_fds=(self._place.listener,), cwd=self._place.workplace,
            )  # fmt: skip
        finally:
            os.close(log)
        assert process.stdin is not None
        place = self._place
        begin = {"serving": self.spec, "listener": place.listener, "private": self.private, "folder": place.folder}
        process.stdin.write(json.dumps(begin).encode() + b"\n")
        return process


async def _heard(process: asyncio.subprocess.Process) -> Words | None:
    """A worker's next line; None when it has none any more."""
    assert process.stdout is not None
    line = await process.stdout.readline()
    # Any: what a worker reports, see there.
    words: Words | None = json.loads(line) if line.endswith(b"\n") else None
    return words
