"""What goes between the application and whoever answers a path of it: a whole request, and a reply before it is framed.

Does not know ASGI's messages: `app` speaks those.
"""

import time
from collections.abc import Awaitable, Callable

from msgspec import Struct

from headway.serving.body import packed, packing
from headway.serving.forward import Headers
from headway.serving.protocol import Refusal
from headway.serving.record import Answered
from headway.serving.v2 import HEAD_LENGTH

JSON = (b"content-type", b"application/json")
BINARY = (b"content-type", b"application/octet-stream")


class Request(Struct, frozen=True, gc=False):
    """A whole request."""

    path: str
    headers: dict[bytes, bytes]
    body: bytes
    request_id: str
    began: float


class Reply(Struct, frozen=True, kw_only=True):
    """What goes back to the client. `noted`: what the prediction log is to be told, where the model was asked."""

    status: int
    body: bytes
    headers: Headers = []
    noted: Answered | None = None


Handle = Callable[[Request], Awaitable[Reply | Refusal]]


class Route(Struct, frozen=True, gc=False):
    """What is at a path: its name in `/metrics`, the methods it takes, and who answers."""

    name: str
    methods: tuple[str, ...]
    handle: Handle


def failed(request: Request, status: int) -> Answered:
    """What the prediction log is told of a request to the model that got no answer."""
    told = request.headers.get(HEAD_LENGTH, b"")
    head = int(told) if told.isdigit() and len(told) < 10 else -1
    form = "predict" if request.path == "/predict" else "infer"
    took_ms = (time.perf_counter() - request.began) * 1000
    return Answered(request.request_id, time.time(), took_ms, form, request.body, b"", head, status=status)


def always(body: bytes) -> Handle:
    """Answers this."""

    async def handle(_request: Request) -> Reply | Refusal:
        return Reply(status=200, body=body, headers=[])

    return handle


def packed_reply(reply: Reply, accepted: bytes) -> Reply:
    """The reply in an encoding that the client accepts, where that is worth it."""
    encoding = packing(accepted, len(reply.body))
    if encoding is None:
        return reply
    headers = [*reply.headers, (b"content-encoding", encoding), (b"vary", b"accept-encoding")]
    return Reply(status=reply.status, body=packed(reply.body, encoding), headers=headers, noted=reply.noted)


def framed(reply: Reply, *, closing: bool) -> Headers:
    """The headers as they are sent."""
    headers = reply.headers
    headers.append((b"content-length", str(len(reply.body)).encode()))
    for name, _ in headers:
        if name == b"content-type":
            break
    else:
        headers.append(JSON)
    if closing:
        headers.append((b"connection", b"close"))
    return headers
