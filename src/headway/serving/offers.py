"""Offers of another protocol are declined: a request with `Upgrade:` is answered as if it had none.

Java's own HTTP client, among others, offers HTTP/2 with each first request, bodies included. A server may ignore the
offer and has to read the body then; httptools takes the head for the end of the request, and the body for another
one. So the head is shown to it a second time, without the offer. Neighbours: `limits` keeps the connection.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

import httptools

if TYPE_CHECKING:
    from array import array

__all__ = ["Asked", "Parser"]


class Asked(Protocol):
    """The connection, as far as it tells what head came last."""

    url: bytes
    headers: list[tuple[bytes, bytes]]


class Parser(httptools.HttpRequestParser):
    """httptools' parser of requests, which goes on behind a head that offers another protocol.

    What the parser tells of such a head is not yet a request while `is_offered` is true.
    """

    # Any: a connection is asked by httptools for whatever it can be told.
    def __init__(self, connection: Any) -> None:  # noqa: ANN401 (as above)
        super().__init__(connection)
        self._asked: Asked = connection
        # As uvicorn's own: what comes behind a request that closes the connection does not take its answer away.
        if hasattr(self, "set_dangerous_leniencies"):
            self.set_dangerous_leniencies(lenient_data_after_close=True)

    @property
    def is_offered(self) -> bool:
        """Whether the head just read offers another protocol; CONNECT demands one, and is no offer."""
        return bool(self.should_upgrade()) and self.get_method() != b"CONNECT"

    def feed_data(self, data: "bytes | bytearray | memoryview[int] | array[int]") -> None:
        """Read `data`, declining each offer in it; raises what httptools raises."""
        while True:
            try:
                super().feed_data(data)
            except httptools.HttpParserUpgrade as paused:
                if not self.is_offered:
                    raise
                data = memoryview(data)[paused.args[0] :]
                super().feed_data(self._without_offer())
            else:
                return

    def _without_offer(self) -> bytes:
        asked = self._asked
        start = b"%b %b HTTP/%b\r\n" % (self.get_method(), asked.url, self.get_http_version().encode())
        return b"".join((start, *_lines(asked.headers), b"\r\n"))


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[bytes]:
    return (b"%b: %b\r\n" % (name, value) for name, value in headers if name != b"upgrade")
