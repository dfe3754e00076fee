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
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any

from msgspec import structs

from headway.core.prediction import LoadedModel
from headway.core.prediction_log import FAILED
from headway.serving import pages, protocol, v2
from headway.serving.about import About
from headway.serving.asking import Asker, Asking
from headway.serving.batch import Ask, Batcher, Outcome
from headway.serving.body import Gathering, Receive, read
from headway.serving.direct import Tell
from headway.serving.forward import HANDED_ON, OVER, ROUTED, SHADOW, Forwarded, Headers, forward
from headway.serving.labels import read_labels
from headway.serving.limits import Limits
from headway.serving.metrics import CONTENT_TYPE, Meter, log_counts, render
from headway.serving.protocol import Refusal
from headway.serving.record import Answered, Recorder
from headway.serving.reply import Handle, Reply, Request, Route, always, failed, framed, packed_reply
from headway.serving.route import FULL, Asked, Counts, Plan, Router, handed_on_headers
from headway.serving.trace import Spans, named, say

# Any: ASGI's own types are open mappings.
Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

RETRY_S = b"1"
"""When a client that was refused for want of room may come back."""

ALONE = frozenset({"function"})
"""Formats whose models may look at all rows of a request at once (to rank them, say): their requests stay apart."""


ASKING = frozenset({"predict", "infer"})
"""The routes that ask the model: what fails there is logged."""

_READS = ("GET", "HEAD")
_POST = ("POST",)
_LIVE = b'{"live":true}'
_READY = b'{"live":true,"ready":true}'
_NOT_READY = b'{"live":true,"ready":false}'


