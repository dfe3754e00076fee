"""One model behind two servers, requests plain and odd, and a client that says what both answered."""

import gzip
import json
import random
import re
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np

from headway.core.prediction import Prediction
from headway.core.prediction_log import Label
from headway.core.signature import Field, Signature, outputs_of
from headway.errors import DataUnreadable
from headway.serving import direct
from headway.serving import limits as ordinary
from headway.serving.app import App
from headway.serving.direct import Tell
from headway.serving.limits import Connection, Limits
from headway.serving.record import Answered
from served import Made, served

QUICKLY = Limits(receive_s=4, idle_s=20, max_head_bytes=4096, max_body_bytes=2000, max_gathered_bytes=100_000)
LAST = b"GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"

Rows = Sequence[Mapping[str, Any]]


class Noted:
    """A recorder that keeps what it is told."""

    def __init__(self) -> None:
        self.entries: list[Answered] = []

    def note(self, entry: Answered) -> None:
        self.entries.append(entry)

    def label(self, labels: tuple[Label, ...]) -> bool:
        del labels
        return True

    def told(self) -> list[tuple[object, ...]]:
        """All of it but the times, which two servers do not share."""
        kept = [f for f in Answered.__struct_fields__ if f not in ("at", "ms")]
        return [tuple(getattr(entry, name) for name in kept) for entry in self.entries]


def moody() -> Made:
    """Answers a text with itself, several times; some texts make it fail, each in another way."""

    def answer(rows: Rows) -> Prediction:
        texts = [str(row["text"]) for row in rows]
        if "raise" in texts:
            raise RuntimeError("as it was told")
        if "unfit" in texts:
            raise DataUnreadable("the column text holds nonsense", at="text", remedy="send sense")
        if "none" in texts:
            return Prediction(labels=np.array([]))
        said = ["\ud800" if t == "broken" else t * int(row["n"]) for t, row in zip(texts, rows, strict=True)]
        return Prediction(labels=np.array(said, dtype=object))

    inputs = (Field(name="n", kind="INT64"), Field(name="text", kind="BYTES"))
    return Made(answer, Signature(inputs=inputs, outputs=outputs_of(label="BYTES")))


