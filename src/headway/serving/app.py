"""One model version over HTTP, as a raw ASGI application.

    POST /predict          JSON rows in, predictions out (see `protocol`)
    POST /labels           the truth about predictions given before (see `labels`)
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
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from msgspec import Struct

from headway.core.prediction import LoadedModel
from headway.errors import DataUnreadable
from headway.serving import protocol
from headway.serving.forward import HANDED_ON, Headers, forward
from headway.serving.labels import read_labels
from headway.serving.protocol import Refusal
from headway.serving.record import Answered, Recorder

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


class Reply(Struct, frozen=True, kw_only=True):
    """What goes back to the client. `noted` is set on a prediction: what the prediction log is to be told of it."""

    status: int
    body: bytes
    headers: Headers = []
    noted: Answered | None = None


class App:
    """The application. `sibling` is the private socket of the version that took over, once one has."""

    __slots__ = ("_about", "_model", "_pool", "_recorder", "is_draining", "max_body_bytes", "sibling")

    def __init__(
        self,
        model: LoadedModel,
        about: About,
        *,
        recorder: Recorder | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        """`recorder` is told of each prediction that a client got (never of checks), after it was sent."""
        self._model = model
        self._about = about
        self._recorder = recorder
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
        is_clients = is_public or HANDED_ON in headers
        body = await _read(receive, headers, self.max_body_bytes)
        reply = None
        if self.sibling is not None and is_public and isinstance(body, bytes):
            reply = await self._handed_on(scope, body, request_id)
        if reply is None:
            reply = await self._answer(scope, body, request_id)
        closing = (self.is_draining and is_public) or reply.status == 413
        await send({"type": "http.response.start", "status": reply.status, "headers": _framed(reply, closing=closing)})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})
        if self._recorder is not None and reply.noted is not None and is_clients:
            self._recorder.note(reply.noted)

    async def _handed_on(self, scope: Scope, body: bytes, request_id: str) -> Reply | None:
        """The answer of the version that took over; None when it gives none, and this one had better answer."""
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        headers = [h for h in scope["headers"] if h[0] != b"x-request-id"]
        headers += [(b"x-request-id", request_id.encode()), (HANDED_ON, b"1")]
        try:
            back = await forward(self.sibling or "", method=scope["method"], target=target, headers=headers, body=body)
        except (OSError, EOFError, ValueError) as e:
            _print(f"{request_id}: the version that took over gives no answer ({e!r}); {self._about.name} answered")
            return None
        return Reply(status=back.status, body=back.body, headers=back.headers)

    async def _answer(self, scope: Scope, body: bytes | Refusal, request_id: str) -> Reply:
        began = time.perf_counter()
        method, path = scope["method"], scope["path"]
        headers = [(b"x-headway-version", self._about.name.encode()), (b"x-request-id", request_id.encode())]
        allowed = ("POST",) if path in ("/predict", "/labels") else ("GET", "HEAD")
        if path not in _ROUTES:
            told: bytes | Refusal = Refusal(status=404, error=f"there is nothing at {path}; POST rows to /predict")
        elif method not in allowed:
            told = Refusal(status=405, error=f"{path} takes {' or '.join(allowed)}, not {method}")
            headers.append((b"allow", ", ".join(allowed).encode()))
        elif isinstance(body, Refusal):
            told = body
        elif path == "/predict":
            told = await self._predict(body, request_id)
        elif path == "/labels":
            told = self._label(body)
        else:
            told = _ROUTES[path] or protocol.write(self._about)
        if isinstance(told, Refusal):
            return Reply(status=told.status, body=protocol.write_refusal(told, request_id=request_id), headers=headers)
        noted = None
        if path == "/predict" and isinstance(body, bytes):
            ms = (time.perf_counter() - began) * 1000
            noted = Answered(request_id, time.time(), ms, "predict", body, told)
        return Reply(status=200, body=told, headers=headers, noted=noted)

    async def _predict(self, body: bytes, request_id: str) -> bytes | Refusal:
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
        return told

    def _label(self, body: bytes) -> bytes | Refusal:
        if self._recorder is None:
            return Refusal(
                status=409, error="predictions are not logged here, so that labels have nothing to be joined to"
            )
        labels = read_labels(body, now=time.time())
        if isinstance(labels, Refusal):
            return labels
        if not self._recorder.label(labels):
            return Refusal(status=503, error="the prediction log has no room now; send these labels again later")
        return protocol.write({"accepted": len(labels)})


_LIVE = b'{"live":true}'
_READY = b'{"live":true,"ready":true}'

_ROUTES: dict[str, bytes] = {
    "/": b"",
    "/predict": b"",
    "/labels": b"",
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