class App:
    """The application. `sibling` is the private socket of the version that took over, once one has.

    `router` routes what clients ask, while this version accepts for others as well; `routed` counts how that went.
    `asked_at` are the paths where the model is asked, `gathering` the bodies that are not whole yet.
    """

    __slots__ = (
        "_about", "_addresses", "_asker", "_batcher", "_id", "_limits", "_meter", "_named", "_recorder", "_routes",
        "_signature", "_spans", "asked_at", "gathering", "is_draining", "routed", "router", "sibling",
    )  # fmt: skip

    def __init__(
        self,
        model: LoadedModel,
        about: About,
        *,
        recorder: Recorder | None = None,
        limits: Limits | None = None,
    ) -> None:
        """`recorder` is told of each request to the model (never of checks), after its answer was sent."""
        self._about = about
        self._signature = model.signature
        self._recorder = recorder
        self._limits = limits or Limits()
        self.gathering = Gathering()
        self._meter = Meter()
        self._batcher = Batcher(model, self._limits, shares=about.format not in ALONE)
        self._batcher.note_batch = self._meter.rows.add
        self._addresses = v2.Addresses(about, model.signature)
        self.asked_at = ("/predict", *self._addresses.infer)
        self._asker = Asker(
            about, model.signature, self._meter, plain="/predict", takes_arrays=self._batcher.takes_arrays
        )
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
            self.router = Router(plan, self._about, self._signature, self.routed, wait_s=wait_s, note=self._note)
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
            "/predict": ("predict", _POST, self._model),
            "/labels": ("labels", _POST, self._label),
            "/v2/repository/index": ("repository", _POST, always(addresses.index())),
            addresses.load: ("repository", _POST, always(b"{}")),
            addresses.unload: ("repository", _POST, self._unload),
            **dict.fromkeys(addresses.stats, ("stats", _READS, self._stats)),
            **dict.fromkeys(addresses.infer, ("infer", _POST, self._model)),
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
            body = await read(receive, headers, self._limits, self.gathering)
            told: Reply | int = 0
            if (self.sibling is not None or self.router is not None) and isinstance(body, bytes):
                asked = _asked(scope, Request(scope["path"], headers, body, request_id, time.perf_counter()))
                told = await self._handed_on(asked, is_public=is_public, via=via)
            instead_of = told if isinstance(told, int) else 0
            reply = told if isinstance(told, Reply) else await self._answer(scope, body, headers, request_id, via)
        finally:
            self._meter.n_running -= 1
        closing = (self.is_draining and is_public) or reply.status == 413
        if b"accept-encoding" in headers:
            reply = packed_reply(reply, headers[b"accept-encoding"])
        await send({"type": "http.response.start", "status": reply.status, "headers": framed(reply, closing=closing)})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})
        if reply.noted is not None and (is_public or via is not None):
            self._note(reply.noted, via, instead_of)
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

    def _note(self, entry: Answered, via: bytes | None = None, instead_of: int = 0) -> None:
        """Tell the prediction log, if there is one."""
        # Whoever handed it on to a version that is full answers instead, and says so.
        if self._recorder is None or (via == ROUTED and entry.status in FULL):
            return
        if via == SHADOW or instead_of:
            entry = structs.replace(entry, is_shadow=via == SHADOW, instead_of=instead_of)
        self._recorder.note(entry)

    async def _handed_on(self, asked: Asked, *, is_public: bool, via: bytes | None) -> Reply | int:
        """The answer of another version; else the one that this one is to answer instead of, 0 when of none."""
        told: Forwarded | int = 0
        if self.sibling is not None:
            told = await self._over(asked, self.sibling) if is_public else 0
        elif self.router is not None and (is_public or via == OVER):
            told = await self.router.handed_on(asked)
        return told if isinstance(told, int) else Reply(status=told.status, body=told.body, headers=told.headers)

    async def _over(self, asked: Asked, sibling: str) -> Forwarded | int:
        request_id = asked.request.request_id
        headers = handed_on_headers(asked.headers, request_id, OVER)
        try:
            return await forward(
                sibling, method=asked.method, target=asked.target, headers=headers, body=asked.request.body
            )
        except (OSError, EOFError, ValueError) as e:
            who = named(request_id, asked.request.headers)
            say(f"{who}: the version that took over gives no answer ({e!r}); {self._about.name} answered")
            return 0

    async def _answer(
        self, scope: Scope, body: bytes | Refusal, headers: dict[bytes, bytes], request_id: str, via: bytes | None
    ) -> Reply:
        path: str = scope["path"]
        route = self._routes.get(path)
        told: Reply | Refusal
        more: Headers = []
        request: Request | None = None
        if route is None:
            told = self._addresses.lost(path) if path.startswith("/v2/") else _nowhere(path)
        elif scope["method"] not in route.methods:
            told = Refusal(status=405, error=f"{path} takes {' or '.join(route.methods)}, not {scope['method']}")
            more = [(b"allow", ", ".join(route.methods).encode())]
        elif isinstance(body, Refusal):
            told = body
        else:
            request = Request(path, headers, body, request_id, time.perf_counter())
            told = await route.handle(request)
        name = "unknown" if route is None else route.name
        return self._finished(name, told, request_id, request=request, via=via, more=more)

    def _finished(
        self,
        name: str,
        told: Reply | Refusal,
        request_id: str,
        *,
        request: Request | None,
        via: bytes | None = None,
        more: Headers | None = None,
    ) -> Reply:
        """The reply of a route, counted, and told to be logged. `request`: what was handled, if it came so far."""
        if isinstance(told, Refusal):
            noted = None
            if request is not None and told.status in FAILED and name in ASKING:
                noted = failed(request, told.status)
            again = [(b"retry-after", RETRY_S)] if told.status in (503, 504) else []
            error = protocol.write_refusal(told, request_id=request_id)
            told = Reply(status=told.status, body=error, headers=[*(more or ()), *again], noted=noted)
        self._meter.answered("shadow" if via == SHADOW else name, told.status)
        told.headers[:0] = (self._named, (b"x-request-id", request_id.encode()))
        return told

    # --- predictions --------------------------------------------------------------------------------------------

    async def _model(self, request: Request) -> Reply | Refusal:
        asking = self._asker.asking(request)
        if isinstance(asking, Refusal):
            return asking
        return self._asker.reply(request, asking, await self._batcher.ask(asking.table))

    @property
    def is_plain(self) -> bool:
        """Whether a request to the model is answered here, by nobody else, and nothing else is done with it."""
        return self.router is None and self._spans is None and self.sibling is None and not self.is_draining

    def put(self, path: str, headers: dict[bytes, bytes], body: bytes, tell: Tell) -> None:
        """Answer a client's request to the model, as a call does, without a task: `tell` gets the reply, once.

        Only while it `is_plain`, and for a `path` of `asked_at` with a body that came whole. What was raised, by a
        fault of ours, is told in place of a reply.
        """
        request_id = protocol.request_id_from(headers.get(b"x-request-id")) or self._new_id()
        request = Request(path, headers, body, request_id, time.perf_counter())
        self._meter.n_running += 1
        told: Refusal | Ask | Exception
        try:
            asking = self._asker.asking(request)
            if isinstance(asking, Refusal):
                told = asking
            else:
                told = self._batcher.put(asking.table, partial(self._put, request, asking, tell))
        except Exception as e:  # noqa: BLE001 (as uvicorn does around the application)
            told = e
        if not isinstance(told, Ask):
            self._tell(request, told, tell)

    def _put(self, request: Request, asking: Asking, tell: Tell, outcome: Outcome) -> None:
        """The model's outcome came."""
        told: Reply | Refusal | Exception
        try:
            told = self._asker.reply(request, asking, outcome)
        except Exception as e:  # noqa: BLE001 (as above)
            told = e
        self._tell(request, told, tell)

    def _tell(self, request: Request, told: Reply | Refusal | Exception, tell: Tell) -> None:
        reply: Reply | Exception
        try:
            if isinstance(told, Exception):
                reply = told
            else:
                name = self._routes[request.path].name
                reply = self._finished(name, told, request.request_id, request=request)
                if b"accept-encoding" in request.headers:
                    reply = packed_reply(reply, request.headers[b"accept-encoding"])
        except Exception as e:  # noqa: BLE001 (as above)
            reply = e
        self._meter.n_running -= 1
        tell(reply, closing=self.is_draining)
        if isinstance(reply, Reply) and reply.noted is not None:
            self._note(reply.noted)

    # --- what else is asked -------------------------------------------------------------------------------------

    async def _ready(self, _request: Request) -> Reply | Refusal:
        # A worker listens only once its model is loaded: whoever is heard is ready, unless it ends or hangs. Both keys:
        # the specification of the protocol names the one, KServe's client reads the other.
        is_ending = self.is_draining and self.sibling is None
        is_ready = not is_ending and not self._batcher.is_stuck(asyncio.get_running_loop().time())
        return Reply(status=200 if is_ready else 503, body=_READY if is_ready else _NOT_READY, headers=[])

    async def _metrics(self, _request: Request) -> Reply | Refusal:
        # In a thread: the first time prometheus-client is imported for it.
        log = log_counts(self._recorder)
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


def _nowhere(path: str) -> Refusal:
    return Refusal(status=404, error=f"there is nothing at {path}; POST rows to /predict")
