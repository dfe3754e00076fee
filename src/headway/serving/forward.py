"""Hand one request on to a sibling process over its private socket, and its answer back.

`forward` opens a connection for it: a version that no longer serves hands on what little still reaches it. `Lines`
keeps connections open: a version that accepts for others hands on their whole share. Siblings are our own workers,
which send a length with each answer; whatever else comes is no answer. Does not know who is asked for what.
"""

import asyncio
from collections import deque
from typing import NamedTuple, cast

HOP = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"date", b"upgrade", b"expect"})
"""Headers that speak of one connection only."""

HANDED_ON = b"x-headway-handed-on"
"""Tells what versions hand on from a check: both come on the private socket. Its value says what it is."""

OVER = b"1"
"""A client's request that came to a version which no longer serves: whoever serves now decides who answers."""

ROUTED = b"routed"
"""A client's request that the accepting version chose this one for: it answers it itself."""

SHADOW = b"shadow"
"""A copy of a client's request; nobody gets the answer."""

MAX_ANSWER_BYTES = 256 * 2**20
MAX_HEAD_BYTES = 1 << 20

MOST_IDLE = 64
"""Connections to one sibling that are kept while nothing is asked on them."""

IDLE_S = 30.0
"""How long they are: less than a worker keeps them (75 s), so that it is this side that closes."""

Headers = list[tuple[bytes, bytes]]


class Forwarded(NamedTuple):
    """A sibling's answer; `headers` without those of the connection."""

    status: int
    headers: Headers
    body: bytes


class _Line(asyncio.Protocol):
    """One connection: a request, its answer, the next request. `is_reused`: an answer came on it before."""

    __slots__ = ("_answer", "_body_at", "_head", "_is_bodiless", "_loop", "_parts", "idle_since", "is_open",
                 "is_reused", "transport")  # fmt: skip

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[Forwarded] | None = None
        self._parts = bytearray()
        self._head: tuple[int, Headers, int] | None = None
        self._body_at = 0
        self._is_bodiless = False
        self.transport: asyncio.Transport | None = None
        self.is_open = True
        self.is_reused = False
        self.idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of no class of asyncio's, and can what those can.
        self.transport = cast("asyncio.Transport", transport)

    def ask(self, request: bytes, *, is_bodiless: bool) -> "asyncio.Future[Forwarded]":
        """Send a request; its answer comes later. A cancelled one leaves the connection useless: close it."""
        assert self.transport is not None
        self._is_bodiless = is_bodiless
        self._answer = answer = self._loop.create_future()
        if self.is_open:
            self.transport.write(request)
        else:
            answer.set_exception(EOFError("the connection is closed"))
        return answer

    def data_received(self, data: bytes) -> None:
        parts = self._parts
        parts += data
        try:
            if self._head is None:
                end = parts.find(b"\r\n\r\n")
                if end < 0:
                    if len(parts) > MAX_HEAD_BYTES:
                        raise ValueError("the sibling's headers are too long")  # noqa: TRY301 (told as any other)
                    return
                self._head = _read_head(bytes(parts[:end]), is_bodiless=self._is_bodiless)
                self._body_at = end + 4
            status, headers, length = self._head
            if len(parts) < self._body_at + length:
                return
            if len(parts) > self._body_at + length or self._answer is None:
                raise ValueError("the sibling says more than it was asked")  # noqa: TRY301 (as above)
        except ValueError as e:
            self._end(e)
            return
        told = Forwarded(status, headers, bytes(parts[self._body_at :]))
        self._parts = bytearray()
        self._head = None
        self.is_reused = True
        answer, self._answer = self._answer, None
        if not answer.done():
            answer.set_result(told)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc if isinstance(exc, OSError) else EOFError("the sibling closed the connection"))

    def close(self) -> None:
        self.is_open = False
        if self.transport is not None:
            self.transport.close()

    def _end(self, why: Exception) -> None:
        self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(why)
        self._answer = None


class Lines:
    """Connections to one sibling. Lives on one event loop; `path` is the sibling's private socket."""

    __slots__ = ("_idle", "_is_closed", "n_opened", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._idle: deque[_Line] = deque()
        self._is_closed = False
        self.n_opened = 0

    async def ask(self, request: bytes, *, timeout_s: float, is_bodiless: bool = False) -> Forwarded:
        """The sibling's answer. Raises OSError (TimeoutError when it comes too late), EOFError or ValueError for none.

        A connection that was kept may have been closed by a sibling that ended meanwhile: then another is tried.
        """
        async with asyncio.timeout(timeout_s):
            while True:
                line = self._kept() or await self._opened()
                was_reused = line.is_reused
                try:
                    told = await line.ask(request, is_bodiless=is_bodiless)
                except (OSError, EOFError):
                    if was_reused:
                        continue
                    raise
                except asyncio.CancelledError:
                    line.close()
                    raise
                self._keep(line)
                return told

    def close(self) -> None:
        """Close what is idle, and the others once they have their answer."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().close()

    def _kept(self) -> _Line | None:
        while self._idle:
            line = self._idle.pop()
            if line.is_open:
                return line
        return None

    async def _opened(self) -> _Line:
        self.n_opened += 1
        _, line = await asyncio.get_running_loop().create_unix_connection(_Line, self.path)
        return line

    def _keep(self, line: _Line) -> None:
        now = asyncio.get_running_loop().time()
        while self._idle and self._idle[0].idle_since < now - IDLE_S:
            self._idle.popleft().close()
        if self._is_closed or not line.is_open or len(self._idle) >= MOST_IDLE:
            line.close()
            return
        line.idle_since = now
        self._idle.append(line)


def request_bytes(method: str, target: bytes, headers: Headers, body: bytes) -> bytes:
    """A request as it is sent; headers of the client's connection are left out."""
    head = [b"%s %s HTTP/1.1" % (method.encode(), target)]
    head += [b"%s: %s" % (name, value) for name, value in headers if name not in HOP]
    head += [b"content-length: %d" % len(body), b"", b""]
    return b"\r\n".join(head) + body


async def forward(
    path: str, *, method: str, target: bytes, headers: Headers, body: bytes, timeout_s: float = 60.0
) -> Forwarded:
    """Ask the process behind the socket at `path`, on a connection of its own.

    Raises OSError (a TimeoutError among them), EOFError or ValueError when it gives no answer.
    """
    lines = Lines(path)
    lines.close()
    request = request_bytes(method, target, headers, body)
    return await lines.ask(request, timeout_s=timeout_s, is_bodiless=method == "HEAD")


def _read_head(head: bytes, *, is_bodiless: bool) -> tuple[int, Headers, int]:
    """Status, headers, and how many bytes follow. Raises ValueError."""
    lines = head.split(b"\r\n")
    back = [(name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines[1:])]
    said = dict(back).get(b"content-length", b"")
    words = lines[0].split(b" ", 2)
    if not said.isdigit() or len(words) < 2 or not words[1].isdigit():
        raise ValueError("the sibling's answer is not understood")
    length = 0 if is_bodiless else int(said)
    if length > MAX_ANSWER_BYTES:
        raise ValueError(f"an answer of {length} bytes")
    return int(words[1]), [h for h in back if h[0] not in HOP], length
