"""The calls of one connection of HTTP/2, and what is sent on them as far as the client lets us.

The h2 library raises when a client took back what is answered, since it knows before we have seen the event: then the
call is forgotten. Neighbour: `grpc_wire` has the connection and what comes. Does not know services.
"""

import asyncio
import contextlib
from collections.abc import Callable
from urllib.parse import quote

from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError

from headway.serving.body import Gathering
from headway.serving.grpc_call import OK, Answer, Pairs, framed

MAX_TEXT = 2000
"""Letters of a status: clients refuse longer headers."""

_PRINTABLE = " !\"#$&'()*+,/:;<=>?@[\\]^`{|}"
_HEAD: Pairs = [
    (b":status", b"200"),
    (b"content-type", b"application/grpc"),
    (b"grpc-accept-encoding", b"gzip,deflate"),
]
GOOD: Pairs = [(b"grpc-status", b"0")]


class Stream:
    """One call on its way. `since` is when its client was last owed or owing something."""

    __slots__ = ("body", "headers", "id", "is_begun", "is_whole", "left", "path", "since", "task", "timer", "trailers")

    def __init__(self, number: int, path: bytes, headers: dict[bytes, bytes], now: float) -> None:
        self.id = number
        self.path = path
        self.headers = headers
        self.body = bytearray()
        self.since = now
        self.is_whole = False
        self.is_begun = False
        self.left: memoryview | None = None
        self.trailers: Pairs | None = None
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None


class Streams:
    """The calls under way, by the number of their stream. `flush` is called when something waits to be written.

    `n_answers` counts ends of calls, `idle_at` is when the last call ended.
    """

    __slots__ = ("_flush", "_gathering", "_h2", "_loop", "by_id", "idle_at", "n_answers")

    def __init__(self, h2: H2Connection, gathering: Gathering, flush: Callable[[], None]) -> None:
        self._h2 = h2
        self._gathering = gathering
        self._flush = flush
        self._loop = asyncio.get_running_loop()
        self.by_id: dict[int, Stream] = {}
        self.idle_at = self._loop.time()
        self.n_answers = 0

    def send(self, stream: Stream, answer: Answer) -> None:
        """Send an answer and end the call."""
        if answer.status != OK:
            self.refuse(stream, answer.status, answer.text, answer.metadata)
            return
        self.head(stream, answer.metadata)
        stream.left = memoryview(framed(answer.message))
        self.trail(stream, GOOD)

    def head(self, stream: Stream, metadata: Pairs) -> None:
        """Send the first headers, once."""
        if stream.is_begun:
            return
        stream.is_begun = True
        try:
            self._h2.send_headers(stream.id, _HEAD + metadata)
        except ProtocolError:
            # The client took it back, here and below: h2 knows before we have seen the event.
            self.forget(stream.id)

    def trail(self, stream: Stream, trailers: Pairs) -> None:
        """End the call once all is sent that is left."""
        stream.trailers = trailers
        stream.since = self._loop.time()
        self.head(stream, [])
        self.pump(stream)

    def pump(self, stream: Stream) -> None:
        """Send what the client lets us, then the end if there is one."""
        while stream.left is not None and stream.id in self.by_id:
            try:
                room = min(self._h2.local_flow_control_window(stream.id), self._h2.max_outbound_frame_size)
                if room <= 0:
                    return
                self._h2.send_data(stream.id, stream.left[:room].tobytes())
            except ProtocolError:
                self.forget(stream.id)
                return
            stream.left = stream.left[room:] or None
            stream.since = self._loop.time()
        if stream.trailers is not None:
            self.finish(stream, stream.trailers)
        else:
            self._flush()

    def refuse(self, stream: Stream, status: int, text: str, metadata: Pairs | None = None) -> None:
        """End the call with a status that is no good one."""
        told = quote(text[:MAX_TEXT], safe=_PRINTABLE).encode()
        trailers = [(b"grpc-status", b"%d" % status), (b"grpc-message", told), *(metadata or ())]
        self.finish(stream, trailers if stream.is_begun else _HEAD + trailers)

    def finish(self, stream: Stream, last: Pairs) -> None:
        """Send the last headers of a call, and let it go."""
        if stream.id not in self.by_id:
            return
        with contextlib.suppress(ProtocolError):
            self._h2.send_headers(stream.id, last, end_stream=True)
            if not stream.is_whole:
                # It need not send the rest.
                self._h2.reset_stream(stream.id, ErrorCodes.NO_ERROR)
        self.n_answers += 1
        self.forget(stream.id)
        self._flush()

    def reset(self, stream: Stream, why: ErrorCodes) -> None:
        """Break the call off."""
        with contextlib.suppress(ProtocolError):
            self._h2.reset_stream(stream.id, why)
        self.forget(stream.id)
        self._flush()

    def forget(self, number: int) -> None:
        """Let a call go, and whoever answers it know."""
        stream = self.by_id.pop(number, None)
        if stream is None:
            return
        self._gathering.n_bytes -= len(stream.body)
        stream.body = bytearray()
        if stream.timer is not None:
            stream.timer.cancel()
        if stream.task is not None and not stream.task.done() and stream.task is not asyncio.current_task(self._loop):
            stream.task.cancel()
        if not self.by_id:
            self.idle_at = self._loop.time()
