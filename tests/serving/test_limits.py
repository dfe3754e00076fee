"""Clients that would bring a server down: too slow, too long, too many; and what the server tells of itself."""

import json
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from headway.core.prediction import Prediction
from headway.core.signature import Signature
from headway.serving.limits import Limits
from served import Made, Served, mixed, served, sums

QUICKLY = Limits(receive_s=0.4, idle_s=0.8, max_head_bytes=4096)


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(mixed(), limits=QUICKLY) as running:
        yield running


@pytest.fixture(scope="module")
def patient() -> Iterator[Served]:
    """For what is not about time: a machine with other work takes its own for 200 pieces."""
    with served(mixed(), limits=Limits(max_head_bytes=4096)) as running:
        yield running


def closed_after(server: Served, *parts: bytes, every_s: float = 0.0) -> tuple[float, bytes]:
    """Send parts slowly; how long until the server closes, and what it said."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        said = b""
        try:
            for part in parts:
                connection.sendall(part)
                time.sleep(every_s)
            while more := connection.recv(65536):
                said += more
        except ConnectionError:
            pass
        return time.monotonic() - began, said


HEAD = b"POST /predict HTTP/1.1\r\nhost: x\r\n"


@pytest.mark.parametrize(
    ("parts", "limit_s"),
    [
        ([b""], 0.8),
        ([b"POST"], 0.4),
        ([HEAD], 0.4),
        ([HEAD, *[b"x-a: b\r\n"] * 100], 0.4),
        ([HEAD + b"content-length: 100\r\n\r\n", *[b"x"] * 50], 0.4),
        ([HEAD + b"transfer-encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n"] * 50], 0.4),
    ],
    ids=["nothing", "a-word", "headers", "headers-for-ever", "a-body", "chunks"],
)
def test_a_request_that_does_not_arrive_is_cut_off(server: Served, parts: Sequence[bytes], limit_s: float) -> None:
    took_s, said = closed_after(server, *parts, every_s=0.02 if len(parts) > 1 else 0.0)
    assert limit_s * 0.9 < took_s < limit_s + 20.0
    assert b"200" not in said
    assert server.get("/health/live").status == 200


def test_a_connection_in_use_is_not_cut_off(server: Served) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        for _ in range(4):
            connection.sendall(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
            assert b"200 OK" in connection.recv(65536)
            time.sleep(0.3)


def test_headers_without_end_are_refused(server: Served) -> None:
    _, said = closed_after(server, HEAD + b"x-a: " + b"a" * 10_000)
    assert b"431" in said
    assert json.loads(said.split(b"\r\n\r\n")[1]) == {"error": "the headers are too long"}


OFFER = b"connection: Upgrade, HTTP2-Settings\r\nhttp2-settings: AAEAAEAAAAIAAAABAAMAAABk\r\nupgrade: h2c\r\n"
ROW = b'{"a": 2, "b": "x"}'
SIZED = HEAD + OFFER + b"content-length: %d\r\n\r\n" % len(ROW) + ROW
CHUNKED = HEAD + OFFER + b"transfer-encoding: chunked\r\n\r\n%x\r\n" % len(ROW) + ROW + b"\r\n0\r\n\r\n"
LAST = b"GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


@pytest.mark.parametrize("one", [SIZED, CHUNKED], ids=["sized", "chunked"])
@pytest.mark.parametrize("cut", ["whole", "head and body", "bytes"])
def test_an_offer_of_another_protocol_is_declined_and_the_request_answered(
    patient: Served, one: bytes, cut: str
) -> None:
    at = one.find(b"\r\n\r\n") + 4
    pieces = {"whole": [one], "head and body": [one[:at], one[at:]]}.get(cut) or [
        one[i : i + 1] for i in range(len(one))
    ]
    _, said = closed_after(patient, *pieces, LAST, every_s=0.002 if len(pieces) > 1 else 0.0)
    assert said.count(b"HTTP/1.1 200 OK") == 2
    assert b'"predictions":["xx"]' in said
    assert said.endswith(b'{"live":true}')


def test_each_of_many_offers_that_come_at_once_is_declined(patient: Served) -> None:
    _, said = closed_after(patient, SIZED * 500 + LAST)
    assert said.count(b'"predictions":["xx"]') == 500
    assert said.endswith(b'{"live":true}')


def test_an_offer_whose_body_does_not_come_is_cut_off(server: Served) -> None:
    took_s, said = closed_after(server, SIZED[:-1])
    assert 0.36 < took_s < 20
    assert b"200" not in said


def test_a_demand_to_connect_elsewhere_is_refused(patient: Served) -> None:
    _, said = closed_after(patient, b"CONNECT x:80 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 40")
    assert patient.get("/health/live").status == 200


def test_a_request_in_small_pieces_is_answered(patient: Served) -> None:
    body = b'{"a": 2, "b": "x"}'
    whole = HEAD + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    _, said = closed_after(patient, *(whole[i : i + 1] for i in range(len(whole))))
    assert b'"predictions":["xx"]' in said


def test_too_many_at_once_get_503_and_a_time_to_come_back() -> None:
    gate = threading.Event()

    def answer(rows: Sequence[Mapping[str, Any]]) -> Prediction:
        gate.wait(10)
        return Prediction(labels=np.zeros(len(rows)))

    with served(Made(answer, Signature()), limits=Limits(max_waiting=2)) as server:
        replies: list[Any] = []
        threads = [
            threading.Thread(target=lambda: replies.append(server.post("/predict", [{"x": 1}, {"x": 2}])))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        while len(replies) < 5:
            time.sleep(0.01)
        assert {reply.status for reply in replies} == {503}
        assert {reply.headers["retry-after"] for reply in replies} == {"1"}
        assert server.get("/health/live").status == 200
        gate.set()
        for thread in threads:
            thread.join()
        assert sorted(reply.status for reply in replies) == [200] * 3 + [503] * 5


def test_a_model_that_hangs_is_told_and_the_version_not_ready() -> None:
    gate = threading.Event()

    def answer(rows: Sequence[Mapping[str, Any]]) -> Prediction:
        gate.wait(10)
        return Prediction(labels=np.zeros(len(rows)))

    with served(Made(answer, Signature()), limits=Limits(answer_s=0.1)) as server:
        reply = server.post("/predict", {"x": 1})
        assert (reply.status, reply.headers["retry-after"]) == (504, "1")
        assert server.get("/health/ready").status == 503
        gate.set()
        assert server.post("/predict", {"x": 1}).status == 200
        assert server.get("/health/ready").status == 200


def test_bodies_that_are_sent_at_once_are_held_to_a_limit() -> None:
    with served(sums(), limits=Limits(max_gathered_bytes=100_000)) as server:
        assert server.ask("POST", "/predict", b"[" + b" " * 300_000 + b"]").status == 503
        assert server.post("/predict", {"a": 1, "b": 2, "c": 3}).status == 200


def test_metrics_are_prometheus_text() -> None:
    with served(sums()) as server:
        server.post("/predict", {"a": 1, "b": 2, "c": 3})
        server.post("/predict", [])
        server.get("/made/up")
        reply = server.get("/metrics")
        text = reply.body.decode()
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    for line in (
        'headway_requests_total{code="200",model="m",route="predict",version="2"} 1.0',
        'headway_requests_total{code="400",model="m",route="predict",version="2"} 1.0',
        'headway_requests_total{code="404",model="m",route="unknown",version="2"} 1.0',
        'headway_rows_total{model="m",version="2"} 1.0',
        'headway_prediction_seconds_bucket{le="+Inf",model="m",version="2"} 1.0',
        'headway_batch_rows_bucket{le="1.0",model="m",version="2"} 1.0',
        'headway_requests_running{model="m",version="2"} 1.0',
    ):
        assert line in text
    assert all(re.match(r"^(# (HELP|TYPE) \w+ .+|\w+(\{.*\})? \S+)$", line) for line in text.splitlines())


def test_the_openapi_document_and_the_page_come_from_the_signature(server: Served) -> None:
    document = server.get("/openapi.json").json
    row = document["components"]["schemas"]["Row"]
    assert row["required"] == ["a", "b"]
    bounds = {"minimum": -(2**63), "maximum": 2**63 - 1}
    whole = {"type": ["integer", "boolean", "null"], **bounds}
    assert row["properties"] == {"a": whole, "b": {"type": ["string", "null"]}}
    assert server.post("/predict", row["example"]).status == 200
    assert "/v2/models/m/infer" in document["paths"]
    page = server.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "curl -s http://127.0.0.1" in page.body.decode()


def test_a_page_does_not_run_what_a_client_names_itself(server: Served) -> None:
    page = server.ask("GET", "/docs", headers={"Host": "<script>alert(1)</script>"})
    assert b"<script>" not in page.body


def test_values_of_the_wrong_kind_are_told_by_field(server: Served) -> None:
    reply = server.post("/predict", [{"a": "1", "b": "x"}, {"a": 1.5, "b": 2}, {"a": 2.0, "b": "x"}])
    assert reply.status == 400
    assert reply.json["fields"] == [
        {"row": 0, "field": "a", "problem": "is a text; a number is wanted"},
        {"row": 1, "field": "a", "problem": "has a fraction; a whole number is wanted"},
        {"row": 1, "field": "b", "problem": "is no text, which is wanted"},
    ]
