"""The services of gRPC on the port that answers REST: the Open Inference Protocol, health checks, reflection.

Each call is the request over REST that means the same, put to the same application in this process: so checks,
batches, limits, routing, the prediction log and `/metrics` are one. What a connection of HTTP/2 needs (h2 and protobuf,
the extra `grpc`) is imported when the first one comes; without them it is told so and closed.
"""

import math
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import partial
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

import msgspec

from headway.serving.body import Gathering
from headway.serving.grpc_call import (
    DEADLINE_EXCEEDED,
    FAILED_PRECONDITION,
    INTERNAL,
    INVALID_ARGUMENT,
    NOT_FOUND,
    RESOURCE_EXHAUSTED,
    UNAVAILABLE,
    UNIMPLEMENTED,
    Answer,
    Answerer,
    Call,
    Pairs,
    Replies,
    Side,
)
from headway.serving.grpc_messages import Message, Messages, Method, messages
from headway.serving.grpc_tensors import from_body, to_body
from headway.serving.limits import Connection, Limits, Takeover
from headway.serving.protocol import Refusal, request_id_from
from headway.serving.trace import say
from headway.serving.v2 import HEAD_LENGTH

# Any: ASGI's own types are open mappings.
Words = MutableMapping[str, Any]

CODES = {
    400: INVALID_ARGUMENT, 404: NOT_FOUND, 405: UNIMPLEMENTED, 409: FAILED_PRECONDITION, 413: RESOURCE_EXHAUSTED,
    500: INTERNAL, 503: RESOURCE_EXHAUSTED, 504: DEADLINE_EXCEEDED,
}  # fmt: skip
"""The status of gRPC for one of HTTP; any other is UNKNOWN."""

UNKNOWN = 2

_NOT_PASSED = frozenset(
    {
        b"te", b"content-type", b"content-length", b"content-encoding", b"accept-encoding", b"transfer-encoding",
        b"connection", b"expect", b"host", b"user-agent", HEAD_LENGTH,
    }
)  # fmt: skip
"""Headers of a call that speak of gRPC or of the connection; all others (a key to stick by, a trace) are passed on."""

_PASSED_BACK = frozenset({b"x-headway-version", b"x-request-id", b"retry-after"})

SAY_S = 10.0
"""How often at most the log tells of connections that were closed; `/metrics` counts all."""

_REFLECTION = "grpc.reflection.v1alpha"

# An empty SETTINGS, and a GOAWAY that says why: HTTP_1_1_REQUIRED.
_MISSING = b"gRPC is not installed here: install headway[grpc] where this model is served"
_GOAWAY_MISSING = (
    b"\0\0\0\4\0\0\0\0\0" + (8 + len(_MISSING)).to_bytes(3, "big") + b"\7\0\0\0\0\0\0\0\0\0\0\0\0\x0d" + _MISSING
)


class Front(Protocol):
    """The application, as far as gRPC goes through it."""

    @property
    def is_draining(self) -> bool:
        """Whether clients should go elsewhere."""

    @property
    def limits(self) -> Limits:
        """Those of now."""

    def count(self, route: str, status: int) -> None:
        """Count an answer for `/metrics`."""

    def __call__(
        self, scope: Words, receive: Callable[[], Awaitable[Words]], send: Callable[[Words], Awaitable[None]], /
    ) -> Awaitable[None]:
        """Answer a request, as ASGI has it."""


