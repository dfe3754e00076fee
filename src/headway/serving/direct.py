"""Requests to the model that are answered from the connection itself: no task, no scope, no coroutine for each.

Most requests of a busy server are alike: POST to one of a few paths, whole in what was read, from a client that keeps
its connection. Those go straight to the application's `put`, and their answer from there to the transport. Whatever is
not plain goes the ordinary way, by uvicorn to the application, as if this file were not there: the answers are the
same byte for byte, which a test holds. Neighbours: `heads` reads requests' heads, `limits` keeps the connection's.
"""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, Protocol, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from headway.serving.body import Gathering
from headway.serving.heads import Head, Heads
from headway.serving.limits import Connection, Limits, Takeover
from headway.serving.reply import Reply, framed

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

MOST_HELD_BYTES = 2**16
"""A larger request whose rest has not come yet goes the ordinary way: uvicorn lets its client wait there."""

_BROKEN = (
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 21\r\nconnection: close\r\n\r\nInternal Server Error"
)
"""What uvicorn says when an application raised."""


_USUAL = b"%b%b\r\ncontent-length: %d\r\ncontent-type: application/json\r\n\r\n%b"


class Tell(Protocol):
    """What is told the reply to a request, or what our own fault raised."""

    def __call__(self, reply: Reply | Exception, *, closing: bool) -> None:
        """Send it; `closing`: the client is to connect anew."""


class Front(Protocol):
    """The application, as far as requests reach it without a task."""

    @property
    def asked_at(self) -> Collection[str]:
        """The paths that `put` takes."""

    @property
    def is_plain(self) -> bool:
        """Whether it takes requests now."""

    @property
    def limits(self) -> Limits:
        """Those of now."""

    @property
    def gathering(self) -> Gathering:
        """The bodies that are not whole yet."""

    def put(self, path: str, headers: dict[bytes, bytes], body: bytes, tell: Tell) -> None:
        """Answer this request; `tell` is called once, now or later."""


class _Turn:
    """Stands where uvicorn looks for the request under way, and is the event it sets when the client is gone."""

    __slots__ = ("disconnected", "keep_alive", "message_event", "response_complete")

    def __init__(self) -> None:
        self.disconnected = False
        self.keep_alive = True
        self.response_complete = True
        self.message_event = self

    def set(self) -> None:
        """Nobody waits for it: an answer comes in any case, and is dropped then."""


class _Shared:
    """What the connections of one server share: the application, heads, and what is the same in its answers."""

    __slots__ = ("defaults", "front", "heads", "start")

    def __init__(self, front: Front) -> None:
        self.front = front
        self.heads = Heads(front.asked_at)
        self.defaults: object = None
        self.start = b""


