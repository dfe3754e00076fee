"""Traces as a receiver of OTLP gets them, over HTTP, in the real protobuf; and that its troubles are nobody else's."""

import asyncio
import http.server
import re
import socketserver
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headway.core.prediction import Prediction
from headway.core.signature import Signature
from headway.serving.trace import named, trace_id
from headway.serving.tracing import spans_of
from served import ABOUT, Made, Served, served

trace_service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
PLAIN = Made(lambda rows: Prediction(labels=np.array([row["x"] for row in rows])), Signature())


class Receiver:
    """A collector: takes spans by HTTP and decodes them; answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        # Any: protobuf's classes are made at run time.
        self.spans: list[Any] = []
        self.resources: list[dict[str, object]] = []
        self.n_posts = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.n_posts += 1
                if outer.status == 200:
                    outer.take(self.path, body)
                self.send_response(outer.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def take(self, path: str, body: bytes) -> None:
        assert path == "/v1/traces"
        asked = trace_service.ExportTraceServiceRequest.FromString(body)
        for of in asked.resource_spans:
            self.resources.append(attributes(of.resource))
            for scope in of.scope_spans:
                self.spans += scope.spans

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


# Any: a span or a resource, as above.
def attributes(of: Any) -> dict[str, object]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in of.attributes}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def to(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    """The receiver, which the environment names."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    return receiver


class Traced:
    """A server whose requests are traced; `end` sends what is left."""

    def __init__(self, server: Served) -> None:
        self.server = server
        self.spans = spans_of(ABOUT)
        assert self.spans is not None
        server.app.trace(self.spans)

    def end(self) -> None:
        assert self.spans is not None
        asyncio.run(self.spans.close())


def test_a_request_goes_on_with_its_trace_and_the_model_s_call_is_below_it(to: Receiver) -> None:
    with served(PLAIN) as server:
        traced = Traced(server)
        headers = {"traceparent": PARENT, "tracestate": "vendor=1", "x-request-id": "order-17"}
        body = b'[{"x": 1}, {"x": 2}]'
        assert server.ask("POST", "/predict", body, headers).status == 200
        traced.end()
    call, span = to.spans
    assert (span.name, span.kind, span.trace_id.hex(), span.trace_state) == ("POST /predict", 2, TRACE, "vendor=1")
    assert span.parent_span_id.hex() == "00f067aa0ba902b7"
    told = attributes(span)
    assert told.pop("client.address") == "127.0.0.1"
    assert told == {
        "headway.model": "m",
        "headway.version": 2,
        "headway.request_id": "order-17",
        "headway.answered_by": "m@2",
        "headway.rows": 2,
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/predict",
        "network.protocol.version": "1.1",
        "server.address": "127.0.0.1",
        "server.port": server.port,
        "url.path": "/predict",
        "url.scheme": "http",
    }
    assert (call.name, call.trace_id, call.parent_span_id) == ("predict m@2", span.trace_id, span.span_id)
    assert attributes(call)["headway.batch.rows"] == 2
    assert span.start_time_unix_nano <= call.start_time_unix_nano <= call.end_time_unix_nano
    assert call.end_time_unix_nano <= span.end_time_unix_nano
    assert to.resources[0]["service.name"] == "e"
    assert to.resources[0]["service.version"] == "2"
    assert to.resources[0]["deployment.environment.name"] == "test"


