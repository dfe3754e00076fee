"""gRPC on a connection of HTTP/2: calls of one message are put together, answered, and held to limits.

Frames, header compression and flow control are the h2 library's. What it does not do is here: messages and their
statuses, deadlines, who is too slow, who floods, and an end that loses no call. A client that is at fault costs at most
its own connection. Does not know which services there are: `grpc_service` does.
"""

import asyncio
import traceback
from collections.abc import MutableSet
from typing import Any, NamedTuple, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingAckReceived,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from headway.serving.grpc_call import (
    DEADLINE_EXCEEDED,
    INTERNAL,
    INVALID_ARGUMENT,
    RESOURCE_EXHAUSTED,
    UNIMPLEMENTED,
    Answer,
    Call,
    Side,
    framed,
    opened,
    seconds,
)
from headway.serving.grpc_frames import Frames
from headway.serving.grpc_stream import GOOD, Stream, Streams
from headway.serving.trace import say

WINDOW_BYTES = 2**20
"""What a client may send of one call, and 16 times that of all, before it hears from us: the usual 64 KiB make large
messages wait."""

FRAME_BYTES = 2**14
"""The largest frame that is taken; a client knows it from the standard."""

MAX_STREAMS = 256
"""Calls at once on one connection; a client that knows of it keeps others back."""

FREE_FRAMES = 1000
"""Frames without content (pings, settings, windows) that a client may send in a second, beside ten for each answer."""

FREE_RESETS = 200
"""Calls that a client may take back in a second, beside as many as were answered."""

GONE_S = 1.0
"""How long an ending connection waits to hear that its client knows."""

_LAST_ID = 2**31 - 1
_GOING = b"goingawa"


class Ends(NamedTuple):
    """Where a connection comes from and goes to, and the set in which the server keeps it."""

    server: tuple[str, int | None] | None
    client: tuple[str, int] | None
    # Any: uvicorn's own connections are of several classes.
    connections: MutableSet[Any]


