"""A client of HTTP/2 that sends whatever a test wants, frame by frame, well or badly."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import h2.config
import h2.connection
import h2.events
import h2.exceptions

INFER = "/inference.GRPCInferenceService/ModelInfer"
LIVE = "/inference.GRPCInferenceService/ServerLive"
LIVE_ANSWER = b"\x08\x01"


class Told(NamedTuple):
    """What came back of a call: headers and trailers by name, and messages."""

    headers: dict[str, str]
    messages: list[bytes]

    @property
    def status(self) -> int:
        return int(self.headers["grpc-status"])


class Caller:
    """One connection."""

    def __init__(self, port: int, timeout_s: float = 15) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, header_encoding="utf-8", validate_outbound_headers=False)
        )
        self.events: list[h2.events.Event] = []
        self.is_closed = False
        self.raw = b""

    def start(self) -> None:
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.socket.sendall(self.h2.data_to_send())

    def begin(self, path: str = LIVE, headers: Mapping[str, str] = {}, *, end: bool = False) -> int:
        """Open a call; returns its stream."""
        number = self.h2.get_next_available_stream_id()
        told = {
            ":method": "POST", ":scheme": "http", ":path": path, ":authority": "x", "te": "trailers",
            "content-type": "application/grpc", **headers,
        }  # fmt: skip
        self.h2.send_headers(number, list(told.items()), end_stream=end)
        return number

    def call(self, path: str = LIVE, message: bytes = b"", headers: Mapping[str, str] = {}, flag: int = 0) -> int:
        """A whole call, not sent before `flush`."""
        number = self.begin(path, headers)
        body = bytes([flag]) + len(message).to_bytes(4, "big") + message
        while len(body) > 16_000:
            self.h2.send_data(number, body[:16_000])
            body = body[16_000:]
        self.h2.send_data(number, body, end_stream=True)
        return number

    def receive(self) -> bool:
        """Take in what there is; False when the server has closed."""
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        if not data:
            self.is_closed = True
            return False
        self.raw += data
        self.events += self.h2.receive_data(data)
        for event in self.events:
            if isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                event.flow_controlled_length = 0
        self.flush()
        return True

    def told(self, number: int) -> Told:
        """The answer to a call, once it has ended."""
        while not self.has_ended(number):
            assert self.receive(), self.events
        headers: dict[str, str] = {}
        body = b""
        for event in self.events:
            if getattr(event, "stream_id", None) != number:
                continue
            if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
                headers |= dict(event.headers)  # type: ignore[arg-type] # texts, by our configuration
            elif isinstance(event, h2.events.DataReceived):
                body += event.data
        messages = []
        while body:
            end = 5 + int.from_bytes(body[1:5], "big")
            messages.append(body[5:end])
            body = body[end:]
        return Told(headers, messages)

    def last_words(self) -> list[tuple[int, int]]:
        """The GOAWAYs that came, also those that h2 does not tell of: the last stream of each, and the error."""
        found = []
        at = 0
        while at + 9 <= len(self.raw):
            size = int.from_bytes(self.raw[at : at + 3], "big")
            if self.raw[at + 3] == 7:
                body = self.raw[at + 9 : at + 9 + size]
                found.append((int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")))
            at += 9 + size
        return found

    def has_ended(self, number: int) -> bool:
        ends = h2.events.StreamEnded | h2.events.StreamReset
        return any(isinstance(event, ends) and event.stream_id == number for event in self.events)

    def until_closed(self) -> list[h2.events.Event]:
        """All that comes until the server has closed."""
        try:
            while self.receive():
                pass
        except h2.exceptions.ProtocolError:
            # A GOAWAY is the last that h2 takes.
            while data := self.socket.recv(1 << 16):
                self.raw += data
        return self.events


@contextmanager
def calling(port: int, *, timeout_s: float = 15) -> Iterator[Caller]:
    """A connection that has begun."""
    caller = Caller(port, timeout_s)
    caller.start()
    try:
        yield caller
    finally:
        caller.socket.close()
