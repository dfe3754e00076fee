"""Spans of OpenTelemetry: one for each request, below it one for the model's call; sent by OTLP over HTTP.

Spans wait in a queue of the library's and are sent by a thread: a receiver that is slow, away or wrong costs spans and
nothing else, and is told of once. Imported only where traces are sent (see `tracing`).
"""

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from contextvars import ContextVar

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from headway.serving.about import About
from headway.serving.trace import TRACEPARENT, Answer, Receive, Send, Spans, Words, say

CLOSE_S = 3.0
"""How long an ending server waits for the rest to be sent."""

_UNTRACED = frozenset({"/metrics", "/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"})
_DONE = "headway.is_traced"

_TRACESTATE = b"tracestate"
_W3C = TraceContextTextMapPropagator()
_CURRENT: ContextVar[Span | None] = ContextVar("span", default=None)


class OtlpSpans:
    """Traces the requests of one version and sends them to `target`."""

    __slots__ = ("_about", "_asked", "_called", "_provider", "_sender", "_tracer")

    def __init__(self, about: About, target: str) -> None:
        # Its own lines would come with each failure, and with a traceback; `_Told` says it once.
        for name in ("opentelemetry.exporter", "opentelemetry.sdk"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        own = {"service.name": about.endpoint, "service.version": str(about.version)}
        # What the environment says of the service wins.
        resource = Resource.create({**own, **OTELResourceDetector().detect().attributes})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._sender = _Told(OTLPSpanExporter(), target)
        self._provider.add_span_processor(BatchSpanProcessor(self._sender))
        self._tracer = self._provider.get_tracer("headway.serving")
        self._about = about
        self._asked: dict[str, str | int] = {"headway.model": about.model, "headway.version": about.version}
        self._called = f"predict {about.name}"

    def is_due(self, scope: Words) -> bool:
        """See `trace.Spans`."""
        return _DONE not in scope and scope["path"] not in _UNTRACED

    async def around(self, answer: Answer, scope: Words, receive: Receive, send: Send) -> None:
        """See `trace.Spans`."""
        scope[_DONE] = True
        headers = [h for h in scope["headers"] if h[0] not in (TRACEPARENT, _TRACESTATE)]
        span = self._tracer.start_span(
            scope["method"], context=_parent(dict(scope["headers"])), kind=SpanKind.SERVER, attributes=self._asked
        )
        within: dict[str, str] = {}
        _W3C.inject(within, set_span_in_context(span))
        scope["headers"] = headers + [(name.encode(), value.encode("latin-1")) for name, value in within.items()]
        token = _CURRENT.set(span)
        try:
            if span.is_recording():
                await answer(scope, receive, _heard(span, scope, send))
            else:
                await answer(scope, receive, send)
        except BaseException as e:
            span.record_exception(e)
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            _CURRENT.reset(token)
            span.end()

    def asked(self, n_rows: int) -> Span | None:
        """See `trace.Spans`."""
        span = _CURRENT.get()
        if span is None or not span.is_recording():
            return None
        span.set_attribute("headway.rows", n_rows)
        return span

    def computed(self, asked: object, n_rows: int, n_requests: int, took_s: float, *, failed: bool) -> None:
        """See `trace.Spans`."""
        if not isinstance(asked, Span):
            return
        end = time.time_ns()
        call = self._tracer.start_span(
            self._called,
            context=set_span_in_context(asked),
            attributes={**self._asked, "headway.batch.rows": n_rows, "headway.batch.requests": n_requests},
            start_time=end - round(took_s * 1e9),
        )
        if failed:
            call.set_status(Status(StatusCode.ERROR))
        call.end(end)

    async def close(self) -> None:
        """See `trace.Spans`."""
        # A daemon: a receiver that hangs must not keep the process.
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        began = time.monotonic()
        while closing.is_alive() and time.monotonic() - began < CLOSE_S:  # noqa: ASYNC110 (a thread has no event)
            await asyncio.sleep(0.02)
        # It may wait for its next try: it need not any more.
        await asyncio.to_thread(self._sender.shutdown)


_: type[Spans] = OtlpSpans


class _Told(SpanExporter):
    """Sends by another exporter; says once that it cannot, and once that it can again. In the thread that sends."""

    def __init__(self, by: SpanExporter, target: str) -> None:
        self._by = by
        self._target = target
        self._is_failing = False
        self._is_over = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them."""
        try:
            result, why = self._by.export(spans), "it does not take them"
        # Whatever it is: a trace is worth less than the server.
        except Exception as e:  # noqa: BLE001 (as above)
            result, why = SpanExportResult.FAILURE, repr(e)
        is_failing = result is not SpanExportResult.SUCCESS
        if is_failing and not self._is_failing:
            say(f"traces: {self._target} does not get them ({why}); they are lost until it does, nothing else is")
        elif self._is_failing and not is_failing:
            say(f"traces: {self._target} gets them again")
        self._is_failing = is_failing
        return result

    def shutdown(self) -> None:
        """Let go, also of what is waited for; a second time nothing is left to do."""
        if not self._is_over:
            self._is_over = True
            self._by.shutdown()


def _parent(headers: dict[bytes, bytes]) -> Context:
    """What a request says of the trace that it belongs to."""
    told = {name.decode(): headers[name].decode("latin-1") for name in (TRACEPARENT, _TRACESTATE) if name in headers}
    # An empty context: what this process does otherwise is no part of the trace.
    return _W3C.extract(told, Context())


def _heard(span: Span, scope: Words, send: Send) -> Send:
    """`send`, which notes on the span what was asked and answered."""
    method, path = scope["method"], scope["path"]

    async def heard(message: Words) -> None:
        if message["type"] == "http.response.start":
            status: int = message["status"]
            headers = dict(message["headers"])
            told = {
                "http.request.method": method,
                "http.response.status_code": status,
                "network.protocol.version": scope["http_version"],
                "url.path": path,
                "url.scheme": scope["scheme"],
                "headway.request_id": headers.get(b"x-request-id", b"").decode("latin-1"),
            }
            if status != 404:
                # There are a handful of paths at one version's server: each is its own route.
                told["http.route"] = path
                span.update_name(f"{method} {path}")
            if scope["server"] and scope["server"][1]:
                told |= {"server.address": scope["server"][0], "server.port": scope["server"][1]}
            if scope["client"]:
                told["client.address"] = scope["client"][0]
            if status >= 500:
                told["error.type"] = str(status)
                span.set_status(Status(StatusCode.ERROR))
            # By whom it was answered, which may be another version.
            version = headers.get(b"x-headway-version", b"").decode("latin-1")
            told["headway.answered_by"] = version
            span.set_attributes(told)
        await send(message)

    return heard
