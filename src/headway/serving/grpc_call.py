"""What a call of gRPC is: a message in, a message or a status out; and how messages are framed, packed and timed.

Neighbours: `grpc_stream` sends, `grpc_wire` receives. Knows neither connections nor services.
"""

import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from headway.serving.body import Gathering
from headway.serving.limits import Limits

OK, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, RESOURCE_EXHAUSTED = 0, 3, 4, 5, 8
FAILED_PRECONDITION, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 9, 12, 13, 14

Pairs = list[tuple[bytes, bytes]]

_WINDOWS = {b"gzip": 31, b"deflate": 15}
_UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}


class Call(NamedTuple):
    """A whole call: its path, the headers of HTTP/2, one message, and which socket it came on."""

    path: bytes
    headers: dict[bytes, bytes]
    message: bytes
    server: tuple[str, int | None] | None
    client: tuple[str, int] | None


class Answer(NamedTuple):
    """A message, or a status and why; `metadata` goes out with either."""

    message: bytes = b""
    status: int = OK
    text: str = ""
    metadata: Pairs = []  # noqa: RUF012 (never changed)


Answerer = Callable[[Call], Awaitable[Answer]]
Replies = Callable[[bytes], bytes]


class Side(NamedTuple):
    """What all connections of a server share.

    `calls` answer one message with one, `talks` each of many at once. `is_ending`: whether clients should go elsewhere.
    `say` writes to the log, not too often.
    `note` is told of what never reached a service, by the HTTP status that comes nearest.
    """

    calls: Mapping[bytes, Answerer]
    talks: Mapping[bytes, Replies]
    limits: Callable[[], Limits]
    gathering: Gathering
    is_ending: Callable[[], bool]
    note: Callable[[int], None]
    say: Callable[[str], None]


def framed(message: bytes) -> bytes:
    """A message as it goes out: as it is, behind its length."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def opened(body: bytearray, encoding: bytes, most_bytes: int) -> bytes | Answer:
    """The one message of a call, unpacked; or why it has none."""
    if len(body) < 5 or len(body) != 5 + int.from_bytes(body[1:5], "big"):
        return Answer(status=INVALID_ARGUMENT, text="a call has one whole message")
    if body[0] == 0:
        return bytes(memoryview(body)[5:])
    if encoding not in _WINDOWS or body[0] != 1:
        told = f"there is no grpc-encoding {encoding.decode('latin-1')!r} here; send gzip or deflate"
        return Answer(status=UNIMPLEMENTED, text=told)
    return _unpacked(memoryview(body)[5:], encoding, most_bytes)


def _unpacked(packed: memoryview, encoding: bytes, most_bytes: int) -> bytes | Answer:
    unpacker = zlib.decompressobj(_WINDOWS[encoding])
    try:
        message = unpacker.decompress(packed, most_bytes + 1)
    except zlib.error as e:
        return Answer(status=INVALID_ARGUMENT, text=f"the message is not {encoding.decode()}: {e}")
    if len(message) > most_bytes:
        return Answer(status=RESOURCE_EXHAUSTED, text=f"the message is larger than {most_bytes} bytes")
    if not unpacker.eof or unpacker.unused_data:
        return Answer(status=INVALID_ARGUMENT, text=f"the message is not one whole {encoding.decode()} stream")
    return message


def seconds(text: bytes) -> float | None:
    """A `grpc-timeout`; None when it is none.

    >>> seconds(b"100m"), seconds(b"2S"), seconds(b"-1S"), seconds(b"123456789S")
    (0.1, 2.0, None, None)
    """
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isdigit() or len(number) > 8:
        return None
    return int(number) * _UNITS[unit]
