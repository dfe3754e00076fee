"""One model version over HTTP, as a raw ASGI application.

    POST /predict          JSON rows in, predictions out (see `protocol`)
    POST /labels           the truth about predictions given before (see `labels`)
    GET  /                 what is served: model, version, digest, format, columns
    GET  /health/live      the process answers            (also /v2/health/live)
    GET  /health/ready     the model answers              (also /v2/health/ready)
    GET  /metrics          counts for Prometheus (see `metrics`)
    GET  /docs, /openapi.json                             (see `pages`)
    /v2…                   the Open Inference Protocol (see `v2`)

Each answer carries `X-Headway-Version` and `X-Request-Id`. Whatever a client sends, it is told in 4xx or 503 what is
wrong; 500 means that the model raised. Does not know ports, releases or other versions.
"""

import asyncio
import os
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import structs

from headway.core.prediction import LoadedModel, Prediction
from headway.errors import DataUnreadable
from headway.serving import pages, protocol, v2, v2_request
from headway.serving.about import About
from headway.serving.batch import Batcher
from headway.serving.body import Gathering, Receive, read
from headway.serving.forward import HANDED_ON, OVER, SHADOW, Forwarded, Headers, forward
from headway.serving.labels import read_labels
from headway.serving.limits import Limits
from headway.serving.metrics import CONTENT_TYPE, Meter, render
from headway.serving.protocol import Refusal, Row
from headway.serving.record import Answered, Recorder
from headway.serving.reply import BINARY, Handle, Reply, Request, Route, always, framed, packed_reply
from headway.serving.route import Asked, Counts, Plan, Router, handed_on_headers
from headway.serving.trace import Spans, named, say

if TYPE_CHECKING:
    from headway.serving.v2_tensors import Array

# Any: ASGI's own types are open mappings.
Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

RETRY_S = b"1"
"""When a client that was refused for want of room may come back."""

ALONE = frozenset({"function"})
"""Formats whose models may look at all rows of a request at once (to rank them, say): their requests stay apart."""


_READS = ("GET", "HEAD")
_POST = ("POST",)
_LIVE = b'{"live":true}'
_READY = b'{"live":true,"ready":true}'
_NOT_READY = b'{"live":true,"ready":false}'


