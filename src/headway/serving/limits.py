"""Connections that are held to the limits of a version: how much a client may send, and for how long.

A server without such limits is brought down by one client: with headers that never end, with a body that comes a byte
a minute, with more requests than the model can answer. What the limits are is in
`core/limits`. Neighbours: `batch` keeps the queue, `body` the sizes.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Protocol, runtime_checkable

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from headway.core.limits import Limits
from headway.serving.offers import Parser

__all__ = ["Connection", "Limits", "Looked", "Takeover", "close_late", "connections", "watch"]

LOOK_S = 1.0

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client says first when it speaks HTTP/2: to HTTP/1.1 it is no request."""

_TOO_LONG = b"the headers are too long"
_HEAD_431 = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\nconnection: close\r\n"
    b'content-length: %d\r\n\r\n{"error":"%s"}' % (len(_TOO_LONG) + 12, _TOO_LONG)
)


# The base is Any to mypy where uvicorn's stubs are not read; its methods are those of asyncio.Protocol and httptools.
class Connection(HttpToolsProtocol):
    """uvicorn's connection, which also knows since when a request has been on its way.

    `began_at` is the loop's time of a request's first byte, None between requests; `is_used` whether any byte came.
    """

    max_head_bytes = Limits().max_head_bytes
    takeover: "Takeover | None" = None
    parser: Parser

    # Any: handed to uvicorn as they are.
    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (as above)
        super().__init__(*args, **kwargs)
        self.parser = Parser(self)
        self.began_at: float | None = self.loop.time()
        self.is_used = False
        # What came as long as it may become the preface; None once it is known that HTTP/1.1 is spoken.
        self._start: bytes | None = b""
        self._n_head = 0
        self._is_in_head = True

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless its headers have become too long or HTTP/2 is spoken."""
        if self._start is not None:
            data = self._start + data
            self.is_used = True
            if self.takeover is not None and PREFACE.startswith(data[: len(PREFACE)]):
                self._start = data
                if len(data) >= len(PREFACE):
                    self._handed_over(self.takeover, data)
                return
            self._start = None
        if self.began_at is None:
            self.began_at = self.loop.time()
        self._n_head += len(data)
        super().data_received(data)
        if self._is_in_head and self._n_head > self.max_head_bytes and not self.transport.is_closing():
            self.transport.write(_HEAD_431)
            self.transport.close()

    def _handed_over(self, takeover: "Takeover", data: bytes) -> None:
        self.connections.discard(self)
        takeover(self, data)

    def on_headers_complete(self) -> None:
        """What comes now is a body; a head that offers another protocol comes again without the offer."""
        if self.parser.is_offered:
            return
        self._is_in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole; the next byte belongs to another."""
        if self.parser.is_offered:
            return
        self.began_at = None
        self._is_in_head = True
        self._n_head = 0
        super().on_message_complete()


Takeover = Callable[[Connection, bytes], None]
"""Goes on with a connection on which HTTP/2 is spoken, and with what came on it so far."""


@runtime_checkable
class Looked(Protocol):
    """A connection that keeps its own limits, when it is told to look at them."""

    def look(self, now: float) -> None:
        """End what is too late at `now`."""


def connections(limits: Limits, takeover: Takeover | None = None) -> type[Connection]:
    """The class of connections that are held to these limits; uvicorn takes a class and gives it no arguments."""
    given = None if takeover is None else staticmethod(takeover)
    return type("Connection", (Connection,), {"max_head_bytes": limits.max_head_bytes, "takeover": given})


def close_late(connections: Iterable[object], limits: Limits, *, now: float) -> int:
    """Close the connections whose request takes too long to arrive; returns how many."""
    n = 0
    for connection in list(connections):
        # Asked first: a protocol is looked up in 25 µs, and there may be thousands of these on the loop.
        if not isinstance(connection, Connection):
            if isinstance(connection, Looked):
                connection.look(now)
            continue
        if connection.began_at is None:
            continue
        if now - connection.began_at > (limits.receive_s if connection.is_used else limits.idle_s):
            connection.transport.close()
            n += 1
    return n


async def watch(connections: Iterable[object], limits: Limits) -> None:
    """Close late connections, for ever."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(min(LOOK_S, limits.receive_s / 4))
        close_late(connections, limits, now=loop.time())