class Back(NamedTuple):
    """An answer over REST."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


def http2(front: Front) -> Takeover:
    """What goes on with a connection on which HTTP/2 is spoken: `connections` takes it."""
    sides: dict[bool, Side] = {}
    lack = _Saying()

    def take(connection: Connection, data: bytes) -> None:
        try:
            from headway.serving.grpc_wire import Ends, Http2

            is_public = bool(connection.server and connection.server[1])
            if is_public not in sides:
                sides[is_public] = _side(front, is_public=is_public)
        except ImportError as e:
            front.count("grpc", 505)
            lacking = (e.name or "h2").partition(".")[0]
            lack.say(f"a client speaks HTTP/2, and {lacking} is not installed; install headway[grpc]")
            connection.transport.write(_GOAWAY_MISSING)
            connection.transport.close()
            return
        made = Http2(sides[is_public], Ends(connection.server, connection.client, connection.connections))
        connection.transport.set_protocol(made)
        made.connection_made(connection.transport)
        made.data_received(data)

    return take


def _side(front: Front, *, is_public: bool) -> Side:
    service = _Service(front)
    return Side(
        calls=service.calls,
        talks=service.talks,
        limits=lambda: front.limits,
        gathering=Gathering(),
        # On the private socket come checks and siblings: those go on as long as they like.
        is_ending=lambda: is_public and front.is_draining,
        note=partial(front.count, "grpc"),
        say=_Saying().say,
    )


class _Saying:
    """Lines for the log, so few that no client can fill a disk with them."""

    __slots__ = ("_n_more", "_said_at")

    def __init__(self) -> None:
        self._said_at = -math.inf
        self._n_more = 0

    def say(self, text: str) -> None:
        if time.monotonic() - self._said_at < SAY_S:
            self._n_more += 1
            return
        say(f"grpc: {text}" + f" ({self._n_more} more since the last line)" * (self._n_more > 0))
        self._said_at, self._n_more = time.monotonic(), 0


class _Service:
    """All methods; `calls` and `talks` find them by their path."""

    __slots__ = ("_files", "_front", "_health", "_inference", "calls", "talks")

    def __init__(self, front: Front) -> None:
        self._front = front
        self._inference = messages("inference")
        self._health = messages("health")
        of = self._inference.methods
        answerers: dict[str, Callable[[Method, Call], Awaitable[Answer]]] = {
            "ServerLive": partial(self._told, lambda _: "/v2/health/live", ("live",)),
            "ServerReady": self._ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": partial(self._told, lambda _: "/v2", ("name", "version", "extensions")),
            "ModelMetadata": partial(self._told, _path, ("name", "versions", "platform", "inputs", "outputs")),
            "ModelInfer": self._infer,
            "ModelStatistics": partial(self._told, lambda asked: _path(asked) + "/stats", ("model_stats",)),
            "RepositoryIndex": self._index,
            "RepositoryModelLoad": partial(self._changed, "load"),
            "RepositoryModelUnload": partial(self._changed, "unload"),
        }
        check = self._health.methods["Check"]
        self.calls: Mapping[bytes, Answerer] = {
            **{of[name].path.encode(): partial(answer, of[name]) for name, answer in answerers.items()},
            check.path.encode(): partial(self._check, check),
        }
        # Tools ask the first one; many clients know but the second, which differs in its name only.
        reflections = (messages("reflection"), messages("reflection", _REFLECTION))
        self._files = (self._inference, self._health, *reflections)
        self.talks: Mapping[bytes, Replies] = {
            file.methods["ServerReflectionInfo"].path.encode(): partial(self._reflected, file) for file in reflections
        }

    # --- through the application --------------------------------------------------------------------------------

    async def _ask(self, call: Call, method: str, path: str, body: bytes = b"", headers: Pairs | None = None) -> Back:
        """Put a request to the application, as the client of this call."""
        passed = [
            (name, value)
            for name, value in call.headers.items()
            if name[:1] != b":" and name[:5] != b"grpc-" and name[-4:] != b"-bin" and name not in _NOT_PASSED
        ]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "2",
            "server": call.server,
            "client": call.client,
            "scheme": "http",
            "method": method,
            "root_path": "",
            "path": path,
            "raw_path": quote(path).encode(),
            "query_string": b"",
            "headers": passed + (headers or []),
            "state": {},
        }
        sent: list[Words] = []

        async def receive() -> Words:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Words) -> None:
            sent.append(message)

        await self._front(scope, receive, send)
        return Back(sent[0]["status"], dict(sent[0]["headers"]), b"".join(part["body"] for part in sent[1:]))

    async def _is_ready(self, call: Call) -> bool:
        return (await self._ask(call, "GET", "/v2/health/ready")).status == 200

    async def _refused(self, call: Call, back: Back) -> Answer:
        """The status for an answer over REST that is no good one."""
        try:
            text = str(msgspec.json.decode(back.body)["error"])
        except (msgspec.DecodeError, KeyError, TypeError):
            text = f"HTTP {back.status}"
        code = CODES.get(back.status, UNKNOWN)
        metadata = _metadata(back)
        if back.status == 503:
            # Known to gRPC's own clients: when to try again, in milliseconds.
            metadata.append((b"grpc-retry-pushback-ms", back.headers.get(b"retry-after", b"1") + b"000"))
            if not await self._is_ready(call):
                code = UNAVAILABLE
        return Answer(status=code, text=text, metadata=metadata)

    async def _told(
        self, path_of: Callable[[Message], str], names: tuple[str, ...], method: Method, call: Call
    ) -> Answer:
        """The JSON at a path as a message of the same names."""
        asked = _read(method, call)
        if isinstance(asked, Answer):
            return asked
        back = await self._ask(call, "GET", path_of(asked))
        if back.status != 200:
            return await self._refused(call, back)
        told = msgspec.json.decode(back.body)
        made = method.gives(**{name: told[name] for name in names})
        return Answer(message=made.SerializeToString(), metadata=_metadata(back))

    # --- the methods --------------------------------------------------------------------------------------------

    async def _ready(self, method: Method, call: Call) -> Answer:
        return Answer(message=method.gives(ready=await self._is_ready(call)).SerializeToString())

    async def _model_ready(self, method: Method, call: Call) -> Answer:
        asked = _read(method, call)
        if isinstance(asked, Answer):
            return asked
        back = await self._ask(call, "GET", _path(asked) + "/ready")
        if back.status != 200:
            return await self._refused(call, back)
        return await self._ready(method, call)

    async def _index(self, method: Method, call: Call) -> Answer:
        back = await self._ask(call, "POST", "/v2/repository/index")
        if back.status != 200:
            return await self._refused(call, back)
        return Answer(message=method.gives(models=msgspec.json.decode(back.body)).SerializeToString())

    async def _changed(self, word: str, method: Method, call: Call) -> Answer:
        asked = _read(method, call)
        if isinstance(asked, Answer):
            return asked
        back = await self._ask(call, "POST", f"/v2/repository/models/{_segment(asked.model_name)}/{word}")
        return Answer() if back.status == 200 else await self._refused(call, back)

    async def _infer(self, method: Method, call: Call) -> Answer:
        asked = _read(method, call)
        if isinstance(asked, Answer):
            return asked
        body = to_body(asked, self._front.limits.max_body_bytes)
        if isinstance(body, Refusal):
            self._front.count("grpc", body.status)
            return Answer(status=CODES[body.status], text=body.error)
        headers = [(HEAD_LENGTH, b"%d" % body[1])]
        if asked.id and b"x-request-id" not in call.headers and request_id_from(asked.id.encode()):
            headers.append((b"x-request-id", asked.id.encode()))
        path = f"{_path_of(asked.model_name, asked.model_version)}/infer"
        back = await self._ask(call, "POST", path, body[0], headers)
        if back.status != 200:
            return await self._refused(call, back)
        made = method.gives()
        from_body(back.body, int(back.headers.get(HEAD_LENGTH, len(back.body))), asked, made)
        return Answer(message=made.SerializeToString(), metadata=_metadata(back))

    async def _check(self, method: Method, call: Call) -> Answer:
        asked = _read(method, call)
        if isinstance(asked, Answer):
            return asked
        if asked.service and asked.service not in (*self._inference.services, *self._health.services):
            return Answer(status=NOT_FOUND, text=f"there is no service {asked.service!r} here")
        status = "SERVING" if await self._is_ready(call) else "NOT_SERVING"
        return Answer(message=method.gives(status=status).SerializeToString())

    def _reflected(self, own: Messages, message: bytes) -> bytes:
        """One answer of the reflection service. Raises ValueError for what is no request."""
        method = own.methods["ServerReflectionInfo"]
        asked = method.takes()
        _parse(asked, message)
        told = method.gives(valid_host=asked.host, original_request=asked)
        found = [
            file
            for file in self._files
            if file.name == asked.file_by_filename or asked.file_containing_symbol in file.symbols
        ]
        if asked.HasField("list_services"):
            for file in self._files:
                for name in file.services:
                    told.list_services_response.service.add(name=name)
        elif found:
            told.file_descriptor_response.file_descriptor_proto.append(found[0].described)
        else:
            told.error_response.error_code = NOT_FOUND
            told.error_response.error_message = "there is no such file or symbol here"
        made: bytes = told.SerializeToString()
        return made


def _path(asked: Message) -> str:
    return _path_of(asked.name, asked.version)


def _path_of(model: str, version: str) -> str:
    base = f"/v2/models/{_segment(model)}"
    return f"{base}/versions/{_segment(version)}" if version else base


def _segment(name: str) -> str:
    """A name as one part of a path: no model's name has a slash, and a client's must not lead elsewhere."""
    return name.replace("/", "%2F")


def _metadata(back: Back) -> Pairs:
    return [(name, value) for name, value in back.headers.items() if name in _PASSED_BACK]


def _read(method: Method, call: Call) -> Message | Answer:
    asked = method.takes()
    try:
        _parse(asked, call.message)
    except ValueError as e:
        return Answer(status=INVALID_ARGUMENT, text=str(e))
    return asked


def _parse(asked: Message, message: bytes) -> None:
    from google.protobuf.message import DecodeError

    try:
        asked.ParseFromString(message)
    except DecodeError as e:
        raise ValueError(f"the message is no {asked.DESCRIPTOR.full_name}: {e}") from e
