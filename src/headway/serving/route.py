"""What the version that accepts does with a routing table: it answers its own share, and hands the others' on.

`core.routing` decides; here are the places where a request's key stands, the siblings' sockets, and what happens when a
sibling gives no answer: the accepting version answers itself, counts that, and the client notices nothing. Copies for a
shadow are sent behind an answer, from a queue that drops what it has no room for. Does not know the models.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct, structs

from headway.core.routing import Chooser, Sticky, Table, cookie, key_text
from headway.core.signature import Signature
from headway.serving import v2, v2_request
from headway.serving.about import About
from headway.serving.forward import HANDED_ON, ROUTED, SHADOW, Forwarded, Headers, Lines, request_bytes
from headway.serving.protocol import Refusal
from headway.serving.record import Answered
from headway.serving.reply import Request, failed
from headway.serving.trace import named, say

FULL = frozenset({429, 503})
"""A sibling that says so has no room: the accepting version answers instead."""

SLOW_S = 5.0
"""How long nothing is handed on to a sibling that gave no answer in time: one client after the other would wait."""

SAY_S = 10.0
"""How often the log tells of a sibling that gives no answer."""

ROOM_COPIES = 1024
ROOM_BYTES = 32 * 2**20
"""Copies that wait for the shadow; what comes above it is dropped, and counted."""

SENDERS = 16
"""Copies on their way at a time."""

_OF_THIS_HOP = frozenset({b"x-request-id", b"content-encoding", b"accept-encoding", HANDED_ON})
"""Bodies are unpacked and answers packed where the client is; and no client says what is handed on."""


class Plan(Struct, frozen=True, kw_only=True):
    """A table, and the private socket of every version in it."""

    table: Table
    sockets: dict[int, str]


class Counts:
    """How requests went, by version and outcome; they outlive a table.

    `answers`: "own", "handed on", "instead" (the version gave no answer, and the accepting one did). `copies`: "sent",
    "failed" (no good answer), "dropped".
    """

    __slots__ = ("answers", "copies")

    def __init__(self) -> None:
        self.answers: dict[tuple[int, str], int] = {}
        self.copies: dict[tuple[int, str], int] = {}

    def answered(self, version: int, how: str) -> None:
        """Count a client's request."""
        key = (version, how)
        self.answers[key] = self.answers.get(key, 0) + 1

    def copied(self, version: int, how: str, n: int = 1) -> None:
        """Count copies."""
        key = (version, how)
        self.copies[key] = self.copies.get(key, 0) + n


class Asked(Struct, frozen=True, kw_only=True):
    """A request as it came: its whole address, and what is known of it."""

    method: str
    target: bytes
    headers: Headers
    request: Request


