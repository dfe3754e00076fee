"""A server's process among hostile clients: it never ends, answers rightly in between, and holds nothing afterwards.

The model tells of its own process: how many files it has open, how many tasks wait, how much memory it takes.
"""

import gzip
import http.client
import json
import os
import random
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from msgspec import structs

from headway.backends.target_local import LocalTarget
from headway.core.limits import Limits
from headway.testing.target_contract import READY_S, serving

MODEL = """
import asyncio
import gc
import os

def told():
    gc.collect()
    with open("/proc/self/statm") as f:
        rss = int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    n_tasks = sum(isinstance(one, asyncio.Task) and not one.done() for one in gc.get_objects())
    return f"{os.getpid()} {len(os.listdir('/proc/self/fd'))} {n_tasks} {rss}"

def predict(rows):
    return [told() if "probe" in row else "well" for row in rows]
"""

LIMITS = Limits(max_body_bytes=2**20, max_gathered_bytes=2**23, receive_s=2.0, idle_s=5.0, answer_s=20.0)

MOST_GROWTH_BYTES = 3 * 2**20
"""Of the memory, from 40 % of the requests to the last: half a kilobyte for each of 6,000. Measured: nothing at all,
after 5 MB in the first tenth."""

N_HELD = 25
"""Slow connections that are open at once."""


class Told:
    """What the model says of its process."""

    def __init__(self, text: str) -> None:
        self.pid, self.n_files, self.n_tasks, self.rss_bytes = map(int, text.split())