class App:
    """The application. `sibling` is the private socket of the version that took over, once one has.

    `router` routes what clients ask, while this version accepts for others as well; `routed` counts how that went.
    """

    __slots__ = (
        "_about", "_addresses", "_batcher", "_columns", "_gathering", "_id", "_kinds", "_limits", "_meter", "_named",
        "_recorder", "_routes", "_signature", "_spans", "is_draining", "routed", "router", "sibling",
    )  # fmt: skip

    def __init__(
        self,
        model: LoadedModel,
        about: About,
        *,
        recorder: Recorder | None = None,
        limits: Limits | None = None,
    ) -> None:
        """`recorder` is told of each prediction that a client got (never of checks), after it was sent."""
        self._about = about
        self._signature = model.signature
        self._columns = about.columns or model.signature.columns
        self._kinds = protocol.kinds_of(model.signature)
        self._recorder = recorder
        self._limits = limits or Limits()
        self._gathering = Gathering()
        self._meter = Meter()
        self._batcher = Batcher(model, self._limits, shares=about.format not in ALONE)
        self._batcher.note_batch = self._meter.rows.add
        self._addresses = v2.Addresses(about, model.signature)
        self._named = (b"x-headway-version", about.name.encode())
        self._id = (os.urandom(10).hex(), 0)
        self._spans: Spans | None = None
        self._routes = self._routed()
        self.is_draining = False
        self.sibling: str | None = None
        self.router: Router | None = None
        self.routed = Counts()

    def set(self, recorder: Recorder | None, limits: Limits) -> None:
        """Log and limit like this from now on."""
        self._recorder = recorder
        self._limits = self._batcher.limits = limits

    def trace(self, spans: Spans | None) -> None:
        """Trace requests by this, or not."""
        self._spans = self._batcher.spans = spans

    def route(self, plan: Plan | None) -> None:
        """Route by this plan from now on, or answer all alone; what is under way ends by the one before."""
        before, self.router = self.router, None
        if plan is not None:
            # Longer than a sibling takes to say that its model gives no answer.
            wait_s = self._limits.answer_s + 2.0
            self.router = Router(plan, self._about, self._signature, self.routed, wait_s=wait_s)
        if before is not None:
            before.close()

    def _routed(self) -> dict[str, Route]:
        addresses = self._addresses
        fixed = {
            "/": ("about", protocol.write(self._about)),
            "/health/live": ("live", _LIVE),
            "/v2/health/live": ("live", _LIVE),
            "/openapi.json": ("openapi", pages.openapi(self._about, self._signature)),
            **{path: ("metadata", body) for path, body in addresses.documents.items()},
            **{path: ("model_ready", addresses.model_ready()) for path in addresses.ready},
        }
        routes = {path: Route(name, _READS, always(body)) for path, (name, body) in fixed.items()}
        others: dict[str, tuple[str, tuple[str, ...], Handle]] = {
            "/health/ready": ("ready", _READS, self._ready),
            "/v2/health/ready": ("ready", _READS, self._ready),
            "/metrics": ("metrics", _READS, self._metrics),
            "/docs": ("docs", _READS, self._docs),
            "/predict": ("predict", _POST, self._predict),
            "/labels": ("labels", _POST, self._label),
            "/v2/repository/index": ("repository", _POST, always(addresses.index())),
            addresses.load: ("repository", _POST, always(b"{}")),
            addresses.unload: ("repository", _POST, self._unload),
            **dict.fromkeys(addresses.stats, ("stats", _READS, self._stats)),
            **dict.fromkeys(addresses.infer, ("infer", _POST, self._infer)),
        }
        return routes | {path: Route(*what) for path, what in others.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if self._spans is not None and self._spans.is_due(scope):
            await self._spans.around(self, scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = protocol.request_id_from(headers.get(b"x-request-id")) or self._new_id()
        # On the private socket there is no port: those are checks and what siblings hand on.
        is_public = bool(scope["server"] and scope["server"][1])
        # What it is that a sibling hands on; a client may send that header, and says nothing by it.
        via = None if is_public else headers.get(HANDED_ON)
        asked = None
        self._meter.n_running += 1
        try:
            body = await read(receive, headers, self._limits, self._gathering)
            reply = None
            if (self.sibling is not None or self.router is not None) and isinstance(body, bytes):
                asked = _asked(scope, Request(scope["path"], headers, body, request_id, 0.0))
                reply = await self._handed_on(asked, is_public=is_public, via=via)
            if reply is None:
                reply = await self._answer(scope, body, headers, request_id, is_shadow=via == SHADOW)
        finally:
            self._meter.n_running -= 1
        closing = (self.is_draining and is_public) or reply.status == 413
        if b"accept-encoding" in headers:
            reply = packed_reply(reply, headers[b"accept-encoding"])
        await send({"type": "http.response.start", "status": reply.status, "headers": framed(reply, closing=closing)})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})
        if reply.noted is not None and self._recorder is not None and (is_public or via is not None):
            self._recorder.note(structs.replace(reply.noted, is_shadow=True) if via == SHADOW else reply.noted)
        if asked is not None and self.router is not None and reply.status == 200 and (is_public or via == OVER):
            self.router.copy(asked)

    @property
    def limits(self) -> Limits:
        """What it takes on at once, and for how long."""
        return self._limits

    def count(self, route: str, status: int) -> None:
        """Count an answer that was given without this application."""
        self._meter.answered(route, status)

    def _new_id(self) -> str:
        """A name that no other request has: random for the process, counted within it."""
        prefix, n = self._id
        self._id = (prefix, n + 1)
        return f"{prefix}{n:012x}"

    async def _handed_on(self, asked: Asked, *, is_public: bool, via: bytes | None) -> Reply | None:
        """The answer of another version; None when this one is to answer, or had better."""
        if self.sibling is not None:
            told = await self._over(asked, self.sibling) if is_public else None
        elif self.router is not None and (is_public or via == OVER):
            told = await self.router.handed_on(asked)
        else:
            return None
        return None if told is None else Reply(status=told.status, body=told.body, headers=told.headers)

    async def _over(self, asked: Asked, sibling: str) -> Forwarded | None:
        request_id = asked.request.request_id
        headers = handed_on_headers(asked.headers, request_id, OVER)
        try:
            return await forward(
                sibling, method=asked.method, target=asked.target, headers=headers, body=asked.request.body
            )
        except (OSError, EOFError, ValueError) as e:
            who = named(request_id, asked.request.headers)
            say(f"{who}: the version that took over gives no answer ({e!r}); {self._about.name} answered")
            return None

    async def _answer(
        self, scope: Scope, body: bytes | Refusal, headers: dict[bytes, bytes], request_id: str, *, is_shadow: bool
    ) -> Reply:
        path: str = scope["path"]
        route = self._routes.get(path)
        told: Reply | Refusal
        more: Headers = []
        if route is None:
            told = self._addresses.lost(path) if path.startswith("/v2/") else _nowhere(path)
        elif scope["method"] not in route.methods:
            told = Refusal(status=405, error=f"{path} takes {' or '.join(route.methods)}, not {scope['method']}")
            more = [(b"allow", ", ".join(route.methods).encode())]
        elif isinstance(body, Refusal):
            told = body
        else:
            told = await route.handle(Request(path, headers, body, request_id, time.perf_counter()))
        if isinstance(told, Refusal):
            if told.status in (503, 504):
                more.append((b"retry-after", RETRY_S))
            told = Reply(status=told.status, body=protocol.write_refusal(told, request_id=request_id), headers=more)
        name = "unknown" if route is None else route.name
        self._meter.answered("shadow" if is_shadow else name, told.status)
        told.headers[:0] = (self._named, (b"x-request-id", request_id.encode()))
        return told

    # --- predictions --------------------------------------------------------------------------------------------

    async def _predict(self, request: Request) -> Reply | Refusal:
        rows = protocol.read_rows(request.body, self._columns, self._kinds)
        if isinstance(rows, Refusal):
            return rows
        prediction = protocol.fit(rows, self._signature.matrix) or await self._asked(rows, request)
        if isinstance(prediction, Refusal):
            return prediction
        body = protocol.write_prediction(prediction, model=self._about.name, request_id=request.request_id)
        return Reply(status=200, body=body, headers=[], noted=self._noted(request, "predict", body))

    async def _infer(self, request: Request) -> Reply | Refusal:
        length = request.headers.get(v2.HEAD_LENGTH)
        if length is not None and not length.isdigit():
            return Refusal(status=400, error="Inference-Header-Content-Length is no number of bytes")
        head = None if length is None else int(length)
        asked = v2_request.read(request.body, self._signature, head_bytes=head)
        if isinstance(asked, Refusal):
            return asked
        takes_arrays = self._batcher.takes_arrays
        table = asked.arrays if takes_arrays else v2_request.rows_of(asked.arrays, self._signature)
        prediction = await self._asked(table, request)
        if isinstance(prediction, Refusal):
            return prediction
        body, answer_head = v2.write(asked, prediction, self._about, request.request_id)
        headers: Headers = []
        if answer_head is not None:
            headers = [BINARY, (v2.HEAD_LENGTH, str(answer_head).encode())]
        noted = self._noted(request, "infer", body, -1 if head is None else head, answer_head)
        return Reply(status=200, body=body, headers=headers, noted=noted)

    async def _asked(self, table: "Sequence[Row] | dict[str, Array]", request: Request) -> Prediction | Refusal:
        outcome = await self._batcher.ask(table)
        if isinstance(outcome, (Prediction, Refusal)):
            return outcome
        if isinstance(outcome, DataUnreadable):
            return Refusal(status=400, error=outcome.problem)
        who = named(request.request_id, request.headers)
        say(f"{who}: {self._about.name} raised\n{''.join(traceback.format_exception(outcome))}")
        return Refusal(status=500, error=f"the model failed: {type(outcome).__name__}; its log tells more")

    def _noted(
        self, request: Request, form: str, answer: bytes, head: int = -1, answer_head: int | None = None
    ) -> Answered | None:
        took_s = time.perf_counter() - request.began
        self._meter.latency.add(took_s)
        if self._recorder is None:
            return None
        back = -1 if answer_head is None else answer_head
        return Answered(request.request_id, time.time(), took_s * 1000, form, request.body, answer, head, back)

    # --- what else is asked -------------------------------------------------------------------------------------

    async def _ready(self, _request: Request) -> Reply | Refusal:
        # A worker listens only once its model is loaded: whoever is heard is ready, unless it ends or hangs. Both keys:
        # the specification of the protocol names the one, KServe's client reads the other.
        is_ending = self.is_draining and self.sibling is None
        is_ready = not is_ending and not self._batcher.is_stuck(asyncio.get_running_loop().time())
        return Reply(status=200 if is_ready else 503, body=_READY if is_ready else _NOT_READY, headers=[])

    async def _metrics(self, _request: Request) -> Reply | Refusal:
        # In a thread: the first time prometheus-client is imported for it.
        log = _log_counts(self._recorder)
        body = await asyncio.to_thread(render, self._about, self._meter, self._batcher, log, self.routed)
        return Reply(status=200, body=body, headers=[(b"content-type", CONTENT_TYPE)])

    async def _docs(self, request: Request) -> Reply | Refusal:
        host = request.headers.get(b"host", b"127.0.0.1").decode("latin-1")
        body = pages.docs(self._about, self._signature, host=host)
        return Reply(status=200, body=body, headers=[(b"content-type", b"text/html; charset=utf-8")])

    async def _stats(self, _request: Request) -> Reply | Refusal:
        counts, latency = self._batcher.counts, self._meter.latency
        good = {"count": sum(latency.counts), "ns": round(latency.total * 1e9)}
        infer = {"count": counts.n_batches, "ns": round(counts.model_s * 1e9)}
        told = {
            "name": self._about.model,
            "version": str(self._about.version),
            "inference_count": counts.n_rows,
            "execution_count": counts.n_batches,
            "inference_stats": {"success": good, "compute_infer": infer},
        }
        return Reply(status=200, body=protocol.write({"model_stats": [told]}), headers=[])

    async def _unload(self, _request: Request) -> Reply | Refusal:
        return Refusal(
            status=400,
            error=f"{self._about.name} serves the endpoint {self._about.endpoint}: release another version, or stop it",
        )

    async def _label(self, request: Request) -> Reply | Refusal:
        if self._recorder is None:
            return Refusal(
                status=409, error="predictions are not logged here, so that labels have nothing to be joined to"
            )
        labels = read_labels(request.body, now=time.time())
        if isinstance(labels, Refusal):
            return labels
        if not self._recorder.label(labels):
            return Refusal(status=503, error="the prediction log has no room now; send these labels again later")
        return Reply(status=200, body=protocol.write({"accepted": len(labels)}), headers=[])


def _asked(scope: Scope, request: Request) -> Asked:
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    return Asked(method=scope["method"], target=target, headers=scope["headers"], request=request)


def _log_counts(recorder: Recorder | None) -> dict[str, float]:
    """What a recorder counts, if it does: a recorder need not."""
    counts = getattr(recorder, "counts", None)
    if counts is None:
        return {}
    told = structs.asdict(counts)
    found: dict[str, float] = {name: value for name, value in told.items() if isinstance(value, int)}
    return found | {"failing": int(bool(told.get("trouble")))}


def _nowhere(path: str) -> Refusal:
    return Refusal(status=404, error=f"there is nothing at {path}; POST rows to /predict")
