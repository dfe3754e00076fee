"""What is answered from the connection is answered as by the ordinary way, byte for byte, and logged alike."""

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from headway.core.prediction import Prediction
from headway.serving.heads import MOST_HEAD_BYTES, MOST_HEADS, Heads
from headway.serving.limits import Limits
from served import Made, Served, served, sums
from two_ways import LAST, Client, Noted, Pair, Rows, answer, moody, settled


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def compare(stack: ExitStack, seed: int, n: int, *, is_matrix: bool) -> None:
    pair = Pair(stack, sums if is_matrix else moody)
    client = Client(seed, is_matrix=is_matrix)
    for _ in range(n):
        pair.ask(*client.requests())
    pair.check()
    # Else it would compare the ordinary way with itself.
    assert pair.front.n_put > n // 4


@pytest.mark.parametrize("is_matrix", [True, False], ids=["numbers", "texts"])
def test_any_request_is_answered_as_the_ordinary_way(stack: ExitStack, is_matrix: bool) -> None:
    compare(stack, 1, 300, is_matrix=is_matrix)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(2, 6))
@pytest.mark.parametrize("is_matrix", [True, False], ids=["numbers", "texts"])
def test_thousands_of_requests_are_answered_as_the_ordinary_way(stack: ExitStack, seed: int, is_matrix: bool) -> None:
    compare(stack, seed, 1000, is_matrix=is_matrix)


def hello(n: int, text: str = "a", *lines: str) -> bytes:
    """A plain request for a text so many times."""
    body = json.dumps({"n": n, "text": text}).encode()
    head = "\r\n".join(["POST /predict HTTP/1.1", "host: x", *lines, f"content-length: {len(body)}", "", ""])
    return head.encode() + body


def predictions(said: bytes) -> list[Any]:
    return [json.loads(one)["predictions"] for one in re.findall(rb'\{"predictions".*?\}', said)]


def test_many_clients_at_once_each_get_their_own_answers(stack: ExitStack) -> None:
    log = Noted()
    server = stack.enter_context(served(moody(), recorder=log))
    connections = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 20)) for _ in range(64)]
    for turn in range(10):
        for at, connection in enumerate(connections):
            connection.sendall(hello(at + 1, str(turn)))
        for at, connection in enumerate(connections):
            assert predictions(answer(connection, has_body=True)) == [[str(turn) * (at + 1)]]
    settled(lambda: len(log.entries) == 640)
    assert len({entry.request_id for entry in log.entries}) == 640
    assert server.app._meter.answers == {("predict", 200): 640}


def slow(gate: threading.Event) -> Made:
    """A model that waits for the gate."""
    model = moody()
    at_once = model.answer

    def late(rows: Rows) -> Prediction:
        gate.wait(20)
        return at_once(rows)

    model.answer = late
    return model


def waiting(server: Served) -> None:
    """Until a request waits for the model."""
    settled(lambda: server.app._batcher._busy_since is not None)


def test_what_comes_behind_a_request_under_way_is_answered_after_it(stack: ExitStack) -> None:
    gate = threading.Event()
    server = stack.enter_context(served(slow(gate)))
    stack.callback(gate.set)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(hello(1))
        waiting(server)
        connection.sendall(hello(2) + hello(3))
        connection.sendall(LAST)
        time.sleep(0.05)
        gate.set()
        said = b""
        while more := connection.recv(65536):
            said += more
    assert predictions(said) == [["a"], ["aa"], ["aaa"]]
    assert said.endswith(b'{"live":true}')


def test_a_version_that_begins_to_drain_closes_with_the_answer_under_way(stack: ExitStack) -> None:
    gate = threading.Event()
    server = stack.enter_context(served(slow(gate)))
    stack.callback(gate.set)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(hello(1))
        waiting(server)
        server.app.is_draining = True
        gate.set()
        assert b"\r\nconnection: close\r\n" in answer(connection, has_body=True)
        assert connection.recv(1) == b""


def test_an_answer_that_nobody_waits_for_is_counted_and_logged(stack: ExitStack) -> None:
    gate, log = threading.Event(), Noted()
    server = stack.enter_context(served(slow(gate), recorder=log))
    stack.callback(gate.set)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(hello(2))
        waiting(server)
    time.sleep(0.05)
    gate.set()
    settled(lambda: len(log.entries) == 1)
    assert server.app._meter.answers == {("predict", 200): 1}


def test_a_request_whose_body_never_comes_is_held_to_the_limits_and_counted(stack: ExitStack) -> None:
    pair = Pair(stack, moody, Limits(receive_s=0.3, idle_s=20))
    whole = hello(1)
    head = whole[: whole.index(b"\r\n\r\n") + 4]
    # Cut off by the server; gone by itself.
    assert pair.ask([head]) == b""
    for server in (pair.direct, pair.plain):
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(head + b"{")
            time.sleep(0.05)
        settled(lambda server=server: server.app._meter.answers.get(("predict", 400)) == 2)  # type: ignore[misc]
    pair.check()


def test_bodies_that_wait_for_their_rest_are_held_to_a_limit_together(stack: ExitStack) -> None:
    limits = Limits(max_gathered_bytes=1000)
    server = stack.enter_context(served(moody(), limits=limits))
    body = json.dumps({"n": 1, "text": "a" * 700}).encode()
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
    first, second = (
        stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=20)) for _ in range(2)
    )
    first.sendall(head + body[:-1])
    settled(lambda: server.app.gathering.n_bytes > 700)
    second.sendall(head + body[:-1])
    assert b"503 Service Unavailable" in answer(second, has_body=True)
    first.sendall(body[-1:])
    assert predictions(answer(first, has_body=True)) == [["a" * 700]]
    assert server.app.gathering.n_bytes == 0


def test_an_idle_connection_is_closed_in_time_and_one_in_use_is_not(stack: ExitStack) -> None:
    server = stack.enter_context(served(moody(), keep_alive_s=2))
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        for _ in range(4):
            connection.sendall(hello(1))
            assert answer(connection, has_body=True)
            used = time.monotonic()
            time.sleep(0.6)
        assert connection.recv(1) == b""
        assert 1.9 < time.monotonic() - used < 10


@pytest.mark.parametrize("length", [0, 2])
def test_a_client_that_wants_its_connection_closed_gets_that(stack: ExitStack, length: int) -> None:
    pair = Pair(stack, moody)
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % length
    assert b"\r\nconnection: close\r\n" in pair.ask([head + b"{}"[:length]])
    assert pair.front.n_put == 1


def test_only_so_many_heads_are_kept_and_none_with_an_id_of_its_own() -> None:
    heads = Heads(["/predict"])
    for n in range(3 * MOST_HEADS):
        raw = hello(1, "a", f"x-n: {n}").partition(b"{")[0]
        head = heads.read(raw)
        assert head is not None
        assert heads.known[raw] is head
        assert head.headers[b"x-n"] == str(n).encode()
        assert len(heads.known) <= MOST_HEADS
    for line in ("X-Request-Id: r", "x-long: " + "a" * MOST_HEAD_BYTES):
        raw = hello(1, "a", line).partition(b"{")[0]
        assert heads.read(raw) is not None
        assert raw not in heads.known