class Http2(asyncio.Protocol):
    """One connection."""

    def __init__(self, side: Side, ends: Ends) -> None:
        self._side = side
        self._ends = ends
        self._loop = asyncio.get_running_loop()
        self._h2 = H2Connection(
            H2Configuration(
                client_side=False,
                header_encoding=None,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._calls = Streams(self._h2, side.gathering, self._flush_soon)
        self._is_due = False
        self._paused_at: float | None = None
        self._ending_at: float | None = None
        self._last_id = _LAST_ID
        self._seen_id = 0
        self._frames = Frames(FRAME_BYTES)
        self._n_quiet = 0
        self._n_frames = 0
        self._n_resets = 0

    # --- the transport ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say what we allow."""
        # uvloop's is none of asyncio's class.
        self.transport = cast("asyncio.Transport", transport)
        limits = self._side.limits()
        allowed = {
            SettingCodes.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
            SettingCodes.INITIAL_WINDOW_SIZE: WINDOW_BYTES,
            SettingCodes.MAX_HEADER_LIST_SIZE: limits.max_head_bytes,
        }
        self._h2.local_settings = Settings(client=False, initial_values=allowed)
        self._h2.decoder.max_header_list_size = limits.max_head_bytes
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(15 * WINDOW_BYTES)
        self._ends.connections.add(self)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits for the calls any more."""
        del exc
        self._ends.connections.discard(self)
        for stream in list(self._calls.by_id.values()):
            self._calls.forget(stream.id)

    def data_received(self, data: bytes) -> None:
        """Take in frames."""
        if self.transport.is_closing():
            return
        try:
            events = self._h2.receive_data(data)
        except ProtocolError as e:
            self._close(400, f"a client broke HTTP/2 ({e})")
            return
        # What is still under way of a call that was refused is no fault: it ends with the window.
        n_bytes = self._frames.walk(data)
        self._n_quiet = 0 if events else self._n_quiet + (n_bytes or 0)
        if n_bytes is None or self._n_quiet > self._side.limits().max_head_bytes + 2 * FRAME_BYTES:
            self._close(431, "a client sent a frame, or headers, that do not end")
            return
        for event in events:
            self._take(event)
            if self.transport.is_closing():
                return
        if (
            self._n_frames > FREE_FRAMES + 10 * self._calls.n_answers
            or self._n_resets > FREE_RESETS + self._calls.n_answers
        ):
            self._h2.close_connection(ErrorCodes.ENHANCE_YOUR_CALM)
            self._close(429, "a client sent too many frames without content, or took too many calls back")
            return
        self._flush_soon()

    def pause_writing(self) -> None:
        """The client does not read: what it sends now would only make more to write."""
        self._paused_at = self._loop.time()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        self._paused_at = None
        self.transport.resume_reading()

    # --- ends ---------------------------------------------------------------------------------------------------

    def look(self, now: float) -> None:
        """What is too late by now, or should end: called about once a second."""
        limits = self._side.limits()
        self._n_frames = self._n_resets = self._calls.n_answers = 0
        if self._paused_at is not None and now - self._paused_at > limits.receive_s:
            self._side.note(408)
            self.transport.abort()
            return
        for stream in list(self._calls.by_id.values()):
            if now - stream.since <= limits.receive_s or (stream.is_whole and stream.left is None):
                continue
            self._side.note(408)
            if stream.left is None:
                self._calls.refuse(stream, DEADLINE_EXCEEDED, f"the call was not whole in {limits.receive_s:g} s")
            else:
                self._calls.reset(stream, ErrorCodes.CANCEL)
        if self._ending_at is not None and now - self._ending_at > GONE_S:
            self._last_word()
        elif self._side.is_ending() or (not self._calls.by_id and now - self._calls.idle_at > limits.idle_s):
            self.drain()
        self._flush_soon()

    def drain(self) -> None:
        """Ask the client to go elsewhere, and take what it sends until it knows; then end. No call is lost.

        Its own calls in between are answered; what comes after the last word it repeats elsewhere by itself.
        """
        if self._ending_at is not None or self.transport.is_closing():
            return
        self._ending_at = self._loop.time()
        self._flush()
        self.transport.write(GoAwayFrame(0, last_stream_id=_LAST_ID).serialize())
        self._h2.ping(_GOING)
        self._flush()

    def shutdown(self) -> None:
        """End as soon as the calls under way are answered."""
        if self._ending_at is None:
            self._ending_at = self._loop.time()
        self._last_word()

    def _last_word(self) -> None:
        """Say which call was the last, then end once those are answered."""
        if self._last_id == _LAST_ID and not self.transport.is_closing():
            self._last_id = self._seen_id
            self._flush()
            self.transport.write(GoAwayFrame(0, last_stream_id=self._seen_id).serialize())
        if not self._calls.by_id:
            self._flush()
            self.transport.close()

    def _close(self, status: int, why: str) -> None:
        """End now: what the client sends is not to be borne. h2 has a last word ready."""
        self._side.note(status)
        self._side.say(f"{why}; its connection was closed")
        self._flush()
        self.transport.close()

    # --- what comes ---------------------------------------------------------------------------------------------

    def _take(self, event: Event) -> None:
        match event:
            case RequestReceived():
                self._begin(event)
            case DataReceived():
                self._n_frames += not event.data
                self._data(event)
            case StreamEnded():
                self._whole(event.stream_id)
            case StreamReset():
                self._n_resets += 1
                self._calls.forget(event.stream_id)
            case WindowUpdated() | RemoteSettingsChanged():
                self._n_frames += 1
                for stream in [stream for stream in self._calls.by_id.values() if stream.left is not None]:
                    self._calls.pump(stream)
            case PingAckReceived() if event.ping_data == _GOING and self._ending_at is not None:
                self._last_word()
            case ConnectionTerminated():
                self.transport.close()
            case _:
                self._n_frames += 1

    def _begin(self, event: RequestReceived) -> None:
        number = event.stream_id
        if number > self._last_id:
            # It crossed our last word: the client sends it again elsewhere.
            return
        self._seen_id = number
        headers: dict[bytes, bytes] = dict(event.headers)
        path = headers.get(b":path", b"")
        stream = self._calls.by_id[number] = Stream(number, path, headers, self._loop.time())
        kind, method = headers.get(b"content-type", b""), headers.get(b":method")
        if not kind.startswith(b"application/grpc") or method != b"POST":
            self._side.note(415)
            self._calls.finish(stream, [(b":status", b"415"), (b"content-length", b"0")])
        elif path not in self._side.calls and path not in self._side.talks:
            self._side.note(404)
            self._calls.refuse(stream, UNIMPLEMENTED, f"there is no method {path.decode('latin-1')}")
        elif b"grpc-timeout" in headers:
            timeout_s = seconds(headers[b"grpc-timeout"])
            if timeout_s is None:
                self._side.note(400)
                self._calls.refuse(stream, INVALID_ARGUMENT, "grpc-timeout is no time")
            else:
                stream.timer = self._loop.call_later(timeout_s, self._expire, stream)

    def _data(self, event: DataReceived) -> None:
        if event.flow_controlled_length:
            # At once: what is held is bounded by `gathering`, not by windows.
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        stream = self._calls.by_id.get(event.stream_id)
        if stream is None or stream.trailers is not None:
            return
        limits, gathering = self._side.limits(), self._side.gathering
        stream.body += event.data
        gathering.n_bytes += len(event.data)
        if len(stream.body) >= 5 and int.from_bytes(stream.body[1:5], "big") > limits.max_body_bytes:
            self._side.note(413)
            told = f"the message is larger than {limits.max_body_bytes} bytes; send fewer rows at a time"
            self._calls.refuse(stream, RESOURCE_EXHAUSTED, told)
        elif gathering.n_bytes > limits.max_gathered_bytes:
            self._side.note(503)
            self._calls.refuse(stream, RESOURCE_EXHAUSTED, "too much is being sent at once; try again soon")
        elif stream.path in self._side.talks:
            self._talk(stream)
        elif len(stream.body) > limits.max_body_bytes + 5:
            self._side.note(400)
            self._calls.refuse(stream, INVALID_ARGUMENT, "a call has one message, and more was sent")

    def _whole(self, number: int) -> None:
        stream = self._calls.by_id.get(number)
        if stream is None or stream.trailers is not None:
            return
        stream.is_whole = True
        if stream.path in self._side.talks:
            self._calls.trail(stream, GOOD)
            return
        body, stream.body = stream.body, bytearray()
        self._side.gathering.n_bytes -= len(body)
        encoding = stream.headers.get(b"grpc-encoding", b"identity")
        message = opened(body, encoding, self._side.limits().max_body_bytes)
        if isinstance(message, Answer):
            self._side.note(400)
            self._calls.send(stream, message)
            return
        call = Call(stream.path, stream.headers, message, self._ends.server, self._ends.client)
        stream.task = self._loop.create_task(self._answered(stream, call))

    def _talk(self, stream: Stream) -> None:
        """Answer the messages that are whole so far."""
        while len(stream.body) >= 5:
            end = 5 + int.from_bytes(stream.body[1:5], "big")
            if len(stream.body) < end:
                return
            message = bytes(stream.body[5:end])
            del stream.body[:end]
            self._side.gathering.n_bytes -= end
            stream.since = self._loop.time()
            try:
                reply = self._side.talks[stream.path](message)
            except ValueError as e:
                self._calls.refuse(stream, INVALID_ARGUMENT, str(e))
                return
            self._calls.head(stream, [])
            left = b"" if stream.left is None else bytes(stream.left)
            if len(left) > WINDOW_BYTES:
                self._calls.reset(stream, ErrorCodes.ENHANCE_YOUR_CALM)
                return
            stream.left = memoryview(left + framed(reply))
            self._calls.pump(stream)

    # --- what goes ----------------------------------------------------------------------------------------------

    async def _answered(self, stream: Stream, call: Call) -> None:
        try:
            answer = await self._side.calls[call.path](call)
        except Exception as e:  # noqa: BLE001 (whatever it is, the client is told and the server goes on)
            self._side.note(500)
            say(f"grpc: {call.path.decode('latin-1')} raised\n{''.join(traceback.format_exception(e))}")
            answer = Answer(status=INTERNAL, text=f"the server failed: {type(e).__name__}; its log tells more")
        if stream.id in self._calls.by_id and stream.trailers is None and not self.transport.is_closing():
            self._calls.send(stream, answer)

    def _expire(self, stream: Stream) -> None:
        if stream.id in self._calls.by_id and stream.trailers is None:
            self._side.note(504)
            self._calls.refuse(stream, DEADLINE_EXCEEDED, "the client's deadline has passed")

    def _flush_soon(self) -> None:
        """Write once for all that is answered in this turn of the loop."""
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._turned)

    def _turned(self) -> None:
        self._is_due = False
        if self.transport.is_closing():
            return
        self._flush()
        if self._ending_at is None:
            # While no call is under way, if there is such a moment before the next look: some clients drop theirs.
            if self._calls.n_answers and not self._calls.by_id and self._side.is_ending():
                self.drain()
        elif self._last_id != _LAST_ID and not self._calls.by_id:
            self.transport.close()

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and not self.transport.is_closing():
            self.transport.write(data)