class Direct(Connection):
    """A connection whose plain requests to the model go straight to the application."""

    shared: _Shared

    # Any: handed to uvicorn as they are.
    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (as above)
        super().__init__(*args, **kwargs)
        self._turn = _Turn()
        self._cycle = self.cycle = cast("RequestResponseCycle", self._turn)
        self._is_between = True
        self._is_for_clients = False
        # The beginning of a request whose rest has not come.
        self._held = b""
        self._idle_at: float | None = None

    # Any: as above.
    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 (as above)
        """A private socket is for checks and for what versions hand on: those go the ordinary way."""
        super().connection_made(transport)
        is_public = bool(self.server and self.server[1])
        self._is_for_clients = is_public and not self.access_log and self.limit_concurrency is None

    def connection_lost(self, exc: Exception | None) -> None:
        """What was held is a request that did not become whole."""
        if self._held:
            super().data_received(self._let_go(b""))
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Answer what is plain; the rest goes on to uvicorn."""
        self._idle_at = None
        if self._held:
            data = self._let_go(data)
            is_late = True
        else:
            is_late = False
        heads = self.shared.heads
        if (
            data.startswith(heads.starts)
            and self._is_between
            and self._is_for_clients
            and not self._start
            and self.cycle.response_complete
            and not self.flow.write_paused
            and not self.transport.is_closing()
            and self.shared.front.is_plain
        ):
            end = data.find(b"\r\n\r\n") + 4
            if end > 3:
                raw = data[:end]
                head = heads.known.get(raw) or heads.read(raw)
                if head is not None and self._taken(head, data, end, is_late=is_late):
                    return
        super().data_received(data)

    def _taken(self, head: Head, data: bytes, end: int, *, is_late: bool) -> bool:
        """Whether the request that begins with `head` is answered directly, or waited for."""
        front = self.shared.front
        size = end + head.length
        if len(data) != size or head.length > front.limits.max_body_bytes:
            # Many clients send the head and the body apart.
            return not is_late and len(data) < size <= MOST_HELD_BYTES and self._hold(data)
        self._start = None
        self.is_used = True
        self.began_at = None
        turn = self._turn
        self.cycle = self._cycle
        turn.response_complete = False
        turn.keep_alive = head.keeps
        front.put(head.path, head.headers, data[end:], self._told)
        return True

    def _hold(self, data: bytes) -> bool:
        front = self.shared.front
        gathering, limits = front.gathering, front.limits
        if gathering.n_bytes + len(data) > limits.max_gathered_bytes:
            return False
        gathering.n_bytes += len(data)
        self._held = data
        self._start = None
        self.is_used = True
        if self.began_at is None:
            self.began_at = self.loop.time()
        self._unset_keepalive_if_required()
        return True

    def _let_go(self, more: bytes) -> bytes:
        held, self._held = self._held, b""
        self.shared.front.gathering.n_bytes -= len(held)
        return held + more

    def _told(self, reply: Reply | Exception, *, closing: bool) -> None:
        """The answer to the request under way."""
        turn = self._turn
        if isinstance(reply, Exception):
            self.logger.error("Exception in ASGI application\n", exc_info=reply)
        if turn.disconnected:
            return
        turn.response_complete = True
        closing = closing or not turn.keep_alive or isinstance(reply, Exception)
        self.transport.write(self._on_wire(reply, closing=closing))
        if closing:
            self.transport.close()
        self._rest()

    def _on_wire(self, reply: Reply | Exception, *, closing: bool) -> bytes:
        defaults = self.server_state.default_headers
        if isinstance(reply, Exception):
            return b"".join((STATUS_LINE[500], *_lines(defaults), _BROKEN))
        if reply.status != 200 or closing or len(reply.headers) != 2:
            headers = [*defaults, *framed(reply, closing=closing)]
            return b"".join((STATUS_LINE[reply.status], *_lines(headers), b"\r\n", reply.body))
        # Nearly all: what is the same in each of them is put together once a second, when the date changes.
        shared = self.shared
        (name, version), (_, request_id) = reply.headers
        if shared.defaults is not defaults:
            shared.defaults = defaults
            same = _lines([*defaults, (name, version)])
            shared.start = b"".join((STATUS_LINE[200], *same, b"x-request-id: "))
        return _USUAL % (shared.start, request_id, len(reply.body), reply.body)

    def _rest(self) -> None:
        """The request is answered; what came behind it is next, or the client may be idle for a while."""
        if self.pipeline or self.flow.read_paused or self.transport.is_closing():
            self.on_response_complete()
            return
        self.server_state.total_requests += 1
        self._idle_at = self.loop.time()
        # One timer goes on from request to request, and looks at the time: to set one anew costs more.
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_message_begin(self) -> None:
        """A request that uvicorn reads is under way."""
        self._is_between = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """The next byte belongs to another."""
        self._is_between = not self.parser.is_offered
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The client may be idle from now on."""
        self._idle_at = self.loop.time()
        super().on_response_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection, if it has been idle for as long as it may."""
        self.timeout_keep_alive_task = None
        if self._idle_at is None:
            return
        left_s = self._idle_at + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left_s, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    return [b"%b: %b\r\n" % header for header in headers]


def connections(front: Front, limits: Limits, takeover: Takeover | None = None) -> type[Direct]:
    """The class of an application's connections, held to these limits; uvicorn takes a class and gives no arguments."""
    given = None if takeover is None else staticmethod(takeover)
    about = {"max_head_bytes": limits.max_head_bytes, "takeover": given, "shared": _Shared(front)}
    return type("Connection", (Direct,), about)