def test_requests_of_one_batch_have_a_call_each_that_tells_the_batch(to: Receiver) -> None:
    def answer(rows: Sequence[Mapping[str, Any]]) -> Prediction:
        time.sleep(0.2)
        return Prediction(labels=np.array([row["x"] for row in rows]))

    with served(Made(answer, Signature())) as server:
        traced = Traced(server)
        clients = [threading.Thread(target=server.ask, args=("POST", "/predict", b'{"x": 1}')) for _ in range(4)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        traced.end()
    calls = [span for span in to.spans if span.name == "predict m@2"]
    parents = {span.span_id for span in to.spans if span.name == "POST /predict"}
    assert len({call.trace_id for call in calls}) == 4
    assert {call.parent_span_id for call in calls} == parents
    assert max(int(str(attributes(call)["headway.batch.requests"])) for call in calls) > 1
    assert all(call.end_time_unix_nano - call.start_time_unix_nano >= 190e6 for call in calls)


def test_failures_are_errors_in_the_trace_and_named_by_it_in_the_log(
    to: Receiver, capfd: pytest.CaptureFixture[str]
) -> None:
    def answer(_: Sequence[Mapping[str, Any]]) -> Prediction:
        raise ZeroDivisionError

    with served(Made(answer, Signature())) as server:
        traced = Traced(server)
        headers = {"traceparent": PARENT, "x-request-id": "order-17"}
        assert server.ask("POST", "/predict", b'{"x": 1}', headers).status == 500
        assert server.ask("POST", "/predict", b"{").status == 400
        assert server.ask("GET", "/no/such/place").status == 404
        traced.end()
    call, failed, refused, lost = to.spans
    assert (call.status.code, failed.status.code, refused.status.code, lost.status.code) == (2, 2, 0, 0)
    assert attributes(failed)["error.type"] == "500"
    assert attributes(refused)["http.response.status_code"] == 400
    assert "headway.rows" not in attributes(refused)
    assert (lost.name, "http.route" in attributes(lost)) == ("GET", False)
    assert f"order-17 (trace {TRACE}): m@2 raised" in capfd.readouterr().err


def test_probes_are_not_traced_and_a_caller_that_does_not_record_is_followed(to: Receiver) -> None:
    with served(PLAIN) as server:
        traced = Traced(server)
        for path in ("/health/ready", "/v2/health/live", "/metrics"):
            assert server.get(path).status == 200
        unsampled = {"traceparent": PARENT[:-2] + "00"}
        assert server.ask("POST", "/predict", b'{"x": 1}', unsampled).status == 200
        traced.end()
    assert to.spans == []


@pytest.mark.parametrize("parent", ["", "00-xyz", PARENT.replace(TRACE, "0" * 32), PARENT + "-x", "é" * 55])
def test_a_mistaken_parent_begins_a_new_trace(to: Receiver, parent: str) -> None:
    with served(PLAIN) as server:
        traced = Traced(server)
        reply = server.ask("POST", "/predict", b'{"x": 1}', {"traceparent": parent})
        assert reply.status == 200
        traced.end()
    _, span = to.spans
    assert (span.parent_span_id, span.trace_id.hex() == "0" * 32) == (b"", False)


def test_a_receiver_that_refuses_costs_spans_alone_and_is_told_of_once(
    to: Receiver, capfd: pytest.CaptureFixture[str]
) -> None:
    to.status = 400
    with served(PLAIN) as server:
        traced = Traced(server)

        def asked_until(n_posts: int) -> None:
            deadline = time.monotonic() + 10
            while to.n_posts < n_posts and time.monotonic() < deadline:
                assert server.ask("POST", "/predict", b'{"x": 1}').status == 200
            assert to.n_posts >= n_posts

        asked_until(3)
        assert to.spans == []
        to.status = 200
        deadline = time.monotonic() + 10
        while not to.spans and time.monotonic() < deadline:
            asked_until(to.n_posts + 1)
        traced.end()
    assert to.spans
    told = [line.split("Z ", 1)[1] for line in capfd.readouterr().err.splitlines() if "traces:" in line]
    assert [re.sub(r"http://\S+", "URL", line) for line in told] == [
        "traces: URL does not get them (it does not take them); they are lost until it does, nothing else is",
        "traces: URL gets them again",
    ]


def sending() -> list[str]:
    """The threads that send spans."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("OtelBatch")]


def test_a_receiver_that_is_away_neither_slows_answers_nor_the_end(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver, capfd: pytest.CaptureFixture[str]
) -> None:
    receiver.close()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "64")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "32")
    with served(PLAIN) as server:
        traced = Traced(server)
        slowest_s = 0.0
        for _ in range(60):
            began = time.monotonic()
            assert server.ask("POST", "/predict", b'{"x": 1}').status == 200
            slowest_s = max(slowest_s, time.monotonic() - began)
        began = time.monotonic()
        traced.end()
        assert time.monotonic() - began < 9
        # Nor does anything try on behind it.
        while sending() and time.monotonic() - began < 10:
            time.sleep(0.02)
        assert not sending()
    # Its own limit is 10 s a try.
    assert slowest_s < 9
    assert capfd.readouterr().err.count("traces:") <= 1


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_BSP_MAX_QUEUE_SIZE": "0"}, "max_queue_size"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "x"}, "got x"),
    ],
)
def test_nothing_is_traced_unless_the_environment_says_so(
    variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert spans_of(ABOUT) is None
    assert said in capsys.readouterr().err


def test_a_failure_is_named_by_the_trace_of_its_request_also_when_nothing_is_traced() -> None:
    assert named("a", {b"traceparent": PARENT.encode()}) == f"a (trace {TRACE})"
    assert named("a", {}) == "a"
    assert trace_id({b"traceparent": PARENT.encode() + b"\n"}) is None


def test_the_version_that_took_over_is_asked_within_the_trace(to: Receiver, tmp_path: Path) -> None:
    heard = []

    class Sibling(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = b"".join(iter(self.rfile.readline, b"\r\n"))
            heard.append(dict(line.split(b": ", 1) for line in head.splitlines()[1:]))
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-headway-version: m@3\r\n\r\n{}")

    path = str(tmp_path / "v3.sock")
    with socketserver.ThreadingUnixStreamServer(path, Sibling) as sibling, served(PLAIN) as server:
        thread = threading.Thread(target=sibling.serve_forever)
        thread.start()
        traced = Traced(server)
        server.app.sibling = path
        assert server.ask("POST", "/predict", b'{"x": 1}', {"traceparent": PARENT}).body == b"{}"
        traced.end()
        sibling.shutdown()
        thread.join()
    (span,) = to.spans
    (headers,) = heard
    assert headers[b"traceparent"].decode() == f"00-{TRACE}-{span.span_id.hex()}-01"
    assert attributes(span)["headway.answered_by"] == "m@3"
