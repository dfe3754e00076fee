"""A bad network between an S3 client and its server: answers are dropped, cut, delayed, changed or refused on request.

It understands as much HTTP/1.1 as it takes to know where a body begins and ends, and runs in threads of the test.
"""

import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

Kind = Literal["drop", "cut", "shrink", "flip", "delay", "refuse", "lose", "spoil"]
"""What may happen to a request.

`drop`: the connection is reset in the middle of the answer's body. `cut`: it ends there as if all were well, while
Content-Length promised more. `shrink`: the answer promises less as well, so that only its content tells. `flip`: one
bit in the middle of the body is another. `delay`: the answer comes late. `refuse`: the server is not asked, the answer
is `status`. `lose`: the server gets and does what was asked, and its answer is lost. `spoil`: the server gets
another bit in the middle of what is sent.
"""

_BODY = ("drop", "cut", "shrink", "flip")


class Fault(Struct, frozen=True, kw_only=True):
    """What happens to the requests of `methods` whose path holds `within`: to each `every`-th, at most `times`."""

    kind: Kind
    methods: tuple[str, ...] = ("GET", "PUT")
    within: str = ""
    every: int = 1
    times: int = 10**9
    seconds: float = 0.05
    status: int = 503


class Network:
    """The way to a server. `fault` may be set at any time, None for a good one; `requests` and `n_faults` count."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._lock = threading.Lock()
        self._fault: Fault | None = None
        self._n_seen = 0
        self.n_faults = 0
        self.requests: Counter[str] = Counter()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def fault(self) -> Fault | None:
        """What happens now."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        with self._lock:
            self._fault, self._n_seen, self.n_faults = fault, 0, 0

    def close(self) -> None:
        """End it; whoever is connected is cut off."""
        # Without this, `accept` would go on waiting.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            left = list(self._open)
        for each in left:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def next_fault(self, method: str, path: str) -> Fault | None:
        """What shall happen to this request."""
        with self._lock:
            self.requests[method] += 1
            fault = self._fault
            if fault is None or method not in fault.methods or fault.within not in path:
                return None
            self._n_seen += 1
            if self._n_seen % fault.every or self.n_faults >= fault.times:
                return None
            self.n_faults += 1
            return fault

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(self._upstream) as server:
            with self._lock:
                self._open |= {client, server}
            try:
                # Small packets at once: without this, each request would take 40 ms.
                for each in (client, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while _exchange(self, client, server):
                    pass
            finally:
                with self._lock:
                    self._open -= {client, server}


@contextmanager
def between(upstream: str) -> Iterator[Network]:
    """A network to a server at this address; good as long as no fault is set."""
    network = Network(upstream)
    try:
        yield network
    finally:
        network.close()


class _Message(Struct, kw_only=True):
    """The head of a request or an answer, and what of the body came with it."""

    first: bytes
    headers: dict[bytes, bytes]
    rest: bytes

    @property
    def n_bytes(self) -> int | None:
        """The body's length; None when only the sender's chunks or its end tell."""
        if b"transfer-encoding" in self.headers:
            return None
        return int(self.headers.get(b"content-length", b"0"))

    def head(self) -> bytes:
        lines = [self.first, *(name + b": " + value for name, value in self.headers.items())]
        return b"\r\n".join(lines) + b"\r\n\r\n"


def _exchange(network: Network, client: socket.socket, server: socket.socket) -> bool:
    """One request and its answer; whether the connection lives on."""
    request = _read_head(client)
    if request is None:
        return False
    method, path = (word.decode() for word in request.first.split(b" ")[:2])
    fault = network.next_fault(method, path)
    if fault is not None and fault.kind == "refuse":
        _read_body(client, request)
        body = b"<Error><Code>SlowDown</Code></Error>"
        client.sendall(b"HTTP/1.1 %d Slow\r\nContent-Length: %d\r\n\r\n%s" % (fault.status, len(body), body))
        return True
    sent = _read_body(client, request)
    server.sendall(request.head())
    server.sendall(_flipped(sent) if fault is not None and fault.kind == "spoil" else sent)
    answer = _read_head(server)
    if answer is None:
        return False
    if answer.first.split(b" ")[1] == b"100":
        answer = _read_head(server)
        assert answer is not None
    has_body = method != "HEAD" and answer.first.split(b" ")[1] not in (b"204", b"304")
    body = _read_body(server, answer) if has_body else b""
    if fault is not None and not _passes_on(client, fault, answer, body):
        return False
    if fault is not None and fault.kind == "flip" and body:
        body = _flipped(body)
    client.sendall(answer.head())
    client.sendall(body)
    return answer.headers.get(b"connection", b"").lower() != b"close"


def _flipped(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :] if body else body


def _passes_on(client: socket.socket, fault: Fault, answer: _Message, body: bytes) -> bool:
    """Whether an answer still comes whole; what comes of it otherwise is sent."""
    if fault.kind == "delay":
        time.sleep(fault.seconds)
    if fault.kind == "lose" or (fault.kind in ("drop", "cut") and not body):
        _reset(client)
        return False
    if fault.kind not in ("drop", "cut", "shrink") or not body:
        return True
    half = body[: len(body) // 2]
    if fault.kind == "shrink" and answer.n_bytes is not None:
        answer.headers[b"content-length"] = b"%d" % len(half)
    client.sendall(answer.head() + half)
    if fault.kind == "drop":
        # What was sent has to arrive, or it would be the head that is missing.
        time.sleep(0.02)
        _reset(client)
    return False


def _reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def _read_head(sock: socket.socket) -> _Message | None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(1 << 16)
        if not more:
            return None
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    return _Message(first=first, headers=headers, rest=rest)


def _read_body(sock: socket.socket, message: _Message) -> bytes:
    """The body as it goes over the wire, chunks and all."""
    data = bytearray(message.rest)
    n_bytes = message.n_bytes
    while not _is_whole(data, n_bytes):
        more = sock.recv(1 << 18)
        if not more:
            break
        data += more
    return bytes(data)


def _is_whole(data: bytearray, n_bytes: int | None) -> bool:
    return data.endswith(b"0\r\n\r\n") if n_bytes is None else len(data) >= n_bytes
