"""The body of a request, whole and unpacked, or why not; and how an answer is packed for whom wishes it.

Nothing is believed that a client says of sizes: what is unpacked is held to the same limit as what was sent.
"""

import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from headway.serving.limits import Limits
from headway.serving.protocol import Refusal

PACK_BYTES = 4096
"""Smaller answers are sent as they are: packing costs more than it saves."""

# Any: ASGI's own types are open mappings.
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_WINDOWS = {b"gzip": 31, b"deflate": 15}


class Gathering:
    """How many bytes of bodies that are not whole yet are held, by all requests together."""

    __slots__ = ("n_bytes",)

    def __init__(self) -> None:
        self.n_bytes = 0


async def read(
    receive: Receive, headers: Mapping[bytes, bytes], limits: Limits, gathering: Gathering
) -> bytes | Refusal:
    """The body, unpacked."""
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > limits.max_body_bytes:
        return _too_large(limits)
    message = await receive()
    first: bytes = message.get("body", b"")
    is_whole = message["type"] == "http.request" and not message.get("more_body", False)
    body: bytes | Refusal = first
    if not is_whole or len(first) > limits.max_body_bytes:
        body = await _gathered(receive, message, limits, gathering)
    encoding = headers.get(b"content-encoding")
    return body if encoding is None or isinstance(body, Refusal) else _unpacked(body, encoding.strip().lower(), limits)


async def _gathered(
    receive: Receive, message: MutableMapping[str, Any], limits: Limits, gathering: Gathering
) -> bytes | Refusal:
    parts = []
    size = 0
    try:
        while message["type"] == "http.request":
            part = message.get("body", b"")
            size += len(part)
            gathering.n_bytes += len(part)
            if size > limits.max_body_bytes:
                return _too_large(limits)
            if gathering.n_bytes > limits.max_gathered_bytes:
                return Refusal(status=503, error="too much is being sent at once; try again soon")
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)
            message = await receive()
    finally:
        gathering.n_bytes -= size
    return Refusal(status=400, error="the client went away before its request was whole")


def _too_large(limits: Limits) -> Refusal:
    return Refusal(
        status=413, error=f"the body is larger than {limits.max_body_bytes} bytes; send fewer rows at a time"
    )


def _unpacked(body: bytes, encoding: bytes, limits: Limits) -> bytes | Refusal:
    if encoding == b"identity":
        return body
    window = _WINDOWS.get(encoding)
    if window is None:
        return Refusal(
            status=415, error=f"there is no Content-Encoding {encoding.decode('latin-1')!r}; send gzip or deflate"
        )
    unpacker = zlib.decompressobj(window)
    try:
        whole = unpacker.decompress(body, limits.max_body_bytes + 1)
    except zlib.error as e:
        return Refusal(status=400, error=f"the body is not {encoding.decode()}: {e}")
    if len(whole) > limits.max_body_bytes:
        return _too_large(limits)
    if not unpacker.eof or unpacker.unused_data:
        return Refusal(status=400, error=f"the body is not one whole {encoding.decode()} stream")
    return whole


def packing(accepted: bytes, size: int) -> bytes | None:
    """The encoding in which an answer of `size` bytes goes back, of those that the client accepts.

    >>> packing(b"gzip, deflate", 5000), packing(b"gzip;q=0, deflate", 5000), packing(b"gzip", 10)
    (b'gzip', b'deflate', None)
    """
    if size < PACK_BYTES:
        return None
    names = {}
    for word in accepted.lower().split(b","):
        name, _, quality = word.partition(b";")
        names[name.strip()] = quality.replace(b" ", b"") not in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000")
    return next((name for name in _WINDOWS if names.get(name)), None)


def packed(body: bytes, encoding: bytes) -> bytes:
    """The answer in that encoding. The quickest level: what is spared on the wire must not be paid twice here."""
    packer = zlib.compressobj(1, zlib.DEFLATED, _WINDOWS[encoding])
    return packer.compress(body) + packer.flush()
