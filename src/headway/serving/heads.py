"""Heads of requests to the model that are plain: read by httptools, as uvicorn's are, and known again by their bytes.

Most clients send the same head over and over. Nothing is parsed here: a head is either what httptools said of the same
bytes before, or is shown to it. What is not plain is left to uvicorn. Does not know connections.
"""

from collections.abc import Iterable

import httptools
from msgspec import Struct

MOST_HEADS = 256
"""Heads of requests that are known by their bytes. Those of one client differ by the length of its bodies."""

MOST_HEAD_BYTES = 1024
"""Longer ones are read anew each time."""

_NOT_PLAIN = frozenset({b"expect", b"upgrade", b"transfer-encoding", b"content-encoding"})
"""Headers of requests that go the ordinary way."""

_OWN = frozenset({b"x-request-id", b"traceparent", b"tracestate"})
"""Headers that differ with each request: such heads are not worth keeping."""


class Head(Struct, frozen=True):
    """The head of a plain request; `length` of its body; `keeps`: whether its connection is kept."""

    path: str
    headers: dict[bytes, bytes]
    length: int
    keeps: bool


class _Reading:
    """What httptools tells of a head; `is_plain` while nothing came that is not in a single plain request's."""

    __slots__ = ("headers", "is_plain", "is_read", "keeps", "parser")

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_plain = True
        self.is_read = False
        self.keeps = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        name = name.lower()
        if name in _NOT_PLAIN or (name == b"content-length" and any(name == seen for seen, _ in self.headers)):
            self.is_plain = False
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """All of them."""
        # A second time: what looked like one head was two requests.
        self.is_plain = self.is_plain and not self.is_read and not self.parser.should_upgrade()
        self.is_read = True
        # Asked here, as uvicorn does: behind the end of a request without a body the parser has forgotten it.
        self.keeps = self.parser.should_keep_alive()

    def on_body(self, _body: bytes) -> None:
        """The head ended before its end."""
        self.is_plain = False


class Heads:
    """The heads of requests that POST to some paths. `starts` are their request lines, `known` what was read lately."""

    __slots__ = ("_paths", "known", "starts")

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = {f"POST {path} HTTP/1.1\r\n".encode(): path for path in paths}
        self.starts = tuple(self._paths)
        self.known: dict[bytes, Head] = {}

    def read(self, raw: bytes) -> Head | None:
        """A whole head that begins as one of `starts` and ends with the empty line; None when it is not plain."""
        head = _read(self._paths[raw[: raw.find(b"\n") + 1]], raw)
        if head is not None and len(raw) <= MOST_HEAD_BYTES and _OWN.isdisjoint(head.headers):
            if len(self.known) >= MOST_HEADS:
                self.known.clear()
            self.known[raw] = head
        return head


def _read(path: str, raw: bytes) -> Head | None:
    reading = _Reading()
    try:
        reading.parser.feed_data(raw)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None
    if not (reading.is_read and reading.is_plain):
        return None
    headers = dict(reading.headers)
    length = headers.get(b"content-length", b"")
    # More digits are no length that any limit lets through.
    if not length.isdigit() or len(length) > 12:
        return None
    return Head(path, headers, int(length), reading.keeps)