class Router:
    """Routes by one plan, on one event loop. `about` is the version that accepts; `wait_s`: how long for a sibling."""

    __slots__ = (
        "_about", "_addressed", "_chooser", "_copies", "_copies_bytes", "_counts", "_lines", "_note", "_paths",
        "_said_at", "_senders", "_shadow", "_signature", "_slow_until", "_sticky", "_wait_s",
    )  # fmt: skip

    def __init__(
        self,
        plan: Plan,
        about: About,
        signature: Signature,
        counts: Counts,
        *,
        wait_s: float,
        note: Callable[[Answered], None] = lambda _: None,
    ) -> None:
        """`note` is told of requests that another version was asked, and nobody answered."""
        table = plan.table
        base = f"/v2/models/{about.model}"
        self._about = about
        self._signature = signature
        self._counts = counts
        self._wait_s = wait_s
        self._note = note
        self._chooser = Chooser(about.endpoint, table)
        self._sticky = table.sticky
        self._lines = {v: Lines(path) for v, path in plan.sockets.items() if v != about.version}
        self._paths = frozenset({"/predict", f"{base}/infer"})
        self._addressed = f"{base}/versions/"
        self._shadow = (
            None if table.shadow is None else (table.shadow.version, Lines(plan.sockets[table.shadow.version]))
        )
        self._copies: deque[Asked] = deque()
        self._copies_bytes = 0
        self._senders: set[asyncio.Task[None]] = set()
        self._slow_until: dict[int, float] = {}
        self._said_at = 0.0

    async def handed_on(self, asked: Asked) -> Forwarded | int:
        """The answer of the version that the table chooses. A number when the accepting one is to answer.

        It is the version that gave no answer, 0 when it is its own request.
        """
        path = asked.request.path
        if path not in self._paths or asked.method != "POST":
            return await self._of_address(asked) if path.startswith(self._addressed) else 0
        version = self._chooser.version(self.key(asked.request))
        if version == self._about.version:
            self._counts.answered(version, "own")
            return 0
        lines = self._lines[version]
        told = await self._told(version, lines, asked)
        self._counts.answered(version, "instead" if told is None else "handed on")
        return version if told is None else told

    def copy(self, asked: Asked) -> None:
        """Send the shadow its copy, if this is a request that it gets one of. Returns at once."""
        if self._shadow is None or asked.request.path not in self._paths:
            return
        if not self._chooser.is_shadowed(asked.request.request_id):
            return
        size = len(asked.request.body)
        if len(self._copies) >= ROOM_COPIES or self._copies_bytes + size > ROOM_BYTES:
            self._counts.copied(self._shadow[0], "dropped")
            return
        self._copies.append(asked)
        self._copies_bytes += size
        if len(self._senders) < SENDERS:
            sender = asyncio.get_running_loop().create_task(self._send_copies(*self._shadow))
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)

    def close(self) -> None:
        """Let go of the siblings: what is under way with them, copies that wait among it, still ends."""
        for lines in self._lines.values():
            lines.close()
        if self._shadow is not None:
            self._shadow[1].close()

    async def end(self) -> None:
        """Let go of them at once: copies that still wait count as dropped."""
        self.close()
        if self._shadow is not None:
            self._counts.copied(self._shadow[0], "dropped", len(self._copies))
        self._copies.clear()
        senders = list(self._senders)
        for sender in senders:
            sender.cancel()
        await asyncio.gather(*senders, return_exceptions=True)

    def key(self, request: Request) -> str:
        """What a request's version is chosen by: its key, or its id when it has none."""
        sticky = self._sticky
        if sticky is None:
            return request.request_id
        match sticky.place:
            case "header":
                told = request.headers.get(sticky.name.encode(), b"").decode("latin-1") or None
            case "cookie":
                told = cookie(request.headers.get(b"cookie", b"").decode("latin-1"), sticky.name)
            case _:
                told = key_text(_field(request, sticky, self._signature))
        return request.request_id if told is None else told

    async def _told(self, version: int, lines: Lines, asked: Asked) -> Forwarded | None:
        loop = asyncio.get_running_loop()
        if self._slow_until.get(version, 0.0) > loop.time():
            return None
        try:
            told = await lines.ask(_as_sent(asked, ROUTED), timeout_s=self._wait_s, is_bodiless=asked.method == "HEAD")
        except (OSError, EOFError, ValueError) as e:
            if isinstance(e, TimeoutError):
                self._slow_until[version] = loop.time() + SLOW_S
            self._say(version, asked, e)
            return None
        return None if told.status in FULL else told

    async def _of_address(self, asked: Asked) -> Forwarded | int:
        """What a version says that is asked for by its address; 0 when it is not one of the table."""
        number = asked.request.path[len(self._addressed) :].partition("/")[0]
        lines = self._lines.get(int(number)) if number.isdecimal() and len(number) < 10 else None
        if lines is None:
            return 0
        told = await self._told(int(number), lines, asked)
        if told is not None:
            self._counts.answered(int(number), "handed on")
            return told
        if asked.method == "POST" and asked.request.path.endswith("/infer"):
            self._note(_lost(asked, int(number)))
        error = f"{self._about.model}@{int(number)} gives no answer now; try again soon"
        body = msgspec.json.encode({"error": error, "request_id": asked.request.request_id})
        return Forwarded(503, [(b"retry-after", b"1"), (b"x-request-id", asked.request.request_id.encode())], body)

    async def _send_copies(self, version: int, lines: Lines) -> None:
        while self._copies:
            copy = self._copies.popleft()
            self._copies_bytes -= len(copy.request.body)
            try:
                told = await lines.ask(_as_sent(copy, SHADOW), timeout_s=self._wait_s)
            except (OSError, EOFError, ValueError):
                self._counts.copied(version, "failed")
                self._note(_lost(copy, version, is_shadow=True))
            else:
                self._counts.copied(version, "sent" if told.status == 200 else "failed")

    def _say(self, version: int, asked: Asked, why: Exception) -> None:
        now = time.monotonic()
        if now - self._said_at > SAY_S:
            self._said_at = now
            say(
                f"{named(asked.request.request_id, asked.request.headers)}: version {version} gives no answer "
                f"({why!r}); {self._about.name} answers for it (told at most every {SAY_S:g} s)"
            )


def _lost(asked: Asked, version: int, *, is_shadow: bool = False) -> Answered:
    """What the prediction log is told of a request that a version was asked, and nobody answered."""
    return structs.replace(failed(asked.request, 503), instead_of=version, is_shadow=is_shadow)


def _as_sent(asked: Asked, what: bytes) -> bytes:
    return request_bytes(
        asked.method, asked.target, handed_on_headers(asked.headers, asked.request.request_id, what), asked.request.body
    )


def handed_on_headers(headers: Headers, request_id: str, what: bytes) -> Headers:
    """A client's headers as a sibling gets them; `what` is one of those in `forward`."""
    kept = [header for header in headers if header[0] not in _OF_THIS_HOP]
    return [*kept, (b"x-request-id", request_id.encode()), (HANDED_ON, what)]


class _Parameters(Struct):
    # Any: whatever a client says there.
    parameters: dict[str, Any] = {}


_parameters = msgspec.json.Decoder(_Parameters)


def _field(request: Request, sticky: Sticky, signature: Signature) -> object:
    """A field of the first row; of the Open Inference Protocol a parameter, or the first value of an input."""
    try:
        if request.path == "/predict":
            return _of_rows(msgspec.json.decode(request.body), sticky.name)
        length = request.headers.get(v2.HEAD_LENGTH)
        head = int(length) if length is not None and length.isdigit() else None
        told = _parameters.decode(request.body[:head]).parameters if head != 0 else {}
        if sticky.name in told:
            return told[sticky.name]
        read = v2_request.read(request.body, signature, head_bytes=head)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # Whoever answers says what is wrong with it.
        return None
    array = None if isinstance(read, Refusal) else read.arrays.get(sticky.name)
    if array is None or not len(array):
        return None
    return array[:1].reshape(-1).tolist()[0]


# Any: JSON.
def _of_rows(value: Any, name: str) -> object:  # noqa: ANN401 (as above)
    # As `protocol.read_rows` unwraps it.
    if isinstance(value, Mapping) and len(value) == 1 and isinstance(value.get("inputs"), dict | list):
        value = value["inputs"]
    first = value[0] if isinstance(value, list) and value else value
    return first.get(name) if isinstance(first, dict) else None