class Hostile:
    """A client that means no good, by a seed. `statuses` counts what it was told."""

    def __init__(self, port: int, seed: int) -> None:
        self.port = port
        self.chance = random.Random(seed)
        self.statuses: dict[int, int] = {}
        self.held: list[socket.socket] = []

    def connect(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
        """A whole request, and the answer to it, which is no fault of the server's own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            self.statuses[response.status] = self.statuses.get(response.status, 0) + 1
            assert response.status < 500, (method, path, body[:200], response.read())
            return response.read()
        finally:
            connection.close()

    def send(self, data: bytes, *, hear: bool = True) -> None:
        """These bytes, whatever they are; then the connection is closed, at times with a reset."""
        with self.connect() as made:
            if self.chance.random() < 0.3:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            try:
                made.sendall(data)
                if hear:
                    made.shutdown(socket.SHUT_WR)
                    while made.recv(1 << 16):
                        pass
            except OSError:
                # It closed before all was sent, which is its good right.
                return

    def probe(self) -> Told:
        return Told(json.loads(self.ask("POST", "/predict", b'{"probe": 1}'))["predictions"][0])

    def let_go(self) -> None:
        for made in self.held:
            made.close()
        self.held.clear()

    # --- kinds of requests --------------------------------------------------------------------------------------

    def good(self) -> None:
        n = self.chance.randint(1, 5)
        told = json.loads(self.ask("POST", "/predict", json.dumps([{"x": i} for i in range(n)]).encode()))
        assert told["predictions"] == ["well"] * n

    def bytes_that_are_nothing(self) -> None:
        self.send(self.chance.randbytes(self.chance.randint(1, 3000)))

    def bytes_of_http_2(self) -> None:
        self.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.chance.randbytes(self.chance.randint(0, 500)))

    def a_body_that_is_nothing(self) -> None:
        path = self.chance.choice(["/predict", "/labels", "/v2/models/m/infer", "/v2/repository/index", "/", "/é%00"])
        self.ask("POST", path.encode("ascii", "ignore").decode(), self.chance.randbytes(self.chance.randint(0, 2000)))

    def odd_json(self) -> None:
        odd = [
            b'{"x": NaN}', b'{"x": -Infinity}', b'{"x": 1e999}', b'{"x": ' + b"9" * 5000 + b"}", b"[" * 100_000,
            b'{"x":' * 50_000, b"[]", b"{}", b"null", b'"x"', b'{"inputs": 3}', b'[{"x": 1}, 2]', b'{"x": "\xff"}',
            b'{"x": "\\ud800"}', b"\x00", json.dumps([{"x": 1}] * 20_000).encode(), b'{"' + b"y" * 90_000 + b'": 1}',
        ]  # fmt: skip
        self.ask("POST", "/predict", self.chance.choice(odd))

    def odd_tensors(self) -> None:
        shape = self.chance.choice([[1], [10**12], [2**63], [-1], [0], [1, 1], [10**6, 10**6], [], ["1"], [1.5], None])
        kind = self.chance.choice(["FP64", "INT8", "BYTES", "BOOL", "BF16", "UINT64", "FP128", 7, None])
        data: object = self.chance.choice(
            [[1], [1.5], ["a"], [None], [True], [[1]], [2**70], {}, "x", None, [1] * 1000]
        )
        tensor = {"name": self.chance.choice(["x", "", "é", 5]), "shape": shape, "datatype": kind, "data": data}
        value = {"id": self.chance.choice(["a", "", 5, "x" * 5000]), "inputs": [tensor] * self.chance.randint(0, 3)}
        self.ask("POST", "/v2/models/m/infer", json.dumps(value).encode())

    def odd_binary(self) -> None:
        size = self.chance.choice([0, 8, 7, -1, 2**62, "8", None])
        parameters = {"binary_data_size": size, "binary_data_output": self.chance.choice([True, False, 3])}
        tensor = {
            "name": "x",
            "shape": self.chance.choice([[1], [10**9]]),
            "datatype": "FP64",
            "parameters": parameters,
        }
        head = json.dumps({"inputs": [tensor]}).encode()
        length = self.chance.choice([str(len(head)), "0", "99999999", "-1", "x", "1" * 30])
        body = head + struct.pack("<d", float("nan"))[: self.chance.randint(0, 8)]
        self.ask("POST", "/v2/models/m/infer", body, {"Inference-Header-Content-Length": length})

    def a_body_cut_short(self) -> None:
        size = self.chance.randint(10, 2**19)
        head = f"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: {size}\r\n\r\n".encode()
        self.send(head + bytes(self.chance.randint(0, size // 2)), hear=self.chance.random() < 0.5)

    def odd_lengths(self) -> None:
        length = self.chance.choice([b"-1", b"x", b"99999999999999999999", b"1, 2", b"", b"2097152"])
        self.send(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: " + length + b"\r\n\r\n{}")

    def odd_chunks(self) -> None:
        chunks = self.chance.choice(
            [b"zz\r\n", b"5\r\nab", b"ffffffffffffffffff\r\n", b"2\r\n{}\r\n0\r\n\r\n", b"0\r\nx"]
        )
        self.send(b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + chunks)

    def odd_packing(self) -> None:
        packed = gzip.compress(bytes(2**24), 9) if self.chance.random() < 0.1 else gzip.compress(b'{"x": 1}')
        body = self.chance.choice([packed, packed[:-3], packed + b"x", b"", self.chance.randbytes(50)])
        self.ask("POST", "/predict", body, {"Content-Encoding": self.chance.choice(["gzip", "deflate", "br", "", "é"])})

    def too_much(self) -> None:
        if self.chance.random() < 0.5:
            self.send(b"GET / HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 20_000, hear=False)
        else:
            self.send(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 2000000\r\n\r\n" + bytes(1_500_000))

    def several_at_once(self) -> None:
        one = b'POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\n\r\n{"x": 1}'
        self.send(one * self.chance.randint(2, 30), hear=self.chance.random() < 0.7)

    def slowly(self) -> None:
        """A connection on which a little comes and then nothing; the oldest is let go of when there are many."""
        made = self.connect()
        http_1, http_2 = b"POST /predict HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        made.sendall(self.chance.choice([b"", b"P", http_1 + b"host:", http_2, http_1 + b"content-length: 9\r\n\r\n{"]))
        self.held.append(made)
        if len(self.held) > N_HELD:
            self.held.pop(self.chance.randrange(N_HELD)).close()

    def odd_headers(self) -> None:
        name = self.chance.choice(["X-Request-Id", "Accept-Encoding", "Traceparent", "Host", "Expect", "Upgrade"])
        value = self.chance.choice(["", "x" * 500, "gzip;q=0", "100-continue", "h2c", "../../etc", "a\tb", "é", "-"])
        self.ask(self.chance.choice(["GET", "HEAD", "POST", "OPTIONS", "BREW"]), "/", b"", {name: value})


KINDS: tuple[Callable[[Hostile], None], ...] = (
    Hostile.good, Hostile.bytes_that_are_nothing, Hostile.bytes_of_http_2, Hostile.a_body_that_is_nothing,
    Hostile.odd_json, Hostile.odd_tensors, Hostile.odd_binary, Hostile.a_body_cut_short, Hostile.odd_lengths,
    Hostile.odd_chunks, Hostile.odd_packing, Hostile.too_much, Hostile.several_at_once, Hostile.slowly,
    Hostile.odd_headers,
)  # fmt: skip


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A served version, in its own process, with its prediction log."""
    root = os.path.realpath(tmp_path)
    target = LocalTarget(os.path.join(root, ".headway/endpoints"))
    one = structs.replace(serving(root, 1, text=MODEL), limits=LIMITS)
    target.start(one, port=0, timeout_s=READY_S)
    url = target.switch(one.endpoint, 1)
    yield urlsplit(url).port or 0
    target.stop(one.endpoint, None)


def held(port: int, n_requests: int) -> tuple[Told, Told, list[int], Hostile]:
    """Send so many; the process before and after, its memory at each tenth of the way, and the client."""
    client = Hostile(port, seed=n_requests)
    for kind in KINDS:
        kind(client)
    client.let_go()
    before = quiet(client, client.probe())
    memory = []
    for i in range(n_requests):
        client.chance.choice(KINDS)(client)
        if i % (n_requests // 10) == n_requests // 10 - 1:
            memory.append(client.probe().rss_bytes)
    client.let_go()
    return before, quiet(client, before), memory, client


def quiet(client: Hostile, like: Told) -> Told:
    """The process once it has let go of connections that are gone: as it was, or as it is after some seconds."""
    deadline = time.monotonic() + 15
    while True:
        told = client.probe()
        is_like = told.n_files <= like.n_files and told.n_tasks <= like.n_tasks
        if time.monotonic() > deadline or (is_like and told is not like):
            return told
        time.sleep(0.2)


def check(before: Told, after: Told, client: Hostile) -> None:
    assert after.pid == before.pid
    assert after.n_files <= before.n_files
    assert after.n_tasks <= before.n_tasks
    assert {200, 400, 404, 405, 415} <= set(client.statuses)


def test_hostile_requests_neither_end_the_server_nor_stay_with_it(port: int) -> None:
    before, after, _, client = held(port, 250)
    check(before, after, client)


@pytest.mark.slow
def test_ten_thousand_hostile_requests_leave_no_trace_in_memory(port: int) -> None:
    before, after, memory, client = held(port, 10_000)
    check(before, after, client)
    assert memory[-1] - memory[3] < MOST_GROWTH_BYTES, memory
