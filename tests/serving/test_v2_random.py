"""Requests that nobody would write: whatever comes, the answer is 200 or 4xx, and the server goes on."""

import json
import random
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from headway.core.prediction import Prediction
from headway.errors import DataUnreadable
from headway.serving.limits import Limits
from served import Served, mixed, served, sums

DATATYPES = ("BOOL", "INT8", "UINT8", "INT64", "UINT64", "FP16", "FP32", "FP64", "BF16", "BYTES", "FP128", "", None, 7)


@pytest.fixture(scope="module", params=[sums, mixed], ids=["matrix", "columns"])
def server(request: pytest.FixtureRequest) -> Iterator[Served]:
    model = request.param()
    model.answer = as_formats_do(model.answer)
    with served(model, limits=Limits(max_body_bytes=100_000)) as running:
        yield running


def as_formats_do(answer: Callable[[Any], Prediction]) -> Callable[[Any], Prediction]:
    """A gap or a huge number that the model cannot use is told as the formats tell it; anything else is a fault."""

    def asked(rows: Any) -> Prediction:
        try:
            return answer(rows)
        except (TypeError, ValueError, OverflowError) as e:
            raise DataUnreadable(str(e), at="rows", remedy="send others") from e

    return asked


# Any: a JSON value, or what is none.
def value(rng: random.Random, depth: int = 0) -> Any:
    made: list[Callable[[], Any]] = [
        lambda: rng.choice([0, 1, -1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**30, 10**400]),
        lambda: rng.choice([0.5, -0.0, 1e308, 5e-324, float("nan"), float("inf")]),
        lambda: rng.choice(["", "x", "ü\0", "input", "1", "x" * 300, "\ud800"]),
        lambda: rng.choice([True, False, None]),
    ]
    if depth < 3:
        made.append(lambda: [value(rng, depth + 1) for _ in range(rng.randrange(4))])
        made.append(lambda: {rng.choice("ab"): value(rng, depth + 1) for _ in range(rng.randrange(3))})
    return rng.choice(made)()


def tensor(rng: random.Random) -> dict[str, Any]:
    shape: Any = [rng.choice([0, 1, 2, 3, 6, -1, 10**12]) for _ in range(rng.randrange(4))]
    likely = [rng.choice([1, 0.5, 2, 3.0]) for _ in range(rng.choice([1, 2, 3, 6]))]
    made = {
        "name": rng.choice(["input", "a", "b", "label", ""]),
        "shape": shape if rng.random() < 0.9 else value(rng),
        "datatype": rng.choice(DATATYPES),
        "data": likely if rng.random() < 0.6 else value(rng),
        "parameters": rng.choice([{}, {"binary_data_size": rng.choice([0, 4, 8, 24, -1, 10**20])}, value(rng)]),
    }
    return {name: v for name, v in made.items() if rng.random() < 0.9}


def body(rng: random.Random) -> bytes:
    request: Any = {"inputs": [tensor(rng) for _ in range(rng.randrange(4))]}
    if rng.random() < 0.3:
        request["outputs"] = rng.choice([[{"name": "label"}], [{"name": "x"}], value(rng)])
    if rng.random() < 0.3:
        request["parameters"] = rng.choice([{"binary_data_output": True}, value(rng)])
    if rng.random() < 0.3:
        request["id"] = value(rng)
    made = json.dumps(request if rng.random() < 0.9 else value(rng)).encode()
    if rng.random() < 0.2:
        at = rng.randrange(len(made) + 1)
        made = made[:at] + rng.randbytes(rng.randrange(6)) + made[at + rng.randrange(3) :]
    return made


def bombard(server: Served, seed: int, n: int) -> None:
    rng = random.Random(seed)
    for i in range(n):
        sent = body(rng)
        headers = {}
        if rng.random() < 0.4:
            length = rng.choice([len(sent), len(sent) + 1, 0, -1, 10**30, len(sent) // 2])
            headers["Inference-Header-Content-Length"] = str(length)
            sent += rng.randbytes(rng.choice([0, 1, 8, 24, 48]))
        if rng.random() < 0.05:
            headers["Content-Encoding"] = rng.choice(["gzip", "deflate", "br", ""])
        path = rng.choice(["/v2/models/m/infer", "/v2/models/m/infer", "/predict", "/v2/models/m/versions/3/infer"])
        reply = server.ask("POST", path, sent, headers)
        assert reply.status == 200 or 400 <= reply.status < 500, (seed, i, reply, sent)
        if reply.status != 200:
            assert reply.error
    assert server.get("/v2/health/ready").status == 200


def test_no_request_is_the_servers_fault(server: Served, capsys: pytest.CaptureFixture[str]) -> None:
    bombard(server, 1, 300)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_no_request_is_the_servers_fault_ten_thousand_times(server: Served, seed: int) -> None:
    bombard(server, seed, 500)


def test_bytes_that_are_no_http_break_nothing(server: Served) -> None:
    rng = random.Random(1)
    starts = (
        b"",
        b"POST /predict HTTP/1.1\r\n",
        b"GET /v2 HTTP/1.1\r\ncontent-length: ",
        b"POST /%ff%00 HTTP/1.1\r\n\r\n",
    )
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            connection.sendall(rng.choice(starts) + rng.randbytes(rng.randrange(200)))
    assert server.get("/v2/health/ready").status == 200
