"""One model version over HTTP, as a raw ASGI application.

    POST /predict          JSON rows in, predictions out (see `protocol`)
    GET  /                 what is served: model, version, digest, format, columns
    GET  /health/live      the process answers            (also /v2/health/live)
    GET  /health/ready     the model is loaded            (also /v2/health/ready)

Each answer carries `X-Headway-Version` and `X-Request-Id`. The model runs in one thread of its own, so that health
stays answerable while it computes. Does not know ports, releases or other versions.
"""

import asyncio
import sys
import time
import traceback
import uuid
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from msgspec import Struct

from headway.core.prediction import LoadedModel, Prediction
from headway.errors import DataUnreadable
from headway.serving import protocol
from headway.serving.forward import Headers, forward
from headway.serving.protocol import Refusal, Row

MAX_BODY_BYTES = 16 * 2**20
"""A larger request is refused (413): some 50,000 rows of 30 numbers; more belongs into a batch job."""

# Any: ASGI's own types are open mappings.
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class About(Struct, frozen=True, kw_only=True):
    """What is served, as `GET /` tells it."""

    endpoint: str
    model: str
    version: int
    digest: str
    format: str
    columns: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`churn@12`."""
        return f"{self.model}@{self.version}"


class Answered(Struct, frozen=True, kw_only=True):
    """A prediction that was given to a client: what a prediction log needs. `ms` of the model's time and ours."""

    request_id: str
    at: float
    ms: float
    rows: Sequence[Row]
    prediction: Prediction


class Reply(Struct, frozen=True, kw_only=True):
    """What goes back to the client."""

    status: int
    body: bytes
    headers: Headers = []


class App:
    """The application. `sibling` is the private socket of the version that took over, once one has."""

    __slots__ = ("_about", "_model", "_pool", "_record", "is_draining", "max_body_bytes", "sibling")

    def __init__(
        self,
        model: LoadedModel,
        about: About,
        *,
        record: Callable[[Answered], None] | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        """`record` is told of each prediction that a client got (never of checks); it must not block."""
        self._model = model
        self._about = about
        self._record = record
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self.max_body_bytes = max_body_bytes
        self.is_draining = False
        self.sibling: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        request_id = protocol.request_id_from(headers.get(b"x-request-id")) or uuid.uuid4().hex
        # On the private socket there is no port: those are checks and what siblings hand on.
        is_public = bool(scope["server"] and scope["server"][1])
        body = await _read(receive, headers, self.max_body_bytes)
        reply = None
        if self.sibling is not None and is_public and isinstance(body, bytes):
            reply = await self._handed_on(scope, body, request_id)
        if reply is None:
            reply = await self._answer(scope, body, request_id, is_public=is_public)
        closing = (self.is_draining and is_public) or reply.status == 413
        await send({"type": "http.response.start", "status": reply.status, "headers": _framed(reply, closing=closing)})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})

    async def _handed_on(self, scope: Scope, body: bytes, request_id: str) -> Reply | None:
        """The answer of the version that took over; None when it gives none, and this one had better answer."""
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        headers = [h for h in scope["headers"] if h[0] != b"x-request-id"]
        headers.append((b"x-request-id", request_id.encode()))
        try:
            back = await forward(self.sibling or "", method=scope["method"], target=target, headers=headers, body=body)
        except (OSError, EOFError, ValueError) as e:
            _print(f"{request_id}: the version that took over gives no answer ({e!r}); {self._about.name} answered")
            return None
        return Reply(status=back.status, body=back.body, headers=back.headers)

    async def _answer(self, scope: Scope, body: bytes | Refusal, request_id: str, *, is_public: bool) -> Reply:
        method, path = scope["method"], scope["path"]
        headers = [(b"x-headway-version", self._about.name.encode()), (b"x-request-id", request_id.encode())]
        allowed = ("POST",) if path == "/predict" else ("GET", "HEAD")
        if path not in _ROUTES:
            told: bytes | Refusal = Refusal(status=404, error=f"there is nothing at {path}; POST rows to /predict")
        elif method not in allowed:
            told = Refusal(status=405, error=f"{path} takes {' or '.join(allowed)}, not {method}")
            headers.append((b"allow", ", ".join(allowed).encode()))
        elif isinstance(body, Refusal):
            told = body
        elif path == "/predict":
            told = await self._predict(body, request_id, is_public=is_public)
        else:
            told = _ROUTES[path] or protocol.write(self._about)
        if isinstance(told, Refusal):
            return Reply(status=told.status, body=protocol.write_refusal(told, request_id=request_id), headers=headers)
        return Reply(status=200, body=told, headers=headers)

    async def _predict(self, body: bytes, request_id: str, *, is_public: bool) -> bytes | Refusal:
        began = time.perf_counter()
        rows = protocol.read_rows(body, self._about.columns)
        if isinstance(rows, Refusal):
            return rows
        try:
            prediction = await asyncio.get_running_loop().run_in_executor(self._pool, self._model.predict, rows)
            told = protocol.write_prediction(prediction, model=self._about.name, request_id=request_id)
        except DataUnreadable as e:
            return Refusal(status=400, error=e.problem)
        except Exception as e:  # noqa: BLE001 (a model's code may raise anything; the server answers and goes on)
            _print(f"{request_id}: {self._about.name} raised\n{''.join(traceback.format_exception(e))}")
            return Refusal(status=500, error=f"the model failed: {type(e).__name__}; its log tells more")
        if self._record is not None and is_public:
            ms = (time.perf_counter() - began) * 1000
            self._record(Answered(request_id=request_id, at=time.time(), ms=ms, rows=rows, prediction=prediction))
        return told


_LIVE = b'{"live":true}'
_READY = b'{"live":true,"ready":true}'

_ROUTES: dict[str, bytes] = {
    "/": b"",
    "/predict": b"",
    "/health/live": _LIVE,
    "/v2/health/live": _LIVE,
    # A worker listens only once its model is loaded: whoever is heard is ready. Both keys: the specification of the
    # Open Inference Protocol names the one, KServe's client reads the other.
    "/health/ready": _READY,
    "/v2/health/ready": _READY,
}


async def _read(receive: Receive, headers: dict[bytes, bytes], limit_bytes: int) -> bytes | Refusal:
    too_large = Refusal(status=413, error=f"the body is larger than {limit_bytes} bytes; send fewer rows at a time")
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > limit_bytes:
        return too_large
    parts = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return Refusal(status=400, error="the client went away before its request was whole")
        part = message.get("body", b"")
        size += len(part)
        if size > limit_bytes:
            return too_large
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _framed(reply: Reply, *, closing: bool) -> Headers:
    names = {name for name, _ in reply.headers}
    headers = [*reply.headers, (b"content-length", str(len(reply.body)).encode())]
    if b"content-type" not in names:
        headers.append((b"content-type", b"application/json"))
    if closing:
        headers.append((b"connection", b"close"))
    return headers


def _print(text: str) -> None:
    sys.stderr.write(time.strftime("%Y-%m-%dT%H:%M:%SZ ", time.gmtime()) + text.rstrip() + "\n")
    sys.stderr.flush()