class Counted:
    """An application that counts what reaches it from connections."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.n_put = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.app, name)

    def put(self, path: str, headers: dict[bytes, bytes], body: bytes, tell: Tell) -> None:
        self.n_put += 1
        self.app.put(path, headers, body, tell)


class Pair:
    """Two servers of one model: one that answers from the connection, one whose requests all go the ordinary way."""

    def __init__(self, stack: ExitStack, make: Callable[[], Made], limits: Limits = QUICKLY) -> None:
        self.logs = (Noted(), Noted())
        fronts: list[Counted] = []

        def kind(app: App, own: Limits) -> type[Connection]:
            fronts.append(Counted(app))
            return direct.connections(fronts[-1], own)

        self.direct = stack.enter_context(served(make(), limits=limits, recorder=self.logs[0], kind=kind))
        self.plain = stack.enter_context(
            served(make(), limits=limits, recorder=self.logs[1], kind=lambda _, own: ordinary.connections(own))
        )
        self.front = fronts[0]
        for server in (self.direct, self.plain):
            server.app._id = ("id", 0)

    def ask(self, *requests: Sequence[bytes]) -> bytes:
        """What both say to these requests on one connection, until they close it; it must be the same."""
        said = [talk(server.port, requests) for server in (self.direct, self.plain)]
        assert said[0] == said[1], requests
        return said[0]

    def check(self) -> None:
        """Both have counted and logged the same, and hold nothing any more."""
        states = []
        for server, log in zip((self.direct, self.plain), self.logs, strict=True):
            app = server.app
            settled(lambda app=app: app._meter.n_running == 0 and app.gathering.n_bytes == 0)  # type: ignore[misc]
            latency, counts = app._meter.latency, app._batcher.counts
            states.append((app._meter.answers, sum(latency.counts), counts.n_rows, counts.n_full, log.told()))
        assert states[0] == states[1]


def settled(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def talk(port: int, requests: Sequence[Sequence[bytes]]) -> bytes:
    """What a server says to requests, each in pieces; each is answered before the next is sent."""
    said = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for pieces in requests[:-1]:
            send(connection, pieces)
            said += answer(connection, has_body=not pieces[0].startswith(b"HEAD"))
        send(connection, requests[-1])
        with suppress(ConnectionError):
            while more := connection.recv(65536):
                said += more
    return re.sub(rb"\r\ndate: [^\r]*", b"", said)


def send(connection: socket.socket, pieces: Sequence[bytes]) -> None:
    """All pieces, each in a packet of its own; the server may have closed, as the answer tells."""
    with suppress(ConnectionError):
        for at, piece in enumerate(pieces):
            if at:
                time.sleep(0.002)
            connection.sendall(piece)


def answer(connection: socket.socket, *, has_body: bool) -> bytes:
    """One whole answer, or what there is of it when the server closes."""
    said = b""
    begin, end = 0, -1
    with suppress(ConnectionError):
        while end < 0 or said.startswith(b"HTTP/1.1 100", begin):
            begin = end + 4 if end >= 0 else 0
            while (end := said.find(b"\r\n\r\n", begin)) < 0:
                more = connection.recv(65536)
                if not more:
                    return said
                said += more
        length = re.search(rb"content-length: (\d+)", said[begin:end])
        left = end + 4 + int(length[1]) - len(said) if length and has_body else 0
        while left > 0 and (more := connection.recv(65536)):
            said += more
            left -= len(more)
    return said


class Client:
    """Makes up requests, plain ones and odd ones."""

    def __init__(self, seed: int, *, is_matrix: bool) -> None:
        self.rng = random.Random(seed)
        self.is_matrix = is_matrix

    def request(self) -> bytes:
        """One, which may be odd."""
        rng = self.rng
        path, body, headers = self.asked()
        lines = [f"{name}: {value}" for name, value in headers.items()]
        if rng.random() < 0.4:
            lines += rng.sample(HEADERS, rng.randint(1, 2))
        if rng.random() < 0.06:
            body = gzip.compress(body, mtime=0)
            lines.append("Content-Encoding: gzip")
        rng.shuffle(lines)
        end = rng.choice(["\r\n"] * 30 + ["\n"])
        start = f"{rng.choice(METHODS)} {path} {rng.choice(VERSIONS)}"
        if rng.random() < 0.06:
            head = end.join([start, "Host: x", *lines, "Transfer-Encoding: chunked", "", ""]).encode()
            return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else head + b"0\r\n\r\n"
        length = len(body) if rng.random() < 0.97 else rng.choice(["-1", "x", ""])
        own = rng.choice(["Content-Length", "content-length"])
        return end.join([start, "Host: x", *lines, f"{own}: {length}", "", ""]).encode() + body

    def asked(self) -> tuple[str, bytes, dict[str, str]]:
        """A path, a body, and headers that belong to it."""
        rng = self.rng
        if rng.random() < 0.05:
            return rng.choice(["/", "/predict/", "/predict?a=b", "/v2/models/m", "/pred%69ct", "/labels"]), b"{}", {}
        if rng.random() < 0.5:
            return "/predict", self.broken(json.dumps(self.rows()).encode()), {}
        path = rng.choice(["/v2/models/m/infer", "/v2/models/m/versions/2/infer", "/v2/models/m/versions/9/infer"])
        if not self.is_matrix:
            n, text = [rng.choice([1, 2, 2000])], [rng.choice(TEXTS)]
            inputs = [
                {"name": "n", "shape": [1], "datatype": "INT64", "data": n},
                {"name": "text", "shape": [1], "datatype": "BYTES", "data": text},
            ]
            told: dict[str, Any] = {"inputs": rng.sample(inputs, rng.choice([1, 2, 2, 2]))}
            if rng.random() < 0.3:
                told["outputs"] = [{"name": "label", "parameters": {"binary_data": True}}]
            return path, self.broken(json.dumps(told).encode()), {}
        values = [rng.choice([1.5, -2.25, 3, 1e300]) for _ in range(rng.choice([3, 3, 3, 6, 2]))]
        tensor: dict[str, Any] = {"name": "input", "shape": [len(values) // 3, 3], "datatype": "FP64"}
        if rng.random() < 0.5:
            told = {"inputs": [{**tensor, "data": values}], "id": rng.choice([None, "own"])}
            return path, self.broken(json.dumps(told).encode()), {}
        raw = struct.pack(f"<{len(values)}d", *values)
        told = {"inputs": [{**tensor, "parameters": {"binary_data_size": len(raw)}}]}
        if rng.random() < 0.5:
            told["parameters"] = {"binary_data_output": True}
        head = json.dumps(told).encode()
        length = str(len(head)) if rng.random() < 0.9 else rng.choice(["0", "x", "99999", "", "1" * 5000])
        return path, head + raw, {"Inference-Header-Content-Length": length}

    def rows(self) -> Any:
        rng = self.rng
        if self.is_matrix:
            rows: list[Any] = [dict.fromkeys("abc", rng.choice([1, 2.5, None, "x"])) for _ in range(rng.randint(1, 3))]
        else:
            rows = [{"n": rng.choice([1, 2, 2000, 1.5]), "text": rng.choice(TEXTS)} for _ in range(rng.randint(1, 2))]
        if rng.random() < 0.1:
            rows[0]["other"] = 1
        return rng.choice([rows[0], rows, {"inputs": rows}, {"inputs": rows[0]}])

    def broken(self, body: bytes) -> bytes:
        return (
            body if self.rng.random() < 0.9 else self.rng.choice([body[:-1], b"", b"[]", b"NaN", b"\xff", b"1" * 2500])
        )

    def requests(self) -> list[list[bytes]]:
        """What goes out on one connection, as `talk` takes it. Nothing here depends on what comes first in a race."""
        rng = self.rng
        found = [self.request() for _ in range(rng.choice([1, 1, 2, 4]))]
        match rng.choice(["apart", "apart", "cut", "cut", "together", "wrong length"]):
            case "apart":
                return [*([one] for one in found), [LAST]]
            case "cut":
                # Mostly where many clients cut: between the head and the body.
                cuts = [one.find(b"\r\n\r\n") + 4 if rng.random() < 0.6 else rng.randrange(len(one)) for one in found]
                pieces = [[*filter(None, (one[:at], one[at:]))] for one, at in zip(found, cuts, strict=True)]
                return [*pieces, [LAST]]
            case "together":
                return [[b"".join(self.plain() for _ in found) + LAST]]
            case _:
                return [[self.plain(rng.choice([-1, 1, 7])) + LAST]]

    def plain(self, more: int = 0) -> bytes:
        """A request without anything odd; `more`: its length says so much more than there is."""
        path, body, headers = self.asked()
        length = max(0, len(body) + more)
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**headers, "Content-Length": length}.items())
        return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


TEXTS = ["a", "b", "é", "", "raise", "unfit", "none", "broken"]
METHODS = ["POST"] * 40 + ["GET", "HEAD", "PUT", "post", "OPTIONS"]
VERSIONS = ["HTTP/1.1"] * 40 + ["HTTP/1.0", "HTTP/2.0", "HTTP/1.2"]
HEADERS = [
    "X-Request-Id: order-7", "x-request-id: two words", "X-REQUEST-ID: " + "a" * 200, "Accept-Encoding: gzip, deflate",
    "Accept-Encoding: br", "Connection: keep-alive", "Connection: close", "Expect: 100-continue", "Expect: nothing",
    "Content-Type: application/json", "X-Headway-Handed-On: shadow", "X-Headway-Handed-On: 1", "Upgrade: websocket",
    "Connection: Upgrade", "Content-Encoding: identity", "Content-Encoding: br", "X-Long: " + "a" * 3000, "X-Empty:",
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "X-Odd : spaced", "X-Folded: a\r\n b",
    "Content-Length: 3", "Transfer-Encoding: identity", "X-Latin: \xe9", "no colon",
]  # fmt: skip
